#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What a launcher starts for each rank: rank.sh FILE PROGRAM ARGUMENT...
#
# Ends with 0 where soret ended in an orderly way, and writes its status into FILE: a launcher that ends all ranks as soon as one ends with another
# status (which it has to, or a run with a dead rank hangs) would else kill those that are a moment later, and report that instead. Where it cannot
# be written, as on the full disk that ended the run, that is better than a run which seems to be done. Signals are for soret, not for this shell.
# Where output ends is asked of the launcher: whose child soret is not here.
export SORET_LAUNCHER_PID=$PPID
trap : USR1 USR2 TERM INT HUP XCPU
"${@:2}"
status=$?
case $status in
  2 | 3 | 4 | 75)
    if echo "$status" >"$1" && [ -s "$1" ]; then exit 0; fi
    ;;
esac
exit "$status"
