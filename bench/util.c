/* SPDX-License-Identifier: MIT */
/* Clocks, figures about this process, children. */
#include "bench.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int64_t
bench_now (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return now.tv_sec * BENCH_SECOND + now.tv_nsec;
}

void
bench_sleep_until (int64_t ns)
{
  struct timespec at = { ns / BENCH_SECOND, ns % BENCH_SECOND };

  while (clock_nanosleep (CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) != 0)
    ;
}

static int
compare (const void *a, const void *b)
{
  uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

  return (x > y) - (x < y);
}

uint64_t
bench_quantile (uint64_t *values, size_t n, double part)
{
  if (n == 0)
    return 0;
  qsort (values, n, sizeof (values[0]), compare);
  return values[(size_t) (part * (double) (n - 1) + 0.5)];
}

void *
bench_shared (size_t size)
{
  void *memory = mmap (
      NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

  if (memory == MAP_FAILED) {
    perror ("xmem-bench: mmap");
    exit (1);
  }
  return memory;
}

int
bench_fork (void)
{
  int parent = getpid ();
  int pid = fork ();

  if (pid < 0) {
    perror ("xmem-bench: fork");
    exit (1);
  }
  if (pid == 0) {
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    if (getppid () != parent)
      _exit (1);
  }
  return pid;
}

int
bench_reap (int pid)
{
  int status;

  if (waitpid (pid, &status, 0) == pid && WIFEXITED (status))
    return WEXITSTATUS (status);
  fprintf (stderr, "xmem-bench: process %d died\n", pid);
  return 1;
}

int
bench_fail (const char *what, const struct xmem_error *error)
{
  fprintf (stderr, "xmem-bench: %s: %s\n", what, error->message);
  return 1;
}

const char *
bench_address (void)
{
  static char address[32];

  if (!address[0])
    snprintf (address, sizeof (address), "@xmem-bench-%d", (int) getpid ());
  return address;
}

unsigned
bench_count_fds (void)
{
  DIR *folder = opendir ("/proc/self/fd");
  unsigned n = 0;

  if (!folder)
    return 0;
  while (readdir (folder))
    n++;
  closedir (folder);
  return n - 3; /* ".", ".." and the folder's own */
}

long
bench_rss_kib (void)
{
  FILE *file = fopen ("/proc/self/statm", "re");
  long pages = 0;

  if (!file)
    return 0;
  if (fscanf (file, "%*d %ld", &pages) != 1)
    pages = 0;
  fclose (file);
  return pages * (sysconf (_SC_PAGESIZE) / 1024);
}

long
bench_minor_faults (void)
{
  struct rusage usage;

  getrusage (RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}
