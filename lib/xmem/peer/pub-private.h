/* SPDX-License-Identifier: MIT */
/* The publisher's parts, for the files that make it up:
 *   pub-frame.c      frames, streams and segments that are out
 *   pub-client.c     one subscriber's account
 *   pub-admit.c      which users may connect
 *   pub-event.c      events, both ways
 *   pub-cuda.c       memory of CUDA devices
 *   pub-patience.c   how long a client without room is waited for
 *   pub-figures.c    what is counted
 *   pub-replay.c     the frame kept for late joiners
 *   publisher.c      the public functions and the I/O thread
 * Everything here is guarded by xmem_publisher.lock unless it says
 * otherwise. */
#ifndef XMEM_PEER_PUB_PRIVATE_H
#define XMEM_PEER_PUB_PRIVATE_H

#include <pthread.h>

#include <xmem/publisher.h>

#include "base/cleanup.h"
#include "ipc/connection.h"
#include "ipc/listener.h"
#include "pool/segment.h"

#define XMEM_PUB_MAX_SEGMENTS 256
/* Events that one subscriber leaves unread beyond its socket's buffer. */
#define XMEM_PUB_MAX_EVENTS 256
/* Bytes of events that it leaves unread in all. */
#define XMEM_PUB_MAX_EVENT_BYTES (UINT64_C (64) << 20)
/* Frames sent past the grant at an end of stream need a place too. */
#define XMEM_PUB_MAX_HELD (XMEM_MAX_GRANT + 16)

struct pub_stream {
  unsigned refs;
  uint32_t epoch;
  char *caps; /* NULL: none */
  uint64_t base_time_ns;
  uint64_t latency_ns;
  struct xmem_packet *packet;
};

/* A segment that frames have been published from. */
struct pub_segment {
  struct xmem_segment *segment; /* NULL: the place is empty */
  uint32_t id; /* on the wire; never used twice */
  uint32_t n_frames; /* frames out that lie in it */
  struct xmem_packet *packet;
};

struct pub_frame {
  struct pub_frame *next_done;
  unsigned refs; /* clients that hold it, `last`, and publish () while it
                    runs */
  uint64_t sequence;
  uint32_t flags;
  bool in_dmabuf; /* some of it */
  bool in_cuda; /* a region is in CUDA memory */
  bool complete; /* all work that wrote it is over */
  unsigned n_segments;
  uint16_t segments[XMEM_MAX_REGIONS]; /* places in the segment table */
  struct pub_stream *stream;
  struct xmem_packet *packet;
  void (*done) (void *done_data);
  void *done_data;
};

/* An event on its way to subscribers. */
struct pub_event {
  unsigned refs;
  uint32_t kind;
  uint32_t flags;
  char *name;
  size_t size; /* of its data */
  struct pub_stream *stream; /* of that time; NULL before the first */
  struct xmem_packet *packet;
};

/* An event of a subscriber that the application has yet to hear of. */
struct pub_upstream {
  struct pub_upstream *next;
  int client_fd;
  struct xmem_event event; /* points into what follows */
  char name[XMEM_WIRE_MAX_NAME + 1];
  uint8_t data[];
};

struct pub_held {
  struct pub_frame *frame;
  int64_t since_ns;
  uint64_t event_bytes; /* sent ahead of it */
};

enum pub_client_state {
  PUB_CLIENT_NEW, /* connected, no HELLO yet */
  PUB_CLIENT_ACTIVE, /* gets frames */
  PUB_CLIENT_LEAVING, /* has sent DETACH: only releases */
  PUB_CLIENT_EVICTED, /* broke the rules: only its hang-up counts */
  PUB_CLIENT_GONE, /* has hung up; the I/O thread forgets it */
};

struct pub_client {
  struct pub_client *next;
  struct xmem_connection connection;
  enum pub_client_state state;
  bool broken; /* sending failed; its hang-up will be read soon */
  bool wants_write; /* epoll tells when its socket has room */
  uint64_t features; /* of XMEM_WIRE_FEATURE_*, those agreed on */
  bool announced; /* client_connected was called for it */
  bool stuck; /* evicted for that; client_stuck is yet to be called */
  int fd_number; /* what the callbacks call it */
  pid_t pid; /* 0: not known */
  char name[XMEM_WIRE_MAX_NAME + 1];
  bool needs_key; /* joined or skipped: no delta units before a key unit */
  enum xmem_delivery delivery;
  uint32_t grant;
  uint32_t epoch; /* of the stream it was last told */
  uint64_t delivered;
  uint64_t dropped;
  uint64_t next_sequence; /* behind the newest frame it was sent */
  int64_t starved_ns; /* when a frame first found no room, after the last
                         release; 0: none did */
  unsigned n_held;
  struct pub_held held[XMEM_PUB_MAX_HELD];
  struct pub_frame *pending; /* "latest": waits for credit */
  unsigned n_events; /* not sent yet */
  unsigned n_ahead; /* those of them that come before `pending` */
  struct pub_event *events[XMEM_PUB_MAX_EVENTS];
  uint64_t event_bytes_waiting; /* of those */
  uint64_t event_bytes_sent; /* ever */
  uint64_t event_bytes_read; /* at least */
  uint64_t event_quota; /* how many it may leave unread */
  unsigned tokens; /* upstream events it may send now */
  int64_t tokens_at; /* when they were counted */
  uint64_t has_segment[XMEM_PUB_MAX_SEGMENTS / 64];
};

struct xmem_publisher {
  pthread_mutex_t lock;
  pthread_cond_t changed; /* credit, clients, interruption */
  struct xmem_publisher_params params;
  struct xmem_listener listener;
  int epoll_fd;
  int wake_fd; /* an eventfd that ends an epoll_wait */
  int timer_fd; /* when to look for stuck clients; -1 without a limit */
  bool timer_runs;
  bool started; /* a frame was published since the last end of stream */
  bool ended; /* no frame was published since there was one */
  bool key_asked; /* key_unit_wanted was called, or will be, and there was no
                     key unit since */
  bool key_wanted; /* to be told so when the lock is open */
  bool closing;
  bool interrupted;

  struct pub_client *clients;
  unsigned n_connections;
  unsigned max_connections;
  uint64_t next_sequence;
  uint32_t next_epoch;
  uint32_t next_segment_id;
  struct pub_stream *stream;
  struct pub_frame *last; /* kept for late joiners, or NULL */
  unsigned n_sticky;
  struct pub_event *sticky[XMEM_MAX_STICKY_EVENTS];
  struct pub_upstream *upstream; /* the oldest */
  struct pub_upstream **upstream_end;
  unsigned n_upstream;
  struct pub_segment segments[XMEM_PUB_MAX_SEGMENTS];
  unsigned segments_end; /* places from here on were never used */
  struct xmem_segment *dropped[XMEM_PUB_MAX_SEGMENTS]; /* to be given back when
                                                          the lock is open */
  unsigned n_dropped;
  struct pub_frame *done_frames; /* to be told so when the lock is open */
  unsigned n_frames; /* all there are, those included */
  struct xmem_publisher_stats stats;
};

/* --- pub-frame.c --------------------------------------------------------- */

int pub_stream_new (struct xmem_publisher *pub,
    const struct xmem_stream_info *info, struct pub_stream **stream_out,
    struct xmem_error *error);
void pub_stream_unref (struct pub_stream *stream);

/* A frame with one reference, numbered and encoded. */
int pub_frame_new (struct xmem_publisher *pub,
    const struct xmem_publish *publish, bool complete,
    struct pub_frame **frame_out, struct xmem_error *error);
void pub_frame_unref (struct xmem_publisher *pub, struct pub_frame *frame);

/* Calls the done functions of the frames that nobody has any more, and gives
 * back forgotten segments, which may wait for a device. Without the lock. */
void pub_run_done (struct xmem_publisher *pub);

/* Forgets segments that will not be published from again and tells the
 * clients; all segments if `all`. pub_run_done () gives them back. */
void pub_retire_segments (struct xmem_publisher *pub, bool all);

/* --- pub-event.c --------------------------------------------------------- */

/* Makes an event with one reference; what is sticky is kept from now on, what
 * it ends is not. */
int pub_event_new (struct xmem_publisher *pub, const struct xmem_event *event,
    struct pub_event **event_out, struct xmem_error *error);
void pub_event_unref (struct pub_event *event);
void pub_event_forget_sticky (struct xmem_publisher *pub);

/* Gives it to the client behind everything that it was given before. */
void pub_client_add_event (struct xmem_publisher *pub,
    struct pub_client *client, struct pub_event *event);
/* The sticky ones, to one who has joined. */
void pub_client_add_sticky (
    struct xmem_publisher *pub, struct pub_client *client);
/* Sends the events that come before the pending frame; unless `all`, only
 * while its socket has room. */
void pub_client_send_events (
    struct xmem_publisher *pub, struct pub_client *client, bool all);
/* There is no pending frame (any more). */
void pub_client_join_events (struct pub_client *client);
void pub_client_drop_events (struct pub_client *client);

/* Whether a client's next message may be read now. */
bool pub_upstream_has_room (const struct xmem_publisher *pub);
void pub_client_receive_event (struct xmem_publisher *pub,
    struct pub_client *client, const struct xmem_wire_event *m);
/* Tells the application. Without the lock. */
void pub_run_upstream (struct xmem_publisher *pub);
void pub_drop_upstream (struct xmem_publisher *pub);

/* --- pub-client.c -------------------------------------------------------- */

bool pub_client_has_credit (const struct pub_client *client);

/* Gives the client this frame now, or later, or never: what its delivery and
 * its credit say. */
void pub_client_offer (struct xmem_publisher *pub, struct pub_client *client,
    struct pub_frame *frame);

/* Whether the client knows what to do with this frame's memory, and need not
 * wait for what it cannot. Evicts one that takes no such memory. */
bool pub_client_can_read (struct xmem_publisher *pub, struct pub_client *client,
    const struct pub_frame *frame);

/* Sends the frame, whatever its credit, in the form of this packet. */
void pub_client_send_frame (struct xmem_publisher *pub,
    struct pub_client *client, struct pub_frame *frame,
    struct xmem_packet *packet);

/* Sends the current stream unless the client knows it. */
void pub_client_announce (
    struct xmem_publisher *pub, struct pub_client *client);

/* Sends what is pending, past the grant if it must be, then the message. */
void pub_client_finish (struct xmem_publisher *pub, struct pub_client *client,
    const struct xmem_wire_message *message);

/* Sends a stream unless the client knows it, or a later one. */
void pub_client_send_stream (struct xmem_publisher *pub,
    struct pub_client *client, struct pub_stream *stream);

/* Forgets the frame that waits for credit. */
void pub_client_flush_frames (
    struct xmem_publisher *pub, struct pub_client *client);

void pub_client_send (struct xmem_publisher *pub, struct pub_client *client,
    struct xmem_packet *packet);

/* What a client said. */
void pub_client_hello (struct xmem_publisher *pub, struct pub_client *client,
    const struct xmem_wire_hello *hello);
void pub_client_release (struct xmem_publisher *pub, struct pub_client *client,
    const struct xmem_wire_sequences *sequences);
void pub_client_detach (struct xmem_publisher *pub, struct pub_client *client,
    const struct xmem_wire_sequences *kept);

/* Out of the active ones; what it holds stays held. */
void pub_client_leave (struct xmem_publisher *pub, struct pub_client *client,
    enum pub_client_state state);

/* Sends ERROR, if the socket takes it. */
void pub_client_tell_error (
    struct pub_client *client, int status, const char *sentence);

/* Stops serving it, with a sentence. What it holds stays untouched until it
 * hangs up. */
void pub_client_evict (struct xmem_publisher *pub, struct pub_client *client,
    int status, const char *reason);

/* Its socket has hung up: everything it held comes back. */
void pub_client_gone (struct xmem_publisher *pub, struct pub_client *client);

/* Flushes its queue and asks for, or no longer for, room in its socket. */
void pub_client_flush (struct xmem_publisher *pub, struct pub_client *client);

/* --- pub-patience.c ------------------------------------------------------ */

int pub_patience_init (struct xmem_publisher *pub, struct xmem_error *error);
void pub_patience_clear (struct xmem_publisher *pub);

/* A frame is there for which the client has no room. */
void pub_client_starve (struct xmem_publisher *pub, struct pub_client *client);
/* It has released something, or nothing waits for it any more. */
void pub_client_satisfy (struct pub_client *client);

/* Until when to wait for clients that want every frame and have no room; 0
 * when there are none. */
int64_t pub_patience_end (struct xmem_publisher *pub);

/* The timer has run out: evicts those that are stuck. */
void pub_evict_stuck (struct xmem_publisher *pub);

/* --- pub-figures.c ------------------------------------------------------- */

void pub_count_delivered (struct xmem_publisher *pub, struct pub_client *client,
    const struct pub_frame *frame);
void pub_count_dropped (struct xmem_publisher *pub, struct pub_client *client);

void pub_client_describe (const struct xmem_publisher *pub,
    const struct pub_client *client, struct xmem_publisher_client *client_out);

/* --- pub-replay.c -------------------------------------------------------- */

void pub_replay_keep (struct xmem_publisher *pub, struct pub_frame *frame);
void pub_replay_forget (struct xmem_publisher *pub);
/* There is a new stream: forgets the frame unless the caps are the same. */
void pub_replay_follow (
    struct xmem_publisher *pub, const struct pub_stream *stream);
/* Frames that are out only because they are kept: 0 or 1. */
unsigned pub_replay_count (const struct xmem_publisher *pub);
/* Sends it to one who has joined. */
void pub_replay_to (struct xmem_publisher *pub, struct pub_client *client);

/* --- pub-admit.c --------------------------------------------------------- */

/* Takes the list of users from the parameters. Returns 0, XMEM_INVALID,
 * XMEM_NO_MEMORY. */
int pub_admit_init (struct xmem_publisher *pub,
    const struct xmem_publisher_params *params, struct xmem_error *error);
void pub_admit_clear (struct xmem_publisher *pub);

/* Notes whose connection this is. Whether this user may connect; if not it was
 * told so. */
bool pub_admit (struct xmem_publisher *pub, struct pub_client *client);

/* --- pub-cuda.c ---------------------------------------------------------- */

/* What peers need to know of a segment in CUDA memory. Lends what m and *fd_out
 * (-1: none) get. */
void pub_cuda_describe (const struct xmem_segment *segment,
    struct xmem_wire_segment *m, int *fd_out);

/* Sees to it that readers can wait for what the regions in CUDA memory are
 * written by, or need not: *complete_out. Without the lock. */
int pub_cuda_order (struct xmem_publisher *pub,
    const struct xmem_publish *publish, bool *complete_out,
    struct xmem_error *error);

/* --- publisher.c --------------------------------------------------------- */

/* Makes the I/O thread look at the clients again. */
void pub_wake (struct xmem_publisher *pub);

/* Publishes a buffer, of which it takes a reference; flags and stream as in
 * struct xmem_publish. */
int pub_publish_buffer (struct xmem_publisher *pub, struct xmem_buffer *buffer,
    const struct xmem_frame_info *info, unsigned flags, void *cuda_stream,
    int64_t timeout_ns, struct xmem_error *error);

#endif
