/* SPDX-License-Identifier: MIT */
/* One-way latency of a frame through libxmem, beside that of a bare socket.
 *
 * Three processes: this one sends; one child waits in xmem_subscriber_next (),
 * one in recv () for a message as long as the frame's. In each tick both ways
 * are used once, half a tick apart, in alternating order, so that whatever
 * disturbs the machine disturbs both. No message is dropped for a late reader
 * on either way, so that lateness counts. The children write what they measure
 * into memory shared with this process. */
#include "bench.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* What a FRAME with one region and no description takes (docs/protocol.md):
 * header, fixed part, region. */
#define MESSAGE_SIZE (8 + 88 + 32)
#define WARM_UP 60

enum way { WAY_XMEM, WAY_SOCKET, N_WAYS };

static const char *const way_names[N_WAYS] = { "xmem", "socket" };

enum figure { P50, P99, MAX, N_FIGURES };

static const double parts[N_FIGURES] = { 0.5, 0.99, 1 };
static const char *const figure_names[N_FIGURES] = { "p50_us", "p99_us",
  "max_us" };

/* Of one round: nanoseconds by way and figure. */
struct row {
  uint64_t ns[N_WAYS][N_FIGURES];
};

/* In each message; the index is that of the sample it is about. */
struct stamp {
  uint64_t index;
  int64_t sent_ns;
};

struct bench {
  const struct bench_options *options;
  size_t n_ticks; /* in all rounds, warm-up included */
  size_t per_round;
  _Atomic uint64_t *samples[N_WAYS]; /* shared; 0: none arrived */
  int socket_fd;
  int children[N_WAYS];
  struct xmem_pool *pool;
  struct xmem_publisher *publisher;
};

/* --- the children -------------------------------------------------------- */

static void
record (_Atomic uint64_t *samples, size_t n, uint64_t index, int64_t sent_ns)
{
  int64_t taken = bench_now () - sent_ns;

  if (index < n)
    samples[index] = taken > 0 ? (uint64_t) taken : 1;
}

static int
read_socket (const struct bench *bench, int fd)
{
  union {
    struct stamp stamp;
    char bytes[MESSAGE_SIZE];
  } message;

  while (recv (fd, &message, sizeof (message), 0) == MESSAGE_SIZE)
    record (bench->samples[WAY_SOCKET], bench->n_ticks, message.stamp.index,
        message.stamp.sent_ns);
  return 0;
}

static int
read_xmem (const struct bench *bench)
{
  struct xmem_subscriber_params params = { .struct_size = sizeof (params),
    .address = bench_address (),
    .name = "xmem-bench",
    .delivery = XMEM_DELIVERY_EVERY,
    .n_buffers = XMEM_MAX_GRANT };
  struct xmem_subscriber *subscriber;
  struct xmem_error error;
  struct xmem_frame *frame;
  int r;

  if (xmem_subscriber_new (&params, &subscriber, &error) != 0
      || xmem_subscriber_connect (subscriber, 10 * BENCH_SECOND, &error) != 0)
    return bench_fail ("subscriber", &error);
  while (
      (r = xmem_subscriber_next (subscriber, XMEM_WAIT_FOREVER, &frame, &error))
      == 0) {
    const struct xmem_frame_info *info = xmem_frame_get_info (frame);

    record (bench->samples[WAY_XMEM], bench->n_ticks,
        xmem_frame_get_sequence (frame), (int64_t) info->capture_ns);
    xmem_frame_unref (frame);
  }
  xmem_subscriber_free (subscriber);
  return r == XMEM_EOS ? 0 : bench_fail ("subscriber", &error);
}

static void
start_children (struct bench *bench)
{
  int fds[2];

  bench_address (); /* of this process, not of the child */
  if (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0) {
    perror ("xmem-bench: socketpair");
    exit (1);
  }
  bench->socket_fd = fds[0];
  for (int way = 0; way < N_WAYS; way++) {
    bench->children[way] = bench_fork ();
    if (bench->children[way] != 0)
      continue;
    close (fds[0]);
    if (way == WAY_XMEM)
      close (fds[1]);
    _exit (way == WAY_XMEM ? read_xmem (bench) : read_socket (bench, fds[1]));
  }
  close (fds[1]);
}

/* --- sending ------------------------------------------------------------- */

static int
send_socket (struct bench *bench, uint64_t index)
{
  union {
    struct stamp stamp;
    char bytes[MESSAGE_SIZE];
  } message = { { index, bench_now () } };

  return send (bench->socket_fd, &message, sizeof (message), MSG_NOSIGNAL)
                 == MESSAGE_SIZE
             ? 0
             : XMEM_SYSTEM;
}

/* A slot of a whole frame; taking and filling it is not what is measured. */
static int
send_xmem (struct bench *bench)
{
  struct xmem_frame_info info;
  struct xmem_buffer *buffer;
  struct xmem_error error;
  int r = xmem_pool_acquire (
      bench->pool, BENCH_FRAME_SIZE, 0, BENCH_SECOND, &buffer, &error);

  if (r != 0)
    return bench_fail ("pool", &error);
  xmem_frame_info_init (&info);
  info.capture_ns = (uint64_t) bench_now ();
  r = xmem_publisher_publish_buffer (
      bench->publisher, buffer, &info, BENCH_SECOND, &error);
  xmem_buffer_unref (buffer);
  return r == 0 ? 0 : bench_fail ("publish", &error);
}

static int
send_all (struct bench *bench)
{
  int64_t half = (int64_t) (BENCH_SECOND / bench->options->rate / 2);
  int64_t at = bench_now ();
  int r = 0;

  for (size_t i = 0; i < bench->n_ticks && r == 0; i++) {
    for (int turn = 0; turn < 2 && r == 0; turn++) {
      bench_sleep_until (at += half);
      r = (i + (size_t) turn) % 2 ? send_socket (bench, i) : send_xmem (bench);
    }
  }
  return r;
}

/* --- figures ------------------------------------------------------------- */

/* The figures of n ticks; says on stderr how many messages got lost. */
static void
evaluate (const struct bench *bench, enum way way, size_t first, size_t n,
    uint64_t figures[N_FIGURES])
{
  uint64_t *values = calloc (n, sizeof (values[0]));
  size_t n_values = 0;

  for (size_t i = first; values && i < first + n; i++)
    if (bench->samples[way][i] > 0)
      values[n_values++] = bench->samples[way][i];
  if (n_values < n)
    fprintf (stderr, "xmem-bench: %zu of %zu messages by %s did not arrive\n",
        n - n_values, n, way_names[way]);
  for (int i = 0; i < N_FIGURES; i++)
    figures[i] = bench_quantile (values, n_values, parts[i]);
  free (values);
}

static void
take_medians (const struct row *rounds, unsigned n, struct row *medians)
{
  uint64_t *values = calloc (n, sizeof (values[0]));

  for (int way = 0; values && way < N_WAYS; way++)
    for (int figure = 0; figure < N_FIGURES; figure++) {
      for (unsigned i = 0; i < n; i++)
        values[i] = rounds[i].ns[way][figure];
      medians->ns[way][figure] = bench_quantile (values, n, 0.5);
    }
  free (values);
}

static void
print_row (const char *name, const struct row *row)
{
  printf ("%-7s", name);
  for (int figure = 0; figure < N_FIGURES; figure++) {
    double xmem = (double) row->ns[WAY_XMEM][figure] / 1000;
    double socket = (double) row->ns[WAY_SOCKET][figure] / 1000;

    printf (" %9.1f %9.1f %6.2f", xmem, socket, xmem / socket);
  }
  printf ("\n");
}

static void
print_table (const struct bench_options *options, const struct row *rounds,
    const struct row *medians)
{
  char name[16];

  printf ("one-way latency in microseconds at %g frames/s, %u rounds of %g s\n"
          "%-7s %26s %26s %26s\n"
          "%-7s",
      options->rate, options->rounds, options->seconds, "", "p50", "p99", "max",
      "round");
  for (int figure = 0; figure < N_FIGURES; figure++)
    printf (" %9s %9s %6s", "xmem", "socket", "ratio");
  printf ("\n");
  for (unsigned i = 0; i < options->rounds; i++) {
    snprintf (name, sizeof (name), "%u", i + 1);
    print_row (name, &rounds[i]);
  }
  print_row ("median", medians);
}

static void
print_json_row (const struct row *row)
{
  for (int way = 0; way < N_WAYS; way++) {
    printf ("%s\"%s\": {", way ? ", " : "{", way_names[way]);
    for (int figure = 0; figure < N_FIGURES; figure++)
      printf ("%s\"%s\": %.1f", figure ? ", " : "", figure_names[figure],
          (double) row->ns[way][figure] / 1000);
    printf ("}");
  }
  printf ("}");
}

static void
print_json (const struct bench_options *options, const struct row *rounds,
    const struct row *medians)
{
  printf ("{\"rate\": %g, \"seconds\": %g, \"message_bytes\": %d, "
          "\"frame_bytes\": %d, \"rounds\": [",
      options->rate, options->seconds, MESSAGE_SIZE, BENCH_FRAME_SIZE);
  for (unsigned i = 0; i < options->rounds; i++) {
    printf ("%s", i ? ", " : "");
    print_json_row (&rounds[i]);
  }
  printf ("], \"median\": ");
  print_json_row (medians);
  printf ("}\n");
}

static int
report (const struct bench *bench)
{
  unsigned n = bench->options->rounds;
  struct row *rounds = calloc (n, sizeof (rounds[0]));
  struct row medians = { 0 };

  if (!rounds)
    return 1;
  for (unsigned i = 0; i < n; i++)
    for (int way = 0; way < N_WAYS; way++)
      evaluate (bench, way, WARM_UP + i * bench->per_round, bench->per_round,
          rounds[i].ns[way]);
  take_medians (rounds, n, &medians);
  (bench->options->json ? print_json : print_table) (
      bench->options, rounds, &medians);
  free (rounds);
  return 0;
}

/* --- the benchmark ------------------------------------------------------- */

static int
open_publisher (struct bench *bench)
{
  struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = bench_address (),
    .max_buffers = XMEM_MAX_GRANT };
  struct xmem_error error;

  if (xmem_pool_new (NULL, &bench->pool, &error) != 0
      || xmem_publisher_new (&params, &bench->publisher, &error) != 0)
    return bench_fail ("publisher", &error);
  if (xmem_publisher_wait_clients (bench->publisher, 1, 10 * BENCH_SECOND)
      != 0) {
    fprintf (stderr, "xmem-bench: the subscriber did not come\n");
    return 1;
  }
  return 0;
}

int
bench_latency (const struct bench_options *options)
{
  struct bench bench = { .options = options };
  int r;

  bench.per_round = (size_t) (options->rate * options->seconds);
  bench.n_ticks = WARM_UP + options->rounds * bench.per_round;
  for (int way = 0; way < N_WAYS; way++)
    bench.samples[way] =
        bench_shared (bench.n_ticks * sizeof (bench.samples[0][0]));
  start_children (&bench);
  r = open_publisher (&bench);
  if (r == 0)
    r = send_all (&bench);
  close (bench.socket_fd);
  if (bench.publisher)
    xmem_publisher_send_eos (bench.publisher);
  xmem_publisher_free (bench.publisher);
  for (int way = 0; way < N_WAYS; way++)
    r |= bench_reap (bench.children[way]);
  xmem_pool_unref (bench.pool);
  return r == 0 ? report (&bench) : 1;
}
