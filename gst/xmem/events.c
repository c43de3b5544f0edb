/* SPDX-License-Identifier: MIT */
/* kind: GstEventType, whose values are part of GStreamer's ABI.
 * name: of a custom event, its structure's; of tags, their scope.
 * data: seqnum u32, 0 u32, time i64 (running time of the producer), then a
 * structure, see values.c.
 *
 * Keeps what group ids of other processes are called in this one; any
 * thread. */
#include "events.h"

#include <gst/video/video.h>
#include <string.h>

#include "timeline.h"
#include "values.h"

#define KEY_UNIT "GstForceKeyUnit"
/* Groups of other processes that are remembered. */
#define MAX_GROUPS 1024

gboolean
gst_xmem_event_is_downstream (GstEventType type)
{
  switch (type) {
    case GST_EVENT_STREAM_START:
    case GST_EVENT_SEGMENT:
    case GST_EVENT_TAG:
    case GST_EVENT_GAP:
    case GST_EVENT_FLUSH_STOP:
    case GST_EVENT_CUSTOM_DOWNSTREAM:
    case GST_EVENT_CUSTOM_DOWNSTREAM_OOB:
    case GST_EVENT_CUSTOM_DOWNSTREAM_STICKY:
    case GST_EVENT_CUSTOM_BOTH:
    case GST_EVENT_CUSTOM_BOTH_OOB:
      return TRUE;
    default:
      return FALSE;
  }
}

gboolean
gst_xmem_event_is_upstream (GstEventType type)
{
  return type == GST_EVENT_CUSTOM_UPSTREAM || type == GST_EVENT_CUSTOM_BOTH
         || type == GST_EVENT_CUSTOM_BOTH_OOB;
}

/* --- groups of streams --------------------------------------------------- */

/* Group ids count up in each process, so that one of ours says nothing without
 * a number of the process. */
static guint64
process_number (void)
{
  static gsize number = 0;

  if (g_once_init_enter (&number))
    g_once_init_leave (&number,
        (gsize) ((guint64) g_random_int () << 32 | g_random_int () | 1));
  return number;
}

/* One of ours for each of theirs. */
static guint
our_group (guint64 process, guint group)
{
  static GMutex lock;
  static GHashTable *groups;
  gchar *key = g_strdup_printf ("%" G_GINT64_MODIFIER "x-%x", process, group);
  guint ours;

  g_mutex_lock (&lock);
  if (!groups)
    groups = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  if (g_hash_table_size (groups) >= MAX_GROUPS)
    g_hash_table_remove_all (groups);
  ours = GPOINTER_TO_UINT (g_hash_table_lookup (groups, key));
  if (ours == 0) {
    ours = gst_util_group_id_next ();
    g_hash_table_insert (
        groups, g_steal_pointer (&key), GUINT_TO_POINTER (ours));
  }
  g_mutex_unlock (&lock);
  g_free (key);
  return ours;
}

/* --- to structures ------------------------------------------------------- */

static GstStructure *
describe_stream_start (GstEvent *event)
{
  GstStructure *structure;
  const gchar *id;
  GstStreamFlags flags;
  guint group;

  gst_event_parse_stream_start (event, &id);
  gst_event_parse_stream_flags (event, &flags);
  structure = gst_structure_new ("stream-start", "stream-id", G_TYPE_STRING, id,
      "flags", G_TYPE_UINT, (guint) flags, NULL);
  if (gst_event_parse_group_id (event, &group))
    gst_structure_set (structure, "group-id", G_TYPE_UINT, group, "process",
        G_TYPE_UINT64, process_number (), NULL);
  return structure;
}

static GstStructure *
describe_segment (GstEvent *event)
{
  const GstSegment *s;

  gst_event_parse_segment (event, &s);
  return gst_structure_new (GST_XMEM_EVENT_SEGMENT, "format", GST_TYPE_FORMAT,
      s->format, "flags", G_TYPE_UINT, (guint) s->flags, "rate", G_TYPE_DOUBLE,
      s->rate, "applied-rate", G_TYPE_DOUBLE, s->applied_rate, "base",
      G_TYPE_UINT64, s->base, "offset", G_TYPE_UINT64, s->offset, "start",
      G_TYPE_UINT64, s->start, "stop", G_TYPE_UINT64, s->stop, "time",
      G_TYPE_UINT64, s->time, "position", G_TYPE_UINT64, s->position,
      "duration", G_TYPE_UINT64, s->duration, NULL);
}

static void
describe_tag (const GstTagList *tags, const gchar *tag, gpointer structure)
{
  GValue values = G_VALUE_INIT;

  g_value_init (&values, GST_TYPE_LIST);
  for (guint i = 0; i < gst_tag_list_get_tag_size (tags, tag); i++)
    gst_value_list_append_value (
        &values, gst_tag_list_get_value_index (tags, tag, i));
  gst_structure_take_value (structure, tag, &values);
}

static GstStructure *
describe_tags (GstEvent *event)
{
  GstStructure *structure = gst_structure_new_empty ("taglist");
  GstTagList *tags;

  gst_event_parse_tag (event, &tags);
  gst_tag_list_foreach (tags, describe_tag, structure);
  return structure;
}

static GstStructure *
describe_gap (GstEvent *event, const GstSegment *segment)
{
  GstClockTime duration;
  GstGapFlags flags;

  gst_event_parse_gap (event, NULL, &duration);
  gst_event_parse_gap_flags (event, &flags);
  return gst_structure_new ("gap", "duration", G_TYPE_UINT64,
      gst_xmem_running_duration (segment, duration), "flags", G_TYPE_UINT,
      (guint) flags, NULL);
}

static GstStructure *
describe_flush (GstEvent *event)
{
  gboolean reset_time;

  gst_event_parse_flush_stop (event, &reset_time);
  return gst_structure_new (
      "flush-stop", "reset-time", G_TYPE_BOOLEAN, reset_time, NULL);
}

static gboolean
parse_key_unit (GstEvent *event, GstClockTime *running_time,
    gboolean *all_headers, guint *count)
{
  if (GST_EVENT_IS_UPSTREAM (event))
    return gst_video_event_parse_upstream_force_key_unit (
        event, running_time, all_headers, count);
  return gst_video_event_parse_downstream_force_key_unit (
      event, NULL, NULL, running_time, all_headers, count);
}

static GstStructure *
describe_custom (GstEvent *event)
{
  gboolean all_headers;
  guint count;

  if (!gst_video_event_is_force_key_unit (event)
      || !parse_key_unit (event, NULL, &all_headers, &count))
    return gst_structure_copy (gst_event_get_structure (event));
  return gst_structure_new (KEY_UNIT, "all-headers", G_TYPE_BOOLEAN,
      all_headers, "count", G_TYPE_UINT, count, NULL);
}

static GstStructure *
describe (GstEvent *event, const GstSegment *segment)
{
  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_STREAM_START:
      return describe_stream_start (event);
    case GST_EVENT_SEGMENT:
      return describe_segment (event);
    case GST_EVENT_TAG:
      return describe_tags (event);
    case GST_EVENT_GAP:
      return describe_gap (event, segment);
    case GST_EVENT_FLUSH_STOP:
      return describe_flush (event);
    default:
      return describe_custom (event);
  }
}

/* --- to bytes ------------------------------------------------------------ */

gint64
gst_xmem_event_get_time (GstEvent *event, const GstSegment *segment)
{
  GstClockTime time;

  if (GST_EVENT_TYPE (event) == GST_EVENT_GAP) {
    gst_event_parse_gap (event, &time, NULL);
    return gst_xmem_running_time (segment, time);
  }
  if (gst_video_event_is_force_key_unit (event)
      && parse_key_unit (event, &time, NULL, NULL)
      && GST_CLOCK_TIME_IS_VALID (time))
    return (gint64) time;
  return XMEM_TIME_NONE;
}

static void
set_head (struct xmem_event *head, GstEvent *event, const gchar *name)
{
  GstEventType type = GST_EVENT_TYPE (event);
  gboolean is_segment = g_strcmp0 (name, GST_XMEM_EVENT_SEGMENT) == 0;

  if (type == GST_EVENT_SEGMENT)
    type = GST_EVENT_CUSTOM_DOWNSTREAM_STICKY;
  head->kind = type;
  head->name = name;
  if (type & GST_EVENT_TYPE_STICKY)
    head->flags = XMEM_EVENT_STICKY | (is_segment ? XMEM_EVENT_UNTIL_FLUSH : 0);
  else
    head->flags = type == GST_EVENT_FLUSH_STOP ? XMEM_EVENT_FLUSH : 0;
}

/* What tells sticky events of one type apart. */
static gchar *
name_of (GstEvent *event, const GstStructure *structure)
{
  GstTagList *tags;

  if (GST_EVENT_TYPE (event) != GST_EVENT_TAG)
    return g_strdup (gst_structure_get_name (structure));
  gst_event_parse_tag (event, &tags);
  return g_strdup (gst_tag_list_get_scope (tags) == GST_TAG_SCOPE_GLOBAL
                       ? "global"
                       : "stream");
}

void
gst_xmem_event_write (
    GstXmemEvent *self, GstEvent *event, const GstSegment *segment, gint64 time)
{
  g_autoptr (GstStructure) structure = describe (event, segment);
  GstByteWriter w;

  memset (self, 0, sizeof (*self));
  gst_byte_writer_init (&w);
  gst_byte_writer_put_uint32_le (&w, gst_event_get_seqnum (event));
  gst_byte_writer_put_uint32_le (&w, 0);
  gst_byte_writer_put_int64_le (&w, time);
  self->n_lost = gst_xmem_structure_write (structure, &w);
  self->event.size = gst_byte_writer_get_pos (&w); /* it may have been ahead */
  self->event.data = self->data = gst_byte_writer_reset_and_get_data (&w);
  self->name = name_of (event, structure);
  set_head (&self->event, event, self->name);
}

void
gst_xmem_event_clear (GstXmemEvent *self)
{
  g_free (self->name);
  g_free (self->data);
}

/* --- from bytes ---------------------------------------------------------- */

gboolean
gst_xmem_received_read (GstXmemReceived *self, const struct xmem_event *event)
{
  GstByteReader r;
  guint32 reserved;

  memset (self, 0, sizeof (*self));
  self->type = (GstEventType) event->kind;
  if ((!gst_xmem_event_is_downstream (self->type)
          || self->type == GST_EVENT_SEGMENT) /* sent as a custom one */
      && !gst_xmem_event_is_upstream (self->type))
    return FALSE;
  gst_byte_reader_init (&r, event->data, (guint) event->size);
  if (!gst_byte_reader_get_uint32_le (&r, &self->seqnum)
      || !gst_byte_reader_get_uint32_le (&r, &reserved)
      || !gst_byte_reader_get_int64_le (&r, &self->time))
    return FALSE;
  self->structure = gst_xmem_structure_read (&r);
  self->is_global = g_str_equal (event->name, "global");
  return self->structure != NULL;
}

void
gst_xmem_received_clear (GstXmemReceived *self)
{
  gst_clear_structure (&self->structure);
}

static guint
get_uint (const GstStructure *structure, const gchar *field)
{
  guint value = 0;

  gst_structure_get_uint (structure, field, &value);
  return value;
}

static guint64
get_uint64 (const GstStructure *structure, const gchar *field)
{
  guint64 value = GST_CLOCK_TIME_NONE;

  gst_structure_get_uint64 (structure, field, &value);
  return value;
}

static gboolean
get_boolean (const GstStructure *structure, const gchar *field)
{
  gboolean value = FALSE;

  gst_structure_get_boolean (structure, field, &value);
  return value;
}

static GstEvent *
make_stream_start (const GstStructure *structure)
{
  const gchar *id = gst_structure_get_string (structure, "stream-id");
  GstEvent *event;

  if (!id)
    return NULL;
  event = gst_event_new_stream_start (id);
  gst_event_set_stream_flags (
      event, (GstStreamFlags) get_uint (structure, "flags"));
  if (gst_structure_has_field (structure, "group-id"))
    gst_event_set_group_id (event, our_group (get_uint64 (structure, "process"),
                                       get_uint (structure, "group-id")));
  return event;
}

/* Tags that this process does not know, or knows as something else, are left
 * out. */
static gboolean
add_tag (GQuark name, const GValue *values, gpointer list)
{
  const gchar *tag = g_quark_to_string (name);

  if (!GST_VALUE_HOLDS_LIST (values) || !gst_tag_exists (tag))
    return TRUE;
  for (guint i = 0; i < gst_value_list_get_size (values); i++) {
    const GValue *value = gst_value_list_get_value (values, i);

    if (G_VALUE_TYPE (value) == gst_tag_get_type (tag))
      gst_tag_list_add_value (list, GST_TAG_MERGE_APPEND, tag, value);
  }
  return TRUE;
}

static GstEvent *
make_tags (const GstStructure *structure, gboolean is_global)
{
  GstTagList *tags = gst_tag_list_new_empty ();

  if (is_global)
    gst_tag_list_set_scope (tags, GST_TAG_SCOPE_GLOBAL);
  gst_structure_foreach (structure, add_tag, tags);
  return gst_event_new_tag (tags);
}

static GstEvent *
make_gap (const GstStructure *structure, GstClockTime time)
{
  GstEvent *event;

  if (!GST_CLOCK_TIME_IS_VALID (time))
    return NULL;
  event = gst_event_new_gap (time, get_uint64 (structure, "duration"));
  gst_event_set_gap_flags (event, (GstGapFlags) get_uint (structure, "flags"));
  return event;
}

/* segment NULL: upstream, where the time is a running time. */
static GstEvent *
make_key_unit (
    const GstStructure *structure, GstClockTime time, const GstSegment *segment)
{
  gboolean all_headers = get_boolean (structure, "all-headers");
  guint count = get_uint (structure, "count");

  if (!segment)
    return gst_video_event_new_upstream_force_key_unit (
        time, all_headers, count);
  return gst_video_event_new_downstream_force_key_unit (time,
      gst_segment_to_stream_time (segment, GST_FORMAT_TIME, time),
      gst_segment_to_running_time (segment, GST_FORMAT_TIME, time), all_headers,
      count);
}

GstEvent *
gst_xmem_received_take (
    GstXmemReceived *self, GstClockTime time, const GstSegment *segment)
{
  g_autoptr (GstStructure) structure = g_steal_pointer (&self->structure);
  GstEvent *event;

  if (self->type == GST_EVENT_STREAM_START)
    event = make_stream_start (structure);
  else if (self->type == GST_EVENT_TAG)
    event = make_tags (structure, self->is_global);
  else if (self->type == GST_EVENT_GAP)
    event = make_gap (structure, time);
  else if (self->type == GST_EVENT_FLUSH_STOP)
    event = gst_event_new_flush_stop (get_boolean (structure, "reset-time"));
  else if (gst_structure_has_name (structure, KEY_UNIT))
    event = make_key_unit (structure, time, segment);
  else
    event = gst_event_new_custom (self->type, g_steal_pointer (&structure));
  if (event && self->seqnum != GST_SEQNUM_INVALID)
    gst_event_set_seqnum (event, self->seqnum);
  return event;
}
