/* SPDX-License-Identifier: MIT */
/* Finds the driver or its double, and holds streams still. Keeps the table of
 * functions, and whether streams are held. */
#include "cuda/double.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DRIVER "libcuda.so.1"

struct cuda_double cuda_double;

struct function {
  const char *name;
  size_t place;
};

#define NAME_AND_PLACE(name) { #name, offsetof (struct cuda_double, name) },

static const struct function of_driver[] = { DRIVER_FUNCTIONS (
    NAME_AND_PLACE) };
static const struct function of_double[] = { DOUBLE_FUNCTIONS (
    NAME_AND_PLACE) };

static bool found_double; /* by a child of this process */

static bool
find_functions (
    void *library, const struct function *functions, size_t n_functions)
{
  for (size_t i = 0; i < n_functions; i++) {
    void *function = dlsym (library, functions[i].name);

    if (!function)
      return false;
    memcpy ((char *) &cuda_double + functions[i].place, &function,
        sizeof (function));
  }
  return true;
}

static bool
load_driver (void)
{
  void *library = dlopen (DRIVER, RTLD_NOW | RTLD_LOCAL);

  if (!library
      || !find_functions (library, of_driver, G_N_ELEMENTS (of_driver)))
    return false;
  find_functions (library, of_double, G_N_ELEMENTS (of_double));
  return true;
}

enum found { FOUND_DOUBLE, FOUND_DRIVER, FOUND_NOTHING };

static void
run_probe (int argc, char **argv)
{
  int n = 0;

  if (!load_driver ())
    _exit (FOUND_NOTHING);
  if (double_is_here ())
    _exit (FOUND_DOUBLE);
  _exit (cuda_double.cuInit (0) == 0 && cuda_double.cuDeviceGetCount (&n) == 0
                 && n > 0
             ? FOUND_DRIVER
             : FOUND_NOTHING);
}

#define MAX_ROLES 16

/* The tests' own process does not load the driver, which would leave threads
 * and descriptors there. */
static int
probe (void)
{
  struct harness_child child;

  harness_spawn (&child, "probe", NULL);
  return harness_join (&child);
}

void
double_init (int *argc, char ***argv, const struct harness_role *roles)
{
  static struct harness_role all[MAX_ROLES + 1] = { { "probe", run_probe } };

  for (size_t i = 0; roles && roles[i].name; i++) {
    g_assert_cmpuint (i + 1, <, MAX_ROLES);
    all[i + 1] = roles[i];
  }
  int found;

  harness_init (argc, argv, all);
  found = probe ();
  if (found != FOUND_DOUBLE && found != FOUND_DRIVER) {
    printf ("1..0 # SKIP neither the CUDA driver with a device nor its test "
            "double is here\n");
    exit (77);
  }
  found_double = found == FOUND_DOUBLE;
  printf (found_double ? "# with a test double of the CUDA driver, on no GPU\n"
                       : "# with a CUDA driver that is not our double\n");
}

bool
double_is_here (void)
{
  return found_double || cuda_double.fake_cuda_live;
}

static void
skip (void)
{
  g_test_skip ("only the double of the CUDA driver can play this");
}

void
double_add (const char *path, void (*run) (void))
{
  harness_add (path, double_is_here () ? run : skip);
}

void
double_load (void)
{
  CUcontext context;

  g_assert_true (load_driver ());
  g_assert_cmpint (cuda_double.cuInit (0), ==, 0);
  g_assert_cmpint (cuda_double.cuDevicePrimaryCtxRetain (&context, 0), ==, 0);
  g_assert_cmpint (cuda_double.cuCtxSetCurrent (context), ==, 0);
  if (!double_is_here ())
    double_prepare_kernels ();
}

CUstream
double_stream (void)
{
  CUstream stream;

  g_assert_cmpint (
      cuda_double.cuStreamCreate (&stream, CU_STREAM_NON_BLOCKING), ==, 0);
  return stream;
}

int64_t
double_live (const char *kind)
{
  return double_is_here () ? cuda_double.fake_cuda_live (kind) : 0;
}

/* --- held streams -------------------------------------------------------- */

static GMutex lock; /* of what follows */
static GCond changed;
static bool held;

static void
hold (void *data)
{
  g_mutex_lock (&lock);
  while (held)
    g_cond_wait (&changed, &lock);
  g_mutex_unlock (&lock);
}

static void
set_held (bool value)
{
  g_mutex_lock (&lock);
  held = value;
  g_cond_broadcast (&changed);
  g_mutex_unlock (&lock);
}

void
double_pause (const CUstream *streams, size_t n_streams)
{
  if (double_is_here ()) {
    cuda_double.fake_cuda_pause (true);
    return;
  }
  set_held (true);
  for (size_t i = 0; i < n_streams; i++)
    g_assert_cmpint (
        cuda_double.cuLaunchHostFunc (streams[i], hold, NULL), ==, 0);
}

void
double_go (void)
{
  if (double_is_here ())
    cuda_double.fake_cuda_pause (false);
  set_held (false);
}
