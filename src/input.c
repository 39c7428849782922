/* SPDX-License-Identifier: BSD-2-Clause

   Life of an input, its file and its messages. */
#include "input_private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
  LARGEST_FILE    = 64 << 20,
  BLOCK_SIZE      = 64 << 10,
  MOST_MESSAGES   = 200,
  MOST_DIRECTIVES = 100,
  LONGEST_TEXT    = 600, /* of one message */
  LONGEST_LINE    = 110, /* characters of a line of the file that are shown */
  SHOWN_BEFORE    = 60,  /* of them before the caret, in longer lines */
  TOO_LARGE       = -1,  /* beside errno, why a file was not read */
  LONGEST_PREFIX  = 120  /* characters of an override that are shown */
};

/* ---- memory ---- */

typedef union {
  void     *pointer;
  PetscReal real;
  long long integer;
} Unit; /* aligned for everything that is stored */

struct SoretBlock {
  SoretBlock *next;
  size_t      used, size; /* in units */
  Unit        data[];
};

PetscErrorCode SoretInputAllocate(SoretInput in, size_t size, void *pointer)
{
  const size_t unit = sizeof(Unit), need = (PetscMax(size, 1) + unit - 1) / unit;
  SoretBlock  *block = in->blocks;

  PetscFunctionBeginUser;
  if (!block || block->size - block->used < need) {
    const size_t units = PetscMax(need, BLOCK_SIZE / unit);

    PetscCall(PetscMalloc(sizeof(*block) + units * unit, &block));
    *block     = (SoretBlock){.next = in->blocks, .size = units};
    in->blocks = block;
  }
  *(void **)pointer = memset(block->data + block->used, 0, need * unit);
  block->used += need;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretInputCopyText(SoretInput in, const char *text, size_t length, char **copy)
{
  PetscFunctionBeginUser;
  PetscCall(SoretInputAllocate(in, length + 1, copy));
  memcpy(*copy, text, length);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the file ---- */

/* Reads all of a file, also one that does not know its length. Returns 0, errno or TOO_LARGE. */
static PetscErrorCode ReadAll(FILE *file, char **text, size_t *length, int *status)
{
  size_t      capacity = 64 << 10;
  struct stat info;
  char       *bytes;

  PetscFunctionBeginUser;
  *status = fstat(fileno(file), &info) ? errno : S_ISDIR(info.st_mode) ? EISDIR : info.st_size > LARGEST_FILE ? TOO_LARGE : 0;
  if (*status) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscMalloc1(capacity, &bytes));
  for (size_t got = 1; got && !*status;) {
    if (*length + 1 == capacity) {
      char *larger;

      PetscCall(PetscMalloc1(2 * capacity, &larger));
      memcpy(larger, bytes, *length);
      PetscCall(PetscFree(bytes));
      bytes = larger;
      capacity *= 2;
    }
    errno = 0;
    got   = fread(bytes + *length, 1, capacity - 1 - *length, file);
    *length += got;
    if (ferror(file)) *status = errno ? errno : EIO;
    if (*length > LARGEST_FILE) *status = TOO_LARGE;
  }
  bytes[*length] = 0;
  *text          = bytes;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretInputReadFile(MPI_Comm comm, const char *path, char **text, size_t *length)
{
  PetscMPIInt rank;
  long long   head[2] = {0, 0}; /* status, length */

  PetscFunctionBeginUser;
  *text   = NULL;
  *length = 0;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  if (!rank) {
    FILE *file   = fopen(path, "rb");
    int   status = file ? 0 : errno;

    if (file) {
      PetscCall(ReadAll(file, text, length, &status));
      fclose(file);
    }
    if (status) {
      char shown[512];

      SoretPrintable(path, strlen(path), shown, sizeof(shown));
      fprintf(stderr, "soret: cannot read '%s': %s\n", shown, status == TOO_LARGE ? "larger than 64 MiB" : strerror(status));
    }
    head[0] = status;
    head[1] = (long long)*length;
  }
  PetscCallMPI(MPI_Bcast(head, 2, MPI_LONG_LONG, 0, comm));
  if (head[0]) {
    PetscCall(PetscFree(*text));
    *length = 0;
    PetscFunctionReturn(SORET_ERR_INPUT);
  }
  *length = (size_t)head[1];
  if (rank) PetscCall(PetscMalloc1(*length + 1, text));
  PetscCallMPI(MPI_Bcast(*text, (PetscMPIInt)(*length + 1), MPI_CHAR, 0, comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretInputResolve(SoretInput in, const char *file, size_t size, char path[])
{
  const char *slash = strrchr(in->name, '/');

  PetscFunctionBeginUser;
  if (*file == '/' || !slash) snprintf(path, size, "%s", file);
  else snprintf(path, size, "%.*s%s", (int)(slash - in->name + 1), in->name, file);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- life of an input ---- */

/* Length of the line break at the start of text, 0 if there is none; libyaml counts lines by these. */
static size_t ScanBreak(const char *text, size_t available)
{
  const unsigned char *s = (const unsigned char *)text;

  if (!available) return 0;
  if (s[0] == '\n') return 1;
  if (s[0] == '\r') return available > 1 && s[1] == '\n' ? 2 : 1;
  if (available > 1 && s[0] == 0xc2 && s[1] == 0x85) return 2; /* U+0085, U+2028, U+2029 */
  return available > 2 && s[0] == 0xe2 && s[1] == 0x80 && (s[2] == 0xa8 || s[2] == 0xa9) ? 3 : 0;
}

/* Bytes that are no text; libyaml would refuse them too, but without their place. */
static PetscErrorCode CheckBytes(SoretInput in, PetscBool *good)
{
  int line = 1, column = 1, directives = 0;

  PetscFunctionBeginUser;
  *good = PETSC_FALSE;
  if (in->length >= 4 && !memcmp(in->text, "\x89HDF", 4)) {
    PetscCall(SoretInputErrorPlace(in, 1, 1, "this is an HDF5 file, not a case file; `soret info` reads it"));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  for (size_t i = 0; i < in->length;) {
    const size_t    end  = ScanBreak(in->text + i, in->length - i);
    unsigned        code = 0;
    const size_t    step = SoretScanUtf8(in->text + i, in->length - i, &code);
    const PetscBool sane = code == '\t' || (code >= 0x20 && code < 0x7f) || (code >= 0xa0 && code != 0xfeff && code != 0xfffe && code != 0xffff) ? PETSC_TRUE : PETSC_FALSE;

    if (end) {
      line++;
      column = 1;
      i += end;
      continue;
    }
    if (!step || !sane) {
      if (!step) PetscCall(SoretInputErrorPlace(in, line, column, "the byte 0x%02x is not UTF-8; a case file is plain text in UTF-8", (unsigned)(unsigned char)in->text[i]));
      else PetscCall(SoretInputErrorPlace(in, line, column, "%s (U+%04X) cannot stand in a case file", !code ? "the character NUL" : code == 0xfeff ? "a byte-order mark" : "a control character", code));
      PetscFunctionReturn(PETSC_SUCCESS);
    }
    /* libyaml compares each %TAG with all before it */
    if (column == 1 && code == '%' && ++directives > MOST_DIRECTIVES) {
      PetscCall(SoretInputErrorPlace(in, line, column, "more than %d lines that begin with %%", MOST_DIRECTIVES));
      PetscFunctionReturn(PETSC_SUCCESS);
    }
    column++;
    i += step;
  }
  *good = PETSC_TRUE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretInputCreate(const char *name, const char *text, size_t length, SoretInput *input)
{
  static const char mark[] = "\xef\xbb\xbf";
  const size_t      skip   = length >= 3 && !memcmp(text, mark, 3) ? 3 : 0;
  SoretInput        in;
  PetscBool         good;

  PetscFunctionBeginUser;
  PetscCall(PetscNew(&in));
  PetscCall(PetscStrallocpy(name, &in->name));
  in->length = length - skip;
  PetscCall(PetscMalloc1(in->length + 1, &in->text));
  memcpy(in->text, text + skip, in->length);
  in->text[in->length] = 0;
  PetscCall(CheckBytes(in, &good));
  if (good) PetscCall(SoretTreeRead(in, in->text, in->length, NO_OVERRIDE, NULL, &in->root));
  if (in->root && in->root->kind != SORET_NODE_MAP) {
    PetscCall(SoretInputError(in, in->root, "a case file is a map of keys such as 'domain:', found %s", in->root->kind == SORET_NODE_LIST ? "a list" : "a single value"));
    in->root = NULL;
  }
  if (!in->root) {
    in->broken = PETSC_TRUE;
    PetscCall(SoretInputAllocate(in, sizeof(*in->root), &in->root));
    *in->root = (SoretNode){.kind = SORET_NODE_MAP, .text = in->text + in->length, .line = 1, .column = 1, .label = ""};
  }
  *input = in;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretInputDestroy(SoretInput *in)
{
  PetscFunctionBeginUser;
  if (!*in) PetscFunctionReturn(PETSC_SUCCESS);
  for (SoretBlock *block = (*in)->blocks, *next; block; block = next) {
    next = block->next;
    PetscCall(PetscFree(block));
  }
  PetscCall(PetscFree((*in)->name));
  PetscCall(PetscFree((*in)->text));
  PetscCall(PetscFree((*in)->constants));
  PetscCall(PetscFree((*in)->messages));
  PetscCall(PetscFree(*in));
  PetscFunctionReturn(PETSC_SUCCESS);
}

const SoretNode *SoretInputRoot(SoretInput in)
{
  return in->root;
}

PetscErrorCode SoretInputSetReduced(SoretInput in, PetscBool reduced)
{
  PetscFunctionBeginUser;
  in->reduced = reduced;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscBool SoretInputIsReduced(SoretInput in)
{
  return in->reduced;
}

PetscErrorCode SoretInputDefine(SoretInput in, const char *name, PetscReal value)
{
  SoretConstant *constant = NULL;

  PetscFunctionBeginUser;
  for (PetscInt i = 0; i < in->num_constants && !constant; i++)
    if (!strcmp(in->constants[i].name, name)) constant = &in->constants[i];
  if (!constant) {
    if (in->num_constants == in->max_constants) {
      in->max_constants = 2 * in->max_constants + 16;
      PetscCall(PetscRealloc((size_t)in->max_constants * sizeof(*in->constants), &in->constants));
    }
    constant = &in->constants[in->num_constants++];
    PetscCall(PetscStrncpy(constant->name, name, sizeof(constant->name)));
  }
  constant->value = value;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- collecting messages ---- */

static PetscErrorCode AddMessage(SoretInput in, int line, int column, const char *format, va_list arguments)
{
  char raw[2 * LONGEST_TEXT], what[LONGEST_TEXT];

  PetscFunctionBeginUser;
  in->num_errors++;
  in->last = NULL;
  if (in->broken) PetscFunctionReturn(PETSC_SUCCESS);
  vsnprintf(raw, sizeof(raw), format, arguments);
  SoretPrintable(raw, strlen(raw), what, sizeof(what));
  /* what an alias repeats is one mistake */
  for (PetscInt i = 0; i < in->num_messages; i++)
    if (in->messages[i].line == line && in->messages[i].column == column && !strcmp(in->messages[i].what, what)) PetscFunctionReturn(PETSC_SUCCESS);
  if (in->num_messages == MOST_MESSAGES) {
    in->num_dropped++;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (!in->messages) PetscCall(PetscMalloc1(MOST_MESSAGES, &in->messages));
  in->last  = &in->messages[in->num_messages];
  *in->last = (SoretMessage){.line = line, .column = column, .order = in->num_messages++};
  PetscCall(SoretInputCopyText(in, what, strlen(what), &in->last->what));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretInputErrorPlace(SoretInput in, int line, int column, const char *format, ...)
{
  va_list arguments;

  PetscFunctionBeginUser;
  va_start(arguments, format);
  PetscCall(AddMessage(in, line, column, format, arguments));
  va_end(arguments);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretInputError(SoretInput in, const SoretNode *node, const char *format, ...)
{
  va_list arguments;

  PetscFunctionBeginUser;
  va_start(arguments, format);
  PetscCall(AddMessage(in, node ? node->line : -1, node ? node->column : 0, format, arguments));
  va_end(arguments);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretInputErrorAt(SoretInput in, const SoretNode *node, PetscInt offset, const char *format, ...)
{
  va_list arguments;
  int     line = -1, column = 0;

  PetscFunctionBeginUser;
  if (node) {
    const size_t bytes = PetscMin((size_t)PetscMax(offset, 0), strlen(node->text));

    line   = node->line;
    column = node->text_column ? node->text_column + (int)SoretCountCharacters(node->text, bytes) : node->column;
  }
  va_start(arguments, format);
  PetscCall(AddMessage(in, line, column, format, arguments));
  va_end(arguments);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretInputHint(SoretInput in, const char *format, ...)
{
  char    raw[2 * LONGEST_TEXT], hint[LONGEST_TEXT];
  va_list arguments;

  PetscFunctionBeginUser;
  if (!in->last) PetscFunctionReturn(PETSC_SUCCESS);
  va_start(arguments, format);
  vsnprintf(raw, sizeof(raw), format, arguments);
  va_end(arguments);
  SoretPrintable(raw, strlen(raw), hint, sizeof(hint));
  PetscCall(SoretInputCopyText(in, hint, strlen(hint), &in->last->hint));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscInt SoretInputCountErrors(SoretInput in)
{
  return in->num_errors;
}

const char *SoretInputFirstError(SoretInput in)
{
  return in->num_messages ? in->messages[0].what : NULL;
}

/* ---- printing messages ---- */

/* The file in order, then the command line. */
static int CompareMessages(const void *left, const void *right)
{
  const SoretMessage *a = left, *b = right;

  if (!a->line != !b->line) return a->line ? -1 : 1;
  if (a->line != b->line) return a->line < b->line ? -1 : 1;
  if (a->column != b->column) return a->column < b->column ? -1 : 1;
  return a->order < b->order ? -1 : 1;
}

/* Walks through the lines of the file; messages come in order, so each line is passed once. */
typedef struct {
  int    line;
  size_t start;
} Cursor;

static size_t EndOfLine(SoretInput in, size_t i)
{
  while (i < in->length && !ScanBreak(in->text + i, in->length - i)) i++;
  return i;
}

static void MoveTo(SoretInput in, int line, Cursor *cursor)
{
  for (; cursor->line < line; cursor->line++) {
    const size_t end = EndOfLine(in, cursor->start);

    cursor->start = end + ScanBreak(in->text + end, in->length - end);
  }
}

/* Byte at which character number n of the text begins. */
static size_t SkipCharacters(const char *text, size_t length, int n)
{
  size_t i = 0;

  for (; i < length && n > 0; n--) {
    unsigned     code = 0;
    const size_t step = SoretScanUtf8(text + i, length - i, &code);

    i += step ? step : 1;
  }
  return i;
}

/* The line, with as much of it as fits around the column, a caret below, and the hint. */
static void PrintExcerpt(SoretInput in, const SoretMessage *message, Cursor *cursor, FILE *out)
{
  char        shown[4 * LONGEST_LINE + 1], number[16];
  const char *line;
  size_t      length, start, end;
  int         first = 0;

  MoveTo(in, message->line, cursor);
  line   = in->text + cursor->start;
  length = EndOfLine(in, cursor->start) - cursor->start;
  if (SkipCharacters(line, length, LONGEST_LINE) < length) first = PetscMax(0, message->column - 1 - SHOWN_BEFORE);
  start = SkipCharacters(line, length, first);
  end   = start + SkipCharacters(line + start, length - start, LONGEST_LINE);
  SoretPrintable(line + start, end - start, shown, sizeof(shown));
  snprintf(number, sizeof(number), "%d", message->line);
  fprintf(out, "  %s | %s%s%s\n", number, start ? "..." : "", shown, end < length ? "..." : "");
  fprintf(out, "  %*s | %*s^%s%s\n", (int)strlen(number), "", message->column - 1 - first + (start ? 3 : 0), "", message->hint ? " " : "", message->hint ? message->hint : "");
}

static void PrintMessage(SoretInput in, const char *name, const SoretMessage *message, Cursor *cursor, FILE *out)
{
  if (message->line > 0) {
    fprintf(out, "%s:%d:%d: %s\n", name, message->line, message->column, message->what);
    PrintExcerpt(in, message, cursor, out);
    return;
  }
  if (!message->line) {
    const char *given = in->overrides[message->column];
    char        shown[LONGEST_PREFIX];

    SoretPrintable(given, strlen(given), shown, sizeof(shown));
    fprintf(out, "command line: %s%s: %s\n", shown, strlen(given) >= sizeof(shown) ? "..." : "", message->what);
  } else fprintf(out, "%s: %s\n", name, message->what);
  if (message->hint) fprintf(out, "  %s\n", message->hint);
}

PetscErrorCode SoretInputPrintErrors(SoretInput in, FILE *out)
{
  const PetscInt count  = in->num_messages + in->num_dropped;
  Cursor         cursor = {.line = 1};
  char           name[512];

  PetscFunctionBeginUser;
  if (!count) PetscFunctionReturn(PETSC_SUCCESS);
  SoretPrintable(in->name, strlen(in->name), name, sizeof(name));
  qsort(in->messages, (size_t)in->num_messages, sizeof(*in->messages), CompareMessages);
  in->last = NULL; /* the order has changed */
  for (PetscInt i = 0; i < in->num_messages; i++) PrintMessage(in, name, &in->messages[i], &cursor, out);
  if (in->num_dropped) fprintf(out, "... and %" PetscInt_FMT " more\n", in->num_dropped);
  fprintf(out, "%" PetscInt_FMT " error%s in %s; nothing was run.\n", count, count == 1 ? "" : "s", name);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretInputCheck(SoretInput in, MPI_Comm comm)
{
  PetscMPIInt rank, mine = in->num_errors ? 1 : 0, any;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Allreduce(&mine, &any, 1, MPI_INT, MPI_MAX, comm));
  if (!any) PetscFunctionReturn(PETSC_SUCCESS);
  if (!rank) {
    PetscCall(SoretInputPrintErrors(in, stderr));
    fflush(stderr);
  }
  PetscFunctionReturn(SORET_ERR_INPUT);
}
