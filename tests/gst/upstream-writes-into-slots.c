/* SPDX-License-Identifier: MIT */
/* Zero copy is real: what upstream elements write, they write into the memory
 * that consumers in other processes read.
 *
 * libav's decoders read their pictures again to predict later ones. There this
 * program puts itself between the GStreamer element and the codec's library,
 * and compares the picture's address as the library gives it with that of the
 * slot: a decoder that decodes elsewhere and copies into our memory would look
 * the same from outside.
 *
 * gst-libav (1.22) itself copies what its library decoded before the element
 * had negotiated, that is, as many pictures as went in before the first one
 * came out; and every picture whose width is not that of whole macroblocks,
 * because it then never uses a pool of downstream's. Neither can be helped
 * from downstream, nor seen there.
 *
 * The others write their output once, by their own design, and there it is
 * enough that this output lies in a slot: videotestsrc, videoconvert,
 * videoscale and jpegdec compute it there; vp8dec and theoradec copy it there
 * from the reference frames that their libraries keep to themselves. */
#include <dlfcn.h>
#include <gst/check/gstcheck.h>
#include <gst/video/video.h>
#include <link.h>
#include <string.h>

#include "gstxmem.h"
#include "here.h"
#include "pipeline.h"

#define N_FRAMES 60

/* --- between the elements and their libraries ---------------------------- */

static struct {
  GMutex lock;
  GPtrArray *planes; /* address of plane 0 of each picture that came out */
  guint n_packets; /* that went in before the first of them */
} decoded;

struct library {
  const char *part; /* of its file's name */
  char path[PATH_MAX];
};

static int
match_library (struct dl_phdr_info *info, size_t size, void *data)
{
  struct library *library = data;

  if (!strstr (info->dlpi_name, library->part))
    return 0;
  g_strlcpy (library->path, info->dlpi_name, sizeof (library->path));
  return 1;
}

/* Plugins load their libraries out of sight of RTLD_NEXT. */
static gpointer
real_function (const char *part, const char *name)
{
  struct library library = { .part = part };
  void *handle;

  g_assert_true (dl_iterate_phdr (match_library, &library) == 1);
  handle = dlopen (library.path, RTLD_LAZY | RTLD_NOLOAD);
  g_assert_nonnull (handle);
  return dlsym (handle, name);
}

int avcodec_send_packet (gpointer context, gpointer packet);

int
avcodec_send_packet (gpointer context, gpointer packet)
{
  static gsize real;

  if (g_once_init_enter (&real))
    g_once_init_leave (
        &real, (gsize) real_function ("/libavcodec.so", "avcodec_send_packet"));
  g_mutex_lock (&decoded.lock);
  if (decoded.planes && decoded.planes->len == 0)
    decoded.n_packets++;
  g_mutex_unlock (&decoded.lock);
  return ((int (*) (gpointer, gpointer)) real) (context, packet);
}

/* An AVFrame starts with the addresses of its planes. */
int avcodec_receive_frame (gpointer context, gpointer *frame);

int
avcodec_receive_frame (gpointer context, gpointer *frame)
{
  static gsize real;
  int r;

  if (g_once_init_enter (&real))
    g_once_init_leave (&real,
        (gsize) real_function ("/libavcodec.so", "avcodec_receive_frame"));
  r = ((int (*) (gpointer, gpointer *)) real) (context, frame);
  g_mutex_lock (&decoded.lock);
  if (r == 0 && decoded.planes)
    g_ptr_array_add (decoded.planes, frame[0]);
  g_mutex_unlock (&decoded.lock);
  return r;
}

/* --- what leaves the writer ---------------------------------------------- */

typedef struct {
  GstAllocator *allocator; /* the sink's */
  GstElement *pipeline;
  const gchar *pad;
  GArray *ids;
  guint n_elsewhere; /* buffers whose plane 0 is not where the library had it */
} Written;

static gpointer
plane_0 (Written *written, GstBuffer *buffer)
{
  g_auto (GStrv) names = g_strsplit (written->pad, ".", 2);
  g_autoptr (GstElement) element =
      gst_bin_get_by_name (GST_BIN (written->pipeline), names[0]);
  g_autoptr (GstPad) pad = gst_element_get_static_pad (element, names[1]);
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);
  GstVideoInfo info;
  GstVideoFrame frame;
  gpointer data;

  fail_unless (gst_video_info_from_caps (&info, caps));
  fail_unless (gst_video_frame_map (&frame, &info, buffer, GST_MAP_READ));
  data = GST_VIDEO_FRAME_PLANE_DATA (&frame, 0);
  gst_video_frame_unmap (&frame);
  return data;
}

/* The slot's own account of where it lies. */
static void
check_slot (Written *written, GstMemory *memory, guint8 *address)
{
  struct xmem_pool *pool =
      gst_xmem_allocator_get_pool (GST_XMEM_ALLOCATOR (written->allocator));
  struct xmem_buffer *slot;
  guint8 *start;

  fail_unless_equals_int (xmem_pool_get (pool, gst_xmem_memory_get_id (memory),
                              XMEM_WRITE, &slot, NULL),
      XMEM_OK);
  start = xmem_buffer_get_mut_data (slot);
  fail_unless (
      address >= start && address < start + xmem_buffer_get_size (slot));
  xmem_buffer_unref (slot);
}

static void
on_written (GstBuffer *buffer, gpointer data)
{
  Written *written = data;
  GstMemory *memory = gst_buffer_peek_memory (buffer, 0);
  gpointer address = plane_0 (written, buffer);
  guint64 id;

  fail_unless_equals_int (gst_buffer_n_memory (buffer), 1);
  fail_unless (memory->allocator == written->allocator,
      "memory of %s, not of the sink's pool", memory->allocator->mem_type);
  check_slot (written, memory, address);
  id = gst_xmem_memory_get_id (memory);
  g_array_append_val (written->ids, id);
  g_mutex_lock (&decoded.lock);
  /* A copy on the way out of the element would not come from the pool; libav's
   * pictures never do, since others are still predicted from them. */
  fail_unless (decoded.planes || GST_IS_XMEM_BUFFER_POOL (buffer->pool));
  if (decoded.planes
      && (decoded.planes->len < written->ids->len
          || g_ptr_array_index (decoded.planes, written->ids->len - 1)
                 != address))
    written->n_elsewhere++;
  g_mutex_unlock (&decoded.lock);
}

static void
check_same_slots (Written *written, Pipeline *consumer)
{
  GPtrArray *frames = pipeline_get_frames (consumer);

  fail_unless_equals_int (frames->len, N_FRAMES);
  fail_unless_equals_int (written->ids->len, N_FRAMES);
  for (guint i = 0; i < N_FRAMES; i++)
    fail_unless_equals_uint64 (
        ((PipelineFrame *) g_ptr_array_index (frames, i))->id,
        g_array_index (written->ids, guint64, i));
}

/* `writers` ends with the element `w`, whose output is looked at; what stands
 * `between` it and the sink must not change that. Returns how many buffers
 * were not where the library had decoded them. */
static guint
check_writer (const gchar *writers, const gchar *between)
{
  g_autoptr (Pipeline) consumer = pipeline_spawn (
      "xmemsrc name=src socket-path=%s/w delivery=every is-live=false "
      "! fakesink name=out",
      pipeline_dir ());
  Written written = { .pad = "w.src" };

  written.pipeline = here_parse ("%s ! %s xmemsink name=sink sync=false "
                                 "socket-path=%s/w wait-for-connection=true",
      writers, between, pipeline_dir ());
  written.ids = g_array_new (FALSE, FALSE, sizeof (guint64));
  gst_element_set_state (written.pipeline, GST_STATE_READY);
  written.allocator = here_proposed_allocator (written.pipeline, "sink");
  here_watch (written.pipeline, written.pad, on_written, &written);
  here_run_ok (written.pipeline);
  fail_unless_equals_uint64 (
      here_stat (written.pipeline, "sink", "frames-zero-copy"), N_FRAMES);
  fail_unless_equals_uint64 (
      here_stat (written.pipeline, "sink", "frames-copied"), 0);
  pipeline_wait_ok (consumer);
  check_same_slots (&written, consumer);
  here_free (written.pipeline);
  gst_object_unref (written.allocator);
  g_array_unref (written.ids);
  return written.n_elsewhere;
}

static const gchar *const betweens[] = { "", "queue !", "identity ! queue !" };

#define SOURCE "videotestsrc pattern=ball num-buffers=60 ! "
#define SMALL "video/x-raw,width=322,height=242,format=I420 ! "
#define BLOCKS "video/x-raw,width=320,height=242,format=I420 ! "

/* --- elements that write by themselves ----------------------------------- */

static const gchar *const writers[] = {
  "videotestsrc num-buffers=60 name=w ! video/x-raw,width=320,height=240",
  "videotestsrc num-buffers=60 ! video/x-raw,width=322,height=242,format=NV12 "
  "! videoconvert name=w ! video/x-raw,format=I420",
  "videotestsrc num-buffers=60 ! video/x-raw,format=NV12,width=640,height=480 "
  "! videoscale name=w ! video/x-raw,width=322,height=242",
  SOURCE SMALL "jpegenc ! jpegdec name=w",
  SOURCE SMALL "theoraenc ! theoradec name=w",
  SOURCE SMALL "vp8enc deadline=1 ! vp8dec name=w",
};

GST_START_TEST (elements_write_their_output_into_slots)
{
  for (guint i = 0; i < G_N_ELEMENTS (betweens); i++)
    check_writer (writers[__i__], betweens[i]);
}
GST_END_TEST;

/* --- libav ------------------------------ */

/* Pictures that others are predicted from, displayed in another order than
 * they are decoded in. */
#define H264                                                             \
  SOURCE BLOCKS "x264enc bframes=3 b-pyramid=true ref=4 key-int-max=25 " \
                "b-adapt=false ! h264parse ! "

static const gchar *const decoders[] = {
  H264 "avdec_h264 max-threads=1 name=w",
  H264 "avdec_h264 max-threads=4 name=w",
  SOURCE BLOCKS "jpegenc ! jpegparse ! avdec_mjpeg name=w",
  SOURCE BLOCKS "avenc_mpeg4 max-bframes=2 ! avdec_mpeg4 max-threads=4 name=w",
  SOURCE BLOCKS "vp8enc deadline=1 ! avdec_vp8 max-threads=2 name=w",
  SOURCE BLOCKS "vp9enc deadline=1 cpu-used=8 ! avdec_vp9 name=w",
};

static void
decoded_start (void)
{
  decoded.planes = g_ptr_array_new ();
  decoded.n_packets = 0;
}

static void
decoded_stop (void)
{
  fail_unless_equals_int (decoded.planes->len, N_FRAMES);
  g_clear_pointer (&decoded.planes, g_ptr_array_unref);
}

GST_START_TEST (libav_decodes_into_slots)
{
  for (guint i = 0; i < G_N_ELEMENTS (betweens); i++) {
    guint n_elsewhere;

    decoded_start ();
    n_elsewhere = check_writer (decoders[__i__], betweens[i]);
    fail_unless (n_elsewhere <= decoded.n_packets && n_elsewhere < N_FRAMES / 4,
        "%u pictures were not where the library decoded them; %u packets went "
        "in before the first came out",
        n_elsewhere, decoded.n_packets);
    decoded_stop ();
  }
}
GST_END_TEST;

/* The comparison itself can fail: this decoder is made to decode elsewhere. */
GST_START_TEST (a_decoder_that_copies_is_noticed)
{
  decoded_start ();
  fail_unless_equals_int (
      check_writer (H264 "avdec_h264 direct-rendering=false name=w", ""),
      N_FRAMES);
  decoded_stop ();
}
GST_END_TEST;

static Suite *
slots_suite (void)
{
  Suite *suite = suite_create ("upstream-writes-into-slots");
  TCase *tcase = tcase_create ("writers");

  suite_add_tcase (suite, tcase);
  tcase_add_loop_test (
      tcase, elements_write_their_output_into_slots, 0, G_N_ELEMENTS (writers));
  tcase_add_loop_test (
      tcase, libav_decodes_into_slots, 0, G_N_ELEMENTS (decoders));
  tcase_add_test (tcase, a_decoder_that_copies_is_noticed);
  return suite;
}

int
main (int argc, char **argv)
{
  int status = pipeline_main (argc, argv);

  if (status >= 0)
    return status;
  gst_check_init (&argc, &argv);
  return gst_check_run_suite (
      slots_suite (), "upstream-writes-into-slots", __FILE__);
}
