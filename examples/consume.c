/* SPDX-License-Identifier: MIT */
/* A first consumer: a line for each frame it sees, until the stream ends.
 *
 *   consume [ADDRESS]
 *
 * Exits with 0 after a clean end of stream, with 1 otherwise. */
#include <stdio.h>
#include <time.h>

#include <xmem/xmem.h>

enum { SECOND = 1000000000 };

/* Adler-32: reads every byte where the producer wrote it. */
static uint32_t
checksum (const uint8_t *bytes, uint64_t size)
{
  uint32_t a = 1, b = 0;

  for (uint64_t i = 0; i < size; i++) {
    a = (a + bytes[i]) % 65521;
    b = (b + a) % 65521;
  }
  return b << 16 | a;
}

static void
print_frame (const struct xmem_frame *frame, int64_t latency_ns)
{
  const struct xmem_frame_info *info = xmem_frame_get_info (frame);
  uint64_t size = 0;
  uint32_t sum = 0;

  if (xmem_frame_get_n_regions (frame) > 0) {
    size = xmem_frame_get_region (frame, 0)->size;
    sum = checksum (xmem_frame_get_data (frame, 0), size);
  }
  printf ("frame %3d  pts %.3f s  %d bytes  after %d us  checksum %08x\n",
      (int) xmem_frame_get_sequence (frame),
      info->pts == XMEM_TIME_NONE ? -1.0 : (double) info->pts / SECOND,
      (int) size, (int) (latency_ns / 1000), sum);
  fflush (stdout);
}

/* Reads to the end of the stream, which is XMEM_EOS, or to whatever else. */
static int
read_stream (struct xmem_subscriber *subscriber, struct xmem_error *error)
{
  struct xmem_frame *frame;
  struct timespec now;
  uint32_t epoch = 0;
  int r;

  while (
      (r = xmem_subscriber_next (subscriber, XMEM_WAIT_FOREVER, &frame, error))
      == XMEM_OK) {
    const char *caps = xmem_frame_get_stream (frame)->caps;

    clock_gettime (CLOCK_MONOTONIC, &now);
    if (xmem_frame_get_epoch (frame) != epoch)
      printf ("the stream is %s\n", caps ? caps : "not described");
    epoch = xmem_frame_get_epoch (frame);
    print_frame (frame, (int64_t) now.tv_sec * SECOND + now.tv_nsec
                            - (int64_t) xmem_frame_get_published_ns (frame));
    xmem_frame_unref (frame); /* the producer may use the slot again */
  }
  return r;
}

int
main (int argc, char **argv)
{
  const struct xmem_subscriber_params params = { .struct_size = sizeof (params),
    .address = argc > 1 ? argv[1] : XMEM_DEFAULT_ADDRESS,
    .name = "consume" };
  struct xmem_subscriber *subscriber = NULL;
  struct xmem_subscriber_stats stats;
  struct xmem_error error;
  int r;

  if ((r = xmem_subscriber_new (&params, &subscriber, &error)) == XMEM_OK
      && (r = xmem_subscriber_connect (
              subscriber, INT64_C (5) * SECOND, &error))
             == XMEM_OK) {
    r = read_stream (subscriber, &error);
    xmem_subscriber_get_stats (subscriber, &stats);
    printf ("%d frames received, %d missed; half arrived within %d us, all "
            "within %d us\n",
        (int) stats.frames_received, (int) stats.frames_lost,
        (int) (stats.latency_p50_ns / 1000),
        (int) (stats.latency_max_ns / 1000));
  }
  if (r != XMEM_EOS)
    fprintf (stderr, "consume: %s\n", error.message);
  xmem_subscriber_free (subscriber); /* NULL is fine */
  return r == XMEM_EOS ? 0 : 1;
}
