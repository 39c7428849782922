/* SPDX-License-Identifier: BSD-2-Clause

   How much memory the processes of a run may take. */
#pragma once

#include "soret/base.h"

/* Over all nodes that the ranks are on, the least of what a node has, what control groups allow (a job gets what it has asked for, mostly), and what `ulimit -v`
   allows to the ranks on it together.

   bytes  - the sum over nodes
   allows - gets what sets it on any of the nodes, with its verb: "the nodes of this run have"
   Collective. */
PetscErrorCode SoretMemoryAllowed(MPI_Comm comm, PetscReal *bytes, const char **allows);

/* Bytes that control groups of either version allow to a process, the least of its group and those above it; PETSC_MAX_REAL if they do not say. Not collective.

   groups - the file that names them, /proc/self/cgroup
   root   - where they are, /sys/fs/cgroup */
PetscReal SoretMemoryOfGroups(const char *groups, const char *root);
