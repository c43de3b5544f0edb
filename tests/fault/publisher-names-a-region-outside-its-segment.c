/* SPDX-License-Identifier: MIT */
/* Regions that begin or end outside their segment, also by wrapping around. */
#include "fault/hostile.h"

static void
check_region (uint64_t offset, uint64_t size)
{
  struct xmem_wire_message m = hostile_frame (1, 1);
  struct hostile h;

  hostile_open (&h);
  hostile_send_good (&h);
  m.frame.regions[0].offset = offset;
  m.frame.regions[0].size = size;
  hostile_send (&h, &m, -1);
  hostile_expect (&h, XMEM_PROTOCOL, "outside segment 1");
}

static void
test_outside (void)
{
  check_region (0, HOSTILE_SIZE + 1);
  check_region (1, HOSTILE_SIZE);
  check_region (HOSTILE_SIZE + 1, 0);
  check_region (HOSTILE_SIZE, 1);
  check_region (UINT64_MAX, 1);
  check_region (UINT64_MAX, 2);
  check_region (1, UINT64_MAX);
  check_region (HOSTILE_SIZE, UINT64_MAX - HOSTILE_SIZE + 1);
}

/* Good regions before the bad one are let go again. */
static void
test_last_of_many (void)
{
  struct xmem_wire_message m = hostile_frame (1, 1);
  struct hostile h;

  hostile_open (&h);
  hostile_send_good (&h);
  m.frame.n_regions = XMEM_MAX_REGIONS;
  for (unsigned i = 0; i < XMEM_MAX_REGIONS; i++) {
    m.frame.regions[i] = m.frame.regions[0];
    m.frame.regions[i].size = i + 1 < XMEM_MAX_REGIONS ? 1 : UINT64_MAX;
  }
  hostile_send (&h, &m, -1);
  hostile_expect (&h, XMEM_PROTOCOL, "outside segment 1");
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/outside", test_outside);
  harness_add ("/last-of-many", test_last_of_many);
  return g_test_run ();
}
