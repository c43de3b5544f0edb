/* SPDX-License-Identifier: MIT */
/* See world.h. The operations run on the explorer's small stacks; the checks and
 * what prints do not. */
#include "model/world.h"

#include <stdio.h>
#include <string.h>

#include "model/mutants.h"

#define MAX_CLIENTS 7
#define N_INDEXES 3
#define GROWTH_LOCK N_INDEXES
#define N_LOCKS (N_INDEXES + 1)
#define N_MAILS 4
#define NO_INDEX 7
/* Generations in one run, by their lowest bits. */
#define N_GENERATIONS 16

enum mutant mutant;

static const char names[] = "ABCDRS";
static const uint8_t indexes[] = { 0, 1, 2, 0, NO_INDEX, NO_INDEX };

/* A thread: what it has, and what has come of its operation. */
struct client {
  uint8_t pc;
  uint8_t n_refs;
  bool has_id;
  bool has_closed;
  uint32_t generation; /* of the id */
  bool freed; /* its step has freed the slot */
  bool told; /* and it was told so */
  bool done; /* its step was an operation's last */
  uint8_t unused[5];
};

struct process_state {
  struct xmem_holder holder;
  struct xmem_hold hold;
  bool alive;
  bool attached;
  int8_t n_entries; /* firsts less lasts: references on the pool */
  uint8_t unused;
};

static struct world {
  _Atomic uint32_t bytes; /* the generation that wrote them */
  _Atomic uint32_t entries[N_INDEXES];
  _Atomic uint32_t locks[N_LOCKS]; /* process plus 1 */
  _Atomic uint32_t n_released; /* as in a pool's header */
  _Atomic uint32_t waiting;
  uint32_t n_crashes; /* that may still happen */
  uint32_t mail[N_MAILS];
  bool sent[N_MAILS];
  uint8_t acquired[N_GENERATIONS];
  uint8_t n_given[N_GENERATIONS];
  uint8_t n_taken[N_GENERATIONS];
  uint64_t given_ns; /* of the latest hand-over */
  struct process_state processes[N_PROCESSES];
  struct client clients[MAX_CLIENTS];
  struct xmem_slot slot; /* up to `info`: nothing here looks at that */
} world;

#define WORLD_SIZE \
  (offsetof (struct world, slot) + offsetof (struct xmem_slot, info))

static_assert (WORLD_SIZE % 8 == 0, "hashed in words");

static const struct scenario *scenario;

static struct client *
client_of (unsigned thread)
{
  return &world.clients[thread];
}

static enum process
process_of (unsigned thread)
{
  return scenario->scripts[thread].process;
}

static struct process_state *
state_of (unsigned thread)
{
  return &world.processes[process_of (thread)];
}

static const struct op *
op_of (unsigned thread)
{
  return &scenario->scripts[thread].ops[client_of (thread)->pc];
}

/* A look that is no step. */
static uint64_t
peek (void)
{
  return atomic_load_explicit (&world.slot.state, memory_order_relaxed);
}

static uint32_t
peek_word (const _Atomic uint32_t *word)
{
  return atomic_load_explicit (word, memory_order_relaxed);
}

static unsigned
slot_of_generation (uint32_t generation)
{
  return generation % N_GENERATIONS;
}

/* --- operations ---------------------------------------------------------- */

/* As xmem_pool_wake (). */
static void
wake (void)
{
  if (!scenario->wakes || atomic_load (&world.waiting) == 0)
    return;
  atomic_fetch_add (&world.n_released, 1);
  xmem_futex_wake_all (&world.n_released);
}

static void
note_change (unsigned thread, enum xmem_hold_change change)
{
  struct process_state *process = state_of (thread);

  if (change == XMEM_HOLD_FIRST)
    process->n_entries++;
  if (change == XMEM_HOLD_LAST || change == XMEM_HOLD_FREED)
    process->n_entries--;
  if (process->n_entries < 0)
    explore_fail ("a process has had its last reference before its first");
  if (change == XMEM_HOLD_FREED) {
    client_of (thread)->told = true;
    wake ();
  }
}

static void
note_reference (unsigned thread, uint32_t generation)
{
  struct client *client = client_of (thread);

  client->n_refs++;
  client->has_id = true;
  client->generation = generation;
}

static bool
take_free (unsigned thread, const struct op *op)
{
  struct process_state *process = state_of (thread);
  uint32_t generation;

  if (!xmem_hold_take_free (&process->holder, &process->hold, &world.slot)) {
    if (op->must)
      explore_fail ("a free slot was not to be had");
    return false;
  }
  generation = xmem_slot_generation (peek ());
  if (world.acquired[slot_of_generation (generation)]++ > 0)
    explore_fail ("two contents have the same id");
  note_change (thread, XMEM_HOLD_FIRST);
  note_reference (thread, generation);
  return true;
}

static void
acquire (unsigned thread, const struct op *op)
{
  (void) take_free (thread, op);
}

/* As wait_for_slot () in pool.c. */
static void
acquire_later (unsigned thread, const struct op *op)
{
  uint32_t bit = (uint32_t) state_of (thread)->holder.bit;
  uint32_t seen;

  if (mutant != WAITER_MARKS_LATE)
    atomic_fetch_or (&world.waiting, bit);
  for (;;) {
    seen = atomic_load (&world.n_released);
    if (take_free (thread, op))
      break;
    if (mutant == WAITER_MARKS_LATE)
      atomic_fetch_or (&world.waiting, bit);
    xmem_futex_wait (&world.n_released, seen, XMEM_DEADLINE_NEVER);
  }
  atomic_fetch_and (&world.waiting, ~bit);
}

static void
get (unsigned thread, const struct op *op)
{
  struct process_state *process = state_of (thread);
  uint32_t generation = world.mail[op->n];
  unsigned n_taken = op->what == TAKE;
  enum xmem_hold_change change;
  int r = xmem_hold_get (&process->holder, &process->hold, &world.slot,
      generation, n_taken, &change);

  note_change (thread, change);
  if (r == 0) {
    note_reference (thread, generation);
    world.n_taken[slot_of_generation (generation)] += (uint8_t) n_taken;
  } else if (op->must) {
    explore_fail ("what is there could not be got");
  }
}

static void
drop_reference (unsigned thread)
{
  struct process_state *process = state_of (thread);

  client_of (thread)->n_refs--;
  note_change (
      thread, xmem_hold_unref (&process->holder, &process->hold, &world.slot));
}

/* As xmem_buffer_give (). */
static void
give (unsigned thread, const struct op *op)
{
  int r = xmem_slot_give (&world.slot, op->n, op->time);

  if (r == 0)
    drop_reference (thread);
  else if (op->must)
    explore_fail ("what is ours could not be handed over");
}

static bool
try_lock (unsigned thread, uint8_t index)
{
  uint32_t nobody = 0;

  return atomic_compare_exchange_strong (
      &world.locks[index], &nobody, (uint32_t) process_of (thread) + 1);
}

/* As forget_process () in named.c. */
static void
forget_index (unsigned thread, uint8_t index)
{
  if (mutant == RECLAIM_CLEARS_ENTRY_FIRST)
    atomic_store (&world.entries[index], 0);
  client_of (thread)->told |=
      xmem_slot_drop_holder (&world.slot, UINT64_C (1) << index);
  atomic_store (&world.entries[index], 0);
}

/* As xmem_named_reclaim (). */
static void
reclaim (unsigned thread, const struct op *op)
{
  for (uint8_t i = 0; i < N_INDEXES; i++) {
    if (atomic_load (&world.entries[i]) == 0)
      continue;
    if (mutant == RECLAIM_WITHOUT_LOCK) {
      if (atomic_load (&world.locks[i]) == 0)
        forget_index (thread, i);
      continue;
    }
    if (!try_lock (thread, i))
      continue;
    if (atomic_load (&world.entries[i]) != 0)
      forget_index (thread, i);
    atomic_store (&world.locks[i], 0);
  }
}

/* As attach () in named.c, for one index. */
static void
attach (unsigned thread, const struct op *op)
{
  uint8_t index = indexes[process_of (thread)];

  if (!try_lock (thread, index))
    return;
  if (atomic_load (&world.entries[index]) != 0)
    forget_index (thread, index);
  atomic_store (&world.entries[index], 1);
  state_of (thread)->holder.bit = UINT64_C (1) << index;
  state_of (thread)->attached = true;
}

static void
detach (unsigned thread, const struct op *op)
{
  uint8_t index = indexes[process_of (thread)];

  atomic_store (&world.entries[index], 0);
  state_of (thread)->attached = false;
  atomic_store (&world.locks[index], 0);
}

static void
read_bytes (unsigned thread, const struct op *op)
{
  if (atomic_load (&world.bytes) != client_of (thread)->generation)
    explore_fail ("these are not the bytes that were sent");
}

static void
write_bytes (unsigned thread, const struct op *op)
{
  atomic_store (&world.bytes, client_of (thread)->generation);
}

static void
ref (unsigned thread, const struct op *op)
{
  xmem_hold_ref (&state_of (thread)->hold);
  client_of (thread)->n_refs++;
}

static void
unref (unsigned thread, const struct op *op)
{
  drop_reference (thread);
}

static void
expire (unsigned thread, const struct op *op)
{
  client_of (thread)->told |= xmem_slot_expire (&world.slot, op->time);
}

static void
renew (unsigned thread, const struct op *op)
{
  xmem_slot_renew (&world.slot);
  client_of (thread)->generation++;
}

static void
close_slot (unsigned thread, const struct op *op)
{
  client_of (thread)->has_closed = xmem_slot_close (&world.slot);
}

static void
reopen_slot (unsigned thread, const struct op *op)
{
  xmem_slot_reopen (&world.slot);
  client_of (thread)->has_closed = false;
}

/* As xmem_segments_revive (), of whose memory the owner has gone: nobody may see
 * how it changes. */
static void
revive (unsigned thread, const struct op *op)
{
  if (!try_lock (thread, GROWTH_LOCK))
    return;
  if (xmem_slot_close (&world.slot)
      || xmem_slot_is_closed (atomic_load (&world.slot.state))
      || mutant == REVIVE_TAKES_ALL)
    atomic_store (&world.bytes, 0);
  if (xmem_slot_is_closed (atomic_load (&world.slot.state)))
    xmem_slot_reopen (&world.slot);
  atomic_store (&world.locks[GROWTH_LOCK], 0);
}

static const struct {
  const char *name;
  enum { NOTHING, AN_INDEX, A_REFERENCE, A_CLOSED_SLOT } needs;
  void (*run) (unsigned thread, const struct op *op); /* NULL: no step */
} operations[] = {
  [END] = { "end", NOTHING, NULL },
  [ACQUIRE] = { "acquire", AN_INDEX, acquire },
  [ACQUIRE_LATER] = { "acquire later", AN_INDEX, acquire_later },
  [WRITE] = { "write", A_REFERENCE, write_bytes },
  [READ] = { "read", A_REFERENCE, read_bytes },
  [SEND] = { "send", NOTHING, NULL },
  [GET] = { "get", AN_INDEX, get },
  [TAKE] = { "take", AN_INDEX, get },
  [REF] = { "ref", A_REFERENCE, ref },
  [UNREF] = { "unref", A_REFERENCE, unref },
  [GIVE] = { "give", A_REFERENCE, give },
  [EXPIRE] = { "expire", NOTHING, expire },
  [RENEW] = { "renew", A_REFERENCE, renew },
  [RECLAIM] = { "reclaim", NOTHING, reclaim },
  [ATTACH] = { "attach", NOTHING, attach },
  [DETACH] = { "detach", AN_INDEX, detach },
  [CLOSE] = { "close", AN_INDEX, close_slot },
  [REOPEN] = { "reopen", A_CLOSED_SLOT, reopen_slot },
  [REVIVE] = { "revive", NOTHING, revive },
};

static bool
has_what_it_needs (unsigned thread, enum what what)
{
  const struct client *client = client_of (thread);

  switch (operations[what].needs) {
    case NOTHING:
      return true;
    case AN_INDEX:
      return state_of (thread)->attached;
    case A_REFERENCE:
      return client->n_refs > 0;
    case A_CLOSED_SLOT:
      return client->has_closed;
  }
  return false;
}

static void
send (unsigned thread, const struct op *op)
{
  if (!client_of (thread)->has_id)
    return;
  world.mail[op->n] = client_of (thread)->generation;
  world.sent[op->n] = true;
}

/* To the next operation that is one. Sending is not: it can be seen from the
 * moment on that the id is known. */
static void
advance (unsigned thread)
{
  const struct op *op;

  while ((op = op_of (thread))->what == SEND
         || !has_what_it_needs (thread, op->what)) {
    if (op->what == SEND)
      send (thread, op);
    client_of (thread)->pc++;
  }
}

static void
run (unsigned thread)
{
  const struct op *op = op_of (thread);

  operations[op->what].run (thread, op);
  client_of (thread)->pc++;
  advance (thread);
  client_of (thread)->done = true;
}

/* --- what can happen ----------------------------------------------------- */

static bool
has_dead (void)
{
  for (unsigned i = 0; i < N_INDEXES; i++)
    if (peek_word (&world.entries[i]) != 0 && peek_word (&world.locks[i]) == 0)
      return true;
  return false;
}

static bool
can_begin (unsigned thread)
{
  const struct op *op = op_of (thread);

  switch (op->what) {
    case END:
      return false;
    case GET:
    case TAKE:
      return world.sent[op->n];
    case RECLAIM:
      return has_dead ();
    case ATTACH:
      return peek_word (&world.locks[indexes[process_of (thread)]]) == 0;
    default:
      return true;
  }
}

/* A process can be killed until it has ended. */
static bool
can_happen (unsigned event)
{
  if (world.n_crashes == 0 || !world.processes[event].alive)
    return false;
  for (unsigned i = 0; i < scenario->n_scripts; i++)
    if (process_of (i) == event
        && (op_of (i)->what != END || client_of (i)->n_refs > 0))
      return true;
  return false;
}

/* Its threads, its memory and its locks go. */
static void
happen (unsigned event)
{
  world.n_crashes--;
  memset (&world.processes[event], 0, sizeof (world.processes[event]));
  for (unsigned i = 0; i < scenario->n_scripts; i++)
    if (process_of (i) == event) {
      explore_stop_thread (i);
      memset (client_of (i), 0, sizeof (struct client));
    }
  for (unsigned i = 0; i < N_LOCKS; i++)
    if (peek_word (&world.locks[i]) == event + 1)
      atomic_store (&world.locks[i], 0);
}

static void
start_process (enum process process)
{
  struct process_state *state = &world.processes[process];
  uint8_t index = indexes[process];

  state->alive = true;
  if (process == D || index == NO_INDEX)
    return;
  state->attached = true;
  state->holder.bit = UINT64_C (1) << index;
  atomic_store (&world.entries[index], 1);
  atomic_store (&world.locks[index], (uint32_t) process + 1);
}

/* Where the scenario begins with a slot that was used before, mail 0 is there
 * from the beginning: what is in flight, or else content that is gone. */
static void
start (void)
{
  uint32_t generation = xmem_slot_generation (scenario->state);

  memset (&world, 0, sizeof (world));
  atomic_store (&world.slot.state, scenario->state);
  world.n_crashes = scenario->n_crashes;
  for (unsigned i = 0; i < scenario->n_scripts; i++)
    start_process (process_of (i));
  if (scenario->state == 0)
    return;
  world.mail[0] = generation - xmem_slot_is_free (scenario->state);
  world.sent[0] = true;
  if (xmem_slot_is_live (scenario->state)) {
    atomic_store (&world.bytes, generation);
    world.acquired[slot_of_generation (generation)] = 1;
    world.n_given[slot_of_generation (generation)] =
        (uint8_t) xmem_slot_in_flight (scenario->state);
  }
}

/* --- what must hold ------------------------------------------------------ */

static bool
is_attached (uint64_t bit)
{
  for (unsigned i = 0; i < N_PROCESSES; i++)
    if (world.processes[i].attached && world.processes[i].holder.bit == bit)
      return true;
  return false;
}

static void
check_given (uint64_t old, unsigned n, unsigned thread)
{
  const struct op *op = op_of (thread);

  if (op->what != GIVE || op->n != n || !(old & state_of (thread)->holder.bit))
    explore_fail ("something is in flight that nobody has given");
  if (xmem_slot_in_flight (old) + n > XMEM_MAX_IN_FLIGHT)
    explore_fail ("more is in flight than can be counted");
}

static void
check_expired (uint64_t old, const struct op *op)
{
  if (old & XMEM_SLOT_HOLDERS)
    explore_fail ("what somebody holds has expired");
  if (world.given_ns >= op->time)
    explore_fail ("what was handed over has expired before its time");
}

/* The generation stays. */
static void
check_same (uint64_t old, uint64_t new, unsigned thread)
{
  uint64_t bit = state_of (thread)->holder.bit;
  uint64_t gone = old & ~new &XMEM_SLOT_HOLDERS;
  uint64_t come = new & ~old &XMEM_SLOT_HOLDERS;
  unsigned n_old = xmem_slot_in_flight (old);
  unsigned n_new = xmem_slot_in_flight (new);

  if (n_new > n_old)
    check_given (old, n_new - n_old, thread);
  if (n_new < n_old
      && (n_old - n_new != 1 || gone || op_of (thread)->what != TAKE))
    explore_fail ("what was in flight has got lost");
  if ((come && come != bit) || (n_new > n_old && (come || gone)))
    explore_fail ("a bit was set that is not the process's own");
  if (gone && gone != bit && ((gone & (gone - 1)) || is_attached (gone)))
    explore_fail ("a bit was cleared that is another's");
}

/* What the word may become, as slot.h has it. */
static void
check_word (uint64_t old, uint64_t new, unsigned thread)
{
  uint64_t bit = state_of (thread)->holder.bit;
  uint64_t next = xmem_slot_next (old);

  if (xmem_slot_is_free (old)) {
    if (new != (old | XMEM_SLOT_CLOSED) && (bit == 0 || new != (next | bit)))
      explore_fail ("a free slot is neither taken nor closed");
  } else if (xmem_slot_is_closed (old)) {
    if (new != (old & ~XMEM_SLOT_CLOSED))
      explore_fail ("a closed slot is not opened");
  } else if (xmem_slot_generation (new) == xmem_slot_generation (old)) {
    check_same (old, new, thread);
  } else if (new == next) {
    check_expired (old, op_of (thread));
  } else if (op_of (thread)->what != RENEW
             || new - old != UINT64_C (1) << XMEM_SLOT_GENERATION_SHIFT) {
    explore_fail ("the generation has changed under a holder");
  }
}

/* A mutant has to be caught by what comes of it. */
static void
check_step (uint64_t old, uint64_t new, unsigned thread)
{
  const struct op *op = op_of (thread);

  if (new == old)
    return;
  if (mutant == NO_MUTANT)
    check_word (old, new, thread);
  if (op->what == GIVE
      && xmem_slot_in_flight (new) > xmem_slot_in_flight (old)) {
    world.n_given[slot_of_generation (xmem_slot_generation (old))] += op->n;
    world.given_ns = op->time;
  }
  client_of (thread)->freed |=
      xmem_slot_is_live (old) && xmem_slot_is_free (new);
}

static void
check_references (const struct client *client, uint64_t bit, uint64_t state)
{
  if (client->n_refs == 0)
    return;
  if (!(state & bit) || !xmem_slot_is_live (state))
    explore_fail ("the slot of who has a reference does not know of it");
  if (xmem_slot_generation (state) != client->generation)
    explore_fail ("the slot of who has a reference has other content");
}

static void
check_process (enum process process, uint64_t state)
{
  const struct process_state *of = &world.processes[process];
  uint32_t word = peek_word (&of->hold.word);
  unsigned n_refs = 0;

  if (!of->attached)
    return;
  for (unsigned i = 0; i < scenario->n_scripts; i++)
    if (process_of (i) == process) {
      check_references (client_of (i), of->holder.bit, state);
      n_refs += client_of (i)->n_refs;
    }
  if (word >= XMEM_HOLD_ONE && !(state & of->holder.bit))
    explore_fail ("a process counts references and has no bit");
  if (n_refs > 0 && word < n_refs + 1)
    explore_fail ("a process has more references than it counts");
}

static void
check_bits (uint64_t state)
{
  if (xmem_slot_is_closed (state))
    return;
  for (unsigned i = 0; i < 24; i++) {
    uint64_t bit = UINT64_C (1) << i;

    if (state & bit && !is_attached (bit)
        && (i >= N_INDEXES || peek_word (&world.entries[i]) == 0))
      explore_fail ("a bit is left that nobody will clear");
  }
}

/* An operation says that it has freed the slot, when it has: others wait for
 * that. */
static void
check_told (struct client *client)
{
  if (!client->done)
    return;
  if (client->freed && !client->told)
    explore_fail ("the slot came free and nobody was told");
  if (client->told && !client->freed)
    explore_fail ("somebody was told of a free slot that was not");
  client->freed = client->told = client->done = false;
}

static void
check (const void *world_before, const struct explore_step *step)
{
  const struct world *before = world_before;
  uint64_t old =
      atomic_load_explicit (&before->slot.state, memory_order_relaxed);
  uint64_t state = peek ();

  if (step->thread >= 0) {
    unsigned thread = (unsigned) step->thread;
    uint8_t pc = client_of (thread)->pc;

    /* As it was when the step was made. */
    client_of (thread)->pc = before->clients[thread].pc;
    check_step (old, state, thread);
    client_of (thread)->pc = pc;
    check_told (client_of (thread));
  } else if (old != state) {
    explore_fail ("a death has changed the slot");
  }
  check_bits (state);
  for (unsigned i = 0; i < N_PROCESSES; i++)
    check_process (i, state);
  for (unsigned i = 0; i < N_GENERATIONS; i++)
    if (world.n_taken[i] > world.n_given[i])
      explore_fail ("more was taken than was given");
}

/* --- at the end ---------------------------------------------------------- */

static void
clean_up (void)
{
  for (unsigned i = 0; i < N_INDEXES; i++)
    if (peek_word (&world.entries[i]) != 0 && peek_word (&world.locks[i]) == 0)
      (void) xmem_slot_drop_holder (&world.slot, UINT64_C (1) << i);
  (void) xmem_slot_expire (&world.slot, UINT64_MAX);
  /* What a dead one has closed the next to grow opens. */
  if (scenario->n_crashes > 0 && xmem_slot_is_closed (peek ())
      && peek_word (&world.locks[GROWTH_LOCK]) == 0)
    xmem_slot_reopen (&world.slot);
}

/* Whoever is dead is forgotten, what is in flight has expired: the slot is free,
 * but for those who live and have references. */
static void
check_end (void)
{
  uint64_t holders = 0;

  for (unsigned i = 0; i < scenario->n_scripts; i++) {
    if (explore_is_asleep (i))
      explore_fail ("a thread sleeps and nobody will wake it");
    if (client_of (i)->n_refs > 0)
      holders |= state_of (i)->holder.bit;
  }
  clean_up ();
  if (xmem_slot_is_closed (peek ()) || (peek () & XMEM_SLOT_REFS) != holders)
    explore_fail ("the slot is lost");
  for (unsigned i = 0; i < N_PROCESSES; i++) {
    const struct process_state *process = &world.processes[i];
    uint32_t word = peek_word (&process->hold.word);

    if (process->attached && (word == 0) != !(holders & process->holder.bit))
      explore_fail ("a process miscounts its references");
    if (process->n_entries != (word != 0))
      explore_fail ("a process does not know whether it has references");
  }
}

/* --- in words ------------------------------------------------------------ */

static void
print_state (uint64_t state)
{
  printf ("[generation %u", xmem_slot_generation (state));
  if (xmem_slot_is_closed (state)) {
    printf (", closed]");
    return;
  }
  if (xmem_slot_in_flight (state))
    printf (", %u in flight", xmem_slot_in_flight (state));
  for (unsigned i = 0; i < N_INDEXES; i++)
    if (state & UINT64_C (1) << i)
      printf (", held by index %u", i);
  printf ("%s]", xmem_slot_is_free (state) ? ", free" : "");
}

static void
print_name (const volatile void *address)
{
  for (unsigned i = 0; i < N_PROCESSES; i++) {
    if (address == &world.processes[i].hold.word)
      printf ("%c's word", names[i]);
    if (address == &world.processes[i].holder.n_sleeping)
      printf ("%c's sleepers", names[i]);
  }
  for (unsigned i = 0; i < N_INDEXES; i++) {
    if (address == &world.entries[i])
      printf ("index %u's entry", i);
    if (address == &world.locks[i])
      printf ("index %u's lock", i);
  }
  if (address == &world.locks[GROWTH_LOCK])
    printf ("the growth lock");
  if (address == &world.n_released)
    printf ("n_released");
  if (address == &world.waiting)
    printf ("who waits");
  if (address == &world.bytes)
    printf ("the bytes");
  if (address == &world.slot.given_ns)
    printf ("given_ns");
  if (address == &world.slot.state)
    printf ("the slot");
}

static uint64_t
value_in (const void *some_world, const volatile void *address)
{
  size_t offset = (size_t) ((const volatile char *) address - (char *) &world);
  bool is_long =
      address == &world.slot.state || address == &world.slot.given_ns;
  uint64_t value = 0;

  memcpy (&value, (const char *) some_world + offset, is_long ? 8 : 4);
  return value;
}

static void
print_value (uint64_t value, bool is_state)
{
  if (is_state)
    print_state (value);
  else
    printf ("%llu", (unsigned long long) value);
}

static void
print_access (const void *world_before, const struct explore_step *step)
{
  static const char *const verbs[] = { "reads ", "stores ", "changes ",
    "swaps ", "looks, to sleep, at ", "wakes who sleeps on " };
  uint64_t old = value_in (world_before, step->address);
  uint64_t new = value_in (&world, step->address);
  bool is_state = step->address == &world.slot.state;

  printf ("%s", step->access == EXPLORE_SWAP && old == new
                    ? "compares "
                    : verbs[step->access]);
  print_name (step->address);
  printf (" ");
  print_value (old, is_state);
  if (old != new) {
    printf (" -> ");
    print_value (new, is_state);
  }
  if (explore_is_asleep ((unsigned) step->thread))
    printf ("; falls asleep");
}

static void
print (const void *world_before, const struct explore_step *step)
{
  const struct world *before = world_before;
  unsigned thread = (unsigned) step->thread;
  const struct op *op;

  if (step->thread < 0) {
    printf ("#     %c is killed\n", names[step->event]);
    return;
  }
  op = &scenario->scripts[thread].ops[before->clients[thread].pc];
  printf ("#     %c%u %s: ", names[process_of (thread)], thread + 1,
      operations[op->what].name);
  if (step->address)
    print_access (before, step);
  else
    printf ("wakes up");
  printf ("%s%s\n", step->for_no_reason ? " (for no reason)" : "",
      explore_is_between_operations (thread) ? "; done" : "");
}

const struct explore_model *
world_set (const struct scenario *new_scenario)
{
  static struct explore_model model;

  scenario = new_scenario;
  model = (struct explore_model){ .world = &world,
    .world_size = WORLD_SIZE,
    .n_threads = scenario->n_scripts,
    .n_events = N_PROCESSES,
    .n_for_no_reason = scenario->n_for_no_reason,
    .start = start,
    .can_begin = can_begin,
    .run = run,
    .can_happen = can_happen,
    .happen = happen,
    .check = check,
    .check_end = check_end,
    .print = print };
  return &model;
}
