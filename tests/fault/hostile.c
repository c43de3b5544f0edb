/* SPDX-License-Identifier: MIT */
/* The hand-made publisher. Keeps no state. */
#include "fault/hostile.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

void
hostile_open (struct hostile *h)
{
  const struct xmem_wire_message welcome = { .type = XMEM_WIRE_WELCOME,
    .welcome = { .version = 1, .grant = 4, .pid = (uint32_t) getpid () } };
  const char *address = harness_path ("socket");
  struct xmem_received received;
  char line[HARNESS_LINE_MAX];

  h->listener = raw_listen (address);
  actor_start (&h->victim);
  actor_connect (&h->victim, "/", XMEM_DELIVERY_EVERY, 4, 0);
  h->n_fds = harness_count_fds (h->victim.child.pid);
  harness_tell (&h->victim.child, "connect %s 1 4 -1", address);
  h->fd = raw_accept (h->listener);
  raw_expect (h->fd, XMEM_WIRE_HELLO, &received);
  raw_send_message (h->fd, &welcome, -1);
  harness_hear (&h->victim.child, line);
  g_assert_cmpint (atoi (line), ==, 0);
}

void
hostile_send (
    struct hostile *h, const struct xmem_wire_message *message, int with_fd)
{
  raw_send_message (h->fd, message, with_fd);
}

void
hostile_send_stream (struct hostile *h, uint32_t epoch)
{
  const struct xmem_wire_message m = { .type = XMEM_WIRE_STREAM,
    .stream = { .epoch = epoch, .caps = { "caps", 4 } } };

  hostile_send (h, &m, -1);
}

void
hostile_send_segment (struct hostile *h, uint32_t id)
{
  const struct xmem_wire_message m = { .type = XMEM_WIRE_SEGMENT,
    .segment = { id, XMEM_WIRE_SEGMENT_MEMFD, HOSTILE_SIZE } };
  int memory = raw_memfd (HOSTILE_SIZE, F_SEAL_SHRINK | F_SEAL_WRITE);

  hostile_send (h, &m, memory);
  close (memory);
}

struct xmem_wire_message
hostile_frame (uint64_t sequence, uint32_t segment)
{
  struct xmem_wire_message m = { .type = XMEM_WIRE_FRAME,
    .frame = { .sequence = sequence, .epoch = 1, .n_regions = 1 } };

  xmem_frame_info_init (&m.frame.info);
  m.frame.regions[0].segment = segment;
  m.frame.regions[0].size = HOSTILE_SIZE;
  return m;
}

void
hostile_send_good (struct hostile *h)
{
  struct xmem_wire_message m = hostile_frame (0, 1);

  hostile_send_stream (h, 1);
  hostile_send_segment (h, 1);
  hostile_send (h, &m, -1);
  actor_expect_frame (&h->victim, 0);
}

void
hostile_expect (struct hostile *h, int status, const char *words)
{
  struct xmem_subscriber_stats stats;
  struct actor_frame frame;

  actor_get_stats (&h->victim, &stats);
  harness_assert_status (actor_next (&h->victim, -1, &frame), status, NULL);
  harness_assert_contains (h->victim.message, words);
  /* The connection is over, unless frames still need it. */
  if (stats.frames_held == 0)
    harness_assert_status (raw_expect_end (h->fd), XMEM_GONE, NULL);
  else
    g_assert_true (actor_still_sees (&h->victim, 0, 0));
  harness_assert_status (
      actor_next (&h->victim, -1, &frame), XMEM_INVALID, NULL);
  if (stats.frames_held == 0)
    g_assert_cmpuint (harness_count_fds (h->victim.child.pid), ==, h->n_fds);
  actor_stop (&h->victim);
  close (h->fd);
  close (h->listener);
}
