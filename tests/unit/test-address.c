/* SPDX-License-Identifier: MIT */
/* ipc/address: from names to places. What depends on folders outside this
 * test's own runs in a child with a /tmp and a /run to itself. */
#include "ipc/address.h"

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/harness.h"

#define MAX_PATH (sizeof (((struct sockaddr_un *) 0)->sun_path) - 1)
#define SKIP 77

static unsigned
find (const char *name, struct xmem_address places[XMEM_ADDRESS_MAX_PLACES])
{
  struct xmem_error error;
  unsigned n;

  harness_assert_ok (xmem_address_find (name, places, &n, &error), &error);
  return n;
}

/* --- names --------------------------------------------------------------- */

static void
test_paths_are_taken_as_they_are (void)
{
  static const char *const names[] = { "/run/x", "a/b", "./x", "../x",
    "/a/.hidden", "./a/../b" };
  struct xmem_address places[XMEM_ADDRESS_MAX_PLACES], chosen;

  for (size_t i = 0; i < G_N_ELEMENTS (names); i++) {
    g_assert_cmpuint (find (names[i], places), ==, 1);
    g_assert_cmpstr (places[0].text, ==, names[i]);
    g_assert_cmpstr (places[0].sun.sun_path, ==, names[i]);
    g_assert_cmpuint (places[0].len, ==,
        offsetof (struct sockaddr_un, sun_path) + strlen (names[i]) + 1);
    harness_assert_ok (xmem_address_choose (names[i], &chosen, NULL), NULL);
    g_assert_cmpmem (&chosen, sizeof (chosen), &places[0], sizeof (places[0]));
    g_assert_false (xmem_address_is_abstract (&chosen));
  }
}

static void
test_abstract_names (void)
{
  struct xmem_address places[XMEM_ADDRESS_MAX_PLACES];

  g_assert_cmpuint (find ("@name/x", places), ==, 1);
  g_assert_true (xmem_address_is_abstract (&places[0]));
  g_assert_cmpstr (places[0].text, ==, "@name/x");
  g_assert_cmpmem (places[0].sun.sun_path, 7, "\0name/x", 7);
  g_assert_cmpuint (
      places[0].len, ==, offsetof (struct sockaddr_un, sun_path) + 7);
}

static void
test_impossible_names (void)
{
  static const char *const names[] = { "", "@", ".", "..", ".hidden", "x/", "/",
    "./", "../", "a/b/", "./a/" };
  struct xmem_address places[XMEM_ADDRESS_MAX_PLACES];
  struct xmem_error error;
  unsigned n = 9;

  for (size_t i = 0; i < G_N_ELEMENTS (names); i++) {
    g_test_message ("\"%s\"", names[i]);
    harness_assert_status (
        xmem_address_find (names[i], places, &n, &error), XMEM_INVALID, &error);
    g_assert_cmpuint (n, ==, 0);
    harness_assert_contains (error.message, names[i]);
    harness_assert_status (
        xmem_address_choose (names[i], places, &error), XMEM_INVALID, &error);
  }
}

static void
check_length (const char *start, size_t length, int status)
{
  char *name = g_strnfill (length, 'x');
  struct xmem_address address;
  struct xmem_error error;

  memcpy (name, start, strlen (start));
  harness_assert_status (
      xmem_address_choose (name, &address, &error), status, &error);
  if (status == 0)
    g_assert_cmpstr (address.text, ==, name);
  else
    harness_assert_contains (error.message, "too long");
  g_free (name);
}

static void
test_long_names (void)
{
  static const char *const starts[] = { "/", "./", "@" };

  for (size_t i = 0; i < G_N_ELEMENTS (starts); i++) {
    check_length (starts[i], MAX_PATH - 1, 0);
    check_length (starts[i], MAX_PATH, 0);
    check_length (starts[i], MAX_PATH + 1, XMEM_INVALID);
    check_length (starts[i], 5000, XMEM_INVALID);
  }
}

/* With its folder in front a shorter one is too long already. */
static void
test_long_plain_names (void)
{
  char *name = g_strnfill (MAX_PATH - 8, 'x');
  struct xmem_address places[XMEM_ADDRESS_MAX_PLACES];
  struct xmem_error error;
  unsigned n;

  g_unsetenv ("XDG_RUNTIME_DIR");
  harness_assert_status (
      xmem_address_find (name, places, &n, &error), XMEM_INVALID, &error);
  harness_assert_contains (error.message, "too long");
  name[60] = '\0';
  harness_assert_ok (xmem_address_find (name, places, &n, &error), &error);
  g_assert_cmpuint (n, >=, 1);
  g_free (name);
}

/* --- runtime folders ----------------------------------------------------- */

static void
test_xdg_comes_first (void)
{
  const char *folder = harness_path ("runtime");
  struct xmem_address places[XMEM_ADDRESS_MAX_PLACES];
  char *last = g_strdup_printf ("/tmp/xmem-%u/cam", (unsigned) geteuid ());
  char *first = g_strdup_printf ("%s/xmem/cam", folder);

  g_setenv ("XDG_RUNTIME_DIR", folder, TRUE);
  g_assert_cmpuint (find ("cam", places), >=, 2);
  g_assert_cmpstr (places[0].text, ==, first);
  g_assert_cmpstr (places[1].text, ==, "/run/xmem/cam");
  if (find ("cam", places) == 3)
    g_assert_cmpstr (places[2].text, ==, last);
  g_free (first);
  g_free (last);
}

static void
test_useless_xdg_is_passed_over (void)
{
  char *deep = g_strnfill (200, 'x');
  struct xmem_address places[XMEM_ADDRESS_MAX_PLACES];

  deep[0] = '/';
  g_setenv ("XDG_RUNTIME_DIR", deep, TRUE);
  find ("cam", places);
  g_assert_cmpstr (places[0].text, ==, "/run/xmem/cam");
  g_setenv ("XDG_RUNTIME_DIR", "relative", TRUE);
  find ("cam", places);
  g_assert_cmpstr (places[0].text, ==, "/run/xmem/cam");
  g_setenv ("XDG_RUNTIME_DIR", "", TRUE);
  find ("cam", places);
  g_assert_cmpstr (places[0].text, ==, "/run/xmem/cam");
  g_unsetenv ("XDG_RUNTIME_DIR");
  find ("cam", places);
  g_assert_cmpstr (places[0].text, ==, "/run/xmem/cam");
  g_free (deep);
}

static void
test_folder_is_made_for_us_alone (void)
{
  const char *folder = harness_path ("xmem");
  char *runtime = g_path_get_dirname (folder);
  struct xmem_address address;
  struct stat st;
  mode_t mask = umask (0277);

  g_setenv ("XDG_RUNTIME_DIR", runtime, TRUE);
  harness_assert_ok (xmem_address_choose ("cam", &address, NULL), NULL);
  umask (mask);
  g_assert_true (g_str_has_prefix (address.text, folder));
  g_assert_cmpint (stat (folder, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 07777, ==, 0700);
  harness_assert_ok (xmem_address_choose ("cam", &address, NULL), NULL);
  g_free (runtime);
}

/* --- folders of others, in a child --------------------------------------- */

/* A /tmp and a /run of our own, and another user. */
static bool
move_out (void)
{
  if (geteuid () != 0 || unshare (CLONE_NEWNS) < 0
      || mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0
      || mount ("tmpfs", "/tmp", "tmpfs", 0, "mode=1777") < 0
      || mount ("tmpfs", "/run", "tmpfs", 0, "mode=755") < 0)
    return false;
  g_unsetenv ("XDG_RUNTIME_DIR");
  return true;
}

static void
become_user (void)
{
  g_assert_cmpint (setegid (12345), ==, 0);
  g_assert_cmpint (seteuid (12345), ==, 0);
}

static void
make_folder (const char *path, mode_t mode, uid_t owner)
{
  g_assert_cmpint (mkdir (path, 0700), ==, 0);
  g_assert_cmpint (chmod (path, mode), ==, 0);
  g_assert_cmpint (chown (path, owner, owner), ==, 0);
}

static void
expect_place (const char *expected)
{
  struct xmem_address address;
  struct xmem_error error;

  harness_assert_ok (xmem_address_choose ("cam", &address, &error), &error);
  g_assert_cmpstr (address.text, ==, expected);
}

/* Neither publishing nor subscribing goes through the folder in /tmp. */
static void
expect_no_place (void)
{
  struct xmem_address address, places[XMEM_ADDRESS_MAX_PLACES];
  char folders[XMEM_ADDRESS_MAX_PLACES][XMEM_ADDRESS_MAX_FOLDER];
  struct xmem_error error;

  harness_assert_status (
      xmem_address_choose ("cam", &address, &error), XMEM_REFUSED, &error);
  harness_assert_contains (error.message, "/run/xmem");
  harness_assert_contains (error.message, "/tmp/xmem-12345");
  g_assert_cmpuint (find ("cam", places), ==, 1);
  g_assert_cmpstr (places[0].text, ==, "/run/xmem/cam");
  g_assert_cmpuint (xmem_address_get_folders (folders), ==, 1);
  g_assert_cmpstr (folders[0], ==, "/run/xmem");
}

static void
child_root_uses_run (void)
{
  struct stat st;

  umask (077);
  expect_place ("/run/xmem/cam");
  g_assert_cmpint (stat ("/run/xmem", &st), ==, 0);
  g_assert_cmpint (st.st_mode & 07777, ==, 0755);
}

static void
child_user_uses_tmp (void)
{
  struct stat st;

  become_user ();
  umask (0);
  expect_place ("/tmp/xmem-12345/cam");
  g_assert_cmpint (stat ("/tmp/xmem-12345", &st), ==, 0);
  g_assert_cmpint (st.st_mode & 07777, ==, 0700);
}

static void
child_user_may_write_in_run (void)
{
  make_folder ("/run/xmem", 01777, 0);
  become_user ();
  expect_place ("/run/xmem/cam");
}

static void
child_folder_of_another_owner (void)
{
  make_folder ("/tmp/xmem-12345", 0777, 54321);
  become_user ();
  expect_no_place ();
}

static void
child_folder_others_can_write (void)
{
  make_folder ("/tmp/xmem-12345", 0777, 12345);
  become_user ();
  expect_no_place ();
}

static void
child_link_instead_of_a_folder (void)
{
  make_folder ("/tmp/mine", 0700, 12345);
  g_assert_cmpint (symlink ("/tmp/mine", "/tmp/xmem-12345"), ==, 0);
  become_user ();
  expect_no_place ();
}

static void
child_file_instead_of_a_folder (void)
{
  g_assert_true (g_file_set_contents ("/tmp/xmem-12345", "", 0, NULL));
  become_user ();
  expect_no_place ();
}

static const struct {
  const char *name;
  void (*run) (void);
} children[] = {
  { "root-uses-run", child_root_uses_run },
  { "user-uses-tmp", child_user_uses_tmp },
  { "user-may-write-in-run", child_user_may_write_in_run },
  { "folder-of-another-owner", child_folder_of_another_owner },
  { "folder-others-can-write", child_folder_others_can_write },
  { "link-instead-of-a-folder", child_link_instead_of_a_folder },
  { "file-instead-of-a-folder", child_file_instead_of_a_folder },
};

static void
run_apart (int argc, char **argv)
{
  if (!move_out ())
    exit (SKIP);
  for (size_t i = 0; i < G_N_ELEMENTS (children); i++)
    if (strcmp (children[i].name, argv[0]) == 0)
      children[i].run ();
  /* Back, so that a leak checker may look at us at the end. */
  g_assert_cmpint (seteuid (0), ==, 0);
  prctl (PR_SET_DUMPABLE, 1);
}

static void
test_apart (void)
{
  /* The last part of the case's path is the child's name. */
  const char *name = strrchr (g_test_get_path (), '/') + 1;
  struct harness_child child;
  int status;

  harness_spawn (&child, "apart", name, NULL);
  status = harness_join (&child);
  if (status == SKIP)
    g_test_skip ("only root can be another user");
  else
    g_assert_cmpint (status, ==, 0);
}

static const struct harness_role roles[] = { { "apart", run_apart },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add (
      "/paths-are-taken-as-they-are", test_paths_are_taken_as_they_are);
  harness_add ("/abstract-names", test_abstract_names);
  harness_add ("/impossible-names", test_impossible_names);
  harness_add ("/long-names", test_long_names);
  harness_add ("/long-plain-names", test_long_plain_names);
  harness_add ("/xdg-comes-first", test_xdg_comes_first);
  harness_add ("/useless-xdg-is-passed-over", test_useless_xdg_is_passed_over);
  harness_add (
      "/folder-is-made-for-us-alone", test_folder_is_made_for_us_alone);
  for (size_t i = 0; i < G_N_ELEMENTS (children); i++) {
    char *path = g_strdup_printf ("/apart/%s", children[i].name);

    harness_add (path, test_apart);
    g_free (path);
  }
  return g_test_run ();
}
