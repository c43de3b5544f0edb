/* SPDX-License-Identifier: MIT */
/* Tells when readers' work is over, so that the thread which launched it need
 * not wait.
 *
 * An event is recorded behind the work. One thread of the process, "xmem-cuda",
 * looks whether it has come; it is started when there is something to wait for,
 * and ends when there was nothing for a second. Events are kept with the memory
 * that was read, for its next reader.
 *
 * Threads: any; `lock` guards the queue and the spare events. It is not held
 * while the driver is waited for, nor while a done function runs. */
#include <signal.h>
#include <time.h>

#include <xmem/cuda.h>

#include "base/clock.h"
#include "base/futex.h"
#include "mem/cuda-memory.h"

#define IDLE_NS INT64_C (1000000000)
/* Between two looks at the events of several streams. */
#define POLL_NS 200000

static const char waiting[] = "cannot wait for a reader's work";

struct job {
  struct job *next;
  struct xmem_cuda_memory *memory; /* a reference */
  CUevent event; /* NULL: all that runs in the context */
  void *stream;
  void (*done) (void *data);
  void *data;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool running;
static struct job *queue; /* the newest */
static _Atomic uint32_t n_queued; /* a futex: counts on */

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
is_over (const struct xmem_cuda_driver *cuda, const struct job *job)
{
  xmem_cuda_auto_leave bool entered = false;

  if (xmem_cuda_enter (job->memory->context, &entered, NULL) != 0)
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
finish_some (const struct xmem_cuda_driver *cuda, struct job **jobs)
{
  bool any = false;

  while (*jobs) {
    struct job *job = *jobs;

    if (!is_over (cuda, job)) {
      jobs = &job->next;
      continue;
    }
    *jobs = job->next;
    finish (job);
    any = true;
  }
  return any;
}

/* Waits for the first of them, if they are in order; else a little. */
static void
wait_for_one (const struct xmem_cuda_driver *cuda, const struct job *jobs)
{
  const struct timespec little = { .tv_nsec = POLL_NS };
  xmem_cuda_auto_leave bool entered = false;

  for (const struct job *job = jobs; job; job = job->next)
    if (job->stream != jobs->stream
        || job->memory->context != jobs->memory->context) {
      nanosleep (&little, NULL);
      return;
    }
  if (xmem_cuda_enter (jobs->memory->context, &entered, NULL) == 0)
    (void) cuda->cuEventSynchronize (jobs->event);
}

/* Puts what is queued behind the jobs. */
static void
take_queue (struct job **jobs)
{
  struct job *oldest = NULL;
  struct job *next;
  xmem_scoped_lock (&lock);

  for (struct job *job = xmem_steal_ptr (queue); job; job = next) {
    next = job->next;
    job->next = oldest;
    oldest = job;
  }
  while (*jobs)
    jobs = &(*jobs)->next;
  *jobs = oldest;
}

/* Nothing came for a while. Whether the thread may end. */
static bool
may_end (void)
{
  xmem_scoped_lock (&lock);

  if (queue)
    return false;
  running = false;
  return true;
}

static void *
reap (void *data)
{
  const struct xmem_cuda_driver *cuda = data;
  struct job *jobs = NULL;

  pthread_setname_np (pthread_self (), "xmem-cuda");
  for (;;) {
    uint32_t seen = atomic_load (&n_queued);

    take_queue (&jobs);
    if (!jobs) {
      xmem_futex_wait (&n_queued, seen, xmem_clock_now () + IDLE_NS);
      if (atomic_load (&n_queued) == seen && may_end ())
        return NULL;
    } else if (!finish_some (cuda, &jobs)) {
      wait_for_one (cuda, jobs);
    }
  }
}

/* With the lock held. */
static bool
start (const struct xmem_cuda_driver *cuda)
{
  pthread_attr_t attributes;
  sigset_t all, before;
  pthread_t thread;

  if (running)
    return true;
  pthread_attr_init (&attributes);
  pthread_attr_setdetachstate (&attributes, PTHREAD_CREATE_DETACHED);
  sigfillset (&all); /* signals are the application's */
  pthread_sigmask (SIG_SETMASK, &all, &before);
  running = pthread_create (&thread, &attributes, reap, (void *) cuda) == 0;
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  pthread_attr_destroy (&attributes);
  return running;
}

/* --- jobs ---------------------------------------------------------------- */

/* Records an event behind the work. The context is current. */
static int
record (const struct xmem_cuda_driver *cuda, struct job *job)
{
  struct xmem_cuda_memory *memory = job->memory;
  bool all = job->stream == XMEM_CUDA_ALL_STREAMS;
  int r = 0;

  if (all && !cuda->cuCtxRecordEvent)
    return 0; /* the thread waits for all of the context */
  job->event = take_spare (memory);
  if (!job->event)
    r = xmem_cuda_call (cuda, NULL, waiting, cuEventCreate, &job->event,
        CU_EVENT_DISABLE_TIMING | CU_EVENT_BLOCKING_SYNC);
  if (r == 0 && all)
    r = xmem_cuda_call (
        cuda, NULL, waiting, cuCtxRecordEvent, memory->context, job->event);
  else if (r == 0)
    r = xmem_cuda_call (
        cuda, NULL, waiting, cuEventRecord, job->event, job->stream);
  return r;
}

static bool
add (const struct xmem_cuda_driver *cuda, struct job *job)
{
  xmem_scoped_lock (&lock);

  if (!start (cuda))
    return false;
  job->next = queue;
  queue = job;
  atomic_fetch_add (&n_queued, 1);
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
  *job = (struct job){
    .memory = memory, .stream = stream, .done = done, .data = data
  };
  if (xmem_cuda_enter (memory->context, &entered, NULL) == 0
      && record (cuda, job) == 0) {
    xmem_cuda_memory_ref (memory);
    if (add (cuda, job)) {
      xmem_futex_wake_all (&n_queued);
      return true;
    }
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
