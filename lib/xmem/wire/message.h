/* SPDX-License-Identifier: MIT */
/* The messages of the control socket, to and from bytes. docs/protocol.md is
 * normative; tests/abi has the golden bytes. No sockets, and no allocation
 * from a size that a peer sent. */
#ifndef XMEM_WIRE_MESSAGE_H
#define XMEM_WIRE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xmem/event.h>
#include <xmem/frame.h>

#include "base/error.h"

#define XMEM_WIRE_VERSION_MIN 1
#define XMEM_WIRE_VERSION_MAX 1
#define XMEM_WIRE_MAX_MESSAGE 32768
/* Caps longer than this travel as a memfd. */
#define XMEM_WIRE_MAX_INLINE_CAPS 16384
/* And metas. */
#define XMEM_WIRE_MAX_INLINE_METAS 16384
/* The same of an event's data. */
#define XMEM_WIRE_MAX_INLINE_EVENT 16384
#define XMEM_WIRE_MAX_NAME 255
#define XMEM_WIRE_MAX_SEQUENCES 128

enum xmem_wire_type {
  XMEM_WIRE_HELLO = 1,
  XMEM_WIRE_WELCOME = 2,
  XMEM_WIRE_ERROR = 3,
  XMEM_WIRE_SEGMENT = 4,
  XMEM_WIRE_RETIRE = 5,
  XMEM_WIRE_STREAM = 6,
  XMEM_WIRE_FRAME = 7,
  XMEM_WIRE_RELEASE = 8,
  XMEM_WIRE_DETACH = 9,
  XMEM_WIRE_EVENT = 10,
  XMEM_WIRE_EOS = 11, /* 13 is kept for STATS */
  XMEM_WIRE_BYE = 12,
};

/* Of BYE: the stream has ended before. */
#define XMEM_WIRE_BYE_ENDED UINT64_C (1)

/* In HELLO: wanted; in WELCOME: agreed. */
enum xmem_wire_features {
  XMEM_WIRE_FEATURE_EVENTS = 1,
  XMEM_WIRE_FEATURE_DMABUF = 2, /* segments may be dmabufs */
};

enum xmem_wire_segment_kind {
  XMEM_WIRE_SEGMENT_MEMFD = 1,
  XMEM_WIRE_SEGMENT_DMABUF = 2,
};

/* Bytes that stay in the message they were read from, not terminated. */
struct xmem_wire_text {
  const char *data;
  size_t size;
};

struct xmem_wire_hello {
  uint16_t version_min;
  uint16_t version_max;
  uint32_t n_buffers;
  uint64_t features;
  uint32_t delivery;
  uint32_t pid;
  struct xmem_wire_text name;
};

struct xmem_wire_welcome {
  uint16_t version;
  uint32_t grant;
  uint64_t features;
  uint32_t pid;
};

struct xmem_wire_error {
  int32_t status;
  struct xmem_wire_text text;
};

struct xmem_wire_segment {
  uint32_t id;
  uint32_t kind;
  uint64_t size;
};

struct xmem_wire_stream {
  uint32_t epoch;
  uint64_t base_time_ns;
  uint64_t latency_ns;
  struct xmem_wire_text caps; /* data NULL: none, or in the memfd */
  uint64_t caps_fd_size; /* 0: no memfd comes with the message */
};

struct xmem_wire_region {
  uint32_t segment;
  uint32_t slot;
  uint32_t generation;
  uint64_t offset;
  uint64_t size;
};

struct xmem_wire_frame {
  uint64_t sequence;
  uint64_t published_ns;
  uint32_t epoch;
  uint32_t n_regions;
  struct xmem_wire_region regions[XMEM_MAX_REGIONS];
  struct xmem_frame_info info; /* metas stay in the message */
  uint64_t metas_fd_size; /* 0: no memfd comes with the message */
};

struct xmem_wire_sequences {
  uint32_t n;
  uint64_t sequences[XMEM_WIRE_MAX_SEQUENCES];
};

struct xmem_wire_event {
  uint32_t kind;
  uint32_t flags;
  struct xmem_wire_text name; /* data NULL: none */
  const void *data; /* stays in the message */
  size_t size;
  uint64_t data_fd_size; /* 0: no memfd comes with the message */
};

struct xmem_wire_message {
  enum xmem_wire_type type;
  union {
    struct xmem_wire_hello hello;
    struct xmem_wire_welcome welcome;
    struct xmem_wire_error error;
    struct xmem_wire_segment segment;
    uint32_t retire; /* segment id */
    struct xmem_wire_stream stream;
    struct xmem_wire_frame frame;
    struct xmem_wire_sequences sequences; /* RELEASE, DETACH */
    struct xmem_wire_event event;
    uint64_t eos; /* the number of frames published so far */
    uint64_t bye; /* XMEM_WIRE_BYE_ENDED, or 0 */
  };
};

/* Writes a message. Returns its size, or 0 when it does not fit into `size`
 * bytes or says what the protocol cannot (a bug of the caller). */
size_t xmem_wire_encode (
    const struct xmem_wire_message *message, void *bytes, size_t size);

/* Reads one message and checks everything that can be checked without knowing
 * more than the message. Texts and metas point into `bytes`. Returns 0;
 * XMEM_STALE for a message of another version that may be skipped;
 * XMEM_PROTOCOL. */
int xmem_wire_decode (const void *bytes, size_t size,
    struct xmem_wire_message *message_out, struct xmem_error *error);

#endif
