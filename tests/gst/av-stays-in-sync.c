/* SPDX-License-Identifier: MIT */
/* Sound and picture of a clip through two sockets into one muxer: both are
 * where a transcode in one pipeline puts them, each for itself and to one
 * another. */
#include <stdio.h>
#include <stdlib.h>

#include "player.h"

#define N_STREAMS 2
static const char *const names[N_STREAMS] = { "video", "audio" };

/* Lip sync, in ns. */
#define TOLERANCE ((int64_t) GST_MSECOND)

#define QUEUE "queue max-size-time=0 max-size-bytes=0 max-size-buffers=0 ! "
#define VIDEO "d.video_0 ! " QUEUE "avdec_h264 max-threads=1 ! "
#define AUDIO "d.audio_0 ! " QUEUE "avdec_aac ! "
#define ENCODE_VIDEO                                 \
  "videoscale ! video/x-raw,width=320,height=180 ! " \
  "x264enc speed-preset=ultrafast tune=zerolatency ! " QUEUE "m. "
#define ENCODE_AUDIO "audioconvert ! opusenc ! " QUEUE "m. "
/* Ten times as exact as by default. */
#define MUXER                                                               \
  "matroskamux name=m timecodescale=100000 min-cluster-duration=500000000 " \
  "max-cluster-duration=2000000000 ! filesink location=%s"

/* Exits with 77 when it is not there. */
static const char *
clip (void)
{
  static char *path = NULL;
  const char *media = g_getenv ("XMEM_MEDIA");

  if (!path)
    path = g_build_filename (media ? media : "", "phone-1080p30.mp4", NULL);
  if (g_file_test (path, G_FILE_TEST_EXISTS))
    return path;
  printf ("skipped: no %s, in the folder that XMEM_MEDIA names\n", path);
  exit (77);
}

static void
transcode_directly (const char *file)
{
  struct player player;

  player_start (&player);
  player_play (&player,
      "filesrc location=%s ! qtdemux name=d " VIDEO ENCODE_VIDEO AUDIO
          ENCODE_AUDIO MUXER,
      clip (), file);
  player_expect_eos (&player);
  player_stop (&player);
}

/* The consumer comes first, so that nothing lies before its start. */
static void
transcode_through_sockets (const char *file, const char *sink, const char *src)
{
  g_autofree char *video = g_strdup (harness_path ("video"));
  g_autofree char *audio = g_strdup (harness_path ("audio"));
  struct player producer, consumer;

  player_start (&consumer);
  player_play (&consumer,
      "xmemsrc name=v socket-path=%s connection-timeout=0 delivery=every %s "
      "! " ENCODE_VIDEO
      "xmemsrc name=a socket-path=%s connection-timeout=0 delivery=every %s "
      "! " ENCODE_AUDIO MUXER,
      video, src, audio, src, file);
  player_start (&producer);
  player_play (&producer,
      "filesrc location=%s ! qtdemux name=d " VIDEO
      "xmemsink socket-path=%s wait-for-connection=true %s " AUDIO
      "xmemsink socket-path=%s wait-for-connection=true %s",
      clip (), video, sink, audio, sink);
  player_expect_eos (&producer);
  player_expect_eos (&consumer);
  g_assert_cmpuint (player_stat (&consumer, "v", "frames-lost"), ==, 0);
  g_assert_cmpuint (player_stat (&consumer, "a", "frames-lost"), ==, 0);
  g_assert_cmpuint (
      player_count_messages (&consumer, "xmem-time-shift"), ==, 0);
  player_stop (&consumer);
  player_stop (&producer);
}

/* What the muxer wrote, packet by packet. */
static void
read_packets (const char *file, GArray *packets[N_STREAMS])
{
  struct player player;

  player_start (&player);
  player_launch (&player,
      "filesrc location=%s ! matroskademux name=d "
      "d.video_0 ! queue ! fakesink name=video sync=false "
      "d.audio_0 ! queue ! fakesink name=audio sync=false",
      file);
  for (guint i = 0; i < N_STREAMS; i++)
    player_tap (&player, names[i], PLAYER_LOOK_AWAY);
  player_set_state (&player, GST_STATE_PLAYING);
  player_expect_eos (&player);
  for (guint i = 0; i < N_STREAMS; i++)
    packets[i] = player_get_records (&player, names[i]);
  player_stop (&player);
}

static int64_t
time_of (GArray *packets, guint i)
{
  return (int64_t) g_array_index (packets, struct player_record, i).pts;
}

/* By how much each packet is later than its counterpart: the least and the
 * most, of both streams together. */
struct lateness {
  int64_t least;
  int64_t most;
};

static struct lateness
compare (GArray *direct[N_STREAMS], GArray *crossed[N_STREAMS])
{
  struct lateness l = { INT64_MAX, INT64_MIN };

  for (guint stream = 0; stream < N_STREAMS; stream++) {
    g_assert_cmpuint (direct[stream]->len, >, 40);
    g_assert_cmpuint (crossed[stream]->len, ==, direct[stream]->len);
    for (guint i = 0; i < direct[stream]->len; i++) {
      int64_t late = time_of (crossed[stream], i) - time_of (direct[stream], i);

      l.least = MIN (l.least, late);
      l.most = MAX (l.most, late);
    }
  }
  return l;
}

static struct lateness
measure (const char *sink, const char *src)
{
  const char *one = harness_path ("direct.mkv");
  const char *two = harness_path ("crossed.mkv");
  GArray *direct[N_STREAMS], *crossed[N_STREAMS];
  struct lateness l;

  transcode_directly (one);
  transcode_through_sockets (two, sink, src);
  read_packets (one, direct);
  read_packets (two, crossed);
  l = compare (direct, crossed);
  g_test_message ("%u pictures, %u packets of sound; later by %" G_GINT64_FORMAT
                  " to %" G_GINT64_FORMAT " ns",
      direct[0]->len, direct[1]->len, l.least, l.most);
  for (guint i = 0; i < N_STREAMS; i++) {
    g_array_unref (direct[i]);
    g_array_unref (crossed[i]);
  }
  return l;
}

static void
test_running_times (void)
{
  struct lateness l = measure ("sync=false async=false", "is-live=false");

  g_assert_cmpint (l.least, ==, 0);
  g_assert_cmpint (l.most, ==, 0);
}

/* All of it is later, by as much as the producer began later. */
static void
test_by_clock (void)
{
  struct lateness l = measure ("sync=true", "is-live=true");

  g_assert_cmpint (l.least, >, 0);
  g_assert_cmpint (l.most - l.least, <=, TOLERANCE);
}

int
main (int argc, char **argv)
{
  player_init (&argc, &argv);
  clip ();
  harness_add ("/gst/av/running-times", test_running_times);
  harness_add ("/gst/av/by-clock", test_by_clock);
  return g_test_run ();
}
