/* SPDX-License-Identifier: MIT */
/* A publisher that sends no frames but everything else, without end: its
 * subscriber's waits still end, by time and by interruption. */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "harness/harness.h"
#include "harness/raw.h"

#include <xmem/subscriber.h>

static void
run_flooder (int argc, char **argv)
{
  const struct xmem_wire_message welcome = { .type = XMEM_WIRE_WELCOME,
    .welcome = { .version = 1, .grant = 4 } };
  const struct xmem_wire_message stream = { .type = XMEM_WIRE_STREAM,
    .stream = { .epoch = 1 } };
  static const uint8_t skipped[16] = { 99, 0, 0, 0, 16 };
  struct xmem_received received;
  int listener = raw_listen (argv[0]), fd;

  harness_say ("listening");
  fd = raw_accept (listener);
  raw_expect (fd, XMEM_WIRE_HELLO, &received);
  raw_send_message (fd, &welcome, -1);
  if (argv[1][0] == 's')
    while (raw_send (fd, skipped, sizeof (skipped), NULL, 0))
      ;
  else
    for (;;)
      raw_send_message (fd, &stream, -1);
}

static void *
run_reader (void *data)
{
  struct xmem_frame *frame;

  return GINT_TO_POINTER (
      xmem_subscriber_next (data, XMEM_WAIT_FOREVER, &frame, NULL));
}

static void
check_flood (const char *kind)
{
  const struct xmem_subscriber_params params = { .struct_size = sizeof (params),
    .address = harness_path ("socket") };
  struct xmem_subscriber *subscriber;
  struct xmem_frame *frame;
  struct harness_child child;
  char line[HARNESS_LINE_MAX];
  pthread_t thread;
  void *status;

  harness_spawn (&child, "flooder", params.address, kind, NULL);
  harness_hear (&child, line);
  harness_assert_ok (xmem_subscriber_new (&params, &subscriber, NULL), NULL);
  harness_assert_ok (
      xmem_subscriber_connect (subscriber, XMEM_WAIT_FOREVER, NULL), NULL);
  /* In time or not, it comes back. */
  harness_assert_status (
      xmem_subscriber_next (subscriber, 50 * 1000000, &frame, NULL), XMEM_AGAIN,
      NULL);
  harness_assert_status (
      xmem_subscriber_next (subscriber, 0, &frame, NULL), XMEM_AGAIN, NULL);
  g_assert_cmpint (
      pthread_create (&thread, NULL, run_reader, subscriber), ==, 0);
  harness_sleep_ms (100);
  xmem_subscriber_interrupt (subscriber, true);
  pthread_join (thread, &status);
  harness_assert_status (GPOINTER_TO_INT (status), XMEM_INTERRUPTED, NULL);
  harness_kill (&child, SIGKILL);
  g_assert_cmpint (harness_join (&child), ==, -SIGKILL);
  xmem_subscriber_free (subscriber);
}

static void
test_skipped_messages (void)
{
  check_flood ("skipped");
}

static void
test_streams (void)
{
  check_flood ("all good");
}

static const struct harness_role roles[] = { { "flooder", run_flooder },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/skipped-messages", test_skipped_messages);
  harness_add ("/streams", test_streams);
  return g_test_run ();
}
