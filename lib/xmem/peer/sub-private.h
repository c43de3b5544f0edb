/* SPDX-License-Identifier: MIT */
/* The subscriber's parts:
 *   sub-link.c      one connection, shared by the subscriber and its frames
 *   sub-copy.c      copies of frames
 *   sub-cuda.c      memory of CUDA devices
 *   subscriber.c    the public functions: connecting, waiting, messages */
#ifndef XMEM_PEER_SUB_PRIVATE_H
#define XMEM_PEER_SUB_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include <xmem/subscriber.h>

#include "base/cleanup.h"
#include "ipc/connection.h"
#include "pool/segment.h"

#define SUB_MAX_SEGMENTS 256

struct sub_stream {
  atomic_uint refs;
  uint32_t epoch;
  struct xmem_stream_info info;
  char *caps; /* what info.caps points to */
};

struct sub_segment {
  uint32_t id;
  struct xmem_segment *segment;
};

/* A connection. It lives as long as the subscriber uses it or a frame that
 * came through it is referenced; the socket closes with the last frame. */
struct sub_link {
  atomic_uint refs;
  pthread_mutex_t lock; /* guards what follows, but receiving */
  struct xmem_connection connection;
  bool left; /* the subscriber has let go of it */
  uint32_t n_held;
  struct xmem_frame *frames; /* all that are referenced */
  unsigned n_released; /* sequences not yet told to the publisher */
  uint64_t released[XMEM_WIRE_MAX_SEQUENCES];

  /* Used by the subscriber's thread only. */
  uint32_t grant;
  uint32_t publisher_pid;
  bool has_events; /* agreed at the handshake */
  bool has_dmabufs; /* the same */
  bool takes_cuda; /* the same */
  bool cuda_complete; /* does without events */
  void *(*get_cuda_context) (int device, struct xmem_cuda_keeper *keeper_out,
      void *user_data); /* or NULL */
  void *user_data;
  uint64_t next_sequence;
  struct sub_stream *stream;
  unsigned n_segments;
  struct sub_segment segments[SUB_MAX_SEGMENTS];
};

struct xmem_frame {
  atomic_uint refs;
  struct xmem_frame *next; /* in link->frames */
  struct xmem_frame *previous;
  struct sub_link *link;
  struct sub_stream *stream;
  uint64_t sequence;
  uint64_t published_ns;
  size_t n_regions;
  atomic_uint reading; /* bits of the regions in dmabufs that are read */
  struct xmem_region regions[XMEM_MAX_REGIONS];
  struct xmem_frame_info info;
  uint8_t metas[];
};

/* Takes the connection. NULL without memory. */
struct sub_link *sub_link_new (struct xmem_connection *take_connection);

/* The subscriber lets go: closes, or with frames out says which ones it keeps
 * and leaves the closing to the last of them. */
void sub_link_leave (struct sub_link *link);
void sub_link_unref (struct sub_link *link);

/* Tells the publisher of releases it does not know yet. Returns 0, or
 * XMEM_AGAIN when its socket is full. */
int sub_link_flush (struct sub_link *link);

/* Sends a message behind them. Returns as xmem_connection_send (). Any
 * thread that keeps the link alive. */
int sub_link_send (struct sub_link *link, struct xmem_packet *packet);

/* What the publisher said. */
int sub_link_add_segment (struct sub_link *link,
    const struct xmem_wire_segment *m, int take_fd, struct xmem_error *error);
int sub_link_retire (
    struct sub_link *link, uint32_t id, struct xmem_error *error);
int sub_link_set_stream (struct sub_link *link,
    const struct xmem_wire_stream *m, int take_fd, struct xmem_error *error);
/* A segment in CUDA memory; takes fd, also on failure. */
int sub_cuda_import (struct sub_link *link, const struct xmem_wire_segment *m,
    int take_fd, struct xmem_segment **segment_out, struct xmem_error *error);
int sub_link_add_frame (struct sub_link *link, const struct xmem_wire_frame *m,
    int take_fd, struct xmem_frame **frame_out, struct xmem_error *error);

#endif
