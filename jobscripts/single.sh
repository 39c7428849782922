#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# One run in one job:
#
#   jobscripts/single.sh -n 64 -t 2:00:00 CASE.yaml [key.path=value ...] [-petsc_option ...]
#
#   -n RANKS, -N NODES   how much (with -N alone: site_ranks_per_node each)
#   -t TIME              limit, as sbatch takes it
#   --print              show the job instead of submitting it
#   --local              run at once through mpirun, without Slurm
#
# Prints the number of the job. The log is soret-NUMBER.log; result and performance record are where the case says, seen from the directory
# of submission. Account, partition, launcher: jobscripts/site.sh. A run longer than the limit: jobscripts/chain.sh.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/job.sh"
read_options "$@"

if [ "$mode" = submit ] || [ "$mode" = print ]; then
  mapfile -t size < <(size_options "$nodes" "$ranks")
  [ ${#size[@]} -gt 0 ] || exit 2
  submit soret "${size[@]}" -- "$jobs/single.sh" --inside "${arguments[@]}"
  exit
fi
prepare
preflight "$(ranks_here)" "$(result_folder "${arguments[@]}")"
run_case "$(ranks_here)" "${arguments[@]}"
