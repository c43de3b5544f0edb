/* SPDX-License-Identifier: MIT */
/* A consumer on a GPU: a kernel counts the brightness of each frame where the
 * producer wrote it. Put your model in its place.
 *
 *   cuda-consume [ADDRESS] [EVERY]
 *
 * Waits for a producer, reads to the end of the stream and prints how many
 * pixels are in each sixteenth of the range, of every EVERYth frame (30) and of
 * all together. The thread that takes frames waits for the GPU only when that is
 * RESULTS frames behind.
 *
 * Takes frames of xmemsink and of cuda-produce whose first plane is 8 bits of
 * luma. Exits with 0 after a clean end of stream, with 1 otherwise. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <xmem/cuda.h>
#include <xmem/xmem.h>

#include "cuda-call.h"
#include "cuda-histogram.h"
#include "cuda-luma.h"

enum { RESULTS = 8, BYTES = 4 * HISTOGRAM_BINS };

/* Result i of the ring is on its way while n_collected <= i < n_launched. */
struct counter {
  int device; /* -1 before the first frame */
  CUstream stream;
  CUfunction kernel;
  CUdeviceptr bins; /* RESULTS times BYTES */
  uint32_t (*results)[HISTOGRAM_BINS]; /* the same on the host */
  CUevent done[RESULTS];
  uint64_t n_launched;
  uint64_t n_collected;
  uint64_t every;
  uint64_t total[HISTOGRAM_BINS];
};

static bool
fail (const char *what)
{
  fprintf (stderr, "cuda-consume: %s\n", what);
  return false;
}

/* --- counting ------------------------------------------------------------ */

/* On the device of the first frame, in its primary context, as xmem's. */
static bool
set_up (struct counter *c, int device)
{
  CUcontext context;
  CUmodule module;

  c->device = device;
  if (!WORKED (cuDevicePrimaryCtxRetain (&context, device))
      || !WORKED (cuCtxSetCurrent (context))
      || !WORKED (cuStreamCreate (&c->stream, CU_STREAM_NON_BLOCKING))
      || !WORKED (cuModuleLoadData (&module, histogram_ptx))
      || !WORKED (cuModuleGetFunction (&c->kernel, module, "histogram"))
      || !WORKED (cuMemAlloc (&c->bins, RESULTS * BYTES))
      || !WORKED (cuMemAllocHost ((void **) &c->results, RESULTS * BYTES)))
    return false;
  for (int i = 0; i < RESULTS; i++)
    if (!WORKED (cuEventCreate (&c->done[i], CU_EVENT_DISABLE_TIMING)))
      return false;
  return true;
}

/* Puts everything into the stream and waits for nothing of it. */
static bool
launch (struct counter *c, CUdeviceptr pointer, struct luma *luma)
{
  uint64_t i = c->n_launched % RESULTS;
  CUdeviceptr bins = c->bins + i * BYTES;
  const unsigned block = HISTOGRAM_BLOCK;
  void *arguments[] = { &pointer, &luma->stride, &luma->width, &luma->height,
    &bins };

  pointer += luma->offset;
  if (!WORKED (cuMemsetD8Async (bins, 0, BYTES, c->stream))
      || !WORKED (cuLaunchKernel (c->kernel, (luma->width - 1) / block + 1,
          (luma->height - 1) / block + 1, 1, block, block, 1, 0, c->stream,
          arguments, NULL))
      || !WORKED (cuMemcpyDtoHAsync (c->results[i], bins, BYTES, c->stream))
      || !WORKED (cuEventRecord (c->done[i], c->stream)))
    return false;
  c->n_launched++;
  return true;
}

/* Prints what has come back, until only n_left are still on their way. */
static bool
collect (struct counter *c, uint64_t n_left)
{
  while (c->n_collected < c->n_launched) {
    uint64_t i = c->n_collected % RESULTS;
    bool is_shown = c->n_collected % c->every == 0;
    CUresult result = CUDA_SUCCESS;

    if (c->n_launched - c->n_collected <= n_left
        && (result = cuEventQuery (c->done[i])) == CUDA_ERROR_NOT_READY)
      return true;
    if (!worked (result, "cuEventQuery")
        || !WORKED (cuEventSynchronize (c->done[i])))
      return false;
    if (is_shown)
      printf ("frame %" PRIu64 ":", c->n_collected);
    for (int bin = 0; bin < HISTOGRAM_BINS; bin++) {
      c->total[bin] += c->results[i][bin];
      if (is_shown)
        printf (" %" PRIu32, c->results[i][bin]);
    }
    if (is_shown)
      printf ("\n");
    fflush (stdout);
    c->n_collected++;
  }
  return true;
}

static bool
count_frame (struct counter *c, struct xmem_frame *frame)
{
  int device =
      xmem_frame_get_n_regions (frame) ? xmem_frame_get_device (frame, 0) : -1;
  struct xmem_error error;
  const char *why;
  struct luma luma;

  if (device < 0)
    return fail ("the frames are not in the memory of a CUDA device");
  if (c->device >= 0 && device != c->device)
    return fail ("the frames have moved to another device");
  if (!luma_find (frame, &luma, &why))
    return fail (why);
  if (c->device < 0 && !set_up (c, device))
    return false;
  if (xmem_frame_cuda_wait (frame, c->stream, &error) != XMEM_OK)
    return fail (error.message);
  return launch (c, xmem_frame_get_cuda_pointer (frame, 0), &luma)
         && collect (c, RESULTS - 1);
}

static bool
count_frames (struct counter *c, struct xmem_subscriber *subscriber)
{
  struct xmem_frame *frame;
  struct xmem_error error;
  int r;

  while (
      (r = xmem_subscriber_next (subscriber, XMEM_WAIT_FOREVER, &frame, &error))
      == XMEM_OK) {
    bool ok = count_frame (c, frame);

    /* The producer may use the slot again when the kernel is done with it. */
    xmem_frame_unref_after (frame, c->stream);
    if (!ok)
      return false;
  }
  if (!collect (c, 0))
    return false;
  printf ("%" PRIu64 " frames:", c->n_collected);
  for (int bin = 0; bin < HISTOGRAM_BINS; bin++)
    printf (" %" PRIu64, c->total[bin]);
  printf ("\n");
  return r == XMEM_EOS || fail (error.message);
}

int
main (int argc, char **argv)
{
  const struct xmem_subscriber_params params = { .struct_size = sizeof (params),
    .address = argc > 1 ? argv[1] : XMEM_DEFAULT_ADDRESS,
    .name = "cuda-consume",
    .delivery = XMEM_DELIVERY_EVERY,
    .flags = XMEM_SUBSCRIBER_CUDA };
  struct counter counter = { .device = -1,
    .every = argc > 2 ? strtoull (argv[2], NULL, 10) : 30 };
  struct xmem_subscriber *subscriber = NULL;
  struct xmem_error error;
  bool ok = false;

  if (counter.every == 0)
    counter.every = 1;
  if (!WORKED (cuInit (0)))
    return 1;
  if (xmem_subscriber_new (&params, &subscriber, &error) != XMEM_OK
      || xmem_subscriber_connect (subscriber, XMEM_WAIT_FOREVER, &error)
             != XMEM_OK)
    fail (error.message);
  else
    ok = count_frames (&counter, subscriber);
  xmem_subscriber_free (subscriber); /* NULL is fine */
  return ok ? 0 : 1; /* the driver frees what is on the device */
}
