/* SPDX-License-Identifier: MIT */
/* A publisher by hand, and its victim: a subscriber in a process of its own
 * that must say what is wrong, close the connection, keep what it had and
 * stay well. */
#ifndef XMEM_FAULT_HOSTILE_H
#define XMEM_FAULT_HOSTILE_H

#include "harness/actor.h"
#include "harness/raw.h"

#define HOSTILE_SIZE 65536 /* of its good segments */

struct hostile {
  int listener;
  int fd;
  struct actor victim;
  unsigned n_fds; /* of the victim before it connected */
};

/* Shakes hands. */
void hostile_open (struct hostile *h);

/* Good messages. The segment's memory is zero. */
void hostile_send_stream (struct hostile *h, uint32_t epoch);
void hostile_send_segment (struct hostile *h, uint32_t id);
/* A frame of the first stream (epoch 1) with one region at the start of the
 * segment; what it has besides is up to the test. */
struct xmem_wire_message hostile_frame (uint64_t sequence, uint32_t segment);

/* A stream (1), a segment (1) and a frame (0), which the victim keeps. */
void hostile_send_good (struct hostile *h);

void hostile_send (
    struct hostile *h, const struct xmem_wire_message *message, int with_fd);

/* The victim's next call must fail with this and close the connection, but
 * not its descriptors beside it; the words must contain `words`. Then all
 * ends. */
void hostile_expect (struct hostile *h, int status, const char *words);

#endif
