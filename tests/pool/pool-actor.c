/* SPDX-License-Identifier: MIT */
/* Both halves of a pool's actor: what the child does with a line, and the lines
 * that the test sends. Every command has one answer.
 *
 * The child owns one pool and the buffers it keeps. */
#include "pool-actor.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "harness/frames.h"

#define MAX_KEPT 256

/* --- the child ----------------------------------------------------------- */

static struct {
  struct xmem_pool *pool;
  struct xmem_buffer *kept[MAX_KEPT];
  unsigned n_kept;
} self;

static int64_t
ms_to_ns (int ms)
{
  return ms < 0 ? XMEM_WAIT_FOREVER : ms * INT64_C (1000000);
}

static void
answer (int status, const struct xmem_error *error)
{
  harness_say ("%d %s", status, status && error ? error->message : "-");
}

static void
keep (struct xmem_buffer *buffer)
{
  g_assert_cmpuint (self.n_kept, <, MAX_KEPT);
  self.kept[self.n_kept++] = buffer;
}

static unsigned
find_kept (uint64_t id)
{
  unsigned i = 0;

  while (i < self.n_kept && xmem_buffer_get_id (self.kept[i]) != id)
    i++;
  g_assert_cmpuint (i, <, self.n_kept);
  return i;
}

static struct xmem_buffer *
let_go_of (unsigned i)
{
  struct xmem_buffer *buffer = self.kept[i];

  self.kept[i] = self.kept[--self.n_kept];
  return buffer;
}

static void
close_pool (void)
{
  while (self.n_kept > 0)
    xmem_buffer_unref (let_go_of (0));
  g_clear_pointer (&self.pool, xmem_pool_unref);
}

static void
do_create (const char *arguments)
{
  struct xmem_pool_params params = { .struct_size = sizeof (params) };
  struct xmem_error error;
  char name[POOL_NAME_MAX];
  int handover_ms, r;

  g_assert_cmpint (
      sscanf (arguments, "%63s %u %d", name, &params.n_slots, &handover_ms), ==,
      3);
  params.handover_timeout_ns = ms_to_ns (handover_ms);
  r = xmem_pool_create (name, &params, &self.pool, &error);
  answer (r, &error);
}

static void
do_open (const char *arguments)
{
  struct xmem_error error;
  char name[POOL_NAME_MAX];
  unsigned flags;
  int r;

  g_assert_cmpint (sscanf (arguments, "%63s %u", name, &flags), ==, 2);
  r = xmem_pool_open (name, flags, &self.pool, &error);
  answer (r, &error);
}

static void
do_close (const char *arguments)
{
  close_pool ();
  answer (0, NULL);
}

static void
do_acquire (const char *arguments)
{
  struct xmem_buffer *buffer;
  struct xmem_error error;
  uint64_t size;
  int timeout_ms, r;

  g_assert_cmpint (
      sscanf (arguments, "%" SCNu64 " %d", &size, &timeout_ms), ==, 2);
  r = xmem_pool_acquire (
      self.pool, size, 0, ms_to_ns (timeout_ms), &buffer, &error);
  if (r != 0) {
    answer (r, &error);
    return;
  }
  keep (buffer);
  harness_say ("0 - %" PRIu64, xmem_buffer_get_id (buffer));
}

static void
do_acquire_all (const char *arguments)
{
  uint64_t size = g_ascii_strtoull (arguments, NULL, 10);
  struct xmem_buffer *buffer;
  struct xmem_error error;
  unsigned n = 0;
  int r;

  while (
      (r = xmem_pool_acquire (self.pool, size, 0, 0, &buffer, &error)) == 0) {
    keep (buffer);
    n++;
  }
  harness_assert_status (r, XMEM_AGAIN, &error);
  harness_say ("0 - %u", n);
}

static void
do_borrow (const char *arguments)
{
  struct xmem_buffer *buffer;
  struct xmem_error error;
  int r = xmem_pool_acquire (self.pool, g_ascii_strtoull (arguments, NULL, 10),
      0, XMEM_WAIT_FOREVER, &buffer, &error);

  if (r == 0)
    xmem_buffer_unref (buffer);
  answer (r, &error);
}

static void
do_get_or_take (const char *arguments, bool take)
{
  struct xmem_buffer *buffer;
  struct xmem_error error;
  uint64_t id;
  unsigned access;
  int r;

  g_assert_cmpint (sscanf (arguments, "%" SCNu64 " %u", &id, &access), ==, 2);
  r = (take ? xmem_pool_take : xmem_pool_get) (
      self.pool, id, (enum xmem_access) access, &buffer, &error);
  if (r == 0)
    keep (buffer);
  answer (r, &error);
}

static void
do_get (const char *arguments)
{
  do_get_or_take (arguments, false);
}

static void
do_take (const char *arguments)
{
  do_get_or_take (arguments, true);
}

static void
do_give (const char *arguments)
{
  struct xmem_error error;
  uint64_t id;
  unsigned n, i;
  int r;

  g_assert_cmpint (sscanf (arguments, "%" SCNu64 " %u", &id, &n), ==, 2);
  i = find_kept (id);
  r = xmem_buffer_give (self.kept[i], n, &error);
  if (r == 0)
    (void) let_go_of (i);
  answer (r, &error);
}

static void
do_unref (const char *arguments)
{
  xmem_buffer_unref (
      let_go_of (find_kept (g_ascii_strtoull (arguments, NULL, 10))));
  answer (0, NULL);
}

static void
do_stamp (const char *arguments)
{
  struct xmem_buffer *buffer;
  uint64_t id, stamp;

  g_assert_cmpint (
      sscanf (arguments, "%" SCNu64 " %" SCNu64, &id, &stamp), ==, 2);
  buffer = self.kept[find_kept (id)];
  frames_stamp (
      xmem_buffer_get_mut_data (buffer), xmem_buffer_get_size (buffer), stamp);
  answer (0, NULL);
}

static void
do_look (const char *arguments)
{
  struct xmem_buffer *buffer =
      self.kept[find_kept (g_ascii_strtoull (arguments, NULL, 10))];
  uint64_t stamp = 0;
  bool intact = frames_read_stamp (
      xmem_buffer_get_data (buffer), xmem_buffer_get_size (buffer), &stamp);

  harness_say ("%d - %" PRIu64, intact ? 0 : 1, stamp);
}

static void
do_reclaim (const char *arguments)
{
  struct xmem_error error;
  uint32_t n_freed = 0;
  int r = xmem_pool_reclaim (self.pool, &n_freed, &error);

  harness_assert_ok (r, &error);
  harness_say ("0 - %u", n_freed);
}

static void
do_stats (const char *arguments)
{
  struct xmem_pool_stats s;

  xmem_pool_get_stats (self.pool, &s);
  harness_say ("0 - %u %u %u %u %u %" PRIu64, s.n_slots, s.n_used,
      s.n_in_flight, s.n_segments, s.n_processes, s.bytes);
}

static void
do_preallocate (const char *arguments)
{
  struct xmem_error error;
  uint64_t size;
  unsigned n;
  int r;

  g_assert_cmpint (sscanf (arguments, "%" SCNu64 " %u", &size, &n), ==, 2);
  r = xmem_pool_preallocate (self.pool, size, n, &error);
  answer (r, &error);
}

/* Every call that a forked child can make on its parent's pool. */
static bool
all_are_refused (void)
{
  struct xmem_pool *pool = self.pool;
  struct xmem_buffer *mine = self.kept[0];
  uint64_t id = xmem_buffer_get_id (mine);
  struct xmem_buffer_info info = { 0 };
  struct xmem_buffer *buffer;
  uint32_t cursor = 0;

  return xmem_pool_acquire (pool, 64, 0, 0, &buffer, NULL) == XMEM_FORKED
         && xmem_pool_preallocate (pool, 64, 1, NULL) == XMEM_FORKED
         && xmem_pool_get (pool, id, XMEM_READ, &buffer, NULL) == XMEM_FORKED
         && xmem_pool_get_at (pool, (uint32_t) id, XMEM_READ, &buffer, NULL)
                == XMEM_FORKED
         && xmem_pool_take (pool, id, XMEM_READ, &buffer, NULL) == XMEM_FORKED
         && xmem_pool_next (pool, &cursor, &buffer, NULL) == XMEM_FORKED
         && xmem_pool_reclaim (pool, NULL, NULL) == XMEM_FORKED
         && xmem_buffer_give (mine, 1, NULL) == XMEM_FORKED
         && xmem_buffer_set_info (mine, &info, NULL) == XMEM_FORKED;
}

static void
do_fork (const char *arguments)
{
  int pipes[2];
  char verdict = 0;
  pid_t pid;

  g_assert_cmpint (pipe (pipes), ==, 0);
  pid = fork ();
  if (pid == 0) {
    verdict = all_are_refused ();
    /* These say nothing; they must not touch what is the parent's. */
    xmem_buffer_renew (self.kept[0]);
    xmem_buffer_unref (self.kept[0]);
    xmem_pool_unref (self.pool);
    g_assert_cmpint ((int) write (pipes[1], &verdict, 1), ==, 1);
    /* Should the test not live to kill us, nobody waits for our output. */
    close (STDOUT_FILENO);
    close (STDERR_FILENO);
    alarm (60);
    for (;;)
      pause ();
  }
  close (pipes[1]);
  g_assert_cmpint ((int) read (pipes[0], &verdict, 1), ==, 1);
  close (pipes[0]);
  harness_say ("%d - %d", verdict == 1 ? 0 : 1, (int) pid);
}

static void
do_come_and_go (const char *arguments)
{
  struct xmem_error error;

  answer (0, NULL);
  for (;;) {
    harness_assert_ok (
        xmem_pool_open (arguments, 0, &self.pool, &error), &error);
    xmem_pool_unref (self.pool);
  }
}

static void
do_make_and_unmake (const char *arguments)
{
  struct xmem_error error;

  answer (0, NULL);
  for (;;) {
    harness_assert_ok (
        xmem_pool_create (arguments, NULL, &self.pool, &error), &error);
    xmem_pool_unref (self.pool);
  }
}

static const struct harness_command commands[] = {
  { "create", do_create },
  { "open", do_open },
  { "close", do_close },
  { "acquire", do_acquire },
  { "acquire-all", do_acquire_all },
  { "borrow", do_borrow },
  { "get", do_get },
  { "take", do_take },
  { "give", do_give },
  { "unref", do_unref },
  { "stamp", do_stamp },
  { "look", do_look },
  { "reclaim", do_reclaim },
  { "stats", do_stats },
  { "preallocate", do_preallocate },
  { "fork", do_fork },
  { "come-and-go", do_come_and_go },
  { "make-and-unmake", do_make_and_unmake },
};

void
pool_actor_run (int argc, char **argv)
{
  harness_obey (commands, G_N_ELEMENTS (commands));
  close_pool ();
}

/* --- the test's half ----------------------------------------------------- */

/* Hears "STATUS MESSAGE" or "STATUS - REST". */
static int
hear (struct pool_actor *actor, char rest[HARNESS_LINE_MAX])
{
  char line[HARNESS_LINE_MAX];
  int status, used = 0;

  harness_hear (&actor->child, line);
  g_assert_cmpint (sscanf (line, "%d %n", &status, &used), >=, 1);
  g_strlcpy (actor->message, line + used, sizeof (actor->message));
  if (rest)
    g_strlcpy (rest,
        g_str_has_prefix (line + used, "- ") ? line + used + 2 : "",
        HARNESS_LINE_MAX);
  return status;
}

static void
hear_ok (struct pool_actor *actor)
{
  harness_assert_ok (hear (actor, NULL), NULL);
}

static uint64_t
hear_number (struct pool_actor *actor)
{
  char rest[HARNESS_LINE_MAX];

  harness_assert_ok (hear (actor, rest), NULL);
  return g_ascii_strtoull (rest, NULL, 10);
}

void
pool_actor_start (struct pool_actor *actor)
{
  memset (actor, 0, sizeof (*actor));
  harness_spawn (&actor->child, "pool-actor", NULL);
}

void
pool_actor_start_open (struct pool_actor *actor, const char *name)
{
  int r;

  pool_actor_start (actor);
  r = pool_actor_open (actor, name, 0);
  if (r != 0)
    g_error ("status %d: %s", r, actor->message);
}

void
pool_actor_stop (struct pool_actor *actor)
{
  g_assert_cmpint (harness_join (&actor->child), ==, 0);
}

void
pool_actor_die (struct pool_actor *actor)
{
  harness_kill (&actor->child, SIGKILL);
  g_assert_cmpint (harness_join (&actor->child), ==, -SIGKILL);
}

void
pool_actor_freeze (struct pool_actor *actor)
{
  harness_kill (&actor->child, SIGSTOP);
  harness_wait_until (harness_is_stopped (&actor->child));
}

void
pool_actor_thaw (struct pool_actor *actor)
{
  harness_kill (&actor->child, SIGCONT);
}

void
pool_actor_create_begin (struct pool_actor *actor, const char *name,
    uint32_t n_slots, int handover_ms)
{
  harness_tell (&actor->child, "create %s %u %d", name, n_slots, handover_ms);
}

int
pool_actor_create_end (struct pool_actor *actor)
{
  return hear (actor, NULL);
}

int
pool_actor_create (struct pool_actor *actor, const char *name, uint32_t n_slots,
    int handover_ms)
{
  pool_actor_create_begin (actor, name, n_slots, handover_ms);
  return pool_actor_create_end (actor);
}

void
pool_actor_open_begin (
    struct pool_actor *actor, const char *name, unsigned flags)
{
  harness_tell (&actor->child, "open %s %u", name, flags);
}

int
pool_actor_open_end (struct pool_actor *actor)
{
  return hear (actor, NULL);
}

int
pool_actor_open (struct pool_actor *actor, const char *name, unsigned flags)
{
  pool_actor_open_begin (actor, name, flags);
  return pool_actor_open_end (actor);
}

void
pool_actor_close (struct pool_actor *actor)
{
  harness_tell (&actor->child, "close");
  hear_ok (actor);
}

void
pool_actor_acquire_begin (
    struct pool_actor *actor, uint64_t size, int timeout_ms)
{
  harness_tell (&actor->child, "acquire %" PRIu64 " %d", size, timeout_ms);
}

int
pool_actor_acquire_end (struct pool_actor *actor, uint64_t *id_out)
{
  char rest[HARNESS_LINE_MAX];
  int r = hear (actor, rest);

  if (r == 0)
    *id_out = g_ascii_strtoull (rest, NULL, 10);
  return r;
}

int
pool_actor_acquire (
    struct pool_actor *actor, uint64_t size, int timeout_ms, uint64_t *id_out)
{
  pool_actor_acquire_begin (actor, size, timeout_ms);
  return pool_actor_acquire_end (actor, id_out);
}

void
pool_actor_borrow_begin (struct pool_actor *actor, uint64_t size)
{
  harness_tell (&actor->child, "borrow %" PRIu64, size);
}

void
pool_actor_borrow_end (struct pool_actor *actor)
{
  hear_ok (actor);
}

uint64_t
pool_actor_expect_slot (struct pool_actor *actor, uint64_t size)
{
  uint64_t id = 0;
  int r = pool_actor_acquire (actor, size, 0, &id);

  if (r != 0)
    g_error ("status %d: %s", r, actor->message);
  return id;
}

unsigned
pool_actor_acquire_all (struct pool_actor *actor, uint64_t size)
{
  harness_tell (&actor->child, "acquire-all %" PRIu64, size);
  return (unsigned) hear_number (actor);
}

int
pool_actor_get (struct pool_actor *actor, uint64_t id, enum xmem_access access)
{
  harness_tell (&actor->child, "get %" PRIu64 " %d", id, (int) access);
  return hear (actor, NULL);
}

int
pool_actor_take (struct pool_actor *actor, uint64_t id, enum xmem_access access)
{
  harness_tell (&actor->child, "take %" PRIu64 " %d", id, (int) access);
  return hear (actor, NULL);
}

int
pool_actor_give (struct pool_actor *actor, uint64_t id, unsigned n)
{
  harness_tell (&actor->child, "give %" PRIu64 " %u", id, n);
  return hear (actor, NULL);
}

void
pool_actor_unref (struct pool_actor *actor, uint64_t id)
{
  harness_tell (&actor->child, "unref %" PRIu64, id);
  hear_ok (actor);
}

void
pool_actor_stamp (struct pool_actor *actor, uint64_t id, uint64_t stamp)
{
  harness_tell (&actor->child, "stamp %" PRIu64 " %" PRIu64, id, stamp);
  hear_ok (actor);
}

bool
pool_actor_sees (struct pool_actor *actor, uint64_t id, uint64_t stamp)
{
  char rest[HARNESS_LINE_MAX];

  harness_tell (&actor->child, "look %" PRIu64, id);
  return hear (actor, rest) == 0 && g_ascii_strtoull (rest, NULL, 10) == stamp;
}

void
pool_actor_reclaim_begin (struct pool_actor *actor)
{
  harness_tell (&actor->child, "reclaim");
}

unsigned
pool_actor_reclaim_end (struct pool_actor *actor)
{
  return (unsigned) hear_number (actor);
}

unsigned
pool_actor_reclaim (struct pool_actor *actor)
{
  pool_actor_reclaim_begin (actor);
  return pool_actor_reclaim_end (actor);
}

struct xmem_pool_stats
pool_actor_get_stats (struct pool_actor *actor)
{
  char rest[HARNESS_LINE_MAX];
  struct xmem_pool_stats s;

  harness_tell (&actor->child, "stats");
  harness_assert_ok (hear (actor, rest), NULL);
  g_assert_cmpint (
      sscanf (rest, "%u %u %u %u %u %" SCNu64, &s.n_slots, &s.n_used,
          &s.n_in_flight, &s.n_segments, &s.n_processes, &s.bytes),
      ==, 6);
  return s;
}

void
pool_actor_preallocate_begin (
    struct pool_actor *actor, uint64_t size, uint32_t n)
{
  harness_tell (&actor->child, "preallocate %" PRIu64 " %u", size, n);
}

int
pool_actor_preallocate_end (struct pool_actor *actor)
{
  return hear (actor, NULL);
}

int
pool_actor_preallocate (struct pool_actor *actor, uint64_t size, uint32_t n)
{
  pool_actor_preallocate_begin (actor, size, n);
  return pool_actor_preallocate_end (actor);
}

pid_t
pool_actor_fork (struct pool_actor *actor)
{
  harness_tell (&actor->child, "fork");
  return (pid_t) hear_number (actor);
}

void
pool_actor_come_and_go (struct pool_actor *actor, const char *name)
{
  harness_tell (&actor->child, "come-and-go %s", name);
  hear_ok (actor);
}

void
pool_actor_make_and_unmake (struct pool_actor *actor, const char *name)
{
  harness_tell (&actor->child, "make-and-unmake %s", name);
  hear_ok (actor);
}
