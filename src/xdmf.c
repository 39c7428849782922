/* SPDX-License-Identifier: BSD-2-Clause */
#include "xdmf.h"

#include <errno.h>
#include <stdio.h>

#include "soret/disk.h"
#include "soret/output.h"

/* Text of an XML attribute: species names may hold no character that matters, file names may. */
static void PutEscaped(FILE *f, const char *text)
{
  for (; *text; text++) {
    if (*text == '&') (void)fputs("&amp;", f);
    else if (*text == '<') (void)fputs("&lt;", f);
    else if (*text == '>') (void)fputs("&gt;", f);
    else if (*text == '"') (void)fputs("&quot;", f);
    else (void)fputc(*text, f);
  }
}

/* Three-dimensional extent, slowest first: axes that the problem lacks have one cell. */
static void PutExtent(FILE *f, const SoretXDMF *x, PetscInt add)
{
  (void)fprintf(f, "%" PetscInt_FMT " %" PetscInt_FMT " %" PetscInt_FMT, x->n[2] + add, x->n[1] + add, x->n[0] + add);
}

/* Numbers of the HDF5 file; extent - of them in it, or one with as many. The name begins with ./ because ParaView takes letters beyond ASCII for blanks at the
   beginning of a text. */
static void PutData(FILE *f, int bytes, const char *extent, const char *h5, const char *dataset)
{
  (void)fprintf(f, "<DataItem NumberType=\"Float\" Precision=\"%d\" Format=\"HDF\" Dimensions=\"%s\">./", bytes, extent);
  PutEscaped(f, h5);
  (void)fprintf(f, ":%s</DataItem>\n", dataset);
}

/* Bytes of a number of a field. */
static int Bytes(const SoretXDMF *x)
{
  return x->single ? 4 : 8;
}

/* A field of so many components in each cell. */
static void PutItem(FILE *f, const SoretXDMF *x, const char *h5, const char *dataset, int components)
{
  char extent[96];

  (void)snprintf(extent, sizeof(extent), "%" PetscInt_FMT " %" PetscInt_FMT " %" PetscInt_FMT " %d", x->n[2], x->n[1], x->n[0], components);
  if (components == 1) *strrchr(extent, ' ') = 0;
  PutData(f, Bytes(x), extent, h5, dataset);
}

static void PutAttribute(FILE *f, const SoretXDMF *x, const char *h5, const char *name, const char *dataset)
{
  (void)fprintf(f, "        <Attribute Name=\"%s\" AttributeType=\"Scalar\" Center=\"Cell\">", name);
  PutItem(f, x, h5, dataset, 1);
  (void)fputs("        </Attribute>\n", f);
}

/* One component of a field of two in a plane, for which the extent must be that of the file. */
static void PutComponent(FILE *f, const SoretXDMF *x, const char *h5, const char *dataset, int k)
{
  char extent[96];

  (void)snprintf(extent, sizeof(extent), "%" PetscInt_FMT " %" PetscInt_FMT " 2", x->n[1], x->n[0]);
  (void)fprintf(f, "<DataItem ItemType=\"HyperSlab\" NumberType=\"Float\" Precision=\"%d\" Dimensions=\"", Bytes(x));
  PutExtent(f, x, 0);
  (void)fprintf(f, "\"><DataItem Format=\"XML\" Dimensions=\"3 3\">0 0 %d 1 1 1 %" PetscInt_FMT " %" PetscInt_FMT " 1</DataItem>", k, x->n[1], x->n[0]);
  PutData(f, Bytes(x), extent, h5, dataset);
  (void)fputs("</DataItem>\n", f);
}

/* A vector. Readers know those of three components: with fewer each is a scalar, its axis behind the name. */
static void PutVector(FILE *f, const SoretXDMF *x, const char *h5, const char *name, const char *dataset)
{
  for (int k = 0; k < (x->dim == 3 ? 1 : x->dim); k++) {
    (void)fprintf(f, "        <Attribute Name=\"%s", name);
    if (x->dim < 3) (void)fprintf(f, " %c", SORET_AXIS_NAMES[k]);
    (void)fprintf(f, "\" AttributeType=\"%s\" Center=\"Cell\">", x->dim == 3 ? "Vector" : "Scalar");
    if (x->dim == 2) PutComponent(f, x, h5, dataset, k);
    else PutItem(f, x, h5, dataset, x->dim);
    (void)fputs("        </Attribute>\n", f);
  }
}

static void PutGeometry(FILE *f, const SoretXDMF *x, const char *h5)
{
  (void)fputs("        <Topology TopologyType=\"3DRectMesh\" Dimensions=\"", f);
  PutExtent(f, x, 1);
  (void)fputs("\"/>\n        <Geometry GeometryType=\"VXVYVZ\">\n", f);
  for (int axis = 0; axis < 3; axis++) {
    char dataset[32], extent[32];

    (void)fputs("          ", f);
    (void)snprintf(dataset, sizeof(dataset), "/grid/%c_edges", SORET_AXIS_NAMES[axis]);
    (void)snprintf(extent, sizeof(extent), "%" PetscInt_FMT, x->n[axis] + 1);
    if (axis < x->dim) PutData(f, 8, extent, h5, dataset);
    else (void)fprintf(f, "<DataItem NumberType=\"Float\" Precision=\"8\" Format=\"XML\" Dimensions=\"2\">0 %.17g</DataItem>\n", (double)x->depth);
  }
  (void)fputs("        </Geometry>\n", f);
}

static void PutFrame(FILE *f, const SoretXDMF *x, const char *h5, PetscInt frame)
{
  const int number = (int)x->number[frame];
  char      dataset[192], name[96];

  (void)fprintf(f, "      <Grid Name=\"frame %d\" GridType=\"Uniform\">\n        <Time Value=\"%.17g\"/>\n", number, (double)x->time[frame]);
  PutGeometry(f, x, h5);
  (void)snprintf(dataset, sizeof(dataset), "/frames/%06d/temperature", number);
  PutAttribute(f, x, h5, "temperature", x->varying_temperature ? dataset : "/temperature");
  if (x->has_solid) PutAttribute(f, x, h5, "solid", "/solid");
  for (PetscInt s = 0; s < x->num_species; s++) {
    (void)snprintf(dataset, sizeof(dataset), "/frames/%06d/%s", number, x->species[s]);
    PutAttribute(f, x, h5, x->species[s], dataset);
    (void)snprintf(dataset, sizeof(dataset), "/frames/%06d/flux/%s", number, x->species[s]);
    (void)snprintf(name, sizeof(name), "flux %s", x->species[s]);
    if (x->fields & SORET_FIELD_FLUX) PutVector(f, x, h5, name, dataset);
  }
  for (PetscInt r = 0; r < x->num_reactions && (x->fields & SORET_FIELD_RATE); r++) {
    (void)snprintf(dataset, sizeof(dataset), "/frames/%06d/rate/%d", number, (int)r);
    (void)snprintf(name, sizeof(name), "rate %d", (int)r);
    PutAttribute(f, x, h5, name, dataset);
  }
  (void)snprintf(dataset, sizeof(dataset), "/frames/%06d/soret", number);
  if ((x->fields & SORET_FIELD_SORET) && x->has_soret) PutAttribute(f, x, h5, "soret", dataset);
  (void)snprintf(dataset, sizeof(dataset), "/frames/%06d/entropy_production", number);
  if (x->fields & SORET_FIELD_ENTROPY) PutAttribute(f, x, h5, "entropy_production", dataset);
  for (PetscInt e = 0; e < x->num_extra; e++) {
    (void)snprintf(dataset, sizeof(dataset), "/frames/%06d/%s", number, x->extra[e]);
    PutAttribute(f, x, h5, x->extra[e], dataset);
  }
  (void)snprintf(dataset, sizeof(dataset), "/frames/%06d/%s", number, x->heat ? x->heat : "");
  if (x->heat) PutVector(f, x, h5, x->heat, dataset);
  (void)fputs("      </Grid>\n", f);
}

PetscErrorCode SoretXDMFWrite(const SoretXDMF *x, const char *path, const char *h5_path, int *status)
{
  const char *slash = strrchr(h5_path, '/'), *h5 = slash ? slash + 1 : h5_path; /* the two files move together */
  FILE       *f = SoretReplaceBegin(path);

  PetscFunctionBegin;
  *status = 0;
  if (f) {
    (void)fputs("<?xml version=\"1.0\" ?>\n<Xdmf Version=\"2.0\">\n  <Domain>\n    <Grid Name=\"soret\" GridType=\"Collection\" CollectionType=\"Temporal\">\n", f);
    for (PetscInt frame = 0; frame < x->num_frames; frame++) PutFrame(f, x, h5, frame);
    (void)fputs("    </Grid>\n  </Domain>\n</Xdmf>\n", f);
  }
  if (!f || !SoretReplaceEnd(f, path)) {
    (void)fprintf(stderr, "soret: cannot write '%s': %s\n", path, strerror(errno));
    *status = SORET_ERR_IO;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}
