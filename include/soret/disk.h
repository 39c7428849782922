/* SPDX-License-Identifier: BSD-2-Clause

   Files that are to outlive what may happen to this process and its machine. Of one rank each; errno tells why where PETSC_FALSE is returned. */
#pragma once

#include "soret/base.h"

/* The directory that a file is in. directory - [length] */
PetscErrorCode SoretDirectoryOf(const char *path, size_t length, char directory[]);

/* Bytes that are free on the disk of a file or directory; PETSC_MAX_REAL where that is not known. */
PetscReal SoretRoomOnDisk(const char *path);

/* Waits until an open file, or the names in an open directory, are on the disk. */
PetscBool SoretSync(int file);

/* Waits until the names in the directory that a file is in are on the disk: that of a new file is safe only then. */
PetscBool SoretSyncDirectory(const char *path);

/* Makes a new file, which appears with all its bytes and synced, or not at all: they are written to `path`.new, which gets its name by a hard link.
   Where a file system has none the file is written in its place. PETSC_FALSE with EEXIST if there is one already. */
PetscBool SoretStore(const char *path, size_t length, const char text[]);

/* Makes a new empty file: of all processes that try only one gets the name, the others EEXIST. */
PetscBool SoretClaim(const char *path);

/* Gives a file a name that no other has; it stays what it was, with EEXIST, if one has it. */
PetscBool SoretTakeName(const char *path, const char *name);

/* A file that takes the place of an old one once it is complete. It is written to `path`.new; SoretReplaceEnd() closes and syncs it and gives it its name,
   or removes it, so that the old one stays. */
FILE     *SoretReplaceBegin(const char *path);
PetscBool SoretReplaceEnd(FILE *file, const char *path);
