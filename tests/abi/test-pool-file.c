/* SPDX-License-Identifier: MIT */
/* A named pool's file byte by byte, as other versions of the library see it:
 * what we write, and what we read. A failure means that a new version of the
 * layout is needed. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abi/golden.h"
#include "base/clock.h"
#include "harness/named.h"

#define HEAD_SIZE 65536
#define PID_AT 256
#define SERIAL_AT 264
#define SLOT_AT 37120
#define GIVEN_AT (SLOT_AT + 8)
#define PRODUCER_AT (SLOT_AT + 80)

struct piece {
  size_t at;
  const char *hex;
};

/* A pool of eight slots, 1 MiB and 7 s. */
static const struct piece fresh[] = {
  { 0, "786d656d706f6f6c" /* "xmempool" */
       "02000000" /* version */
       "08000000" /* slots */
       "0000100000000000" /* most bytes */
       "00863ba101000000" /* hand-over, ns */
       "0091000000000000" /* where the slots are */
       "0000010000000000" /* where the data begins */
       "0100000000000000" }, /* attached so far */
  { SERIAL_AT, "0100000000000000" },
};

/* The same with one buffer of 100 bytes, described, held and handed over twice
 * more. */
static const struct piece used[] = {
  { 128, "01000000" }, /* segments */
  { 4096, "01000000" /* kind */
          "00000000 04000000 00000000" /* first slot, slots, - */
          "0000010000000000" /* where it is */
          "8000000000000000" }, /* bytes of a slot */
  { 36864, "0e" }, /* free bits: 1, 2 and 3 */
  { SLOT_AT, "01000002 01000000" }, /* holders, in flight; generation */
  { SLOT_AT + 16, "6400000000000000" }, /* size */
  { SLOT_AT + 64, "8877665544332211" /* timestamp */
                  "2a00000000000000" }, /* sequence; the producer follows */
  { SLOT_AT + 88, "04000000 0100 0300" /* BGR, U8, 3 dimensions */
                  "0500000000000000 0600000000000000 0300000000000000"
                  "0000000000000000 0000000000000000 0000000000000000"
                  "0000000000000000 0000000000000000"
                  "1400000000000000 0300000000000000 0100000000000000" },
};

static const struct xmem_pool_params params = {
  .struct_size = sizeof (params),
  .n_slots = 8,
  .max_bytes = 1 << 20,
  .handover_timeout_ns = 7000000000,
};

static void
put (uint8_t *head, const struct piece *pieces, size_t n)
{
  for (size_t i = 0; i < n; i++)
    golden_bytes (pieces[i].hex, head + pieces[i].at, HEAD_SIZE - pieces[i].at);
}

static void
put_number (uint8_t *head, size_t at, uint64_t number, size_t size)
{
  for (size_t i = 0; i < size; i++)
    head[at + i] = (uint8_t) (number >> 8 * i);
}

static uint64_t
number_at (const uint8_t *head, size_t at)
{
  uint64_t number = 0;

  for (size_t i = 0; i < 8; i++)
    number |= (uint64_t) head[at + i] << 8 * i;
  return number;
}

/* What is expected of the head; the caller frees it. */
static uint8_t *
expected_head (bool with_buffer, uint64_t given_ns)
{
  uint8_t *head = g_malloc0 (HEAD_SIZE);

  put (head, fresh, G_N_ELEMENTS (fresh));
  put_number (head, PID_AT, (uint64_t) getpid (), 4);
  if (with_buffer) {
    put (head, used, G_N_ELEMENTS (used));
    put_number (head, GIVEN_AT, given_ns, 8);
    put_number (head, PRODUCER_AT, (uint64_t) getpid (), 8);
  }
  return head;
}

static uint8_t *
read_file (size_t *size_out)
{
  char *bytes;

  g_assert_true (g_file_get_contents (named_path (), &bytes, size_out, NULL));
  return (uint8_t *) bytes;
}

/* Names the first byte that differs. */
static void
assert_head (const uint8_t *head, const uint8_t *expected)
{
  for (size_t i = 0; i < HEAD_SIZE; i++)
    if (head[i] != expected[i])
      g_error ("byte %zu is %02x, not %02x", i, head[i], expected[i]);
}

static struct xmem_buffer_info
make_info (void)
{
  struct xmem_buffer_info info = { .timestamp_ns = 0x1122334455667788,
    .sequence = 42 };

  g_assert_cmpint (xmem_description_set_image (
                       XMEM_CONTENT_BGR, 6, 5, 20, &info.description),
      ==, 0);
  return info;
}

/* --- writing ------------------------------------------------------------- */

static void
test_fresh_pool (void)
{
  struct xmem_pool *pool = named_create (&params);
  g_autofree uint8_t *expected = expected_head (false, 0);
  size_t size;
  g_autofree uint8_t *file = read_file (&size);

  g_assert_cmpuint (size, ==, HEAD_SIZE);
  assert_head (file, expected);
  named_close (pool);
}

static struct xmem_pool *
create_with_buffer (struct xmem_buffer **buffer_out)
{
  const struct xmem_buffer_info info = make_info ();
  struct xmem_pool *pool = named_create (&params);
  struct xmem_error error;

  *buffer_out = named_acquire (pool, 100);
  memset (xmem_buffer_get_mut_data (*buffer_out), 0x5a, 100);
  harness_assert_ok (xmem_buffer_set_info (*buffer_out, &info, &error), &error);
  xmem_buffer_ref (*buffer_out);
  harness_assert_ok (xmem_buffer_give (*buffer_out, 2, &error), &error);
  return pool;
}

static void
test_pool_in_use (void)
{
  uint64_t before = (uint64_t) xmem_clock_now ();
  struct xmem_buffer *buffer;
  struct xmem_pool *pool = create_with_buffer (&buffer);
  size_t size;
  g_autofree uint8_t *file = read_file (&size);
  uint64_t given = number_at (file, GIVEN_AT);
  g_autofree uint8_t *expected = expected_head (true, given);

  g_assert_cmpuint (size, ==, HEAD_SIZE + (size_t) sysconf (_SC_PAGESIZE));
  assert_head (file, expected);
  g_assert_cmpuint (given, >=, before);
  g_assert_cmpuint (given, <=, (uint64_t) xmem_clock_now ());
  for (size_t i = HEAD_SIZE; i < size; i++)
    g_assert_cmphex (file[i], ==, i < HEAD_SIZE + 100 ? 0x5a : 0);
  xmem_buffer_unref (buffer);
  named_close (pool);
}

/* --- reading ------------------------------------------------------------- */

/* The file of a process that is dead: what it held is free, what it handed
 * over is there. */
static void
write_file (void)
{
  /* Handed over in the future: it does not end while we look. */
  g_autofree uint8_t *head = expected_head (true, INT64_MAX);
  g_autofree uint8_t *file = g_malloc0 (2 * HEAD_SIZE);

  memcpy (file, head, HEAD_SIZE);
  memset (file + HEAD_SIZE, 0x5a, 100);
  put_number (file, PRODUCER_AT, 1234567, 8);
  g_assert_true (g_file_set_contents_full (named_path (), (char *) file,
      2 * HEAD_SIZE, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
}

static void
check_buffer (const struct xmem_buffer *buffer)
{
  struct xmem_buffer_info expected = make_info ();
  struct xmem_buffer_info info;
  const uint8_t *bytes = xmem_buffer_get_data (buffer);
  struct xmem_error error;

  expected.producer = 1234567;
  g_assert_cmphex (xmem_buffer_get_id (buffer), ==, UINT64_C (1) << 32);
  g_assert_cmpuint (xmem_buffer_get_size (buffer), ==, 100);
  for (unsigned i = 0; i < 100; i++)
    g_assert_cmphex (bytes[i], ==, 0x5a);
  harness_assert_ok (xmem_buffer_get_info (buffer, &info, &error), &error);
  g_assert_cmpmem (&info, sizeof (info), &expected, sizeof (expected));
}

static void
test_golden_file_is_understood (void)
{
  struct xmem_buffer_refs refs;
  struct xmem_pool_stats stats;
  struct xmem_buffer *buffer;
  struct xmem_pool *pool;
  struct xmem_error error;

  write_file ();
  pool = named_open (0);
  harness_assert_ok (xmem_pool_reclaim (pool, NULL, &error), &error);
  xmem_pool_get_stats (pool, &stats);
  g_assert_cmpuint (stats.n_slots, ==, 4);
  g_assert_cmpuint (stats.n_used, ==, 1);
  g_assert_cmpuint (stats.n_in_flight, ==, 1);
  g_assert_cmpuint (stats.n_segments, ==, 1);
  g_assert_cmpuint (stats.n_processes, ==, 1);
  harness_assert_ok (
      xmem_pool_take (pool, UINT64_C (1) << 32, XMEM_READ, &buffer, &error),
      &error);
  check_buffer (buffer);
  xmem_buffer_get_refs (buffer, &refs);
  g_assert_cmpuint (refs.holders, ==, 1);
  g_assert_cmpuint (refs.in_flight, ==, 1);
  xmem_buffer_unref (buffer);
  buffer = named_acquire (pool, 128);
  g_assert_cmphex (xmem_buffer_get_id (buffer), ==, UINT64_C (1) << 32 | 1);
  xmem_buffer_unref (buffer);
  named_close (pool);
}

/* A segment on a CUDA device, of which only who allocated it knows what is in
 * it; and that is gone. */
static void
test_segment_of_the_dead (void)
{
  static const char entry[] =
      "02000000" /* kind */
      "00000000 04000000" /* first slot, slots */
      "d2040000" /* pid */
      "0100000000000000" /* owner */
      "0010000000000000" /* bytes of a slot */
      "000102030405060708090a0b0c0d0e0f" /* device */
      "00000000010000000000000000000000" /* where that is */
      "ff00000000000000000000000000000000000000000000000000000000000000"
      "00000000000000000000000000000000000000000000000000000000000000ff";
  g_autofree uint8_t *head = expected_head (true, INT64_MAX);
  struct xmem_buffer *buffer;
  struct xmem_pool *pool;
  struct xmem_error error;

  golden_bytes (entry, head + 4096, 128);
  g_assert_true (g_file_set_contents_full (named_path (), (char *) head,
      HEAD_SIZE, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
  pool = named_open (0);
  harness_assert_status (
      xmem_pool_take (pool, UINT64_C (1) << 32, XMEM_READ, &buffer, &error),
      XMEM_GONE, &error);
  harness_assert_contains (error.message, "process 1234");
  named_close (pool);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, NULL);
  harness_add ("/fresh-pool", test_fresh_pool);
  harness_add ("/pool-in-use", test_pool_in_use);
  harness_add ("/golden-file-is-understood", test_golden_file_is_understood);
  harness_add ("/segment-of-the-dead", test_segment_of_the_dead);
  return g_test_run ();
}
