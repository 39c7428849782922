#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A run that is longer than the time limit. Before the limit soret writes a checkpoint and stops, and the job goes back into the queue (or a
# follower takes over: site_chain in jobscripts/site.sh) until the run is done. A job that loses a node goes on from its last checkpoint.
#
#   jobscripts/chain.sh -n 64 -t 24:00:00 CASE.yaml [key.path=value ...] checkpoint.every="30 min"
#
#   -n RANKS, -N NODES   how much (with -N alone: site_ranks_per_node each)
#   -t TIME              limit of each part
#   --restarts K         stop after so many restarts in a row that got no further (default 3)
#   --print              show the job instead of submitting it
#
# Checkpoints are NAME.ckpt-*, named as the case, in the folder of the argument output.file, else here, or where the argument checkpoint.prefix says; a
# case file that sets checkpoint.prefix itself is refused. The log is soret-chain-NUMBER.log. To stop a chain: scancel its job (with
# site_chain=dependent also the follower). To go on with it later: the same command; -n, -N, -t and --restarts may be others. NAME.ckpt-command keeps
# the arguments and a checksum of the case file: over checkpoints of others a chain is refused with status 2. Its own jobs go on with the case as
# it was at the start, whatever becomes of the file.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/job.sh"
read_options "$@"
[ "$mode" != local ] || die 2 "chain.sh needs Slurm; without it: soret CASE.yaml, then soret resume"

# Prefix of the checkpoints.
prefix=$(override checkpoint.prefix "${arguments[@]}")
if [ -z "$prefix" ]; then
  # no YAML is read here, and soret would get another one than the case asks for
  if { cat "${arguments[0]}" || true; override checkpoint "${arguments[@]}"; } 2>/dev/null | grep -E '^[^#]*\<prefix["'\'']?[[:space:]]*:' >/dev/null; then
    die 2 "chain.sh: '${arguments[0]}' sets checkpoint.prefix, which is not read here: say it behind the case, checkpoint.prefix=..."
  fi
  prefix=$(basename "${arguments[0]}")
  prefix=$(result_folder "${arguments[@]}")/${prefix%.*}
  arguments+=("checkpoint.prefix=$prefix")
fi
state=$prefix.chain # of this job: number of starts, starts without progress, where the last one began

submit_part() # SBATCH_OPTION...
{
  local size again=(--inside --restarts "$restarts") requeue=--requeue
  # a node that fails leaves the rest to the follower, which waits already: in the queue again this job would submit a second one
  [ "$site_chain" != dependent ] || requeue=--no-requeue
  mapfile -t size < <(size_options "$nodes" "$ranks")
  [ ${#size[@]} -gt 0 ] || exit 2
  [ -z "$nodes" ] || again+=(-N "$nodes")
  [ -z "$ranks" ] || again+=(-n "$ranks")
  [ -z "$limit" ] || again+=(-t "$limit")
  submit soret-chain "${size[@]}" "$requeue" "--signal=USR1@$site_margin" "$@" -- "$jobs/chain.sh" "${again[@]}" "${arguments[@]}"
}

# The job that waits for this one, for the time after it; empty where Slurm takes none, as at a limit of jobs for each user.
submit_follower()
{
  follower=$(submit_part "--dependency=afternotok:$SLURM_JOB_ID" --kill-on-invalid-dep=yes) || follower=''
}

# How far the newest checkpoint is, "step 120 t 0.5"; empty where there is none.
progress()
{
  local newest
  newest=$(newest_manifest "$prefix")
  [ -z "$newest" ] || sed -n '2s/ written.*//p' "$newest"
}

# Counts this start; ends the chain where it only burns core hours.
count_start()
{
  local starts=0 idle=0 last='' now
  now=$(progress)
  if [ -f "$state" ]; then
    IFS='|' read -r starts idle last <"$state" || true # cut short, where a start was killed or had no disk left: counted anew
    if [ "$now" = "$last" ]; then idle=$((idle + 1)); else idle=0; fi
  fi
  [ "$idle" -le "$restarts" ] || {
    rm -f "$state"
    die 3 "chain.sh: $restarts restarts in a row got no further than ${now:-the start}: the chain ends. Is the time limit too short for a step and a checkpoint, or site_margin ($site_margin s) too short or too long for it?"
  }
  say "$((starts + 1))|$idle|$now" >"$state"
  say "chain: start $((starts + 1)) of job ${SLURM_JOB_ID}, at ${now:-the beginning}"
}

# The end of a part that was stopped: the next one.
go_on()
{
  local where
  where=$(progress)
  where=${where:-the start}
  if [ "$site_chain" = dependent ]; then
    if [ -z "$follower" ]; then # once more: others of the user's jobs may have ended
      submit_follower
      [ -n "$follower" ] || die 75 "chain: stopped at $where, and again sbatch takes no job that goes on (what it said is above): go on with the same command as at the start"
      keep_command "$prefix" "$SLURM_JOB_ID $follower" "${arguments[@]}"
    fi
    say "chain: stopped at $where; job $follower goes on"
    exit 75
  fi
  say "chain: stopped at $where; back into the queue"
  scontrol requeue "$SLURM_JOB_ID" || die 75 "chain.sh: this cluster does not let a job requeue itself: set site_chain=dependent in $site_file"
  sleep 60 # until Slurm ends this
}

if [ "$mode" != inside ]; then
  check_command "$prefix" '' "${arguments[@]}"
  submit_part
  exit
fi
prepare
preflight "$(ranks_here)" "$(dirname "$prefix")"
check_command "$prefix" "$SLURM_JOB_ID" "${arguments[@]}" # another chain may have come first
count_start
follower=''
if [ "$site_chain" = dependent ]; then
  submit_follower
  [ -n "$follower" ] || say "chain: sbatch takes no job that waits for this one (what it said is above). This part runs all the same, and tries again when it is stopped; killed or without its node, it would have nobody to go on"
fi
keep_command "$prefix" "$SLURM_JOB_ID $follower" "${arguments[@]}"
status=0
if has_checkpoints "$prefix"; then
  run_case "$(ranks_here)" resume "$prefix" || status=$?
else
  run_case "$(ranks_here)" "${arguments[@]}" || status=$?
fi
case $status in
  75 | 138 | 143) go_on ;; # 128 + SIGUSR1 or SIGTERM: told to stop while it was started, before it could hear
esac
[ -z "$follower" ] || [ "$status" -ge 128 ] || scancel "$follower" || true # done, or something that another start does not mend
if [ "$status" -lt 128 ]; then rm -f "$state"; fi
say "chain: ended with status $status"
exit "$status"
