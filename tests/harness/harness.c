/* SPDX-License-Identifier: MIT */
/* The harness. Owns each case's temporary folder and the strings it gave out;
 * single-threaded. */
#include "harness/harness.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <linux/close_range.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Where a child finds its line to the parent. */
#define LINE_FD 3

extern char **environ;

static char *folder;
static GPtrArray *strings;

/* --- cases --------------------------------------------------------------- */

static G_NORETURN void
run_role (int argc, char **argv, const struct harness_role *roles)
{
  /* The output is the parent's; what we say there would not be TAP. */
  dup2 (STDERR_FILENO, STDOUT_FILENO);
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  for (; roles && roles->name; roles++) {
    if (strcmp (roles->name, argv[2]) == 0) {
      roles->run (argc - 3, argv + 3);
      exit (0);
    }
  }
  fprintf (stderr, "no role %s\n", argv[2]);
  exit (99);
}

void
harness_init (int *argc, char ***argv, const struct harness_role *roles)
{
  if (*argc > 2 && strcmp ((*argv)[1], "--role") == 0)
    run_role (*argc, *argv, roles);
  /* What whoever started us left open is not for the children. */
  close_range (3, ~0U, CLOSE_RANGE_CLOEXEC);
  g_test_init (argc, argv, NULL);
  signal (SIGPIPE, SIG_IGN);
}

static void
remove_folder (void)
{
  GDir *dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name (dir))) {
    char *path = g_build_filename (folder, name, NULL);

    g_remove (path);
    g_free (path);
  }
  if (dir)
    g_dir_close (dir);
  g_rmdir (folder);
  g_clear_pointer (&folder, g_free);
}

static void
run_case (const void *data)
{
  void (*run) (void) = NULL;
  unsigned n_fds = harness_count_fds (0);
  unsigned n_mappings = harness_count_mappings (0);

  memcpy (&run, data, sizeof (run));
  strings = g_ptr_array_new_with_free_func (g_free);
  run ();
  harness_wait_until (harness_count_fds (0) == n_fds);
  harness_wait_until (harness_count_mappings (0) == n_mappings);
  if (folder)
    remove_folder ();
  g_clear_pointer (&strings, g_ptr_array_unref);
}

void
harness_add (const char *path, void (*run) (void))
{
  /* A function pointer in an object, which ISO C wants. */
  void *data = g_memdup2 (&run, sizeof (run));

  g_test_add_data_func_full (path, data, (GTestDataFunc) run_case, g_free);
}

const char *
harness_path (const char *name)
{
  char *path;

  if (!folder)
    folder = g_dir_make_tmp ("xmem-test-XXXXXX", NULL);
  g_assert_nonnull (folder);
  path = g_build_filename (folder, name, NULL);
  g_ptr_array_add (strings, path);
  return path;
}

/* --- waiting ------------------------------------------------------------- */

void
harness_sleep_ms (unsigned ms)
{
  const struct timespec pause = { ms / 1000, (long) (ms % 1000) * 1000000 };

  nanosleep (&pause, NULL);
}

void
harness_pause (struct harness_wait *wait)
{
  int64_t now = g_get_monotonic_time ();

  if (wait->since == 0)
    wait->since = now;
  if (!wait->told && now - wait->since > 10 * G_USEC_PER_SEC) {
    fprintf (stderr, "still waiting until %s\n", wait->what);
    wait->told = true;
  }
  harness_sleep_ms (2);
}

/* --- statuses ------------------------------------------------------------ */

void
harness_check_status (const char *file, int line, int status, int expected,
    const struct xmem_error *error)
{
  if (status == expected)
    return;
  fprintf (stderr, "%s:%d: status %d (%s), not %d (%s)%s%s\n", file, line,
      status, xmem_status_string (status), expected,
      xmem_status_string (expected), error && status ? ": " : "",
      error && status ? error->message : "");
  abort ();
}

void
harness_check_contains (
    const char *file, int line, const char *text, const char *part)
{
  if (strstr (text, part))
    return;
  fprintf (stderr, "%s:%d: \"%s\" does not contain \"%s\"\n", file, line, text,
      part);
  abort ();
}

/* --- children ------------------------------------------------------------ */

void
harness_spawn (struct harness_child *child, const char *role, ...)
{
  GPtrArray *argv = g_ptr_array_new ();
  posix_spawn_file_actions_t actions;
  int pair[2];
  va_list args;
  char *arg;

  g_ptr_array_add (argv, (char *) "/proc/self/exe");
  g_ptr_array_add (argv, (char *) "--role");
  g_ptr_array_add (argv, (char *) (uintptr_t) role);
  va_start (args, role);
  do
    g_ptr_array_add (argv, arg = va_arg (args, char *));
  while (arg);
  va_end (args);
  g_assert_cmpint (
      socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), ==, 0);
  posix_spawn_file_actions_init (&actions);
  posix_spawn_file_actions_adddup2 (&actions, pair[1], LINE_FD);
  g_assert_cmpint (posix_spawn (&child->pid, "/proc/self/exe", &actions, NULL,
                       (char **) argv->pdata, environ),
      ==, 0);
  posix_spawn_file_actions_destroy (&actions);
  close (pair[1]);
  child->fd = pair[0];
  g_ptr_array_unref (argv);
}

static void
send_line (int fd, const char *format, va_list args)
{
  char line[HARNESS_LINE_MAX];
  int n = vsnprintf (line, sizeof (line), format, args);

  g_assert_cmpint (n, <, (int) sizeof (line));
  if (send (fd, line, (size_t) n + 1, MSG_NOSIGNAL) < 0 && errno != EPIPE)
    g_error ("cannot send a line: %s", g_strerror (errno));
}

static bool
receive_line (int fd, char line[HARNESS_LINE_MAX])
{
  ssize_t n;

  do
    n = recv (fd, line, HARNESS_LINE_MAX, 0);
  while (n < 0 && errno == EINTR);
  return n > 0;
}

void
harness_tell (struct harness_child *child, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  send_line (child->fd, format, args);
  va_end (args);
}

void
harness_hear (struct harness_child *child, char line[HARNESS_LINE_MAX])
{
  if (!receive_line (child->fd, line))
    g_error ("child %d has ended and should not have: %d", (int) child->pid,
        harness_join (child));
}

void
harness_kill (struct harness_child *child, int signal)
{
  g_assert_cmpint (kill (child->pid, signal), ==, 0);
}

int
harness_join (struct harness_child *child)
{
  int status;

  shutdown (child->fd, SHUT_RDWR); /* also where a fork has a copy */
  close (child->fd);
  child->fd = -1;
  while (waitpid (child->pid, &status, 0) < 0)
    g_assert_cmpint (errno, ==, EINTR);
  return WIFEXITED (status) ? WEXITSTATUS (status) : -WTERMSIG (status);
}

void
harness_say (const char *format, ...)
{
  va_list args;

  va_start (args, format);
  send_line (LINE_FD, format, args);
  va_end (args);
}

bool
harness_listen (char line[HARNESS_LINE_MAX])
{
  return receive_line (LINE_FD, line);
}

static void
obey_line (
    const struct harness_command *commands, size_t n_commands, char *line)
{
  char *arguments = strchr (line, ' ');

  if (arguments)
    *arguments++ = '\0';
  for (size_t i = 0; i < n_commands; i++) {
    if (strcmp (commands[i].name, line) == 0) {
      commands[i].run (arguments ? arguments : "");
      return;
    }
  }
  g_error ("no command %s", line);
}

void
harness_obey (const struct harness_command *commands, size_t n_commands)
{
  char line[HARNESS_LINE_MAX];

  while (harness_listen (line))
    obey_line (commands, n_commands, line);
}

/* --- /proc --------------------------------------------------------------- */

static char *
proc_path (pid_t pid, const char *name)
{
  return pid == 0 ? g_strdup_printf ("/proc/self/%s", name)
                  : g_strdup_printf ("/proc/%d/%s", (int) pid, name);
}

static unsigned
count_fds (pid_t pid, bool with_memory)
{
  char *folder_path = proc_path (pid, "fd");
  GDir *dir = g_dir_open (folder_path, 0, NULL);
  const char *name;
  unsigned n = 0;

  g_assert_nonnull (dir);
  while ((name = g_dir_read_name (dir))) {
    char *path = g_build_filename (folder_path, name, NULL);
    char *target = g_file_read_link (path, NULL);

    n += with_memory || !target || !strstr (target, "/memfd:xmem");
    g_free (target);
    g_free (path);
  }
  g_dir_close (dir);
  g_free (folder_path);
  return n - (pid == 0); /* looking takes one itself */
}

unsigned
harness_count_fds (pid_t pid)
{
  return count_fds (pid, true);
}

unsigned
harness_count_other_fds (pid_t pid)
{
  return count_fds (pid, false);
}

/* Reads lines of a file there; calls look () for each. */
static void
each_line (pid_t pid, const char *name,
    void (*look) (const char *line, void *data), void *data)
{
  char *path = proc_path (pid, name);
  FILE *file = fopen (path, "re");
  char line[4096];

  while (file && fgets (line, sizeof (line), file))
    look (line, data);
  if (file) /* else the thread has just ended */
    fclose (file);
  g_free (path);
}

static void
count_io_thread (const char *line, void *data)
{
  *(unsigned *) data += strcmp (line, "xmem-io\n") == 0;
}

unsigned
harness_count_threads (pid_t pid)
{
  char *path = proc_path (pid, "task");
  GDir *dir = g_dir_open (path, 0, NULL);
  const char *name;
  unsigned n = 0;

  g_assert_nonnull (dir);
  while ((name = g_dir_read_name (dir))) {
    char *comm = g_strdup_printf ("task/%s/comm", name);

    each_line (pid, comm, count_io_thread, &n);
    g_free (comm);
  }
  g_dir_close (dir);
  g_free (path);
  return n;
}

static void
count_memory (const char *line, void *data)
{
  *(unsigned *) data += strstr (line, "/memfd:xmem (") != NULL
                        || strstr (line, " /dev/shm/") != NULL;
}

unsigned
harness_count_mappings (pid_t pid)
{
  unsigned n = 0;

  each_line (pid, "maps", count_memory, &n);
  return n;
}

static void
find_inode (const char *line, void *data)
{
  uint64_t *inode = data;

  /* from-to access offset device inode name */
  if (*inode == 0 && strstr (line, "/memfd:xmem ("))
    sscanf (line, "%*s %*s %*s %*s %" SCNu64, inode);
}

uint64_t
harness_mapped_inode (pid_t pid)
{
  uint64_t inode = 0;

  each_line (pid, "maps", find_inode, &inode);
  return inode;
}

static void
find_rss (const char *line, void *data)
{
  if (g_str_has_prefix (line, "VmRSS:"))
    *(uint64_t *) data = g_ascii_strtoull (line + 6, NULL, 10) * 1024;
}

uint64_t
harness_rss_bytes (pid_t pid)
{
  uint64_t bytes = 0;

  each_line (pid, "status", find_rss, &bytes);
  return bytes;
}

static void
find_stopped (const char *line, void *data)
{
  *(bool *) data |= g_str_has_prefix (line, "State:\tT");
}

bool
harness_is_stopped (const struct harness_child *child)
{
  bool stopped = false;

  each_line (child->pid, "status", find_stopped, &stopped);
  return stopped;
}
