/* SPDX-License-Identifier: MIT */
/* However many frames: a segment's file crosses the socket once for each
 * client, is mapped once there, and costs one descriptor. */
#include "harness/actor.h"
#include "harness/frames.h"

static void
test_once (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct xmem_subscriber_stats stats;
  struct actor actors[2];
  unsigned n_fds[2];

  for (unsigned i = 0; i < 2; i++) {
    actor_start_subscriber (&actors[i], address, XMEM_DELIVERY_EVERY, 4);
    n_fds[i] = harness_count_fds (actors[i].child.pid);
  }
  for (unsigned i = 0; i < 100; i++) {
    source_publish_many (&source, 20000, i, 1);
    for (unsigned j = 0; j < 2; j++) {
      actor_expect_frame (&actors[j], i);
      actor_release (&actors[j], i);
    }
    xmem_publisher_wait_released (source.publisher, XMEM_WAIT_FOREVER);
  }
  g_assert_cmpuint (source_stats (&source).n_segments, ==, 1);
  g_assert_cmpuint (source_stats (&source).segments_sent, ==, 2);
  for (unsigned i = 0; i < 2; i++) {
    pid_t pid = actors[i].child.pid;

    actor_get_stats (&actors[i], &stats);
    g_assert_cmpuint (stats.segments_received, ==, 1);
    g_assert_cmpuint (stats.n_segments, ==, 1);
    g_assert_cmpuint (harness_count_mappings (pid), ==, 1);
    g_assert_cmpuint (harness_count_fds (pid), ==, n_fds[i] + 1);
    actor_unsubscribe (&actors[i]);
    g_assert_cmpuint (harness_count_mappings (pid), ==, 0);
    actor_stop (&actors[i]);
  }
  source_close (&source);
}

/* As many segments as one publisher can serve, and one more. */
static void
test_too_many_segments (void)
{
  const struct xmem_pool_params params = { .struct_size = sizeof (params),
    .max_bytes = 4096 };
  struct xmem_pool *pools[2];
  struct xmem_buffer *buffers[257];
  struct xmem_frame_info info;
  struct source source;

  source_open_simply (&source);
  xmem_frame_info_init (&info);
  for (unsigned i = 0; i < 2; i++)
    harness_assert_ok (xmem_pool_new (&params, &pools[i], NULL), NULL);
  for (unsigned i = 0; i < 257; i++) {
    harness_assert_ok (xmem_pool_acquire (pools[i / 256], 4096,
                           XMEM_ACQUIRE_OVER_LIMIT, 0, &buffers[i], NULL),
        NULL);
    harness_assert_status (xmem_publisher_publish_buffer (
                               source.publisher, buffers[i], &info, 0, NULL),
        i < 256 ? XMEM_OK : XMEM_FULL, NULL);
  }
  g_assert_cmpuint (source_stats (&source).n_segments, ==, 256);
  xmem_buffer_unref (buffers[0]);
  xmem_pool_trim (pools[0], 1 << 20); /* retires the first */
  harness_assert_ok (xmem_publisher_publish_buffer (
                         source.publisher, buffers[256], &info, 0, NULL),
      NULL);
  g_assert_cmpuint (source_stats (&source).n_segments, ==, 256);
  for (unsigned i = 1; i < 257; i++)
    xmem_buffer_unref (buffers[i]);
  for (unsigned i = 0; i < 2; i++)
    xmem_pool_unref (pools[i]);
  source_close (&source);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/once", test_once);
  harness_add ("/too-many-segments", test_too_many_segments);
  return g_test_run ();
}
