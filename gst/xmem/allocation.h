/* SPDX-License-Identifier: MIT */
/* What upstream is offered to write into, and who wrote elsewhere. */
#ifndef GST_XMEM_ALLOCATION_H
#define GST_XMEM_ALLOCATION_H

#include <gst/gst.h>

#include "gstxmem.h"

G_BEGIN_DECLS

/* Answers an ALLOCATION query: a pool for raw video in system memory, the
 * allocator for everything but dmabufs. */
void gst_xmem_allocation_propose (GstXmemAllocator *allocator, GstQuery *query);

/* Whether memory of these caps can be shared; posts an error if not. */
gboolean gst_xmem_allocation_check (GstElement *element, GstCaps *caps);

/* Gives back the slots that do not fit frames of these caps. */
void gst_xmem_allocation_trim (GstXmemAllocator *allocator, GstCaps *caps);

/* Posts the error for memory that may not be copied, called @what. */
void gst_xmem_allocation_refuse (GstElement *element, const gchar *what);

/* What the log was told of where frames lie; 0 at first. */
typedef enum {
  GST_XMEM_ALLOCATION_TOLD_SHARED = 1 << 0,
  GST_XMEM_ALLOCATION_TOLD_COPIED = 1 << 1,
} GstXmemAllocationTold;

/* Logs a frame and, when it is the first of its kind, whether it is copied.
 *
 * @why_copied: or NULL. */
void gst_xmem_allocation_tell (GstElement *sink, GstBuffer *buffer,
    const gchar *why_copied, GstXmemAllocationTold *told);

G_END_DECLS

#endif
