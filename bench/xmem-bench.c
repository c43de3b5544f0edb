/* SPDX-License-Identifier: MIT */
/* The command line of the benchmarks. */
#include "bench.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: xmem-bench latency [--rate 60] [--seconds 10] [--rounds 5] "
    "[--json]\n"
    "       xmem-bench fanout [--clients 1,4,16] [--rate 60] [--seconds 10]\n"
    "                         [--stride 64] [--json]\n"
    "       xmem-bench pool [--rounds 5] [--slots 1024] [--json]\n"
    "       xmem-bench cuda [--rate 60] [--seconds 10] [--rounds 5] [--json]\n"
    "\n"
    "latency  how long a frame takes to a process that waits for it, beside\n"
    "         the same through a bare socket; --seconds are per round\n"
    "fanout   what many clients cost who each read every frame; --stride is\n"
    "         how many bytes lie between two that they read\n"
    "pool     what the calls of a named pool cost, beside one shared memory\n"
    "         object per buffer\n"
    "cuda     what it takes to hand over a frame in the memory of a CUDA\n"
    "         device, by way of events, of waiting and of copies; --rate is\n"
    "         that of each way\n";

static int
parse_clients (const char *text, struct bench_options *options)
{
  char *end;

  for (unsigned i = 0; i < BENCH_MAX_RUNS; i++) {
    unsigned long n = strtoul (text, &end, 10);

    if (end == text || n == 0 || n > BENCH_MAX_CLIENTS)
      return -1;
    options->clients[i] = (unsigned) n;
    if (i + 1 < BENCH_MAX_RUNS)
      options->clients[i + 1] = 0;
    if (*end == '\0')
      return 0;
    if (*end != ',')
      return -1;
    text = end + 1;
  }
  return -1;
}

static int
parse (int argc, char **argv, struct bench_options *options)
{
  static const struct option known[] = {
    { "rate", required_argument, NULL, 'r' },
    { "seconds", required_argument, NULL, 's' },
    { "rounds", required_argument, NULL, 'n' },
    { "clients", required_argument, NULL, 'c' },
    { "stride", required_argument, NULL, 't' },
    { "slots", required_argument, NULL, 'l' },
    { "json", no_argument, NULL, 'j' },
    { NULL, 0, NULL, 0 },
  };
  int c;

  while ((c = getopt_long (argc, argv, "", known, NULL)) != -1) {
    if (c == 'r')
      options->rate = atof (optarg);
    else if (c == 's')
      options->seconds = atof (optarg);
    else if (c == 'n')
      options->rounds = (unsigned) atoi (optarg);
    else if (c == 't')
      options->stride = (unsigned) atoi (optarg);
    else if (c == 'l')
      options->slots = (unsigned) atoi (optarg);
    else if (c == 'j')
      options->json = true;
    else if (c != 'c' || parse_clients (optarg, options) != 0)
      return -1;
  }
  if (optind != argc || options->rate < 1 || options->rate > 10000
      || options->seconds < 1 || options->seconds > 3600 || options->rounds < 1
      || options->rounds > 1000 || options->stride < 1 || options->slots < 128
      || options->slots > XMEM_MAX_SLOTS)
    return -1;
  return 0;
}

int
main (int argc, char **argv)
{
  struct bench_options options = { .rate = 60,
    .seconds = 10,
    .rounds = 5,
    .clients = { 1, 4, 16 },
    .stride = 64,
    .slots = 1024 };
  const char *name = argc > 1 ? argv[1] : "";

  if (argc > 1 && parse (argc - 1, argv + 1, &options) == 0) {
    if (strcmp (name, "latency") == 0)
      return bench_latency (&options);
    if (strcmp (name, "fanout") == 0)
      return bench_fanout (&options);
    if (strcmp (name, "pool") == 0)
      return bench_pool (&options);
    if (strcmp (name, "cuda") == 0)
      return bench_cuda (&options);
  }
  fputs (usage, stderr);
  return 2;
}
