/* SPDX-License-Identifier: BSD-2-Clause

   What the launcher (srun, mpiexec) says of the processes that it started, and whether MPI agrees. */
#pragma once

#include "soret/base.h"

/* Looks for a launcher, before MPI, which changes the environment. A process without one is prepared to start by itself: quickly, where MPI is Open MPI, unless the environment says
   otherwise (OMPI_MCA_ess_singleton_isolated, OMPI_MCA_pml), with a directory of its own for temporary files (OMPI_MCA_orte_tmpdir_base). Not collective. */
void SoretLaunchLook(void);

/* After MPI: removes that directory. Not collective. */
void SoretLaunchEnd(void);

/* Was this process started by a launcher, and is it the first of those, as far as the environment tells? Not collective. */
PetscBool SoretLaunched(void);
PetscBool SoretLaunchIsFirst(void);

/* Refuses N processes that are N runs of one rank each, because launcher and MPI do not know each other, and a job of several tasks in
   which soret was started without a launcher: one line with the remedy and SORET_ERR_INPUT. The environment variable SORET_ANY_SIZE=1
   switches this off. Collective. */
PetscErrorCode SoretLaunchCheck(MPI_Comm comm);

/* Number of nodes that the ranks are on (of groups of ranks with common memory), and the most ranks on one of them. Collective. */
PetscErrorCode SoretLaunchNodes(MPI_Comm comm, PetscMPIInt *nodes, PetscMPIInt *most);
