/* SPDX-License-Identifier: MIT */
/* A subscriber that may open no further file when a segment's comes: it says
 * so, and connects again once it may. */
#include <sys/resource.h>
#include <unistd.h>

#include "harness/actor.h"
#include "harness/frames.h"

static void
limit_fds (rlim_t n)
{
  struct rlimit limits;

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &limits), ==, 0);
  limits.rlim_cur = n;
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limits), ==, 0);
}

static void
run_poor (int argc, char **argv)
{
  const struct xmem_subscriber_params params = { .struct_size = sizeof (params),
    .address = argv[0],
    .delivery = XMEM_DELIVERY_EVERY };
  struct xmem_subscriber *subscriber;
  struct xmem_frame *frame;
  struct xmem_error error;
  char line[HARNESS_LINE_MAX];
  unsigned n_fds;

  harness_assert_ok (xmem_subscriber_new (&params, &subscriber, NULL), NULL);
  harness_assert_ok (
      xmem_subscriber_connect (subscriber, XMEM_WAIT_FOREVER, NULL), NULL);
  harness_say ("connected");
  harness_listen (line); /* a frame is on its way */
  n_fds = harness_count_fds (0);
  limit_fds (3);
  harness_assert_status (
      xmem_subscriber_next (subscriber, XMEM_WAIT_FOREVER, &frame, &error),
      XMEM_PROTOCOL, &error);
  harness_assert_contains (error.message, "too many open files");
  harness_assert_status (
      xmem_subscriber_connect (subscriber, 0, &error), XMEM_SYSTEM, &error);
  limit_fds (256);
  g_assert_cmpuint (harness_count_fds (0), ==, n_fds - 1); /* the socket */
  harness_assert_ok (
      xmem_subscriber_connect (subscriber, XMEM_WAIT_FOREVER, NULL), NULL);
  harness_say ("connected");
  harness_assert_ok (
      xmem_subscriber_next (subscriber, XMEM_WAIT_FOREVER, &frame, &error),
      &error);
  xmem_frame_unref (frame);
  xmem_subscriber_free (subscriber);
}

static void
test_out_of_descriptors (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct harness_child child;
  char line[HARNESS_LINE_MAX];

  harness_spawn (&child, "poor", address, NULL);
  harness_hear (&child, line);
  source_publish_many (&source, 1000, 0, 1);
  harness_tell (&child, "go on");
  harness_hear (&child, line);
  source_publish_many (&source, 1000, 1, 1);
  g_assert_cmpint (harness_join (&child), ==, 0);
  harness_assert_ok (
      xmem_publisher_wait_released (source.publisher, XMEM_WAIT_FOREVER), NULL);
  source_close (&source);
}

static const struct harness_role roles[] = { { "poor", run_poor },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/out-of-descriptors", test_out_of_descriptors);
  return g_test_run ();
}
