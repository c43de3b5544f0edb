/* SPDX-License-Identifier: MIT */
/**
 * xmem/event.h: what travels between frames, the same on both ends.
 *
 * An event is a kind, a name and some bytes, all of them the application's:
 * the library carries them in order with the frames and looks at the flags
 * only. Downstream, from publisher to subscribers, none is ever lost.
 * Upstream, from a subscriber to its publisher, events are requests.
 */
#ifndef XMEM_EVENT_H
#define XMEM_EVENT_H

#include <stddef.h>
#include <stdint.h>

#include <xmem/error.h>

XMEM_BEGIN_DECLS

/* Bytes of an event's name. */
#define XMEM_MAX_EVENT_NAME 255
/* Bytes of a downstream event's data, and of an upstream one's. */
#define XMEM_MAX_EVENT_DATA (16 * 1024 * 1024)
#define XMEM_MAX_UPSTREAM_DATA 16384
/* Sticky events of a publisher that differ in kind or name. */
#define XMEM_MAX_STICKY_EVENTS 64

/** Upstream events have none of these. */
enum xmem_event_flags {
  /* Subscribers that join later are told, in the order of the first event of
   * each kind and name; the last one of them counts. */
  XMEM_EVENT_STICKY = 1 << 0,
  /* Sticky only until the next event with XMEM_EVENT_FLUSH. */
  XMEM_EVENT_UNTIL_FLUSH = 1 << 1,
  /* What was sent before is out of date: a frame that still waits for a
   * "latest" subscriber's credit is dropped. */
  XMEM_EVENT_FLUSH = 1 << 2,
};

struct xmem_event {
  uint32_t kind;
  uint32_t flags; /* enum xmem_event_flags */
  const char *name; /* at most XMEM_MAX_EVENT_NAME bytes; NULL: "" */
  const void *data;
  size_t size;
};

XMEM_END_DECLS
#endif
