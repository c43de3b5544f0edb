/* SPDX-License-Identifier: MIT */
/* Depth-first search over the states of a model.
 *
 * Each thread has a stack at a fixed address. An operation begins on a stack
 * that is all zero and leaves it at each point with longjmp (), so a state can
 * be copied away and back: the world, where each thread is, and as much of each
 * stack as is in use. What lies below is cleared before a thread goes on: left
 * there, it would make equal states differ.
 *
 * The set of states seen has 112 bits of a hash of each. Threads: none. */

/* The checked longjmp () would refuse to go from one stack to another. */
#undef _FORTIFY_SOURCE
#include "model/explore.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER true
#elif defined(__has_feature)
#define HAS_SANITIZER \
  (__has_feature (address_sanitizer) || __has_feature (thread_sanitizer))
#else
#define HAS_SANITIZER false
#endif

#define STACK_SIZE 32768
/* Of a stack, what an operation may have in use. */
#define STACK_USED 2048
#define MAX_DEPTH 1024
#define MAX_MOVES (EXPLORE_MAX_THREADS + EXPLORE_MAX_EVENTS)

/* --- threads ------------------------------------------------------------- */

enum status { BETWEEN = 0, IN_OPERATION, ASLEEP, STOPPED };

/* All zero unless in an operation or asleep. */
struct thread {
  jmp_buf context;
  char *low; /* from here to its end the stack is in use */
  const volatile void *word; /* that it sleeps on */
  /* Of the weak swap that is its next step. */
  const volatile void *swapped;
  const volatile void *expected;
  uint32_t swap_size;
  uint32_t status;
};

/* All of the explorer that belongs to the state. */
static struct control {
  struct thread threads[EXPLORE_MAX_THREADS];
  uint64_t n_for_no_reason;
} control;

static char stacks[EXPLORE_MAX_THREADS][STACK_SIZE]
    __attribute__ ((aligned (64)));

/* How a stack looks before an operation. */
static struct {
  jmp_buf context;
  char *low;
  char used[STACK_USED];
} fresh[EXPLORE_MAX_THREADS];

static const struct explore_model *model;
static jmp_buf explorer;
static ucontext_t booter;
static int current = EXPLORE_NO_THREAD;
static bool may_access; /* the running thread has its step before it */
static struct explore_step last;
static const char *failure;

static char *
end_of (unsigned thread)
{
  return stacks[thread] + STACK_SIZE;
}

static void
check_stack (unsigned thread, const char *low)
{
  if (end_of (thread) - low > STACK_USED) {
    fprintf (stderr, "STACK_USED is too small\n");
    abort ();
  }
}

/* Called by what is to be gone on with: its frame lies above ours. */
static __attribute__ ((noinline, noreturn)) void
leave (void)
{
  control.threads[current].low = __builtin_frame_address (0);
  _longjmp (explorer, 1);
}

static __attribute__ ((noinline)) void
suspend (void)
{
  if (_setjmp (control.threads[current].context) == 0)
    leave ();
}

static __attribute__ ((noinline, noreturn)) void
finish (void)
{
  _longjmp (explorer, 1);
}

/* --- stacks -------------------------------------------------------------- */

static __attribute__ ((noinline, noreturn)) void
booted (int thread)
{
  char *low = __builtin_frame_address (0);

  check_stack (thread, low);
  fresh[thread].low = low;
  memcpy (fresh[thread].used, low, (size_t) (end_of (thread) - low));
  setcontext (&booter);
  abort ();
}

/* The bottom of each stack: goes on after its _setjmp () for each operation. */
static void
live (int thread)
{
  if (_setjmp (fresh[thread].context) == 0)
    booted (thread);
  model->run ((unsigned) current);
  memset (&control.threads[current], 0, sizeof (control.threads[current]));
  finish ();
}

static void
boot (int thread)
{
  ucontext_t context;

  getcontext (&context);
  context.uc_stack.ss_sp = stacks[thread];
  context.uc_stack.ss_size = STACK_SIZE;
  context.uc_link = NULL;
  makecontext (&context, (void (*) (void)) live, 1, thread);
  swapcontext (&booter, &context);
}

static void
clear_below (int thread, char *low)
{
  char *end = low - STACK_USED;

  memset (end, 0, STACK_USED);
}

static void
begin (int thread)
{
  char *low = fresh[thread].low;

  memcpy (low, fresh[thread].used, (size_t) (end_of (thread) - low));
  clear_below (thread, low);
  control.threads[thread].status = IN_OPERATION;
  _longjmp (fresh[thread].context, 1);
}

/* Lets a thread take one step. */
static __attribute__ ((noinline)) void
resume (int thread)
{
  current = thread;
  may_access = true;
  if (_setjmp (explorer) == 0) {
    if (control.threads[thread].status == BETWEEN)
      begin (thread);
    clear_below (thread, control.threads[thread].low);
    _longjmp (control.threads[thread].context, 1);
  }
  current = EXPLORE_NO_THREAD;
}

/* --- for the model ------------------------------------------------------- */

static void
note_access (enum explore_access access, const volatile void *address)
{
  may_access = false;
  last.access = access;
  last.address = address;
}

void
explore_point (enum explore_access access, const volatile void *address)
{
  if (current == EXPLORE_NO_THREAD)
    return;
  if (!may_access)
    suspend ();
  note_access (access, address);
}

bool
explore_weak_swap (
    const volatile void *address, const volatile void *expected, size_t size)
{
  struct thread *self;

  if (current == EXPLORE_NO_THREAD)
    return false;
  self = &control.threads[current];
  self->swapped = address;
  self->expected = expected;
  self->swap_size = (uint32_t) size;
  suspend ();
  self->swapped = NULL;
  self->expected = NULL;
  self->swap_size = 0;
  note_access (EXPLORE_SWAP, address);
  return last.for_no_reason;
}

void
explore_wait (const volatile uint32_t *word, uint32_t expected)
{
  explore_point (EXPLORE_WAIT, word);
  if (*word != expected)
    return;
  control.threads[current].status = ASLEEP;
  control.threads[current].word = word;
  suspend ();
}

static void
wake (unsigned thread)
{
  control.threads[thread].status = IN_OPERATION;
  control.threads[thread].word = NULL;
}

void
explore_wake_all (const volatile uint32_t *word)
{
  explore_point (EXPLORE_WAKE, word);
  for (unsigned i = 0; i < model->n_threads; i++)
    if (control.threads[i].status == ASLEEP && control.threads[i].word == word)
      wake (i);
}

void
explore_fail (const char *why)
{
  if (!failure)
    failure = why;
}

void
explore_stop_thread (unsigned thread)
{
  memset (&control.threads[thread], 0, sizeof (control.threads[thread]));
  control.threads[thread].status = STOPPED;
}

bool
explore_is_asleep (unsigned thread)
{
  return control.threads[thread].status == ASLEEP;
}

bool
explore_is_between_operations (unsigned thread)
{
  return control.threads[thread].status == BETWEEN;
}

bool
explore_is_possible (void)
{
  return !HAS_SANITIZER;
}

/* --- states -------------------------------------------------------------- */

struct key {
  uint64_t low;
  uint64_t high;
};

struct move {
  uint8_t what; /* enum what */
  uint8_t number; /* of the thread or event */
};

enum what { STEP, STEP_FOR_NO_REASON, EVENT };

/* A state on the way to where the search is, and where it goes on from it. */
struct frame {
  struct move moves[MAX_MOVES * 2];
  unsigned n_moves;
  unsigned next;
  struct key key;
  size_t size;
  char *bytes;
};

static struct frame frames[MAX_DEPTH];

static size_t
frame_capacity (void)
{
  return sizeof (uint64_t) + model->world_size
         + model->n_threads
               * (sizeof (uint64_t) + sizeof (struct thread) + STACK_USED);
}

static char *
put (char *to, const void *from, size_t size)
{
  memcpy (to, from, size);
  return to + size;
}

static const char *
take (void *to, const char *from, size_t size)
{
  memcpy (to, from, size);
  return from + size;
}

static void
save (struct frame *frame)
{
  char *to;

  if (!frame->bytes)
    frame->bytes = malloc (frame_capacity ());
  to = put (frame->bytes, model->world, model->world_size);
  to = put (to, &control.n_for_no_reason, sizeof (uint64_t));
  for (unsigned i = 0; i < model->n_threads; i++) {
    struct thread *thread = &control.threads[i];
    uint64_t status = thread->status;

    to = put (to, &status, sizeof (status));
    if (!thread->low)
      continue;
    check_stack (i, thread->low);
    to = put (to, thread, sizeof (*thread));
    to = put (to, thread->low, (size_t) (end_of (i) - thread->low));
  }
  frame->size = (size_t) (to - frame->bytes);
}

static void
restore (const struct frame *frame)
{
  const char *from = take (model->world, frame->bytes, model->world_size);

  from = take (&control.n_for_no_reason, from, sizeof (uint64_t));
  for (unsigned i = 0; i < model->n_threads; i++) {
    struct thread *thread = &control.threads[i];
    uint64_t status;

    from = take (&status, from, sizeof (status));
    if (status == BETWEEN || status == STOPPED) {
      memset (thread, 0, sizeof (*thread));
      thread->status = (uint32_t) status;
      continue;
    }
    from = take (thread, from, sizeof (*thread));
    from = take (thread->low, from, (size_t) (end_of (i) - thread->low));
  }
}

static uint64_t
mix (uint64_t a, uint64_t b)
{
  unsigned __int128 product = (unsigned __int128) a * b;

  return (uint64_t) product ^ (uint64_t) (product >> 64);
}

static struct key
hash (const struct frame *frame)
{
  struct key key = { UINT64_C (0x9e3779b97f4a7c15), frame->size };

  for (size_t i = 0; i < frame->size; i += sizeof (uint64_t)) {
    uint64_t word;

    memcpy (&word, frame->bytes + i, sizeof (word));
    key.low = mix (key.low ^ word, UINT64_C (0xa0761d6478bd642f));
    key.high = mix (key.high + word, UINT64_C (0xe7037ed1a0b428db));
  }
  key.low |= 1; /* not the empty place's */
  return key;
}

/* --- states seen --------------------------------------------------------- */

#define DEPTH_BITS 15
#define ON_THE_WAY (UINT64_C (1) << DEPTH_BITS)
#define DEPTH_MASK (ON_THE_WAY - 1)
#define HASH_MASK (~(ON_THE_WAY | DEPTH_MASK))

/* `high` holds the rest of the hash, whether the state is on the way to where
 * the search is, and the least depth it was seen at. */
static struct {
  struct key *entries;
  size_t n_entries; /* a power of two */
  size_t n_used;
} seen;

static struct key *
find (struct key key)
{
  size_t i = (size_t) (key.low >> 1) & (seen.n_entries - 1);

  while (seen.entries[i].low != 0
         && (seen.entries[i].low != key.low
             || (seen.entries[i].high ^ key.high) & HASH_MASK))
    i = (i + 1) & (seen.n_entries - 1);
  return &seen.entries[i];
}

static void
forget_all (size_t n_entries)
{
  free (seen.entries);
  seen.entries = calloc (n_entries, sizeof (*seen.entries));
  seen.n_entries = n_entries;
  seen.n_used = 0;
}

static void
grow (void)
{
  struct key *old = seen.entries;
  size_t n_old = seen.n_entries;
  size_t n_used = seen.n_used;

  seen.entries = NULL;
  forget_all (n_old * 2);
  seen.n_used = n_used;
  for (size_t i = 0; i < n_old; i++)
    if (old[i].low != 0)
      *find (old[i]) = old[i];
  free (old);
}

/* Whether the search goes on from this state; it is on the way then. */
static bool
enter (struct key key, unsigned depth)
{
  struct key *entry = find (key);

  if (entry->low == 0) {
    if (++seen.n_used > seen.n_entries / 2) {
      grow ();
      entry = find (key);
    }
  } else if (entry->high & ON_THE_WAY) {
    explore_fail ("a run comes back to where it was: it need not end");
    return false;
  } else if ((entry->high & DEPTH_MASK) <= depth) {
    return false;
  }
  entry->low = key.low;
  entry->high = (key.high & HASH_MASK) | ON_THE_WAY | depth;
  return true;
}

/* --- moves --------------------------------------------------------------- */

static void
add_move (struct frame *frame, enum what what, unsigned number)
{
  frame->moves[frame->n_moves++] =
      (struct move){ (uint8_t) what, (uint8_t) number };
}

/* Whether the thread's next step can turn out otherwise for no reason. */
static bool
is_fickle (const struct thread *thread)
{
  if (control.n_for_no_reason == 0)
    return false;
  return thread->status == ASLEEP
         || (thread->swapped
             && memcmp ((const void *) thread->swapped,
                    (const void *) thread->expected, thread->swap_size)
                    == 0);
}

/* Returns whether a thread can go on. */
static bool
list_moves (struct frame *frame)
{
  bool going = false;

  frame->n_moves = 0;
  frame->next = 0;
  for (unsigned i = 0; i < model->n_threads; i++) {
    const struct thread *thread = &control.threads[i];

    if (thread->status == IN_OPERATION
        || (thread->status == BETWEEN && model->can_begin (i))) {
      going = true;
      add_move (frame, STEP, i);
    }
    if (is_fickle (thread))
      add_move (frame, STEP_FOR_NO_REASON, i);
  }
  for (unsigned i = 0; i < model->n_events; i++)
    if (model->can_happen (i))
      add_move (frame, EVENT, i);
  return going;
}

static void
make_move (struct move move)
{
  memset (&last, 0, sizeof (last));
  last.thread = EXPLORE_NO_THREAD;
  if (move.what == EVENT) {
    last.event = move.number;
    model->happen (move.number);
    return;
  }
  last.thread = move.number;
  last.for_no_reason = move.what == STEP_FOR_NO_REASON;
  control.n_for_no_reason -= last.for_no_reason;
  if (control.threads[move.number].status == ASLEEP)
    wake (move.number);
  else
    resume (move.number);
}

/* --- the search ---------------------------------------------------------- */

static void
start (const struct explore_model *new_model)
{
  model = new_model;
  failure = NULL;
  memset (&control, 0, sizeof (control));
  control.n_for_no_reason = model->n_for_no_reason;
  for (unsigned i = 0; i < model->n_threads; i++)
    boot ((int) i);
  model->start ();
  forget_all (1 << 12);
  for (unsigned i = 0; i < MAX_DEPTH; i++) {
    free (frames[i].bytes);
    frames[i].bytes = NULL;
  }
}

/* Makes what is now the state at this depth, if there is something new. */
static bool
descend (unsigned depth, struct explore_result *out)
{
  struct frame *frame = &frames[depth];

  if (depth == MAX_DEPTH - 1)
    explore_fail ("a run is longer than MAX_DEPTH");
  save (frame);
  frame->key = hash (frame);
  if (!enter (frame->key, depth))
    return false;
  out->n_states++;
  if (depth > out->longest)
    out->longest = depth;
  if (!list_moves (frame)) {
    out->n_ends++;
    model->check_end ();
  }
  return true;
}

/* Leaves the way to a failure in frames[]; returns how many steps it has, 0
 * when there is none. */
static unsigned
search (unsigned max_depth, struct explore_result *out)
{
  unsigned depth = 0;

  memset (out, 0, sizeof (*out));
  (void) descend (0, out);
  while (!failure) {
    struct frame *frame = &frames[depth];

    if (frame->next == frame->n_moves || depth == max_depth) {
      find (frame->key)->high &= ~ON_THE_WAY;
      if (depth-- == 0)
        return 0;
      continue;
    }
    restore (frame);
    make_move (frame->moves[frame->next++]);
    out->n_steps++;
    model->check (frame->bytes, &last);
    if (!failure && descend (depth + 1, out) && !failure)
      depth++;
  }
  out->failure = failure;
  return depth + 1;
}

void
explore (const struct explore_model *new_model, struct explore_result *out)
{
  start (new_model);
  (void) search (MAX_DEPTH - 1, out);
}

static void
print_way (unsigned n_steps)
{
  for (unsigned i = 0; i < n_steps; i++) {
    restore (&frames[i]);
    make_move (frames[i].moves[frames[i].next - 1]);
    model->print (frames[i].bytes, &last);
  }
}

const char *
explore_print_failure (const struct explore_model *new_model)
{
  struct explore_result result;
  unsigned none_in = 0;
  unsigned found_in;

  start (new_model);
  found_in = search (MAX_DEPTH - 1, &result);
  if (found_in == 0)
    return NULL;
  while (found_in - none_in > 1) {
    unsigned middle = none_in + (found_in - none_in) / 2;
    unsigned found;

    start (new_model);
    found = search (middle, &result);
    if (found > 0)
      found_in = found;
    else
      none_in = middle;
  }
  start (new_model);
  (void) search (found_in, &result);
  print_way (found_in);
  return result.failure;
}
