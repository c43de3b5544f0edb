/* SPDX-License-Identifier: MIT */
/* gst/xmem/interruption.c: which buffers come again. */
#include "interruption.h"

#include "harness/harness.h"

static void
begin_pause (GstXmemInterruption *self)
{
  gst_xmem_interruption_begin_pause (self);
  gst_xmem_interruption_unlock (self);
  gst_xmem_interruption_end_pause (self);
}

static void
check (GstXmemInterruption *self, GstBuffer *expected)
{
  g_autoptr (GstBuffer) buffer = gst_xmem_interruption_take_back (self);

  g_assert_true (buffer == expected);
}

/* Whatever kept it from passing the pad, such as a probe that drops. */
static void
test_not_without_a_pause (void)
{
  g_autoptr (GstBuffer) buffer = gst_buffer_new ();
  GstXmemInterruption self = { 0 };

  gst_xmem_interruption_init (&self);
  gst_xmem_interruption_bring (&self, buffer);
  check (&self, NULL);
  begin_pause (&self);
  gst_xmem_interruption_unlock_stop (&self);
  gst_xmem_interruption_bring (&self, buffer);
  check (&self, NULL);
  gst_xmem_interruption_clear (&self);
}

static void
test_after_a_pause (void)
{
  g_autoptr (GstBuffer) buffer = gst_buffer_new ();
  GstXmemInterruption self = { 0 };

  gst_xmem_interruption_init (&self);
  gst_xmem_interruption_bring (&self, buffer);
  begin_pause (&self);
  gst_xmem_interruption_unlock_stop (&self);
  check (&self, buffer);
  begin_pause (&self); /* before it is brought */
  gst_xmem_interruption_bring (&self, buffer);
  gst_xmem_interruption_unlock_stop (&self);
  check (&self, buffer);
  gst_xmem_interruption_bring (&self, buffer);
  gst_xmem_interruption_pushed (&self);
  begin_pause (&self);
  check (&self, NULL);
  gst_xmem_interruption_clear (&self);
}

static void
test_not_after_a_flush (void)
{
  g_autoptr (GstBuffer) buffer = gst_buffer_new ();
  GstXmemInterruption self = { 0 };

  gst_xmem_interruption_init (&self);
  gst_xmem_interruption_bring (&self, buffer);
  begin_pause (&self);
  gst_xmem_interruption_unlock (&self);
  gst_xmem_interruption_unlock_stop (&self);
  check (&self, NULL);
  gst_xmem_interruption_clear (&self);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, NULL);
  gst_init (&argc, &argv);
  harness_add (
      "/gst/interruption/not-without-a-pause", test_not_without_a_pause);
  harness_add ("/gst/interruption/after-a-pause", test_after_a_pause);
  harness_add ("/gst/interruption/not-after-a-flush", test_not_after_a_flush);
  return g_test_run ();
}
