/* SPDX-License-Identifier: MIT */
/* One kind of meta each: its bytes, and back. For metas.c. */
#ifndef GST_XMEM_METAKINDS_H
#define GST_XMEM_METAKINDS_H

#include <gst/base/gstbytereader.h>
#include <gst/base/gstbytewriter.h>

#include "metas.h"

G_BEGIN_DECLS

typedef struct {
  guint16 kind; /* on the wire */
  guint16 version; /* that is written, and read */
  const gchar *name; /* of the implementation, for stats */
  GType (*api) (void); /* NULL: it is not told by its API */

  /* Writes the record's bytes. *n_left_out: parts that cannot travel. */
  gboolean (*write) (GstByteWriter *w, GstMeta *meta, guint *n_left_out);

  /* Adds the meta that the bytes tell of. FALSE, and nothing added, when they
   * tell of none; more bytes than it knows are a later version's business. */
  gboolean (*read) (GstByteReader *r, const GstXmemMetaTarget *target);
} GstXmemMetaKind;

/* In metas-video.c */
extern const GstXmemMetaKind gst_xmem_meta_crop;
extern const GstXmemMetaKind gst_xmem_meta_roi;
extern const GstXmemMetaKind gst_xmem_meta_time_code;
extern const GstXmemMetaKind gst_xmem_meta_caption;
extern const GstXmemMetaKind gst_xmem_meta_afd;
extern const GstXmemMetaKind gst_xmem_meta_bar;

/* In metas-other.c */
extern const GstXmemMetaKind gst_xmem_meta_audio;
extern const GstXmemMetaKind gst_xmem_meta_audio_clipping;
extern const GstXmemMetaKind gst_xmem_meta_reference_timestamp;
extern const GstXmemMetaKind gst_xmem_meta_custom;

/* In metas-serialised.c, from GStreamer 1.24 on */
extern const GstXmemMetaKind gst_xmem_meta_serialised;

/* In metas-analytics.c, where there is gstreamer-analytics-1.0 */
extern const GstXmemMetaKind gst_xmem_meta_analytics;

/* Whether one of the kinds is of this meta and no other. */
gboolean gst_xmem_meta_has_kind (const GstMetaInfo *info);

/* The implementation that stands for customs nobody here has registered. */
#define GST_XMEM_UNKNOWN_CUSTOM "XmemUnknownCustomMeta"

/* n numbers. */
gboolean gst_xmem_put_u32s (GstByteWriter *w, const guint32 *values, guint n);
gboolean gst_xmem_get_u32s (GstByteReader *r, guint32 *values, guint n);

G_END_DECLS

#endif
