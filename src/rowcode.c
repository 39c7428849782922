/* SPDX-License-Identifier: BSD-2-Clause

   Formulas for many points at once. muParser remains what defines a formula (expr.c compares the two), but it takes 110 ns for each temperature of
   a hot spot, more than ten times what a residual takes for a cell, and a temperature that changes in time is evaluated at every stage. Here
   each operation is done for a row of points, and what does not change along the row only once. */
#include "expr_private.h"

#include <ctype.h>
#include <string.h>

#include "soret/rowmath.h"

enum {
  MAX_NODES     = 200, /* operations of one formula */
  MAX_ARGUMENTS = 8,
  CHUNK         = 128 /* points done together */
};

typedef enum {
  CONSTANT,
  VARIABLE,
  NEGATE,
  SQUARE,
  CUBE,
  POWER_OF, /* a constant exponent, `value` */
  ADD,
  SUBTRACT,
  MULTIPLY,
  DIVIDE,
  POWER,
  LESS,
  LESS_EQUAL,
  GREATER,
  GREATER_EQUAL,
  EQUAL,
  UNEQUAL,
  AND,
  OR,
  CHOOSE,
  CALL
} Operation;

typedef struct {
  Operation            operation;
  PetscReal            value;                        /* CONSTANT, POWER_OF */
  int                  variable;                     /* VARIABLE */
  const SoretFunction *function;                     /* CALL     */
  int                  num, argument[MAX_ARGUMENTS]; /* nodes before this one */
  unsigned             uses;                         /* variables, as SoretVar */
} Node;

struct SoretRowCode_s {
  int        num;
  Node       node[MAX_NODES];
  PetscReal *work; /* [num][CHUNK]; constants are there from the beginning */
};

/* ---- compiling: a formula that is known to be good, by precedence ---- */

typedef struct {
  const char          *at;
  PetscInt             num_constants;
  const SoretConstant *constants;
  SoretRowCode         code;
  PetscBool            full;
} Compiler;

/* Binary operators, weakest first as muParser has them. */
static const struct {
  const char *sign;
  Operation   operation;
  int         precedence;
} operators[] = {
    {"<=", LESS_EQUAL, 3},
    {">=", GREATER_EQUAL, 3},
    {"==", EQUAL, 3},
    {"!=", UNEQUAL, 3},
    {"&&", AND, 2},
    {"||", OR, 1},
    {"<", LESS, 3},
    {">", GREATER, 3},
    {"+", ADD, 4},
    {"-", SUBTRACT, 4},
    {"*", MULTIPLY, 5},
    {"/", DIVIDE, 5},
    {"^", POWER, 7},
};
enum {
  SIGN_PRECEDENCE = 6, /* -x^2 is -(x^2) */
  NUM_OPERATORS   = sizeof(operators) / sizeof(operators[0])
};

static int Choice(Compiler *c);

static int AddNode(Compiler *c, Node node)
{
  if (c->code->num == MAX_NODES) {
    c->full = PETSC_TRUE;
    return 0;
  }
  for (int e = 0; e < node.num; e++) node.uses |= c->code->node[node.argument[e]].uses;
  c->code->node[c->code->num] = node;
  return c->code->num++;
}

static void SkipBlanks(Compiler *c)
{
  c->at += strspn(c->at, " ");
}

static PetscBool Take(Compiler *c, char sign)
{
  SkipBlanks(c);
  if (*c->at != sign) return PETSC_FALSE;
  c->at++;
  return PETSC_TRUE;
}

static int Call(Compiler *c, const SoretFunction *function)
{
  Node node = {.operation = CALL, .function = function};

  do {
    const int argument = Choice(c);

    if (node.num == MAX_ARGUMENTS)
      c->full = PETSC_TRUE;
    else
      node.argument[node.num++] = argument;
  } while (Take(c, ',') && !c->full);
  (void)Take(c, ')');
  return AddNode(c, node);
}

static int Name(Compiler *c)
{
  char   name[SORET_NAME_LENGTH] = "";
  size_t length                  = 0;
  int    variable;

  while ((isalnum((unsigned char)c->at[length]) || c->at[length] == '_') && length < sizeof(name) - 1) length++;
  memcpy(name, c->at, length);
  c->at += length;
  if (Take(c, '(')) return Call(c, SoretExprFunction(name));
  variable = SoretExprVariable(name);
  if (variable >= 0) return AddNode(c, (Node){.operation = VARIABLE, .variable = variable, .uses = 1u << variable});
  for (PetscInt i = 0; i < c->num_constants; i++) {
    if (!strcmp(name, c->constants[i].name)) return AddNode(c, (Node){.operation = CONSTANT, .value = c->constants[i].value});
  }
  return AddNode(c, (Node){.operation = CONSTANT, .value = PETSC_PI});
}

static int Binary(Compiler *c, int weakest);

static int Operand(Compiler *c)
{
  int node;

  SkipBlanks(c);
  if (Take(c, '-')) {
    node = Binary(c, SIGN_PRECEDENCE);
    return AddNode(c, (Node){.operation = NEGATE, .num = 1, .argument = {node}});
  }
  if (Take(c, '+')) return Binary(c, SIGN_PRECEDENCE);
  if (Take(c, '(')) {
    node = Choice(c);
    (void)Take(c, ')');
    return node;
  }
  if (isalpha((unsigned char)*c->at) || *c->at == '_') return Name(c);
  {
    char           *end;
    const PetscReal value = strtod(c->at, &end);

    if (end == c->at) c->full = PETSC_TRUE; /* cannot be: the formula is good */
    c->at = end;
    return AddNode(c, (Node){.operation = CONSTANT, .value = value});
  }
}

/* Powers with the small exponents that formulas have are products, and a constant one needs no row of its own. */
static int AddPower(Compiler *c, int base, int exponent)
{
  const Node *e = &c->code->node[exponent];

  if (e->operation == CONSTANT && e->value == 2.0) return AddNode(c, (Node){.operation = SQUARE, .num = 1, .argument = {base}});
  if (e->operation == CONSTANT && e->value == 3.0) return AddNode(c, (Node){.operation = CUBE, .num = 1, .argument = {base}});
  if (e->operation == CONSTANT) return AddNode(c, (Node){.operation = POWER_OF, .value = e->value, .num = 1, .argument = {base}});
  return AddNode(c, (Node){.operation = POWER, .num = 2, .argument = {base, exponent}});
}

/* An operand and all operators behind it that bind at least as strongly as `weakest`. */
static int Binary(Compiler *c, int weakest)
{
  int left = Operand(c);

  while (!c->full) {
    int found = -1, right;

    SkipBlanks(c);
    for (int i = 0; i < NUM_OPERATORS && found < 0; i++) {
      if (!strncmp(c->at, operators[i].sign, strlen(operators[i].sign))) found = i;
    }
    if (found < 0 || operators[found].precedence < weakest) break;
    c->at += strlen(operators[found].sign);
    right = Binary(c, operators[found].operation == POWER ? operators[found].precedence : operators[found].precedence + 1); /* a^b^c is a^(b^c) */
    left  = operators[found].operation == POWER ? AddPower(c, left, right) : AddNode(c, (Node){.operation = operators[found].operation, .num = 2, .argument = {left, right}});
  }
  return left;
}

static int Choice(Compiler *c)
{
  const int condition = Binary(c, 0);
  Node      node      = {.operation = CHOOSE, .num = 3, .argument = {condition, 0, 0}};

  if (c->full || !Take(c, '?')) return condition;
  node.argument[1] = Choice(c);
  (void)Take(c, ':');
  node.argument[2] = Choice(c);
  return AddNode(c, node);
}

PetscErrorCode SoretRowCodeCreate(const char *text, PetscInt num_constants, const SoretConstant constants[], SoretRowCode *code)
{
  Compiler c = {.at = text, .num_constants = num_constants, .constants = constants};
  int      last;

  PetscFunctionBeginUser;
  PetscCall(PetscNew(&c.code));
  last = Choice(&c);
  SkipBlanks(&c);
  if (c.full || *c.at || last != c.code->num - 1) {
    PetscCall(PetscFree(c.code));
    *code = NULL;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(PetscMalloc1(c.code->num * CHUNK, &c.code->work));
  for (int i = 0; i < c.code->num; i++) {
    for (int q = 0; q < CHUNK && c.code->node[i].operation == CONSTANT; q++) c.code->work[i * CHUNK + q] = c.code->node[i].value;
  }
  *code = c.code;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretRowCodeDestroy(SoretRowCode *code)
{
  PetscFunctionBeginUser;
  if (!*code) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscFree((*code)->work));
  PetscCall(PetscFree(*code));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- evaluating ---- */

/* Arguments that do not change along the row are spread over it when they meet one that does. */
static const PetscReal *Spread(SoretRowCode code, int argument, unsigned along, PetscInt n)
{
  PetscReal *a = code->work + argument * CHUNK;

  if (n == 1 || code->node[argument].uses & along || code->node[argument].operation == CONSTANT) return a;
  for (PetscInt i = 1; i < n; i++) a[i] = a[0];
  return a;
}

static void CallFunction(const SoretFunction *function, PetscInt n, int num, const PetscReal *const a[], PetscReal *restrict out)
{
  if (function->row) {
    memcpy(out, a[0], (size_t)n * sizeof(PetscReal));
    function->row(n, out);
  } else if (function->one) {
    for (PetscInt i = 0; i < n; i++) out[i] = function->one(a[0][i]);
  } else if (function->two) {
    for (PetscInt i = 0; i < n; i++) out[i] = function->two(a[0][i], a[1][i]);
  } else {
    for (PetscInt i = 0; i < n; i++) {
      PetscReal v[MAX_ARGUMENTS];

      for (int e = 0; e < num; e++) v[e] = a[e][i];
      out[i] = function->any(v, num);
    }
  }
}

#define EACH(value)                                  \
  for (PetscInt i = 0; i < n; i++) out[i] = (value); \
  break

/* n values of a node; those of its arguments are there. */
static void Operate(const Node *node, PetscInt n, const PetscReal *const argument[], PetscReal *restrict out)
{
  const PetscReal *restrict a = argument[0], *restrict b = argument[1], *restrict c = argument[2];

  switch (node->operation) {
  case CONSTANT:
  case VARIABLE:
    break; /* set by the caller */
  case NEGATE:
    EACH(-a[i]);
  case SQUARE:
    EACH(a[i] * a[i]);
  case CUBE:
    EACH(a[i] * a[i] * a[i]);
  case POWER_OF:
    memcpy(out, a, (size_t)n * sizeof(PetscReal));
    SoretPowRow(n, out, node->value);
    break;
  case ADD:
    EACH(a[i] + b[i]);
  case SUBTRACT:
    EACH(a[i] - b[i]);
  case MULTIPLY:
    EACH(a[i] * b[i]);
  case DIVIDE:
    EACH(a[i] / b[i]);
  case POWER:
    EACH(PetscPowReal(a[i], b[i]));
  case LESS:
    EACH(a[i] < b[i] ? 1.0 : 0.0);
  case LESS_EQUAL:
    EACH(a[i] <= b[i] ? 1.0 : 0.0);
  case GREATER:
    EACH(a[i] > b[i] ? 1.0 : 0.0);
  case GREATER_EQUAL:
    EACH(a[i] >= b[i] ? 1.0 : 0.0);
  case EQUAL:
    EACH(a[i] == b[i] ? 1.0 : 0.0);
  case UNEQUAL:
    EACH(a[i] != b[i] ? 1.0 : 0.0);
  case AND:
    EACH(a[i] != 0.0 && b[i] != 0.0 ? 1.0 : 0.0);
  case OR:
    EACH(a[i] != 0.0 || b[i] != 0.0 ? 1.0 : 0.0);
  case CHOOSE:
    EACH(a[i] != 0.0 ? b[i] : c[i]);
  case CALL:
    CallFunction(node->function, n, node->num, argument, out);
    break;
  }
}

void SoretRowCodeEvaluate(SoretRowCode code, PetscInt n, const SoretPoint *point, const PetscReal x[], const PetscReal T[], PetscReal out[])
{
  const unsigned  along                      = (x ? SORET_VAR_X : 0u) | (T ? SORET_VAR_TEMPERATURE : 0u);
  const PetscReal fixed[SORET_NUM_VARIABLES] = {point->x[0], point->x[1], point->x[2], point->t, point->T};

  for (PetscInt first = 0; first < n; first += CHUNK) {
    const PetscInt length = PetscMin(CHUNK, n - first);

    for (int i = 0; i < code->num; i++) {
      const Node      *node                    = &code->node[i];
      const PetscInt   count                   = node->uses & along ? length : 1;
      const PetscReal *argument[MAX_ARGUMENTS] = {NULL};
      PetscReal       *value                   = code->work + i * CHUNK;

      if (node->operation == CONSTANT || (first && !(node->uses & along))) continue; /* known from the chunk before */
      if (node->operation == VARIABLE) {
        const PetscReal *row = node->variable == 0 ? x : node->variable == 4 ? T
                                                                             : NULL;

        if (row)
          memcpy(value, row + first, (size_t)count * sizeof(PetscReal));
        else
          value[0] = fixed[node->variable];
        continue;
      }
      for (int e = 0; e < node->num; e++) argument[e] = Spread(code, node->argument[e], along, count);
      Operate(node, count, argument, value);
    }
    memcpy(out + first, Spread(code, code->num - 1, along, length), (size_t)length * sizeof(PetscReal));
  }
}
