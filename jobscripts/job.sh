# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034,SC2154 # variables of site.sh, and for those who source this
# What the job scripts share: their options, submission, the checks before a run, the launch. Sourced by bash, not run.
#
# A script that is called by a user submits itself; inside the job it is called again with --inside. With --local there is no Slurm: what
# would be submitted is run at once through mpirun, one after the other.

jobs=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$jobs/common.sh"
site_file=${SORET_SITE_FILE:-$jobs/site.sh}
[ -f "$site_file" ] || die 2 "there is no site file '$site_file'"
. "$jobs/site.sh" # what an older site file does not set
# shellcheck source=site.sh
. "$site_file"

# ---------------------------------------------------------------------------------------------------------------- options

usage() # prints the first comment of the script
{
  sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
}

# Options before the case; what follows it belongs to soret. Sets nodes, ranks, limit (of time), folder, mode, and arguments.
nodes='' ranks='' limit='' folder='' mode=submit repeat=1 at_once='' restarts=3 sizes='[1-9][0-9]*'
read_options() # ARGUMENT...
{
  local pattern
  while [ $# -gt 0 ]; do
    pattern='.+'
    case $1 in
      -N | --nodes) nodes=${2-} pattern=$sizes ;;
      -n | --ranks) ranks=${2-} pattern=$sizes ;;
      -t | --time) limit=${2-} ;;
      -o | --output) folder=${2-} ;;
      --repeat) repeat=${2-} pattern='[1-9][0-9]*' ;;
      --at-once) at_once=${2-} pattern='[1-9][0-9]*' ;;
      --restarts) restarts=${2-} pattern='[0-9]+' ;;
      --local | --print | --inside) mode=${1#--} ;;
      -h | --help)
        usage
        exit 0
        ;;
      -*) die 2 "$0: unknown option '$1'; see $0 --help" ;;
      *) break ;;
    esac
    case $1 in
      --local | --print | --inside) shift ;;
      *)
        [ $# -gt 1 ] || die 2 "$0: '$1' needs a value"
        [[ $2 =~ ^($pattern)$ ]] || die 2 "$0: '$2' is no value of '$1'; see $0 --help"
        shift 2
        ;;
    esac
  done
  arguments=("$@")
  [ $# -gt 0 ] || {
    usage >&2
    exit 2
  }
  case $1 in
    check | info | compare | resume | verify) ;; # of soret
    *) [ "$mode" = inside ] || [ -e "$1" ] || die 2 "$0: there is no '$1' here" ;;
  esac
  [ "$mode" != submit ] || command -v sbatch >/dev/null || die 2 "there is no sbatch here: with --local the same runs through mpirun"
}

# The value of the last override of a key among the arguments.
override() # KEY ARGUMENT...
{
  local key=$1 value='' word
  shift
  for word in "$@"; do [ "${word%%=*}" != "$key" ] || value=${word#*=}; done
  say "$value"
}

# Makes the directory of a study, unless jobs are only shown; sets folder to its full name, and log_folder to that as sbatch takes it, for which % begins a code.
make_folder()
{
  [ "$mode" = print ] || mkdir -p "$folder"
  if [ -d "$folder" ]; then
    folder=$(cd "$folder" && pwd)
  elif [[ $folder != /* ]]; then
    folder=$PWD/$folder
  fi
  log_folder=${folder//%/%%}
}

# Where the result will be: that of the override, else the current directory.
result_folder() # ARGUMENT...
{
  local file
  file=$(override output.file "$@")
  dirname "${file:-./result}"
}

# ---------------------------------------------------------------------------------------------------------------- submission

# Hands a command to sbatch; prints the number of the job.
submit() # NAME SBATCH_OPTION... -- COMMAND...
{
  local options=(--parsable --job-name="$1" --export=ALL --open-mode=append --output="${log_file:-%x-%j.log}") script
  shift
  [ -z "$site_account" ] || options+=(--account="$site_account")
  [ -z "$site_partition" ] || options+=(--partition="$site_partition")
  [ -z "$limit" ] || options+=(--time="$limit")
  options+=("${site_sbatch[@]}")
  while [ "$1" != -- ]; do
    options+=("$1")
    shift
  done
  shift
  # the site file also where sbatch keeps the environment from the job (--export=NONE)
  script="#!/usr/bin/env bash
export SORET_SITE_FILE=$(printf %q "$site_file")
exec$(printf ' %q' "$@")"
  if [ "$mode" = print ]; then
    printf '%s\n' "# sbatch$(printf ' %q' "${options[@]}")" "$script" >&2
    say 0
  else
    sbatch "${options[@]}" <<<"$script" | cut -d';' -f1
  fi
}

# Nodes and ranks as options of sbatch, one a line.
size_options() # NODES RANKS
{
  local each=$site_ranks_per_node
  if [ -n "$1" ] && [ -n "$2" ]; then
    printf '%s\n' "--nodes=$1" "--ntasks=$2"
  elif [ -n "$1" ]; then
    [ -n "$each" ] || die 2 "how many ranks on a node? Set site_ranks_per_node in $site_file, or say how many in all with -n"
    printf '%s\n' "--nodes=$1" "--ntasks-per-node=$each" "--ntasks=$(($1 * each))"
  else
    say "--ntasks=${2:-1}"
  fi
}

# ---------------------------------------------------------------------------------------------------------------- checks

# Each prints one line about what is wrong, with the remedy, and nothing where all is well.

find_soret()
{
  soret=${site_soret:-$root/build/soret}
  [ -n "$site_soret" ] || [ -x "$soret" ] || soret=$(command -v soret) || soret=$root/build/soret
}

check_program()
{
  local missing
  [ -x "$soret" ] || {
    say "there is no program '$soret': build it (jobscripts/quickstart.sh), or set site_soret in $site_file"
    return
  }
  missing=$(linked | awk '/=> not found/ { print $1 }' | tr '\n' ' ')
  [ -z "$missing" ] || {
    say "'$soret' does not find its libraries ${missing% }: load the modules with which it was built (site_modules in $site_file)"
    return
  }
  missing=$(check_hdf5)
  if [ -n "$missing" ]; then
    say "$missing"
  elif ! "$soret" --version >/dev/null 2>&1; then
    say "'$soret' does not run on $(hostname): was it built for another kind of processor, or with other libraries than are found now?"
  fi
}

# The libraries of the program; ldd complains of those that do not fit.
linked()
{
  ldd "$soret" 2>/dev/null || true
}

# The files of libraries whose name begins so.
library() # NAME
{
  linked | awk -v name="$1" 'index($1, name) == 1 && $3 ~ /^\// { print $3 }'
}

check_hdf5()
{
  local file
  for file in $(library libhdf5); do
    [[ $file != *_hl* ]] || continue
    grep -q H5Pset_fapl_mpio "$file" || say "the HDF5 that is found now, $file, is a serial one and cannot write from several ranks: load the module of the parallel HDF5 with which soret was built, and look at LD_LIBRARY_PATH"
  done
}

# Threads of OpenMP and BLAS times ranks on a node, against the CPUs that a job has there.
check_threads() # RANKS_ON_NODE CPUS_ON_NODE
{
  local name threads
  for name in OMP_NUM_THREADS OPENBLAS_NUM_THREADS MKL_NUM_THREADS; do
    threads=${!name:-1}
    threads=${threads%%,*}
    [ $((threads * $1)) -le "$2" ] || [ "$threads" -le 1 ] || say "$name=$threads with $1 ranks on a node of $2 CPUs makes $((threads * $1)) threads that wait for each other: unset it (1 is taken then), or ask for fewer ranks per node"
  done
}

check_folder() # DIRECTORY
{
  local probe free
  [ -d "$1" ] || {
    say "there is no directory '$1' for the result"
    return
  }
  probe=$(mktemp "$1/.soret-XXXXXX" 2>/dev/null) || {
    say "the directory '$1' cannot be written from $(hostname): choose another with output.file=DIRECTORY/NAME.h5"
    return
  }
  rm -f "$probe"
  free=$(df -Pm "$1" | awk 'NR == 2 { print $4 }')
  [ "$free" -ge "$site_free_mib" ] || say "the disk of '$1' has only $free MiB left, less than the $site_free_mib MiB that jobs need (site_free_mib in $site_file)"
}

# CPUs of this job on this node, or of this machine.
cpus_here()
{
  if [ "$mode" = local ]; then cpus; else say "${SLURM_CPUS_ON_NODE:-$(cpus)}"; fi
}

# The first line of all checks ends the job before it has cost anything.
preflight() # RANKS DIRECTORY
{
  local most=$1 trouble
  [ -z "${SLURM_JOB_NUM_NODES:-}" ] || most=$((($1 + SLURM_JOB_NUM_NODES - 1) / SLURM_JOB_NUM_NODES))
  trouble=$({
    check_program
    check_threads "$most" "$(cpus_here)"
    check_folder "$2"
  } | head -n 1)
  [ -z "$trouble" ] || die 2 "soret was not started: $trouble"
}

# ---------------------------------------------------------------------------------------------------------------- checkpoints

# Beside checkpoints lies PREFIX.ckpt-command: the jobs that go on with them unasked; checksum of the case file; case and arguments, one a line.

elsewhere='another checkpoint.prefix' # what keeps runs apart

# Not by compgen, for which the prefix would be a pattern, too.
newest_manifest() # PREFIX
{
  local file newest=''
  for file in "$1".ckpt-*.manifest; do
    [ ! -e "$file" ] || newest=$file
  done
  say "$newest"
}

has_checkpoints() # PREFIX
{
  [ -n "$(newest_manifest "$1")" ]
}

case_sum() # CASE
{
  { cksum <"$1"; } 2>/dev/null || say none
}

# Ends with status 2 where the checkpoints are of another command, or of another state of the case file, than what is asked for now.
check_command() # PREFIX JOB CASE ARGUMENT...
{
  local file=$1.ckpt-command known anew
  has_checkpoints "$1" || return 0
  anew="to start anew, move '$1.ckpt-*' away or choose $elsewhere"
  [ -s "$file" ] || die 2 "there are checkpoints '$1.ckpt-*' of a run that was started otherwise; nothing was run. Go on from them with: soret resume '$1' (in a job: jobscripts/single.sh ... resume '$1'); $anew"
  mapfile -t known <"$file"
  [ -z "$2" ] || [[ " ${known[0]} " != *" $2 "* ]] || return 0
  [ "$(printf '%s\n' "${@:3}")" = "$(tail -n +3 "$file")" ] || die 2 "there are checkpoints '$1.ckpt-*' of another command; nothing was run.
  they are of:$(printf ' %q' "${known[@]:2}")
  this is:    $(printf ' %q' "${@:3}")
Go on from them with the same command; $anew"
  [ "$(case_sum "$3")" = "${known[1]}" ] || die 2 "'$3' is not what it was when the checkpoints '$1.ckpt-*' were begun; nothing was run. To go on from them put it back as it was, or use: soret resume '$1'; $anew"
}

# What is behind the checkpoints that are there, or are now begun.
keep_command() # PREFIX JOBS CASE ARGUMENT...
{
  local file=$1.ckpt-command anew=$1.ckpt-command.new${2%% *}
  if has_checkpoints "$1"; then
    sed "1s/.*/$2/" "$file"
  else
    printf '%s\n' "$2" "$(case_sum "$3")" "${@:3}"
  fi >"$anew"
  mv "$anew" "$file"
}

# ---------------------------------------------------------------------------------------------------------------- the run

load_modules()
{
  [ ${#site_modules[@]} -eq 0 ] || module load "${site_modules[@]}"
}

prepare()
{
  unset SLURM_EXPORT_ENV # by which srun would keep from the ranks what is set here, where sbatch had --export=NONE
  load_modules || die 2 "cannot load the modules of $site_file"
  site_prepare
  find_soret
  export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} OPENBLAS_NUM_THREADS=${OPENBLAS_NUM_THREADS:-1} MKL_NUM_THREADS=${MKL_NUM_THREADS:-1}
}

# Starts ranks; the status is that of soret. A rank that dies ends all.
launch() # RANKS COMMAND...
{
  local count=$1 status=0 file
  shift
  file=$(mktemp "$PWD/.soret-status-XXXXXX") || die 4 "cannot write in $PWD"
  # of scancel, which ends the ranks, too: bash runs this when they are done, and goes no further
  # shellcheck disable=SC2064 # the name of now
  trap "rm -f $(printf %q "$file"); exit 143" TERM
  set -- "$jobs/rank.sh" "$file" "$@"
  if [ "$mode" = local ]; then
    (
      mpi_environment "$count"
      exec mpirun -n "$count" "$@"
    ) || status=$?
  elif [ "$site_launcher" = srun ]; then
    srun --ntasks="$count" --kill-on-bad-exit=1 "${site_launcher_options[@]}" "$@" || status=$?
  else
    "$site_launcher" -n "$count" "${site_launcher_options[@]}" "$@" || status=$?
  fi
  if [ -s "$file" ]; then status=$(head -n 1 "$file"); fi
  rm -f "$file"
  trap - TERM
  return "$status"
}

# One run of a case, with its performance record.
run_case() # RANKS CASE ARGUMENT...
{
  local count=$1 record=(output.record=true)
  shift
  [ -z "$(override output.record "$@")" ] || record=()
  say "$(date '+%F %T') soret on $count ranks, ${SLURM_JOB_NODELIST:-$(hostname)}, job ${SLURM_JOB_ID:-none}: $*"
  launch "$count" "$soret" "$@" "${record[@]}"
}

# Ranks of this job, or of a run without one.
ranks_here()
{
  if [ "$mode" = local ]; then say "${ranks:-1}"; else say "${SLURM_NTASKS:-1}"; fi
}
