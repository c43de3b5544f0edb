/* SPDX-License-Identifier: MIT */
/* What it takes to hand a frame in the memory of a CUDA device to another
 * process, by the ways there are.
 *
 * For each size of picture there is a process that produces, and for each way
 * one that consumes. In each tick every way is used once, in an order that
 * changes, and the next one's turn comes when the frame is back: no two disturb
 * each other, and whatever disturbs the machine disturbs all. A frame is written
 * by a copy on the device, the same for all ways, which stands for a decoder.
 * When that is launched, time begins to count: for the call that publishes, and
 * for the copies before it where a way has any.
 *
 * Frames differ by what they are written with, four patterns in turns. What a
 * consumer does changes from frame to frame: it waits on its CPU until the frame
 * can be read, for the latency; or it does what a consumer does who launches
 * work, for its thread's time; or, at times, it compares all bytes.
 *
 * Processes fork before they touch the driver. */
#include "cuda-bench.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <xmem/cuda.h>

#define DEVICE 0
#define STREAM NULL /* the legacy default stream */
#define WARM_UP 8
#define N_PATTERNS 4
#define CHECK_EVERY 16
#define SKIPPED 77
#define PATIENCE (30 * BENCH_SECOND)

const struct cuda_way cuda_ways[CUDA_N_WAYS] = {
  { "vmm, event", CUDA_PATH_EVENT, XMEM_CUDA_MODE_VMM },
  { "vmm, host waits", CUDA_PATH_COMPLETE, XMEM_CUDA_MODE_VMM },
  { "vmm, copy + event", CUDA_PATH_COPY, XMEM_CUDA_MODE_VMM },
  { "legacy, event", CUDA_PATH_EVENT, XMEM_CUDA_MODE_LEGACY },
  { "legacy, host waits", CUDA_PATH_COMPLETE, XMEM_CUDA_MODE_LEGACY },
  { "legacy, copy + event", CUDA_PATH_COPY, XMEM_CUDA_MODE_LEGACY },
  { "through the host", CUDA_PATH_HOST, XMEM_CUDA_MODE_AUTO },
};

const struct cuda_size cuda_sizes[CUDA_N_SIZES] = {
  { "1080p NV12", 1920 * 1080 * 3 / 2 },
  { "2160p NV12", 3840 * 2160 * 3 / 2 },
};

/* --- both ---------------------------------------------------------------- */

static const char *
address_of (size_t size, size_t way)
{
  static char address[64];

  snprintf (
      address, sizeof (address), "%s-%zu-%zu", bench_address (), size, way);
  return address;
}

static uint64_t
thread_cpu (void)
{
  struct timespec now;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &now);
  return (uint64_t) (now.tv_sec * BENCH_SECOND + now.tv_nsec);
}

/* At least 1: 0 means that it was not taken. */
static uint64_t
since (int64_t then)
{
  int64_t taken = bench_now () - then;

  return taken > 0 ? (uint64_t) taken : 1;
}

static uint64_t
cpu_since (uint64_t then)
{
  uint64_t taken = thread_cpu () - then;

  return taken > 0 ? taken : 1;
}

static void
fill_pattern (uint8_t *bytes, size_t size, uint64_t frame)
{
  unsigned seed = (unsigned) (frame % N_PATTERNS) * 64 + 1;

  for (size_t i = 0; i < size; i++)
    bytes[i] = (uint8_t) (seed + i * 7 + (i >> 8));
}

static int
keep_failure (char *words, const struct xmem_error *error)
{
  snprintf (words, CUDA_WORDS_MAX, "%s", error->message);
  return 1;
}

/* --- a consumer ---------------------------------------------------------- */

struct consumer {
  const struct cuda_way *way;
  struct cuda_result *result;
  size_t size;
  size_t n_frames;
  struct xmem_subscriber *subscriber;
  struct xmem_pool *pool;
  struct xmem_buffer *own; /* on the device, for what comes by the host */
  uint8_t *expected;
  uint8_t *seen;
};

static int
open_consumer (struct consumer *c, const char *address)
{
  struct xmem_subscriber_params params = { .struct_size = sizeof (params),
    .address = address,
    .name = "xmem-bench",
    .delivery = XMEM_DELIVERY_EVERY,
    .flags = XMEM_SUBSCRIBER_CUDA };
  char device[BENCH_DRIVER_NAME_MAX] = "no memory";
  struct xmem_error error;

  if (c->way->path == CUDA_PATH_COMPLETE)
    params.flags |= XMEM_SUBSCRIBER_CUDA_COMPLETE;
  c->expected = malloc (c->size);
  c->seen = malloc (c->size);
  if (!c->expected || !c->seen || bench_driver_open (device) != 0) {
    snprintf (c->result->consumer_failure, CUDA_WORDS_MAX, "%s", device);
    return 1;
  }
  if (xmem_pool_new (NULL, &c->pool, &error) != 0
      || xmem_pool_acquire_cuda (
             c->pool, c->size, DEVICE, 0, 0, &c->own, &error)
             != 0
      || xmem_subscriber_new (&params, &c->subscriber, &error) != 0
      || xmem_subscriber_connect (c->subscriber, PATIENCE, &error) != 0)
    return keep_failure (c->result->consumer_failure, &error);
  return 0;
}

/* Where the frame can be read on the device from now on, in the order of the
 * default stream; 0 on failure. */
static uint64_t
take (struct consumer *c, struct xmem_frame *frame, struct xmem_error *error)
{
  uint64_t own = xmem_buffer_get_cuda_pointer (c->own);

  if (c->way->path != CUDA_PATH_HOST)
    return xmem_frame_cuda_wait (frame, STREAM, error) == 0
               ? xmem_frame_get_cuda_pointer (frame, 0)
               : 0;
  if (bench_driver_upload (own, xmem_frame_get_data (frame, 0), c->size) == 0)
    return own;
  snprintf (error->message, sizeof (error->message), "the upload failed");
  return 0;
}

/* At once: what is written too late must not have the time to arrive. */
static void
check (struct consumer *c, uint64_t number, uint64_t pointer)
{
  bool arrived = bench_driver_download (c->seen, pointer, c->size) == 0;

  fill_pattern (c->expected, c->size, number);
  c->result->n_checked++;
  if (!arrived || memcmp (c->seen, c->expected, c->size) != 0)
    c->result->n_wrong++;
}

/* @cpu: this thread's, before it waited for the frame. */
static int
look (struct consumer *c, struct xmem_frame *frame, uint64_t cpu,
    struct xmem_error *error)
{
  const struct xmem_frame_info *info = xmem_frame_get_info (frame);
  uint64_t number = info->offset;
  int64_t handed_over = (int64_t) info->capture_ns;
  struct cuda_sample *sample = &c->result->samples[number % c->n_frames];
  int64_t start = bench_now ();
  uint64_t pointer = take (c, frame, error);
  int r = pointer == 0;

  if (r == 0 && number % 2 == 0) {
    r = xmem_frame_cuda_synchronize (frame, error);
    sample->ns[CUDA_LATENCY] = since (handed_over);
  } else if (r == 0 && number % CHECK_EVERY == CHECK_EVERY - 1) {
    check (c, number, pointer);
  } else if (r == 0) {
    xmem_frame_unref_after (frame, STREAM);
    sample->ns[CUDA_CONSUMER_WALL] = since (start);
    sample->ns[CUDA_CONSUMER_CPU] = cpu_since (cpu);
    return 0;
  }
  xmem_frame_unref (frame);
  return r;
}

static int
run_consumer (struct consumer *c, const char *address)
{
  struct xmem_error error;
  struct xmem_frame *frame;
  int r = open_consumer (c, address);

  if (r != 0)
    return r;
  do {
    uint64_t cpu = thread_cpu ();

    r = xmem_subscriber_next (c->subscriber, XMEM_WAIT_FOREVER, &frame, &error);
    if (r == 0)
      r = look (c, frame, cpu, &error);
  } while (r == 0);
  xmem_subscriber_free (c->subscriber);
  return r == XMEM_EOS ? 0 : keep_failure (c->result->consumer_failure, &error);
}

/* --- the producer -------------------------------------------------------- */

struct line {
  const struct cuda_way *way;
  struct cuda_result *result;
  struct xmem_pool *pool;
  struct xmem_publisher *publisher;
  int consumer; /* its pid */
};

struct producer {
  struct cuda_bench *bench;
  size_t size;
  struct xmem_pool *pool; /* of what is not handed over */
  struct xmem_buffer *patterns[N_PATTERNS]; /* on the device */
  struct xmem_buffer *elsewhere; /* on the device */
  struct line lines[CUDA_N_WAYS];
};

static int
open_patterns (struct producer *p, struct xmem_error *error)
{
  struct xmem_buffer *host;
  int r = xmem_pool_new (NULL, &p->pool, error);

  if (r == 0)
    r = xmem_pool_acquire_cuda (
        p->pool, p->size, DEVICE, 0, 0, &p->elsewhere, error);
  for (uint64_t i = 0; i < N_PATTERNS && r == 0; i++) {
    r = xmem_pool_acquire (p->pool, p->size, 0, 0, &host, error);
    if (r != 0)
      break;
    fill_pattern (xmem_buffer_get_mut_data (host), p->size, i);
    r = xmem_pool_acquire_cuda (
        p->pool, p->size, DEVICE, 0, 0, &p->patterns[i], error);
    if (r == 0)
      r = xmem_buffer_copy (p->patterns[i], host, error);
    xmem_buffer_unref (host);
  }
  return r;
}

static void
open_line (struct line *line, const char *address)
{
  struct xmem_pool_params pool = { .struct_size = sizeof (pool),
    .cuda_mode = line->way->mode };
  struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = address };
  struct xmem_error error;

  if (xmem_pool_new (&pool, &line->pool, &error) != 0
      || xmem_publisher_new (&params, &line->publisher, &error) != 0)
    keep_failure (line->result->failure, &error);
  else if (xmem_publisher_wait_clients (line->publisher, 1, 2 * PATIENCE) != 0)
    snprintf (
        line->result->failure, CUDA_WORDS_MAX, "the consumer did not come");
}

/* A slot, and the frame being written: into it where the way allows that. */
static int
write_frame (struct producer *p, const struct line *line, uint64_t number,
    struct xmem_buffer **slot_out, struct xmem_error *error)
{
  enum cuda_path path = line->way->path;
  bool in_place = path == CUDA_PATH_EVENT || path == CUDA_PATH_COMPLETE;
  int r = path == CUDA_PATH_HOST ? xmem_pool_acquire (
              line->pool, p->size, 0, PATIENCE, slot_out, error)
                                 : xmem_pool_acquire_cuda (line->pool, p->size,
                                     DEVICE, 0, PATIENCE, slot_out, error);

  if (r != 0)
    return r;
  r = xmem_buffer_copy_after (in_place ? *slot_out : p->elsewhere,
      p->patterns[number % N_PATTERNS], STREAM, error);
  if (r != 0)
    xmem_buffer_unref (*slot_out);
  return r;
}

static int
hand_over (struct producer *p, const struct line *line,
    struct xmem_buffer *slot, const struct xmem_frame_info *info,
    struct xmem_error *error)
{
  int r = 0;

  if (line->way->path == CUDA_PATH_COPY)
    r = xmem_buffer_copy_after (slot, p->elsewhere, STREAM, error);
  else if (line->way->path == CUDA_PATH_HOST)
    r = xmem_buffer_copy (slot, p->elsewhere, error);
  if (r != 0)
    return r;
  return line->way->path == CUDA_PATH_HOST
             ? xmem_publisher_publish_buffer (
                 line->publisher, slot, info, PATIENCE, error)
             : xmem_publisher_publish_after (
                 line->publisher, slot, STREAM, info, PATIENCE, error);
}

static int
send_frame (struct producer *p, const struct line *line, uint64_t number,
    struct xmem_error *error)
{
  struct cuda_sample *sample = &line->result->samples[number];
  struct xmem_buffer *slot;
  struct xmem_frame_info info;
  uint64_t cpu;
  int r = write_frame (p, line, number, &slot, error);

  if (r != 0)
    return r;
  xmem_frame_info_init (&info);
  info.offset = number;
  cpu = thread_cpu ();
  info.capture_ns = (uint64_t) bench_now ();
  r = hand_over (p, line, slot, &info, error);
  sample->ns[CUDA_PRODUCER_WALL] = since ((int64_t) info.capture_ns);
  sample->ns[CUDA_PRODUCER_CPU] = cpu_since (cpu);
  xmem_buffer_unref (slot);
  if (r != 0 || xmem_publisher_wait_released (line->publisher, PATIENCE) == 0)
    return r;
  snprintf (
      error->message, sizeof (error->message), "a frame did not come back");
  return XMEM_AGAIN;
}

static void
send_all (struct producer *p)
{
  int64_t turn =
      (int64_t) (BENCH_SECOND / p->bench->options->rate / CUDA_N_WAYS);
  int64_t at = bench_now ();
  struct xmem_error error;

  for (size_t i = 0; i < p->bench->n_frames; i++) {
    for (size_t n = 0; n < CUDA_N_WAYS; n++) {
      struct line *line = &p->lines[(i + n) % CUDA_N_WAYS];

      bench_sleep_until (at);
      if (!line->result->failure[0] && send_frame (p, line, i, &error) != 0)
        keep_failure (line->result->failure, &error);
      at += turn;
      at = at > bench_now () ? at : bench_now ();
    }
  }
}

/* A consumer that has not given back what it got may never end. */
static int
close_line (struct line *line)
{
  if (line->publisher)
    xmem_publisher_send_eos (line->publisher);
  xmem_publisher_free (line->publisher);
  xmem_pool_unref (line->pool);
  if (!line->result->failure[0])
    return bench_reap (line->consumer);
  kill (line->consumer, SIGKILL);
  waitpid (line->consumer, NULL, 0);
  return 1;
}

static int
start_consumer (struct producer *p, size_t size, size_t way)
{
  struct consumer consumer = { .way = &cuda_ways[way],
    .result = &p->bench->results[size][way],
    .size = p->size,
    .n_frames = p->bench->n_frames };
  int pid = bench_fork ();

  if (pid == 0)
    _exit (run_consumer (&consumer, address_of (size, way)));
  return pid;
}

static int
produce (struct cuda_bench *bench, size_t size)
{
  struct producer p = { .bench = bench, .size = cuda_sizes[size].bytes };
  struct xmem_error error;
  int r = 0;

  for (size_t way = 0; way < CUDA_N_WAYS; way++) {
    p.lines[way].way = &cuda_ways[way];
    p.lines[way].result = &bench->results[size][way];
    p.lines[way].consumer = start_consumer (&p, size, way);
  }
  if (bench_driver_open (bench->device) != 0)
    return SKIPPED; /* the consumers die with us */
  if (open_patterns (&p, &error) != 0)
    return bench_fail ("cuda", &error);
  for (size_t way = 0; way < CUDA_N_WAYS; way++)
    open_line (&p.lines[way], address_of (size, way));
  send_all (&p);
  for (size_t way = 0; way < CUDA_N_WAYS; way++)
    r |= close_line (&p.lines[way]);
  return r;
}

/* --- the benchmark ------------------------------------------------------- */

static struct cuda_bench *
bench_new (const struct bench_options *options)
{
  struct cuda_bench *bench = bench_shared (sizeof (*bench));

  bench->options = options;
  bench->warm_up = WARM_UP;
  bench->per_round = (size_t) (options->rate * options->seconds);
  bench->n_frames = WARM_UP + options->rounds * bench->per_round;
  for (size_t size = 0; size < CUDA_N_SIZES; size++)
    for (size_t way = 0; way < CUDA_N_WAYS; way++)
      bench->results[size][way].samples =
          bench_shared (bench->n_frames * sizeof (struct cuda_sample));
  return bench;
}

int
bench_cuda (const struct bench_options *options)
{
  struct cuda_bench *bench = bench_new (options);
  int r = 0;

  bench_address (); /* of this process, not of the children */
  fflush (stdout);
  for (size_t size = 0; size < CUDA_N_SIZES && r != SKIPPED; size++) {
    int pid = bench_fork ();

    if (pid == 0)
      _exit (produce (bench, size));
    r |= bench_reap (pid);
  }
  if (r == SKIPPED) {
    fprintf (stderr, "skipped: %s\n", bench->device);
    return r;
  }
  return cuda_report (bench) | r;
}
