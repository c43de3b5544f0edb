/* SPDX-License-Identifier: MIT */
/* Several users of one machine: what the permissions of a socket file, its
 * group, the list of users and the three runtime folders let each of them do,
 * and what those hear who are refused.
 *
 * Everybody lives in a /run and a /tmp made by the first one of a case. */
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xmem/xmem.h>

#include "harness/harness.h"

#define ROOT 0
#define ANN 12345
#define BOB 12346
#define NOBODY 65534
#define VIDEO 4321 /* a group */
#define OTHERS 4322

/* --- a citizen ----------------------------------------------------------- */

static struct xmem_publisher *published;

static bool
make_world (void)
{
  return geteuid () == 0 && unshare (CLONE_NEWNS) == 0
         && mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0
         && mount ("tmpfs", "/tmp", "tmpfs", 0, "mode=1777") == 0
         && mount ("tmpfs", "/run", "tmpfs", 0, "mode=755") == 0;
}

static bool
join_world (int pid)
{
  char *path = g_strdup_printf ("/proc/%d/ns/mnt", pid);
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  bool joined = fd >= 0 && setns (fd, CLONE_NEWNS) == 0;

  close (fd);
  g_free (path);
  return joined;
}

/* As user@.service would make it. */
static void
make_runtime_folder (uid_t uid)
{
  char *path = g_strdup_printf ("/run/user/%u", (unsigned) uid);

  g_mkdir_with_parents (path, 0755);
  g_assert_cmpint (chmod (path, 0700), ==, 0);
  g_assert_cmpint (chown (path, uid, uid), ==, 0);
  g_setenv ("XDG_RUNTIME_DIR", path, TRUE);
  g_free (path);
}

static void
become (uid_t uid, gid_t group)
{
  g_assert_cmpint (setgroups (1, &group), ==, 0);
  g_assert_cmpint (setegid (uid), ==, 0);
  g_assert_cmpint (seteuid (uid), ==, 0);
}

/* "ADDRESS MODE GROUP UIDS", the last two "-": none. */
static void
run_publish (const char *arguments)
{
  struct xmem_publisher_params params = { .struct_size = sizeof (params) };
  char **words = g_strsplit (arguments, " ", -1);
  char **uids = g_strsplit (words[3], ",", -1);
  uint32_t allowed[8];
  struct xmem_error error;
  int r;

  params.address = words[0];
  params.mode = (unsigned) g_ascii_strtoull (words[1], NULL, 8);
  params.group = strcmp (words[2], "-") == 0 ? NULL : words[2];
  params.allowed_uids = allowed;
  for (unsigned i = 0; uids[i] && strcmp (uids[i], "-") != 0; i++)
    allowed[params.n_allowed_uids++] = (uint32_t) atoi (uids[i]);
  xmem_publisher_free (g_steal_pointer (&published));
  r = xmem_publisher_new (&params, &published, &error);
  harness_say ("%d %s", r,
      r == 0 ? xmem_publisher_get_address (published) : error.message);
  g_strfreev (uids);
  g_strfreev (words);
}

static void
run_connect (const char *address)
{
  struct xmem_subscriber_params params = { .struct_size = sizeof (params),
    .address = address };
  struct xmem_subscriber *subscriber;
  struct xmem_error error;
  int r;

  harness_assert_ok (
      xmem_subscriber_new (&params, &subscriber, &error), &error);
  r = xmem_subscriber_connect (subscriber, 0, &error);
  harness_say ("%d %s", r, r == 0 ? "" : error.message);
  xmem_subscriber_free (subscriber);
}

static void
run_served (const char *arguments)
{
  struct xmem_publisher_stats stats;

  xmem_publisher_get_stats (published, &stats);
  harness_say ("%u", (unsigned) stats.clients_served);
}

/* WORLD UID GROUP at-home|-; WORLD 0 makes one. */
static void
run_citizen (int argc, char **argv)
{
  static const struct harness_command commands[] = {
    { "publish", run_publish },
    { "connect", run_connect },
    { "served", run_served },
  };
  int world = atoi (argv[0]);
  uid_t uid = (uid_t) atoi (argv[1]);

  g_unsetenv ("XDG_RUNTIME_DIR");
  if (world == 0 ? !make_world () : !join_world (world)) {
    harness_say ("skip");
    return;
  }
  umask (0022);
  if (strcmp (argv[3], "at-home") == 0)
    make_runtime_folder (uid);
  become (uid, (gid_t) atoi (argv[2]));
  harness_say ("here");
  harness_obey (commands, G_N_ELEMENTS (commands));
  xmem_publisher_free (g_steal_pointer (&published));
  /* Back, so that a leak checker may look at us at the end. */
  g_assert_cmpint (seteuid (0), ==, 0);
  prctl (PR_SET_DUMPABLE, 1);
}

/* --- the test's side ----------------------------------------------------- */

static struct harness_child founder;
static char answer[HARNESS_LINE_MAX];

static bool
arrive (struct harness_child *child, int world, unsigned uid, unsigned group,
    const char *home)
{
  char *numbers[] = { g_strdup_printf ("%d", world),
    g_strdup_printf ("%u", uid), g_strdup_printf ("%u", group) };

  harness_spawn (
      child, "citizen", numbers[0], numbers[1], numbers[2], home, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS (numbers); i++)
    g_free (numbers[i]);
  harness_hear (child, answer);
  return strcmp (answer, "here") == 0;
}

/* False where this machine does not allow it. */
static bool
found_world (unsigned uid, unsigned group, const char *home)
{
  if (arrive (&founder, 0, uid, group, home))
    return true;
  harness_join (&founder);
  g_test_skip ("only root can be several users with folders of their own");
  return false;
}

static void
leave (struct harness_child *child)
{
  g_assert_cmpint (harness_join (child), ==, 0);
}

static const char *
expect_answer (struct harness_child *child, int status)
{
  harness_hear (child, answer);
  g_test_message ("%s", answer);
  harness_assert_status (atoi (answer), status, NULL);
  return strchr (answer, ' ') + 1;
}

static void
publish (struct harness_child *child, const char *what, int status,
    const char *words)
{
  harness_tell (child, "publish %s", what);
  harness_assert_contains (expect_answer (child, status), words);
}

static const char *
connect_to (struct harness_child *child, const char *address, int status)
{
  harness_tell (child, "connect %s", address);
  return expect_answer (child, status);
}

/* Somebody comes, tries, and goes; what it heard. */
static const char *
visit (unsigned uid, unsigned group, const char *address, int status)
{
  struct harness_child visitor;
  const char *heard;

  g_assert_true (arrive (&visitor, founder.pid, uid, group, "-"));
  heard = connect_to (&visitor, address, status);
  leave (&visitor);
  return heard;
}

static void
expect_served (unsigned n)
{
  harness_tell (&founder, "served");
  harness_hear (&founder, answer);
  g_assert_cmpint (atoi (answer), ==, n);
}

/* --- groups -------------------------------------------------------------- */

static void
test_group_is_let_in (void)
{
  const char *heard;

  if (!found_world (ROOT, ROOT, "-"))
    return;
  publish (&founder, "cam 0660 4321 -", XMEM_OK, "/run/xmem/cam");
  visit (ANN, VIDEO, "cam", XMEM_OK);
  heard = visit (BOB, OTHERS, "cam", XMEM_REFUSED);
  harness_assert_contains (heard, "/run/xmem/cam");
  harness_assert_contains (heard, "mode 0660");
  harness_assert_contains (heard, "group 4321");
  harness_assert_contains (heard, "this is user 12346");
  expect_served (1);
  /* Whose mode nobody chose. */
  publish (&founder, "cam 0 4321 -", XMEM_OK, "/run/xmem/cam");
  visit (ANN, VIDEO, "cam", XMEM_OK);
  visit (BOB, OTHERS, "cam", XMEM_REFUSED);
  leave (&founder);
}

static void
test_group_has_a_name (void)
{
  char *what;
  struct group *group;

  do
    group = getgrent ();
  while (group && (group->gr_gid == 0 || strchr (group->gr_name, ' ')));
  if (!group) {
    g_test_skip ("there is no group but root's");
    return;
  }
  what = g_strdup_printf ("cam 0660 %s -", group->gr_name);
  if (found_world (ROOT, ROOT, "-")) {
    publish (&founder, what, XMEM_OK, "/run/xmem/cam");
    visit (ANN, group->gr_gid, "cam", XMEM_OK);
    visit (BOB, OTHERS, "cam", XMEM_REFUSED);
    leave (&founder);
  }
  endgrent ();
  g_free (what);
}

static void
test_impossible_groups (void)
{
  if (!found_world (ANN, VIDEO, "-"))
    return;
  publish (&founder, "cam 0660 no-such-group -", XMEM_INVALID,
      "no group \"no-such-group\"");
  publish (&founder, "cam 0660 4294967295 -", XMEM_INVALID, "no group");
  publish (&founder, "cam 0660 43x -", XMEM_INVALID, "no group \"43x\"");
  publish (&founder, "cam 0600 4321 -", XMEM_INVALID, "with 0660 it may");
  publish (&founder, "@xmem-test 0660 4321 -", XMEM_INVALID, "has no group");
  publish (
      &founder, "cam 0660 4322 -", XMEM_REFUSED, "which this user must be in");
  publish (&founder, "cam 0660 4321 -", XMEM_OK, "/tmp/xmem-12345/cam");
  leave (&founder);
}

/* --- lists --------------------------------------------------------------- */

static void
test_list_decides_behind_the_permissions (void)
{
  if (!found_world (ROOT, ROOT, "-"))
    return;
  publish (&founder, "cam 0666 - 7,12345", XMEM_OK, "/run/xmem/cam");
  visit (ANN, OTHERS, "cam", XMEM_OK);
  visit (ROOT, ROOT, "cam", XMEM_OK); /* its own */
  harness_assert_contains (visit (BOB, OTHERS, "cam", XMEM_REFUSED),
      "user 12346 is not on its list");
  harness_assert_contains (
      visit (NOBODY, OTHERS, "cam", XMEM_REFUSED), "another user namespace");
  expect_served (2);
  publish (&founder, "cam 0660 4321 12345", XMEM_OK, "/run/xmem/cam");
  visit (ANN, VIDEO, "cam", XMEM_OK);
  harness_assert_contains (
      visit (ANN, OTHERS, "cam", XMEM_REFUSED), "mode 0660");
  publish (&founder, "cam 0666 - 65534", XMEM_INVALID, "user namespaces");
  leave (&founder);
}

/* Root of a container is no more than another user. */
static void
test_root_is_not_let_in_for_being_root (void)
{
  if (!found_world (ANN, VIDEO, "-"))
    return;
  publish (&founder, "/tmp/cam 0666 - 12346", XMEM_OK, "/tmp/cam");
  visit (ANN, OTHERS, "/tmp/cam", XMEM_OK);
  visit (BOB, OTHERS, "/tmp/cam", XMEM_OK);
  harness_assert_contains (visit (ROOT, ROOT, "/tmp/cam", XMEM_REFUSED),
      "user 0 is not on its list");
  leave (&founder);
}

static void
test_list_opens_an_abstract_address (void)
{
  char *address = g_strdup_printf ("@xmem-test-%d", (int) getpid ());
  char *without = g_strdup_printf ("%s 0666 - -", address);
  char *with = g_strdup_printf ("%s 0666 - 12346", address);

  if (found_world (ANN, VIDEO, "-")) {
    publish (&founder, without, XMEM_OK, address);
    visit (ANN, OTHERS, address, XMEM_OK);
    visit (BOB, OTHERS, address, XMEM_REFUSED);
    visit (ROOT, ROOT, address, XMEM_REFUSED);
    publish (&founder, with, XMEM_OK, address);
    visit (ANN, OTHERS, address, XMEM_OK);
    visit (BOB, OTHERS, address, XMEM_OK);
    visit (ROOT, ROOT, address, XMEM_REFUSED);
    leave (&founder);
  }
  g_free (with);
  g_free (without);
  g_free (address);
}

/* --- folders ------------------------------------------------------------- */

/* The service of root in /run/xmem, a user with a session in its runtime
 * folder, a user without in /tmp. */
static void
test_three_folders (void)
{
  struct harness_child ann, bob;

  if (!found_world (ROOT, ROOT, "-"))
    return;
  g_assert_true (arrive (&ann, founder.pid, ANN, VIDEO, "at-home"));
  g_assert_true (arrive (&bob, founder.pid, BOB, OTHERS, "-"));
  publish (&founder, "service 0666 - -", XMEM_OK, "/run/xmem/service");
  publish (&ann, "hers 0666 - -", XMEM_OK, "/run/user/12345/xmem/hers");
  publish (&bob, "his 0666 - -", XMEM_OK, "/tmp/xmem-12346/his");
  connect_to (&ann, "service", XMEM_OK);
  connect_to (&bob, "service", XMEM_OK);
  connect_to (&ann, "hers", XMEM_OK);
  connect_to (&bob, "his", XMEM_OK);
  harness_assert_contains (connect_to (&bob, "hers", XMEM_NOT_FOUND),
      "tried /run/xmem/hers, /tmp/xmem-12346/hers");
  harness_assert_contains (connect_to (&ann, "his", XMEM_NOT_FOUND),
      "tried /run/user/12345/xmem/his, /run/xmem/his, /tmp/xmem-12345/his");
  harness_assert_contains (
      connect_to (&bob, "/run/user/12345/xmem/hers", XMEM_REFUSED),
      "folder is closed to user 12346");
  harness_assert_contains (
      connect_to (&ann, "/tmp/xmem-12346/his", XMEM_REFUSED),
      "folder is closed to user 12345");
  leave (&bob);
  leave (&ann);
  leave (&founder);
}

static const struct harness_role roles[] = { { "citizen", run_citizen },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/group-is-let-in", test_group_is_let_in);
  harness_add ("/group-has-a-name", test_group_has_a_name);
  harness_add ("/impossible-groups", test_impossible_groups);
  harness_add ("/list-decides-behind-the-permissions",
      test_list_decides_behind_the_permissions);
  harness_add ("/root-is-not-let-in-for-being-root",
      test_root_is_not_let_in_for_being_root);
  harness_add (
      "/list-opens-an-abstract-address", test_list_opens_an_abstract_address);
  harness_add ("/three-folders", test_three_folders);
  return g_test_run ();
}
