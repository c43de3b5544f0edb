/* SPDX-License-Identifier: MIT */
/* The main job, shown and checked: one process decodes a clip and publishes
 * it, two others receive every frame, and what they receive is compared with
 * a direct decode.
 *
 *   quickstart FOLDER [FILE]
 *
 * starts itself four times:
 *   decode FILE LIST          a direct decode: one line of MD5 per frame
 *   consume SOCKET LIST PNG   xmemsrc ! appsink: the same from shared memory
 *   produce FILE SOCKET       decodebin ! xmemsink, in real time
 * and prints a table. The children report on stdout: "at N" now and then,
 * "KEY VALUE" at the end. It ends with 0 only if every frame arrived at both
 * consumers, byte for byte, without a copy.
 *
 * Threads: GLib's main loop reads the children; each child pulls its frames
 * in its main thread. */
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <gst/app/gstappsink.h>
#include <gst/video/video.h>
#include <string.h>
#include <unistd.h>

#define N_CONSUMERS 2
#define PICTURE 30 /* the frame that is saved */
#define POLL_TIME (100 * GST_MSECOND)

/* --- in the children ----------------------------------------------------- */

static void
say (const gchar *key, guint64 value)
{
  g_print ("%s %" G_GUINT64_FORMAT "\n", key, value);
}

/* A line with the MD5 of the bytes that a viewer sees: rows without padding. */
static void
write_digest (GstSample *sample, FILE *file)
{
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_MD5);
  GstVideoFrame frame;
  GstVideoInfo info;
  gint comp[GST_VIDEO_MAX_COMPONENTS];

  if (!gst_video_info_from_caps (&info, gst_sample_get_caps (sample))
      || !gst_video_frame_map (
          &frame, &info, gst_sample_get_buffer (sample), GST_MAP_READ)) {
    fprintf (file, "unreadable\n");
    return;
  }
  for (guint p = 0; p < GST_VIDEO_FRAME_N_PLANES (&frame); p++) {
    gst_video_format_info_component (info.finfo, p, comp);
    for (gint y = 0; y < GST_VIDEO_FRAME_COMP_HEIGHT (&frame, comp[0]); y++)
      g_checksum_update (checksum,
          (guint8 *) GST_VIDEO_FRAME_PLANE_DATA (&frame, p)
              + y * GST_VIDEO_FRAME_PLANE_STRIDE (&frame, p),
          GST_VIDEO_FRAME_COMP_WIDTH (&frame, comp[0])
              * GST_VIDEO_FRAME_COMP_PSTRIDE (&frame, comp[0]));
  }
  gst_video_frame_unmap (&frame);
  fprintf (file, "%s\n", g_checksum_get_string (checksum));
}

/* A sample of its own: it holds no frame of the producer's. */
static GstSample *
copy_sample (GstSample *sample)
{
  g_autoptr (GstBuffer) buffer =
      gst_buffer_copy_deep (gst_sample_get_buffer (sample));

  return gst_sample_new (buffer, gst_sample_get_caps (sample), NULL, NULL);
}

static void
save_png (GstSample *sample, const gchar *path)
{
  g_autoptr (GstCaps) caps = gst_caps_new_empty_simple ("image/png");
  g_autoptr (GstSample) png =
      gst_video_convert_sample (sample, caps, GST_CLOCK_TIME_NONE, NULL);
  GstMapInfo map;

  if (!png || !gst_buffer_map (gst_sample_get_buffer (png), &map, GST_MAP_READ))
    return;
  g_file_set_contents (path, (gchar *) map.data, map.size, NULL);
  gst_buffer_unmap (gst_sample_get_buffer (png), &map);
}

/* An appsink says by this that it reads GstVideoMeta, so that nobody has to
 * repack padded frames for it. */
static GstPadProbeReturn
answer_allocation (GstPad *pad, GstPadProbeInfo *info, gpointer unused)
{
  GstQuery *query = GST_PAD_PROBE_INFO_QUERY (info);

  if (GST_QUERY_TYPE (query) != GST_QUERY_ALLOCATION)
    return GST_PAD_PROBE_OK;
  gst_query_add_allocation_meta (query, GST_VIDEO_META_API_TYPE, NULL);
  return GST_PAD_PROBE_HANDLED;
}

/* Waits for the end of the stream. Returns 0 then, 1 after an error, -1 when
 * there was neither in time. */
static int
wait_for_end (GstElement *pipeline, GstClockTime timeout)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) message = gst_bus_timed_pop_filtered (
      bus, timeout, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  g_autoptr (GError) error = NULL;

  if (!message)
    return -1;
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS)
    return 0;
  gst_message_parse_error (message, &error, NULL);
  g_printerr ("\n%s: %s\n", GST_OBJECT_NAME (message->src), error->message);
  return 1;
}

static void
say_stats (GstElement *pipeline, const gchar *name, const gchar *const *keys)
{
  g_autoptr (GstElement) element =
      gst_bin_get_by_name (GST_BIN (pipeline), name);
  g_autoptr (GstStructure) stats = NULL;
  guint64 value;

  if (!element)
    return;
  g_object_get (element, "stats", &stats, NULL);
  for (; *keys; keys++)
    if (gst_structure_get_uint64 (stats, *keys, &value))
      say (*keys, value);
}

static GstElement *
launch (const gchar *description)
{
  g_autoptr (GError) error = NULL;
  GstElement *pipeline = gst_parse_launch (description, &error);

  if (error)
    g_error ("%s: %s", description, error->message);
  return pipeline;
}

/* Runs a pipeline that ends in an appsink and writes a line per frame. */
static int
digest (const gchar *description, const gchar *list, const gchar *png)
{
  const gchar *const keys[] = { "frames-received", "frames-lost",
    "frames-copied", "frames-repacked", "latency-p50", "latency-p99", NULL };
  g_autoptr (GstElement) pipeline = launch (description);
  g_autoptr (GstElement) out = gst_bin_get_by_name (GST_BIN (pipeline), "out");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (out, "sink");
  g_autoptr (GstSample) picture = NULL;
  FILE *file = g_fopen (list, "w");
  GstSample *sample;
  guint64 n = 0;
  int status = file ? -1 : 1;

  gst_pad_add_probe (
      pad, GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM, answer_allocation, NULL, NULL);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  while (status < 0) {
    sample = gst_app_sink_try_pull_sample (GST_APP_SINK (out), POLL_TIME);
    if (!sample) {
      status = wait_for_end (pipeline, 0);
      continue;
    }
    write_digest (sample, file);
    if (++n == PICTURE && png)
      picture = copy_sample (sample);
    if (n % 10 == 0)
      say ("at", n);
    gst_sample_unref (sample);
  }
  say ("at", n);
  say_stats (pipeline, "in", keys);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  if (picture)
    save_png (picture, png);
  if (file)
    fclose (file);
  return status;
}

static int
decode (const gchar *path, const gchar *list)
{
  g_autofree gchar *description =
      g_strdup_printf ("filesrc location=\"%s\" ! decodebin ! video/x-raw "
                       "! appsink name=out sync=false max-buffers=2",
          path);

  return digest (description, list, NULL);
}

static int
consume (const gchar *address, const gchar *list, const gchar *png)
{
  g_autofree gchar *description = g_strdup_printf (
      "xmemsrc name=in socket-path=\"%s\" delivery=every is-live=false "
      "connection-timeout=30 ! appsink name=out sync=false max-buffers=1",
      address);

  return digest (description, list, png);
}

static int
produce (const gchar *path, const gchar *address)
{
  const gchar *const keys[] = { "frames-published", "frames-copied",
    "frames-zero-copy", NULL };
  g_autofree gchar *description = g_strdup_printf (
      "filesrc location=\"%s\" ! decodebin ! video/x-raw "
      "! xmemsink name=sink socket-path=\"%s\" wait-for-connection=true "
      "min-clients=%d",
      path, address, N_CONSUMERS);
  g_autoptr (GstElement) pipeline = launch (description);
  int status;

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  status = wait_for_end (pipeline, GST_CLOCK_TIME_NONE);
  say_stats (pipeline, "sink", keys);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return status;
}

/* --- the parent ---------------------------------------------------------- */

#define MAX_CHILDREN (1 + N_CONSUMERS)

typedef struct _Run Run;

typedef struct {
  Run *run;
  GSubprocess *process;
  GDataInputStream *output;
  GHashTable *values; /* what it said: key to value, as texts */
} Child;

/* Children that run side by side. */
struct _Run {
  GMainLoop *loop;
  Child children[MAX_CHILDREN];
  guint n_children;
  guint n_running;
  gboolean good;
};

static guint64
child_value (const Child *child, const gchar *key)
{
  const gchar *text = g_hash_table_lookup (child->values, key);

  return text ? g_ascii_strtoull (text, NULL, 10) : 0;
}

/* One that failed takes the others with it: they would wait for it. */
static void
child_ended (Child *child)
{
  Run *run = child->run;

  if (!g_subprocess_wait_check (child->process, NULL, NULL) && run->good) {
    run->good = FALSE;
    for (guint i = 0; i < run->n_children; i++)
      g_subprocess_force_exit (run->children[i].process);
  }
  if (--run->n_running == 0)
    g_main_loop_quit (run->loop);
}

static void
child_said (GObject *source, GAsyncResult *result, gpointer data)
{
  Child *child = data;
  g_autofree gchar *line = g_data_input_stream_read_line_finish (
      G_DATA_INPUT_STREAM (source), result, NULL, NULL);
  gchar *space = line ? strchr (line, ' ') : NULL;

  if (!line) {
    child_ended (child);
    return;
  }
  if (space)
    g_hash_table_insert (
        child->values, g_strndup (line, space - line), g_strdup (space + 1));
  g_data_input_stream_read_line_async (
      child->output, G_PRIORITY_DEFAULT, NULL, child_said, child);
}

static void
start (
    Run *run, const gchar *mode, const gchar *a, const gchar *b, const gchar *c)
{
  Child *child = &run->children[run->n_children++];
  g_autofree gchar *self = g_file_read_link ("/proc/self/exe", NULL);
  g_autoptr (GError) error = NULL;

  child->run = run;
  child->process = g_subprocess_new (
      G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error, self, mode, a, b, c, NULL);
  if (!child->process)
    g_error ("cannot start %s: %s", self, error->message);
  child->output =
      g_data_input_stream_new (g_subprocess_get_stdout_pipe (child->process));
  child->values =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  run->n_running++;
  g_data_input_stream_read_line_async (
      child->output, G_PRIORITY_DEFAULT, NULL, child_said, child);
}

/* Runs the loop until all children have ended. Returns whether all did well. */
static gboolean
finish (Run *run)
{
  g_main_loop_run (run->loop);
  return run->good;
}

static void
run_init (Run *run)
{
  memset (run, 0, sizeof (*run));
  run->loop = g_main_loop_new (NULL, FALSE);
  run->good = TRUE;
}

static void
run_clear (Run *run)
{
  for (guint i = 0; i < run->n_children; i++) {
    g_clear_object (&run->children[i].output);
    g_clear_object (&run->children[i].process);
    g_hash_table_unref (run->children[i].values);
  }
  g_main_loop_unref (run->loop);
}

static gboolean
show_progress (gpointer data)
{
  const Run *run = data;

  g_print ("\r   received:");
  for (guint i = 0; i < N_CONSUMERS; i++)
    g_print ("  consumer %u %6" G_GUINT64_FORMAT, i + 1,
        child_value (&run->children[i], "at"));
  return G_SOURCE_CONTINUE;
}

/* Encodes a clip, for when no file is given. */
static gchar *
make_clip (const gchar *folder)
{
  g_autofree gchar *path = g_build_filename (folder, "clip.mp4", NULL);
  g_autofree gchar *description = g_strdup_printf (
      "videotestsrc num-buffers=300 pattern=ball ! "
      "video/x-raw,format=I420,width=1280,height=720,framerate=60/1 ! "
      "x264enc speed-preset=veryfast ! mp4mux ! "
      "filesink location=\"%s\"",
      path);
  g_autoptr (GstElement) pipeline = launch (description);

  g_print ("== encoding a clip: 300 frames of 1280x720, H.264\n");
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  if (wait_for_end (pipeline, GST_CLOCK_TIME_NONE) != 0)
    path = (g_free (path), NULL);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return g_steal_pointer (&path);
}

static gboolean
same_frames (const gchar *list_a, const gchar *list_b)
{
  g_autofree gchar *a = NULL, *b = NULL;

  return g_file_get_contents (list_a, &a, NULL, NULL)
         && g_file_get_contents (list_b, &b, NULL, NULL) && *a
         && g_str_equal (a, b);
}

static gboolean
print_consumer (guint i, const Child *child, guint64 sent, gboolean same)
{
  guint64 received = child_value (child, "at");
  guint64 copies = child_value (child, "frames-copied")
                   + child_value (child, "frames-repacked");

  g_print ("consumer %u %10" G_GUINT64_FORMAT " %6" G_GUINT64_FORMAT
           " %8" G_GUINT64_FORMAT " %11.1f us %11.1f us   %s\n",
      i + 1, received, sent - received, copies,
      child_value (child, "latency-p50") / 1e3,
      child_value (child, "latency-p99") / 1e3,
      same ? "equal to a direct decode" : "DIFFERENT");
  return same && received == sent && copies == 0;
}

static gboolean
print_table (const Run *run, gchar lists[][256], const gchar *direct)
{
  const Child *producer = &run->children[N_CONSUMERS];
  guint64 sent = child_value (producer, "frames-published");
  guint64 copies = child_value (producer, "frames-copied");
  gboolean good = sent > 0 && copies == 0;

  g_print ("\n\n               frames   lost   copies    latency p50    "
           "latency p99   bytes\n");
  g_print ("producer   %10" G_GUINT64_FORMAT "      - %8" G_GUINT64_FORMAT
           "              -              -   -\n",
      sent, copies);
  for (guint i = 0; i < N_CONSUMERS; i++)
    good &= print_consumer (
        i, &run->children[i], sent, same_frames (lists[i], direct));
  return good;
}

static gboolean
decode_directly (const gchar *path, const gchar *list)
{
  Run run;
  gboolean good;

  g_print ("== decoding directly, for comparison\n");
  run_init (&run);
  start (&run, "decode", path, list, NULL);
  good = finish (&run);
  run_clear (&run);
  return good;
}

static gboolean
run_all (const gchar *folder, const gchar *path)
{
  g_autofree gchar *direct = g_build_filename (folder, "direct.md5", NULL);
  g_autofree gchar *png = g_build_filename (folder, "frame.png", NULL);
  gchar address[64], lists[N_CONSUMERS][256];
  gboolean good;
  Run run;

  if (!decode_directly (path, direct))
    return FALSE;
  g_print ("== one producer and %d consumers, in processes of their own\n",
      N_CONSUMERS);
  g_unlink (png);
  run_init (&run);
  g_snprintf (address, sizeof (address), "quickstart-%d", (int) getpid ());
  for (guint i = 0; i < N_CONSUMERS; i++) {
    g_snprintf (
        lists[i], sizeof (lists[i]), "%s/consumer-%u.md5", folder, i + 1);
    start (&run, "consume", address, lists[i], i == 0 ? png : "");
  }
  start (&run, "produce", path, address, NULL);
  g_timeout_add (200, show_progress, &run);
  good = finish (&run);
  show_progress (&run);
  good &= print_table (&run, lists, direct);
  run_clear (&run);
  if (g_file_test (png, G_FILE_TEST_EXISTS))
    g_print ("\nframe %d as consumer 1 received it: %s", PICTURE, png);
  g_print ("\n%s\n", good ? "All frames arrived, unchanged and uncopied."
                          : "Something is wrong, see above.");
  return good;
}

int
main (int argc, char **argv)
{
  const gchar *mode = argc > 1 ? argv[1] : "";
  g_autofree gchar *clip = NULL;

  gst_init (&argc, &argv);
  if (g_str_equal (mode, "decode") && argc == 4)
    return decode (argv[2], argv[3]);
  if (g_str_equal (mode, "consume") && argc == 5)
    return consume (argv[2], argv[3], argv[4][0] ? argv[4] : NULL);
  if (g_str_equal (mode, "produce") && argc == 4)
    return produce (argv[2], argv[3]);
  if (argc != 2 && argc != 3) {
    g_printerr ("usage: quickstart FOLDER [FILE]\n");
    return 2;
  }
  clip = argc == 3 ? g_strdup (argv[2]) : make_clip (argv[1]);
  if (!clip || !g_file_test (clip, G_FILE_TEST_IS_REGULAR)) {
    g_printerr ("%s is no file\n", clip ? clip : "the clip");
    return 1;
  }
  return run_all (argv[1], clip) ? 0 : 1;
}
