/* SPDX-License-Identifier: MIT */
/* base/error: words for every status, and the caller's error filled. */
#include "base/error.h"

#include <errno.h>
#include <string.h>

#include "harness/harness.h"

static const int statuses[] = { XMEM_OK, XMEM_AGAIN, XMEM_EOS, XMEM_STALE,
  XMEM_INTERRUPTED, XMEM_GONE, XMEM_FULL, XMEM_INVALID, XMEM_SYSTEM,
  XMEM_NO_MEMORY, XMEM_NO_SPACE, XMEM_PROTOCOL, XMEM_VERSION, XMEM_REFUSED,
  XMEM_IN_USE, XMEM_NOT_FOUND, XMEM_FORKED, XMEM_CORRUPT, XMEM_UNSUPPORTED,
  XMEM_DEVICE, XMEM_EVENT };

static void
test_every_status_has_its_words (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (statuses); i++) {
    const char *words = xmem_status_string (statuses[i]);

    g_assert_cmpuint (strlen (words), >, 3);
    g_assert_cmpstr (words, !=, "unknown status");
    for (size_t j = 0; j < i; j++)
      g_assert_cmpstr (words, !=, xmem_status_string (statuses[j]));
  }
}

/* The list above has no hole: beyond its ends everything is unknown. */
static void
test_other_numbers_are_unknown (void)
{
  for (int status = -100; status <= 100; status++)
    if (status < XMEM_DEVICE || status > XMEM_EVENT)
      g_assert_cmpstr (xmem_status_string (status), ==, "unknown status");
  g_assert_cmpuint (G_N_ELEMENTS (statuses), ==, XMEM_EVENT - XMEM_DEVICE + 1);
}

static void
test_error_is_filled (void)
{
  struct xmem_error error;

  memset (&error, 0xee, sizeof (error));
  g_assert_cmpint (xmem_error_set (&error, XMEM_FULL, 0, "no more than %d", 3),
      ==, XMEM_FULL);
  g_assert_cmpint (error.status, ==, XMEM_FULL);
  g_assert_cmpint (error.sys_errno, ==, 0);
  g_assert_cmpstr (error.message, ==, "no more than 3");
  g_assert_cmpint (
      xmem_error_set (&error, XMEM_SYSTEM, ENOENT, "%s", "no file"), ==,
      XMEM_SYSTEM);
  g_assert_cmpint (error.sys_errno, ==, ENOENT);
  g_assert_cmpstr (
      error.message, ==, "no file: No such file or directory (errno 2)");
}

static void
test_error_may_be_null (void)
{
  g_assert_cmpint (
      xmem_error_set (NULL, XMEM_GONE, EPERM, "gone"), ==, XMEM_GONE);
}

static void
test_long_words_are_cut (void)
{
  struct xmem_error error;
  char words[1000];

  memset (words, 'x', sizeof (words));
  words[sizeof (words) - 1] = '\0';
  for (size_t n = 200; n < 300; n++) {
    memset (&error, 0xee, sizeof (error));
    xmem_error_set (&error, XMEM_SYSTEM, EPERM, "%.*s", (int) n, words);
    g_assert_cmpuint (strnlen (error.message, sizeof (error.message)), <,
        sizeof (error.message));
  }
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, NULL);
  harness_add ("/every-status-has-its-words", test_every_status_has_its_words);
  harness_add ("/other-numbers-are-unknown", test_other_numbers_are_unknown);
  harness_add ("/error-is-filled", test_error_is_filled);
  harness_add ("/error-may-be-null", test_error_may_be_null);
  harness_add ("/long-words-are-cut", test_long_words_are_cut);
  return g_test_run ();
}
