/* SPDX-License-Identifier: MIT */
/* What one stream has not done yet delays what belongs to it and nothing else:
 * not who uses the pool or the publisher while memory goes, not the frames of
 * other streams, nor a process whose stream waits for ever for one that was
 * killed. */
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/named-actor.h"
#include "cuda/peers.h"
#include "harness/named.h"

#define SIZE 65536

static struct xmem_error error;

/* --- memory that goes ---------------------------------------------------- */

static struct xmem_pool *pool;
static struct xmem_publisher *publisher;

static void
begin (const char *mode, const char *address)
{
  const struct xmem_pool_params params = { .struct_size = sizeof (params),
    .cuda_mode = strcmp (mode, "legacy") == 0 ? XMEM_CUDA_MODE_LEGACY
                                              : XMEM_CUDA_MODE_VMM };
  const struct xmem_publisher_params publisher_params = {
    .struct_size = sizeof (publisher_params),
    .address = address,
    .flags = XMEM_PUBLISHER_NO_THREAD /* which might be who gives back */
  };

  double_load ();
  harness_assert_ok (xmem_pool_new (&params, &pool, &error), &error);
  harness_assert_ok (
      xmem_publisher_new (&publisher_params, &publisher, &error), &error);
}

/* How often the process has called it, where the driver counts. */
static uint64_t
count_calls (const char *function)
{
  return double_is_here () ? cuda_double.fake_cuda_calls (function, 0) : 0;
}

/* Until it has been called once more, where that can be seen: what follows is as
 * true before, and shows less. */
static void
await_call (const char *function, uint64_t n_before)
{
  harness_wait_until (!double_is_here () || count_calls (function) > n_before);
}

/* Publishes for nobody what the device has not written yet. */
static void
publish_unwritten (void)
{
  CUstream stream = double_stream ();
  struct xmem_frame_info info;
  struct xmem_buffer *buffer;

  xmem_frame_info_init (&info);
  harness_assert_ok (
      xmem_pool_acquire_cuda (pool, SIZE, 0, 0, 0, &buffer, &error), &error);
  double_pause (&stream, 1);
  double_write (stream, xmem_buffer_get_cuda_pointer (buffer), 1, 1);
  harness_assert_ok (xmem_publisher_publish_after (
                         publisher, buffer, stream, &info, 0, &error),
      &error);
  xmem_buffer_unref (buffer);
}

static void
use_pool (void)
{
  struct xmem_pool_stats stats;
  struct xmem_buffer *buffer;

  for (int i = 0; i < 3; i++) {
    harness_assert_ok (
        xmem_pool_acquire (pool, SIZE, 0, 0, &buffer, &error), &error);
    xmem_buffer_unref (buffer);
    xmem_pool_trim (pool, SIZE);
    xmem_pool_get_stats (pool, &stats);
  }
}

static void *
trim (void *data)
{
  xmem_pool_trim (pool, 16 * SIZE);
  return NULL;
}

static void *
publish_other (void *data)
{
  struct xmem_frame_info info;
  struct xmem_buffer *buffer;

  xmem_frame_info_init (&info);
  harness_assert_ok (
      xmem_pool_acquire (pool, SIZE, 0, 0, &buffer, &error), &error);
  harness_assert_ok (
      xmem_publisher_publish_buffer (publisher, buffer, &info, 0, &error),
      &error);
  xmem_buffer_unref (buffer);
  return NULL;
}

/* A thread that waits for the device in that call. */
static pthread_t
start_waiter (void *(*run) (void *data), const char *call)
{
  uint64_t before = count_calls (call);
  pthread_t thread;

  g_assert_cmpint (pthread_create (&thread, NULL, run, NULL), ==, 0);
  await_call (call, before);
  return thread;
}

static void
run_trimmed (int argc, char **argv)
{
  pthread_t thread;

  begin (argv[0], argv[1]);
  publish_unwritten ();
  xmem_publisher_free (publisher);
  thread = start_waiter (trim, "cuEventSynchronize");
  use_pool ();
  double_go ();
  g_assert_cmpint (pthread_join (thread, NULL), ==, 0);
  g_assert_cmpint (double_live ("memory"), ==, 0);
  xmem_pool_unref (pool);
}

static uint64_t
count_published (void)
{
  struct xmem_publisher_stats stats;

  xmem_publisher_get_stats (publisher, &stats);
  return stats.frames_published;
}

static void
run_forgotten (int argc, char **argv)
{
  pthread_t thread;

  begin (argv[0], argv[1]);
  publish_unwritten ();
  xmem_pool_trim (pool, 16 * SIZE); /* the publisher still has it */
  thread = start_waiter (publish_other, "cuEventSynchronize");
  harness_wait_until (count_published () == 2);
  publish_other (NULL);
  double_go ();
  g_assert_cmpint (pthread_join (thread, NULL), ==, 0);
  g_assert_cmpint (double_live ("memory"), ==, 0);
  xmem_publisher_free (publisher);
  xmem_pool_unref (pool);
}

static void
run_child (const char *role, const char *mode)
{
  struct harness_child child;

  harness_spawn (&child, role, mode, harness_path ("socket"), NULL);
  g_assert_cmpint (harness_join (&child), ==, 0);
}

static void
test_pool_is_trimmed (void)
{
  run_child ("trimmed", "vmm");
  run_child ("trimmed", "legacy");
}

static void
test_publisher_forgets_memory (void)
{
  run_child ("forgotten", "vmm");
  run_child ("forgotten", "legacy");
}

/* --- memory of a named pool ---------------------------------------------- */

static void
bystander_get (const char *arguments)
{
  struct xmem_buffer *buffer;

  harness_assert_ok (
      xmem_pool_get (pool, g_ascii_strtoull (arguments, NULL, 10), XMEM_READ,
          &buffer, &error),
      &error);
  xmem_buffer_unref (buffer);
  harness_say ("ok");
}

static void *
reclaim (void *data)
{
  struct xmem_error e;

  harness_assert_ok (xmem_pool_reclaim (pool, NULL, &e), &e);
  return NULL;
}

static void *
acquire (void *data)
{
  struct xmem_buffer *buffer;
  struct xmem_error e;

  harness_assert_ok (
      xmem_pool_acquire_cuda (pool, SIZE, 0, 0, 0, &buffer, &e), &e);
  xmem_buffer_unref (buffer);
  return NULL;
}

static void
do_nothing (void *data)
{
}

/* Lets go of what has gone, while the device has work to do: on its own, or
 * before it makes something new of it. */
static void
bystander_let_go (const char *arguments)
{
  bool anew = strcmp (arguments, "anew") == 0;
  CUstream stream = double_stream ();
  pthread_t thread;

  cuda_double.fake_cuda_pause (true);
  g_assert_cmpint (
      cuda_double.cuLaunchHostFunc (stream, do_nothing, NULL), ==, 0);
  thread = start_waiter (anew ? acquire : reclaim, "cuIpcCloseMemHandle");
  use_pool ();
  cuda_double.fake_cuda_pause (false);
  g_assert_cmpint (pthread_join (thread, NULL), ==, 0);
  g_assert_cmpint (cuda_double.fake_cuda_live ("memory"), ==, anew);
  harness_say ("ok");
}

static void
bystander_end (const char *arguments)
{
  xmem_pool_unref (pool);
  harness_say ("ok");
}

static void
run_bystander (int argc, char **argv)
{
  static const struct harness_command commands[] = {
    { "get", bystander_get },
    { "let-go", bystander_let_go },
    { "end", bystander_end },
  };

  double_load ();
  harness_assert_ok (xmem_pool_open (argv[0], 0, &pool, &error), &error);
  harness_obey (commands, G_N_ELEMENTS (commands));
}

static void
lose_owner (const char *how)
{
  struct harness_child owner, bystander;
  uint64_t id;

  named_actor_start (&owner, NULL);
  named_actor_ask (
      &owner, 0, "create 64 %u %u", 64u << 20, XMEM_CUDA_MODE_AUTO);
  id = named_actor_ask_number (&owner, "acquire %d 0", SIZE);
  harness_spawn (&bystander, "bystander", named_name (), NULL);
  peer_ask (&bystander, "get %" PRIu64, id);
  named_actor_die (&owner);
  peer_ask (&bystander, "let-go %s", how);
  peer_stop (&bystander);
}

static void
test_owner_of_memory_dies (void)
{
  lose_owner ("only");
  lose_owner ("anew");
}

/* --- a reader with two streams ------------------------------------------- */

static struct xmem_subscriber *subscriber;
static CUstream slow, quick;
static bool all_streams;
static sem_t gate;

static void
wait_at_gate (void *data)
{
  while (sem_wait (&gate) != 0)
    ;
}

static struct xmem_frame *
next_on (CUstream stream)
{
  struct xmem_frame *frame;

  harness_assert_ok (
      xmem_subscriber_next (subscriber, XMEM_WAIT_FOREVER, &frame, &error),
      &error);
  harness_assert_ok (xmem_frame_cuda_wait (frame, stream, &error), &error);
  return frame;
}

/* Returns once the library's thread has looked at it, if that can be seen. */
static void
reader_hold (const char *arguments)
{
  const char *look = all_streams ? "cuCtxSynchronize" : "cuEventQuery";
  uint64_t before = count_calls (look);
  struct xmem_frame *frame = next_on (slow);

  if (strcmp (arguments, "gate") == 0)
    g_assert_cmpint (
        cuda_double.cuLaunchHostFunc (slow, wait_at_gate, NULL), ==, 0);
  xmem_frame_unref_after (frame, all_streams ? XMEM_CUDA_ALL_STREAMS : slow);
  await_call (look, before);
  harness_say ("ok");
}

static void
reader_let_go (const char *arguments)
{
  g_assert_cmpint (sem_post (&gate), ==, 0);
  harness_say ("ok");
}

static void
reader_read (const char *arguments)
{
  xmem_frame_unref_after (next_on (quick), quick);
  harness_say ("ok");
}

static void
reader_gone (const char *arguments)
{
  struct xmem_frame *frame;

  harness_assert_status (
      xmem_subscriber_next (subscriber, XMEM_WAIT_FOREVER, &frame, &error),
      XMEM_GONE, &error);
  harness_say ("ok");
}

static void
reader_connect (const char *arguments)
{
  harness_assert_ok (
      xmem_subscriber_connect (subscriber, XMEM_WAIT_FOREVER, &error), &error);
  harness_say ("ok");
}

static void
reader_end (const char *arguments)
{
  xmem_subscriber_free (subscriber);
  harness_say ("ok");
}

static void
run_reader (int argc, char **argv)
{
  static const struct harness_command commands[] = {
    { "hold", reader_hold },
    { "let-go", reader_let_go },
    { "read", reader_read },
    { "gone", reader_gone },
    { "connect", reader_connect },
    { "end", reader_end },
  };
  const struct xmem_subscriber_params params = { .struct_size = sizeof (params),
    .address = argv[0],
    .delivery = XMEM_DELIVERY_EVERY,
    .flags = XMEM_SUBSCRIBER_CUDA };

  for (int i = 1; i < argc; i++) {
    if (strcmp (argv[i], "all-streams") == 0)
      all_streams = true;
    else
      putenv (argv[i]);
  }
  double_load ();
  sem_init (&gate, 0, 0);
  slow = double_stream ();
  quick = double_stream ();
  harness_assert_ok (
      xmem_subscriber_new (&params, &subscriber, &error), &error);
  reader_connect ("");
  harness_obey (commands, G_N_ELEMENTS (commands));
}

/* --- frames -------------------------------------------------------------- */

static unsigned
count_used (struct harness_child *producer)
{
  unsigned n;

  g_assert_cmpint (
      sscanf (peer_ask (producer, "stats"), " %*u %*u %*u %u", &n), ==, 1);
  return n;
}

static void
read_others (struct harness_child *producer, struct harness_child *reader,
    unsigned n_held)
{
  for (int i = 0; i < 5; i++) {
    peer_ask (producer, "publish 1");
    peer_ask (reader, "read");
    harness_wait_until (count_used (producer) == n_held);
  }
}

static void
hold_one (const char *option, const char *environment)
{
  struct harness_child producer, reader;

  peer_start (&producer, "producer", "one-stream", NULL);
  peer_start (&reader, "reader", environment, option, NULL);
  peer_ask (&producer, "clients 1");
  peer_ask (&producer, "publish 1");
  peer_ask (&reader, "hold gate");
  read_others (&producer, &reader, 1);
  peer_ask (&reader, "let-go");
  peer_ask (&producer, "released");
  peer_stop (&reader);
  peer_stop (&producer);
}

static void
test_other_streams_frames_come_back (void)
{
  hold_one (NULL, "X=");
}

/* A driver that cannot say when all streams have come so far. */
static void
test_context_is_waited_for_elsewhere (void)
{
  hold_one ("all-streams", "FAKE_CUDA_VERSION=12000");
}

/* What was to be written never is, and the stream never gets on, if that is what
 * the driver does: with VMM the process can go on, connect again and end. */
static void
test_stream_that_never_gets_on (void)
{
  struct harness_child producer, reader;

  peer_start (&producer, "producer", "one-stream", NULL);
  peer_start (&reader, "reader", "FAKE_CUDA_DEATH=hangs", NULL);
  peer_ask (&producer, "clients 1");
  peer_ask (&producer, "pause");
  peer_ask (&producer, "publish 1");
  peer_ask (&reader, "hold");
  harness_kill (&producer, SIGKILL);
  g_assert_cmpint (harness_join (&producer), ==, -SIGKILL);
  peer_ask (&reader, "gone");
  peer_start (&producer, "producer", "one-stream", NULL);
  peer_ask (&reader, "connect");
  peer_ask (&producer, "clients 1");
  read_others (&producer, &reader, 0);
  peer_stop (&reader);
  peer_ask (&producer, "released");
  peer_stop (&producer);
}

int
main (int argc, char **argv)
{
  static const struct harness_role roles[] = { { "trimmed", run_trimmed },
    { "forgotten", run_forgotten }, { "bystander", run_bystander },
    { "reader", run_reader }, NAMED_ACTOR_ROLE, PEER_ROLES, { NULL, NULL } };

  double_init (&argc, &argv, roles);
  harness_add ("/pool-is-trimmed", test_pool_is_trimmed);
  harness_add ("/publisher-forgets-memory", test_publisher_forgets_memory);
  double_add ("/owner-of-memory-dies", test_owner_of_memory_dies);
  harness_add (
      "/other-streams-frames-come-back", test_other_streams_frames_come_back);
  harness_add (
      "/context-is-waited-for-elsewhere", test_context_is_waited_for_elsewhere);
  harness_add ("/stream-that-never-gets-on", test_stream_that_never_gets_on);
  return g_test_run ();
}
