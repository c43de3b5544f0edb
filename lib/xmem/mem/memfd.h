/* SPDX-License-Identifier: MIT */
/* Sealed memfds: memory that its maker writes and every other process can
 * only read. */
#ifndef XMEM_MEM_MEMFD_H
#define XMEM_MEM_MEMFD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* Makes a memfd of `size` bytes, all of them allocated, maps it writable and
 * then seals it: no shrinking, no growing, no new writable mapping.
 * Gives an fd and a mapping (mem/map.h), both the caller's. */
int xmem_memfd_create (
    size_t size, int *fd_out, void **data_out, struct xmem_error *error);

/* Whether the file can never shrink and nobody who gets it can write it. */
bool xmem_memfd_is_sealed (int fd);

/* Maps `size` bytes of a file that a peer sent, read-only, after making sure
 * that the peer can never shrink it under us or forge its size. Borrows fd;
 * the mapping is the caller's. */
int xmem_memfd_map (
    int fd, size_t size, void **data_out, struct xmem_error *error);

/* A read-only sealed memfd with a copy of the bytes, for what is too large for
 * a message. Gives an fd. */
int xmem_memfd_from_bytes (
    const void *data, size_t size, int *fd_out, struct xmem_error *error);

#endif
