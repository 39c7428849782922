#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Makes again what these pages show:
#
#   docs/regenerate.sh figures     the pictures in docs/images, from the examples in input/, those of docs/images/paper among them
#   docs/regenerate.sh tables      runs the commands behind the tables of docs/verification.md, for about ten minutes, and prints their numbers;
#                                  those of stops, kills and damage are printed by `ctest -V -L fault`, those on a cluster by `ctest -V -L slurm`,
#                                  those of the fuzzer by a build for it
#   docs/regenerate.sh reference   docs/case-reference.md
#   docs/regenerate.sh             all of it
#
# The program is $SORET (default: build/soret).
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../jobscripts/common.sh"

SORET=$(readlink -f "${SORET:-$root/build/soret}")
export SORET
[ -x "$SORET" ] || die 1 "there is no $SORET: build soret first, or name it by SORET=..."
python=$(find_python h5py numpy matplotlib scipy yaml) || die 1 "no Python here can import h5py, numpy, matplotlib, scipy and yaml together"
export PYTHONPATH=$root/postprocess:$root/tests
mpi_environment 4

# NAME|case and overrides|command of soretpost and its options; the picture is docs/images/NAME.png
pictures=(
  "dimerization_3d|dimerization_3d.yaml|plot --dpi 150"
  "dimerization_2d|dimerization_2d.yaml|plot --dpi 110"
  "dimerization_1d|dimerization_1d.yaml|plot --dpi 110"
  "two_state_1d|two_state_1d.yaml|plot --dpi 110"
  "oligonucleotide_si|oligonucleotide_si.yaml|plot --dpi 110"
  "first|tutorial/first.yaml|plot --dpi 110"
  "sweep|paper/3_polymer.yaml|plot --dpi 110"
  "membrane|geometry/membrane.yaml|plot --dpi 90"
  "laser_3d|geometry/laser_3d.yaml|plot --dpi 110"
  "rock|geometry/rock.yaml|plot --only wall --dpi 110"
)

figures()
{
  local work line name case command
  work=$(mktemp -d)
  "$python" "$root/input/geometry/rock.py" "$work/voxels.h5"
  for line in "${pictures[@]}"; do
    IFS='|' read -r name case command <<<"$line"
    [ "$name" != rock ] || case="$case domain.solid.file=$work/voxels.h5"
    # shellcheck disable=SC2086 # words on purpose
    "$SORET" "$root"/input/$case "output.file=$work/$name.h5" >"$work/log" || { cat "$work/log" >&2; die 1 "$case failed"; }
    # shellcheck disable=SC2086
    "$python" -m soretpost $command "$work/$name.h5" -o "$root/docs/images/$name.png"
  done
  "$SORET" "$root/input/two_state_1d.yaml" parameters.k=1e6 "output.file=$work/fast.h5" >/dev/null
  "$python" -m soretpost compare "$work/two_state_1d.h5" "$work/fast.h5" -o "$root/docs/images/compare.png" --dpi 110
  rm -r "$work"
  "$python" "$root/postprocess/paper.py" --soret "$SORET"
}

# Runs a command behind the tables; one that fails is told, and does not stop the others.
failed=()
row() # COMMAND...
{
  say "== $*"
  "$@" || failed+=("$*")
}

tables()
{
  local file
  cd "$root/tests"
  for file in cases/*.yaml; do row "$python" run_case.py "$file"; done
  for file in order/*.yaml; do row "$python" order/run_order.py "$file"; done
  row "$python" run_network.py
  for file in shipped ranks check; do row "$python" run_meter.py $file; done
  for file in run_rock.py run_solvers.py run_random.py run_bad_input.py run_meanings.py run_cli.py run_record.py; do row "$python" $file; done
  for file in "$(dirname "$SORET")"/tests/test_*; do if [ -x "$file" ]; then row "$file"; fi; done
  [ ${#failed[@]} -eq 0 ] || { printf 'failed: %s\n' "${failed[@]}" >&2 && exit 1; }
}

reference()
{
  local page=$root/docs/case-reference.md first
  first=$(head -n 1 "$page")
  { say "$first"; "$SORET" reference; } >"$page.new"
  mv "$page.new" "$page"
}

[ $# -gt 0 ] || set -- figures reference tables
for part in "$@"; do
  case $part in
    figures | tables | reference) "$part" ;;
    *) die 2 "docs/regenerate.sh figures | tables | reference" ;;
  esac
done
