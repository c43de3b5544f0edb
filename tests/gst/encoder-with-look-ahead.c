/* SPDX-License-Identifier: MIT */
/* An encoder that keeps dozens of frames behind xmemsrc, which may hold three:
 * it finishes, with every frame of the clip. */
#include <string.h>

#include "player.h"

#define N_MADE 150

static const char *
make_clip (void)
{
  const char *path = harness_path ("clip.mkv");
  struct player player;

  player_start (&player);
  player_play (&player,
      "videotestsrc pattern=ball num-buffers=%d ! video/x-raw,format=I420,"
      "width=640,height=360,framerate=30/1 ! jpegenc ! matroskamux ! "
      "filesink location=%s",
      N_MADE, path);
  player_expect_eos (&player);
  player_stop (&player);
  return path;
}

/* A clip of 1080p from elsewhere if there is one. */
static const char *
find_clip (void)
{
  const char *folder = g_getenv ("XMEM_MEDIA");
  static char *path;

  g_free (path);
  path = g_build_filename (folder ? folder : ".", "phone-1080p30.mp4", NULL);
  return g_file_test (path, G_FILE_TEST_EXISTS) ? path : make_clip ();
}

static GArray *
decode (const char *path)
{
  struct player player;
  GArray *records;

  player_start (&player);
  player_launch (&player,
      "filesrc location=%s ! decodebin ! video/x-raw ! "
      "fakesink name=out sync=false",
      path);
  player_tap (&player, "out", PLAYER_LOOK_AWAY);
  player_set_state (&player, GST_STATE_PLAYING);
  player_expect_eos (&player);
  records = player_get_records (&player, "out");
  player_stop (&player);
  return records;
}

static void
encode (const char *clip, const char *encoder, const char *path)
{
  const char *address = harness_path ("socket");
  struct player producer, consumer;

  player_start (&producer);
  player_start (&consumer);
  player_play (&producer,
      "filesrc location=%s ! decodebin ! video/x-raw ! xmemsink name=sink "
      "socket-path=%s sync=false wait-for-connection=true",
      clip, address);
  player_play (&consumer,
      "xmemsrc name=src socket-path=%s max-buffers=3 delivery=every "
      "is-live=false ! %s ! filesink location=%s",
      address, encoder, path);
  player_expect_eos (&consumer);
  player_expect_eos (&producer);
  g_assert_cmpuint (player_stat (&consumer, "src", "frames-copied"), >, 0);
  g_assert_cmpuint (player_stat (&consumer, "src", "frames-lost"), ==, 0);
  player_stop (&consumer);
  player_stop (&producer);
}

static void
check_encoder (const char *clip, const char *encoder, const char *path)
{
  GArray *before = decode (clip), *after;

  encode (clip, encoder, path);
  after = decode (path);
  g_assert_cmpuint (before->len, >, 40);
  g_assert_cmpuint (after->len, ==, before->len);
  g_array_unref (before);
  g_array_unref (after);
}

static void
test_as_it_comes (void)
{
  check_encoder (make_clip (), "x264enc ! video/x-h264 ! matroskamux",
      harness_path ("out.mkv"));
}

/* With a faster preset, since these tests are to end. */
static void
test_with_b_frames_into_mp4 (void)
{
  check_encoder (find_clip (),
      "x264enc speed-preset=superfast bframes=3 rc-lookahead=39 ! "
      "video/x-h264 ! mp4mux",
      harness_path ("out.mp4"));
}

int
main (int argc, char **argv)
{
  player_init (&argc, &argv);
  harness_add ("/gst/encoder/as-it-comes", test_as_it_comes);
  harness_add (
      "/gst/encoder/with-b-frames-into-mp4", test_with_b_frames_into_mp4);
  return g_test_run ();
}
