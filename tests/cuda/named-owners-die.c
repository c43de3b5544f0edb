/* SPDX-License-Identifier: MIT */
/* Memory of a device in a named pool goes with who allocated it, in good order
 * or not. Who holds some may go on; everybody else is told; and no slot is
 * lost: the next to grow has them anew. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cuda/named-actor.h"
#include "harness/named.h"
#include "pool/layout.h"

#define SIZE 100000
#define N_SLOTS 8

#define ask named_actor_ask
#define number named_actor_ask_number

static struct harness_child owner, other, third;

static uint64_t
acquire (struct harness_child *child)
{
  return number (child, "acquire %d 0", SIZE);
}

/* The owner has allocated all slots there are. */
static void
start_all (void)
{
  named_actor_start (&owner, NULL);
  ask (&owner, 0, "create %d %u %u", N_SLOTS, 64u << 20, XMEM_CUDA_MODE_AUTO);
  ask (&owner, 0, "preallocate %d %d 0", SIZE, N_SLOTS);
  named_actor_start (&other, NULL);
  ask (&other, 0, "open 0");
  named_actor_start (&third, NULL);
  ask (&third, 0, "open 0");
}

static void
expect_gone (struct harness_child *child, uint64_t id, pid_t pid)
{
  g_autofree char *words = g_strdup_printf ("process %d", (int) pid);

  harness_assert_contains (
      ask (child, XMEM_GONE, "get %" PRIu64 " %d", id, XMEM_READ), words);
  harness_assert_contains (
      ask (child, XMEM_GONE, "get %" PRIu64 " %d", id, XMEM_WRITE), words);
  harness_assert_contains (
      ask (child, XMEM_GONE, "get-at %u", (uint32_t) id), words);
  harness_assert_contains (ask (child, XMEM_GONE, "next"), words);
}

/* All slots can be had, and hold what is written. Returns the last. */
static uint64_t
use_all (struct harness_child *child)
{
  uint64_t ids[N_SLOTS];

  for (unsigned i = 0; i < N_SLOTS; i++) {
    ids[i] = acquire (child);
    ask (child, 0, "write %" PRIu64 " %u", ids[i], 100 + i);
  }
  for (unsigned i = 0; i < N_SLOTS; i++)
    g_assert_cmpuint (
        number (child, "check %" PRIu64 " %u", ids[i], 100 + i), ==, 1);
  for (unsigned i = 0; i < N_SLOTS - 1; i++)
    ask (child, 0, "unref %" PRIu64, ids[i]);
  return ids[N_SLOTS - 1];
}

static void
expect_bytes (struct harness_child *child, bool some)
{
  guint64 bytes;

  g_assert_cmpint (sscanf (ask (child, 0, "stats"),
                       "%*u %*u %*u %*u %" G_GUINT64_FORMAT, &bytes),
      ==, 1);
  g_assert_cmpint (bytes > 0, ==, some);
}

/* A holder stays one; then all slots, and their bytes, are there again. What it
 * holds keeps its bytes with the double; with another driver to look may be an
 * illegal access. */
static void
lose_owner (bool killed)
{
  pid_t pid;
  uint64_t id, last;

  start_all ();
  id = acquire (&owner);
  ask (&owner, 0, "write %" PRIu64 " 41", id);
  ask (&other, 0, "get %" PRIu64 " %d", id, XMEM_WRITE);
  pid = owner.pid;
  if (killed) {
    named_actor_die (&owner);
  } else {
    ask (&owner, 0, "unref %" PRIu64, id);
    ask (&owner, 0, "close");
  }
  if (double_is_here ())
    g_assert_cmpuint (number (&other, "check %" PRIu64 " 41", id), ==, 1);
  expect_gone (&other, id, pid);
  expect_gone (&third, id, pid);
  /* Nor are its free slots handed out, nor new ones made of them yet. */
  ask (&third, XMEM_AGAIN, "acquire %d 0", SIZE);
  expect_bytes (&third, false);
  ask (&other, 0, "unref %" PRIu64, id);
  last = use_all (&third);
  expect_bytes (&third, true);
  ask (&other, XMEM_STALE, "get %" PRIu64 " %d", id, XMEM_READ);
  ask (&other, 0, "get %" PRIu64 " %d", last, XMEM_READ);
  named_actor_expect_calls (&other, "cuIpcCloseMemHandle", 1);
  g_assert_cmpuint (
      number (&other, "check %" PRIu64 " %u", last, 100 + N_SLOTS - 1), ==, 1);
  (void) acquire (&other); /* the third's */
  named_actor_expect_calls (&other, "cuMemAlloc", 0);
  ask (&other, 0, "reclaim");
  named_actor_stop (&other);
  named_actor_stop (&third);
  if (!killed)
    named_actor_stop (&owner);
  g_assert_false (named_exists ());
}

static void
test_killed (void)
{
  lose_owner (true);
}

static void
test_closed (void)
{
  lose_owner (false);
}

/* Who only reads lets go when it asks for what can be had back. */
static void
test_let_go (void)
{
  uint64_t id;

  start_all ();
  id = acquire (&owner);
  ask (&other, 0, "get %" PRIu64 " %d", id, XMEM_READ);
  ask (&third, 0, "get %" PRIu64 " %d", id, XMEM_READ);
  named_actor_die (&owner);
  ask (&other, 0, "unref %" PRIu64, id);
  ask (&other, 0, "reclaim");
  g_assert_cmpuint (number (&other, "left"), ==, 0);
  ask (&third, 0, "reclaim");
  g_assert_cmpuint (number (&third, "left"), >, 0);
  named_actor_stop (&third);
  named_actor_stop (&other);
}

/* As one leaves it that is killed while it makes a segment anew: of nobody, with
 * some slots closed. */
static void
leave_half_made (void)
{
  const uint64_t nobody = 0;
  uint64_t state;
  off_t at;
  int fd = open (named_path (), O_RDWR | O_CLOEXEC);

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (
      (int) pwrite (fd, &nobody, sizeof (nobody),
          (off_t) (offsetof (struct xmem_layout_header, segments)
                   + offsetof (struct xmem_layout_segment, owner))),
      ==, sizeof (nobody));
  for (uint32_t i = 0; i < N_SLOTS / 2; i++) {
    at = (off_t) (xmem_layout_slots_offset (N_SLOTS)
                  + i * sizeof (struct xmem_slot));
    g_assert_cmpint (
        (int) pread (fd, &state, sizeof (state), at), ==, sizeof (state));
    g_assert_true (xmem_slot_is_free (state));
    state |= XMEM_SLOT_CLOSED;
    g_assert_cmpint (
        (int) pwrite (fd, &state, sizeof (state), at), ==, sizeof (state));
  }
  close (fd);
}

static void
test_half_made (void)
{
  uint64_t id;

  start_all ();
  id = acquire (&other); /* so that it knows how it was */
  ask (&other, 0, "unref %" PRIu64, id);
  named_actor_die (&owner);
  leave_half_made ();
  ask (&other, XMEM_STALE, "get %" PRIu64 " %d", id, XMEM_READ);
  ask (&other, 0, "stats");
  use_all (&third);
  (void) acquire (&other);
  named_actor_expect_calls (&other, "cuMemAlloc", 0);
  named_actor_stop (&third);
  named_actor_stop (&other);
}

/* While a process has the lock of a dead one, to forget it, that one seems to
 * live. Who knew better does not try to open its memory. */
static void
test_seems_to_live (void)
{
  struct flock lock = { .l_type = F_WRLCK,
    .l_whence = SEEK_SET,
    .l_start = XMEM_LOCK_PROCESS, /* the first to attach */
    .l_len = 1 };
  pid_t pid;
  uint64_t id;
  int fd;

  start_all ();
  id = acquire (&owner);
  ask (&other, 0, "get %" PRIu64 " %d", id, XMEM_READ);
  ask (&other, 0, "unref %" PRIu64, id);
  ask (&third, 0, "get %" PRIu64 " %d", id, XMEM_READ);
  pid = owner.pid;
  named_actor_die (&owner);
  ask (&other, 0, "preallocate %d 0 0", SIZE); /* looks, and forgets nobody */
  fd = open (named_path (), O_RDWR | O_CLOEXEC);
  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (fcntl (fd, F_OFD_SETLK, &lock), ==, 0);
  expect_gone (&other, id, pid);
  g_assert_cmpuint (number (&other, "calls cuIpcOpenMemHandle"), ==, 1);
  close (fd);
  ask (&third, 0, "unref %" PRIu64, id);
  use_all (&other);
  named_actor_stop (&third);
  named_actor_stop (&other);
}

/* What a segment is like is read and checked once: an entry that says something
 * else later, for the same owner, does not make it larger or smaller. */
static void
test_entry_changes (void)
{
  const uint64_t slot_size = UINT64_C (1) << 39;
  const off_t at = (off_t) (offsetof (struct xmem_layout_header, segments)
                            + offsetof (struct xmem_layout_segment, slot_size));
  uint64_t id;
  int fd;

  start_all ();
  id = acquire (&owner);
  ask (&owner, 0, "write %" PRIu64 " 61", id);
  ask (&other, 0, "stats"); /* learns of it, and opens nothing */
  fd = open (named_path (), O_RDWR | O_CLOEXEC);
  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint ((int) pwrite (fd, &slot_size, sizeof (slot_size), at), ==,
      sizeof (slot_size));
  close (fd);
  ask (&other, 0, "get %" PRIu64 " %d", id, XMEM_READ);
  g_assert_cmpuint (number (&other, "check %" PRIu64 " 61", id), ==, 1);
  named_actor_stop (&third);
  named_actor_stop (&other);
  named_actor_stop (&owner);
}

/* What was in flight ends as ever, and can be taken no more. */
static void
test_in_flight (void)
{
  uint64_t id, further;

  start_all ();
  id = acquire (&owner);
  further = acquire (&owner);
  ask (&owner, 0, "give %" PRIu64 " 3", id);
  ask (&owner, 0, "give %" PRIu64 " 3", further);
  named_actor_die (&owner);
  ask (&other, XMEM_GONE, "take %" PRIu64 " %d", id, XMEM_READ);
  harness_wait_until (
      number (&other, "reclaim") == 0 && ask (&other, 0, "stats")[2] == '0');
  use_all (&other);
  named_actor_stop (&third);
  named_actor_stop (&other);
}

/* New ones of another size, and then again of the first. */
static void
test_other_sizes (void)
{
  unsigned n_slots, n_used, n_segments;

  start_all ();
  named_actor_die (&owner);
  for (int i = 0; i < N_SLOTS; i++)
    (void) number (&other, "acquire %d 0", 20 * SIZE);
  named_actor_die (&other);
  use_all (&third);
  g_assert_cmpint (sscanf (ask (&third, 0, "stats"), "%u %u %*u %u", &n_slots,
                       &n_used, &n_segments),
      ==, 3);
  g_assert_cmpuint (n_slots, ==, N_SLOTS);
  g_assert_cmpuint (n_used, ==, 1);
  g_assert_cmpuint (n_segments, ==, 1);
  named_actor_stop (&third);
}

/* What a dead process allocated takes no room of those who come after. */
static void
test_room (void)
{
  named_actor_start (&owner, NULL);
  ask (&owner, 0, "create %d %u %u", N_SLOTS, 8u << 20, XMEM_CUDA_MODE_AUTO);
  (void) number (&owner, "acquire %u 0", 6u << 20);
  named_actor_start (&other, NULL);
  ask (&other, 0, "open 0");
  ask (&other, XMEM_AGAIN, "acquire %u -1", 6u << 20);
  named_actor_die (&owner);
  (void) number (&other, "acquire %u -1", 6u << 20);
  ask (&other, XMEM_AGAIN, "acquire %u 0", 6u << 20);
  (void) number (&other, "acquire %u 0", 1u << 20);
  named_actor_stop (&other);
}

static void
test_preallocated (void)
{
  start_all ();
  named_actor_die (&owner);
  ask (&other, 0, "preallocate %d %d 0", SIZE, N_SLOTS);
  ask (&third, 0, "preallocate %d %d 0", SIZE, N_SLOTS);
  named_actor_expect_calls (&other, "cuMemAlloc", 1);
  named_actor_expect_calls (&third, "cuMemAlloc", 0);
  ask (&third, XMEM_FULL, "preallocate %d %d 0", SIZE, N_SLOTS + 1);
  named_actor_stop (&third);
  named_actor_stop (&other);
}

/* A holder that is killed gives back what it held; the memory is not its. */
static void
test_holder_killed (void)
{
  uint64_t id;

  start_all ();
  for (int i = 0; i < N_SLOTS; i++)
    id = acquire (&other);
  named_actor_die (&other);
  g_assert_cmpuint (number (&third, "reclaim"), ==, N_SLOTS);
  ask (&third, XMEM_STALE, "get %" PRIu64 " %d", id, XMEM_READ);
  use_all (&third);
  named_actor_expect_calls (&third, "cuMemAlloc", 0);
  named_actor_stop (&third);
  named_actor_stop (&owner);
}

/* Nobody was left: who opens the pool then has all of its slots. */
static void
test_all_killed (void)
{
  start_all ();
  (void) acquire (&owner);
  (void) acquire (&other);
  named_actor_die (&owner);
  named_actor_die (&other);
  named_actor_die (&third);
  named_actor_start (&other, NULL);
  ask (&other, 0, "open 0");
  use_all (&other);
  named_actor_stop (&other);
  g_assert_false (named_exists ());
}

/* A handle of the same process, which the driver need not open. */
static void
test_closed_in_the_same_process (void)
{
  uint64_t id;

  start_all ();
  id = acquire (&owner);
  ask (&owner, 0, "write %" PRIu64 " 51", id);
  ask (&owner, 0, "at 1");
  ask (&owner, 0, "open 0");
  ask (&owner, 0, "get %" PRIu64 " %d", id, XMEM_READ);
  ask (&owner, 0, "unref %" PRIu64, id); /* that of the second */
  ask (&owner, 0, "get %" PRIu64 " %d", id, XMEM_READ);
  ask (&owner, 0, "at 0");
  ask (&owner, 0, "close");
  g_assert_cmpuint (number (&owner, "check %" PRIu64 " 51", id), ==, 1);
  named_actor_stop (&third);
  named_actor_stop (&other);
  named_actor_stop (&owner);
}

/* Making it anew fails at each step: the slots are as they were. */
static void
test_failing (void)
{
  static const char *const functions[] = { "cuMemAlloc", "cuIpcGetMemHandle" };

  start_all ();
  named_actor_die (&owner);
  for (unsigned i = 0; i < G_N_ELEMENTS (functions); i++) {
    ask (&other, 0, "fail %s 1 999", functions[i]);
    harness_assert_contains (
        ask (&other, XMEM_DEVICE, "acquire %d 0", SIZE), functions[i]);
    g_assert_cmpuint (number (&other, "left"), ==, 0);
  }
  ask (&other, 0, "fail cuMemAlloc 1 2"); /* out of memory */
  ask (&other, XMEM_NO_SPACE, "acquire %d 0", SIZE);
  use_all (&third);
  ask (&other, 0, "fail cuIpcOpenMemHandle 1 999");
  harness_assert_contains (
      ask (&other, XMEM_DEVICE, "acquire %d 0", SIZE), "cuIpcOpenMemHandle");
  g_assert_cmpuint (number (&other, "left"), ==, 0);
  (void) acquire (&other);
  named_actor_stop (&third);
  named_actor_stop (&other);
}

int
main (int argc, char **argv)
{
  static const struct harness_role roles[] = { NAMED_ACTOR_ROLE,
    { NULL, NULL } };

  double_init (&argc, &argv, roles);
  harness_add ("/killed", test_killed);
  harness_add ("/closed", test_closed);
  harness_add ("/let-go", test_let_go);
  harness_add ("/half-made", test_half_made);
  double_add ("/seems-to-live", test_seems_to_live);
  harness_add ("/entry-changes", test_entry_changes);
  harness_add ("/in-flight", test_in_flight);
  harness_add ("/other-sizes", test_other_sizes);
  harness_add ("/room", test_room);
  harness_add ("/preallocated", test_preallocated);
  harness_add ("/holder-killed", test_holder_killed);
  harness_add ("/all-killed", test_all_killed);
  harness_add ("/closed-in-the-same-process", test_closed_in_the_same_process);
  double_add ("/failing", test_failing);
  return g_test_run ();
}
