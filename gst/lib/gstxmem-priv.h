/* SPDX-License-Identifier: MIT */
/* Between the files of libgstxmem. */
#ifndef GST_XMEM_PRIV_H
#define GST_XMEM_PRIV_H

#include "gstxmem.h"

G_BEGIN_DECLS

/* A new id for a slot that is about to be filled again. */
void gst_xmem_memory_renew (GstMemory *memory);

/* As gst_xmem_memory_new_from_frame (), of a region in a dmabuf. */
GstMemory *gst_xmem_dmabuf_memory_new (struct xmem_frame *frame, guint index);

G_END_DECLS

#endif
