/* SPDX-License-Identifier: MIT */
/* A first consumer of a named pool: reads ids, one per line, and says how bright
 * each picture is. pool-producer.c has the command lines.
 *
 *   pool-consumer NAME
 *
 * Ends at the end of its input, or with Ctrl-C. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xmem/xmem.h>

enum { SECOND = 1000000000 };

struct count {
  unsigned seen;
  unsigned late; /* had been given up before we came */
};

static volatile sig_atomic_t stopping;

static void
stop (int signal_number)
{
  stopping = 1;
}

/* Without SA_RESTART, so that a signal ends the wait for the next line. */
static void
watch_signals (void)
{
  struct sigaction action;

  memset (&action, 0, sizeof (action));
  action.sa_handler = stop;
  sigaction (SIGINT, &action, NULL);
  sigaction (SIGTERM, &action, NULL);
}

/* The mean of the luma rows: where they are the description tells. */
static double
mean_luma (const uint8_t *bytes, const struct xmem_description *description)
{
  uint64_t height = description->shape[0] / 3 * 2; /* below them is chroma */
  uint64_t width = description->shape[1];
  uint64_t sum = 0;

  for (uint64_t y = 0; y < height; y++)
    for (uint64_t x = 0; x < width; x++)
      sum += bytes[y * (uint64_t) description->strides[0]
                   + x * (uint64_t) description->strides[1]];
  return (double) sum / (double) (width * height);
}

static int
print_frame (const struct xmem_buffer *buffer, struct xmem_error *error)
{
  struct xmem_buffer_info info;
  const struct xmem_description *what = &info.description;
  int r = xmem_buffer_get_info (buffer, &info, error);

  if (r != XMEM_OK)
    return r;
  printf ("frame %" PRIu64 " of process %" PRIu64 " at %.3f s: ", info.sequence,
      info.producer, (double) info.timestamp_ns / SECOND);
  if (what->content_type == XMEM_CONTENT_NV12 && what->dtype == XMEM_DTYPE_U8
      && what->ndim == 2)
    printf ("%" PRIu64 " x %" PRIu64 ", mean luma %.1f\n", what->shape[1],
        what->shape[0] / 3 * 2,
        mean_luma (xmem_buffer_get_data (buffer), what));
  else
    printf ("not an NV12 picture\n");
  fflush (stdout);
  return XMEM_OK;
}

static int
handle (struct xmem_pool *pool, uint64_t id, struct count *count,
    struct xmem_error *error)
{
  struct xmem_buffer *buffer;
  int r = xmem_pool_take (pool, id, XMEM_READ, &buffer, error);

  if (r == XMEM_STALE) {
    count->late++;
    return XMEM_OK;
  }
  if (r == XMEM_OK) {
    r = print_frame (buffer, error);
    count->seen++;
    xmem_buffer_unref (buffer);
  }
  return r;
}

int
main (int argc, char **argv)
{
  struct xmem_pool *pool = NULL;
  struct count count = { 0, 0 };
  struct xmem_error error;
  char line[32];
  int r = XMEM_OK;

  if (argc != 2) {
    fprintf (stderr, "usage: pool-consumer NAME\n");
    return 2;
  }
  watch_signals ();
  while (r == XMEM_OK && !stopping && fgets (line, sizeof (line), stdin)) {
    char *end;
    uint64_t id = strtoull (line, &end, 10);

    if (*end != '\n') {
      fprintf (stderr, "pool-consumer: not an id: %s\n", line);
      break;
    }
    /* Not before the first id: now the pool is certain to be there. */
    if (!pool)
      r = xmem_pool_open (argv[1], 0, &pool, &error);
    if (r == XMEM_OK)
      r = handle (pool, id, &count, &error);
  }
  if (r != XMEM_OK)
    fprintf (stderr, "pool-consumer: %s\n", error.message);
  fprintf (stderr, "pool-consumer: %u frames, %u came too late\n", count.seen,
      count.late);
  xmem_pool_unref (pool); /* NULL is fine */
  return r == XMEM_OK ? 0 : 1;
}
