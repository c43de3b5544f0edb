/* SPDX-License-Identifier: MIT */
/* Any messages, with any file descriptors, to a publisher that publishes all
 * the while. When its client has hung up it must have everything back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <xmem/xmem.h>

#include "fuzz/records.h"
#include "ipc/address.h"
#include "wire/message.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static struct xmem_pool *pool;
static struct xmem_publisher *publisher;
static struct xmem_address address;

static void
event_received (int fd, const struct xmem_event *event, void *user_data)
{
  const struct xmem_event again = { .kind = event->kind,
    .flags = XMEM_EVENT_STICKY,
    .data = event->data,
    .size = event->size };

  (void) fd;
  (void) user_data;
  (void) xmem_publisher_send_event (publisher, &again, NULL);
}

static void
open_publisher (void)
{
  char name[32];
  struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = name,
    .flags = XMEM_PUBLISHER_NO_THREAD | XMEM_PUBLISHER_LEAKY,
    .event_received = event_received };

  snprintf (name, sizeof (name), "@xmem-fuzz-%d", (int) getpid ());
  if (xmem_pool_new (NULL, &pool, NULL) != 0
      || xmem_publisher_new (&params, &publisher, NULL) != 0
      || xmem_address_choose (name, &address, NULL) != 0)
    abort ();
}

static void
publish (unsigned n)
{
  struct xmem_frame_info info;
  struct xmem_buffer *buffer;

  xmem_frame_info_init (&info);
  for (unsigned i = 0; i < n; i++) {
    if (xmem_pool_acquire (pool, 100, 0, 0, &buffer, NULL) != 0
        || xmem_publisher_publish_buffer (publisher, buffer, &info, 0, NULL)
               != 0)
      abort ();
    xmem_buffer_unref (buffer);
  }
}

static void
dispatch (void)
{
  while (xmem_publisher_dispatch (publisher, 0) == 0)
    ;
}

static void
check_that_all_is_back (void)
{
  struct xmem_publisher_stats stats;
  struct xmem_pool_stats pool_stats;

  xmem_publisher_get_stats (publisher, &stats);
  xmem_pool_get_stats (pool, &pool_stats);
  if (stats.n_clients != 0 || stats.frames_held != 0 || pool_stats.n_used != 0)
    abort ();
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  int fd = socket (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  size_t half = size / 2;

  if (!publisher)
    open_publisher ();
  if (connect (fd, (struct sockaddr *) &address.sun, address.len) < 0)
    abort ();
  /* In two parts, cut anywhere: the second is garbage as often as not. */
  records_send (fd, data, size > 64 ? half : size);
  dispatch ();
  publish (1 + size % 7);
  if (size % 3 == 0)
    xmem_publisher_send_eos (publisher);
  if (size > 64)
    records_send (fd, data + half, size - half);
  dispatch ();
  publish (2);
  close (fd);
  dispatch ();
  check_that_all_is_back ();
  return 0;
}
