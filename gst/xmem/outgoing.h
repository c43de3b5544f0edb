/* SPDX-License-Identifier: MIT */
/* A GstBuffer on its way out: as regions of shared memory, copied where it
 * has to be. */
#ifndef GST_XMEM_OUTGOING_H
#define GST_XMEM_OUTGOING_H

#include <gst/base/gstbytewriter.h>
#include <gst/gst.h>

#include <xmem/publisher.h>

#include "foreign.h"

G_BEGIN_DECLS

typedef struct {
  GstBuffer *buffer; /* kept while any subscriber holds the frame, unless all
                        of it was copied */
  struct xmem_region regions[XMEM_MAX_REGIONS];
  guint n_regions;
  struct xmem_buffer *copies[XMEM_MAX_REGIONS];
  guint n_copies;
  GstXmemForeign
      *foreign; /* held for the buffer, which is not all ours; or NULL
                            */
  gboolean copied; /* for the figures: any of it was */
  gboolean on_device; /* and is written by work on cuda_stream */
  gpointer cuda_stream;
} GstXmemOutgoing;

/* Resolves the memories of @buffer to regions. What @plan does not let be
 * published where it is, or what cannot be, is copied, once, into slots of @pool.
 * Returns 0 or as xmem_pool_acquire (). */
int gst_xmem_outgoing_new (GstBuffer *buffer, GstXmemPlan plan,
    GstXmemForeign *foreign, struct xmem_pool *pool,
    GstXmemOutgoing **outgoing_out, struct xmem_error *error);

/* Publishes it with the times of @buffer, as running times of @segment, the time
 * of its capture if @capture_base is one (see announcement.h), and the metas written to @metas; waits for consumers that want every frame. Returns as
 * xmem_publisher_publish (); on 0 the publisher frees it when nobody has it any
 * more. */
int gst_xmem_outgoing_publish (GstXmemOutgoing *outgoing, GstBuffer *buffer,
    const GstSegment *segment, GstClockTime capture_base,
    const GstByteWriter *metas, struct xmem_publisher *publisher,
    struct xmem_error *error);

/* Lets go of everything. */
void gst_xmem_outgoing_free (gpointer outgoing);

G_END_DECLS

#endif
