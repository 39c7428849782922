#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A parameter study as an array of jobs, one point each. A key that is given several times is an axis, and all combinations are run; the shell
# expands braces into just that:
#
#   jobscripts/sweep.sh -n 4 -t 30 -o DIRECTORY CASE.yaml parameters.k={1,10,100} species.A.initial={0.5,1} domain.cells=[64,64]
#
#   -n RANKS, -N NODES   of each point
#   -t TIME              limit of each point
#   -o DIRECTORY         for points.txt, 0001.h5 ..., table.txt (default: sweep)
#   --at-once K          points that run at the same time (default: as many as the queue lets)
#   --print              show the jobs instead of submitting them
#   --local              run one after the other through mpirun, without Slurm
#
# A point that fails leaves the others alone; the same command again runs those that have no result yet, from their checkpoints where they have some
# (as long as case file and options are those of then: else `wrong input`, and the log says what differs). table.txt says how each ended.
# To solve points in turn, each from the last, use the section `sweep` of a case.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/job.sh"
elsewhere='another directory with -o'

# All combinations, one a line, ready for the shell.
combinations() # key=value ...
{
  local keys=() key word lines=('') next line
  for word in "$@"; do
    key=${word%%=*}
    [[ " ${keys[*]} " == *" $key "* ]] || keys+=("$key")
  done
  for key in "${keys[@]}"; do
    next=()
    for line in "${lines[@]}"; do
      for word in "$@"; do
        [ "${word%%=*}" != "$key" ] || next+=("$line$(printf '%q ' "$word")")
      done
    done
    lines=("${next[@]}")
  done
  printf '%s\n' "${lines[@]}"
}

# Runs one point; its status is kept beside the result.
run_point() # DIRECTORY NUMBER CASE OPTION...
{
  local directory=$1 name words job='' status=0
  name=$directory/$(printf %04d "$2")
  eval "words=($(sed -n "$2p" "$directory/points.txt"))" # written by combinations, quoted
  shift 2
  [ ! -e "$name.h5" ] || return 0
  rm -f "$name.status" # of a start before
  preflight "$(ranks_here)" "$directory"
  [ "$mode" = local ] || job=$SLURM_JOB_ID
  (check_command "$name" "$job" "$1" "${words[@]}" "${@:2}") || status=$?
  if [ "$status" -eq 0 ]; then
    keep_command "$name" "$job" "$1" "${words[@]}" "${@:2}"
    if has_checkpoints "$name"; then
      set -- resume "$name"
    else
      set -- "$1" "${words[@]}" "output.file=$name.h5" "checkpoint.prefix=$name" output.record=true "${@:2}"
    fi
    run_case "$(ranks_here)" "$@" || status=$?
  fi
  say "$status" >"$name.status"
  return "$status"
}

# How every point ended.
table() # DIRECTORY
{
  local number=0 line name state
  while read -r line; do
    number=$((number + 1))
    name=$1/$(printf %04d "$number")
    if [ -e "$name.h5" ]; then
      state='done'
    else
      case $(cat "$name.status" 2>/dev/null) in
        '') state='not finished' ;;
        2) state='wrong input' ;;
        3) state='not converged' ;;
        4) state='I/O error' ;;
        75) state='stopped early' ;;
        *) state="failed, status $(cat "$name.status")" ;;
      esac
    fi
    printf '%04d  %-16s %s\n' "$number" "$state" "$line"
  done <"$1/points.txt" | tee "$1/table.txt"
}

case ${1:-} in
  point) # inside a job: DIRECTORY CASE OPTION...
    mode=inside
    shift
    prepare
    run_point "$1" "$SLURM_ARRAY_TASK_ID" "${@:2}"
    exit
    ;;
  table)
    table "$2"
    exit
    ;;
esac

read_options "$@"
case_file=${arguments[0]} points=() options=()
for word in "${arguments[@]:1}"; do
  case $word in
    -*) options+=("$word") ;;
    *=*) points+=("$word") ;;
    *) options+=("$word") ;; # value of an option
  esac
done
[ ${#points[@]} -gt 0 ] || die 2 "sweep.sh: which points? For example parameters.k={1,10,100}"
folder=${folder:-sweep}
make_folder
list=$(combinations "${points[@]}")
if [ -e "$folder/points.txt" ] && [ "$list" != "$(cat "$folder/points.txt")" ]; then
  die 2 "sweep.sh: $folder holds the points of another study; choose another directory with -o"
fi
[ "$mode" = print ] || say "$list" >"$folder/points.txt"
count=$(wc -l <<<"$list")
prepare
trouble=$(check_program)
[ -z "$trouble" ] || die 2 "$trouble"
if [ "$mode" = local ]; then
  for ((k = 1; k <= count; k++)); do
    (run_point "$folder" "$k" "$case_file" "${options[@]}") >"$folder/$(printf %04d "$k").log" 2>&1 || true
  done
  table "$folder"
else
  log_file=$log_folder/%4a.log
  mapfile -t size < <(size_options "$nodes" "$ranks")
  [ ${#size[@]} -gt 0 ] || exit 2
  number=$(submit soret-sweep "${size[@]}" "--array=1-$count${at_once:+%$at_once}" -- "$jobs/sweep.sh" point "$folder" "$case_file" "${options[@]}")
  log_file=$log_folder/%x.log
  say "$count points in job $number; then job $(submit soret-sweep-table --ntasks=1 "--dependency=afterany:$number" -- "$jobs/sweep.sh" table "$folder") writes $folder/table.txt"
fi
