/* SPDX-License-Identifier: MIT */
/* examples/analytics in its three processes: whatever happens to the detector,
 * which is killed three times, the viewer shows every picture of the clip, in
 * order, and no box on another picture than the one that it was found in. The
 * detector and the viewer are the example's own programs, given as arguments;
 * the decoder lets pictures go when it is told to. */
#include <fcntl.h>
#include <gst/app/gstappsink.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../examples/analytics/draw.h"
#include "harness/harness.h"

#define N_DETECTORS 4
#define N_STEPS 20 /* pictures that are shown one by one */
#define N_BURST 20 /* among which the detector is killed */
#define N_ALONE 20 /* without any */
#define DEPTH 8 /* the viewer's */

static const char *detector_program, *viewer_program;

static char *
source (void)
{
  char *clip =
      g_build_filename (g_getenv ("XMEM_MEDIA") ? g_getenv ("XMEM_MEDIA") : "",
          "vtest.avi", NULL);
  char *text;

  if (g_file_test (clip, G_FILE_TEST_EXISTS))
    text = g_strdup_printf ("filesrc location=\"%s\" ! decodebin ", clip);
  else
    text = g_strdup ("videotestsrc pattern=ball num-buffers=500 ! "
                     "video/x-raw,width=384,height=288,framerate=10/1 ");
  g_free (clip);
  return text;
}

static GstElement *
launch (const char *format, const char *address)
{
  g_autofree char *input = source ();
  g_autofree char *line = g_strdup_printf (format, input, address);
  g_autoptr (GError) error = NULL;
  GstElement *pipeline = gst_parse_launch (line, &error);

  g_assert_no_error (error);
  return pipeline;
}

/* --- the decoder, a role ------------------------------------------------- */

static GMutex lock;
static GCond changed;
static guint n_allowed, n_passed;
static GstElement *decoder;

static GstPadProbeReturn
wait_until_allowed (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  g_mutex_lock (&lock);
  while (n_passed >= n_allowed)
    g_cond_wait (&changed, &lock);
  n_passed++;
  g_mutex_unlock (&lock);
  return GST_PAD_PROBE_OK;
}

static void
do_allow (const char *arguments)
{
  g_mutex_lock (&lock);
  n_allowed += (guint) atoi (arguments);
  g_cond_broadcast (&changed);
  g_mutex_unlock (&lock);
  harness_say ("%u", n_allowed);
}

static void
do_passed (const char *arguments)
{
  g_mutex_lock (&lock);
  harness_say ("%u", n_passed);
  g_mutex_unlock (&lock);
}

static void
do_clients (const char *arguments)
{
  g_autoptr (GstElement) sink = gst_bin_get_by_name (GST_BIN (decoder), "sink");
  guint n;

  g_object_get (sink, "num-clients", &n, NULL);
  harness_say ("%u", n);
}

static void
run_decoder (int argc, char **argv)
{
  static const struct harness_command commands[] = { { "allow", do_allow },
    { "passed", do_passed }, { "clients", do_clients } };
  g_autoptr (GstElement) sink = NULL;
  g_autoptr (GstPad) pad = NULL;

  gst_init (NULL, NULL);
  decoder = launch ("%s ! videoconvert ! video/x-raw,format=I420 ! "
                    "xmemsink name=sink socket-path=%s sync=false "
                    "max-buffers=16",
      argv[0]);
  sink = gst_bin_get_by_name (GST_BIN (decoder), "sink");
  pad = gst_element_get_static_pad (sink, "sink");
  gst_pad_add_probe (
      pad, GST_PAD_PROBE_TYPE_BUFFER, wait_until_allowed, NULL, NULL);
  gst_element_set_state (decoder, GST_STATE_PLAYING);
  harness_obey (commands, G_N_ELEMENTS (commands));
  _exit (0); /* pictures may wait for ever */
}

/* --- other programs, a role ---------------------------------------------- */

static void
run_program (int argc, char **argv)
{
  int fd = open (argv[0], O_WRONLY | O_CREAT | O_APPEND, 0600);
  g_autoptr (GPtrArray) args = g_ptr_array_new ();

  g_assert_cmpint (fd, >=, 0);
  dup2 (fd, STDOUT_FILENO);
  for (int i = 1; i <= argc; i++)
    g_ptr_array_add (args, i < argc ? argv[i] : NULL);
  execv (argv[1], (char **) args->pdata);
  g_error ("cannot run %s", argv[1]);
}

/* --- what the viewer said ------------------------------------------------ */

static unsigned
count_lines (const char *path, const char *prefix)
{
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;
  unsigned n = 0;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return 0;
  lines = g_strsplit (text, "\n", -1);
  for (unsigned i = 0; lines[i]; i++)
    n += lines[i + 1] && g_str_has_prefix (lines[i], prefix);
  return n;
}

/* --- the comparison with what it should have said, a role ---------------- */

/* Pictures of one detector: up to `sure` it answered all, up to `maybe` it may
 * have, up to `end` there was none. */
struct span {
  guint first, sure, maybe, end;
};

struct shown {
  char *md5;
  char *found; /* NULL: nobody knows */
};

static struct shown
parse_shown (const char *line)
{
  g_auto (GStrv) words = g_strsplit (line, " ", 5);
  struct shown shown = { NULL, NULL };

  g_assert_cmpuint (g_strv_length (words), >=, 4);
  shown.md5 = g_strdup (words[2]);
  if (g_str_equal (words[3], "found"))
    shown.found = g_strdup (words[4] ? words[4] : "");
  else
    g_assert_cmpstr (words[3], ==, "unknown");
  return shown;
}

static char *
describe (const Answer *answer)
{
  GString *s = g_string_new (NULL);

  for (guint i = 0; i < answer->n_blobs; i++)
    g_string_append_printf (s, "%s%u,%u,%ux%u", i > 0 ? " " : "",
        answer->blobs[i].x, answer->blobs[i].y, answer->blobs[i].w,
        answer->blobs[i].h);
  return g_string_free (s, FALSE);
}

/* What a detector that began with this span finds in the next picture. */
static void
find (
    Blobs *blobs, GstBuffer *picture, const GstVideoInfo *info, Answer *answer)
{
  GstVideoFrame frame;

  g_assert_true (gst_video_frame_map (&frame, info, picture, GST_MAP_READ));
  answer->n_blobs = blobs_find (blobs, GST_VIDEO_FRAME_COMP_DATA (&frame, 0),
      GST_VIDEO_FRAME_COMP_STRIDE (&frame, 0), answer->blobs);
  gst_video_frame_unmap (&frame);
}

static void
check_picture (guint index, const struct span *span, const char *line,
    GstSample *sample, Blobs **blobs)
{
  GstBuffer *picture = gst_sample_get_buffer (sample);
  struct shown shown = parse_shown (line);
  g_autofree char *time = g_strdup_printf ("picture %" G_GUINT64_FORMAT " ",
      gst_segment_to_running_time (gst_sample_get_segment (sample),
          GST_FORMAT_TIME, GST_BUFFER_PTS (picture)));
  g_autofree char *found = NULL, *md5 = NULL;
  g_autoptr (GstBuffer) drawn = NULL;
  GstVideoInfo info;
  Answer answer;

  g_assert_true (g_str_has_prefix (line, time));
  g_assert_true (
      gst_video_info_from_caps (&info, gst_sample_get_caps (sample)));
  if (index == span->first) {
    g_clear_pointer (blobs, blobs_free);
    *blobs =
        blobs_new (GST_VIDEO_INFO_WIDTH (&info), GST_VIDEO_INFO_HEIGHT (&info));
  }
  find (*blobs, picture, &info, &answer);
  found = describe (&answer);
  if (index < span->sure)
    g_assert_nonnull (shown.found);
  if (index >= span->maybe)
    g_assert_null (shown.found);
  if (shown.found)
    g_assert_cmpstr (shown.found, ==, found);
  drawn = draw_copy (picture, &info, shown.found ? &answer : NULL);
  md5 = draw_md5 (drawn, &info);
  g_assert_cmpstr (shown.md5, ==, md5);
  g_free (shown.md5);
  g_free (shown.found);
}

static GPtrArray *
read_pictures (const char *path)
{
  GPtrArray *lines = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *text = NULL;
  g_auto (GStrv) all = NULL;

  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  all = g_strsplit (text, "\n", -1);
  for (unsigned i = 0; all[i]; i++)
    if (g_str_has_prefix (all[i], "picture "))
      g_ptr_array_add (lines, g_strdup (all[i]));
  return lines;
}

/* LOG SPAN...: decodes the clip once more. */
static void
run_comparison (int argc, char **argv)
{
  g_autoptr (GPtrArray) lines = read_pictures (argv[0]);
  g_autoptr (GstElement) sink = NULL;
  g_autoptr (Blobs) blobs = NULL;
  GstElement *pipeline;
  struct span span = { 0 };
  GstSample *sample;
  guint n = 0;
  int next = 1;

  gst_init (NULL, NULL);
  pipeline = launch ("%s ! videoconvert ! video/x-raw,format=I420 ! "
                     "appsink name=%s sync=false max-buffers=4",
      "sink");
  sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  while ((sample = gst_app_sink_pull_sample (GST_APP_SINK (sink)))) {
    if (n == span.end && next < argc)
      g_assert_cmpint (sscanf (argv[next++], "%u:%u:%u:%u", &span.first,
                           &span.sure, &span.maybe, &span.end),
          ==, 4);
    g_assert_cmpuint (n, <, lines->len);
    check_picture (n, &span, g_ptr_array_index (lines, n), sample, &blobs);
    gst_sample_unref (sample);
    n++;
  }
  g_assert_cmpuint (n, ==, lines->len);
  g_assert_cmpuint (n, >, span.sure);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
}

/* --- the test ------------------------------------------------------------ */

struct scene {
  struct harness_child decoder, detector, viewer;
  const char *pictures, *boxes; /* sockets */
  const char *viewer_log, *detector_log;
  guint n_pictures; /* that the decoder was told to let go */
  char *spans[N_DETECTORS];
};

static guint
ask (struct scene *self, const char *words)
{
  char line[HARNESS_LINE_MAX];

  harness_tell (&self->decoder, "%s", words);
  harness_hear (&self->decoder, line);
  return (guint) atoi (line);
}

static void
allow (struct scene *self, guint n)
{
  g_autofree char *words = g_strdup_printf ("allow %u", n);

  self->n_pictures = ask (self, words);
}

static guint
count_shown (struct scene *self)
{
  return count_lines (self->viewer_log, "picture ");
}

/* Both sides of it are connected. */
static void
start_detector (struct scene *self)
{
  g_autofree char *connected = NULL;

  harness_spawn (&self->detector, "program", self->detector_log,
      detector_program, "--every", self->pictures, self->boxes, NULL);
  connected = g_strdup_printf (
      "connected %s %d", self->boxes, (int) self->detector.pid);
  harness_wait_until (ask (self, "clients") == 2);
  harness_wait_until (count_lines (self->viewer_log, connected) == 1);
}

static void
start (struct scene *self)
{
  *self = (struct scene){ .pictures = harness_path ("pictures"),
    .boxes = harness_path ("boxes"),
    .viewer_log = harness_path ("viewer"),
    .detector_log = harness_path ("detector") };
  harness_spawn (&self->decoder, "decoder", self->pictures, NULL);
  harness_spawn (&self->viewer, "program", self->viewer_log, viewer_program,
      "--every", "--log", self->pictures, self->boxes, NULL);
}

/* A picture at a time: each waits for its answer. */
static void
step (struct scene *self, guint n)
{
  for (guint i = 0; i < n; i++) {
    allow (self, 1);
    harness_wait_until (count_shown (self) == self->n_pictures);
  }
}

/* One detector's life, and what comes until the next one. */
static char *
live_and_die (struct scene *self)
{
  struct span span = { .first = self->n_pictures };

  start_detector (self);
  step (self, N_STEPS);
  span.sure = self->n_pictures;
  allow (self, N_BURST);
  harness_kill (&self->detector, SIGKILL);
  g_assert_cmpint (harness_join (&self->detector), ==, -SIGKILL);
  harness_wait_until (ask (self, "passed") == self->n_pictures);
  harness_wait_until (ask (self, "clients") == 1);
  span.maybe = self->n_pictures;
  allow (self, N_ALONE);
  harness_wait_until (count_shown (self) >= self->n_pictures - DEPTH);
  span.end = self->n_pictures;
  return g_strdup_printf (
      "%u:%u:%u:%u", span.first, span.sure, span.maybe, span.end);
}

static char *
live_to_the_end (struct scene *self)
{
  guint first = self->n_pictures, sure;

  start_detector (self);
  step (self, N_STEPS);
  sure = self->n_pictures;
  allow (self, G_MAXINT / 2);
  g_assert_cmpint (harness_join (&self->viewer), ==, 0);
  return g_strdup_printf ("%u:%u:%u:%u", first, sure, G_MAXINT, G_MAXINT);
}

static void
test_boxes (void)
{
  struct harness_child comparison;
  g_autofree char *copies = NULL;
  struct scene scene;

  start (&scene);
  for (guint i = 0; i < N_DETECTORS - 1; i++)
    scene.spans[i] = live_and_die (&scene);
  scene.spans[N_DETECTORS - 1] = live_to_the_end (&scene);
  g_assert_cmpint (harness_join (&scene.detector), ==, 0);
  g_assert_cmpint (harness_join (&scene.decoder), ==, 0);
  g_assert_true (g_file_get_contents (scene.detector_log, &copies, NULL, NULL));
  harness_assert_contains (copies, " 0 copied");
  harness_spawn (&comparison, "comparison", scene.viewer_log, scene.spans[0],
      scene.spans[1], scene.spans[2], scene.spans[3], NULL);
  g_assert_cmpint (harness_join (&comparison), ==, 0);
  for (guint i = 0; i < N_DETECTORS; i++)
    g_free (scene.spans[i]);
}

int
main (int argc, char **argv)
{
  static const struct harness_role roles[] = { { "decoder", run_decoder },
    { "program", run_program }, { "comparison", run_comparison },
    { NULL, NULL } };

  harness_init (&argc, &argv, roles);
  g_assert_cmpint (argc, ==, 3);
  detector_program = argv[1];
  viewer_program = argv[2];
  harness_add ("/gst/analytics/boxes-are-on-their-frames", test_boxes);
  return g_test_run ();
}
