/* SPDX-License-Identifier: MIT */
/* A process that publishes frames on a device, and those that read them: roles
 * of the tests' children. Every frame's words all carry its sequence number,
 * written and looked at by kernels.
 *
 * They do what they are told, a line each way; see peers.c. */
#ifndef XMEM_TESTS_CUDA_PEERS_H
#define XMEM_TESTS_CUDA_PEERS_H

#include "cuda/double.h"

#define PEER_WORDS 512

/* For a list of roles. */
#define PEER_ROLES                                      \
  { "producer", producer_run }, { "relay", relay_run }, \
  {                                                     \
    "consumer", consumer_run                            \
  }

/* Arguments: address, then "NAME=VALUE" for the environment of the double, and
 * what follows. A producer: "mode=vmm" or "legacy", "one-stream",
 * "replay-last". A consumer: "no-wait", "complete", "no-cuda", "own-context", "seed=N" for random pauses. */
void producer_run (int argc, char **argv);
void consumer_run (int argc, char **argv);

/* Publishes what it receives as it is, at the address with "-relay" behind it,
 * where a consumer with "from-relay" looks. */
void relay_run (int argc, char **argv);

/* Starts one; NULL-terminated arguments behind the address. Returns when it
 * listens, or has connected. */
void peer_start (
    struct harness_child *child, const char *role, ...) G_GNUC_NULL_TERMINATED;

/* The address of the case. */
const char *peer_address (void);

/* Tells, and checks the answer's first word, which is "ok". Returns what
 * follows. */
const char *peer_ask (struct harness_child *child, const char *format, ...)
    G_GNUC_PRINTF (2, 3);

/* The answer of one that was only told. */
const char *peer_hear_ok (struct harness_child *child);

/* What a consumer saw until the stream's end, or until the publisher's. */
struct peer_summary {
  int status; /* that ended it */
  uint64_t n_frames;
  uint64_t n_good;
  uint64_t n_bad;
  char words[248]; /* of a failure */
};

void peer_hear_summary (
    struct harness_child *child, struct peer_summary *summary_out);

/* Ends one that has nothing left to do; fails if anything is left. */
void peer_stop (struct harness_child *child);

#endif
