/* SPDX-License-Identifier: MIT */
/* What a hostile subscriber must not hurt: a publisher and a reader that wants
 * every frame, in processes of their own. The test itself is the hostile one. */
#ifndef XMEM_FAULT_BYSTANDERS_H
#define XMEM_FAULT_BYSTANDERS_H

#include "harness/actor.h"
#include "harness/raw.h"

struct bystanders {
  const char *address;
  struct actor publisher;
  struct actor reader;
  unsigned n_fds; /* of the publisher when all was well */
  uint64_t next; /* the number of the next frame */
};

void bystanders_start (struct bystanders *b);

/* Publishes a few frames, all of which the reader must get. */
void bystanders_check (struct bystanders *b);

/* Once the hostile one has hung up: the publisher holds nothing of it. */
void bystanders_stop (struct bystanders *b);

/* Sends bytes as a first or a later message; the publisher must say PROTOCOL
 * and nobody else must notice. */
void bystanders_expect_eviction (
    struct bystanders *b, int take_fd, const void *bytes, size_t size);

#endif
