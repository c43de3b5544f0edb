/* SPDX-License-Identifier: MIT */
/* A subscriber that shakes hands and then reads nothing: no message is queued
 * for it beyond a limit, nobody waits for it, and what it was sent comes back
 * when it hangs up. */
#include <unistd.h>

#include "harness/actor.h"
#include "harness/frames.h"
#include "harness/raw.h"

static void
set_large_caps (struct source *source)
{
  char *caps = g_strnfill (16000, 'x');

  source_set_caps (source, caps);
  g_free (caps);
}

/* Frames of as many streams, all of which the reader gets. */
static void
publish (
    struct source *source, struct actor *reader, uint64_t first, unsigned n)
{
  for (unsigned i = 0; i < n; i++) {
    set_large_caps (source);
    source_publish_many (source, 5000, first + i, 1);
    actor_expect_frame (reader, first + i);
    actor_release (reader, first + i);
  }
}

/* Frames are sent up to its grant, and of what they belong to as much as they
 * need: nothing piles up. */
static void
test_frames (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct xmem_publisher_stats stats;
  struct actor reader;
  uint64_t rss;
  int fd;

  actor_start_subscriber (&reader, address, XMEM_DELIVERY_EVERY, 4);
  publish (&source, &reader, 0, 3);
  rss = harness_rss_bytes (0);
  fd = raw_subscribe (address, XMEM_DELIVERY_LATEST, 4);
  publish (&source, &reader, 3, 600);
  stats = source_stats (&source);
  g_assert_cmpuint (stats.n_clients, ==, 2);
  g_assert_cmpuint (stats.frames_held, <=, 6); /* 4, 1 waiting, the reader's */
  g_assert_cmpuint (stats.n_segments, <=, 4);
  g_assert_cmpuint (harness_rss_bytes (0), <, rss + (64 << 20));
  close (fd);
  harness_assert_ok (
      xmem_publisher_wait_released (source.publisher, XMEM_WAIT_FOREVER), NULL);
  publish (&source, &reader, 603, 3);
  actor_stop (&reader);
  source_close (&source);
}

/* Of streams that follow each other it gets those there is room for, and the
 * last. */
static void
test_streams (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct xmem_received received;
  int fd = raw_subscribe (address, XMEM_DELIVERY_LATEST, 4);
  unsigned epoch = 0;

  for (unsigned i = 0; i < 1000; i++)
    set_large_caps (&source);
  g_assert_cmpuint (source_stats (&source).n_clients, ==, 1);
  while (epoch < 1000) {
    raw_expect (fd, XMEM_WIRE_STREAM, &received);
    g_assert_cmpuint (received.message.stream.epoch, >, epoch);
    epoch = received.message.stream.epoch;
  }
  g_assert_cmpuint (epoch, ==, 1000);
  close (fd);
  source_close (&source);
}

/* What is never dropped piles up to a limit; then it is thrown out, may read
 * what was sent so far, and what it holds is kept apart until it hangs up. */
static void
test_ends_without_frames (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor reader;
  unsigned n = 0;
  int fd;

  actor_start_subscriber (&reader, address, XMEM_DELIVERY_EVERY, 4);
  fd = raw_subscribe (address, XMEM_DELIVERY_LATEST, 4);
  publish (&source, &reader, 0, 1);
  while (source_stats (&source).n_clients == 2) {
    xmem_publisher_send_eos (source.publisher);
    actor_expect_status (&reader, XMEM_EOS);
    n++;
  }
  g_test_message ("thrown out after %u messages", n);
  g_assert_cmpuint (n, <, 5000);
  harness_wait_until (source_stats (&source).frames_held == 1);
  publish (&source, &reader, 1, 20);
  harness_wait_until (source_stats (&source).frames_held == 1);
  g_assert_cmpint (raw_expect_end (fd), !=, XMEM_PROTOCOL);
  close (fd);
  harness_assert_ok (
      xmem_publisher_wait_released (source.publisher, XMEM_WAIT_FOREVER), NULL);
  actor_stop (&reader);
  source_close (&source);
}

/* At each end of a stream it gets the frame that waits, past its grant; there
 * is an end to that too. */
static void
test_ends_of_streams (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor reader;
  int fd;

  actor_start_subscriber (&reader, address, XMEM_DELIVERY_EVERY, 4);
  fd = raw_subscribe (address, XMEM_DELIVERY_LATEST, 1);
  for (unsigned i = 0; i < 150; i++) {
    publish (&source, &reader, i, 1);
    xmem_publisher_send_eos (source.publisher);
    actor_expect_status (&reader, XMEM_EOS);
  }
  g_assert_cmpuint (source_stats (&source).frames_held, <=, 64 + 16 + 2);
  close (fd);
  harness_assert_ok (
      xmem_publisher_wait_released (source.publisher, XMEM_WAIT_FOREVER), NULL);
  actor_stop (&reader);
  source_close (&source);
}

/* The publisher's end does not wait for it either. */
static void
test_publisher_ends (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor reader;
  int fd;

  actor_start_subscriber (&reader, address, XMEM_DELIVERY_EVERY, 4);
  fd = raw_subscribe (address, XMEM_DELIVERY_LATEST, 4);
  publish (&source, &reader, 0, 5);
  source_close (&source);
  actor_expect_status (&reader, XMEM_GONE);
  actor_stop (&reader);
  close (fd);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/frames", test_frames);
  harness_add ("/streams", test_streams);
  harness_add ("/ends-without-frames", test_ends_without_frames);
  harness_add ("/ends-of-streams", test_ends_of_streams);
  harness_add ("/publisher-ends", test_publisher_ends);
  return g_test_run ();
}
