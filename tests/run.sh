#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Installs what is missing (Debian, as root or with sudo), builds into build-tests/ with warnings as errors and runs the tests:
#
#   tests/run.sh                  all but those with the label `long`
#   tests/run.sh -L unit          arguments are given to ctest instead of that choice; `tests/run.sh -L .` runs all
#
# Ends with ctest's summary and its exit status.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../jobscripts/common.sh"

[ $# -gt 0 ] || set -- -LE '^long$'
install_missing "${build_needs[@]}" "${plot_needs[@]}" "${test_needs[@]}"
build_soret "$root/build-tests" -DCMAKE_BUILD_TYPE=Release -DSORET_WERROR=ON
cd "$root/build-tests"
exec ctest --output-on-failure --parallel "$(($(cpus) + 1))" "$@" # one more than cores: some wait for schedulers and timers
