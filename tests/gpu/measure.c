/* SPDX-License-Identifier: MIT */
/* Asks the driver at hand what no document says, and what its calls cost:
 * prints one JSON object. It knows nothing of xmem, and needs only the driver.
 * A question that cannot be asked here is answered with the driver's code.
 *
 * Run again with an argument it is the other process. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "measure.h"

#define N_CALLS 1000

/* --- what calls cost ----------------------------------------------------- */

static CUresult
record (CUevent event)
{
  return cu.cuEventRecord (event, stream);
}

static CUresult
wait_for (CUevent event)
{
  return cu.cuStreamWaitEvent (stream, event, 0);
}

static void
time_calls (const char *key, CUresult (*call) (CUevent event), CUevent event)
{
  static long long times[N_CALLS];

  for (int i = 0; i < N_CALLS; i++) {
    long long since = now_ns ();

    must (call (event), key);
    times[i] = now_ns () - since;
    cu.cuStreamSynchronize (stream);
  }
  say_times (key, times, N_CALLS);
}

static void
time_copies (const char *key, CUdeviceptr memory, size_t size)
{
  static long long times[100];

  for (int i = 0; i < 100; i++) {
    long long since = now_ns ();

    must (cu.cuMemcpyDtoDAsync_v2 (
              memory + SEGMENT_SIZE / 2, memory, size, stream),
        key);
    must (cu.cuStreamSynchronize (stream), key);
    times[i] = now_ns () - since;
  }
  say_times (key, times, 100);
}

/* --- the other process --------------------------------------------------- */

struct answer {
  CUresult result;
  long long ns;
};

/* Imports and maps the segment, says what that cost, and tries to write. */
static void
be_importer (void)
{
  CUdeviceptr pointer;
  struct answer answer;
  long long since;

  begin ();
  since = now_ns ();
  answer.result = import_segment (CU_MEM_ACCESS_FLAGS_PROT_READ, &pointer);
  answer.ns = now_ns () - since;
  tell (LINE_FD, &answer, sizeof answer);
  if (answer.result != CUDA_SUCCESS)
    return;
  answer.result = cu.cuMemsetD8Async (pointer, 1, 1, stream);
  if (answer.result == CUDA_SUCCESS)
    answer.result = cu.cuStreamSynchronize (stream);
  tell (LINE_FD, &answer, sizeof answer);
}

/* Opens what it is sent: a memory handle, then an event handle. */
static void
be_opener (void)
{
  CUipcMemHandle memory;
  CUipcEventHandle handle;
  CUdeviceptr pointer;
  CUevent event;
  struct answer answer;
  long long since;

  begin ();
  if (!hear (LINE_FD, &memory, sizeof memory)
      || !hear (LINE_FD, &handle, sizeof handle))
    return;
  since = now_ns ();
  answer.result = cu.cuIpcOpenMemHandle_v2 (
      &pointer, memory, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS);
  answer.ns = now_ns () - since;
  tell (LINE_FD, &answer, sizeof answer);
  since = now_ns ();
  answer.result = cu.cuIpcOpenEventHandle (&event, handle);
  answer.ns = now_ns () - since;
  tell (LINE_FD, &answer, sizeof answer);
}

static void
sleep_for_ever (void *data)
{
  for (;;)
    pause ();
}

/* Records an event behind work that never ends. */
static void
be_stuck (void)
{
  CUipcEventHandle handle;
  CUevent event;
  char byte;

  begin ();
  must (cu.cuEventCreate (
            &event, CU_EVENT_INTERPROCESS | CU_EVENT_DISABLE_TIMING),
      "cuEventCreate");
  must (cu.cuIpcGetEventHandle (&handle, event), "cuIpcGetEventHandle");
  must (cu.cuLaunchHostFunc (stream, sleep_for_ever, NULL), "cuLaunchHostFunc");
  must (cu.cuEventRecord (event, stream), "cuEventRecord");
  tell (LINE_FD, &handle, sizeof handle);
  hear (LINE_FD, &byte, 1);
}

/* --- questions to two processes ------------------------------------------ */

static void
ask_about_imports (void)
{
  struct answer answer = { CUDA_ERROR_UNKNOWN, 0 };
  CUmemGenericAllocationHandle handle;
  struct peer peer;
  CUresult result = make_segment (&handle);
  int fd;

  if (result == CUDA_SUCCESS)
    result = export_segment (handle, &fd);
  say_number ("vmm_export_result", result);
  if (result != CUDA_SUCCESS)
    return;
  peer = start_peer ("importer", fd);
  close (fd);
  if (hear (peer.socket, &answer, sizeof answer)) {
    say_number ("vmm_import_read_only_result", answer.result);
    say_number ("vmm_import_ns", answer.ns);
  }
  if (hear (peer.socket, &answer, sizeof answer))
    say_number ("write_to_read_only_import_result", answer.result);
  end_peer (&peer);
}

static void
ask_about_handles (CUdeviceptr memory, CUevent event)
{
  CUipcMemHandle memory_handle;
  CUipcEventHandle event_handle;
  CUresult result = cu.cuIpcGetMemHandle (&memory_handle, memory);
  struct answer answer;
  struct peer peer;

  say_number ("legacy_export_result", result);
  if (result == CUDA_SUCCESS)
    result = cu.cuIpcGetEventHandle (&event_handle, event);
  if (result != CUDA_SUCCESS)
    return;
  peer = start_peer ("opener", -1);
  tell (peer.socket, &memory_handle, sizeof memory_handle);
  tell (peer.socket, &event_handle, sizeof event_handle);
  if (hear (peer.socket, &answer, sizeof answer)) {
    say_number ("legacy_open_result", answer.result);
    say_number ("legacy_open_ns", answer.ns);
  }
  if (hear (peer.socket, &answer, sizeof answer)) {
    say_number ("event_open_result", answer.result);
    say_number ("event_open_ns", answer.ns);
  }
  end_peer (&peer);
}

/* A stream of ours waits for an event of a process that is killed. */
static void
ask_about_death (void)
{
  struct peer peer = start_peer ("stuck", -1);
  CUipcEventHandle handle;
  CUresult result = CUDA_ERROR_UNKNOWN;
  CUevent event;

  if (hear (peer.socket, &handle, sizeof handle))
    result = cu.cuIpcOpenEventHandle (&event, handle);
  if (result == CUDA_SUCCESS)
    result = wait_for (event);
  if (result == CUDA_SUCCESS)
    say_number ("wait_for_living_peer_result", cu.cuStreamQuery (stream));
  end_peer (&peer);
  for (int i = 0; i < PATIENCE_MS && result == CUDA_SUCCESS; i += 10) {
    result = cu.cuStreamQuery (stream);
    if (result != CUDA_ERROR_NOT_READY)
      break;
    result = CUDA_SUCCESS;
    poll (NULL, 0, 10);
    if (i + 10 >= PATIENCE_MS)
      result = CUDA_ERROR_NOT_READY;
  }
  say_number ("wait_for_killed_peer_result", result);
}

/* --- all of it ----------------------------------------------------------- */

static void
describe (void)
{
  static const struct {
    const char *key;
    CUdevice_attribute attribute;
  } attributes[] = {
    { "vmm", CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED },
    { "vmm_fd",
        CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED },
    { "ipc_events", CU_DEVICE_ATTRIBUTE_IPC_EVENT_SUPPORTED },
    { "compute_major", CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR },
    { "compute_minor", CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR },
  };
  char name[256] = "";
  int value = 0;

  cu.cuDeviceGetName (name, sizeof name, 0);
  say_text (
      "driver", strstr (name, "test double") ? "test double, no GPU" : "real");
  cu.cuDriverGetVersion (&value);
  say_number ("driver_version", value);
  say_text ("device", name);
  for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
    value = 0;
    cu.cuDeviceGetAttribute (&value, attributes[i].attribute, 0);
    say_number (attributes[i].key, value);
  }
}

static void
measure (void)
{
  CUdeviceptr memory;
  CUevent event;

  begin ();
  describe ();
  must (cu.cuMemAlloc_v2 (&memory, SEGMENT_SIZE), "cuMemAlloc");
  must (cu.cuEventCreate (
            &event, CU_EVENT_INTERPROCESS | CU_EVENT_DISABLE_TIMING),
      "cuEventCreate");
  time_calls ("event_record", record, event);
  time_calls ("stream_wait", wait_for, event);
  time_copies ("copy_1080p_nv12_and_wait", memory, 1920 * 1080 * 3 / 2);
  time_copies ("copy_2160p_nv12_and_wait", memory, 3840 * 2160 * 3 / 2);
  ask_about_imports ();
  ask_about_textures ();
  ask_about_contexts ();
  ask_about_handles (memory, event);
  ask_about_owners ();
  ask_about_death ();
  end_answers ();
}

int
main (int argc, char **argv)
{
  const char *role = argc > 1 ? argv[1] : "";

  if (strcmp (role, "importer") == 0)
    be_importer ();
  else if (strcmp (role, "texturer-read-only") == 0)
    be_texturer (CU_MEM_ACCESS_FLAGS_PROT_READ);
  else if (strcmp (role, "texturer") == 0)
    be_texturer (CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
  else if (strcmp (role, "texturer-alone") == 0)
    be_texturer (CU_MEM_ACCESS_FLAGS_PROT_NONE);
  else if (strcmp (role, "in-second-context") == 0)
    be_in_second_context ();
  else if (strcmp (role, "opener") == 0)
    be_opener ();
  else if (strcmp (role, "owner") == 0)
    be_owner ();
  else if (strcmp (role, "holder") == 0)
    be_holder ();
  else if (strcmp (role, "stuck") == 0)
    be_stuck ();
  else
    measure ();
  fflush (stdout);
  /* The stream may wait for ever: no leave is taken of the driver. */
  _exit (0);
}
