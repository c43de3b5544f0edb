/* SPDX-License-Identifier: MIT */
/* What is out: frames, the streams they belong to, the segments they lie in.
 *
 * Owns the reference counts of these three and the segment table. Knows
 * clients only as a list to tell a segment's end to. With the publisher's
 * lock held throughout. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "mem/memfd.h"
#include "peer/pub-private.h"

/* --- streams ------------------------------------------------------------- */

int
pub_stream_new (struct xmem_publisher *pub, const struct xmem_stream_info *info,
    struct pub_stream **stream_out, struct xmem_error *error)
{
  size_t size = info->caps ? strlen (info->caps) : 0;
  struct xmem_wire_message m = { .type = XMEM_WIRE_STREAM };
  struct pub_stream *stream;
  int fd = -1, r;

  if (size > XMEM_MAX_CAPS)
    return xmem_error_set (error, XMEM_INVALID, 0,
        "caps of %zu bytes: at most %d are possible", size, XMEM_MAX_CAPS);
  m.stream.epoch = ++pub->next_epoch;
  m.stream.base_time_ns = info->base_time_ns;
  m.stream.latency_ns = info->latency_ns;
  if (size > XMEM_WIRE_MAX_INLINE_CAPS) {
    r = xmem_memfd_from_bytes (info->caps, size, &fd, error);
    if (r != 0)
      return r;
    m.stream.caps_fd_size = size;
  } else {
    m.stream.caps = (struct xmem_wire_text){ info->caps, size };
  }
  stream = calloc (1, sizeof (*stream));
  if (stream) {
    stream->packet = xmem_packet_new (&m, fd);
    stream->caps = info->caps ? strdup (info->caps) : NULL;
    stream->refs = 1;
  }
  if (!stream || !stream->packet || (info->caps && !stream->caps)) {
    pub_stream_unref (stream);
    return xmem_error_set (error, XMEM_NO_MEMORY, 0, "no memory for caps");
  }
  stream->epoch = m.stream.epoch;
  stream->base_time_ns = info->base_time_ns;
  stream->latency_ns = info->latency_ns;
  *stream_out = stream;
  return 0;
}

void
pub_stream_unref (struct pub_stream *stream)
{
  if (!stream || --stream->refs > 0)
    return;
  xmem_packet_unref (stream->packet);
  free (stream->caps);
  free (stream);
}

/* --- segments ------------------------------------------------------------ */

static struct xmem_packet *
segment_packet (
    uint32_t id, const struct xmem_segment *segment, struct xmem_error *error)
{
  struct xmem_wire_message m = { .type = XMEM_WIRE_SEGMENT,
    .segment = { id,
        segment->is_dmabuf ? XMEM_WIRE_SEGMENT_DMABUF : XMEM_WIRE_SEGMENT_MEMFD,
        segment->size } };
  int shared_fd = segment->fd;
  struct xmem_packet *packet;
  int fd = -1;

  if (segment->cuda)
    pub_cuda_describe (segment, &m.segment, &shared_fd);
  if (shared_fd >= 0)
    fd = fcntl (shared_fd, F_DUPFD_CLOEXEC, 0);
  if (shared_fd >= 0 && fd < 0) {
    xmem_error_set (
        error, XMEM_SYSTEM, errno, "cannot duplicate a segment's fd");
    return NULL;
  }
  packet = xmem_packet_new (&m, fd);
  if (!packet)
    xmem_error_set (error, XMEM_NO_MEMORY, 0, "no memory for a segment");
  return packet;
}

/* Finds the segment's place in the table, or makes one. */
static int
segment_place (struct xmem_publisher *pub, struct xmem_segment *segment,
    unsigned *place_out, struct xmem_error *error)
{
  struct pub_segment *entry;
  unsigned i, empty = pub->segments_end;

  for (i = 0; i < pub->segments_end; i++) {
    if (pub->segments[i].segment == segment) {
      *place_out = i;
      return 0;
    }
    if (!pub->segments[i].segment && empty == pub->segments_end)
      empty = i;
  }
  if (empty == XMEM_PUB_MAX_SEGMENTS)
    return xmem_error_set (error, XMEM_FULL, 0,
        "no room to announce more than %d segments", XMEM_PUB_MAX_SEGMENTS);
  entry = &pub->segments[empty];
  entry->packet = segment_packet (pub->next_segment_id + 1, segment, error);
  if (!entry->packet)
    return error->status;
  entry->id = ++pub->next_segment_id;
  entry->segment = xmem_segment_ref (segment);
  entry->n_frames = 0;
  if (empty == pub->segments_end)
    pub->segments_end++;
  pub->stats.n_segments++;
  *place_out = empty;
  return 0;
}

static void
forget_segment (struct xmem_publisher *pub, unsigned place)
{
  struct pub_segment *entry = &pub->segments[place];
  struct xmem_wire_message m = { .type = XMEM_WIRE_RETIRE };
  uint64_t bit = UINT64_C (1) << (place % 64);
  struct xmem_packet *packet;

  m.retire = entry->id;
  packet = xmem_packet_new (&m, -1);
  for (struct pub_client *c = pub->clients; c; c = c->next) {
    if (packet && c->has_segment[place / 64] & bit)
      pub_client_send (pub, c, packet);
    c->has_segment[place / 64] &= ~bit;
  }
  xmem_packet_unref (packet);
  xmem_packet_unref (entry->packet);
  pub->dropped[pub->n_dropped++] = entry->segment;
  memset (entry, 0, sizeof (*entry));
  pub->stats.n_segments--;
}

void
pub_retire_segments (struct xmem_publisher *pub, bool all)
{
  for (unsigned i = 0; i < pub->segments_end; i++) {
    struct pub_segment *entry = &pub->segments[i];

    if (entry->segment && entry->n_frames == 0
        && pub->n_dropped < XMEM_PUB_MAX_SEGMENTS
        && (all || xmem_segment_is_retired (entry->segment)))
      forget_segment (pub, i);
  }
}

/* --- frames -------------------------------------------------------------- */

static int
place_regions (struct xmem_publisher *pub, const struct xmem_publish *publish,
    struct pub_frame *frame, struct xmem_wire_frame *wire,
    struct xmem_error *error)
{
  for (size_t i = 0; i < publish->n_regions; i++) {
    const struct xmem_region *region = &publish->regions[i];
    unsigned place = 0;
    int r;

    if (region->segment->is_named)
      return xmem_error_set (error, XMEM_REFUSED, 0,
          "CUDA memory of a named pool cannot be served: its events cannot "
          "cross");
    if (region->segment->fd < 0 && !region->segment->cuda)
      return xmem_error_set (error, XMEM_REFUSED, 0,
          "memory of a named pool cannot be served: its file cannot be sealed");
    if (!xmem_segment_contains (region->segment, region->offset, region->size))
      return xmem_error_set (
          error, XMEM_INVALID, 0, "region %zu lies outside its segment", i);
    r = segment_place (pub, region->segment, &place, error);
    if (r != 0)
      return r;
    frame->segments[frame->n_segments++] = (uint16_t) place;
    frame->in_dmabuf |= region->segment->is_dmabuf;
    frame->in_cuda |= region->segment->cuda != NULL;
    pub->segments[place].n_frames++;
    wire->regions[i].segment = pub->segments[place].id;
    wire->regions[i].slot = (uint32_t) region->id;
    wire->regions[i].generation = (uint32_t) (region->id >> 32);
    wire->regions[i].offset = region->offset;
    wire->regions[i].size = region->size;
  }
  wire->n_regions = (uint32_t) publish->n_regions;
  return 0;
}

static void
frame_free (struct xmem_publisher *pub, struct pub_frame *frame)
{
  for (unsigned i = 0; i < frame->n_segments; i++)
    pub->segments[frame->segments[i]].n_frames--;
  pub_stream_unref (frame->stream);
  xmem_packet_unref (frame->packet);
  free (frame);
}

/* Puts metas too large for the message into a memfd, one for all clients; it
 * lives as long as the frame's packet. */
static int
place_metas (
    struct xmem_wire_frame *wire, int *fd_out, struct xmem_error *error)
{
  struct xmem_frame_info *info = &wire->info;
  int r;

  if (info->metas_size <= XMEM_WIRE_MAX_INLINE_METAS)
    return 0;
  if (info->metas_size > XMEM_MAX_METAS)
    return xmem_error_set (error, XMEM_INVALID, 0,
        "metas of %zu bytes: at most %d are possible", info->metas_size,
        XMEM_MAX_METAS);
  r = xmem_memfd_from_bytes (info->metas, info->metas_size, fd_out, error);
  if (r != 0)
    return r;
  wire->metas_fd_size = info->metas_size;
  info->metas_size = 0;
  return 0;
}

static int
encode_frame (struct xmem_publisher *pub, const struct xmem_publish *publish,
    struct pub_frame *frame, struct xmem_error *error)
{
  struct xmem_wire_message m = { .type = XMEM_WIRE_FRAME };
  int fd = -1, r;

  r = place_regions (pub, publish, frame, &m.frame, error);
  m.frame.info = *publish->info;
  if (r == 0)
    r = place_metas (&m.frame, &fd, error);
  if (r != 0)
    return r;
  m.frame.sequence = frame->sequence = pub->next_sequence;
  m.frame.published_ns = (uint64_t) xmem_clock_now ();
  m.frame.epoch = frame->stream->epoch;
  frame->packet = xmem_packet_new (&m, fd);
  if (!frame->packet)
    return xmem_error_set (
        error, XMEM_INVALID, 0, "the frame's description is out of bounds");
  return 0;
}

int
pub_frame_new (struct xmem_publisher *pub, const struct xmem_publish *publish,
    bool complete, struct pub_frame **frame_out, struct xmem_error *error)
{
  struct pub_frame *frame = calloc (1, sizeof (*frame));
  int r;

  if (!frame)
    return xmem_error_set (error, XMEM_NO_MEMORY, 0, "no memory for a frame");
  frame->refs = 1;
  frame->flags = publish->info->flags;
  frame->complete = complete;
  frame->stream = pub->stream;
  frame->stream->refs++;
  r = encode_frame (pub, publish, frame, error);
  if (r != 0) {
    frame_free (pub, frame);
    return r;
  }
  frame->done = publish->done;
  frame->done_data = publish->done_data;
  pub->next_sequence++;
  pub->stats.frames_held++;
  pub->n_frames++;
  *frame_out = frame;
  return 0;
}

void
pub_frame_unref (struct xmem_publisher *pub, struct pub_frame *frame)
{
  if (--frame->refs > 0) {
    if (frame == pub->last)
      pthread_cond_broadcast (&pub->changed);
    return;
  }
  pub->stats.frames_held--;
  frame->next_done = pub->done_frames;
  pub->done_frames = frame;
}

static void
give_back_segments (struct xmem_publisher *pub)
{
  struct xmem_segment *dropped[XMEM_PUB_MAX_SEGMENTS];
  unsigned n;

  pthread_mutex_lock (&pub->lock);
  n = pub->n_dropped;
  memcpy (dropped, pub->dropped, n * sizeof (dropped[0]));
  pub->n_dropped = 0;
  pthread_mutex_unlock (&pub->lock);
  while (n > 0)
    xmem_segment_unref (dropped[--n]);
}

static void
finish_frames (struct xmem_publisher *pub, struct pub_frame *frames)
{
  struct pub_frame *next;

  for (struct pub_frame *f = frames; f; f = f->next_done)
    if (f->done)
      f->done (f->done_data);
  pthread_mutex_lock (&pub->lock);
  for (; frames; frames = next) {
    next = frames->next_done;
    frame_free (pub, frames);
    pub->n_frames--;
  }
  if (pub->n_frames == pub_replay_count (pub))
    pthread_cond_broadcast (&pub->changed);
  pub_retire_segments (pub, false);
  pthread_mutex_unlock (&pub->lock);
}

void
pub_run_done (struct xmem_publisher *pub)
{
  struct pub_frame *frames;
  bool any_dropped;

  pthread_mutex_lock (&pub->lock);
  frames = xmem_steal_ptr (pub->done_frames);
  any_dropped = pub->n_dropped > 0;
  pthread_mutex_unlock (&pub->lock);
  if (frames)
    finish_frames (pub, frames);
  if (frames || any_dropped)
    give_back_segments (pub);
}
