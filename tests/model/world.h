/* SPDX-License-Identifier: MIT */
/* The model of a slot and of the processes that use it.
 *
 * One slot, with the functions of pool/slot.h and pool/hold.h on it; what a
 * process has of it; the index's entry and lock, as in a pool's file; and notes
 * of what has happened, by which a wrong turn is recognised. Scripts say what
 * each thread does. */
#ifndef MODEL_WORLD_H
#define MODEL_WORLD_H

#include "model/explore.h"

/* A, B and C are attached and have the first three indexes. D is to take A's.
 * R and S have nothing of the slot: they look after what others leave. */
enum process { A, B, C, D, R, S, N_PROCESSES };

enum what {
  END,
  ACQUIRE, /* if the slot is free */
  ACQUIRE_LATER, /* when it is, as in wait_for_slot () without its slices */
  WRITE, /* into the bytes */
  READ, /* and compare */
  SEND, /* the id, as mail[n] */
  GET, /* by mail[n]; waits for that */
  TAKE, /* the same, of what is in flight */
  REF,
  UNREF,
  GIVE, /* n references, at `time` */
  EXPIRE, /* what was given before `time` */
  RENEW,
  RECLAIM, /* as xmem_named_reclaim (), when somebody has died */
  ATTACH, /* as in named.c, when the index can be had */
  DETACH,
  CLOSE, /* if the slot is free, as for giving its memory back */
  REOPEN,
  REVIVE, /* as xmem_segments_revive (); whose memory is gone, does not matter */
};

/* What needs a reference is skipped without one. */
struct op {
  enum what what;
  uint8_t n;
  uint8_t time;
  bool must; /* succeed */
};

struct script {
  enum process process;
  struct op ops[9]; /* up to an END */
};

struct scenario {
  const char *name;
  unsigned n_crashes; /* in one run */
  unsigned n_for_no_reason; /* swaps that fail, sleeps that end */
  uint64_t state; /* of the slot */
  const char *known; /* what is known to go wrong, or NULL */
  bool wakes; /* who frees the slot looks for waiters: only then, it is long */
  unsigned n_scripts;
  struct script scripts[7];
};

/* One fault each, in the functions named or in the model's own. */
enum mutant {
  NO_MUTANT,
  TAKE_FREE_STORES,
  TAKE_FREE_KEEPS_GENERATION,
  GET_TRUSTS_ID,
  TAKE_KEEPS_COUNT,
  DROP_STORES,
  GIVE_STORES,
  EXPIRE_STORES,
  UNREF_SETTLES_FIRST,
  SETTLE_LOOKS_FIRST,
  SLEEP_COUNTS_LATE,
  TAKE_FREE_PASSES_OVER,
  GET_COUNTS_ON,
  GET_FAILS_BY_COUNTING,
  RECLAIM_WITHOUT_LOCK,
  RECLAIM_CLEARS_ENTRY_FIRST,
  REVIVE_TAKES_ALL,
  WAITER_MARKS_LATE,
  N_MUTANTS,
};

extern enum mutant mutant;

/* The model of a scenario; valid until the next call. */
const struct explore_model *world_set (const struct scenario *scenario);

#endif
