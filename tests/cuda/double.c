/* SPDX-License-Identifier: MIT */
/* Finds the double; plays kernels. Keeps the table of its functions. */
#include "cuda/double.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DRIVER "libcuda.so.1"

struct cuda_double cuda_double;

#define NAME_AND_PLACE(name) { #name, offsetof (struct cuda_double, name) },

static const struct {
  const char *name;
  size_t place;
} functions[] = { DOUBLE_FUNCTIONS (NAME_AND_PLACE) };

static bool
find_functions (void *library)
{
  for (size_t i = 0; i < G_N_ELEMENTS (functions); i++) {
    void *function = dlsym (library, functions[i].name);

    if (!function)
      return false;
    memcpy ((char *) &cuda_double + functions[i].place, &function,
        sizeof (function));
  }
  return true;
}

static void
run_probe (int argc, char **argv)
{
  void *library = dlopen (DRIVER, RTLD_NOW | RTLD_LOCAL);

  _exit (library && find_functions (library) ? 0 : 1);
}

#define MAX_ROLES 16

/* The tests' own process does not load the double, which would leave threads
 * and descriptors there. */
static bool
is_double (void)
{
  struct harness_child child;

  harness_spawn (&child, "probe", NULL);
  return harness_join (&child) == 0;
}

void
double_init (int *argc, char ***argv, const struct harness_role *roles)
{
  static struct harness_role all[MAX_ROLES + 1] = { { "probe", run_probe } };

  for (size_t i = 0; roles && roles[i].name; i++) {
    g_assert_cmpuint (i + 1, <, MAX_ROLES);
    all[i + 1] = roles[i];
  }
  harness_init (argc, argv, all);
  if (!is_double ()) {
    printf ("1..0 # SKIP %s is not the test double of the driver\n", DRIVER);
    exit (77);
  }
  printf ("# with a test double of the CUDA driver, on no GPU\n");
}

void
double_load (void)
{
  void *library = dlopen (DRIVER, RTLD_NOW | RTLD_LOCAL);
  CUcontext context;

  g_assert_true (library && find_functions (library));
  g_assert_cmpint (cuda_double.cuInit (0), ==, 0);
  g_assert_cmpint (cuda_double.cuDevicePrimaryCtxRetain (&context, 0), ==, 0);
  g_assert_cmpint (cuda_double.cuCtxSetCurrent (context), ==, 0);
}

CUstream
double_stream (void)
{
  CUstream stream;

  g_assert_cmpint (
      cuda_double.cuStreamCreate (&stream, CU_STREAM_NON_BLOCKING), ==, 0);
  return stream;
}

/* --- kernels ------------------------------------------------------------- */

struct kernel {
  uint64_t *words;
  size_t n_words;
  uint64_t stamp;
  unsigned pause_us;
  struct double_tally *tally;
};

static void
write_words (void *data)
{
  struct kernel *kernel = data;

  for (size_t i = 0; i < kernel->n_words; i++)
    kernel->words[i] = kernel->stamp;
  free (kernel);
}

static bool
all_carry (const struct kernel *kernel)
{
  const volatile uint64_t *words = kernel->words;

  for (size_t i = 0; i < kernel->n_words; i++)
    if (words[i] != kernel->stamp)
      return false;
  return true;
}

static void
check_words (void *data)
{
  struct kernel *kernel = data;
  bool good = all_carry (kernel);

  if (kernel->pause_us > 0)
    usleep (kernel->pause_us);
  if (good && all_carry (kernel))
    kernel->tally->n_good++;
  else
    kernel->tally->n_bad++;
  free (kernel);
}

static void
launch (CUstream stream, void (*run) (void *data), const struct kernel *kernel,
    uint64_t pointer)
{
  struct kernel *copy = malloc (sizeof (*copy));

  g_assert_nonnull (copy);
  *copy = *kernel;
  copy->words = cuda_double.fake_cuda_peek (pointer);
  g_assert_nonnull (copy->words);
  g_assert_cmpint (cuda_double.cuLaunchHostFunc (stream, run, copy), ==, 0);
}

void
double_write (CUstream stream, uint64_t pointer, size_t n_words, uint64_t stamp)
{
  launch (stream, write_words,
      &(struct kernel){ .n_words = n_words, .stamp = stamp }, pointer);
}

void
double_check (CUstream stream, uint64_t pointer, size_t n_words, uint64_t stamp,
    unsigned pause_us, struct double_tally *tally)
{
  launch (stream, check_words,
      &(struct kernel){ .n_words = n_words,
          .stamp = stamp,
          .pause_us = pause_us,
          .tally = tally },
      pointer);
}
