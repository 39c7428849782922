# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034 # lists that are used by those who source this
# What jobscripts/quickstart.sh and tests/run.sh share: the packages soret needs, and functions. Sourced by bash, not run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Debian package | what it is called elsewhere | command that succeeds where it is there
build_needs=(
  "gcc|a C11 compiler|cc --version"
  "g++|a C++ compiler, which links muParser|c++ --version"
  "cmake|CMake >= 3.18|cmake --version"
  "ninja-build|Ninja (or make)|ninja --version || make --version"
  "pkg-config|pkg-config|pkg-config --version"
  "libopenmpi-dev|MPI|mpicc --version"
  "openmpi-bin|mpiexec|command -v mpiexec"
  "libpetsc-real-dev|PETSc >= 3.18 with MPI, real numbers|pkg-config --exists 'PETSc >= 3.18'"
  "libhdf5-openmpi-dev|parallel HDF5|has_package hdf5-openmpi hdf5-mpich hdf5-mpi hdf5"
  "libyaml-dev|libyaml|pkg-config --exists yaml-0.1"
  "libmuparser-dev|muParser|pkg-config --exists muparser"
  "libudunits2-dev|UDUNITS-2|has_header udunits2.h udunits2/udunits2.h"
)
plot_needs=(
  "python3-numpy|Python with numpy|find_python numpy"
  "python3-h5py|Python with h5py|find_python h5py"
  "python3-matplotlib|Python with matplotlib|find_python matplotlib"
)
test_needs=(
  "git|git|git --version"
  "patch|patch|command -v patch"
  "hdf5-tools|h5dump|command -v h5dump"
  "python3-scipy|Python with scipy|find_python scipy"
  "python3-sympy|Python with sympy|find_python sympy"
  "python3-yaml|Python with yaml|find_python yaml"
  "python3-pil|Python with Pillow|find_python PIL"
  "python3-meshio|Python with meshio|find_python meshio"
  "python3-paraview|Python with paraview|find_python paraview.simple"
  "xvfb|Xvfb|command -v Xvfb"
  "xauth|xauth|command -v xauth"
  "shellcheck|shellcheck|shellcheck --version"
  "munge|munge|has_daemon munged"
  "slurmctld|the controller of Slurm|has_daemon slurmctld"
  "slurmd|the node daemon of Slurm|has_daemon slurmd"
  "slurm-client|the commands of Slurm|command -v sbatch"
  "slurm-wlm-basic-plugins|the plugins of Slurm|command -v sbatch"
  "python3-sphinx|Python with sphinx|find_python sphinx"
  "python3-myst-parser|Python with myst_parser|find_python myst_parser"
  "python3-xarray|Python with xarray|find_python xarray"
  "octave|Octave|command -v octave-cli"
  "ffmpeg|ffmpeg|command -v ffmpeg"
  "groff-base|groff|command -v groff"
  "tcl|Tcl|command -v tclsh"
  "environment-modules|Environment Modules|test -f /usr/share/modules/init/bash"
)

say() { printf '%s\n' "$*"; }

die() # STATUS TEXT
{
  local status=$1
  shift
  printf '%s\n' "$*" >&2
  exit "$status"
}

# CPUs that this process may use; nproc alone says OMP_NUM_THREADS where that is set.
cpus()
{
  env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc
}

# Prints the first Python that can import all of the modules named: another python3 may come before Debian's on the PATH.
find_python() # MODULE...
{
  local python modules
  modules=$(IFS=,; echo "$*")
  for python in python3 /usr/bin/python3; do
    if "$python" -c "import $modules" >/dev/null 2>&1; then
      say "$python"
      return 0
    fi
  done
  return 1
}

# Does pkg-config know one of these?
has_package() # NAME...
{
  local name
  for name in "$@"; do pkg-config --exists "$name" && return 0; done
  return 1
}

# Does the compiler find one of these?
has_header() # FILE...
{
  local file
  for file in "$@"; do echo "#include <$file>" | cc -E -x c - >/dev/null 2>&1 && return 0; done
  return 1
}

# Is this program where daemons lie?
has_daemon() # NAME
{
  PATH=$PATH:/usr/sbin:/sbin command -v "$1"
}

# Those of the needs that dpkg does not know as installed; prints the packages.
packages_missing() # NEED...
{
  local need
  for need in "$@"; do
    dpkg -s "${need%%|*}" 2>/dev/null | grep -q '^Status: .* installed$' || say "${need%%|*}"
  done
}

# Those of the needs that cannot be found by using them; prints "what (Debian: package)".
things_missing() # NEED...
{
  local need package what check
  for need in "$@"; do
    IFS='|' read -r package what check <<<"$need"
    (eval "$check") >/dev/null 2>&1 || say "  $what (Debian: $package)"
  done
}

# The words before a command that make it run as root; fails where that cannot be done.
as_root=()
become_root()
{
  [ "$(id -u)" -eq 0 ] && return 0
  command -v sudo >/dev/null || return 1
  sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; } || return 1
  as_root=(sudo)
}

apt_get() # ARGUMENT...
{
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 "$@"
}

# Installs what is missing where it can; ends the script with status 1 and a list where something is missing in the end.
install_missing() # NEED...
{
  local packages=("${@%%|*}") lacking log
  if command -v dpkg >/dev/null && command -v apt-get >/dev/null; then
    mapfile -t packages < <(packages_missing "$@")
    [ ${#packages[@]} -gt 0 ] || return 0
    if become_root; then
      say "installing ${packages[*]}"
      log=$(mktemp)
      if { apt_get update && apt_get install -y --no-install-recommends "${packages[@]}"; } >"$log" 2>&1; then
        rm -f "$log"
        return 0
      fi
      tail -n 20 "$log" >&2
      rm -f "$log"
      say "apt-get could not install them" >&2
    fi
  fi
  # another system, or nobody who may install: what counts is whether the things are there
  lacking=$(things_missing "$@")
  [ -n "$lacking" ] || return 0
  die 1 "These are missing, and this script cannot install them here (that takes Debian, and root or sudo):
$lacking
On Debian 12 an administrator installs them with
  apt-get install --no-install-recommends ${packages[*]}
On a cluster, load the modules of the same names and run this script again; docs/install.md says more."
}

# Configures and builds. What CMake and the compiler say is shown where they fail, and kept in DIRECTORY/build.log.
build_soret() # DIRECTORY CMAKE_OPTION...
{
  local directory=$1 generator=()
  shift
  mkdir -p "$directory"
  if [ ! -f "$directory/CMakeCache.txt" ] && command -v ninja >/dev/null; then generator=(-G Ninja); fi
  say "building in $directory"
  if ! { cmake -S "$root" -B "$directory" "${generator[@]}" "$@" &&
    cmake --build "$directory" --parallel "${CMAKE_BUILD_PARALLEL_LEVEL:-$(cpus)}"; } >"$directory/build.log" 2>&1; then
    tail -n 60 "$directory/build.log" >&2
    die 1 "the build failed; all of it is in $directory/build.log"
  fi
}

# Open MPI refuses root and more ranks than cores unless told; other MPIs do not look at these.
mpi_environment() # RANKS
{
  if [ "$(id -u)" -eq 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
  if [ "$(cpus)" -lt "$1" ]; then
    export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_mpi_yield_when_idle=1 PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe
  fi
  export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
}
