/* SPDX-License-Identifier: MIT */
/* Memory that no pool of ours made goes to each subscriber by its file, once;
 * dmabufs (a double of them) to those only that take them. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness/actor.h"
#include "harness/dmabuf-double.h"
#include "harness/frames.h"

#define SIZE 65536 /* of a file */
#define FRAME 4096 /* of a frame in it */

struct file {
  uint8_t *data;
  struct xmem_segment *segment;
};

static void
file_open (struct file *file, int take_fd, unsigned seals)
{
  file->data =
      mmap (NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, take_fd, 0);
  g_assert_true (file->data != MAP_FAILED);
  if (seals)
    g_assert_cmpint (fcntl (take_fd, F_ADD_SEALS, seals), ==, 0);
  harness_assert_ok (
      xmem_segment_new_dup_fd (take_fd, &file->segment, NULL), NULL);
  close (take_fd);
}

static void
file_open_sealed (struct file *file)
{
  int fd = memfd_create ("other", MFD_CLOEXEC | MFD_ALLOW_SEALING);

  g_assert_cmpint (ftruncate (fd, SIZE), ==, 0);
  file_open (file, fd, F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE);
}

static void
file_close (struct file *file)
{
  munmap (file->data, SIZE);
  xmem_segment_unref (file->segment);
}

/* The frame with this number, in one of the file's places. */
static int
publish (struct source *source, struct file *file, uint64_t number)
{
  const struct xmem_region region = { .segment = file->segment,
    .id = number,
    .offset = number % (SIZE / FRAME) * FRAME,
    .size = FRAME };
  struct xmem_frame_info info;
  const struct xmem_publish frame = { .struct_size = sizeof (frame),
    .regions = &region,
    .n_regions = 1,
    .info = &info };

  frames_stamp (file->data + region.offset, FRAME, number);
  xmem_frame_info_init (&info);
  return xmem_publisher_publish (
      source->publisher, &frame, XMEM_WAIT_FOREVER, NULL);
}

static void
expect (struct actor *actor, uint64_t number)
{
  actor_expect_frame (actor, number);
  g_assert_true (actor_still_sees (actor, number, number));
  actor_release (actor, number);
}

static void
test_sealed_files (void)
{
  struct xmem_subscriber_stats stats;
  struct source source;
  struct actor actor;
  struct file files[4];

  actor_start_subscriber (
      &actor, source_open_simply (&source), XMEM_DELIVERY_EVERY, 4);
  for (unsigned i = 0; i < 4; i++)
    file_open_sealed (&files[i]);
  for (unsigned i = 0; i < 100; i++) {
    harness_assert_ok (publish (&source, &files[i % 4], i), NULL);
    expect (&actor, i);
  }
  g_assert_cmpuint (source_stats (&source).segments_sent, ==, 4);
  for (unsigned i = 0; i < 4; i++)
    xmem_segment_retire (files[i].segment);
  xmem_publisher_wait_released (source.publisher, XMEM_WAIT_FOREVER);
  source_publish_many (&source, FRAME, 100, 1); /* when they are given up */
  expect (&actor, 100);
  g_assert_cmpuint (source_stats (&source).n_segments, ==, 1);
  actor_get_stats (&actor, &stats);
  g_assert_cmpuint (stats.segments_received, ==, 5);
  g_assert_cmpuint (stats.n_segments, ==, 1);
  for (unsigned i = 0; i < 4; i++)
    file_close (&files[i]);
  actor_stop (&actor);
  source_close (&source);
}

static void
test_regions_outside (void)
{
  const uint64_t places[][2] = { { 0, SIZE + 1 }, { SIZE, 1 },
    { UINT64_MAX, 1 }, { 1, UINT64_MAX } };
  struct xmem_frame_info info;
  struct xmem_region region = { 0 };
  const struct xmem_publish frame = { .struct_size = sizeof (frame),
    .regions = &region,
    .n_regions = 1,
    .info = &info };
  struct source source;
  struct file file;

  source_open_simply (&source);
  file_open_sealed (&file);
  xmem_frame_info_init (&info);
  region.segment = file.segment;
  for (unsigned i = 0; i < G_N_ELEMENTS (places); i++) {
    region.offset = places[i][0];
    region.size = places[i][1];
    harness_assert_status (
        xmem_publisher_publish (source.publisher, &frame, 0, NULL),
        XMEM_INVALID, NULL);
  }
  file_close (&file);
  source_close (&source);
}

static void
test_dmabufs_for_who_takes_them (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor taker, other;
  struct actor_frame seen;
  struct file file;

  actor_start_subscriber (
      &taker, address, XMEM_DELIVERY_EVERY | ACTOR_DMABUF, 4);
  actor_start_subscriber (&other, address, XMEM_DELIVERY_EVERY, 4);
  file_open (&file, dmabuf_double_new (SIZE), 0);
  source_publish_many (&source, FRAME, 0, 1);
  for (unsigned i = 1; i < 10; i++) {
    harness_assert_ok (publish (&source, &file, i), NULL);
    if (i == 1)
      expect (&taker, 0);
    expect (&taker, i);
  }
  expect (&other, 0);
  harness_assert_status (actor_next (&other, -1, &seen), XMEM_REFUSED, NULL);
  harness_assert_contains (other.message, "dmabufs");
  g_assert_cmpuint (source_stats (&source).segments_sent, ==, 3);
  actor_stop (&other);
  actor_stop (&taker);
  file_close (&file);
  source_close (&source);
}

/* Who joins late is told the same as who was there. */
static void
test_dmabufs_are_replayed (void)
{
  const char *address = harness_path ("socket");
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = address,
    .flags = XMEM_PUBLISHER_REPLAY_LAST };
  struct source source;
  struct actor taker, other;
  struct actor_frame seen;
  struct file file;

  source_open (&source, &params);
  file_open (&file, dmabuf_double_new (SIZE), 0);
  harness_assert_ok (publish (&source, &file, 0), NULL);
  actor_start_subscriber (
      &taker, address, XMEM_DELIVERY_EVERY | ACTOR_DMABUF, 4);
  expect (&taker, 0);
  actor_start_subscriber (&other, address, XMEM_DELIVERY_EVERY, 4);
  harness_assert_status (actor_next (&other, -1, &seen), XMEM_REFUSED, NULL);
  harness_assert_contains (other.message, "dmabufs");
  g_assert_cmpuint (source_stats (&source).frames_delivered, ==, 1);
  actor_stop (&other);
  actor_stop (&taker);
  file_close (&file);
  source_close (&source);
}

/* What a relay got as a dmabuf it hands on as one. */
static void
test_dmabufs_go_on (void)
{
  const char *second = harness_path ("second");
  struct actor relay, end;
  struct source source;
  struct file file;

  actor_start_subscriber (&relay, source_open_simply (&source),
      XMEM_DELIVERY_EVERY | ACTOR_DMABUF, 4);
  harness_assert_ok (actor_open_publisher (&relay, second, 0, 0, 0), NULL);
  actor_start_subscriber (&end, second, XMEM_DELIVERY_EVERY | ACTOR_DMABUF, 4);
  file_open (&file, dmabuf_double_new (SIZE), 0);
  harness_assert_ok (publish (&source, &file, 0), NULL);
  actor_expect_frame (&relay, 0);
  harness_assert_ok (actor_forward (&relay, 0), NULL);
  actor_release (&relay, 0);
  expect (&end, 0);
  xmem_publisher_wait_released (source.publisher, XMEM_WAIT_FOREVER);
  actor_stop (&end);
  actor_stop (&relay);
  file_close (&file);
  source_close (&source);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/sealed-files", test_sealed_files);
  harness_add ("/regions-outside", test_regions_outside);
  harness_add ("/dmabufs-for-who-takes-them", test_dmabufs_for_who_takes_them);
  harness_add ("/dmabufs-are-replayed", test_dmabufs_are_replayed);
  harness_add ("/dmabufs-go-on", test_dmabufs_go_on);
  return g_test_run ();
}
