/* SPDX-License-Identifier: MIT */
/**
 * xmem/subscriber.h: the other end of a control socket, the one that reads.
 *
 * A subscriber maps each segment once, read-only, and keeps it. A frame is a
 * reference-counted view into these mappings: nothing is copied, and nothing
 * is mapped or allocated in proportion to the frame's size. Frames outlive
 * their subscriber, and its publisher too.
 */
#ifndef XMEM_SUBSCRIBER_H
#define XMEM_SUBSCRIBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xmem/error.h>
#include <xmem/event.h>
#include <xmem/frame.h>
#include <xmem/pool.h>

XMEM_BEGIN_DECLS

struct xmem_subscriber;
struct xmem_frame;

enum xmem_subscriber_flags {
  /* xmem_subscriber_next () returns XMEM_EVENT for the publisher's events;
   * without it they are not sent. */
  XMEM_SUBSCRIBER_EVENTS = 1 << 0,
  /* Frames may lie in dmabufs, which this process imports by their descriptor
   * (xmem/segment.h) or reads as xmem_frame_get_data () says. Without it a
   * publisher of such frames refuses us. */
  XMEM_SUBSCRIBER_DMABUF = 1 << 1,
  /* Takes frames in the memory of CUDA devices; without it a publisher of such
   * frames refuses it. See cuda.h. */
  XMEM_SUBSCRIBER_CUDA = 1 << 2,
  /* Such frames are to be complete when they are sent: the publisher waits on
   * its CPU. For where CUDA events cannot be shared, as between containers
   * without a common /dev/shm. A last frame that the publisher keeps
   * comes to us only if it waited for that one too. */
  XMEM_SUBSCRIBER_CUDA_COMPLETE = 1 << 3,
};

struct xmem_subscriber_params {
  size_t struct_size; /* sizeof (struct xmem_subscriber_params) */
  const char *address; /* as in publisher.h; NULL: "default" */
  const char *name; /* shown by tools; NULL: none; at most 255 bytes */
  enum xmem_delivery delivery;
  uint32_t n_buffers; /* frames we want to hold at once; 0: 4. The publisher
                         may grant fewer */
  uint64_t retry_ns; /* between two looks for a publisher; 0: 20 ms */
  unsigned flags; /* enum xmem_subscriber_flags */

  /* The CUcontext that is to use frames on this device, as the driver numbers it
   * here; NULL: the primary one. It must outlive the subscriber and its frames,
   * or says how to keep it. Called in xmem_subscriber_next (), no lock held, for
   * each segment in CUDA memory. NULL: the primary ones. */
  void *(*get_cuda_context) (
      int device, struct xmem_cuda_keeper *keeper_out, void *user_data);
  void *user_data;
};

/**
 * Makes a subscriber that is not connected yet.
 *
 * Ownership: the caller frees it with xmem_subscriber_free ().
 * Threads: one thread at a time may use a subscriber, except that
 *   xmem_subscriber_interrupt (), xmem_subscriber_get_stats (),
 *   xmem_subscriber_send_event () and everything on frames may be called from
 *   any.
 * Blocks: never. Returns: 0, XMEM_INVALID, XMEM_NO_MEMORY, XMEM_SYSTEM.
 */
XMEM_API int xmem_subscriber_new (const struct xmem_subscriber_params *params,
    struct xmem_subscriber **subscriber_out, struct xmem_error *error);

/**
 * Ends the subscription. Frames still referenced stay valid and keep the
 * connection until the last is gone. NULL is allowed. Blocks: never.
 */
XMEM_API void xmem_subscriber_free (struct xmem_subscriber *subscriber);

/**
 * Connects and shakes hands, waiting for a publisher that is not there yet.
 *
 * Blocks: up to @timeout_ns, and up to 2 s for the answer of a publisher that
 *   is there; xmem_subscriber_interrupt () ends the wait.
 * Returns: 0; XMEM_INTERRUPTED; XMEM_NOT_FOUND when nobody was there in time,
 *   the message names the paths tried; XMEM_REFUSED; XMEM_VERSION;
 *   XMEM_PROTOCOL; XMEM_INVALID; XMEM_SYSTEM.
 */
XMEM_API int xmem_subscriber_connect (struct xmem_subscriber *subscriber,
    int64_t timeout_ns, struct xmem_error *error);

/**
 * The next frame.
 *
 * Ownership: the caller has one reference; xmem_frame_unref () gives it back
 *   and thereby the frame to the publisher.
 * Blocks: up to @timeout_ns.
 * Returns: 0; XMEM_EVENT when an event comes first, see
 *   xmem_subscriber_get_event (); XMEM_AGAIN; XMEM_EOS after the last frame of
 *   a stream; XMEM_GONE when the publisher stopped or died without an end of
 *   stream, or has given us up, being stuck;
 *   XMEM_INTERRUPTED; negative on failures, after which the connection is
 *   closed.
 */
XMEM_API int xmem_subscriber_next (struct xmem_subscriber *subscriber,
    int64_t timeout_ns, struct xmem_frame **frame_out,
    struct xmem_error *error);

/**
 * The event that the last call of xmem_subscriber_next () returned
 * XMEM_EVENT for; name and data are never NULL. NULL otherwise.
 *
 * Ownership: valid until the next call of xmem_subscriber_next (),
 *   xmem_subscriber_connect () or xmem_subscriber_free ().
 */
XMEM_API const struct xmem_event *xmem_subscriber_get_event (
    const struct xmem_subscriber *subscriber);

/**
 * What the frames that come next belong to, as far as it is known; NULL when
 * nothing was announced. @epoch_out: as xmem_frame_get_epoch (), or NULL.
 *
 * Ownership: as xmem_subscriber_get_event ().
 */
XMEM_API const struct xmem_stream_info *xmem_subscriber_get_stream (
    const struct xmem_subscriber *subscriber, uint32_t *epoch_out);

/**
 * Asks the publisher for something; it may ignore it.
 *
 * @event: without flags, with at most XMEM_MAX_UPSTREAM_DATA bytes.
 * Threads: any. Blocks: never.
 * Returns: 0; XMEM_GONE when not connected; XMEM_UNSUPPORTED when this
 *   subscriber did not ask for XMEM_SUBSCRIBER_EVENTS, or the publisher takes
 *   none; XMEM_FULL when the publisher does not read; XMEM_INVALID;
 *   XMEM_NO_MEMORY.
 */
XMEM_API int xmem_subscriber_send_event (struct xmem_subscriber *subscriber,
    const struct xmem_event *event, struct xmem_error *error);

/**
 * While @interrupted, waits return XMEM_INTERRUPTED at once, those under way
 * included.
 */
XMEM_API void xmem_subscriber_interrupt (
    struct xmem_subscriber *subscriber, bool interrupted);

/**
 * For event loops: poll it for reading, then call xmem_subscriber_next () with
 * timeout 0 until it returns XMEM_AGAIN.
 * Returns: the socket, or -1 when not connected. Only to be polled.
 */
XMEM_API int xmem_subscriber_get_fd (const struct xmem_subscriber *subscriber);

/** How many frames the publisher lets us hold; 0 when not connected. */
XMEM_API uint32_t xmem_subscriber_get_grant (
    const struct xmem_subscriber *subscriber);

/** How many frames are referenced now. Threads: any. */
XMEM_API uint32_t xmem_subscriber_get_held (struct xmem_subscriber *subscriber);

struct xmem_subscriber_stats {
  uint64_t frames_received;
  uint64_t frames_lost; /* gaps in the sequence since the first frame */
  uint32_t frames_held;
  uint32_t n_segments; /* mapped now */
  uint64_t segments_received; /* file descriptors, ever */
  int publisher_pid; /* 0 when not connected, and for one of another pid
                        namespace */
  /* From publish to receive of the frames received so far; 0 without any. */
  uint64_t latency_min_ns;
  uint64_t latency_mean_ns;
  uint64_t latency_max_ns;
  uint64_t latency_p50_ns; /* percentiles: within 6.25 % */
  uint64_t latency_p99_ns;
};

XMEM_API void xmem_subscriber_get_stats (struct xmem_subscriber *subscriber,
    struct xmem_subscriber_stats *stats_out);

XMEM_API struct xmem_frame *xmem_frame_ref (struct xmem_frame *frame);

/**
 * With the last reference the frame goes back to the publisher. NULL is
 * allowed. Threads: any. Blocks: never.
 */
XMEM_API void xmem_frame_unref (struct xmem_frame *frame);

/** Counts up by one with each frame published since the publisher started. */
XMEM_API uint64_t xmem_frame_get_sequence (const struct xmem_frame *frame);

/** CLOCK_MONOTONIC, in ns, when the publisher sent it. */
XMEM_API uint64_t xmem_frame_get_published_ns (const struct xmem_frame *frame);

/** Lives as long as @frame, its metas included. */
XMEM_API const struct xmem_frame_info *xmem_frame_get_info (
    const struct xmem_frame *frame);

/** The stream the frame belongs to; lives as long as @frame. */
XMEM_API const struct xmem_stream_info *xmem_frame_get_stream (
    const struct xmem_frame *frame);

/** Differs between frames exactly if their streams differ. */
XMEM_API uint32_t xmem_frame_get_epoch (const struct xmem_frame *frame);

XMEM_API size_t xmem_frame_get_n_regions (const struct xmem_frame *frame);

/** @index: below xmem_frame_get_n_regions (). Lives as long as @frame. */
XMEM_API const struct xmem_region *xmem_frame_get_region (
    const struct xmem_frame *frame, size_t index);

/**
 * The bytes of a region, read-only; live as long as @frame.
 *
 * Blocks: for a region in a dmabuf, until the devices that write to it have done
 *   so: the processor's access begins with the call and ends with the frame.
 * Returns: NULL for a dmabuf that cannot be mapped, and for bytes on a CUDA
 *   device, see xmem_frame_get_cuda_pointer ().
 */
XMEM_API const void *xmem_frame_get_data (
    const struct xmem_frame *frame, size_t index);

/**
 * Copies a region's bytes into a buffer of one's own, for who wants to write to
 * them, keep them, or cannot use a peer's memory. Each may be in memory of the
 * CPU or of a CUDA device; what a device still writes is waited for. The
 * buffer's info stays as it is. On a stream: xmem_frame_copy_after ().
 *
 * @index: below xmem_frame_get_n_regions ().
 * Threads: as the application keeps others from using @to.
 * Blocks: for the copy.
 * Returns: 0; XMEM_INVALID when @to is smaller than the region; XMEM_REFUSED
 *   when @to is read-only; XMEM_FORKED; XMEM_SYSTEM when a dmabuf cannot be
 *   mapped; XMEM_DEVICE.
 */
XMEM_API int xmem_frame_copy (struct xmem_frame *frame, size_t index,
    struct xmem_buffer *to, struct xmem_error *error);

XMEM_END_DECLS
#endif
