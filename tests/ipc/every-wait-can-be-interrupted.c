/* SPDX-License-Identifier: MIT */
/* Whatever waits ends at once with XMEM_INTERRUPTED when it is interrupted,
 * also before it starts, and works again afterwards. */
#include <pthread.h>
#include <stdatomic.h>

#include "harness/actor.h"
#include "harness/frames.h"

struct waiter {
  int (*run) (struct waiter *waiter);
  struct source source;
  struct xmem_subscriber *subscriber;
  atomic_bool started;
  int status;
};

static int
wait_for_clients (struct waiter *w)
{
  return xmem_publisher_wait_clients (
      w->source.publisher, 99, XMEM_WAIT_FOREVER);
}

static int
wait_for_releases (struct waiter *w)
{
  return xmem_publisher_wait_released (w->source.publisher, XMEM_WAIT_FOREVER);
}

static int
wait_for_credit (struct waiter *w)
{
  return source_publish (&w->source, 1000, 1, 0, XMEM_WAIT_FOREVER);
}

static int
wait_for_publisher (struct waiter *w)
{
  return xmem_subscriber_connect (w->subscriber, XMEM_WAIT_FOREVER, NULL);
}

static int
wait_for_frame (struct waiter *w)
{
  struct xmem_frame *frame = NULL;
  int r = xmem_subscriber_next (w->subscriber, XMEM_WAIT_FOREVER, &frame, NULL);

  xmem_frame_unref (frame);
  return r;
}

static void
interrupt (struct waiter *w, bool on)
{
  if (w->subscriber)
    xmem_subscriber_interrupt (w->subscriber, on);
  else
    xmem_publisher_interrupt (w->source.publisher, on);
}

static void *
run_waiter (void *data)
{
  struct waiter *w = data;

  w->started = true;
  w->status = w->run (w);
  return NULL;
}

static void
check (struct waiter *w, int (*run) (struct waiter *))
{
  pthread_t thread;

  w->run = run;
  for (unsigned i = 0; i < 4; i++) {
    w->started = false;
    g_assert_cmpint (pthread_create (&thread, NULL, run_waiter, w), ==, 0);
    harness_wait_until (w->started);
    if (i % 2)
      harness_sleep_ms (20); /* it waits by now, most likely */
    interrupt (w, true);
    pthread_join (thread, NULL);
    harness_assert_status (w->status, XMEM_INTERRUPTED, NULL);
    harness_assert_status (run (w), XMEM_INTERRUPTED, NULL); /* still */
    interrupt (w, true); /* twice is once */
    interrupt (w, false);
  }
}

static void
test_publisher (void)
{
  struct waiter w = { 0 };
  const char *address = source_open_simply (&w.source);
  struct actor actor;

  check (&w, wait_for_clients);
  actor_start_subscriber (&actor, address, XMEM_DELIVERY_EVERY, 1);
  source_publish_many (&w.source, 1000, 0, 1);
  check (&w, wait_for_releases);
  check (&w, wait_for_credit);
  g_assert_cmpuint (source_stats (&w.source).frames_published, ==, 1);
  actor_expect_frame (&actor, 0);
  actor_release (&actor, 0);
  harness_assert_ok (wait_for_releases (&w), NULL);
  harness_assert_ok (wait_for_credit (&w), NULL);
  actor_expect_frame (&actor, 1);
  actor_stop (&actor);
  source_close (&w.source);
}

static void
test_subscriber (void)
{
  const struct xmem_subscriber_params params = { .struct_size = sizeof (params),
    .address = harness_path ("socket") };
  struct waiter w = { 0 };
  struct actor actor;

  harness_assert_ok (xmem_subscriber_new (&params, &w.subscriber, NULL), NULL);
  check (&w, wait_for_publisher);
  actor_start (&actor);
  harness_assert_ok (
      actor_open_publisher (&actor, params.address, 0, 0, 0), NULL);
  harness_assert_ok (wait_for_publisher (&w), NULL);
  check (&w, wait_for_frame);
  harness_assert_ok (actor_publish (&actor, 1000, 0, 0, -1), NULL);
  harness_assert_ok (wait_for_frame (&w), NULL);
  xmem_subscriber_free (w.subscriber);
  actor_stop (&actor);
}

/* Frames that are there come before the interruption of a wait. */
static void
test_nothing_is_lost (void)
{
  const struct xmem_subscriber_params params = { .struct_size = sizeof (params),
    .address = harness_path ("socket"),
    .delivery = XMEM_DELIVERY_EVERY };
  struct waiter w = { 0 };
  struct actor actor;
  unsigned n_frames = 0;
  int r;

  actor_start (&actor);
  harness_assert_ok (
      actor_open_publisher (&actor, params.address, 0, 0, 0), NULL);
  harness_assert_ok (xmem_subscriber_new (&params, &w.subscriber, NULL), NULL);
  harness_assert_ok (wait_for_publisher (&w), NULL);
  actor_publish_begin (&actor, 1000, 0, 50, 0);
  for (unsigned i = 0; n_frames < 50; i++) {
    interrupt (&w, i % 2);
    r = wait_for_frame (&w);
    n_frames += r == 0;
    if (r != 0)
      harness_assert_status (r, XMEM_INTERRUPTED, NULL);
  }
  actor_publish_end (&actor);
  xmem_subscriber_free (w.subscriber);
  actor_stop (&actor);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/publisher", test_publisher);
  harness_add ("/subscriber", test_subscriber);
  harness_add ("/nothing-is-lost", test_nothing_is_lost);
  return g_test_run ();
}
