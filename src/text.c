/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/text.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum {
  LONGEST_COMPARED = 96 /* nothing is near to a longer name */
};

size_t SoretScanNumber(const char *text)
{
  size_t n = 0, digits = 0, e;

  for (; isdigit((unsigned char)text[n]); n++) digits++;
  if (text[n] == '.') n++;
  for (; isdigit((unsigned char)text[n]); n++) digits++;
  if (!digits) return 0;
  if (text[n] != 'e' && text[n] != 'E') return n;
  e = n + 1;
  if (text[e] == '+' || text[e] == '-') e++;
  if (!isdigit((unsigned char)text[e])) return n;
  while (isdigit((unsigned char)text[e])) e++;
  return e;
}

size_t SoretScanSignedNumber(const char *text)
{
  const size_t sign = *text == '+' || *text == '-', n = SoretScanNumber(text + sign);

  return n ? n + sign : 0;
}

static PetscBool IsMadeOf(const char *text, const char *others)
{
  size_t n = 0;

  if (!*text || isdigit((unsigned char)*text)) return PETSC_FALSE;
  for (; text[n]; n++) {
    const unsigned char c = (unsigned char)text[n];

    if (c >= 128 || !(isalnum(c) || strchr(others, c))) return PETSC_FALSE;
  }
  return n < SORET_NAME_LENGTH ? PETSC_TRUE : PETSC_FALSE;
}

PetscBool SoretIsName(const char *text)
{
  return !strcmp(text, "+") || !strcmp(text, "-") ? PETSC_FALSE : IsMadeOf(text, "_+-()*");
}

PetscBool SoretIsIdentifier(const char *text)
{
  return IsMadeOf(text, "_");
}

/* Optimal string alignment: the least number of letters inserted, removed, replaced or exchanged with their neighbour. */
static PetscInt Distance(const char *a, PetscInt na, const char *b, PetscInt nb)
{
  PetscInt rows[3][LONGEST_COMPARED + 1], *before = rows[0], *last = rows[1], *now = rows[2];

  for (PetscInt j = 0; j <= nb; j++) last[j] = j;
  for (PetscInt i = 1; i <= na; i++) {
    PetscInt *const unused = before;

    now[0] = i;
    for (PetscInt j = 1; j <= nb; j++) {
      now[j] = PetscMin(PetscMin(last[j], now[j - 1]) + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) now[j] = PetscMin(now[j], before[j - 2] + 1);
    }
    before = last;
    last   = now;
    now    = unused;
  }
  return last[nb];
}

const char *SoretNearest(const char *name, PetscInt n, const char *const candidates[])
{
  const size_t length = strlen(name);
  const char  *best   = NULL;
  PetscInt     least  = PetscMax((PetscInt)(length / 3), 1) + 1;

  if (!length || length > LONGEST_COMPARED) return NULL;
  for (PetscInt i = 0; i < n; i++) {
    const size_t other = strlen(candidates[i]);
    PetscInt     distance;

    if (other > LONGEST_COMPARED) continue;
    distance = strcasecmp(name, candidates[i]) ? Distance(name, (PetscInt)length, candidates[i], (PetscInt)other) : 0;
    if (distance < least && distance < (PetscInt)PetscMax(length, other)) {
      least = distance;
      best  = candidates[i];
    }
  }
  return best;
}

SoretSuggestion SoretSuggest(const char *name, PetscInt n, const char *const candidates[])
{
  const char     *nearest    = SoretNearest(name, n, candidates);
  SoretSuggestion suggestion = {""};

  if (nearest) (void)snprintf(suggestion.text, sizeof(suggestion.text), "; did you mean '%s'?", nearest);
  return suggestion;
}

size_t SoretScanUtf8(const char *text, size_t available, unsigned *code)
{
  static const unsigned smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const unsigned char  *s          = (const unsigned char *)text;
  size_t                length;

  if (!available) return 0;
  length = s[0] < 0x80 ? 1 : (s[0] & 0xe0) == 0xc0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : (s[0] & 0xf8) == 0xf0 ? 4 : 0;
  if (!length || length > available) return 0;
  *code = length == 1 ? s[0] : s[0] & (0x7fu >> length);
  for (size_t i = 1; i < length; i++) {
    if ((s[i] & 0xc0) != 0x80) return 0;
    *code = *code << 6 | (s[i] & 0x3f);
  }
  if (*code < smallest[length] || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000)) return 0;
  return length;
}

PetscInt SoretCountCharacters(const char *text, size_t bytes)
{
  PetscInt count = 0;

  for (size_t i = 0; i < bytes; i++) count += ((unsigned char)text[i] & 0xc0) != 0x80;
  return count;
}

static PetscBool IsShown(unsigned code)
{
  if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return PETSC_FALSE;
  if ((code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e)) return PETSC_FALSE;
  return (code >= 0x2060 && code <= 0x206f) || code == 0xfeff ? PETSC_FALSE : PETSC_TRUE;
}

void SoretPrintable(const char *text, size_t length, char out[], size_t size)
{
  size_t used = 0;

  for (size_t i = 0; i < length;) {
    unsigned     code  = 0;
    const size_t found = SoretScanUtf8(text + i, length - i, &code), step = found ? found : 1;
    const char   blank = ' ', unknown = '?';
    const char  *from = found && IsShown(code) ? text + i : found && (code == '\t' || code == '\n' || code == '\r') ? &blank : &unknown;
    const size_t add  = from == text + i ? step : 1;

    if (used + add + 1 > size) break;
    memcpy(out + used, from, add);
    used += add;
    i += step;
  }
  out[used] = 0;
}

static PetscBool line_is_open = PETSC_FALSE;

void SoretRewrite(const char *text)
{
  /* to the end of the line everything is cleared; at its beginning the cursor waits, so that a message of anybody else hides the line */
  (void)printf("\r%s\033[K\r", text);
  (void)fflush(stdout);
  line_is_open = PETSC_TRUE;
}

void SoretEndLine(void)
{
  if (!line_is_open) return;
  (void)printf("\n");
  (void)fflush(stdout);
  line_is_open = PETSC_FALSE;
}

PetscErrorCode SoretJoinLines(PetscInt n, const char *const text[], char **lines)
{
  size_t length = 1, used = 0;

  PetscFunctionBegin;
  for (PetscInt k = 0; k < n; k++) length += strlen(text[k]) + 1;
  PetscCall(PetscCalloc1(length, lines));
  for (PetscInt k = 0; k < n; k++) used += (size_t)snprintf(*lines + used, length - used, "%s\n", text[k]);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Print(MPI_Comm comm, FILE *out, const char *format, va_list list) PETSC_ATTRIBUTE_FORMAT(3, 0);
static PetscErrorCode Print(MPI_Comm comm, FILE *out, const char *format, va_list list)
{
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  if (rank > 0) PetscFunctionReturn(PETSC_SUCCESS);
  SoretEndLine();
  (void)vfprintf(out, format, list);
  (void)fflush(out);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSay(MPI_Comm comm, const char *format, ...)
{
  va_list list;

  PetscFunctionBegin;
  va_start(list, format);
  PetscCall(Print(comm, stdout, format, list));
  va_end(list);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretComplain(MPI_Comm comm, const char *format, ...)
{
  va_list list;

  PetscFunctionBegin;
  va_start(list, format);
  PetscCall(Print(comm, stderr, format, list));
  va_end(list);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretFailTogether(MPI_Comm comm, const char *trouble)
{
  PetscMPIInt rank, mine, first;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  mine = *trouble ? rank : PETSC_MPI_INT_MAX;
  PetscCallMPI(MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, comm));
  if (first == rank) (void)fputs(trouble, stderr);
  PetscFunctionReturn(first == PETSC_MPI_INT_MAX ? PETSC_SUCCESS : (PetscErrorCode)SORET_ERR_INPUT);
}
