/* SPDX-License-Identifier: MIT */
/* xmem/discovery.h: the folders, and who listens at a socket file. The
 * publisher's application does not hear of the question. */
#include <errno.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/actor.h"

static void
expect_nobody (const char *path, int status)
{
  struct xmem_error error;
  int pid, pidfd;

  harness_assert_status (
      xmem_discovery_probe (path, &pid, &pidfd, &error), status, &error);
  harness_assert_contains (error.message, path);
}

static void
start_publisher (struct actor *actor, const char *address)
{
  actor_start (actor);
  harness_assert_ok (actor_open_publisher (actor, address, 0, 1, 0), NULL);
}

static void
test_somebody_listens (void)
{
  const char *address = harness_path ("socket");
  struct xmem_publisher_stats stats;
  struct xmem_error error;
  struct actor publisher, subscriber;
  int pid, pidfd;

  start_publisher (&publisher, address);
  for (unsigned i = 0; i < 100; i++) {
    harness_assert_ok (
        xmem_discovery_probe (address, &pid, &pidfd, &error), &error);
    g_assert_cmpint (pid, ==, publisher.child.pid);
    close (pidfd);
  }
  /* Of one client that it serves none was us. */
  actor_start_subscriber (&subscriber, address, XMEM_DELIVERY_EVERY, 4);
  actor_get_publisher_stats (&publisher, &stats);
  g_assert_cmpuint (stats.clients_served, ==, 1);
  actor_stop (&subscriber);
  actor_stop (&publisher);
}

static void
test_death_is_told (void)
{
  const char *address = harness_path ("socket");
  struct xmem_error error;
  struct actor publisher;
  struct pollfd wait = { .events = POLLIN };
  int pid;

  start_publisher (&publisher, address);
  harness_assert_ok (
      xmem_discovery_probe (address, &pid, &wait.fd, &error), &error);
  if (wait.fd < 0) {
    g_test_skip ("this kernel has no pidfds");
  } else {
    g_assert_cmpint (poll (&wait, 1, 0), ==, 0);
  }
  actor_die (&publisher);
  if (wait.fd >= 0) {
    while (poll (&wait, 1, -1) < 0)
      g_assert_cmpint (errno, ==, EINTR);
    g_assert_true (wait.revents & POLLIN);
    close (wait.fd);
  }
  expect_nobody (address, XMEM_NOT_FOUND);
}

static void
test_nobody_listens (void)
{
  const char *file = harness_path ("file");

  expect_nobody (harness_path ("missing"), XMEM_NOT_FOUND);
  expect_nobody ("plain-name", XMEM_INVALID);
  expect_nobody ("@abstract", XMEM_INVALID);
  g_assert_true (g_file_set_contents (file, "", 0, NULL));
  expect_nobody (file, XMEM_NOT_FOUND); /* as it is while one connects */
}

static void
test_folders (void)
{
  char folders[XMEM_MAX_FOLDERS][XMEM_MAX_FOLDER_PATH];
  char *above = g_path_get_dirname (harness_path ("xmem"));
  unsigned n;

  g_setenv ("XDG_RUNTIME_DIR", above, TRUE);
  n = xmem_discovery_get_folders (folders);
  g_assert_cmpuint (n, >=, 2);
  g_assert_cmpstr (folders[0], ==, harness_path ("xmem"));
  g_assert_cmpstr (folders[1], ==, "/run/xmem");
  g_assert_false (g_file_test (folders[0], G_FILE_TEST_EXISTS));
  g_unsetenv ("XDG_RUNTIME_DIR");
  g_assert_cmpuint (xmem_discovery_get_folders (folders), ==, n - 1);
  g_assert_cmpstr (folders[0], ==, "/run/xmem");
  g_free (above);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/somebody-listens", test_somebody_listens);
  harness_add ("/death-is-told", test_death_is_told);
  harness_add ("/nobody-listens", test_nobody_listens);
  harness_add ("/folders", test_folders);
  return g_test_run ();
}
