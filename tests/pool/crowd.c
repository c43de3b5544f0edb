/* SPDX-License-Identifier: MIT */
/* Both sides of the crowd. A worker knows nothing but the board and its pool;
 * whatever it finds wrong aborts it, which the test sees.
 *
 * The order in which an owner does things matters, since it can be killed
 * between any two: it enters itself after acquiring and crosses itself out
 * before it lets go; it publishes an id when the bytes are complete, and sends
 * it when the reference is in flight. */
#include "crowd.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xmem/pool.h>

#define LOOK_US 100

/* --- the test's side ----------------------------------------------------- */

static struct crowd_board *
map_board (const char *path)
{
  int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  struct crowd_board *board;

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (ftruncate (fd, sizeof (*board)), ==, 0);
  board =
      mmap (NULL, sizeof (*board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  g_assert_true (board != MAP_FAILED);
  close (fd);
  return board;
}

struct crowd_board *
crowd_new (void)
{
  const char *path = harness_path ("board");

  unlink (path);
  return map_board (path);
}

void
crowd_free (struct crowd_board *board)
{
  munmap (board, sizeof (*board));
}

static uint64_t
count_steps (const struct crowd_board *board, unsigned number)
{
  uint64_t n = 0;

  for (unsigned t = 0; t < CROWD_THREADS; t++)
    for (unsigned d = 0; d < CROWD_N_DEEDS; d++)
      n += board->tallies[number][t].n[d];
  return n;
}

void
crowd_start_worker (struct crowd_worker *worker, struct crowd_board *board,
    unsigned number, unsigned life)
{
  char number_text[16], life_text[16], seed_text[16];

  g_assert_cmpuint (life, <, CROWD_LIVES);
  worker->number = number;
  worker->life = life;
  snprintf (number_text, sizeof (number_text), "%u", number);
  snprintf (life_text, sizeof (life_text), "%u", life);
  snprintf (seed_text, sizeof (seed_text), "%u", (unsigned) g_test_rand_int ());
  harness_spawn (&worker->child, "worker", harness_path ("board"), number_text,
      life_text, seed_text, NULL);
}

void
crowd_kill_worker (struct crowd_worker *worker, struct crowd_board *board)
{
  int status;

  atomic_store (&board->doomed[worker->life], true);
  harness_kill (&worker->child, SIGKILL);
  status = harness_join (&worker->child);
  if (status != -SIGKILL)
    pool_file_dump (board->pool);
  g_assert_cmpint (status, ==, -SIGKILL);
}

void
crowd_join_worker (struct crowd_worker *worker, struct crowd_board *board)
{
  char line[HARNESS_LINE_MAX];
  int status;

  /* Not before it has ended by itself: a worker does not read its line. */
  (void) read (worker->child.fd, line, sizeof (line));
  status = harness_join (&worker->child);
  if (status != 0)
    pool_file_dump (board->pool);
  g_assert_cmpint (status, ==, 0);
}

static void
print_file (pid_t pid, const char *name)
{
  char *path = g_strdup_printf ("/proc/%d/%s", (int) pid, name);
  char *text = NULL;

  if (g_file_get_contents (path, &text, NULL, NULL))
    fprintf (stderr, "%s:\n%s\n", path, text);
  g_free (text);
  g_free (path);
}

G_NORETURN static void
fail_stuck (struct crowd_worker *worker, struct crowd_board *board)
{
  pid_t pid = worker->child.pid;

  fprintf (stderr, "worker %u, process %d, does nothing any more\n",
      worker->number, (int) pid);
  print_file (pid, "status");
  print_file (pid, "wchan");
  print_file (pid, "stack");
  print_file (pid, "syscall");
  pool_file_dump (board->pool);
  abort ();
}

void
crowd_await_steps (
    struct crowd_worker *worker, struct crowd_board *board, uint64_t n)
{
  /* Looks, not time, which also passes while the whole machine is paused. */
  const unsigned patience = 20 * G_USEC_PER_SEC / LOOK_US;
  uint64_t first = count_steps (board, worker->number);
  uint64_t last = first;
  unsigned n_idle = 0;

  for (;;) {
    uint64_t now = count_steps (board, worker->number);
    siginfo_t info = { 0 };

    if (now - first >= n)
      return;
    n_idle = now == last ? n_idle + 1 : 0;
    last = now;
    /* A worker that is dead is not stuck; who joins it says why. */
    if (waitid (
            P_PID, (id_t) worker->child.pid, &info, WEXITED | WNOHANG | WNOWAIT)
            == 0
        && info.si_pid != 0)
      return;
    if (n_idle > patience)
      fail_stuck (worker, board);
    g_usleep (LOOK_US);
  }
}

uint64_t
crowd_count (const struct crowd_board *board, enum crowd_deed deed)
{
  uint64_t n = 0;

  for (unsigned w = 0; w < CROWD_WORKERS; w++)
    for (unsigned t = 0; t < CROWD_THREADS; t++)
      n += board->tallies[w][t].n[deed];
  return n;
}

uint64_t
crowd_count_all (const struct crowd_board *board)
{
  uint64_t n = 0;

  for (unsigned w = 0; w < CROWD_WORKERS; w++)
    n += count_steps (board, w);
  return n;
}

void
crowd_report (const uint64_t n[CROWD_N_DEEDS])
{
  g_test_message ("acquired %" PRIu64 ", none free %" PRIu64
                  ", released %" PRIu64 ", given %" PRIu64 ", taken %" PRIu64
                  ", too late %" PRIu64 ", got %" PRIu64 ", too late %" PRIu64
                  ", looked around %" PRIu64 ", reopened %" PRIu64,
      n[CROWD_ACQUIRED], n[CROWD_NONE_FREE], n[CROWD_RELEASED], n[CROWD_GIVEN],
      n[CROWD_TAKEN], n[CROWD_TAKEN_LATE], n[CROWD_GOT], n[CROWD_GOT_LATE],
      n[CROWD_LOOKED], n[CROWD_REOPENED]);
}

/* --- the worker's side --------------------------------------------------- */

struct held {
  struct xmem_buffer *buffer;
  uint64_t id;
  bool owned; /* acquired by us and not shown to anybody's mail */
};

struct thread {
  struct crowd_board *board;
  struct crowd_tally *tally;
  struct xmem_pool *pool;
  uint32_t mark; /* as an owner */
  unsigned seed;
  unsigned n_held;
  struct held held[CROWD_HELD];
};

static unsigned
pick (struct thread *t, unsigned n)
{
  return (unsigned) rand_r (&t->seed) % n;
}

static void
note (struct thread *t, enum crowd_deed deed)
{
  _Atomic uint64_t *n = &t->tally->n[deed];

  /* Ours alone. */
  atomic_store_explicit (n, atomic_load_explicit (n, memory_order_relaxed) + 1,
      memory_order_relaxed);
}

/* Moves whenever a buffer of this process was written. What another process has
 * seen in between orders its writer and a reader of this process, and the
 * thread sanitizer, which sees one process only, is to know that. */
static _Atomic uint64_t n_written;

/* Every so many bytes of a buffer carry its id; the last ones do. */
static uint64_t
step_of (uint64_t n_words)
{
  return n_words > 64 ? n_words / 64 : 1;
}

static void
write_id (const struct held *held)
{
  uint64_t *words = xmem_buffer_get_mut_data (held->buffer);
  uint64_t n = xmem_buffer_get_size (held->buffer) / 8;

  for (uint64_t i = 0; i < n; i += step_of (n))
    words[i] = held->id;
  words[n - 1] = held->id;
  atomic_fetch_add (&n_written, 1);
}

static void
check_id (const struct held *held)
{
  const uint64_t *words = xmem_buffer_get_data (held->buffer);
  uint64_t n = xmem_buffer_get_size (held->buffer) / 8;

  (void) atomic_load (&n_written);
  for (uint64_t i = 0; i < n; i += step_of (n))
    if (words[i] != held->id)
      g_error ("buffer %#" PRIx64 " has the bytes of %#" PRIx64 " at word "
               "%" PRIu64,
          held->id, words[i], i);
  g_assert_cmphex (words[n - 1], ==, held->id);
  g_assert_cmphex (xmem_buffer_get_id (held->buffer), ==, held->id);
}

static void
enter_as_owner (struct thread *t, uint64_t id)
{
  uint32_t before = atomic_exchange (&t->board->owners[(uint32_t) id], t->mark);

  if (before != 0 && !atomic_load (&t->board->doomed[before / CROWD_THREADS]))
    g_error ("slot %u was handed out twice: life %u has it", (uint32_t) id,
        before / CROWD_THREADS);
}

static void
cross_out (struct thread *t, struct held *held)
{
  uint32_t before;

  if (!held->owned)
    return;
  before = atomic_exchange (&t->board->owners[(uint32_t) held->id], 0);
  if (before != t->mark)
    g_error ("slot %u was handed out twice: life %u has it now",
        (uint32_t) held->id, before / CROWD_THREADS);
  held->owned = false;
}

static struct held *
keep (struct thread *t, struct xmem_buffer *buffer, bool owned)
{
  struct held *held = &t->held[t->n_held++];

  *held = (struct held){ buffer, xmem_buffer_get_id (buffer), owned };
  return held;
}

static void
forget (struct thread *t, struct held *held)
{
  *held = t->held[--t->n_held];
}

/* Whether nobody waits for us: we hold nothing, and nothing was sent that has
 * not been taken. */
static bool
may_sleep (struct thread *t)
{
  for (unsigned i = 0; i < CROWD_MAIL; i++)
    if (atomic_load (&t->board->mail[i]) != 0)
      return false;
  return t->n_held == 0;
}

static int64_t
pick_wait (struct thread *t)
{
  static const unsigned shares[] = { 0, 1000, 20, 1 };
  unsigned share = shares[pick (t, G_N_ELEMENTS (shares))];

  if (pick (t, 4) == 0 && may_sleep (t))
    return XMEM_WAIT_FOREVER;
  return share ? (int64_t) t->board->max_wait_ns / share : 0;
}

static void
acquire (struct thread *t)
{
  uint64_t size = t->board->sizes[pick (t, 2)];
  int64_t wait = pick_wait (t);
  struct xmem_buffer *buffer;
  struct xmem_error error;
  struct held *held;
  int r = xmem_pool_acquire (t->pool, size, 0, wait, &buffer, &error);

  if (r == XMEM_AGAIN) {
    note (t, CROWD_NONE_FREE);
    return;
  }
  harness_assert_ok (r, &error);
  held = keep (t, buffer, true);
  enter_as_owner (t, held->id);
  write_id (held);
  atomic_store (&t->board->seen[pick (t, CROWD_SEEN)], held->id);
  note (t, CROWD_ACQUIRED);
}

static void
release (struct thread *t)
{
  struct held *held = &t->held[pick (t, t->n_held)];

  check_id (held);
  cross_out (t, held);
  xmem_buffer_unref (held->buffer);
  forget (t, held);
  note (t, CROWD_RELEASED);
}

/* Takes a reference that was given; keeps it. */
static void
take (struct thread *t, uint64_t id)
{
  struct xmem_buffer *buffer;
  struct xmem_error error;
  int r = xmem_pool_take (
      t->pool, id, (enum xmem_access) pick (t, 2), &buffer, &error);

  if (r == XMEM_STALE && !t->board->patient) {
    note (t, CROWD_TAKEN_LATE);
    return;
  }
  harness_assert_ok (r, &error);
  check_id (keep (t, buffer, false));
  note (t, CROWD_TAKEN);
}

static void
give (struct thread *t)
{
  struct held *held = &t->held[pick (t, t->n_held)];
  uint64_t id = held->id;
  unsigned n = 1 + pick (t, 3);
  struct xmem_error error;

  check_id (held);
  cross_out (t, held);
  harness_assert_ok (xmem_buffer_give (held->buffer, n, &error), &error);
  forget (t, held);
  note (t, CROWD_GIVEN);
  while (n-- > 0) {
    uint64_t other =
        atomic_exchange (&t->board->mail[pick (t, CROWD_MAIL)], id);

    if (other == 0)
      continue;
    /* Nobody else knows of the one we have displaced. */
    if (t->n_held == CROWD_HELD)
      release (t);
    take (t, other);
  }
}

static void
take_mail (struct thread *t)
{
  uint64_t id = atomic_exchange (&t->board->mail[pick (t, CROWD_MAIL)], 0);

  if (id != 0)
    take (t, id);
}

static void
get (struct thread *t)
{
  uint64_t id = atomic_load (&t->board->seen[pick (t, CROWD_SEEN)]);
  struct xmem_buffer *buffer;
  struct xmem_error error;
  int r;

  if (id == 0)
    return;
  r = xmem_pool_get (
      t->pool, id, (enum xmem_access) pick (t, 2), &buffer, &error);
  if (r == XMEM_STALE) {
    note (t, CROWD_GOT_LATE);
    return;
  }
  harness_assert_ok (r, &error);
  check_id (keep (t, buffer, false));
  note (t, CROWD_GOT);
}

/* What tools do, and what takes what the dead had. */
static void
look_around (struct thread *t)
{
  struct xmem_buffer *buffer;
  struct xmem_pool_stats stats;
  struct xmem_error error;
  uint32_t cursor = pick (t, t->board->n_slots);
  int r;

  switch (pick (t, 8)) {
    case 0:
      r = xmem_pool_reclaim (t->pool, NULL, &error);
      harness_assert_ok (r, &error);
      break;
    case 1:
      xmem_pool_get_stats (t->pool, &stats);
      g_assert_cmpuint (stats.n_used, <=, stats.n_slots);
      g_assert_cmpuint (stats.n_slots, <=, t->board->n_slots);
      break;
    default:
      r = xmem_pool_next (t->pool, &cursor, &buffer, &error);
      if (r == XMEM_EOS)
        break;
      harness_assert_ok (r, &error);
      xmem_buffer_unref (buffer);
  }
  note (t, CROWD_LOOKED);
}

static void
release_all (struct thread *t)
{
  while (t->n_held > 0)
    release (t);
}

static void
reopen (struct thread *t)
{
  struct xmem_error error;

  release_all (t);
  xmem_pool_unref (t->pool);
  harness_assert_ok (
      xmem_pool_open (t->board->pool, 0, &t->pool, &error), &error);
  note (t, CROWD_REOPENED);
}

static void
step (struct thread *t)
{
  unsigned deed = pick (t, 64);

  if (deed == 0)
    look_around (t);
  else if (deed == 1 && t->board->reopens)
    reopen (t);
  else if (t->n_held >= t->board->max_held || (deed < 16 && t->n_held > 0))
    release (t);
  else if (deed < 26 && t->n_held > 0)
    give (t);
  else if (deed < 34)
    take_mail (t);
  else if (deed < 44)
    get (t);
  else
    acquire (t);
}

static void *
run_thread (void *data)
{
  struct thread *t = data;
  struct crowd_board *board = t->board;

  for (uint64_t i = 0; board->n_steps == 0 || i < board->n_steps; i++) {
    if (atomic_load_explicit (&board->stop, memory_order_relaxed))
      break;
    step (t);
  }
  release_all (t);
  return NULL;
}

void
crowd_run_worker (int argc, char **argv)
{
  struct crowd_board *board = map_board (argv[0]);
  unsigned number = (unsigned) atoi (argv[1]);
  unsigned life = (unsigned) atoi (argv[2]);
  unsigned seed = (unsigned) strtoul (argv[3], NULL, 10);
  struct thread threads[CROWD_THREADS] = { 0 };
  pthread_t handles[CROWD_THREADS];
  struct xmem_pool *pool;
  struct xmem_error error;

  harness_assert_ok (xmem_pool_open (board->pool, 0, &pool, &error), &error);
  for (unsigned i = 0; i < board->n_threads; i++)
    threads[i] = (struct thread){ .board = board,
      .tally = &board->tallies[number][i],
      .pool = pool,
      .mark = life * CROWD_THREADS + i,
      .seed = seed + i };
  for (unsigned i = 1; i < board->n_threads; i++)
    g_assert_cmpint (
        pthread_create (&handles[i], NULL, run_thread, &threads[i]), ==, 0);
  run_thread (&threads[0]);
  for (unsigned i = 1; i < board->n_threads; i++)
    pthread_join (handles[i], NULL);
  /* It may have opened it anew. */
  xmem_pool_unref (threads[0].pool);
  crowd_free (board);
}
