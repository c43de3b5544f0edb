/* SPDX-License-Identifier: MIT */
/* Watches publishers come and go in the runtime folders. */
#ifndef GST_XMEM_WATCH_H
#define GST_XMEM_WATCH_H

#include <glib.h>

G_BEGIN_DECLS

typedef struct _GstXmemWatch GstXmemWatch;

/* Called from the watch's thread. @pid: 0: unknown. */
typedef struct {
  void (*appeared) (const gchar *path, gint pid, gpointer user_data);
  void (*disappeared) (const gchar *path, gpointer user_data);
  gpointer user_data;
} GstXmemWatchCallbacks;

/* Calls appeared () for all that are there now, then returns and goes on. */
GstXmemWatch *gst_xmem_watch_new (const GstXmemWatchCallbacks *callbacks);

/* No callback runs after it has returned; none is called for those left. */
void gst_xmem_watch_free (GstXmemWatch *self);

/* Only calls appeared () for all that are there now. */
void gst_xmem_watch_look_once (const GstXmemWatchCallbacks *callbacks);

G_END_DECLS

#endif
