/* SPDX-License-Identifier: MIT */
/* Runs a small concurrent program in every order that there is.
 *
 * The program, a model, is ordinary C: threads run operations that call
 * explore_point () before each access to what they share. One step is one
 * access and what follows up to the next. From each state that can be reached
 * every thread's next step is taken, and every event that can happen; a state
 * seen before is not gone on from.
 *
 * A model's state is its `world` and the stacks of the operations in progress,
 * so it must keep nothing elsewhere, and no pointers but those into these.
 * Between operations a thread has no stack.
 *
 * The order is sequentially consistent: what one thread writes all see at
 * once. */
#ifndef MODEL_EXPLORE_H
#define MODEL_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPLORE_MAX_THREADS 8
#define EXPLORE_MAX_EVENTS 8
#define EXPLORE_NO_THREAD (-1)

/* False also where the sanitizers would follow the stacks. */
bool explore_is_possible (void);

/* --- for the model ------------------------------------------------------- */

enum explore_access {
  EXPLORE_LOAD,
  EXPLORE_STORE,
  EXPLORE_CHANGE, /* reads and writes, whatever was there */
  EXPLORE_SWAP, /* compares, and writes if it was as expected */
  EXPLORE_WAIT,
  EXPLORE_WAKE,
};

/* The running thread is about to do this. Nothing outside explore (). */
void explore_point (enum explore_access access, const volatile void *address);

/* The same for a swap that may fail although *address is as *expected. Returns
 * whether it does. */
bool explore_weak_swap (
    const volatile void *address, const volatile void *expected, size_t size);

/* Sleeps, as on a futex, if *word is `expected`; may return for no reason. */
void explore_wait (const volatile uint32_t *word, uint32_t expected);
void explore_wake_all (const volatile uint32_t *word);

/* This state must not be. `why` is kept. */
void explore_fail (const char *why);

/* A thread is gone, wherever it was. For events. */
void explore_stop_thread (unsigned thread);

bool explore_is_asleep (unsigned thread);
bool explore_is_between_operations (unsigned thread);

/* --- exploring ----------------------------------------------------------- */

/* What a step or an event was. */
struct explore_step {
  int thread; /* or EXPLORE_NO_THREAD */
  unsigned event;
  enum explore_access access;
  const volatile void *address; /* NULL: none */
  bool for_no_reason; /* a swap has failed, a sleep ended */
};

struct explore_model {
  void *world;
  size_t world_size; /* a multiple of 8 */
  unsigned n_threads;
  unsigned n_events;
  unsigned n_for_no_reason; /* in one run */

  /* Makes the world as it is at the beginning. */
  void (*start) (void);
  /* Whether a thread that is between operations has another one, now. */
  bool (*can_begin) (unsigned thread);
  /* That operation, on the thread's own small stack: prints nothing. */
  void (*run) (unsigned thread);
  bool (*can_happen) (unsigned event);
  void (*happen) (unsigned event);
  /* After each step and event; world_before: as it was. */
  void (*check) (const void *world_before, const struct explore_step *step);
  /* When no thread can go on. May change the world. */
  void (*check_end) (void);
  /* Prints a line on it. */
  void (*print) (const void *world_before, const struct explore_step *step);
};

struct explore_result {
  uint64_t n_states;
  uint64_t n_steps; /* between these, and events */
  uint64_t n_ends; /* states in which no thread can go on */
  unsigned longest; /* run, in steps */
  const char *failure; /* or NULL */
};

/* Until there is nothing new, or a failure. */
void explore (const struct explore_model *model, struct explore_result *out);

/* Looks for the failure with the fewest steps and prints each of these. Returns
 * what it is, or NULL when there is none. */
const char *explore_print_failure (const struct explore_model *model);

#endif
