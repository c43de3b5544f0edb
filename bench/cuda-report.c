/* SPDX-License-Identifier: MIT */
/* Figures of `xmem-bench cuda`: each is taken per round, and the median of the
 * rounds is printed. */
#include "cuda-bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is printed of the samples. */
enum column {
  LATENCY_P50,
  LATENCY_P99,
  PRODUCER_WALL,
  PRODUCER_CPU,
  CONSUMER_WALL,
  CONSUMER_CPU,
  N_COLUMNS
};

static const struct {
  const char *name;
  enum cuda_figure figure;
  double part;
} columns[N_COLUMNS] = {
  { "latency_p50_us", CUDA_LATENCY, 0.5 },
  { "latency_p99_us", CUDA_LATENCY, 0.99 },
  { "producer_wall_p50_us", CUDA_PRODUCER_WALL, 0.5 },
  { "producer_cpu_p50_us", CUDA_PRODUCER_CPU, 0.5 },
  { "consumer_wall_p50_us", CUDA_CONSUMER_WALL, 0.5 },
  { "consumer_cpu_p50_us", CUDA_CONSUMER_CPU, 0.5 },
};

struct row {
  double us[N_COLUMNS];
  size_t n_latencies;
};

static size_t
collect (const struct cuda_sample *samples, size_t n, enum cuda_figure figure,
    uint64_t *values)
{
  size_t n_values = 0;

  for (size_t i = 0; i < n; i++)
    if (samples[i].ns[figure] > 0)
      values[n_values++] = samples[i].ns[figure];
  return n_values;
}

static double
take_median (const struct cuda_bench *bench, const struct cuda_result *result,
    enum column column, uint64_t *values)
{
  unsigned n_rounds = bench->options->rounds;
  uint64_t *of_rounds = calloc (n_rounds, sizeof (of_rounds[0]));
  double median;

  if (!of_rounds)
    return 0;
  for (unsigned i = 0; i < n_rounds; i++) {
    size_t n = collect (result->samples + bench->warm_up + i * bench->per_round,
        bench->per_round, columns[column].figure, values);

    of_rounds[i] = bench_quantile (values, n, columns[column].part);
  }
  median = (double) bench_quantile (of_rounds, n_rounds, 0.5) / 1000;
  free (of_rounds);
  return median;
}

static struct row
evaluate (const struct cuda_bench *bench, const struct cuda_result *result)
{
  uint64_t *values = calloc (bench->n_frames, sizeof (values[0]));
  struct row row = { 0 };

  if (!values)
    return row;
  for (int i = 0; i < N_COLUMNS; i++)
    row.us[i] = take_median (bench, result, (enum column) i, values);
  row.n_latencies = collect (result->samples + bench->warm_up,
      bench->n_frames - bench->warm_up, CUDA_LATENCY, values);
  free (values);
  return row;
}

static const char *
failure_of (const struct cuda_result *result)
{
  return result->consumer_failure[0] ? result->consumer_failure
                                     : result->failure;
}

/* --- as a table ---------------------------------------------------------- */

static void
print_row (const struct cuda_bench *bench, size_t size, size_t way)
{
  const struct cuda_result *result = &bench->results[size][way];
  struct row row = evaluate (bench, result);

  printf ("%-21s", cuda_ways[way].name);
  for (int i = 0; i < N_COLUMNS; i++)
    printf (" %9.1f", row.us[i]);
  printf (" %8zu %7llu %5llu\n", row.n_latencies,
      (unsigned long long) result->n_checked,
      (unsigned long long) result->n_wrong);
  if (failure_of (result)[0])
    printf ("  failed: %s\n", failure_of (result));
}

static void
print_table (const struct cuda_bench *bench, const char *what)
{
  const struct bench_options *options = bench->options;

  printf ("%s\n%s\nhanding over frames in device memory, %g/s by each way, "
          "medians of %u rounds of %g s, in microseconds\n",
      bench->device, what, options->rate, options->rounds, options->seconds);
  for (size_t size = 0; size < CUDA_N_SIZES; size++) {
    printf ("\n%s, %zu bytes\n%-21s %19s %19s %19s\n%-21s %9s %9s %9s %9s %9s "
            "%9s %8s %7s %5s\n",
        cuda_sizes[size].name, cuda_sizes[size].bytes, "",
        "handed over: latency", "producer's thread", "consumer's thread", "way",
        "p50", "p99", "wall p50", "CPU p50", "wall p50", "CPU p50", "latencies",
        "checked", "wrong");
    for (size_t way = 0; way < CUDA_N_WAYS; way++)
      print_row (bench, size, way);
  }
}

/* --- as JSON ------------------------------------------------------------- */

static void
print_text (const char *text)
{
  printf ("\"");
  for (; *text; text++)
    printf (*text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
  printf ("\"");
}

static void
print_json_row (const struct cuda_bench *bench, size_t size, size_t way)
{
  const struct cuda_result *result = &bench->results[size][way];
  struct row row = evaluate (bench, result);

  printf ("%s\n    {\"frame\": \"%s\", \"bytes\": %zu, \"way\": \"%s\"",
      size || way ? "," : "", cuda_sizes[size].name, cuda_sizes[size].bytes,
      cuda_ways[way].name);
  for (int i = 0; i < N_COLUMNS; i++)
    printf (", \"%s\": %.1f", columns[i].name, row.us[i]);
  printf (", \"latencies\": %zu, \"checked\": %llu, \"wrong\": %llu, "
          "\"failure\": ",
      row.n_latencies, (unsigned long long) result->n_checked,
      (unsigned long long) result->n_wrong);
  print_text (failure_of (result));
  printf ("}");
}

static void
print_json (const struct cuda_bench *bench, const char *what)
{
  const struct bench_options *options = bench->options;

  printf ("{\"device\": ");
  print_text (bench->device);
  printf (", \"driver\": ");
  print_text (what);
  printf (", \"rate\": %g, \"seconds\": %g, \"rounds\": %u, \"ways\": [",
      options->rate, options->seconds, options->rounds);
  for (size_t size = 0; size < CUDA_N_SIZES; size++)
    for (size_t way = 0; way < CUDA_N_WAYS; way++)
      print_json_row (bench, size, way);
  printf ("\n]}\n");
}

int
cuda_report (const struct cuda_bench *bench)
{
  const char *what = strstr (bench->device, "test double")
                         ? "test double, no GPU: times mean nothing"
                         : "real";
  int r = 0;

  (bench->options->json ? print_json : print_table) (bench, what);
  for (size_t size = 0; size < CUDA_N_SIZES; size++)
    for (size_t way = 0; way < CUDA_N_WAYS; way++) {
      const struct cuda_result *result = &bench->results[size][way];

      r |= failure_of (result)[0] || result->n_wrong > 0
           || result->n_checked == 0;
    }
  return r;
}
