/* SPDX-License-Identifier: MIT */
/* One thread receives, others look at the frames and give them back, another
 * one reads the figures and interrupts: as the headers allow. */
#include <pthread.h>
#include <stdatomic.h>

#include "harness/actor.h"
#include "harness/frames.h"

#define N_FRAMES 400
#define N_WORKERS 3

/* A box with one place for each worker. */
struct work {
  struct xmem_subscriber *subscriber;
  _Atomic (struct xmem_frame *) boxes[N_WORKERS];
  atomic_uint n_started;
  atomic_uint n_looked_at;
  atomic_bool over;
};

static void *
run_worker (void *data)
{
  struct work *work = data;
  unsigned box = work->n_started++;

  while (!work->over) {
    struct xmem_frame *frame = atomic_exchange (&work->boxes[box], NULL);
    uint64_t stamp;

    if (!frame) {
      g_usleep (50);
      continue;
    }
    g_assert_true (frames_read_stamp (xmem_frame_get_data (frame, 0),
        xmem_frame_get_region (frame, 0)->size, &stamp));
    g_assert_cmpuint (stamp, ==, xmem_frame_get_sequence (frame));
    g_assert_cmpstr (xmem_frame_get_stream (frame)->caps, ==, "caps");
    work->n_looked_at++;
    xmem_frame_unref (frame);
  }
  return NULL;
}

static void *
run_watcher (void *data)
{
  struct work *work = data;
  struct xmem_subscriber_stats stats;

  while (!work->over) {
    xmem_subscriber_get_stats (work->subscriber, &stats);
    g_assert_cmpuint (stats.frames_held, <=, 8);
    g_assert_cmpuint (xmem_subscriber_get_held (work->subscriber), <=, 8);
    xmem_subscriber_interrupt (work->subscriber, true);
    xmem_subscriber_interrupt (work->subscriber, false);
    g_usleep (200);
  }
  return NULL;
}

static void
give_out (struct work *work, struct xmem_frame *frame)
{
  for (unsigned i = 0; frame; i++) {
    struct xmem_frame *none = NULL;

    if (atomic_compare_exchange_strong (
            &work->boxes[i % N_WORKERS], &none, frame))
      frame = NULL;
  }
}

static void
receive_all (struct work *work)
{
  struct xmem_frame *frame;
  int r;

  do {
    r = xmem_subscriber_next (
        work->subscriber, XMEM_WAIT_FOREVER, &frame, NULL);
    if (r == 0)
      give_out (work, frame);
  } while (r == 0 || r == XMEM_INTERRUPTED);
  harness_assert_status (r, XMEM_EOS, NULL);
}

static void
run_reader (int argc, char **argv)
{
  const struct xmem_subscriber_params params = { .struct_size = sizeof (params),
    .address = argv[0],
    .delivery = XMEM_DELIVERY_EVERY,
    .n_buffers = 8 };
  struct work work = { .subscriber = NULL };
  pthread_t threads[N_WORKERS + 1];

  harness_assert_ok (
      xmem_subscriber_new (&params, &work.subscriber, NULL), NULL);
  harness_assert_ok (
      xmem_subscriber_connect (work.subscriber, XMEM_WAIT_FOREVER, NULL), NULL);
  for (unsigned i = 0; i <= N_WORKERS; i++)
    g_assert_cmpint (pthread_create (&threads[i], NULL,
                         i < N_WORKERS ? run_worker : run_watcher, &work),
        ==, 0);
  receive_all (&work);
  harness_wait_until (work.n_looked_at == N_FRAMES);
  harness_wait_until (xmem_subscriber_get_held (work.subscriber) == 0);
  work.over = true;
  for (unsigned i = 0; i <= N_WORKERS; i++)
    pthread_join (threads[i], NULL);
  xmem_subscriber_free (work.subscriber);
}

static void
test_other_threads (void)
{
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = harness_path ("socket"),
    .max_buffers = 8 };
  struct harness_child child;
  struct source source;

  source_open (&source, &params);
  source_set_caps (&source, "caps");
  harness_spawn (&child, "reader", params.address, NULL);
  harness_assert_ok (
      xmem_publisher_wait_clients (source.publisher, 1, XMEM_WAIT_FOREVER),
      NULL);
  source_publish_many (&source, 20000, 0, N_FRAMES);
  xmem_publisher_send_eos (source.publisher);
  g_assert_cmpint (harness_join (&child), ==, 0);
  source_close (&source);
}

static const struct harness_role roles[] = { { "reader", run_reader },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/other-threads", test_other_threads);
  return g_test_run ();
}
