/* SPDX-License-Identifier: MIT */
/* How the double is told what to be, and what it tells of itself: the
 * environment, call counts by thread, failures on demand, live objects. */
#include "fake.h"
#include "fake-cuda.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define MAX_FAILURES 16

/* One per thread that ever called; never freed, since its counts stay. */
struct thread {
  struct thread *next;
  pid_t tid;
  char name[16];
  uint64_t calls[FAKE_N_FUNCTIONS];
};

struct failure {
  int function;
  uint64_t at; /* the count of calls; 0: at every one */
  CUresult code;
};

struct fake_control fake_control;
pthread_mutex_t fake_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t fake_progress;
int64_t fake_live[FAKE_N_KINDS];

static const char *const function_names[] = {
#define F(name, symbol, since) #name,
#include "functions.def"
#undef F
#define U(name, symbol, since) #name,
#include "unsupported.def"
#undef U
};

static struct thread *threads;
static __thread struct thread *this_thread;
static struct failure failures[MAX_FAILURES];
static uint64_t total_calls[FAKE_N_FUNCTIONS];
static _Atomic bool is_initialized;
static _Atomic bool is_forked;
static uint64_t random_state;
static char *table_path;

static int
find_function (const char *name, size_t length)
{
  for (int i = 0; i < FAKE_N_FUNCTIONS; i++)
    if (strlen (function_names[i]) == length
        && strncmp (function_names[i], name, length) == 0)
      return i;
  return -1;
}

/* --- calls --------------------------------------------------------------- */

static struct thread *
find_thread (void)
{
  struct thread *thread = this_thread;

  if (thread)
    return thread;
  thread = calloc (1, sizeof *thread);
  if (!thread)
    abort ();
  thread->tid = gettid ();
  prctl (PR_GET_NAME, thread->name);
  thread->next = threads;
  threads = thread;
  this_thread = thread;
  return thread;
}

static CUresult
draw_failure (enum fake_function function)
{
  for (int i = 0; i < MAX_FAILURES; i++) {
    const struct failure *failure = &failures[i];

    if (failure->code && failure->function == (int) function
        && (failure->at == 0 || failure->at == total_calls[function]))
      return failure->code;
  }
  return CUDA_SUCCESS;
}

CUresult
fake_enter_before_init (enum fake_function function)
{
  CUresult result;

  pthread_mutex_lock (&fake_lock);
  find_thread ()->calls[function]++;
  total_calls[function]++;
  result = draw_failure (function);
  pthread_mutex_unlock (&fake_lock);
  return result;
}

CUresult
fake_enter (enum fake_function function)
{
  CUresult result = fake_enter_before_init (function);

  if (is_forked || !is_initialized)
    return CUDA_ERROR_NOT_INITIALIZED;
  return result;
}

void
fake_unlock (pthread_mutex_t **lock)
{
  pthread_mutex_unlock (*lock);
}

void
fake_set_initialized (void)
{
  is_initialized = true;
}

FAKE_EXPORTED uint64_t
fake_cuda_calls (const char *function, pid_t tid)
{
  int index = find_function (function, strlen (function));
  uint64_t n = 0;

  if (index < 0)
    return 0;
  pthread_mutex_lock (&fake_lock);
  for (const struct thread *thread = threads; thread; thread = thread->next)
    if (tid == 0 || thread->tid == tid)
      n += thread->calls[index];
  pthread_mutex_unlock (&fake_lock);
  return n;
}

static void
write_table (FILE *file)
{
  for (const struct thread *thread = threads; thread; thread = thread->next)
    for (int i = 0; i < FAKE_N_FUNCTIONS; i++)
      if (thread->calls[i] > 0)
        fprintf (file, "%d\t%s\t%s\t%llu\n", (int) thread->tid, thread->name,
            function_names[i], (unsigned long long) thread->calls[i]);
}

__attribute__ ((destructor)) static void
finish (void)
{
  FILE *file = table_path && !is_forked ? fopen (table_path, "w") : NULL;

  if (!file)
    return;
  pthread_mutex_lock (&fake_lock);
  write_table (file);
  pthread_mutex_unlock (&fake_lock);
  fclose (file);
}

/* --- failures ------------------------------------------------------------ */

static bool
add_failure (int function, uint64_t at, int code)
{
  for (int i = 0; i < MAX_FAILURES; i++) {
    if (failures[i].code)
      continue;
    failures[i] = (struct failure){ function, at, (CUresult) code };
    return true;
  }
  return false;
}

FAKE_EXPORTED bool
fake_cuda_fail (const char *function, unsigned nth, int code)
{
  int index = function ? find_function (function, strlen (function)) : -1;
  bool is_done = true;

  pthread_mutex_lock (&fake_lock);
  if (!function)
    memset (failures, 0, sizeof failures);
  else
    is_done = index >= 0
              && add_failure (index, nth ? total_calls[index] + nth : 0, code);
  pthread_mutex_unlock (&fake_lock);
  return is_done;
}

/* Says what is wrong with the environment and gives up: a test that believes to
 * have set something must not pass. */
static void
reject (const char *variable, const char *value)
{
  fprintf (stderr, "fake-cuda: cannot make sense of %s=%s\n", variable, value);
  abort ();
}

/* NAME:NTH:CODE, ... */
static void
read_failures (const char *text)
{
  for (const char *at = text; *at;) {
    size_t length = strcspn (at, ":");
    unsigned nth;
    int code;
    int used = 0;
    int function = find_function (at, length);

    if (function < 0
        || sscanf (at + length, ":%u:%d%n", &nth, &code, &used) != 2
        || !add_failure (function, nth, code))
      reject ("FAKE_CUDA_FAIL", text);
    at += length + (size_t) used;
    at += strspn (at, ",");
  }
}

/* --- live objects -------------------------------------------------------- */

FAKE_EXPORTED int64_t
fake_cuda_live (const char *kind)
{
  static const char *const names[FAKE_N_KINDS] = { "memory", "host", "handle",
    "reservation", "mapping", "import", "event", "stream", "context",
    "module" };
  int64_t n = kind ? -1 : 0;

  pthread_mutex_lock (&fake_lock);
  for (int i = 0; i < FAKE_N_KINDS; i++) {
    if (!kind)
      n += fake_live[i];
    else if (strcmp (kind, names[i]) == 0)
      n = fake_live[i];
  }
  pthread_mutex_unlock (&fake_lock);
  return n;
}

/* --- time ---------------------------------------------------------------- */

int64_t
fake_now (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return now.tv_sec * (int64_t) 1000000000 + now.tv_nsec;
}

void
fake_wait (int64_t at_most_ns)
{
  int64_t until = fake_now () + at_most_ns;
  struct timespec time = { (time_t) (until / 1000000000),
    (long) (until % 1000000000) };

  pthread_cond_timedwait (&fake_progress, &fake_lock, &time);
}

uint64_t
fake_draw_lag (void)
{
  uint64_t span = fake_control.lag_max_ns - fake_control.lag_min_ns;

  if (span == 0)
    return fake_control.lag_min_ns;
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return fake_control.lag_min_ns + random_state % (span + 1);
}

FAKE_EXPORTED void
fake_cuda_pause (bool paused)
{
  pthread_mutex_lock (&fake_lock);
  fake_control.paused = paused;
  pthread_cond_broadcast (&fake_progress);
  pthread_mutex_unlock (&fake_lock);
}

/* --- the environment ----------------------------------------------------- */

static const char *
setting (const char *variable)
{
#ifdef FAKE_CUDA_PLAIN
  return NULL;
#else
  return getenv (variable);
#endif
}

static uint64_t
read_number (const char *variable, uint64_t otherwise)
{
  const char *text = setting (variable);
  char *end;
  uint64_t number;

  if (!text)
    return otherwise;
  errno = 0;
  number = strtoull (text, &end, 0);
  if (end == text || *end || errno)
    reject (variable, text);
  return number;
}

/* MIN[:MAX] in microseconds */
static void
read_lag (const char *text)
{
  unsigned long min;
  unsigned long max;
  int n = sscanf (text, "%lu:%lu", &min, &max);

  if (n < 1 || (n == 2 && max < min))
    reject ("FAKE_CUDA_LAG", text);
  fake_control.lag_min_ns = min * 1000;
  fake_control.lag_max_ns = (n == 2 ? max : min) * 1000;
}

static void
read_without (const char *text)
{
  static const char *const names[FAKE_N_FEATURES] = { "vmm", "fd", "export",
    "legacy", "events", "peer", "read-only" };

  for (const char *at = text; *at;) {
    size_t length = strcspn (at, ",");
    int i = 0;

    while (
        i < FAKE_N_FEATURES
        && (strlen (names[i]) != length || strncmp (names[i], at, length) != 0))
      i++;
    if (i == FAKE_N_FEATURES)
      reject ("FAKE_CUDA_WITHOUT", text);
    fake_control.without[i] = true;
    at += length;
    at += strspn (at, ",");
  }
}

/* %p in it becomes the process's number. */
static void
read_table_path (const char *text)
{
  const char *mark = strstr (text, "%p");
  int r = mark ? asprintf (&table_path, "%.*s%d%s", (int) (mark - text), text,
              (int) getpid (), mark + 2)
               : asprintf (&table_path, "%s", text);

  if (r < 0)
    abort ();
}

static void
mark_forked (void)
{
  is_forked = true;
}

static void
read_environment (void)
{
  const char *text;

  fake_control.n_devices = read_number ("FAKE_CUDA_DEVICES", 1);
  if (fake_control.n_devices > FAKE_MAX_DEVICES)
    reject ("FAKE_CUDA_DEVICES", setting ("FAKE_CUDA_DEVICES"));
  fake_control.version = (int) read_number ("FAKE_CUDA_VERSION", 13000);
  fake_control.memory_bytes =
      read_number ("FAKE_CUDA_MEMORY", (uint64_t) 4 << 30);
  fake_control.mig = read_number ("FAKE_CUDA_MIG", 0) != 0;
  fake_control.uuids = setting ("FAKE_CUDA_UUIDS");
  random_state = read_number ("FAKE_CUDA_SEED", 1) * 0x9e3779b97f4a7c15u | 1;
  if ((text = setting ("FAKE_CUDA_LAG")))
    read_lag (text);
  if ((text = setting ("FAKE_CUDA_WITHOUT")))
    read_without (text);
  if ((text = setting ("FAKE_CUDA_FAIL")))
    read_failures (text);
  if ((text = setting ("FAKE_CUDA_TABLE")))
    read_table_path (text);
  text = setting ("FAKE_CUDA_DEATH");
  fake_control.death_hangs = text && strcmp (text, "hangs") == 0;
  if (text && !fake_control.death_hangs && strcmp (text, "completes") != 0)
    reject ("FAKE_CUDA_DEATH", text);
}

__attribute__ ((constructor)) static void
start (void)
{
  pthread_condattr_t attributes;

  pthread_condattr_init (&attributes);
  pthread_condattr_setclock (&attributes, CLOCK_MONOTONIC);
  pthread_cond_init (&fake_progress, &attributes);
  pthread_condattr_destroy (&attributes);
  pthread_atfork (NULL, NULL, mark_forked);
  read_environment ();
}
