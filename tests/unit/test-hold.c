/* SPDX-License-Identifier: MIT */
/* pool/slot and pool/hold: what each change of a slot's state word and of a
 * process's count does, one thread at a time. */
#include "pool/hold.h"

#include "harness/harness.h"

#define A UINT64_C (1)
#define B (UINT64_C (1) << 23) /* the last process there can be */
#define GENERATION(n) ((uint64_t) (n) << 32)
#define IN_FLIGHT(n) ((uint64_t) (n) << 24)

static void
assert_state (const struct xmem_slot *slot, uint64_t state)
{
  g_assert_cmphex (atomic_load (&slot->state), ==, state);
}

/* --- the slot ------------------------------------------------------------ */

static void
test_states_are_told_apart (void)
{
  static const struct {
    uint64_t state;
    bool is_free, is_closed, is_live;
  } cases[] = {
    { 0, true, false, false },
    { GENERATION (UINT32_MAX), true, false, false },
    { A, false, false, true },
    { B, false, false, true },
    { IN_FLIGHT (1), false, false, true },
    { IN_FLIGHT (254), false, false, true },
    { IN_FLIGHT (254) | XMEM_SLOT_HOLDERS, false, false, true },
    { IN_FLIGHT (255), false, true, false },
    { IN_FLIGHT (255) | A, false, true, false },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
    uint64_t state = cases[i].state;

    g_assert_cmpint (xmem_slot_is_free (state), ==, cases[i].is_free);
    g_assert_cmpint (xmem_slot_is_closed (state), ==, cases[i].is_closed);
    g_assert_cmpint (xmem_slot_is_live (state), ==, cases[i].is_live);
  }
  g_assert_cmpuint (xmem_slot_generation (GENERATION (7) | B), ==, 7);
  g_assert_cmpuint (
      xmem_slot_in_flight (GENERATION (7) | IN_FLIGHT (9) | B), ==, 9);
}

static void
test_free_slot_is_taken_with_a_new_generation (void)
{
  struct xmem_slot slot = { .state = GENERATION (7) };

  g_assert_true (xmem_slot_take_free (&slot, B));
  assert_state (&slot, GENERATION (8) | B);
  g_assert_false (xmem_slot_take_free (&slot, A));
  assert_state (&slot, GENERATION (8) | B);
}

static void
test_only_free_slots_are_taken (void)
{
  static const uint64_t states[] = { A, IN_FLIGHT (1), IN_FLIGHT (255) };

  for (size_t i = 0; i < G_N_ELEMENTS (states); i++) {
    struct xmem_slot slot = { .state = states[i] };

    g_assert_false (xmem_slot_take_free (&slot, B));
    assert_state (&slot, states[i]);
  }
}

static void
test_generation_goes_round (void)
{
  struct xmem_slot slot = { .state = GENERATION (UINT32_MAX) };

  g_assert_true (xmem_slot_take_free (&slot, A));
  assert_state (&slot, A);
  slot.state = GENERATION (UINT32_MAX) | IN_FLIGHT (3) | B;
  xmem_slot_renew (&slot);
  assert_state (&slot, IN_FLIGHT (3) | B);
}

static void
test_holders_are_added (void)
{
  struct xmem_slot slot = { .state = GENERATION (7) | A };

  g_assert_cmpint (xmem_slot_add_holder (&slot, 7, B, 0), ==, 0);
  assert_state (&slot, GENERATION (7) | A | B);
  g_assert_cmpint (xmem_slot_add_holder (&slot, 7, B, 0), ==, 0); /* again */
  assert_state (&slot, GENERATION (7) | A | B);
  g_assert_cmpint (xmem_slot_add_holder (&slot, 6, B, 0), ==, XMEM_STALE);
  g_assert_cmpint (xmem_slot_add_holder (&slot, 8, B, 0), ==, XMEM_STALE);
  g_assert_cmpint (xmem_slot_add_holder (&slot, 7, B, 1), ==, XMEM_STALE);
  assert_state (&slot, GENERATION (7) | A | B);
}

static void
test_references_in_flight_are_taken_one_by_one (void)
{
  struct xmem_slot slot = { .state = GENERATION (7) | IN_FLIGHT (2) };

  g_assert_cmpint (xmem_slot_add_holder (&slot, 6, A, 1), ==, XMEM_STALE);
  g_assert_cmpint (xmem_slot_add_holder (&slot, 7, A, 1), ==, 0);
  assert_state (&slot, GENERATION (7) | IN_FLIGHT (1) | A);
  g_assert_cmpint (xmem_slot_add_holder (&slot, 7, A, 1), ==, 0);
  assert_state (&slot, GENERATION (7) | A);
  g_assert_cmpint (xmem_slot_add_holder (&slot, 7, A, 1), ==, XMEM_STALE);
  assert_state (&slot, GENERATION (7) | A);
}

static void
test_nothing_is_added_to_free_and_closed_slots (void)
{
  static const uint64_t states[] = { GENERATION (7),
    GENERATION (7) | IN_FLIGHT (255) };

  for (size_t i = 0; i < G_N_ELEMENTS (states); i++) {
    struct xmem_slot slot = { .state = states[i] };

    g_assert_cmpint (xmem_slot_add_holder (&slot, 7, A, 0), ==, XMEM_STALE);
    g_assert_cmpint (xmem_slot_add_holder (&slot, 7, A, 1), ==, XMEM_STALE);
    assert_state (&slot, states[i]);
  }
}

static void
test_last_holder_frees (void)
{
  struct xmem_slot slot = { .state = GENERATION (7) | A | B };

  g_assert_false (xmem_slot_drop_holder (&slot, A));
  assert_state (&slot, GENERATION (7) | B);
  g_assert_false (xmem_slot_drop_holder (&slot, A)); /* not there */
  g_assert_true (xmem_slot_drop_holder (&slot, B));
  assert_state (&slot, GENERATION (7));
  g_assert_false (xmem_slot_drop_holder (&slot, B)); /* did not free it now */
}

static void
test_what_is_in_flight_is_not_freed (void)
{
  struct xmem_slot slot = { .state = GENERATION (7) | IN_FLIGHT (1) | A };

  g_assert_false (xmem_slot_drop_holder (&slot, A));
  assert_state (&slot, GENERATION (7) | IN_FLIGHT (1));
}

static void
test_given_up_to_the_limit (void)
{
  struct xmem_slot slot = { .state = GENERATION (7) | A };

  g_assert_cmpint (xmem_slot_give (&slot, 255, 1), ==, XMEM_FULL);
  g_assert_cmpint (xmem_slot_give (&slot, UINT32_MAX - 254, 1), ==, XMEM_FULL);
  assert_state (&slot, GENERATION (7) | A);
  for (unsigned i = 1; i <= XMEM_MAX_IN_FLIGHT; i++) {
    g_assert_cmpint (xmem_slot_give (&slot, 1, 1000 + i), ==, 0);
    assert_state (&slot, GENERATION (7) | IN_FLIGHT (i) | A);
    g_assert_cmpuint (slot.given_ns, ==, 1000 + i);
  }
  g_assert_cmpint (xmem_slot_give (&slot, 1, 1), ==, XMEM_FULL);
  assert_state (&slot, GENERATION (7) | IN_FLIGHT (254) | A);
  slot.state = GENERATION (7) | A;
  g_assert_cmpint (xmem_slot_give (&slot, 254, 1), ==, 0);
  assert_state (&slot, GENERATION (7) | IN_FLIGHT (254) | A);
}

static void
test_only_what_is_old_and_in_flight_expires (void)
{
  static const struct {
    uint64_t state;
    uint64_t before_ns;
    bool expires;
  } cases[] = {
    { GENERATION (7) | IN_FLIGHT (1), 101, true },
    { GENERATION (7) | IN_FLIGHT (254), UINT64_MAX, true },
    { GENERATION (7) | IN_FLIGHT (1), 100, false }, /* just given */
    { GENERATION (7) | IN_FLIGHT (1), 0, false },
    { GENERATION (7) | IN_FLIGHT (1) | B, 101, false }, /* also held */
    { GENERATION (7) | A, 101, false },
    { GENERATION (7), 101, false }, /* free */
    { GENERATION (7) | IN_FLIGHT (255), 101, false }, /* closed */
  };

  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
    struct xmem_slot slot = { .state = cases[i].state, .given_ns = 100 };

    g_assert_cmpint (
        xmem_slot_expire (&slot, cases[i].before_ns), ==, cases[i].expires);
    assert_state (&slot, cases[i].expires ? GENERATION (8) : cases[i].state);
  }
}

static void
test_only_free_slots_are_closed (void)
{
  struct xmem_slot slot = { .state = GENERATION (7) };

  g_assert_true (xmem_slot_close (&slot));
  assert_state (&slot, GENERATION (7) | IN_FLIGHT (255));
  g_assert_false (xmem_slot_close (&slot));
  xmem_slot_reopen (&slot);
  assert_state (&slot, GENERATION (7)); /* as if nothing had been */
  g_assert_true (xmem_slot_take_free (&slot, A));
  g_assert_false (xmem_slot_close (&slot));
  assert_state (&slot, GENERATION (8) | A);
  g_assert_cmpint (xmem_slot_give (&slot, 1, 0), ==, 0);
  g_assert_false (xmem_slot_drop_holder (&slot, A));
  g_assert_false (xmem_slot_close (&slot));
  assert_state (&slot, GENERATION (8) | IN_FLIGHT (1));
}

/* --- the hold ------------------------------------------------------------ */

/* One process and one slot. */
struct fixture {
  struct xmem_holder holder;
  struct xmem_hold hold;
  struct xmem_slot slot;
};

static void
assert_both (const struct fixture *f, uint32_t n_refs, uint64_t state)
{
  g_assert_cmpuint (
      atomic_load (&f->hold.word), ==, n_refs ? n_refs + 1 : XMEM_HOLD_NONE);
  assert_state (&f->slot, state);
}

static bool
take_free (struct fixture *f)
{
  return xmem_hold_take_free (&f->holder, &f->hold, &f->slot);
}

static enum xmem_hold_change
unref (struct fixture *f)
{
  return xmem_hold_unref (&f->holder, &f->hold, &f->slot);
}

static enum xmem_hold_change
get (struct fixture *f, uint32_t generation, unsigned n_taken, int expected)
{
  enum xmem_hold_change change;

  g_assert_cmpint (xmem_hold_get (&f->holder, &f->hold, &f->slot, generation,
                       n_taken, &change),
      ==, expected);
  return change;
}

static void
test_taken_counted_and_freed (void)
{
  struct fixture f = { .holder.bit = B, .slot.state = GENERATION (7) };

  g_assert_true (take_free (&f));
  assert_both (&f, 1, GENERATION (8) | B);
  g_assert_false (take_free (&f)); /* ours already */
  assert_both (&f, 1, GENERATION (8) | B);
  xmem_hold_ref (&f.hold);
  assert_both (&f, 2, GENERATION (8) | B);
  g_assert_cmpint (unref (&f), ==, XMEM_HOLD_SAME);
  assert_both (&f, 1, GENERATION (8) | B);
  g_assert_cmpint (unref (&f), ==, XMEM_HOLD_FREED);
  assert_both (&f, 0, GENERATION (8));
  g_assert_true (take_free (&f));
  assert_both (&f, 1, GENERATION (9) | B);
}

static void
test_not_taken_where_others_are (void)
{
  static const uint64_t states[] = { A, IN_FLIGHT (1), IN_FLIGHT (255) };

  for (size_t i = 0; i < G_N_ELEMENTS (states); i++) {
    struct fixture f = { .holder.bit = B, .slot.state = states[i] };

    g_assert_false (take_free (&f));
    assert_both (&f, 0, states[i]);
  }
}

static void
test_first_and_last_of_this_process (void)
{
  struct fixture f = { .holder.bit = B, .slot.state = GENERATION (7) | A };

  g_assert_cmpint (get (&f, 7, 0, XMEM_OK), ==, XMEM_HOLD_FIRST);
  assert_both (&f, 1, GENERATION (7) | A | B);
  g_assert_cmpint (get (&f, 7, 0, XMEM_OK), ==, XMEM_HOLD_SAME);
  assert_both (&f, 2, GENERATION (7) | A | B);
  g_assert_cmpint (unref (&f), ==, XMEM_HOLD_SAME);
  g_assert_cmpint (unref (&f), ==, XMEM_HOLD_LAST); /* A still holds it */
  assert_both (&f, 0, GENERATION (7) | A);
}

static void
test_stale_gets_change_nothing (void)
{
  struct fixture f = { .holder.bit = B, .slot.state = GENERATION (7) | A };

  g_assert_cmpint (get (&f, 6, 0, XMEM_STALE), ==, XMEM_HOLD_SAME);
  assert_both (&f, 0, GENERATION (7) | A);
  g_assert_cmpint (get (&f, 7, 1, XMEM_STALE), ==, XMEM_HOLD_SAME);
  assert_both (&f, 0, GENERATION (7) | A);
  g_assert_cmpint (get (&f, 7, 0, XMEM_OK), ==, XMEM_HOLD_FIRST);
  g_assert_cmpint (get (&f, 8, 0, XMEM_STALE), ==, XMEM_HOLD_SAME);
  g_assert_cmpint (get (&f, 7, 1, XMEM_STALE), ==, XMEM_HOLD_SAME);
  assert_both (&f, 1, GENERATION (7) | A | B);
}

static void
test_taken_out_of_flight (void)
{
  struct fixture f = { .holder.bit = B,
    .slot.state = GENERATION (7) | IN_FLIGHT (2) };

  g_assert_cmpint (get (&f, 7, 1, XMEM_OK), ==, XMEM_HOLD_FIRST);
  assert_both (&f, 1, GENERATION (7) | IN_FLIGHT (1) | B);
  g_assert_cmpint (unref (&f), ==, XMEM_HOLD_LAST); /* one is in flight */
  assert_both (&f, 0, GENERATION (7) | IN_FLIGHT (1));
  g_assert_cmpint (get (&f, 7, 1, XMEM_OK), ==, XMEM_HOLD_FIRST);
  g_assert_cmpint (unref (&f), ==, XMEM_HOLD_FREED);
  assert_both (&f, 0, GENERATION (7));
  g_assert_cmpint (get (&f, 7, 1, XMEM_STALE), ==, XMEM_HOLD_SAME);
  g_assert_cmpint (get (&f, 7, 0, XMEM_STALE), ==, XMEM_HOLD_SAME);
  assert_both (&f, 0, GENERATION (7));
}

/* What is renewed while we hold it stays ours; only its old name is gone. */
static void
test_renewed_while_held (void)
{
  struct fixture f = { .holder.bit = A, .slot.state = GENERATION (7) };

  g_assert_true (take_free (&f));
  xmem_slot_renew (&f.slot);
  assert_both (&f, 1, GENERATION (9) | A);
  g_assert_cmpint (get (&f, 8, 0, XMEM_STALE), ==, XMEM_HOLD_SAME);
  g_assert_cmpint (get (&f, 9, 0, XMEM_OK), ==, XMEM_HOLD_SAME);
  g_assert_cmpint (unref (&f), ==, XMEM_HOLD_SAME);
  g_assert_cmpint (unref (&f), ==, XMEM_HOLD_FREED);
}

static void
add_slot (void)
{
  harness_add ("/slot/states-are-told-apart", test_states_are_told_apart);
  harness_add ("/slot/free-slot-is-taken-with-a-new-generation",
      test_free_slot_is_taken_with_a_new_generation);
  harness_add (
      "/slot/only-free-slots-are-taken", test_only_free_slots_are_taken);
  harness_add ("/slot/generation-goes-round", test_generation_goes_round);
  harness_add ("/slot/holders-are-added", test_holders_are_added);
  harness_add ("/slot/references-in-flight-are-taken-one-by-one",
      test_references_in_flight_are_taken_one_by_one);
  harness_add ("/slot/nothing-is-added-to-free-and-closed-slots",
      test_nothing_is_added_to_free_and_closed_slots);
  harness_add ("/slot/last-holder-frees", test_last_holder_frees);
  harness_add ("/slot/what-is-in-flight-is-not-freed",
      test_what_is_in_flight_is_not_freed);
  harness_add ("/slot/given-up-to-the-limit", test_given_up_to_the_limit);
  harness_add ("/slot/only-what-is-old-and-in-flight-expires",
      test_only_what_is_old_and_in_flight_expires);
  harness_add (
      "/slot/only-free-slots-are-closed", test_only_free_slots_are_closed);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, NULL);
  add_slot ();
  harness_add ("/hold/taken-counted-and-freed", test_taken_counted_and_freed);
  harness_add (
      "/hold/not-taken-where-others-are", test_not_taken_where_others_are);
  harness_add ("/hold/first-and-last-of-this-process",
      test_first_and_last_of_this_process);
  harness_add (
      "/hold/stale-gets-change-nothing", test_stale_gets_change_nothing);
  harness_add ("/hold/taken-out-of-flight", test_taken_out_of_flight);
  harness_add ("/hold/renewed-while-held", test_renewed_while_held);
  return g_test_run ();
}
