/* SPDX-License-Identifier: BSD-2-Clause

   XDMF, version 2 of the format, the subset that ParaView's own reader and VisIt read: one rectilinear grid per frame, values on cells. */
#include "output_private.h"

#include <errno.h>
#include <stdio.h>

#include "soret/disk.h"

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
static void PutExtent(FILE *f, SoretOutput o, PetscInt add)
{
  const PetscInt *n = o->op->grid->n;

  (void)fprintf(f, "%" PetscInt_FMT " %" PetscInt_FMT " %" PetscInt_FMT, n[2] + add, n[1] + add, n[0] + add);
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
static int Bytes(SoretOutput o)
{
  return o->spec.precision ? 4 : 8;
}

/* A field of so many components in each cell. */
static void PutItem(FILE *f, SoretOutput o, const char *h5, const char *dataset, int components)
{
  const PetscInt *n = o->op->grid->n;
  char            extent[96];

  (void)snprintf(extent, sizeof(extent), "%" PetscInt_FMT " %" PetscInt_FMT " %" PetscInt_FMT " %d", n[2], n[1], n[0], components);
  if (components == 1) *strrchr(extent, ' ') = 0;
  PutData(f, Bytes(o), extent, h5, dataset);
}

static void PutAttribute(FILE *f, SoretOutput o, const char *h5, const char *name, const char *dataset)
{
  (void)fprintf(f, "        <Attribute Name=\"%s\" AttributeType=\"Scalar\" Center=\"Cell\">", name);
  PutItem(f, o, h5, dataset, 1);
  (void)fputs("        </Attribute>\n", f);
}

/* One component of a field of two in a plane, for which the extent must be that of the file. */
static void PutComponent(FILE *f, SoretOutput o, const char *h5, const char *dataset, int k)
{
  const PetscInt *n = o->op->grid->n;
  char            extent[96];

  (void)snprintf(extent, sizeof(extent), "%" PetscInt_FMT " %" PetscInt_FMT " 2", n[1], n[0]);
  (void)fprintf(f, "<DataItem ItemType=\"HyperSlab\" NumberType=\"Float\" Precision=\"%d\" Dimensions=\"", Bytes(o));
  PutExtent(f, o, 0);
  (void)fprintf(f, "\"><DataItem Format=\"XML\" Dimensions=\"3 3\">0 0 %d 1 1 1 %" PetscInt_FMT " %" PetscInt_FMT " 1</DataItem>", k, n[1], n[0]);
  PutData(f, Bytes(o), extent, h5, dataset);
  (void)fputs("</DataItem>\n", f);
}

/* A vector. Readers know those of three components: with fewer each is a scalar, its axis behind the name. */
static void PutVector(FILE *f, SoretOutput o, const char *h5, const char *name, const char *dataset)
{
  const int dim = (int)o->op->grid->dim;

  for (int k = 0; k < (dim == 3 ? 1 : dim); k++) {
    (void)fprintf(f, "        <Attribute Name=\"%s", name);
    if (dim < 3) (void)fprintf(f, " %c", SORET_AXIS_NAMES[k]);
    (void)fprintf(f, "\" AttributeType=\"%s\" Center=\"Cell\">", dim == 3 ? "Vector" : "Scalar");
    if (dim == 2) PutComponent(f, o, h5, dataset, k);
    else PutItem(f, o, h5, dataset, dim);
    (void)fputs("        </Attribute>\n", f);
  }
}

static void PutGeometry(FILE *f, SoretOutput o, const char *h5)
{
  enum { SLENDER = 20 }; /* a plane or a line is drawn as a slab or a bar so many times as long as thick */

  const SoretGrid *grid  = o->op->grid;
  PetscReal        depth = 0.0;

  for (int axis = 0; axis < grid->dim; axis++) depth = PetscMax(depth, grid->size[axis] / SLENDER);
  (void)fputs("        <Topology TopologyType=\"3DRectMesh\" Dimensions=\"", f);
  PutExtent(f, o, 1);
  (void)fputs("\"/>\n        <Geometry GeometryType=\"VXVYVZ\">\n", f);
  for (int axis = 0; axis < 3; axis++) {
    char dataset[32], extent[32];

    (void)fputs("          ", f);
    (void)snprintf(dataset, sizeof(dataset), "/grid/%c_edges", SORET_AXIS_NAMES[axis]);
    (void)snprintf(extent, sizeof(extent), "%" PetscInt_FMT, grid->n[axis] + 1);
    if (axis < grid->dim) PutData(f, 8, extent, h5, dataset);
    else (void)fprintf(f, "<DataItem NumberType=\"Float\" Precision=\"8\" Format=\"XML\" Dimensions=\"2\">0 %.17g</DataItem>\n", (double)depth);
  }
  (void)fputs("        </Geometry>\n", f);
}

/* Fluxes and rates are known to readers as "flux A" and "rate 0", all else by its path below the frame. */
static void PutField(FILE *f, SoretOutput o, const char *h5, PetscInt frame, const SoretFrameField *field)
{
  char dataset[192], name[sizeof(field->name)];

  (void)snprintf(dataset, sizeof(dataset), "/frames/%06d/%s", (int)frame, field->name);
  (void)snprintf(name, sizeof(name), "%s", field->name);
  if (field->kind == SORET_FRAME_FLUX || field->kind == SORET_FRAME_RATE) *strchr(name, '/') = ' ';
  if (SoretFrameTrailing(o, field)) PutVector(f, o, h5, name, dataset);
  else PutAttribute(f, o, h5, name, dataset);
}

/* time - by which viewers order the frames */
static void PutFrame(FILE *f, SoretOutput o, const char *h5, PetscInt frame, PetscReal time)
{
  (void)fprintf(f, "      <Grid Name=\"frame %d\" GridType=\"Uniform\">\n        <Time Value=\"%.17g\"/>\n", (int)frame, (double)time);
  PutGeometry(f, o, h5);
  if (!o->varies) PutAttribute(f, o, h5, "temperature", "/temperature");
  if (o->op->grid->closed) PutAttribute(f, o, h5, "solid", "/solid");
  for (PetscInt k = 0; k < o->num_fields; k++) PutField(f, o, h5, frame, &o->field[k]);
  (void)fputs("      </Grid>\n", f);
}

/* Writes to a new file and renames it into place; *status is 0 or SORET_ERR_IO, which is said. On rank 0. */
static PetscErrorCode Write(SoretOutput o, const char *path, const char *h5_path, int *status)
{
  const char *slash = strrchr(h5_path, '/'), *h5 = slash ? slash + 1 : h5_path; /* the two files move together */
  PetscInt    num = 0;
  FILE       *f;

  PetscFunctionBegin;
  *status = 0;
  for (PetscInt k = 0; k < o->num_frames; k++) num += !o->frame[k].lost;
  if (!num) PetscFunctionReturn(PETSC_SUCCESS); /* readers do not bear a collection of none */
  f = SoretReplaceBegin(path);
  if (f) {
    (void)fputs("<?xml version=\"1.0\" ?>\n<Xdmf Version=\"2.0\">\n  <Domain>\n    <Grid Name=\"soret\" GridType=\"Collection\" CollectionType=\"Temporal\">\n", f);
    for (PetscInt k = 0; k < o->num_frames; k++) {
      if (!o->frame[k].lost) PutFrame(f, o, h5, k, o->many ? (PetscReal)k : o->frame[k].time);
    }
    (void)fputs("    </Grid>\n  </Domain>\n</Xdmf>\n", f);
  }
  if (!f || !SoretReplaceEnd(f, path)) {
    (void)fprintf(stderr, "soret: cannot write '%s': %s\n", path, strerror(errno));
    *status = SORET_ERR_IO;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretFramesWriteXDMF(SoretOutput o, const char *xdmf_path, const char *h5_path)
{
  PetscMPIInt rank;
  int         status = 0;

  PetscFunctionBegin;
  if (!o->spec.xdmf) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCallMPI(MPI_Comm_rank(o->comm, &rank));
  if (rank == 0) PetscCall(Write(o, xdmf_path, h5_path, &status));
  PetscCallMPI(MPI_Bcast(&status, 1, MPI_INT, 0, o->comm));
  PetscFunctionReturn((PetscErrorCode)status);
}

PetscErrorCode SoretFramesUpdateXDMF(SoretOutput o)
{
  char xdmf[PETSC_MAX_PATH_LEN];

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(xdmf, sizeof(xdmf), "%s.xdmf", o->path));
  PetscCall(SoretFramesWriteXDMF(o, xdmf, o->path));
  o->num_listed = o->num_frames;
  PetscFunctionReturn(PETSC_SUCCESS);
}
