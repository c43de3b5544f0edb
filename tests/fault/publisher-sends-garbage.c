/* SPDX-License-Identifier: MIT */
/* Bytes that are no message, and messages that a publisher does not send. */
#include "abi/golden.h"
#include "fault/hostile.h"

static void
check_bytes (const void *bytes, size_t size, int status, const char *words)
{
  struct hostile h;

  hostile_open (&h);
  hostile_send_good (&h);
  raw_send (h.fd, bytes, size, NULL, 0);
  hostile_expect (&h, status, words);
}

static void
test_random_bytes (void)
{
  uint8_t bytes[2048];

  for (unsigned i = 0; i < 20; i++) {
    size_t size = (size_t) g_test_rand_int_range (1, sizeof (bytes));

    for (size_t j = 0; j < size; j++)
      bytes[j] = (uint8_t) g_test_rand_int ();
    check_bytes (bytes, size, XMEM_PROTOCOL, "message");
  }
}

static void
test_too_large_a_message (void)
{
  static uint8_t bytes[XMEM_WIRE_MAX_MESSAGE + 1];

  check_bytes (bytes, sizeof (bytes), XMEM_PROTOCOL, "above 32768 bytes");
}

static void
test_messages_of_subscribers (void)
{
  uint8_t bytes[256];

  for (size_t i = 0; i < golden_n_messages; i++) {
    enum xmem_wire_type type = golden_messages[i].message.type;
    size_t size = golden_bytes (golden_messages[i].hex, bytes, sizeof (bytes));

    if (type == XMEM_WIRE_HELLO || type == XMEM_WIRE_RELEASE
        || type == XMEM_WIRE_DETACH || type == XMEM_WIRE_WELCOME)
      check_bytes (
          bytes, size, XMEM_PROTOCOL, "does not come from a publisher");
  }
}

/* Words of the publisher are passed on, and at most as many as fit. */
static void
test_long_words (void)
{
  char *words = g_strnfill (1024, '%');
  struct xmem_wire_message m = { .type = XMEM_WIRE_ERROR,
    .error = { 12345, { words, 1024 } } };
  uint8_t bytes[2048];

  check_bytes (bytes, xmem_wire_encode (&m, bytes, sizeof (bytes)),
      XMEM_REFUSED, "the publisher refuses: %%%%%%%");
  g_free (words);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/random-bytes", test_random_bytes);
  harness_add ("/too-large-a-message", test_too_large_a_message);
  harness_add ("/messages-of-subscribers", test_messages_of_subscribers);
  harness_add ("/long-words", test_long_words);
  return g_test_run ();
}
