/* SPDX-License-Identifier: MIT */
/* gst_deinit () calls nobody, but lets go of the registry before it frees
 * anything that buffers and memories need. */
#include "ending.h"

/* What is released may release more. */
static GRecMutex lock;
static gboolean has_ended;
static GSList *left; /* nobody's; leak checkers are to find it */

static void
end (gpointer data, GObject *registry)
{
  g_rec_mutex_lock (&lock);
  has_ended = TRUE;
  g_rec_mutex_unlock (&lock);
}

void
gst_xmem_ending_init (void)
{
  g_object_weak_ref (G_OBJECT (gst_registry_get ()), end, NULL);
}

void
gst_xmem_ending_release (GDestroyNotify release, gpointer data)
{
  g_rec_mutex_lock (&lock);
  if (has_ended)
    left = g_slist_prepend (left, data);
  else
    release (data);
  g_rec_mutex_unlock (&lock);
}
