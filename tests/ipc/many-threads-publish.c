/* SPDX-License-Identifier: MIT */
/* Several threads publish through one publisher, others announce streams and
 * read its figures, while clients come and go. */
#include <pthread.h>
#include <stdatomic.h>

#include "harness/actor.h"
#include "harness/frames.h"

#define N_THREADS 3
#define PER_THREAD 150

static struct source source;
static atomic_uint n_done, n_busy;

static void
on_done (void *buffer)
{
  xmem_buffer_unref (buffer);
  n_done++;
}

static void
publish_one (uint64_t stamp)
{
  struct xmem_buffer *buffer = frames_new_buffer (source.pool, 5000, stamp);
  struct xmem_region region;
  struct xmem_frame_info info;
  const struct xmem_publish frame = { .struct_size = sizeof (frame),
    .regions = &region,
    .n_regions = 1,
    .info = &info,
    .done = on_done,
    .done_data = buffer };

  xmem_frame_info_init (&info);
  xmem_buffer_get_region (buffer, &region);
  harness_assert_ok (xmem_publisher_publish (
                         source.publisher, &frame, XMEM_WAIT_FOREVER, NULL),
      NULL);
}

static void *
run_publisher (void *data)
{
  for (unsigned i = 0; i < PER_THREAD; i++)
    publish_one (i);
  n_busy--;
  return NULL;
}

static void *
run_announcer (void *data)
{
  while (n_busy > 0) {
    struct xmem_publisher_stats stats = source_stats (&source);

    g_assert_cmpuint (stats.n_clients, <=, 4);
    source_set_caps (&source, "others");
    g_usleep (500);
  }
  return NULL;
}

/* Every frame once, in order, and all of it of one thread. */
static void
check_reader (struct actor *reader)
{
  struct actor_frame frame;

  for (unsigned i = 0; i < N_THREADS * PER_THREAD; i++) {
    harness_assert_ok (actor_next (reader, -1, &frame), NULL);
    g_assert_cmpuint (frame.sequence, ==, i);
    g_assert_cmpuint (frame.n_intact, ==, 1);
    actor_release (reader, i);
  }
}

static void
test_many_threads (void)
{
  const char *address = source_open_simply (&source);
  pthread_t threads[N_THREADS + 1];
  struct actor reader, passer_by;

  n_done = 0;
  n_busy = N_THREADS;
  actor_start_subscriber (&reader, address, XMEM_DELIVERY_EVERY, 4);
  for (unsigned i = 0; i <= N_THREADS; i++)
    g_assert_cmpint (pthread_create (&threads[i], NULL,
                         i < N_THREADS ? run_publisher : run_announcer, NULL),
        ==, 0);
  for (unsigned i = 0; i < 5; i++) {
    actor_start_subscriber (&passer_by, address, XMEM_DELIVERY_LATEST, 2);
    actor_die (&passer_by);
  }
  check_reader (&reader);
  for (unsigned i = 0; i <= N_THREADS; i++)
    pthread_join (threads[i], NULL);
  harness_assert_ok (
      xmem_publisher_wait_released (source.publisher, XMEM_WAIT_FOREVER), NULL);
  g_assert_cmpuint (n_done, ==, N_THREADS * PER_THREAD);
  actor_stop (&reader);
  source_close (&source);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/many-threads", test_many_threads);
  return g_test_run ();
}
