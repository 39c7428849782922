/* SPDX-License-Identifier: BSD-2-Clause

   YAML to a tree of nodes, and overrides of that tree. The events of libyaml are read one by one, so that the limits hold while a
   file is read and not after it has filled the memory. */
#include "input_private.h"

#include <ctype.h>
#include <string.h>
#include <yaml.h>

enum {
  DEEPEST_NODE = 64,
  MOST_NODES   = 1000000,
  MOST_ANCHORS = 1000
};

typedef struct Anchor Anchor;
struct Anchor {
  Anchor    *next;
  char      *name;
  SoretNode *node;
};

typedef struct {
  SoretInput       in;
  yaml_parser_t    parser;
  const char      *text;
  int              override; /* number of the override that is read, or negative */
  const SoretNode *place;    /* whose place all nodes take, NULL: their own */
  Anchor          *anchors;
  int              num_anchors;
  PetscBool        failed;
} Builder;

/* Entries of a list or map while it is read. */
typedef struct Link Link;
struct Link {
  Link      *next;
  SoretNode *key, *item;
  PetscBool  merged; /* came with << */
};

typedef struct {
  Link    *first, **end;
  PetscInt size;
} Links;

static char no_text[] = ""; /* of lists and maps */

/* ---- mistakes ---- */

static void FindPlace(const Builder *b, yaml_mark_t mark, int *line, int *column)
{
  *line   = b->place ? b->place->line : b->override < 0 ? (int)mark.line + 1 : 0;
  *column = b->place ? b->place->column : b->override < 0 ? (int)mark.column + 1 : b->override;
}

/* A message at a mark, after which reading ends. */
#define Fail(b, mark, ...) \
  do { \
    int fail_line, fail_column; \
    FindPlace(b, mark, &fail_line, &fail_column); \
    PetscCall(SoretInputErrorPlace((b)->in, fail_line, fail_column, __VA_ARGS__)); \
    (b)->failed = PETSC_TRUE; \
  } while (0)

static PetscErrorCode ReportSyntax(Builder *b)
{
  const yaml_parser_t *p       = &b->parser;
  const char          *problem = p->problem ? p->problem : "not YAML";
  char                 at      = 0;

  PetscFunctionBeginUser;
  PetscCheck(p->error != YAML_MEMORY_ERROR, PETSC_COMM_SELF, PETSC_ERR_MEM, "libyaml");
  if (p->problem_mark.index < strlen(b->text)) at = b->text[p->problem_mark.index];
  if (p->context && b->override < 0 && p->context_mark.line != p->problem_mark.line) Fail(b, p->problem_mark, "YAML: %s %s that begins in line %d", problem, p->context, (int)p->context_mark.line + 1);
  else Fail(b, p->problem_mark, "YAML: %s%s%s", problem, p->context ? " " : "", p->context ? p->context : "");
  if (at == '\t') PetscCall(SoretInputHint(b->in, "blanks indent, tabs do not"));
  else if (strstr(problem, "mapping values") || strstr(problem, "start any token") || strstr(problem, "expected ',' or")) PetscCall(SoretInputHint(b->in, "a text with ': ', ' #', ',' or brackets in it needs quotes"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode NextEvent(Builder *b, yaml_event_t *event)
{
  PetscFunctionBeginUser;
  memset(event, 0, sizeof(*event));
  if (!yaml_parser_parse(&b->parser, event)) PetscCall(ReportSyntax(b));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- nodes ---- */

static PetscErrorCode NewNode(Builder *b, const yaml_event_t *event, SoretNodeKind kind, const char *label, int depth, SoretNode **node)
{
  PetscFunctionBeginUser;
  *node = NULL;
  if (depth > DEEPEST_NODE) {
    Fail(b, event->start_mark, "more than %d lists and maps inside one another", DEEPEST_NODE);
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (++b->in->num_nodes > MOST_NODES) {
    Fail(b, event->start_mark, "more than %d values (aliases count as what they repeat); put large arrays into an HDF5 file", MOST_NODES);
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(SoretInputAllocate(b->in, sizeof(**node), node));
  **node = (SoretNode){.kind = kind, .text = no_text, .label = label};
  FindPlace(b, event->start_mark, &(*node)->line, &(*node)->column);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode AddLink(Builder *b, Links *links, SoretNode *key, SoretNode *item, PetscBool merged)
{
  Link *link;

  PetscFunctionBeginUser;
  PetscCall(SoretInputAllocate(b->in, sizeof(*link), &link));
  *link       = (Link){.key = key, .item = item, .merged = merged};
  *links->end = link;
  links->end  = &link->next;
  links->size++;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadNode(Builder *b, yaml_event_t *event, const char *label, int depth, SoretNode **node);

static PetscErrorCode ReadScalar(Builder *b, const yaml_event_t *event, const char *label, int depth, SoretNode **node)
{
  const char  *value  = (const char *)event->data.scalar.value;
  const size_t length = event->data.scalar.length, characters = (size_t)SoretCountCharacters(value, length);
  SoretNode   *n;

  PetscFunctionBeginUser;
  PetscCall(NewNode(b, event, SORET_NODE_SCALAR, label, depth, node));
  if (!(n = *node)) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretInputCopyText(b->in, value, length, &n->text));
  if (strlen(n->text) != length) Fail(b, event->start_mark, "the character NUL cannot stand in a text");
  n->quoted = event->data.scalar.style == YAML_SINGLE_QUOTED_SCALAR_STYLE || event->data.scalar.style == YAML_DOUBLE_QUOTED_SCALAR_STYLE ? PETSC_TRUE : PETSC_FALSE;
  /* without escapes, folds, anchors and tags the text stands in the file as it is */
  if (n->line > 0 && !b->place && event->start_mark.line == event->end_mark.line && event->end_mark.index - event->start_mark.index == characters + (n->quoted ? 2 : 0)) n->text_column = n->column + (n->quoted ? 1 : 0);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadList(Builder *b, const char *label, int depth, SoretNode *list)
{
  Links links = {.end = &links.first};

  PetscFunctionBeginUser;
  while (!b->failed) {
    yaml_event_t event;
    SoretNode   *item;

    PetscCall(NextEvent(b, &event));
    if (b->failed) break;
    if (event.type == YAML_SEQUENCE_END_EVENT) {
      yaml_event_delete(&event);
      break;
    }
    PetscCall(ReadNode(b, &event, label, depth + 1, &item));
    if (item) PetscCall(AddLink(b, &links, NULL, item, PETSC_FALSE));
  }
  PetscCall(SoretInputAllocate(b->in, (size_t)links.size * sizeof(*list->item), &list->item));
  for (const Link *l = links.first; l; l = l->next) list->item[list->size++] = l->item;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The entries of << follow those of the map itself; which of them count is found by FinishMap(). */
static PetscErrorCode MergeMap(Builder *b, const SoretNode *from, Links *links)
{
  PetscFunctionBeginUser;
  if (from->kind == SORET_NODE_LIST)
    for (PetscInt i = 0; i < from->size; i++) PetscCall(MergeMap(b, from->item[i], links));
  else if (from->kind == SORET_NODE_MAP)
    for (PetscInt i = 0; i < from->size; i++) PetscCall(AddLink(b, links, from->key[i], from->item[i], PETSC_TRUE));
  else PetscCall(SoretInputError(b->in, from, "'<<' takes in the entries of a map, as in '<<: *name'"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

typedef struct {
  const Link *link;
  PetscInt    order;
} Entry;

static int CompareEntries(const void *left, const void *right)
{
  const Entry *a = left, *b = right;
  const int    c = strcmp(a->link->key->text, b->link->key->text);

  return c ? c : a->order < b->order ? -1 : 1;
}

static int CompareOrder(const void *left, const void *right)
{
  const Entry *a = left, *b = right;

  return a->order < b->order ? -1 : 1;
}

/* Of entries with the same key the first counts; a second one is a mistake unless it was merged. */
static PetscErrorCode FinishMap(Builder *b, const Links *links, SoretNode *map)
{
  Entry   *entry;
  PetscInt n = 0, kept = 0;

  PetscFunctionBeginUser;
  PetscCall(PetscMalloc1(links->size + 1, &entry));
  for (const Link *l = links->first; l; l = l->next, n++) entry[n] = (Entry){.link = l, .order = n};
  qsort(entry, (size_t)n, sizeof(*entry), CompareEntries);
  for (PetscInt i = 0; i < n; i++) {
    const Link *link = entry[i].link, *before = kept ? entry[kept - 1].link : NULL;

    if (!before || strcmp(before->key->text, link->key->text)) entry[kept++] = entry[i];
    else if (!link->merged && before->key->line > 0) PetscCall(SoretInputError(b->in, link->key, "key '%s' stands twice in one map, first in line %d", link->key->text, before->key->line));
    else if (!link->merged) PetscCall(SoretInputError(b->in, link->key, "key '%s' stands twice in one map", link->key->text));
  }
  qsort(entry, (size_t)kept, sizeof(*entry), CompareOrder);
  PetscCall(SoretInputAllocate(b->in, (size_t)kept * sizeof(*map->item), &map->item));
  PetscCall(SoretInputAllocate(b->in, (size_t)kept * sizeof(*map->key), &map->key));
  map->size = kept;
  for (PetscInt i = 0; i < kept; i++) {
    map->item[i] = entry[i].link->item;
    map->key[i]  = entry[i].link->key;
  }
  PetscCall(PetscFree(entry));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadMap(Builder *b, const char *label, int depth, SoretNode *map)
{
  Links links = {.end = &links.first}, merges = {.end = &merges.first};

  PetscFunctionBeginUser;
  while (!b->failed) {
    yaml_event_t event;
    yaml_mark_t  mark;
    SoretNode   *key, *item;

    PetscCall(NextEvent(b, &event));
    if (b->failed) break;
    mark = event.start_mark;
    if (event.type == YAML_MAPPING_END_EVENT) {
      yaml_event_delete(&event);
      break;
    }
    PetscCall(ReadNode(b, &event, label, depth + 1, &key));
    if (b->failed) break;
    if (key->kind != SORET_NODE_SCALAR) {
      Fail(b, mark, "a key must be a plain text, found a %s", key->kind == SORET_NODE_LIST ? "list" : "map");
      break;
    }
    PetscCall(NextEvent(b, &event));
    if (b->failed) break;
    PetscCall(ReadNode(b, &event, key->text, depth + 1, &item));
    if (b->failed) break;
    PetscCall(AddLink(b, !key->quoted && !strcmp(key->text, "<<") ? &merges : &links, key, item, PETSC_FALSE));
  }
  for (const Link *l = merges.first; l && !b->failed; l = l->next) PetscCall(MergeMap(b, l->item, &links));
  if (!b->failed) PetscCall(FinishMap(b, &links, map));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- anchors and aliases ---- */

static PetscErrorCode AddAnchor(Builder *b, const char *name, yaml_mark_t mark, SoretNode *node)
{
  Anchor *anchor;

  PetscFunctionBeginUser;
  if (++b->num_anchors > MOST_ANCHORS) {
    Fail(b, mark, "more than %d anchors", MOST_ANCHORS);
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(SoretInputAllocate(b->in, sizeof(*anchor), &anchor));
  *anchor = (Anchor){.next = b->anchors, .node = node};
  PetscCall(SoretInputCopyText(b->in, name, strlen(name), &anchor->name));
  b->anchors = anchor;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Aliases become copies, which keep the place of what they repeat, so that an override changes one and not the other. */
static PetscErrorCode CopyNode(Builder *b, const yaml_event_t *event, const SoretNode *from, const char *label, int depth, SoretNode **to)
{
  SoretNode *n;

  PetscFunctionBeginUser;
  PetscCall(NewNode(b, event, from->kind, label, depth, to));
  if (!(n = *to)) PetscFunctionReturn(PETSC_SUCCESS);
  *n       = *from;
  n->label = label;
  if (from->item) PetscCall(SoretInputAllocate(b->in, (size_t)from->size * sizeof(*n->item), &n->item));
  if (from->key) {
    PetscCall(SoretInputAllocate(b->in, (size_t)from->size * sizeof(*n->key), &n->key));
    memcpy(n->key, from->key, (size_t)from->size * sizeof(*n->key));
  }
  for (PetscInt i = 0; i < from->size && !b->failed; i++) PetscCall(CopyNode(b, event, from->item[i], from->key ? from->key[i]->text : label, depth + 1, &n->item[i]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadAlias(Builder *b, const yaml_event_t *event, const char *label, int depth, SoretNode **node)
{
  const char   *name = (const char *)event->data.alias.anchor;
  const Anchor *found;

  PetscFunctionBeginUser;
  for (found = b->anchors; found && strcmp(found->name, name);) found = found->next;
  if (!found) {
    Fail(b, event->start_mark, "alias '*%s': there is no anchor '&%s' before it", name, name);
    PetscCall(SoretInputHint(b->in, "a text that begins with * needs quotes"));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(CopyNode(b, event, found->node, label, depth, node));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Reads what begins with `event`, and deletes that. NULL after a mistake. */
static PetscErrorCode ReadNode(Builder *b, yaml_event_t *event, const char *label, int depth, SoretNode **node)
{
  const yaml_char_t *anchor = NULL;

  PetscFunctionBeginUser;
  *node = NULL;
  switch (event->type) {
  case YAML_SCALAR_EVENT:
    anchor = event->data.scalar.anchor;
    PetscCall(ReadScalar(b, event, label, depth, node));
    break;
  case YAML_SEQUENCE_START_EVENT:
    anchor = event->data.sequence_start.anchor;
    PetscCall(NewNode(b, event, SORET_NODE_LIST, label, depth, node));
    if (*node) PetscCall(ReadList(b, label, depth, *node));
    break;
  case YAML_MAPPING_START_EVENT:
    anchor = event->data.mapping_start.anchor;
    PetscCall(NewNode(b, event, SORET_NODE_MAP, label, depth, node));
    if (*node) PetscCall(ReadMap(b, label, depth, *node));
    break;
  case YAML_ALIAS_EVENT:
    PetscCall(ReadAlias(b, event, label, depth, node));
    break;
  default:
    Fail(b, event->start_mark, "YAML: a value is missing");
  }
  if (anchor && !b->failed) PetscCall(AddAnchor(b, (const char *)anchor, event->start_mark, *node));
  yaml_event_delete(event);
  if (b->failed) *node = NULL;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* One document, and nothing behind it. */
static PetscErrorCode ReadStream(Builder *b, SoretNode **root)
{
  yaml_event_t event;
  PetscBool    begun = PETSC_FALSE;

  PetscFunctionBeginUser;
  while (!b->failed) {
    PetscCall(NextEvent(b, &event));
    if (b->failed) break;
    if (event.type == YAML_STREAM_END_EVENT) {
      yaml_event_delete(&event);
      break;
    }
    if (event.type == YAML_DOCUMENT_START_EVENT && begun) Fail(b, event.start_mark, "a second document begins here; a case file holds one");
    if (event.type == YAML_DOCUMENT_START_EVENT) begun = PETSC_TRUE;
    if (event.type == YAML_STREAM_START_EVENT || event.type == YAML_DOCUMENT_START_EVENT || event.type == YAML_DOCUMENT_END_EVENT) yaml_event_delete(&event);
    else PetscCall(ReadNode(b, &event, "", 0, root));
  }
  if (!b->failed && !*root) Fail(b, (yaml_mark_t){.line = 0}, "there is nothing in this %s", b->override < 0 ? "file" : "value");
  if (b->failed) *root = NULL;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretTreeRead(SoretInput in, const char *text, size_t length, int override, const SoretNode *place, SoretNode **root)
{
  Builder b = {.in = in, .text = text, .override = override, .place = place};

  PetscFunctionBeginUser;
  *root = NULL;
  PetscCheck(yaml_parser_initialize(&b.parser), PETSC_COMM_SELF, PETSC_ERR_MEM, "libyaml");
  yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(&b.parser, (const unsigned char *)text, length);
  PetscCall(ReadStream(&b, root));
  yaml_parser_delete(&b.parser);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretTreeScalar(SoretInput in, const char *text, const char *label, const SoretNode *place, SoretNode **node)
{
  PetscFunctionBeginUser;
  PetscCall(SoretInputAllocate(in, sizeof(**node), node));
  **node = (SoretNode){.kind = SORET_NODE_SCALAR, .line = place->line, .column = place->column, .label = label};
  PetscCall(SoretInputCopyText(in, text, strlen(text), &(*node)->text));
  PetscFunctionReturn(PETSC_SUCCESS);
}

const SoretNode *SoretNodeFind(const SoretNode *map, const char *key)
{
  if (!map || map->kind != SORET_NODE_MAP) return NULL;
  for (PetscInt i = 0; i < map->size; i++)
    if (!strcmp(map->key[i]->text, key)) return map->item[i];
  return NULL;
}

PetscBool SoretNodeMentions(const SoretNode *node, const char *name)
{
  const size_t length = strlen(name);

  for (const char *at = strstr(node->text, name); at; at = strstr(at + 1, name)) {
    const char before = at > node->text ? at[-1] : ' ', after = at[length];

    if (!isalnum((unsigned char)before) && before != '_' && !isalnum((unsigned char)after) && after != '_') return PETSC_TRUE;
  }
  for (PetscInt k = 0; k < node->size; k++) {
    if (SoretNodeMentions(node->item[k], name)) return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

PetscBool SoretNodeIsNull(const SoretNode *node)
{
  if (node->kind != SORET_NODE_SCALAR || node->quoted) return PETSC_FALSE;
  return !*node->text || !strcmp(node->text, "~") || !strcmp(node->text, "null") ? PETSC_TRUE : PETSC_FALSE;
}

/* ---- overrides ---- */

/* Is the first word of a path a number? */
static PetscBool IsIndex(const char *path)
{
  const size_t digits = strspn(path, "0123456789");

  return digits && (!path[digits] || path[digits] == '.') ? PETSC_TRUE : PETSC_FALSE;
}

static PetscErrorCode NewPlaced(SoretInput in, SoretNodeKind kind, const char *text, const char *label, SoretNode **node)
{
  const SoretNode place = {.line = 0, .column = in->num_overrides - 1};

  PetscFunctionBeginUser;
  PetscCall(SoretTreeScalar(in, text, label, &place, node));
  (*node)->kind = kind;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode AddToMap(SoretInput in, SoretNode *map, SoretNode *name, SoretNode *item)
{
  SoretNode **items, **keys;

  PetscFunctionBeginUser;
  PetscCall(SoretInputAllocate(in, (size_t)(map->size + 1) * sizeof(*items), &items));
  PetscCall(SoretInputAllocate(in, (size_t)(map->size + 1) * sizeof(*keys), &keys));
  for (PetscInt i = 0; i < map->size; i++) {
    items[i] = map->item[i];
    keys[i]  = map->key[i];
  }
  items[map->size] = item;
  keys[map->size]  = name;
  item->label      = name->text;
  map->item        = items;
  map->key         = keys;
  map->size++;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Says which entries a list has. */
static PetscErrorCode ReportEntry(SoretInput in, const SoretNode *at, const SoretNode *list, const char *word)
{
  const char *const what = *list->label ? list->label : "the list";
  const char       *candidate[64];
  char              names[400] = "";
  size_t            used       = 0;
  PetscInt          n          = 0;

  PetscFunctionBeginUser;
  for (PetscInt i = 0; i < list->size && n < 64; i++) {
    const SoretNode *name = SoretNodeFind(list->item[i], "name");

    if (!name || name->kind != SORET_NODE_SCALAR) continue;
    candidate[n++] = name->text;
    if (used + strlen(name->text) + 3 < sizeof(names)) used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", used ? ", " : "", name->text);
  }
  if (!list->size) PetscCall(SoretInputError(in, at, "%s has no entry '%s'; it is empty", what, word));
  else if (n && !IsIndex(word)) PetscCall(SoretInputError(in, at, "%s has no entry '%s' (%s)%s", what, word, names, SoretSuggest(word, n, candidate).text));
  else PetscCall(SoretInputError(in, at, "%s has no entry '%s'; entries are numbered from 0 to %" PetscInt_FMT, what, word, list->size - 1));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Index of an entry by its number or its name, -1 if there is none. */
static PetscInt FindEntry(const SoretNode *list, const char *word)
{
  if (IsIndex(word)) {
    const unsigned long long index = strlen(word) > 9 ? (unsigned long long)list->size : strtoull(word, NULL, 10);

    return index < (unsigned long long)list->size ? (PetscInt)index : -1;
  }
  for (PetscInt i = 0; i < list->size; i++) {
    const SoretNode *name = SoretNodeFind(list->item[i], "name");

    if (name && !strcmp(name->text, word)) return i;
  }
  return -1;
}

static PetscInt FindKey(const SoretNode *map, const char *key)
{
  for (PetscInt i = 0; i < map->size; i++)
    if (!strcmp(map->key[i]->text, key)) return i;
  return -1;
}

/* Index of the entry `word` of a node, -1 if a map has none; *ok is false after a mistake, which is reported. */
static PetscErrorCode FindWord(SoretInput in, const SoretNode *node, const SoretNode *at, const char *word, PetscInt *index, PetscBool *ok)
{
  PetscFunctionBeginUser;
  *ok    = PETSC_FALSE;
  *index = -1;
  if (node->kind == SORET_NODE_SCALAR && !SoretNodeIsNull(node)) {
    PetscCall(SoretInputError(in, at, "'%s' is the value '%s' and has no entry '%s'", node->label, node->text, word));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  *index = node->kind == SORET_NODE_LIST ? FindEntry(node, word) : FindKey(node, word);
  if (*index < 0 && node->kind == SORET_NODE_LIST) PetscCall(ReportEntry(in, at, node, word));
  else *ok = PETSC_TRUE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Goes from a node to its entry `word`, which is made if it can be, or is set to `value` if that is given.

   after - the path behind the word, NULL if there is none
   next  - the entry, NULL after a mistake */
static PetscErrorCode Step(SoretInput in, SoretNode *node, const SoretNode *at, const char *word, const char *after, SoretNode *value, SoretNode **next)
{
  PetscInt  i;
  PetscBool ok;

  PetscFunctionBeginUser;
  *next = NULL;
  if (node->kind == SORET_NODE_SCALAR && SoretNodeIsNull(node)) node->kind = SORET_NODE_MAP;
  PetscCall(FindWord(in, node, at, word, &i, &ok));
  if (!ok) PetscFunctionReturn(PETSC_SUCCESS);
  if (i < 0 && after && IsIndex(after)) {
    PetscCall(SoretInputError(in, at, "there is no list '%s', and so no entry %.*s of it", word, (int)strcspn(after, "."), after));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (i < 0) {
    SoretNode *name;

    *next = value;
    if (!value) PetscCall(NewPlaced(in, SORET_NODE_MAP, "", word, next));
    PetscCall(NewPlaced(in, SORET_NODE_SCALAR, word, node->label, &name));
    PetscCall(AddToMap(in, node, name, *next));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (value && value->kind != SORET_NODE_MAP && node->kind == SORET_NODE_LIST && SoretNodeFind(node->item[i], "name")) {
    PetscCall(SoretInputError(in, at, "entry '%s' of '%s' is a map of keys; one of them belongs into the path, as in %s.%s.KEY=value", word, node->label, node->label, word));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (value && node->kind == SORET_NODE_MAP && SoretNodeIsNull(value)) { /* the key is taken out */
    for (node->size--; i < node->size; i++) {
      node->key[i]  = node->key[i + 1];
      node->item[i] = node->item[i + 1];
    }
    *next = value;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (value) {
    value->label  = node->item[i]->label;
    node->item[i] = value;
    /* a mistake about the key is now one of the command line */
    if (node->kind == SORET_NODE_MAP) PetscCall(NewPlaced(in, SORET_NODE_SCALAR, word, node->label, &node->key[i]));
  }
  *next = node->item[i];
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Assign(SoretInput in, const SoretNode *at, char *path, SoretNode *value)
{
  SoretNode *node  = in->root;
  int        depth = 0;

  PetscFunctionBeginUser;
  for (char *word = path; word && node;) {
    char *dot = strchr(word, '.');

    if (dot) *dot = 0;
    if (!*word || ++depth > DEEPEST_NODE) {
      PetscCall(SoretInputError(in, at, !*word ? "a key is missing beside a '.'" : "too many keys"));
      break;
    }
    PetscCall(Step(in, node, at, word, dot ? dot + 1 : NULL, dot ? NULL : value, &node));
    word = dot ? dot + 1 : NULL;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretInputOverride(SoretInput in, const char *assignment)
{
  SoretNode *at, *value;
  char     **overrides, *path;
  size_t     split = strcspn(assignment, "=");

  PetscFunctionBeginUser;
  PetscCall(SoretInputAllocate(in, (size_t)(in->num_overrides + 1) * sizeof(*overrides), &overrides));
  for (int i = 0; i < in->num_overrides; i++) overrides[i] = in->overrides[i];
  PetscCall(SoretInputCopyText(in, assignment, strlen(assignment), &overrides[in->num_overrides]));
  in->overrides = overrides;
  in->num_overrides++;
  PetscCall(NewPlaced(in, SORET_NODE_SCALAR, "", "", &at));
  if (!assignment[split] || !split || !assignment[split + 1]) {
    PetscCall(SoretInputError(in, at, "%s; expected key.path=value", !assignment[split] ? "no '='" : !split ? "no key before '='" : "no value behind '='"));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(SoretInputCopyText(in, assignment, split, &path));
  PetscCall(SoretTreeRead(in, assignment + split + 1, strlen(assignment + split + 1), in->num_overrides - 1, NULL, &value));
  if (value && value->kind == SORET_NODE_MAP && value->size && strchr(value->key[0]->text, '?')) PetscCall(SoretInputError(in, at, "to YAML this is a map, because of ': '; a formula with it needs quotes within those of the shell, as in \"key='x < 1 ? 1 : 2'\""));
  else if (value) PetscCall(Assign(in, at, path, value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretInputLookup(SoretInput in, const SoretNode *at, const char *path, const SoretNode **found, PetscBool *ok)
{
  const SoretNode *node  = in->root;
  int              depth = 0;
  char            *word, *next;

  PetscFunctionBeginUser;
  *ok = PETSC_FALSE;
  PetscCall(SoretInputCopyText(in, path, strlen(path), &word));
  for (; word && node; word = next) {
    PetscInt  i;
    PetscBool good;

    next = strchr(word, '.');
    if (next) *next++ = 0;
    if (!*word || ++depth > DEEPEST_NODE) {
      PetscCall(SoretInputError(in, at, !*word ? "a key is missing beside a '.'" : "too many keys"));
      PetscFunctionReturn(PETSC_SUCCESS);
    }
    PetscCall(FindWord(in, node, at, word, &i, &good));
    if (!good) PetscFunctionReturn(PETSC_SUCCESS);
    node = i < 0 ? NULL : node->item[i];
  }
  *ok    = PETSC_TRUE;
  *found = node;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- what is generated ---- */

PetscErrorCode SoretInputExtend(SoretInput in, const char *key, const char *yaml, const SoretNode *place)
{
  const PetscInt i = FindKey(in->root, key);
  SoretNode     *more, *list, *name, **items;

  PetscFunctionBeginUser;
  PetscCall(SoretTreeRead(in, yaml, strlen(yaml), NO_OVERRIDE, place, &more));
  if (!more) PetscFunctionReturn(PETSC_SUCCESS); /* reported */
  PetscAssert(more->kind == SORET_NODE_LIST, PETSC_COMM_SELF, PETSC_ERR_PLIB, "what is generated for '%s' is no list", key);
  for (PetscInt k = 0; k < more->size; k++) more->item[k]->label = key;
  if (i < 0 || SoretNodeIsNull(in->root->item[i])) {
    PetscCall(SoretTreeScalar(in, key, "", place, &name));
    if (i >= 0) in->root->item[i] = more;
    else PetscCall(AddToMap(in, in->root, name, more));
    more->label = name->text;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  list = in->root->item[i];
  if (list->kind != SORET_NODE_LIST) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretInputAllocate(in, (size_t)(list->size + more->size) * sizeof(*items), &items));
  for (PetscInt k = 0; k < list->size; k++) items[k] = list->item[k];
  for (PetscInt k = 0; k < more->size; k++) items[list->size + k] = more->item[k];
  list->item = items;
  list->size += more->size;
  PetscFunctionReturn(PETSC_SUCCESS);
}
