/* SPDX-License-Identifier: MIT */
/* Frames of no, one and sixteen regions, in one segment or in many; what is
 * beyond that, or outside a segment, is refused before anybody sees it. */
#include <string.h>

#include "harness/actor.h"
#include "harness/frames.h"

static void
unref_all (void *data)
{
  struct xmem_buffer **buffers = data;

  for (unsigned i = 0; i < XMEM_MAX_REGIONS; i++)
    xmem_buffer_unref (buffers[i]);
}

static int
publish (struct source *source, const struct xmem_region *regions, size_t n,
    void (*done) (void *), void *done_data)
{
  struct xmem_frame_info info;
  const struct xmem_publish frame = { .struct_size = sizeof (frame),
    .regions = regions,
    .n_regions = n,
    .info = &info,
    .done = done,
    .done_data = done_data };

  xmem_frame_info_init (&info);
  return xmem_publisher_publish (source->publisher, &frame, 0, NULL);
}

/* Sixteen regions, whose sizes grow by `step`. */
static void
check_sixteen (uint64_t size, uint64_t step)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct xmem_buffer *buffers[XMEM_MAX_REGIONS];
  struct xmem_region regions[XMEM_MAX_REGIONS];
  struct xmem_subscriber_stats stats;
  struct actor_frame frame;
  struct actor actor;

  actor_start_subscriber (&actor, address, XMEM_DELIVERY_EVERY, 0);
  for (unsigned i = 0; i < XMEM_MAX_REGIONS; i++) {
    buffers[i] = frames_new_buffer (source.pool, size + i * step, i);
    xmem_buffer_get_region (buffers[i], &regions[i]);
  }
  harness_assert_ok (
      publish (&source, regions, XMEM_MAX_REGIONS, unref_all, buffers), NULL);
  harness_assert_ok (actor_next (&actor, -1, &frame), NULL);
  g_assert_cmpuint (frame.n_regions, ==, 16);
  g_assert_cmpuint (frame.n_intact, ==, 16);
  g_assert_cmpuint (frame.size, ==, 16 * size + 120 * step);
  actor_get_stats (&actor, &stats);
  g_assert_cmpuint (stats.n_segments, ==, source_stats (&source).n_segments);
  g_assert_cmpuint (stats.n_segments, >=, step > 0 ? 8 : 1);
  actor_stop (&actor);
  harness_assert_ok (
      xmem_publisher_wait_released (source.publisher, XMEM_WAIT_FOREVER), NULL);
  source_close (&source);
}

static void
test_sixteen_regions_of_one_kind (void)
{
  check_sixteen (3000, 0);
}

static void
test_sixteen_regions_of_many_segments (void)
{
  check_sixteen (3000, 100000);
}

static void
test_no_region (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor_frame frame;
  struct actor actor;

  actor_start_subscriber (&actor, address, XMEM_DELIVERY_EVERY, 0);
  harness_assert_ok (publish (&source, NULL, 0, NULL, NULL), NULL);
  harness_assert_ok (actor_next (&actor, -1, &frame), NULL);
  g_assert_cmpuint (frame.n_regions, ==, 0);
  g_assert_cmpuint (source_stats (&source).n_segments, ==, 0);
  actor_stop (&actor);
  source_close (&source);
}

/* Parts of a buffer, the empty one at its end included. */
static void
test_parts_of_a_buffer (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct xmem_buffer *buffer;
  struct xmem_region regions[3];
  struct actor_frame frame;
  struct actor actor;

  actor_start_subscriber (&actor, address, XMEM_DELIVERY_EVERY, 0);
  buffer = frames_new_buffer (source.pool, 4096, 7);
  for (unsigned i = 0; i < 3; i++) {
    xmem_buffer_get_region (buffer, &regions[i]);
    regions[i].offset += i * 2048;
    regions[i].size = i < 2 ? 2048 : 0;
  }
  harness_assert_ok (publish (&source, regions, 2, NULL, NULL), NULL);
  harness_assert_ok (actor_next (&actor, -1, &frame), NULL);
  g_assert_cmpuint (frame.n_regions, ==, 2);
  g_assert_cmpuint (frame.n_intact, ==, 2);
  g_assert_cmpuint (frame.size, ==, 4096);
  g_assert_cmpuint (frame.stamp, ==, 7);
  harness_assert_ok (publish (&source, regions, 3, NULL, NULL), NULL);
  harness_assert_ok (actor_next (&actor, -1, &frame), NULL);
  g_assert_cmpuint (frame.n_regions, ==, 3);
  actor_stop (&actor);
  xmem_buffer_unref (buffer);
  source_close (&source);
}

static void
never_done (void *data)
{
  g_assert_not_reached ();
}

static void
test_impossible_regions (void)
{
  struct source source;
  struct xmem_buffer *buffer;
  struct xmem_region regions[XMEM_MAX_REGIONS + 1];

  source_open_simply (&source);
  buffer = frames_new_buffer (source.pool, 4096, 7);
  for (unsigned i = 0; i < G_N_ELEMENTS (regions); i++)
    xmem_buffer_get_region (buffer, &regions[i]);
  harness_assert_status (
      publish (&source, regions, XMEM_MAX_REGIONS + 1, never_done, NULL),
      XMEM_INVALID, NULL);
  regions[3].offset = UINT64_C (1) << 30;
  harness_assert_status (
      publish (&source, regions, 16, never_done, NULL), XMEM_INVALID, NULL);
  xmem_buffer_get_region (buffer, &regions[3]);
  regions[3].offset = 1;
  regions[3].size = UINT64_MAX; /* ends before it starts */
  harness_assert_status (
      publish (&source, regions, 16, never_done, NULL), XMEM_INVALID, NULL);
  g_assert_cmpuint (source_stats (&source).frames_held, ==, 0);
  g_assert_cmpuint (source_stats (&source).frames_published, ==, 0);
  xmem_buffer_unref (buffer);
  source_close (&source);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add (
      "/sixteen-regions-of-one-kind", test_sixteen_regions_of_one_kind);
  harness_add ("/sixteen-regions-of-many-segments",
      test_sixteen_regions_of_many_segments);
  harness_add ("/no-region", test_no_region);
  harness_add ("/parts-of-a-buffer", test_parts_of_a_buffer);
  harness_add ("/impossible-regions", test_impossible_regions);
  return g_test_run ();
}
