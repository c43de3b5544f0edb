/* SPDX-License-Identifier: MIT */
/* pool/layout: what is believed of a pool's head that was read from a file. */
#include "pool/layout.h"

#include <string.h>

#include "harness/harness.h"
#include "pool/size-class.h"

#define N_SLOTS 1000
#define GIB (UINT64_C (1) << 30)

static struct xmem_layout_header *
new_header (uint32_t n_slots)
{
  struct xmem_layout_header *header = g_new0 (struct xmem_layout_header, 1);

  xmem_layout_init (header, n_slots, GIB, 5);
  return header;
}

static void
assert_header (const struct xmem_layout_header *header, uint64_t file_size,
    int expected, const char *words)
{
  struct xmem_error error;

  harness_assert_status (
      xmem_layout_check (header, file_size, &error), expected, &error);
  g_assert_cmpint (xmem_layout_check (header, file_size, NULL), ==, expected);
  if (expected != 0)
    harness_assert_contains (error.message, words);
}

/* --- the header ---------------------------------------------------------- */

static void
test_own_headers_are_right (void)
{
  static const uint32_t n_slots[] = { 1, 2, 7, 8, 9, 63, 64, 65, 1024, 4095,
    XMEM_MAX_SLOTS };

  for (size_t i = 0; i < G_N_ELEMENTS (n_slots); i++) {
    g_autofree struct xmem_layout_header *header = new_header (n_slots[i]);
    uint64_t size = xmem_layout_head_size (n_slots[i]);

    assert_header (header, size, XMEM_OK, "");
    assert_header (header, size + 1, XMEM_OK, "");
    assert_header (header, UINT64_MAX, XMEM_OK, "");
    header->n_segments = XMEM_MAX_SEGMENTS;
    assert_header (header, size, XMEM_OK, "");
  }
}

/* The parts of the head follow each other and do not overlap. */
static void
test_parts_of_the_head (void)
{
  for (uint32_t n = 1; n <= XMEM_MAX_SLOTS; n += n < 300 ? 1 : 997) {
    uint64_t bits_end = sizeof (struct xmem_layout_header) + (n + 7) / 8;
    uint64_t slots = xmem_layout_slots_offset (n);
    uint64_t head = xmem_layout_head_size (n);

    g_assert_cmpuint (slots, >=, bits_end);
    /* The bits are used by words of 64. */
    g_assert_cmpuint (slots - sizeof (struct xmem_layout_header), >=,
        (uint64_t) (n + 63) / 64 * 8);
    g_assert_cmpuint (slots % 256, ==, 0);
    g_assert_cmpuint (head, >=, slots + n * sizeof (struct xmem_slot));
    g_assert_cmpuint (head % XMEM_LAYOUT_PAGE, ==, 0);
  }
}

static void
test_foreign_magic (void)
{
  g_autofree struct xmem_layout_header *header = new_header (N_SLOTS);

  for (size_t i = 0; i < sizeof (header->magic); i++) {
    header->magic[i] ^= 0x20;
    assert_header (header, GIB, XMEM_CORRUPT, "not a pool");
    header->magic[i] ^= 0x20;
  }
  assert_header (header, GIB, XMEM_OK, "");
}

/* Another version may mean anything by the rest. */
static void
test_other_versions (void)
{
  static const uint32_t versions[] = { 0, XMEM_LAYOUT_VERSION + 1, UINT32_MAX };
  g_autofree struct xmem_layout_header *header = new_header (N_SLOTS);

  header->n_slots = 0;
  header->data_offset = 1;
  for (size_t i = 0; i < G_N_ELEMENTS (versions); i++) {
    header->version = versions[i];
    assert_header (header, GIB, XMEM_VERSION, "version");
  }
}

static void
test_wrong_numbers_of_slots (void)
{
  static const uint32_t wrong[] = { 0, XMEM_MAX_SLOTS + 1, UINT32_MAX,
    N_SLOTS - 1, N_SLOTS + 1 };
  g_autofree struct xmem_layout_header *header = new_header (N_SLOTS);

  for (size_t i = 0; i < G_N_ELEMENTS (wrong); i++) {
    header->n_slots = wrong[i];
    /* A smaller number may have the same bits and pages: then it is right. */
    if (xmem_layout_slots_offset (wrong[i]) == header->slots_offset
        && xmem_layout_head_size (wrong[i]) == header->data_offset)
      assert_header (header, GIB, XMEM_OK, "");
    else
      assert_header (header, UINT64_MAX, XMEM_CORRUPT, "no sense");
  }
}

/* Consistent in itself, and too many. */
static void
test_too_many_slots (void)
{
  g_autofree struct xmem_layout_header *header =
      new_header (XMEM_MAX_SLOTS + 1);

  assert_header (header, UINT64_MAX, XMEM_CORRUPT, "no sense");
}

static void
test_wrong_offsets (void)
{
  static const int64_t by[] = { -65536, -256, -1, 1, 256, 65536 };
  g_autofree struct xmem_layout_header *header = new_header (N_SLOTS);

  for (size_t i = 0; i < G_N_ELEMENTS (by); i++) {
    header->slots_offset += (uint64_t) by[i];
    assert_header (header, GIB, XMEM_CORRUPT, "no sense");
    header->slots_offset -= (uint64_t) by[i];
    header->data_offset += (uint64_t) by[i];
    assert_header (header, GIB, XMEM_CORRUPT, "no sense");
    header->data_offset -= (uint64_t) by[i];
  }
  header->data_offset = 0;
  assert_header (header, GIB, XMEM_CORRUPT, "no sense");
}

static void
test_too_many_segments (void)
{
  g_autofree struct xmem_layout_header *header = new_header (N_SLOTS);

  header->n_segments = XMEM_MAX_SEGMENTS + 1;
  assert_header (header, GIB, XMEM_CORRUPT, "no sense");
  header->n_segments = UINT32_MAX;
  assert_header (header, GIB, XMEM_CORRUPT, "no sense");
}

static void
test_truncated_heads (void)
{
  g_autofree struct xmem_layout_header *header = new_header (N_SLOTS);
  uint64_t size = xmem_layout_head_size (N_SLOTS);

  assert_header (header, 0, XMEM_CORRUPT, "not a pool");
  assert_header (header, 256, XMEM_CORRUPT, "not a pool");
  assert_header (header, sizeof (*header) - 1, XMEM_CORRUPT, "not a pool");
  assert_header (header, sizeof (*header), XMEM_CORRUPT, "cut off");
  assert_header (header, size - 1, XMEM_CORRUPT, "cut off at 327679 bytes");
  assert_header (header, size, XMEM_OK, "");
}

/* Of these any value will do. */
static void
test_limits_are_taken_as_they_are (void)
{
  g_autofree struct xmem_layout_header *header = new_header (N_SLOTS);

  header->max_bytes = header->handover_ns = UINT64_MAX;
  memset (header->reserved, 0xee, sizeof (header->reserved));
  header->waiting = header->n_released = UINT32_MAX;
  assert_header (header, GIB, XMEM_OK, "");
  header->max_bytes = header->handover_ns = 0;
  assert_header (header, GIB, XMEM_OK, "");
}

/* --- segments ------------------------------------------------------------ */

static struct xmem_layout_segment
good_segment (void)
{
  return (struct xmem_layout_segment){ .kind = XMEM_SEGMENT_FILE,
    .first = 100,
    .n_slots = 10,
    .offset = xmem_layout_head_size (N_SLOTS),
    .slot_size = 4096 };
}

static void
assert_segment (const struct xmem_layout_segment *segment, int expected)
{
  struct xmem_error error;

  harness_assert_status (
      xmem_layout_check_segment (segment, N_SLOTS, GIB, 100, &error), expected,
      &error);
  g_assert_cmpint (xmem_layout_check_segment (segment, N_SLOTS, GIB, 100, NULL),
      ==, expected);
  if (expected == XMEM_CORRUPT)
    harness_assert_contains (error.message, "segment");
}

static void
test_unknown_kinds (void)
{
  struct xmem_layout_segment segment = good_segment ();

  assert_segment (&segment, XMEM_OK);
  segment.kind = 0;
  assert_segment (&segment, XMEM_VERSION);
  segment.kind = XMEM_SEGMENT_CUDA + 1;
  assert_segment (&segment, XMEM_VERSION);
  segment.kind = UINT32_MAX;
  assert_segment (&segment, XMEM_VERSION);
}

static struct xmem_layout_segment
good_cuda_segment (void)
{
  return (struct xmem_layout_segment){ .kind = XMEM_SEGMENT_CUDA,
    .first = 100,
    .n_slots = 10,
    .owner = 7,
    .slot_size = 4096 };
}

/* Of a segment on a device any owner, device and handle will do: who opens it
 * finds out. It is not in the file. */
static void
test_segments_on_devices (void)
{
  static const uint64_t wrong_sizes[] = { 0, 64, 511, 513, 4096 + 64,
    XMEM_MAX_BUFFER_SIZE + 512, UINT64_MAX - 511, UINT64_C (1) << 63 };
  struct xmem_layout_segment segment = good_cuda_segment ();

  assert_segment (&segment, XMEM_OK);
  segment.owner = UINT64_MAX;
  segment.pid = UINT32_MAX;
  memset (segment.device, 0xee, sizeof (segment.device));
  memset (segment.gpu, 0xee, sizeof (segment.gpu));
  memset (segment.handle, 0xee, sizeof (segment.handle));
  segment.slot_size = XMEM_MAX_BUFFER_SIZE;
  segment.n_slots = N_SLOTS - 100;
  assert_segment (&segment, XMEM_OK);
  for (size_t i = 0; i < G_N_ELEMENTS (wrong_sizes); i++) {
    segment = good_cuda_segment ();
    segment.slot_size = wrong_sizes[i];
    assert_segment (&segment, XMEM_CORRUPT);
  }
  segment = good_cuda_segment ();
  segment.n_slots = N_SLOTS - 99;
  assert_segment (&segment, XMEM_CORRUPT);
  segment.n_slots = 0;
  assert_segment (&segment, XMEM_CORRUPT);
  segment = good_cuda_segment ();
  segment.first = 99;
  assert_segment (&segment, XMEM_CORRUPT);
}

/* Segments have slots one after the other, each its own. */
static void
test_wrong_first_slots (void)
{
  static const uint32_t wrong[] = { 0, 99, 101, N_SLOTS, UINT32_MAX };
  struct xmem_layout_segment segment = good_segment ();

  for (size_t i = 0; i < G_N_ELEMENTS (wrong); i++) {
    segment.first = wrong[i];
    assert_segment (&segment, XMEM_CORRUPT);
  }
}

static void
test_numbers_of_slots_in_a_segment (void)
{
  struct xmem_layout_segment segment = good_segment ();

  segment.n_slots = N_SLOTS - 100;
  assert_segment (&segment, XMEM_OK);
  segment.n_slots++;
  assert_segment (&segment, XMEM_CORRUPT);
  segment.n_slots = UINT32_MAX;
  assert_segment (&segment, XMEM_CORRUPT);
  segment.n_slots = 0;
  assert_segment (&segment, XMEM_CORRUPT);
}

static void
test_no_slots_are_left (void)
{
  struct xmem_layout_segment segment = good_segment ();

  segment.first = N_SLOTS;
  segment.n_slots = 1;
  g_assert_cmpint (
      xmem_layout_check_segment (&segment, N_SLOTS, GIB, N_SLOTS, NULL), ==,
      XMEM_CORRUPT);
}

static void
test_slot_sizes (void)
{
  static const uint64_t right[] = { 64, 128, 4096, 65536 };
  static const uint64_t wrong[] = { 0, 1, 63, 65, 100, UINT64_MAX,
    UINT64_MAX - 63, XMEM_MAX_BUFFER_SIZE + 64, UINT64_C (1) << 63 };
  struct xmem_layout_segment segment = good_segment ();

  for (size_t i = 0; i < G_N_ELEMENTS (right); i++) {
    segment.slot_size = right[i];
    assert_segment (&segment, XMEM_OK);
  }
  for (size_t i = 0; i < G_N_ELEMENTS (wrong); i++) {
    segment.slot_size = wrong[i];
    assert_segment (&segment, XMEM_CORRUPT);
  }
}

/* The most that a segment can claim is still computed rightly. */
static void
test_largest_segment (void)
{
  struct xmem_layout_segment segment = { .kind = XMEM_SEGMENT_FILE,
    .n_slots = XMEM_MAX_SLOTS,
    .offset = xmem_layout_head_size (XMEM_MAX_SLOTS),
    .slot_size = XMEM_MAX_BUFFER_SIZE };
  uint64_t end = segment.offset + (UINT64_C (1) << 56);

  g_assert_cmpint (
      xmem_layout_check_segment (&segment, XMEM_MAX_SLOTS, end, 0, NULL), ==,
      XMEM_OK);
  g_assert_cmpint (
      xmem_layout_check_segment (&segment, XMEM_MAX_SLOTS, end - 1, 0, NULL),
      ==, XMEM_CORRUPT);
}

static void
test_offsets_of_segments (void)
{
  uint64_t head = xmem_layout_head_size (N_SLOTS);
  const uint64_t wrong[] = { 0, 65536, head - 65536, head + 1, head + 4096, GIB,
    GIB + 65536, UINT64_MAX, UINT64_MAX - 65535 };
  struct xmem_layout_segment segment = good_segment ();

  for (size_t i = 0; i < G_N_ELEMENTS (wrong); i++) {
    segment.offset = wrong[i];
    assert_segment (&segment, XMEM_CORRUPT);
  }
  segment.offset = head + 65536;
  assert_segment (&segment, XMEM_OK);
  segment.offset = GIB - 65536; /* ten slots of 4096 are less */
  assert_segment (&segment, XMEM_OK);
}

static void
test_truncated_segments (void)
{
  struct xmem_layout_segment segment = good_segment ();
  uint64_t end = segment.offset + 40960;
  struct xmem_error error;

  g_assert_cmpint (
      xmem_layout_check_segment (&segment, N_SLOTS, end, 100, &error), ==, 0);
  harness_assert_status (
      xmem_layout_check_segment (&segment, N_SLOTS, end - 1, 100, &error),
      XMEM_CORRUPT, &error);
  harness_assert_contains (error.message, "cut off");
  harness_assert_status (xmem_layout_check_segment (&segment, N_SLOTS,
                             segment.offset - 1, 100, &error),
      XMEM_CORRUPT, &error);
  g_assert_cmpint (
      xmem_layout_check_segment (&segment, N_SLOTS, 0, 100, &error), ==,
      XMEM_CORRUPT);
}

static void
add_segments (void)
{
  harness_add ("/unknown-kinds", test_unknown_kinds);
  harness_add ("/segments-on-devices", test_segments_on_devices);
  harness_add ("/wrong-first-slots", test_wrong_first_slots);
  harness_add (
      "/numbers-of-slots-in-a-segment", test_numbers_of_slots_in_a_segment);
  harness_add ("/no-slots-are-left", test_no_slots_are_left);
  harness_add ("/slot-sizes", test_slot_sizes);
  harness_add ("/largest-segment", test_largest_segment);
  harness_add ("/offsets-of-segments", test_offsets_of_segments);
  harness_add ("/truncated-segments", test_truncated_segments);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, NULL);
  harness_add ("/own-headers-are-right", test_own_headers_are_right);
  harness_add ("/parts-of-the-head", test_parts_of_the_head);
  harness_add ("/foreign-magic", test_foreign_magic);
  harness_add ("/other-versions", test_other_versions);
  harness_add ("/wrong-numbers-of-slots", test_wrong_numbers_of_slots);
  harness_add ("/too-many-slots", test_too_many_slots);
  harness_add ("/wrong-offsets", test_wrong_offsets);
  harness_add ("/too-many-segments", test_too_many_segments);
  harness_add ("/truncated-heads", test_truncated_heads);
  harness_add (
      "/limits-are-taken-as-they-are", test_limits_are_taken_as_they_are);
  add_segments ();
  return g_test_run ();
}
