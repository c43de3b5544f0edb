/* SPDX-License-Identifier: MIT */
/* What the detector says of a picture, as metas of the buffer that it passes
 * on: a reference timestamp with the picture's running time, also where nothing
 * was found, and a region of interest for each blob. (The buffer's own times
 * begin anew with each detector; see docs/elements.md, Time.) */
#ifndef ANALYTICS_ANSWER_H
#define ANALYTICS_ANSWER_H

#include <gst/gst.h>

#include "blobs.h"

typedef struct {
  GstClockTime picture; /* its running time: the decoder's, unchanged */
  guint n_blobs;
  Blob blobs[BLOBS_MAX];
} Answer;

/* @n_frames: that the detector has learned from. */
void answer_write (const Answer *self, GstBuffer *buffer, guint64 n_frames);

/* FALSE: the buffer has none. */
gboolean answer_read (Answer *self, GstBuffer *buffer);

/* The running time of a buffer on this pad, GST_CLOCK_TIME_NONE without. */
GstClockTime answer_running_time (GstPad *pad, GstBuffer *buffer);

#endif
