/* SPDX-License-Identifier: MIT */
/* Comparing messages, field by field. Keeps no state. */
#include "harness/messages.h"

#include <string.h>

static bool
bytes_equal (const void *a, size_t a_size, const void *b, size_t b_size)
{
  return a_size == b_size && (a_size == 0 || memcmp (a, b, a_size) == 0);
}

static bool
text_equal (const struct xmem_wire_text *a, const struct xmem_wire_text *b)
{
  return !a->data == !b->data
         && bytes_equal (a->data, a->size, b->data, b->size);
}

static bool
hello_equal (const struct xmem_wire_hello *a, const struct xmem_wire_hello *b)
{
  return a->version_min == b->version_min && a->version_max == b->version_max
         && a->n_buffers == b->n_buffers && a->features == b->features
         && a->delivery == b->delivery && a->pid == b->pid
         && text_equal (&a->name, &b->name);
}

static bool
segment_equal (
    const struct xmem_wire_segment *a, const struct xmem_wire_segment *b)
{
  return a->id == b->id && a->kind == b->kind && a->size == b->size
         && memcmp (
                &a->cuda, &b->cuda, offsetof (struct xmem_wire_cuda, events))
                == 0
         && bytes_equal (a->cuda.events,
             a->cuda.n_events * (size_t) XMEM_WIRE_CUDA_HANDLE, b->cuda.events,
             b->cuda.n_events * (size_t) XMEM_WIRE_CUDA_HANDLE);
}

static bool
stream_equal (
    const struct xmem_wire_stream *a, const struct xmem_wire_stream *b)
{
  return a->epoch == b->epoch && a->base_time_ns == b->base_time_ns
         && a->latency_ns == b->latency_ns && text_equal (&a->caps, &b->caps)
         && a->caps_fd_size == b->caps_fd_size;
}

static bool
info_equal (const struct xmem_frame_info *a, const struct xmem_frame_info *b)
{
  return a->pts == b->pts && a->dts == b->dts && a->duration == b->duration
         && a->raw_pts == b->raw_pts && a->offset == b->offset
         && a->offset_end == b->offset_end && a->capture_ns == b->capture_ns
         && a->flags == b->flags
         && memcmp (&a->description, &b->description, sizeof (a->description))
                == 0
         && bytes_equal (a->metas, a->metas_size, b->metas, b->metas_size);
}

static bool
region_equal (
    const struct xmem_wire_region *a, const struct xmem_wire_region *b)
{
  return a->segment == b->segment && a->slot == b->slot
         && a->generation == b->generation && a->offset == b->offset
         && a->size == b->size;
}

static bool
frame_equal (const struct xmem_wire_frame *a, const struct xmem_wire_frame *b)
{
  if (a->n_regions != b->n_regions)
    return false;
  for (uint32_t i = 0; i < a->n_regions; i++)
    if (!region_equal (&a->regions[i], &b->regions[i]))
      return false;
  return a->sequence == b->sequence && a->published_ns == b->published_ns
         && a->epoch == b->epoch && a->metas_fd_size == b->metas_fd_size
         && info_equal (&a->info, &b->info);
}

static bool
event_equal (const struct xmem_wire_event *a, const struct xmem_wire_event *b)
{
  return a->kind == b->kind && a->flags == b->flags
         && text_equal (&a->name, &b->name)
         && bytes_equal (a->data, a->size, b->data, b->size)
         && a->data_fd_size == b->data_fd_size;
}

bool
messages_equal (
    const struct xmem_wire_message *a, const struct xmem_wire_message *b)
{
  if (a->type != b->type)
    return false;
  switch (a->type) {
    case XMEM_WIRE_HELLO:
      return hello_equal (&a->hello, &b->hello);
    case XMEM_WIRE_WELCOME:
      return a->welcome.version == b->welcome.version
             && a->welcome.grant == b->welcome.grant
             && a->welcome.features == b->welcome.features
             && a->welcome.pid == b->welcome.pid;
    case XMEM_WIRE_ERROR:
      return a->error.status == b->error.status
             && text_equal (&a->error.text, &b->error.text);
    case XMEM_WIRE_SEGMENT:
      return segment_equal (&a->segment, &b->segment);
    case XMEM_WIRE_RETIRE:
      return a->retire == b->retire;
    case XMEM_WIRE_STREAM:
      return stream_equal (&a->stream, &b->stream);
    case XMEM_WIRE_FRAME:
      return frame_equal (&a->frame, &b->frame);
    case XMEM_WIRE_RELEASE:
    case XMEM_WIRE_DETACH:
      return bytes_equal (a->sequences.sequences,
          a->sequences.n * sizeof (uint64_t), b->sequences.sequences,
          b->sequences.n * sizeof (uint64_t));
    case XMEM_WIRE_EVENT:
      return event_equal (&a->event, &b->event);
    case XMEM_WIRE_EOS:
      return a->eos == b->eos;
    case XMEM_WIRE_BYE:
      return a->bye == b->bye;
  }
  return false;
}
