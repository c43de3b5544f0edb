/* SPDX-License-Identifier: MIT */
/* Stamped frames. Keeps no state. */
#include "harness/frames.h"

#include <string.h>

void
frames_stamp (void *data, uint64_t size, uint64_t stamp)
{
  uint8_t *bytes = data;

  for (uint64_t i = 0; i < size; i += sizeof (stamp))
    memcpy (bytes + i, &stamp, MIN (sizeof (stamp), size - i));
}

bool
frames_read_stamp (const void *data, uint64_t size, uint64_t *stamp_out)
{
  const uint8_t *bytes = data;

  *stamp_out = 0;
  memcpy (stamp_out, bytes, MIN (sizeof (*stamp_out), size));
  /* Each byte is the one eight before it. */
  return size <= 8 || memcmp (bytes, bytes + 8, size - 8) == 0;
}

struct xmem_buffer *
frames_new_buffer (struct xmem_pool *pool, uint64_t size, uint64_t stamp)
{
  struct xmem_buffer *buffer;
  struct xmem_error error;

  harness_assert_ok (
      xmem_pool_acquire (pool, size, 0, XMEM_WAIT_FOREVER, &buffer, &error),
      &error);
  frames_stamp (xmem_buffer_get_mut_data (buffer), size, stamp);
  return buffer;
}

void
source_open (struct source *source, const struct xmem_publisher_params *params)
{
  struct xmem_error error;

  harness_assert_ok (xmem_pool_new (NULL, &source->pool, &error), &error);
  harness_assert_ok (
      xmem_publisher_new (params, &source->publisher, &error), &error);
}

const char *
source_open_simply (struct source *source)
{
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = harness_path ("socket") };

  source_open (source, &params);
  return params.address;
}

void
source_close (struct source *source)
{
  xmem_publisher_free (source->publisher);
  xmem_pool_unref (source->pool);
  source->publisher = NULL;
  source->pool = NULL;
}

int
source_publish (struct source *source, uint64_t size, uint64_t stamp,
    uint32_t flags, int64_t timeout_ns)
{
  struct xmem_buffer *buffer = frames_new_buffer (source->pool, size, stamp);
  struct xmem_frame_info info;
  struct xmem_error error;
  int r;

  xmem_frame_info_init (&info);
  info.flags = flags;
  info.pts = (int64_t) stamp;
  r = xmem_publisher_publish_buffer (
      source->publisher, buffer, &info, timeout_ns, &error);
  xmem_buffer_unref (buffer);
  return r;
}

void
source_publish_many (
    struct source *source, uint64_t size, uint64_t first, unsigned n)
{
  for (unsigned i = 0; i < n; i++)
    harness_assert_ok (
        source_publish (source, size, first + i, 0, XMEM_WAIT_FOREVER), NULL);
}

void
source_set_caps (struct source *source, const char *caps)
{
  const struct xmem_stream_info info = {
    .caps = caps, .base_time_ns = 1000, .latency_ns = 20
  };
  struct xmem_error error;

  harness_assert_ok (
      xmem_publisher_set_stream (source->publisher, &info, &error), &error);
}

struct xmem_publisher_stats
source_stats (const struct source *source)
{
  struct xmem_publisher_stats stats;

  xmem_publisher_get_stats (source->publisher, &stats);
  return stats;
}
