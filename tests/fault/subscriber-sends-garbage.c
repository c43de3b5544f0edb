/* SPDX-License-Identifier: MIT */
/* Bytes that are no message, and messages that a subscriber does not send:
 * whoever sends them is told and gets no more. */
#include <string.h>
#include <unistd.h>

#include "abi/golden.h"
#include "fault/bystanders.h"

static void
test_random_bytes (void)
{
  struct bystanders b;
  uint8_t bytes[4096];

  bystanders_start (&b);
  for (unsigned i = 0; i < 50; i++) {
    size_t size = (size_t) g_test_rand_int_range (1, sizeof (bytes));
    int fd = i % 2 ? raw_connect (b.address)
                   : raw_subscribe (b.address, XMEM_DELIVERY_LATEST, 4);

    for (size_t j = 0; j < size; j++)
      bytes[j] = (uint8_t) g_test_rand_int ();
    bystanders_expect_eviction (&b, fd, bytes, size);
  }
  bystanders_stop (&b);
}

static void
test_too_large_a_message (void)
{
  static uint8_t bytes[XMEM_WIRE_MAX_MESSAGE + 8];
  struct bystanders b;

  bystanders_start (&b);
  bystanders_expect_eviction (
      &b, raw_connect (b.address), bytes, sizeof (bytes));
  bystanders_expect_eviction (
      &b, raw_connect (b.address), bytes, XMEM_WIRE_MAX_MESSAGE);
  bystanders_stop (&b);
}

/* All the protocol's messages, before and after the handshake. */
static void
test_messages_out_of_place (void)
{
  struct bystanders b;
  uint8_t bytes[256];

  bystanders_start (&b);
  for (size_t i = 0; i < golden_n_messages; i++) {
    size_t size = golden_bytes (golden_messages[i].hex, bytes, sizeof (bytes));
    enum xmem_wire_type type = golden_messages[i].message.type;

    if (type != XMEM_WIRE_HELLO)
      bystanders_expect_eviction (&b, raw_connect (b.address), bytes, size);
    if (type != XMEM_WIRE_DETACH)
      bystanders_expect_eviction (
          &b, raw_subscribe (b.address, XMEM_DELIVERY_LATEST, 4), bytes, size);
  }
  bystanders_stop (&b);
}

static void
test_unknown_delivery (void)
{
  struct xmem_wire_message m = golden_messages[0].message;
  struct bystanders b;
  uint8_t bytes[256];

  bystanders_start (&b);
  m.hello.delivery = 2;
  bystanders_expect_eviction (&b, raw_connect (b.address), bytes,
      xmem_wire_encode (&m, bytes, sizeof (bytes)));
  bystanders_stop (&b);
}

/* An empty message reads like a hang-up, and is taken for one. */
static void
test_empty_message (void)
{
  struct bystanders b;
  int fd;

  bystanders_start (&b);
  fd = raw_subscribe (b.address, XMEM_DELIVERY_LATEST, 4);
  raw_send (fd, "", 0, NULL, 0);
  harness_assert_status (raw_expect_end (fd), XMEM_GONE, NULL);
  bystanders_check (&b);
  close (fd);
  bystanders_stop (&b);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/random-bytes", test_random_bytes);
  harness_add ("/too-large-a-message", test_too_large_a_message);
  harness_add ("/messages-out-of-place", test_messages_out_of_place);
  harness_add ("/unknown-delivery", test_unknown_delivery);
  harness_add ("/empty-message", test_empty_message);
  return g_test_run ();
}
