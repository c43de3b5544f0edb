/* SPDX-License-Identifier: MIT */
/* The permissions of the socket file are those asked for, whatever the umask;
 * other users get through them or are told that they do not. An abstract
 * address has none: it is for its own user only. */
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/actor.h"
#include "harness/frames.h"

#define SKIP 77

static void
open_with_mode (struct source *source, const char *address, unsigned mode)
{
  const struct xmem_publisher_params params = {
    .struct_size = sizeof (params), .address = address, .mode = mode
  };
  mode_t mask = umask (0277);

  source_open (source, &params);
  umask (mask);
}

static void
check_mode (unsigned asked, unsigned expected)
{
  const char *address = harness_path ("socket");
  struct source source;
  struct stat st;

  open_with_mode (&source, address, asked);
  g_assert_cmpint (stat (address, &st), ==, 0);
  g_assert_cmphex (st.st_mode & 07777, ==, expected);
  source_close (&source);
}

static void
test_modes (void)
{
  check_mode (0, 0600);
  check_mode (0666, 0666);
  check_mode (0660, 0660);
  check_mode (0777, 0777);
}

static void
test_impossible_mode (void)
{
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = harness_path ("socket"),
    .mode = 01666 };
  struct xmem_publisher *publisher;

  harness_assert_status (
      xmem_publisher_new (&params, &publisher, NULL), XMEM_INVALID, NULL);
}

/* --- another user -------------------------------------------------------- */

static void
run_stranger (int argc, char **argv)
{
  struct xmem_subscriber_params params = { .struct_size = sizeof (params),
    .address = argv[0] };
  struct xmem_subscriber *subscriber;
  struct xmem_error error;
  int r;

  if (setegid (12345) < 0 || seteuid (12345) < 0)
    exit (SKIP);
  harness_assert_ok (
      xmem_subscriber_new (&params, &subscriber, &error), &error);
  r = xmem_subscriber_connect (subscriber, 200 * 1000000, &error);
  harness_say ("%d", r);
  xmem_subscriber_free (subscriber);
  /* Back, so that a leak checker may look at us at the end. */
  g_assert_cmpint (seteuid (0), ==, 0);
  prctl (PR_SET_DUMPABLE, 1);
}

static void
check_stranger (const char *address, int expected)
{
  struct harness_child child;
  char line[HARNESS_LINE_MAX];
  int status;

  if (geteuid () != 0) {
    g_test_skip ("only root can be another user");
    return;
  }
  harness_spawn (&child, "stranger", address, NULL);
  harness_hear (&child, line);
  harness_assert_status (atoi (line), expected, NULL);
  status = harness_join (&child);
  g_assert_cmpint (status, ==, 0);
}

/* A folder that everybody may enter. */
static const char *
open_folder (void)
{
  const char *address = harness_path ("socket");
  char *folder = g_path_get_dirname (address);

  g_assert_cmpint (chmod (folder, 0755), ==, 0);
  g_free (folder);
  return address;
}

static void
test_stranger_is_let_in (void)
{
  const char *address = open_folder ();
  struct source source;

  open_with_mode (&source, address, 0666);
  check_stranger (address, XMEM_OK);
  source_close (&source);
}

static void
test_stranger_is_kept_out (void)
{
  const char *address = open_folder ();
  struct source source;

  open_with_mode (&source, address, 0600);
  check_stranger (address, XMEM_REFUSED);
  g_assert_cmpuint (source_stats (&source).clients_served, ==, 0);
  source_close (&source);
}

static void
test_abstract_address_has_one_user (void)
{
  char *address = g_strdup_printf ("@xmem-test-%d", (int) getpid ());
  struct source source;
  struct actor actor;

  open_with_mode (&source, address, 0666);
  check_stranger (address, XMEM_REFUSED);
  actor_start_subscriber (&actor, address, XMEM_DELIVERY_EVERY, 4);
  g_assert_cmpuint (source_stats (&source).clients_served, ==, 1);
  actor_stop (&actor);
  source_close (&source);
  g_free (address);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { "stranger", run_stranger }, { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/modes", test_modes);
  harness_add ("/impossible-mode", test_impossible_mode);
  harness_add ("/stranger-is-let-in", test_stranger_is_let_in);
  harness_add ("/stranger-is-kept-out", test_stranger_is_kept_out);
  harness_add (
      "/abstract-address-has-one-user", test_abstract_address_has_one_user);
  return g_test_run ();
}
