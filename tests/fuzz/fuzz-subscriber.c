/* SPDX-License-Identifier: MIT */
/* Any messages, with any file descriptors, to a subscriber that has just
 * shaken hands. It reads frames, keeps some, and outlives its connection. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <xmem/subscriber.h>

#include "fuzz/records.h"
#include "wire/message.h"

#define MAX_KEPT 16

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static const uint8_t *input;
static size_t input_size;
static int publisher_fd;

static void
send_welcome (int fd)
{
  const struct xmem_wire_message m = { .type = XMEM_WIRE_WELCOME,
    .welcome = { .version = 1,
        .grant = 4,
        .features = XMEM_WIRE_FEATURE_EVENTS | XMEM_WIRE_FEATURE_CUDA } };
  uint8_t bytes[64];
  size_t size = xmem_wire_encode (&m, bytes, sizeof (bytes));

  if (send (fd, bytes, size, 0) < 0)
    abort ();
}

/* In the place of libc's: the subscriber's socket becomes one end of a pair,
 * at whose other end everything is said already. */
int
connect (int fd, const struct sockaddr *address, socklen_t length)
{
  const int large = 1 << 20;
  int pair[2];

  (void) address;
  (void) length;
  if (socketpair (
          AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair)
          < 0
      || dup3 (pair[0], fd, O_CLOEXEC) < 0)
    abort ();
  close (pair[0]);
  setsockopt (pair[1], SOL_SOCKET, SO_SNDBUF, &large, sizeof (large));
  send_welcome (pair[1]);
  records_send (pair[1], input, input_size);
  publisher_fd = pair[1];
  return 0;
}

/* Reads a frame's ends; with a sanitizer that is a check. */
static void
look_at (const struct xmem_frame *frame)
{
  const struct xmem_stream_info *stream = xmem_frame_get_stream (frame);
  const struct xmem_frame_info *info = xmem_frame_get_info (frame);
  volatile uint8_t sum = 0;

  for (size_t i = 0; i < xmem_frame_get_n_regions (frame); i++) {
    uint64_t size = xmem_frame_get_region (frame, i)->size;
    const uint8_t *data = xmem_frame_get_data (frame, i);

    if (size > 0 && data)
      sum += data[0] + data[size - 1];
  }
  for (size_t i = 0; i < info->metas_size; i++)
    sum += ((const uint8_t *) info->metas)[i];
  if (stream->caps)
    sum += (uint8_t) strlen (stream->caps);
}

static void
look_at_event (const struct xmem_event *event)
{
  volatile uint8_t sum = (uint8_t) strlen (event->name);

  for (size_t i = 0; i < event->size; i += 100)
    sum += ((const uint8_t *) event->data)[i];
}

/* Returns how many frames it keeps. */
static unsigned
read_frames (struct xmem_subscriber *subscriber, struct xmem_frame **kept)
{
  struct xmem_error error;
  struct xmem_frame *frame;
  unsigned n = 0;
  int r;

  for (unsigned i = 0; i < 1000; i++) {
    r = xmem_subscriber_next (subscriber, 0, &frame, &error);
    if (r == XMEM_EVENT)
      look_at_event (xmem_subscriber_get_event (subscriber));
    if (r == XMEM_EOS || r == XMEM_EVENT)
      continue;
    if (r != 0)
      break;
    look_at (frame);
    if (n < MAX_KEPT && i % 2)
      kept[n++] = frame;
    else
      xmem_frame_unref (frame);
  }
  return n;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  const struct xmem_subscriber_params params = { .struct_size = sizeof (params),
    .address = "/anywhere",
    .flags = XMEM_SUBSCRIBER_EVENTS | XMEM_SUBSCRIBER_CUDA };
  struct xmem_frame *kept[MAX_KEPT];
  struct xmem_subscriber_stats stats;
  struct xmem_subscriber *subscriber;
  unsigned n;

  input = data;
  input_size = size;
  if (xmem_subscriber_new (&params, &subscriber, NULL) != 0
      || xmem_subscriber_connect (subscriber, 0, NULL) != 0)
    abort ();
  n = read_frames (subscriber, kept);
  xmem_subscriber_get_stats (subscriber, &stats);
  if (size % 2)
    close (publisher_fd);
  xmem_subscriber_free (subscriber);
  while (n > 0) {
    look_at (kept[--n]);
    xmem_frame_unref (kept[n]);
  }
  if (size % 2 == 0)
    close (publisher_fd);
  return 0;
}
