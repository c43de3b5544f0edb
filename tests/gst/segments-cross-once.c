/* SPDX-License-Identifier: MIT */
/* A segment's file descriptor goes to each client once, and never again: the
 * producer's sendmsg calls are watched by strace, and what it sees is what
 * both ends count. Skipped where strace may not look. */
#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "player.h"

#define N_CLIENTS 3
#define N_FRAMES 400

static const char *trace;

/* --- strace -------------------------------------------------------------- */

static GPid
start_strace (pid_t pid)
{
  char target[16];
  const char *const argv[] = { "strace", "-f", "-qq", "-e", "trace=sendmsg",
    "-e", "signal=none", "-o", trace, "-p", target, NULL };
  GPid strace;

  g_snprintf (target, sizeof (target), "%d", (int) pid);
  if (!g_spawn_async (NULL, (char **) (uintptr_t) argv, NULL,
          G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &strace,
          NULL))
    return -1;
  return strace;
}

static bool
is_traced (pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/status", (int) pid);
  g_autofree char *status = NULL;
  const char *tracer;

  g_assert_true (g_file_get_contents (path, &status, NULL, NULL));
  tracer = strstr (status, "TracerPid:");
  return tracer && atoi (tracer + strlen ("TracerPid:")) > 0;
}

/* False when it may not look. */
static bool
attach (pid_t pid, GPid *strace_out)
{
  *strace_out = start_strace (pid);
  if (*strace_out < 0)
    return false;
  while (!is_traced (pid)) {
    if (waitpid (*strace_out, NULL, WNOHANG) == *strace_out)
      return false;
    harness_sleep_ms (5);
  }
  return true;
}

static void
detach (GPid strace)
{
  g_assert_cmpint (kill (strace, SIGINT), ==, 0);
  g_assert_cmpint (waitpid (strace, NULL, 0), ==, strace);
}

/* Messages with a file descriptor seen so far, and messages at all. */
static unsigned
count_messages (unsigned *n_messages_out)
{
  g_autofree char *text = NULL;
  unsigned n = 0;

  *n_messages_out = 0;
  g_assert_true (g_file_get_contents (trace, &text, NULL, NULL));
  for (char *line = strtok (text, "\n"); line; line = strtok (NULL, "\n")) {
    if (!strstr (line, "sendmsg("))
      continue;
    n += strstr (line, "SCM_RIGHTS") != NULL;
    ++*n_messages_out;
  }
  return n;
}

/* --- the test ------------------------------------------------------------ */

static void
play (struct player *producer, struct player *consumers)
{
  const char *address = harness_path ("socket");

  player_play (producer,
      "videotestsrc ! video/x-raw,format=NV12,width=640,height=360 ! "
      "identity sleep-time=500 ! queue max-size-buffers=3 ! "
      "xmemsink name=sink socket-path=%s sync=false wait-for-connection=true "
      "min-clients=%d",
      address, N_CLIENTS);
  for (unsigned i = 0; i < N_CLIENTS; i++) {
    player_start (&consumers[i]);
    player_launch (&consumers[i],
        "xmemsrc name=src socket-path=%s delivery=every is-live=false ! "
        "fakesink name=out sync=false",
        address);
    player_tap (&consumers[i], "out", PLAYER_LOOK_TOUCH);
    player_set_state (&consumers[i], GST_STATE_PLAYING);
  }
}

static uint64_t
count_received (struct player *consumers)
{
  uint64_t n = 0;

  for (unsigned i = 0; i < N_CLIENTS; i++)
    n += player_stat (&consumers[i], "src", "segments-received");
  return n;
}

/* How many went out, when the pool has grown to what it needs and several
 * hundred frames have passed without another; hangs if that never is. */
static uint64_t
wait_for_steady_state (struct player *producer, struct player *consumers)
{
  uint64_t before, now = player_stat (producer, "sink", "segments-sent");

  do {
    before = now;
    for (unsigned i = 0; i < N_CLIENTS; i++)
      player_wait_more (&consumers[i], "out", N_FRAMES);
    now = player_stat (producer, "sink", "segments-sent");
  } while (now != before);
  return now;
}

static void
test_each_segment_once (void)
{
  struct player producer, consumers[N_CLIENTS];
  unsigned n_fds, n_messages;
  uint64_t n_sent;
  GPid strace;

  trace = harness_path ("trace");
  player_start (&producer);
  player_launch (&producer, "fakesrc ! fakesink"); /* until it is awake */
  if (!attach (producer.child.pid, &strace)) {
    printf ("# SKIP strace is missing or may not look at a process\n");
    exit (77);
  }
  play (&producer, consumers);
  for (unsigned i = 0; i < N_CLIENTS; i++)
    player_wait_count (&consumers[i], "out", 1);
  n_sent = wait_for_steady_state (&producer, consumers);
  player_reach (&producer, GST_STATE_PAUSED);
  g_assert_cmpuint (count_received (consumers), ==, n_sent);
  g_assert_cmpuint (n_sent, >=, N_CLIENTS);
  g_assert_cmpuint (
      n_sent, <=, N_CLIENTS * player_stat (&producer, "sink", "pool-segments"));
  detach (strace);
  n_fds = count_messages (&n_messages);
  g_assert_cmpuint (n_fds, ==, n_sent);
  g_assert_cmpuint (n_messages, >=, N_CLIENTS * N_FRAMES);
  for (unsigned i = 0; i < N_CLIENTS; i++)
    player_stop (&consumers[i]);
  player_stop (&producer);
}

int
main (int argc, char **argv)
{
  player_init (&argc, &argv);
  harness_add ("/gst/segments/each-once", test_each_segment_once);
  return g_test_run ();
}
