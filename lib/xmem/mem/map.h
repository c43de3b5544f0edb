/* SPDX-License-Identifier: MIT */
/* Mapping shared memory, with some zeros behind it that nobody shares: readers
 * that run past the end of a frame read these and do not crash. GStreamer's
 * unpackers of some formats do, by a few bytes at odd sizes, and from 1.26 on
 * its copying does, to the end of the last row's stride. */
#ifndef XMEM_MEM_MAP_H
#define XMEM_MEM_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Up to whole pages of this machine. */
uint64_t xmem_page_round (uint64_t size);

/* Maps `size` bytes of a file from `offset`, a multiple of the page size, on.
 * Returns the mapping, or NULL and errno. */
void *xmem_map (int fd, uint64_t offset, size_t size, bool writable);

/* Populates it, so that no page fault is left for later. Kernels before 5.14
 * do without. */
void xmem_map_populate (void *data, size_t size, bool writable);

void xmem_unmap (void *data, size_t size);

/* Allocates bytes of a file now, so that running out is an error here and not a
 * SIGBUS when a page is touched. Returns 0, or -1 and errno. */
int xmem_allocate (int fd, uint64_t offset, uint64_t size);

#endif
