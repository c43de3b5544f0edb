/* SPDX-License-Identifier: MIT */
/* A peer's bytes about metas: whatever they are, reading them ends, stays inside
 * of them, and what it gives can be used like any meta. The bytes are good ones
 * with a few changes; the seed of a failure is in the log, and XMEM_SEED
 * repeats it. */
#ifdef HAVE_GST_ANALYTICS
#include <gst/analytics/analytics.h>
#endif
#include <gst/audio/audio.h>
#include <gst/check/gstcheck.h>
#include <gst/video/video.h>
#include <stdlib.h>
#include <string.h>

#include <xmem/frame.h>

#include "describe-metas.h"
#include "metas.h"
#include "text.h"

#define N_MUTATIONS 30000
#define BUFFER_SIZE 2000

/* --- good ones ----------------------------------------------------------- */

static void
add_rois (GstBuffer *buffer)
{
  for (gint i = 0; i < 3; i++) {
    GstVideoRegionOfInterestMeta *roi =
        gst_buffer_add_video_region_of_interest_meta (
            buffer, "hostile", 1, 2, 3, 4);

    roi->id = i;
    for (gint k = 0; k < i; k++)
      gst_video_region_of_interest_meta_add_param (
          roi, gst_structure_from_string ("param, i=(int)1, d=(double)0.5, "
                                          "l=(int){1,2,{3}}, r=[1,5], "
                                          "s=(structure)\"in,a=1;\", f=1/2",
                   NULL));
  }
}

static void
add_others (GstBuffer *buffer)
{
  static const gchar *no_tags[] = { NULL };
  static const guint8 bytes[] = { 1, 2, 3, 4, 5 };
  g_autoptr (GDateTime) jam = g_date_time_new_utc (2024, 2, 29, 12, 0, 0.5);
  g_autoptr (GstCaps) caps = gst_caps_from_string ("timestamp/x-unix, a=1");

  gst_buffer_add_video_time_code_meta_full (
      buffer, 25, 1, jam, GST_VIDEO_TIME_CODE_FLAGS_NONE, 1, 2, 3, 4, 0);
  gst_buffer_add_video_caption_meta (
      buffer, GST_VIDEO_CAPTION_TYPE_CEA708_RAW, bytes, sizeof (bytes));
  gst_buffer_add_video_afd_meta (
      buffer, 0, GST_VIDEO_AFD_SPEC_ATSC_A53, GST_VIDEO_AFD_16_9_TOP_ALIGNED);
  gst_buffer_add_video_bar_meta (buffer, 0, TRUE, 11, 22);
  gst_buffer_add_audio_clipping_meta (buffer, GST_FORMAT_TIME, 1, 2);
  gst_buffer_add_reference_timestamp_meta (buffer, caps, 1, 2);
  if (!gst_meta_get_info ("XmemHostileMeta"))
    gst_meta_register_custom ("XmemHostileMeta", no_tags, NULL, NULL, NULL);
  gst_structure_set (gst_custom_meta_get_structure (gst_buffer_add_custom_meta (
                         buffer, "XmemHostileMeta")),
      "a", G_TYPE_INT, 1, NULL);
}

#ifdef HAVE_GST_ANALYTICS
#define N_GOOD 13

static void
add_analytics (GstBuffer *buffer)
{
  GstAnalyticsRelationMeta *meta =
      gst_buffer_add_analytics_relation_meta (buffer);
  GQuark name = g_quark_from_static_string ("hostile");
  GstAnalyticsMtd object, class, track, segmentation;
  GstBuffer *mask = gst_buffer_new_memdup ("\0\1\2\3", 4);
  guint regions[] = { 5, 6 };

  gst_buffer_add_video_meta (
      mask, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_GRAY8, 4, 1);
  gst_analytics_relation_meta_add_segmentation_mtd (meta, mask,
      GST_SEGMENTATION_TYPE_INSTANCE, 2, regions, 1, 2, 3, 4, &segmentation);
  gst_analytics_relation_meta_add_oriented_od_mtd (
      meta, name, 1, 2, 3, 4, 0.5, 0.875, &object);
  gst_analytics_relation_meta_add_one_cls_mtd (meta, 0.5, name, &class);
  gst_analytics_relation_meta_add_tracking_mtd (meta, 1, 2, &track);
  gst_analytics_relation_meta_set_relation (
      meta, GST_ANALYTICS_REL_TYPE_RELATE_TO, object.id, class.id);
  gst_analytics_relation_meta_set_relation (
      meta, GST_ANALYTICS_REL_TYPE_RELATE_TO, object.id, track.id);
}
#else
#define N_GOOD 12

static void
add_analytics (GstBuffer *buffer)
{
}
#endif

static GstBuffer *
new_good (const GstAudioInfo *audio)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, BUFFER_SIZE, NULL);
  gsize offsets[] = { 1000, 0 };
  GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta (buffer);

  crop->width = crop->height = 8;
  gst_buffer_memset (buffer, 0, 0, BUFFER_SIZE);
  add_rois (buffer);
  add_others (buffer);
  add_analytics (buffer);
  gst_buffer_add_audio_meta (buffer, audio, 250, offsets);
  return buffer;
}

/* --- one that reads ------------------------------------------------------ */

/* As elements use metas: look at them, copy them, scale them, map planes. */
static void
use (GstBuffer *buffer, const GstAudioInfo *audio)
{
  g_autoptr (GstBuffer) copy = gst_buffer_copy_deep (buffer);
  g_autoptr (GPtrArray) lines = describe_metas (buffer);
  g_autoptr (GPtrArray) copied = describe_metas (copy);
  GstAudioBuffer mapped;

  fail_unless (copied->len <= lines->len); /* an empty relation is not copied */
  if (!gst_buffer_get_audio_meta (buffer))
    return;
  fail_unless (gst_audio_buffer_map (&mapped, audio, buffer, GST_MAP_READ));
  for (gint i = 0; i < audio->channels; i++) {
    const guint8 *plane = mapped.planes[i];
    guint sum = 0;

    for (gsize k = 0; k < mapped.n_samples * 4; k++)
      sum += plane[k];
    fail_unless_equals_int (sum, 0);
  }
  gst_audio_buffer_unmap (&mapped);
}

static guint
read_and_use (const guint8 *bytes, gsize size, const GstVideoInfo *video,
    const GstAudioInfo *audio)
{
  g_autoptr (GstBuffer) buffer =
      gst_buffer_new_allocate (NULL, BUFFER_SIZE, NULL);
  /* Exactly as large: AddressSanitizer sees a read past the end. */
  g_autofree guint8 *exact = g_memdup2 (bytes, size);
  GstXmemMetaTarget target = { buffer, video, audio };
  GstXmemTally dropped;
  GstMeta *meta;
  gpointer state = NULL;
  guint n = 0;

  gst_buffer_memset (buffer, 0, 0, BUFFER_SIZE);
  gst_xmem_tally_init (&dropped);
  gst_xmem_metas_read (exact, size, &target, &dropped);
  gst_xmem_tally_clear (&dropped);
  while ((meta = gst_buffer_iterate_meta (buffer, &state)))
    n++;
  use (buffer, audio);
  return n;
}

/* --- mutations ----------------------------------------------------------- */

static guint32
interesting (GRand *rand)
{
  static const guint32 values[] = { 0, 1, 2, 3, 4, 5, 7, 8, 16, 127, 128, 255,
    256, 0x7fff, 0x8000, 0xffff, 0x10000, 0x10002, 0x7fffffff, 0x80000000,
    0xfffffffe, 0xffffffff };

  return values[g_rand_int_range (rand, 0, G_N_ELEMENTS (values))];
}

/* What means something to GStreamer's parsers. */
static guint8
interesting_char (GRand *rand)
{
  static const gchar chars[] = "{}[]<>()\"\\,;=/:|&!*0a \n\xff";

  return (guint8) chars[g_rand_int_range (rand, 0, sizeof (chars))];
}

static void
mutate (GByteArray *bytes, GRand *rand)
{
  guint at = g_rand_int_range (rand, 0, bytes->len);

  switch (g_rand_int_range (rand, 0, 6)) {
    case 0:
      bytes->data[at] ^= 1 << g_rand_int_range (rand, 0, 8);
      break;
    case 1:
      if (bytes->len >= 4)
        GST_WRITE_UINT32_LE (
            bytes->data + at % (bytes->len / 4) * 4, interesting (rand));
      break;
    case 2:
      bytes->data[at] = (guint8) g_rand_int (rand);
      break;
    case 3:
      bytes->data[at] = interesting_char (rand);
      break;
    case 4:
      g_byte_array_set_size (bytes, at + 1);
      break;
    default: /* a piece again, elsewhere */
      memmove (bytes->data + at, bytes->data + bytes->len - at - 1,
          MIN (at, bytes->len - at) / 2);
      break;
  }
}

/* GStreamer's parser of structures warns of many a value that makes no sense,
 * and goes on. All else fails the test. */
static void
on_warning (const gchar *domain, GLogLevelFlags level, const gchar *message,
    gpointer data)
{
  if (!g_str_has_prefix (message, "gst_structure_")
      && !g_str_has_prefix (message, "gst_value_")
      && !g_str_has_prefix (message, "Invalid caps feature"))
    fail ("%s", message);
}

static guint32
choose_seed (void)
{
  const gchar *given = g_getenv ("XMEM_SEED");
  guint32 seed = given ? (guint32) strtoul (given, NULL, 0) : 20240229;

  g_print ("XMEM_SEED=%u\n", seed);
  return seed;
}

static void
set_infos (GstVideoInfo *video, GstAudioInfo *audio)
{
  gst_video_info_set_format (video, GST_VIDEO_FORMAT_GRAY8, 40, 50);
  gst_audio_info_set_format (audio, GST_AUDIO_FORMAT_F32, 48000, 2, NULL);
  audio->layout = GST_AUDIO_LAYOUT_NON_INTERLEAVED;
}

GST_START_TEST (what_is_read_can_be_used)
{
  GRand *rand = g_rand_new_with_seed (choose_seed ());
  guint n_all, n_read = 0;
  g_autoptr (GstBuffer) good = NULL;
  GstXmemTally dropped;
  GstVideoInfo video;
  GstAudioInfo audio;
  GstByteWriter w;

  g_log_set_handler ("GStreamer", G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING,
      on_warning, NULL);
  set_infos (&video, &audio);
  good = new_good (&audio);
  gst_byte_writer_init (&w);
  gst_xmem_tally_init (&dropped);
  gst_xmem_metas_write (&w, good, &dropped);
  n_all = read_and_use (
      w.parent.data, gst_byte_writer_get_pos (&w), &video, &audio);
  fail_unless_equals_int (n_all, N_GOOD);
  for (guint i = 0; i < N_MUTATIONS; i++) {
    g_autoptr (GByteArray) bytes = g_byte_array_new ();

    g_byte_array_append (bytes, w.parent.data, gst_byte_writer_get_pos (&w));
    for (gint k = g_rand_int_range (rand, 1, 8); k > 0; k--)
      mutate (bytes, rand);
    n_read += read_and_use (bytes->data, bytes->len, &video, &audio);
  }
  /* Some must pass, and some must not. */
  fail_unless (n_read > N_MUTATIONS && n_read < N_MUTATIONS * n_all);
  gst_xmem_tally_clear (&dropped);
  gst_byte_writer_reset (&w);
  g_rand_free (rand);
}
GST_END_TEST;

/* As many records as fit: what they become in memory is bounded. */
GST_START_TEST (the_number_of_metas_is_bounded)
{
  const guint32 record[] = { GUINT32_TO_LE (0x10007), GUINT32_TO_LE (16), 0, 0,
    0, 0 };
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  GstVideoInfo video;
  GstAudioInfo audio;

  while (bytes->len < XMEM_MAX_METAS)
    g_byte_array_append (bytes, (const guint8 *) record, sizeof (record));
  set_infos (&video, &audio);
  fail_unless_equals_int (
      read_and_use (bytes->data, bytes->len, &video, &audio), 8192);
}
GST_END_TEST;

/* --- depth --------------------------------------------------------------- */

GST_START_TEST (text_is_read_down_to_a_depth)
{
  static const struct {
    const gchar *text;
    gboolean good;
  } cases[] = {
    { "a, x=(int){ 1, 2 };", TRUE },
    { "a, x=\"{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{\";", TRUE },
    { "a, x=\"\\\"{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{\";", TRUE },
    { "a, x=\"\", y={{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{1"
      "}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}};",
        FALSE },
    { "a, x=\"}}}}}}\", y={{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{1"
      "}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}};",
        FALSE },
    { "a, y={{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{1"
      "}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}};",
        TRUE },
    { "", FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    GstStructure *structure = gst_xmem_text_to_structure (cases[i].text);

    fail_unless ((structure != NULL) == cases[i].good, "%s", cases[i].text);
    g_clear_pointer (&structure, gst_structure_free);
  }
}
GST_END_TEST;

/* --- counting ------------------------------------------------------------ */

GST_START_TEST (names_are_bounded_and_tame)
{
  g_autoptr (GstStructure) counts = NULL;
  g_autofree gchar *text = NULL;
  GstXmemTally tally;
  guint64 n;

  gst_xmem_tally_init (&tally);
  gst_xmem_tally_add (&tally, "odd name; with=\"everything\xff");
  for (guint i = 0; i < 1000; i++) {
    g_autofree gchar *name = g_strdup_printf ("name-%u", i);

    gst_xmem_tally_add (&tally, name);
    gst_xmem_tally_add (&tally, "again");
  }
  counts = gst_xmem_tally_get (&tally, "names");
  gst_xmem_tally_clear (&tally);
  fail_unless (gst_structure_has_name (counts, "names"));
  fail_unless (gst_structure_get_uint64 (counts, "again", &n) && n == 1000);
  fail_unless (
      gst_structure_get_uint64 (counts, "odd_name__with__everything_", &n));
  fail_unless (gst_structure_get_uint64 (counts, "others", &n));
  fail_unless_equals_int (gst_structure_n_fields (counts), 65);
  fail_unless_equals_uint64 (n, 1000 - 62);
}
GST_END_TEST;

static Suite *
metas_suite (void)
{
  Suite *suite = suite_create ("hostile-metas");
  TCase *tcase = tcase_create ("metas");

  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, what_is_read_can_be_used);
  tcase_add_test (tcase, the_number_of_metas_is_bounded);
  tcase_add_test (tcase, text_is_read_down_to_a_depth);
  tcase_add_test (tcase, names_are_bounded_and_tame);
  return suite;
}

int
main (int argc, char **argv)
{
  gst_check_init (&argc, &argv);
  return gst_check_run_suite (metas_suite (), "hostile-metas", __FILE__);
}
