/* SPDX-License-Identifier: MIT */
/**
 * xmem/publisher.h: one end of a control socket, the one with the frames.
 *
 * A publisher listens at an address. Every subscriber that connects gets each
 * segment's file descriptor once, read-only, and then only small messages:
 * which region of which segment is the next frame. The publisher keeps the
 * account of who holds what; a frame is not given back to its owner before
 * the last subscriber that was sent it has released it or hung up.
 *
 * Addresses:
 *   NAME        lives in the first writable of $XDG_RUNTIME_DIR/xmem,
 *               /run/xmem, /tmp/xmem-UID;
 *   a/path      with a slash: that path;
 *   @NAME       Linux's abstract namespace, for processes of the same uid and
 *               those in `allowed_uids`.
 */
#ifndef XMEM_PUBLISHER_H
#define XMEM_PUBLISHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xmem/error.h>
#include <xmem/event.h>
#include <xmem/frame.h>
#include <xmem/pool.h>

XMEM_BEGIN_DECLS

struct xmem_publisher;

enum xmem_publisher_flags {
  /* No I/O thread: the caller polls xmem_publisher_get_fd () and calls
   * xmem_publisher_dispatch (). */
  XMEM_PUBLISHER_NO_THREAD = 1 << 0,
  /* Subscribers that asked for every frame lose frames rather than hold the
   * publisher back. */
  XMEM_PUBLISHER_LEAKY = 1 << 1,
  /* Keeps the last frame, and sends it to whoever joins later, with times of
   * that moment; unless it is a delta unit, or other caps, a flush or an end of
   * stream have followed. Until another takes its place its done function is
   * not called. */
  XMEM_PUBLISHER_REPLAY_LAST = 1 << 2,
};

enum xmem_client_state {
  XMEM_CLIENT_ACTIVE = 0, /* gets frames */
  XMEM_CLIENT_LEFT = 1, /* keeps frames; gets no more, as it wished */
  XMEM_CLIENT_EVICTED = 2, /* the same, since it broke the rules or was stuck */
};

/* One subscriber as its publisher sees it. */
struct xmem_publisher_client {
  int fd; /* what the callbacks call it */
  int pid; /* in our namespace, as the kernel says; 0: not visible in it */
  enum xmem_client_state state;
  enum xmem_delivery delivery;
  uint32_t grant; /* frames that it may hold */
  uint32_t frames_held;
  uint64_t frames_delivered;
  uint64_t frames_dropped; /* on purpose */
  uint64_t lag; /* frames published since the newest one it was sent; before
                   the first, since it joined */
  uint64_t oldest_held_ns; /* since it was sent the oldest frame that it holds;
                              0 without one */
  char name[256]; /* as it calls itself: any bytes, then zeros */
};

struct xmem_publisher_params {
  size_t struct_size; /* sizeof (struct xmem_publisher_params) */
  const char *address; /* NULL: XMEM_DEFAULT_ADDRESS */
  unsigned flags; /* enum xmem_publisher_flags */
  unsigned mode; /* permissions of the socket file; 0: 0600, and 0660 with a
                    group */
  uint32_t max_clients; /* further ones are refused; 0: no limit. One that has
                           left counts while it keeps frames */
  uint32_t max_buffers; /* most frames one client may hold; 0: 4; at most
                           XMEM_MAX_GRANT */
  /* Called from the I/O thread (or from dispatch), no lock held, possibly
   * before xmem_publisher_new () has returned: *publisher_out is set by then.
   * xmem_publisher_free () calls the second for everybody who is connected;
   * none begins after it has returned, but one may still be running. From there
   * every function may be called, except xmem_publisher_free () with
   * XMEM_PUBLISHER_NO_THREAD; a wait there is in vain, since it is this thread
   * that hears of releases.
   * @client_fd is the number of the client's socket, to tell clients apart. */
  void (*client_connected) (int client_fd, void *user_data);
  void (*client_disconnected) (int client_fd, void *user_data);
  void *user_data;
  void (*user_data_free) (void *user_data); /* called once, when no callback
                                               will be called or runs any more,
                                               possibly after
                                               xmem_publisher_free (); or
                                               NULL. Not if new fails */

  /* A subscriber's event, on the same terms as the two above; @event lives as
   * long as the call. A subscriber may send 64 at once and 100 per second,
   * what exceeds that is ignored. */
  void (*event_received) (
      int client_fd, const struct xmem_event *event, void *user_data);
  /* Called by the thread in xmem_publisher_publish (), after it has sent the
   * frame, no lock held: a subscriber could have had this frame but for
   * XMEM_FRAME_DELTA_UNIT. Once, until a frame without that flag is
   * published, however many subscribers wait for it. */
  void (*key_unit_wanted) (void *user_data);
  /* A client was given up for client_timeout_ns, on the same terms as
   * client_disconnected, which follows; @client lives as long as the call. */
  void (*client_stuck) (
      const struct xmem_publisher_client *client, void *user_data);

  /* How long a frame may wait for a subscriber that holds its full grant and
   * gives nothing back, in ns; 0: no limit. After the first, a subscriber with
   * delivery "every" loses frames rather than being waited for, until it has
   * released one. After the second any subscriber is given up: it gets no more
   * frames, what it holds stays untouched until it hangs up. */
  uint64_t max_wait_ns;
  uint64_t client_timeout_ns;

  /* The socket file's group, by name or number, of which this process must be a
   * member; NULL: as it comes. `mode` must let it write. Not for abstract
   * addresses. */
  const char *group;
  /* Users that may connect besides our own, where the permissions of the socket
   * file, if it is one, let them; others are refused with a sentence, root
   * among them. Without a list these permissions alone decide. A user of
   * another user namespace (65534) is on no list. */
  const uint32_t *allowed_uids;
  size_t n_allowed_uids;
};

/**
 * Binds the address and starts listening; subscribers may connect from now
 * on. A socket file that a dead process left behind is replaced; a live
 * publisher's is not.
 *
 * Ownership: the caller frees it with xmem_publisher_free ().
 * Threads: all functions of one publisher may be called from any thread.
 * Blocks: never for a subscriber; up to 0.2 s while another process keeps the
 *   address's folder locked.
 * Returns: 0; XMEM_IN_USE, with the owner's pid in the message; XMEM_INVALID;
 *   XMEM_REFUSED when no folder may be written, or not with that group;
 *   XMEM_SYSTEM;
 *   XMEM_NO_MEMORY.
 */
XMEM_API int xmem_publisher_new (const struct xmem_publisher_params *params,
    struct xmem_publisher **publisher_out, struct xmem_error *error);

/**
 * Ends the publisher. The address is free at once; every subscriber still
 * gets what was sent, then a clean end. What subscribers hold stays valid and
 * unchanged: the library keeps it, on a thread of its own if need be, until
 * the last one has let go, and only then calls the frames' done functions
 * that are still outstanding.
 *
 * NULL is allowed. Not to be called from a frame's done function.
 * Blocks: never for a subscriber; for the folder as xmem_publisher_new ().
 */
XMEM_API void xmem_publisher_free (struct xmem_publisher *publisher);

/** The address as resolved: a path, or "@NAME". Lives as long as @publisher. */
XMEM_API const char *xmem_publisher_get_address (
    const struct xmem_publisher *publisher);

/**
 * Announces what the frames from here on are. Subscribers that join later
 * are told on joining.
 *
 * Blocks: never. Returns: 0, XMEM_INVALID, XMEM_NO_MEMORY, XMEM_NO_SPACE.
 */
XMEM_API int xmem_publisher_set_stream (struct xmem_publisher *publisher,
    const struct xmem_stream_info *stream, struct xmem_error *error);

enum xmem_publish_flags {
  /* Regions in CUDA memory are being written by work on cuda_stream; without
   * it they are written. See cuda.h. */
  XMEM_PUBLISH_CUDA_STREAM = 1 << 0,
};

struct xmem_publish {
  size_t struct_size; /* sizeof (struct xmem_publish) */
  const struct xmem_region *regions;
  size_t n_regions; /* 0 to XMEM_MAX_REGIONS */
  const struct xmem_frame_info *info; /* never NULL */

  /* Called exactly once if the frame was taken (return value 0), when no
   * subscriber has it any more; possibly before xmem_publisher_publish ()
   * returns, from any thread, no lock held. Until then the bytes of the
   * regions must not change and their segments must stay referenced. */
  void (*done) (void *done_data);
  void *done_data;

  unsigned flags; /* enum xmem_publish_flags */
  void *cuda_stream; /* a CUstream of the context that the memory is of */
};

/**
 * Sends one frame to every subscriber that is due one.
 *
 * A subscriber with delivery "every" that holds its full grant makes the call
 * wait, unless the publisher is leaky, for at most max_wait_ns. One with
 * delivery "latest" never does.
 *
 * @timeout_ns: how long to wait for "every" subscribers.
 * Blocks: up to @timeout_ns; xmem_publisher_interrupt () ends the wait.
 * Returns: 0, also when there is no subscriber; XMEM_AGAIN, XMEM_INTERRUPTED:
 *   nobody got the frame; XMEM_INVALID; XMEM_NO_MEMORY; XMEM_FULL when the
 *   regions lie in more segments than one publisher can serve (256);
 *   XMEM_REFUSED for memory of a named pool; XMEM_DEVICE when a CUDA stream
 *   is none.
 */
XMEM_API int xmem_publisher_publish (struct xmem_publisher *publisher,
    const struct xmem_publish *frame, int64_t timeout_ns,
    struct xmem_error *error);

/**
 * The short way for a single buffer of a pool: takes a reference on @buffer
 * for as long as any subscriber holds it.
 */
XMEM_API int xmem_publisher_publish_buffer (struct xmem_publisher *publisher,
    struct xmem_buffer *buffer, const struct xmem_frame_info *info,
    int64_t timeout_ns, struct xmem_error *error);

/**
 * Sends an event to every subscriber that asked for events, behind the frames
 * published before and ahead of those published later. A subscriber that
 * leaves more than 256 of them unread, beyond what its socket holds, or more
 * than 64 MiB of their data, beyond what it was told on joining, is
 * disconnected; of sticky ones of one kind and name without a frame between
 * them, it need only read the last.
 *
 * Ownership: @event is copied.
 * Blocks: never. Returns: 0; XMEM_INVALID: longer than event.h allows, or
 *   with a flag it does not know; XMEM_FULL at XMEM_MAX_STICKY_EVENTS;
 *   XMEM_NO_MEMORY; XMEM_NO_SPACE.
 */
XMEM_API int xmem_publisher_send_event (struct xmem_publisher *publisher,
    const struct xmem_event *event, struct xmem_error *error);

/**
 * Ends the stream: every subscriber gets the frames still due to it and then
 * the end. A frame that waits for a "latest" subscriber's credit is sent at
 * once, past its grant, so that the last frame is never lost.
 *
 * Frames published later reach the subscribers that stay.
 * Blocks: never.
 */
XMEM_API void xmem_publisher_send_eos (struct xmem_publisher *publisher);

/**
 * Waits until at least @n_clients subscribers are connected.
 *
 * Blocks: up to @timeout_ns. Returns: 0, XMEM_AGAIN, XMEM_INTERRUPTED.
 */
XMEM_API int xmem_publisher_wait_clients (
    struct xmem_publisher *publisher, uint32_t n_clients, int64_t timeout_ns);

/**
 * Waits until every subscriber has released every frame and the frames' done
 * functions have returned, one of which must not call this. A frame that is
 * kept for XMEM_PUBLISHER_REPLAY_LAST is not waited for.
 *
 * Blocks: up to @timeout_ns. Returns: 0, XMEM_AGAIN, XMEM_INTERRUPTED.
 */
XMEM_API int xmem_publisher_wait_released (
    struct xmem_publisher *publisher, int64_t timeout_ns);

/**
 * While @interrupted, every wait of this publisher returns XMEM_INTERRUPTED at
 * once, those under way included.
 */
XMEM_API void xmem_publisher_interrupt (
    struct xmem_publisher *publisher, bool interrupted);

/**
 * For event loops: readable when xmem_publisher_dispatch () has work.
 * Ownership: the publisher's; only to be polled.
 */
XMEM_API int xmem_publisher_get_fd (const struct xmem_publisher *publisher);

/**
 * Accepts, reads and answers what is there. Only with
 * XMEM_PUBLISHER_NO_THREAD, and from one thread at a time.
 *
 * Blocks: up to @timeout_ns for something to do. Returns: 0, XMEM_AGAIN.
 */
XMEM_API int xmem_publisher_dispatch (
    struct xmem_publisher *publisher, int64_t timeout_ns);

struct xmem_publisher_stats {
  uint32_t n_clients; /* connected now */
  uint64_t clients_served; /* ever */
  uint64_t frames_published;
  uint64_t frames_delivered; /* over all clients */
  uint64_t frames_dropped; /* over all clients, on purpose */
  uint32_t frames_held; /* by any client now */
  uint32_t n_segments; /* announced and not retired */
  uint64_t segments_sent; /* announcements sent, over all clients */
  uint64_t frames_synchronised; /* published after waiting for work on a CUDA
                                   device to be over, see cuda.h */
};

XMEM_API void xmem_publisher_get_stats (
    struct xmem_publisher *publisher, struct xmem_publisher_stats *stats_out);

/**
 * The subscribers, in the order in which they came: all that get frames, and
 * all that have left or were evicted and keep some.
 *
 * @clients_out: the first @n_clients of them; NULL with 0.
 * Blocks: never. Returns: how many there are, which may be more.
 */
XMEM_API size_t xmem_publisher_get_clients (struct xmem_publisher *publisher,
    struct xmem_publisher_client *clients_out, size_t n_clients);

XMEM_END_DECLS
#endif
