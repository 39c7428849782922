/* SPDX-License-Identifier: BSD-2-Clause

   What asks a run for a checkpoint or for its end: signals, files beside the result, the end of the job. */
#define _GNU_SOURCE /* strptime */
#include <errno.h>
#include <petsctime.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "checkpoint_private.h"
#include "soret/disk.h"

const char *SoretAskText(SoretAsk ask)
{
  static const char *const text[] = {"", "the interval", "SIGUSR2", "the file CHECKPOINT", "the end of the job", "the file STOP", "SIGHUP", "SIGXCPU", "SIGUSR1", "SIGINT", "SIGTERM"};

  return text[ask];
}

/* ---- signals ---- */

static volatile sig_atomic_t stop_asked = SORET_ASK_NOTHING, checkpoint_asked = 0;

static const struct {
  int      number;
  SoretAsk ask;
} signals[] = {{SIGTERM, SORET_STOP_TERM}, {SIGINT, SORET_STOP_INT}, {SIGUSR1, SORET_STOP_USR1}, {SIGXCPU, SORET_STOP_XCPU}, {SIGHUP, SORET_STOP_HUP}, {SIGUSR2, SORET_ASK_SIGNAL}};

enum { NUM_SIGNALS = sizeof(signals) / sizeof(signals[0]) };

/* A second signal while a checkpoint is written waits, or changes nothing. */
static void Hear(int number)
{
  for (int k = 0; k < NUM_SIGNALS; k++) {
    if (signals[k].number != number) continue;
    if (signals[k].ask == SORET_ASK_SIGNAL) checkpoint_asked = 1;
    else if ((sig_atomic_t)signals[k].ask > stop_asked) stop_asked = (sig_atomic_t)signals[k].ask;
  }
}

/* What is to be ignored when the terminal goes away (nohup) stays so. */
void SoretStopListen(void)
{
  struct sigaction action = {.sa_handler = Hear, .sa_flags = SA_RESTART}, before;

  (void)sigemptyset(&action.sa_mask);
  for (int k = 0; k < NUM_SIGNALS; k++) {
    if (signals[k].number == SIGHUP && sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler == SIG_IGN) continue;
    (void)sigaction(signals[k].number, &action, NULL);
  }
}

SoretAsk SoretStopSignal(void)
{
  return stop_asked ? (SoretAsk)stop_asked : checkpoint_asked ? SORET_ASK_SIGNAL : SORET_ASK_NOTHING;
}

void SoretStopForgetCheckpoint(void)
{
  checkpoint_asked = 0;
}

/* ---- files ---- */

#define LOOK_EVERY 0.2 /* s; looking costs a message to the server of a parallel file system */

/* Has the file been made or touched since last time? */
static PetscBool IsNew(SoretStopFiles *files, int which)
{
  struct stat found;
  PetscBool   fresh;

  if (stat(files->path[which], &found)) {
    if (errno == ENOENT) files->seen[which].there = PETSC_FALSE; /* not where a server is slow to answer (ESTALE, EIO): it may be there as before */
    return PETSC_FALSE;
  }
  fresh = !files->seen[which].there || files->seen[which].s != (PetscInt64)found.st_mtim.tv_sec || files->seen[which].ns != (PetscInt64)found.st_mtim.tv_nsec ? PETSC_TRUE : PETSC_FALSE;
  files->seen[which].there = PETSC_TRUE;
  files->seen[which].s     = (PetscInt64)found.st_mtim.tv_sec;
  files->seen[which].ns    = (PetscInt64)found.st_mtim.tv_nsec;
  return fresh;
}

PetscErrorCode SoretStopFilesCreate(const char *result, SoretStopFiles *files)
{
  static const char *const names[] = {"CHECKPOINT", "STOP"};
  char                     directory[PETSC_MAX_PATH_LEN];

  PetscFunctionBegin;
  PetscCall(PetscMemzero(files, sizeof(*files)));
  PetscCall(SoretDirectoryOf(result, sizeof(directory), directory));
  for (int which = 0; which < 2; which++) {
    PetscCall(PetscSNPrintf(files->path[which], sizeof(files->path[which]), "%s/%s", directory, names[which]));
    (void)IsNew(files, which); /* what lies there from before is not meant for this run */
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

SoretAsk SoretStopFilesLook(SoretStopFiles *files)
{
  PetscLogDouble now;
  PetscBool      checkpoint, stop;

  if (PetscTime(&now) || now - files->looked < LOOK_EVERY) return SORET_ASK_NOTHING;
  files->looked = now;
  checkpoint    = IsNew(files, 0);
  stop          = IsNew(files, 1);
  return stop ? SORET_STOP_FILE : checkpoint ? SORET_ASK_FILE : SORET_ASK_NOTHING;
}

/* ---- the end of the job ---- */

/* "... EndTime=2026-11-25T21:30:00 ..." in local time; 0 if there is none (a job without limit: Unknown). */
static PetscReal ParseEndTime(const char *text)
{
  const char *at = strstr(text, "EndTime=");
  struct tm   local;
  time_t      end;

  memset(&local, 0, sizeof(local));
  if (!at || !strptime(at + 8, "%Y-%m-%dT%H:%M:%S", &local)) return 0.0;
  local.tm_isdst = -1;
  end            = mktime(&local);
  return end > 0 ? (PetscReal)end : 0.0;
}

/* Asks Slurm, which may be slow to answer. */
static PetscReal AskSlurm(const char *job)
{
  char   command[128], text[8192];
  FILE  *pipe;
  size_t n;

  if (!*job || strspn(job, "0123456789_") != strlen(job) || strlen(job) > 32) return 0.0;
  (void)snprintf(command, sizeof(command), "SLURM_TIME_FORMAT=standard timeout 20 scontrol --oneliner show job %s 2>/dev/null", job); /* a user may like other forms */
  pipe = popen(command, "r");
  if (!pipe) return 0.0;
  n       = fread(text, 1, sizeof(text) - 1, pipe);
  text[n] = 0;
  (void)pclose(pipe);
  return ParseEndTime(text);
}

PetscErrorCode SoretStopJobEnd(PetscReal *end)
{
  const char *stamp = getenv("SLURM_JOB_END_TIME"), *job = getenv("SLURM_JOB_ID");
  char       *rest;

  PetscFunctionBegin;
  *end = 0.0;
  if (stamp && *stamp) {
    *end = strtod(stamp, &rest);
    if (*rest || !(*end > 0.0)) *end = 0.0;
  }
  if (*end == 0.0 && job) *end = AskSlurm(job);
  PetscFunctionReturn(PETSC_SUCCESS);
}
