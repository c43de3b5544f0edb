/* SPDX-License-Identifier: MIT */
/* Events. Each has two numbers: how often it was recorded, and the last of
 * these recordings that a stream has reached; whoever waits does so for the
 * latest recording of that moment. For an event of several processes they are
 * in a file that all of them map, and the process that made the event keeps a
 * lock on it while it lives. */
#include "fake.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WAIT_NS 200000

struct marks {
  _Atomic uint64_t recorded;
  _Atomic uint64_t reached;
};

struct CUevent_st {
  struct CUevent_st *next;
  CUcontext context;
  unsigned flags;
  unsigned refs;
  bool is_destroyed;
  bool is_imported;
  int fd; /* -1: for this process only */
  struct marks *marks;
  struct marks own;
};

struct event_op {
  struct fake_op base;
  CUevent event;
  uint64_t mark;
};

static struct CUevent_st *events;

_Static_assert(sizeof (struct fake_ipc) <= CU_IPC_HANDLE_SIZE, "handle");

/* --- life ---------------------------------------------------------------- */

static CUevent
new_event (CUcontext context, unsigned flags)
{
  CUevent event = calloc (1, sizeof *event);

  if (!event)
    abort ();
  event->context = context;
  event->flags = flags;
  event->refs = 1;
  event->fd = -1;
  event->marks = &event->own;
  event->next = events;
  events = event;
  fake_live[FAKE_KIND_EVENT]++;
  return event;
}

static void
unref (CUevent event)
{
  struct CUevent_st **at = &events;

  if (--event->refs > 0)
    return;
  while (*at != event)
    at = &(*at)->next;
  *at = event->next;
  if (event->fd >= 0) {
    if (event->marks != &event->own)
      munmap (event->marks, sizeof *event->marks);
    close (event->fd);
  }
  free (event);
}

static void
destroy (CUevent event)
{
  event->is_destroyed = true;
  fake_live[FAKE_KIND_EVENT]--;
  unref (event);
}

static CUresult
find (CUevent name)
{
  for (const struct CUevent_st *event = events; event; event = event->next)
    if (event == name && !event->is_destroyed)
      return event->context->error;
  return CUDA_ERROR_INVALID_HANDLE;
}

/* Takes the descriptor. */
static bool
share (CUevent event, int fd)
{
  void *map = fd < 0 ? MAP_FAILED
                     : mmap (NULL, sizeof (struct marks),
                         PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

  event->fd = fd;
  if (map == MAP_FAILED)
    return false;
  event->marks = map;
  return true;
}

static bool
share_new (CUevent event)
{
  struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
  int fd = memfd_create ("fake-cuda-event", MFD_CLOEXEC);

  if (fd < 0 || ftruncate (fd, sizeof (struct marks)) != 0)
    return share (event, fd) && false;
  return share (event, fd) && fcntl (fd, F_OFD_SETLK, &lock) == 0;
}

static bool
is_abandoned (const struct CUevent_st *event)
{
  struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

  if (!event->is_imported || fake_control.death_hangs)
    return false;
  return fcntl (event->fd, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_UNLCK;
}

CUresult
cuEventCreate (CUevent *event_out, unsigned flags)
{
  FAKE_ENTER_LOCKED (cuEventCreate);
  CUcontext context;
  CUresult result = fake_current (&context);
  CUevent event;

  if (result != CUDA_SUCCESS)
    return result;
  if (flags & ~7u
      || ((flags & CU_EVENT_INTERPROCESS)
          && !(flags & CU_EVENT_DISABLE_TIMING)))
    return CUDA_ERROR_INVALID_VALUE;
  event = new_event (context, flags);
  if ((flags & CU_EVENT_INTERPROCESS) && !share_new (event)) {
    destroy (event);
    return CUDA_ERROR_OPERATING_SYSTEM;
  }
  *event_out = event;
  return CUDA_SUCCESS;
}

CUresult
cuEventDestroy_v2 (CUevent event)
{
  FAKE_ENTER_LOCKED (cuEventDestroy);
  if (find (event) == CUDA_ERROR_INVALID_HANDLE)
    return CUDA_ERROR_INVALID_HANDLE;
  destroy (event);
  return CUDA_SUCCESS;
}

/* --- recording and waiting ----------------------------------------------- */

static bool
is_reached (const struct CUevent_st *event, uint64_t mark)
{
  return atomic_load (&event->marks->reached) >= mark || is_abandoned (event);
}

static void
reach (CUevent event, uint64_t mark)
{
  uint64_t now = atomic_load (&event->marks->reached);

  while (now < mark
         && !atomic_compare_exchange_weak (&event->marks->reached, &now, mark))
    ;
}

static void
record_end (struct fake_op *op)
{
  struct event_op *record = (struct event_op *) op;

  reach (record->event, record->mark);
  unref (record->event);
}

static bool
wait_is_ready (struct fake_op *op)
{
  struct event_op *wait = (struct event_op *) op;

  return is_reached (wait->event, wait->mark);
}

static void
wait_end (struct fake_op *op)
{
  unref (((struct event_op *) op)->event);
}

static struct event_op *
new_op (CUevent event, uint64_t mark)
{
  struct event_op *op = fake_op_new (sizeof *op);

  op->event = event;
  op->mark = mark;
  event->refs++;
  return op;
}

CUresult
cuEventRecord (CUevent event, CUstream name)
{
  FAKE_ENTER_LOCKED (cuEventRecord);
  CUstream stream;
  CUresult result = find (event);
  struct event_op *op;

  if (result == CUDA_SUCCESS)
    result = fake_find_stream (name, &stream);
  if (result != CUDA_SUCCESS)
    return result;
  if (fake_stream_context (stream) != event->context)
    return CUDA_ERROR_INVALID_HANDLE;
  op = new_op (event, atomic_fetch_add (&event->marks->recorded, 1) + 1);
  op->base.end = record_end;
  fake_stream_push (stream, &op->base);
  return CUDA_SUCCESS;
}

CUresult
cuStreamWaitEvent (CUstream name, CUevent event, unsigned flags)
{
  FAKE_ENTER_LOCKED (cuStreamWaitEvent);
  CUstream stream;
  CUresult result = find (event);
  struct event_op *op;

  if (result == CUDA_SUCCESS)
    result = fake_find_stream (name, &stream);
  if (result != CUDA_SUCCESS)
    return result;
  op = new_op (event, atomic_load (&event->marks->recorded));
  op->base.is_ready = wait_is_ready;
  op->base.end = wait_end;
  fake_stream_push (stream, &op->base);
  return CUDA_SUCCESS;
}

CUresult
cuEventQuery (CUevent event)
{
  FAKE_ENTER_LOCKED (cuEventQuery);
  CUresult result = find (event);

  if (result != CUDA_SUCCESS)
    return result;
  return is_reached (event, atomic_load (&event->marks->recorded))
             ? CUDA_SUCCESS
             : CUDA_ERROR_NOT_READY;
}

CUresult
cuEventSynchronize (CUevent event)
{
  FAKE_ENTER_LOCKED (cuEventSynchronize);
  CUresult result = find (event);
  uint64_t mark;

  if (result != CUDA_SUCCESS)
    return result;
  mark = atomic_load (&event->marks->recorded);
  event->refs++;
  while (!is_reached (event, mark))
    fake_wait (WAIT_NS);
  result = event->context->error;
  unref (event);
  return result;
}

/* --- all of a context ---------------------------------------------------- */

/* On a stream of its own. */
static bool
context_is_done (struct fake_op *op)
{
  struct event_op *record = (struct event_op *) op;

  return !fake_context_is_busy (record->event->context, op->serial - 1);
}

CUresult
cuCtxRecordEvent (CUcontext context, CUevent event)
{
  FAKE_ENTER_LOCKED (cuCtxRecordEvent);
  CUresult result = find (event);
  struct event_op *op;

  if (fake_control.version < 12050)
    return CUDA_ERROR_NOT_SUPPORTED;
  if (result == CUDA_SUCCESS)
    result = fake_check_context (context);
  if (result != CUDA_SUCCESS)
    return result;
  if (event->context != context)
    return CUDA_ERROR_INVALID_HANDLE;
  op = new_op (event, atomic_fetch_add (&event->marks->recorded, 1) + 1);
  op->base.is_ready = context_is_done;
  op->base.end = record_end;
  fake_context_push (context, &op->base);
  return CUDA_SUCCESS;
}

/* --- other processes ----------------------------------------------------- */

CUresult
cuIpcGetEventHandle (CUipcEventHandle *handle_out, CUevent event)
{
  FAKE_ENTER_LOCKED (cuIpcGetEventHandle);
  CUresult result = find (event);
  struct fake_ipc ipc;

  if (fake_control.without[FAKE_EVENTS])
    return CUDA_ERROR_NOT_SUPPORTED;
  if (result != CUDA_SUCCESS)
    return result;
  if (event->fd < 0 || event->is_imported)
    return CUDA_ERROR_INVALID_HANDLE;
  ipc = fake_ipc_describe (
      FAKE_IPC_EVENT, event->fd, sizeof (struct marks), event->context->device);
  memset (handle_out, 0, sizeof *handle_out);
  memcpy (handle_out, &ipc, sizeof ipc);
  return CUDA_SUCCESS;
}

CUresult
cuIpcOpenEventHandle (CUevent *event_out, CUipcEventHandle handle)
{
  FAKE_ENTER_LOCKED (cuIpcOpenEventHandle);
  CUcontext context;
  CUresult result = fake_current (&context);
  struct fake_ipc ipc;
  CUevent event;
  int fd;

  if (fake_control.without[FAKE_EVENTS])
    return CUDA_ERROR_NOT_SUPPORTED;
  if (result != CUDA_SUCCESS)
    return result;
  memcpy (&ipc, &handle, sizeof ipc);
  if (ipc.pid == getpid ())
    return CUDA_ERROR_INVALID_CONTEXT;
  fd = fake_ipc_open (&ipc, FAKE_IPC_EVENT);
  if (fd < 0)
    return CUDA_ERROR_INVALID_HANDLE;
  event = new_event (context, CU_EVENT_INTERPROCESS | CU_EVENT_DISABLE_TIMING);
  event->is_imported = true;
  if (!share (event, fd)) {
    destroy (event);
    return CUDA_ERROR_MAP_FAILED;
  }
  *event_out = event;
  return CUDA_SUCCESS;
}
