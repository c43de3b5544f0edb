/* SPDX-License-Identifier: MIT */
/* CUDA memory where there are several devices, which each process counts in its
 * own way; and where producers are killed, with the double those by legacy
 * handles.
 *
 * Here with the test double of the driver (tests/harness/fake-cuda), whose
 * streams lag; not on a GPU. */
#include "cuda-double.h"
#include "player.h"

#define SECOND "GPU-fa4ecda0-0000-0000-0000-000000000002"
#define PICTURES                                                   \
  "videotestsrc pattern=checkers-8 ! "                             \
  "video/x-raw,format=NV12,width=320,height=240,framerate=30/1 "   \
  "! identity name=pictures sleep-time=1000 ! cudaupload "         \
  "cuda-device-id=%d ! video/x-raw(memory:CUDAMemory) "            \
  "! xmemsink name=sink socket-path=%s sync=false max-buffers=16 " \
  "cuda-device-id=%d cuda-ipc-mode=%s"
#define N_KILLS 5

static gboolean with_double;

/* With the double's environment as NAME, VALUE. */
static void
start (struct player *player, const char *name, const char *value)
{
  g_setenv ("FAKE_CUDA_DEVICES", "2", TRUE);
  if (name)
    g_setenv (name, value, TRUE);
  player_start (player);
  if (name)
    g_unsetenv (name);
  g_unsetenv ("FAKE_CUDA_DEVICES");
}

static void
start_producer (
    struct player *producer, const char *address, int device, const char *mode)
{
  start (producer, NULL, NULL);
  player_launch (producer, PICTURES, device, address, device, mode);
  player_tap (producer, "pictures", PLAYER_LOOK_SUM);
  player_set_state (producer, GST_STATE_PLAYING);
}

static void
start_consumer (struct player *consumer, const char *address,
    const char *visible, const char *properties)
{
  start (consumer, visible ? "CUDA_VISIBLE_DEVICES" : NULL, visible);
  player_launch (consumer,
      "xmemsrc name=src socket-path=%s is-live=false connection-timeout=0 %s "
      "! cudadownload ! video/x-raw ! fakesink name=out sync=false",
      address, properties);
  player_tap (consumer, "out", PLAYER_LOOK_SUM);
  player_set_state (consumer, GST_STATE_PLAYING);
}

static void
assert_same_pictures (struct player *producer, struct player *consumer)
{
  GArray *sent = player_get_records (producer, "pictures");
  GArray *received = player_get_records (consumer, "out");
  uint64_t sum = g_array_index (sent, struct player_record, 0).sum;

  for (unsigned i = 0; i < received->len; i++)
    g_assert_cmpuint (
        g_array_index (received, struct player_record, i).sum, ==, sum);
  g_array_unref (sent);
  g_array_unref (received);
}

static void
pass (int device, const char *mode, const char *visible, const char *properties)
{
  const char *address = harness_path ("socket");
  struct player producer, consumer;

  start_producer (&producer, address, device, mode);
  start_consumer (&consumer, address, visible, properties);
  player_wait_count (&consumer, "out", 20);
  assert_same_pictures (&producer, &consumer);
  g_assert_cmpuint (player_stat (&producer, "sink", "frames-copied"), ==, 0);
  player_stop (&consumer);
  player_stop (&producer);
}

static void
test_devices_are_counted_otherwise (void)
{
  pass (1, "vmm", "1,0", "");
  pass (1, "legacy", "1", "");
  pass (0, "vmm", "1,0", "cuda-io-mode=copy");
}

static void
test_device_is_not_seen (void)
{
  const char *address = harness_path ("socket");
  struct player producer, consumer;

  start_producer (&producer, address, 1, "vmm");
  start_consumer (&consumer, address, "0", "");
  player_expect_error (&consumer, SECOND);
  player_stop (&consumer);
  player_stop (&producer);
}

/* --- killed producers ---------------------------------------------------- */

/* Another driver may take away what is read by a legacy handle. */
static void
test_killed_producers_are_connected_to_again (void)
{
  const char *mode = with_double ? "legacy" : "vmm";
  const char *address = harness_path ("socket");
  struct player producer, consumer;

  start_producer (&producer, address, 0, mode);
  start_consumer (&consumer, address, with_double ? "0,1" : NULL,
      "on-disconnect=reconnect");
  for (unsigned i = 0; i < N_KILLS; i++) {
    player_wait_more (&consumer, "out", 1 + i);
    player_die (&producer);
    start_producer (&producer, address, 0, mode);
  }
  player_wait_more (&consumer, "out", 20);
  g_assert_false (player_has_ended (&consumer));
  player_stop (&consumer);
  player_stop (&producer);
}

int
main (int argc, char **argv)
{
  player_init (&argc, &argv);
  gst_init (&argc, &argv);
  with_double = cuda_double_need ();
  harness_add ("/devices-are-counted-otherwise",
      with_double ? test_devices_are_counted_otherwise : cuda_double_skip);
  harness_add ("/device-is-not-seen",
      with_double ? test_device_is_not_seen : cuda_double_skip);
  harness_add ("/killed-producers-are-connected-to-again",
      test_killed_producers_are_connected_to_again);
  return g_test_run ();
}
