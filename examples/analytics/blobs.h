/* SPDX-License-Identifier: MIT */
/* Finds what moves in front of a camera that does not: means of 8 x 8 pixels
 * are compared with a background that is learned from frame to frame. Integers
 * only, so that the same frames give the same blobs anywhere. */
#ifndef ANALYTICS_BLOBS_H
#define ANALYTICS_BLOBS_H

#include <glib.h>

#define BLOBS_MAX 64 /* in a frame */

typedef struct {
  guint x, y, w, h; /* pixels */
  guint n_cells; /* of 8 x 8 pixels, that differ from the background */
} Blob;

typedef struct _Blobs Blobs;

Blobs *blobs_new (guint width, guint height);
void blobs_free (Blobs *self);

/* Looks at the next frame's luma, and learns from it; how many blobs there are,
 * up to BLOBS_MAX, from top to bottom. */
guint blobs_find (
    Blobs *self, const guint8 *luma, gint stride, Blob blobs[BLOBS_MAX]);

/* How many frames it has seen. */
guint64 blobs_get_n_frames (const Blobs *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Blobs, blobs_free)

#endif
