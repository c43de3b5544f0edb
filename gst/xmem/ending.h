/* SPDX-License-Identifier: MIT */
/* The threads of libxmem give back what consumers have held, also after the sink
 * and its pipeline are gone; so also after gst_deinit (), when nobody may touch
 * an object of GStreamer any more. */
#ifndef GST_XMEM_ENDING_H
#define GST_XMEM_ENDING_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* Before the first element is made. */
void gst_xmem_ending_init (void);

/* Calls @release (@data); once gst_deinit () has begun it does nothing, and what
 * it would free stays until the process ends. gst_deinit () waits for calls that
 * are under way. Threads: any. */
void gst_xmem_ending_release (GDestroyNotify release, gpointer data);

G_END_DECLS

#endif
