/* SPDX-License-Identifier: MIT */
/* Buffer probes. Owns the buffers that are kept; a tap belongs to its
 * element. Threads: probes run in streaming threads, the rest in the child's
 * main thread; `lock` is for all of it. */
#include "player-tap.h"

#include "player-clock.h"

#define PAGE 4096

struct tap {
  enum player_look look;
  GArray *records;
  unsigned hold;
};

struct held {
  GstBuffer *buffer;
  uint64_t sum;
};

static GMutex lock;
static GQueue held = G_QUEUE_INIT;

/* FNV-1a, by words. */
static uint64_t
sum_bytes (const guint8 *data, gsize size)
{
  uint64_t sum = G_GUINT64_CONSTANT (14695981039346656037), word;
  gsize i;

  for (i = 0; i + 8 <= size; i += 8) {
    memcpy (&word, data + i, 8);
    sum = (sum ^ word) * G_GUINT64_CONSTANT (1099511628211);
  }
  for (; i < size; i++)
    sum = (sum ^ data[i]) * G_GUINT64_CONSTANT (1099511628211);
  return sum;
}

static uint64_t
sum_pages (const guint8 *data, gsize size)
{
  uint64_t sum = 0;

  for (gsize i = 0; i < size; i += PAGE)
    sum += data[i];
  return sum;
}

static uint64_t
look_at (GstBuffer *buffer, enum player_look look)
{
  GstMapInfo map;
  uint64_t sum;

  if (look == PLAYER_LOOK_AWAY)
    return 0;
  g_assert_true (gst_buffer_map (buffer, &map, GST_MAP_READ));
  sum = look == PLAYER_LOOK_SUM ? sum_bytes (map.data, map.size)
                                : sum_pages (map.data, map.size);
  gst_buffer_unmap (buffer, &map);
  return sum;
}

static int64_t
running_time (GstPad *pad, GstClockTime time)
{
  g_autoptr (GstEvent) event =
      gst_pad_get_sticky_event (pad, GST_EVENT_SEGMENT, 0);
  const GstSegment *segment;
  guint64 running;
  gint sign;

  if (!event || !GST_CLOCK_TIME_IS_VALID (time))
    return INT64_MIN;
  gst_event_parse_segment (event, &segment);
  sign = gst_segment_to_running_time_full (
      segment, GST_FORMAT_TIME, time, &running);
  return sign == 0 ? INT64_MIN : sign * (int64_t) running;
}

static uint64_t
reference_time (GstBuffer *buffer, const char *reference)
{
  g_autoptr (GstCaps) caps = gst_caps_new_empty_simple (reference);
  GstReferenceTimestampMeta *meta =
      gst_buffer_get_reference_timestamp_meta (buffer, caps);

  return meta ? meta->timestamp : GST_CLOCK_TIME_NONE;
}

static uint64_t
lost_before (GstBuffer *buffer)
{
  GstCustomMeta *meta = NULL;
  guint64 lost = 0;

  if (gst_meta_get_info ("XmemLost"))
    meta = gst_buffer_get_custom_meta (buffer, "XmemLost");
  if (meta)
    g_assert_true (gst_structure_get_uint64 (
        gst_custom_meta_get_structure (meta), "lost", &lost));
  return lost;
}

static void
note_base (GstPad *pad, struct player_record *r)
{
  g_autoptr (GstElement) element = gst_pad_get_parent_element (pad);
  g_autoptr (GstClock) clock = gst_element_get_clock (element);

  if (clock)
    r->base = player_clock_compare (clock, &r->uncertainty)
              + (int64_t) gst_element_get_base_time (element);
}

static void
keep (GstBuffer *buffer, uint64_t sum)
{
  struct held *entry = g_new (struct held, 1);

  entry->buffer = gst_buffer_ref (buffer);
  entry->sum = sum;
  g_queue_push_tail (&held, entry);
}

static void
note (struct tap *tap, GstPad *pad, GstBuffer *buffer)
{
  struct player_record r = { .running_pts =
                                 running_time (pad, GST_BUFFER_PTS (buffer)),
    .running_dts = running_time (pad, GST_BUFFER_DTS (buffer)),
    .pts = GST_BUFFER_PTS (buffer),
    .dts = GST_BUFFER_DTS (buffer),
    .duration = GST_BUFFER_DURATION (buffer),
    .offset = GST_BUFFER_OFFSET (buffer),
    .offset_end = GST_BUFFER_OFFSET_END (buffer),
    .flags = GST_BUFFER_FLAGS (buffer),
    .size = gst_buffer_get_size (buffer),
    .sum = look_at (buffer, tap->look),
    .at = gst_util_get_timestamp (),
    .raw_pts = reference_time (buffer, "timestamp/x-xmem-pts"),
    .captured = reference_time (buffer, "timestamp/x-xmem-capture"),
    .lost = lost_before (buffer) };

  note_base (pad, &r);
  g_mutex_lock (&lock);
  g_array_append_val (tap->records, r);
  if (tap->hold > 0) {
    keep (buffer, tap->look == PLAYER_LOOK_SUM
                      ? r.sum
                      : look_at (buffer, PLAYER_LOOK_SUM));
    tap->hold--;
  }
  g_mutex_unlock (&lock);
}

static GstPadProbeReturn
probe (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  note (user_data, pad, GST_PAD_PROBE_INFO_BUFFER (info));
  return GST_PAD_PROBE_OK;
}

static void
tap_free (gpointer data)
{
  struct tap *tap = data;

  g_array_unref (tap->records);
  g_free (tap);
}

static struct tap *
attach (GstElement *element, enum player_look look)
{
  struct tap *tap = g_new0 (struct tap, 1);

  tap->look = look;
  tap->records = g_array_sized_new (
      FALSE, TRUE, sizeof (struct player_record), PLAYER_RESERVED);
  g_array_set_size (tap->records, PLAYER_RESERVED);
  memset (
      tap->records->data, 0, PLAYER_RESERVED * sizeof (struct player_record));
  g_array_set_size (tap->records, 0);
  g_object_set_data_full (G_OBJECT (element), "tap", tap, tap_free);
  return tap;
}

void
tap_new (GstElement *element, enum player_look look)
{
  GstPad *pad = element->sinkpads ? element->sinkpads->data : NULL;

  g_assert_nonnull (pad);
  gst_pad_add_probe (
      pad, GST_PAD_PROBE_TYPE_BUFFER, probe, attach (element, look), NULL);
}

static void
on_handoff (
    GstElement *element, GstBuffer *buffer, GstPad *pad, gpointer user_data)
{
  note (user_data, pad, buffer);
}

void
tap_new_rendered (GstElement *element)
{
  g_object_set (element, "signal-handoffs", TRUE, NULL);
  g_signal_connect (element, "handoff", G_CALLBACK (on_handoff),
      attach (element, PLAYER_LOOK_AWAY));
}

struct tap *
tap_of (GstElement *element)
{
  struct tap *tap = g_object_get_data (G_OBJECT (element), "tap");

  g_assert_nonnull (tap);
  return tap;
}

unsigned
tap_count (struct tap *tap)
{
  unsigned n;

  g_mutex_lock (&lock);
  n = tap->records->len;
  g_mutex_unlock (&lock);
  return n;
}

void
tap_write_records (struct tap *tap, const char *path)
{
  gboolean written;

  g_mutex_lock (&lock);
  written = g_file_set_contents (path, tap->records->data,
      (gssize) (tap->records->len * sizeof (struct player_record)), NULL);
  g_mutex_unlock (&lock);
  g_assert_true (written);
}

void
tap_hold (struct tap *tap, unsigned n)
{
  g_mutex_lock (&lock);
  tap->hold = n;
  g_mutex_unlock (&lock);
}

static void
held_free (gpointer data)
{
  struct held *entry = data;

  gst_buffer_unref (entry->buffer);
  g_free (entry);
}

void
tap_let_go (void)
{
  GQueue gone;

  g_mutex_lock (&lock);
  gone = held;
  g_queue_init (&held);
  g_mutex_unlock (&lock);
  g_queue_clear_full (&gone, held_free);
}

void
tap_check_held (unsigned *n_out, unsigned *n_changed_out)
{
  *n_changed_out = 0;
  g_mutex_lock (&lock);
  *n_out = held.length;
  for (GList *l = held.head; l; l = l->next) {
    struct held *entry = l->data;

    *n_changed_out += look_at (entry->buffer, PLAYER_LOOK_SUM) != entry->sum;
  }
  g_mutex_unlock (&lock);
}
