#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Installs what is missing (Debian, as root or with sudo), builds soret into build/, runs input/dimerization_3d.yaml on two ranks and
# draws the result:
#
#   jobscripts/quickstart.sh
#
# Leaves results/dimerization_3d.h5 and .png. Harmless to run again: a result that is there is only drawn anew.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

case=$root/input/dimerization_3d.yaml
result=$root/results/dimerization_3d.h5
picture=${result%.h5}.png
ranks=2

# Is the result that of the case file as it is now?
same_case()
{
  "$python" - "$result" "$case" <<'PYTHON'
import sys
import h5py
with h5py.File(sys.argv[1], "r") as file, open(sys.argv[2], encoding="utf-8") as case:
    text = file.attrs["case"]
    text = text.decode() if isinstance(text, bytes) else text
    sys.exit(text.rstrip("\0\n") != case.read().rstrip("\n"))
PYTHON
}

install_missing "${build_needs[@]}" "${plot_needs[@]}"
python=$(find_python h5py numpy matplotlib) || die 1 "no Python here can import h5py, numpy and matplotlib together"
build_soret "$root/build" -DCMAKE_BUILD_TYPE=Release -DSORET_NATIVE=ON -DSORET_SANITIZE=OFF
mkdir -p "$root/results"
if [ ! -e "$result" ]; then
  mpi_environment $ranks
  mpiexec -n $ranks "$root/build/soret" "$case" "output.file=$result"
elif same_case; then
  say "$result is complete already; only drawing it"
else
  die 2 "$result is the result of another case, or of another version of this one: move it away to compute it anew"
fi
PYTHONPATH=$root/postprocess "$python" -m soretpost plot "$result" -o "$picture" >/dev/null
say "the picture is $picture"
