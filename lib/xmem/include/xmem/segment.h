/* SPDX-License-Identifier: MIT */
/**
 * xmem/segment.h: files that others made, as memory to publish from.
 *
 * Memory that was not made by a pool of ours, but has a file of its own, can be
 * published where it lies: a segment is made of the file, once, and frames are
 * regions of it (struct xmem_region; the id is the caller's to choose). Each
 * subscriber is sent the file descriptor once.
 */
#ifndef XMEM_SEGMENT_H
#define XMEM_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include <xmem/error.h>
#include <xmem/pool.h>

XMEM_BEGIN_DECLS

/**
 * Makes a segment of a file, as large as the file is now. It is not mapped.
 *
 * The file must be one that subscribers can do no harm with, and that can do
 * them none: a memfd sealed with F_SEAL_SHRINK and with F_SEAL_FUTURE_WRITE or
 * F_SEAL_WRITE, or a dmabuf. A dmabuf has no seals: subscribers can write to it
 * if its exporter lets them map it so. Only those with XMEM_SUBSCRIBER_DMABUF
 * get frames of it, others are refused with a sentence.
 *
 * @fd: borrowed; the segment has a duplicate.
 * Ownership: the caller has one reference; xmem_segment_unref () gives it back.
 * Threads: segments may be used from any thread. Blocks: never.
 * Returns: 0; XMEM_UNSUPPORTED when it is no such file, with what is missing in
 *   words; XMEM_INVALID for an empty one; XMEM_NO_MEMORY; XMEM_SYSTEM.
 */
XMEM_API int xmem_segment_new_dup_fd (
    int fd, struct xmem_segment **segment_out, struct xmem_error *error);

XMEM_API struct xmem_segment *xmem_segment_ref (struct xmem_segment *segment);

/** Never NULL. */
XMEM_API void xmem_segment_unref (struct xmem_segment *segment);

/**
 * Nothing new will be published from the segment: publishers forget it, and tell
 * their subscribers, as soon as no frame in it is out.
 */
XMEM_API void xmem_segment_retire (struct xmem_segment *segment);

/** Whether it is a dmabuf, received ones included. */
XMEM_API bool xmem_segment_is_dmabuf (const struct xmem_segment *segment);

/**
 * Its file.
 *
 * Ownership: the segment's. Returns: -1 for a part of a named pool.
 */
XMEM_API int xmem_segment_borrow_fd (const struct xmem_segment *segment);

/** Its size in bytes. */
XMEM_API uint64_t xmem_segment_get_size (const struct xmem_segment *segment);

XMEM_END_DECLS
#endif
