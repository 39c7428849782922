/* SPDX-License-Identifier: BSD-2-Clause

   Generations and their manifests: what is written is found again on any number of ranks, what is damaged is not taken for good, and of two
   attempts the later one wins. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../src/checkpoint_private.h"
#include "soret/disk.h"

static PetscMPIInt rank, ranks;
static char        prefix[64];

static PetscErrorCode Fresh(const char *what)
{
  SoretGeneration *list = NULL;
  PetscInt         num  = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &ranks));
  (void)snprintf(prefix, sizeof(prefix), "./test_checkpoint_%s_%d", what, ranks);
  PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
  if (rank == 0) PetscCall(SoretGenerationList(prefix, &num, &list));
  for (PetscInt k = 0; k < num; k++) {
    char path[PETSC_MAX_PATH_LEN];

    PetscCall(SoretGenerationName(prefix, &list[k], ".h5", sizeof(path), path));
    (void)unlink(path);
    PetscCall(SoretGenerationName(prefix, &list[k], ".manifest", sizeof(path), path));
    (void)unlink(path);
  }
  PetscCall(PetscFree(list));
  PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The check value of CRC-64/XZ, and that parts may be added one after the other. */
static PetscErrorCode TestChecksum(void)
{
  const char text[] = "123456789";

  PetscFunctionBeginUser;
  Check(SoretChecksum(0, 9, text) == 0x995DC9BBDF1939FAu);
  Check(SoretChecksum(SoretChecksum(0, 4, text), 5, text + 4) == 0x995DC9BBDF1939FAu);
  Check(SoretChecksum(0, 0, text) == 0);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestNames(void)
{
  static const char *const wrong[] = {"run.h5", "run.ckpt-002-000007", "run.ckpt-002-000007.txt", "run.ckpt-02-000007.h5", "run.ckpt-002-07.h5", ".ckpt-002-000007.h5", "run.ckpt-002-000007.h5.1", "run.ckpt-9999999999-000007.h5"};
  SoretGeneration          g;
  char                     name[128], found[PETSC_MAX_PATH_LEN];

  PetscFunctionBeginUser;
  PetscCall(SoretGenerationName("a/run", &(SoretGeneration){.attempt = 2, .number = 7}, ".h5", sizeof(name), name));
  CheckText(name, "a/run.ckpt-002-000007.h5");
  Check(SoretGenerationParse(name, found, &g) && g.attempt == 2 && g.number == 7 && g.has_data && !g.has_manifest);
  CheckText(found, "a/run");
  Check(SoretGenerationParse("x.ckpt-001-000001.h5.ckpt-1234-1234567.manifest", found, &g) && g.attempt == 1234 && g.number == 1234567 && g.has_manifest);
  CheckText(found, "x.ckpt-001-000001.h5");
  for (size_t k = 0; k < sizeof(wrong) / sizeof(wrong[0]); k++) Check(!SoretGenerationParse(wrong[k], found, &g));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- manifests ---- */

enum { BYTES = 3 * (1 << 20) + 17 }; /* three blocks and a bit */

static void Patch(const char *path, off_t at, size_t n, const void *data, off_t length)
{
  const int fd = rank == 0 ? open(path, O_WRONLY) : -1;

  if (fd >= 0) {
    Check(pwrite(fd, data, n, at) == (ssize_t)n);
    if (length >= 0) Check(ftruncate(fd, length) == 0);
    (void)close(fd);
  }
  (void)MPI_Barrier(PETSC_COMM_WORLD);
}

static PetscErrorCode CheckWhy(const SoretGeneration *g, const char *expected)
{
  SoretManifest manifest;
  PetscBool     good;
  char          why[512] = "good";

  PetscFunctionBegin;
  PetscCall(SoretManifestVerify(PETSC_COMM_WORLD, prefix, g, &manifest, &good, sizeof(why), why));
  Check(!good || (manifest.bytes == BYTES && manifest.step == 12 && manifest.t == 0.1));
  CheckText(why, expected);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestManifest(void)
{
  const SoretGeneration g = {.attempt = 1, .number = 3};
  char                  data[PETSC_MAX_PATH_LEN], path[PETSC_MAX_PATH_LEN], *bytes;
  PetscInt64            written;
  struct stat           found;

  PetscFunctionBeginUser;
  PetscCall(Fresh("manifest"));
  PetscCall(SoretGenerationName(prefix, &g, ".h5", sizeof(data), data));
  PetscCall(SoretGenerationName(prefix, &g, ".manifest", sizeof(path), path));
  PetscCall(PetscMalloc1(BYTES, &bytes));
  for (int k = 0; k < BYTES; k++) bytes[k] = (char)(k * 7 % 251);
  if (rank == 0) {
    Check(SoretClaim(data));
    Check(!SoretClaim(data)); /* only one may have it */
  }
  Patch(data, 0, BYTES, bytes, BYTES);
  PetscCall(CheckWhy(&g, "no manifest: No such file or directory"));
  PetscCall(SoretManifestWrite(PETSC_COMM_WORLD, prefix, &g, 12, 0.1, &written));
  Check(written == BYTES);
  PetscCall(CheckWhy(&g, "good"));
  Patch(data, 1500000, 1, "!", -1);
  PetscCall(CheckWhy(&g, "bytes 1048576 to 2097151 are not what was written"));
  Patch(data, 1500000, 1, bytes + 1500000, -1);
  Patch(data, BYTES - 1, 1, "!", -1);
  PetscCall(CheckWhy(&g, "bytes 3145728 to 3145744 are not what was written"));
  Patch(data, 0, 1, bytes, BYTES - 1);
  PetscCall(CheckWhy(&g, "it has 3145744 bytes instead of 3145745"));
  Patch(data, 0, BYTES, bytes, BYTES);
  PetscCall(CheckWhy(&g, "good"));
  Patch(path, 30, 1, "9", -1);
  PetscCall(CheckWhy(&g, "its manifest is damaged or incomplete"));
  Patch(path, 30, 1, "e", -1);
  PetscCall(CheckWhy(&g, "good"));
  Check(stat(path, &found) == 0);
  PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
  Patch(path, found.st_size - 1, 1, "\b", -1); /* behind the checksum */
  PetscCall(CheckWhy(&g, "its manifest is damaged or incomplete"));
  Patch(path, 0, 1, "s", 0);
  PetscCall(CheckWhy(&g, "its manifest is damaged or incomplete"));
  PetscCall(PetscFree(bytes));
  PetscCall(Fresh("manifest"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- generations ---- */

static const PetscInt extent = 10;

/* Each rank holds an even part of 0 ... 9. */
static void Part(PetscInt *start, PetscInt *count)
{
  *start = extent * rank / ranks;
  *count = extent * (rank + 1) / ranks - *start;
}

static PetscErrorCode Write(void *context, SoretArchive archive)
{
  PetscReal box[10], number[2] = {*(int *)context, PETSC_PI};
  PetscInt  start, count;

  PetscFunctionBegin;
  Part(&start, &count);
  for (PetscInt k = 0; k < count; k++) box[k] = (PetscReal)(start + k);
  PetscCall(SoretArchivePutBox(archive, "box", 1, &extent, &start, &count, box));
  PetscCall(SoretArchivePutReals(archive, "number", 2, number));
  PetscCall(SoretArchivePutText(archive, "text", "T = 1\n"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Read(void *context, SoretArchive archive)
{
  PetscReal box[10], number[2];
  PetscInt  start, count, n;
  char     *text;

  PetscFunctionBegin;
  Part(&start, &count);
  PetscCall(SoretArchiveGetBox(archive, "box", 1, &extent, &start, &count, box));
  for (PetscInt k = 0; k < count; k++) Check(box[k] == (PetscReal)(start + k));
  PetscCall(SoretArchiveGetReals(archive, "number", 2, number));
  Check(number[1] == PETSC_PI);
  *(int *)context = (int)number[0];
  PetscCall(SoretArchiveCount(archive, "nothing", &n));
  Check(n == 0);
  PetscCall(SoretArchiveGetText(archive, "text", &text));
  CheckText(text, "T = 1\n");
  PetscCall(PetscFree(text));
  PetscCall(SoretArchiveGetText(archive, "nothing", &text));
  CheckText(text, "");
  PetscCall(PetscFree(text));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Writes a checkpoint of the value; SIGUSR2 asks for it. */
static PetscErrorCode Ask(SoretCheckpoint ck, int *value, int new_value)
{
  PetscBool stop;

  PetscFunctionBegin;
  *value = new_value;
  (void)raise(SIGUSR2);
  PetscCall(SoretCheckpointPoll(ck, new_value, 0.0, &stop));
  Check(!stop);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What the newest good generation holds; the numbers of attempt and generation of all that are there, as "1-3 1-4". */
static PetscErrorCode CheckNewest(int expected, const char *there)
{
  SoretGeneration *list = NULL;
  SoretRestart     restart;
  PetscBool        found;
  PetscInt         num   = 0;
  int              value = -1;
  char             text[256] = "";

  PetscFunctionBegin;
  PetscCall(SoretRestartFind(PETSC_COMM_WORLD, prefix, &restart));
  PetscCall(SoretRestartRead(restart, "part", Read, &value, &found));
  Check(found && value == expected);
  PetscCall(SoretRestartRead(restart, "part", Read, &value, &found));
  Check(!found); /* once only */
  PetscCall(SoretRestartRead(restart, "other", Read, &value, &found));
  Check(!found);
  PetscCall(SoretRestartDestroy(&restart));
  PetscCall(SoretGenerationList(prefix, &num, &list));
  for (PetscInt k = 0; k < num; k++) (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%d-%d", k ? " " : "", list[k].attempt, list[k].number);
  CheckText(text, there);
  PetscCall(PetscFree(list));
  PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestGenerations(void)
{
  const SoretCheckpointSpec spec  = {.keep = 2};
  int                       value = 0;
  SoretCheckpoint           first, second;
  PetscErrorCode            ierr;
  PetscBool                 stop;
  char                      path[PETSC_MAX_PATH_LEN];

  PetscFunctionBeginUser;
  PetscCall(Fresh("generations"));
  PetscCall(SoretCheckpointListen());
  PetscCall(SoretCheckpointCreate(PETSC_COMM_WORLD, &spec, prefix, "./test.h5", 1, NULL, &first));
  PetscCall(SoretCheckpointAdd(first, "part", Write, Read, &value, NULL));
  PetscCall(SoretCheckpointPoll(first, 0, 0.0, &stop)); /* nothing was asked for */
  Check(!stop && SoretCheckpointCount(first) == 0);
  for (int k = 1; k <= 3; k++) PetscCall(Ask(first, &value, 10 * k));
  Check(SoretCheckpointCount(first) == 3);
  PetscCall(CheckNewest(30, "1-2 1-3"));
  /* the newest one damaged: the one before */
  PetscCall(SoretGenerationName(prefix, &(SoretGeneration){.attempt = 1, .number = 3}, ".h5", sizeof(path), path));
  Patch(path, 100, 4, "xxxx", -1);
  PetscCall(CheckNewest(20, "1-2 1-3"));
  /* another attempt takes over; the first one, when it comes back, touches nothing */
  PetscCall(SoretCheckpointCreate(PETSC_COMM_WORLD, &spec, prefix, "./test.h5", 1, NULL, &second)); /* a number that is taken */
  PetscCall(SoretCheckpointAdd(second, "part", Write, Read, &value, NULL));
  PetscCall(Ask(second, &value, 40));
  PetscCall(CheckNewest(40, "1-3 2-4")); /* complete, though damaged: it counts as kept */
  PetscCall(PetscPushErrorHandler(PetscReturnErrorHandler, NULL));
  (void)raise(SIGUSR2);
  ierr = SoretCheckpointPoll(first, 50, 0.0, &stop);
  PetscCall(PetscPopErrorHandler());
  Check(ierr == SORET_ERR_IO);
  PetscCall(CheckNewest(40, "1-3 2-4"));
  PetscCall(SoretCheckpointDestroy(&first));
  PetscCall(SoretCheckpointDestroy(&second));
  PetscCall(Fresh("generations"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* 24 s before the end of a job it is time to stop as long as nobody knows what a checkpoint takes, and early once one is known to take a fraction
   of a second. */
static PetscErrorCode TestMargin(void)
{
  const SoretCheckpointSpec spec  = {.keep = 1};
  int                       value = 7;
  SoretCheckpoint           known, unknown;
  PetscBool                 stop;
  char                      end[32];

  PetscFunctionBeginUser;
  PetscCall(Fresh("margin"));
  (void)snprintf(end, sizeof(end), "%lld", (long long)time(NULL) + 28);
  (void)setenv("SLURM_JOB_END_TIME", end, 1);
  PetscCall(SoretCheckpointCreate(PETSC_COMM_WORLD, &spec, prefix, "./test.h5", 1, NULL, &known));
  PetscCall(SoretCheckpointCreate(PETSC_COMM_WORLD, &spec, prefix, "./test.h5", 2, NULL, &unknown));
  (void)unsetenv("SLURM_JOB_END_TIME");
  PetscCall(SoretCheckpointAdd(known, "part", Write, NULL, &value, NULL));
  PetscCall(SoretCheckpointAdd(unknown, "part", Write, NULL, &value, NULL));
  PetscCall(Ask(known, &value, 7));
  PetscCall(PetscSleep(4));
  PetscCall(SoretCheckpointPoll(known, 7, 0.0, &stop)); /* after a step of 4 s */
  Check(!stop);
  PetscCall(SoretCheckpointPoll(unknown, 7, 0.0, &stop));
  Check(stop);
  CheckText(SoretCheckpointStopped(unknown), "the end of the job");
  PetscCall(SoretCheckpointDestroy(&known));
  PetscCall(SoretCheckpointDestroy(&unknown));
  PetscCall(Fresh("margin"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A STOP of before the run that cannot be looked at for a while, as on a server that restarts, asks for nothing when it is back; a new one does. */
static PetscErrorCode TestStopFiles(void)
{
  char           folder[] = "stop.XXXXXX", result[64], stop[64], aside[64];
  SoretStopFiles files;
  const int      wait = 250000; /* microseconds, for the next look */

  PetscFunctionBeginUser;
  PetscCheck(mkdtemp(folder), PETSC_COMM_SELF, PETSC_ERR_FILE_OPEN, "cannot make '%s': %s", folder, strerror(errno));
  (void)snprintf(result, sizeof(result), "%s/run.h5", folder);
  (void)snprintf(stop, sizeof(stop), "%s/STOP", folder);
  (void)snprintf(aside, sizeof(aside), "%s/aside", folder);
  Check(SoretClaim(stop));
  PetscCall(SoretStopFilesCreate(result, &files));
  Check(SoretStopFilesLook(&files) == SORET_ASK_NOTHING);
  Check(rename(stop, aside) == 0 && symlink("STOP", stop) == 0); /* any error but "not there" */
  (void)usleep(wait);
  Check(SoretStopFilesLook(&files) == SORET_ASK_NOTHING);
  Check(rename(aside, stop) == 0);
  (void)usleep(wait);
  Check(SoretStopFilesLook(&files) == SORET_ASK_NOTHING);
  Check(unlink(stop) == 0);
  (void)usleep(wait);
  Check(SoretStopFilesLook(&files) == SORET_ASK_NOTHING);
  Check(SoretClaim(stop));
  (void)usleep(wait);
  Check(SoretStopFilesLook(&files) == SORET_STOP_FILE);
  Check(unlink(stop) == 0 && rmdir(folder) == 0);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A signal to one rank stops all, with a checkpoint. The last test: a wish to stop is never forgotten. */
static PetscErrorCode TestStop(void)
{
  const SoretCheckpointSpec spec  = {.keep = 1};
  int                       value = 7;
  SoretCheckpoint           ck;
  PetscBool                 stop;

  PetscFunctionBeginUser;
  PetscCall(Fresh("stop"));
  PetscCall(SoretCheckpointCreate(PETSC_COMM_WORLD, &spec, prefix, "./test.h5", 1, NULL, &ck));
  PetscCall(SoretCheckpointAdd(ck, "part", Write, NULL, &value, NULL));
  Check(!SoretCheckpointStopped(ck));
  if (rank == ranks - 1) (void)raise(SIGTERM);
  PetscCall(SoretCheckpointPoll(ck, 0, 0.0, &stop));
  Check(stop && SoretCheckpointCount(ck) == 1);
  CheckText(SoretCheckpointStopped(ck), "SIGTERM");
  PetscCall(CheckNewest(7, "1-1"));
  PetscCall(SoretCheckpointDestroy(&ck));
  PetscCall(Fresh("stop"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

TestMain(TestChecksum, TestNames, TestManifest, TestGenerations, TestMargin, TestStopFiles, TestStop)
