/* SPDX-License-Identifier: MIT */
/* What a killed publisher leaves at its address does not stand in the way of
 * the next one, and the next one's socket is nobody else's to remove. */
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/actor.h"
#include "harness/frames.h"
#include "harness/raw.h"

static bool
is_socket (const char *path)
{
  struct stat st;

  return lstat (path, &st) == 0 && S_ISSOCK (st.st_mode);
}

static void
test_killed_publisher (void)
{
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = harness_path ("socket") };
  struct source source;
  struct actor actor;

  for (unsigned i = 0; i < 3; i++) {
    actor_start (&actor);
    harness_assert_ok (
        actor_open_publisher (&actor, params.address, 0, 0, 0), NULL);
    actor_die (&actor);
    g_assert_true (is_socket (params.address));
  }
  source_open (&source, &params);
  actor_start_subscriber (&actor, params.address, XMEM_DELIVERY_LATEST, 0);
  source_publish_many (&source, 1000, 0, 1);
  actor_expect_frame (&actor, 0);
  actor_stop (&actor);
  source_close (&source);
  g_assert_false (g_file_test (params.address, G_FILE_TEST_EXISTS));
}

/* Killed between binding and renaming. */
static void
test_temporary_name_is_replaced (void)
{
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = harness_path ("socket") };
  const char *temporary = harness_path (".socket~");
  struct source source;

  close (raw_listen (temporary));
  g_assert_true (is_socket (temporary));
  source_open (&source, &params);
  g_assert_false (g_file_test (temporary, G_FILE_TEST_EXISTS));
  source_close (&source);
}

static void
test_only_ones_own_socket_is_removed (void)
{
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = harness_path ("socket") };
  struct source one, two;

  source_open (&one, &params);
  g_assert_cmpint (g_unlink (params.address), ==, 0); /* by a hasty admin */
  source_open (&two, &params);
  source_close (&one);
  g_assert_true (is_socket (params.address));
  source_close (&two);
  g_assert_false (g_file_test (params.address, G_FILE_TEST_EXISTS));
}

/* Two processes start at once: one has the address, the other an answer. */
static void
test_one_of_many_wins (void)
{
  const char *address = harness_path ("socket");
  struct actor actors[6];
  unsigned n_won = 0;
  char line[HARNESS_LINE_MAX];

  close (raw_listen (address));
  for (unsigned i = 0; i < 6; i++)
    actor_start (&actors[i]);
  for (unsigned i = 0; i < 6; i++)
    harness_tell (&actors[i].child, "open %s 0 0 0", address);
  for (unsigned i = 0; i < 6; i++) {
    harness_hear (&actors[i].child, line);
    n_won += atoi (line) == 0;
    if (atoi (line) != 0)
      g_assert_cmpint (atoi (line), ==, XMEM_IN_USE);
  }
  g_assert_cmpuint (n_won, ==, 1);
  for (unsigned i = 0; i < 6; i++)
    actor_stop (&actors[i]);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/killed-publisher", test_killed_publisher);
  harness_add ("/temporary-name-is-replaced", test_temporary_name_is_replaced);
  harness_add (
      "/only-ones-own-socket-is-removed", test_only_ones_own_socket_is_removed);
  harness_add ("/one-of-many-wins", test_one_of_many_wins);
  return g_test_run ();
}
