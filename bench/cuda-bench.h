/* SPDX-License-Identifier: MIT */
/* What `xmem-bench cuda` measures, between its processes and what prints it. */
#ifndef XMEM_BENCH_CUDA_BENCH_H
#define XMEM_BENCH_CUDA_BENCH_H

#include "bench.h"
#include "driver.h"

/* How a frame that a stream writes in one process gets to a device pointer in
 * another. */
enum cuda_path {
  CUDA_PATH_EVENT, /* the reader's stream waits for the writer's event */
  CUDA_PATH_COMPLETE, /* the writer's CPU waits, then publishes */
  CUDA_PATH_COPY, /* written elsewhere on the device, copied to a slot */
  CUDA_PATH_HOST, /* written elsewhere, to the CPU, across, back to the device */
};

struct cuda_way {
  const char *name;
  enum cuda_path path;
  uint32_t mode; /* enum xmem_cuda_mode */
};

#define CUDA_WORDS_MAX 256
#define CUDA_N_WAYS 7
#define CUDA_N_SIZES 2

extern const struct cuda_way cuda_ways[CUDA_N_WAYS];

struct cuda_size {
  const char *name;
  size_t bytes;
};

extern const struct cuda_size cuda_sizes[CUDA_N_SIZES];

enum cuda_figure {
  CUDA_LATENCY, /* from its handing over to readable on the reader's device */
  CUDA_PRODUCER_WALL, /* of the thread that hands over */
  CUDA_PRODUCER_CPU,
  CUDA_CONSUMER_WALL, /* of the thread that takes it */
  CUDA_CONSUMER_CPU,
  CUDA_N_FIGURES
};

/* Nanoseconds; 0: not taken in this frame. */
struct cuda_sample {
  uint64_t ns[CUDA_N_FIGURES];
};

/* Of one way and size. In memory of all processes: the producer writes its
 * figures and `failure`, the consumer the others; all are read when both have
 * ended. */
struct cuda_result {
  char failure[CUDA_WORDS_MAX]; /* empty: none */
  char consumer_failure[CUDA_WORDS_MAX];
  uint64_t n_checked; /* frames compared byte by byte */
  uint64_t n_wrong;
  struct cuda_sample *samples;
};

struct cuda_bench {
  const struct bench_options *options;
  size_t n_frames; /* of each way and size, warm-up included */
  size_t warm_up;
  size_t per_round;
  struct cuda_result results[CUDA_N_SIZES][CUDA_N_WAYS];
  char device[BENCH_DRIVER_NAME_MAX];
};

/* Prints the table or the JSON. Returns 0 when all ways were measured and no
 * frame was wrong. */
int cuda_report (const struct cuda_bench *bench);

#endif
