/* SPDX-License-Identifier: MIT */
/* The bytes of every message: as they are written here by hand, in both
 * directions. A failure means that old and new programs no longer understand
 * each other. */
#include <string.h>

#include "abi/golden.h"
#include "harness/harness.h"
#include "harness/messages.h"

static void
check_encoding (const struct golden *golden)
{
  uint8_t expected[XMEM_WIRE_MAX_MESSAGE], bytes[XMEM_WIRE_MAX_MESSAGE];
  size_t n_expected = golden_bytes (golden->hex, expected, sizeof (expected));
  size_t n = xmem_wire_encode (&golden->message, bytes, sizeof (bytes));

  g_test_message ("%s", golden->name);
  g_assert_cmpmem (bytes, n, expected, n_expected);
}

static void
check_decoding (const struct golden *golden)
{
  uint8_t bytes[XMEM_WIRE_MAX_MESSAGE];
  size_t n = golden_bytes (golden->hex, bytes, sizeof (bytes));
  struct xmem_wire_message message;
  struct xmem_error error;

  g_test_message ("%s", golden->name);
  harness_assert_ok (xmem_wire_decode (bytes, n, &message, &error), &error);
  g_assert_true (messages_equal (&message, &golden->message));
}

static void
test_encoding (void)
{
  for (size_t i = 0; i < golden_n_messages; i++)
    check_encoding (&golden_messages[i]);
}

static void
test_decoding (void)
{
  for (size_t i = 0; i < golden_n_messages; i++)
    check_decoding (&golden_messages[i]);
}

/* Each type has a golden message, and no number means two things. */
static void
test_every_type_is_there (void)
{
  static const int numbers[] = { XMEM_WIRE_HELLO, XMEM_WIRE_WELCOME,
    XMEM_WIRE_ERROR, XMEM_WIRE_SEGMENT, XMEM_WIRE_RETIRE, XMEM_WIRE_STREAM,
    XMEM_WIRE_FRAME, XMEM_WIRE_RELEASE, XMEM_WIRE_DETACH, XMEM_WIRE_EVENT,
    XMEM_WIRE_EOS, XMEM_WIRE_BYE };

  for (size_t i = 0; i < G_N_ELEMENTS (numbers); i++) {
    bool found = false;

    for (size_t j = 0; j < golden_n_messages; j++)
      found |= golden_messages[j].message.type == (unsigned) numbers[i];
    g_assert_true (found);
  }
}

static void
test_limits (void)
{
  g_assert_cmpint (XMEM_WIRE_VERSION_MIN, ==, 1);
  g_assert_cmpint (XMEM_WIRE_VERSION_MAX, ==, 1);
  g_assert_cmpint (XMEM_WIRE_MAX_MESSAGE, ==, 32768);
  g_assert_cmpint (XMEM_WIRE_MAX_INLINE_CAPS, ==, 16384);
  g_assert_cmpint (XMEM_WIRE_MAX_INLINE_EVENT, ==, 16384);
  g_assert_cmpint (XMEM_WIRE_MAX_NAME, ==, 255);
  g_assert_cmpint (XMEM_WIRE_FEATURE_EVENTS, ==, 1);
  g_assert_cmpint (XMEM_WIRE_FEATURE_DMABUF, ==, 2);
  g_assert_cmpint (XMEM_MAX_EVENT_NAME, ==, 255);
  g_assert_cmpint (XMEM_MAX_EVENT_DATA, ==, 16777216);
  g_assert_cmpint (XMEM_MAX_UPSTREAM_DATA, ==, 16384);
  g_assert_cmpint (XMEM_WIRE_MAX_SEQUENCES, ==, 128);
  g_assert_cmpint (XMEM_MAX_REGIONS, ==, 16);
  g_assert_cmpint (XMEM_WIRE_MAX_INLINE_METAS, ==, 16384);
  g_assert_cmpint (XMEM_MAX_METAS, ==, 1048576);
  g_assert_cmpint (XMEM_MAX_CAPS, ==, 16777216);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, NULL);
  harness_add ("/encoding", test_encoding);
  harness_add ("/decoding", test_decoding);
  harness_add ("/every-type-is-there", test_every_type_is_there);
  harness_add ("/limits", test_limits);
  return g_test_run ();
}
