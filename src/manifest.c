/* SPDX-License-Identifier: BSD-2-Clause

   Files of checkpoints: their names, and the manifests that say whether their bytes are what was written. A manifest is text:

     soret checkpoint manifest 1
     step 120 t 0.25 written 2026-11-25T19:00:00Z
     bytes 33560000 block 1048576 blocks 33
     0123456789abcdef                      one line for each block of the data file: its CRC-64
     end fedcba9876543210                  CRC-64 of all that stands above */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "checkpoint_private.h"
#include "soret/disk.h"

enum {
  SMALLEST_BLOCK  = 1 << 20,  /* of the data file                                     */
  MOST_BLOCKS     = 1 << 14,  /* blocks grow with the file, so that a manifest stays small */
  LINE            = 17,       /* of a checksum, with its end                          */
  HEAD            = 512,      /* bytes of a manifest without its checksums, at most   */
  PIECE           = 1 << 18   /* of a block that is read at once                      */
};

/* ---- checksums ---- */

static uint64_t crc_table[8][256];

static void MakeTable(void)
{
  for (unsigned i = 0; i < 256; i++) {
    uint64_t value = i;

    for (int bit = 0; bit < 8; bit++) value = value & 1 ? value >> 1 ^ 0xC96C5795D7870F42u : value >> 1;
    crc_table[0][i] = value;
  }
  for (unsigned i = 0; i < 256; i++) {
    for (int k = 1; k < 8; k++) crc_table[k][i] = crc_table[k - 1][i] >> 8 ^ crc_table[0][crc_table[k - 1][i] & 255];
  }
}

/* Eight bytes at a time, each with a table of its own. */
uint64_t SoretChecksum(uint64_t sum, size_t n, const void *data)
{
  const unsigned char *byte = (const unsigned char *)data;

  if (!crc_table[0][1]) MakeTable();
  sum = ~sum;
  for (; n >= 8; n -= 8, byte += 8) {
    uint64_t next = 0;

    for (int k = 0; k < 8; k++) next |= (uint64_t)byte[k] << 8 * k;
    sum ^= next;
    next = 0;
    for (int k = 0; k < 8; k++) next ^= crc_table[7 - k][sum >> 8 * k & 255];
    sum = next;
  }
  for (; n > 0; n--, byte++) sum = crc_table[0][(sum ^ *byte) & 255] ^ sum >> 8;
  return ~sum;
}

/* ---- names ---- */

PetscErrorCode SoretGenerationName(const char *prefix, const SoretGeneration *generation, const char *ending, size_t length, char name[])
{
  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(name, length, "%s.ckpt-%03d-%06d%s", prefix, generation->attempt, generation->number, ending));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Digits, at least `least` of them and no larger than a generation may be. Moves on behind them. */
static PetscBool ScanNumber(const char **text, int least, int *number)
{
  const size_t digits = strspn(*text, "0123456789");

  if (digits < (size_t)least || digits > 9) return PETSC_FALSE;
  *number = (int)strtol(*text, NULL, 10);
  *text += digits;
  return PETSC_TRUE;
}

PetscBool SoretGenerationParse(const char *path, char prefix[], SoretGeneration *generation)
{
  const char *mark = NULL, *text;
  size_t      n;

  for (text = path; (text = strstr(text, ".ckpt-")); text++) mark = text;
  if (!mark || mark == path) return PETSC_FALSE;
  text = mark + 6;
  if (!ScanNumber(&text, 3, &generation->attempt) || *text++ != '-' || !ScanNumber(&text, 6, &generation->number)) return PETSC_FALSE;
  generation->has_data     = !strcmp(text, ".h5") ? PETSC_TRUE : PETSC_FALSE;
  generation->has_manifest = !strcmp(text, ".manifest") ? PETSC_TRUE : PETSC_FALSE;
  n                        = (size_t)(mark - path);
  if (n >= PETSC_MAX_PATH_LEN) return PETSC_FALSE;
  memcpy(prefix, path, n);
  prefix[n] = 0;
  return generation->has_data || generation->has_manifest ? PETSC_TRUE : PETSC_FALSE;
}

static int ByAge(const void *a_pointer, const void *b_pointer)
{
  const SoretGeneration *a = (const SoretGeneration *)a_pointer, *b = (const SoretGeneration *)b_pointer;

  if (a->attempt != b->attempt) return a->attempt < b->attempt ? -1 : 1;
  return (a->number > b->number) - (a->number < b->number);
}

/* Data file and manifest of one generation become one entry. */
static PetscInt Join(PetscInt num, SoretGeneration list[])
{
  PetscInt n = 0;

  for (PetscInt i = 0; i < num; i++) {
    if (n && !ByAge(&list[n - 1], &list[i])) {
      list[n - 1].has_data     = list[n - 1].has_data || list[i].has_data ? PETSC_TRUE : PETSC_FALSE;
      list[n - 1].has_manifest = list[n - 1].has_manifest || list[i].has_manifest ? PETSC_TRUE : PETSC_FALSE;
    } else list[n++] = list[i];
  }
  return n;
}

PetscErrorCode SoretGenerationList(const char *prefix, PetscInt *num, SoretGeneration *list[])
{
  const char    *slash = strrchr(prefix, '/'), *base = slash ? slash + 1 : prefix;
  char           directory[PETSC_MAX_PATH_LEN], found[PETSC_MAX_PATH_LEN];
  PetscInt       room = 0;
  struct dirent *entry;
  DIR           *folder;
  int            why;

  PetscFunctionBegin;
  *num  = -1;
  *list = NULL;
  PetscCall(SoretDirectoryOf(prefix, sizeof(directory), directory));
  folder = opendir(directory);
  if (!folder) PetscFunctionReturn(PETSC_SUCCESS);
  *num = 0;
  for (errno = 0; (entry = readdir(folder)); errno = 0) {
    SoretGeneration generation;

    if (!SoretGenerationParse(entry->d_name, found, &generation) || strcmp(found, base)) continue;
    if (*num == room) {
      SoretGeneration *more;

      room = PetscMax(2 * room, 16);
      PetscCall(PetscMalloc1(room, &more));
      if (*num) PetscCall(PetscArraycpy(more, *list, *num));
      PetscCall(PetscFree(*list));
      *list = more;
    }
    (*list)[(*num)++] = generation;
  }
  why = errno; /* only this tells an error from the end */
  (void)closedir(folder);
  if (why) {
    PetscCall(PetscFree(*list));
    *num  = -1;
    errno = why;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (*num) qsort(*list, (size_t)*num, sizeof(**list), ByAge);
  *num = Join(*num, *list);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- checksums of a data file ---- */

/* Why a rank fails; the first reason stays. */
typedef struct {
  char text[256];
} Trouble;

static void Because(Trouble *trouble, const char *format, ...) PETSC_ATTRIBUTE_FORMAT(2, 3);
static void Because(Trouble *trouble, const char *format, ...)
{
  va_list list;

  if (trouble->text[0]) return;
  va_start(list, format);
  (void)vsnprintf(trouble->text, sizeof(trouble->text), format, list);
  va_end(list);
}

/* No trouble on any rank? Else all get that of the lowest rank which has one. */
static PetscErrorCode Agree(MPI_Comm comm, Trouble *trouble, PetscBool *good)
{
  PetscMPIInt rank, size, mine, first;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  mine = trouble->text[0] ? rank : size;
  PetscCallMPI(MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, comm));
  *good = first == size ? PETSC_TRUE : PETSC_FALSE;
  if (!*good) PetscCallMPI(MPI_Bcast(trouble->text, (PetscMPIInt)sizeof(trouble->text), MPI_CHAR, first, comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The first block of a rank, which is also the end of those of the rank before. */
static PetscInt FirstBlock(PetscInt num_blocks, PetscMPIInt rank, PetscMPIInt size)
{
  return (PetscInt)((PetscInt64)num_blocks * rank / size);
}

/* Blocks [*first, *last) are those of this rank. */
static PetscErrorCode Share(MPI_Comm comm, PetscInt num_blocks, PetscInt *first, PetscInt *last)
{
  PetscMPIInt rank, size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  *first = FirstBlock(num_blocks, rank, size);
  *last  = FirstBlock(num_blocks, rank + 1, size);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode OpenData(const char *path, PetscInt64 bytes, int *fd, Trouble *trouble)
{
  struct stat found;

  PetscFunctionBegin;
  *fd = open(path, O_RDONLY | O_NONBLOCK);
  if (*fd < 0) Because(trouble, "%s: %s", path, strerror(errno));
  else if (fstat(*fd, &found) || !S_ISREG(found.st_mode)) Because(trouble, "%s is no regular file", path);
  else if (bytes >= 0 && (PetscInt64)found.st_size != bytes) Because(trouble, "it has %lld bytes instead of %lld", (long long)found.st_size, (long long)bytes);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Checksum of one block. */
static PetscErrorCode SumBlock(int fd, const SoretManifest *m, PetscInt b, char piece[], uint64_t *sum, Trouble *trouble)
{
  const PetscInt64 begin = (PetscInt64)b * m->block, end = PetscMin(begin + m->block, m->bytes);

  PetscFunctionBegin;
  *sum = 0;
  for (PetscInt64 at = begin; at < end;) {
    const ssize_t n = pread(fd, piece, (size_t)PetscMin(end - at, (PetscInt64)PIECE), (off_t)at);

    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      Because(trouble, "cannot read byte %lld: %s", (long long)at, n < 0 ? strerror(errno) : "the file ends there");
      break;
    }
    *sum = SoretChecksum(*sum, (size_t)n, piece);
    at += n;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Checksums of the blocks of this rank; sum - [blocks of this rank]. */
static PetscErrorCode SumShare(MPI_Comm comm, const char *path, const SoretManifest *m, uint64_t sum[], Trouble *trouble)
{
  PetscInt first, last;
  char    *piece;
  int      fd;

  PetscFunctionBegin;
  PetscCall(Share(comm, m->num_blocks, &first, &last));
  PetscCall(PetscMalloc1(PIECE, &piece));
  PetscCall(OpenData(path, m->bytes, &fd, trouble));
  for (PetscInt b = first; b < last && !trouble->text[0]; b++) PetscCall(SumBlock(fd, m, b, piece, &sum[b - first], trouble));
  if (fd >= 0) (void)close(fd);
  PetscCall(PetscFree(piece));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- writing ---- */

/* Size of the file and of its blocks, as rank 0 sees it. */
static PetscErrorCode Divide(MPI_Comm comm, const char *path, SoretManifest *m, Trouble *trouble)
{
  struct stat found;
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  m->bytes = 0;
  if (rank == 0) {
    if (stat(path, &found)) Because(trouble, "%s", strerror(errno));
    else m->bytes = (PetscInt64)found.st_size;
  }
  PetscCallMPI(MPI_Bcast(&m->bytes, 1, MPI_INT64_T, 0, comm));
  m->block = SMALLEST_BLOCK;
  while (m->bytes / m->block >= MOST_BLOCKS) m->block *= 2;
  m->num_blocks = (PetscInt)((m->bytes + m->block - 1) / m->block);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The checksums of all blocks on rank 0. */
static PetscErrorCode Gather(MPI_Comm comm, SoretManifest *m, const uint64_t mine[])
{
  PetscMPIInt rank, size, *count = NULL, *start = NULL;
  PetscInt    first, last;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  PetscCall(Share(comm, m->num_blocks, &first, &last));
  if (rank == 0) {
    PetscCall(PetscMalloc2(size, &count, size, &start));
    for (PetscMPIInt r = 0; r < size; r++) {
      start[r] = (PetscMPIInt)FirstBlock(m->num_blocks, r, size);
      count[r] = (PetscMPIInt)FirstBlock(m->num_blocks, r + 1, size) - start[r];
    }
  }
  PetscCallMPI(MPI_Gatherv(mine, (PetscMPIInt)(last - first), MPI_UINT64_T, m->sum, count, start, MPI_UINT64_T, 0, comm));
  PetscCall(PetscFree2(count, start));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The text of a manifest. */
static PetscErrorCode Compose(const SoretManifest *m, size_t *length, char **text)
{
  const size_t room = HEAD + (size_t)m->num_blocks * LINE;
  size_t       n;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(room, text));
  n = (size_t)snprintf(*text, room, "soret checkpoint manifest 1\nstep %lld t %.17g written %s\nbytes %lld block %lld blocks %lld\n", (long long)m->step, (double)m->t, m->written, (long long)m->bytes, (long long)m->block, (long long)m->num_blocks);
  for (PetscInt b = 0; b < m->num_blocks; b++) n += (size_t)snprintf(*text + n, room - n, "%016llx\n", (unsigned long long)m->sum[b]);
  n += (size_t)snprintf(*text + n, room - n, "end %016llx\n", (unsigned long long)SoretChecksum(0, n, *text));
  *length = n;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static void Now(size_t length, char text[])
{
  const time_t now = time(NULL);
  struct tm    utc;

  if (!gmtime_r(&now, &utc) || !strftime(text, length, "%Y-%m-%dT%H:%M:%SZ", &utc)) text[0] = 0;
}

/* Checksums of the file `data` go into the new file `path`; *m knows the rest. */
static PetscErrorCode WriteManifest(MPI_Comm comm, const char *data, const char *path, SoretManifest *m)
{
  Trouble     trouble = {""};
  char       *text    = NULL;
  uint64_t   *mine;
  PetscBool   good;
  PetscMPIInt rank;
  size_t      length = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCall(Divide(comm, data, m, &trouble));
  PetscCall(PetscMalloc2(rank == 0 ? m->num_blocks : 0, &m->sum, m->num_blocks, &mine));
  PetscCall(SumShare(comm, data, m, mine, &trouble));
  PetscCall(Agree(comm, &trouble, &good));
  if (good) PetscCall(Gather(comm, m, mine));
  if (good && rank == 0) {
    Now(sizeof(m->written), m->written);
    PetscCall(Compose(m, &length, &text));
    if (!SoretStore(path, length, text)) Because(&trouble, "%s", strerror(errno));
    PetscCall(PetscFree(text));
  }
  PetscCall(PetscFree2(m->sum, mine));
  if (good) PetscCall(Agree(comm, &trouble, &good));
  if (!good) PetscCall(SoretComplain(comm, "%s: cannot write the checksums: %s\n", path, trouble.text));
  PetscFunctionReturn(good ? PETSC_SUCCESS : SORET_ERR_IO);
}

PetscErrorCode SoretManifestWrite(MPI_Comm comm, const char *prefix, const SoretGeneration *generation, PetscInt step, PetscReal t, PetscInt64 *bytes)
{
  SoretManifest m = {.step = step, .t = t};
  char          data[PETSC_MAX_PATH_LEN], path[PETSC_MAX_PATH_LEN];

  PetscFunctionBegin;
  PetscCall(SoretGenerationName(prefix, generation, ".h5", sizeof(data), data));
  PetscCall(SoretGenerationName(prefix, generation, ".manifest", sizeof(path), path));
  PetscCall(WriteManifest(comm, data, path, &m));
  *bytes = m.bytes;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSumsWrite(MPI_Comm comm, const char *path, const char *sums)
{
  SoretManifest m = {.step = 0};
  PetscMPIInt   rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  if (rank == 0) (void)unlink(sums); /* of what this file replaces */
  PetscCall(WriteManifest(comm, path, sums, &m));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- reading ---- */

/* The bytes of a manifest, with a 0 behind them. */
static PetscErrorCode ReadText(const char *path, size_t *length, char **text, Trouble *trouble)
{
  const size_t most = HEAD + (size_t)(MOST_BLOCKS + 1) * LINE;
  const int    fd   = open(path, O_RDONLY | O_NONBLOCK);
  ssize_t      n    = 0;

  PetscFunctionBegin;
  *length = 0;
  PetscCall(PetscMalloc1(most + 1, text));
  if (fd < 0) Because(trouble, "no manifest: %s", strerror(errno));
  while (fd >= 0 && *length < most) {
    n = read(fd, *text + *length, most - *length);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    *length += (size_t)n;
  }
  if (n < 0) Because(trouble, "cannot read the manifest: %s", strerror(errno));
  if (fd >= 0) (void)close(fd);
  (*text)[*length] = 0;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What the manifest says, once its own checksum holds. */
static PetscErrorCode Understand(size_t length, const char text[], SoretManifest *m, Trouble *trouble)
{
  const size_t tail = 4 + LINE; /* "end " and a checksum */
  char         end[4 + LINE + 1] = "";
  long long    step, bytes, block, blocks;
  double       t;
  int          at = 0;

  PetscFunctionBegin;
  if (length >= tail) (void)snprintf(end, sizeof(end), "end %016llx\n", (unsigned long long)SoretChecksum(0, length - tail, text));
  if (length < tail || memcmp(text + length - tail, end, tail)) Because(trouble, "its manifest is damaged or incomplete");
  else if (sscanf(text, "soret checkpoint manifest 1\nstep %lld t %lg written %31s\nbytes %lld block %lld blocks %lld\n%n", &step, &t, m->written, &bytes, &block, &blocks, &at) != 6 || at == 0) Because(trouble, "its manifest is of another version of soret");
  else if (bytes < 0 || block < 1 || blocks < 0 || blocks > MOST_BLOCKS || blocks != (bytes + block - 1) / block || length != (size_t)at + (size_t)blocks * LINE + tail) Because(trouble, "its manifest contradicts itself");
  if (trouble->text[0]) PetscFunctionReturn(PETSC_SUCCESS);
  m->step       = step;
  m->t          = t;
  m->bytes      = bytes;
  m->block      = block;
  m->num_blocks = (PetscInt)blocks;
  PetscCall(PetscMalloc1(m->num_blocks, &m->sum));
  for (PetscInt b = 0; b < m->num_blocks; b++) {
    char line[LINE];

    memcpy(line, text + at + b * LINE, LINE);
    line[LINE - 1] = 0;
    m->sum[b]      = strtoull(line, NULL, 16);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What rank 0 has read goes to all. */
static PetscErrorCode Spread(MPI_Comm comm, SoretManifest *m)
{
  PetscMPIInt rank;
  uint64_t   *sum;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  sum = m->sum;
  PetscCallMPI(MPI_Bcast(m, (PetscMPIInt)sizeof(*m), MPI_BYTE, 0, comm));
  if (rank == 0) m->sum = sum;
  else PetscCall(PetscMalloc1(m->num_blocks, &m->sum));
  PetscCallMPI(MPI_Bcast(m->sum, (PetscMPIInt)m->num_blocks, MPI_UINT64_T, 0, comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The blocks of this rank against the manifest. */
static PetscErrorCode CheckShare(MPI_Comm comm, const char *path, const SoretManifest *m, Trouble *trouble)
{
  PetscInt  first, last;
  uint64_t *sum;

  PetscFunctionBegin;
  PetscCall(Share(comm, m->num_blocks, &first, &last));
  PetscCall(PetscMalloc1(last - first, &sum));
  PetscCall(SumShare(comm, path, m, sum, trouble));
  for (PetscInt b = first; b < last && !trouble->text[0]; b++) {
    if (sum[b - first] != m->sum[b]) Because(trouble, "bytes %lld to %lld are not what was written", (long long)b * m->block, (long long)PetscMin((b + 1) * m->block, m->bytes) - 1);
  }
  PetscCall(PetscFree(sum));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Checks the file `data` against the manifest `path`. */
static PetscErrorCode VerifyManifest(MPI_Comm comm, const char *data, const char *path, SoretManifest *manifest, PetscBool *good, size_t length, char why[])
{
  Trouble     trouble = {""};
  char       *text;
  PetscMPIInt rank;
  size_t      n;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(manifest, sizeof(*manifest)));
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  if (rank == 0) {
    PetscCall(ReadText(path, &n, &text, &trouble));
    PetscCall(Understand(n, text, manifest, &trouble));
    PetscCall(PetscFree(text));
  }
  PetscCall(Agree(comm, &trouble, good));
  if (*good) {
    PetscCall(Spread(comm, manifest));
    PetscCall(CheckShare(comm, data, manifest, &trouble));
    PetscCall(Agree(comm, &trouble, good));
  }
  PetscCall(PetscFree(manifest->sum));
  if (!*good) PetscCall(PetscStrncpy(why, trouble.text, length));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretManifestVerify(MPI_Comm comm, const char *prefix, const SoretGeneration *generation, SoretManifest *manifest, PetscBool *good, size_t length, char why[])
{
  char data[PETSC_MAX_PATH_LEN], path[PETSC_MAX_PATH_LEN];

  PetscFunctionBegin;
  PetscCall(SoretGenerationName(prefix, generation, ".h5", sizeof(data), data));
  PetscCall(SoretGenerationName(prefix, generation, ".manifest", sizeof(path), path));
  PetscCall(VerifyManifest(comm, data, path, manifest, good, length, why));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSumsVerify(MPI_Comm comm, const char *path, const char *sums, PetscBool *good, size_t length, char why[])
{
  SoretManifest manifest;

  PetscFunctionBegin;
  PetscCall(VerifyManifest(comm, path, sums, &manifest, good, length, why));
  PetscFunctionReturn(PETSC_SUCCESS);
}
