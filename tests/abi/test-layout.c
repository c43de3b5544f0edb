/* SPDX-License-Identifier: MIT */
/* Where the fields of shared and public structures lie and what the public
 * numbers are, on 64-bit machines. A failure means that programs built before
 * no longer work with this library. */
#include <stddef.h>

#include <xmem/xmem.h>

#include "harness/harness.h"
#include "pool/layout.h"

#define OFFSET(type, field, expected) \
  g_assert_cmpuint (offsetof (type, field), ==, (expected))
#define SIZE(type, expected) g_assert_cmpuint (sizeof (type), ==, (expected))

static void
test_slot (void)
{
  struct xmem_slot slot = { 0 };

  SIZE (struct xmem_slot, 256);
  OFFSET (struct xmem_slot, state, 0);
  OFFSET (struct xmem_slot, given_ns, 8);
  OFFSET (struct xmem_slot, size, 16);
  OFFSET (struct xmem_slot, info, 64);
  SIZE (struct xmem_buffer_info, 160);
  OFFSET (struct xmem_buffer_info, sequence, 8);
  OFFSET (struct xmem_buffer_info, producer, 16);
  OFFSET (struct xmem_buffer_info, description, 24);

  /* generation 32 | in flight 8 | holders 24 */
  slot.state = UINT64_C (0x1234567800000000);
  g_assert_true (xmem_slot_take_free (&slot, 1 << 23));
  g_assert_cmphex (slot.state, ==, UINT64_C (0x1234567900800000));
  g_assert_cmpint (xmem_slot_add_holder (&slot, 0x12345679, 1, 0), ==, XMEM_OK);
  g_assert_cmpint (xmem_slot_give (&slot, 3, 1), ==, XMEM_OK);
  g_assert_cmphex (slot.state, ==, UINT64_C (0x1234567903800001));
  g_assert_cmphex (XMEM_SLOT_CLOSED, ==, 0xff000000);
}

static void
test_head (void)
{
  SIZE (struct xmem_layout_header, 36864);
  OFFSET (struct xmem_layout_header, version, 8);
  OFFSET (struct xmem_layout_header, n_slots, 12);
  OFFSET (struct xmem_layout_header, max_bytes, 16);
  OFFSET (struct xmem_layout_header, handover_ns, 24);
  OFFSET (struct xmem_layout_header, slots_offset, 32);
  OFFSET (struct xmem_layout_header, data_offset, 40);
  OFFSET (struct xmem_layout_header, n_segments, 128);
  OFFSET (struct xmem_layout_header, n_released, 192);
  OFFSET (struct xmem_layout_header, waiting, 196);
  OFFSET (struct xmem_layout_header, processes, 256);
  OFFSET (struct xmem_layout_header, segments, 4096);
  SIZE (struct xmem_layout_process, 64);
  OFFSET (struct xmem_layout_process, serial, 8);
  OFFSET (struct xmem_layout_header, n_attached, 48);
  SIZE (struct xmem_layout_segment, 128);
  OFFSET (struct xmem_layout_segment, first, 4);
  OFFSET (struct xmem_layout_segment, n_slots, 8);
  OFFSET (struct xmem_layout_segment, offset, 16);
  OFFSET (struct xmem_layout_segment, slot_size, 24);
  OFFSET (struct xmem_layout_segment, pid, 12);
  OFFSET (struct xmem_layout_segment, owner, 16);
  OFFSET (struct xmem_layout_segment, device, 32);
  OFFSET (struct xmem_layout_segment, gpu, 48);
  OFFSET (struct xmem_layout_segment, handle, 64);
  g_assert_cmpint (XMEM_SEGMENT_FILE, ==, 1);
  g_assert_cmpint (XMEM_SEGMENT_CUDA, ==, 2);
  g_assert_cmpuint (xmem_layout_slots_offset (1), ==, 37120);
  g_assert_cmpuint (xmem_layout_slots_offset (1024), ==, 37120);
  g_assert_cmpuint (xmem_layout_head_size (1024), ==, 327680);
  g_assert_cmpint (XMEM_LOCK_NAME, ==, 0);
  g_assert_cmpint (XMEM_LOCK_PROCESS, ==, 1);
  g_assert_cmpint (XMEM_LOCK_GROWTH, ==, 25);
}

static void
test_frame_structures (void)
{
  SIZE (struct xmem_description, 136);
  OFFSET (struct xmem_description, dtype, 4);
  OFFSET (struct xmem_description, ndim, 6);
  OFFSET (struct xmem_description, shape, 8);
  OFFSET (struct xmem_description, strides, 72);
  SIZE (struct xmem_frame_info, 216);
  OFFSET (struct xmem_frame_info, dts, 8);
  OFFSET (struct xmem_frame_info, duration, 16);
  OFFSET (struct xmem_frame_info, raw_pts, 24);
  OFFSET (struct xmem_frame_info, offset, 32);
  OFFSET (struct xmem_frame_info, offset_end, 40);
  OFFSET (struct xmem_frame_info, capture_ns, 48);
  OFFSET (struct xmem_frame_info, flags, 56);
  OFFSET (struct xmem_frame_info, description, 64);
  OFFSET (struct xmem_frame_info, metas, 200);
  OFFSET (struct xmem_frame_info, metas_size, 208);
  SIZE (struct xmem_event, 32);
  OFFSET (struct xmem_event, flags, 4);
  OFFSET (struct xmem_event, name, 8);
  OFFSET (struct xmem_event, data, 16);
  OFFSET (struct xmem_event, size, 24);
  SIZE (struct xmem_stream_info, 24);
  OFFSET (struct xmem_stream_info, base_time_ns, 8);
  OFFSET (struct xmem_stream_info, latency_ns, 16);
  SIZE (struct xmem_region, 32);
  OFFSET (struct xmem_region, id, 8);
  OFFSET (struct xmem_region, offset, 16);
  OFFSET (struct xmem_region, size, 24);
  SIZE (struct xmem_error, 256);
  OFFSET (struct xmem_error, sys_errno, 4);
  OFFSET (struct xmem_error, message, 8);
}

static void
test_pool_structures (void)
{
  SIZE (struct xmem_pool_params, 72);
  OFFSET (struct xmem_pool_params, n_slots, 8);
  OFFSET (struct xmem_pool_params, mode, 12);
  OFFSET (struct xmem_pool_params, max_bytes, 16);
  OFFSET (struct xmem_pool_params, handover_timeout_ns, 24);
  OFFSET (struct xmem_pool_params, cuda_mode, 32);
  OFFSET (struct xmem_pool_params, cuda_context, 40);
  OFFSET (struct xmem_pool_params, cuda_keeper, 48);
  SIZE (struct xmem_pool_stats, 32);
  OFFSET (struct xmem_pool_stats, n_used, 4);
  OFFSET (struct xmem_pool_stats, n_in_flight, 8);
  OFFSET (struct xmem_pool_stats, n_segments, 12);
  OFFSET (struct xmem_pool_stats, n_processes, 16);
  OFFSET (struct xmem_pool_stats, bytes, 24);
  SIZE (struct xmem_buffer_refs, 12);
}

static void
test_publisher_structures (void)
{
  SIZE (struct xmem_publisher_params, 128);
  OFFSET (struct xmem_publisher_params, address, 8);
  OFFSET (struct xmem_publisher_params, flags, 16);
  OFFSET (struct xmem_publisher_params, mode, 20);
  OFFSET (struct xmem_publisher_params, max_clients, 24);
  OFFSET (struct xmem_publisher_params, max_buffers, 28);
  OFFSET (struct xmem_publisher_params, client_connected, 32);
  OFFSET (struct xmem_publisher_params, client_disconnected, 40);
  OFFSET (struct xmem_publisher_params, user_data, 48);
  OFFSET (struct xmem_publisher_params, user_data_free, 56);
  OFFSET (struct xmem_publisher_params, event_received, 64);
  OFFSET (struct xmem_publisher_params, key_unit_wanted, 72);
  OFFSET (struct xmem_publisher_params, client_stuck, 80);
  OFFSET (struct xmem_publisher_params, max_wait_ns, 88);
  OFFSET (struct xmem_publisher_params, client_timeout_ns, 96);
  OFFSET (struct xmem_publisher_params, group, 104);
  OFFSET (struct xmem_publisher_params, allowed_uids, 112);
  OFFSET (struct xmem_publisher_params, n_allowed_uids, 120);
  SIZE (struct xmem_publisher_client, 312);
  OFFSET (struct xmem_publisher_client, pid, 4);
  OFFSET (struct xmem_publisher_client, state, 8);
  OFFSET (struct xmem_publisher_client, delivery, 12);
  OFFSET (struct xmem_publisher_client, grant, 16);
  OFFSET (struct xmem_publisher_client, frames_held, 20);
  OFFSET (struct xmem_publisher_client, frames_delivered, 24);
  OFFSET (struct xmem_publisher_client, frames_dropped, 32);
  OFFSET (struct xmem_publisher_client, lag, 40);
  OFFSET (struct xmem_publisher_client, oldest_held_ns, 48);
  OFFSET (struct xmem_publisher_client, name, 56);
  SIZE (struct xmem_publish, 64);
  OFFSET (struct xmem_publish, regions, 8);
  OFFSET (struct xmem_publish, n_regions, 16);
  OFFSET (struct xmem_publish, info, 24);
  OFFSET (struct xmem_publish, done, 32);
  OFFSET (struct xmem_publish, done_data, 40);
  OFFSET (struct xmem_publish, flags, 48);
  OFFSET (struct xmem_publish, cuda_stream, 56);
  SIZE (struct xmem_publisher_stats, 64);
  OFFSET (struct xmem_publisher_stats, clients_served, 8);
  OFFSET (struct xmem_publisher_stats, frames_published, 16);
  OFFSET (struct xmem_publisher_stats, frames_delivered, 24);
  OFFSET (struct xmem_publisher_stats, frames_dropped, 32);
  OFFSET (struct xmem_publisher_stats, frames_held, 40);
  OFFSET (struct xmem_publisher_stats, n_segments, 44);
  OFFSET (struct xmem_publisher_stats, segments_sent, 48);
  OFFSET (struct xmem_publisher_stats, frames_synchronised, 56);
}

static void
test_subscriber_structures (void)
{
  SIZE (struct xmem_subscriber_params, 64);
  OFFSET (struct xmem_subscriber_params, address, 8);
  OFFSET (struct xmem_subscriber_params, name, 16);
  OFFSET (struct xmem_subscriber_params, delivery, 24);
  OFFSET (struct xmem_subscriber_params, n_buffers, 28);
  OFFSET (struct xmem_subscriber_params, retry_ns, 32);
  OFFSET (struct xmem_subscriber_params, flags, 40);
  OFFSET (struct xmem_subscriber_params, get_cuda_context, 48);
  OFFSET (struct xmem_subscriber_params, user_data, 56);
  SIZE (struct xmem_subscriber_stats, 80);
  OFFSET (struct xmem_subscriber_stats, frames_lost, 8);
  OFFSET (struct xmem_subscriber_stats, frames_held, 16);
  OFFSET (struct xmem_subscriber_stats, n_segments, 20);
  OFFSET (struct xmem_subscriber_stats, segments_received, 24);
  OFFSET (struct xmem_subscriber_stats, publisher_pid, 32);
  OFFSET (struct xmem_subscriber_stats, latency_min_ns, 40);
  OFFSET (struct xmem_subscriber_stats, latency_mean_ns, 48);
  OFFSET (struct xmem_subscriber_stats, latency_max_ns, 56);
  OFFSET (struct xmem_subscriber_stats, latency_p50_ns, 64);
  OFFSET (struct xmem_subscriber_stats, latency_p99_ns, 72);
}

static void
test_numbers (void)
{
  g_assert_cmpint (XMEM_AGAIN, ==, 1);
  g_assert_cmpint (XMEM_FULL, ==, 6);
  g_assert_cmpint (XMEM_EVENT, ==, 7);
  g_assert_cmpint (XMEM_INVALID, ==, -1);
  g_assert_cmpint (XMEM_NOT_FOUND, ==, -9);
  g_assert_cmpint (XMEM_FORKED, ==, -10);
  g_assert_cmpint (XMEM_CORRUPT, ==, -11);
  g_assert_cmpint (XMEM_UNSUPPORTED, ==, -12);
  g_assert_cmpint (XMEM_DEVICE, ==, -13);
  g_assert_cmpint (XMEM_READ, ==, 0);
  g_assert_cmpint (XMEM_WRITE, ==, 1);
  g_assert_cmpint (XMEM_OPEN_READ_ONLY, ==, 1);
  g_assert_cmpint (XMEM_CONTENT_NV12, ==, 7);
  g_assert_cmpint (XMEM_CONTENT_USER, ==, 0x10000);
  g_assert_cmpint (XMEM_MAX_PROCESSES, ==, 24);
  g_assert_cmpint (XMEM_MAX_IN_FLIGHT, ==, 254);
  g_assert_cmpint (XMEM_DELIVERY_LATEST, ==, 0);
  g_assert_cmpint (XMEM_DELIVERY_EVERY, ==, 1);
  g_assert_cmpint (XMEM_DTYPE_F64, ==, 11);
  g_assert_cmpint (XMEM_FRAME_DISCONT, ==, 64);
  g_assert_cmpint (XMEM_FRAME_DELTA_UNIT, ==, 8192);
  g_assert_cmpint (XMEM_MAX_DIMS, ==, 8);
  g_assert_cmpint (XMEM_MAX_GRANT, ==, 64);
  g_assert_cmpint (XMEM_MAX_SLOTS, ==, 65536);
  g_assert_cmpint (XMEM_ACQUIRE_OVER_LIMIT, ==, 1);
  g_assert_cmpint (XMEM_PUBLISHER_NO_THREAD, ==, 1);
  g_assert_cmpint (XMEM_SUBSCRIBER_EVENTS, ==, 1);
  g_assert_cmpint (XMEM_EVENT_STICKY, ==, 1);
  g_assert_cmpint (XMEM_EVENT_UNTIL_FLUSH, ==, 2);
  g_assert_cmpint (XMEM_EVENT_FLUSH, ==, 4);
  g_assert_cmpint (XMEM_MAX_STICKY_EVENTS, ==, 64);
  g_assert_cmpint (XMEM_PUBLISHER_LEAKY, ==, 2);
  g_assert_cmpint (XMEM_PUBLISHER_REPLAY_LAST, ==, 4);
  g_assert_cmpint (XMEM_CLIENT_ACTIVE, ==, 0);
  g_assert_cmpint (XMEM_CLIENT_EVICTED, ==, 2);
  g_assert_cmpint (XMEM_TIME_NONE, ==, INT64_MIN);
  g_assert_cmpuint (XMEM_NONE, ==, UINT64_MAX);
  g_assert_cmpint (XMEM_WAIT_FOREVER, ==, -1);
  g_assert_cmpstr (XMEM_DEFAULT_ADDRESS, ==, "default");
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, NULL);
  if (sizeof (void *) != 8) {
    g_print ("1..0 # SKIP the layout is fixed for 64-bit machines only\n");
    return 77;
  }
  harness_add ("/slot", test_slot);
  harness_add ("/head", test_head);
  harness_add ("/frame-structures", test_frame_structures);
  harness_add ("/pool-structures", test_pool_structures);
  harness_add ("/publisher-structures", test_publisher_structures);
  harness_add ("/subscriber-structures", test_subscriber_structures);
  harness_add ("/numbers", test_numbers);
  return g_test_run ();
}
