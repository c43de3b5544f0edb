/* SPDX-License-Identifier: MIT */
/* A HELLO that ends too soon, at every byte. */
#include <string.h>
#include <unistd.h>

#include "abi/golden.h"
#include "fault/bystanders.h"

static void
test_half_a_hello (void)
{
  struct bystanders b;
  uint8_t bytes[64];
  size_t size = golden_bytes (golden_messages[1].hex, bytes, sizeof (bytes));

  bystanders_start (&b);
  g_assert_cmpint (golden_messages[1].message.type, ==, XMEM_WIRE_HELLO);
  for (size_t n = 1; n < size; n++)
    bystanders_expect_eviction (&b, raw_connect (b.address), bytes, n);
  bystanders_stop (&b);
}

/* The same, with a header that admits it. */
static void
test_short_hello (void)
{
  struct bystanders b;
  uint8_t bytes[64];

  bystanders_start (&b);
  golden_bytes (golden_messages[1].hex, bytes, sizeof (bytes));
  for (uint8_t n = 8; n < 32; n++) {
    bytes[4] = n;
    bystanders_expect_eviction (&b, raw_connect (b.address), bytes, n);
  }
  bystanders_stop (&b);
}

static void
test_hang_up_instead (void)
{
  struct bystanders b;

  bystanders_start (&b);
  for (unsigned i = 0; i < 100; i++)
    close (raw_connect (b.address));
  bystanders_stop (&b);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/half-a-hello", test_half_a_hello);
  harness_add ("/short-hello", test_short_hello);
  harness_add ("/hang-up-instead", test_hang_up_instead);
  return g_test_run ();
}
