/* SPDX-License-Identifier: MIT */
/* Asks the driver at hand what no document says, and what its calls cost:
 * prints one JSON object. It knows nothing of xmem, and needs only the driver.
 * A question that cannot be asked here is answered with the driver's code.
 *
 * Run again with an argument it is the other process. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mem/cuda-driver.h"

#define N_CALLS 1000
#define SEGMENT_SIZE ((size_t) 32 << 20)
#define PATIENCE_MS 5000 /* how long a dead peer's event is looked at */
#define LINE_FD 3 /* of the other process */

#define FUNCTIONS                    \
  F (cuInit)                         \
  F (cuDriverGetVersion)             \
  F (cuDeviceGetName)                \
  F (cuDeviceGetAttribute)           \
  F (cuDevicePrimaryCtxRetain)       \
  F (cuCtxSetCurrent)                \
  F (cuStreamCreate)                 \
  F (cuStreamQuery)                  \
  F (cuStreamSynchronize)            \
  F (cuStreamWaitEvent)              \
  F (cuLaunchHostFunc)               \
  F (cuEventCreate)                  \
  F (cuEventRecord)                  \
  F (cuIpcGetEventHandle)            \
  F (cuIpcOpenEventHandle)           \
  F (cuIpcGetMemHandle)              \
  F (cuIpcOpenMemHandle_v2)          \
  F (cuMemAlloc_v2)                  \
  F (cuMemGetAllocationGranularity)  \
  F (cuMemCreate)                    \
  F (cuMemExportToShareableHandle)   \
  F (cuMemImportFromShareableHandle) \
  F (cuMemAddressReserve)            \
  F (cuMemMap)                       \
  F (cuMemSetAccess)                 \
  F (cuMemcpyDtoDAsync_v2)           \
  F (cuMemsetD8Async)

static struct {
#define F(name) __typeof__ (name) *name;
  FUNCTIONS
#undef F
} cu;

static CUstream stream;
static bool is_first = true;

/* --- the driver ---------------------------------------------------------- */

static void
load (void)
{
  void *driver = dlopen ("libcuda.so.1", RTLD_NOW);

  if (!driver) {
    fprintf (stderr, "skipped: %s\n", dlerror ());
    exit (77);
  }
#define F(name)                                                 \
  cu.name = (__typeof__ (name) *) dlsym (driver, #name);        \
  if (!cu.name) {                                               \
    fprintf (stderr, "skipped: the driver has no %s\n", #name); \
    exit (77);                                                  \
  }
  FUNCTIONS
#undef F
}

/* For what must work before anything can be asked. */
static void
must (CUresult result, const char *what)
{
  if (result == CUDA_SUCCESS)
    return;
  fprintf (stderr, "%s: %d\n", what, (int) result);
  exit (result == CUDA_ERROR_NO_DEVICE ? 77 : 1);
}

static void
begin (void)
{
  CUcontext context;

  load ();
  must (cu.cuInit (0), "cuInit");
  must (cu.cuDevicePrimaryCtxRetain (&context, 0), "cuDevicePrimaryCtxRetain");
  must (cu.cuCtxSetCurrent (context), "cuCtxSetCurrent");
  must (cu.cuStreamCreate (&stream, CU_STREAM_NON_BLOCKING), "cuStreamCreate");
}

/* --- the answers --------------------------------------------------------- */

static void
say_key (const char *key)
{
  printf ("%s\n  \"%s\": ", is_first ? "{" : ",", key);
  is_first = false;
}

static void
say_number (const char *key, long long value)
{
  say_key (key);
  printf ("%lld", value);
}

static void
say_text (const char *key, const char *text)
{
  say_key (key);
  printf ("\"%s\"", text);
}

static long long
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

static void
say_times (const char *key, long long *times, int n)
{
  qsort (times, (size_t) n, sizeof times[0], compare);
  say_key (key);
  printf ("{ \"p50_ns\": %lld, \"p99_ns\": %lld, \"n\": %d }", times[n / 2],
      times[n * 99 / 100], n);
}

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

/* --- memory with a descriptor -------------------------------------------- */

static CUresult
map (CUmemGenericAllocationHandle handle, CUmemAccess_flags access,
    CUdeviceptr *pointer_out)
{
  CUmemAccessDesc description = { { CU_MEM_LOCATION_TYPE_DEVICE, 0 }, access };
  CUresult result = cu.cuMemAddressReserve (pointer_out, SEGMENT_SIZE, 0, 0, 0);

  if (result == CUDA_SUCCESS)
    result = cu.cuMemMap (*pointer_out, SEGMENT_SIZE, 0, handle, 0);
  if (result == CUDA_SUCCESS)
    result = cu.cuMemSetAccess (*pointer_out, SEGMENT_SIZE, &description, 1);
  return result;
}

/* Returns the driver's code. */
static CUresult
export_segment (int *fd_out)
{
  CUmemAllocationProp properties = { .type = CU_MEM_ALLOCATION_TYPE_PINNED,
    .requestedHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR,
    .location = { CU_MEM_LOCATION_TYPE_DEVICE, 0 } };
  CUmemGenericAllocationHandle handle;
  CUresult result = cu.cuMemCreate (&handle, SEGMENT_SIZE, &properties, 0);

  return result != CUDA_SUCCESS
             ? result
             : cu.cuMemExportToShareableHandle (
                 fd_out, handle, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0);
}

/* --- the other process --------------------------------------------------- */

struct peer {
  pid_t pid;
  int socket;
};

extern char **environ;

/* It finds its end of the line at LINE_FD, and `fd`, if there is one, next to
 * it. */
static struct peer
start_peer (const char *role, int fd)
{
  char *argv[] = { "measure", (char *) (uintptr_t) role, NULL };
  posix_spawn_file_actions_t actions;
  struct peer peer;
  int pair[2];
  int line; /* out of the way of what is put at LINE_FD and after */

  if (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0
      || (line = fcntl (pair[1], F_DUPFD_CLOEXEC, LINE_FD + 2)) < 0)
    abort ();
  posix_spawn_file_actions_init (&actions);
  if (fd >= 0)
    posix_spawn_file_actions_adddup2 (&actions, fd, LINE_FD + 1);
  posix_spawn_file_actions_adddup2 (&actions, line, LINE_FD);
  if (posix_spawn (&peer.pid, "/proc/self/exe", &actions, NULL, argv, environ)
      != 0)
    abort ();
  posix_spawn_file_actions_destroy (&actions);
  close (line);
  close (pair[1]);
  peer.socket = pair[0];
  return peer;
}

/* Whether it said this much before it ended. */
static bool
hear (int socket, void *data, size_t size)
{
  ssize_t n;

  do
    n = recv (socket, data, size, 0);
  while (n < 0 && errno == EINTR);
  return n == (ssize_t) size;
}

static void
tell (int socket, const void *data, size_t size)
{
  if (send (socket, data, size, MSG_NOSIGNAL) != (ssize_t) size)
    exit (1);
}

static void
end_peer (struct peer *peer)
{
  kill (peer->pid, SIGKILL);
  waitpid (peer->pid, NULL, 0);
  close (peer->socket);
}

struct answer {
  CUresult result;
  long long ns;
};

/* Imports and maps the segment, says what that cost, and tries to write. */
static void
be_importer (void)
{
  CUmemGenericAllocationHandle handle;
  CUdeviceptr pointer;
  struct answer answer;
  long long since;

  begin ();
  since = now_ns ();
  answer.result = cu.cuMemImportFromShareableHandle (&handle,
      (void *) (intptr_t) (LINE_FD + 1),
      CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR);
  if (answer.result == CUDA_SUCCESS)
    answer.result = map (handle, CU_MEM_ACCESS_FLAGS_PROT_READ, &pointer);
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
  CUresult result;
  struct peer peer;
  int fd;

  result = export_segment (&fd);
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
  ask_about_handles (memory, event);
  ask_about_death ();
  printf ("\n}\n");
}

int
main (int argc, char **argv)
{
  const char *role = argc > 1 ? argv[1] : "";

  if (strcmp (role, "importer") == 0)
    be_importer ();
  else if (strcmp (role, "opener") == 0)
    be_opener ();
  else if (strcmp (role, "stuck") == 0)
    be_stuck ();
  else
    measure ();
  fflush (stdout);
  /* The stream may wait for ever: no leave is taken of the driver. */
  _exit (0);
}
