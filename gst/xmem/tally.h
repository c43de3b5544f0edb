/* SPDX-License-Identifier: MIT */
/* How often something with a name happened, for stats. */
#ifndef GST_XMEM_TALLY_H
#define GST_XMEM_TALLY_H

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct {
  GMutex lock;
  GstStructure *counts; /* NULL: none yet */
} GstXmemTally;

void gst_xmem_tally_init (GstXmemTally *tally);
void gst_xmem_tally_clear (GstXmemTally *tally);
/* Back to nothing. */
void gst_xmem_tally_reset (GstXmemTally *tally);

/* Counts one. The name may be a peer's: it is cut, odd characters are replaced,
 * and when there are many names already it is counted as "others". */
void gst_xmem_tally_add (GstXmemTally *tally, const gchar *name);

/* A structure of that name with a guint64 per name. Owned by the caller. */
GstStructure *gst_xmem_tally_get (GstXmemTally *tally, const gchar *name);

G_END_DECLS

#endif
