/* SPDX-License-Identifier: MIT */
/* Files that are smaller than announced, or announced as larger than anything:
 * reading them to that end would be a SIGBUS. */
#include <fcntl.h>
#include <unistd.h>

#include "fault/hostile.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_WRITE)

static void
check_segment (uint64_t announced, size_t real, const char *words)
{
  const struct xmem_wire_message m = { .type = XMEM_WIRE_SEGMENT,
    .segment = { 2, XMEM_WIRE_SEGMENT_MEMFD, announced } };
  int memory = raw_memfd (real, SEALS);
  struct hostile h;

  hostile_open (&h);
  hostile_send (&h, &m, memory);
  close (memory);
  hostile_expect (&h, XMEM_PROTOCOL, words);
}

static void
test_segments (void)
{
  check_segment (HOSTILE_SIZE + 1, HOSTILE_SIZE, "sent fewer");
  check_segment (1, 0, "sent fewer");
  check_segment (UINT64_C (1) << 62, HOSTILE_SIZE, "sent fewer");
  check_segment (UINT64_MAX, HOSTILE_SIZE, "impossible size");
  check_segment (UINT64_C (1) << 63, HOSTILE_SIZE, "impossible size");
}

static void
test_caps (void)
{
  const struct xmem_wire_message m = { .type = XMEM_WIRE_STREAM,
    .stream = { .epoch = 1, .caps_fd_size = XMEM_MAX_CAPS } };
  int memory = raw_memfd (HOSTILE_SIZE, SEALS);
  struct hostile h;

  hostile_open (&h);
  hostile_send (&h, &m, memory);
  close (memory);
  hostile_expect (&h, XMEM_PROTOCOL, "sent fewer");
}

static void
test_metas (void)
{
  struct xmem_wire_message m = hostile_frame (1, 1);
  int memory = raw_memfd (HOSTILE_SIZE, SEALS);
  struct hostile h;

  m.frame.metas_fd_size = XMEM_MAX_METAS;
  hostile_open (&h);
  hostile_send_good (&h);
  hostile_send (&h, &m, memory);
  close (memory);
  hostile_expect (&h, XMEM_PROTOCOL, "sent fewer");
}

/* A terabyte of nothing: mapped, not filled; and a frame in it is what it
 * is. */
static void
test_file_of_holes (void)
{
  const size_t size = (size_t) 1 << 40;
  const struct xmem_wire_message segment = { .type = XMEM_WIRE_SEGMENT,
    .segment = { 1, XMEM_WIRE_SEGMENT_MEMFD, size } };
  struct xmem_wire_message frame = hostile_frame (0, 1);
  int memory = raw_memfd (size, SEALS);
  struct hostile h;

  hostile_open (&h);
  hostile_send_stream (&h, 1);
  hostile_send (&h, &segment, memory);
  close (memory);
  frame.frame.regions[0].offset = size - HOSTILE_SIZE;
  hostile_send (&h, &frame, -1);
  actor_expect_frame (&h.victim, 0);
  g_assert_cmpuint (
      harness_rss_bytes (h.victim.child.pid), <, UINT64_C (1) << 30);
  frame.frame.sequence = 1;
  frame.frame.regions[0].offset++;
  hostile_send (&h, &frame, -1);
  hostile_expect (&h, XMEM_PROTOCOL, "outside segment");
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/segments", test_segments);
  harness_add ("/caps", test_caps);
  harness_add ("/metas", test_metas);
  harness_add ("/file-of-holes", test_file_of_holes);
  return g_test_run ();
}
