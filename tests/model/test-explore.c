/* SPDX-License-Identifier: MIT */
/* The explorer: goes everywhere, once, and finds what is there to find. */
#include <stdio.h>
#include <string.h>

#include "model/atomics.h"

#define N_THREADS 2

/* What both threads do, N_OPERATIONS times. */
enum program {
  COUNT, /* each on its own */
  ADD,
  ADD_BY_STORING,
  ADD_BY_SWAPPING,
  LOCK_IN_TWO_ORDERS,
  GIVE_WAY, /* for as long as the other does */
  SLEEP_UNTIL_WOKEN,
  SLEEP_UNTIL_ASKED, /* looks too early whether anybody sleeps */
};

static struct world {
  _Atomic uint32_t sum;
  _Atomic uint32_t own[N_THREADS];
  _Atomic uint32_t asleep;
  uint32_t done[N_THREADS];
  uint64_t n_kills;
} world;

static enum program program;
static uint32_t n_operations;

static void
lock (_Atomic uint32_t *word)
{
  uint32_t nobody = 0;

  while (!atomic_compare_exchange_strong (word, &nobody, 1)) {
    xmem_futex_wait (word, 1, 0);
    nobody = 0;
  }
}

static void
unlock (_Atomic uint32_t *word)
{
  atomic_store (word, 0);
  xmem_futex_wake_all (word);
}

static void
add_by_swapping (void)
{
  uint32_t sum = atomic_load (&world.sum);

  while (!atomic_compare_exchange_weak (&world.sum, &sum, sum + 1))
    ;
}

static void
lock_both (unsigned thread)
{
  lock (&world.own[thread]);
  lock (&world.own[1 - thread]);
  unlock (&world.own[1 - thread]);
  unlock (&world.own[thread]);
}

static void
give_way (unsigned thread)
{
  do {
    atomic_store (&world.own[thread], 0);
    atomic_store (&world.own[thread], 1);
  } while (atomic_load (&world.own[1 - thread]));
}

static void
sleep_or_wake (unsigned thread)
{
  bool wake;

  if (thread == 0) {
    atomic_store (&world.asleep, 1);
    xmem_futex_wait (&world.sum, 0, 0);
    return;
  }
  wake = program == SLEEP_UNTIL_WOKEN || atomic_load (&world.asleep);
  atomic_store (&world.sum, 1);
  if (wake)
    xmem_futex_wake_all (&world.sum);
}

static void
run (unsigned thread)
{
  switch (program) {
    case COUNT:
      atomic_fetch_add (&world.own[thread], 1);
      break;
    case ADD:
      atomic_fetch_add (&world.sum, 1);
      break;
    case ADD_BY_STORING:
      atomic_store (&world.sum, atomic_load (&world.sum) + 1);
      break;
    case ADD_BY_SWAPPING:
      add_by_swapping ();
      break;
    case LOCK_IN_TWO_ORDERS:
      lock_both (thread);
      break;
    case GIVE_WAY:
      give_way (thread);
      break;
    case SLEEP_UNTIL_WOKEN:
    case SLEEP_UNTIL_ASKED:
      sleep_or_wake (thread);
      break;
  }
  world.done[thread]++;
}

static void
start (void)
{
  memset (&world, 0, sizeof (world));
}

static bool
can_begin (unsigned thread)
{
  return world.done[thread] < n_operations;
}

static bool
can_happen (unsigned event)
{
  return world.n_kills == 0;
}

static void
happen (unsigned event)
{
  world.n_kills++;
  explore_stop_thread (event);
}

static void
check (const void *world_before, const struct explore_step *step)
{
}

static void
check_end (void)
{
  for (unsigned i = 0; i < N_THREADS; i++)
    if (explore_is_asleep (i))
      explore_fail ("asleep");
  if (program == ADD || program == ADD_BY_STORING || program == ADD_BY_SWAPPING)
    if (world.sum != world.done[0] + world.done[1])
      explore_fail ("lost");
}

static void
print (const void *world_before, const struct explore_step *step)
{
  printf ("#   thread %d\n", step->thread);
}

static bool all_good = true;

/* Expects this of the program, and so many states unless 0. */
static void
test (const char *name, enum program to_run, uint32_t n, unsigned n_kills,
    const char *failure, uint64_t n_states)
{
  static unsigned n_cases;
  const struct explore_model model = { .world = &world,
    .world_size = sizeof (world),
    .n_threads = N_THREADS,
    .n_events = n_kills,
    .n_for_no_reason = to_run == ADD_BY_SWAPPING,
    .start = start,
    .can_begin = can_begin,
    .run = run,
    .can_happen = can_happen,
    .happen = happen,
    .check = check,
    .check_end = check_end,
    .print = print };
  struct explore_result result;
  bool good;

  program = to_run;
  n_operations = n;
  explore (&model, &result);
  good = !failure == !result.failure
         && (!failure || strcmp (failure, result.failure) == 0)
         && (n_states == 0 || n_states == result.n_states);
  printf ("%s %u %s\n", good ? "ok" : "not ok", ++n_cases, name);
  printf ("# %llu states, %llu steps, %s\n",
      (unsigned long long) result.n_states, (unsigned long long) result.n_steps,
      result.failure ? result.failure : "no failure");
  if (result.failure)
    (void) explore_print_failure (&model);
  all_good &= good;
}

int
main (void)
{
  setvbuf (stdout, NULL, _IOLBF, 0);
  if (!explore_is_possible ()) {
    printf ("1..0 # SKIP a sanitizer would follow the stacks\n");
    return 0;
  }
  printf ("1..9\n");
  test ("every state once", COUNT, 9, 0, NULL, 10 * 10);
  /* Thread 0 dies at any of its 10 states, beside 10 of the other; or nobody. */
  test ("every death", COUNT, 9, 1, NULL, 2 * 10 * 10);
  test ("an addition that is one step", ADD, 5, 0, NULL, 6 * 6);
  test ("an addition that is two", ADD_BY_STORING, 1, 0, "lost", 0);
  test ("a swap that fails for no reason", ADD_BY_SWAPPING, 3, 0, NULL, 0);
  test ("two locks in two orders", LOCK_IN_TWO_ORDERS, 1, 0, "asleep", 0);
  test ("a run without end", GIVE_WAY, 1, 0,
      "a run comes back to where it was: it need not end", 0);
  test ("a sleeper that is woken", SLEEP_UNTIL_WOKEN, 1, 0, NULL, 0);
  test ("a sleeper that is overlooked", SLEEP_UNTIL_ASKED, 1, 0, "asleep", 0);
  return all_good ? 0 : 1;
}
