/* SPDX-License-Identifier: MIT */
/* A live publisher's address is refused with its pid, and stays its own; so
 * does a file that is no socket. */
#include <unistd.h>

#include "harness/actor.h"
#include "harness/frames.h"

static void
expect_in_use (const char *address, const char *words)
{
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = address };
  struct xmem_publisher *publisher = NULL;
  struct xmem_error error;

  harness_assert_status (
      xmem_publisher_new (&params, &publisher, &error), XMEM_IN_USE, &error);
  g_assert_null (publisher);
  harness_assert_contains (error.message, address);
  harness_assert_contains (error.message, words);
}

static void
check_owner (const char *address)
{
  struct actor owner, reader;
  char *pid;

  actor_start (&owner);
  harness_assert_ok (actor_open_publisher (&owner, address, 0, 0, 0), NULL);
  pid = g_strdup_printf ("process %d", (int) owner.child.pid);
  for (unsigned i = 0; i < 3; i++)
    expect_in_use (address, pid);
  g_free (pid);
  actor_start_subscriber (&reader, address, XMEM_DELIVERY_EVERY, 4);
  harness_assert_ok (actor_publish (&owner, 1000, 5, 0, -1), NULL);
  actor_expect_frame (&reader, 0);
  actor_stop (&reader);
  actor_stop (&owner);
}

static void
test_path (void)
{
  check_owner (harness_path ("socket"));
}

static void
test_abstract (void)
{
  char *address = g_strdup_printf ("@xmem-test-%d", (int) getpid ());

  check_owner (address);
  g_free (address);
}

static void
test_stopped_owner_is_alive (void)
{
  const char *address = harness_path ("socket");
  struct actor owner;
  char *pid;

  actor_start (&owner);
  harness_assert_ok (actor_open_publisher (&owner, address, 0, 0, 0), NULL);
  harness_kill (&owner.child, SIGSTOP);
  harness_wait_until (harness_is_stopped (&owner.child));
  pid = g_strdup_printf ("process %d", (int) owner.child.pid);
  expect_in_use (address, pid);
  g_free (pid);
  actor_die (&owner);
}

static void
test_other_files_stay (void)
{
  const char *file = harness_path ("file"), *link = harness_path ("link");
  char *content;

  g_assert_true (g_file_set_contents (file, "mine", 4, NULL));
  expect_in_use (file, "not a socket");
  g_assert_true (g_file_get_contents (file, &content, NULL, NULL));
  g_assert_cmpstr (content, ==, "mine");
  g_free (content);
  g_assert_cmpint (symlink ("nowhere", link), ==, 0);
  expect_in_use (link, "not a socket");
}

static void
test_missing_folder_is_told (void)
{
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = harness_path ("no/socket") };
  struct xmem_publisher *publisher;
  struct xmem_error error;

  harness_assert_status (
      xmem_publisher_new (&params, &publisher, &error), XMEM_SYSTEM, &error);
  harness_assert_contains (error.message, "No such file");
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/path", test_path);
  harness_add ("/abstract", test_abstract);
  harness_add ("/stopped-owner-is-alive", test_stopped_owner_is_alive);
  harness_add ("/other-files-stay", test_other_files_stay);
  harness_add ("/missing-folder-is-told", test_missing_folder_is_told);
  return g_test_run ();
}
