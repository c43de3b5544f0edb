/* SPDX-License-Identifier: MIT */
/* The memory of CUDA devices that this process shares: made here, or imported.
 *
 * Owns the table of all of it, by which an allocation of a peer is imported once
 * for each context, whoever asks. The events of a slot are made with its
 * segment, by the process that writes.
 *
 * What a peer says an allocation is called is believed of that peer only, whom
 * the kernel names: nobody can pass their memory off as another's. (Processes that
 * share a named pool trust each other.)
 *
 * Threads: any; `lock` guards the table, and is held while memory is imported, so
 * that nobody imports it beside us. */
#include "mem/cuda-memory.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include <xmem/cuda.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct xmem_cuda_memory *memories;

/* --- events -------------------------------------------------------------- */

static const char making_events[] = "cannot make the events of CUDA memory";

/* Makes event i, and its handle while they can cross. */
static int
make_event (const struct xmem_cuda_driver *cuda,
    struct xmem_cuda_memory *memory, uint32_t i, struct xmem_error *error)
{
  unsigned flags = CU_EVENT_DISABLE_TIMING | CU_EVENT_BLOCKING_SYNC;
  bool crosses = memory->event_handles;
  CUipcEventHandle handle;
  int r;

  r = xmem_cuda_call (cuda, error, making_events, cuEventCreate,
      &memory->events[i], crosses ? flags | CU_EVENT_INTERPROCESS : flags);
  if (r != 0) {
    memory->events[i] = NULL;
    return r;
  }
  memory->n_events = i + 1;
  if (!crosses)
    return 0;
  r = xmem_cuda_call (cuda, error, making_events, cuIpcGetEventHandle, &handle,
      memory->events[i]);
  if (r == 0)
    memcpy (memory->event_handles + (size_t) i * XMEM_CUDA_HANDLE, &handle,
        XMEM_CUDA_HANDLE);
  return r;
}

static void
destroy_events (struct xmem_cuda_memory *memory)
{
  const struct xmem_cuda_driver *cuda;

  if (xmem_cuda_load (&cuda, NULL) != 0)
    return;
  for (uint32_t i = 0; i < memory->n_events; i++)
    (void) cuda->cuEventDestroy_v2 (memory->events[i]);
  memory->n_events = 0;
}

/* Some machines (Jetson) have events, but none that cross. */
static int
make_events (
    struct xmem_cuda_memory *memory, uint32_t n, struct xmem_error *error)
{
  const struct xmem_cuda_driver *cuda;
  int r = xmem_cuda_load (&cuda, error);

  for (uint32_t i = 0; r == 0 && i < n; i++) {
    r = make_event (cuda, memory, i, error);
    if (r == XMEM_UNSUPPORTED && memory->event_handles) {
      destroy_events (memory);
      free (xmem_steal_ptr (memory->event_handles));
      i = UINT32_MAX; /* from the first one on */
      r = 0;
    }
  }
  return r;
}

static int
open_events (struct xmem_cuda_memory *memory,
    const struct xmem_cuda_share *share, struct xmem_error *error)
{
  const struct xmem_cuda_driver *cuda;
  int r = xmem_cuda_load (&cuda, error);

  for (uint32_t i = 0; r == 0 && i < share->n_events; i++) {
    CUipcEventHandle handle;

    memcpy (&handle, share->events + (size_t) i * XMEM_CUDA_HANDLE,
        XMEM_CUDA_HANDLE);
    r = xmem_cuda_call (cuda, error,
        "cannot open a peer's CUDA events (XMEM_SUBSCRIBER_CUDA_COMPLETE does "
        "without)",
        cuIpcOpenEventHandle, &memory->events[i], handle);
    if (r == 0)
      memory->n_events = i + 1;
  }
  return r;
}

static int
allocate_tables (struct xmem_cuda_memory *memory, uint32_t n_events,
    struct xmem_error *error)
{
  memory->events = calloc (n_events ? n_events : 1, sizeof (CUevent));
  memory->event_handles = calloc (n_events ? n_events : 1, XMEM_CUDA_HANDLE);
  if (!memory->events || !memory->event_handles)
    return xmem_error_set (
        error, XMEM_NO_MEMORY, 0, "no memory for CUDA events");
  return 0;
}

/* The event of a slot, or NULL. */
static CUevent
event_at (const struct xmem_cuda_memory *memory, uint64_t offset)
{
  uint64_t i =
      memory->share.slot_size ? offset / memory->share.slot_size : UINT64_MAX;

  return i < memory->n_events ? memory->events[i] : NULL;
}

/* --- one of them --------------------------------------------------------- */

/* Waits for what this process has recorded, so that no work runs into memory
 * that is gone. */
static void
wait_for_writers (struct xmem_cuda_memory *memory)
{
  const struct xmem_cuda_driver *cuda;

  if (memory->imported || xmem_cuda_load (&cuda, NULL) != 0)
    return;
  for (uint32_t i = 0; i < memory->n_events; i++)
    (void) cuda->cuEventSynchronize (memory->events[i]);
}

static void
undo (struct xmem_cuda_memory *memory)
{
  xmem_cuda_auto_leave bool entered = false;

  /* What belongs to a context has gone with it. */
  if (memory->context
      && xmem_cuda_enter (memory->context, &entered, NULL) == 0) {
    wait_for_writers (memory);
    xmem_cuda_reaper_drop_spares (memory);
    destroy_events (memory);
  }
  if (entered || memory->mapped_size > 0 || memory->has_handle)
    xmem_cuda_share_close (memory);
}

static void
memory_free (struct xmem_cuda_memory *memory)
{
  undo (memory);
  if (memory->keeper.unref)
    memory->keeper.unref (memory->keeper.data);
  if (memory->fd >= 0)
    close (memory->fd);
  free (memory->event_handles);
  free (memory->events);
  free (memory);
}

XMEM_DEFINE_CLEANUP (struct xmem_cuda_memory *, memory_free);

static struct xmem_cuda_memory *
memory_alloc (struct xmem_error *error)
{
  struct xmem_cuda_memory *memory = calloc (1, sizeof (*memory));

  if (!memory) {
    xmem_error_set (error, XMEM_NO_MEMORY, 0, "no memory for CUDA memory");
    return NULL;
  }
  atomic_init (&memory->refs, 1);
  memory->fd = -1;
  return memory;
}

/* Which context to use the memory in; the device is known. */
static int
choose_context (struct xmem_cuda_memory *memory,
    const struct xmem_cuda_place *place, struct xmem_error *error)
{
  const struct xmem_cuda_driver *cuda;
  struct xmem_cuda_device other;
  int can = 0, r;

  memory->user = memory->device.number;
  if (!place->context)
    return xmem_cuda_get_primary (&memory->device, &memory->context, error);
  r = xmem_cuda_get_context_device (place->context, &other, error);
  if (r == 0)
    r = xmem_cuda_load (&cuda, error);
  if (r == 0 && other.number != memory->device.number)
    r = xmem_cuda_call (cuda, error, "cannot compare CUDA devices",
        cuDeviceCanAccessPeer, &can, other.device, memory->device.device);
  if (r != 0)
    return r;
  if (other.number != memory->device.number && !can)
    return xmem_error_set (error, XMEM_UNSUPPORTED, 0,
        "CUDA device %d, whose context is to use the memory, cannot reach it "
        "on "
        "device %d",
        other.number, memory->device.number);
  memory->user = other.number;
  memory->context = place->context;
  memory->keeper = place->keeper;
  if (memory->keeper.ref)
    memory->keeper.ref (memory->keeper.data);
  return 0;
}

static void
add_to_table (struct xmem_cuda_memory *memory)
{
  memory->next = memories;
  memories = memory;
}

/* --- making -------------------------------------------------------------- */

static int
set_names (struct xmem_cuda_memory *memory, struct xmem_error *error)
{
  struct xmem_cuda_share *share = &memory->share;

  memory->owner = (uint32_t) getpid ();
  memcpy (share->device, memory->device.uuid, sizeof (share->device));
  memcpy (share->gpu, memory->device.gpu, sizeof (share->gpu));
  if (getrandom (share->allocation, sizeof (share->allocation), 0)
      != (ssize_t) sizeof (share->allocation))
    return xmem_error_set (
        error, XMEM_SYSTEM, errno, "the kernel has no random numbers");
  return 0;
}

static int
check_place (const struct xmem_cuda_place *place,
    struct xmem_cuda_device *device_out, struct xmem_error *error)
{
  struct xmem_cuda_device other;
  int r = xmem_cuda_get_device (place->device, device_out, error);

  if (r == 0 && place->context)
    r = xmem_cuda_get_context_device (place->context, &other, error);
  if (r == 0 && place->context && other.number != place->device)
    r = xmem_error_set (error, XMEM_INVALID, 0,
        "the context is of CUDA device %d, not of %d", other.number,
        place->device);
  return r;
}

int
xmem_cuda_warm_up (
    const struct xmem_cuda_place *place, struct xmem_error *error)
{
  struct xmem_cuda_device device;
  CUcontext context;
  int r = check_place (place, &device, error);

  return r == 0 && !place->context
             ? xmem_cuda_get_primary (&device, &context, error)
             : r;
}

/* slot_size: what has an event. */
static int
make (const struct xmem_cuda_place *place, unsigned mode, uint64_t size,
    uint64_t slot_size, uint32_t n_events, struct xmem_cuda_memory **memory_out,
    struct xmem_error *error)
{
  struct xmem_cuda_memory *memory xmem_cleanup (memory_free_p) =
      memory_alloc (error);
  xmem_cuda_auto_leave bool entered = false;
  int r;

  if (!memory)
    return XMEM_NO_MEMORY;
  memory->share.slot_size = slot_size;
  memory->share.size = size;
  r = check_place (place, &memory->device, error);
  if (r == 0)
    r = choose_context (memory, place, error);
  if (r == 0)
    r = set_names (memory, error);
  if (r == 0)
    r = allocate_tables (memory, n_events, error);
  if (r == 0)
    r = xmem_cuda_enter (memory->context, &entered, error);
  if (r == 0)
    r = xmem_cuda_share_allocate (memory, mode, error);
  if (r == 0)
    r = make_events (memory, n_events, error);
  if (r != 0)
    return r;
  if (memory->event_handles) {
    memory->share.n_events = n_events;
    memory->share.events = memory->event_handles;
  }
  *memory_out = xmem_steal_ptr (memory);
  xmem_scoped_lock (&lock);
  add_to_table (*memory_out);
  return 0;
}

int
xmem_cuda_memory_new (const struct xmem_cuda_place *place, unsigned mode,
    uint64_t slot_size, uint32_t n_slots, struct xmem_cuda_memory **memory_out,
    struct xmem_error *error)
{
  return make (
      place, mode, slot_size * n_slots, slot_size, n_slots, memory_out, error);
}

int
xmem_cuda_memory_new_legacy (const struct xmem_cuda_place *place, uint64_t size,
    struct xmem_cuda_memory **memory_out, struct xmem_error *error)
{
  return make (place, XMEM_CUDA_MODE_LEGACY, size, 0, 0, memory_out, error);
}

/* --- importing ----------------------------------------------------------- */

/* What this process has allocated it knows by its handle: the driver would not
 * open it here. */
static bool
has_name (
    const struct xmem_cuda_memory *memory, const struct xmem_cuda_share *share)
{
  if (!memory->imported && share->kind == XMEM_CUDA_LEGACY)
    return memcmp (memory->share.handle, share->handle, sizeof (share->handle))
           == 0;
  return memcmp (memory->share.allocation, share->allocation,
             sizeof (share->allocation))
         == 0;
}

static bool
is_it (const struct xmem_cuda_memory *memory,
    const struct xmem_cuda_share *share, uint32_t owner, CUcontext context)
{
  return owner != 0 && memory->owner == owner && memory->context == context
         && memory->share.kind == share->kind
         && memory->share.size == share->size && has_name (memory, share);
}

static struct xmem_cuda_memory *
find_in_table (const struct xmem_cuda_share *share, uint32_t owner,
    CUcontext context, bool without_events)
{
  for (struct xmem_cuda_memory *m = memories; m; m = m->next)
    if (is_it (m, share, owner, context)
        && (without_events || m->n_events >= share->n_events))
      return m;
  return NULL;
}

static int
import_events (struct xmem_cuda_memory *memory,
    const struct xmem_cuda_share *share, struct xmem_error *error)
{
  int r = allocate_tables (memory, share->n_events, error);

  if (r == 0)
    r = open_events (memory, share, error);
  if (r != 0)
    return r;
  memcpy (memory->event_handles, share->events,
      (size_t) share->n_events * XMEM_CUDA_HANDLE);
  memory->share.n_events = share->n_events;
  memory->share.events = memory->event_handles;
  return 0;
}

static int
import (struct xmem_cuda_memory *memory, const struct xmem_cuda_share *share,
    int fd, bool without_events, struct xmem_error *error)
{
  xmem_cuda_auto_leave bool entered = false;
  int r = xmem_cuda_enter (memory->context, &entered, error);

  if (r == 0)
    r = xmem_cuda_share_open (memory, fd, error);
  if (r == 0 && !without_events && share->n_events > 0)
    r = import_events (memory, share, error);
  return r;
}

int
xmem_cuda_find (const struct xmem_cuda_share *share, int *device_out,
    struct xmem_error *error)
{
  struct xmem_cuda_device device = { .number = -1 };
  int r = xmem_cuda_find_device (share->device, share->gpu, &device, error);

  *device_out = device.number;
  return r;
}

int
xmem_cuda_memory_import (const struct xmem_cuda_share *share, int fd,
    uint32_t owner, const struct xmem_cuda_place *place, bool without_events,
    struct xmem_cuda_memory **memory_out, struct xmem_error *error)
{
  struct xmem_cuda_memory *memory xmem_cleanup (memory_free_p) =
      memory_alloc (error);
  struct xmem_cuda_memory *known;
  int r;

  if (!memory)
    return XMEM_NO_MEMORY;
  memory->imported = true;
  memory->owner = owner;
  memory->share = *share;
  memory->share.n_events = 0;
  memory->share.events = NULL;
  r = xmem_cuda_get_device (place->device, &memory->device, error);
  if (r == 0)
    r = choose_context (memory, place, error);
  if (r != 0)
    return r;
  xmem_scoped_lock (&lock);
  known = find_in_table (share, owner, memory->context, without_events);
  if (known) {
    atomic_fetch_add (&known->refs, 1);
    *memory_out = known;
    return 0;
  }
  r = import (memory, share, fd, without_events, error);
  if (r != 0)
    return r;
  add_to_table (memory);
  *memory_out = xmem_steal_ptr (memory);
  return 0;
}

/* --- using --------------------------------------------------------------- */

struct xmem_cuda_memory *
xmem_cuda_memory_ref (struct xmem_cuda_memory *memory)
{
  atomic_fetch_add (&memory->refs, 1);
  return memory;
}

/* Whether that was the last one; takes it off the table then. The last goes with
 * the lock, so that nobody finds what is about to go; any other without, so that
 * frames do not wait for an import. */
static bool
drop (struct xmem_cuda_memory *memory)
{
  struct xmem_cuda_memory **link = &memories;
  unsigned refs = atomic_load (&memory->refs);

  while (refs > 1)
    if (atomic_compare_exchange_weak (&memory->refs, &refs, refs - 1))
      return false;
  xmem_scoped_lock (&lock);
  if (atomic_fetch_sub (&memory->refs, 1) > 1)
    return false;
  while (*link != memory)
    link = &(*link)->next;
  *link = memory->next;
  return true;
}

void
xmem_cuda_memory_unref (struct xmem_cuda_memory *memory)
{
  if (drop (memory))
    memory_free (memory);
}

unsigned
xmem_cuda_count_memories (void)
{
  unsigned n = 0;
  xmem_scoped_lock (&lock);

  for (const struct xmem_cuda_memory *m = memories; m; m = m->next)
    n++;
  return n;
}

void
xmem_cuda_memory_get_share (
    const struct xmem_cuda_memory *memory, struct xmem_cuda_share *share_out)
{
  *share_out = memory->share;
}

int
xmem_cuda_memory_borrow_fd (const struct xmem_cuda_memory *memory)
{
  return memory->fd;
}

uint64_t
xmem_cuda_memory_get_pointer (const struct xmem_cuda_memory *memory)
{
  return memory->pointer;
}

int
xmem_cuda_memory_get_device (const struct xmem_cuda_memory *memory)
{
  return memory->device.number;
}

bool
xmem_cuda_memory_shares_events (const struct xmem_cuda_memory *memory)
{
  return memory->share.n_events > 0;
}

/* Makes the memory's context current, until *entered_out is left. */
static int
enter (const struct xmem_cuda_memory *memory,
    const struct xmem_cuda_driver **cuda_out, bool *entered_out,
    struct xmem_error *error)
{
  int r = xmem_cuda_enter (memory->context, entered_out, error);

  return r == 0 ? xmem_cuda_load (cuda_out, error) : r;
}

int
xmem_cuda_memory_record (struct xmem_cuda_memory *memory, uint64_t offset,
    void *stream, struct xmem_error *error)
{
  CUevent event = event_at (memory, offset);
  const struct xmem_cuda_driver *cuda;
  xmem_cuda_auto_leave bool entered = false;
  int r;

  if (memory->imported || !event)
    return 0;
  r = enter (memory, &cuda, &entered, error);
  return r == 0 ? xmem_cuda_call (cuda, error,
             "cannot record when a frame is written", cuEventRecord, event,
             stream)
                : r;
}

int
xmem_cuda_memory_wait_here (struct xmem_cuda_memory *memory, uint64_t offset,
    void *stream, struct xmem_error *error)
{
  CUevent event = event_at (memory, offset);
  const struct xmem_cuda_driver *cuda;
  int r;

  if (!event)
    return 0;
  r = xmem_cuda_load (&cuda, error);
  return r == 0 ? xmem_cuda_call (cuda, error,
             "cannot wait for a frame on a stream", cuStreamWaitEvent, stream,
             event, CU_EVENT_WAIT_DEFAULT)
                : r;
}

int
xmem_cuda_memory_wait (struct xmem_cuda_memory *memory, uint64_t offset,
    void *stream, struct xmem_error *error)
{
  xmem_cuda_auto_leave bool entered = false;
  int r;

  if (!event_at (memory, offset))
    return 0;
  r = xmem_cuda_enter (memory->context, &entered, error);
  return r == 0 ? xmem_cuda_memory_wait_here (memory, offset, stream, error)
                : r;
}

int
xmem_cuda_memory_synchronize (
    struct xmem_cuda_memory *memory, uint64_t offset, struct xmem_error *error)
{
  CUevent event = event_at (memory, offset);
  const struct xmem_cuda_driver *cuda;
  xmem_cuda_auto_leave bool entered = false;
  int r;

  if (!event)
    return 0;
  r = enter (memory, &cuda, &entered, error);
  return r == 0 ? xmem_cuda_call (
             cuda, error, "cannot wait for a frame", cuEventSynchronize, event)
                : r;
}
