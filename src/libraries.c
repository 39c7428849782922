/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE /* dl_iterate_phdr, RTLD_DEFAULT */
#include "soret/libraries.h"

#include <dlfcn.h>
#include <hdf5.h>
#include <limits.h>
#include <link.h>

enum { MAX_MPIS = 4 };

typedef struct {
  char path[MAX_MPIS][PATH_MAX]; /* of the MPI libraries in this process, links resolved */
  int  num;
} Mpis;

/* libmpi.so of Open MPI and Intel, libmpich.so of MPICH; not libmpi_cxx, libmpi_mpifh, which belong to one of them. */
static int AddMpi(struct dl_phdr_info *info, size_t size, void *context)
{
  Mpis       *mpis = (Mpis *)context;
  const char *base = strrchr(info->dlpi_name, '/');
  char        path[PATH_MAX];

  (void)size;
  base = base ? base + 1 : info->dlpi_name;
  if (strncmp(base, "libmpi.so", 9) && strncmp(base, "libmpich.so", 11)) return 0;
  if (!realpath(info->dlpi_name, path)) return 0;
  for (int k = 0; k < mpis->num; k++) {
    if (!strcmp(mpis->path[k], path)) return 0;
  }
  if (mpis->num < MAX_MPIS) memcpy(mpis->path[mpis->num++], path, sizeof(path));
  return 0;
}

/* Where a function of a shared library comes from; "?" where that cannot be told. */
static const char *PathOf(const char *function)
{
  void   *address = dlsym(RTLD_DEFAULT, function);
  Dl_info info;

  return address && dladdr(address, &info) && info.dli_fname ? info.dli_fname : "?";
}

static PetscBool CheckPetsc(size_t length, char problem[])
{
  PetscInt major = 0, minor = 0, subminor, release;
  size_t   width = 0;

  if (PetscGetVersionNumber(&major, &minor, &subminor, &release)) return PETSC_FALSE;
  if (major != PETSC_VERSION_MAJOR || minor != PETSC_VERSION_MINOR) {
    (void)snprintf(problem, length, "soret was built with PETSc %d.%d, and PETSc %d.%d was loaded", PETSC_VERSION_MAJOR, PETSC_VERSION_MINOR, (int)major, (int)minor);
    return PETSC_FALSE;
  }
  if (PetscDataTypeGetSize(PETSC_INT, &width) || width != sizeof(PetscInt)) {
    (void)snprintf(problem, length, "soret was built with a PETSc of %d-bit indices, and one of %d bits was loaded", (int)(8 * sizeof(PetscInt)), (int)(8 * width));
    return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

static PetscBool CheckHdf5(size_t length, char problem[])
{
  unsigned major = 0, minor = 0, release = 0;

  (void)H5get_libversion(&major, &minor, &release);
  if (major != H5_VERS_MAJOR || minor != H5_VERS_MINOR) {
    (void)snprintf(problem, length, "soret was built with HDF5 %d.%d.%d, and HDF5 %u.%u.%u was loaded", H5_VERS_MAJOR, H5_VERS_MINOR, H5_VERS_RELEASE, major, minor, release);
    return PETSC_FALSE;
  }
  /* one that is linked into the program has its functions, or the program would not be there */
  if (dlsym(RTLD_DEFAULT, "H5get_libversion") && !dlsym(RTLD_DEFAULT, "H5Pset_fapl_mpio")) {
    (void)snprintf(problem, length, "the HDF5 that was loaded is a serial one");
    return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

static PetscBool CheckMpi(const Mpis *mpis, size_t length, char problem[])
{
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int  n                                    = 0;

  if (mpis->num > 1) {
    (void)snprintf(problem, length, "they bring %d different MPIs into the program", mpis->num);
    return PETSC_FALSE;
  }
  if (MPI_Get_library_version(text, &n)) return PETSC_TRUE;
#if defined(OPEN_MPI)
  if (!strstr(text, "Open MPI")) {
    (void)snprintf(problem, length, "soret was built with Open MPI, and another MPI was loaded: %.60s", text);
    return PETSC_FALSE;
  }
#else
  if (strstr(text, "Open MPI")) {
    (void)snprintf(problem, length, "soret was built with another MPI, and Open MPI was loaded: %.60s", text);
    return PETSC_FALSE;
  }
#endif
  return PETSC_TRUE;
}

PetscBool SoretLibrariesFit(FILE *out)
{
  Mpis mpis         = {.num = 0};
  char problem[256] = "";

  (void)dl_iterate_phdr(AddMpi, &mpis);
  if (CheckMpi(&mpis, sizeof(problem), problem) && CheckHdf5(sizeof(problem), problem) && CheckPetsc(sizeof(problem), problem)) return PETSC_TRUE;
  if (!out) return PETSC_FALSE;
  (void)fprintf(out, "soret: PETSc, MPI and HDF5 do not belong together: %s.\n  PETSc %s\n  HDF5  %s\n", problem, PathOf("PetscInitialize"), PathOf("H5get_libversion"));
  for (int k = 0; k < mpis.num; k++) (void)fprintf(out, "  MPI   %s\n", mpis.path[k]);
  (void)fprintf(out, "Load the modules that soret was built with (see also LD_LIBRARY_PATH and LD_PRELOAD), or build it anew with these: docs/install.md.\n");
  return PETSC_FALSE;
}
