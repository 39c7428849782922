#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A scaling study with one command: a job for each size, and one that makes the table and the figure when all have ended.
#
#   jobscripts/scaling.sh strong -n 1,2,4,8 -t 20 -o DIRECTORY CASE.yaml [key.path=value ...]
#   jobscripts/scaling.sh weak -N 1,2,4,8 -t 20 -o DIRECTORY CASE.yaml [key.path=value ...]
#
#   strong               the same problem on ever more ranks
#   weak                 the case is that of one rank (-n) or of the first size (-N); cells grow with the ranks, the box does not
#   -n RANKS, -N NODES   the sizes; nodes have site_ranks_per_node ranks each
#   -t TIME              limit of each job
#   -o DIRECTORY         for results, records, strong.txt and strong.png (default: scaling-KIND)
#   --repeat K           runs of each size; the fastest counts
#   --print              show the jobs instead of submitting them
#   --local              run one after the other through mpirun, without Slurm
#
# `jobscripts/scaling.sh collect DIRECTORY` makes table and figure anew. A second study in the same directory replaces sizes that are there.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/job.sh"

# Table and figure of all records of a directory.
collect() # KIND DIRECTORY
{
  local python
  python=$(find_python numpy matplotlib) || python=$site_python
  PYTHONPATH=$root/postprocess${PYTHONPATH:+:$PYTHONPATH} "$python" -m soretpost scaling --kind "$1" -o "$2/$1.png" "$2/$1"-*.json | tee "$2/$1.txt"
}

# The cells of the case, "64 64 64", as soret understands it.
cells_of() # CASE ARGUMENT...
{
  local line
  line=$("$soret" check "$@" | grep -E '^(steady|transient), [1-3]D') || die 2 "scaling.sh: '$soret check $*' fails"
  sed -E 's/.*D, ([0-9 x]+) cells.*/\1/; s/ x / /g' <<<"$line"
}

# Cells for `times` as many ranks: every axis grows alike, to a multiple of 4 where it has 32 or more, so that cells keep their shape.
grown_cells() # TIMES N...
{
  local times=$1
  shift
  awk -v times="$times" 'BEGIN {
    factor = times ^ (1 / (ARGC - 1))
    for (i = 1; i < ARGC; i++) {
      n = ARGV[i] * factor; step = ARGV[i] >= 32 && times > 1 ? 4 : 1
      printf "%s%d", (i > 1 ? "," : "["), step * int(n / step + 0.5)
    }
    print "]"
  }' "$@"
}

kind=${1:-}
[ $# -eq 0 ] || shift
case $kind in
  strong | weak) ;;
  -h | --help)
    usage
    exit
    ;;
  collect)
    [ $# -gt 0 ] || die 2 "scaling.sh: collect of which directory?"
    found=''
    for kind in strong weak; do
      records=("$1/$kind"-*.json)
      if [ -e "${records[0]}" ]; then
        found=yes
        collect "$kind" "$1"
      fi
    done
    [ -n "$found" ] || die 2 "scaling.sh: there are no records of a study in '$1'"
    exit
    ;;
  run) # inside a job: KIND TAG REPEAT DIRECTORY CASE ARGUMENT...
    mode=inside name=$3/$1-$2 repeat=$4
    [ "$5" != --local ] || mode=local ranks=$((10#$2))
    shift 5
    prepare
    preflight "$(ranks_here)" "$(dirname "$name")"
    for ((k = 1; k <= repeat; k++)); do
      run_case "$(ranks_here)" "$@" "output.file=$name-$k.h5" output.overwrite=true output.record=true output.xdmf=false
    done
    exit
    ;;
  figure) # in the last job
    collect "$1" "$2"
    exit
    ;;
  *)
    usage >&2
    exit 2
    ;;
esac

sizes="$sizes(,$sizes)*"
read_options "$@"
[ -n "$nodes$ranks" ] || die 2 "scaling.sh: which sizes? For example -n 1,2,4,8 ranks or -N 1,2,4 nodes"
[ -z "$nodes" ] || [ -z "$ranks" ] || die 2 "scaling.sh: sizes are ranks, -n, or nodes, -N, not both; ranks on a node are site_ranks_per_node in $site_file"
folder=${folder:-scaling-$kind}
make_folder
prepare
trouble=$(check_program)
[ -z "$trouble" ] || die 2 "$trouble"
log_file=$log_folder/%x-%j.log
[ "$kind" = strong ] || read -r -a cells < <(cells_of "${arguments[@]}")
first='' numbers=()
for size in $(tr ',' ' ' <<<"${nodes:-$ranks}"); do
  first=${first:-$size}
  total=$size
  if [ -n "$nodes" ]; then
    [ -n "$site_ranks_per_node" ] || die 2 "scaling.sh: how many ranks on a node? Set site_ranks_per_node in $site_file"
    total=$((size * site_ranks_per_node))
  fi
  more=()
  if [ "$kind" = weak ]; then
    times=$size
    [ -z "$nodes" ] || times=$(awk "BEGIN { print $size / $first }")
    more=("domain.cells=$(grown_cells "$times" "${cells[@]}")")
  fi
  command=("$jobs/scaling.sh" run "$kind" "$(printf %06d "$total")" "$folder" "$repeat")
  if [ "$mode" = local ]; then
    say "$kind scaling: $total ranks ${more[*]}"
    "${command[@]}" --local "${arguments[@]}" "${more[@]}" >"$folder/$kind-$total.log" 2>&1 || die 3 "the run on $total ranks failed, see $folder/$kind-$total.log"
  else
    mapfile -t options < <(if [ -n "$nodes" ]; then size_options "$size" "$total"; else size_options '' "$size"; fi)
    numbers+=("$(submit "soret-$kind-$total" "${options[@]}" -- "${command[@]}" --job "${arguments[@]}" "${more[@]}")")
  fi
done
if [ "$mode" = local ]; then
  collect "$kind" "$folder"
else
  say "jobs ${numbers[*]}; then job $(submit "soret-$kind-figure" --ntasks=1 "--dependency=afterany$(printf ':%s' "${numbers[@]}")" -- "$jobs/scaling.sh" figure "$kind" "$folder") makes $folder/$kind.txt and $folder/$kind.png"
fi
