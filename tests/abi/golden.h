/* SPDX-License-Identifier: MIT */
/* Every message of protocol version 1, in words and in bytes. The bytes are
 * written by hand and never change. Also the seeds of the fuzz targets. */
#ifndef XMEM_ABI_GOLDEN_H
#define XMEM_ABI_GOLDEN_H

#include "wire/message.h"

struct golden {
  const char *name;
  const char *hex; /* spaces do not count */
  struct xmem_wire_message message;
};

extern const struct golden golden_messages[];
extern const size_t golden_n_messages;

/* The bytes of a hex string; returns their number, at most `size`. */
size_t golden_bytes (const char *hex, uint8_t *bytes, size_t size);

#endif
