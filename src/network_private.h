/* SPDX-License-Identifier: BSD-2-Clause

   What the files of the module network share. */
#pragma once

#include "soret/network.h"

/* Reads the equation of a reaction (equation.c): its factors, and nu[num_species]. A mistake is reported, and *ok false. */
PetscErrorCode SoretNetworkReadEquation(SoretInput in, const SoretNode *node, SoretNetwork *net, SoretReaction *reaction, PetscInt nu[], PetscBool *reversible, PetscBool *ok);
