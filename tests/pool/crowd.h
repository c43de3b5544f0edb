/* SPDX-License-Identifier: MIT */
/* Processes that do everything a named pool allows, at random and without
 * pause, and check all the time that nobody else has what is theirs.
 *
 * Two checks, independent of each other. Whoever acquires a slot enters itself
 * as its owner, on a board that all share; the one before must have crossed
 * itself out, or be doomed. And a buffer's bytes carry its id from when it is
 * published to when the last reference goes: each holder looks when it gets it
 * and when it gives it back.
 *
 * The board is a file; a worker maps it, so what it says outlives a worker. A
 * test that uses this has the role { "worker", crowd_run_worker }. */
#ifndef XMEM_TEST_CROWD_H
#define XMEM_TEST_CROWD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "harness/harness.h"
#include "pool-file.h"

#define CROWD_WORKERS 8
#define CROWD_THREADS 2
#define CROWD_MAIL 8
#define CROWD_SEEN 16
#define CROWD_SLOTS 64
#define CROWD_LIVES 4096
#define CROWD_HELD 8

enum crowd_deed {
  CROWD_ACQUIRED,
  CROWD_NONE_FREE,
  CROWD_RELEASED,
  CROWD_GIVEN,
  CROWD_TAKEN,
  CROWD_TAKEN_LATE,
  CROWD_GOT,
  CROWD_GOT_LATE,
  CROWD_LOOKED,
  CROWD_REOPENED,
  CROWD_N_DEEDS,
};

/* One thread's, on cache lines of its own. */
struct crowd_tally {
  _Atomic uint64_t n[CROWD_N_DEEDS];
  uint64_t padding[6];
};

struct crowd_board {
  /* What the workers are to do; fixed before the first starts. */
  char pool[POOL_NAME_MAX];
  uint32_t n_slots; /* at most CROWD_SLOTS */
  uint32_t n_threads; /* of each worker */
  uint32_t max_held; /* buffers of a thread, at most CROWD_HELD */
  uint32_t reopens; /* workers of one thread close the pool now and then */
  uint32_t patient; /* nobody dies and nothing expires: all must be exact */
  uint64_t sizes[2]; /* bytes of a buffer */
  uint64_t n_steps; /* of each thread; 0: until told to stop */
  uint64_t max_wait_ns; /* in acquire */

  atomic_bool stop;
  _Atomic uint64_t mail[CROWD_MAIL]; /* ids of references in flight, or 0 */
  _Atomic uint64_t seen[CROWD_SEEN]; /* ids of buffers that were published */
  _Atomic uint32_t owners[CROWD_SLOTS]; /* life and thread, or 0 */
  atomic_bool doomed[CROWD_LIVES]; /* set before a worker is killed */
  struct crowd_tally tallies[CROWD_WORKERS][CROWD_THREADS];
};

/* --- the test's side ----------------------------------------------------- */

/* A board in a file of the case, all zero. */
struct crowd_board *crowd_new (void);
void crowd_free (struct crowd_board *board);

struct crowd_worker {
  struct harness_child child;
  unsigned number; /* of its tallies */
  unsigned life; /* from 1, unlike any other's on this board */
};

/* number: the place of its tally; two alive never have the same. */
void crowd_start_worker (struct crowd_worker *worker, struct crowd_board *board,
    unsigned number, unsigned life);

/* kill -9 and wait; fails if it has ended otherwise. */
void crowd_kill_worker (struct crowd_worker *worker, struct crowd_board *board);

/* Waits for its orderly end, once it was told to stop or has done its steps. */
void crowd_join_worker (struct crowd_worker *worker, struct crowd_board *board);

/* Waits until it has done n further steps. Fails, saying all that can be
 * known of it, when it does nothing at all for a long time. */
void crowd_await_steps (
    struct crowd_worker *worker, struct crowd_board *board, uint64_t n);

uint64_t crowd_count (const struct crowd_board *board, enum crowd_deed deed);
uint64_t crowd_count_all (const struct crowd_board *board);
void crowd_report (const uint64_t n[CROWD_N_DEEDS]);

/* --- the worker's side --------------------------------------------------- */

void crowd_run_worker (int argc, char **argv);

#endif
