/* SPDX-License-Identifier: MIT */
/* A producer on a GPU: a white bar moves over a picture that grows brighter,
 * 30 times a second. The pictures never leave the device.
 *
 *   cuda-produce [ADDRESS] [N_FRAMES]
 *
 * It waits for somebody who looks: start `cuda-consume [ADDRESS]`. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <xmem/cuda.h>
#include <xmem/xmem.h>

#include "cuda-call.h"

enum {
  DEVICE = 0,
  WIDTH = 640,
  HEIGHT = 480,
  BAR = 40,
  RATE = 30,
  SECOND = 1000000000
};

static bool
fail (const struct xmem_error *error)
{
  fprintf (stderr, "cuda-produce: %s\n", error->message);
  return false;
}

/* In NV12: the luma rows, then those of Cb and Cr, gray. Waits for nothing. */
static bool
draw (CUdeviceptr picture, int frame, CUstream stream)
{
  unsigned char level = (unsigned char) (16 * frame);
  CUdeviceptr bar = picture + (unsigned) (4 * frame) % (WIDTH - BAR);
  CUdeviceptr chroma = picture + WIDTH * HEIGHT;

  return WORKED (cuMemsetD8Async (picture, level, WIDTH * HEIGHT, stream))
         && WORKED (cuMemsetD2D8Async (bar, WIDTH, 255, BAR, HEIGHT, stream))
         && WORKED (cuMemsetD8Async (chroma, 128, WIDTH * HEIGHT / 2, stream));
}

/* Takes a slot of the pool, lets the stream fill it and publishes it at once:
 * readers' streams wait for ours. The slot is free again when the work of the
 * last reader is over. */
static bool
send_frame (struct xmem_pool *pool, struct xmem_publisher *publisher, int frame,
    CUstream stream)
{
  const int64_t wait = XMEM_WAIT_FOREVER;
  struct xmem_buffer *buffer;
  struct xmem_frame_info info;
  struct xmem_error error;
  bool ok;

  if (xmem_pool_acquire_cuda (
          pool, WIDTH * HEIGHT * 3 / 2, DEVICE, 0, wait, &buffer, &error)
      != XMEM_OK)
    return fail (&error);
  xmem_frame_info_init (&info);
  info.pts = (int64_t) frame * SECOND / RATE;
  xmem_description_set_image (
      XMEM_CONTENT_NV12, WIDTH, HEIGHT, WIDTH, &info.description);
  ok = draw (xmem_buffer_get_cuda_pointer (buffer), frame, stream);
  if (ok
      && xmem_publisher_publish_after (
             publisher, buffer, stream, &info, wait, &error)
             != XMEM_OK)
    ok = fail (&error);
  xmem_buffer_unref (buffer);
  return ok;
}

static bool
send_frames (struct xmem_pool *pool, struct xmem_publisher *publisher,
    int n_frames, CUstream stream)
{
  struct timespec next;
  bool ok = true;

  clock_gettime (CLOCK_MONOTONIC, &next);
  for (int i = 0; i < n_frames && ok; i++) {
    clock_nanosleep (CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    next.tv_nsec += SECOND / RATE;
    next.tv_sec += next.tv_nsec / SECOND;
    next.tv_nsec %= SECOND;
    ok = send_frame (pool, publisher, i, stream);
  }
  return ok;
}

/* A stream in the device's primary context, which is xmem's, too. */
static bool
open_device (CUstream *stream_out)
{
  CUcontext context;

  return WORKED (cuInit (0))
         && WORKED (cuDevicePrimaryCtxRetain (&context, DEVICE))
         && WORKED (cuCtxSetCurrent (context))
         && WORKED (cuStreamCreate (stream_out, CU_STREAM_NON_BLOCKING));
}

int
main (int argc, char **argv)
{
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = argc > 1 ? argv[1] : XMEM_DEFAULT_ADDRESS };
  const struct xmem_stream_info stream_info = { .base_time_ns = XMEM_NONE,
    .caps = "video/x-raw(memory:CUDAMemory),format=NV12,width=640,height=480,"
            "framerate=30/1" };
  int n_frames = argc > 2 ? atoi (argv[2]) : 10 * RATE;
  struct xmem_publisher *publisher = NULL;
  struct xmem_pool *pool = NULL;
  struct xmem_error error;
  CUstream stream;
  bool ok = false;

  if (!open_device (&stream))
    return 1;
  if (xmem_pool_new (NULL, &pool, &error) != XMEM_OK
      || xmem_publisher_new (&params, &publisher, &error) != XMEM_OK
      || xmem_publisher_set_stream (publisher, &stream_info, &error)
             != XMEM_OK) {
    fail (&error);
  } else {
    fprintf (stderr, "waiting for a consumer at %s ...\n",
        xmem_publisher_get_address (publisher));
    xmem_publisher_wait_clients (publisher, 1, XMEM_WAIT_FOREVER);
    ok = send_frames (pool, publisher, n_frames, stream);
    if (ok) /* else readers are told that we are gone */
      xmem_publisher_send_eos (publisher);
    xmem_publisher_wait_released (publisher, INT64_C (5) * SECOND);
  }
  xmem_publisher_free (publisher); /* NULL is fine */
  xmem_pool_unref (pool);
  return ok ? 0 : 1;
}
