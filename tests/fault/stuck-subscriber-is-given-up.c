/* SPDX-License-Identifier: MIT */
/* A subscriber that holds its grant and releases nothing, because it was
 * stopped or will not: with a limit it is given up, others go on, and what it
 * holds stays as it is until it hangs up. */
#include <poll.h>
#include <pthread.h>
#include <signal.h>

#include "harness/actor.h"
#include "harness/frames.h"
#include "harness/raw.h"

#define TIMEOUT_NS UINT64_C (200000000)

/* What one publisher told, which may still do so when the next one is there. */
struct told {
  pthread_mutex_t lock; /* which the thread sanitizer knows */
  unsigned n_stuck;
  unsigned n_disconnected;
  int disconnected_fd;
  struct xmem_publisher_client client;
};

static struct told *told; /* of the present publisher, which frees it */

static void
on_stuck (const struct xmem_publisher_client *client, void *user_data)
{
  struct told *t = user_data;

  pthread_mutex_lock (&t->lock);
  g_assert_cmpuint (t->n_disconnected, ==, 0);
  t->n_stuck++;
  t->client = *client;
  pthread_mutex_unlock (&t->lock);
}

static void
on_disconnected (int fd, void *user_data)
{
  struct told *t = user_data;

  pthread_mutex_lock (&t->lock);
  t->n_disconnected++;
  t->disconnected_fd = fd;
  pthread_mutex_unlock (&t->lock);
}

static void
open_source (struct source *source, uint64_t timeout_ns, unsigned flags)
{
  struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = harness_path ("socket"),
    .flags = flags,
    .max_buffers = 64,
    .client_timeout_ns = timeout_ns,
    .client_stuck = on_stuck,
    .client_disconnected = on_disconnected,
    .user_data_free = g_free };

  params.user_data = told = g_new0 (struct told, 1);
  pthread_mutex_init (&told->lock, NULL);
  source_open (source, &params);
}

static unsigned
n_stuck (void)
{
  unsigned n;

  pthread_mutex_lock (&told->lock);
  n = told->n_stuck;
  pthread_mutex_unlock (&told->lock);
  return n;
}

static unsigned
n_disconnected (void)
{
  unsigned n;

  pthread_mutex_lock (&told->lock);
  n = told->n_disconnected;
  pthread_mutex_unlock (&told->lock);
  return n;
}

static void
assert_told_of (const struct actor *actor, unsigned n_held)
{
  harness_wait_until (n_disconnected () == 1);
  g_assert_cmpuint (n_stuck (), ==, 1);
  g_assert_cmpint (told->client.pid, ==, actor->child.pid);
  g_assert_cmpstr (told->client.name, ==, "actor");
  g_assert_cmpint (told->client.state, ==, XMEM_CLIENT_EVICTED);
  g_assert_cmpint (told->client.fd, ==, told->disconnected_fd);
  g_assert_cmpuint (told->client.frames_held, ==, n_held);
}

static void
stop (struct actor *actor)
{
  harness_kill (&actor->child, SIGSTOP);
  harness_wait_until (harness_is_stopped (&actor->child));
}

/* Frames that go through many slots, all of which the other gets. */
static void
publish_to (
    struct source *source, struct actor *other, uint64_t first, unsigned n)
{
  for (unsigned i = 0; i < n; i++) {
    source_publish_many (source, 10000, first + i, 1);
    actor_expect_frame (other, first + i);
    actor_release (other, first + i);
  }
}

static void
test_every_one_is_stopped (void)
{
  struct source source;
  struct actor stuck, other;
  struct actor_frame frame;
  int64_t before;

  open_source (&source, TIMEOUT_NS, 0);
  actor_start_subscriber (
      &stuck, harness_path ("socket"), XMEM_DELIVERY_EVERY, 2);
  actor_start_subscriber (
      &other, harness_path ("socket"), XMEM_DELIVERY_EVERY, 64);
  stop (&stuck);
  publish_to (&source, &other, 0, 2);
  before = g_get_monotonic_time ();
  publish_to (&source, &other, 2, 1); /* waits, and then no more */
  g_assert_cmpint (
      g_get_monotonic_time () - before, >=, (int64_t) TIMEOUT_NS / 1000);
  assert_told_of (&stuck, 2);
  publish_to (&source, &other, 3, 100);
  harness_wait_until (source_stats (&source).frames_held == 2);

  harness_kill (&stuck.child, SIGCONT);
  for (unsigned i = 0; i < 2; i++) {
    g_assert_cmpint (actor_next (&stuck, -1, &frame), ==, 0);
    g_assert_cmpuint (frame.stamp, ==, i);
    g_assert_cmpuint (frame.n_intact, ==, 1);
  }
  g_assert_cmpint (actor_next (&stuck, -1, &frame), ==, XMEM_GONE);
  harness_assert_contains (stuck.message, "given us up: 2 frames were held");

  /* It may begin anew while it keeps what it had. */
  g_assert_cmpint (actor_connect (&stuck, harness_path ("socket"),
                       XMEM_DELIVERY_EVERY, 64, -1),
      ==, 0);
  publish_to (&source, &other, 103, 30);
  for (unsigned i = 0; i < 2; i++)
    g_assert_true (actor_still_sees (&stuck, i, i));
  actor_expect_frame (&stuck, 103);
  actor_stop (&stuck);
  actor_stop (&other);
  harness_assert_ok (
      xmem_publisher_wait_released (source.publisher, XMEM_WAIT_FOREVER), NULL);
  source_close (&source);
}

/* Nothing else happens any more: the time alone ends it. */
static void
test_latest_one_of_an_idle_publisher (void)
{
  struct source source;
  struct actor stuck;

  open_source (&source, TIMEOUT_NS, 0);
  actor_start_subscriber (
      &stuck, harness_path ("socket"), XMEM_DELIVERY_LATEST, 3);
  source_publish_many (&source, 10000, 0, 4);
  assert_told_of (&stuck, 3);
  g_assert_cmpuint (source_stats (&source).n_clients, ==, 0);
  g_assert_cmpuint (source_stats (&source).frames_held, ==, 3);
  for (unsigned i = 0; i < 3; i++)
    actor_expect_frame (&stuck, i);
  actor_expect_status (&stuck, XMEM_GONE);
  actor_stop (&stuck);
  harness_wait_until (source_stats (&source).frames_held == 0);
  source_close (&source);
}

/* Who holds its grant while nothing waits for it is not stuck. */
static void
test_holding_is_not_being_stuck (void)
{
  struct source source;
  struct actor holder;

  open_source (&source, 1, 0);
  actor_start_subscriber (
      &holder, harness_path ("socket"), XMEM_DELIVERY_EVERY, 3);
  source_publish_many (&source, 10000, 0, 3);
  harness_sleep_ms (50);
  g_assert_cmpuint (source_stats (&source).n_clients, ==, 1);
  for (unsigned i = 0; i < 3; i++)
    actor_expect_frame (&holder, i);
  actor_release (&holder, 1);
  harness_wait_until (source_stats (&source).frames_held == 2);
  source_publish_many (&source, 10000, 3, 1);
  actor_expect_frame (&holder, 3);
  g_assert_cmpuint (n_stuck (), ==, 0);
  actor_stop (&holder);
  source_close (&source);
}

static void
test_without_a_limit (void)
{
  struct source source;
  struct actor holder;

  open_source (&source, 0, 0);
  actor_start_subscriber (
      &holder, harness_path ("socket"), XMEM_DELIVERY_EVERY, 1);
  source_publish_many (&source, 10000, 0, 1);
  harness_assert_status (
      source_publish (&source, 10000, 1, 0, 50 * 1000000), XMEM_AGAIN, NULL);
  g_assert_cmpuint (source_stats (&source).n_clients, ==, 1);
  actor_stop (&holder);
  source_close (&source);
}

static gpointer
subscribe (gpointer address)
{
  return GINT_TO_POINTER (raw_subscribe (address, XMEM_DELIVERY_LATEST, 1));
}

/* The descriptor of a publisher without a thread tells when it is time. */
static void
test_event_loop (void)
{
  const char *address = harness_path ("socket");
  struct source source;
  struct pollfd wait = { .events = POLLIN };
  GThread *thread;
  int fd;

  open_source (&source, TIMEOUT_NS, XMEM_PUBLISHER_NO_THREAD);
  thread = g_thread_new ("subscriber", subscribe, (gpointer) address);
  while (source_stats (&source).n_clients == 0)
    (void) xmem_publisher_dispatch (source.publisher, XMEM_WAIT_FOREVER);
  fd = GPOINTER_TO_INT (g_thread_join (thread));
  source_publish_many (&source, 10000, 0, 2);
  wait.fd = xmem_publisher_get_fd (source.publisher);
  while (n_stuck () == 0) {
    g_assert_cmpint (poll (&wait, 1, -1), ==, 1);
    (void) xmem_publisher_dispatch (source.publisher, 0);
  }
  g_assert_cmpint (raw_expect_end (fd), ==, XMEM_GONE);
  close (fd);
  source_close (&source);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/every-one-is-stopped", test_every_one_is_stopped);
  harness_add (
      "/latest-one-of-an-idle-publisher", test_latest_one_of_an_idle_publisher);
  harness_add ("/holding-is-not-being-stuck", test_holding_is_not_being_stuck);
  harness_add ("/without-a-limit", test_without_a_limit);
  harness_add ("/event-loop", test_event_loop);
  return g_test_run ();
}
