/* SPDX-License-Identifier: MIT */
/* Frames without a stream, of another stream than the one announced, and
 * sequence numbers that do not count up. */
#include "fault/hostile.h"

static void
test_no_stream (void)
{
  struct xmem_wire_message m = hostile_frame (0, 1);
  struct hostile h;

  hostile_open (&h);
  hostile_send_segment (&h, 1);
  hostile_send (&h, &m, -1);
  hostile_expect (&h, XMEM_PROTOCOL, "unknown stream");
}

static void
test_wrong_epoch (void)
{
  struct xmem_wire_message m = hostile_frame (1, 1);
  struct hostile h;

  hostile_open (&h);
  hostile_send_good (&h);
  hostile_send_stream (&h, 2);
  hostile_send (&h, &m, -1); /* still of the first */
  hostile_expect (&h, XMEM_PROTOCOL, "unknown stream");
}

static void
check_sequence (uint64_t first, uint64_t second)
{
  struct xmem_wire_message m = hostile_frame (first, 1);
  struct hostile h;

  hostile_open (&h);
  hostile_send_stream (&h, 1);
  hostile_send_segment (&h, 1);
  hostile_send (&h, &m, -1);
  actor_expect_frame (&h.victim, first);
  actor_release (&h.victim, first);
  m.frame.sequence = second;
  hostile_send (&h, &m, -1);
  hostile_expect (&h, XMEM_PROTOCOL, "out of order");
}

static void
test_backwards (void)
{
  check_sequence (5, 5);
  check_sequence (5, 4);
  check_sequence (5, 0);
  check_sequence (UINT64_MAX - 1, 1);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/no-stream", test_no_stream);
  harness_add ("/wrong-epoch", test_wrong_epoch);
  harness_add ("/backwards", test_backwards);
  return g_test_run ();
}
