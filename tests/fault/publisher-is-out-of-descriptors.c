/* SPDX-License-Identifier: MIT */
/* A publisher that may open no further file: who connects is turned away, who
 * is there goes on, nothing spins, and all is well once there are files
 * again. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness/actor.h"
#include "harness/frames.h"
#include "harness/raw.h"

static void
limit_fds (rlim_t n)
{
  struct rlimit limits;

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &limits), ==, 0);
  limits.rlim_cur = n;
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limits), ==, 0);
}

/* No more than there are now, holes included. */
static void
limit_to_now (void)
{
  int lowest = fcntl (0, F_DUPFD_CLOEXEC, 0);

  g_assert_cmpint (lowest, >, 0);
  close (lowest);
  limit_fds ((rlim_t) lowest);
}

/* The publisher's process: one line, one thing to do. */
static void
run_poor (int argc, char **argv)
{
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = argv[0],
    .flags = XMEM_PUBLISHER_NO_THREAD };
  struct source source;
  char line[HARNESS_LINE_MAX];

  source_open (&source, &params);
  harness_say ("open");
  while (source_stats (&source).n_clients == 0)
    xmem_publisher_dispatch (source.publisher, XMEM_WAIT_FOREVER);
  source_publish_many (&source, 1000, 0, 1);
  limit_to_now ();
  harness_say ("poor");
  /* A connection comes: it is one event, and then there is none. */
  harness_assert_ok (
      xmem_publisher_dispatch (source.publisher, XMEM_WAIT_FOREVER), NULL);
  harness_assert_status (
      xmem_publisher_dispatch (source.publisher, 50 * 1000000), XMEM_AGAIN,
      NULL);
  source_publish_many (&source, 1000, 1, 1);
  harness_assert_status (xmem_pool_acquire (source.pool, 1 << 20, 0, 0,
                             &(struct xmem_buffer *){ NULL }, NULL),
      XMEM_SYSTEM, NULL);
  harness_say ("still here");
  harness_listen (line);
  limit_fds (256);
  while (source_stats (&source).clients_served < 2)
    xmem_publisher_dispatch (source.publisher, XMEM_WAIT_FOREVER);
  source_publish_many (&source, 1 << 20, 2, 1);
  harness_say ("rich");
  harness_listen (line);
  source_close (&source);
}

static void
test_turned_away (void)
{
  const char *address = harness_path ("socket");
  struct harness_child child;
  struct actor first, second;
  char line[HARNESS_LINE_MAX];
  int fd;

  harness_spawn (&child, "poor", address, NULL);
  harness_hear (&child, line);
  actor_start_subscriber (&first, address, XMEM_DELIVERY_LATEST, 4);
  harness_hear (&child, line);
  g_assert_cmpstr (line, ==, "poor");
  fd = raw_connect (address);
  harness_assert_status (raw_expect_end (fd), XMEM_GONE, NULL);
  close (fd);
  harness_hear (&child, line);
  g_assert_cmpstr (line, ==, "still here");
  actor_expect_frame (&first, 0);
  actor_expect_frame (&first, 1);
  harness_tell (&child, "go on");
  actor_start_subscriber (&second, address, XMEM_DELIVERY_LATEST, 4);
  harness_hear (&child, line);
  actor_expect_frame (&first, 2);
  actor_expect_frame (&second, 2);
  actor_stop (&first);
  actor_stop (&second);
  g_assert_cmpint (harness_join (&child), ==, 0);
}

/* A segment that cannot be announced: the frame is refused, with the reason,
 * and what was published before goes on. */
static void
run_poorer (int argc, char **argv)
{
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = argv[0] };
  struct source source;
  struct xmem_buffer *buffer;
  struct xmem_frame_info info;
  struct xmem_error error;

  source_open (&source, &params);
  xmem_frame_info_init (&info);
  buffer = frames_new_buffer (source.pool, 1000, 0);
  limit_to_now ();
  harness_assert_status (xmem_publisher_publish_buffer (
                             source.publisher, buffer, &info, 0, &error),
      XMEM_SYSTEM, &error);
  g_assert_cmpint (error.sys_errno, ==, EMFILE);
  limit_fds (256);
  harness_assert_ok (xmem_publisher_publish_buffer (
                         source.publisher, buffer, &info, 0, &error),
      &error);
  xmem_buffer_unref (buffer);
  source_close (&source);
}

static void
run_poorest (int argc, char **argv)
{
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = argv[0] };
  struct xmem_publisher *publisher;
  struct xmem_error error;

  for (rlim_t n = 4; n < 10; n++) {
    int r;

    limit_fds (n);
    r = xmem_publisher_new (&params, &publisher, &error);
    if (r == 0)
      xmem_publisher_free (publisher);
    else
      harness_assert_status (r, XMEM_SYSTEM, &error);
    limit_fds (256);
    harness_wait_until (harness_count_fds (0) == 4);
  }
}

/* However many connect, half of the descriptors are for other things. */
static void
run_crowded (int argc, char **argv)
{
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = argv[0] };
  struct source source;
  char line[HARNESS_LINE_MAX];

  limit_fds (64);
  source_open (&source, &params);
  harness_say ("open");
  harness_listen (line);
  g_assert_cmpuint (harness_count_fds (0), <, 64 - 16);
  source_publish_many (&source, 1000, 0, 1);
  source_close (&source);
  limit_fds (256);
}

static void
test_crowd_leaves_descriptors (void)
{
  const char *address = harness_path ("socket");
  struct harness_child child;
  struct actor first;
  char line[HARNESS_LINE_MAX];
  int fds[100];

  harness_spawn (&child, "crowded", address, NULL);
  harness_hear (&child, line);
  actor_start_subscriber (&first, address, XMEM_DELIVERY_LATEST, 4);
  for (unsigned i = 0; i < 100; i++)
    fds[i] = raw_connect (address);
  harness_assert_status (raw_expect_end (fds[99]), XMEM_GONE, NULL);
  harness_tell (&child, "go on");
  actor_expect_frame (&first, 0);
  actor_stop (&first);
  for (unsigned i = 0; i < 100; i++)
    close (fds[i]);
  g_assert_cmpint (harness_join (&child), ==, 0);
}

static void
check_child (const char *role)
{
  struct harness_child child;

  harness_spawn (&child, role, harness_path ("socket"), NULL);
  g_assert_cmpint (harness_join (&child), ==, 0);
}

static void
test_segment_cannot_be_announced (void)
{
  check_child ("poorer");
}

static void
test_publisher_cannot_be_made (void)
{
  check_child ("poorest");
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { "crowded", run_crowded }, { "poor", run_poor }, { "poorer", run_poorer },
  { "poorest", run_poorest }, { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/turned-away", test_turned_away);
  harness_add (
      "/segment-cannot-be-announced", test_segment_cannot_be_announced);
  harness_add ("/publisher-cannot-be-made", test_publisher_cannot_be_made);
  harness_add ("/crowd-leaves-descriptors", test_crowd_leaves_descriptors);
  return g_test_run ();
}
