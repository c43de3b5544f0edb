/* SPDX-License-Identifier: MIT */
/* What many clients cost: each is a process that reads every frame.
 *
 * The producer writes each frame in full, all bytes alike and other than in
 * the frame before; a client reads it at a stride and reports a frame whose
 * bytes are not all alike as torn. Figures are taken after the first frames,
 * when the mappings are there. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WARM_UP 60

/* What a process says of itself, once in the steady state and at the end. */
struct snapshot {
  long faults;
  long rss_kib;
  unsigned fds;
  unsigned segments;
  uint64_t pool_bytes; /* producer only */
};

struct client {
  bool finished; /* the stream ended cleanly */
  uint64_t frames, lost, torn;
  uint64_t steady_frames; /* after the warm-up */
  uint64_t latency_p50_ns, latency_p99_ns;
  struct snapshot before, after;
};

struct run {
  const struct bench_options *options;
  unsigned n_clients;
  struct client *clients; /* shared with the children */
  int pids[BENCH_MAX_CLIENTS];
  uint64_t n_frames; /* to send, warm-up included */
  uint64_t *publish_ns; /* of the frames after the warm-up */
  uint64_t fill_p50_ns, n_late;
  struct snapshot before, after;
};

/* Counts the faults last, but those of looking for the first time. */
static void
take_snapshot (struct snapshot *snapshot)
{
  (void) bench_count_fds ();
  (void) bench_rss_kib ();
  snapshot->fds = bench_count_fds ();
  snapshot->rss_kib = bench_rss_kib ();
  snapshot->faults = bench_minor_faults ();
}

/* --- clients ------------------------------------------------------------- */

static bool
is_torn (const struct xmem_frame *frame, unsigned stride)
{
  const uint8_t *bytes = xmem_frame_get_data (frame, 0);
  uint64_t size = xmem_frame_get_region (frame, 0)->size;
  uint8_t differs = 0;

  for (uint64_t i = 0; i < size; i += stride)
    differs |= bytes[i] ^ bytes[0];
  return differs != 0;
}

static void
finish_client (struct client *client, struct xmem_subscriber *subscriber)
{
  struct xmem_subscriber_stats stats;

  client->after.faults = bench_minor_faults (); /* before looking costs some */
  client->after.rss_kib = bench_rss_kib ();
  client->after.fds = bench_count_fds ();
  xmem_subscriber_get_stats (subscriber, &stats);
  client->after.segments = stats.n_segments;
  client->frames = stats.frames_received;
  client->lost = stats.frames_lost;
  client->latency_p50_ns = stats.latency_p50_ns;
  client->latency_p99_ns = stats.latency_p99_ns;
}

static int
run_client (struct client *client, unsigned stride)
{
  struct xmem_subscriber_params params = { .struct_size = sizeof (params),
    .address = bench_address (),
    .name = "xmem-bench",
    .delivery = XMEM_DELIVERY_EVERY };
  struct xmem_subscriber_stats stats;
  struct xmem_subscriber *subscriber;
  struct xmem_error error;
  struct xmem_frame *frame;
  int r;

  if (xmem_subscriber_new (&params, &subscriber, &error) != 0
      || xmem_subscriber_connect (subscriber, 30 * BENCH_SECOND, &error) != 0)
    return bench_fail ("subscriber", &error);
  for (uint64_t n = 1; (r = xmem_subscriber_next (
                            subscriber, XMEM_WAIT_FOREVER, &frame, &error))
                       == 0;
       n++) {
    client->torn += is_torn (frame, stride);
    xmem_frame_unref (frame);
    if (n == WARM_UP) {
      xmem_subscriber_get_stats (subscriber, &stats);
      client->before.segments = stats.n_segments;
      take_snapshot (&client->before);
    }
    client->steady_frames = n > WARM_UP ? n - WARM_UP : 0;
  }
  finish_client (client, subscriber);
  client->finished = r == XMEM_EOS;
  xmem_subscriber_free (subscriber);
  return client->finished ? 0 : bench_fail ("subscriber", &error);
}

/* --- the producer -------------------------------------------------------- */

static void
snapshot_producer (struct xmem_pool *pool, struct snapshot *snapshot)
{
  struct xmem_pool_stats stats;

  xmem_pool_get_stats (pool, &stats);
  snapshot->segments = stats.n_segments;
  snapshot->pool_bytes = stats.bytes;
  take_snapshot (snapshot);
}

/* Returns how long publishing took in *publish_ns, filling in *fill_ns. */
static int
send_frame (struct xmem_pool *pool, struct xmem_publisher *publisher,
    uint64_t number, uint64_t *fill_ns, uint64_t *publish_ns)
{
  struct xmem_frame_info info;
  struct xmem_buffer *buffer;
  struct xmem_error error;
  int64_t start;
  int r;

  r = xmem_pool_acquire (
      pool, BENCH_FRAME_SIZE, 0, 10 * BENCH_SECOND, &buffer, &error);
  if (r != 0)
    return bench_fail ("pool", &error);
  start = bench_now ();
  memset (xmem_buffer_get_mut_data (buffer), (int) (number & 255),
      BENCH_FRAME_SIZE);
  *fill_ns = (uint64_t) (bench_now () - start);
  xmem_frame_info_init (&info);
  info.pts = (int64_t) number;
  start = bench_now ();
  r = xmem_publisher_publish_buffer (
      publisher, buffer, &info, 10 * BENCH_SECOND, &error);
  *publish_ns = (uint64_t) (bench_now () - start);
  xmem_buffer_unref (buffer);
  return r == 0 ? 0 : bench_fail ("publish", &error);
}

static int
send_all (
    struct run *run, struct xmem_pool *pool, struct xmem_publisher *publisher)
{
  int64_t period = (int64_t) (BENCH_SECOND / run->options->rate);
  uint64_t *fill_ns = calloc (run->n_frames, sizeof (fill_ns[0]));
  int64_t at = bench_now ();
  int r = fill_ns ? 0 : 1;

  for (uint64_t i = 0; i < run->n_frames && r == 0; i++, at += period) {
    bench_sleep_until (at);
    r = send_frame (pool, publisher, i, &fill_ns[i], &run->publish_ns[i]);
    if (i > WARM_UP && bench_now () > at + period)
      run->n_late++;
    if (i == WARM_UP)
      snapshot_producer (pool, &run->before);
  }
  if (r == 0) {
    xmem_publisher_wait_released (publisher, 10 * BENCH_SECOND);
    snapshot_producer (pool, &run->after);
    xmem_publisher_send_eos (publisher);
    run->fill_p50_ns = bench_quantile (fill_ns, run->n_frames, 0.5);
  }
  free (fill_ns);
  return r;
}

static int
produce (struct run *run)
{
  struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = bench_address () };
  struct xmem_publisher *publisher;
  struct xmem_error error;
  struct xmem_pool *pool;
  int r;

  if (xmem_pool_new (NULL, &pool, &error) != 0
      || xmem_publisher_new (&params, &publisher, &error) != 0)
    return bench_fail ("publisher", &error);
  r = xmem_publisher_wait_clients (
      publisher, run->n_clients, 30 * BENCH_SECOND);
  if (r != 0)
    fprintf (stderr, "xmem-bench: not all clients came\n");
  else
    r = send_all (run, pool, publisher);
  xmem_publisher_free (publisher);
  xmem_pool_unref (pool);
  return r;
}

/* --- figures ------------------------------------------------------------- */

static double
faults_per_frame (const struct client *c)
{
  return c->steady_frames ? (double) (c->after.faults - c->before.faults)
                                / (double) c->steady_frames
                          : -1;
}

static void
print (struct run *run, uint64_t *publish_ns, size_t n)
{
  double p50 = (double) bench_quantile (publish_ns, n, 0.5) / 1000;
  double p99 = (double) bench_quantile (publish_ns, n, 0.99) / 1000;

  printf ("\n%u clients, 1080p NV12 at %g frames/s for %g s, delivery=every, "
          "every client reads one byte in %u\n"
          "producer: publish p50 %.1f us, p99 %.1f us; filling p50 %.0f us; "
          "%llu frames late\n"
          "          fds %u, then %u; pool %u segments, %.1f MiB, then %u, "
          "%.1f MiB; RSS drift %+ld KiB\n"
          "client  frames  lost  torn  faults/frame   RSS drift        fds   "
          "segments    p50 us    p99 us\n",
      run->n_clients, run->options->rate, run->options->seconds,
      run->options->stride, p50, p99, (double) run->fill_p50_ns / 1000,
      (unsigned long long) run->n_late, run->before.fds, run->after.fds,
      run->before.segments, (double) run->before.pool_bytes / (1 << 20),
      run->after.segments, (double) run->after.pool_bytes / (1 << 20),
      run->after.rss_kib - run->before.rss_kib);
  for (unsigned i = 0; i < run->n_clients; i++) {
    const struct client *c = &run->clients[i];

    printf ("%6u %7llu %5llu %5llu %13.3f %+7ld KiB %4u, %4u %4u, %4u %9.1f "
            "%9.1f\n",
        i + 1, (unsigned long long) c->frames, (unsigned long long) c->lost,
        (unsigned long long) c->torn, faults_per_frame (c),
        c->after.rss_kib - c->before.rss_kib, c->before.fds, c->after.fds,
        c->before.segments, c->after.segments,
        (double) c->latency_p50_ns / 1000, (double) c->latency_p99_ns / 1000);
  }
}

static void
print_json (struct run *run, uint64_t *publish_ns, size_t n)
{
  printf ("{\"clients\": %u, \"rate\": %g, \"seconds\": %g, \"stride\": %u, "
          "\"publish_p50_us\": %.1f, \"publish_p99_us\": %.1f, "
          "\"late\": %llu, \"fds\": [%u, %u], \"pool_bytes\": [%llu, %llu], "
          "\"rss_drift_kib\": %ld, \"per_client\": [",
      run->n_clients, run->options->rate, run->options->seconds,
      run->options->stride, (double) bench_quantile (publish_ns, n, 0.5) / 1000,
      (double) bench_quantile (publish_ns, n, 0.99) / 1000,
      (unsigned long long) run->n_late, run->before.fds, run->after.fds,
      (unsigned long long) run->before.pool_bytes,
      (unsigned long long) run->after.pool_bytes,
      run->after.rss_kib - run->before.rss_kib);
  for (unsigned i = 0; i < run->n_clients; i++) {
    const struct client *c = &run->clients[i];

    printf ("%s{\"frames\": %llu, \"lost\": %llu, \"torn\": %llu, "
            "\"faults_per_frame\": %.3f, \"rss_drift_kib\": %ld, "
            "\"fds\": [%u, %u], \"p50_us\": %.1f, \"p99_us\": %.1f}",
        i ? ", " : "", (unsigned long long) c->frames,
        (unsigned long long) c->lost, (unsigned long long) c->torn,
        faults_per_frame (c), c->after.rss_kib - c->before.rss_kib,
        c->before.fds, c->after.fds, (double) c->latency_p50_ns / 1000,
        (double) c->latency_p99_ns / 1000);
  }
  printf ("]}\n");
}

/* --- the benchmark ------------------------------------------------------- */

static int
run_one (const struct bench_options *options, unsigned n_clients)
{
  struct run run = { .options = options, .n_clients = n_clients };
  int r;

  run.n_frames = WARM_UP + (uint64_t) (options->rate * options->seconds);
  run.publish_ns = calloc (run.n_frames, sizeof (run.publish_ns[0]));
  run.clients = bench_shared (n_clients * sizeof (run.clients[0]));
  if (!run.publish_ns)
    return 1;
  bench_address (); /* of this process, not of the children */
  fflush (stdout);
  for (unsigned i = 0; i < n_clients; i++) {
    run.pids[i] = bench_fork ();
    if (run.pids[i] == 0)
      _exit (run_client (&run.clients[i], options->stride));
  }
  r = produce (&run);
  for (unsigned i = 0; i < n_clients; i++)
    r |= bench_reap (run.pids[i]);
  if (r == 0)
    (options->json ? print_json : print) (
        &run, run.publish_ns + WARM_UP, run.n_frames - WARM_UP);
  free (run.publish_ns);
  return r == 0 ? 0 : 1;
}

int
bench_fanout (const struct bench_options *options)
{
  int r = 0;

  for (unsigned i = 0; i < BENCH_MAX_RUNS && options->clients[i]; i++)
    r |= run_one (options, options->clients[i]);
  return r;
}
