/* SPDX-License-Identifier: MIT */
/* The driver's double within one process: that its streams, memory and controls
 * are what its README says. */
#include "harness/fake-cuda/try.h"

#include <unistd.h>

#include "harness/fake-cuda/kernels.h"

/* --- streams and events -------------------------------------------------- */

static void
test_paused_work_is_waited_for (void)
{
  struct try_mapping memory;
  CUstream writer, reader;
  CUevent event;

  try_begin ();
  memory = try_create ();
  writer = try_new_stream ();
  reader = try_new_stream ();
  try_ok (cuEventCreate (&event, CU_EVENT_DISABLE_TIMING));
  try_ok (cuEventQuery (event)); /* never recorded */
  fake_cuda_pause (true);
  try_fill (memory.pointer, 7, writer);
  try_ok (cuEventRecord (event, writer));
  try_expect (cuStreamQuery (writer), CUDA_ERROR_NOT_READY);
  try_expect (cuEventQuery (event), CUDA_ERROR_NOT_READY);
  try_ok (cuStreamWaitEvent (reader, event, 0));
  try_expect (cuStreamQuery (reader), CUDA_ERROR_NOT_READY);
  fake_cuda_pause (false);
  g_assert_cmpuint (try_read (memory.pointer, reader), ==, 7);
  try_ok (cuEventQuery (event));
  try_ok (cuEventDestroy_v2 (event));
  try_ok (cuStreamDestroy_v2 (writer));
  try_ok (cuStreamDestroy_v2 (reader));
  try_unmap (&memory);
  try_end ();
}

/* A wait is for the recording of its moment, not for later ones. */
static void
test_wait_binds_to_the_latest_record (void)
{
  CUstream writer, early, late;
  CUdeviceptr memory;
  CUevent event;

  try_begin ();
  writer = try_new_stream ();
  early = try_new_stream ();
  late = try_new_stream ();
  try_ok (cuMemAlloc_v2 (&memory, TRY_SIZE));
  try_ok (cuEventCreate (&event, CU_EVENT_DISABLE_TIMING));
  try_ok (cuEventRecord (event, writer));
  try_ok (cuStreamWaitEvent (early, event, 0));
  fake_cuda_pause (true);
  try_fill (memory, 1, writer);
  try_ok (cuEventRecord (event, writer));
  try_ok (cuStreamWaitEvent (late, event, 0));
  try_ok (cuStreamQuery (early));
  try_expect (cuStreamQuery (late), CUDA_ERROR_NOT_READY);
  fake_cuda_pause (false);
  try_ok (cuEventSynchronize (event));
  try_ok (cuStreamSynchronize (late));
  try_ok (cuEventDestroy_v2 (event));
  try_ok (cuMemFree_v2 (memory));
  try_ok (cuStreamDestroy_v2 (writer));
  try_ok (cuStreamDestroy_v2 (early));
  try_ok (cuStreamDestroy_v2 (late));
  try_end ();
}

static void
test_legacy_stream_waits_for_blocking_ones (void)
{
  CUstream blocking, other;
  CUdeviceptr memory;

  try_begin ();
  try_ok (cuStreamCreate (&blocking, CU_STREAM_DEFAULT));
  other = try_new_stream ();
  try_ok (cuMemAlloc_v2 (&memory, TRY_SIZE));
  fake_cuda_pause (true);
  try_fill (memory, 3, blocking);
  try_ok (cuStreamQuery (NULL));
  try_fill (memory, 4, NULL);
  try_expect (cuStreamQuery (NULL), CUDA_ERROR_NOT_READY);
  try_ok (cuStreamQuery (other));
  fake_cuda_pause (false);
  g_assert_cmpuint (try_read (memory, NULL), ==, 4);
  try_ok (cuStreamQuery (blocking));
  try_ok (cuMemFree_v2 (memory));
  try_ok (cuStreamDestroy_v2 (blocking));
  try_ok (cuStreamDestroy_v2 (other));
  try_end ();
}

static void
test_context_record_waits_for_all_streams (void)
{
  CUstream one, two;
  CUcontext context;
  CUdeviceptr memory, other;
  CUevent event;

  try_begin ();
  try_ok (cuCtxGetCurrent (&context));
  one = try_new_stream ();
  two = try_new_stream ();
  try_ok (cuMemAlloc_v2 (&memory, TRY_SIZE));
  try_ok (cuMemAlloc_v2 (&other, TRY_SIZE));
  try_ok (cuEventCreate (&event, CU_EVENT_DISABLE_TIMING));
  fake_cuda_pause (true);
  try_fill (memory, 1, one);
  try_fill (other, 2, two);
  try_ok (cuCtxRecordEvent (context, event));
  try_expect (cuEventQuery (event), CUDA_ERROR_NOT_READY);
  fake_cuda_pause (false);
  try_ok (cuEventSynchronize (event));
  try_ok (cuStreamQuery (one));
  try_ok (cuStreamQuery (two));
  try_ok (cuEventDestroy_v2 (event));
  try_ok (cuMemFree_v2 (memory));
  try_ok (cuMemFree_v2 (other));
  try_ok (cuStreamDestroy_v2 (one));
  try_ok (cuStreamDestroy_v2 (two));
  try_end ();
}

static void
note_thread (void *data)
{
  *(pid_t *) data = gettid ();
}

static void
test_host_functions_have_a_thread_of_their_own (void)
{
  CUstream stream;
  pid_t tid = 0;

  try_begin ();
  stream = try_new_stream ();
  try_ok (cuLaunchHostFunc (stream, note_thread, &tid));
  try_ok (cuStreamSynchronize (stream));
  g_assert_cmpint (tid, !=, 0);
  g_assert_cmpint (tid, !=, gettid ());
  try_ok (cuStreamDestroy_v2 (stream));
  try_end ();
}

/* --- memory -------------------------------------------------------------- */

static void
test_rows_are_copied (void)
{
  static const char picture[] = "abcd....efgh....ijkl....";
  CUDA_MEMCPY2D copy = { .srcMemoryType = CU_MEMORYTYPE_HOST,
    .srcHost = picture,
    .srcPitch = 8,
    .dstMemoryType = CU_MEMORYTYPE_DEVICE,
    .WidthInBytes = 4,
    .Height = 3 };
  char packed[12];
  CUdeviceptr memory;
  size_t pitch;

  try_begin ();
  try_ok (cuMemAllocPitch_v2 (&memory, &pitch, 4, 3, 4));
  copy.dstDevice = memory;
  copy.dstPitch = pitch;
  try_ok (cuMemcpy2D_v2 (&copy));
  copy = (CUDA_MEMCPY2D){ .srcMemoryType = CU_MEMORYTYPE_DEVICE,
    .srcDevice = memory,
    .srcPitch = pitch,
    .dstMemoryType = CU_MEMORYTYPE_HOST,
    .dstHost = packed,
    .dstPitch = 4,
    .WidthInBytes = 4,
    .Height = 3 };
  try_ok (cuMemcpy2D_v2 (&copy));
  g_assert_cmpmem (packed, sizeof packed, "abcdefghijkl", 12);
  copy.srcY = 1000;
  try_expect (cuMemcpy2D_v2 (&copy), CUDA_ERROR_INVALID_VALUE);
  try_ok (cuMemFree_v2 (memory));
  try_end ();
}

static void
test_memory_outlives_its_handle (void)
{
  struct try_mapping memory;
  CUmemGenericAllocationHandle again;
  int fd;

  try_begin ();
  memory = try_create ();
  try_ok (cuMemExportToShareableHandle (
      &fd, memory.handle, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0));
  try_fill (memory.pointer, 9, NULL);
  try_ok (cuCtxSynchronize ());
  try_unmap (&memory);
  try_expect (cuMemRelease (memory.handle), CUDA_ERROR_INVALID_VALUE);
  memory = try_import (fd, CU_MEM_ACCESS_FLAGS_PROT_READ);
  g_assert_cmpuint (try_read (memory.pointer, NULL), ==, 9);
  try_unmap (&memory);
  try_expect (cuMemImportFromShareableHandle (
                  &again, (void *) 0, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR),
      CUDA_ERROR_INVALID_VALUE);
  try_end ();
}

static void
test_mappings_are_checked (void)
{
  struct try_mapping memory;
  CUdeviceptr pointer;

  try_begin ();
  memory = try_create ();
  try_expect (cuMemMap (memory.pointer, TRY_SIZE, 0, memory.handle, 0),
      CUDA_ERROR_ALREADY_MAPPED);
  try_expect (
      cuMemAddressFree (memory.pointer, TRY_SIZE), CUDA_ERROR_INVALID_VALUE);
  try_expect (
      cuMemMap (memory.pointer + TRY_SIZE, TRY_SIZE, 0, memory.handle, 0),
      CUDA_ERROR_INVALID_VALUE);
  try_expect (
      cuMemAddressReserve (&pointer, 4096, 0, 0, 0), CUDA_ERROR_INVALID_VALUE);
  try_unmap (&memory);
  try_expect (cuMemsetD8_v2 (memory.pointer, 0, 1), CUDA_ERROR_INVALID_VALUE);
  try_end ();
}

/* What a stream finds unmapped breaks the context, as on a device. */
static void
test_work_on_unmapped_memory_breaks_the_context (void)
{
  struct try_mapping memory;
  CUstream stream;

  try_begin ();
  memory = try_create ();
  stream = try_new_stream ();
  fake_cuda_pause (true);
  try_fill (memory.pointer, 1, stream);
  try_unmap (&memory);
  fake_cuda_pause (false);
  try_expect (cuStreamSynchronize (stream), CUDA_ERROR_ILLEGAL_ADDRESS);
  try_expect (cuCtxSynchronize (), CUDA_ERROR_ILLEGAL_ADDRESS);
  try_ok (cuStreamDestroy_v2 (stream));
  try_end ();
}

static void
test_device_memory_is_bounded (void)
{
  size_t left, total;
  CUdeviceptr memory;

  try_begin ();
  try_ok (cuMemGetInfo_v2 (&left, &total));
  g_assert_cmpuint (left, ==, total);
  try_expect (cuMemAlloc_v2 (&memory, total + 1), CUDA_ERROR_OUT_OF_MEMORY);
  try_ok (cuMemAlloc_v2 (&memory, total));
  try_ok (cuMemGetInfo_v2 (&left, &total));
  g_assert_cmpuint (left, ==, 0);
  try_ok (cuMemFree_v2 (memory));
  try_end ();
}

/* --- kernels ------------------------------------------------------------- */

static const char kernel_text[] = ".visible .entry histogram (.param .u64 luma";

static CUresult
launch_histogram (CUfunction kernel, CUdeviceptr luma, CUdeviceptr bins,
    unsigned n_blocks, CUstream stream)
{
  uint32_t stride = 8, width = 6, height = 4;
  void *parameters[] = { &luma, &stride, &width, &height, &bins };

  return cuLaunchKernel (
      kernel, n_blocks, 1, 1, 4, 4, 1, 0, stream, parameters, NULL);
}

static void
test_kernels_run_on_their_stream (void)
{
  uint32_t counts[16];
  CUdeviceptr memory;
  CUfunction kernel;
  CUmodule module;
  CUstream stream;

  try_begin ();
  stream = try_new_stream ();
  try_ok (cuMemAlloc_v2 (&memory, TRY_SIZE));
  try_ok (cuModuleLoadData (&module, kernel_text));
  try_ok (cuModuleGetFunction (&kernel, module, "histogram"));
  try_fill (memory, 0, stream);
  try_ok (cuStreamSynchronize (stream));
  fake_cuda_pause (true);
  try_ok (cuMemsetD8Async (memory, 0x7f, 32, stream));
  try_ok (launch_histogram (kernel, memory, memory + 64, 2, stream));
  try_ok (launch_histogram (kernel, memory, memory + 128, 1, stream));
  try_ok (cuModuleUnload (module));
  try_expect (cuStreamQuery (stream), CUDA_ERROR_NOT_READY);
  fake_cuda_pause (false);
  try_ok (cuMemcpyDtoHAsync_v2 (counts, memory + 64, sizeof counts, stream));
  try_ok (cuStreamSynchronize (stream));
  g_assert_cmpuint (counts[0], ==, 0);
  g_assert_cmpuint (counts[7], ==, 6 * 4);
  try_ok (cuMemcpyDtoHAsync_v2 (counts, memory + 128, sizeof counts, stream));
  try_ok (cuStreamSynchronize (stream));
  g_assert_cmpuint (counts[7], ==, 4 * 4); /* one block of threads */
  try_ok (cuMemFree_v2 (memory));
  try_ok (cuStreamDestroy_v2 (stream));
  try_end ();
}

static void
test_kernels_are_those_that_are_known (void)
{
  CUfunction kernel;
  CUmodule module;

  try_begin ();
  try_expect (cuModuleLoadData (&module, ".visible .entry histogram2 ("),
      CUDA_ERROR_NOT_SUPPORTED);
  try_expect (cuModuleLoadData (&module, "\177ELF"), CUDA_ERROR_NOT_SUPPORTED);
  try_ok (cuModuleLoadData (&module, kernel_text));
  g_assert_cmpint (fake_cuda_live ("module"), ==, 1);
  try_expect (
      cuModuleGetFunction (&kernel, module, "other"), CUDA_ERROR_NOT_FOUND);
  try_ok (cuModuleGetFunction (&kernel, module, "histogram"));
  try_expect (
      launch_histogram (kernel, 0, 0, 0, NULL), CUDA_ERROR_INVALID_VALUE);
  try_ok (cuModuleUnload (module));
  try_expect (cuModuleUnload (module), CUDA_ERROR_INVALID_HANDLE);
  try_expect (cuModuleGetFunction (&kernel, module, "histogram"),
      CUDA_ERROR_INVALID_HANDLE);
  try_ok (cuModuleLoadData (&module, kernel_text));
  try_end (); /* which goes with its context */
}

static void
test_kernels_outside_memory_break_the_context (void)
{
  CUdeviceptr memory;
  CUfunction kernel;
  CUmodule module;

  try_begin ();
  try_ok (cuMemAlloc_v2 (&memory, 32));
  try_ok (cuModuleLoadData (&module, kernel_text));
  try_ok (cuModuleGetFunction (&kernel, module, "histogram"));
  /* The bins begin where the memory ends. */
  try_ok (launch_histogram (kernel, memory, memory + 32, 2, NULL));
  try_expect (cuCtxSynchronize (), CUDA_ERROR_ILLEGAL_ADDRESS);
  try_end ();
}

/* --- controls ------------------------------------------------------------ */

static void
test_calls_fail_on_demand (void)
{
  CUdeviceptr memory;

  try_begin ();
  g_assert_false (fake_cuda_fail ("cuMemAlloc_v2", 1, 2));
  g_assert_true (fake_cuda_fail ("cuMemAlloc", 2, CUDA_ERROR_OUT_OF_MEMORY));
  try_ok (cuMemAlloc_v2 (&memory, 1));
  try_ok (cuMemFree_v2 (memory));
  try_expect (cuMemAlloc_v2 (&memory, 1), CUDA_ERROR_OUT_OF_MEMORY);
  try_ok (cuMemAlloc_v2 (&memory, 1));
  try_ok (cuMemFree_v2 (memory));
  g_assert_true (fake_cuda_fail ("cuMemAlloc", 0, CUDA_ERROR_UNKNOWN));
  try_expect (cuMemAlloc_v2 (&memory, 1), CUDA_ERROR_UNKNOWN);
  try_expect (cuMemAlloc_v2 (&memory, 1), CUDA_ERROR_UNKNOWN);
  fake_cuda_fail (NULL, 0, 0);
  try_ok (cuMemAlloc_v2 (&memory, 1));
  try_ok (cuMemFree_v2 (memory));
  try_end ();
}

static gpointer
count_devices (gpointer data)
{
  int n;

  for (int i = 0; i < 3; i++)
    try_ok (cuDeviceGetCount (&n));
  return GINT_TO_POINTER (gettid ());
}

static void
test_calls_are_counted_by_thread (void)
{
  uint64_t before;
  pid_t tid;
  int n;

  try_begin ();
  before = fake_cuda_calls ("cuDeviceGetCount", 0);
  tid = GPOINTER_TO_INT (
      g_thread_join (g_thread_new ("counts", count_devices, NULL)));
  try_ok (cuDeviceGetCount (&n));
  g_assert_cmpuint (fake_cuda_calls ("cuDeviceGetCount", tid), ==, 3);
  g_assert_cmpuint (fake_cuda_calls ("cuDeviceGetCount", 0), ==, before + 4);
  g_assert_cmpuint (fake_cuda_calls ("cuMemAlloc", tid), ==, 0);
  try_end ();
}

static void
test_functions_have_versions (void)
{
  CUdriverProcAddressQueryResult found;
  void *function;

  try_ok (cuGetProcAddress_v2 ("cuMemAlloc", &function, 12000, 0, &found));
  g_assert_true (function == (void *) cuMemAlloc_v2);
  try_expect (
      cuGetProcAddress_v2 ("cuCtxRecordEvent", &function, 12000, 0, &found),
      CUDA_ERROR_NOT_FOUND);
  g_assert_cmpint (found, ==, CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT);
  try_expect (cuGetProcAddress_v2 ("cuNonsense", &function, 12000, 0, &found),
      CUDA_ERROR_NOT_FOUND);
  g_assert_cmpint (found, ==, CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, NULL);
  harness_add ("/stream/paused-work", test_paused_work_is_waited_for);
  harness_add ("/stream/latest-record", test_wait_binds_to_the_latest_record);
  harness_add ("/stream/legacy", test_legacy_stream_waits_for_blocking_ones);
  harness_add (
      "/stream/context-record", test_context_record_waits_for_all_streams);
  harness_add (
      "/stream/host-function", test_host_functions_have_a_thread_of_their_own);
  harness_add ("/memory/rows", test_rows_are_copied);
  harness_add ("/memory/outlives-handle", test_memory_outlives_its_handle);
  harness_add ("/memory/mappings", test_mappings_are_checked);
  harness_add (
      "/memory/unmapped", test_work_on_unmapped_memory_breaks_the_context);
  harness_add ("/memory/bounded", test_device_memory_is_bounded);
  harness_add ("/kernel/stream", test_kernels_run_on_their_stream);
  harness_add ("/kernel/known", test_kernels_are_those_that_are_known);
  harness_add (
      "/kernel/outside", test_kernels_outside_memory_break_the_context);
  harness_add ("/control/failures", test_calls_fail_on_demand);
  harness_add ("/control/counts", test_calls_are_counted_by_thread);
  harness_add ("/control/versions", test_functions_have_versions);
  return g_test_run ();
}
