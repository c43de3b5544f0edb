/* SPDX-License-Identifier: MIT */
/* Metas of buffers arrive in another process with every field; what cannot
 * travel, and what a peer makes up, is left out and counted, and costs no
 * frame. */
#ifdef HAVE_GST_ANALYTICS
#include <gst/analytics/analytics.h>
#endif
#include <gst/app/gstappsrc.h>
#include <gst/audio/audio.h>
#include <gst/base/gstbytewriter.h>
#include <gst/check/gstcheck.h>
#include <gst/video/video.h>
#include <string.h>

#include <xmem/xmem.h>

#include "describe-metas.h"
#include "here.h"
#include "pipeline.h"

#define VIDEO_CAPS "video/x-raw,format=GRAY8,width=64,height=32,framerate=30/1"
#define PLANAR_CAPS                                                        \
  "audio/x-raw,format=F32LE,rate=48000,channels=2,layout=non-interleaved," \
  "channel-mask=(bitmask)0x3"
#define SOURCE "delivery=every is-live=false socket-path=%s/a "
/* Registered here only; the consumer has never heard of it. */
#define CUSTOM "XmemTestCustomMeta"
#define UNKNOWN "XmemUnknownCustomMeta"
#define PRIVATE "XmemTestPrivateMeta"

/* --- two processes ------------------------------------------------------- */

typedef struct {
  GstElement *pipeline;
  GstAppSrc *appsrc;
  Pipeline *consumer;
  GPtrArray *sent; /* descriptions of all metas */
} Ends;

/* "out" reads GstVideoMeta, "plain" does not. */
static void
ends_start (Ends *self, const gchar *caps)
{
  const gchar *dir = pipeline_dir ();
  g_autoptr (GstCaps) parsed = gst_caps_from_string (caps);
  g_autoptr (GstElement) appsrc = NULL;

  self->consumer = pipeline_spawn (
      "xmemsrc name=a " SOURCE "! fakesink name=out-metas "
      "xmemsrc name=b is-live=true " SOURCE "! fakesink name=plain-metas",
      dir, dir);
  self->pipeline = here_parse (
      "appsrc name=appsrc format=time ! xmemsink name=sink sync=false "
      "socket-path=%s/a wait-for-connection=true min-clients=2",
      dir);
  appsrc = gst_bin_get_by_name (GST_BIN (self->pipeline), "appsrc");
  self->appsrc = GST_APP_SRC (appsrc);
  gst_app_src_set_caps (self->appsrc, parsed);
  self->sent = g_ptr_array_new_with_free_func (g_free);
  gst_element_set_state (self->pipeline, GST_STATE_PLAYING);
}

static void
ends_send (Ends *self, GstBuffer *take_buffer)
{
  g_ptr_array_extend_and_steal (self->sent, describe_metas (take_buffer));
  fail_unless_equals_int (
      gst_app_src_push_buffer (self->appsrc, take_buffer), GST_FLOW_OK);
}

/* Ends the stream; the pipeline stays for its figures. */
static void
ends_finish (Ends *self)
{
  gst_app_src_end_of_stream (self->appsrc);
  here_run_ok (self->pipeline);
  pipeline_wait_ok (self->consumer);
}

static void
ends_free (Ends *self)
{
  here_free (self->pipeline);
  pipeline_free (self->consumer);
  g_ptr_array_unref (self->sent);
}

static void
check_lines (GPtrArray *got, const gchar *const *expected, guint n)
{
  for (guint i = 0; i < MIN (got->len, n); i++)
    fail_unless_equals_string (g_ptr_array_index (got, i), expected[i]);
  fail_unless_equals_int (got->len, n);
}

/* Exactly these arrived at the sink, and nothing was rejected. */
static void
check_arrived (
    Ends *self, const gchar *sink, const gchar *const *expected, guint n)
{
  g_autofree gchar *prefix = g_strdup_printf ("meta %s ", sink);
  g_autoptr (GPtrArray) got = pipeline_get_lines (self->consumer, prefix);
  const gchar *stats;

  check_lines (got, expected, n);
  stats = pipeline_find_line (self->consumer, "stats a ");
  fail_unless (strstr (stats, "metas-dropped\\;") != NULL, "%s", stats);
}

static GstBuffer *
new_picture (void)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, 64 * 32, NULL);

  gst_buffer_memset (buffer, 0, 77, 64 * 32);
  return buffer;
}

/* --- every kind ---------------------------------------------------------- */

static void
add_video (GstBuffer *buffer, guint width)
{
  gsize offset[GST_VIDEO_MAX_PLANES] = { 128 };
  gint stride[GST_VIDEO_MAX_PLANES] = { 96 };
  GstVideoAlignment alignment;
  GstVideoMeta *meta =
      gst_buffer_add_video_meta_full (buffer, GST_VIDEO_FRAME_FLAG_TFF,
          GST_VIDEO_FORMAT_GRAY8, width, 32, 1, offset, stride);

  gst_video_alignment_reset (&alignment);
  alignment.padding_right = 32;
  alignment.stride_align[0] = 31;
  fail_unless (width != 64 || gst_video_meta_set_alignment (meta, alignment));
}

static void
add_crop (GstBuffer *buffer)
{
  GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta (buffer);

  crop->x = 1;
  crop->y = 2;
  crop->width = 63;
  crop->height = 30;
}

static GstVideoRegionOfInterestMeta *
add_roi (GstBuffer *buffer, const gchar *type, gint id, gint parent_id)
{
  GstVideoRegionOfInterestMeta *roi =
      gst_buffer_add_video_region_of_interest_meta (
          buffer, type, 1, 2, 30, 4294967295u);

  roi->id = id;
  roi->parent_id = parent_id;
  return roi;
}

/* A structure with values of many types, one structure among them. */
static GstStructure *
new_structure (const gchar *name)
{
  g_autoptr (GstStructure) inner = gst_structure_new (
      "inner", "label", G_TYPE_STRING, "a \"quoted\" €; [word", NULL);
  GstStructure *structure = gst_structure_new (name, "confidence",
      G_TYPE_DOUBLE, 0.1, "n", G_TYPE_INT, -3, "big", G_TYPE_UINT64,
      G_MAXUINT64, "rate", GST_TYPE_FRACTION, 30000, 1001, "inner",
      GST_TYPE_STRUCTURE, inner, NULL);
  GValue array = G_VALUE_INIT, value = G_VALUE_INIT;

  gst_value_array_init (&array, 2);
  g_value_init (&value, G_TYPE_FLOAT);
  for (guint i = 0; i < 2; i++) {
    g_value_set_float (&value, i + 0.25f);
    gst_value_array_append_value (&array, &value);
  }
  g_value_unset (&value);
  gst_structure_take_value (structure, "box", &array);
  return structure;
}

static void
add_rois (GstBuffer *buffer)
{
  GstVideoRegionOfInterestMeta *roi = add_roi (buffer, "xmem/car", 7, -1);

  gst_video_region_of_interest_meta_add_param (roi, new_structure ("first"));
  gst_video_region_of_interest_meta_add_param (
      roi, gst_structure_new_empty ("second"));
  add_roi (buffer, "plate", 8, 7);
  add_roi (buffer, "", G_MININT, G_MAXINT);
}

static void
add_time_codes (GstBuffer *buffer)
{
  g_autoptr (GTimeZone) zone = g_time_zone_new_offset (-12600);
  g_autoptr (GDateTime) jam =
      g_date_time_new (zone, 1969, 12, 31, 23, 59, 58.25);

  gst_buffer_add_video_time_code_meta_full (buffer, 30000, 1001, jam,
      GST_VIDEO_TIME_CODE_FLAGS_DROP_FRAME
          | GST_VIDEO_TIME_CODE_FLAGS_INTERLACED,
      23, 59, 58, 29, 2);
  gst_buffer_add_video_time_code_meta_full (
      buffer, 25, 1, NULL, GST_VIDEO_TIME_CODE_FLAGS_NONE, 1, 2, 3, 4, 0);
}

static void
add_ancillary (GstBuffer *buffer)
{
  static const guint8 bytes[] = { 0x80, 0x00, 0xfc, 0x94, 0x2c };

  gst_buffer_add_video_caption_meta (
      buffer, GST_VIDEO_CAPTION_TYPE_CEA708_RAW, bytes, sizeof (bytes));
  gst_buffer_add_video_caption_meta (
      buffer, GST_VIDEO_CAPTION_TYPE_CEA608_S334_1A, bytes, 1);
  gst_buffer_add_video_afd_meta (buffer, 0, GST_VIDEO_AFD_SPEC_SMPTE_ST2016_1,
      GST_VIDEO_AFD_16_9_LETTER_4_3_CENTER);
  gst_buffer_add_video_afd_meta (
      buffer, 1, GST_VIDEO_AFD_SPEC_ATSC_A53, GST_VIDEO_AFD_UNAVAILABLE);
  gst_buffer_add_video_bar_meta (buffer, 0, TRUE, 11, 22);
  gst_buffer_add_video_bar_meta (buffer, 1, FALSE, 4294967295u, 0);
}

static void
add_times (GstBuffer *buffer)
{
  g_autoptr (GstCaps) ntp =
      gst_caps_from_string ("timestamp/x-ntp, host=pool.ntp.org, port=123");
  g_autoptr (GstCaps) epoch = gst_caps_from_string ("timestamp/x-unix");

  gst_buffer_add_reference_timestamp_meta (
      buffer, ntp, G_MAXUINT64 - 1, 33333333);
  gst_buffer_add_reference_timestamp_meta (
      buffer, epoch, 0, GST_CLOCK_TIME_NONE);
}

static GstStructure *
add_custom (GstBuffer *buffer)
{
  return gst_custom_meta_get_structure (
      gst_buffer_add_custom_meta (buffer, CUSTOM));
}

static const gchar *const every_kind[] = {
  "GstVideoMeta 2 GRAY8 64x32 align 0,0,0,32 plane 128,96,31",
  "GstVideoCropMeta 1,2 63x30",
  "GstVideoRegionOfInterestMeta 'xmem/car' id 7 of -1 at 1,2 30x4294967295 "
  "{first, confidence=(double)0.10000000000000001, n=(int)-3, "
  "big=(guint64)18446744073709551615, rate=(fraction)30000/1001, "
  "inner=(structure)\"inner\\,\\ label\\=\\(string\\)\\\"a\\\\\\ "
  "\\\\\\\"quoted\\\\\\\"\\\\\\ \\\\342\\\\202\\\\254\\\\\\;\\\\\\ "
  "\\\\\\[word\\\"\\;\", box=(float)< 0.25, 1.25 >;} {second;}",
  "GstVideoRegionOfInterestMeta 'plate' id 8 of 7 at 1,2 30x4294967295",
  "GstVideoRegionOfInterestMeta '' id -2147483648 of 2147483647 at 1,2 "
  "30x4294967295",
  "GstVideoTimeCodeMeta 23:59:58:29 field 2 at 30000/1001 flags 3 jam "
  "1969-12-31T23:59:58.250000-03:30",
  "GstVideoTimeCodeMeta 1:2:3:4 field 0 at 25/1 flags 0 jam none",
  "GstVideoCaptionMeta type 3 8000fc942c",
  "GstVideoCaptionMeta type 2 80",
  "GstVideoAFDMeta field 0 spec 2 afd 15",
  "GstVideoAFDMeta field 1 spec 1 afd 0",
  "GstVideoBarMeta field 0 letterbox 11,22",
  "GstVideoBarMeta field 1 pillarbox 4294967295,0",
  "GstReferenceTimestampMeta timestamp/x-ntp, host=(string)pool.ntp.org, "
  "port=(int)123 18446744073709551614 for 33333333",
  "GstReferenceTimestampMeta timestamp/x-unix 0 for -1",
  UNKNOWN " {XmemTestCustomMeta, who=(string)me;}",
};

/* A consumer that does not read GstVideoMeta gets the picture laid out anew,
 * and all other metas with it. */
GST_START_TEST (every_kind_arrives_with_every_field)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, 128 + 96 * 32, NULL);
  Ends ends;

  gst_buffer_memset (buffer, 0, 77, -1);
  add_video (buffer, 64);
  add_crop (buffer);
  add_rois (buffer);
  add_time_codes (buffer);
  add_ancillary (buffer);
  add_times (buffer);
  gst_structure_set (add_custom (buffer), "who", G_TYPE_STRING, "me", NULL);
  ends_start (&ends, VIDEO_CAPS);
  ends_send (&ends, buffer);
  ends_finish (&ends);
  check_arrived (&ends, "out-metas", every_kind, G_N_ELEMENTS (every_kind));
  check_arrived (
      &ends, "plain-metas", every_kind + 1, G_N_ELEMENTS (every_kind) - 1);
  fail_unless_equals_uint64 (
      pipeline_get_stat (ends.consumer, 0, "b", "frames-repacked"), 1);
  ends_free (&ends);
}
GST_END_TEST;

/* Planes that are not in the order of the channels, with gaps. */
GST_START_TEST (audio_arrives_with_every_field)
{
  static const gchar *const expected[] = {
    "GstAudioMeta audio/x-raw, format=(string)F32LE, "
    "layout=(string)non-interleaved, rate=(int)48000, channels=(int)2, "
    "channel-mask=(bitmask)0x0000000000000003 samples 100 plane 600 plane 4",
    "GstAudioClippingMeta format 1 10,18446744073709551615",
  };
  g_autoptr (GstCaps) caps = gst_caps_from_string (PLANAR_CAPS);
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, 1000, NULL);
  gsize offsets[] = { 600, 4 };
  GstAudioInfo info;
  Ends ends;

  fail_unless (gst_audio_info_from_caps (&info, caps));
  gst_buffer_memset (buffer, 0, 0, -1);
  gst_buffer_add_audio_meta (buffer, &info, 100, offsets);
  gst_buffer_add_audio_clipping_meta (
      buffer, GST_FORMAT_DEFAULT, 10, G_MAXUINT64);
  ends_start (&ends, PLANAR_CAPS);
  ends_send (&ends, buffer);
  ends_finish (&ends);
  check_arrived (&ends, "out-metas", expected, G_N_ELEMENTS (expected));
  ends_free (&ends);
}
GST_END_TEST;

/* --- of later versions of GStreamer -------------------------------------- */

#ifdef HAVE_GST_ANALYTICS
/* A picture of 3 x 2 whose rows are 8 bytes apart. */
static GstBuffer *
new_mask (void)
{
  static const guint8 bytes[16] = { 1, 2, 3, 9, 9, 9, 9, 9, 4, 5, 6 };
  gsize offset[GST_VIDEO_MAX_PLANES] = { 0 };
  gint stride[GST_VIDEO_MAX_PLANES] = { 8 };
  GstBuffer *mask = gst_buffer_new_memdup (bytes, sizeof (bytes));

  gst_buffer_add_video_meta_full (mask, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_FORMAT_GRAY8, 3, 2, 1, offset, stride);
  return mask;
}

/* As large as a frame's metas may be in all. */
static GstBuffer *
new_large_mask (void)
{
  GstBuffer *mask = gst_buffer_new_allocate (NULL, 1024 * 1024, NULL);

  gst_buffer_add_video_meta (
      mask, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_GRAY8, 1024, 1024);
  return mask;
}

/* An object with two classes and a track, and segmentations, one of which is
 * left out: what comes behind it moves up, relations and all. */
static void
add_analytics (GstBuffer *buffer)
{
  GstAnalyticsRelationMeta *meta =
      gst_buffer_add_analytics_relation_meta (buffer);
  gfloat levels[] = { 0.75, 0.25 };
  GQuark names[] = { g_quark_from_static_string ("xmem-cat"),
    g_quark_from_static_string ("xmem-dog") };
  GstAnalyticsMtd object, classes, track, segmentation;
  guint regions[] = { 1, G_MAXUINT };

  fail_unless (gst_analytics_relation_meta_add_oriented_od_mtd (
      meta, names[0], -1, 2, 30, 40, 0.5, 0.875, &object));
  fail_unless (gst_analytics_relation_meta_add_segmentation_mtd (meta,
      new_large_mask (), GST_SEGMENTATION_TYPE_SEMANTIC, 1, regions, 0, 0, 2, 2,
      &segmentation));
  fail_unless (gst_analytics_relation_meta_add_cls_mtd (
      meta, 2, levels, names, &classes));
  fail_unless (gst_analytics_relation_meta_add_tracking_mtd (
      meta, G_MAXUINT64, 5, &track));
  gst_analytics_tracking_mtd_update_last_seen (&track, G_MAXUINT64 - 1);
  gst_analytics_tracking_mtd_set_lost (&track);
  gst_analytics_relation_meta_set_relation (
      meta, GST_ANALYTICS_REL_TYPE_RELATE_TO, object.id, classes.id);
  gst_analytics_relation_meta_set_relation (
      meta, GST_ANALYTICS_REL_TYPE_IS_PART_OF, track.id, object.id);
  gst_analytics_relation_meta_set_relation (
      meta, GST_ANALYTICS_REL_TYPE_CONTAIN, object.id, segmentation.id);
  fail_unless (gst_analytics_relation_meta_add_segmentation_mtd (meta,
      new_mask (), GST_SEGMENTATION_TYPE_INSTANCE, 2, regions, -4, 5, 30, 20,
      &segmentation));
  gst_analytics_relation_meta_set_relation (
      meta, GST_ANALYTICS_REL_TYPE_CONTAIN, object.id, segmentation.id);
}

GST_START_TEST (analytics_arrive_with_every_field)
{
  static const gchar *const expected[] = {
    "GstAnalyticsRelationMeta [0 'xmem-cat' at -1,2 30x40 turned 0.5 for 0.875 "
    "0 8 0 4][1 'xmem-cat' 0.75 'xmem-dog' 0.25  0 0 0 0][2 track "
    "18446744073709551615 from 5 to 18446744073709551614 lost 2 0 0 0]"
    "[3 at -4,5 30x20 type 1 region 1 region 4294967295 GRAY8 3x2 010203040506 "
    "0 0 0 0]",
  };
  GstBuffer *buffer = new_picture ();
  Ends ends;

  add_analytics (buffer);
  ends_start (&ends, VIDEO_CAPS);
  ends_send (&ends, buffer);
  ends_finish (&ends);
  check_arrived (&ends, "out-metas", expected, G_N_ELEMENTS (expected));
  fail_unless_equals_uint64 (here_metas_dropped (ends.pipeline, "sink",
                                 "GstAnalyticsRelationMeta-field"),
      1);
  ends_free (&ends);
}
GST_END_TEST;
#endif

#if GST_CHECK_VERSION(1, 24, 0)
/* Both processes know this one. */
#define SERIAL "XmemTestSerialMeta"

static gboolean
serial_serialize (
    const GstMeta *meta, GstByteArrayInterface *data, guint8 *version)
{
  *version = 7;
  return gst_byte_array_interface_append_data (
      data, (const guint8 *) "bytes", 5);
}

static GstMeta *
serial_deserialize (const GstMetaInfo *info, GstBuffer *buffer,
    const guint8 *data, gsize size, guint8 version)
{
  return version == 7 && size == 5 && memcmp (data, "bytes", 5) == 0
             ? gst_buffer_add_meta (buffer, info, NULL)
             : NULL;
}

static gboolean
serial_init (GstMeta *meta, gpointer params, GstBuffer *buffer)
{
  return TRUE;
}

static void
register_serial (void)
{
  static const gchar *no_tags[] = { NULL };
  GstMetaInfo *info =
      gst_meta_info_new (gst_meta_api_type_register (SERIAL "API", no_tags),
          SERIAL, sizeof (GstMeta));

  info->init_func = serial_init;
  info->serialize_func = serial_serialize;
  info->deserialize_func = serial_deserialize;
  gst_meta_info_register (info);
}

GST_START_TEST (what_serialises_itself_arrives)
{
  static const gchar *const expected[] = { SERIAL " " };
  GstBuffer *buffer = new_picture ();
  Ends ends;

  gst_buffer_add_meta (buffer, gst_meta_get_info (SERIAL), NULL);
  ends_start (&ends, VIDEO_CAPS);
  ends_send (&ends, buffer);
  ends_finish (&ends);
  check_arrived (&ends, "out-metas", expected, G_N_ELEMENTS (expected));
  ends_free (&ends);
}
GST_END_TEST;
#endif

/* --- sizes --------------------------------------------------------------- */

/* 1000 regions of a frame: much more than a message takes. Before and behind
 * it are frames with few. */
GST_START_TEST (many_regions_arrive)
{
  Ends ends;

  ends_start (&ends, VIDEO_CAPS);
  for (guint i = 0; i < 3; i++) {
    GstBuffer *buffer = new_picture ();

    for (gint k = 0; k < (i == 1 ? 1000 : 2); k++)
      gst_video_region_of_interest_meta_add_param (
          add_roi (buffer, "thing", k, k / 2), new_structure ("detection"));
    ends_send (&ends, buffer);
  }
  ends_finish (&ends);
  fail_unless_equals_int (ends.sent->len, 1004);
  check_arrived (&ends, "out-metas", (const gchar *const *) ends.sent->pdata,
      ends.sent->len);
  fail_unless_equals_uint64 (here_metas_dropped (ends.pipeline, "sink",
                                 "GstVideoRegionOfInterestMeta"),
      0);
  ends_free (&ends);
}
GST_END_TEST;

static void
add_large_custom (GstBuffer *buffer, gsize size)
{
  g_autofree gchar *text = g_strnfill (size, 'x');

  gst_structure_set (add_custom (buffer), "text", G_TYPE_STRING, text, NULL);
}

/* What becomes of a description where nobody has registered the custom. */
static void
as_unknown (GPtrArray *lines, guint index)
{
  gchar **line = (gchar **) &g_ptr_array_index (lines, index);
  gchar *unknown = g_strconcat (UNKNOWN, *line + strlen (CUSTOM), NULL);

  fail_unless (g_str_has_prefix (*line, CUSTOM " "));
  g_free (*line);
  *line = unknown;
}

/* One that is too large alone, and one that is together with the others: they
 * are left out and counted; all else arrives. */
GST_START_TEST (what_is_too_large_is_left_out)
{
  GstBuffer *buffer = new_picture ();
  Ends ends;

  add_crop (buffer);
  add_large_custom (buffer, 2000000);
  add_roi (buffer, "a", 1, 2);
  add_large_custom (buffer, 600000);
  add_large_custom (buffer, 500000);
  add_roi (buffer, "b", 3, 4);
  ends_start (&ends, VIDEO_CAPS);
  ends_send (&ends, buffer);
  ends_finish (&ends);
  g_ptr_array_remove_index (ends.sent, 4);
  g_ptr_array_remove_index (ends.sent, 1);
  as_unknown (ends.sent, 2);
  check_arrived (&ends, "out-metas", (const gchar *const *) ends.sent->pdata,
      ends.sent->len);
  fail_unless_equals_uint64 (
      here_metas_dropped (ends.pipeline, "sink", CUSTOM), 2);
  ends_free (&ends);
}
GST_END_TEST;

/* --- on and on ----------------------------------------------------------- */

static void
describe_into (GstBuffer *buffer, gpointer lines)
{
  g_ptr_array_extend_and_steal (lines, describe_metas (buffer));
}

/* Through a process that does not know the custom, into this one, which does:
 * all is what it was. */
GST_START_TEST (metas_survive_a_relay)
{
  const gchar *dir = pipeline_dir ();
  g_autoptr (GPtrArray) sent = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) got = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (Pipeline) relay = pipeline_spawn (
      "xmemsrc " SOURCE "max-buffers=16 ! xmemsink name=sink async=false "
      "sync=false socket-path=%s/b wait-for-connection=true",
      dir, dir);
  GstElement *pipeline = here_parse (
      "appsrc name=appsrc format=time ! xmemsink sync=false "
      "socket-path=%s/a wait-for-connection=true "
      "xmemsrc delivery=every is-live=false socket-path=%s/b ! fakesink "
      "name=sink async=false",
      dir, dir);
  g_autoptr (GstElement) appsrc =
      gst_bin_get_by_name (GST_BIN (pipeline), "appsrc");
  g_autoptr (GstCaps) caps = gst_caps_from_string (VIDEO_CAPS);
  GstBuffer *buffer = new_picture ();

  add_crop (buffer);
  gst_structure_set (add_custom (buffer), "who", G_TYPE_STRING, "me", NULL);
  add_rois (buffer);
  describe_into (buffer, sent);
  here_watch (pipeline, "sink.sink", describe_into, got);
  gst_app_src_set_caps (GST_APP_SRC (appsrc), caps);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  gst_app_src_push_buffer (GST_APP_SRC (appsrc), buffer);
  gst_app_src_end_of_stream (GST_APP_SRC (appsrc));
  here_run_ok (pipeline);
  here_free (pipeline);
  pipeline_wait_ok (relay);
  fail_unless_equals_int (sent->len, 5);
  check_lines (got, (const gchar *const *) sent->pdata, sent->len);
}
GST_END_TEST;

/* --- what cannot travel -------------------------------------------------- */

static gboolean
private_init (GstMeta *meta, gpointer params, GstBuffer *buffer)
{
  return TRUE;
}

static const GstMetaInfo *
private_info (void)
{
  static const gchar *no_tags[] = { NULL };
  const GstMetaInfo *info = gst_meta_get_info (PRIVATE);

  if (!info)
    info =
        gst_meta_register (gst_meta_api_type_register (PRIVATE "API", no_tags),
            PRIVATE, sizeof (GstMeta), private_init, NULL, NULL);
  return info;
}

/* A meta that nobody can read, a second GstVideoMeta, a field without a text:
 * counted. What belongs to a pool, or to memory of this process: not even
 * that. */
GST_START_TEST (what_cannot_travel_is_counted)
{
  static const gchar *const expected[] = {
    UNKNOWN " {XmemTestCustomMeta, kept=(int)1;}",
  };
  g_autoptr (GstBuffer) parent = gst_buffer_new ();
  GstBuffer *buffer = new_picture ();
  Ends ends;

  gst_buffer_add_meta (buffer, private_info (), NULL);
  gst_buffer_add_meta (buffer, private_info (), NULL);
  gst_structure_set (add_custom (buffer), "kept", G_TYPE_INT, 1, "lost",
      G_TYPE_POINTER, buffer, NULL);
  GST_META_FLAG_SET (add_roi (buffer, "pooled", 1, 1), GST_META_FLAG_POOLED);
  gst_buffer_add_parent_buffer_meta (buffer, parent);
  ends_start (&ends, VIDEO_CAPS);
  ends_send (&ends, buffer);
  ends_finish (&ends);
  check_arrived (&ends, "out-metas", expected, G_N_ELEMENTS (expected));
  fail_unless_equals_uint64 (
      here_metas_dropped (ends.pipeline, "sink", PRIVATE), 2);
  fail_unless_equals_uint64 (
      here_metas_dropped (ends.pipeline, "sink", CUSTOM "-field"), 1);
  fail_unless_equals_uint64 (here_metas_dropped (ends.pipeline, "sink",
                                 "GstVideoRegionOfInterestMeta"),
      0);
  fail_unless_equals_uint64 (
      here_metas_dropped (ends.pipeline, "sink", "GstParentBufferMeta"), 0);
  ends_free (&ends);
}
GST_END_TEST;

/* A layout that is not that of the caps' picture was dropped without a word
 * once. */
GST_START_TEST (a_rejected_layout_is_counted)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, 128 + 96 * 32, NULL);
  Ends ends;

  gst_buffer_memset (buffer, 0, 77, -1);
  add_video (buffer, 65);
  ends_start (&ends, VIDEO_CAPS);
  ends_send (&ends, buffer);
  ends_finish (&ends);
  fail_unless (pipeline_find_line (ends.consumer, "meta ") == NULL);
  fail_unless_equals_uint64 (
      pipeline_get_metas_dropped (ends.consumer, 0, "a", "GstVideoMeta"), 1);
  fail_unless_equals_uint64 (
      pipeline_get_metas_dropped (ends.consumer, 0, "b", "GstVideoMeta"), 1);
  ends_free (&ends);
}
GST_END_TEST;

/* --- made up ------------------------------------------------------------- */

/* Records in the words of docs/protocol.md. */
typedef struct {
  struct xmem_pool *pool;
  struct xmem_publisher *publisher;
  Pipeline *consumer;
  GstByteWriter w;
  guint n_frames;
} Liar;

static void
liar_start (Liar *self, const gchar *caps)
{
  g_autofree gchar *address = g_strdup_printf ("%s/a", pipeline_dir ());
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = address };
  const struct xmem_stream_info stream = { .caps = caps,
    .base_time_ns = XMEM_NONE };

  fail_unless_equals_int (xmem_pool_new (NULL, &self->pool, NULL), 0);
  fail_unless_equals_int (
      xmem_publisher_new (&params, &self->publisher, NULL), 0);
  fail_unless_equals_int (
      xmem_publisher_set_stream (self->publisher, &stream, NULL), 0);
  self->consumer = pipeline_spawn (
      "xmemsrc name=a " SOURCE "! fakesink name=out-metas", pipeline_dir ());
  fail_unless_equals_int (
      xmem_publisher_wait_clients (self->publisher, 1, XMEM_WAIT_FOREVER), 0);
  gst_byte_writer_init (&self->w);
  self->n_frames = 0;
}

/* Sends the metas written so far. */
static void
liar_send (Liar *self)
{
  struct xmem_frame_info info;
  struct xmem_buffer *buffer;

  xmem_frame_info_init (&info);
  info.metas = self->w.parent.data;
  info.metas_size = gst_byte_writer_get_pos (&self->w);
  fail_unless_equals_int (xmem_pool_acquire (self->pool, 64 * 32,
                              XMEM_ACQUIRE_OVER_LIMIT, 0, &buffer, NULL),
      0);
  fail_unless_equals_int (xmem_publisher_publish_buffer (self->publisher,
                              buffer, &info, XMEM_WAIT_FOREVER, NULL),
      0);
  xmem_buffer_unref (buffer);
  gst_byte_writer_set_pos (&self->w, 0);
  self->n_frames++;
}

static void
liar_check_dropped (Liar *self, const gchar *name, guint64 n)
{
  guint64 dropped = pipeline_get_metas_dropped (self->consumer, 0, "a", name);

  fail_unless (dropped == n, "%" G_GUINT64_FORMAT " of %s", dropped, name);
}

/* Behind all others a good frame. All must arrive, and the end. */
static void
liar_publish_end (Liar *self)
{
  gst_byte_writer_put_uint32_le (&self->w, 0x10002); /* crop, version 1 */
  gst_byte_writer_put_uint32_le (&self->w, 16);
  for (guint32 i = 1; i <= 4; i++)
    gst_byte_writer_put_uint32_le (&self->w, i);
  liar_send (self);
  xmem_publisher_send_eos (self->publisher);
  pipeline_wait_ok (self->consumer);
  xmem_publisher_free (self->publisher);
  xmem_pool_unref (self->pool);
  gst_byte_writer_reset (&self->w);
  fail_unless_equals_int (
      pipeline_get_frames (self->consumer)->len, self->n_frames);
}

/* The same; only that last frame has a meta. */
static void
liar_stop (Liar *self)
{
  static const gchar *const last[] = { "GstVideoCropMeta 1,2 3x4" };
  g_autoptr (GPtrArray) lines = NULL;

  liar_publish_end (self);
  lines = pipeline_get_lines (self->consumer, "meta out-metas ");
  check_lines (lines, last, 1);
}

/* Exactly these two. */
static void
check_last_lines (
    Liar *self, const gchar *prefix, const gchar *first, const gchar *second)
{
  g_autoptr (GPtrArray) lines = pipeline_get_lines (self->consumer, prefix);
  const gchar *const expected[] = { first, second };

  check_lines (lines, expected, G_N_ELEMENTS (expected));
}

static void
put_bytes (Liar *self, guint16 kind, const void *bytes, gsize size)
{
  gst_byte_writer_put_uint16_le (&self->w, kind);
  gst_byte_writer_put_uint16_le (&self->w, 1);
  gst_byte_writer_put_uint32_le (&self->w, (guint32) size);
  gst_byte_writer_put_data (&self->w, bytes, (guint) size);
  gst_byte_writer_fill (&self->w, 0, -size & 7);
}

static void
add_text (GByteArray *bytes, const gchar *text)
{
  guint32 size = GUINT32_TO_LE (strlen (text));

  g_byte_array_append (bytes, (const guint8 *) &size, 4);
  g_byte_array_append (bytes, (const guint8 *) text, strlen (text));
  g_byte_array_append (bytes, (const guint8 *) "\0\0\0", -strlen (text) & 3);
}

static void
add_u32s (GByteArray *bytes, const guint32 *values, guint n)
{
  for (guint i = 0; i < n; i++) {
    guint32 value = GUINT32_TO_LE (values[i]);

    g_byte_array_append (bytes, (const guint8 *) &value, 4);
  }
}

/* A region with one parameter. */
static void
send_roi (Liar *self, guint32 n_params, const gchar *type, const gchar *param)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  const guint32 v[] = { 1, 2, 3, 4, 5, 6, n_params };

  add_u32s (bytes, v, G_N_ELEMENTS (v));
  add_text (bytes, type);
  add_text (bytes, param);
  put_bytes (self, 3, bytes->data, bytes->len);
  liar_send (self);
}

static void
send_custom (Liar *self, const gchar *name, const gchar *structure)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();

  add_text (bytes, name);
  add_text (bytes, structure);
  put_bytes (self, 11, bytes->data, bytes->len);
  liar_send (self);
}

/* No bytes, too few, and as many as any kind wants but all of one value. */
GST_START_TEST (records_of_nonsense_cost_no_frame)
{
  static const struct {
    guint16 kind;
    const gchar *name;
    guint n_dropped;
  } kinds[] = { { 1, "GstVideoMeta", 2 }, { 2, "GstVideoCropMeta", 4 },
    { 3, "GstVideoRegionOfInterestMeta", 4 }, { 4, "GstVideoTimeCodeMeta", 4 },
    { 5, "GstVideoCaptionMeta", 4 }, { 6, "GstVideoAFDMeta", 4 },
    { 7, "GstVideoBarMeta", 4 }, { 8, "GstAudioMeta", 4 },
    { 9, "GstAudioClippingMeta", 4 }, { 10, "GstReferenceTimestampMeta", 4 },
    { 11, "GstCustomMeta", 4 }, { 99, "kind-99", 4 } };
  guint8 bytes[200];
  Liar liar;

  memset (bytes, 0xff, sizeof (bytes));
  liar_start (&liar, VIDEO_CAPS);
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++) {
    for (guint size = 0; size <= 8; size += 4)
      put_bytes (&liar, kinds[i].kind, "nonsense", size);
    liar_send (&liar);
    put_bytes (&liar, kinds[i].kind, bytes, sizeof (bytes));
    liar_send (&liar);
  }
  liar_stop (&liar);
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    liar_check_dropped (&liar, kinds[i].name, kinds[i].n_dropped);
  pipeline_free (liar.consumer);
}
GST_END_TEST;

/* Headers that are cut, sizes beyond the end, other versions. */
GST_START_TEST (records_that_are_none_cost_no_frame)
{
  static const guint32 headers[][3] = { { 0x10002, 0xffffffff, 0 },
    { 0x10002, 0xfffffff8, 0 }, { 0x10003, 5, 0 } };
  const guint32 crop[] = { 1, 2, 3, 4 };
  Liar liar;

  liar_start (&liar, VIDEO_CAPS);
  for (guint i = 0; i < G_N_ELEMENTS (headers); i++)
    for (guint size = 1; size <= 12; size++) {
      gst_byte_writer_put_data (&liar.w, (const guint8 *) headers[i], size);
      liar_send (&liar);
    }
  put_bytes (&liar, 2, crop, sizeof (crop));
  GST_WRITE_UINT16_LE ((guint8 *) liar.w.parent.data + 2, 2);
  liar_send (&liar);
  liar_stop (&liar);
  liar_check_dropped (&liar, "malformed", 36);
  liar_check_dropped (&liar, "GstVideoCropMeta", 1);
  pipeline_free (liar.consumer);
}
GST_END_TEST;

/* "a, x=" and n times `open`. */
static gchar *
deep_text (const gchar *before, const gchar *open, guint n)
{
  GString *text = g_string_new (before);

  for (guint i = 0; i < n; i++)
    g_string_append (text, open);
  return g_string_free (text, FALSE);
}

/* Also where closing brackets in strings would hide the depth. */
GST_START_TEST (deep_structures_cost_no_frame)
{
  g_autofree gchar *closers = g_strnfill (60000, '}');
  g_autofree gchar *hidden =
      g_strdup_printf ("a, y=(string)\"%s\", x=", closers);
  gchar *texts[] = { deep_text ("a, x=", "{", 100000),
    deep_text ("a, x=", "<", 100000), deep_text ("a, x=", "[a, x=", 33),
    deep_text ("a, x=", "{\"}\",", 100000), deep_text (hidden, "{", 60000) };
  Liar liar;

  liar_start (&liar, VIDEO_CAPS);
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autoptr (GByteArray) bytes = g_byte_array_new ();
    const guint32 times[] = { 1, 0, 1, 0 };

    send_roi (&liar, 1, "t", texts[i]);
    send_custom (&liar, CUSTOM, texts[i]);
    add_u32s (bytes, times, G_N_ELEMENTS (times));
    add_text (bytes, texts[i]);
    put_bytes (&liar, 10, bytes->data, bytes->len);
    liar_send (&liar);
    g_free (texts[i]);
  }
  liar_stop (&liar);
  liar_check_dropped (&liar, "GstVideoRegionOfInterestMeta", 5);
  liar_check_dropped (&liar, "GstCustomMeta", 5);
  liar_check_dropped (&liar, "GstReferenceTimestampMeta", 5);
  pipeline_free (liar.consumer);
}
GST_END_TEST;

GST_START_TEST (impossible_regions_cost_no_frame)
{
  Liar liar;

  liar_start (&liar, VIDEO_CAPS);
  send_roi (&liar, G_MAXUINT32, "t", "a;");
  send_roi (&liar, 2, "t", "a;");
  send_roi (&liar, 1, "t", "");
  send_roi (&liar, 1, "t", "a, b=");
  send_roi (&liar, 1, "t", "a, b=(int)x;");
  send_roi (&liar, 1, "not UTF-8: \xff", "a;");
  send_roi (&liar, 1, "t", "a, s=(string)\xc3");
  liar_stop (&liar);
  liar_check_dropped (&liar, "GstVideoRegionOfInterestMeta", 7);
  pipeline_free (liar.consumer);
}
GST_END_TEST;

/* Names of something else, and names that are none. They take no name from what
 * comes later: the crop at the end is the first that its process sees. */
GST_START_TEST (impossible_customs_cost_no_frame)
{
  static const gchar *const names[] = { "", "ab", "with space", "1digit",
    "-dash", "_underscore", "new\nline" };
  g_autofree gchar *long_name = g_strnfill (129, 'n');
  Liar liar;

  liar_start (&liar, VIDEO_CAPS);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    send_custom (&liar, names[i], "a;");
  send_custom (&liar, long_name, "a;");
  send_custom (&liar, CUSTOM, "no structure, a=");
  send_custom (&liar, "GstVideoCropMeta", "a, b=(int)1;");
  liar_publish_end (&liar);
  check_last_lines (&liar, "meta out-metas ",
      UNKNOWN " {GstVideoCropMeta, b=(int)1;}", "GstVideoCropMeta 1,2 3x4");
  liar_check_dropped (&liar, "GstCustomMeta", G_N_ELEMENTS (names) + 2);
  pipeline_free (liar.consumer);
}
GST_END_TEST;

static void
send_time_code (Liar *self, guint field, guint32 value, gint64 jam, gint32 zone)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  guint32 v[] = { (guint32) jam, (guint32) (jam >> 32), (guint32) zone, 1, 25,
    1, 0, 1, 2, 3, 4, 0 };

  v[4 + field] = value;
  add_u32s (bytes, v, G_N_ELEMENTS (v));
  put_bytes (self, 4, bytes->data, bytes->len);
  liar_send (self);
}

GST_START_TEST (impossible_time_codes_cost_no_frame)
{
  Liar liar;

  liar_start (&liar, VIDEO_CAPS);
  send_time_code (&liar, 0, 0, 0, 0);
  send_time_code (&liar, 0, G_MAXUINT32, 0, 0);
  send_time_code (&liar, 1, 0, 0, 0);
  send_time_code (&liar, 1, G_MAXUINT32, 0, 0);
  send_time_code (&liar, 3, 24, 0, 0);
  send_time_code (&liar, 4, 60, 0, 0);
  send_time_code (&liar, 5, 60, 0, 0);
  send_time_code (&liar, 6, 25, 0, 0);
  send_time_code (&liar, 0, 25, G_MAXINT64, 0);
  send_time_code (&liar, 0, 25, G_MININT64, 0);
  send_time_code (&liar, 0, 25, 0, G_MAXINT);
  send_time_code (&liar, 0, 25, 0, G_MININT);
  liar_stop (&liar);
  liar_check_dropped (&liar, "GstVideoTimeCodeMeta", 12);
  pipeline_free (liar.consumer);
}
GST_END_TEST;

static void
send_caption (Liar *self, guint32 type, guint32 size)
{
  const guint32 v[] = { GUINT32_TO_LE (type), GUINT32_TO_LE (size), 0 };

  put_bytes (self, 5, v, sizeof (v));
  liar_send (self);
}

static void
send_small (Liar *self, guint16 kind, guint32 a, guint32 b, guint32 c)
{
  const guint32 v[] = { a, b, c, 0 };

  put_bytes (self, kind, v, sizeof (v));
  liar_send (self);
}

GST_START_TEST (impossible_small_ones_cost_no_frame)
{
  Liar liar;

  liar_start (&liar, VIDEO_CAPS);
  send_caption (&liar, 0, 4);
  send_caption (&liar, 5, 4);
  send_caption (&liar, 1, 0);
  send_caption (&liar, 1, 5);
  send_caption (&liar, 1, G_MAXUINT32);
  send_small (&liar, 6, 2, 0, 0);
  send_small (&liar, 6, 0, 3, 0);
  send_small (&liar, 6, 0, 0, 16);
  send_small (&liar, 7, 2, 0, 0);
  send_small (&liar, 2, 0, 33, 0);
  send_small (&liar, 2, 65, 0, 0);
  send_small (&liar, 2, 63, 0, 2);
  send_small (&liar, 2, G_MAXUINT32, 0, 1);
  liar_stop (&liar);
  liar_check_dropped (&liar, "GstVideoCaptionMeta", 5);
  liar_check_dropped (&liar, "GstVideoAFDMeta", 3);
  liar_check_dropped (&liar, "GstVideoBarMeta", 1);
  liar_check_dropped (&liar, "GstVideoCropMeta", 4);
  pipeline_free (liar.consumer);
}
GST_END_TEST;

typedef struct {
  guint32 format, layout, rate, channels;
  guint64 samples;
  guint32 n_offsets;
  guint64 offsets[2];
} Audio;

static void
send_audio (Liar *self, const Audio *audio)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  const guint32 v[] = { audio->format, audio->layout, audio->rate,
    audio->channels, audio->n_offsets, 0, (guint32) audio->samples,
    (guint32) (audio->samples >> 32) };

  add_u32s (bytes, v, G_N_ELEMENTS (v));
  for (guint i = 0; i < 2; i++) {
    const guint32 offset[] = { (guint32) audio->offsets[i],
      (guint32) (audio->offsets[i] >> 32) };

    add_u32s (bytes, offset, 2);
  }
  put_bytes (self, 8, bytes->data, bytes->len);
  liar_send (self);
}

/* The buffers have 2048 bytes. The first one is possible. */
GST_START_TEST (impossible_audio_costs_no_frame)
{
  static const Audio audios[] = {
    { GST_AUDIO_FORMAT_F32LE, 1, 48000, 2, 256, 2, { 1024, 0 } },
    { GST_AUDIO_FORMAT_F64LE, 1, 48000, 2, 128, 2, { 1024, 0 } },
    { GST_AUDIO_FORMAT_F32LE, 0, 48000, 2, 256, 0, { 0, 0 } },
    { GST_AUDIO_FORMAT_F32LE, 1, 44100, 2, 256, 2, { 1024, 0 } },
    { GST_AUDIO_FORMAT_F32LE, 1, 48000, 3, 256, 3, { 1024, 0 } },
    { GST_AUDIO_FORMAT_F32LE, 1, 48000, 0, 256, 0, { 1024, 0 } },
    { GST_AUDIO_FORMAT_F32LE, 1, 48000, 2, 256, 1, { 1024, 0 } },
    { GST_AUDIO_FORMAT_F32LE, 1, 48000, 2, 256, 0, { 1024, 0 } },
    { GST_AUDIO_FORMAT_F32LE, 1, 48000, 2, 256, G_MAXUINT32, { 1024, 0 } },
    { GST_AUDIO_FORMAT_F32LE, 1, 48000, 2, 0, 2, { 1024, 0 } },
    { GST_AUDIO_FORMAT_F32LE, 1, 48000, 2, G_MAXUINT64, 2, { 1024, 0 } },
    { GST_AUDIO_FORMAT_F32LE, 1, 48000, 2, 256, 2, { 1023, 0 } },
    { GST_AUDIO_FORMAT_F32LE, 1, 48000, 2, 256, 2, { 1024, 1 } },
    { GST_AUDIO_FORMAT_F32LE, 1, 48000, 2, 256, 2, { 1025, 0 } },
    { GST_AUDIO_FORMAT_F32LE, 1, 48000, 2, 256, 2, { G_MAXUINT64, 0 } },
    { GST_AUDIO_FORMAT_F32LE, 1, 48000, 2, 256, 2, { 0, 0 } },
  };
  g_autoptr (GPtrArray) lines = NULL;
  Liar liar;

  liar_start (&liar, PLANAR_CAPS);
  for (guint i = 0; i < G_N_ELEMENTS (audios); i++)
    send_audio (&liar, &audios[i]);
  liar_publish_end (&liar);
  liar_check_dropped (&liar, "GstAudioMeta", G_N_ELEMENTS (audios) - 1);
  lines = pipeline_get_lines (liar.consumer, "meta out-metas GstAudioMeta");
  fail_unless_equals_int (lines->len, 1);
  pipeline_free (liar.consumer);
}
GST_END_TEST;

#if GST_CHECK_VERSION(1, 24, 0)
static void
send_serialised (Liar *self, guint32 size, guint32 name_size, const gchar *name)
{
  guint8 bytes[64] = { 0 };

  GST_WRITE_UINT32_LE (bytes, size);
  GST_WRITE_UINT32_LE (bytes + 4, name_size);
  strcpy ((gchar *) bytes + 8, name);
  put_bytes (self, 12, bytes, sizeof (bytes));
  liar_send (self);
}

/* Names of metas that have a kind of their own are no way around its checks. */
GST_START_TEST (impossible_serialised_ones_cost_no_frame)
{
  Liar liar;

  liar_start (&liar, VIDEO_CAPS);
  send_serialised (&liar, 63, strlen (SERIAL), SERIAL);
  send_serialised (&liar, 65, strlen (SERIAL), SERIAL);
  send_serialised (&liar, 64, strlen (SERIAL) - 1, SERIAL);
  send_serialised (&liar, 64, strlen (SERIAL) + 1, SERIAL);
  send_serialised (&liar, 64, strlen (SERIAL), SERIAL);
  send_serialised (&liar, 64, 54, SERIAL);
  send_serialised (&liar, 64, 55, SERIAL);
  send_serialised (&liar, 64, G_MAXUINT32, SERIAL);
  send_serialised (&liar, 64, strlen ("GstVideoMeta"), "GstVideoMeta");
  send_serialised (&liar, 64, strlen ("GstAudioMeta"), "GstAudioMeta");
  liar_stop (&liar);
  liar_check_dropped (&liar, "serialised", 10);
  pipeline_free (liar.consumer);
}
GST_END_TEST;
#endif

static Suite *
metas_suite (void)
{
  Suite *suite = suite_create ("metas-cross");
  TCase *tcase = tcase_create ("metas");
  static const gchar *no_tags[] = { NULL };

  gst_meta_register_custom (CUSTOM, no_tags, NULL, NULL, NULL);
  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, every_kind_arrives_with_every_field);
  tcase_add_test (tcase, audio_arrives_with_every_field);
#ifdef HAVE_GST_ANALYTICS
  tcase_add_test (tcase, analytics_arrive_with_every_field);
#endif
#if GST_CHECK_VERSION(1, 24, 0)
  tcase_add_test (tcase, what_serialises_itself_arrives);
  tcase_add_test (tcase, impossible_serialised_ones_cost_no_frame);
#endif
  tcase_add_test (tcase, many_regions_arrive);
  tcase_add_test (tcase, what_is_too_large_is_left_out);
  tcase_add_test (tcase, metas_survive_a_relay);
  tcase_add_test (tcase, what_cannot_travel_is_counted);
  tcase_add_test (tcase, a_rejected_layout_is_counted);
  tcase_add_test (tcase, records_of_nonsense_cost_no_frame);
  tcase_add_test (tcase, records_that_are_none_cost_no_frame);
  tcase_add_test (tcase, deep_structures_cost_no_frame);
  tcase_add_test (tcase, impossible_regions_cost_no_frame);
  tcase_add_test (tcase, impossible_customs_cost_no_frame);
  tcase_add_test (tcase, impossible_time_codes_cost_no_frame);
  tcase_add_test (tcase, impossible_small_ones_cost_no_frame);
  tcase_add_test (tcase, impossible_audio_costs_no_frame);
  return suite;
}

int
main (int argc, char **argv)
{
  int status;

#if GST_CHECK_VERSION(1, 24, 0)
  gst_init (NULL, NULL);
  register_serial ();
#endif
  status = pipeline_main (argc, argv);
  if (status >= 0)
    return status;
  gst_check_init (&argc, &argv);
  return gst_check_run_suite (metas_suite (), "metas-cross", __FILE__);
}
