/* SPDX-License-Identifier: MIT */
/* xmem_publisher_free () returns at once; what is out stays out, and each
 * frame's done function is called exactly once, when nobody has it any more. */
#include <stdatomic.h>

#include "harness/actor.h"
#include "harness/frames.h"

#define N 6

struct counted {
  struct xmem_buffer *buffer;
  atomic_uint n_done;
};

static void
on_done (void *data)
{
  struct counted *counted = data;

  xmem_buffer_unref (counted->buffer);
  counted->n_done++; /* the test may end now */
}

static void
publish (struct source *source, struct counted *counted, unsigned n)
{
  struct xmem_frame_info info;

  xmem_frame_info_init (&info);
  for (unsigned i = 0; i < n; i++) {
    struct xmem_region region;
    const struct xmem_publish frame = { .struct_size = sizeof (frame),
      .regions = &region,
      .n_regions = 1,
      .info = &info,
      .done = on_done,
      .done_data = &counted[i] };

    counted[i].n_done = 0;
    counted[i].buffer = frames_new_buffer (source->pool, 10000, i);
    xmem_buffer_get_region (counted[i].buffer, &region);
    harness_assert_ok (
        xmem_publisher_publish (source->publisher, &frame, 0, NULL), NULL);
  }
}

static unsigned
count_done (const struct counted *counted)
{
  unsigned n = 0;

  for (unsigned i = 0; i < N; i++)
    n += counted[i].n_done;
  return n;
}

static void
expect_each_once (const struct counted *counted)
{
  for (unsigned i = 0; i < N; i++) {
    harness_wait_until (counted[i].n_done > 0);
    g_assert_cmpuint (counted[i].n_done, ==, 1);
  }
}

static void
check_lingering (unsigned flags)
{
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = harness_path ("socket"),
    .flags = flags };
  unsigned n_threads = harness_count_threads (0);
  struct counted counted[N];
  struct source source;
  struct actor actor;
  char line[HARNESS_LINE_MAX];

  source_open (&source, &params);
  actor_start (&actor);
  harness_tell (&actor.child, "connect %s 1 4 -1", params.address);
  while (source_stats (&source).n_clients == 0)
    if (flags & XMEM_PUBLISHER_NO_THREAD)
      xmem_publisher_dispatch (source.publisher, 1000000);
  harness_hear (&actor.child, line);
  publish (&source, counted, 4);
  for (unsigned i = 0; i < 4; i++)
    actor_expect_frame (&actor, i);
  for (unsigned i = 4; i < N; i++)
    counted[i].n_done = 0;
  source_close (&source);
  g_assert_cmpuint (count_done (counted), ==, 0);
  for (unsigned i = 0; i < 4; i++)
    g_assert_true (actor_still_sees (&actor, i, i));
  actor_release (&actor, 2);
  harness_wait_until (counted[2].n_done == 1);
  g_assert_cmpuint (count_done (counted), ==, 1);
  actor_stop (&actor);
  harness_wait_until (count_done (counted) == 4);
  harness_wait_until (harness_count_threads (0) == n_threads);
}

static void
test_with_its_thread (void)
{
  check_lingering (0);
}

static void
test_without_a_thread (void)
{
  check_lingering (XMEM_PUBLISHER_NO_THREAD);
}

static void
test_nobody_there (void)
{
  struct counted counted[N];
  struct source source;

  source_open_simply (&source);
  publish (&source, counted, N);
  expect_each_once (counted); /* before the end */
  source_close (&source);
  g_assert_cmpuint (count_done (counted), ==, N);
}

/* Sent and never read, waiting for credit, skipped: all come back. */
static void
test_reader_that_reads_nothing (void)
{
  struct counted counted[N];
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor actor;

  actor_start_subscriber (&actor, address, XMEM_DELIVERY_LATEST, 2);
  publish (&source, counted, N);
  source_close (&source);
  actor_stop (&actor);
  expect_each_once (counted);
}

static void
test_without_a_thread_nobody_there (void)
{
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = harness_path ("socket"),
    .flags = XMEM_PUBLISHER_NO_THREAD };
  unsigned n_threads = harness_count_threads (0);
  struct counted counted[N];
  struct source source;

  source_open (&source, &params);
  publish (&source, counted, N);
  source_close (&source);
  expect_each_once (counted);
  g_assert_cmpuint (harness_count_threads (0), ==, n_threads);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/with-its-thread", test_with_its_thread);
  harness_add ("/without-a-thread", test_without_a_thread);
  harness_add ("/nobody-there", test_nobody_there);
  harness_add ("/reader-that-reads-nothing", test_reader_that_reads_nothing);
  harness_add (
      "/without-a-thread-nobody-there", test_without_a_thread_nobody_there);
  return g_test_run ();
}
