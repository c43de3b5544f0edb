/* SPDX-License-Identifier: MIT */
/* CUDA memory and the life of two processes: either is killed, the caps change
 * between memory of the CPU and of a device, there is no GPU, copies are
 * forbidden.
 *
 * Here with the test double of the driver (tests/harness/fake-cuda), whose
 * streams lag; not on a GPU. */
#include "cuda-double.h"
#include "player.h"

#define CPU "video/x-raw"
#define CUDA "video/x-raw(memory:CUDAMemory)"
#define PICTURES                                                      \
  "videotestsrc pattern=checkers-8 ! "                                \
  "video/x-raw,format=NV12,width=320,height=240,framerate=30/1 "      \
  "! identity sleep-time=1000 ! cudaupload ! capsfilter name=filter " \
  "caps=%s "
#define CPU_SIZE (320 * 240 * 3 / 2)
#define N_KILLS 10

static void
start_producer (struct player *producer, const char *address, const char *caps)
{
  player_start (producer);
  player_launch (producer,
      PICTURES "! xmemsink name=sink socket-path=%s sync=false max-buffers=16",
      caps, address);
  player_set_state (producer, GST_STATE_PLAYING);
}

static void
start_consumer (struct player *consumer, const char *address)
{
  player_start (consumer);
  player_launch (consumer,
      "xmemsrc name=src socket-path=%s is-live=false on-disconnect=eos "
      "connection-timeout=0 ! cudadownload name=download ! video/x-raw "
      "! fakesink name=out sync=false",
      address);
  player_tap (consumer, "download", PLAYER_LOOK_AWAY);
  player_tap (consumer, "out", PLAYER_LOOK_SUM);
  player_set_state (consumer, GST_STATE_PLAYING);
}

static void
test_consumers_are_killed (void)
{
  const char *address = harness_path ("socket");
  struct player producer, consumer;

  start_producer (&producer, address, CUDA);
  for (unsigned i = 0; i < N_KILLS; i++) {
    start_consumer (&consumer, address);
    player_wait_count (&consumer, "out", 3 + i);
    player_die (&consumer);
    harness_wait_until (player_stat (&producer, "sink", "frames-held") == 0);
  }
  start_consumer (&consumer, address);
  player_wait_count (&consumer, "out", 20);
  g_assert_cmpuint (player_stat (&producer, "sink", "frames-copied"), ==, 0);
  player_stop (&consumer);
  player_stop (&producer);
}

static void
test_producers_are_killed (void)
{
  const char *address = harness_path ("socket");
  struct player producer, consumer;

  for (unsigned i = 0; i < N_KILLS; i++) {
    start_producer (&producer, address, CUDA);
    start_consumer (&consumer, address);
    player_wait_count (&consumer, "out", 3 + i);
    player_die (&producer);
    player_expect_eos (&consumer);
    player_stop (&consumer);
  }
}

/* --- caps ---------------------------------------------------------------- */

/* Waits until what arrives is memory of that kind; all pictures are the same. */
static void
wait_for_memory (struct player *consumer, bool of_cpu)
{
  bool arrived = false;

  while (!arrived) {
    GArray *records = player_get_records (consumer, "download");

    if (records->len > 0) {
      const struct player_record *last =
          &g_array_index (records, struct player_record, records->len - 1);

      arrived = (last->size == CPU_SIZE) == of_cpu;
    }
    g_array_unref (records);
    player_wait_more (consumer, "out", 1);
  }
}

static void
assert_alike (struct player *consumer)
{
  GArray *records = player_get_records (consumer, "out");

  for (unsigned i = 1; i < records->len; i++)
    g_assert_cmpuint (g_array_index (records, struct player_record, i).sum, ==,
        g_array_index (records, struct player_record, 0).sum);
  g_array_unref (records);
}

static void
test_caps_change_between_cpu_and_device (void)
{
  const char *address = harness_path ("socket");
  struct player producer, consumer;

  start_producer (&producer, address, CPU);
  start_consumer (&consumer, address);
  wait_for_memory (&consumer, true);
  for (unsigned i = 0; i < 3; i++) {
    player_set (&producer, "filter", "caps", CUDA);
    wait_for_memory (&consumer, false);
    player_set (&producer, "filter", "caps", CPU);
    wait_for_memory (&consumer, true);
  }
  assert_alike (&consumer);
  player_stop (&consumer);
  player_stop (&producer);
}

/* --- others' memory ------------------------------------------------------ */

static void
test_relayed_without_a_copy (void)
{
  const char *address = harness_path ("socket");
  const char *further = harness_path ("further");
  struct player producer, relay, consumer;

  start_producer (&producer, address, CUDA);
  player_start (&relay);
  player_play (&relay,
      "xmemsrc name=src socket-path=%s is-live=false max-buffers=16 "
      "connection-timeout=0 ! " CUDA
      " ! xmemsink name=sink socket-path=%s sync=false async=false "
      "max-buffers=2",
      address, further);
  start_consumer (&consumer, further);
  player_wait_count (&consumer, "out", 50);
  g_assert_cmpuint (player_stat (&relay, "sink", "frames-copied"), ==, 0);
  g_assert_cmpuint (player_stat (&relay, "src", "frames-repacked"), ==, 0);
  assert_alike (&consumer);
  player_stop (&consumer);
  player_stop (&relay);
  player_stop (&producer);
}

static void
test_complete_frames_need_no_events (void)
{
  const char *address = harness_path ("socket");
  struct player producer, consumer;

  start_producer (&producer, address, CUDA);
  g_setenv ("FAKE_CUDA_WITHOUT", "events", TRUE);
  player_start (&consumer);
  g_unsetenv ("FAKE_CUDA_WITHOUT");
  player_play (&consumer,
      "xmemsrc socket-path=%s ! cudadownload ! video/x-raw ! fakesink",
      address);
  player_expect_error (&consumer, "CUDA");
  player_launch (&consumer,
      "xmemsrc socket-path=%s is-live=false cuda-complete=true "
      "! cudadownload ! video/x-raw ! fakesink name=out sync=false",
      address);
  player_tap (&consumer, "out", PLAYER_LOOK_SUM);
  player_set_state (&consumer, GST_STATE_PLAYING);
  player_wait_count (&consumer, "out", 50);
  assert_alike (&consumer);
  g_assert_cmpuint (
      player_stat (&producer, "sink", "frames-synchronised"), >=, 50);
  player_stop (&consumer);
  player_stop (&producer);
}

/* --- errors -------------------------------------------------------------- */

static void
test_no_gpu_at_the_consumer (void)
{
  const char *address = harness_path ("socket");
  struct player producer, consumer;

  start_producer (&producer, address, CUDA);
  g_setenv ("CUDA_VISIBLE_DEVICES", "", TRUE);
  player_start (&consumer);
  g_unsetenv ("CUDA_VISIBLE_DEVICES");
  player_play (&consumer, "xmemsrc socket-path=%s ! fakesink", address);
  player_expect_error (&consumer, "CUDA_ERROR_NO_DEVICE");
  player_stop (&consumer);
  player_stop (&producer);
}

static void
test_copies_are_forbidden (void)
{
  struct player producer;

  player_start (&producer);
  player_play (&producer,
      PICTURES "! tee ! queue ! xmemsink allow-copy=false socket-path=%s", CUDA,
      harness_path ("socket"));
  player_expect_error (&producer, "would have to be copied");
  player_stop (&producer);
}

static void
test_device_that_cannot_share (void)
{
  struct player producer;

  g_setenv ("FAKE_CUDA_WITHOUT", "vmm", TRUE);
  player_start (&producer);
  g_unsetenv ("FAKE_CUDA_WITHOUT");
  player_play (&producer,
      PICTURES "! xmemsink cuda-ipc-mode=vmm socket-path=%s", CUDA,
      harness_path ("socket"));
  player_expect_error (&producer, "cannot share memory by descriptors");
  player_stop (&producer);
}

static void
test_device_that_is_not_there (void)
{
  struct player producer;

  player_start (&producer);
  player_play (&producer,
      PICTURES "! tee ! queue ! xmemsink cuda-device-id=7 socket-path=%s", CUDA,
      harness_path ("socket"));
  player_expect_error (&producer, "a device it can use");
  player_stop (&producer);
}

int
main (int argc, char **argv)
{
  bool with_double;

  player_init (&argc, &argv);
  gst_init (&argc, &argv);
  with_double = cuda_double_need ();
  harness_add ("/consumers-are-killed", test_consumers_are_killed);
  harness_add ("/producers-are-killed", test_producers_are_killed);
  harness_add ("/caps-change-between-cpu-and-device",
      test_caps_change_between_cpu_and_device);
  harness_add ("/relayed-without-a-copy", test_relayed_without_a_copy);
  harness_add ("/complete-frames-need-no-events",
      with_double ? test_complete_frames_need_no_events : cuda_double_skip);
  harness_add ("/no-gpu-at-the-consumer", test_no_gpu_at_the_consumer);
  harness_add ("/copies-are-forbidden", test_copies_are_forbidden);
  harness_add ("/device-that-cannot-share",
      with_double ? test_device_that_cannot_share : cuda_double_skip);
  harness_add ("/device-that-is-not-there", test_device_that_is_not_there);
  return g_test_run ();
}
