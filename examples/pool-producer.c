/* SPDX-License-Identifier: MIT */
/* A first named pool: draws pictures, hands each to N_CONSUMERS and prints its
 * id, which is all that a consumer has to be told.
 *
 *   pool-producer NAME [N_CONSUMERS] [N_FRAMES]
 *
 * One consumer, then two:
 *
 *   pool-producer /camera | pool-consumer /camera
 *   pool-producer /camera 2 | tee -p >(pool-consumer /camera >&2) |
 *       pool-consumer /camera
 *
 * Ends with Ctrl-C, or when nobody reads the ids any more. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <xmem/xmem.h>

enum { WIDTH = 640, HEIGHT = 480, RATE = 30, SECOND = 1000000000 };

static volatile sig_atomic_t stopping;

static void
stop (int signal_number)
{
  stopping = 1;
}

/* The pool loses its name when its last process lets go of it in good order: so
 * this one does not let signals end it. */
static void
watch_signals (void)
{
  struct sigaction action;

  memset (&action, 0, sizeof (action));
  action.sa_handler = stop;
  sigaction (SIGINT, &action, NULL);
  sigaction (SIGTERM, &action, NULL);
  action.sa_handler = SIG_IGN;
  sigaction (SIGPIPE, &action, NULL); /* printf () fails instead */
}

static uint64_t
now (void)
{
  struct timespec time;

  clock_gettime (CLOCK_MONOTONIC, &time);
  return (uint64_t) time.tv_sec * SECOND + (uint64_t) time.tv_nsec;
}

/* NV12: a picture that gets brighter and brighter, without colour. */
static void
draw (uint8_t *bytes, unsigned frame)
{
  memset (bytes, (int) (frame % 256), WIDTH * HEIGHT);
  memset (bytes + WIDTH * HEIGHT, 128, WIDTH * HEIGHT / 2);
}

/* Takes a slot, fills and describes it, and hands it over: from then on it
 * belongs to the consumers, and is free again when all have released it. */
static int
send_frame (struct xmem_pool *pool, unsigned frame, unsigned n_consumers,
    struct xmem_error *error)
{
  struct xmem_buffer_info info = { .sequence = frame, .timestamp_ns = now () };
  struct xmem_buffer *buffer;
  uint64_t id;
  int r;

  r = xmem_pool_acquire (
      pool, WIDTH * HEIGHT * 3 / 2, 0, SECOND, &buffer, error);
  if (r != XMEM_OK)
    return r;
  draw (xmem_buffer_get_mut_data (buffer), frame);
  xmem_description_set_image (
      XMEM_CONTENT_NV12, WIDTH, HEIGHT, 0, &info.description);
  r = xmem_buffer_set_info (buffer, &info, error);
  id = xmem_buffer_get_id (buffer);
  if (r == XMEM_OK)
    r = xmem_buffer_give (buffer, n_consumers, error);
  if (r != XMEM_OK) {
    xmem_buffer_unref (buffer); /* still ours */
    return r;
  }
  if (printf ("%" PRIu64 "\n", id) < 0 || fflush (stdout) != 0)
    stopping = 1;
  return XMEM_OK;
}

static int
send_frames (struct xmem_pool *pool, unsigned n_frames, unsigned n_consumers,
    struct xmem_error *error)
{
  const struct timespec tick = { .tv_nsec = SECOND / RATE };
  unsigned n_skipped = 0;
  unsigned frame;
  int r = XMEM_OK;

  for (frame = 0; frame < n_frames && !stopping; frame++) {
    r = send_frame (pool, frame, n_consumers, error);
    if (r == XMEM_AGAIN)
      n_skipped++; /* all slots are with consumers that are too slow */
    else if (r != XMEM_OK)
      return r;
    nanosleep (&tick, NULL);
  }
  fprintf (stderr,
      "pool-producer: %u frames, each for %u consumers; %u skipped\n", frame,
      n_consumers, n_skipped);
  return XMEM_OK;
}

/* The pool ends with its last process. Until the consumers have taken what was
 * handed to them, that would be this one. */
static void
wait_until_taken (struct xmem_pool *pool)
{
  const struct timespec tick = { .tv_nsec = SECOND / 100 };
  uint64_t end = now () + SECOND;
  struct xmem_pool_stats stats;

  do {
    xmem_pool_get_stats (pool, &stats);
    nanosleep (&tick, NULL);
  } while (stats.n_in_flight > 0 && now () < end && !stopping);
}

int
main (int argc, char **argv)
{
  /* A reference that nobody takes is given up after a second, so a consumer
   * that dies costs the frames of one second: fewer than there are slots. */
  const struct xmem_pool_params params = { .struct_size = sizeof (params),
    .n_slots = 2 * RATE,
    .handover_timeout_ns = SECOND };
  int n_consumers = argc > 2 ? atoi (argv[2]) : 1;
  int n_frames = argc > 3 ? atoi (argv[3]) : 10 * RATE;
  struct xmem_pool *pool = NULL;
  struct xmem_error error;
  int r;

  if (argc < 2 || argc > 4 || n_consumers < 1 || n_frames < 1) {
    fprintf (stderr, "usage: pool-producer NAME [N_CONSUMERS] [N_FRAMES]\n");
    return 2;
  }
  watch_signals ();
  r = xmem_pool_create (argv[1], &params, &pool, &error);
  if (r == XMEM_OK)
    r = send_frames (pool, (unsigned) n_frames, (unsigned) n_consumers, &error);
  if (r == XMEM_OK)
    wait_until_taken (pool);
  else
    fprintf (stderr, "pool-producer: %s\n", error.message);
  xmem_pool_unref (pool); /* NULL is fine */
  return r == XMEM_OK ? 0 : 1;
}
