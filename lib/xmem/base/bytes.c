/* SPDX-License-Identifier: MIT */
/* Owns nothing: reads and writes memory that its caller bounds. */
#include "base/bytes.h"

#include <string.h>

const uint8_t *
xmem_reader_take (struct xmem_reader *reader, size_t n)
{
  const uint8_t *taken = reader->data;

  if (reader->failed || n > reader->left) {
    reader->failed = true;
    return NULL;
  }
  reader->data += n;
  reader->left -= n;
  return taken;
}

static uint64_t
reader_le (struct xmem_reader *reader, size_t n)
{
  const uint8_t *bytes = xmem_reader_take (reader, n);
  uint64_t value = 0;

  for (size_t i = n; bytes && i > 0; i--)
    value = value << 8 | bytes[i - 1];
  return value;
}

uint16_t
xmem_reader_u16 (struct xmem_reader *reader)
{
  return (uint16_t) reader_le (reader, 2);
}

uint32_t
xmem_reader_u32 (struct xmem_reader *reader)
{
  return (uint32_t) reader_le (reader, 4);
}

uint64_t
xmem_reader_u64 (struct xmem_reader *reader)
{
  return reader_le (reader, 8);
}

static uint8_t *
writer_claim (struct xmem_writer *writer, size_t n)
{
  uint8_t *claimed = writer->data + writer->used;

  if (writer->failed || n > writer->size - writer->used) {
    writer->failed = true;
    return NULL;
  }
  writer->used += n;
  return claimed;
}

void
xmem_writer_put (struct xmem_writer *writer, const void *data, size_t n)
{
  uint8_t *to = writer_claim (writer, n);

  if (to && n > 0)
    memcpy (to, data, n);
}

void
xmem_writer_zeros (struct xmem_writer *writer, size_t n)
{
  uint8_t *to = writer_claim (writer, n);

  if (to)
    memset (to, 0, n);
}

static void
writer_le (struct xmem_writer *writer, uint64_t value, size_t n)
{
  uint8_t *to = writer_claim (writer, n);

  for (size_t i = 0; to && i < n; i++)
    to[i] = (uint8_t) (value >> (8 * i));
}

void
xmem_writer_u16 (struct xmem_writer *writer, uint16_t value)
{
  writer_le (writer, value, 2);
}

void
xmem_writer_u32 (struct xmem_writer *writer, uint32_t value)
{
  writer_le (writer, value, 4);
}

void
xmem_writer_u64 (struct xmem_writer *writer, uint64_t value)
{
  writer_le (writer, value, 8);
}
