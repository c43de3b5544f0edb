/* SPDX-License-Identifier: MIT */
/* Streams: queues of operations. One that can run at once, on an idle stream,
 * runs in the thread that pushes it; everything else is left to the stream's
 * own thread. The legacy stream waits for the blocking streams of its context,
 * and they for it. */
#include "fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#define LONG_WAIT_NS 100000000
#define POLL_NS 200000 /* another process's event tells nobody */

struct CUstream_st {
  struct CUstream_st *next;
  CUcontext context;
  unsigned flags;
  unsigned refs; /* of operations that wait for it */
  pid_t tid; /* of a per-thread stream */
  bool is_counted;
  bool is_freed;
  bool is_busy; /* runs `running`, without the lock */
  bool has_worker;
  uint64_t running;
  struct fake_op *head;
  struct fake_op *tail;
  pthread_cond_t more;
};

struct wait_op {
  struct fake_op base;
  CUstream stream;
  uint64_t serial;
};

struct host_op {
  struct fake_op base;
  CUhostFn function;
  void *data;
};

static struct CUstream_st *streams;
static uint64_t last_serial;

void *
fake_op_new (size_t size)
{
  void *op = calloc (1, size);

  if (!op)
    abort ();
  return op;
}

CUcontext
fake_stream_context (CUstream stream)
{
  return stream->context;
}

/* --- life ---------------------------------------------------------------- */

CUstream
fake_stream_new (CUcontext context)
{
  CUstream stream = calloc (1, sizeof *stream);

  if (!stream)
    abort ();
  stream->context = context;
  pthread_cond_init (&stream->more, NULL);
  stream->next = streams;
  streams = stream;
  return stream;
}

static void
free_if_unused (CUstream stream)
{
  struct CUstream_st **at = &streams;

  if (!stream->is_freed || stream->refs > 0 || stream->is_busy || stream->head
      || stream->has_worker)
    return;
  while (*at != stream)
    at = &(*at)->next;
  *at = stream->next;
  pthread_cond_destroy (&stream->more);
  free (stream);
}

/* What is queued will still be done. */
static void
free_stream (CUstream stream)
{
  if (stream->is_counted)
    fake_live[FAKE_KIND_STREAM]--;
  stream->is_freed = true;
  pthread_cond_signal (&stream->more);
  free_if_unused (stream);
}

void
fake_context_free_streams (CUcontext context)
{
  CUstream next;

  for (CUstream stream = streams; stream; stream = next) {
    next = stream->next;
    if (stream->context == context && !stream->is_freed)
      free_stream (stream);
  }
}

/* --- running ------------------------------------------------------------- */

static bool
can_run (struct fake_op *op, int64_t *wait_ns_out)
{
  *wait_ns_out = LONG_WAIT_NS;
  if (op->is_work && fake_control.paused)
    return false;
  if (op->not_before) {
    *wait_ns_out = op->not_before - fake_now ();
    if (*wait_ns_out > 0)
      return false;
  }
  *wait_ns_out = POLL_NS;
  return !op->is_ready || op->is_ready (op);
}

static void
run (CUstream stream, struct fake_op *op)
{
  CUcontext context = stream->context;
  CUresult result = CUDA_SUCCESS;

  stream->is_busy = true;
  stream->running = op->serial;
  if (op->run && context->error == CUDA_SUCCESS) {
    pthread_mutex_unlock (&fake_lock);
    result = op->run (op);
    pthread_mutex_lock (&fake_lock);
  }
  if (result != CUDA_SUCCESS && context->error == CUDA_SUCCESS) {
    fprintf (
        stderr, "fake-cuda: a stream's work failed with %d\n", (int) result);
    context->error = result;
  }
  if (op->end)
    op->end (op);
  free (op);
  stream->is_busy = false;
  pthread_cond_broadcast (&fake_progress);
}

static void *
work (void *data)
{
  CUstream stream = data;

  prctl (PR_SET_NAME, "fake-cuda");
  pthread_mutex_lock (&fake_lock);
  while (stream->head || !stream->is_freed) {
    struct fake_op *op = stream->head;
    int64_t wait_ns;

    if (!op || stream->is_busy) {
      pthread_cond_wait (&stream->more, &fake_lock);
    } else if (!can_run (op, &wait_ns)) {
      fake_wait (wait_ns);
    } else {
      stream->head = op->next;
      run (stream, op);
    }
  }
  stream->has_worker = false;
  free_if_unused (stream);
  pthread_mutex_unlock (&fake_lock);
  return NULL;
}

static void
start_worker (CUstream stream)
{
  pthread_attr_t attributes;
  pthread_t thread;

  pthread_attr_init (&attributes);
  pthread_attr_setdetachstate (&attributes, PTHREAD_CREATE_DETACHED);
  if (pthread_create (&thread, &attributes, work, stream) != 0)
    abort ();
  pthread_attr_destroy (&attributes);
  stream->has_worker = true;
}

static void
push_alone (CUstream stream, struct fake_op *op)
{
  int64_t wait_ns;

  op->serial = ++last_serial;
  if (op->is_work && fake_control.lag_max_ns > 0)
    op->not_before = fake_now () + (int64_t) fake_draw_lag ();
  if (!stream->head && !stream->is_busy && !op->is_foreign
      && can_run (op, &wait_ns)) {
    run (stream, op);
    pthread_cond_signal (&stream->more);
    free_if_unused (stream);
    return;
  }
  if (stream->head)
    stream->tail->next = op;
  else
    stream->head = op;
  stream->tail = op;
  if (!stream->has_worker)
    start_worker (stream);
  pthread_cond_signal (&stream->more);
}

/* --- waiting ------------------------------------------------------------- */

/* Whether something pushed until then is still to be done. */
static bool
is_busy_until (const struct CUstream_st *stream, uint64_t serial)
{
  if (stream->is_busy && stream->running <= serial)
    return true;
  return stream->head && stream->head->serial <= serial;
}

static bool
wait_is_ready (struct fake_op *op)
{
  struct wait_op *wait = (struct wait_op *) op;

  return !is_busy_until (wait->stream, wait->serial);
}

static void
wait_end (struct fake_op *op)
{
  CUstream stream = ((struct wait_op *) op)->stream;

  stream->refs--;
  free_if_unused (stream);
}

static void
push_wait (CUstream stream, CUstream other)
{
  struct wait_op *wait;

  if (!is_busy_until (other, last_serial))
    return;
  wait = fake_op_new (sizeof *wait);
  wait->base.is_ready = wait_is_ready;
  wait->base.end = wait_end;
  wait->stream = other;
  wait->serial = last_serial;
  other->refs++;
  push_alone (stream, &wait->base);
}

static bool
is_blocking (const struct CUstream_st *stream)
{
  return !(stream->flags & CU_STREAM_NON_BLOCKING);
}

uint64_t
fake_stream_push (CUstream stream, struct fake_op *op)
{
  CUcontext context = stream->context;
  uint64_t serial;

  if (stream == context->legacy) {
    for (CUstream other = streams; other; other = other->next)
      if (other != stream && other->context == context && is_blocking (other))
        push_wait (stream, other);
  } else if (is_blocking (stream) && context->legacy) {
    push_wait (stream, context->legacy);
  }
  serial = last_serial + 1;
  push_alone (stream, op);
  return serial;
}

void
fake_context_push (CUcontext context, struct fake_op *op)
{
  CUstream stream = fake_stream_new (context);

  stream->flags = CU_STREAM_NON_BLOCKING;
  push_alone (stream, op);
  free_stream (stream);
}

CUresult
fake_stream_wait (CUstream stream, uint64_t serial)
{
  CUcontext context = stream->context;

  stream->refs++;
  while (is_busy_until (stream, serial))
    fake_wait (LONG_WAIT_NS);
  stream->refs--;
  free_if_unused (stream);
  return context->error;
}

bool
fake_context_is_busy (CUcontext context, uint64_t serial)
{
  for (CUstream stream = streams; stream; stream = stream->next)
    if ((!context || stream->context == context)
        && is_busy_until (stream, serial))
      return true;
  return false;
}

CUresult
fake_context_wait (CUcontext context)
{
  uint64_t serial = last_serial;

  while (fake_context_is_busy (context, serial))
    fake_wait (LONG_WAIT_NS);
  return context->error;
}

void
fake_wait_for_all (void)
{
  uint64_t serial = last_serial;

  while (fake_context_is_busy (NULL, serial))
    fake_wait (LONG_WAIT_NS);
}

/* --- names --------------------------------------------------------------- */

static CUstream
find_per_thread (CUcontext context)
{
  pid_t tid = gettid ();
  CUstream stream;

  for (stream = streams; stream; stream = stream->next)
    if (stream->context == context && stream->tid == tid && !stream->is_freed)
      return stream;
  stream = fake_stream_new (context);
  stream->tid = tid;
  return stream;
}

CUresult
fake_find_stream (CUstream name, CUstream *stream_out)
{
  CUcontext context;
  CUresult result;

  if (name && name != CU_STREAM_LEGACY && name != CU_STREAM_PER_THREAD) {
    for (CUstream stream = streams; stream; stream = stream->next) {
      if (stream == name && !stream->is_freed) {
        *stream_out = stream;
        return stream->context->error;
      }
    }
    return CUDA_ERROR_INVALID_HANDLE;
  }
  result = fake_current (&context);
  if (result != CUDA_SUCCESS)
    return result;
  *stream_out = name == CU_STREAM_PER_THREAD ? find_per_thread (context)
                                             : context->legacy;
  return CUDA_SUCCESS;
}

/* --- the driver's functions ---------------------------------------------- */

CUresult
cuStreamCreate (CUstream *stream_out, unsigned flags)
{
  FAKE_ENTER_LOCKED (cuStreamCreate);
  CUcontext context;
  CUresult result = fake_current (&context);

  if (result != CUDA_SUCCESS)
    return result;
  if (flags & ~(unsigned) CU_STREAM_NON_BLOCKING)
    return CUDA_ERROR_INVALID_VALUE;
  *stream_out = fake_stream_new (context);
  (*stream_out)->flags = flags;
  (*stream_out)->is_counted = true;
  fake_live[FAKE_KIND_STREAM]++;
  return CUDA_SUCCESS;
}

CUresult
cuStreamDestroy_v2 (CUstream name)
{
  FAKE_ENTER_LOCKED (cuStreamDestroy);
  CUstream stream;
  CUresult result = fake_find_stream (name, &stream);

  if (result == CUDA_ERROR_INVALID_HANDLE || !name || stream != name)
    return CUDA_ERROR_INVALID_HANDLE;
  free_stream (stream);
  return CUDA_SUCCESS;
}

/* What GStreamer 1.22 looks for. */
CUresult
cuStreamDestroy (CUstream name)
{
  return cuStreamDestroy_v2 (name);
}

CUresult
cuStreamSynchronize (CUstream name)
{
  FAKE_ENTER_LOCKED (cuStreamSynchronize);
  CUstream stream;
  CUresult result = fake_find_stream (name, &stream);

  return result == CUDA_SUCCESS ? fake_stream_wait (stream, last_serial)
                                : result;
}

CUresult
cuStreamQuery (CUstream name)
{
  FAKE_ENTER_LOCKED (cuStreamQuery);
  CUstream stream;
  CUresult result = fake_find_stream (name, &stream);

  if (result != CUDA_SUCCESS)
    return result;
  return is_busy_until (stream, last_serial) ? CUDA_ERROR_NOT_READY
                                             : CUDA_SUCCESS;
}

CUresult
cuStreamGetCtx (CUstream name, CUcontext *context_out)
{
  FAKE_ENTER_LOCKED (cuStreamGetCtx);
  CUstream stream;
  CUresult result = fake_find_stream (name, &stream);

  if (result != CUDA_SUCCESS)
    return result;
  *context_out = stream->context;
  return CUDA_SUCCESS;
}

static CUresult
host_run (struct fake_op *op)
{
  struct host_op *host = (struct host_op *) op;

  host->function (host->data);
  return CUDA_SUCCESS;
}

CUresult
cuLaunchHostFunc (CUstream name, CUhostFn function, void *data)
{
  FAKE_ENTER_LOCKED (cuLaunchHostFunc);
  CUstream stream;
  CUresult result = fake_find_stream (name, &stream);
  struct host_op *op;

  if (result != CUDA_SUCCESS)
    return result;
  op = fake_op_new (sizeof *op);
  op->base.is_work = true;
  op->base.is_foreign = true;
  op->base.run = host_run;
  op->function = function;
  op->data = data;
  fake_stream_push (stream, &op->base);
  return CUDA_SUCCESS;
}
