# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034 # settings that are used by those who source this
# What is particular to a cluster. Every job script reads this file; edit it once, then try it with jobscripts/doctor. To keep several,
# name another one in the environment: export SORET_SITE_FILE=$HOME/soret-site.sh

# The program. Empty: build/soret of this tree, or else soret on the PATH.
site_soret=

# Modules to load in every job (the ones soret was built with), and what else a job needs before it starts.
site_modules=()            # (gcc/12 openmpi/4.1 petsc/3.18 hdf5/1.12-mpi)
site_prepare() { :; }      # { export ROMIO_PRINT_HINTS=1; }

# Whom to charge, where to run, and any other options of sbatch. Empty: what the cluster takes by itself.
site_account=
site_partition=
site_sbatch=()             # (--constraint=cpu --exclusive --mail-type=END)
site_ranks_per_node=       # where jobs are asked for in nodes

# How ranks are started: srun or mpirun, and options for it. Which one works depends on how MPI was built:
#   srun, where MPI and Slurm both know PMIx (srun --mpi=list names it):   site_launcher=srun   site_launcher_options=(--mpi=pmix)
#   srun, with the MPI of the vendor (Cray, Intel):                        site_launcher=srun   site_launcher_options=()
#   mpirun of an Open MPI built with support for Slurm:                    site_launcher=mpirun site_launcher_options=(--bind-to core)
site_launcher=srun
site_launcher_options=()

# A run longer than the time limit: the same job again in the queue (requeue), or a follower that waits for it (dependent), where
# administrators have switched requeueing off. So many seconds before the limit soret is told to write a checkpoint and stop.
site_chain=requeue
site_margin=300

# Jobs do not start with less free disk space than this.
site_free_mib=1024

# Python with numpy and matplotlib, for tables and figures.
site_python=python3
