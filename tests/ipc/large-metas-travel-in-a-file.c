/* SPDX-License-Identifier: MIT */
/* Metas that are too large for a message travel in one sealed file for all
 * subscribers; nobody keeps it open longer than the frame. That they arrive as
 * they were is frame-info-arrives-as-it-was. */
#include <fcntl.h>
#include <sys/stat.h>

#include "harness/frames.h"
#include "harness/raw.h"

#define LARGE 100000

static void
publish (struct source *source, size_t metas_size)
{
  struct xmem_buffer *buffer = frames_new_buffer (source->pool, 100, 1);
  struct xmem_frame_info info;
  char *metas = g_malloc0 (metas_size);

  xmem_frame_info_init (&info);
  info.metas = metas;
  info.metas_size = metas_size;
  harness_assert_ok (xmem_publisher_publish_buffer (source->publisher, buffer,
                         &info, XMEM_WAIT_FOREVER, NULL),
      NULL);
  xmem_buffer_unref (buffer);
  g_free (metas);
}

static int
subscribe (struct source *source, unsigned n_clients)
{
  int fd = raw_subscribe (
      xmem_publisher_get_address (source->publisher), XMEM_DELIVERY_EVERY, 1);

  harness_assert_ok (xmem_publisher_wait_clients (
                         source->publisher, n_clients, XMEM_WAIT_FOREVER),
      NULL);
  return fd;
}

/* The descriptor that comes with the next frame. */
static int
expect_frame (int fd, struct xmem_received *received)
{
  do
    harness_assert_ok (raw_receive (fd, received), NULL);
  while (received->message.type != XMEM_WIRE_FRAME
         && (received->fd < 0 || close (received->fd) == 0));
  return received->fd;
}

static void
test_one_file_for_all (void)
{
  struct xmem_received *received = g_new (struct xmem_received, 1);
  struct source source;
  int fds[2], files[2];
  struct stat st[2];
  unsigned n_fds;

  source_open_simply (&source);
  for (unsigned i = 0; i < 2; i++)
    fds[i] = subscribe (&source, i + 1);
  publish (&source, 1); /* brings the segment */
  for (unsigned i = 0; i < 2; i++) {
    g_assert_cmpint (expect_frame (fds[i], received), ==, -1);
    raw_release (fds[i], 0);
  }
  harness_assert_ok (
      xmem_publisher_wait_released (source.publisher, XMEM_WAIT_FOREVER), NULL);
  n_fds = harness_count_fds (getpid ());
  publish (&source, LARGE);
  for (unsigned i = 0; i < 2; i++) {
    files[i] = expect_frame (fds[i], received);
    g_assert_cmpuint (received->message.frame.metas_fd_size, ==, LARGE);
    g_assert_cmpuint (received->message.frame.info.metas_size, ==, 0);
    g_assert_cmpint (fstat (files[i], &st[i]), ==, 0);
    g_assert_cmpint (
        fcntl (files[i], F_GET_SEALS) & F_SEAL_WRITE, ==, F_SEAL_WRITE);
  }
  g_assert_cmpuint (st[0].st_ino, ==, st[1].st_ino);
  g_assert_cmpint (st[0].st_size, ==, LARGE);
  for (unsigned i = 0; i < 2; i++) {
    close (files[i]);
    raw_release (fds[i], 1);
  }
  harness_assert_ok (
      xmem_publisher_wait_released (source.publisher, XMEM_WAIT_FOREVER), NULL);
  g_assert_cmpuint (harness_count_fds (getpid ()), ==, n_fds);
  for (unsigned i = 0; i < 2; i++)
    close (fds[i]);
  source_close (&source);
  g_free (received);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, NULL);
  harness_add ("/one-file-for-all", test_one_file_for_all);
  return g_test_run ();
}
