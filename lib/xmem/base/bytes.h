/* SPDX-License-Identifier: MIT */
/* Bounded little-endian reader and writer. Neither ever goes out of bounds;
 * both remember that something did not fit, so that a run of calls is checked
 * once at its end. */
#ifndef XMEM_BASE_BYTES_H
#define XMEM_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xmem_reader {
  const uint8_t *data;
  size_t left;
  bool failed;
};

struct xmem_writer {
  uint8_t *data;
  size_t used;
  size_t size;
  bool failed;
};

/* The next n bytes, borrowed; NULL if there are fewer. */
const uint8_t *xmem_reader_take (struct xmem_reader *reader, size_t n);
uint16_t xmem_reader_u16 (struct xmem_reader *reader);
uint32_t xmem_reader_u32 (struct xmem_reader *reader);
uint64_t xmem_reader_u64 (struct xmem_reader *reader);

void xmem_writer_put (struct xmem_writer *writer, const void *data, size_t n);
void xmem_writer_zeros (struct xmem_writer *writer, size_t n);
void xmem_writer_u16 (struct xmem_writer *writer, uint16_t value);
void xmem_writer_u32 (struct xmem_writer *writer, uint32_t value);
void xmem_writer_u64 (struct xmem_writer *writer, uint64_t value);

#endif
