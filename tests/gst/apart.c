/* SPDX-License-Identifier: MIT */
/* Three processes for a player apart: one that stays in the test's pid
 * namespace, for the test to kill; one that is process 1 of the new namespace;
 * and the player, which is not process 1 because that gets no signals.
 *
 * A player's death is that of all three. */
#include "apart.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "player-child.h"

#define KILLED 98

/* --- the child's side ---------------------------------------------------- */

static G_NORETURN void
skip (const char *why)
{
  harness_say ("%s: %s", why, g_strerror (errno));
  _exit (0);
}

static void
write_file (const char *path, const char *format, unsigned id)
{
  char *text = g_strdup_printf (format, id);
  int fd = open (path, O_WRONLY | O_CLOEXEC);

  if (fd < 0 || write (fd, text, strlen (text)) < 0)
    skip (path);
  close (fd);
  g_free (text);
}

static void
become (uid_t uid, gid_t group)
{
  const char *plugins = g_getenv ("GST_PLUGIN_PATH");
  const char *registry = g_getenv ("GST_REGISTRY");

  if (geteuid () != 0) {
    errno = EPERM;
    skip ("only root can be another user");
  }
  if (registry) /* else it looks at every plugin there is */
    (void) !chmod (registry, 0644);
  if (setgroups (1, &group) < 0 || setresgid (group, group, group) < 0
      || setresuid (uid, uid, uid) < 0)
    skip ("cannot be another user");
  /* Both went with the user. */
  prctl (PR_SET_DUMPABLE, 1);
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  if (plugins && access (plugins, R_OK | X_OK) < 0)
    skip ("other users may not read this build");
}

static void
mount_places (const char *share, const char *shm)
{
  char *options = g_strdup_printf ("size=%s", shm);
  bool none = strcmp (shm, "-") == 0;
  char *source;
  int fd = open (share, O_PATH | O_CLOEXEC);

  source = g_strdup_printf ("/proc/self/fd/%d", fd);
  if (mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0
      || mount ("tmpfs", "/run", "tmpfs", 0, "mode=755") < 0
      || mkdir (APART_SHARED, 0755) < 0
      || mount (source, APART_SHARED, NULL, MS_BIND, NULL) < 0
      || mount ("tmpfs", "/dev/shm", "tmpfs", none ? MS_RDONLY : 0,
             none ? "size=4k" : options)
             < 0)
    skip ("cannot mount");
  close (fd);
  g_free (source);
  g_free (options);
}

static void
enter_namespaces (uid_t uid, gid_t group)
{
  if (unshare (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC
               | CLONE_NEWNET | CLONE_NEWUTS)
      < 0)
    skip ("unshare is not allowed");
  write_file ("/proc/self/setgroups", "deny", 0);
  write_file ("/proc/self/uid_map", "0 %u 1", uid);
  write_file ("/proc/self/gid_map", "0 %u 1", group);
}

static pid_t follower;

static void
kill_follower (int signal)
{
  kill (follower, SIGKILL);
}

/* Goes on in a child, and ends as that does; SIGTERM kills it. */
static void
go_on_in_a_child (void)
{
  sigset_t all, before;
  int status;

  sigfillset (&all);
  sigprocmask (SIG_SETMASK, &all, &before);
  follower = fork ();
  signal (SIGTERM, follower == 0 ? SIG_DFL : kill_follower);
  sigprocmask (SIG_SETMASK, &before, NULL);
  if (follower == 0) {
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    return;
  }
  close (3); /* the line to the test, which is the player's */
  while (waitpid (follower, &status, 0) < 0 && errno == EINTR)
    ;
  _exit (follower > 0 && WIFEXITED (status) ? WEXITSTATUS (status) : KILLED);
}

/* UID GROUP SHARE SHM */
void
apart_run (int argc, char **argv)
{
  uid_t uid = (uid_t) atoi (argv[0]);
  gid_t group = (gid_t) atoi (argv[1]);

  g_unsetenv ("XDG_RUNTIME_DIR");
  become (uid, group);
  if (strcmp (argv[2], "-") != 0) {
    enter_namespaces (uid, group);
    mount_places (argv[2], argv[3]);
    go_on_in_a_child ();
    go_on_in_a_child ();
  }
  harness_say ("here");
  player_child_run (argc, argv);
  fflush (NULL);
  _exit (0); /* a leak checker finds its own threads in one /proc only */
}

/* --- the test's side ----------------------------------------------------- */

bool
apart_start (struct player *player, const struct apart *apart)
{
  char *uid = g_strdup_printf ("%u", apart->uid);
  char *group = g_strdup_printf ("%u", apart->group);
  char line[HARNESS_LINE_MAX];

  harness_spawn (&player->child, "player-apart", uid, group,
      apart->share ? apart->share : "-",
      apart->shm_size ? apart->shm_size : "-", NULL);
  player->line = PLAYER_FIRST_LINE;
  g_free (uid);
  g_free (group);
  harness_hear (&player->child, line);
  if (strcmp (line, "here") == 0)
    return true;
  player_stop (player);
  g_test_skip (line);
  return false;
}

void
apart_die (struct player *player)
{
  siginfo_t info;

  harness_kill (&player->child, SIGTERM);
  /* All of the namespace's processes are dead then. The line to the player must
   * not be closed before, which would end it in good order. */
  g_assert_cmpint (
      waitid (P_PID, (id_t) player->child.pid, &info, WEXITED | WNOWAIT), ==,
      0);
  g_assert_cmpint (harness_join (&player->child), ==, KILLED);
}

const char *
apart_folder (void)
{
  const char *folder = harness_path ("shared");
  char *above = g_path_get_dirname (folder);

  g_assert_cmpint (chmod (above, 0777), ==, 0); /* for player_get_records () */
  g_assert_cmpint (mkdir (folder, 0777), ==, 0);
  g_assert_cmpint (chmod (folder, 0777), ==, 0);
  g_free (above);
  return folder;
}
