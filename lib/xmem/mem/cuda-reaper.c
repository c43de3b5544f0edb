/* SPDX-License-Identifier: MIT */
/* Tells when readers' work is over, so that the thread which launched it need
 * not wait.
 *
 * An event is recorded behind the work. One thread of the process, "xmem-cuda",
 * looks whether it has come; it is started when there is something to wait for,
 * and ends when there was nothing for a second. It never waits in the driver:
 * a stream that is slow, or waits for ever for what a killed process was to
 * write, delays no frame but its own. Events are kept with the memory that was
 * read, for its next reader.
 *
 * Where the driver cannot record an event behind all streams of a context, the
 * context itself must be waited for, which another thread does, "xmem-cuda-all".
 *
 * Threads: any; `lock` guards the queues and the spare events. It is not held
 * while the driver is waited for, nor while a done function runs. */
#include <signal.h>

#include <xmem/cuda.h>

#include "base/clock.h"
#include "base/futex.h"
#include "mem/cuda-memory.h"

#define IDLE_NS INT64_C (1000000000)
/* Between two looks while nothing ends or comes: a quarter longer each time, so
 * that a frame comes back late by a quarter of the time that it took, or 2 ms. */
#define FIRST_PAUSE_NS INT64_C (50000)
#define LAST_PAUSE_NS INT64_C (2000000)

static const char waiting[] = "cannot wait for a reader's work";

struct job {
  struct job *next;
  struct xmem_cuda_memory *memory; /* a reference */
  CUevent event; /* NULL: all that runs in the context */
  void (*done) (void *data);
  void *data;
};

/* A thread and what it has to do. */
struct reaper {
  const char *name;
  bool running;
  struct job *queue; /* the newest */
  _Atomic uint32_t n_queued; /* a futex: counts on */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct reaper of_events = { .name = "xmem-cuda" };
static struct reaper of_contexts = { .name = "xmem-cuda-all" };

/* --- events -------------------------------------------------------------- */

static CUevent
take_spare (struct xmem_cuda_memory *memory)
{
  xmem_scoped_lock (&lock);

  return memory->n_spares > 0 ? memory->spares[--memory->n_spares] : NULL;
}

static void
give_spare (struct xmem_cuda_memory *memory, CUevent event)
{
  const struct xmem_cuda_driver *cuda;

  pthread_mutex_lock (&lock);
  if (memory->n_spares < XMEM_CUDA_MAX_SPARES) {
    memory->spares[memory->n_spares++] = event;
    event = NULL;
  }
  pthread_mutex_unlock (&lock);
  if (event && xmem_cuda_load (&cuda, NULL) == 0)
    (void) cuda->cuEventDestroy_v2 (event);
}

void
xmem_cuda_reaper_drop_spares (struct xmem_cuda_memory *memory)
{
  const struct xmem_cuda_driver *cuda;

  while (memory->n_spares > 0 && xmem_cuda_load (&cuda, NULL) == 0)
    (void) cuda->cuEventDestroy_v2 (memory->spares[--memory->n_spares]);
}

/* --- the thread ---------------------------------------------------------- */

/* Whether the work is over, or has failed, which is an end too. */
static bool
is_over (const struct job *job)
{
  const struct xmem_cuda_driver *cuda;
  xmem_cuda_auto_leave bool entered = false;

  if (xmem_cuda_load (&cuda, NULL) != 0
      || xmem_cuda_enter (job->memory->context, &entered, NULL) != 0)
    return true;
  if (!job->event) {
    (void) cuda->cuCtxSynchronize ();
    return true;
  }
  return cuda->cuEventQuery (job->event) != CUDA_ERROR_NOT_READY;
}

static void
finish (struct job *job)
{
  if (job->event)
    give_spare (job->memory, job->event);
  job->done (job->data);
  xmem_cuda_memory_unref (job->memory);
  free (job);
}

/* Finishes what is over. Returns whether there was any. */
static bool
finish_some (struct job **jobs)
{
  bool any = false;

  while (*jobs) {
    struct job *job = *jobs;

    if (!is_over (job)) {
      jobs = &job->next;
      continue;
    }
    *jobs = job->next;
    finish (job);
    any = true;
  }
  return any;
}

/* Puts what is queued behind the jobs. Returns whether there was any. */
static bool
take_queue (struct reaper *reaper, struct job **jobs)
{
  struct job *oldest = NULL;
  struct job *next;
  xmem_scoped_lock (&lock);

  for (struct job *job = xmem_steal_ptr (reaper->queue); job; job = next) {
    next = job->next;
    job->next = oldest;
    oldest = job;
  }
  while (*jobs)
    jobs = &(*jobs)->next;
  *jobs = oldest;
  return oldest != NULL;
}

/* Nothing came for a while. Whether the thread may end. */
static bool
may_end (struct reaper *reaper)
{
  xmem_scoped_lock (&lock);

  if (reaper->queue)
    return false;
  reaper->running = false;
  return true;
}

static void *
reap (void *data)
{
  struct reaper *reaper = data;
  struct job *jobs = NULL;
  int64_t pause = FIRST_PAUSE_NS;

  pthread_setname_np (pthread_self (), reaper->name);
  for (;;) {
    uint32_t seen = atomic_load (&reaper->n_queued);
    bool any = take_queue (reaper, &jobs);

    any |= finish_some (&jobs);
    pause = any ? FIRST_PAUSE_NS : pause + pause / 4;
    if (pause > LAST_PAUSE_NS)
      pause = LAST_PAUSE_NS;
    xmem_futex_wait (
        &reaper->n_queued, seen, xmem_clock_now () + (jobs ? pause : IDLE_NS));
    if (!jobs && atomic_load (&reaper->n_queued) == seen && may_end (reaper))
      return NULL;
  }
}

/* With the lock held. */
static bool
start (struct reaper *reaper)
{
  pthread_attr_t attributes;
  sigset_t all, before;
  pthread_t thread;

  if (reaper->running)
    return true;
  pthread_attr_init (&attributes);
  pthread_attr_setdetachstate (&attributes, PTHREAD_CREATE_DETACHED);
  sigfillset (&all); /* signals are the application's */
  pthread_sigmask (SIG_SETMASK, &all, &before);
  reaper->running = pthread_create (&thread, &attributes, reap, reaper) == 0;
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  pthread_attr_destroy (&attributes);
  return reaper->running;
}

/* --- jobs ---------------------------------------------------------------- */

/* Records an event behind the work. The context is current. */
static int
record (const struct xmem_cuda_driver *cuda, struct job *job, void *stream)
{
  struct xmem_cuda_memory *memory = job->memory;
  bool all = stream == XMEM_CUDA_ALL_STREAMS;
  int r = 0;

  job->event = take_spare (memory);
  if (!job->event)
    r = xmem_cuda_call (cuda, NULL, waiting, cuEventCreate, &job->event,
        CU_EVENT_DISABLE_TIMING);
  if (r != 0 || !all)
    return r != 0 ? r
                  : xmem_cuda_call (
                      cuda, NULL, waiting, cuEventRecord, job->event, stream);
  r = cuda->cuCtxRecordEvent ? xmem_cuda_call (
          cuda, NULL, waiting, cuCtxRecordEvent, memory->context, job->event)
                             : XMEM_UNSUPPORTED;
  if (r == XMEM_UNSUPPORTED) {
    give_spare (memory, xmem_steal_ptr (job->event));
    r = 0; /* the other thread waits for all of the context */
  }
  return r;
}

static bool
add (struct reaper *reaper, struct job *job)
{
  xmem_scoped_lock (&lock);

  if (!start (reaper))
    return false;
  job->next = reaper->queue;
  reaper->queue = job;
  atomic_fetch_add (&reaper->n_queued, 1);
  xmem_futex_wake_all (&reaper->n_queued);
  return true;
}

/* As the thread would have done. */
static void
wait_here (const struct xmem_cuda_driver *cuda, struct xmem_cuda_memory *memory,
    void *stream)
{
  xmem_cuda_auto_leave bool entered = false;

  if (xmem_cuda_enter (memory->context, &entered, NULL) != 0)
    return;
  if (stream == XMEM_CUDA_ALL_STREAMS)
    (void) cuda->cuCtxSynchronize ();
  else
    (void) cuda->cuStreamSynchronize (stream);
}

static bool
try_later (const struct xmem_cuda_driver *cuda, struct xmem_cuda_memory *memory,
    void *stream, void (*done) (void *data), void *data)
{
  struct job *job = malloc (sizeof (*job));
  xmem_cuda_auto_leave bool entered = false;

  if (!job)
    return false;
  *job = (struct job){ .memory = memory, .done = done, .data = data };
  if (xmem_cuda_enter (memory->context, &entered, NULL) == 0
      && record (cuda, job, stream) == 0) {
    xmem_cuda_memory_ref (memory);
    if (add (job->event ? &of_events : &of_contexts, job))
      return true;
    xmem_cuda_memory_unref (memory);
  }
  if (job->event)
    give_spare (memory, job->event);
  free (job);
  return false;
}

void
xmem_cuda_memory_when_over (struct xmem_cuda_memory *memory, void *stream,
    void (*done) (void *data), void *data)
{
  const struct xmem_cuda_driver *cuda;

  if (xmem_cuda_load (&cuda, NULL) == 0
      && try_later (cuda, memory, stream, done, data))
    return;
  wait_here (cuda, memory, stream);
  done (data);
}
