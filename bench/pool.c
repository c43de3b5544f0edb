/* SPDX-License-Identifier: MIT */
/* What a named pool's calls cost, beside the naive way (naive.h).
 *
 * In each round every figure is taken by both ways in turns, so that whatever
 * disturbs the machine disturbs both. All figures are CPU time, that of the kernel
 * included: nothing here waits, and how processes share the CPUs is left out.
 *
 * A child measures; this process only waits, and removes what a child that died
 * has left in /dev/shm. */
#include "bench.h"

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "naive.h"

#define TURNS 4
#define SMALL_SIZE 4096
#define MAX_PROCESSES 4
#define BURST 8
#define N_FRAME_SLOTS 64

enum way { WAY_XMEM, WAY_NAIVE, N_WAYS };

/* What is wanted of a figure. */
enum goal_kind {
  GOAL_NONE,
  GOAL_NS, /* at most so many nanoseconds */
  GOAL_TIMES, /* at most so many times the naive way's */
  GOAL_FASTER, /* the naive way takes at least so many times as long */
};

struct bench;

struct figure {
  const char *name;
  /* Does it n times and returns the nanoseconds that took. */
  uint64_t (*measure) (
      struct bench *bench, enum way way, unsigned n, uint64_t argument);
  uint64_t argument;
  unsigned n[N_WAYS];
  enum goal_kind goal_kind;
  uint64_t goal;
};

/* Nanoseconds, times 1,000 so that short ones keep their digits. */
struct result {
  uint64_t ps[N_WAYS];
};

/* How children meet, and what they bring back. */
struct meeting {
  _Atomic unsigned n_here;
  uint64_t ns[MAX_PROCESSES];
};

struct bench {
  const struct bench_options *options;
  struct meeting *meeting;
  char *scratch; /* private bytes to copy from and to */

  struct xmem_pool *pool; /* options->slots slots of SMALL_SIZE */
  struct xmem_pool *frames;
  struct xmem_buffer **held; /* what fills the pool */
  uint32_t *reserved; /* the same, the naive way */
  unsigned n_held;
  struct naive_pool *naive;

  struct xmem_buffer *buffer; /* one of SMALL_SIZE, live throughout */
  uint64_t id; /* its */
  struct naive_buffer naive_buffer;
};

struct name {
  char chars[64];
};

static struct name
name_of (const char *what)
{
  static int pid; /* of the process that measures, also in its children */
  struct name name;

  if (pid == 0)
    pid = getpid ();
  snprintf (name.chars, sizeof (name.chars), "/xmem-bench-%d-%s", pid, what);
  return name;
}

static void
check (int r, const struct xmem_error *error)
{
  if (r == 0)
    return;
  bench_fail ("pool", error);
  exit (1);
}

static uint64_t
cpu_now (void)
{
  struct timespec now;

  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &now);
  return (uint64_t) (now.tv_sec * BENCH_SECOND + now.tv_nsec);
}

/* --- making and opening -------------------------------------------------- */

static uint64_t
measure_create (
    struct bench *bench, enum way way, unsigned n, uint64_t argument)
{
  const struct xmem_pool_params params = { .struct_size = sizeof (params),
    .n_slots = bench->options->slots };
  struct name name = name_of ("new");
  struct xmem_error error;
  uint64_t ns = 0;

  for (unsigned i = 0; i < n; i++) {
    struct naive_pool *naive;
    struct xmem_pool *pool;
    uint64_t start = cpu_now ();

    if (way == WAY_XMEM)
      check (xmem_pool_create (name.chars, &params, &pool, &error), &error);
    else
      naive = naive_create (name.chars, bench->options->slots);
    ns += cpu_now () - start;
    if (way == WAY_XMEM) {
      xmem_pool_unref (pool);
    } else {
      naive_close (naive);
      naive_unlink (name.chars);
    }
  }
  return ns;
}

static uint64_t
measure_open (struct bench *bench, enum way way, unsigned n, uint64_t argument)
{
  struct name name = name_of (way == WAY_XMEM ? "pool" : "naive");
  struct xmem_error error;
  uint64_t ns = 0;

  for (unsigned i = 0; i < n; i++) {
    struct naive_pool *naive;
    struct xmem_pool *pool;
    uint64_t start = cpu_now ();

    if (way == WAY_XMEM)
      check (xmem_pool_open (name.chars, 0, &pool, &error), &error);
    else
      naive = naive_open (name.chars);
    ns += cpu_now () - start;
    if (way == WAY_XMEM)
      xmem_pool_unref (pool);
    else
      naive_close (naive);
  }
  return ns;
}

/* --- one process --------------------------------------------------------- */

static struct xmem_buffer *
acquire (struct xmem_pool *pool, uint64_t size)
{
  struct xmem_buffer *buffer;
  struct xmem_error error;

  check (xmem_pool_acquire (pool, size, 0, 0, &buffer, &error), &error);
  return buffer;
}

/* Makes so many slots taken, in both pools. */
static void
fill (struct bench *bench, unsigned n)
{
  for (; bench->n_held < n; bench->n_held++) {
    bench->held[bench->n_held] = acquire (bench->pool, SMALL_SIZE);
    bench->reserved[bench->n_held] = naive_reserve (bench->naive);
  }
  while (bench->n_held > n) {
    bench->n_held--;
    xmem_buffer_unref (bench->held[bench->n_held]);
    naive_unreserve (bench->naive, bench->reserved[bench->n_held]);
  }
}

static unsigned
part_of_slots (const struct bench *bench, uint64_t percent)
{
  /* bench->buffer is one of them. */
  return (unsigned) (bench->options->slots * percent / 100) - 1;
}

static void
acquire_xmem (struct xmem_pool *pool, unsigned n)
{
  for (unsigned i = 0; i < n; i++)
    xmem_buffer_unref (acquire (pool, SMALL_SIZE));
}

static void
acquire_naive (struct naive_pool *pool, unsigned n)
{
  struct naive_buffer buffer;

  for (unsigned i = 0; i < n; i++) {
    naive_acquire (pool, SMALL_SIZE, &buffer);
    naive_release (pool, &buffer);
  }
}

/* With so many percent of the slots taken. */
static uint64_t
measure_acquire (
    struct bench *bench, enum way way, unsigned n, uint64_t argument)
{
  uint64_t start;

  fill (bench, part_of_slots (bench, argument));
  start = cpu_now ();
  if (way == WAY_XMEM)
    acquire_xmem (bench->pool, n);
  else
    acquire_naive (bench->naive, n);
  return cpu_now () - start;
}

/* Several at once, so that the slot freed last is not always the next. */
static uint64_t
measure_burst (struct bench *bench, enum way way, unsigned n, uint64_t argument)
{
  struct xmem_buffer *buffers[BURST];
  struct naive_buffer naive[BURST];
  unsigned at_once = bench->options->slots - part_of_slots (bench, argument);
  uint64_t start;

  fill (bench, part_of_slots (bench, argument));
  at_once = at_once - 1 < BURST ? at_once - 1 : BURST;
  start = cpu_now ();
  for (unsigned done = 0; done < n; done += at_once) {
    for (unsigned i = 0; i < at_once; i++)
      if (way == WAY_XMEM)
        buffers[i] = acquire (bench->pool, SMALL_SIZE);
      else
        naive_acquire (bench->naive, SMALL_SIZE, &naive[i]);
    for (unsigned i = 0; i < at_once; i++)
      if (way == WAY_XMEM)
        xmem_buffer_unref (buffers[i]);
      else
        naive_release (bench->naive, &naive[i]);
  }
  return cpu_now () - start;
}

static uint64_t
measure_ref (struct bench *bench, enum way way, unsigned n, uint64_t argument)
{
  uint64_t start = cpu_now ();

  if (way == WAY_XMEM)
    for (unsigned i = 0; i < n; i++)
      xmem_buffer_unref (xmem_buffer_ref (bench->buffer));
  else
    for (unsigned i = 0; i < n; i++) {
      naive_ref (bench->naive, &bench->naive_buffer);
      naive_unref (bench->naive, &bench->naive_buffer);
    }
  return cpu_now () - start;
}

static uint64_t
measure_frame (struct bench *bench, enum way way, unsigned n, uint64_t argument)
{
  uint64_t start = cpu_now ();

  for (unsigned i = 0; i < n; i++) {
    struct xmem_buffer *buffer;
    struct naive_buffer naive;

    if (way == WAY_XMEM) {
      buffer = acquire (bench->frames, BENCH_FRAME_SIZE);
      memset (xmem_buffer_get_mut_data (buffer), (int) i, BENCH_FRAME_SIZE);
      xmem_buffer_unref (buffer);
    } else {
      naive_acquire (bench->naive, BENCH_FRAME_SIZE, &naive);
      memset (naive.data, (int) i, BENCH_FRAME_SIZE);
      naive_release (bench->naive, &naive);
    }
  }
  return cpu_now () - start;
}

/* Writes so many bytes into a buffer that is there, and reads them back. */
static uint64_t
measure_copy (struct bench *bench, enum way way, unsigned n, uint64_t argument)
{
  size_t size = (size_t) argument;
  struct xmem_buffer *buffer = NULL;
  struct naive_buffer naive;
  char *data;
  uint64_t start;

  if (way == WAY_XMEM) {
    buffer = acquire (bench->frames, size);
    data = xmem_buffer_get_mut_data (buffer);
  } else {
    naive_acquire (bench->naive, size, &naive);
    data = naive.data;
  }
  memset (data, 0, size); /* pages of the naive one */
  start = cpu_now ();
  for (unsigned i = 0; i < n; i++) {
    memcpy (data, bench->scratch, size);
    memcpy (bench->scratch + size, data, size);
    __asm__ volatile("" ::: "memory"); /* each time anew */
  }
  start = cpu_now () - start;
  xmem_buffer_unref (buffer);
  if (way == WAY_NAIVE)
    naive_release (bench->naive, &naive);
  return start;
}

/* --- several processes --------------------------------------------------- */

/* Waits until so many have come here. */
static void
meet (struct meeting *meeting, unsigned n)
{
  atomic_fetch_add (&meeting->n_here, 1);
  while (atomic_load (&meeting->n_here) < n)
    sched_yield ();
}

static void
get_xmem (struct xmem_pool *pool, uint64_t id, unsigned n)
{
  struct xmem_buffer *buffer;
  struct xmem_error error;

  for (unsigned i = 0; i < n; i++) {
    check (xmem_pool_get (pool, id, XMEM_READ, &buffer, &error), &error);
    xmem_buffer_unref (buffer);
  }
}

static void
get_naive (struct naive_pool *pool, uint32_t index, unsigned n)
{
  struct naive_buffer buffer;

  for (unsigned i = 0; i < n; i++) {
    naive_get (pool, index, &buffer);
    naive_release (pool, &buffer);
  }
}

/* What the children do. */
enum work { ACQUIRE, GET };

static void
work (struct bench *bench, enum way way, enum work work, unsigned n,
    unsigned n_processes, uint64_t *ns_out)
{
  struct naive_pool *naive = NULL;
  struct xmem_pool *pool = NULL;
  struct xmem_error error;
  uint64_t start;

  if (way == WAY_XMEM)
    check (xmem_pool_open (name_of ("pool").chars, 0, &pool, &error), &error);
  else
    naive = naive_open (name_of ("naive").chars);
  for (int warm = 1; warm >= 0; warm--) {
    unsigned n_now = warm ? n / 10 : n;

    meet (bench->meeting, (2 - (unsigned) warm) * n_processes);
    start = cpu_now ();
    if (way == WAY_XMEM && work == ACQUIRE)
      acquire_xmem (pool, n_now);
    else if (way == WAY_XMEM)
      get_xmem (pool, bench->id, n_now);
    else if (work == ACQUIRE)
      acquire_naive (naive, n_now);
    else
      get_naive (naive, bench->naive_buffer.index, n_now);
    *ns_out = cpu_now () - start;
  }
  xmem_pool_unref (pool);
  if (naive)
    naive_close (naive);
}

/* The mean of so many processes that do the same on one pool. */
static uint64_t
measure_processes (struct bench *bench, enum way way, enum work what,
    unsigned n, unsigned n_processes)
{
  int children[MAX_PROCESSES];
  uint64_t ns = 0;
  int r = 0;

  fill (bench, part_of_slots (bench, 10));
  memset (bench->meeting, 0, sizeof (*bench->meeting));
  for (unsigned i = 0; i < n_processes; i++) {
    children[i] = bench_fork ();
    if (children[i] == 0) {
      work (bench, way, what, n, n_processes, &bench->meeting->ns[i]);
      _exit (0);
    }
  }
  for (unsigned i = 0; i < n_processes; i++) {
    r |= bench_reap (children[i]);
    ns += bench->meeting->ns[i];
  }
  if (r != 0)
    exit (1);
  return ns / n_processes;
}

static uint64_t
measure_acquire_by (
    struct bench *bench, enum way way, unsigned n, uint64_t argument)
{
  return measure_processes (bench, way, ACQUIRE, n, (unsigned) argument);
}

static uint64_t
measure_get_by (
    struct bench *bench, enum way way, unsigned n, uint64_t argument)
{
  return measure_processes (bench, way, GET, n, (unsigned) argument);
}

/* --- the figures --------------------------------------------------------- */

static const struct figure figures[] = {
  { "create", measure_create, 0, { 20, 20 }, GOAL_NS, 400000 },
  { "open", measure_open, 0, { 50, 50 }, GOAL_TIMES, 2 },
  { "acquire + release, 10 % taken", measure_acquire, 10, { 20000, 200 },
      GOAL_NS, 150 },
  { "acquire + release, 99 % taken", measure_acquire, 99, { 20000, 200 },
      GOAL_NS, 150 },
  { "8 acquired, 8 released, 99 % taken", measure_burst, 99, { 20000, 200 },
      GOAL_NONE, 0 },
  { "ref + unref", measure_ref, 0, { 100000, 100000 }, GOAL_NS, 10 },
  { "1080p: acquire + fill + release", measure_frame, 0, { 20, 20 },
      GOAL_FASTER, 8 },
  { "write + read, 1 KiB", measure_copy, 1024, { 20000, 20000 }, 0, 0 },
  { "write + read, 4 KiB", measure_copy, 4096, { 10000, 10000 }, 0, 0 },
  { "write + read, 16 KiB", measure_copy, 16384, { 4000, 4000 }, 0, 0 },
  { "write + read, 64 KiB", measure_copy, 65536, { 1000, 1000 }, 0, 0 },
  { "acquire + release, 1 process", measure_acquire_by, 1, { 20000, 200 },
      GOAL_NS, 150 },
  { "acquire + release, 2 processes", measure_acquire_by, 2, { 20000, 200 },
      GOAL_NONE, 0 },
  { "acquire + release, 4 processes", measure_acquire_by, 4, { 20000, 200 },
      GOAL_NONE, 0 },
  { "get + release, 1 process", measure_get_by, 1, { 20000, 200 }, GOAL_NS,
      150 },
  { "get + release, 2 processes", measure_get_by, 2, { 20000, 200 }, GOAL_NONE,
      0 },
  { "get + release, 4 processes", measure_get_by, 4, { 20000, 200 }, GOAL_NONE,
      0 },
};

#define N_FIGURES (sizeof (figures) / sizeof (figures[0]))

/* One round of one figure. */
static void
measure (
    struct bench *bench, const struct figure *figure, struct result *result)
{
  uint64_t ns[N_WAYS] = { 0 };

  for (int turn = 0; turn < TURNS; turn++)
    for (int i = 0; i < N_WAYS; i++) {
      enum way way = (enum way) ((i + turn) % N_WAYS);

      ns[way] += figure->measure (bench, way, figure->n[way], figure->argument);
    }
  for (int way = 0; way < N_WAYS; way++)
    result->ps[way] = ns[way] * 1000 / (TURNS * figure->n[way]);
}

static void
take_medians (const struct bench *bench, const struct result *rounds,
    struct result *medians)
{
  unsigned n = bench->options->rounds;
  uint64_t *values = calloc (n, sizeof (values[0]));

  for (size_t f = 0; values && f < N_FIGURES; f++)
    for (int way = 0; way < N_WAYS; way++) {
      for (unsigned i = 0; i < n; i++)
        values[i] = rounds[i * N_FIGURES + f].ps[way];
      medians[f].ps[way] = bench_quantile (values, n, 0.5);
    }
  free (values);
}

static bool
goal_is_met (const struct figure *figure, const struct result *result)
{
  uint64_t xmem = result->ps[WAY_XMEM], naive = result->ps[WAY_NAIVE];

  switch (figure->goal_kind) {
    case GOAL_NS:
      return xmem <= figure->goal * 1000;
    case GOAL_TIMES:
      return xmem <= figure->goal * naive;
    case GOAL_FASTER:
      return xmem * figure->goal <= naive;
    default:
      return true;
  }
}

static void
format_goal (const struct figure *figure, char *text, size_t size)
{
  static const char *const formats[] = { "", "<= %llu ns", "<= %llu x naive",
    "naive >= %llu x xmem" };

  snprintf (text, size, formats[figure->goal_kind],
      (unsigned long long) figure->goal);
}

static void
print_table (const struct bench *bench, const struct result *results)
{
  char goal[32];

  printf (
      "nanoseconds of CPU time each, medians of %u rounds; pools of %u slots\n"
      "%-36s %11s %11s %7s  %s\n",
      bench->options->rounds, bench->options->slots, "", "xmem", "naive",
      "ratio", "goal");
  for (size_t i = 0; i < N_FIGURES; i++) {
    double xmem = (double) results[i].ps[WAY_XMEM] / 1000;
    double naive = (double) results[i].ps[WAY_NAIVE] / 1000;

    format_goal (&figures[i], goal, sizeof (goal));
    printf ("%-36s %11.1f %11.1f %7.3f", figures[i].name, xmem, naive,
        xmem / naive);
    if (figures[i].goal_kind != GOAL_NONE)
      printf ("  %s: %s", goal,
          goal_is_met (&figures[i], &results[i]) ? "met" : "missed");
    printf ("\n");
  }
}

static void
print_json (const struct bench *bench, const struct result *results)
{
  char goal[32];

  printf ("{\"slots\": %u, \"rounds\": %u, \"figures\": [",
      bench->options->slots, bench->options->rounds);
  for (size_t i = 0; i < N_FIGURES; i++) {
    format_goal (&figures[i], goal, sizeof (goal));
    printf ("%s{\"name\": \"%s\", \"xmem_ns\": %.1f, \"naive_ns\": %.1f",
        i ? ", " : "", figures[i].name, (double) results[i].ps[WAY_XMEM] / 1000,
        (double) results[i].ps[WAY_NAIVE] / 1000);
    if (figures[i].goal_kind != GOAL_NONE)
      printf (", \"goal\": \"%s\", \"met\": %s", goal,
          goal_is_met (&figures[i], &results[i]) ? "true" : "false");
    printf ("}");
  }
  printf ("]}\n");
}

/* --- the benchmark ------------------------------------------------------- */

static void
open_pools (struct bench *bench)
{
  const struct xmem_pool_params params = { .struct_size = sizeof (params),
    .n_slots = bench->options->slots };
  const struct xmem_pool_params few = { .struct_size = sizeof (few),
    .n_slots = N_FRAME_SLOTS };
  struct xmem_error error;

  check (
      xmem_pool_create (name_of ("pool").chars, &params, &bench->pool, &error),
      &error);
  check (
      xmem_pool_create (name_of ("frames").chars, &few, &bench->frames, &error),
      &error);
  check (
      xmem_pool_preallocate (bench->pool, SMALL_SIZE, params.n_slots, &error),
      &error);
  bench->naive = naive_create (name_of ("naive").chars, params.n_slots);
  bench->buffer = acquire (bench->pool, SMALL_SIZE);
  bench->id = xmem_buffer_get_id (bench->buffer);
  naive_acquire (bench->naive, SMALL_SIZE, &bench->naive_buffer);
}

static void
close_pools (struct bench *bench)
{
  fill (bench, 0);
  xmem_buffer_unref (bench->buffer);
  xmem_pool_unref (bench->pool);
  xmem_pool_unref (bench->frames);
  naive_release (bench->naive, &bench->naive_buffer);
  naive_close (bench->naive);
  naive_unlink (name_of ("naive").chars);
}

static int
measure_all (const struct bench_options *options)
{
  struct bench bench = { .options = options };
  struct result *rounds =
      calloc ((options->rounds + 1) * N_FIGURES, sizeof (rounds[0]));
  struct result *medians = rounds + options->rounds * N_FIGURES;

  bench.meeting = bench_shared (sizeof (*bench.meeting));
  bench.scratch = calloc (2, 65536);
  bench.held = calloc (options->slots, sizeof (bench.held[0]));
  bench.reserved = calloc (options->slots, sizeof (bench.reserved[0]));
  if (!rounds || !bench.scratch || !bench.held || !bench.reserved)
    return 1;
  open_pools (&bench);
  for (unsigned round = 0; round < options->rounds; round++)
    for (size_t i = 0; i < N_FIGURES; i++)
      measure (&bench, &figures[i], &rounds[round * N_FIGURES + i]);
  close_pools (&bench);
  take_medians (&bench, rounds, medians);
  (options->json ? print_json : print_table) (&bench, medians);
  free (bench.reserved);
  free (bench.held);
  free (bench.scratch);
  free (rounds);
  return 0;
}

/* Removes what the process has left, if it died. */
static void
sweep (int pid)
{
  DIR *folder = opendir ("/dev/shm");
  struct dirent *entry;
  char prefix[32];

  snprintf (prefix, sizeof (prefix), "xmem-bench-%d-", pid);
  while (folder && (entry = readdir (folder)))
    if (strncmp (entry->d_name, prefix, strlen (prefix)) == 0)
      shm_unlink (entry->d_name);
  if (folder)
    closedir (folder);
}

static volatile sig_atomic_t measuring;

static void
stop_measuring (int signal_number)
{
  kill (measuring, SIGKILL);
}

int
bench_pool (const struct bench_options *options)
{
  struct sigaction action = { .sa_flags = SA_RESTART };
  int child;
  int r;

  child = bench_fork ();
  if (child == 0) {
    r = measure_all (options);
    fflush (stdout);
    _exit (r);
  }
  measuring = child;
  action.sa_handler = stop_measuring;
  sigaction (SIGINT, &action, NULL);
  sigaction (SIGTERM, &action, NULL);
  r = bench_reap (child);
  sweep (child);
  return r;
}
