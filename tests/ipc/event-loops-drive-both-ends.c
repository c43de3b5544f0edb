/* SPDX-License-Identifier: MIT */
/* Programs with an event loop of their own: a publisher without a thread,
 * polled and dispatched, and a subscriber that is polled and never waits. */
#include <poll.h>

#include "harness/actor.h"
#include "harness/frames.h"

#define N_FRAMES 200

static void
poll_fd (int fd)
{
  struct pollfd wait = { .fd = fd, .events = POLLIN };

  g_assert_cmpint (poll (&wait, 1, -1), ==, 1);
}

/* Reads without ever waiting in the library. */
static void
run_looper (int argc, char **argv)
{
  const struct xmem_subscriber_params params = { .struct_size = sizeof (params),
    .address = argv[0],
    .delivery = XMEM_DELIVERY_EVERY,
    .n_buffers = 3 };
  struct xmem_subscriber *subscriber;
  struct xmem_frame *frame;
  uint64_t n = 0, stamp;
  int r = XMEM_AGAIN;

  harness_assert_ok (xmem_subscriber_new (&params, &subscriber, NULL), NULL);
  g_assert_cmpint (xmem_subscriber_get_fd (subscriber), ==, -1);
  harness_assert_ok (
      xmem_subscriber_connect (subscriber, XMEM_WAIT_FOREVER, NULL), NULL);
  while (r == XMEM_AGAIN) {
    poll_fd (xmem_subscriber_get_fd (subscriber));
    while ((r = xmem_subscriber_next (subscriber, 0, &frame, NULL)) == 0) {
      g_assert_cmpuint (xmem_frame_get_sequence (frame), ==, n);
      g_assert_true (frames_read_stamp (xmem_frame_get_data (frame, 0),
          xmem_frame_get_region (frame, 0)->size, &stamp));
      g_assert_cmpuint (stamp, ==, n++);
      xmem_frame_unref (frame);
    }
  }
  harness_assert_status (r, XMEM_EOS, NULL);
  g_assert_cmpuint (n, ==, N_FRAMES);
  xmem_subscriber_free (subscriber);
}

static void
dispatch (struct source *source)
{
  poll_fd (xmem_publisher_get_fd (source->publisher));
  harness_assert_ok (xmem_publisher_dispatch (source->publisher, 0), NULL);
}

static void
open_threadless (struct source *source)
{
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = harness_path ("socket"),
    .flags = XMEM_PUBLISHER_NO_THREAD };

  source_open (source, &params);
}

static void
test_loops (void)
{
  struct harness_child children[2];
  struct source source;
  unsigned n = 0;

  open_threadless (&source);
  for (unsigned i = 0; i < 2; i++)
    harness_spawn (&children[i], "looper",
        xmem_publisher_get_address (source.publisher), NULL);
  while (source_stats (&source).n_clients < 2)
    dispatch (&source);
  while (n < N_FRAMES) {
    int r = source_publish (&source, 5000, n, 0, 0);

    if (r == XMEM_AGAIN)
      dispatch (&source); /* somebody will release */
    else
      harness_assert_ok (r, NULL);
    n += r == 0;
  }
  xmem_publisher_send_eos (source.publisher);
  while (source_stats (&source).n_clients > 0)
    dispatch (&source);
  for (unsigned i = 0; i < 2; i++)
    g_assert_cmpint (harness_join (&children[i]), ==, 0);
  g_assert_cmpuint (harness_count_threads (0), ==, 0);
  source_close (&source);
  g_assert_cmpuint (harness_count_threads (0), ==, 0);
}

static void
test_nothing_to_do (void)
{
  struct source source;
  int64_t before;

  open_threadless (&source);
  harness_assert_status (
      xmem_publisher_dispatch (source.publisher, 0), XMEM_AGAIN, NULL);
  before = g_get_monotonic_time ();
  harness_assert_status (
      xmem_publisher_dispatch (source.publisher, 20 * 1000000), XMEM_AGAIN,
      NULL);
  g_assert_cmpint (g_get_monotonic_time () - before, >=, 20000);
  source_close (&source);
}

static const struct harness_role roles[] = { { "looper", run_looper },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/loops", test_loops);
  harness_add ("/nothing-to-do", test_nothing_to_do);
  return g_test_run ();
}
