/* SPDX-License-Identifier: MIT */
/* The state word of a slot and a process's word for it, in every order and with
 * a kill -9 at every step: exclusive, never another's content, nothing lost,
 * nobody stuck. world.c has the invariants, docs/recovery.md what this proves.
 *
 * Each scenario is searched to its end. One shows what is known to go wrong: it
 * must go wrong in that way, so that nobody has to believe the comment. Then
 * each mutant, the same code with one fault, must be caught, or the search could
 * not find what it is looking for. */
#include <stdio.h>
#include <string.h>

#include "model/explore.h"
#include "model/world.h"

#define LENGTH(array) (sizeof (array) / sizeof ((array)[0]))
#define GENERATION(n) ((uint64_t) (n) << 32)
#define IN_FLIGHT(n) ((uint64_t) (n) << 24)

/* clang-format off */
static const struct scenario scenarios[] = {
  /* Two at a time. */
  { "two processes want a slot",
    .n_crashes = 2, .n_scripts = 3, .scripts = {
      { A, { { ACQUIRE }, { WRITE }, { READ }, { UNREF } } },
      { B, { { ACQUIRE }, { WRITE }, { READ }, { UNREF } } },
      { R, { { RECLAIM } } } } },
  { "two processes get a slot, one gives it",
    .n_crashes = 1, .n_for_no_reason = 1, .state = GENERATION (1) | IN_FLIGHT (1),
    .n_scripts = 3, .scripts = {
      { A, { { GET, 0, .must = true }, { READ }, { UNREF } } },
      { B, { { GET, 0, .must = true }, { READ }, { GIVE, 1, 1 } } },
      { R, { { RECLAIM } } } } },
  { "two threads get a slot",
    .n_crashes = 1, .n_for_no_reason = 2, .state = GENERATION (1) | IN_FLIGHT (1),
    .n_scripts = 2, .scripts = {
      { A, { { GET, 0, .must = true }, { REF }, { READ }, { UNREF },
             { UNREF } } },
      { A, { { GET, 0, .must = true }, { READ }, { UNREF } } } } },
  { "two processes take what is in flight, if it does not expire",
    .n_crashes = 1, .n_for_no_reason = 1, .state = GENERATION (1) | IN_FLIGHT (1),
    .n_scripts = 3, .scripts = {
      { A, { { TAKE, 0 }, { READ }, { UNREF } } },
      { B, { { TAKE, 0 }, { READ }, { UNREF } } },
      { S, { { EXPIRE, .time = 1 } } } } },
  { "two have the id of what is gone",
    .n_crashes = 1, .n_for_no_reason = 1, .state = GENERATION (1),
    .n_scripts = 3, .scripts = {
      { A, { { ACQUIRE }, { WRITE }, { UNREF } } },
      { A, { { GET, 0 }, { READ }, { UNREF } } },
      { B, { { GET, 0 }, { READ }, { UNREF } } } } },
  { "a dead process's index is used again",
    .n_crashes = 1, .n_scripts = 3, .scripts = {
      { A, { { ACQUIRE } } },
      { D, { { ATTACH }, { ACQUIRE }, { WRITE }, { UNREF } } },
      { R, { { RECLAIM } } } } },
  { "a free slot is found though another thread tries a stale id of it",
    .n_for_no_reason = 1, .state = GENERATION (1), .n_scripts = 2, .scripts = {
      { A, { { GET, 0 } } },
      { A, { { ACQUIRE, .must = true }, { UNREF } } } } },
  { "one waits for what another has",
    .wakes = true, .n_for_no_reason = 1, .n_scripts = 2, .scripts = {
      { A, { { ACQUIRE }, { WRITE }, { UNREF } } },
      { B, { { ACQUIRE_LATER }, { WRITE }, { UNREF } } } } },

  /* More. */
  { "three processes want the same slot",
    .n_crashes = 2, .n_scripts = 4, .scripts = {
      { A, { { ACQUIRE }, { WRITE }, { READ }, { UNREF } } },
      { B, { { ACQUIRE }, { WRITE }, { READ }, { UNREF } } },
      { C, { { ACQUIRE }, { WRITE }, { READ }, { UNREF } } },
      { R, { { RECLAIM } } } } },
  { "others get it by its id, its owner goes on to other content",
    .n_crashes = 2, .n_scripts = 4, .scripts = {
      { A, { { ACQUIRE }, { WRITE }, { SEND, 0 }, { UNREF },
             { ACQUIRE }, { WRITE }, { UNREF } } },
      { B, { { GET, 0 }, { READ }, { UNREF } } },
      { C, { { GET, 0 }, { READ }, { UNREF } } },
      { R, { { RECLAIM } } } } },
  { "what somebody holds can be got",
    .n_scripts = 3, .scripts = {
      { A, { { ACQUIRE, .must = true }, { SEND, 0 } } },
      { B, { { GET, 0, .must = true }, { REF }, { UNREF }, { UNREF },
             { GET, 0, .must = true }, { UNREF } } },
      { B, { { GET, 0, .must = true }, { UNREF } } } } },
  { "two threads share what their process took",
    .n_crashes = 2, .n_for_no_reason = 1, .n_scripts = 4, .scripts = {
      { A, { { ACQUIRE }, { WRITE }, { SEND, 0 }, { UNREF } } },
      { A, { { GET, 0 }, { READ }, { UNREF } } },
      { B, { { GET, 0 }, { READ }, { UNREF } } },
      { R, { { RECLAIM } } } } },
  { "two threads get and drop what another process holds",
    .n_crashes = 2, .n_for_no_reason = 1, .n_scripts = 3, .scripts = {
      { A, { { GET, 0 }, { READ }, { UNREF }, { GET, 0 }, { UNREF } } },
      { A, { { GET, 0 }, { READ }, { UNREF } } },
      { B, { { ACQUIRE }, { WRITE }, { SEND, 0 }, { UNREF } } } } },
  { "three threads, one slot",
    .n_crashes = 1, .n_for_no_reason = 1, .n_scripts = 3, .scripts = {
      { A, { { ACQUIRE }, { WRITE }, { SEND, 0 }, { UNREF },
             { ACQUIRE }, { UNREF } } },
      { A, { { GET, 0 }, { READ }, { UNREF } } },
      { A, { { GET, 0 }, { REF }, { UNREF }, { UNREF } } } } },
  { "a thread has an id that its process's slot has left",
    .n_crashes = 1, .n_for_no_reason = 1, .n_scripts = 3, .scripts = {
      { A, { { ACQUIRE }, { WRITE }, { SEND, 0 }, { UNREF },
             { ACQUIRE }, { WRITE }, { SEND, 1 }, { UNREF } } },
      { A, { { GET, 0 }, { UNREF }, { GET, 0 }, { UNREF } } },
      { B, { { GET, 1 }, { READ }, { UNREF } } } } },
  { "one reference is handed over, two want it",
    .n_crashes = 2, .n_scripts = 4, .scripts = {
      { A, { { ACQUIRE }, { WRITE }, { SEND, 0 }, { GIVE, 1, 1 } } },
      { B, { { TAKE, 0 }, { READ }, { UNREF } } },
      { C, { { TAKE, 0 }, { READ }, { UNREF } } },
      { R, { { RECLAIM } } } } },
  { "two references are handed over, each is taken",
    .n_crashes = 2, .n_scripts = 4, .scripts = {
      { A, { { ACQUIRE }, { WRITE }, { GIVE, 2, 1 }, { SEND, 0 } } },
      { B, { { TAKE, 0, .must = true }, { READ }, { UNREF } } },
      { C, { { TAKE, 0, .must = true }, { READ }, { UNREF } } },
      { R, { { RECLAIM } } } } },
  { "threads of one process take what another hands over",
    .n_crashes = 1, .n_for_no_reason = 1, .n_scripts = 3, .scripts = {
      { A, { { ACQUIRE }, { WRITE }, { SEND, 0 }, { GIVE, 2, 1 } } },
      { B, { { TAKE, 0 }, { READ }, { UNREF } } },
      { B, { { TAKE, 0 }, { READ }, { UNREF }, { GET, 0 }, { UNREF } } } } },
  { "nobody takes it, it expires, the slot is used again",
    .n_crashes = 2, .n_scripts = 4, .scripts = {
      { A, { { ACQUIRE }, { WRITE }, { SEND, 0 }, { GIVE, 1, 1 } } },
      { B, { { TAKE, 0 }, { READ }, { UNREF } } },
      { C, { { ACQUIRE }, { WRITE }, { SEND, 1 }, { UNREF } } },
      { S, { { EXPIRE, .time = 2 }, { EXPIRE, .time = 2 } } } } },
  { "it is handed over again, while another gets it and it expires",
    .n_crashes = 1, .n_scripts = 4, .scripts = {
      { A, { { ACQUIRE }, { WRITE }, { SEND, 0 }, { GIVE, 1, 1 } } },
      { B, { { TAKE, 0 }, { READ }, { GIVE, 1, 1 } } },
      { C, { { GET, 0 }, { READ }, { UNREF }, { TAKE, 0 }, { UNREF } } },
      { S, { { EXPIRE, .time = 2 } } } } },
  { "two hand over as much as can be in flight",
    .n_crashes = 1, .state = GENERATION (1) | IN_FLIGHT (253), .n_scripts = 3,
    .scripts = {
      { A, { { GET, 0, .must = true }, { GIVE, 1, 1 }, { UNREF } } },
      { B, { { GET, 0, .must = true }, { GIVE, 1, 1 }, { UNREF } } },
      { C, { { TAKE, 0, .must = true }, { UNREF } } } } },
  { "another process takes the index of a dead one",
    .n_crashes = 2, .n_scripts = 4, .scripts = {
      { A, { { ACQUIRE }, { WRITE }, { SEND, 0 }, { UNREF } } },
      { B, { { GET, 0 }, { READ }, { UNREF } } },
      { D, { { ATTACH }, { GET, 0 }, { READ }, { UNREF },
             { ACQUIRE }, { WRITE }, { UNREF } } },
      { R, { { RECLAIM } } } } },
  { "one dies of those who clear up after the dead",
    .n_crashes = 2, .n_scripts = 4, .scripts = {
      { A, { { ACQUIRE }, { WRITE }, { SEND, 0 }, { GIVE, 1, 1 } } },
      { D, { { ATTACH }, { TAKE, 0 }, { READ }, { UNREF } } },
      { R, { { RECLAIM } } },
      { S, { { RECLAIM }, { EXPIRE, .time = 2 } } } } },
  { "another process takes the index of one that has left",
    .n_crashes = 1, .n_scripts = 4, .scripts = {
      { A, { { ACQUIRE }, { WRITE }, { SEND, 0 }, { GIVE, 1, 1 },
             { DETACH } } },
      { B, { { TAKE, 0 }, { READ }, { UNREF } } },
      { D, { { ATTACH }, { GET, 0 }, { READ }, { UNREF }, { DETACH } } },
      { R, { { RECLAIM } } } } },
  { "the slot's memory goes and comes back",
    .n_for_no_reason = 1, .n_scripts = 4, .scripts = {
      { A, { { ACQUIRE }, { SEND, 0 }, { UNREF } } },
      { A, { { GET, 0 }, { UNREF } } },
      { A, { { CLOSE }, { REOPEN }, { CLOSE }, { REOPEN } } },
      { A, { { ACQUIRE }, { GIVE, 1, 1 }, { EXPIRE, .time = 2 } } } } },
  { "the slot gets new memory, and one dies who does that",
    .n_crashes = 2, .n_scripts = 4, .scripts = {
      { A, { { ACQUIRE }, { WRITE }, { SEND, 0 }, { GIVE, 1, 1 } } },
      { B, { { TAKE, 0 }, { READ }, { UNREF }, { ACQUIRE }, { WRITE },
             { READ }, { UNREF } } },
      { R, { { REVIVE }, { RECLAIM } } },
      { S, { { REVIVE }, { EXPIRE, .time = 2 } } } } },
  { "its only owner gives it a new id",
    .n_crashes = 1, .n_scripts = 3, .scripts = {
      { A, { { ACQUIRE }, { RENEW }, { WRITE }, { SEND, 0 }, { UNREF } } },
      { B, { { GET, 0 }, { READ }, { UNREF }, { ACQUIRE }, { UNREF } } },
      { R, { { RECLAIM } } } } },
  { "generations start again from 0",
    .n_crashes = 1, .state = GENERATION (UINT32_MAX), .n_scripts = 3,
    .scripts = {
      { A, { { ACQUIRE }, { WRITE }, { SEND, 0 }, { UNREF },
             { ACQUIRE }, { WRITE }, { UNREF } } },
      { B, { { GET, 0 }, { READ }, { UNREF } } },
      { R, { { RECLAIM } } } } },
  { "who waits for a slot is woken when it comes free",
    .wakes = true, .n_for_no_reason = 1, .n_scripts = 3, .scripts = {
      { A, { { ACQUIRE }, { WRITE }, { UNREF } } },
      { B, { { ACQUIRE_LATER }, { WRITE }, { UNREF } } },
      { C, { { ACQUIRE_LATER }, { WRITE }, { UNREF } } } } },
  { "a waiter is woken though another thread only tries",
    .wakes = true, .state = GENERATION (1), .n_scripts = 3, .scripts = {
      { A, { { GET, 0 }, { ACQUIRE }, { UNREF } } },
      { A, { { ACQUIRE_LATER }, { UNREF } } },
      { B, { { ACQUIRE }, { UNREF } } } } },
  { "all of it: three processes, two threads in one",
    .n_crashes = 1, .n_scripts = 5, .scripts = {
      { A, { { ACQUIRE }, { WRITE }, { SEND, 0 }, { GIVE, 1, 1 } } },
      { A, { { GET, 0 }, { UNREF } } },
      { B, { { TAKE, 0 }, { READ }, { UNREF } } },
      { C, { { ACQUIRE }, { WRITE }, { UNREF } } },
      { R, { { RECLAIM } } } } },

  /* What goes wrong, and is known to. */
  { "a reference that is taken and given again may expire early",
    .known = "what was handed over has expired before its time",
    .n_scripts = 3, .scripts = {
      { A, { { ACQUIRE }, { SEND, 0 }, { GIVE, 1, 1 } } },
      { B, { { TAKE, 0 }, { GIVE, 1, 3 } } },
      { S, { { EXPIRE, .time = 2 } } } } },
};

static const char *const mutants[] = {
  [TAKE_FREE_STORES] = "taking a free slot is a load and a store",
  [TAKE_FREE_KEEPS_GENERATION] = "a free slot is taken with its old id",
  [GET_TRUSTS_ID] = "getting does not compare the generation",
  [TAKE_KEEPS_COUNT] = "taking leaves the reference in flight",
  [DROP_STORES] = "dropping a holder is a load and a store",
  [GIVE_STORES] = "giving is a load and a store",
  [EXPIRE_STORES] = "expiring is a load and a store",
  [UNREF_SETTLES_FIRST] = "the word says none before the bit is cleared",
  [SETTLE_LOOKS_FIRST] = "a settle looks for sleepers before it stores",
  [SLEEP_COUNTS_LATE] = "a sleeper counts itself after its sleep",
  [TAKE_FREE_PASSES_OVER] = "a slot that another thread tries is passed over",
  [GET_COUNTS_ON] = "getting does not wait for who changes the bit",
  [GET_FAILS_BY_COUNTING] = "a failed get only counts down",
  [RECLAIM_WITHOUT_LOCK] = "the dead are reclaimed without their lock",
  [RECLAIM_CLEARS_ENTRY_FIRST] = "their entry is cleared before their bit",
  [REVIVE_TAKES_ALL] = "a slot that is not free gets new memory",
  [WAITER_MARKS_LATE] = "a waiter marks itself after its look",
};
/* clang-format on */

static unsigned n_cases;
static bool all_good = true;

static void
print_case (bool good, const char *what, const char *name)
{
  printf ("%s %u %s%s\n", good ? "ok" : "not ok", ++n_cases, what, name);
  all_good &= good;
}

static void
print_result (const struct explore_result *result)
{
  printf ("# %llu states, %llu steps between them, %llu ends; longest run %u\n",
      (unsigned long long) result->n_states,
      (unsigned long long) result->n_steps, (unsigned long long) result->n_ends,
      result->longest);
}

static void
print_failure (const struct scenario *scenario)
{
  printf ("#   in \"%s\":\n", scenario->name);
  printf ("#   %s\n", explore_print_failure (world_set (scenario)));
}

static void
add (struct explore_result *sum, const struct explore_result *result)
{
  sum->n_states += result->n_states;
  sum->n_steps += result->n_steps;
  sum->n_ends += result->n_ends;
  if (result->longest > sum->longest)
    sum->longest = result->longest;
}

static void
test_scenario (const struct scenario *scenario, struct explore_result *sum)
{
  struct explore_result result;
  bool as_known;

  explore (world_set (scenario), &result);
  as_known = scenario->known && result.failure
             && strcmp (scenario->known, result.failure) == 0;
  print_case (
      as_known || (!scenario->known && !result.failure), "", scenario->name);
  print_result (&result);
  add (sum, &result);
  if (result.failure)
    print_failure (scenario);
}

/* In the first scenario that shows it. */
static void
test_mutant (enum mutant number)
{
  struct explore_result result = { 0 };
  unsigned i;

  mutant = number;
  for (i = 0; i < LENGTH (scenarios) && !result.failure; i++)
    if (!scenarios[i].known)
      explore (world_set (&scenarios[i]), &result);
  print_case (result.failure, "caught: ", mutants[number]);
  if (result.failure)
    print_failure (&scenarios[i - 1]);
  mutant = NO_MUTANT;
}

int
main (void)
{
  struct explore_result sum = { 0 };

  setvbuf (stdout, NULL, _IOLBF, 0);
  if (!explore_is_possible ()) {
    printf ("1..0 # SKIP a sanitizer would follow the stacks\n");
    return 0;
  }
  printf ("1..%zu\n", LENGTH (scenarios) + N_MUTANTS - 1);
  for (unsigned i = 0; i < LENGTH (scenarios); i++)
    test_scenario (&scenarios[i], &sum);
  printf ("# in all: ");
  print_result (&sum);
  for (unsigned i = NO_MUTANT + 1; i < N_MUTANTS; i++)
    test_mutant (i);
  return all_good ? 0 : 1;
}
