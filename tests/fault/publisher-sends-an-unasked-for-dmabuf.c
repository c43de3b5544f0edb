/* SPDX-License-Identifier: MIT */
/* A subscriber that takes no dmabufs is sent one, or what is said to be one. */
#include <fcntl.h>
#include <unistd.h>

#include "fault/hostile.h"

static void
test_before_and_after_a_frame (void)
{
  const struct xmem_wire_message m = { .type = XMEM_WIRE_SEGMENT,
    .segment = { 2, XMEM_WIRE_SEGMENT_DMABUF, HOSTILE_SIZE } };
  struct hostile h;

  for (unsigned i = 0; i < 2; i++) {
    int memory = raw_memfd (HOSTILE_SIZE, F_SEAL_SHRINK | F_SEAL_WRITE);

    hostile_open (&h);
    if (i == 1)
      hostile_send_good (&h);
    hostile_send (&h, &m, memory);
    close (memory);
    hostile_expect (&h, XMEM_PROTOCOL, "not asked for");
  }
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/before-and-after-a-frame", test_before_and_after_a_frame);
  return g_test_run ();
}
