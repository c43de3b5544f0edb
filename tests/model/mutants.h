/* SPDX-License-Identifier: MIT */
/* pool/slot.h and pool/hold.h as they are, and variants of their functions with
 * one fault each. `mutant` says which one is in use: without it the functions
 * below only call the real ones. The model must find a fault in each. */
#ifndef MODEL_MUTANTS_H
#define MODEL_MUTANTS_H

#include "model/atomics.h"
#include "model/world.h"

#define xmem_slot_take_free real_slot_take_free
#define xmem_slot_add_holder real_slot_add_holder
#define xmem_slot_drop_holder real_slot_drop_holder
#define xmem_slot_give real_slot_give
#define xmem_slot_expire real_slot_expire
#include "pool/slot.h"
#undef xmem_slot_take_free
#undef xmem_slot_add_holder
#undef xmem_slot_drop_holder
#undef xmem_slot_give
#undef xmem_slot_expire

static bool
xmem_slot_take_free (struct xmem_slot *slot, uint64_t bit)
{
  uint64_t state;

  if (mutant != TAKE_FREE_STORES && mutant != TAKE_FREE_KEEPS_GENERATION)
    return real_slot_take_free (slot, bit);
  state = atomic_load (&slot->state);
  if (!xmem_slot_is_free (state))
    return false;
  if (mutant == TAKE_FREE_KEEPS_GENERATION)
    return atomic_compare_exchange_strong (&slot->state, &state, state | bit);
  atomic_store (&slot->state, xmem_slot_next (state) | bit);
  return true;
}

static int
xmem_slot_add_holder (
    struct xmem_slot *slot, uint32_t generation, uint64_t bit, unsigned n_taken)
{
  uint64_t state;

  if (mutant != GET_TRUSTS_ID && mutant != TAKE_KEEPS_COUNT)
    return real_slot_add_holder (slot, generation, bit, n_taken);
  state = atomic_load (&slot->state);
  do {
    if ((mutant != GET_TRUSTS_ID && xmem_slot_generation (state) != generation)
        || !xmem_slot_is_live (state) || xmem_slot_in_flight (state) < n_taken)
      return XMEM_STALE;
    if (mutant == TAKE_KEEPS_COUNT)
      n_taken = 0;
  } while (!atomic_compare_exchange_weak (&slot->state, &state,
      (state - ((uint64_t) n_taken << XMEM_SLOT_IN_FLIGHT_SHIFT)) | bit));
  return 0;
}

static bool
xmem_slot_drop_holder (struct xmem_slot *slot, uint64_t bit)
{
  uint64_t state;

  if (mutant != DROP_STORES)
    return real_slot_drop_holder (slot, bit);
  state = atomic_load (&slot->state);
  if (!(state & bit))
    return false;
  atomic_store (&slot->state, state & ~bit);
  return xmem_slot_is_free (state & ~bit);
}

static int
xmem_slot_give (struct xmem_slot *slot, unsigned n, uint64_t now_ns)
{
  uint64_t state;

  if (mutant != GIVE_STORES)
    return real_slot_give (slot, n, now_ns);
  state = atomic_load (&slot->state);
  atomic_store (&slot->given_ns, now_ns);
  atomic_store (
      &slot->state, state + ((uint64_t) n << XMEM_SLOT_IN_FLIGHT_SHIFT));
  return 0;
}

static bool
xmem_slot_expire (struct xmem_slot *slot, uint64_t before_ns)
{
  uint64_t state;

  if (mutant != EXPIRE_STORES)
    return real_slot_expire (slot, before_ns);
  state = atomic_load (&slot->state);
  if (state & XMEM_SLOT_HOLDERS || !xmem_slot_is_live (state)
      || atomic_load (&slot->given_ns) >= before_ns)
    return false;
  atomic_store (&slot->state, xmem_slot_next (state));
  return true;
}

#define xmem_hold_take_free real_hold_take_free
#define xmem_hold_unref real_hold_unref
#define xmem_hold_get real_hold_get
#include "pool/hold.h"
#undef xmem_hold_take_free
#undef xmem_hold_unref
#undef xmem_hold_get

static bool
xmem_hold_take_free (
    struct xmem_holder *holder, struct xmem_hold *hold, struct xmem_slot *slot)
{
  uint32_t word = XMEM_HOLD_NONE;
  bool taken;

  if (mutant != TAKE_FREE_PASSES_OVER)
    return real_hold_take_free (holder, hold, slot);
  if (!atomic_compare_exchange_strong (&hold->word, &word, XMEM_HOLD_CHANGING))
    return false;
  taken = xmem_slot_take_free (slot, holder->bit);
  xmem_hold_settle (holder, hold, taken ? XMEM_HOLD_ONE : XMEM_HOLD_NONE);
  return taken;
}

static enum xmem_hold_change
xmem_hold_unref (
    struct xmem_holder *holder, struct xmem_hold *hold, struct xmem_slot *slot)
{
  bool freed;
  bool wake;

  if (mutant != UNREF_SETTLES_FIRST && mutant != SETTLE_LOOKS_FIRST)
    return real_hold_unref (holder, hold, slot);
  if (atomic_fetch_sub (&hold->word, 1) != XMEM_HOLD_ONE)
    return XMEM_HOLD_SAME;
  if (mutant == UNREF_SETTLES_FIRST) {
    xmem_hold_settle (holder, hold, XMEM_HOLD_NONE);
    freed = xmem_slot_drop_holder (slot, holder->bit);
  } else {
    freed = xmem_slot_drop_holder (slot, holder->bit);
    wake = atomic_load (&holder->n_sleeping) > 0;
    atomic_store (&hold->word, XMEM_HOLD_NONE);
    if (wake)
      xmem_futex_wake_all (&hold->word);
  }
  return freed ? XMEM_HOLD_FREED : XMEM_HOLD_LAST;
}

static void
mutant_hold_sleep (struct xmem_holder *holder, struct xmem_hold *hold)
{
  if (mutant != SLEEP_COUNTS_LATE) {
    xmem_hold_sleep (holder, hold);
    return;
  }
  xmem_futex_wait (&hold->word, XMEM_HOLD_CHANGING, XMEM_DEADLINE_NEVER);
  atomic_fetch_add (&holder->n_sleeping, 1);
  atomic_fetch_sub (&holder->n_sleeping, 1);
}

static int
xmem_hold_get (struct xmem_holder *holder, struct xmem_hold *hold,
    struct xmem_slot *slot, uint32_t generation, unsigned n_taken,
    enum xmem_hold_change *change_out)
{
  uint32_t word;
  int r;

  if (mutant != GET_COUNTS_ON && mutant != GET_FAILS_BY_COUNTING
      && mutant != SLEEP_COUNTS_LATE)
    return real_hold_get (holder, hold, slot, generation, n_taken, change_out);
  *change_out = XMEM_HOLD_SAME;
  word = atomic_load (&hold->word);
  for (;;) {
    if (mutant != GET_COUNTS_ON && word == XMEM_HOLD_CHANGING) {
      mutant_hold_sleep (holder, hold);
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
    if (mutant == GET_FAILS_BY_COUNTING)
      atomic_fetch_sub (&hold->word, 1);
    else
      *change_out = real_hold_unref (holder, hold, slot);
  }
  return r;
}

#endif
