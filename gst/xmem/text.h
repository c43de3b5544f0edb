/* SPDX-License-Identifier: MIT */
/* Caps and structures as text that a peer wrote. */
#ifndef GST_XMEM_TEXT_H
#define GST_XMEM_TEXT_H

#include <gst/base/gstbytereader.h>
#include <gst/base/gstbytewriter.h>
#include <gst/gst.h>

G_BEGIN_DECLS

/* GStreamer's own parsers, but for text that starts with no name, or is nested
 * so deep that it would exhaust the stack. NULL then, and for what is none. */
GstCaps *gst_xmem_text_to_caps (const gchar *text);
GstStructure *gst_xmem_text_to_structure (const gchar *text);

/* As {size u32, bytes, padding to 4}; no text is longer than a frame's metas may
 * be. */
gboolean gst_xmem_text_put (GstByteWriter *w, const gchar *text);
/* NULL unless it is there, and UTF-8 without a NUL. Owned by the caller. */
gchar *gst_xmem_text_get (GstByteReader *r);

/* A text as a quark, which the process keeps for good: the number of new ones is
 * bounded. 0 for an empty text. */
gboolean gst_xmem_text_get_quark (GstByteReader *r, GQuark *quark);

/* A structure as such a text. Fields that have no text (pointers, objects) are
 * left out, and their number added to *n_left_out. */
gboolean gst_xmem_text_put_structure (
    GstByteWriter *w, const GstStructure *structure, guint *n_left_out);
GstStructure *gst_xmem_text_get_structure (GstByteReader *r);

G_END_DECLS

#endif
