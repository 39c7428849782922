/* SPDX-License-Identifier: BSD-2-Clause

   What is solid: formulas, voxels of any resolution, and the connected parts of the fluid, against a plain search on one rank. */
#include "test.h"

#include <string.h>
#include <unistd.h>

#include "soret/case.h"

static char file_name[64], voxels[128]; /* of this number of ranks, since tests run at the same time */

/* A case, and its grid with the solid applied. */
typedef struct {
  SoretCase c;
  SoretGrid grid;
} Rock;

/* The grid of a domain and its solid, as YAML and as an override. *fits is false where there are fewer cells than ranks can share. */
static PetscErrorCode MakeRock(const char *domain, char *solid, SoretPocketRule pockets, Rock *rock, PetscBool *fits)
{
  char        text[1024], why[256], *overrides[] = {solid, pockets == SORET_POCKETS_FILL ? "domain.solid_pockets=fill" : "domain.solid_pockets=keep"};
  PetscMPIInt ranks;

  PetscFunctionBeginUser;
  PetscCall(PetscSNPrintf(text, sizeof(text), "soret: 1\nunits: reduced\ndomain: %s\ntemperature: 1\nspecies: [{name: A, diffusivity: 1}]\n", domain));
  PetscCall(SoretCaseParse("test.yaml", text, strlen(text), 2, overrides, &rock->c));
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &ranks));
  *fits = SoretGridFits(&rock->c.grid, ranks, 1, sizeof(why), why);
  if (!*fits) {
    PetscCall(SoretCaseDestroy(&rock->c));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(SoretFieldCheck(rock->c.in, PETSC_COMM_WORLD, rock->c.grid.dim, rock->c.solid.field));
  PetscCall(SoretInputCheck(rock->c.in, PETSC_COMM_WORLD));
  PetscCall(SoretGridCreate(PETSC_COMM_WORLD, &rock->c.grid, 1, &rock->grid));
  PetscCall(SoretSolidApply(&rock->c.solid, &rock->grid));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode FreeRock(Rock *rock)
{
  PetscFunctionBeginUser;
  PetscCall(SoretGridDestroy(&rock->grid));
  PetscCall(SoretCaseDestroy(&rock->c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The dataset /solid [n2][n1][n0], written by rank 0. */
static PetscErrorCode WriteVoxels(PetscInt dim, const PetscInt n[3], const PetscReal value[])
{
  PetscMPIInt rank;
  PetscInt    size[3], start[3] = {0, 0, 0}, count[3];
  SoretH5     h5;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  if (rank == 0) (void)unlink(file_name);
  PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
  for (PetscInt axis = 0; axis < dim; axis++) size[dim - 1 - axis] = n[axis];
  for (PetscInt axis = 0; axis < dim; axis++) count[axis] = rank ? 0 : size[axis];
  PetscCall(SoretH5Open(PETSC_COMM_WORLD, file_name, SORET_H5_CREATE, &h5));
  PetscCall(SoretH5WriteBox(h5, "/solid", (int)dim, size, start, count, value, NULL));
  PetscCall(SoretH5Close(&h5));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Sum(PetscInt part, PetscInt *total)
{
  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Allreduce(&part, total, 1, MPIU_INT, MPI_SUM, PETSC_COMM_WORLD));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Cells and closed faces that this many, over all ranks. */
static PetscErrorCode CountSolid(const SoretGrid *grid, PetscInt *cells, PetscInt faces[6])
{
  PetscFunctionBeginUser;
  *cells = 0;
  for (int f = 0; f < 6; f++) faces[f] = 0;
  for (PetscInt p = 0; p < grid->num_cells; p++) {
    *cells += SoretGridIsSolid(grid, p);
    for (int f = 0; f < 6; f++) faces[f] += SoretGridIsClosed(grid, p, f);
  }
  PetscCall(Sum(*cells, cells));
  for (int f = 0; f < 6; f++) PetscCall(Sum(faces[f], &faces[f]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode NameFile(void)
{
  PetscMPIInt ranks;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &ranks));
  PetscCall(PetscSNPrintf(file_name, sizeof(file_name), "test_solid_%d.h5", ranks));
  PetscCall(PetscSNPrintf(voxels, sizeof(voxels), "domain.solid={file: %s, dataset: /solid}", file_name));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode RemoveFile(void)
{
  PetscMPIInt rank;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  if (rank == 0) (void)unlink(file_name);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A wall of one column of cells through a box of 8 x 6: 6 solid cells; its 6 faces on each side are closed seen from both cells. */
static PetscErrorCode TestFormula(void)
{
  PetscInt  cells, faces[6];
  PetscBool fits;
  Rock      rock;

  PetscFunctionBeginUser;
  for (int periodic = 0; periodic < 2; periodic++) {
    PetscCall(MakeRock(periodic ? "{size: [2, 3], cells: [8, 6], periodic: [x]}" : "{size: [2, 3], cells: [8, 6]}", "domain.solid=abs(x - 0.875) < 0.1", SORET_POCKETS_KEEP, &rock, &fits));
    if (!fits) PetscFunctionReturn(PETSC_SUCCESS);
    PetscCall(CountSolid(&rock.grid, &cells, faces));
    Check(cells == 6);
    Check(faces[0] == 6 + 6 && faces[1] == 6 + 6); /* those of the solid cells, and of the fluid beside them */
    Check(faces[2] == 6 && faces[3] == 6);
    Check(rock.grid.num_pockets == (periodic ? 1 : 2));
    CheckClose(rock.grid.fluid_volume, 6.0 * 7 / 8, 1e-14);
    CheckClose(rock.grid.pocket_volume[0], periodic ? 6.0 * 7 / 8 : 6.0 * 4 / 8, 1e-14);
    for (PetscInt p = 0; p < rock.grid.num_cells; p++) {
      PetscInt ijk[3];

      SoretGridCellIndex(&rock.grid, p, ijk);
      Check(rock.grid.pocket[p] == (ijk[0] == 3 ? -1 : ijk[0] > 3 || periodic ? 0 : 1));
    }
    PetscCall(FreeRock(&rock));
  }
  PetscCall(MakeRock("{size: [2, 3], cells: [8, 6]}", "domain.solid=abs(x - 0.875) < 0.1", SORET_POCKETS_FILL, &rock, &fits));
  PetscCall(CountSolid(&rock.grid, &cells, faces));
  Check(cells == 4 * 6);
  Check(rock.grid.num_pockets == 1);
  CheckClose(rock.grid.fluid_volume, 3.0, 1e-14);
  PetscCall(FreeRock(&rock));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A staircase of single voxels from corner to corner, four and a half voxels to a cell, and a straight wall one voxel thick in the middle of cells: no
   cell is half solid, and yet the box falls apart as the voxels do. */
static PetscErrorCode TestThinWalls(void)
{
  const PetscInt n[3] = {54, 54, 1};
  PetscReal      value[54 * 54];
  PetscInt       cells, faces[6];
  PetscBool      fits;
  Rock           rock;

  PetscFunctionBeginUser;
  for (PetscInt q = 0; q < 54 * 54; q++) {
    const PetscInt i = q % 54, j = q / 54;

    value[q] = i == j || i == j + 1 ? 1.0 : 0.0; /* connected through faces, so that nothing slips between corners */
  }
  PetscCall(WriteVoxels(2, n, value));
  PetscCall(MakeRock("{size: [1, 1], cells: [12, 12]}", voxels, SORET_POCKETS_KEEP, &rock, &fits));
  PetscCall(CountSolid(&rock.grid, &cells, faces));
  Check(cells == 0);
  Check(rock.grid.num_pockets == 2);
  CheckClose(rock.grid.fluid_volume, 1.0, 1e-14);
  PetscCall(FreeRock(&rock));

  for (PetscInt at = 20; at < 24; at++) { /* wherever in a cell the wall stands, and on the face too */
    for (PetscInt q = 0; q < 54 * 54; q++) value[q] = q / 54 == at ? 1.0 : 0.0;
    PetscCall(WriteVoxels(2, n, value));
    PetscCall(MakeRock("{size: [1, 1], cells: [12, 12], periodic: [x]}", voxels, SORET_POCKETS_KEEP, &rock, &fits));
    PetscCall(CountSolid(&rock.grid, &cells, faces));
    Check(cells == 0);
    Check(faces[0] == 0 && faces[1] == 0 && faces[2] == 12 && faces[3] == 12);
    Check(rock.grid.num_pockets == 2);
    PetscCall(FreeRock(&rock));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A number in 0..1 that looks random. */
static PetscReal Random(PetscInt q, PetscInt seed)
{
  unsigned long long h = (unsigned long long)q * 0x9E3779B97F4A7C15ULL + (unsigned long long)seed * 0xBF58476D1CE4E5B9ULL;

  h ^= h >> 31;
  h *= 0x94D049BB133111EBULL;
  h ^= h >> 29;
  h *= 0xBF58476D1CE4E5B9ULL;
  h ^= h >> 32;
  return (PetscReal)(h >> 11) / 9007199254740992.0;
}

/* Connected parts of the fluid voxels by a plain search: part[q], -1 in solid. */
static PetscInt SearchParts(const PetscInt n[3], const PetscBool periodic[3], const PetscReal value[], PetscInt part[])
{
  const PetscInt total = n[0] * n[1] * n[2], stride[3] = {1, n[0], n[0] * n[1]};
  PetscInt      *queue, num = 0;

  if (PetscMalloc1(total, &queue)) return -1;
  for (PetscInt q = 0; q < total; q++) part[q] = -1;
  for (PetscInt q = 0; q < total; q++) {
    PetscInt head = 0, tail = 0;

    if (value[q] >= 0.5 || part[q] >= 0) continue;
    queue[tail++] = q;
    part[q]       = num;
    while (head < tail) {
      const PetscInt r = queue[head++], at[3] = {r % n[0], r / n[0] % n[1], r / n[0] / n[1]};

      for (int axis = 0; axis < 3; axis++) {
        for (int side = -1; side <= 1; side += 2) {
          const PetscInt to = (at[axis] + side + n[axis]) % n[axis], next = r + (to - at[axis]) * stride[axis];

          if ((to != at[axis] + side && !periodic[axis]) || value[next] >= 0.5 || part[next] >= 0) continue;
          part[next]    = num;
          queue[tail++] = next;
        }
      }
    }
    num++;
  }
  if (PetscFree(queue)) return -1;
  return num;
}

/* Voxels of the resolution of the grid: the parts are those of the search. */
static PetscErrorCode CheckSame(const char *domain, PetscInt dim, const PetscInt n[3], const PetscBool periodic[3], PetscReal share, PetscInt seed)
{
  const PetscInt total = n[0] * n[1] * n[2];
  PetscReal     *value;
  PetscInt      *part, *size, num, *image, fluid = 0;
  PetscBool      fits;
  Rock           rock;

  PetscFunctionBeginUser;
  PetscCall(PetscMalloc2(total, &value, total, &part));
  for (PetscInt q = 0; q < total; q++) value[q] = Random(q, seed) < share ? 1.0 : 0.0;
  num = SearchParts(n, periodic, value, part);
  PetscCall(PetscCalloc2(num, &size, num, &image));
  for (PetscInt q = 0; q < total; q++) {
    if (part[q] >= 0) size[part[q]]++;
    fluid += part[q] >= 0;
  }
  for (PetscInt k = 0; k < num; k++) image[k] = -1;
  PetscCall(WriteVoxels(dim, n, value));
  PetscCall(MakeRock(domain, voxels, SORET_POCKETS_KEEP, &rock, &fits));
  if (fits) {
    const PetscReal cell = rock.grid.volume / (PetscReal)total;

    Check(rock.grid.num_pockets == num);
    CheckClose(rock.grid.fluid_volume, (PetscReal)fluid * cell, 1e-12);
    for (PetscInt k = 1; k < rock.grid.num_pockets; k++) Check(rock.grid.pocket_volume[k] <= rock.grid.pocket_volume[k - 1] * (1.0 + 1e-12));
    for (PetscInt p = 0; p < rock.grid.num_cells; p++) {
      PetscInt ijk[3], q;

      SoretGridCellIndex(&rock.grid, p, ijk);
      q = (ijk[2] * n[1] + ijk[1]) * n[0] + ijk[0];
      Check((int)SoretGridIsSolid(&rock.grid, p) == (part[q] < 0));
      if (part[q] < 0) {
        Check(rock.grid.pocket[p] == -1);
        continue;
      }
      if (image[part[q]] < 0) image[part[q]] = rock.grid.pocket[p];
      Check(image[part[q]] == rock.grid.pocket[p]);
      CheckClose(rock.grid.pocket_volume[rock.grid.pocket[p]], (PetscReal)size[part[q]] * cell, 1e-12);
    }
    PetscCall(FreeRock(&rock));
  }
  PetscCall(PetscFree2(size, image));
  PetscCall(PetscFree2(value, part));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestParts(void)
{
  PetscFunctionBeginUser;
  for (PetscInt seed = 1; seed <= 3; seed++) {
    PetscCall(CheckSame("{size: [1], cells: [40]}", 1, (PetscInt[]){40, 1, 1}, (PetscBool[3]){PETSC_FALSE}, 0.3, seed));
    PetscCall(CheckSame("{size: [1], cells: [40], periodic: [x]}", 1, (PetscInt[]){40, 1, 1}, (PetscBool[3]){PETSC_TRUE}, 0.3, seed));
    PetscCall(CheckSame("{size: [1, 1], cells: [23, 19]}", 2, (PetscInt[]){23, 19, 1}, (PetscBool[3]){PETSC_FALSE}, 0.4, seed));
    PetscCall(CheckSame("{size: [1, 1], cells: [23, 19], periodic: [x, y]}", 2, (PetscInt[]){23, 19, 1}, (PetscBool[3]){PETSC_TRUE, PETSC_TRUE}, 0.45, seed));
    PetscCall(CheckSame("{size: [1, 1, 1], cells: [12, 11, 10]}", 3, (PetscInt[]){12, 11, 10}, (PetscBool[3]){PETSC_FALSE}, 0.65, seed));
    PetscCall(CheckSame("{size: [1, 1, 1], cells: [12, 11, 10], periodic: [x, z]}", 3, (PetscInt[]){12, 11, 10}, (PetscBool[3]){PETSC_TRUE, PETSC_FALSE, PETSC_TRUE}, 0.6, seed));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A part of the grid is connected in the voxels: one part of the voxels has a voxel in each of its cells. And all cells are solid by their mean. */
static PetscErrorCode CheckNoLeak(const char *domain, PetscInt dim, const PetscInt n[3], const PetscBool periodic[3], PetscReal share, PetscInt seed)
{
  const PetscInt total = n[0] * n[1] * n[2];
  PetscReal     *value;
  PetscInt      *part, num;
  unsigned char *common, *here;
  PetscBool      fits;
  Rock           rock;

  PetscFunctionBeginUser;
  PetscCall(PetscMalloc2(total, &value, total, &part));
  for (PetscInt q = 0; q < total; q++) value[q] = Random(q, seed) < share ? 1.0 : 0.0;
  num = SearchParts(n, periodic, value, part);
  PetscCall(WriteVoxels(dim, n, value));
  PetscCall(MakeRock(domain, voxels, SORET_POCKETS_KEEP, &rock, &fits));
  if (fits) {
    const SoretGrid *grid = &rock.grid;

    PetscCall(PetscMalloc2(grid->num_pockets * num, &common, num, &here));
    (void)memset(common, 1, (size_t)(grid->num_pockets * num));
    for (PetscInt p = 0; p < grid->num_cells; p++) {
      PetscInt  ijk[3], lo[3], hi[3];
      PetscReal sum = 0.0, volume = 0.0;

      SoretGridCellIndex(grid, p, ijk);
      (void)memset(here, 0, (size_t)num);
      for (int axis = 0; axis < 3; axis++) {
        lo[axis] = (PetscInt)PetscFloorReal((grid->edge[axis][ijk[axis]] - grid->origin[axis]) / grid->size[axis] * (PetscReal)n[axis] + 1e-9);
        hi[axis] = (PetscInt)PetscCeilReal((grid->edge[axis][ijk[axis] + 1] - grid->origin[axis]) / grid->size[axis] * (PetscReal)n[axis] - 1e-9);
      }
      for (PetscInt k = lo[2]; k < hi[2]; k++) {
        for (PetscInt j = lo[1]; j < hi[1]; j++) {
          for (PetscInt i = lo[0]; i < hi[0]; i++) {
            const PetscInt q = (k * n[1] + j) * n[0] + i, at[3] = {i, j, k};
            PetscReal      w = 1.0;

            for (int axis = 0; axis < 3; axis++) {
              const PetscReal a = grid->origin[axis] + grid->size[axis] * (PetscReal)at[axis] / (PetscReal)n[axis], b = a + grid->size[axis] / (PetscReal)n[axis];

              w *= PetscMin(b, grid->edge[axis][ijk[axis] + 1]) - PetscMax(a, grid->edge[axis][ijk[axis]]);
            }
            sum += w * value[q];
            volume += w;
            if (part[q] >= 0) here[part[q]] = 1;
          }
        }
      }
      Check((int)SoretGridIsSolid(grid, p) == (sum >= (0.5 - 1e-9) * volume));
      for (PetscInt k = 0; k < num && grid->pocket[p] >= 0; k++) common[grid->pocket[p] * num + k] &= here[k];
    }
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, common, (PetscMPIInt)(grid->num_pockets * num), MPI_UNSIGNED_CHAR, MPI_MIN, PETSC_COMM_WORLD));
    for (PetscInt k = 0; k < grid->num_pockets; k++) {
      PetscInt q = 0;

      while (q < num && !common[k * num + q]) q++;
      Check(q < num);
    }
    PetscCall(PetscFree2(common, here));
    PetscCall(FreeRock(&rock));
  }
  PetscCall(PetscFree2(value, part));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestOtherResolution(void)
{
  PetscFunctionBeginUser;
  for (PetscInt seed = 1; seed <= 2; seed++) {
    PetscCall(CheckNoLeak("{size: [1, 1], cells: [10, 8], periodic: [x]}", 2, (PetscInt[]){30, 32, 1}, (PetscBool[3]){PETSC_TRUE}, 0.42, seed));
    PetscCall(CheckNoLeak("{size: [1, 1], cells: [10, 8], periodic: [y]}", 2, (PetscInt[]){25, 21, 1}, (PetscBool[3]){PETSC_FALSE, PETSC_TRUE}, 0.4, seed));
    PetscCall(CheckNoLeak("{size: [1, 1], cells: [13, 11], grading: {x: {ratio: 3}}}", 2, (PetscInt[]){7, 23, 1}, (PetscBool[3]){PETSC_FALSE}, 0.4, seed));
    PetscCall(CheckNoLeak("{size: [1, 1, 1], cells: [7, 6, 5], periodic: [z]}", 3, (PetscInt[]){18, 15, 11}, (PetscBool[3]){PETSC_FALSE, PETSC_FALSE, PETSC_TRUE}, 0.47, seed));
    PetscCall(CheckNoLeak("{size: [1, 1, 1], cells: [7, 6, 5]}", 3, (PetscInt[]){14, 18, 20}, (PetscBool[3]){PETSC_FALSE}, 0.47, seed));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A box without fluid, and numbers that are no fractions, are refused. */
static PetscErrorCode TestRefused(void)
{
  PetscReal value[4] = {0.0, 0.25, 255.0, 0.0};
  char     *solids[] = {"domain.solid=1", voxels};

  PetscFunctionBeginUser;
  PetscCall(WriteVoxels(1, (PetscInt[]){4, 1, 1}, value));
  for (int k = 0; k < 2; k++) {
    PetscErrorCode status;
    PetscBool      fits;
    Rock           rock;

    PetscCall(PetscPushErrorHandler(PetscReturnErrorHandler, NULL));
    status = MakeRock("{size: [1], cells: [4]}", solids[k], SORET_POCKETS_KEEP, &rock, &fits);
    PetscCall(PetscPopErrorHandler());
    Check(status == SORET_ERR_INPUT);
    PetscCall(FreeRock(&rock));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

TestMain(NameFile, TestFormula, TestThinWalls, TestParts, TestOtherResolution, TestRefused, RemoveFile)
