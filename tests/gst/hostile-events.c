/* SPDX-License-Identifier: MIT */
/* Whatever a peer sends as an event, reading it ends, and what comes out is an
 * event or nothing. */
#include <gst/gst.h>
#include <gst/video/video.h>
#include <string.h>

#include "events.h"
#include "harness/harness.h"

#define HEAD 16 /* what comes before the structure */
/* A structure of one field, up to its value. */
#define FIELD "\1\0\0\0x\0\0\0\1\0\0\0\1\0\0\0y\0\0\0"
#define ROUNDS 2000

/* Reads it from memory of just that size, so that a sanitizer sees one byte
 * too many. Whether it made an event. */
static gboolean
try (guint32 kind, gconstpointer data, gsize size, gboolean upstream)
{
  g_autofree guint8 *exact = g_memdup2 (data, size);
  const struct xmem_event event = { kind, 0, "stream", exact, size };
  GstXmemReceived received;
  GstEvent *made;
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  if (!gst_xmem_received_read (&received, &event))
    return FALSE;
  made = gst_xmem_received_take (
      &received, GST_SECOND, upstream ? NULL : &segment);
  if (!made)
    return FALSE;
  gst_event_unref (made);
  return TRUE;
}

static GstEvent *
new_tags (void)
{
  GstTagList *tags =
      gst_tag_list_new (GST_TAG_TITLE, "title", GST_TAG_BITRATE, 5, NULL);
  g_autoptr (GstBuffer) buffer = gst_buffer_new_allocate (NULL, 100, NULL);
  g_autoptr (GstCaps) caps = gst_caps_from_string ("image/jpeg, width=5");
  g_autoptr (GstSample) sample = NULL;

  gst_buffer_memset (buffer, 0, 7, 100);
  sample = gst_sample_new (
      buffer, caps, NULL, gst_structure_new_from_string ("info, n=(int)3"));
  gst_tag_list_add (tags, GST_TAG_MERGE_APPEND, GST_TAG_IMAGE, sample, NULL);
  return gst_event_new_tag (tags);
}

/* One of each kind that crosses. */
static GPtrArray *
new_events (void)
{
  GPtrArray *events =
      g_ptr_array_new_with_free_func ((GDestroyNotify) gst_event_unref);

  g_ptr_array_add (events, new_tags ());
  g_ptr_array_add (events, gst_event_new_stream_start ("id"));
  gst_event_set_group_id (g_ptr_array_index (events, 1), 5);
  g_ptr_array_add (events, gst_event_new_gap (5, 6));
  g_ptr_array_add (events, gst_event_new_flush_stop (TRUE));
  g_ptr_array_add (
      events, gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM_STICKY,
                  gst_structure_new_from_string (
                      "name, s=(structure)[in, l=(int){1,2}], "
                      "f=(fraction)1/3, c=(GstCaps)\"a/b\", x=(string)s, "
                      "a=(uint)<1,2>, e=(GstFormat)time, b=(buffer)0102")));
  g_ptr_array_add (
      events, gst_video_event_new_downstream_force_key_unit (1, 2, 3, TRUE, 4));
  g_ptr_array_add (
      events, gst_video_event_new_upstream_force_key_unit (1, TRUE, 4));
  return events;
}

/* GStreamer's parser of caps has its say about wrong ones. */
static gboolean
is_fatal (const gchar *domain, GLogLevelFlags level, const gchar *message,
    gpointer user_data)
{
  return g_strcmp0 (domain, "GStreamer") != 0;
}

static void
change (guint8 *data, gsize size)
{
  gint n = g_test_rand_int_range (1, 4);

  while (n-- > 0) {
    gsize at = (gsize) g_test_rand_int_range (0, (gint32) size);

    data[at] = g_test_rand_bit () ? (guint8) g_test_rand_int ()
                                  : (guint8) (data[at] + 1);
  }
}

static void
test_changed_bytes (void)
{
  g_autoptr (GPtrArray) events = new_events ();
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  g_test_log_set_fatal_handler (is_fatal, NULL);
  for (guint i = 0; i < events->len; i++) {
    GstEvent *event = g_ptr_array_index (events, i);
    gboolean upstream = GST_EVENT_TYPE (event) == GST_EVENT_CUSTOM_UPSTREAM;
    GstXmemEvent written;

    gst_xmem_event_write (&written, event, &segment, 5);
    g_assert_cmpuint (written.n_lost, ==, 0);
    g_assert_true (
        try (written.event.kind, written.data, written.event.size, upstream));
    for (guint j = 0; j < ROUNDS; j++) {
      g_autofree guint8 *copy = g_memdup2 (written.data, written.event.size);

      change (copy, written.event.size);
      try (written.event.kind, copy, written.event.size, upstream);
    }
    for (gsize size = 0; size < written.event.size; size++)
      g_assert_false (try (written.event.kind, written.data, size, upstream));
    gst_xmem_event_clear (&written);
  }
}

/* Any kind with the bytes of another one. */
static void
test_changed_kinds (void)
{
  g_autoptr (GPtrArray) events = new_events ();
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  for (guint i = 0; i < events->len; i++) {
    GstXmemEvent written;

    gst_xmem_event_write (&written, g_ptr_array_index (events, i), &segment, 5);
    for (guint32 number = 0; number < 600; number++)
      for (guint32 flags = 0; flags < 64; flags++)
        try (number << 8 | flags, written.data, written.event.size, FALSE);
    gst_xmem_event_clear (&written);
  }
}

static void
put (GByteArray *bytes, gconstpointer data, guint size)
{
  g_byte_array_append (bytes, data, size);
}

/* Lists in lists, as deep as a message may be long. */
static void
test_deep_nesting (void)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  const guint8 head[HEAD] = { 0 };
  const guint8 list[] = { 2, 0, 0, 0, 1, 0, 0, 0 };

  put (bytes, head, HEAD);
  put (bytes, FIELD, sizeof (FIELD) - 1);
  for (guint i = 0; i < 1000000; i++)
    put (bytes, list, sizeof (list));
  g_assert_false (
      try (GST_EVENT_CUSTOM_DOWNSTREAM, bytes->data, bytes->len, FALSE));
}

static void
test_many_values (void)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  const guint8 head[HEAD] = { 0 };
  const guint32 n = GUINT32_TO_LE (1000000);

  put (bytes, head, HEAD);
  put (bytes, FIELD "\2\0\0\0", sizeof (FIELD) + 3);
  put (bytes, &n, 4);
  for (guint i = 0; i < 1000000; i++)
    put (bytes, "\10\0\0\0", 4);
  g_assert_false (
      try (GST_EVENT_CUSTOM_DOWNSTREAM, bytes->data, bytes->len, FALSE));
}

/* Caps in a picture that would exhaust the stack. */
static void
test_deep_caps (void)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  const guint8 head[HEAD] = { 0 };
  const guint32 size = GUINT32_TO_LE (1000000);
  g_autofree gchar *text = g_malloc (1000000);

  memset (text, '{', 1000000);
  put (bytes, head, HEAD);
  put (bytes, FIELD "\6\0\0\0", sizeof (FIELD) + 3);
  put (bytes, &size, 4);
  put (bytes, text, 1000000);
  /* The event is there, without the caps. */
  g_assert_true (
      try (GST_EVENT_CUSTOM_DOWNSTREAM, bytes->data, bytes->len, FALSE));
}

/* No hostility: durations are running time, as those of buffers. */
static void
test_gap_at_twice_the_rate (void)
{
  g_autoptr (GstEvent) gap = gst_event_new_gap (GST_SECOND, GST_SECOND);
  g_autoptr (GstEvent) got = NULL;
  GstXmemReceived received;
  GstClockTime time, duration;
  GstXmemEvent written;
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.rate = 2;
  gst_xmem_event_write (
      &written, gap, &segment, gst_xmem_event_get_time (gap, &segment));
  g_assert_true (gst_xmem_received_read (&received, &written.event));
  g_assert_cmpint (received.time, ==, GST_SECOND / 2);
  got = gst_xmem_received_take (&received, 7, &segment);
  gst_event_parse_gap (got, &time, &duration);
  g_assert_cmpuint (time, ==, 7);
  g_assert_cmpuint (duration, ==, GST_SECOND / 2);
  gst_xmem_event_clear (&written);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, NULL);
  gst_init (&argc, &argv);
  harness_add ("/changed-bytes", test_changed_bytes);
  harness_add ("/changed-kinds", test_changed_kinds);
  harness_add ("/deep-nesting", test_deep_nesting);
  harness_add ("/many-values", test_many_values);
  harness_add ("/deep-caps", test_deep_caps);
  harness_add ("/gap-at-twice-the-rate", test_gap_at_twice_the_rate);
  return g_test_run ();
}
