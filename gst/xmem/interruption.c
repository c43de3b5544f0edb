/* SPDX-License-Identifier: MIT */
/* When create () comes back because of a pause, GstBaseSrc (1.22 to 1.26) stops
 * the task, although it may be PLAYING again by then, and has started it: then
 * nothing goes on. So create () waits for the end of the pause itself. And what
 * create () brings while the pause begins, GstBaseSrc 1.26 drops: it comes again.
 *
 * Threads: any; everything but `last` is under the lock. */
#include "interruption.h"

enum { NOT, PAUSE, FLUSH };

void
gst_xmem_interruption_init (GstXmemInterruption *self)
{
  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
}

void
gst_xmem_interruption_clear (GstXmemInterruption *self)
{
  gst_clear_buffer (&self->last);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->changed);
}

static void
set_pausing (GstXmemInterruption *self, GThread *thread)
{
  g_mutex_lock (&self->lock);
  self->pausing = thread;
  g_mutex_unlock (&self->lock);
}

void
gst_xmem_interruption_begin_pause (GstXmemInterruption *self)
{
  set_pausing (self, g_thread_self ());
}

void
gst_xmem_interruption_end_pause (GstXmemInterruption *self)
{
  set_pausing (self, NULL);
}

void
gst_xmem_interruption_unlock (GstXmemInterruption *self)
{
  g_mutex_lock (&self->lock);
  if (self->pausing != g_thread_self ())
    self->state = FLUSH;
  else if (self->state == NOT)
    self->state = PAUSE;
  self->paused_since = self->state == PAUSE;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

void
gst_xmem_interruption_unlock_stop (GstXmemInterruption *self)
{
  g_mutex_lock (&self->lock);
  self->state = NOT;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

gboolean
gst_xmem_interruption_is_pause (GstXmemInterruption *self)
{
  gboolean is_pause;

  g_mutex_lock (&self->lock);
  is_pause = self->state == PAUSE;
  g_mutex_unlock (&self->lock);
  return is_pause;
}

gboolean
gst_xmem_interruption_wait (GstXmemInterruption *self)
{
  gboolean goes_on;

  g_mutex_lock (&self->lock);
  while (self->state == PAUSE)
    g_cond_wait (&self->changed, &self->lock);
  goes_on = self->state == NOT;
  g_mutex_unlock (&self->lock);
  return goes_on;
}

void
gst_xmem_interruption_bring (GstXmemInterruption *self, GstBuffer *buffer)
{
  gst_buffer_replace (&self->last, buffer);
  g_mutex_lock (&self->lock);
  self->paused_since = self->state == PAUSE;
  g_mutex_unlock (&self->lock);
}

void
gst_xmem_interruption_pushed (GstXmemInterruption *self)
{
  gst_clear_buffer (&self->last);
}

GstBuffer *
gst_xmem_interruption_take_back (GstXmemInterruption *self)
{
  gboolean paused;

  g_mutex_lock (&self->lock);
  paused = self->paused_since;
  g_mutex_unlock (&self->lock);
  if (!paused)
    gst_clear_buffer (&self->last);
  return g_steal_pointer (&self->last);
}
