/* SPDX-License-Identifier: MIT */
/* No protocol version in common: each end says so in words, to a peer that is
 * newer or that lies. */
#include <string.h>
#include <unistd.h>

#include "harness/actor.h"
#include "harness/frames.h"
#include "harness/raw.h"

static void
send_hello (int fd, uint16_t version_min, uint16_t version_max)
{
  struct xmem_wire_message m = { .type = XMEM_WIRE_HELLO,
    .hello = { .version_min = version_min,
        .version_max = version_max,
        .n_buffers = 4 } };

  raw_send_message (fd, &m, -1);
}

static void
test_newer_subscriber_is_refused (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct xmem_received received;
  char *words;
  int fd = raw_connect (address);

  send_hello (fd, 2, 9);
  raw_expect (fd, XMEM_WIRE_ERROR, &received);
  g_assert_cmpint (received.message.error.status, ==, XMEM_VERSION);
  words = g_strndup (
      received.message.error.text.data, received.message.error.text.size);
  harness_assert_contains (words, "1 to 1");
  harness_assert_contains (words, "2 to 9");
  g_free (words);
  g_assert_cmpint (raw_receive (fd, &received), ==, XMEM_GONE);
  close (fd);
  source_close (&source);
}

static void
test_wider_range_is_welcome (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct xmem_received received;
  int fd = raw_connect (address);

  send_hello (fd, 0, 65535);
  raw_expect (fd, XMEM_WIRE_WELCOME, &received);
  g_assert_cmpuint (received.message.welcome.version, ==, 1);
  close (fd);
  source_close (&source);
}

/* A publisher by hand, which answers HELLO with this. */
static void
check_answer (
    const struct xmem_wire_message *answer, int status, const char *words)
{
  const char *address = harness_path ("socket");
  int listener = raw_listen (address), fd;
  struct xmem_received received;
  struct actor actor;
  char line[HARNESS_LINE_MAX];

  actor_start (&actor);
  harness_tell (&actor.child, "connect %s 0 4 -1", address);
  fd = raw_accept (listener);
  raw_expect (fd, XMEM_WIRE_HELLO, &received);
  g_assert_cmpuint (received.message.hello.version_max, ==, 1);
  g_assert_cmpuint (received.message.hello.pid, ==, actor.child.pid);
  g_assert_cmpmem (received.message.hello.name.data,
      received.message.hello.name.size, "actor", 5);
  raw_send_message (fd, answer, -1);
  harness_hear (&actor.child, line);
  g_assert_cmpint (atoi (line), ==, status);
  harness_assert_contains (line, words);
  actor_stop (&actor);
  close (fd);
  close (listener);
}

static void
test_publisher_that_chose_another_version (void)
{
  const struct xmem_wire_message welcome = { .type = XMEM_WIRE_WELCOME,
    .welcome = { .version = 9, .grant = 4 } };

  check_answer (&welcome, XMEM_VERSION, "version 9");
}

static void
test_publisher_that_refuses_the_version (void)
{
  static const char words[] = "only version 5 here";
  const struct xmem_wire_message error = { .type = XMEM_WIRE_ERROR,
    .error = { XMEM_VERSION, { words, sizeof (words) - 1 } } };

  check_answer (&error, XMEM_VERSION, words);
}

static void
test_publisher_that_answers_with_something_else (void)
{
  const struct xmem_wire_message eos = { .type = XMEM_WIRE_EOS };

  check_answer (&eos, XMEM_PROTOCOL, "WELCOME");
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add (
      "/newer-subscriber-is-refused", test_newer_subscriber_is_refused);
  harness_add ("/wider-range-is-welcome", test_wider_range_is_welcome);
  harness_add ("/publisher-that-chose-another-version",
      test_publisher_that_chose_another_version);
  harness_add ("/publisher-that-refuses-the-version",
      test_publisher_that_refuses_the_version);
  harness_add ("/publisher-that-answers-with-something-else",
      test_publisher_that_answers_with_something_else);
  return g_test_run ();
}
