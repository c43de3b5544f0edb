/* SPDX-License-Identifier: MIT */
/* A subscriber that shakes hands and then reads nothing: no message is queued
 * for it beyond a limit, nobody waits for it, and what it was sent comes back
 * when it hangs up. */
#include <unistd.h>

#include "harness/actor.h"
#include "harness/frames.h"
#include "harness/raw.h"

/* Streams with caps of 16 KiB, to fill every queue there is. */
static void
publish (
    struct source *source, struct actor *reader, uint64_t first, unsigned n)
{
  char *caps = g_strnfill (16000, 'x');

  for (unsigned i = 0; i < n; i++) {
    source_set_caps (source, caps);
    source_publish_many (source, 5000, first + i, 1);
    actor_expect_frame (reader, first + i);
    actor_release (reader, first + i);
  }
  g_free (caps);
}

static void
test_never_reads (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct xmem_publisher_stats stats;
  struct actor reader;
  uint64_t rss;
  int fd;

  actor_start_subscriber (&reader, address, XMEM_DELIVERY_EVERY, 4);
  publish (&source, &reader, 0, 3);
  harness_wait_until (source_stats (&source).frames_held == 0);
  rss = harness_rss_bytes (0);
  fd = raw_subscribe (address, XMEM_DELIVERY_LATEST, 4);
  g_assert_cmpuint (source_stats (&source).n_clients, ==, 2);
  publish (&source, &reader, 3, 600);
  stats = source_stats (&source);
  g_assert_cmpuint (stats.n_clients, ==, 1); /* thrown out */
  g_assert_cmpuint (stats.frames_held, <=, 5); /* and kept apart */
  g_assert_cmpuint (stats.n_segments, <=, 2);
  g_assert_cmpuint (harness_rss_bytes (0), <, rss + (64 << 20));
  close (fd);
  harness_assert_ok (
      xmem_publisher_wait_released (source.publisher, XMEM_WAIT_FOREVER), NULL);
  publish (&source, &reader, 603, 3);
  actor_stop (&reader);
  source_close (&source);
}

/* It may read what was sent before it was thrown out, and why. */
static void
test_reads_at_last (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor reader;
  int fd;

  actor_start_subscriber (&reader, address, XMEM_DELIVERY_EVERY, 4);
  fd = raw_subscribe (address, XMEM_DELIVERY_LATEST, 4);
  publish (&source, &reader, 0, 600);
  g_assert_cmpuint (source_stats (&source).n_clients, ==, 1);
  g_assert_cmpint (raw_expect_end (fd), !=, XMEM_PROTOCOL);
  close (fd);
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
  actor_expect_status (&reader, XMEM_EOS);
  actor_stop (&reader);
  close (fd);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/never-reads", test_never_reads);
  harness_add ("/reads-at-last", test_reads_at_last);
  harness_add ("/publisher-ends", test_publisher_ends);
  return g_test_run ();
}
