/* SPDX-License-Identifier: MIT */
/* Messages without the file descriptor they need, with more than one, or with
 * one that nobody asked for. */
#include <fcntl.h>
#include <unistd.h>

#include "fault/hostile.h"

static const struct xmem_wire_message segment = { .type = XMEM_WIRE_SEGMENT,
  .segment = { 1, XMEM_WIRE_SEGMENT_MEMFD, HOSTILE_SIZE } };
static const struct xmem_wire_message stream = { .type = XMEM_WIRE_STREAM,
  .stream = { .epoch = 1 } };
static const struct xmem_wire_message large_stream = { .type = XMEM_WIRE_STREAM,
  .stream = { .epoch = 1, .caps_fd_size = HOSTILE_SIZE } };
static const struct xmem_wire_message large_metas = { .type = XMEM_WIRE_FRAME,
  .frame = { .epoch = 1, .sequence = 1, .metas_fd_size = HOSTILE_SIZE } };

static void
check_none (const struct xmem_wire_message *m, const char *words)
{
  struct hostile h;

  hostile_open (&h);
  hostile_send (&h, m, -1);
  hostile_expect (&h, XMEM_PROTOCOL, words);
}

static void
test_missing (void)
{
  check_none (&segment, "without its file");
  check_none (&large_stream, "without their file");
}

static void
test_missing_of_a_frame (void)
{
  struct hostile h;

  hostile_open (&h);
  hostile_send_good (&h);
  hostile_send (&h, &large_metas, -1);
  hostile_expect (&h, XMEM_PROTOCOL, "without their file");
}

static void
check_many (const struct xmem_wire_message *m, unsigned n, const char *words)
{
  uint8_t bytes[256];
  size_t size = xmem_wire_encode (m, bytes, sizeof (bytes));
  int fds[8], memory = raw_memfd (HOSTILE_SIZE, F_SEAL_SHRINK | F_SEAL_WRITE);
  struct hostile h;

  for (unsigned i = 0; i < 8; i++)
    fds[i] = memory;
  hostile_open (&h);
  raw_send (h.fd, bytes, size, fds, n);
  close (memory);
  hostile_expect (&h, XMEM_PROTOCOL, words);
}

static void
test_several (void)
{
  for (unsigned n = 2; n <= 4; n++) {
    check_many (&segment, n, "more file descriptors");
    check_many (&large_stream, n, "more file descriptors");
    check_many (&large_metas, n, "more file descriptors");
  }
  for (unsigned n = 5; n <= 8; n++)
    check_many (&segment, n, "lost on the way");
}

static void
test_not_asked_for (void)
{
  check_many (&stream, 1, "without their file");
}

/* With a message that brings none it is closed and the frame is good. */
static void
test_beside_a_frame (void)
{
  const struct xmem_wire_message eos = { .type = XMEM_WIRE_EOS, .eos = 9 };
  struct xmem_wire_message m = hostile_frame (1, 1);
  struct hostile h;
  unsigned n_fds;

  hostile_open (&h);
  hostile_send_good (&h);
  n_fds = harness_count_fds (h.victim.child.pid);
  for (unsigned i = 0; i < 50; i++) {
    m.frame.sequence = i + 1;
    hostile_send (&h, &m, 0);
    actor_expect_frame (&h.victim, i + 1);
    actor_release (&h.victim, i + 1);
  }
  hostile_send (&h, &eos, 0);
  actor_expect_status (&h.victim, XMEM_EOS);
  g_assert_cmpuint (harness_count_fds (h.victim.child.pid), ==, n_fds);
  actor_stop (&h.victim);
  close (h.fd);
  close (h.listener);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/missing", test_missing);
  harness_add ("/missing-of-a-frame", test_missing_of_a_frame);
  harness_add ("/several", test_several);
  harness_add ("/not-asked-for", test_not_asked_for);
  harness_add ("/beside-a-frame", test_beside_a_frame);
  return g_test_run ();
}
