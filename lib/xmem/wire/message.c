/* SPDX-License-Identifier: MIT */
/* Encoding and decoding, one pair of functions per message. Keeps no state.
 *
 * A message is a header {type u16, flags u16, length u32}, a fixed part whose
 * size is a multiple of 8, and TLVs {type u16, flags u16, length u32, bytes,
 * padding to 8}. Unknown TLVs and unknown messages are skipped unless their
 * flags say MUST. */
#include "wire/message.h"

#include <string.h>

#include "base/bytes.h"

#define FLAG_MUST 1
#define HEADER_SIZE 8
#define MAX_TEXT 1024 /* of an ERROR */

enum tlv_type {
  TLV_NAME = 1,
  TLV_TEXT = 2,
  TLV_CAPS = 3,
  TLV_CAPS_FD = 4,
  TLV_DESCRIPTION = 5,
  TLV_METAS = 6,
  TLV_METAS_FD = 7,
  TLV_EVENT = 8,
  TLV_EVENT_FD = 9,
  TLV_CUDA_DEVICE = 25,
  TLV_CUDA_ALLOCATION = 26,
  TLV_CUDA_HANDLE = 27,
  TLV_CUDA_EVENTS = 28,
};

struct tlv {
  uint16_t type;
  uint16_t flags;
  struct xmem_reader value;
};

/* --- TLVs ---------------------------------------------------------------- */

static void
put_tlv_header (
    struct xmem_writer *w, uint16_t type, uint16_t flags, size_t size)
{
  xmem_writer_u16 (w, type);
  xmem_writer_u16 (w, flags);
  xmem_writer_u32 (w, (uint32_t) size);
}

static void
put_tlv (struct xmem_writer *w, uint16_t type, const void *data, size_t size)
{
  if (!data)
    return;
  put_tlv_header (w, type, 0, size);
  xmem_writer_put (w, data, size);
  xmem_writer_zeros (w, -size & 7);
}

static bool
text_valid (const struct xmem_wire_text *text, size_t max)
{
  return text->size <= max && !memchr (text->data, 0, text->size);
}

static void
put_text (struct xmem_writer *w, uint16_t type,
    const struct xmem_wire_text *text, size_t max)
{
  if (text->data && !text_valid (text, max))
    w->failed = true;
  put_tlv (w, type, text->data, text->size);
}

/* The next TLV; false at the end or on bytes that are none. */
static bool
next_tlv (struct xmem_reader *r, struct tlv *tlv)
{
  uint32_t size;

  if (r->left == 0)
    return false;
  tlv->type = xmem_reader_u16 (r);
  tlv->flags = xmem_reader_u16 (r);
  size = xmem_reader_u32 (r);
  tlv->value = (struct xmem_reader){ .left = size };
  tlv->value.data = xmem_reader_take (r, size);
  xmem_reader_take (r, -(size_t) size & 7);
  return !r->failed;
}

/* What a decoder does with a TLV it does not know. */
static void
unknown_tlv (struct xmem_reader *r, const struct tlv *tlv)
{
  if (tlv->flags & FLAG_MUST)
    r->failed = true;
}

static struct xmem_wire_text
tlv_text (struct xmem_reader *r, const struct tlv *tlv, size_t max)
{
  struct xmem_wire_text text = { (const char *) tlv->value.data,
    tlv->value.left };

  if (!text_valid (&text, max))
    r->failed = true;
  return text;
}

/* Reads TLVs of which none is known. */
static void
skip_tlvs (struct xmem_reader *r)
{
  struct tlv tlv;

  while (next_tlv (r, &tlv))
    unknown_tlv (r, &tlv);
}

/* Reads TLVs of which only one, a text, is known. */
static struct xmem_wire_text
get_text (struct xmem_reader *r, uint16_t type, size_t max)
{
  struct xmem_wire_text text = { NULL, 0 };
  struct tlv tlv;

  while (next_tlv (r, &tlv)) {
    if (tlv.type == type)
      text = tlv_text (r, &tlv, max);
    else
      unknown_tlv (r, &tlv);
  }
  return text;
}

/* --- descriptions -------------------------------------------------------- */

static bool
description_valid (const struct xmem_description *d)
{
  return d->dtype <= XMEM_DTYPE_F64 && d->ndim <= XMEM_MAX_DIMS;
}

static void
put_description (struct xmem_writer *w, const struct xmem_description *d)
{
  if (d->content_type == 0 && d->dtype == 0 && d->ndim == 0)
    return;
  if (!description_valid (d))
    w->failed = true;
  put_tlv_header (w, TLV_DESCRIPTION, 0, 8 + 16 * (size_t) d->ndim);
  xmem_writer_u32 (w, d->content_type);
  xmem_writer_u16 (w, d->dtype);
  xmem_writer_u16 (w, d->ndim);
  for (unsigned i = 0; i < d->ndim && !w->failed; i++) {
    xmem_writer_u64 (w, d->shape[i]);
    xmem_writer_u64 (w, (uint64_t) d->strides[i]);
  }
}

static void
get_description (
    struct xmem_reader *r, struct tlv *tlv, struct xmem_description *d)
{
  struct xmem_reader *v = &tlv->value;

  memset (d, 0, sizeof (*d)); /* a second one replaces the first */
  d->content_type = xmem_reader_u32 (v);
  d->dtype = xmem_reader_u16 (v);
  d->ndim = xmem_reader_u16 (v);
  if (!description_valid (d)) {
    d->ndim = 0;
    v->failed = true;
  }
  for (unsigned i = 0; i < d->ndim; i++) {
    d->shape[i] = xmem_reader_u64 (v);
    d->strides[i] = (int64_t) xmem_reader_u64 (v);
  }
  if (v->failed || v->left != 0)
    r->failed = true;
}

/* --- messages ------------------------------------------------------------ */

static void
put_hello (struct xmem_writer *w, const struct xmem_wire_hello *m)
{
  xmem_writer_u16 (w, m->version_min);
  xmem_writer_u16 (w, m->version_max);
  xmem_writer_u32 (w, m->n_buffers);
  xmem_writer_u64 (w, m->features);
  xmem_writer_u32 (w, m->delivery);
  xmem_writer_u32 (w, m->pid);
  put_text (w, TLV_NAME, &m->name, XMEM_WIRE_MAX_NAME);
}

static void
get_hello (struct xmem_reader *r, struct xmem_wire_hello *m)
{
  m->version_min = xmem_reader_u16 (r);
  m->version_max = xmem_reader_u16 (r);
  m->n_buffers = xmem_reader_u32 (r);
  m->features = xmem_reader_u64 (r);
  m->delivery = xmem_reader_u32 (r);
  m->pid = xmem_reader_u32 (r);
  m->name = get_text (r, TLV_NAME, XMEM_WIRE_MAX_NAME);
  if (m->version_min > m->version_max || m->n_buffers == 0)
    r->failed = true;
}

static void
put_welcome (struct xmem_writer *w, const struct xmem_wire_welcome *m)
{
  xmem_writer_u16 (w, m->version);
  xmem_writer_u16 (w, 0);
  xmem_writer_u32 (w, m->grant);
  xmem_writer_u64 (w, m->features);
  xmem_writer_u32 (w, m->pid);
  xmem_writer_u32 (w, 0);
}

static void
get_welcome (struct xmem_reader *r, struct xmem_wire_welcome *m)
{
  m->version = xmem_reader_u16 (r);
  xmem_reader_u16 (r);
  m->grant = xmem_reader_u32 (r);
  m->features = xmem_reader_u64 (r);
  m->pid = xmem_reader_u32 (r);
  xmem_reader_u32 (r);
  skip_tlvs (r);
  if (m->grant == 0)
    r->failed = true;
}

static void
put_error (struct xmem_writer *w, const struct xmem_wire_error *m)
{
  xmem_writer_u32 (w, (uint32_t) m->status);
  xmem_writer_u32 (w, 0);
  put_text (w, TLV_TEXT, &m->text, MAX_TEXT);
}

static void
get_error (struct xmem_reader *r, struct xmem_wire_error *m)
{
  m->status = (int32_t) xmem_reader_u32 (r);
  xmem_reader_u32 (r);
  m->text = get_text (r, TLV_TEXT, MAX_TEXT);
}

static bool
is_cuda (uint32_t kind)
{
  return kind == XMEM_WIRE_SEGMENT_CUDA_VMM
         || kind == XMEM_WIRE_SEGMENT_CUDA_LEGACY;
}

/* Whether each event has bytes of the segment that it belongs to. */
static bool
cuda_events_valid (const struct xmem_wire_segment *m)
{
  return m->cuda.n_events == 0
         || (m->cuda.n_events <= XMEM_WIRE_MAX_CUDA_EVENTS
             && m->cuda.slot_size > 0
             && m->cuda.slot_size <= m->size / m->cuda.n_events);
}

static void
put_cuda (struct xmem_writer *w, const struct xmem_wire_segment *m)
{
  const struct xmem_wire_cuda *cuda = &m->cuda;
  size_t size = (size_t) cuda->n_events * XMEM_WIRE_CUDA_HANDLE;

  if (!cuda_events_valid (m)) {
    w->failed = true;
    return;
  }
  put_tlv_header (w, TLV_CUDA_DEVICE, 0, 2 * XMEM_WIRE_CUDA_UUID);
  xmem_writer_put (w, cuda->device, XMEM_WIRE_CUDA_UUID);
  xmem_writer_put (w, cuda->gpu, XMEM_WIRE_CUDA_UUID);
  put_tlv (w, TLV_CUDA_ALLOCATION, cuda->allocation, XMEM_WIRE_CUDA_UUID);
  if (m->kind == XMEM_WIRE_SEGMENT_CUDA_LEGACY)
    put_tlv (w, TLV_CUDA_HANDLE, cuda->handle, XMEM_WIRE_CUDA_HANDLE);
  if (cuda->n_events > 0) {
    put_tlv_header (w, TLV_CUDA_EVENTS, 0, 8 + size);
    xmem_writer_u64 (w, cuda->slot_size);
    xmem_writer_put (w, cuda->events, size);
  }
}

static void
put_segment (struct xmem_writer *w, const struct xmem_wire_segment *m)
{
  xmem_writer_u32 (w, m->id);
  xmem_writer_u32 (w, m->kind);
  xmem_writer_u64 (w, m->size);
  if (is_cuda (m->kind))
    put_cuda (w, m);
}

/* The whole of a value that has this size. */
static void
get_exactly (struct xmem_reader *r, struct tlv *tlv, uint8_t *to, size_t size)
{
  if (tlv->value.left == size)
    memcpy (to, tlv->value.data, size);
  else
    r->failed = true;
}

static void
get_cuda_device (
    struct xmem_reader *r, struct tlv *tlv, struct xmem_wire_cuda *cuda)
{
  uint8_t both[2 * XMEM_WIRE_CUDA_UUID] = { 0 };

  get_exactly (r, tlv, both, sizeof (both));
  memcpy (cuda->device, both, XMEM_WIRE_CUDA_UUID);
  memcpy (cuda->gpu, both + XMEM_WIRE_CUDA_UUID, XMEM_WIRE_CUDA_UUID);
}

static void
get_cuda_events (
    struct xmem_reader *r, struct tlv *tlv, struct xmem_wire_cuda *cuda)
{
  cuda->slot_size = xmem_reader_u64 (&tlv->value);
  cuda->n_events = (uint32_t) (tlv->value.left / XMEM_WIRE_CUDA_HANDLE);
  cuda->events = tlv->value.data;
  if (tlv->value.failed || cuda->n_events == 0
      || tlv->value.left % XMEM_WIRE_CUDA_HANDLE != 0)
    r->failed = true;
}

/* Returns which of the TLVs that there must be were there. */
static unsigned
get_cuda (struct xmem_reader *r, struct xmem_wire_cuda *cuda)
{
  unsigned seen = 0;
  struct tlv tlv;

  while (next_tlv (r, &tlv)) {
    if (tlv.type == TLV_CUDA_DEVICE)
      get_cuda_device (r, &tlv, cuda);
    else if (tlv.type == TLV_CUDA_ALLOCATION)
      get_exactly (r, &tlv, cuda->allocation, sizeof (cuda->allocation));
    else if (tlv.type == TLV_CUDA_HANDLE)
      get_exactly (r, &tlv, cuda->handle, sizeof (cuda->handle));
    else if (tlv.type == TLV_CUDA_EVENTS)
      get_cuda_events (r, &tlv, cuda);
    else
      unknown_tlv (r, &tlv);
    if (tlv.type >= TLV_CUDA_DEVICE && tlv.type <= TLV_CUDA_HANDLE)
      seen |= 1u << (tlv.type - TLV_CUDA_DEVICE);
  }
  return seen;
}

static void
get_segment (struct xmem_reader *r, struct xmem_wire_segment *m)
{
  unsigned wanted;

  memset (&m->cuda, 0, sizeof (m->cuda));
  m->id = xmem_reader_u32 (r);
  m->kind = xmem_reader_u32 (r);
  m->size = xmem_reader_u64 (r);
  wanted = m->kind == XMEM_WIRE_SEGMENT_CUDA_LEGACY ? 7 : 3;
  if (!is_cuda (m->kind))
    skip_tlvs (r);
  else if ((get_cuda (r, &m->cuda) & wanted) != wanted
           || !cuda_events_valid (m))
    r->failed = true;
  if (m->kind == XMEM_WIRE_SEGMENT_CUDA_VMM)
    memset (m->cuda.handle, 0, sizeof (m->cuda.handle)); /* not for it */
  if ((m->kind != XMEM_WIRE_SEGMENT_MEMFD && m->kind != XMEM_WIRE_SEGMENT_DMABUF
          && !is_cuda (m->kind))
      || m->size == 0)
    r->failed = true;
}

static void
put_retire (struct xmem_writer *w, uint32_t id)
{
  xmem_writer_u32 (w, id);
  xmem_writer_u32 (w, 0);
}

static uint32_t
get_retire (struct xmem_reader *r)
{
  uint32_t id = xmem_reader_u32 (r);

  xmem_reader_u32 (r);
  skip_tlvs (r);
  return id;
}

static void
put_stream (struct xmem_writer *w, const struct xmem_wire_stream *m)
{
  xmem_writer_u32 (w, m->epoch);
  xmem_writer_u32 (w, 0);
  xmem_writer_u64 (w, m->base_time_ns);
  xmem_writer_u64 (w, m->latency_ns);
  put_text (w, TLV_CAPS, &m->caps, XMEM_WIRE_MAX_INLINE_CAPS);
  if (m->caps_fd_size > XMEM_MAX_CAPS)
    w->failed = true;
  if (m->caps_fd_size > 0) {
    put_tlv_header (w, TLV_CAPS_FD, 0, 8);
    xmem_writer_u64 (w, m->caps_fd_size);
  }
}

static void
get_stream (struct xmem_reader *r, struct xmem_wire_stream *m)
{
  struct tlv tlv;

  memset (m, 0, sizeof (*m));
  m->epoch = xmem_reader_u32 (r);
  xmem_reader_u32 (r);
  m->base_time_ns = xmem_reader_u64 (r);
  m->latency_ns = xmem_reader_u64 (r);
  while (next_tlv (r, &tlv)) {
    if (tlv.type == TLV_CAPS) {
      m->caps = tlv_text (r, &tlv, XMEM_WIRE_MAX_INLINE_CAPS);
    } else if (tlv.type == TLV_CAPS_FD) {
      m->caps_fd_size = xmem_reader_u64 (&tlv.value);
      r->failed |= tlv.value.failed;
    } else {
      unknown_tlv (r, &tlv);
    }
  }
  if (m->caps_fd_size > XMEM_MAX_CAPS)
    r->failed = true;
}

/* A reader that does not know of the descriptor must not take the frame. */
static void
put_metas (struct xmem_writer *w, const struct xmem_wire_frame *m)
{
  if (m->info.metas_size > XMEM_WIRE_MAX_INLINE_METAS
      || m->metas_fd_size > XMEM_MAX_METAS)
    w->failed = true;
  if (m->info.metas_size > 0)
    put_tlv (w, TLV_METAS, m->info.metas, m->info.metas_size);
  if (m->metas_fd_size > 0) {
    put_tlv_header (w, TLV_METAS_FD, FLAG_MUST, 8);
    xmem_writer_u64 (w, m->metas_fd_size);
  }
}

static void
put_frame (struct xmem_writer *w, const struct xmem_wire_frame *m)
{
  const struct xmem_frame_info *info = &m->info;

  xmem_writer_u64 (w, m->sequence);
  xmem_writer_u64 (w, m->published_ns);
  xmem_writer_u64 (w, (uint64_t) info->pts);
  xmem_writer_u64 (w, (uint64_t) info->dts);
  xmem_writer_u64 (w, info->duration);
  xmem_writer_u64 (w, info->raw_pts);
  xmem_writer_u64 (w, info->offset);
  xmem_writer_u64 (w, info->offset_end);
  xmem_writer_u64 (w, info->capture_ns);
  xmem_writer_u32 (w, info->flags);
  xmem_writer_u32 (w, m->epoch);
  xmem_writer_u32 (w, m->n_regions);
  xmem_writer_u32 (w, 0);
  if (m->n_regions > XMEM_MAX_REGIONS)
    w->failed = true;
  for (uint32_t i = 0; i < m->n_regions && !w->failed; i++) {
    xmem_writer_u32 (w, m->regions[i].segment);
    xmem_writer_u32 (w, m->regions[i].slot);
    xmem_writer_u32 (w, m->regions[i].generation);
    xmem_writer_u32 (w, 0);
    xmem_writer_u64 (w, m->regions[i].offset);
    xmem_writer_u64 (w, m->regions[i].size);
  }
  put_description (w, &info->description);
  put_metas (w, m);
}

static void
get_frame_tlvs (struct xmem_reader *r, struct xmem_wire_frame *m)
{
  struct xmem_frame_info *info = &m->info;
  struct tlv tlv;

  while (next_tlv (r, &tlv)) {
    if (tlv.type == TLV_DESCRIPTION) {
      get_description (r, &tlv, &info->description);
    } else if (tlv.type == TLV_METAS) {
      info->metas = tlv.value.data;
      info->metas_size = tlv.value.left;
    } else if (tlv.type == TLV_METAS_FD) {
      m->metas_fd_size = xmem_reader_u64 (&tlv.value);
      r->failed |= tlv.value.failed;
    } else {
      unknown_tlv (r, &tlv);
    }
  }
  if (info->metas_size > XMEM_WIRE_MAX_INLINE_METAS
      || m->metas_fd_size > XMEM_MAX_METAS)
    r->failed = true;
}

static void
get_frame (struct xmem_reader *r, struct xmem_wire_frame *m)
{
  struct xmem_frame_info *info = &m->info;

  xmem_frame_info_init (info);
  m->metas_fd_size = 0;
  m->sequence = xmem_reader_u64 (r);
  m->published_ns = xmem_reader_u64 (r);
  info->pts = (int64_t) xmem_reader_u64 (r);
  info->dts = (int64_t) xmem_reader_u64 (r);
  info->duration = xmem_reader_u64 (r);
  info->raw_pts = xmem_reader_u64 (r);
  info->offset = xmem_reader_u64 (r);
  info->offset_end = xmem_reader_u64 (r);
  info->capture_ns = xmem_reader_u64 (r);
  info->flags = xmem_reader_u32 (r);
  m->epoch = xmem_reader_u32 (r);
  m->n_regions = xmem_reader_u32 (r);
  xmem_reader_u32 (r);
  if (m->n_regions > XMEM_MAX_REGIONS) {
    m->n_regions = 0;
    r->failed = true;
  }
  for (uint32_t i = 0; i < m->n_regions; i++) {
    m->regions[i].segment = xmem_reader_u32 (r);
    m->regions[i].slot = xmem_reader_u32 (r);
    m->regions[i].generation = xmem_reader_u32 (r);
    xmem_reader_u32 (r);
    m->regions[i].offset = xmem_reader_u64 (r);
    m->regions[i].size = xmem_reader_u64 (r);
  }
  get_frame_tlvs (r, m);
}

static void
put_sequences (struct xmem_writer *w, const struct xmem_wire_sequences *m)
{
  xmem_writer_u32 (w, m->n);
  xmem_writer_u32 (w, 0);
  if (m->n > XMEM_WIRE_MAX_SEQUENCES)
    w->failed = true;
  for (uint32_t i = 0; i < m->n && !w->failed; i++)
    xmem_writer_u64 (w, m->sequences[i]);
}

static void
get_sequences (struct xmem_reader *r, struct xmem_wire_sequences *m)
{
  m->n = xmem_reader_u32 (r);
  xmem_reader_u32 (r);
  if (m->n > XMEM_WIRE_MAX_SEQUENCES) {
    m->n = 0;
    r->failed = true;
  }
  for (uint32_t i = 0; i < m->n; i++)
    m->sequences[i] = xmem_reader_u64 (r);
  skip_tlvs (r);
}

static void
put_event (struct xmem_writer *w, const struct xmem_wire_event *m)
{
  xmem_writer_u32 (w, m->kind);
  xmem_writer_u32 (w, m->flags);
  put_text (w, TLV_NAME, &m->name, XMEM_WIRE_MAX_NAME);
  if (m->size > XMEM_WIRE_MAX_INLINE_EVENT
      || m->data_fd_size > XMEM_MAX_EVENT_DATA)
    w->failed = true;
  if (m->size > 0)
    put_tlv (w, TLV_EVENT, m->data, m->size);
  if (m->data_fd_size > 0) {
    put_tlv_header (w, TLV_EVENT_FD, 0, 8);
    xmem_writer_u64 (w, m->data_fd_size);
  }
}

static void
get_event (struct xmem_reader *r, struct xmem_wire_event *m)
{
  struct tlv tlv;

  memset (m, 0, sizeof (*m));
  m->kind = xmem_reader_u32 (r);
  m->flags = xmem_reader_u32 (r);
  while (next_tlv (r, &tlv)) {
    if (tlv.type == TLV_NAME) {
      m->name = tlv_text (r, &tlv, XMEM_WIRE_MAX_NAME);
    } else if (tlv.type == TLV_EVENT) {
      m->data = tlv.value.data;
      m->size = tlv.value.left;
    } else if (tlv.type == TLV_EVENT_FD) {
      m->data_fd_size = xmem_reader_u64 (&tlv.value);
      r->failed |= tlv.value.failed;
    } else {
      unknown_tlv (r, &tlv);
    }
  }
  if (m->size > XMEM_WIRE_MAX_INLINE_EVENT
      || m->data_fd_size > XMEM_MAX_EVENT_DATA)
    r->failed = true;
}

static void
put_u64 (struct xmem_writer *w, uint64_t value)
{
  xmem_writer_u64 (w, value);
}

static uint64_t
get_u64 (struct xmem_reader *r)
{
  uint64_t value = xmem_reader_u64 (r);

  skip_tlvs (r);
  return value;
}

/* --- all of them --------------------------------------------------------- */

static void
put_body (struct xmem_writer *w, const struct xmem_wire_message *m)
{
  switch (m->type) {
    case XMEM_WIRE_HELLO:
      put_hello (w, &m->hello);
      break;
    case XMEM_WIRE_WELCOME:
      put_welcome (w, &m->welcome);
      break;
    case XMEM_WIRE_ERROR:
      put_error (w, &m->error);
      break;
    case XMEM_WIRE_SEGMENT:
      put_segment (w, &m->segment);
      break;
    case XMEM_WIRE_RETIRE:
      put_retire (w, m->retire);
      break;
    case XMEM_WIRE_STREAM:
      put_stream (w, &m->stream);
      break;
    case XMEM_WIRE_FRAME:
      put_frame (w, &m->frame);
      break;
    case XMEM_WIRE_RELEASE:
    case XMEM_WIRE_DETACH:
      put_sequences (w, &m->sequences);
      break;
    case XMEM_WIRE_EVENT:
      put_event (w, &m->event);
      break;
    case XMEM_WIRE_EOS:
      put_u64 (w, m->eos);
      break;
    case XMEM_WIRE_BYE:
      put_u64 (w, m->bye);
      break;
  }
}

/* False for a type this version does not know. */
static bool
get_body (struct xmem_reader *r, struct xmem_wire_message *m)
{
  switch (m->type) {
    case XMEM_WIRE_HELLO:
      get_hello (r, &m->hello);
      return true;
    case XMEM_WIRE_WELCOME:
      get_welcome (r, &m->welcome);
      return true;
    case XMEM_WIRE_ERROR:
      get_error (r, &m->error);
      return true;
    case XMEM_WIRE_SEGMENT:
      get_segment (r, &m->segment);
      return true;
    case XMEM_WIRE_RETIRE:
      m->retire = get_retire (r);
      return true;
    case XMEM_WIRE_STREAM:
      get_stream (r, &m->stream);
      return true;
    case XMEM_WIRE_FRAME:
      get_frame (r, &m->frame);
      return true;
    case XMEM_WIRE_RELEASE:
    case XMEM_WIRE_DETACH:
      get_sequences (r, &m->sequences);
      return true;
    case XMEM_WIRE_EVENT:
      get_event (r, &m->event);
      return true;
    case XMEM_WIRE_EOS:
      m->eos = get_u64 (r);
      return true;
    case XMEM_WIRE_BYE:
      m->bye = get_u64 (r);
      return true;
  }
  return false;
}

size_t
xmem_wire_encode (
    const struct xmem_wire_message *message, void *bytes, size_t size)
{
  struct xmem_writer w = { .data = bytes, .size = size };
  struct xmem_writer header = { .data = bytes, .size = size };

  xmem_writer_zeros (&w, HEADER_SIZE);
  put_body (&w, message);
  if (w.failed || w.used > XMEM_WIRE_MAX_MESSAGE)
    return 0;
  xmem_writer_u16 (&header, (uint16_t) message->type);
  xmem_writer_u16 (&header, FLAG_MUST);
  xmem_writer_u32 (&header, (uint32_t) w.used);
  return w.used;
}

int
xmem_wire_decode (const void *bytes, size_t size,
    struct xmem_wire_message *message_out, struct xmem_error *error)
{
  struct xmem_reader r = { .data = bytes, .left = size };
  uint16_t type = xmem_reader_u16 (&r);
  uint16_t flags = xmem_reader_u16 (&r);
  uint32_t length = xmem_reader_u32 (&r);

  if (r.failed || length != size || size > XMEM_WIRE_MAX_MESSAGE)
    return xmem_error_set (error, XMEM_PROTOCOL, 0,
        "a message of %zu bytes says it has %u", size, length);
  message_out->type = (enum xmem_wire_type) type;
  if (!get_body (&r, message_out)) {
    if (!(flags & FLAG_MUST))
      return XMEM_STALE;
    return xmem_error_set (
        error, XMEM_PROTOCOL, 0, "a message of unknown type %u", type);
  }
  if (r.failed)
    return xmem_error_set (
        error, XMEM_PROTOCOL, 0, "a malformed message of type %u", type);
  return 0;
}
