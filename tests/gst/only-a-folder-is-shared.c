/* SPDX-License-Identifier: MIT */
/* A producer and a consumer of different users, in mount, pid, ipc, net, uts
 * and user namespaces of their own, that share nothing but the folder of the
 * socket, as containers with a common volume do. /dev/shm is tiny or cannot be
 * written, and does not matter. */
#include <unistd.h>

#include <glib/gstdio.h>

#include "apart.h"

#define ANN 12345
#define BOB 12346
#define VIDEO_GROUP 4321
#define N_FRAMES 30

#define VIDEO "video/x-raw,format=NV12,width=320,height=240,framerate=30/1"
#define ENDLESS \
  "videotestsrc pattern=ball ! " VIDEO " ! identity sleep-time=2000 ! "
#define SINK \
  "xmemsink name=sink sync=false socket-path=" APART_SHARED "/socket "
#define SOURCE \
  "xmemsrc name=src is-live=false connection-timeout=0 socket-path="
#define OUT " ! fakesink name=out sync=false"

/* In the test's own world, where it ends up. */
static char *
socket_in (const char *folder)
{
  return g_build_filename (folder, "socket", NULL);
}

/* A producer of ANN's, plays `what` to a sink with these properties. */
static bool
start_producer (struct player *producer, const char *folder, const char *what,
    const char *properties)
{
  const struct apart ann = { ANN, VIDEO_GROUP, folder, "64k" };

  if (!apart_start (producer, &ann))
    return false;
  player_launch (producer, "%s " SINK "%s", what, properties);
  player_tap (producer, "sink", PLAYER_LOOK_SUM);
  player_set_state (producer, GST_STATE_PLAYING);
  return true;
}

static void
start_consumer (struct player *consumer, unsigned uid, unsigned group,
    const char *folder, const char *properties)
{
  const struct apart apart = { uid, group, folder, NULL };

  g_assert_true (apart_start (consumer, &apart));
  player_launch (consumer, SOURCE APART_SHARED "/socket %s" OUT, properties);
  player_tap (consumer, "out", PLAYER_LOOK_SUM);
  player_set_state (consumer, GST_STATE_PLAYING);
}

/* --- frames -------------------------------------------------------------- */

static void
expect_frames_of (struct player *producer, struct player *consumer)
{
  GArray *sent, *received;

  player_expect_eos (producer);
  player_expect_eos (consumer);
  sent = player_get_records (producer, "sink");
  received = player_get_records (consumer, "out");
  g_assert_cmpuint (sent->len, ==, N_FRAMES);
  player_assert_same_content (sent, received);
  g_assert_cmpuint (player_stat (producer, "sink", "frames-copied"), ==, 0);
  g_array_unref (received);
  g_array_unref (sent);
}

static void
test_frames_cross_unchanged (void)
{
  const char *folder = apart_folder ();
  struct player producer, consumer;

  if (!start_producer (&producer, folder,
          "videotestsrc pattern=snow num-buffers=" G_STRINGIFY (
              N_FRAMES) " ! " VIDEO " !",
          "perms=0666 wait-for-connection=true"))
    return;
  start_consumer (&consumer, BOB, BOB, folder, "delivery=every");
  expect_frames_of (&producer, &consumer);
  player_stop (&consumer);
  player_stop (&producer);
}

/* --- numbers of processes ------------------------------------------------ */

static void
test_pids_are_true_or_unknown (void)
{
  const char *folder = apart_folder ();
  const struct apart bob = { BOB, BOB, folder, NULL };
  char *path = socket_in (folder);
  struct player producer, apart, here, second;
  int pid;

  if (start_producer (&producer, folder, ENDLESS, "perms=0666")) {
    start_consumer (&apart, BOB, BOB, folder, "");
    g_assert_cmpint (
        player_wait_message (&apart, "xmem-connected", "publisher-pid"), ==, 0);
    player_wait_count (&apart, "out", 3);
    player_start (&here);
    player_play (&here, SOURCE "%s" OUT, path);
    pid = (int) player_wait_message (&here, "xmem-connected", "publisher-pid");
    g_assert_cmpint (pid, >, 0);
    g_assert_cmpint (kill (pid, 0), ==, 0);
    g_assert_true (apart_start (&second, &bob));
    player_launch (&second, "videotestsrc ! " SINK);
    player_set_state (&second, GST_STATE_PLAYING);
    player_expect_error (&second, "in use by another process");
    player_stop (&second);
    player_stop (&here);
    player_stop (&apart);
    player_stop (&producer);
  }
  g_free (path);
}

/* --- deaths -------------------------------------------------------------- */

static void
test_consumer_killed_with_frames (void)
{
  const char *folder = apart_folder ();
  struct player producer, victim, other;

  if (!start_producer (&producer, folder, ENDLESS, "perms=0666"))
    return;
  start_consumer (&other, BOB, BOB, folder, "");
  start_consumer (&victim, BOB, BOB, folder, "max-buffers=4");
  player_hold (&victim, "out", 3);
  player_wait_stat (&victim, "src", "frames-held", 3);
  player_wait_stat (&producer, "sink", "num-clients", 2);
  apart_die (&victim);
  harness_wait_until (player_stat (&producer, "sink", "num-clients") == 1);
  player_wait_more (&other, "out", 10);
  player_stop (&other);
  harness_wait_until (player_stat (&producer, "sink", "frames-held") == 0);
  player_stop (&producer);
}

static void
test_producer_killed_and_replaced (void)
{
  const char *folder = apart_folder ();
  char *path = socket_in (folder);
  struct player producer, consumer, ends;

  if (start_producer (&producer, folder, ENDLESS, "perms=0666")) {
    start_consumer (&consumer, BOB, BOB, folder, "");
    start_consumer (&ends, BOB, BOB, folder, "on-disconnect=eos");
    player_wait_count (&consumer, "out", 3);
    player_wait_count (&ends, "out", 3);
    player_hold (&consumer, "out", 2);
    player_wait_more (&consumer, "out", 2);
    apart_die (&producer);
    player_expect_eos (&ends);
    g_assert_cmpuint (player_check_held (&consumer), ==, 2);
    g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS)); /* a leftover */
    g_assert_true (start_producer (&producer, folder, ENDLESS, "perms=0666"));
    player_wait_more (&consumer, "out", 3);
    g_assert_cmpuint (player_check_held (&consumer), ==, 2);
    player_stop (&ends);
    player_stop (&consumer);
    player_stop (&producer);
  }
  g_free (path);
}

/* --- users --------------------------------------------------------------- */

/* Whom a list cannot name: users of a namespace that is not the producer's. */
static void
test_foreign_user_is_on_no_list (void)
{
  const char *folder = apart_folder ();
  struct player producer, consumer;

  if (!start_producer (
          &producer, folder, ENDLESS, "perms=0666 allow-uids=12346"))
    return;
  start_consumer (&consumer, BOB, BOB, folder, "");
  player_expect_error (&consumer, "another user namespace");
  player_stop (&consumer);
  player_stop (&producer);
}

/* The properties, between two users of one world. */
static void
expect_visit (
    const char *properties, const struct apart *visitor, const char *refusal)
{
  const struct apart ann = { ANN, VIDEO_GROUP, NULL, NULL };
  char *path = socket_in (apart_folder ());
  struct player producer, consumer;

  if (apart_start (&producer, &ann)) {
    player_play (&producer, ENDLESS "xmemsink name=sink socket-path=%s %s",
        path, properties);
    player_reach (&producer, GST_STATE_PLAYING);
    g_assert_true (apart_start (&consumer, visitor));
    player_launch (&consumer, SOURCE "%s" OUT, path);
    player_tap (&consumer, "out", PLAYER_LOOK_TOUCH);
    player_set_state (&consumer, GST_STATE_PLAYING);
    if (refusal)
      player_expect_error (&consumer, refusal);
    else
      player_wait_count (&consumer, "out", 3);
    player_stop (&consumer);
    player_stop (&producer);
  }
  g_free (path);
}

static void
test_group_lets_in (void)
{
  const struct apart member = { BOB, VIDEO_GROUP, NULL, NULL };

  expect_visit ("perms=0660 group=4321", &member, NULL);
}

static void
test_others_are_kept_out (void)
{
  const struct apart stranger = { BOB, BOB, NULL, NULL };

  expect_visit ("perms=0660 group=4321", &stranger, "mode 0660");
}

static void
test_list_lets_in (void)
{
  const struct apart listed = { BOB, BOB, NULL, NULL };

  expect_visit ("perms=0666 allow-uids=7,12346", &listed, NULL);
}

static void
test_list_keeps_out (void)
{
  const struct apart stranger = { BOB, BOB, NULL, NULL };

  expect_visit (
      "perms=0666 allow-uids=7", &stranger, "user 12346 is not on its list");
}

int
main (int argc, char **argv)
{
  player_init (&argc, &argv);
  harness_add (
      "/gst/apart/frames-cross-unchanged", test_frames_cross_unchanged);
  harness_add (
      "/gst/apart/pids-are-true-or-unknown", test_pids_are_true_or_unknown);
  harness_add ("/gst/apart/consumer-killed-with-frames",
      test_consumer_killed_with_frames);
  harness_add ("/gst/apart/producer-killed-and-replaced",
      test_producer_killed_and_replaced);
  harness_add (
      "/gst/apart/foreign-user-is-on-no-list", test_foreign_user_is_on_no_list);
  harness_add ("/gst/apart/group-lets-in", test_group_lets_in);
  harness_add ("/gst/apart/others-are-kept-out", test_others_are_kept_out);
  harness_add ("/gst/apart/list-lets-in", test_list_lets_in);
  harness_add ("/gst/apart/list-keeps-out", test_list_keeps_out);
  return g_test_run ();
}
