/* SPDX-License-Identifier: MIT */
/* Events of a producer reach a consumer in another process where they belong
 * among the frames, and requests of the consumer reach the producer.
 *
 * The producer is a pad of the test's own before an xmemsink (and, for key
 * units, an encoder), so that each event is pushed by hand. The consumer is a
 * child that says what comes out of its xmemsrc, one line each. */
#include <gst/base/gstbasesink.h>
#include <gst/video/video.h>
#include <stdio.h>
#include <string.h>

#include "harness/actor.h"
#include "player.h"

#define RAW_CAPS                                                      \
  "video/x-raw, format=(string)I420, width=(int)64, height=(int)64, " \
  "framerate=(fraction)25/1"
#define FRAME_SIZE (64 * 64 * 3 / 2)
#define FRAME (GST_SECOND / 25)
#define IMAGE_SIZE 1000003

/* --- the consumer -------------------------------------------------------- */

static struct {
  GstElement *pipeline;
  GMutex lock;
  GCond changed;
  gboolean hold; /* the next buffer waits */
} self;

static guint
hash_of (GstBuffer *buffer)
{
  GstMapInfo map;
  guint hash;

  g_assert_true (gst_buffer_map (buffer, &map, GST_MAP_READ));
  hash = map.size > 0 ? actor_hash (map.data, map.size) : 0;
  gst_buffer_unmap (buffer, &map);
  return hash;
}

static void
say_tags (GstEvent *event)
{
  g_autoptr (GstSample) sample = NULL;
  g_autofree gchar *title = NULL, *info = NULL, *caps = NULL;
  GstTagList *tags;
  guint bitrate = 0;

  gst_event_parse_tag (event, &tags);
  gst_tag_list_get_string (tags, GST_TAG_TITLE, &title);
  gst_tag_list_get_uint (tags, GST_TAG_BITRATE, &bitrate);
  if (gst_tag_list_get_sample (tags, GST_TAG_IMAGE, &sample)) {
    caps = gst_caps_to_string (gst_sample_get_caps (sample));
    info = gst_structure_to_string (gst_sample_get_info (sample));
  }
  harness_say ("tag %s %s %u %s %s %" G_GSIZE_FORMAT " %u",
      gst_tag_list_get_scope (tags) == GST_TAG_SCOPE_GLOBAL ? "global"
                                                            : "stream",
      title, bitrate, caps, info,
      sample ? gst_buffer_get_size (gst_sample_get_buffer (sample)) : 0,
      sample ? hash_of (gst_sample_get_buffer (sample)) : 0);
}

static void
say_event (GstEvent *event)
{
  g_autofree gchar *text = NULL;
  const GstSegment *segment;
  GstClockTime time, duration;
  GstStreamFlags flags;
  gboolean reset_time;
  const gchar *id;
  guint group = 0;

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_STREAM_START:
      gst_event_parse_stream_start (event, &id);
      gst_event_parse_stream_flags (event, &flags);
      gst_event_parse_group_id (event, &group);
      harness_say ("stream-start %s %u %u", id, flags, group);
      break;
    case GST_EVENT_SEGMENT:
      gst_event_parse_segment (event, &segment);
      harness_say ("segment %" G_GUINT64_FORMAT, segment->start);
      break;
    case GST_EVENT_TAG:
      say_tags (event);
      break;
    case GST_EVENT_GAP:
      gst_event_parse_gap (event, &time, &duration);
      harness_say (
          "gap %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, time, duration);
      break;
    case GST_EVENT_FLUSH_STOP:
      gst_event_parse_flush_stop (event, &reset_time);
      harness_say ("flush-stop %d", reset_time);
      break;
    default:
      if (gst_event_get_structure (event))
        text = gst_structure_serialize (
            gst_event_get_structure (event), GST_SERIALIZE_FLAG_NONE);
      harness_say ("%s %.900s", GST_EVENT_TYPE_NAME (event), text);
  }
}

static GstPadProbeReturn
say_what_passes (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  GstBuffer *buffer;

  if (info->type & GST_PAD_PROBE_TYPE_BUFFER) {
    buffer = GST_PAD_PROBE_INFO_BUFFER (info);
    g_mutex_lock (&self.lock); /* a hold that is heard later is for later */
    harness_say ("buffer %" G_GUINT64_FORMAT " %s", GST_BUFFER_PTS (buffer),
        GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DELTA_UNIT) ? "delta"
                                                                    : "key");
    while (self.hold)
      g_cond_wait (&self.changed, &self.lock);
    g_mutex_unlock (&self.lock);
  } else {
    say_event (GST_PAD_PROBE_INFO_EVENT (info));
  }
  return GST_PAD_PROBE_OK;
}

/* Of the second source of a consumer. */
static GstPadProbeReturn
say_group (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT (info);
  guint group;

  if (GST_EVENT_TYPE (event) == GST_EVENT_STREAM_START
      && gst_event_parse_group_id (event, &group))
    harness_say ("group %u", group);
  return GST_PAD_PROBE_OK;
}

static void
set_hold (gboolean hold)
{
  g_mutex_lock (&self.lock);
  self.hold = hold;
  g_cond_broadcast (&self.changed);
  g_mutex_unlock (&self.lock);
}

static void
send_upstream (GstEvent *event)
{
  g_autoptr (GstElement) out =
      gst_bin_get_by_name (GST_BIN (self.pipeline), "out");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (out, "sink");

  harness_say ("sent %d", gst_pad_push_event (pad, event));
}

static void
obey (const gchar *line)
{
  guint64 time;

  if (g_str_equal (line, "hold")) {
    set_hold (TRUE);
    harness_say ("held");
  } else if (g_str_equal (line, "go")) {
    set_hold (FALSE);
  } else if (sscanf (line, "key %" G_GUINT64_FORMAT, &time) == 1) {
    send_upstream (gst_video_event_new_upstream_force_key_unit (time, TRUE, 7));
  } else {
    send_upstream (gst_event_new_custom (
        GST_EVENT_CUSTOM_UPSTREAM, gst_structure_new_from_string (line)));
  }
}

static void
probe (const gchar *name, GstPadProbeType type, GstPadProbeCallback callback)
{
  g_autoptr (GstElement) element =
      gst_bin_get_by_name (GST_BIN (self.pipeline), name);
  g_autoptr (GstPad) pad =
      element ? gst_element_get_static_pad (element, "sink") : NULL;

  if (pad)
    gst_pad_add_probe (pad, type, callback, NULL, NULL);
}

/* usage: ADDRESS PROPERTIES; these may lead to a further sink "other" and a
 * further source. */
static void
run_consumer (int argc, char **argv)
{
  g_autofree gchar *launch = g_strdup_printf (
      "xmemsrc name=src socket-path=%s %s ! fakesink name=out sync=false "
      "async=false",
      argv[0], argv[1]);
  char line[HARNESS_LINE_MAX];

  gst_init (NULL, NULL);
  g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);
  self.pipeline = gst_parse_launch (launch, NULL);
  probe ("out",
      GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM
          | GST_PAD_PROBE_TYPE_EVENT_FLUSH,
      say_what_passes);
  probe ("other", GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, say_group);
  gst_element_set_state (self.pipeline, GST_STATE_PLAYING);
  while (harness_listen (line) && !g_str_equal (line, "stop"))
    obey (line);
  set_hold (FALSE);
  gst_element_set_state (self.pipeline, GST_STATE_NULL);
  gst_clear_object (&self.pipeline);
  harness_say ("stopped");
}

static void
consumer_start (
    struct harness_child *child, const char *address, const char *properties)
{
  harness_spawn (child, "consumer", address, properties, NULL);
}

static void
consumer_stop (struct harness_child *child)
{
  char line[HARNESS_LINE_MAX];

  harness_tell (child, "stop");
  do
    harness_hear (child, line);
  while (!g_str_equal (line, "stopped"));
  g_assert_cmpint (harness_join (child), ==, 0);
}

static void
expect (struct harness_child *child, const gchar *expected)
{
  char line[HARNESS_LINE_MAX];

  harness_hear (child, line);
  g_assert_cmpstr (line, ==, expected);
}

/* The next line must begin with this; returns what follows. */
static const gchar *
expect_prefix (struct harness_child *child, const gchar *prefix)
{
  static char line[HARNESS_LINE_MAX];

  harness_hear (child, line);
  if (!g_str_has_prefix (line, prefix))
    g_error ("\"%s\", not \"%s\"", line, prefix);
  return line + strlen (prefix);
}

/* --- the producer -------------------------------------------------------- */

struct producer {
  GstElement *pipeline;
  GstElement *sink;
  GstPad *pad;
  GstPad *sink_pad;
  char *address;

  GMutex lock;
  GQueue asked; /* upstream events that came out of the sink: GstEvent */
};

static GstPadProbeReturn
note_upstream (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  struct producer *producer = user_data;
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT (info);

  if (GST_EVENT_TYPE (event) != GST_EVENT_CUSTOM_UPSTREAM)
    return GST_PAD_PROBE_OK;
  g_mutex_lock (&producer->lock);
  g_queue_push_tail (&producer->asked, gst_event_ref (event));
  g_mutex_unlock (&producer->lock);
  return GST_PAD_PROBE_OK;
}

static guint
count_asked (struct producer *producer)
{
  guint n;

  g_mutex_lock (&producer->lock);
  n = g_queue_get_length (&producer->asked);
  g_mutex_unlock (&producer->lock);
  return n;
}

/* Waits for the next one; the caller's. */
static GstEvent *
wait_asked (struct producer *producer)
{
  GstEvent *event;

  harness_wait_until (count_asked (producer) > 0);
  g_mutex_lock (&producer->lock);
  event = g_queue_pop_head (&producer->asked);
  g_mutex_unlock (&producer->lock);
  return event;
}

static void
producer_start (
    struct producer *producer, const char *name, const char *before_sink)
{
  g_autofree gchar *launch = NULL;
  g_autoptr (GstElement) first = NULL;
  g_autoptr (GstPad) pad = NULL;

  memset (producer, 0, sizeof (*producer));
  producer->address = g_strdup (harness_path (name));
  launch = g_strdup_printf (
      "identity name=first ! %s xmemsink name=sink socket-path=%s sync=false "
      "async=false",
      before_sink, producer->address);
  g_queue_init (&producer->asked);
  producer->pipeline = gst_parse_launch (launch, NULL);
  producer->sink = gst_bin_get_by_name (GST_BIN (producer->pipeline), "sink");
  producer->sink_pad = gst_element_get_static_pad (producer->sink, "sink");
  gst_pad_add_probe (producer->sink_pad, GST_PAD_PROBE_TYPE_EVENT_UPSTREAM,
      note_upstream, producer, NULL);
  first = gst_bin_get_by_name (GST_BIN (producer->pipeline), "first");
  pad = gst_element_get_static_pad (first, "sink");
  producer->pad = gst_pad_new ("test", GST_PAD_SRC);
  g_assert_cmpint (
      gst_pad_link_full (producer->pad, pad, GST_PAD_LINK_CHECK_NOTHING), ==,
      GST_PAD_LINK_OK);
  gst_pad_set_active (producer->pad, TRUE);
  g_assert_cmpint (
      gst_element_set_state (producer->pipeline, GST_STATE_PLAYING), !=,
      GST_STATE_CHANGE_FAILURE);
  gst_element_get_state (producer->pipeline, NULL, NULL, GST_CLOCK_TIME_NONE);
}

static void
producer_stop (struct producer *producer)
{
  gst_element_set_state (producer->pipeline, GST_STATE_NULL);
  gst_pad_set_active (producer->pad, FALSE);
  g_queue_clear_full (&producer->asked, (GDestroyNotify) gst_event_unref);
  gst_object_unref (producer->pad);
  gst_object_unref (producer->sink_pad);
  gst_object_unref (producer->sink);
  gst_object_unref (producer->pipeline);
  g_free (producer->address);
}

static guint
count_clients (struct producer *producer)
{
  guint n;

  g_object_get (producer->sink, "num-clients", &n, NULL);
  return n;
}

static guint64
get_stat (struct producer *producer, const gchar *field)
{
  g_autoptr (GstStructure) stats = NULL;
  guint64 n = 0;
  guint held = 0;

  g_object_get (producer->sink, "stats", &stats, NULL);
  if (gst_structure_get_uint (stats, field, &held))
    return held;
  g_assert_true (gst_structure_get_uint64 (stats, field, &n));
  return n;
}

static void
push (struct producer *producer, GstEvent *event)
{
  g_assert_true (gst_pad_push_event (producer->pad, event));
}

static void
push_custom (struct producer *producer, GstEventType type, const gchar *text)
{
  push (producer,
      gst_event_new_custom (type, gst_structure_new_from_string (text)));
}

static void
push_segment (struct producer *producer, GstClockTime start)
{
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = segment.time = segment.position = start;
  push (producer, gst_event_new_segment (&segment));
}

/* What a stream begins with. */
static void
push_start (struct producer *producer, const gchar *stream_id, guint group)
{
  g_autoptr (GstCaps) caps = gst_caps_from_string (RAW_CAPS);
  GstEvent *start = gst_event_new_stream_start (stream_id);

  gst_event_set_group_id (start, group);
  gst_event_set_stream_flags (start, GST_STREAM_FLAG_SELECT);
  push (producer, start);
  push (producer, gst_event_new_caps (caps));
  push_segment (producer, 0);
}

static void
push_frame (struct producer *producer, GstClockTime pts)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, FRAME_SIZE, NULL);

  gst_buffer_memset (buffer, 0, 0x80, FRAME_SIZE);
  GST_BUFFER_PTS (buffer) = pts;
  GST_BUFFER_DURATION (buffer) = FRAME;
  g_assert_cmpint (gst_pad_push (producer->pad, buffer), ==, GST_FLOW_OK);
}

static void
expect_start (struct harness_child *child, const gchar *stream_id)
{
  g_autofree gchar *prefix = g_strdup_printf (
      "stream-start %s %d ", stream_id, GST_STREAM_FLAG_SELECT);

  expect_prefix (child, prefix);
  expect_prefix (child, "caps ");
}

/* --- downstream ---------------------------------------------------------- */

static GstEvent *
new_image_tag (guint *hash)
{
  GstTagList *tags = gst_tag_list_new (
      GST_TAG_TITLE, "(GstSample) \"t\\itle\", {", GST_TAG_BITRATE, 1234, NULL);
  g_autoptr (GstBuffer) buffer =
      gst_buffer_new_allocate (NULL, IMAGE_SIZE, NULL);
  g_autoptr (GstCaps) caps = gst_caps_from_string ("image/jpeg");
  g_autoptr (GstSample) sample = NULL;
  GstMapInfo map;

  gst_buffer_map (buffer, &map, GST_MAP_WRITE);
  for (gsize i = 0; i < map.size; i++)
    map.data[i] = (guint8) (i * 11 + i / 253);
  gst_buffer_unmap (buffer, &map);
  *hash = hash_of (buffer);
  sample = gst_sample_new (buffer, caps, NULL,
      gst_structure_new ("GstTagImageInfo", "n", G_TYPE_INT, 3, NULL));
  gst_tag_list_add (tags, GST_TAG_MERGE_APPEND, GST_TAG_IMAGE, sample, NULL);
  return gst_event_new_tag (tags);
}

static void
expect_image_tag (struct harness_child *child, guint hash)
{
  g_autofree gchar *line = g_strdup_printf (
      "tag stream (GstSample) \"t\\itle\", { 1234 image/jpeg GstTagImageInfo, "
      "n=(int)3; %d %u",
      IMAGE_SIZE, hash);

  expect (child, line);
}

static void
test_tags_with_pictures (void)
{
  struct harness_child consumer;
  struct producer producer;
  GstTagList *global;
  guint hash;

  producer_start (&producer, "socket", "");
  consumer_start (&consumer, producer.address, "is-live=false");
  harness_wait_until (count_clients (&producer) == 1);
  push_start (&producer, "stream", 5);
  push (&producer, new_image_tag (&hash));
  global = gst_tag_list_new (GST_TAG_TITLE, "all", NULL);
  gst_tag_list_set_scope (global, GST_TAG_SCOPE_GLOBAL);
  push (&producer, gst_event_new_tag (global));
  push_frame (&producer, 0);
  expect_start (&consumer, "stream");
  expect_prefix (&consumer, "custom-downstream-sticky xmem-segment,");
  expect_image_tag (&consumer, hash);
  expect (&consumer, "tag global all 0 (null) (null) 0 0");
  expect (&consumer, "segment 0");
  expect (&consumer, "buffer 0 key");
  g_assert_cmpuint (get_stat (&producer, "events-lost"), ==, 0);
  consumer_stop (&consumer);
  producer_stop (&producer);
}

static void
test_custom_events_in_order (void)
{
  struct harness_child consumer;
  struct producer producer;

  producer_start (&producer, "socket", "");
  consumer_start (&consumer, producer.address, "is-live=false delivery=every");
  harness_wait_until (count_clients (&producer) == 1);
  push_start (&producer, "stream", 5);
  push_custom (&producer, GST_EVENT_CUSTOM_DOWNSTREAM_STICKY,
      "sticky, a=(int)1, nested=(structure)[in, l=(int){ 1, 2 }];");
  push_frame (&producer, 0);
  push_custom (&producer, GST_EVENT_CUSTOM_DOWNSTREAM, "plain, b=(int)2;");
  push_custom (&producer, GST_EVENT_CUSTOM_DOWNSTREAM_OOB, "oob, c=(int)3;");
  push_frame (&producer, FRAME);
  push (&producer, gst_event_new_eos ());
  expect_start (&consumer, "stream");
  expect_prefix (&consumer, "custom-downstream-sticky xmem-segment,");
  expect (&consumer,
      "custom-downstream-sticky sticky, a=(int)1, nested=(structure)[in, "
      "l=(int){ 1, 2 };];");
  expect (&consumer, "segment 0");
  expect (&consumer, "buffer 0 key");
  expect (&consumer, "custom-downstream plain, b=(int)2;");
  expect (&consumer, "custom-downstream-oob oob, c=(int)3;");
  expect (&consumer, "buffer 40000000 key");
  expect_prefix (&consumer, "eos");
  consumer_stop (&consumer);
  producer_stop (&producer);
}

static void
test_late_joiner_gets_the_sticky_ones (void)
{
  struct harness_child consumer;
  struct producer producer;
  guint hash;

  producer_start (&producer, "socket", "");
  push_start (&producer, "stream", 5);
  push_custom (&producer, GST_EVENT_CUSTOM_DOWNSTREAM_STICKY, "one, a=(int)1;");
  push_custom (&producer, GST_EVENT_CUSTOM_DOWNSTREAM_STICKY, "two, a=(int)1;");
  push_custom (&producer, GST_EVENT_CUSTOM_DOWNSTREAM, "plain, b=(int)2;");
  push (&producer, new_image_tag (&hash));
  push_frame (&producer, 0);
  push_custom (&producer, GST_EVENT_CUSTOM_DOWNSTREAM_STICKY, "one, a=(int)2;");
  consumer_start (&consumer, producer.address, "is-live=false");
  /* Without a further frame. */
  expect_start (&consumer, "stream");
  expect_prefix (&consumer, "custom-downstream-sticky xmem-segment,");
  expect (&consumer, "custom-downstream-sticky one, a=(int)2;");
  expect (&consumer, "custom-downstream-sticky two, a=(int)1;");
  expect_image_tag (&consumer, hash);
  push_frame (&producer, FRAME);
  expect (&consumer, "segment 0");
  expect (&consumer, "buffer 40000000 key");
  consumer_stop (&consumer);
  producer_stop (&producer);
}

/* As running times, and so in the consumer's; a gap may come before any
 * frame. */
static void
test_gaps_are_in_the_consumers_time (void)
{
  struct harness_child consumer, live;
  struct producer producer;
  guint64 at, gap_at, duration;
  const gchar *rest;

  producer_start (&producer, "socket", "");
  consumer_start (&consumer, producer.address, "is-live=false");
  consumer_start (&live, producer.address, "is-live=true");
  harness_wait_until (count_clients (&producer) == 2);
  push_start (&producer, "stream", 5);
  push_segment (&producer, 10 * GST_SECOND);
  push (&producer, gst_event_new_gap (11 * GST_SECOND, GST_SECOND));
  push_frame (&producer, 12 * GST_SECOND);
  expect_start (&consumer, "stream");
  expect_prefix (&consumer, "custom-downstream-sticky xmem-segment,");
  expect_prefix (&consumer, "custom-downstream-sticky xmem-segment,");
  expect (&consumer, "segment 0");
  expect (&consumer, "gap 1000000000 1000000000");
  expect (&consumer, "segment 0");
  expect (&consumer, "buffer 2000000000 key");
  expect_start (&live, "stream");
  expect_prefix (&live, "custom-downstream-sticky xmem-segment,");
  expect_prefix (&live, "custom-downstream-sticky xmem-segment,");
  expect_prefix (&live, "segment");
  rest = expect_prefix (&live, "gap ");
  g_assert_cmpint (sscanf (rest, "%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT,
                       &gap_at, &duration),
      ==, 2);
  g_assert_cmpuint (duration, ==, GST_SECOND);
  expect_prefix (&live, "segment");
  at = g_ascii_strtoull (expect_prefix (&live, "buffer "), NULL, 10);
  g_assert_cmpuint (at, ==, gap_at + GST_SECOND);
  consumer_stop (&consumer);
  consumer_stop (&live);
  producer_stop (&producer);
}

/* Of a consumer with two sources: the groups of their streams. */
static void
hear_groups (struct harness_child *child, guint groups[2])
{
  char line[HARNESS_LINE_MAX];

  groups[0] = groups[1] = 0;
  while (groups[0] == 0 || groups[1] == 0) {
    harness_hear (child, line);
    if (sscanf (line, "group %u", &groups[0]) != 1)
      (void) sscanf (line, "stream-start %*s %*u %u", &groups[1]);
  }
}

/* Two streams of one group of the producer are of one group here; those of
 * two are not. */
static void
test_groups_of_streams (void)
{
  static const char *const names[] = { "a", "b", "c" };
  struct harness_child consumer;
  struct producer producers[3];
  guint groups[2];

  for (guint i = 0; i < 3; i++) {
    producer_start (&producers[i], names[i], "");
    push_start (&producers[i], names[i], i < 2 ? 77 : 78);
    push_frame (&producers[i], 0);
  }
  for (guint i = 0; i < 2; i++) {
    g_autofree gchar *properties = g_strdup_printf (
        "is-live=false ! fakesink name=other sync=false async=false "
        "xmemsrc is-live=false socket-path=%s",
        producers[i + 1].address);

    consumer_start (&consumer, producers[i].address, properties);
    hear_groups (&consumer, groups);
    if (i == 0)
      g_assert_cmpuint (groups[0], ==, groups[1]);
    else
      g_assert_cmpuint (groups[0], !=, groups[1]);
    consumer_stop (&consumer);
  }
  for (guint i = 0; i < 3; i++)
    producer_stop (&producers[i]);
}

/* The producer's own segment is there to be read; a flush ends it. */
static void
test_segment_of_a_seeked_producer_and_flush (void)
{
  struct harness_child consumer, late;
  struct producer producer;
  GstSegment segment;

  producer_start (&producer, "socket", "");
  consumer_start (&consumer, producer.address, "is-live=false");
  harness_wait_until (count_clients (&producer) == 1);
  push_start (&producer, "stream", 5);
  push_frame (&producer, 0);
  push (&producer, gst_event_new_flush_start ());
  push (&producer, gst_event_new_flush_stop (TRUE));
  consumer_start (&late, producer.address, "is-live=false");
  expect_prefix (&late, "stream-start stream "); /* and no segment */
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.rate = 2.0;
  segment.start = segment.time = 30 * GST_SECOND;
  segment.stop = 60 * GST_SECOND;
  push (&producer, gst_event_new_segment (&segment));
  push_frame (&producer, 32 * GST_SECOND);
  expect_start (&consumer, "stream");
  expect_prefix (&consumer, "custom-downstream-sticky xmem-segment,");
  expect (&consumer, "segment 0");
  expect (&consumer, "buffer 0 key");
  expect_prefix (&consumer, "flush-start");
  expect (&consumer, "flush-stop 1");
  expect_prefix (&late, "caps ");
  for (guint i = 0; i < 2; i++) {
    struct harness_child *child = i == 0 ? &consumer : &late;

    expect (child,
        "custom-downstream-sticky xmem-segment, format=(GstFormat)time, "
        "flags=(uint)0, rate=(double)2, applied-rate=(double)1, "
        "base=(guint64)0, offset=(guint64)0, start=(guint64)30000000000, "
        "stop=(guint64)60000000000, time=(guint64)30000000000, "
        "position=(guint64)0, duration=(guint64)18446744073709551615;");
    expect (child, "segment 0");
    expect (child, "buffer 1000000000 key");
    consumer_stop (child);
  }
  producer_stop (&producer);
}

static void
test_what_cannot_cross_is_counted (void)
{
  struct harness_child consumer;
  struct producer producer;

  producer_start (&producer, "socket", "");
  push_start (&producer, "stream", 5);
  push (&producer, gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM_STICKY,
                       gst_structure_new ("odd", "pointer", G_TYPE_POINTER,
                           &producer, "object", GST_TYPE_ELEMENT, producer.sink,
                           "number", G_TYPE_INT, 5, NULL)));
  g_assert_cmpuint (get_stat (&producer, "events-lost"), ==, 1);
  consumer_start (&consumer, producer.address, "is-live=false");
  expect_start (&consumer, "stream");
  expect_prefix (&consumer, "custom-downstream-sticky xmem-segment,");
  expect (&consumer, "custom-downstream-sticky odd, number=(int)5;");
  consumer_stop (&consumer);
  producer_stop (&producer);
}

/* --- upstream ------------------------------------------------------------ */

static void
test_custom_events_go_upstream (void)
{
  struct harness_child consumer;
  struct producer producer;
  g_autoptr (GstEvent) event = NULL;
  g_autofree gchar *text = NULL;

  producer_start (&producer, "socket", "");
  consumer_start (&consumer, producer.address, "is-live=false");
  push_start (&producer, "stream", 5);
  expect_start (&consumer, "stream");
  expect_prefix (&consumer, "custom-downstream-sticky xmem-segment,");
  harness_tell (&consumer, "zoom, factor=(double)1.5, what=(string)\"a b\"");
  expect (&consumer, "sent 1");
  event = wait_asked (&producer);
  text = gst_structure_to_string (gst_event_get_structure (event));
  g_assert_cmpstr (
      text, ==, "zoom, factor=(double)1.5, what=(string)\"a\\ b\";");
  consumer_stop (&consumer);
  producer_stop (&producer);
}

/* Running times of the consumer become the producer's. */
static void
test_key_units_are_asked_for_in_the_producers_time (void)
{
  struct harness_child consumer;
  struct producer producer;
  GstClockTime time, at;
  gboolean all_headers;
  GstEvent *event;
  guint count;

  producer_start (&producer, "socket", "");
  consumer_start (&consumer, producer.address, "is-live=true");
  push_start (&producer, "stream", 5);
  expect_start (&consumer, "stream");
  expect_prefix (&consumer, "custom-downstream-sticky xmem-segment,");
  harness_wait_until (count_clients (&producer) == 1);
  push_frame (&producer, GST_SECOND);
  expect (&consumer, "segment 0");
  at = g_ascii_strtoull (expect_prefix (&consumer, "buffer "), NULL, 10);
  harness_tell (&consumer, "key %" G_GUINT64_FORMAT, at + GST_SECOND);
  expect (&consumer, "sent 1");
  event = wait_asked (&producer);
  g_assert_true (gst_video_event_parse_upstream_force_key_unit (
      event, &time, &all_headers, &count));
  g_assert_cmpuint (time, ==, 2 * GST_SECOND);
  g_assert_true (all_headers);
  g_assert_cmpuint (count, ==, 7);
  gst_event_unref (event);
  consumer_stop (&consumer);
  producer_stop (&producer);
}

static void
test_key_units_downstream (void)
{
  struct harness_child consumer;
  struct producer producer;

  producer_start (&producer, "socket", "");
  consumer_start (&consumer, producer.address, "is-live=false");
  harness_wait_until (count_clients (&producer) == 1);
  push_start (&producer, "stream", 5);
  push_segment (&producer, 10 * GST_SECOND);
  push (&producer, gst_video_event_new_downstream_force_key_unit (
                       11 * GST_SECOND, 11 * GST_SECOND, GST_SECOND, TRUE, 3));
  push_frame (&producer, 11 * GST_SECOND);
  expect_start (&consumer, "stream");
  expect_prefix (&consumer, "custom-downstream-sticky xmem-segment,");
  expect_prefix (&consumer, "custom-downstream-sticky xmem-segment,");
  expect (&consumer,
      "custom-downstream GstForceKeyUnit, timestamp=(guint64)1000000000, "
      "stream-time=(guint64)1000000000, running-time=(guint64)1000000000, "
      "all-headers=(boolean)true, count=(uint)3;");
  expect (&consumer, "segment 0");
  expect (&consumer, "buffer 1000000000 key");
  consumer_stop (&consumer);
  producer_stop (&producer);
}

/* The n-th frame, at its time. */
static void
encode_frame (struct producer *producer, guint n)
{
  push_frame (producer, n * FRAME);
}

/* The next buffers, K for a key unit and d for a delta unit. The encoder says
 * downstream, too, that it was asked. */
static void
expect_units (struct harness_child *child, const gchar *units)
{
  char line[HARNESS_LINE_MAX];

  for (guint i = 0; units[i]; i++) {
    do
      harness_hear (child, line);
    while (strstr (line, "GstForceKeyUnit"));
    g_assert_true (g_str_has_prefix (line, "buffer "));
    g_assert_true (
        g_str_has_suffix (line, units[i] == 'K' ? " key" : " delta"));
  }
}

/* An encoder that makes key frames when it is asked only. */
static void
start_encoder (struct producer *producer)
{
  producer_start (producer, "socket",
      "x264enc tune=zerolatency threads=1 key-int-max=10000 "
      "option-string=scenecut=0 ! ");
  push_start (producer, "stream", 5);
}

static gboolean
have_encoder (void)
{
  g_autoptr (GstElementFactory) factory = gst_element_factory_find ("x264enc");

  if (!factory)
    g_test_skip ("no x264enc here");
  return factory != NULL;
}

/* What comes before the first buffer is of no interest. */
static void
skip_to_buffer (struct harness_child *child, const gchar *kind)
{
  char line[HARNESS_LINE_MAX];

  do
    harness_hear (child, line);
  while (!g_str_has_prefix (line, "buffer "));
  g_assert_true (g_str_has_suffix (line, kind));
}

static void
test_joiners_get_a_key_frame (void)
{
  struct harness_child consumers[3];
  struct producer producer;

  if (!have_encoder ())
    return;
  start_encoder (&producer);
  for (guint i = 0; i < 3; i++)
    encode_frame (&producer, i);
  for (guint i = 0; i < 3; i++)
    consumer_start (&consumers[i], producer.address,
        "is-live=false delivery=every max-buffers=8");
  harness_wait_until (count_clients (&producer) == 3);
  g_assert_cmpuint (count_asked (&producer), ==, 0);
  encode_frame (&producer, 3); /* of no use to them */
  g_assert_cmpuint (count_asked (&producer), ==, 1);
  for (guint i = 4; i < 8; i++)
    encode_frame (&producer, i);
  for (guint i = 0; i < 3; i++) {
    skip_to_buffer (&consumers[i], " key");
    expect_units (&consumers[i], "ddd");
    consumer_stop (&consumers[i]);
  }
  g_assert_cmpuint (count_asked (&producer), ==, 1);
  producer_stop (&producer);
}

static void
test_skips_end_at_a_key_frame (void)
{
  struct harness_child consumer;
  struct producer producer;

  if (!have_encoder ())
    return;
  start_encoder (&producer);
  consumer_start (&consumer, producer.address,
      "is-live=false delivery=latest max-buffers=1");
  harness_wait_until (count_clients (&producer) == 1);
  encode_frame (&producer, 0);
  skip_to_buffer (&consumer, " key");
  harness_wait_until (get_stat (&producer, "frames-held") == 0);
  harness_tell (&consumer, "hold");
  expect (&consumer, "held");
  encode_frame (&producer, 1);
  expect_units (&consumer, "d");
  harness_wait_until (get_stat (&producer, "frames-held") == 0);
  for (guint i = 2; i < 8; i++)
    encode_frame (&producer, i); /* 2 sent, 3 waits, the others skipped */
  g_assert_cmpuint (count_asked (&producer), ==, 0);
  harness_tell (&consumer, "go");
  expect_units (&consumer, "dd");
  harness_wait_until (get_stat (&producer, "frames-held") == 0);
  encode_frame (&producer, 8);
  g_assert_cmpuint (count_asked (&producer), ==, 1);
  encode_frame (&producer, 9);
  expect_units (&consumer, "K");
  harness_wait_until (get_stat (&producer, "frames-held") == 0);
  encode_frame (&producer, 10);
  expect_units (&consumer, "d");
  g_assert_cmpuint (count_asked (&producer), ==, 1);
  consumer_stop (&consumer);
  producer_stop (&producer);
}

static const struct harness_role roles[] = { { "consumer", run_consumer },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  gst_init (&argc, &argv);
  harness_add ("/tags-with-pictures", test_tags_with_pictures);
  harness_add ("/custom-events-in-order", test_custom_events_in_order);
  harness_add ("/late-joiner-gets-the-sticky-ones",
      test_late_joiner_gets_the_sticky_ones);
  harness_add (
      "/gaps-are-in-the-consumers-time", test_gaps_are_in_the_consumers_time);
  harness_add ("/groups-of-streams", test_groups_of_streams);
  harness_add ("/segment-of-a-seeked-producer-and-flush",
      test_segment_of_a_seeked_producer_and_flush);
  harness_add (
      "/what-cannot-cross-is-counted", test_what_cannot_cross_is_counted);
  harness_add ("/custom-events-go-upstream", test_custom_events_go_upstream);
  harness_add ("/key-units-are-asked-for-in-the-producers-time",
      test_key_units_are_asked_for_in_the_producers_time);
  harness_add ("/key-units-downstream", test_key_units_downstream);
  harness_add ("/joiners-get-a-key-frame", test_joiners_get_a_key_frame);
  harness_add ("/skips-end-at-a-key-frame", test_skips_end_at_a_key_frame);
  return g_test_run ();
}
