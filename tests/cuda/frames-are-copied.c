/* SPDX-License-Identifier: MIT */
/* Received frames are copied into buffers of the reader's own, between memory of
 * the CPU and of devices, behind work that lags: no copy is stale. */
#include <stdlib.h>
#include <string.h>

#include "cuda/peers.h"

#define BYTES (PEER_WORDS * 8)
#define N_FRAMES "50"

static struct xmem_pool *pool;
static struct xmem_error error;

/* --- frames in memory of the CPU ----------------------------------------- */

static struct xmem_publisher *publisher;

static void
cpu_publish (const char *arguments)
{
  struct xmem_frame_info info;
  struct xmem_buffer *buffer;
  uint64_t *words;

  xmem_frame_info_init (&info);
  for (uint64_t n = 0; n < strtoull (arguments, NULL, 10); n++) {
    harness_assert_ok (
        xmem_pool_acquire (pool, BYTES, 0, XMEM_WAIT_FOREVER, &buffer, &error),
        &error);
    words = xmem_buffer_get_mut_data (buffer);
    for (unsigned i = 0; i < PEER_WORDS; i++)
      words[i] = n;
    harness_assert_ok (xmem_publisher_publish_buffer (
                           publisher, buffer, &info, XMEM_WAIT_FOREVER, &error),
        &error);
    xmem_buffer_unref (buffer);
  }
  harness_say ("ok");
}

static void
cpu_eos (const char *arguments)
{
  xmem_publisher_send_eos (publisher);
  harness_say ("ok");
}

static void
cpu_end (const char *arguments)
{
  xmem_publisher_free (publisher);
  xmem_pool_unref (pool);
  harness_say ("ok");
}

static void
run_cpu_producer (int argc, char **argv)
{
  static const struct harness_command commands[] = { { "publish", cpu_publish },
    { "eos", cpu_eos }, { "end", cpu_end } };
  const struct xmem_pool_params pool_params = { .struct_size =
                                                    sizeof (pool_params) };
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = argv[0] };

  harness_assert_ok (xmem_pool_new (&pool_params, &pool, &error), &error);
  harness_assert_ok (xmem_publisher_new (&params, &publisher, &error), &error);
  harness_say ("ok");
  harness_obey (commands, G_N_ELEMENTS (commands));
}

/* --- the reader ---------------------------------------------------------- */

static struct xmem_subscriber *subscriber;
static CUstream stream;

static struct xmem_buffer *
acquire (bool on_device)
{
  struct xmem_buffer *buffer;

  harness_assert_ok (
      on_device ? xmem_pool_acquire_cuda (pool, BYTES, 0, 0, 0, &buffer, &error)
                : xmem_pool_acquire (pool, BYTES, 0, 0, &buffer, &error),
      &error);
  return buffer;
}

static void
check_words (struct xmem_buffer *buffer, uint64_t sequence)
{
  struct xmem_buffer *here = acquire (false);
  const uint64_t *words = xmem_buffer_get_data (here);

  harness_assert_ok (xmem_buffer_copy (here, buffer, &error), &error);
  for (unsigned i = 0; i < PEER_WORDS; i++)
    g_assert_cmpuint (words[i], ==, sequence);
  xmem_buffer_unref (here);
}

/* Gives the frame back. */
static void
copy_frame (struct xmem_frame *frame, struct xmem_buffer *to, bool on_stream)
{
  bool of_cpu = xmem_frame_get_device (frame, 0) < 0;

  if (!on_stream) {
    harness_assert_ok (xmem_frame_copy (frame, 0, to, &error), &error);
    xmem_frame_unref (frame);
    return;
  }
  harness_assert_ok (
      xmem_frame_copy_after (frame, 0, to, stream, &error), &error);
  if (!of_cpu)
    xmem_frame_unref_after (frame, stream);
  g_assert_cmpint (cuda_double.cuStreamSynchronize (stream), ==, 0);
  if (of_cpu)
    xmem_frame_unref (frame);
}

static void *
make_context (int device, struct xmem_cuda_keeper *keeper_out, void *user_data)
{
  CUcontext context;

  g_assert_cmpint (cuda_double.cuCtxCreate_v2 (&context, 0, device), ==, 0);
  return context;
}

static void
refuse (struct xmem_frame *frame)
{
  struct xmem_buffer *small, *here;

  harness_assert_ok (
      xmem_pool_acquire (pool, BYTES - 1, 0, 0, &small, &error), &error);
  harness_assert_status (
      xmem_frame_copy (frame, 0, small, &error), XMEM_INVALID, &error);
  harness_assert_status (
      xmem_frame_copy (frame, 1, small, &error), XMEM_INVALID, &error);
  here = acquire (false);
  if (xmem_frame_get_device (frame, 0) < 0)
    harness_assert_status (
        xmem_frame_copy_after (frame, 0, here, stream, &error), XMEM_INVALID,
        &error);
  xmem_buffer_unref (here);
  xmem_buffer_unref (small);
}

static void
read_frames (bool to_device, bool on_stream)
{
  struct xmem_frame *frame;
  struct xmem_buffer *to;
  uint64_t sequence = 0;
  int r;

  while (
      (r = xmem_subscriber_next (subscriber, XMEM_WAIT_FOREVER, &frame, &error))
      == 0) {
    sequence = xmem_frame_get_sequence (frame);
    if (sequence == 0)
      refuse (frame);
    to = acquire (to_device);
    copy_frame (frame, to, on_stream);
    check_words (to, sequence);
    xmem_buffer_unref (to);
  }
  harness_assert_status (r, XMEM_EOS, &error);
  g_assert_cmpuint (sequence, ==, strtoull (N_FRAMES, NULL, 10) - 1);
}

/* Address; where to: "device" or "cpu"; "now" or "stream"; "own-context": frames
 * are mapped in another context than the buffers. */
static void
run_reader (int argc, char **argv)
{
  const struct xmem_pool_params pool_params = { .struct_size =
                                                    sizeof (pool_params) };
  const struct xmem_subscriber_params params = { .struct_size = sizeof (params),
    .address = argv[0],
    .delivery = XMEM_DELIVERY_EVERY,
    .flags = XMEM_SUBSCRIBER_CUDA,
    .get_cuda_context = argc > 3 ? make_context : NULL };
  char line[HARNESS_LINE_MAX];

  putenv ((char *) "FAKE_CUDA_LAG=50:200");
  double_load ();
  stream = double_stream ();
  harness_assert_ok (xmem_pool_new (&pool_params, &pool, &error), &error);
  harness_assert_ok (
      xmem_subscriber_new (&params, &subscriber, &error), &error);
  harness_assert_ok (
      xmem_subscriber_connect (subscriber, XMEM_WAIT_FOREVER, &error), &error);
  harness_say ("ok");
  g_assert_true (harness_listen (line));
  read_frames (
      strcmp (argv[1], "device") == 0, strcmp (argv[2], "stream") == 0);
  xmem_subscriber_free (subscriber);
  xmem_pool_unref (pool);
  harness_say ("ok");
}

/* --- cases --------------------------------------------------------------- */

static void
pass (const char *producer_role, const char *to, const char *how,
    const char *option)
{
  struct harness_child producer, reader;

  peer_start (&producer, producer_role, "FAKE_CUDA_LAG=200:600", NULL);
  peer_start (&reader, "reader", to, how, option, NULL);
  harness_tell (&reader, "read");
  peer_ask (&producer, "publish " N_FRAMES);
  peer_ask (&producer, "eos");
  peer_hear_ok (&reader);
  g_assert_cmpint (harness_join (&reader), ==, 0);
  peer_stop (&producer);
}

static void
test_device_to_device (void)
{
  pass ("producer", "device", "now", NULL);
  pass ("producer", "device", "stream", NULL);
}

static void
test_device_to_cpu (void)
{
  pass ("producer", "cpu", "now", NULL);
  pass ("producer", "cpu", "stream", NULL);
}

static void
test_cpu_to_device (void)
{
  pass ("cpu-producer", "device", "now", NULL);
  pass ("cpu-producer", "device", "stream", NULL);
}

static void
test_cpu_to_cpu (void)
{
  pass ("cpu-producer", "cpu", "now", NULL);
}

/* The stream that waits for the frame is of the buffer's context. */
static void
test_contexts_differ (void)
{
  pass ("producer", "device", "now", "own-context");
  pass ("producer", "device", "stream", "own-context");
}

int
main (int argc, char **argv)
{
  static const struct harness_role roles[] = { { "reader", run_reader },
    { "cpu-producer", run_cpu_producer }, PEER_ROLES, { NULL, NULL } };

  double_init (&argc, &argv, roles);
  harness_add ("/device-to-device", test_device_to_device);
  harness_add ("/device-to-cpu", test_device_to_cpu);
  harness_add ("/cpu-to-device", test_cpu_to_device);
  harness_add ("/cpu-to-cpu", test_cpu_to_cpu);
  harness_add ("/contexts-differ", test_contexts_differ);
  return g_test_run ();
}
