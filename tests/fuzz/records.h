/* SPDX-License-Identifier: MIT */
/* A fuzz input as a series of messages: {how many and which fds u8, length
 * u16, bytes}. */
#ifndef XMEM_FUZZ_RECORDS_H
#define XMEM_FUZZ_RECORDS_H

#include <stddef.h>
#include <stdint.h>

/* What comes with a message. */
enum record_fds {
  RECORD_NONE = 0,
  RECORD_SEALED = 1, /* RECORD_MEMORY_SIZE bytes that nobody can change */
  RECORD_UNSEALED = 2,
  RECORD_TWO = 3,
  RECORD_KINDS = 4,
};

#define RECORD_MEMORY_SIZE 65536

/* Sends the messages of an input until it ends or the socket is full. */
void records_send (int fd, const uint8_t *data, size_t size);

#endif
