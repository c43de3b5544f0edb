/* SPDX-License-Identifier: MIT */
/* Times, flags, description, metas and stream of a frame are the same in the
 * other process. */
#include <string.h>

#include "harness/actor.h"
#include "harness/frames.h"

static uint8_t metas[XMEM_MAX_METAS];

static void
fill (struct xmem_frame_info *info, size_t metas_size)
{
  for (size_t i = 0; i < sizeof (metas); i++)
    metas[i] = (uint8_t) (i * 31);
  xmem_frame_info_init (info);
  info->pts = -5;
  info->dts = INT64_MAX;
  info->duration = 40000000;
  info->raw_pts = 77;
  info->offset = 1;
  info->offset_end = UINT64_MAX - 1;
  info->capture_ns = 123456789;
  info->flags = 0x80002040;
  info->description.content_type = 9;
  info->description.dtype = XMEM_DTYPE_F16;
  info->description.ndim = XMEM_MAX_DIMS;
  for (unsigned i = 0; i < XMEM_MAX_DIMS; i++) {
    info->description.shape[i] = 10 + i;
    info->description.strides[i] = -(int64_t) i;
  }
  info->metas = metas;
  info->metas_size = metas_size;
}

static void
check (const struct xmem_frame *frame, size_t metas_size)
{
  const struct xmem_frame_info *info = xmem_frame_get_info (frame);
  const struct xmem_stream_info *stream = xmem_frame_get_stream (frame);
  struct xmem_frame_info expected;

  fill (&expected, metas_size);
  g_assert_cmpint (info->pts, ==, expected.pts);
  g_assert_cmpint (info->dts, ==, expected.dts);
  g_assert_cmpuint (info->duration, ==, expected.duration);
  g_assert_cmpuint (info->raw_pts, ==, expected.raw_pts);
  g_assert_cmpuint (info->offset, ==, expected.offset);
  g_assert_cmpuint (info->offset_end, ==, expected.offset_end);
  g_assert_cmpuint (info->capture_ns, ==, expected.capture_ns);
  g_assert_cmpuint (info->flags, ==, expected.flags);
  g_assert_cmpmem (&info->description, sizeof (info->description),
      &expected.description, sizeof (expected.description));
  g_assert_cmpmem (
      info->metas, info->metas_size, expected.metas, expected.metas_size);
  g_assert_cmpstr (stream->caps, ==, "caps");
  g_assert_cmpuint (stream->base_time_ns, ==, 1000);
  g_assert_cmpuint (stream->latency_ns, ==, 20);
}

static void
run_reader (int argc, char **argv)
{
  const struct xmem_subscriber_params params = { .struct_size = sizeof (params),
    .address = argv[0],
    .delivery = XMEM_DELIVERY_EVERY };
  struct xmem_subscriber *subscriber;
  struct xmem_frame *frame;
  char line[HARNESS_LINE_MAX];

  harness_assert_ok (xmem_subscriber_new (&params, &subscriber, NULL), NULL);
  harness_assert_ok (
      xmem_subscriber_connect (subscriber, XMEM_WAIT_FOREVER, NULL), NULL);
  harness_say ("here");
  while (harness_listen (line)) {
    harness_assert_ok (
        xmem_subscriber_next (subscriber, XMEM_WAIT_FOREVER, &frame, NULL),
        NULL);
    g_assert_cmpuint (xmem_frame_get_published_ns (frame) / 1000, <=,
        (uint64_t) g_get_monotonic_time () + 1);
    check (frame, (size_t) atoi (line));
    xmem_frame_unref (frame);
    harness_say ("well");
  }
  xmem_subscriber_free (subscriber);
}

static void
test_info_arrives (void)
{
  static const size_t sizes[] = { 0, 1, 7, 8, 100, 16384, 16385, 100000,
    XMEM_MAX_METAS };
  struct source source;
  const char *address = source_open_simply (&source);
  struct harness_child child;
  struct xmem_frame_info info;
  char line[HARNESS_LINE_MAX];

  source_set_caps (&source, "caps");
  harness_spawn (&child, "reader", address, NULL);
  harness_hear (&child, line);
  for (size_t i = 0; i < G_N_ELEMENTS (sizes); i++) {
    struct xmem_buffer *buffer = frames_new_buffer (source.pool, 100, 1);

    fill (&info, sizes[i]);
    harness_assert_ok (xmem_publisher_publish_buffer (source.publisher, buffer,
                           &info, XMEM_WAIT_FOREVER, NULL),
        NULL);
    memset (metas, 0, sizeof (metas)); /* ours again */
    xmem_buffer_unref (buffer);
    harness_tell (&child, "%zu", sizes[i]);
    harness_hear (&child, line);
  }
  g_assert_cmpint (harness_join (&child), ==, 0);
  source_close (&source);
}

static void
refuse (struct source *source, const struct xmem_frame_info *info)
{
  struct xmem_buffer *buffer = frames_new_buffer (source->pool, 100, 1);
  struct xmem_pool_stats stats;

  harness_assert_status (
      xmem_publisher_publish_buffer (source->publisher, buffer, info, 0, NULL),
      XMEM_INVALID, NULL);
  xmem_buffer_unref (buffer);
  xmem_pool_get_stats (source->pool, &stats);
  g_assert_cmpuint (stats.n_used, ==, 0);
}

static void
test_impossible_info_is_refused (void)
{
  struct source source;
  struct xmem_frame_info info;

  source_open_simply (&source);
  fill (&info, XMEM_MAX_METAS + 1);
  refuse (&source, &info);
  fill (&info, 0);
  info.description.ndim = XMEM_MAX_DIMS + 1;
  refuse (&source, &info);
  fill (&info, 0);
  info.description.dtype = 12;
  refuse (&source, &info);
  source_close (&source);
}

static const struct harness_role roles[] = { { "reader", run_reader },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/info-arrives", test_info_arrives);
  harness_add ("/impossible-info-is-refused", test_impossible_info_is_refused);
  return g_test_run ();
}
