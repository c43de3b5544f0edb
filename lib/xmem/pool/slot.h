/* SPDX-License-Identifier: MIT */
/* The slot as it lies in a pool's memory, and every change of its state word.
 *
 * The layout is fixed-width and is the one named pools share between processes
 * (docs/layout.md); an anonymous pool keeps its slots in private memory.
 *
 * generation 32 | in flight 8 | holders 24, in one atomic word, so that each
 * change is one compare-and-swap: a process killed at any instruction leaves a
 * word that says exactly what it held. A slot is free when the lower half is
 * zero. In flight 255 means closed: the slot has no memory now, and nobody can
 * take or get it.
 *
 * All accesses are sequentially consistent: a release must come before its look
 * at `waiting`, and a waiter's mark there before its look at the slots. The
 * swap that frees a slot publishes all that was done with its bytes to the one
 * that takes it. tests/model runs these functions, and those of hold.h, in every
 * order that there is. */
#ifndef XMEM_POOL_SLOT_H
#define XMEM_POOL_SLOT_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xmem/frame.h>
#include <xmem/pool.h>

#define XMEM_SLOT_HOLDERS UINT64_C (0x00ffffff)
#define XMEM_SLOT_IN_FLIGHT UINT64_C (0xff000000)
#define XMEM_SLOT_IN_FLIGHT_SHIFT 24
#define XMEM_SLOT_REFS (XMEM_SLOT_HOLDERS | XMEM_SLOT_IN_FLIGHT)
#define XMEM_SLOT_CLOSED XMEM_SLOT_IN_FLIGHT
#define XMEM_SLOT_GENERATION_SHIFT 32

struct xmem_slot {
  _Atomic uint64_t state;
  _Atomic uint64_t given_ns; /* CLOCK_MONOTONIC of the latest hand-over */
  _Atomic uint64_t size; /* bytes, as asked for */
  uint64_t reserved[5];
  struct xmem_buffer_info info;
  uint8_t padding[32];
};

static_assert (sizeof (struct xmem_slot) == 256, "slot layout");
static_assert (offsetof (struct xmem_slot, given_ns) == 8, "slot layout");
static_assert (offsetof (struct xmem_slot, size) == 16, "slot layout");
static_assert (offsetof (struct xmem_slot, info) == 64, "slot layout");
static_assert (sizeof (struct xmem_buffer_info) == 160, "slot layout");
static_assert (offsetof (struct xmem_buffer_info, description) == 24, "info");
static_assert (sizeof (struct xmem_description) == 136, "slot layout");
static_assert (XMEM_MAX_IN_FLIGHT == 254, "255 is the mark of a closed slot");

static inline uint32_t
xmem_slot_generation (uint64_t state)
{
  return (uint32_t) (state >> XMEM_SLOT_GENERATION_SHIFT);
}

static inline unsigned
xmem_slot_in_flight (uint64_t state)
{
  return (
      unsigned) ((state & XMEM_SLOT_IN_FLIGHT) >> XMEM_SLOT_IN_FLIGHT_SHIFT);
}

static inline bool
xmem_slot_is_free (uint64_t state)
{
  return (state & XMEM_SLOT_REFS) == 0;
}

static inline bool
xmem_slot_is_closed (uint64_t state)
{
  return (state & XMEM_SLOT_IN_FLIGHT) == XMEM_SLOT_CLOSED;
}

static inline bool
xmem_slot_is_live (uint64_t state)
{
  return !xmem_slot_is_free (state) && !xmem_slot_is_closed (state);
}

/* The state of a free slot's next generation. */
static inline uint64_t
xmem_slot_next (uint64_t state)
{
  return (uint64_t) (xmem_slot_generation (state) + 1)
         << XMEM_SLOT_GENERATION_SHIFT;
}

/* A free slot becomes the one of the holder with this bit. */
static inline bool
xmem_slot_take_free (struct xmem_slot *slot, uint64_t bit)
{
  uint64_t state = atomic_load (&slot->state);

  return xmem_slot_is_free (state)
         && atomic_compare_exchange_strong (
             &slot->state, &state, xmem_slot_next (state) | bit);
}

/* A further holder, or the same again, of a live slot of this generation; with
 * n_taken 1 in place of a reference in flight. Returns 0, XMEM_STALE. */
static inline int
xmem_slot_add_holder (
    struct xmem_slot *slot, uint32_t generation, uint64_t bit, unsigned n_taken)
{
  uint64_t state = atomic_load (&slot->state);

  do {
    if (xmem_slot_generation (state) != generation || !xmem_slot_is_live (state)
        || xmem_slot_in_flight (state) < n_taken)
      return XMEM_STALE;
  } while (!atomic_compare_exchange_weak (&slot->state, &state,
      (state - ((uint64_t) n_taken << XMEM_SLOT_IN_FLIGHT_SHIFT)) | bit));
  return 0;
}

/* Takes a holder out. Returns whether the slot is free by that. */
static inline bool
xmem_slot_drop_holder (struct xmem_slot *slot, uint64_t bit)
{
  uint64_t state = atomic_load (&slot->state);

  do {
    if (!(state & bit))
      return false;
  } while (!atomic_compare_exchange_weak (&slot->state, &state, state & ~bit));
  return xmem_slot_is_free (state & ~bit);
}

/* The caller is a holder. Returns 0, XMEM_FULL. */
static inline int
xmem_slot_give (struct xmem_slot *slot, unsigned n, uint64_t now_ns)
{
  uint64_t state = atomic_load (&slot->state);

  /* Before the swap: who sees the reference sees since when. */
  atomic_store (&slot->given_ns, now_ns);
  do {
    if (xmem_slot_in_flight (state) + n > XMEM_MAX_IN_FLIGHT)
      return XMEM_FULL;
  } while (!atomic_compare_exchange_weak (&slot->state, &state,
      state + ((uint64_t) n << XMEM_SLOT_IN_FLIGHT_SHIFT)));
  return 0;
}

/* Frees, with a new generation, what is only in flight and was handed over
 * before `before_ns`. Returns whether it did.
 *
 * given_ns is not part of the word: a reference that is taken and handed over
 * again between the two loads and the swap may end early. Its taker gets
 * XMEM_STALE; nobody gets a slot twice. */
static inline bool
xmem_slot_expire (struct xmem_slot *slot, uint64_t before_ns)
{
  uint64_t state = atomic_load (&slot->state);

  return (state & XMEM_SLOT_HOLDERS) == 0 && xmem_slot_is_live (state)
         && atomic_load (&slot->given_ns) < before_ns
         && atomic_compare_exchange_strong (
             &slot->state, &state, xmem_slot_next (state));
}

/* A new generation for its only owner. */
static inline void
xmem_slot_renew (struct xmem_slot *slot)
{
  atomic_fetch_add (&slot->state, UINT64_C (1) << XMEM_SLOT_GENERATION_SHIFT);
}

static inline bool
xmem_slot_close (struct xmem_slot *slot)
{
  uint64_t state = atomic_load (&slot->state);

  return xmem_slot_is_free (state)
         && atomic_compare_exchange_strong (
             &slot->state, &state, state | XMEM_SLOT_CLOSED);
}

/* Only for slots that the caller has closed. */
static inline void
xmem_slot_reopen (struct xmem_slot *slot)
{
  atomic_fetch_and (&slot->state, ~XMEM_SLOT_CLOSED);
}

#endif
