/* SPDX-License-Identifier: MIT */
/* A tool writes to a file of the case's, where it is read again and again: so
 * it never waits for us. */
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void
set_up (gpointer data)
{
  const struct tool *tool = data;
  int fd = open (tool->path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

  prctl (PR_SET_PDEATHSIG, SIGKILL);
  dup2 (fd, STDOUT_FILENO);
  dup2 (fd, STDERR_FILENO);
}

/* What is built with the address sanitizer wants it loaded first; see
 * tests/run. What the tool leaks is not our affair. */
static char **
make_environment (void)
{
  const char *preload = g_getenv ("XMEM_PRELOAD");
  char **environment = g_get_environ ();

  if (preload) {
    environment = g_environ_setenv (environment, "LD_PRELOAD", preload, TRUE);
    environment =
        g_environ_setenv (environment, "ASAN_OPTIONS", "detect_leaks=0", TRUE);
  }
  return g_environ_setenv (environment, "GST_DEBUG_NO_COLOR", "1", TRUE);
}

void
tool_start (struct tool *tool, const char *format, ...)
{
  static unsigned n;
  char **environment = make_environment ();
  char *name = g_strdup_printf ("tool-%u", n++);
  char *command, **argv;
  va_list args;

  va_start (args, format);
  command = g_strdup_vprintf (format, args);
  va_end (args);
  tool->path = harness_path (name);
  tool->said = NULL;
  g_assert_true (g_shell_parse_argv (command, NULL, &argv, NULL));
  g_assert_true (g_spawn_async (NULL, argv, environment,
      G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, set_up, tool, &tool->pid,
      NULL));
  g_strfreev (argv);
  g_strfreev (environment);
  g_free (command);
  g_free (name);
}

const char *
tool_get_text (struct tool *tool)
{
  g_clear_pointer (&tool->said, g_free);
  if (!g_file_get_contents (tool->path, &tool->said, NULL, NULL))
    tool->said = g_strdup ("");
  return tool->said;
}

void
tool_signal (struct tool *tool, int signal)
{
  g_assert_cmpint (kill (tool->pid, signal), ==, 0);
}

int
tool_wait (struct tool *tool)
{
  int status;

  while (waitpid (tool->pid, &status, 0) < 0)
    g_assert_cmpint (errno, ==, EINTR);
  return WIFEXITED (status) ? WEXITSTATUS (status) : -WTERMSIG (status);
}

void
tool_clear (struct tool *tool)
{
  g_clear_pointer (&tool->said, g_free);
}
