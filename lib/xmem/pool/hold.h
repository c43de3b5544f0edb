/* SPDX-License-Identifier: MIT */
/* What this process has of one slot: a count of its own references, and its bit
 * in the slot's state word. The two change together.
 *
 * word: 0 none; 1 a thread is changing the bit; n + 1 with n references. Only
 * the thread that has made it 1 touches the bit, so two threads that drop the
 * last reference and take the first cannot cross. Adding to and taking from
 * references that exist is one instruction.
 *
 * A thread that finds 1 sleeps until the other is done, which is a few
 * instructions away, or a time slice if that thread was interrupted there. */
#ifndef XMEM_POOL_HOLD_H
#define XMEM_POOL_HOLD_H

#include "base/clock.h"
#include "base/futex.h"
#include "pool/slot.h"

/* This process as one of the pool's holders. */
struct xmem_holder {
  uint64_t bit;
  _Atomic uint32_t n_sleeping; /* threads that wait for a word to change */
};

struct xmem_hold {
  _Atomic uint32_t word;
};

enum { XMEM_HOLD_NONE = 0, XMEM_HOLD_CHANGING = 1, XMEM_HOLD_ONE = 2 };

/* What a call has changed. */
enum xmem_hold_change {
  XMEM_HOLD_SAME, /* at most the count */
  XMEM_HOLD_FIRST, /* we are a holder now */
  XMEM_HOLD_LAST, /* we are not, any more */
  XMEM_HOLD_FREED, /* the same, and the slot is free by that */
};

/* Ends what XMEM_HOLD_CHANGING began. */
static inline void
xmem_hold_settle (
    struct xmem_holder *holder, struct xmem_hold *hold, uint32_t word)
{
  atomic_store (&hold->word, word);
  if (atomic_load (&holder->n_sleeping) > 0)
    xmem_futex_wake_all (&hold->word);
}

static inline void
xmem_hold_sleep (struct xmem_holder *holder, struct xmem_hold *hold)
{
  /* Before the futex looks at the word, after which a settle sees it. */
  atomic_fetch_add (&holder->n_sleeping, 1);
  xmem_futex_wait (&hold->word, XMEM_HOLD_CHANGING, XMEM_DEADLINE_NEVER);
  atomic_fetch_sub (&holder->n_sleeping, 1);
}

/* A free slot becomes ours, with one reference. Another thread that is only
 * trying something is waited for: passed over, the slot would stay free beside
 * us, and nobody would wake us for it. */
static inline bool
xmem_hold_take_free (
    struct xmem_holder *holder, struct xmem_hold *hold, struct xmem_slot *slot)
{
  uint32_t word = XMEM_HOLD_NONE;
  bool taken;

  while (!atomic_compare_exchange_strong (
      &hold->word, &word, XMEM_HOLD_CHANGING)) {
    if (word != XMEM_HOLD_CHANGING)
      return false; /* it is ours already */
    xmem_hold_sleep (holder, hold);
    word = XMEM_HOLD_NONE;
  }
  taken = xmem_slot_take_free (slot, holder->bit);
  xmem_hold_settle (holder, hold, taken ? XMEM_HOLD_ONE : XMEM_HOLD_NONE);
  return taken;
}

static inline void
xmem_hold_ref (struct xmem_hold *hold)
{
  atomic_fetch_add (&hold->word, 1);
}

/* Gives one reference back. */
static inline enum xmem_hold_change
xmem_hold_unref (
    struct xmem_holder *holder, struct xmem_hold *hold, struct xmem_slot *slot)
{
  bool freed;

  /* The last one leaves XMEM_HOLD_CHANGING behind, to us. */
  if (atomic_fetch_sub (&hold->word, 1) != XMEM_HOLD_ONE)
    return XMEM_HOLD_SAME;
  freed = xmem_slot_drop_holder (slot, holder->bit);
  xmem_hold_settle (holder, hold, XMEM_HOLD_NONE);
  return freed ? XMEM_HOLD_FREED : XMEM_HOLD_LAST;
}

/* One more reference on live content; with n_taken 1 one that was in flight.
 * Returns 0, XMEM_STALE. */
static inline int
xmem_hold_get (struct xmem_holder *holder, struct xmem_hold *hold,
    struct xmem_slot *slot, uint32_t generation, unsigned n_taken,
    enum xmem_hold_change *change_out)
{
  uint32_t word = atomic_load (&hold->word);
  int r;

  *change_out = XMEM_HOLD_SAME;
  for (;;) {
    if (word == XMEM_HOLD_CHANGING) {
      xmem_hold_sleep (holder, hold);
      word = atomic_load (&hold->word);
    } else if (atomic_compare_exchange_weak (&hold->word, &word, word + 1)) {
      break;
    }
  }
  r = xmem_slot_add_holder (slot, generation, holder->bit, n_taken);
  if (word == XMEM_HOLD_NONE) {
    xmem_hold_settle (holder, hold, r == 0 ? XMEM_HOLD_ONE : XMEM_HOLD_NONE);
    *change_out = r == 0 ? XMEM_HOLD_FIRST : XMEM_HOLD_SAME;
  } else if (r != 0) {
    /* What we counted ourselves to may meanwhile be all there is. */
    *change_out = xmem_hold_unref (holder, hold, slot);
  }
  return r;
}

#endif
