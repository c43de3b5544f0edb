/* SPDX-License-Identifier: MIT */
/**
 * xmem/cuda.h: frame buffers in the memory of a CUDA device.
 *
 * A buffer of a pool, and so a region of a frame, can lie in a device's memory.
 * It is published and received like any other, and never leaves the device: the
 * reader's process maps the same memory, once per segment.
 *
 * What the work on GPUs adds is order. A function here takes a stream and puts
 * something into it, without waiting on the host:
 *
 *   writer   launches its work on a stream, then
 *            xmem_publisher_publish_after (publisher, buffer, stream, ...);
 *   reader   xmem_frame_cuda_wait (frame, stream), launches its work, then
 *            xmem_frame_unref_after (frame, stream).
 *
 * The slot is used again when the work of all readers is over.
 *
 * Streams and contexts are those of the CUDA driver API: a CUstream or a
 * cudaStream_t (also 0, 1 and 2, the default streams), and a CUcontext, as
 * void *. A device has the number that the driver gives it in this process.
 * Other processes may see it by another number; xmem compares UUIDs.
 *
 * The context is the device's primary one, which the CUDA runtime uses, unless
 * the parameters of a pool or a subscriber lead to another. The streams given here
 * must be of that context. It does not need to be current.
 *
 * The library needs no CUDA at build time; it loads the driver when this is
 * first used, and keeps it, and the primary contexts that it has used, until the
 * process ends.
 */
#ifndef XMEM_CUDA_H
#define XMEM_CUDA_H

#include <xmem/pool.h>
#include <xmem/publisher.h>
#include <xmem/subscriber.h>

XMEM_BEGIN_DECLS

/** How a device's memory gets to other processes; in a pool's parameters. */
enum xmem_cuda_mode {
  /* VMM where the machine can do it, which is tried once, else legacy. */
  XMEM_CUDA_MODE_AUTO = 0,
  /* A file descriptor per segment, over the socket. Readers cannot write where
   * the driver enforces it, and what they read outlives the writer. */
  XMEM_CUDA_MODE_VMM = 1,
  /* cuIpcGetMemHandle (): not on every machine, not between containers that
   * share no process namespace, gone with the writer. */
  XMEM_CUDA_MODE_LEGACY = 2,
};

/**
 * As xmem_pool_acquire (), in the memory of a device.
 *
 * Work that was launched on the slot by this process may still run, if it was
 * published for nobody. A writer that uses another stream than the last one
 * calls xmem_buffer_cuda_wait () first.
 *
 * In a named pool the memory is shared by legacy handles and belongs to @pool, the
 * handle that allocated it: when its last reference goes, or its process dies, so
 * does the memory, and xmem_pool_get () gives XMEM_GONE. Nothing orders the work of
 * processes: who has written or read waits for its own work before it shows a
 * buffer to others or gives it back.
 *
 * @device: the driver's number of the device, from 0 on.
 * Returns: as xmem_pool_acquire (); XMEM_UNSUPPORTED, with what is missing in
 *   words: the driver, the device, its ability to share memory; also for a named
 *   pool with XMEM_CUDA_MODE_VMM; XMEM_NO_SPACE when the device has no memory left; XMEM_DEVICE when a
 *   call of the driver failed, with the call and its code in words.
 */
XMEM_API int xmem_pool_acquire_cuda (struct xmem_pool *pool,
    uint64_t size_bytes, int device, unsigned flags, int64_t timeout_ns,
    struct xmem_buffer **buffer_out, struct xmem_error *error);

/**
 * As xmem_pool_preallocate (), in the memory of a device.
 * Returns: as xmem_pool_preallocate () and xmem_pool_acquire_cuda ().
 */
XMEM_API int xmem_pool_preallocate_cuda (struct xmem_pool *pool,
    uint64_t size_bytes, uint32_t n, int device, struct xmem_error *error);

/** The device that a buffer's memory is on, or -1 for memory of the CPU. */
XMEM_API int xmem_buffer_get_device (const struct xmem_buffer *buffer);

/**
 * The buffer's address on its device (a CUdeviceptr), aligned to 512 bytes at
 * least, of xmem_buffer_get_size () bytes.
 *
 * Ownership: valid while the caller holds a reference.
 * Returns: 0 for memory of the CPU.
 */
XMEM_API uint64_t xmem_buffer_get_cuda_pointer (
    const struct xmem_buffer *buffer);

/**
 * Makes a stream wait until the work that last wrote the buffer, as it was
 * told to xmem_publisher_publish_after (), is over. There is no such work in a
 * named pool.
 *
 * Threads: any. Blocks: never. Returns: 0, XMEM_INVALID, XMEM_DEVICE.
 */
XMEM_API int xmem_buffer_cuda_wait (
    struct xmem_buffer *buffer, void *stream, struct xmem_error *error);

/**
 * As xmem_buffer_copy (), on a stream: bytes of the CPU to a device, of a
 * device to the CPU, or between buffers of one or of two devices, at least one
 * of them in a device's memory.
 *
 * @stream: of the context of the buffer on a device, @to's if both are.
 * Ownership: both buffers must stay referenced until the copy is over.
 * Blocks: never for the device; the driver may wait for the copy of memory of
 *   the CPU.
 * Returns: as xmem_buffer_copy ().
 */
XMEM_API int xmem_buffer_copy_after (struct xmem_buffer *to,
    const struct xmem_buffer *from, void *stream, struct xmem_error *error);

/**
 * As xmem_publisher_publish_buffer (), for a buffer on a device that is being
 * written by work launched on @stream. Records the slot's event on the stream;
 * readers wait for it on theirs. Where that cannot be - the driver shares no
 * events, or a subscriber cannot open them - the call waits for the work instead
 * (xmem_publisher_stats.frames_synchronised).
 *
 * Publish once what was written once. For frames of several regions see
 * xmem_publish.cuda_stream.
 *
 * Blocks: as xmem_publisher_publish ().
 * Returns: as xmem_publisher_publish (); XMEM_DEVICE when the driver refuses the
 *   stream.
 */
XMEM_API int xmem_publisher_publish_after (struct xmem_publisher *publisher,
    struct xmem_buffer *buffer, void *stream,
    const struct xmem_frame_info *info, int64_t timeout_ns,
    struct xmem_error *error);

/** The device that a region's memory is on, or -1 for memory of the CPU. */
XMEM_API int xmem_frame_get_device (
    const struct xmem_frame *frame, size_t index);

/**
 * A region's address on its device, in the subscriber's context. Reading only:
 * where the driver enforces that, a write is an error of the context.
 *
 * Ownership: lives as long as @frame.
 * Returns: 0 for memory of the CPU.
 */
XMEM_API uint64_t xmem_frame_get_cuda_pointer (
    const struct xmem_frame *frame, size_t index);

/**
 * Makes a stream wait until the frame is written. To be called before the work
 * that reads the frame is launched on that stream.
 *
 * Threads: any. Blocks: never. Returns: 0; XMEM_DEVICE.
 */
XMEM_API int xmem_frame_cuda_wait (
    struct xmem_frame *frame, void *stream, struct xmem_error *error);

/**
 * The same for readers on the CPU: waits until the frame is written.
 *
 * Threads: any. Blocks: until then. Returns: 0; XMEM_DEVICE.
 */
XMEM_API int xmem_frame_cuda_synchronize (
    struct xmem_frame *frame, struct xmem_error *error);

/**
 * As xmem_frame_copy (), on a stream: behind the work that writes the frame, with
 * no need for xmem_frame_cuda_wait (), and behind what this process last wrote
 * the buffer with. The frame or the buffer is in a device's memory.
 *
 * @stream: of the context of the buffer on a device, else of the subscriber's.
 * Ownership: both must stay referenced until the copy is over. A frame in a
 *   device's memory may be given back by xmem_frame_unref_after () on the same
 *   stream; one in memory of the CPU may not.
 * Blocks: as xmem_buffer_copy_after ().
 * Returns: as xmem_frame_copy (); XMEM_INVALID also when neither is.
 */
XMEM_API int xmem_frame_copy_after (struct xmem_frame *frame, size_t index,
    struct xmem_buffer *to, void *stream, struct xmem_error *error);

/* As the stream of xmem_frame_unref_after (): everything that was launched in
 * the context so far, on whatever stream. */
#define XMEM_CUDA_ALL_STREAMS ((void *) UINTPTR_MAX)

/**
 * As xmem_frame_unref (), once the work that was launched on @stream so far is
 * over. A thread of the library waits for that. For a frame without memory on a
 * device it is xmem_frame_unref ().
 *
 * A process that dies before has given back what it held, as always.
 *
 * @stream: of the subscriber's context, or XMEM_CUDA_ALL_STREAMS.
 * Threads: any. Blocks: never, unless the driver refuses to record an event;
 *   then until the work is over.
 */
XMEM_API void xmem_frame_unref_after (struct xmem_frame *frame, void *stream);

XMEM_END_DECLS
#endif
