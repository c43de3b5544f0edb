/* SPDX-License-Identifier: MIT */
/* Memory that upstream has made in files of its own, dmabufs and sealed memfds:
 * published where it is. */
#ifndef GST_XMEM_FOREIGN_H
#define GST_XMEM_FOREIGN_H

#include <gst/gst.h>

#include <xmem/pool.h>

G_BEGIN_DECLS

/* What one sink knows of them, for one stream; reference-counted, since frames
 * may be out when it ends. Threads: the sink's streaming thread, but for unref
 * and drop, which are for any. */
typedef struct _GstXmemForeign GstXmemForeign;

/* @caps: of the stream, or NULL. */
GstXmemForeign *gst_xmem_foreign_new (GstCaps *caps);

/* Forgets the files. NULL is allowed. */
void gst_xmem_foreign_end (GstXmemForeign *self);

/* What is to become of a buffer. */
typedef enum {
  GST_XMEM_PLAN_SHARE, /* all of it can be published where it is */
  GST_XMEM_PLAN_COPY, /* some of it cannot */
  GST_XMEM_PLAN_SPARE, /* it could, but upstream's pool would run low */
} GstXmemPlan;

/* @error: says why unless it can be shared.
 * @may_copy: whether that is possible at all under these caps. */
GstXmemPlan gst_xmem_foreign_plan (GstXmemForeign *self, GstBuffer *buffer,
    gboolean *may_copy, struct xmem_error *error);

/* The region of memory that is not ours; FALSE, with the reason, when it has
 * none. Borrowed, valid until 16 further ones have been asked for. */
gboolean gst_xmem_foreign_get_region (GstXmemForeign *self, GstMemory *memory,
    struct xmem_region *region_out, struct xmem_error *error);

/* A published frame keeps a buffer of upstream's, and no longer. Hold takes a
 * reference on self, which drop gives back. */
GstXmemForeign *gst_xmem_foreign_hold (GstXmemForeign *self);
void gst_xmem_foreign_drop (GstXmemForeign *self);

/* Whether caps promise dmabufs. */
gboolean gst_xmem_caps_are_dmabuf (GstCaps *caps);

G_END_DECLS

#endif
