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

G_END_DECLS

#endif
