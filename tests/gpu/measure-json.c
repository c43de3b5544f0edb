/* SPDX-License-Identifier: MIT */
/* Prints the answers, one at a time: what hangs later leaves those before. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "measure.h"

static bool is_first = true;

void
say_key (const char *key)
{
  printf ("%s\n  \"%s\": ", is_first ? "{" : ",", key);
  fflush (stdout);
  is_first = false;
}

void
say_number (const char *key, long long value)
{
  say_key (key);
  printf ("%lld", value);
}

void
say_text (const char *key, const char *text)
{
  say_key (key);
  printf ("\"%s\"", text);
}

long long
now_ns (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int
compare (const void *a, const void *b)
{
  long long x = *(const long long *) a;
  long long y = *(const long long *) b;

  return (x > y) - (x < y);
}

void
say_times (const char *key, long long *times, int n)
{
  qsort (times, (size_t) n, sizeof times[0], compare);
  say_key (key);
  printf ("{ \"p50_ns\": %lld, \"p99_ns\": %lld, \"n\": %d }", times[n / 2],
      times[n * 99 / 100], n);
}

void
end_answers (void)
{
  printf ("\n}\n");
}
