/* SPDX-License-Identifier: MIT */
/* Segments that were never announced, are retired, come twice, or too many. */
#include "fault/hostile.h"

static void
test_never_announced (void)
{
  struct xmem_wire_message m = hostile_frame (1, 2);
  struct hostile h;

  hostile_open (&h);
  hostile_send_good (&h);
  hostile_send (&h, &m, -1);
  hostile_expect (&h, XMEM_PROTOCOL, "segment 2");
}

static void
test_retired (void)
{
  const struct xmem_wire_message retire = { .type = XMEM_WIRE_RETIRE,
    .retire = 1 };
  struct xmem_wire_message m = hostile_frame (1, 1);
  struct hostile h;

  hostile_open (&h);
  hostile_send_good (&h);
  hostile_send (&h, &retire, -1);
  hostile_send (&h, &m, -1);
  hostile_expect (&h, XMEM_PROTOCOL, "segment 1");
}

static void
test_retired_twice (void)
{
  const struct xmem_wire_message retire = { .type = XMEM_WIRE_RETIRE,
    .retire = 1 };
  struct hostile h;

  hostile_open (&h);
  hostile_send_good (&h);
  hostile_send (&h, &retire, -1);
  hostile_send (&h, &retire, -1);
  hostile_expect (&h, XMEM_PROTOCOL, "unknown segment 1");
}

static void
test_announced_twice (void)
{
  struct hostile h;

  hostile_open (&h);
  hostile_send_good (&h);
  hostile_send_segment (&h, 1);
  hostile_expect (&h, XMEM_PROTOCOL, "segment 1");
}

static void
test_too_many (void)
{
  struct hostile h;
  struct actor_frame frame;

  hostile_open (&h);
  for (unsigned i = 1; i <= 257; i++) {
    hostile_send_segment (&h, i);
    if (i % 32 == 0) /* lest the socket be full */
      harness_assert_status (
          actor_next (&h.victim, 0, &frame), XMEM_AGAIN, NULL);
  }
  hostile_expect (&h, XMEM_PROTOCOL, "one too many");
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/never-announced", test_never_announced);
  harness_add ("/retired", test_retired);
  harness_add ("/retired-twice", test_retired_twice);
  harness_add ("/announced-twice", test_announced_twice);
  harness_add ("/too-many", test_too_many);
  return g_test_run ();
}
