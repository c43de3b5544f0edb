/* SPDX-License-Identifier: MIT */
/* pool/fork: a child made by fork () has its parent's pools in name only, and
 * does not keep them alive. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xmem/cuda.h>

#include "harness/frames.h"
#include "harness/named.h"

static struct xmem_pool_stats
stats_of (struct xmem_pool *pool)
{
  struct xmem_pool_stats stats;

  xmem_pool_get_stats (pool, &stats);
  return stats;
}

static int
wait_for (pid_t pid)
{
  int status;

  while (waitpid (pid, &status, 0) < 0)
    g_assert_cmpint (errno, ==, EINTR);
  return WIFEXITED (status) ? WEXITSTATUS (status) : -WTERMSIG (status);
}

/* Runs this in a forked child, which must come to its end. */
#define IN_CHILD(code)                        \
  G_STMT_START                                \
  {                                           \
    pid_t pid_ = fork ();                     \
                                              \
    g_assert_cmpint (pid_, >=, 0);            \
    if (pid_ == 0) {                          \
      code;                                   \
      _exit (0);                              \
    }                                         \
    g_assert_cmpint (wait_for (pid_), ==, 0); \
  }                                           \
  G_STMT_END

/* Files of named pools that this process has open. Makes no allocations: in a
 * child of a process with threads another may have held the lock for them. */
static unsigned
count_pool_files (void)
{
  unsigned n = 0;

  for (int fd = 0; fd < 256; fd++) {
    char path[32];
    char target[64] = "";

    snprintf (path, sizeof (path), "/proc/self/fd/%d", fd);
    if (readlink (path, target, sizeof (target) - 1) > 0)
      n += strncmp (target, "/dev/shm/", 9) == 0;
  }
  return n;
}

/* --- what the child is told ---------------------------------------------- */

static void
expect_forked_pool (struct xmem_pool *pool, uint64_t id)
{
  struct xmem_buffer *buffer = NULL;
  struct xmem_error error;
  uint32_t cursor = 0;

  harness_assert_status (
      xmem_pool_acquire (pool, 100, 0, XMEM_WAIT_FOREVER, &buffer, &error),
      XMEM_FORKED, &error);
  harness_assert_contains (error.message, "fork");
  harness_assert_status (
      xmem_pool_acquire_cuda (pool, 100, 0, 0, 0, &buffer, &error), XMEM_FORKED,
      &error);
  harness_assert_status (
      xmem_pool_preallocate (pool, 100, 1, &error), XMEM_FORKED, &error);
  harness_assert_status (
      xmem_pool_reclaim (pool, NULL, &error), XMEM_FORKED, &error);
  harness_assert_status (xmem_pool_get (pool, id, XMEM_READ, &buffer, &error),
      XMEM_FORKED, &error);
  harness_assert_status (
      xmem_pool_get_at (pool, (uint32_t) id, XMEM_READ, &buffer, &error),
      XMEM_FORKED, &error);
  harness_assert_status (xmem_pool_take (pool, id, XMEM_READ, &buffer, &error),
      XMEM_FORKED, &error);
  harness_assert_status (
      xmem_pool_next (pool, &cursor, &buffer, &error), XMEM_FORKED, &error);
  g_assert_null (buffer);
  xmem_pool_trim (pool, 1);
  g_assert_cmpuint (stats_of (pool).n_used, ==, 0);
}

static void
expect_forked_buffer (struct xmem_buffer *buffer)
{
  const struct xmem_buffer_info info = { .sequence = 99 };
  uint64_t id = xmem_buffer_get_id (buffer);
  struct xmem_error error;

  harness_assert_status (
      xmem_buffer_give (buffer, 1, &error), XMEM_FORKED, &error);
  harness_assert_status (
      xmem_buffer_set_info (buffer, &info, &error), XMEM_FORKED, &error);
  harness_assert_status (
      xmem_buffer_copy (buffer, buffer, &error), XMEM_FORKED, &error);
  xmem_buffer_renew (buffer);
  g_assert_cmpuint (xmem_buffer_get_id (buffer), ==, id);
}

/* What the parent may be writing just now is not copied either. */
static void
expect_no_copy (struct xmem_buffer *from)
{
  struct xmem_pool *pool;
  struct xmem_buffer *to;
  struct xmem_error error;

  harness_assert_ok (xmem_pool_new (NULL, &pool, &error), &error);
  to = named_acquire (pool, 1000);
  harness_assert_status (
      xmem_buffer_copy (to, from, &error), XMEM_FORKED, &error);
  xmem_buffer_unref (to);
  xmem_pool_unref (pool);
}

/* All that a child may do, and what it may try. */
static void
be_forked (struct xmem_pool *pool, struct xmem_buffer *buffer)
{
  expect_forked_pool (pool, xmem_buffer_get_id (buffer));
  expect_forked_buffer (buffer);
  expect_no_copy (buffer);
  g_assert_cmpuint (count_pool_files (), ==, 0);
  xmem_buffer_unref (buffer);
  xmem_buffer_unref (buffer);
  xmem_pool_unref (pool);
  xmem_pool_unref (pool);
}

static void
check_child_disturbs_nothing (struct xmem_pool *pool)
{
  struct xmem_buffer *buffer = frames_new_buffer (pool, 1000, 7);
  struct xmem_pool_stats before = stats_of (pool), after;
  struct xmem_buffer_refs refs;
  struct xmem_buffer_info info;
  uint64_t id = xmem_buffer_get_id (buffer);
  uint64_t stamp;

  IN_CHILD (be_forked (pool, buffer));
  after = stats_of (pool);
  g_assert_cmpuint (after.n_used, ==, before.n_used);
  g_assert_cmpuint (after.n_processes, ==, before.n_processes);
  g_assert_cmpuint (after.bytes, ==, before.bytes);
  harness_assert_ok (xmem_pool_reclaim (pool, NULL, NULL), NULL);
  xmem_buffer_get_refs (buffer, &refs);
  g_assert_cmpuint (refs.local, ==, 1);
  g_assert_cmpuint (refs.holders, ==, 1);
  g_assert_cmpuint (refs.in_flight, ==, 0);
  g_assert_cmpuint (xmem_buffer_get_id (buffer), ==, id);
  harness_assert_ok (xmem_buffer_get_info (buffer, &info, NULL), NULL);
  g_assert_cmpuint (info.sequence, ==, 0);
  g_assert_true (
      frames_read_stamp (xmem_buffer_get_data (buffer), 1000, &stamp));
  g_assert_cmpuint (stamp, ==, 7);
  xmem_buffer_unref (buffer);
  g_assert_cmpuint (stats_of (pool).n_used, ==, 0);
}

static void
test_child_of_a_named_pools_process (void)
{
  struct xmem_pool *pool = named_create (NULL);
  g_autofree char *pid = g_strdup_printf ("process %d ", (int) getpid ());
  struct xmem_pool *other;
  struct xmem_error error;

  check_child_disturbs_nothing (pool);
  harness_assert_status (xmem_pool_create (named_name (), NULL, &other, &error),
      XMEM_IN_USE, &error);
  harness_assert_contains (error.message, pid); /* it is still on record */
  named_close (pool);
}

static void
test_child_of_an_anonymous_pools_process (void)
{
  struct xmem_pool *pool;

  harness_assert_ok (xmem_pool_new (NULL, &pool, NULL), NULL);
  check_child_disturbs_nothing (pool);
  xmem_pool_unref (pool);
}

/* Whatever was opened and closed before, in whatever order. */
static void
test_every_pool_is_known (void)
{
  struct xmem_pool *pools[9];
  struct xmem_buffer *buffers[9];

  for (unsigned i = 0; i < 9; i++) {
    if (i % 3 == 2)
      harness_assert_ok (xmem_pool_new (NULL, &pools[i], NULL), NULL);
    else
      pools[i] = i ? named_open (0) : named_create (NULL);
    buffers[i] = named_acquire (pools[i], 100);
  }
  for (unsigned i = 1; i < 9; i += 3) {
    xmem_buffer_unref (buffers[i]);
    xmem_pool_unref (pools[i]);
  }
  IN_CHILD (for (unsigned i = 0; i < 9; i++) if (i % 3 != 1)
          be_forked (pools[i], buffers[i]));
  g_assert_cmpuint (stats_of (pools[0]).n_used, ==, 3);
  g_assert_cmpuint (stats_of (pools[0]).n_processes, ==, 3);
  for (unsigned i = 8; i > 0; i--)
    if (i % 3 != 1) {
      xmem_buffer_unref (buffers[i]);
      xmem_pool_unref (pools[i]);
    }
  xmem_buffer_unref (buffers[0]);
  named_close (pools[0]);
}

/* The name is the parent's: it is asked for before the fork. */
static void
open_anew (struct xmem_pool *parents, const char *name, uint64_t id)
{
  struct xmem_pool *pool;
  struct xmem_buffer *buffer;
  struct xmem_buffer_refs refs;
  struct xmem_error error;

  harness_assert_ok (xmem_pool_open (name, 0, &pool, &error), &error);
  g_assert_cmpuint (count_pool_files (), >, 0);
  buffer = named_get (pool, id, XMEM_READ);
  xmem_buffer_get_refs (buffer, &refs);
  g_assert_cmpuint (refs.holders, ==, 2);
  g_assert_cmpuint (stats_of (pool).n_processes, ==, 2);
  xmem_buffer_unref (buffer);
  xmem_buffer_unref (named_acquire (pool, 100));
  expect_forked_pool (parents, id);
  xmem_pool_unref (pool);
  xmem_pool_unref (parents);
}

static void
test_child_may_open_the_pool_anew (void)
{
  struct xmem_pool *pool = named_create (NULL);
  struct xmem_buffer *buffer = named_acquire (pool, 100);
  g_autofree char *name = g_strdup (named_name ());
  uint64_t id = xmem_buffer_get_id (buffer);

  IN_CHILD (open_anew (pool, name, id));
  g_assert_cmpuint (stats_of (pool).n_processes, ==, 1);
  g_assert_true (named_exists ());
  xmem_buffer_unref (buffer);
  named_close (pool);
}

/* And the child of a child. */
static void
fork_again (struct xmem_pool *pool, struct xmem_buffer *buffer)
{
  IN_CHILD (be_forked (pool, buffer));
}

static void
test_grandchild_is_told_too (void)
{
  struct xmem_pool *pool = named_create (NULL);
  struct xmem_buffer *buffer = named_acquire (pool, 100);

  IN_CHILD (fork_again (pool, buffer));
  xmem_buffer_unref (buffer);
  named_close (pool);
}

/* --- while other threads open and close ---------------------------------- */

struct opener {
  atomic_bool stop;
  uint64_t n_opened;
};

static void *
open_and_close (void *data)
{
  struct opener *opener = data;

  while (!opener->stop) {
    struct xmem_pool *pool = named_open (0);

    xmem_pool_unref (pool);
    __atomic_fetch_add (&opener->n_opened, 1, __ATOMIC_RELAXED);
  }
  return NULL;
}

/* Neither a file nor a lock stays with a child, in whatever instant it was
 * made. */
static void
test_forks_while_threads_open_and_close (void)
{
  struct xmem_pool *pool = named_create (NULL);
  struct opener opener = { .stop = false };
  GThread *thread = g_thread_new ("opener", open_and_close, &opener);
  unsigned n_wrong = 0;

  for (unsigned i = 0; i < 200; i++) {
    pid_t pid = fork ();

    g_assert_cmpint (pid, >=, 0);
    if (pid == 0)
      _exit ((int) count_pool_files ());
    n_wrong += wait_for (pid) != 0;
  }
  opener.stop = true;
  g_thread_join (thread);
  g_assert_cmpuint (n_wrong, ==, 0);
  g_assert_cmpuint (stats_of (pool).n_processes, ==, 1);
  g_test_message ("opened %" G_GUINT64_FORMAT " times", opener.n_opened);
  named_close (pool);
}

/* --- who lives ----------------------------------------------------------- */

/* NAME: has a pool and a buffer, and a forked child that tells its pid, and
 * lives as long as the line to it. */
static void
run_parent (int argc, char **argv)
{
  char line[HARNESS_LINE_MAX];
  struct xmem_pool *pool;
  struct xmem_error error;

  harness_assert_ok (xmem_pool_create (argv[0], NULL, &pool, &error), &error);
  named_acquire (pool, 100);
  if (fork () == 0)
    harness_say ("%d", (int) getpid ());
  harness_listen (line);
  _exit (0);
}

/* The forked child lives, and has nothing to do with the pool. */
static void
test_child_does_not_keep_the_pool_alive (void)
{
  struct harness_child parent;
  char line[HARNESS_LINE_MAX];
  struct xmem_pool *pool;
  struct xmem_error error;

  harness_spawn (&parent, "parent", named_name (), NULL);
  harness_hear (&parent, line);
  harness_assert_status (xmem_pool_create (named_name (), NULL, &pool, &error),
      XMEM_IN_USE, &error);
  harness_kill (&parent, SIGKILL);
  g_assert_cmpint (
      waitid (P_PID, (id_t) parent.pid, NULL, WEXITED | WNOWAIT), ==, 0);
  g_assert_cmpint (kill (atoi (line), 0), ==, 0); /* the child lives */
  pool = named_open (0);
  harness_assert_ok (xmem_pool_reclaim (pool, NULL, &error), &error);
  g_assert_cmpuint (stats_of (pool).n_processes, ==, 1);
  g_assert_cmpuint (stats_of (pool).n_used, ==, 0);
  xmem_pool_unref (pool);
  g_assert_false (named_exists ());
  g_assert_cmpint (kill (atoi (line), 0), ==, 0);
  g_assert_cmpint (harness_join (&parent), ==, -SIGKILL);
}

static void
test_pool_of_a_dead_parent_is_replaced (void)
{
  struct harness_child parent;
  char line[HARNESS_LINE_MAX];

  harness_spawn (&parent, "parent", named_name (), NULL);
  harness_hear (&parent, line);
  harness_kill (&parent, SIGKILL);
  g_assert_cmpint (
      waitid (P_PID, (id_t) parent.pid, NULL, WEXITED | WNOWAIT), ==, 0);
  g_assert_cmpint (kill (atoi (line), 0), ==, 0);
  named_close (named_create (NULL));
  g_assert_cmpint (harness_join (&parent), ==, -SIGKILL);
}

static const struct harness_role roles[] = { { "parent", run_parent },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add (
      "/child-of-a-named-pools-process", test_child_of_a_named_pools_process);
  harness_add ("/child-of-an-anonymous-pools-process",
      test_child_of_an_anonymous_pools_process);
  harness_add ("/every-pool-is-known", test_every_pool_is_known);
  harness_add (
      "/child-may-open-the-pool-anew", test_child_may_open_the_pool_anew);
  harness_add ("/grandchild-is-told-too", test_grandchild_is_told_too);
  harness_add ("/forks-while-threads-open-and-close",
      test_forks_while_threads_open_and_close);
  harness_add ("/child-does-not-keep-the-pool-alive",
      test_child_does_not_keep_the_pool_alive);
  harness_add ("/pool-of-a-dead-parent-is-replaced",
      test_pool_of_a_dead_parent_is_replaced);
  return g_test_run ();
}
