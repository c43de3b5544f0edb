/* SPDX-License-Identifier: MIT */
/* What becomes of memory that is open by a legacy handle when its owner frees it
 * or is killed: whether it can still be read, and is what it was. Each answer is
 * the driver's code, -1 for other bytes than those that were written. */
#include <poll.h>
#include <stdint.h>

#include "measure.h"

#define N_BYTES 65536
#define STAMP 0x5a
#define WRONG_BYTES (-1)

/* Frees what it has allocated when it is told to, and lives on. */
void
be_owner (void)
{
  CUipcMemHandle handle;
  CUdeviceptr pointer;
  int result;
  char byte;

  begin ();
  must (cu.cuMemAlloc_v2 (&pointer, SEGMENT_SIZE), "cuMemAlloc");
  must (
      cu.cuMemsetD8Async (pointer, STAMP, N_BYTES, stream), "cuMemsetD8Async");
  must (cu.cuStreamSynchronize (stream), "cuStreamSynchronize");
  must (cu.cuIpcGetMemHandle (&handle, pointer), "cuIpcGetMemHandle");
  tell (LINE_FD, &handle, sizeof handle);
  while (hear (LINE_FD, &byte, 1)) {
    result = (int) cu.cuMemFree_v2 (pointer);
    tell (LINE_FD, &result, sizeof result);
  }
}

static int
read_stamps (CUdeviceptr pointer)
{
  static uint8_t bytes[N_BYTES];
  CUresult result = cu.cuMemcpyDtoH_v2 (bytes, pointer, N_BYTES);

  if (result != CUDA_SUCCESS)
    return (int) result;
  for (size_t i = 0; i < N_BYTES; i++)
    if (bytes[i] != STAMP)
      return WRONG_BYTES;
  return 0;
}

/* Opens the handle that it is sent, and reads whenever it is told to. */
void
be_holder (void)
{
  CUipcMemHandle handle;
  CUdeviceptr pointer;
  int result;
  char byte;

  begin ();
  if (!hear (LINE_FD, &handle, sizeof handle))
    return;
  result = (int) cu.cuIpcOpenMemHandle_v2 (
      &pointer, handle, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS);
  tell (LINE_FD, &result, sizeof result);
  while (result == 0 && hear (LINE_FD, &byte, 1)) {
    result = read_stamps (pointer);
    tell (LINE_FD, &result, sizeof result);
  }
}

/* What it says within our patience. */
static int
hear_result (struct peer *peer)
{
  struct pollfd fd = { .fd = peer->socket, .events = POLLIN };
  int result = CUDA_ERROR_UNKNOWN;

  if (poll (&fd, 1, PATIENCE_MS) == 0)
    return CUDA_ERROR_NOT_READY;
  hear (peer->socket, &result, sizeof result);
  return result;
}

static void
ask (const char *key, bool owner_is_killed)
{
  struct peer owner = start_peer ("owner", -1);
  struct peer holder = start_peer ("holder", -1);
  CUipcMemHandle handle;
  int result = CUDA_ERROR_UNKNOWN;

  if (hear (owner.socket, &handle, sizeof handle)) {
    tell (holder.socket, &handle, sizeof handle);
    hear (holder.socket, &result, sizeof result);
  }
  if (result == 0 && !owner_is_killed) {
    tell (owner.socket, "f", 1);
    result = hear_result (&owner);
  }
  if (owner_is_killed)
    end_peer (&owner);
  if (result == 0) {
    tell (holder.socket, "r", 1);
    result = hear_result (&holder);
  }
  say_number (key, result);
  end_peer (&holder);
  if (!owner_is_killed)
    end_peer (&owner);
}

void
ask_about_owners (void)
{
  ask ("read_after_legacy_owner_freed_result", false);
  ask ("read_after_legacy_owner_was_killed_result", true);
}
