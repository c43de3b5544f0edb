/* SPDX-License-Identifier: MIT */
/* Between the files of libgstxmem. */
#ifndef GST_XMEM_PRIV_H
#define GST_XMEM_PRIV_H

#include "gstxmem.h"

G_BEGIN_DECLS

/* A new id for a slot that is about to be filled again. */
void gst_xmem_memory_renew (GstMemory *memory);

G_END_DECLS

#endif
