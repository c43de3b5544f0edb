/* SPDX-License-Identifier: MIT */
/* A first producer: a bar that moves over a gray picture, 30 times a second.
 *
 *   produce [ADDRESS] [N_FRAMES]
 *
 * It waits for somebody who looks: start `consume [ADDRESS]`, as often as you
 * like. Each picture is written once, and all of them read that very memory. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <xmem/xmem.h>

enum { WIDTH = 640, HEIGHT = 480, RATE = 30, SECOND = 1000000000 };

static void
draw (uint8_t *pixels, int frame)
{
  for (int y = 0; y < HEIGHT; y++)
    for (int x = 0; x < WIDTH; x++)
      pixels[y * WIDTH + x] = (x + 4 * frame) % WIDTH < 40 ? 255 : y / 2;
}

/* Takes a slot of the pool, fills it, publishes it and lets go of it. The slot
 * is free again when the last consumer has released the frame. */
static int
send_frame (struct xmem_pool *pool, struct xmem_publisher *publisher, int frame,
    struct xmem_error *error)
{
  const int64_t wait = XMEM_WAIT_FOREVER;
  struct xmem_buffer *buffer;
  struct xmem_frame_info info;
  int r = xmem_pool_acquire (pool, WIDTH * HEIGHT, 0, wait, &buffer, error);

  if (r != 0)
    return r;
  draw (xmem_buffer_get_mut_data (buffer), frame);
  xmem_frame_info_init (&info);
  info.pts = (int64_t) frame * SECOND / RATE;
  info.description = (struct xmem_description){ .dtype = XMEM_DTYPE_U8,
    .ndim = 2,
    .shape = { HEIGHT, WIDTH },
    .strides = { WIDTH, 1 } };
  r = xmem_publisher_publish_buffer (publisher, buffer, &info, wait, error);
  xmem_buffer_unref (buffer);
  return r;
}

static int
send_frames (struct xmem_pool *pool, struct xmem_publisher *publisher,
    int n_frames, struct xmem_error *error)
{
  struct timespec next;
  int r = XMEM_OK;

  clock_gettime (CLOCK_MONOTONIC, &next);
  for (int i = 0; i < n_frames && r == XMEM_OK; i++) {
    clock_nanosleep (CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    next.tv_nsec += SECOND / RATE;
    next.tv_sec += next.tv_nsec / SECOND;
    next.tv_nsec %= SECOND;
    r = send_frame (pool, publisher, i, error);
  }
  return r;
}

int
main (int argc, char **argv)
{
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = argc > 1 ? argv[1] : XMEM_DEFAULT_ADDRESS };
  const struct xmem_stream_info stream = { .base_time_ns = XMEM_NONE,
    .caps = "video/x-raw,format=GRAY8,width=640,height=480,framerate=30/1" };
  int n_frames = argc > 2 ? atoi (argv[2]) : 10 * RATE;
  struct xmem_publisher_stats stats;
  struct xmem_publisher *publisher = NULL;
  struct xmem_pool *pool = NULL;
  struct xmem_error error;
  int r;

  if (!(r = xmem_pool_new (NULL, &pool, &error))
      && !(r = xmem_publisher_new (&params, &publisher, &error))
      && !(r = xmem_publisher_set_stream (publisher, &stream, &error))) {
    fprintf (stderr, "waiting for a consumer at %s ...\n",
        xmem_publisher_get_address (publisher));
    xmem_publisher_wait_clients (publisher, 1, XMEM_WAIT_FOREVER);
    r = send_frames (pool, publisher, n_frames, &error);
    xmem_publisher_send_eos (publisher);
    xmem_publisher_wait_released (publisher, INT64_C (5) * SECOND);
    xmem_publisher_get_stats (publisher, &stats);
    printf ("%d frames, %d deliveries, to %d consumers\n", n_frames,
        (int) stats.frames_delivered, (int) stats.clients_served);
  }
  if (r != XMEM_OK)
    fprintf (stderr, "produce: %s\n", error.message);
  xmem_publisher_free (publisher); /* says good-bye; NULL is fine */
  xmem_pool_unref (pool);
  return r == XMEM_OK ? 0 : 1;
}
