/* SPDX-License-Identifier: MIT */
/* What all C tests share: running cases and checking that each leaves the
 * process as it found it, children that are real processes (this program run
 * again in a role), and a look at /proc.
 *
 *   static const struct harness_role roles[] = { { "actor", actor_run }, {} };
 *
 *   int main (int argc, char **argv)
 *   {
 *     harness_init (&argc, &argv, roles);
 *     harness_add ("/a-sentence", test_it);
 *     return g_test_run ();
 *   }
 */
#ifndef XMEM_HARNESS_H
#define XMEM_HARNESS_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <xmem/error.h>

/* --- cases --------------------------------------------------------------- */

/* What a child can be; the list ends with an empty one. */
struct harness_role {
  const char *name;
  void (*run) (int argc, char **argv);
};

/* Prepares GTest; does not return in a child. roles may be NULL. */
void harness_init (int *argc, char ***argv, const struct harness_role *roles);

/* A case. When it is over the process must have as many file descriptors and
 * mappings of pool memory as before, or will have them soon: a thread that
 * lingers may take its time. */
void harness_add (const char *path, void (*run) (void));

/* DIR/name in a temporary folder of this case, which goes with it. */
const char *harness_path (const char *name);

/* --- waiting ------------------------------------------------------------- */

struct harness_wait {
  const char *what;
  int64_t since;
  bool told;
};

/* Sleeps a little; says after a while what it is that does not happen. */
void harness_pause (struct harness_wait *wait);

/* Waits without a limit of its own: the runner has one. */
#define harness_wait_until(condition)                                    \
  for (struct harness_wait wait_ = { .what = #condition }; !(condition); \
       harness_pause (&wait_))

void harness_sleep_ms (unsigned ms);

/* --- statuses ------------------------------------------------------------ */

/* Fails with the error's sentence unless status is what is expected. */
#define harness_assert_status(status, expected, error) \
  harness_check_status (__FILE__, __LINE__, (status), (expected), (error))
#define harness_assert_ok(status, error) \
  harness_assert_status (status, XMEM_OK, error)

void harness_check_status (const char *file, int line, int status, int expected,
    const struct xmem_error *error);

/* Fails unless `text` contains `part`. */
#define harness_assert_contains(text, part) \
  harness_check_contains (__FILE__, __LINE__, (text), (part))

void harness_check_contains (
    const char *file, int line, const char *text, const char *part);

/* --- children ------------------------------------------------------------ */

struct harness_child {
  pid_t pid;
  int fd; /* a SOCK_SEQPACKET: one line per message */
};

#define HARNESS_LINE_MAX 1024

/* Starts this program as a child in a role, with NULL-terminated arguments.
 * It dies with us. */
void harness_spawn (
    struct harness_child *child, const char *role, ...) G_GNUC_NULL_TERMINATED;

/* A line to the child, and the next one from it; fails if the child has
 * ended. */
void harness_tell (struct harness_child *child, const char *format, ...)
    G_GNUC_PRINTF (2, 3);
void harness_hear (struct harness_child *child, char line[HARNESS_LINE_MAX]);

void harness_kill (struct harness_child *child, int signal);

/* Waits for its end, after closing the line to it. Returns its exit status,
 * or minus the signal that killed it. */
int harness_join (struct harness_child *child);

/* Whether the kernel reports the child as stopped. */
bool harness_is_stopped (const struct harness_child *child);

/* In the child: a line to the parent, and the next one from it; false when it
 * has closed the line. */
void harness_say (const char *format, ...) G_GNUC_PRINTF (1, 2);
bool harness_listen (char line[HARNESS_LINE_MAX]);

struct harness_command {
  const char *name;
  void (*run) (const char *arguments); /* what follows the name, or "" */
};

/* In a child: does as the lines from its parent say, until there are no more. */
void harness_obey (const struct harness_command *commands, size_t n_commands);

/* --- /proc; pid 0: this process ------------------------------------------ */

unsigned harness_count_fds (pid_t pid);
/* All but those of pool memory, of which there may be more or fewer. */
unsigned harness_count_other_fds (pid_t pid);
/* Mappings of pool memory; a named pool has one more for its head. */
unsigned harness_count_mappings (pid_t pid);
/* The file behind the first of these; 0 without any. */
uint64_t harness_mapped_inode (pid_t pid);
uint64_t harness_rss_bytes (pid_t pid);
/* Threads that the library has started. */
unsigned harness_count_threads (pid_t pid);

#endif
