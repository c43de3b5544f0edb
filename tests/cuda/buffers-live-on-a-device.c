/* SPDX-License-Identifier: MIT */
/* Buffers of a pool in the memory of a device: getting them, copying them, what
 * is said when they cannot be had, and that nothing is left. Each case is a
 * child with a driver of its own. Whether calls failed, were made or left
 * something, only the double can say. */
#include <stdlib.h>
#include <string.h>

#include "cuda/double.h"

#define SIZE 100000

static struct xmem_pool *
pool_new (unsigned mode)
{
  const struct xmem_pool_params params = { .struct_size = sizeof (params),
    .cuda_mode = mode };
  struct xmem_pool *pool;
  struct xmem_error error;

  harness_assert_ok (xmem_pool_new (&params, &pool, &error), &error);
  return pool;
}

static struct xmem_buffer *
acquire (struct xmem_pool *pool, uint64_t size, int device)
{
  struct xmem_buffer *buffer;
  struct xmem_error error;

  harness_assert_ok (
      xmem_pool_acquire_cuda (pool, size, device, 0, 0, &buffer, &error),
      &error);
  return buffer;
}

static struct xmem_buffer *
acquire_cpu (struct xmem_pool *pool, uint64_t size)
{
  struct xmem_buffer *buffer;
  struct xmem_error error;

  harness_assert_ok (
      xmem_pool_acquire (pool, size, 0, 0, &buffer, &error), &error);
  return buffer;
}

static void
refuse (unsigned mode, int device, int status, const char *words)
{
  struct xmem_pool *pool = pool_new (mode);
  struct xmem_buffer *buffer = NULL;
  struct xmem_error error;

  harness_assert_status (
      xmem_pool_acquire_cuda (pool, SIZE, device, 0, 0, &buffer, &error),
      status, &error);
  g_test_message ("%s", error.message);
  harness_assert_contains (error.message, words);
  g_assert_null (buffer);
  xmem_pool_unref (pool);
}

/* Of what a process keeps there is the primary context of each device. */
static void
check_nothing_left (int n_contexts)
{
  if (!double_is_here ())
    return;
  g_assert_cmpint (double_live ("context"), ==, n_contexts);
  g_assert_cmpint (double_live (NULL), ==, n_contexts);
}

/* --- getting them -------------------------------------------------------- */

static void
use_mode (unsigned mode)
{
  struct xmem_pool *pool = pool_new (mode);
  struct xmem_buffer *one = acquire (pool, SIZE, 0);
  struct xmem_buffer *small = acquire (pool, 1, 0);
  struct xmem_buffer *host = acquire_cpu (pool, SIZE);
  struct xmem_buffer *again;

  g_assert_cmpint (xmem_buffer_get_device (one), ==, 0);
  g_assert_cmpint (xmem_buffer_get_device (host), ==, -1);
  g_assert_cmpuint (xmem_buffer_get_size (one), ==, SIZE);
  g_assert_cmpuint (xmem_buffer_get_size (small), ==, 1);
  g_assert_cmpuint (xmem_buffer_get_cuda_pointer (one), !=, 0);
  g_assert_cmpuint (xmem_buffer_get_cuda_pointer (one) % 512, ==, 0);
  g_assert_cmpuint (xmem_buffer_get_cuda_pointer (small) % 512, ==, 0);
  g_assert_cmpuint (xmem_buffer_get_cuda_pointer (host), ==, 0);
  g_assert_null (xmem_buffer_get_data (one));
  g_assert_null (xmem_buffer_get_mut_data (one));
  g_assert_nonnull (xmem_buffer_get_mut_data (host));
  /* A free slot serves its own kind of memory only. */
  xmem_buffer_unref (one);
  again = acquire_cpu (pool, SIZE);
  g_assert_cmpint (xmem_buffer_get_device (again), ==, -1);
  xmem_buffer_unref (again);
  again = acquire (pool, SIZE, 0);
  g_assert_cmpint (xmem_buffer_get_device (again), ==, 0);
  xmem_buffer_unref (again);
  xmem_buffer_unref (small);
  xmem_buffer_unref (host);
  xmem_pool_unref (pool);
}

static void
check_legacy_used (bool used)
{
  if (double_is_here ())
    g_assert_cmpint (
        cuda_double.fake_cuda_calls ("cuMemAlloc", 0) > 0, ==, used);
}

static void
run_modes (int argc, char **argv)
{
  double_load ();
  use_mode (XMEM_CUDA_MODE_AUTO);
  check_legacy_used (false);
  use_mode (XMEM_CUDA_MODE_VMM);
  use_mode (XMEM_CUDA_MODE_LEGACY);
  check_legacy_used (true);
  check_nothing_left (1);
}

static void
run_without_vmm (int argc, char **argv)
{
  g_setenv ("FAKE_CUDA_WITHOUT", argv[0], true);
  double_load ();
  use_mode (XMEM_CUDA_MODE_AUTO);
  check_legacy_used (true);
  refuse (XMEM_CUDA_MODE_VMM, 0, XMEM_UNSUPPORTED, argv[1]);
  check_nothing_left (1);
}

static void
run_refusals (int argc, char **argv)
{
  g_setenv ("FAKE_CUDA_WITHOUT", "vmm,legacy", true);
  double_load ();
  refuse (XMEM_CUDA_MODE_AUTO, 0, XMEM_UNSUPPORTED, "cuIpcGetMemHandle ()");
  refuse (XMEM_CUDA_MODE_LEGACY, 0, XMEM_UNSUPPORTED, "CUDA_ERROR_");
  refuse (XMEM_CUDA_MODE_AUTO, 1, XMEM_UNSUPPORTED, "this process sees 1");
  refuse (XMEM_CUDA_MODE_AUTO, -1, XMEM_INVALID, "-1");
  check_nothing_left (1);
}

/* The memory of the device is used up before the pool's limit is reached. */
static void
run_full (int argc, char **argv)
{
  struct xmem_buffer *buffer;
  struct xmem_pool *pool;
  struct xmem_error error;
  unsigned n = 0;
  int r;

  g_setenv ("FAKE_CUDA_MEMORY", "33554432", true);
  double_load ();
  pool = pool_new (XMEM_CUDA_MODE_AUTO);
  while ((r = xmem_pool_acquire_cuda (pool, 4 << 20, 0, 0, 0, &buffer, &error))
         == 0) {
    xmem_buffer_unref (xmem_buffer_ref (buffer)); /* stays */
    n++;
  }
  harness_assert_status (r, XMEM_NO_SPACE, &error);
  harness_assert_contains (error.message, "CUDA_ERROR_OUT_OF_MEMORY");
  g_assert_cmpuint (n, >=, 4);
  for (uint32_t i = 0;
       xmem_pool_get_at (pool, i, XMEM_READ, &buffer, NULL) == 0; i++) {
    xmem_buffer_unref (buffer);
    xmem_buffer_unref (buffer);
  }
  xmem_pool_unref (pool);
  check_nothing_left (1);
}

static void
run_growth (int argc, char **argv)
{
  struct xmem_pool *pool;
  struct xmem_pool_stats stats;
  struct xmem_error error;

  double_load ();
  pool = pool_new (XMEM_CUDA_MODE_AUTO);
  harness_assert_ok (
      xmem_pool_preallocate_cuda (pool, SIZE, 300, 0, &error), &error);
  xmem_pool_get_stats (pool, &stats);
  g_assert_cmpuint (stats.n_slots, >=, 300);
  g_assert_cmpuint (stats.n_segments, ==, 2); /* 256 slots at most */
  xmem_pool_trim (pool, SIZE);
  xmem_pool_get_stats (pool, &stats);
  g_assert_cmpuint (stats.n_segments, ==, 2);
  xmem_pool_trim (pool, SIZE * 4);
  xmem_pool_get_stats (pool, &stats);
  g_assert_cmpuint (stats.n_segments, ==, 0);
  check_nothing_left (1);
  harness_assert_status (
      xmem_pool_preallocate_cuda (pool, 1 << 30, 2, 0, &error), XMEM_FULL,
      &error);
  xmem_pool_unref (pool);
}

/* --- copies -------------------------------------------------------------- */

static void
fill (struct xmem_buffer *buffer, unsigned seed)
{
  uint8_t *bytes = xmem_buffer_get_mut_data (buffer);

  for (size_t i = 0; i < SIZE; i++)
    bytes[i] = (uint8_t) (seed + i * 7);
}

static void
copy (struct xmem_buffer *to, struct xmem_buffer *from, CUstream stream)
{
  struct xmem_error error;

  harness_assert_ok (stream ? xmem_buffer_copy_after (to, from, stream, &error)
                            : xmem_buffer_copy (to, from, &error),
      &error);
}

/* CPU -> one -> other -> CPU, by a stream of device 0 or waiting at each step. */
static void
copy_around (struct xmem_pool *pool, int one, int other, CUstream stream)
{
  struct xmem_buffer *from = acquire_cpu (pool, SIZE);
  struct xmem_buffer *first = acquire (pool, SIZE, one);
  struct xmem_buffer *second = acquire (pool, SIZE, other);
  struct xmem_buffer *to = acquire_cpu (pool, SIZE);
  struct xmem_buffer_info info = { .sequence = 7 };
  struct xmem_error error;

  fill (from, (unsigned) (1 + one * 2 + other));
  memset (xmem_buffer_get_mut_data (to), 0, SIZE);
  harness_assert_ok (xmem_buffer_set_info (from, &info, &error), &error);
  copy (first, from, one == 0 ? stream : NULL);
  copy (second, first, stream);
  copy (to, second, stream);
  if (stream)
    g_assert_cmpint (cuda_double.cuStreamSynchronize (stream), ==, 0);
  g_assert_true (
      memcmp (xmem_buffer_get_data (from), xmem_buffer_get_data (to), SIZE)
      == 0);
  harness_assert_ok (xmem_buffer_get_info (to, &info, &error), &error);
  g_assert_cmpuint (info.sequence, ==, 7);
  xmem_buffer_unref (from);
  xmem_buffer_unref (first);
  xmem_buffer_unref (second);
  xmem_buffer_unref (to);
}

static void
run_copies (int argc, char **argv)
{
  struct xmem_pool *pool;
  CUstream stream;

  g_setenv ("FAKE_CUDA_DEVICES", "2", true);
  g_setenv ("FAKE_CUDA_LAG", "100:300", true);
  if (argc > 0)
    g_setenv ("FAKE_CUDA_WITHOUT", argv[0], true);
  double_load ();
  stream = double_stream ();
  pool = pool_new (XMEM_CUDA_MODE_AUTO);
  copy_around (pool, 0, 0, NULL);
  copy_around (pool, 0, 0, stream);
  if (double_is_here ()) {
    copy_around (pool, 0, 1, NULL);
    copy_around (pool, 1, 0, NULL);
    copy_around (pool, 1, 0, stream);
  }
  xmem_pool_unref (pool);
  g_assert_cmpint (cuda_double.cuStreamDestroy_v2 (stream), ==, 0);
  check_nothing_left (2);
}

static void
run_bad_copies (int argc, char **argv)
{
  struct xmem_buffer *host, *small, *device;
  struct xmem_pool *pool;
  struct xmem_error error;

  double_load ();
  pool = pool_new (XMEM_CUDA_MODE_AUTO);
  host = acquire_cpu (pool, SIZE);
  small = acquire (pool, SIZE - 1, 0);
  device = acquire (pool, SIZE, 0);
  harness_assert_status (
      xmem_buffer_copy (small, device, &error), XMEM_INVALID, &error);
  harness_assert_status (
      xmem_buffer_copy_after (host, host, NULL, &error), XMEM_INVALID, &error);
  harness_assert_contains (error.message, "neither");
  harness_assert_status (
      xmem_buffer_cuda_wait (host, NULL, &error), XMEM_INVALID, &error);
  g_assert_true (cuda_double.fake_cuda_fail ("cuMemcpyHtoDAsync", 1, 700));
  harness_assert_status (
      xmem_buffer_copy (device, host, &error), XMEM_DEVICE, &error);
  harness_assert_contains (error.message, "cuMemcpyHtoDAsync ()");
  harness_assert_contains (error.message, "CUDA_ERROR_ILLEGAL_ADDRESS (700)");
  xmem_buffer_unref (host);
  xmem_buffer_unref (small);
  xmem_buffer_unref (device);
  xmem_pool_unref (pool);
  check_nothing_left (1);
}

/* --- contexts ------------------------------------------------------------ */

static void
run_contexts (int argc, char **argv)
{
  struct xmem_pool_params params = { .struct_size = sizeof (params) };
  struct xmem_buffer *buffer;
  struct xmem_pool *pool;
  struct xmem_error error;
  CUcontext context;

  g_setenv ("FAKE_CUDA_DEVICES", "2", true);
  double_load ();
  g_assert_cmpint (cuda_double.cuCtxCreate_v2 (&context, 0, 1), ==, 0);
  params.cuda_context = context;
  harness_assert_ok (xmem_pool_new (&params, &pool, &error), &error);
  buffer = acquire (pool, SIZE, 1);
  xmem_buffer_unref (buffer);
  harness_assert_status (
      xmem_pool_acquire_cuda (pool, SIZE, 0, 0, 0, &buffer, &error),
      XMEM_INVALID, &error);
  harness_assert_contains (error.message, "not of 0");
  xmem_pool_unref (pool);
  g_assert_cmpint (cuda_double.cuCtxDestroy_v2 (context), ==, 0);
  check_nothing_left (1); /* device 1's primary one was not needed */
}

/* --- cases --------------------------------------------------------------- */

static void
run_child (const char *role, const char *one, const char *other)
{
  struct harness_child child;

  harness_spawn (&child, role, one, other, NULL);
  g_assert_cmpint (harness_join (&child), ==, 0);
}

static void
test_modes (void)
{
  run_child ("modes", NULL, NULL);
}

static void
test_without_vmm (void)
{
  run_child ("without-vmm", "vmm", "cannot share memory by descriptors");
  run_child ("without-vmm", "fd", "cannot share memory by descriptors");
  run_child ("without-vmm", "export", "cuMemExportToShareableHandle ()");
}

static void
test_refusals (void)
{
  run_child ("refusals", NULL, NULL);
}

static void
test_full (void)
{
  run_child ("full", NULL, NULL);
}

static void
test_growth (void)
{
  run_child ("growth", NULL, NULL);
}

static void
test_copies (void)
{
  run_child ("copies", NULL, NULL);
}

static void
test_copies_without (void)
{
  run_child ("copies", "peer", NULL);
  run_child ("copies", "vmm", NULL);
}

static void
test_bad_copies (void)
{
  run_child ("bad-copies", NULL, NULL);
}

static void
test_contexts (void)
{
  run_child ("contexts", NULL, NULL);
}

int
main (int argc, char **argv)
{
  static const struct harness_role roles[] = { { "modes", run_modes },
    { "without-vmm", run_without_vmm }, { "refusals", run_refusals },
    { "full", run_full }, { "growth", run_growth }, { "copies", run_copies },
    { "bad-copies", run_bad_copies }, { "contexts", run_contexts },
    { NULL, NULL } };

  double_init (&argc, &argv, roles);
  harness_add ("/all-modes", test_modes);
  double_add ("/legacy-where-there-is-no-vmm", test_without_vmm);
  double_add ("/refused-in-words", test_refusals);
  double_add ("/device-runs-full", test_full);
  harness_add ("/preallocated-and-trimmed", test_growth);
  harness_add ("/copies-are-exact", test_copies);
  double_add ("/copies-without-peer-access-or-vmm", test_copies_without);
  double_add ("/bad-copies-are-refused", test_bad_copies);
  double_add ("/contexts-of-the-application", test_contexts);
  return g_test_run ();
}
