/* SPDX-License-Identifier: MIT */
/* Structures to and from bytes. GStreamer's own text form is not used for
 * whole structures: its parser recurses as deep as a peer's text says, and a
 * picture in it doubles in size. */
#ifndef GST_XMEM_VALUES_H
#define GST_XMEM_VALUES_H

#include <gst/base/gstbytereader.h>
#include <gst/base/gstbytewriter.h>
#include <gst/gst.h>

G_BEGIN_DECLS

/* Appends it. Returns how many of its values could not be written and were left
 * out. */
guint gst_xmem_structure_write (
    const GstStructure *structure, GstByteWriter *w);

/* NULL for bytes that are none; values of types unknown here are left out. */
GstStructure *gst_xmem_structure_read (GstByteReader *r);

G_END_DECLS

#endif
