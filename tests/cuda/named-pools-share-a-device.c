/* SPDX-License-Identifier: MIT */
/* Buffers of a named pool in the memory of a device, in several processes: got,
 * handed over, written, copied; and what is said where they cannot be had. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cuda/named-actor.h"
#include "harness/named.h"
#include "pool/layout.h"

#define SIZE 100000
#define FIRST_UUID "GPU-fa4ecda0-0000-0000-0000-000000000001"

#define ask named_actor_ask
#define number named_actor_ask_number

static struct harness_child owner, other;

static uint64_t
acquire (struct harness_child *child, int device)
{
  return number (child, "acquire %d %d", SIZE, device);
}

static void
start_owner (const char *variable, const char *further)
{
  named_actor_start (&owner, variable, further, NULL);
  ask (&owner, 0, "create 64 %u %u", 256u << 20, XMEM_CUDA_MODE_AUTO);
}

static void
start_other (const char *variable, const char *further)
{
  named_actor_start (&other, variable, further, NULL);
  ask (&other, 0, "open 0");
}

static void
start_both (void)
{
  start_owner (NULL, NULL);
  start_other (NULL, NULL);
}

static void
stop_both (void)
{
  named_actor_stop (&other);
  named_actor_stop (&owner);
  g_assert_false (named_exists ());
}

static void
expect_stamp (struct harness_child *child, uint64_t id, unsigned stamp)
{
  g_assert_cmpuint (number (child, "check %" PRIu64 " %u", id, stamp), ==, 1);
}

/* --- together ------------------------------------------------------------ */

static void
test_story (void)
{
  uint64_t id;

  start_both ();
  id = acquire (&owner, 0);
  ask (&owner, 0, "write %" PRIu64 " 11", id);
  ask (&owner, 0, "give %" PRIu64 " 2", id);
  ask (&other, 0, "take %" PRIu64 " %d", id, XMEM_READ);
  expect_stamp (&other, id, 11);
  ask (&other, 0, "take %" PRIu64 " %d", id, XMEM_WRITE);
  ask (&other, 0, "write %" PRIu64 " 12", id);
  ask (&owner, 0, "get %" PRIu64 " %d", id, XMEM_READ);
  expect_stamp (&owner, id, 12);
  g_assert_cmpstr (ask (&other, 0, "refs %" PRIu64, id), ==, "2 2 0");
  ask (&other, XMEM_STALE, "take %" PRIu64 " %d", id, XMEM_READ);
  ask (&other, 0, "get-at %u", (uint32_t) id);
  ask (&other, 0, "next");
  /* Once for all of them. */
  named_actor_expect_calls (&other, "cuIpcOpenMemHandle", 1);
  named_actor_expect_calls (&owner, "cuEventCreate", 0);
  for (int i = 0; i < 4; i++)
    ask (&other, 0, "unref %" PRIu64, id);
  ask (&owner, 0, "unref %" PRIu64, id);
  ask (&other, XMEM_STALE, "get %" PRIu64 " %d", id, XMEM_READ);
  stop_both ();
}

/* Free slots are everybody's, whoever's memory it is. */
static void
test_others_acquire (void)
{
  unsigned n_segments;
  uint64_t id;

  start_both ();
  ask (&owner, 0, "preallocate %d 8 0", SIZE);
  for (int i = 0; i < 8; i++)
    id = acquire (&other, 0);
  named_actor_expect_calls (&other, "cuMemAlloc", 0);
  ask (&other, 0, "write %" PRIu64 " 21", id);
  ask (&owner, 0, "get %" PRIu64 " %d", id, XMEM_READ);
  expect_stamp (&owner, id, 21);
  for (int i = 0; i < 32; i++)
    (void) acquire (&other, 0);
  g_assert_cmpint (
      sscanf (ask (&owner, 0, "stats"), "%*u %*u %*u %u", &n_segments), ==, 1);
  g_assert_cmpuint (n_segments, >=, 2);
  stop_both ();
}

/* One pool has both kinds, in turns. */
static void
test_mixed_kinds (void)
{
  uint64_t ids[6];

  start_both ();
  for (int i = 0; i < 6; i++)
    ids[i] = number (&owner, "acquire %d %d", SIZE << i, i % 2 - 1);
  for (int i = 0; i < 6; i++) {
    ask (&other, 0, "get %" PRIu64 " %d", ids[i], XMEM_WRITE);
    g_assert_cmpint (
        atoi (ask (&other, 0, "device %" PRIu64, ids[i])), ==, i % 2 - 1);
    g_assert_cmpint (
        number (&other, "pointer %" PRIu64, ids[i]) != 0, ==, i % 2);
  }
  ask (&other, 0, "fill %" PRIu64 " 5", ids[0]);
  ask (&owner, 0, "fill %" PRIu64 " 5", ids[2]);
  g_assert_cmpuint (
      number (&owner, "same %" PRIu64 " %" PRIu64, ids[0], ids[2]), ==, 1);
  stop_both ();
}

/* CPU -> device -> device -> CPU, by this process. */
static void
copy_around (struct harness_child *child, const char *how, uint64_t first,
    uint64_t second)
{
  uint64_t from = acquire (child, -1), to = acquire (child, -1);

  ask (child, 0, "fill %" PRIu64 " %u", from, (unsigned) first % 251);
  ask (child, 0, "%s %" PRIu64 " %" PRIu64, how, first, from);
  ask (child, 0, "%s %" PRIu64 " %" PRIu64, how, second, first);
  ask (child, 0, "%s %" PRIu64 " %" PRIu64, how, to, second);
  g_assert_cmpuint (
      number (child, "same %" PRIu64 " %" PRIu64, from, to), ==, 1);
}

static void
test_copies (void)
{
  uint64_t one, two;

  start_owner ("FAKE_CUDA_LAG=50:100", NULL);
  start_other ("FAKE_CUDA_LAG=50:100", NULL);
  one = acquire (&owner, 0);
  two = acquire (&owner, 0);
  ask (&other, 0, "get %" PRIu64 " %d", one, XMEM_WRITE);
  ask (&other, 0, "get %" PRIu64 " %d", two, XMEM_WRITE);
  copy_around (&owner, "copy", one, two);
  copy_around (&other, "copy", one, two);
  copy_around (&owner, "copy-after", one, two);
  copy_around (&other, "copy-after", one, two);
  stop_both ();
}

/* Its second handle on the pool uses the memory of its first. */
static void
test_twice_in_one_process (void)
{
  uint64_t id, pointer;

  start_owner (NULL, NULL);
  id = acquire (&owner, 0);
  pointer = number (&owner, "pointer %" PRIu64, id);
  ask (&owner, 0, "at 1");
  ask (&owner, 0, "open 0");
  ask (&owner, 0, "get %" PRIu64 " %d", id, XMEM_WRITE);
  g_assert_cmpuint (number (&owner, "pointer %" PRIu64, id), ==, pointer);
  named_actor_expect_calls (&owner, "cuIpcOpenMemHandle", 0);
  ask (&owner, 0, "unref %" PRIu64, id);
  (void) acquire (&owner, 0);
  named_actor_expect_calls (&owner, "cuMemAlloc", 1);
  named_actor_stop (&owner);
}

/* And two of a process that has allocated nothing open it once. */
static void
test_twice_in_another (void)
{
  uint64_t id;

  start_both ();
  id = acquire (&owner, 0);
  ask (&other, 0, "get %" PRIu64 " %d", id, XMEM_READ);
  ask (&other, 0, "at 1");
  ask (&other, 0, "open %d", XMEM_OPEN_READ_ONLY);
  ask (&other, 0, "get %" PRIu64 " %d", id, XMEM_READ);
  ask (&other, XMEM_REFUSED, "get %" PRIu64 " %d", id, XMEM_WRITE);
  named_actor_expect_calls (&other, "cuIpcOpenMemHandle", 1);
  stop_both ();
}

/* --- devices ------------------------------------------------------------- */

static void
test_other_numbers (void)
{
  uint64_t id;

  start_owner ("FAKE_CUDA_DEVICES=2", NULL);
  start_other ("FAKE_CUDA_DEVICES=2", "CUDA_VISIBLE_DEVICES=1,0");
  id = acquire (&owner, 0);
  ask (&owner, 0, "write %" PRIu64 " 31", id);
  ask (&other, 0, "get %" PRIu64 " %d", id, XMEM_READ);
  g_assert_cmpint (atoi (ask (&other, 0, "device %" PRIu64, id)), ==, 1);
  expect_stamp (&other, id, 31);
  (void) acquire (&other, 1); /* which is the owner's 0 */
  named_actor_expect_calls (&other, "cuMemAlloc", 0);
  (void) acquire (&other, 0);
  named_actor_expect_calls (&other, "cuMemAlloc", 1);
  stop_both ();
}

static void
test_invisible_device (void)
{
  uint64_t id, own;

  start_owner ("FAKE_CUDA_DEVICES=2", NULL);
  start_other ("FAKE_CUDA_DEVICES=2", "CUDA_VISIBLE_DEVICES=1");
  id = acquire (&owner, 0);
  harness_assert_contains (
      ask (&other, XMEM_UNSUPPORTED, "get %" PRIu64 " %d", id, XMEM_READ),
      FIRST_UUID);
  ask (&other, XMEM_UNSUPPORTED, "next");
  own = acquire (&other, 0); /* memory of its own */
  ask (&owner, 0, "get %" PRIu64 " %d", own, XMEM_READ);
  g_assert_cmpint (atoi (ask (&owner, 0, "device %" PRIu64, own)), ==, 1);
  stop_both ();
}

static void
test_other_instance (void)
{
  uint64_t id;

  start_owner ("FAKE_CUDA_MIG=1", "CUDA_VISIBLE_DEVICES=0");
  start_other ("FAKE_CUDA_MIG=1", "FAKE_CUDA_UUIDS=GPU-fa4ecda0-0000-0000-"
                                  "0000-0000000000aa");
  id = acquire (&owner, 0);
  harness_assert_contains (
      ask (&other, XMEM_UNSUPPORTED, "get %" PRIu64 " %d", id, XMEM_READ),
      "MIG");
  stop_both ();
}

/* What is loaded there is no driver. Memory of the CPU is there all the same,
 * and nobody tries to load one for it. */
static void
test_no_driver (void)
{
  g_autofree char *path = g_strdup (g_getenv ("LD_LIBRARY_PATH"));
  g_autofree char *folder = g_path_get_dirname (harness_path ("x"));
  g_autofree char *first = g_strdup_printf ("%s:%s", folder, path);
  uint64_t id, cpu;

  start_owner (NULL, NULL);
  id = acquire (&owner, 0);
  cpu = acquire (&owner, -1);
  g_assert_true (g_file_set_contents (
      harness_path ("libcuda.so.1"), "no library", -1, NULL));
  g_setenv ("LD_LIBRARY_PATH", first, true);
  start_other ("NO_DRIVER=1", NULL);
  g_setenv ("LD_LIBRARY_PATH", path, true);
  ask (&other, 0, "get %" PRIu64 " %d", cpu, XMEM_READ);
  (void) acquire (&other, -1);
  ask (&other, 0, "stats");
  harness_assert_contains (
      ask (&other, XMEM_UNSUPPORTED, "get %" PRIu64 " %d", id, XMEM_READ),
      "no CUDA driver");
  harness_assert_contains (
      ask (&other, XMEM_UNSUPPORTED, "acquire %d 0", SIZE), "no CUDA driver");
  /* What it tried to get is still the owner's. */
  g_assert_cmpstr (ask (&owner, 0, "refs %" PRIu64, id), ==, "1 1 0");
  stop_both ();
}

/* The driver takes its time to start. Others can grow the pool meanwhile: here it
 * has started when the pool could not be grown at all. */
static void
test_slow_start (void)
{
  struct flock lock = { .l_type = F_WRLCK,
    .l_whence = SEEK_SET,
    .l_start = XMEM_LOCK_GROWTH,
    .l_len = 1 };
  uint64_t before;
  int fd;

  start_both ();
  fd = open (named_path (), O_RDWR | O_CLOEXEC);
  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (fcntl (fd, F_OFD_SETLK, &lock), ==, 0);
  before = number (&owner, "calls cuDevicePrimaryCtxRetain");
  ask (&owner, XMEM_AGAIN, "acquire %d 0", SIZE);
  g_assert_cmpuint (
      number (&owner, "calls cuDevicePrimaryCtxRetain"), ==, before + 1);
  close (fd);
  (void) acquire (&owner, 0);
  g_assert_cmpuint (
      number (&owner, "calls cuDevicePrimaryCtxRetain"), ==, before + 1);
  stop_both ();
}

/* --- the file ------------------------------------------------------------ */

/* An entry as docs/layout.md has it; the numbers are little-endian here. */
static void
test_entry (void)
{
  static const uint8_t kind_first_slots[] = { 2, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0,
    0 };
  static const uint8_t owner_slot_size[] = { 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0,
    0, 0, 0, 0 };
  static const uint8_t device[] = { 0xfa, 0x4e, 0xcd, 0xa0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 1 };
  static const uint8_t none[64] = { 0 };
  g_autofree char *file = NULL;
  uint32_t pid;
  size_t size;

  start_owner (NULL, NULL);
  ask (&owner, 0, "preallocate %u 16 0", 128u << 10);
  g_assert_true (g_file_get_contents (named_path (), &file, &size, NULL));
  g_assert_cmpuint (size, ==, 65536); /* nothing but the head */
  g_assert_cmpmem (file + 4096, 12, kind_first_slots, 12);
  memcpy (&pid, file + 4096 + 12, sizeof (pid));
  g_assert_cmpint ((pid_t) pid, ==, owner.pid);
  g_assert_cmpmem (file + 4096 + 16, 16, owner_slot_size, 16);
  if (double_is_here ()) /* whose devices are known */
    g_assert_cmpmem (file + 4096 + 32, 16, device, 16);
  g_assert_cmpint (memcmp (file + 4096 + 64, none, 64), !=, 0);
  named_actor_stop (&owner);
}

/* --- refusals ------------------------------------------------------------ */

static void
test_modes (void)
{
  named_actor_start (&owner, NULL);
  ask (&owner, 0, "create 64 %u %u", 256u << 20, XMEM_CUDA_MODE_VMM);
  harness_assert_contains (
      ask (&owner, XMEM_UNSUPPORTED, "acquire %d 0", SIZE), "MODE_VMM");
  ask (&owner, XMEM_UNSUPPORTED, "preallocate %d 1 0", SIZE);
  (void) acquire (&owner, -1);
  named_actor_stop (&owner);
}

static void
test_no_legacy_handles (void)
{
  start_owner ("FAKE_CUDA_WITHOUT=legacy", NULL);
  harness_assert_contains (ask (&owner, XMEM_UNSUPPORTED, "acquire %d 0", SIZE),
      "cuIpcGetMemHandle ()");
  ask (&owner, XMEM_UNSUPPORTED, "acquire %d 1", SIZE);
  ask (&owner, XMEM_FULL, "acquire %u 0", 512u << 20);
  named_actor_stop (&owner);
}

static void
test_publishing (void)
{
  uint64_t id;

  start_both ();
  id = acquire (&owner, 0);
  ask (&other, 0, "get %" PRIu64 " %d", id, XMEM_READ);
  ask (&owner, XMEM_REFUSED, "publish %" PRIu64 " %s", id, harness_path ("a"));
  ask (&other, XMEM_REFUSED, "publish %" PRIu64 " %s", id, harness_path ("b"));
  stop_both ();
}

/* The limits are those of the pool, whatever the memory. */
static void
test_full (void)
{
  unsigned n_slots;

  named_actor_start (&owner, NULL);
  ask (&owner, 0, "create 8 %u %u", 256u << 20, XMEM_CUDA_MODE_LEGACY);
  start_other (NULL, NULL);
  for (int i = 0; i < 8; i++)
    (void) acquire (i % 2 ? &owner : &other, 0);
  ask (&owner, XMEM_AGAIN, "acquire %d 0", SIZE);
  ask (&other, XMEM_AGAIN, "acquire %d 0", SIZE);
  ask (&other, XMEM_AGAIN, "acquire %d -1", SIZE);
  g_assert_cmpint (sscanf (ask (&other, 0, "stats"), "%u", &n_slots), ==, 1);
  g_assert_cmpuint (n_slots, ==, 8);
  stop_both ();
}

int
main (int argc, char **argv)
{
  static const struct harness_role roles[] = { NAMED_ACTOR_ROLE,
    { NULL, NULL } };

  double_init (&argc, &argv, roles);
  harness_add ("/story", test_story);
  harness_add ("/others-acquire", test_others_acquire);
  harness_add ("/mixed-kinds", test_mixed_kinds);
  harness_add ("/copies", test_copies);
  harness_add ("/twice-in-one-process", test_twice_in_one_process);
  harness_add ("/twice-in-another", test_twice_in_another);
  double_add ("/other-numbers", test_other_numbers);
  double_add ("/invisible-device", test_invisible_device);
  double_add ("/other-instance", test_other_instance);
  harness_add ("/no-driver", test_no_driver);
  double_add ("/slow-start", test_slow_start);
  harness_add ("/entry", test_entry);
  harness_add ("/modes", test_modes);
  double_add ("/no-legacy-handles", test_no_legacy_handles);
  harness_add ("/publishing", test_publishing);
  harness_add ("/full", test_full);
  return g_test_run ();
}
