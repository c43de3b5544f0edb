/* SPDX-License-Identifier: MIT */
/* A process that sends messages as fast as it can, ones that are skipped or
 * ones that are wrong: the others get their frames, and the publisher's memory
 * stays what it is. */
#include <unistd.h>

#include "abi/golden.h"
#include "fault/bystanders.h"

/* Sends the same bytes until it is killed, over a new connection each time it
 * is thrown out. */
static void
run_flooder (int argc, char **argv)
{
  uint8_t bytes[64];
  size_t size = golden_bytes (argv[1], bytes, sizeof (bytes));
  bool told = false;

  for (;;) {
    int fd = raw_subscribe (argv[0], XMEM_DELIVERY_LATEST, 4);

    if (!told)
      harness_say ("flooding");
    told = true;
    while (raw_send (fd, bytes, size, NULL, 0))
      ;
    close (fd);
  }
}

static void
check_flood (const char *hex)
{
  struct harness_child flooders[2];
  struct bystanders b;
  char line[HARNESS_LINE_MAX];
  uint64_t rss;

  bystanders_start (&b);
  rss = harness_rss_bytes (b.publisher.child.pid);
  for (unsigned i = 0; i < 2; i++) {
    harness_spawn (&flooders[i], "flooder", b.address, hex, NULL);
    harness_hear (&flooders[i], line);
  }
  for (unsigned i = 0; i < 50; i++)
    bystanders_check (&b);
  g_assert_cmpuint (
      harness_rss_bytes (b.publisher.child.pid), <, rss + (64 << 20));
  for (unsigned i = 0; i < 2; i++) {
    harness_kill (&flooders[i], SIGKILL);
    g_assert_cmpint (harness_join (&flooders[i]), ==, -SIGKILL);
  }
  bystanders_stop (&b);
}

/* Of a type that a later version may have. */
static void
test_skipped_messages (void)
{
  check_flood ("6300 0000 10000000 0000000000000000");
}

static void
test_wrong_messages (void)
{
  check_flood ("6300 0100 10000000 0000000000000000");
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { "flooder", run_flooder }, { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/skipped-messages", test_skipped_messages);
  harness_add ("/wrong-messages", test_wrong_messages);
  return g_test_run ();
}
