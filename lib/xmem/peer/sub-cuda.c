/* SPDX-License-Identifier: MIT */
/* What memory of CUDA devices adds to a subscriber: taking a publisher's, and
 * the order of the work on it. Keeps no state. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <xmem/cuda.h>

#include "peer/sub-private.h"

/* Of a task, from the kernel's sched.h: it is on its way out. */
#define PF_EXITING 0x4ul

static void
read_share (
    const struct xmem_wire_segment *m, struct xmem_cuda_share *share_out)
{
  *share_out = (struct xmem_cuda_share){ .size = m->size,
    .kind = m->kind == XMEM_WIRE_SEGMENT_CUDA_VMM ? XMEM_CUDA_VMM
                                                  : XMEM_CUDA_LEGACY,
    .slot_size = m->cuda.slot_size,
    .n_events = m->cuda.n_events,
    .events = m->cuda.events };
  memcpy (share_out->device, m->cuda.device, sizeof (share_out->device));
  memcpy (share_out->gpu, m->cuda.gpu, sizeof (share_out->gpu));
  memcpy (share_out->allocation, m->cuda.allocation,
      sizeof (share_out->allocation));
  memcpy (share_out->handle, m->cuda.handle, sizeof (share_out->handle));
}

/* How long the socket of a process that dies may take to close after what else
 * it had, where /proc does not say that it dies. */
#define HANG_UP_MS 100

/* Whether the process has begun to exit, or is no more. */
static bool
is_dying (pid_t pid)
{
  char path[32], line[512];
  const char *end;
  unsigned long flags;
  bool dying = false;
  FILE *file;

  snprintf (path, sizeof (path), "/proc/%d/stat", (int) pid);
  file = fopen (path, "re");
  if (!file)
    return kill (pid, 0) < 0 && errno == ESRCH;
  /* PID (NAME) STATE PPID PGRP SESSION TTY TPGID FLAGS; names have anything. */
  if (fgets (line, sizeof (line), file) && (end = strrchr (line, ')'))
      && sscanf (end, ") %*c %*d %*d %*d %*d %*d %lu", &flags) == 1)
    dying = flags & PF_EXITING;
  fclose (file);
  return dying;
}

/* What a process has that dies goes before its socket is closed, and its handles
 * lead nowhere. */
static bool
has_gone (struct sub_link *link, pid_t pid)
{
  struct pollfd wait = { .fd = link->connection.fd, .events = POLLRDHUP };

  return (pid != 0 && is_dying (pid)) || poll (&wait, 1, HANG_UP_MS) > 0;
}

/* Who has gone writes nothing any more: there is nothing to wait for, and memory
 * that came with a descriptor is still there. */
static int
import (struct sub_link *link, const struct xmem_cuda_share *share, int fd,
    pid_t pid, const struct xmem_cuda_place *place,
    struct xmem_cuda_memory **memory_out, struct xmem_error *error)
{
  int r = xmem_cuda_memory_import (
      share, fd, (uint32_t) pid, place, link->cuda_complete, memory_out, error);

  if (r == 0 || !has_gone (link, pid))
    return r;
  if (!link->cuda_complete
      && xmem_cuda_memory_import (
             share, fd, (uint32_t) pid, place, true, memory_out, NULL)
             == 0)
    return 0;
  return xmem_error_set (error, XMEM_GONE, 0,
      "the publisher has gone before its memory could be mapped");
}

int
sub_cuda_import (struct sub_link *link, const struct xmem_wire_segment *m,
    int take_fd, struct xmem_segment **segment_out, struct xmem_error *error)
{
  xmem_auto_close int fd = take_fd;
  struct xmem_cuda_place place = { .device = -1 };
  struct xmem_cuda_memory *memory;
  struct xmem_cuda_share share;
  pid_t pid = 0;
  uid_t uid;
  int r;

  if (!link->takes_cuda || m->size > SIZE_MAX / 2
      || (fd >= 0) != (m->kind == XMEM_WIRE_SEGMENT_CUDA_VMM))
    return xmem_error_set (error, XMEM_PROTOCOL, 0,
        "segment %u in CUDA memory was not asked for, or lacks its descriptor",
        m->id);
  read_share (m, &share);
  if (!xmem_connection_get_peer (&link->connection, &pid, &uid))
    pid = 0;
  r = xmem_cuda_find (&share, &place.device, error);
  if (r != 0)
    return r;
  if (link->get_cuda_context)
    place.context =
        link->get_cuda_context (place.device, &place.keeper, link->user_data);
  r = import (link, &share, fd, pid, &place, &memory, error);
  return r == 0 ? xmem_segment_wrap_cuda (memory, m->size, segment_out, error)
                : r;
}

static struct xmem_cuda_memory *
memory_of (const struct xmem_frame *frame, size_t index)
{
  return frame->regions[index].segment->cuda;
}

int
xmem_frame_get_device (const struct xmem_frame *frame, size_t index)
{
  const struct xmem_cuda_memory *memory = memory_of (frame, index);

  return memory ? xmem_cuda_memory_get_device (memory) : -1;
}

uint64_t
xmem_frame_get_cuda_pointer (const struct xmem_frame *frame, size_t index)
{
  const struct xmem_cuda_memory *memory = memory_of (frame, index);

  return memory ? xmem_cuda_memory_get_pointer (memory)
                      + frame->regions[index].offset
                : 0;
}

int
xmem_frame_cuda_wait (
    struct xmem_frame *frame, void *stream, struct xmem_error *error)
{
  int r = 0;

  for (size_t i = 0; r == 0 && i < frame->n_regions; i++)
    if (memory_of (frame, i))
      r = xmem_cuda_memory_wait (
          memory_of (frame, i), frame->regions[i].offset, stream, error);
  return r;
}

int
xmem_frame_cuda_synchronize (struct xmem_frame *frame, struct xmem_error *error)
{
  int r = 0;

  for (size_t i = 0; r == 0 && i < frame->n_regions; i++)
    if (memory_of (frame, i))
      r = xmem_cuda_memory_synchronize (
          memory_of (frame, i), frame->regions[i].offset, error);
  return r;
}

static void
unref_frame (void *frame)
{
  xmem_frame_unref (frame);
}

void
xmem_frame_unref_after (struct xmem_frame *frame, void *stream)
{
  for (size_t i = 0; frame && i < frame->n_regions; i++)
    if (memory_of (frame, i)) {
      xmem_cuda_memory_when_over (
          memory_of (frame, i), stream, unref_frame, frame);
      return;
    }
  xmem_frame_unref (frame);
}
