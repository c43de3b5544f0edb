/* SPDX-License-Identifier: MIT */
/* The two roles, and how tests speak with them. A producer understands
 *   clients N         waits for them
 *   publish N         so many frames, on two streams in turns
 *   pause / go        holds its streams still, or not
 *   calls NAME        how often its thread called a function
 *   eos, released     ends the stream; waits until all frames are back
 *   stats             frames published, delivered, synchronised; slots used
 *   end               frees all, and says what is left
 * and a consumer
 *   read              until there is an end; answers with a summary
 *   next N            so many frames
 *   calls NAME, end
 * and a relay, between them,
 *   clients N, next N, end
 */
#include "cuda/peers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mem/cuda.h"

static struct xmem_error error;

/* --- both ---------------------------------------------------------------- */

static bool
has_option (int argc, char **argv, const char *option)
{
  for (int i = 1; i < argc; i++)
    if (strcmp (argv[i], option) == 0)
      return true;
  return false;
}

static void
set_environment (int argc, char **argv)
{
  for (int i = 1; i < argc; i++)
    if (g_str_has_prefix (argv[i], "FAKE_CUDA_")
        || g_str_has_prefix (argv[i], "CUDA_"))
      putenv (argv[i]);
}

static void
say_calls (const char *name)
{
  harness_say (
      "ok %" G_GUINT64_FORMAT, cuda_double.fake_cuda_calls (name, gettid ()));
}

/* What is in the process but the context and its streams. */
static int64_t
count_left (void)
{
  return double_live (NULL) - double_live ("context") - double_live ("stream")
         + (int64_t) xmem_cuda_count_memories ();
}

static void
say_left (const char *arguments)
{
  harness_wait_until (count_left () == 0);
  harness_say ("ok");
}

/* --- the producer -------------------------------------------------------- */

static struct xmem_pool *pool;
static struct xmem_publisher *publisher;
static CUstream streams[2];
static bool one_stream;
static uint64_t n_published;

static void
producer_clients (const char *arguments)
{
  xmem_publisher_wait_clients (
      publisher, (uint32_t) atoi (arguments), XMEM_WAIT_FOREVER);
  harness_say ("ok");
}

/* The slot's last writer may have used the other stream, and still be at it
 * where nobody was to read the frame. */
static void
publish_one (void)
{
  CUstream to = streams[one_stream ? 0 : n_published % 2];
  struct xmem_buffer *buffer;
  struct xmem_frame_info info;

  harness_assert_ok (xmem_pool_acquire_cuda (pool, PEER_WORDS * 8, 0, 0,
                         XMEM_WAIT_FOREVER, &buffer, &error),
      &error);
  if (!one_stream)
    harness_assert_ok (xmem_buffer_cuda_wait (buffer, to, &error), &error);
  double_write (
      to, xmem_buffer_get_cuda_pointer (buffer), PEER_WORDS, n_published);
  xmem_frame_info_init (&info);
  harness_assert_ok (xmem_publisher_publish_after (publisher, buffer, to, &info,
                         XMEM_WAIT_FOREVER, &error),
      &error);
  xmem_buffer_unref (buffer);
  n_published++;
}

static void
producer_publish (const char *arguments)
{
  uint64_t n = strtoull (arguments, NULL, 10);

  for (uint64_t i = 0; i < n; i++)
    publish_one ();
  harness_say ("ok");
}

/* Without a word, until it is killed or told anything else. */
static void
producer_flow (const char *arguments)
{
  harness_say ("ok");
  for (;;)
    publish_one ();
}

static void
producer_pause (const char *arguments)
{
  double_pause (streams, G_N_ELEMENTS (streams));
  harness_say ("ok");
}

static void
producer_go (const char *arguments)
{
  double_go ();
  harness_say ("ok");
}

static void
producer_eos (const char *arguments)
{
  xmem_publisher_send_eos (publisher);
  harness_say ("ok");
}

static void
producer_released (const char *arguments)
{
  g_assert_cmpint (
      xmem_publisher_wait_released (publisher, XMEM_WAIT_FOREVER), ==, 0);
  harness_say ("ok");
}

static void
producer_stats (const char *arguments)
{
  struct xmem_publisher_stats stats;
  struct xmem_pool_stats pool_stats;

  xmem_publisher_get_stats (publisher, &stats);
  xmem_pool_get_stats (pool, &pool_stats);
  harness_say ("ok %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT
               " %" G_GUINT64_FORMAT " %u",
      stats.frames_published, stats.frames_delivered, stats.frames_synchronised,
      pool_stats.n_used);
}

static void
producer_end (const char *arguments)
{
  xmem_publisher_free (publisher);
  xmem_pool_unref (pool);
  say_left (arguments);
}

void
producer_run (int argc, char **argv)
{
  static const struct harness_command commands[] = {
    { "clients", producer_clients },
    { "publish", producer_publish },
    { "flow", producer_flow },
    { "pause", producer_pause },
    { "go", producer_go },
    { "calls", say_calls },
    { "eos", producer_eos },
    { "released", producer_released },
    { "stats", producer_stats },
    { "end", producer_end },
  };
  const struct xmem_pool_params pool_params = { .struct_size =
                                                    sizeof (pool_params),
    .cuda_mode = has_option (argc, argv, "mode=legacy") ? XMEM_CUDA_MODE_LEGACY
                                                        : XMEM_CUDA_MODE_AUTO };
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = argv[0],
    .flags = has_option (argc, argv, "replay-last") ? XMEM_PUBLISHER_REPLAY_LAST
                                                    : 0 };

  set_environment (argc, argv);
  double_load ();
  one_stream = has_option (argc, argv, "one-stream");
  streams[0] = double_stream ();
  streams[1] = double_stream ();
  harness_assert_ok (xmem_pool_new (&pool_params, &pool, &error), &error);
  harness_assert_ok (xmem_publisher_new (&params, &publisher, &error), &error);
  harness_say ("ok");
  harness_obey (commands, G_N_ELEMENTS (commands));
}

/* --- a consumer ---------------------------------------------------------- */

static struct xmem_subscriber *subscriber;
static CUstream stream;
static bool waits = true;
static GRand *dice;
static struct double_tally tally;

/* Looks at the frame, on the stream, and lets go of it when that is done. */
static void
look (struct xmem_frame *frame)
{
  if (waits)
    harness_assert_ok (xmem_frame_cuda_wait (frame, stream, &error), &error);
  double_check (stream, xmem_frame_get_cuda_pointer (frame, 0), PEER_WORDS,
      xmem_frame_get_sequence (frame),
      dice ? (unsigned) g_rand_int_range (dice, 0, 300) : 0, &tally);
  xmem_frame_unref_after (frame, stream);
}

static void
read_frames (uint64_t n)
{
  struct xmem_frame *frame;
  uint64_t i = 0;
  int r = 0;

  while (i < n
         && (r = xmem_subscriber_next (
                 subscriber, XMEM_WAIT_FOREVER, &frame, &error))
                == 0) {
    look (frame);
    i++;
  }
  harness_wait_until (tally.n_good + tally.n_bad == i);
  harness_say ("%d %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT
               " %" G_GUINT64_FORMAT " %s",
      r, i, tally.n_good, tally.n_bad, r < 0 ? error.message : "");
  tally.n_good = tally.n_bad = 0;
}

static void
consumer_read (const char *arguments)
{
  read_frames (UINT64_MAX);
}

static void
consumer_next (const char *arguments)
{
  read_frames (strtoull (arguments, NULL, 10));
}

static void
consumer_end (const char *arguments)
{
  xmem_subscriber_free (subscriber);
  say_left (arguments);
}

static void *
make_context (int device, struct xmem_cuda_keeper *keeper_out, void *user_data)
{
  static CUcontext context;

  if (!context)
    g_assert_cmpint (cuda_double.cuCtxCreate_v2 (&context, 0, device), ==, 0);
  g_assert_cmpint (cuda_double.cuCtxSetCurrent (context), ==, 0);
  if (!stream)
    stream = double_stream ();
  return context;
}

void
consumer_run (int argc, char **argv)
{
  static const struct harness_command commands[] = {
    { "read", consumer_read },
    { "next", consumer_next },
    { "calls", say_calls },
    { "end", consumer_end },
  };
  struct xmem_subscriber_params params = { .struct_size = sizeof (params),
    .address = argv[0],
    .delivery = XMEM_DELIVERY_EVERY,
    .flags = XMEM_SUBSCRIBER_CUDA };
  char *relayed = NULL;

  set_environment (argc, argv);
  if (has_option (argc, argv, "from-relay"))
    params.address = relayed = g_strconcat (argv[0], "-relay", NULL);
  for (int i = 1; i < argc; i++)
    if (g_str_has_prefix (argv[i], "seed="))
      dice = g_rand_new_with_seed ((guint32) atoi (argv[i] + 5));
  waits = !has_option (argc, argv, "no-wait");
  if (has_option (argc, argv, "complete"))
    params.flags |= XMEM_SUBSCRIBER_CUDA_COMPLETE;
  if (has_option (argc, argv, "no-cuda"))
    params.flags = 0;
  double_load ();
  if (has_option (argc, argv, "own-context"))
    params.get_cuda_context = make_context;
  else
    stream = double_stream ();
  harness_assert_ok (
      xmem_subscriber_new (&params, &subscriber, &error), &error);
  g_free (relayed);
  harness_assert_ok (
      xmem_subscriber_connect (subscriber, XMEM_WAIT_FOREVER, &error), &error);
  harness_say ("ok");
  harness_obey (commands, G_N_ELEMENTS (commands));
}

/* --- between them -------------------------------------------------------- */

static void
unref_frame (void *frame)
{
  xmem_frame_unref (frame);
}

static void
forward (struct xmem_frame *frame)
{
  const struct xmem_publish publish = { .struct_size = sizeof (publish),
    .regions = xmem_frame_get_region (frame, 0),
    .n_regions = 1,
    .info = xmem_frame_get_info (frame),
    .done = unref_frame,
    .done_data = frame };

  harness_assert_ok (
      xmem_publisher_publish (publisher, &publish, XMEM_WAIT_FOREVER, &error),
      &error);
}

static void
relay_next (const char *arguments)
{
  int n = atoi (arguments);
  struct xmem_frame *frame;

  for (int i = 0; i < n; i++) {
    harness_assert_ok (
        xmem_subscriber_next (subscriber, XMEM_WAIT_FOREVER, &frame, &error),
        &error);
    forward (frame);
  }
  harness_say ("ok");
}

static void
relay_end (const char *arguments)
{
  g_assert_cmpint (
      xmem_publisher_wait_released (publisher, XMEM_WAIT_FOREVER), ==, 0);
  xmem_publisher_free (publisher);
  xmem_subscriber_free (subscriber);
  say_left (arguments);
}

void
relay_run (int argc, char **argv)
{
  static const struct harness_command commands[] = {
    { "clients", producer_clients },
    { "next", relay_next },
    { "end", relay_end },
  };
  const struct xmem_subscriber_params params = { .struct_size = sizeof (params),
    .address = argv[0],
    .delivery = XMEM_DELIVERY_EVERY,
    .flags = XMEM_SUBSCRIBER_CUDA };
  char *address = g_strconcat (argv[0], "-relay", NULL);
  const struct xmem_publisher_params publisher_params = {
    .struct_size = sizeof (publisher_params), .address = address
  };

  double_load ();
  harness_assert_ok (
      xmem_subscriber_new (&params, &subscriber, &error), &error);
  harness_assert_ok (
      xmem_subscriber_connect (subscriber, XMEM_WAIT_FOREVER, &error), &error);
  harness_assert_ok (
      xmem_publisher_new (&publisher_params, &publisher, &error), &error);
  g_free (address);
  harness_say ("ok");
  harness_obey (commands, G_N_ELEMENTS (commands));
}

/* --- in the test --------------------------------------------------------- */

const char *
peer_address (void)
{
  return harness_path ("socket");
}

const char *
peer_hear_ok (struct harness_child *child)
{
  static char line[HARNESS_LINE_MAX];

  harness_hear (child, line);
  g_assert_true (g_str_has_prefix (line, "ok"));
  return line + 2;
}

void
peer_start (struct harness_child *child, const char *role, ...)
{
  const char *arguments[6] = { NULL };
  va_list args;
  size_t n = 0;

  va_start (args, role);
  do
    arguments[n] = va_arg (args, const char *);
  while (arguments[n++] && n < G_N_ELEMENTS (arguments));
  va_end (args);
  g_assert_null (arguments[n - 1]);
  harness_spawn (child, role, peer_address (), arguments[0], arguments[1],
      arguments[2], arguments[3], arguments[4], NULL);
  peer_hear_ok (child);
}

const char *
peer_ask (struct harness_child *child, const char *format, ...)
{
  char line[HARNESS_LINE_MAX];
  va_list args;

  va_start (args, format);
  vsnprintf (line, sizeof (line), format, args);
  va_end (args);
  harness_tell (child, "%s", line);
  return peer_hear_ok (child);
}

void
peer_hear_summary (
    struct harness_child *child, struct peer_summary *summary_out)
{
  char line[HARNESS_LINE_MAX];

  *summary_out = (struct peer_summary){ 0 };
  harness_hear (child, line);
  g_assert_cmpint (
      sscanf (line,
          "%d %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT
          " %247[^\n]",
          &summary_out->status, &summary_out->n_frames, &summary_out->n_good,
          &summary_out->n_bad, summary_out->words),
      >=, 4);
}

void
peer_stop (struct harness_child *child)
{
  peer_ask (child, "end");
  g_assert_cmpint (harness_join (child), ==, 0);
}
