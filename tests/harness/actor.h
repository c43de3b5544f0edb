/* SPDX-License-Identifier: MIT */
/* A child with a subscriber and a publisher that does what it is told, so
 * that a test reads as one script although its ends are processes of their
 * own. It sees the library's public functions only.
 *
 * A test that uses actors has the role { "actor", actor_run }. */
#ifndef XMEM_HARNESS_ACTOR_H
#define XMEM_HARNESS_ACTOR_H

#include <xmem/xmem.h>

#include "harness/harness.h"

struct actor {
  struct harness_child child;
  char message[256]; /* of the last call that failed */
};

void actor_run (int argc, char **argv);

void actor_start (struct actor *actor);
/* Lets it free everything and end; fails unless it does so without fault. */
void actor_stop (struct actor *actor);
/* kill -9 and wait. */
void actor_die (struct actor *actor);

/* --- its subscriber ------------------------------------------------------ */

/* Returns as xmem_subscriber_connect (). A second call starts anew. */
int actor_connect (struct actor *actor, const char *address,
    enum xmem_delivery delivery, unsigned n_buffers, int timeout_ms);

/* Starts it and connects, which must succeed. */
void actor_start_subscriber (struct actor *actor, const char *address,
    enum xmem_delivery delivery, unsigned n_buffers);

/* Or'ed to a delivery: asks for events too. */
#define ACTOR_EVENTS 0x100
/* The same: takes dmabufs. */
#define ACTOR_DMABUF 0x200

/* What it saw of a frame. */
struct actor_frame {
  uint64_t sequence;
  uint64_t size; /* of all regions */
  uint64_t stamp; /* of the first region */
  int64_t pts;
  unsigned epoch;
  unsigned flags;
  unsigned n_regions;
  unsigned n_intact; /* regions that carry one stamp */
  uint64_t caps_size;
  unsigned caps_hash; /* g_str_hash (), 0 without caps */
};

/* Returns as xmem_subscriber_next (); it keeps the frame. timeout_ms < 0: no
 * limit. */
int actor_next (
    struct actor *actor, int timeout_ms, struct actor_frame *frame_out);

/* The next one must be this one. */
void actor_expect_frame (struct actor *actor, uint64_t sequence);
void actor_expect_status (struct actor *actor, int status);

struct actor_event {
  unsigned kind;
  unsigned flags;
  char name[XMEM_MAX_EVENT_NAME + 1];
  uint64_t size;
  unsigned hash; /* of the data, actor_hash () */
};

unsigned actor_hash (const void *data, size_t size);

/* The next thing must be an event. */
void actor_next_event (struct actor *actor, struct actor_event *event_out);
/* One with this kind and name. */
void actor_expect_event (struct actor *actor, unsigned kind, const char *name);

/* Sends n events upstream, each with `size` bytes of which the first four are
 * its number. Returns the status that ended it. */
int actor_send_events (struct actor *actor, unsigned kind, const char *name,
    unsigned size, unsigned n);

/* Gives a frame back. */
void actor_release (struct actor *actor, uint64_t sequence);

/* Looks again at a frame it keeps: whether all of it carries this stamp. */
bool actor_still_sees (struct actor *actor, uint64_t sequence, uint64_t stamp);

/* Frees the subscriber; the frames stay. */
void actor_unsubscribe (struct actor *actor);

void actor_get_stats (
    struct actor *actor, struct xmem_subscriber_stats *stats_out);

unsigned actor_get_grant (struct actor *actor);

/* What it saw of many frames. */
struct actor_summary {
  int status; /* what ended it */
  uint64_t n;
  uint64_t first; /* sequence numbers */
  uint64_t last;
  unsigned n_gaps;
  unsigned n_bad; /* torn, out of order, or stamped with another number than
                     their sequence */
};

/* Takes frames until there is an end, keeping `hold` of them at a time and
 * pausing after each; goes on while the test does other things. Each is
 * looked at when it comes and again when it goes. */
void actor_drain_begin (struct actor *actor, unsigned hold, unsigned pause_ms);
void actor_drain_end (struct actor *actor, struct actor_summary *summary_out);

/* --- its publisher ------------------------------------------------------- */

/* Returns as xmem_publisher_new (). */
int actor_open_publisher (struct actor *actor, const char *address,
    unsigned flags, unsigned max_clients, unsigned max_buffers);

/* Publishes a stamped frame. Returns as xmem_publisher_publish (). */
int actor_publish (struct actor *actor, uint64_t size, uint64_t stamp,
    unsigned flags, int timeout_ms);

/* n frames, each stamped with its number from `first` on; without a word when
 * it has begun, and with none before it is done. */
void actor_publish_begin (struct actor *actor, uint64_t size, uint64_t first,
    unsigned n, unsigned pause_ms);
void actor_publish_end (struct actor *actor);

/* Publishes a frame that its subscriber keeps, as it is. */
int actor_forward (struct actor *actor, uint64_t sequence);

void actor_wait_clients (struct actor *actor, unsigned n);
void actor_wait_released (struct actor *actor);
void actor_send_eos (struct actor *actor);
void actor_close_publisher (struct actor *actor);
void actor_get_publisher_stats (
    struct actor *actor, struct xmem_publisher_stats *stats_out);

#endif
