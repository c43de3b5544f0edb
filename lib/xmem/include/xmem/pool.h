/* SPDX-License-Identifier: MIT */
/**
 * xmem/pool.h: frame buffers in shared memory.
 *
 * A pool hands out slots: regions of shared memory. A buffer is this process's
 * reference-counted handle on one slot. The pool grows by segments (allocated
 * up front) up to a stated limit.
 *
 * Anonymous pools (xmem_pool_new ()) belong to one process, which may show
 * buffers to others through a publisher. They leave nothing behind when their
 * processes die.
 *
 * Named pools (xmem_pool_create (), xmem_pool_open ()) are shared by up to
 * XMEM_MAX_PROCESSES processes that trust each other. Each takes, holds and
 * frees slots directly, without a socket, and tells the others a buffer's id by
 * whatever means it has. What a process held when it died comes back.
 *
 * Where a function is said to return XMEM_FORKED: a child made by fork ()
 * without exec () must not use its parent's pools, and is told so.
 */
#ifndef XMEM_POOL_H
#define XMEM_POOL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <xmem/error.h>
#include <xmem/frame.h>

XMEM_BEGIN_DECLS

struct xmem_pool;
struct xmem_buffer;
struct xmem_segment;

#define XMEM_WAIT_FOREVER INT64_C (-1)

#define XMEM_MAX_SLOTS 65536

/* How many times a named pool can be open at once. */
#define XMEM_MAX_PROCESSES 24

/* References on one slot that can be in flight at once. */
#define XMEM_MAX_IN_FLIGHT 254

/* --- pools --------------------------------------------------------------- */

/**
 * How to keep a CUDA context of the application's that may end before the last
 * memory that is used in it: what subscribers hold outlives pools and
 * publishers. ref is called once for each allocation, made or imported, and
 * unref when it is gone; from any thread, possibly with locks of the library
 * held: they must not call it.
 */
struct xmem_cuda_keeper {
  void (*ref) (void *data); /* NULL: the context outlives everything */
  void (*unref) (void *data);
  void *data;
};

struct xmem_pool_params {
  size_t struct_size; /* sizeof (struct xmem_pool_params) */
  uint32_t n_slots; /* most slots at once; 0: 1024; at most XMEM_MAX_SLOTS */
  uint32_t mode; /* named pools: permissions; 0: 0600 */
  uint64_t max_bytes; /* most bytes of all segments, rounded up to a page; 0:
                         1 GiB */
  int64_t handover_timeout_ns; /* how long a reference may be in flight; 0: 5 s,
                                  XMEM_WAIT_FOREVER: no limit */
  uint32_t cuda_mode; /* enum xmem_cuda_mode, see cuda.h */
  void *cuda_context; /* the CUcontext to use; NULL: primary ones. Must outlive
                         the pool, and, unless there is a keeper, its buffers
                         and what is published */
  struct xmem_cuda_keeper cuda_keeper;
};

/**
 * Makes an empty anonymous pool. No memory is shared before the first
 * acquire.
 *
 * @params: NULL for the defaults.
 * Ownership: the caller has one reference; xmem_pool_unref () gives it back.
 *   Buffers keep their pool alive.
 * Threads: a pool may be used from any number of threads at once.
 * Blocks: never.
 * Returns: 0, XMEM_INVALID, XMEM_NO_MEMORY.
 */
XMEM_API int xmem_pool_new (const struct xmem_pool_params *params,
    struct xmem_pool **pool_out, struct xmem_error *error);

/**
 * Makes a named pool and attaches to it. It takes the place of one of the same
 * name whose processes are all dead.
 *
 * @name: as for shm_open (): "/name", or "name"; up to 254 bytes, no further
 *   slash. One POSIX shared memory object of that name appears, complete, and
 *   goes when the last process lets go of the pool.
 * @params: NULL for the defaults. Whoever may write the object, by @mode, may
 *   attach; the umask has no part in it.
 * Ownership, threads: as xmem_pool_new ().
 * Blocks: at most a second, while another process attaches or detaches.
 * Returns: 0; XMEM_IN_USE when processes alive have it, or the name is that of
 *   an object that is not a pool; XMEM_INVALID; XMEM_NO_SPACE; XMEM_NO_MEMORY;
 *   XMEM_REFUSED; XMEM_SYSTEM.
 */
XMEM_API int xmem_pool_create (const char *name,
    const struct xmem_pool_params *params, struct xmem_pool **pool_out,
    struct xmem_error *error);

enum xmem_open_flags {
  /* This process will only look: acquiring and asking for write access are
   * XMEM_REFUSED. (The object itself must still be writable: holders are
   * counted in it.) */
  XMEM_OPEN_READ_ONLY = 1 << 0,
};

/**
 * Attaches to a named pool. Each call is one of its XMEM_MAX_PROCESSES, also
 * within one process.
 *
 * @flags: enum xmem_open_flags.
 * Ownership, threads: as xmem_pool_new ().
 * Blocks: at most a second, while another process attaches or detaches.
 * Returns: 0; XMEM_NOT_FOUND; XMEM_FULL when it is open XMEM_MAX_PROCESSES
 *   times; XMEM_VERSION when another version of xmem made it; XMEM_CORRUPT when
 *   it is not a pool, or a damaged one; XMEM_IN_USE when another process was
 *   stopped while attaching; XMEM_REFUSED; XMEM_INVALID; XMEM_NO_MEMORY;
 *   XMEM_SYSTEM.
 */
XMEM_API int xmem_pool_open (const char *name, unsigned flags,
    struct xmem_pool **pool_out, struct xmem_error *error);

/**
 * Takes a pool's name away, now: who has it open goes on, a new pool may take
 * the name. Not needed where all processes end in an orderly way.
 *
 * Threads: any. Blocks: as xmem_pool_open ().
 * Returns: 0, XMEM_NOT_FOUND, XMEM_CORRUPT when it is not a pool, XMEM_INVALID,
 *   XMEM_IN_USE, XMEM_REFUSED, XMEM_SYSTEM.
 */
XMEM_API int xmem_pool_unlink (const char *name, struct xmem_error *error);

XMEM_API struct xmem_pool *xmem_pool_ref (struct xmem_pool *pool);

/** With the last reference a named pool is detached from. NULL is allowed. */
XMEM_API void xmem_pool_unref (struct xmem_pool *pool);

struct xmem_pool_stats {
  uint32_t n_slots; /* slots that have memory, or had some of a CUDA device */
  uint32_t n_used; /* of these, not free */
  uint32_t n_in_flight; /* of these, with references in flight */
  uint32_t n_segments;
  uint32_t n_processes; /* attached and alive; 1 for an anonymous pool */
  uint64_t bytes; /* of all segments, as far as this process knows */
};

/** Threads: any. Blocks: never. Each figure is of the instant of its reading. */
XMEM_API void xmem_pool_get_stats (
    struct xmem_pool *pool, struct xmem_pool_stats *stats_out);

/**
 * Gives back every segment whose slots would be a bad fit for buffers of
 * @keep_size_bytes: at once where all its slots are free, else as soon as they
 * are. For streams whose frames have changed their size. Segments of named
 * pools stay.
 *
 * Threads: any. Blocks: never.
 */
XMEM_API void xmem_pool_trim (struct xmem_pool *pool, uint64_t keep_size_bytes);

/**
 * Frees what dead processes held, and what was in flight for too long, now.
 * xmem_pool_acquire () does the same before it grows, fails or waits. Lets go of
 * memory of CUDA devices whose owner is gone, if this process holds none of it.
 *
 * @n_freed_out: how many slots came free by it, or NULL.
 * Threads: any. Blocks: never. Costs a look at each slot in use.
 * Returns: 0, XMEM_FORKED.
 */
XMEM_API int xmem_pool_reclaim (
    struct xmem_pool *pool, uint32_t *n_freed_out, struct xmem_error *error);

/* --- getting buffers ----------------------------------------------------- */

enum xmem_acquire_flags {
  /* Anonymous pools: grow past max_bytes rather than wait. For memory whose
   * number is bounded elsewhere, such as copies that wait for a bounded set of
   * readers. What exceeds the limit is given back as it comes free, but for one
   * segment. */
  XMEM_ACQUIRE_OVER_LIMIT = 1 << 0,
};

/**
 * Takes a free slot of at least @size_bytes, growing the pool if need be. The
 * buffer is writable, its content undefined (whatever the slot last held, or
 * zeros), its info empty but for the producer.
 *
 * @size_bytes: 1 to 2^40.
 * @flags: enum xmem_acquire_flags.
 * @timeout_ns: how long to wait for a slot when the limits are reached; 0
 *   does not wait, XMEM_WAIT_FOREVER has no limit.
 * Ownership: the caller has one reference, xmem_buffer_unref () gives it back.
 * Threads: any.
 * Blocks: up to @timeout_ns on a futex. Growing allocates and populates the
 *   new segment, about 0.6 ms per MiB, and waits at most a second for another
 *   process that is growing the same pool.
 * Returns: 0; XMEM_AGAIN when no slot came free in time; XMEM_FULL when one
 *   such slot alone exceeds the pool's limit; XMEM_INVALID; XMEM_REFUSED when
 *   the pool was opened read-only; XMEM_FORKED; XMEM_CORRUPT; XMEM_NO_SPACE
 *   when the system has no memory to share.
 */
XMEM_API int xmem_pool_acquire (struct xmem_pool *pool, uint64_t size_bytes,
    unsigned flags, int64_t timeout_ns, struct xmem_buffer **buffer_out,
    struct xmem_error *error);

/**
 * Makes sure that @n further slots of @size_bytes can be acquired without
 * growing.
 *
 * Threads: any. Blocks: for the allocation.
 * Returns: 0, XMEM_FULL when the pool's limits do not allow it, else as
 *   xmem_pool_acquire (). On failure what was allocated stays.
 */
XMEM_API int xmem_pool_preallocate (struct xmem_pool *pool, uint64_t size_bytes,
    uint32_t n, struct xmem_error *error);

enum xmem_access {
  XMEM_READ = 0, /* the mapping is read-only: a write is a SIGSEGV */
  XMEM_WRITE = 1,
};

/**
 * A reference on the live buffer with this id, whoever holds it now: it stays
 * what it is until the reference is given back.
 *
 * @access: enum xmem_access. Who writes what others read makes sure by other
 *   means that they do not read at that time.
 * Ownership: the caller has one reference, xmem_buffer_unref () gives it back.
 * Threads: any. Blocks: never; the first buffer of a segment that another
 *   process made maps that segment.
 * Returns: 0; XMEM_STALE when that buffer is gone or its slot has moved on to
 *   other content; XMEM_REFUSED for XMEM_WRITE when the pool was opened
 *   read-only; XMEM_FORKED; XMEM_CORRUPT; XMEM_SYSTEM. In memory of a CUDA device:
 *   XMEM_GONE when the process that allocated it has ended or closed the pool;
 *   XMEM_UNSUPPORTED, XMEM_DEVICE as xmem_pool_acquire_cuda ().
 */
XMEM_API int xmem_pool_get (struct xmem_pool *pool, uint64_t id,
    enum xmem_access access, struct xmem_buffer **buffer_out,
    struct xmem_error *error);

/**
 * The same for whatever content slot @index has now.
 *
 * @index: 0 to the pool's n_slots - 1, the lower half of an id.
 * Returns: as xmem_pool_get (); XMEM_STALE when the slot is free or does not
 *   exist.
 */
XMEM_API int xmem_pool_get_at (struct xmem_pool *pool, uint32_t index,
    enum xmem_access access, struct xmem_buffer **buffer_out,
    struct xmem_error *error);

/**
 * Takes one of the references that xmem_buffer_give () has put in flight.
 *
 * Ownership, threads, blocks: as xmem_pool_get ().
 * Returns: as xmem_pool_get (); XMEM_STALE also when none is in flight, any
 *   more or not yet. Where the memory cannot be had (XMEM_GONE,
 *   XMEM_UNSUPPORTED, XMEM_DEVICE, XMEM_SYSTEM) the reference has been taken and
 *   given back: it is no longer in flight.
 */
XMEM_API int xmem_pool_take (struct xmem_pool *pool, uint64_t id,
    enum xmem_access access, struct xmem_buffer **buffer_out,
    struct xmem_error *error);

/**
 * Goes through the live buffers, for tools: a read-only reference on the first
 * at or after *@cursor, which is moved past it. Begin with 0.
 *
 * Ownership, threads, blocks: as xmem_pool_get ().
 * Returns: 0; XMEM_EOS when there are no more; else as xmem_pool_get (), having
 *   moved past the buffer in question.
 */
XMEM_API int xmem_pool_next (struct xmem_pool *pool, uint32_t *cursor,
    struct xmem_buffer **buffer_out, struct xmem_error *error);

/* --- references ---------------------------------------------------------- */

/** Threads: any; the count is atomic. Returns: @buffer. */
XMEM_API struct xmem_buffer *xmem_buffer_ref (struct xmem_buffer *buffer);

/**
 * Gives one reference back. With the last one of all processes the slot is free
 * and waiting xmem_pool_acquire () calls wake up. NULL is allowed.
 *
 * Threads: any. Blocks: never.
 */
XMEM_API void xmem_buffer_unref (struct xmem_buffer *buffer);

/**
 * Hands over: puts @n references in flight, for xmem_pool_take () in this or
 * other processes, and gives the caller's own back. Until they are taken they
 * keep the slot without anybody holding it, for at most the pool's handover
 * timeout from the latest hand-over of this buffer on.
 *
 * @n: 1 to XMEM_MAX_IN_FLIGHT.
 * Ownership: takes the caller's reference if it returns 0.
 * Threads: any. Blocks: never.
 * Returns: 0; XMEM_FULL when more than XMEM_MAX_IN_FLIGHT would be in flight;
 *   XMEM_INVALID; XMEM_FORKED.
 */
XMEM_API int xmem_buffer_give (
    struct xmem_buffer *buffer, unsigned n, struct xmem_error *error);

struct xmem_buffer_refs {
  uint32_t local; /* references in this process */
  uint32_t holders; /* processes that have references */
  uint32_t in_flight; /* handed over and not yet taken */
};

/** Threads: any. Blocks: never. Each figure is of the instant of its reading. */
XMEM_API void xmem_buffer_get_refs (
    const struct xmem_buffer *buffer, struct xmem_buffer_refs *refs_out);

/* --- what a buffer is ---------------------------------------------------- */

/**
 * The buffer's id: generation in the upper, slot index in the lower 32 bits.
 * An id is never given to other content by the same pool before 2^32 reuses
 * of that slot.
 */
XMEM_API uint64_t xmem_buffer_get_id (const struct xmem_buffer *buffer);

/**
 * Gives the buffer a new id, because its owner is about to fill it with new
 * content without having released it (a recycling pool above this one).
 *
 * Threads: only the one owner of the buffer may call this, and only while
 *   nobody else can be getting the buffer by its old id: a reference that is
 *   got at that moment would see its content change.
 */
XMEM_API void xmem_buffer_renew (struct xmem_buffer *buffer);

/**
 * The bytes, aligned to 64 bytes at least, xmem_buffer_get_size () of them;
 * valid while the caller holds a reference.
 *
 * Returns: NULL when they are on a CUDA device; see
 *   xmem_buffer_get_cuda_pointer ().
 */
XMEM_API const void *xmem_buffer_get_data (const struct xmem_buffer *buffer);

/**
 * The same for writing.
 *
 * Returns: NULL when the buffer was asked for with XMEM_READ, or is on a CUDA
 *   device.
 */
XMEM_API void *xmem_buffer_get_mut_data (const struct xmem_buffer *buffer);

/** The size in bytes as asked for in xmem_pool_acquire (). */
XMEM_API uint64_t xmem_buffer_get_size (const struct xmem_buffer *buffer);

/** What is said of a buffer; all zero: nothing. */
struct xmem_buffer_info {
  uint64_t timestamp_ns; /* the application's own clock */
  uint64_t sequence; /* the application's own count */
  uint64_t producer; /* pid of the process that acquired the buffer */
  struct xmem_description description;
};

/**
 * Describes the buffer for whoever gets it. `producer` is ignored: acquiring
 * sets it.
 *
 * Threads: one writer at a time; a reader meanwhile may see some fields old and
 *   some new.
 * Returns: 0; XMEM_INVALID when the description does not fit the buffer
 *   (xmem_description_check ()); XMEM_REFUSED for a read-only buffer;
 *   XMEM_FORKED.
 */
XMEM_API int xmem_buffer_set_info (struct xmem_buffer *buffer,
    const struct xmem_buffer_info *info, struct xmem_error *error);

/**
 * Threads: any.
 * Returns: 0; XMEM_CORRUPT when what another process has written there does
 *   not fit the buffer.
 */
XMEM_API int xmem_buffer_get_info (const struct xmem_buffer *buffer,
    struct xmem_buffer_info *info_out, struct xmem_error *error);

/**
 * Copies bytes and info, but for the producer, from one buffer to another, of
 * the same or of another pool, in memory of the CPU or of CUDA devices.
 *
 * Threads: as the application keeps others from reading @to.
 * Blocks: for the copy.
 * Returns: 0; XMEM_INVALID when @to is smaller than @from; XMEM_REFUSED when
 *   @to is read-only; XMEM_FORKED; XMEM_CORRUPT; XMEM_DEVICE.
 */
XMEM_API int xmem_buffer_copy (struct xmem_buffer *to,
    const struct xmem_buffer *from, struct xmem_error *error);

/**
 * A region of shared memory: what a frame is made of. Whoever has a region of
 * a live buffer of an anonymous pool, or of a received frame, can publish it.
 */
struct xmem_region {
  struct xmem_segment *segment; /* borrowed */
  uint64_t id; /* generation << 32 | slot index */
  uint64_t offset; /* bytes from the segment's start */
  uint64_t size; /* bytes */
};

/** The whole of @buffer as a region; borrowed, valid as long as @buffer. */
XMEM_API void xmem_buffer_get_region (
    const struct xmem_buffer *buffer, struct xmem_region *region_out);

XMEM_END_DECLS
#endif
