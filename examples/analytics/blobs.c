/* SPDX-License-Identifier: MIT */
/* Owns the background. One thread at a time. */
#include "blobs.h"

#define CELL 8 /* pixels */
#define FRACTION 16 /* of the background's brightness */
#define DIFFERENT (20 * FRACTION)
/* Frames until two thirds of a change are learned: what moves leaves no trail,
 * what stays becomes background. */
#define LEARN 8
#define LEARN_MOVING 100
#define MIN_CELLS 6 /* smaller is noise */

struct _Blobs {
  guint columns, rows; /* of whole cells */
  guint64 n_frames;
  gint *background;
  gboolean *moving;
  guint *found; /* cells of a blob whose neighbours are not looked at yet */
};

Blobs *
blobs_new (guint width, guint height)
{
  Blobs *self = g_new0 (Blobs, 1);
  gsize n;

  self->columns = width / CELL;
  self->rows = height / CELL;
  n = (gsize) self->columns * self->rows;
  self->background = g_new0 (gint, n);
  self->moving = g_new0 (gboolean, n);
  self->found = g_new0 (guint, n);
  return self;
}

void
blobs_free (Blobs *self)
{
  g_free (self->background);
  g_free (self->moving);
  g_free (self->found);
  g_free (self);
}

static gint
mean_of_cell (const guint8 *luma, gint stride)
{
  gint sum = 0;

  for (gint y = 0; y < CELL; y++)
    for (gint x = 0; x < CELL; x++)
      sum += luma[y * stride + x];
  return sum * FRACTION / (CELL * CELL);
}

static void
compare (Blobs *self, const guint8 *luma, gint stride)
{
  for (guint row = 0; row < self->rows; row++)
    for (guint column = 0; column < self->columns; column++) {
      guint i = row * self->columns + column;
      gint mean = mean_of_cell (
          luma + (gint) row * CELL * stride + column * CELL, stride);

      if (self->n_frames == 0)
        self->background[i] = mean;
      self->moving[i] = ABS (mean - self->background[i]) > DIFFERENT;
      self->background[i] += (mean - self->background[i])
                             / (self->moving[i] ? LEARN_MOVING : LEARN);
    }
}

/* Adds the moving cells around one to those found. */
static guint
add_neighbours (Blobs *self, guint cell, guint n_found)
{
  guint column = cell % self->columns, row = cell / self->columns;

  for (guint y = MAX (row, 1) - 1; y <= MIN (row + 1, self->rows - 1); y++)
    for (guint x = MAX (column, 1) - 1;
         x <= MIN (column + 1, self->columns - 1); x++) {
      guint i = y * self->columns + x;

      if (!self->moving[i])
        continue;
      self->moving[i] = FALSE;
      self->found[n_found++] = i;
    }
  return n_found;
}

/* All that hangs together with this cell. */
static Blob
collect (Blobs *self, guint cell)
{
  guint left = G_MAXUINT, top = G_MAXUINT, right = 0, bottom = 0;
  guint n_found = add_neighbours (self, cell, 0);

  for (guint i = 0; i < n_found; i++) {
    guint column = self->found[i] % self->columns;
    guint row = self->found[i] / self->columns;

    left = MIN (left, column);
    top = MIN (top, row);
    right = MAX (right, column + 1);
    bottom = MAX (bottom, row + 1);
    n_found = add_neighbours (self, self->found[i], n_found);
  }
  return (Blob){ left * CELL, top * CELL, (right - left) * CELL,
    (bottom - top) * CELL, n_found };
}

guint
blobs_find (Blobs *self, const guint8 *luma, gint stride, Blob blobs[BLOBS_MAX])
{
  guint n = 0;

  compare (self, luma, stride);
  self->n_frames++;
  for (guint i = 0; i < self->columns * self->rows && n < BLOBS_MAX; i++)
    if (self->moving[i]) {
      blobs[n] = collect (self, i);
      n += blobs[n].n_cells >= MIN_CELLS;
    }
  return n;
}

guint64
blobs_get_n_frames (const Blobs *self)
{
  return self->n_frames;
}
