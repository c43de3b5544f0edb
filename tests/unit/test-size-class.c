/* SPDX-License-Identifier: MIT */
/* pool/size-class: slot sizes fit, grow with the buffer and waste little. */
#include "pool/size-class.h"

#include "harness/harness.h"

static void
check (uint64_t size)
{
  uint64_t slot = xmem_size_class (size);

  g_assert_cmpuint (slot, >=, size);
  g_assert_cmpuint (slot % XMEM_MIN_SLOT_SIZE, ==, 0);
  /* At most an eighth unused, or less than the smallest step. */
  g_assert_cmpuint (
      slot - size, <, MAX (slot / 8 + 1, (uint64_t) XMEM_MIN_SLOT_SIZE));
  g_assert_cmpuint (xmem_size_class (slot), ==, slot);
  g_assert_cmpuint (xmem_size_class (size + 1), >=, slot);
  g_assert_true (xmem_size_fits (slot, size));
}

static void
test_every_small_size (void)
{
  for (uint64_t size = 1; size <= 100000; size++)
    check (size);
}

static void
test_around_every_power (void)
{
  for (unsigned shift = 4; shift < 40; shift++)
    for (uint64_t eighth = 8; eighth < 16; eighth++)
      for (int64_t around = -2; around <= 2; around++)
        check ((uint64_t) ((int64_t) ((eighth << shift) / 8) + around));
  g_assert_cmpuint (
      xmem_size_class (XMEM_MAX_BUFFER_SIZE), ==, XMEM_MAX_BUFFER_SIZE);
}

static void
test_few_classes (void)
{
  uint64_t last = 0, n = 0;

  for (uint64_t size = 1 << 20; size <= 1 << 21; size++) {
    uint64_t slot = xmem_size_class (size);

    n += slot != last;
    last = slot;
  }
  g_assert_cmpuint (n, ==, 9); /* eight steps, and the first power itself */
}

static void
test_fits (void)
{
  uint64_t slot = xmem_size_class (1000000);

  g_assert_false (xmem_size_fits (slot, slot + 1)); /* too small */
  g_assert_true (xmem_size_fits (slot, slot));
  g_assert_true (xmem_size_fits (2 * slot, slot));
  g_assert_false (xmem_size_fits (4 * slot, slot)); /* a waste */
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, NULL);
  harness_add ("/every-small-size", test_every_small_size);
  harness_add ("/around-every-power", test_around_every_power);
  harness_add ("/few-classes", test_few_classes);
  harness_add ("/fits", test_fits);
  return g_test_run ();
}
