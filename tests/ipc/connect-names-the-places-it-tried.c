/* SPDX-License-Identifier: MIT */
/* Nobody there, somebody else there, not there yet: what connecting says. */
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "harness/actor.h"
#include "harness/frames.h"
#include "harness/raw.h"

static int
connect_to (const char *address, int64_t timeout_ns, struct xmem_error *error)
{
  const struct xmem_subscriber_params params = { .struct_size = sizeof (params),
    .address = address };
  struct xmem_subscriber *subscriber;
  int r;

  harness_assert_ok (xmem_subscriber_new (&params, &subscriber, error), error);
  r = xmem_subscriber_connect (subscriber, timeout_ns, error);
  xmem_subscriber_free (subscriber);
  return r;
}

static void
test_path (void)
{
  const char *path = harness_path ("nobody");
  struct xmem_error error;
  int64_t before = g_get_monotonic_time ();

  harness_assert_status (
      connect_to (path, 50 * 1000000, &error), XMEM_NOT_FOUND, &error);
  g_assert_cmpint (g_get_monotonic_time () - before, >=, 50000);
  g_assert_cmpint (error.status, ==, XMEM_NOT_FOUND);
  harness_assert_contains (error.message, path);
  harness_assert_status (connect_to (path, 0, &error), XMEM_NOT_FOUND, &error);
}

static void
test_name (void)
{
  char *runtime = g_path_get_dirname (harness_path ("xmem"));
  char *expected = g_strdup_printf ("%s/xmem/xmem-no-such-camera", runtime);
  struct xmem_error error;

  g_setenv ("XDG_RUNTIME_DIR", runtime, TRUE);
  harness_assert_status (
      connect_to ("xmem-no-such-camera", 0, &error), XMEM_NOT_FOUND, &error);
  harness_assert_contains (error.message, expected);
  harness_assert_contains (error.message, "/run/xmem/xmem-no-such-camera");
  g_free (expected);
  g_free (runtime);
}

static void
test_dead_socket (void)
{
  const char *path = harness_path ("socket");
  struct xmem_error error;

  close (raw_listen (path));
  harness_assert_status (connect_to (path, 0, &error), XMEM_NOT_FOUND, &error);
}

static void
test_other_program (void)
{
  const char *path = harness_path ("socket");
  struct sockaddr_un sun = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct xmem_error error;

  g_strlcpy (sun.sun_path, path, sizeof (sun.sun_path));
  g_assert_cmpint (bind (fd, (struct sockaddr *) &sun, sizeof (sun)), ==, 0);
  g_assert_cmpint (listen (fd, 1), ==, 0);
  harness_assert_status (
      connect_to (path, XMEM_WAIT_FOREVER, &error), XMEM_SYSTEM, &error);
  harness_assert_contains (error.message, "another kind of program");
  close (fd);
}

static void
test_impossible_address (void)
{
  struct xmem_error error;

  harness_assert_status (
      connect_to ("a/", XMEM_WAIT_FOREVER, &error), XMEM_INVALID, &error);
}

static void
test_publisher_that_comes_later (void)
{
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = harness_path ("socket") };
  struct source source;
  struct actor actor;
  char line[HARNESS_LINE_MAX];

  actor_start (&actor);
  harness_tell (&actor.child, "connect %s 1 4 -1", params.address);
  harness_sleep_ms (60); /* it has looked and found nobody */
  source_open (&source, &params);
  harness_hear (&actor.child, line);
  g_assert_cmpstr (line, ==, "0 -");
  source_publish_many (&source, 1000, 0, 1);
  actor_expect_frame (&actor, 0);
  actor_stop (&actor);
  source_close (&source);
}

/* A publisher that is there gets the time it takes to answer. */
static void
test_no_timeout_finds_a_live_publisher (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor actor;

  actor_start (&actor);
  harness_assert_ok (
      actor_connect (&actor, address, XMEM_DELIVERY_EVERY, 4, 0), NULL);
  actor_stop (&actor);
  source_close (&source);
}

static void
test_next_without_a_connection (void)
{
  const struct xmem_subscriber_params params = { .struct_size = sizeof (params),
    .address = harness_path ("socket") };
  struct xmem_subscriber *subscriber;
  struct xmem_frame *frame = NULL;
  struct xmem_error error;

  harness_assert_ok (xmem_subscriber_new (&params, &subscriber, NULL), NULL);
  harness_assert_status (
      xmem_subscriber_next (subscriber, XMEM_WAIT_FOREVER, &frame, &error),
      XMEM_INVALID, &error);
  g_assert_cmpint (xmem_subscriber_get_fd (subscriber), ==, -1);
  g_assert_cmpuint (xmem_subscriber_get_grant (subscriber), ==, 0);
  g_assert_cmpuint (xmem_subscriber_get_held (subscriber), ==, 0);
  xmem_subscriber_free (subscriber);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/path", test_path);
  harness_add ("/name", test_name);
  harness_add ("/dead-socket", test_dead_socket);
  harness_add ("/other-program", test_other_program);
  harness_add ("/impossible-address", test_impossible_address);
  harness_add ("/publisher-that-comes-later", test_publisher_that_comes_later);
  harness_add ("/no-timeout-finds-a-live-publisher",
      test_no_timeout_finds_a_live_publisher);
  harness_add ("/next-without-a-connection", test_next_without_a_connection);
  return g_test_run ();
}
