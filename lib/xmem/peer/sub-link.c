/* SPDX-License-Identifier: MIT */
/* One connection of a subscriber and the frames that came through it.
 *
 * Owns the mappings of the publisher's segments (one each, kept until RETIRE
 * and the last frame) and the list of frames in use. Nothing here waits.
 *
 * Threads: frames are released from any thread; segments, streams and new
 * frames belong to the thread that receives.
 * Invariant: the socket stays open while a frame is referenced, because the
 * publisher takes its closing as the release of everything. */
#include <string.h>

#include "mem/dmabuf.h"
#include "mem/map.h"
#include "mem/memfd.h"
#include "peer/sub-private.h"

/* --- streams ------------------------------------------------------------- */

static void
stream_unref (struct sub_stream *stream)
{
  if (!stream
      || atomic_fetch_sub_explicit (&stream->refs, 1, memory_order_acq_rel)
             != 1)
    return;
  free (stream->caps);
  free (stream);
}

/* Copies the caps, if any, out of the message or out of a memfd, whose size
 * the wire has bounded. */
static int
copy_caps (const struct xmem_wire_stream *m, int fd, char **caps_out,
    struct xmem_error *error)
{
  size_t size = (size_t) m->caps_fd_size;
  void *data;
  int r;

  if (fd >= 0) {
    r = xmem_memfd_map (fd, size, &data, error);
    if (r != 0)
      return r;
    *caps_out = strndup (data, size);
    xmem_unmap (data, size);
  } else if (m->caps.data) {
    *caps_out = strndup (m->caps.data, m->caps.size);
  } else {
    return 0;
  }
  if (!*caps_out)
    return xmem_error_set (error, XMEM_NO_MEMORY, 0, "no memory for caps");
  return 0;
}

int
sub_link_set_stream (struct sub_link *link, const struct xmem_wire_stream *m,
    int take_fd, struct xmem_error *error)
{
  xmem_auto_close int fd = take_fd;
  struct sub_stream *stream;
  int r;

  if ((fd >= 0) != (m->caps_fd_size > 0))
    return xmem_error_set (
        error, XMEM_PROTOCOL, 0, "caps without their file descriptor");
  stream = calloc (1, sizeof (*stream));
  if (!stream)
    return xmem_error_set (error, XMEM_NO_MEMORY, 0, "no memory for caps");
  atomic_init (&stream->refs, 1);
  stream->epoch = m->epoch;
  stream->info.base_time_ns = m->base_time_ns;
  stream->info.latency_ns = m->latency_ns;
  r = copy_caps (m, fd, &stream->caps, error);
  if (r != 0) {
    free (stream);
    return r;
  }
  stream->info.caps = stream->caps;
  stream_unref (link->stream);
  link->stream = stream;
  return 0;
}

/* --- segments ------------------------------------------------------------ */

static struct sub_segment *
find_segment (struct sub_link *link, uint32_t id)
{
  for (unsigned i = 0; i < link->n_segments; i++)
    if (link->segments[i].id == id)
      return &link->segments[i];
  return NULL;
}

int
sub_link_add_segment (struct sub_link *link, const struct xmem_wire_segment *m,
    int take_fd, struct xmem_error *error)
{
  struct sub_segment *entry = &link->segments[link->n_segments];
  int r;

  if ((take_fd < 0 && m->kind == XMEM_WIRE_SEGMENT_MEMFD)
      || find_segment (link, m->id) || link->n_segments == SUB_MAX_SEGMENTS) {
    if (take_fd >= 0)
      close (take_fd);
    return xmem_error_set (error, XMEM_PROTOCOL, 0,
        "segment %u without its file, announced twice, or one too many", m->id);
  }
  if (m->kind == XMEM_WIRE_SEGMENT_DMABUF && !link->has_dmabufs) {
    close (take_fd);
    return xmem_error_set (
        error, XMEM_PROTOCOL, 0, "a dmabuf that was not asked for");
  }
  if (m->kind == XMEM_WIRE_SEGMENT_MEMFD)
    r = xmem_segment_import (take_fd, m->size, &entry->segment, error);
  else if (m->kind == XMEM_WIRE_SEGMENT_DMABUF)
    r = xmem_segment_import_dmabuf (take_fd, m->size, &entry->segment, error);
  else
    r = sub_cuda_import (link, m, take_fd, &entry->segment, error);
  if (r != 0)
    return r;
  entry->id = m->id;
  link->n_segments++;
  return 0;
}

static void
drop_segment (struct sub_link *link, struct sub_segment *entry)
{
  xmem_segment_retire (entry->segment);
  xmem_segment_unref (entry->segment);
  *entry = link->segments[--link->n_segments];
}

int
sub_link_retire (struct sub_link *link, uint32_t id, struct xmem_error *error)
{
  struct sub_segment *entry = find_segment (link, id);

  if (!entry)
    return xmem_error_set (
        error, XMEM_PROTOCOL, 0, "an unknown segment %u was retired", id);
  drop_segment (link, entry);
  return 0;
}

/* --- releases ------------------------------------------------------------ */

/* With the link's lock held. What the socket has no room for stays noted. */
static int
flush_locked (struct sub_link *link)
{
  struct xmem_wire_message m = { .type = XMEM_WIRE_RELEASE };
  struct xmem_packet *packet;
  int r;

  if (xmem_connection_flush (&link->connection) == XMEM_AGAIN)
    return XMEM_AGAIN;
  if (link->n_released == 0 || link->connection.fd < 0)
    return 0;
  m.sequences.n = link->n_released;
  memcpy (m.sequences.sequences, link->released,
      link->n_released * sizeof (link->released[0]));
  packet = xmem_packet_new (&m, -1);
  if (!packet)
    return XMEM_AGAIN;
  r = xmem_connection_send (&link->connection, packet);
  xmem_packet_unref (packet);
  if (r == XMEM_FULL || r == XMEM_NO_MEMORY)
    return XMEM_AGAIN;
  link->n_released = 0; /* sent, queued, or nobody is there to be told */
  return link->connection.first ? XMEM_AGAIN : 0;
}

int
sub_link_flush (struct sub_link *link)
{
  xmem_scoped_lock (&link->lock);

  return flush_locked (link);
}

int
sub_link_send (struct sub_link *link, struct xmem_packet *packet)
{
  xmem_scoped_lock (&link->lock);

  (void) flush_locked (link);
  return xmem_connection_send (&link->connection, packet);
}

static void
forget_frame (struct xmem_frame *frame)
{
  struct sub_link *link = frame->link;
  xmem_scoped_lock (&link->lock);

  if (frame->previous)
    frame->previous->next = frame->next;
  else
    link->frames = frame->next;
  if (frame->next)
    frame->next->previous = frame->previous;
  link->n_held--;
  if (link->left && !link->frames) {
    xmem_connection_close (&link->connection);
    return;
  }
  if (link->n_released < XMEM_WIRE_MAX_SEQUENCES)
    link->released[link->n_released++] = frame->sequence;
  (void) flush_locked (link);
}

/* --- frames -------------------------------------------------------------- */

/* Drops what a frame refers to, then the frame. */
static void
frame_free (struct xmem_frame *frame)
{
  for (size_t i = 0; i < frame->n_regions; i++)
    xmem_segment_unref (frame->regions[i].segment);
  stream_unref (frame->stream);
  free (frame);
}

static int
set_regions (struct sub_link *link, const struct xmem_wire_frame *m,
    struct xmem_frame *frame, struct xmem_error *error)
{
  for (uint32_t i = 0; i < m->n_regions; i++) {
    const struct xmem_wire_region *wire = &m->regions[i];
    struct sub_segment *entry = find_segment (link, wire->segment);
    struct xmem_region *region = &frame->regions[i];

    if (!entry
        || !xmem_segment_contains (entry->segment, wire->offset, wire->size))
      return xmem_error_set (error, XMEM_PROTOCOL, 0,
          "a frame lies outside segment %u", wire->segment);
    region->segment = xmem_segment_ref (entry->segment);
    region->id = (uint64_t) wire->generation << 32 | wire->slot;
    region->offset = wire->offset;
    region->size = wire->size;
    frame->n_regions++;
  }
  return 0;
}

/* Copies the metas out of the message or out of a memfd, whose size the wire
 * has bounded. */
static int
copy_metas (const struct xmem_wire_frame *m, int fd, struct xmem_frame *frame,
    struct xmem_error *error)
{
  void *data;
  int r;

  if (m->metas_fd_size == 0) {
    if (m->info.metas_size > 0)
      memcpy (frame->metas, m->info.metas, m->info.metas_size);
    return 0;
  }
  r = xmem_memfd_map (fd, frame->info.metas_size, &data, error);
  if (r != 0)
    return r;
  memcpy (frame->metas, data, frame->info.metas_size);
  xmem_unmap (data, frame->info.metas_size);
  return 0;
}

static struct xmem_frame *
frame_new (struct sub_link *link, const struct xmem_wire_frame *m)
{
  size_t metas_size =
      m->metas_fd_size > 0 ? (size_t) m->metas_fd_size : m->info.metas_size;
  struct xmem_frame *frame = calloc (1, sizeof (*frame) + metas_size);

  if (!frame)
    return NULL;
  atomic_init (&frame->refs, 1);
  frame->sequence = m->sequence;
  frame->published_ns = m->published_ns;
  frame->info = m->info;
  frame->info.metas = frame->metas;
  frame->info.metas_size = metas_size;
  frame->stream = link->stream;
  atomic_fetch_add_explicit (&frame->stream->refs, 1, memory_order_relaxed);
  return frame;
}

static void
remember_frame (struct sub_link *link, struct xmem_frame *frame)
{
  xmem_scoped_lock (&link->lock);

  frame->link = link;
  atomic_fetch_add_explicit (&link->refs, 1, memory_order_relaxed);
  frame->next = link->frames;
  if (frame->next)
    frame->next->previous = frame;
  link->frames = frame;
  link->n_held++;
}

int
sub_link_add_frame (struct sub_link *link, const struct xmem_wire_frame *m,
    int take_fd, struct xmem_frame **frame_out, struct xmem_error *error)
{
  xmem_auto_close int fd = take_fd;
  struct xmem_frame *frame;
  int r;

  if (m->sequence < link->next_sequence || !link->stream
      || m->epoch != link->stream->epoch)
    return xmem_error_set (error, XMEM_PROTOCOL, 0,
        "frame %llu is out of order or of an unknown stream",
        (unsigned long long) m->sequence);
  if (fd < 0 && m->metas_fd_size > 0)
    return xmem_error_set (
        error, XMEM_PROTOCOL, 0, "metas without their file descriptor");
  frame = frame_new (link, m);
  if (!frame)
    return xmem_error_set (error, XMEM_NO_MEMORY, 0, "no memory for a frame");
  r = set_regions (link, m, frame, error);
  if (r == 0)
    r = copy_metas (m, fd, frame, error);
  if (r != 0) {
    frame_free (frame);
    return r;
  }
  remember_frame (link, frame);
  *frame_out = frame;
  return 0;
}

struct xmem_frame *
xmem_frame_ref (struct xmem_frame *frame)
{
  atomic_fetch_add_explicit (&frame->refs, 1, memory_order_relaxed);
  return frame;
}

static void
end_reading (const struct xmem_frame *frame)
{
  for (size_t i = 0; i < frame->n_regions; i++)
    if (frame->reading >> i & 1)
      xmem_dmabuf_end_read (frame->regions[i].segment->fd);
}

void
xmem_frame_unref (struct xmem_frame *frame)
{
  struct sub_link *link;

  /* Every read of the bytes happens before the publisher hears of it. */
  if (!frame
      || atomic_fetch_sub_explicit (&frame->refs, 1, memory_order_acq_rel) != 1)
    return;
  link = frame->link;
  end_reading (frame);
  forget_frame (frame);
  frame_free (frame);
  sub_link_unref (link);
}

uint64_t
xmem_frame_get_sequence (const struct xmem_frame *frame)
{
  return frame->sequence;
}

uint64_t
xmem_frame_get_published_ns (const struct xmem_frame *frame)
{
  return frame->published_ns;
}

const struct xmem_frame_info *
xmem_frame_get_info (const struct xmem_frame *frame)
{
  return &frame->info;
}

const struct xmem_stream_info *
xmem_frame_get_stream (const struct xmem_frame *frame)
{
  return &frame->stream->info;
}

uint32_t
xmem_frame_get_epoch (const struct xmem_frame *frame)
{
  return frame->stream->epoch;
}

size_t
xmem_frame_get_n_regions (const struct xmem_frame *frame)
{
  return frame->n_regions;
}

const struct xmem_region *
xmem_frame_get_region (const struct xmem_frame *frame, size_t index)
{
  return &frame->regions[index];
}

const void *
xmem_frame_get_data (const struct xmem_frame *frame, size_t index)
{
  const struct xmem_region *region = &frame->regions[index];
  uint8_t *data = xmem_segment_get_data (region->segment);

  if (!data)
    return NULL;
  if (region->segment->is_dmabuf) {
    xmem_dmabuf_begin_read (region->segment->fd);
    atomic_fetch_or (
        &((struct xmem_frame *) (uintptr_t) frame)->reading, 1u << index);
  }
  return data + region->offset;
}

/* --- the link ------------------------------------------------------------ */

struct sub_link *
sub_link_new (struct xmem_connection *take_connection)
{
  struct sub_link *link = calloc (1, sizeof (*link));

  if (!link) {
    xmem_connection_close (take_connection);
    return NULL;
  }
  atomic_init (&link->refs, 1);
  pthread_mutex_init (&link->lock, NULL);
  link->connection = *take_connection;
  return link;
}

static void
send_detach (struct sub_link *link)
{
  struct xmem_wire_message m = { .type = XMEM_WIRE_DETACH };
  struct xmem_packet *packet;

  for (struct xmem_frame *f = link->frames;
       f && m.sequences.n < XMEM_WIRE_MAX_SEQUENCES; f = f->next)
    m.sequences.sequences[m.sequences.n++] = f->sequence;
  link->n_released = 0; /* what is not kept is released */
  packet = xmem_packet_new (&m, -1);
  if (packet)
    (void) xmem_connection_send (&link->connection, packet);
  xmem_packet_unref (packet);
}

void
sub_link_leave (struct sub_link *link)
{
  pthread_mutex_lock (&link->lock);
  link->left = true;
  if (link->frames)
    send_detach (link);
  else
    xmem_connection_close (&link->connection);
  pthread_mutex_unlock (&link->lock);
  /* Without the lock: a device's memory goes after the work on it, and frames
   * are released meanwhile. */
  while (link->n_segments > 0)
    drop_segment (link, &link->segments[link->n_segments - 1]);
  stream_unref (xmem_steal_ptr (link->stream));
  sub_link_unref (link);
}

void
sub_link_unref (struct sub_link *link)
{
  if (atomic_fetch_sub_explicit (&link->refs, 1, memory_order_acq_rel) != 1)
    return;
  xmem_connection_close (&link->connection);
  pthread_mutex_destroy (&link->lock);
  free (link);
}
