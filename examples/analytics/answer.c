/* SPDX-License-Identifier: MIT */
/* Keeps no state. */
#include "answer.h"

#include <gst/video/video.h>

#define PICTURE_CAPS "timestamp/x-analytics-picture"
#define MOVING "moving"

void
answer_write (const Answer *self, GstBuffer *buffer, guint64 n_frames)
{
  g_autoptr (GstCaps) caps = gst_caps_new_empty_simple (PICTURE_CAPS);

  gst_buffer_add_reference_timestamp_meta (
      buffer, caps, self->picture, GST_CLOCK_TIME_NONE);
  for (guint i = 0; i < self->n_blobs; i++) {
    const Blob *b = &self->blobs[i];

    gst_video_region_of_interest_meta_add_param (
        gst_buffer_add_video_region_of_interest_meta (
            buffer, MOVING, b->x, b->y, b->w, b->h),
        gst_structure_new ("detection", "cells", G_TYPE_UINT, b->n_cells,
            "frames-learned", G_TYPE_UINT64, n_frames, NULL));
  }
}

/* Another element may have marked regions, too. */
static gboolean
read_blob (GstVideoRegionOfInterestMeta *roi, Blob *blob)
{
  GstStructure *param =
      gst_video_region_of_interest_meta_get_param (roi, "detection");

  *blob = (Blob){ roi->x, roi->y, roi->w, roi->h, 0 };
  return roi->roi_type == g_quark_from_static_string (MOVING) && param
         && gst_structure_get_uint (param, "cells", &blob->n_cells);
}

gboolean
answer_read (Answer *self, GstBuffer *buffer)
{
  g_autoptr (GstCaps) caps = gst_caps_new_empty_simple (PICTURE_CAPS);
  GstReferenceTimestampMeta *time =
      gst_buffer_get_reference_timestamp_meta (buffer, caps);
  gpointer state = NULL;
  GstMeta *meta;

  if (!time)
    return FALSE;
  self->picture = time->timestamp;
  self->n_blobs = 0;
  while (self->n_blobs < BLOBS_MAX
         && (meta = gst_buffer_iterate_meta_filtered (
                 buffer, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)))
    self->n_blobs += read_blob (
        (GstVideoRegionOfInterestMeta *) meta, &self->blobs[self->n_blobs]);
  return TRUE;
}

GstClockTime
answer_running_time (GstPad *pad, GstBuffer *buffer)
{
  g_autoptr (GstEvent) event =
      gst_pad_get_sticky_event (pad, GST_EVENT_SEGMENT, 0);
  const GstSegment *segment;

  if (!event)
    return GST_CLOCK_TIME_NONE;
  gst_event_parse_segment (event, &segment);
  return gst_segment_to_running_time (
      segment, GST_FORMAT_TIME, GST_BUFFER_PTS (buffer));
}
