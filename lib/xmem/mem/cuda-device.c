/* SPDX-License-Identifier: MIT */
/* Finds devices, by number and by UUID, and keeps their primary contexts.
 *
 * Threads: any; `lock` guards the contexts. */
#include "mem/cuda-device.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

#define MAX_DEVICES 64
#define UUID_TEXT (4 * 2 + 4 * 5 + 6 * 2 + 1)

static const char look[] = "cannot look at a CUDA device";

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static CUcontext primaries[MAX_DEVICES];

static int
count_devices (int *n_out, struct xmem_error *error)
{
  const struct xmem_cuda_driver *cuda;
  int r = xmem_cuda_load (&cuda, error);

  if (r == 0)
    r = xmem_cuda_call (
        cuda, error, "cannot count CUDA devices", cuDeviceGetCount, n_out);
  if (r == 0 && *n_out > MAX_DEVICES)
    *n_out = MAX_DEVICES;
  return r;
}

static int
get_slot (const struct xmem_cuda_driver *cuda,
    struct xmem_cuda_device *device_out, struct xmem_error *error)
{
  static const CUdevice_attribute attributes[] = {
    CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID,
    CU_DEVICE_ATTRIBUTE_PCI_BUS_ID,
    CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID,
  };
  struct xmem_writer w = { .data = device_out->gpu,
    .size = sizeof (device_out->gpu) };
  int value, r = 0;

  for (unsigned i = 0; r == 0 && i < 3; i++) {
    r = xmem_cuda_call (cuda, error, look, cuDeviceGetAttribute, &value,
        attributes[i], device_out->device);
    xmem_writer_u32 (&w, (uint32_t) value);
  }
  xmem_writer_u32 (&w, 0);
  return r;
}

int
xmem_cuda_get_device (
    int number, struct xmem_cuda_device *device_out, struct xmem_error *error)
{
  const struct xmem_cuda_driver *cuda;
  CUuuid uuid;
  int n_devices, r;

  if (number < 0)
    return xmem_error_set (
        error, XMEM_INVALID, 0, "there is no CUDA device %d", number);
  r = count_devices (&n_devices, error);
  if (r == 0 && number >= n_devices)
    r = xmem_error_set (error, XMEM_UNSUPPORTED, 0,
        "there is no CUDA device %d: this process sees %d", number, n_devices);
  if (r == 0)
    r = xmem_cuda_load (&cuda, error);
  if (r == 0)
    r = xmem_cuda_call (
        cuda, error, look, cuDeviceGet, &device_out->device, number);
  if (r == 0)
    r = xmem_cuda_call (
        cuda, error, look, cuDeviceGetUuid_v2, &uuid, device_out->device);
  if (r != 0)
    return r;
  device_out->number = number;
  memcpy (device_out->uuid, &uuid, sizeof (device_out->uuid));
  return get_slot (cuda, device_out, error);
}

/* As nvidia-smi writes it. */
static const char *
uuid_text (const uint8_t uuid[XMEM_CUDA_UUID], char text[UUID_TEXT])
{
  char *end = text;

  for (unsigned i = 0; i < XMEM_CUDA_UUID; i++) {
    bool dash = i == 4 || i == 6 || i == 8 || i == 10;

    end += sprintf (end, dash ? "-%02x" : "%02x", uuid[i]);
  }
  return text;
}

int
xmem_cuda_find_device (const uint8_t uuid[XMEM_CUDA_UUID],
    const uint8_t gpu[XMEM_CUDA_UUID], struct xmem_cuda_device *device_out,
    struct xmem_error *error)
{
  char text[UUID_TEXT];
  bool same_gpu = false;
  int n_devices;
  int r = count_devices (&n_devices, error);

  for (int i = 0; r == 0 && i < n_devices; i++) {
    r = xmem_cuda_get_device (i, device_out, error);
    if (r == 0 && memcmp (device_out->uuid, uuid, XMEM_CUDA_UUID) == 0)
      return 0;
    same_gpu |= memcmp (device_out->gpu, gpu, XMEM_CUDA_UUID) == 0;
  }
  if (r != 0)
    return r;
  if (same_gpu)
    return xmem_error_set (error, XMEM_UNSUPPORTED, 0,
        "the memory is on MIG instance %s, this process uses another of that "
        "GPU: instances share no memory",
        uuid_text (uuid, text));
  return xmem_error_set (error, XMEM_UNSUPPORTED, 0,
      "the memory is on CUDA device GPU-%s, which is none of the %d that this "
      "process sees (CUDA_VISIBLE_DEVICES?)",
      uuid_text (uuid, text), n_devices);
}

int
xmem_cuda_get_context_device (CUcontext context,
    struct xmem_cuda_device *device_out, struct xmem_error *error)
{
  const struct xmem_cuda_driver *cuda;
  xmem_cuda_auto_leave bool entered = false;
  CUdevice device;
  int n_devices;
  int r = count_devices (&n_devices, error);

  if (r == 0)
    r = xmem_cuda_enter (context, &entered, error);
  if (r == 0)
    r = xmem_cuda_load (&cuda, error);
  if (r == 0)
    r = xmem_cuda_call (
        cuda, error, "cannot look at a context", cuCtxGetDevice, &device);
  for (int i = 0; r == 0 && i < n_devices; i++) {
    r = xmem_cuda_get_device (i, device_out, error);
    if (r == 0 && device_out->device == device)
      return 0;
  }
  return r != 0 ? r
                : xmem_error_set (error, XMEM_INVALID, 0,
                    "the context is of no CUDA device of this process");
}

int
xmem_cuda_get_primary (const struct xmem_cuda_device *device,
    CUcontext *context_out, struct xmem_error *error)
{
  const struct xmem_cuda_driver *cuda;
  int r = xmem_cuda_load (&cuda, error);
  xmem_scoped_lock (&lock);

  if (r == 0 && !primaries[device->number])
    r = xmem_cuda_call (cuda, error, "cannot use a CUDA device",
        cuDevicePrimaryCtxRetain, &primaries[device->number], device->device);
  *context_out = primaries[device->number];
  return r;
}

int
xmem_cuda_enter (CUcontext context, bool *entered_out, struct xmem_error *error)
{
  const struct xmem_cuda_driver *cuda;
  int r = xmem_cuda_load (&cuda, error);

  if (r == 0)
    r = xmem_cuda_call (
        cuda, error, "cannot use a context", cuCtxPushCurrent_v2, context);
  *entered_out = r == 0;
  return r;
}

void
xmem_cuda_leave (const bool *entered)
{
  const struct xmem_cuda_driver *cuda;
  CUcontext context;

  if (*entered && xmem_cuda_load (&cuda, NULL) == 0)
    (void) cuda->cuCtxPopCurrent_v2 (&context);
}
