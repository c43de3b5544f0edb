/* SPDX-License-Identifier: MIT */
/* The driver itself and its devices. */
#include "fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PITCH_ALIGNMENT 32
#define TEXTURE_ALIGNMENT 512

struct fake_device fake_devices[FAKE_MAX_DEVICES];
int fake_n_devices;

/* --- which there are ----------------------------------------------------- */

static int
hex_digit (char c)
{
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

/* The digits of "GPU-xxxxxxxx-xxxx-...", or of a beginning of it. Returns how
 * many there are, -1 when something else is among them. */
static int
read_uuid (const char *text, size_t length, CUuuid *uuid_out)
{
  int n = 0;

  memset (uuid_out, 0, sizeof *uuid_out);
  if (length >= 4
      && (strncmp (text, "GPU-", 4) == 0 || strncmp (text, "MIG-", 4) == 0)) {
    text += 4;
    length -= 4;
  }
  for (size_t i = 0; i < length; i++) {
    int digit = hex_digit (text[i]);

    if (text[i] == '-')
      continue;
    if (digit < 0 || n >= 32)
      return -1;
    uuid_out->bytes[n / 2] |= (char) (digit << (n % 2 ? 0 : 4));
    n++;
  }
  return n;
}

/* The device's own, unless FAKE_CUDA_UUIDS has another. */
static CUuuid
device_uuid (unsigned index)
{
  CUuuid uuid = { { (char) 0xfa, (char) 0x4e, (char) 0xcd, (char) 0xa0 } };
  const char *text = fake_control.uuids;

  uuid.bytes[15] = (char) (index + 1);
  for (unsigned i = 0; text && *text; i++) {
    size_t length = strcspn (text, ",");

    if (i == index && read_uuid (text, length, &uuid) != 32) {
      fprintf (stderr, "fake-cuda: FAKE_CUDA_UUIDS has a bad one\n");
      abort ();
    }
    text += length;
    text += strspn (text, ",");
  }
  return uuid;
}

static bool
has_digits (const CUuuid *uuid, const CUuuid *wanted, int n_digits)
{
  if (memcmp (uuid->bytes, wanted->bytes, (size_t) n_digits / 2) != 0)
    return false;
  return n_digits % 2 == 0
         || ((uuid->bytes[n_digits / 2] ^ wanted->bytes[n_digits / 2]) & 0xf0)
                == 0;
}

/* An entry of CUDA_VISIBLE_DEVICES. Returns -1 where it names no device. */
static int
find_entry (
    const struct fake_device *all, unsigned n_all, const char *text, size_t n)
{
  CUuuid wanted;
  char *end;
  long index;
  int n_digits;

  if (n >= 4
      && (strncmp (text, "GPU-", 4) == 0 || strncmp (text, "MIG-", 4) == 0)) {
    n_digits = read_uuid (text, n, &wanted);
    for (unsigned i = 0; n_digits > 0 && i < n_all; i++)
      if (has_digits (&all[i].uuid, &wanted, n_digits))
        return (int) i;
    return -1;
  }
  index = strtol (text, &end, 10);
  if (end != text + n || index < 0 || index >= (long) n_all || n == 0)
    return -1;
  return (int) index;
}

/* As documented: those in front of the first bad entry, in that order; none
 * when one is there twice. */
static void
choose_visible (
    const struct fake_device *all, unsigned n_all, const char *visible)
{
  bool taken[FAKE_MAX_DEVICES] = { false };

  for (;;) {
    size_t length = strcspn (visible, ",");
    int found = find_entry (all, n_all, visible, length);

    if (found < 0)
      return;
    if (taken[found]) {
      fake_n_devices = 0;
      return;
    }
    taken[found] = true;
    fake_devices[fake_n_devices++] = all[found];
    if (visible[length] == '\0')
      return;
    visible += length + 1;
  }
}

void
fake_find_devices (void)
{
  struct fake_device all[FAKE_MAX_DEVICES];
  unsigned n_all = fake_control.n_devices;
  const char *visible = getenv ("CUDA_VISIBLE_DEVICES");

  for (unsigned i = 0; i < n_all; i++) {
    all[i] = (struct fake_device){ .uuid = device_uuid (i) };
    all[i].board_uuid = fake_control.mig ? device_uuid (99) : all[i].uuid;
  }
  fake_n_devices = 0;
  if (visible) {
    choose_visible (all, n_all, visible);
  } else {
    memcpy (fake_devices, all, n_all * sizeof all[0]);
    fake_n_devices = (int) n_all;
  }
  /* A process sees one instance only. */
  if (fake_control.mig && fake_n_devices > 1)
    fake_n_devices = 1;
}

int
fake_find_uuid (const CUuuid *uuid)
{
  for (int i = 0; i < fake_n_devices; i++)
    if (memcmp (&fake_devices[i].uuid, uuid, sizeof *uuid) == 0)
      return i;
  return -1;
}

bool
fake_can_access (int device, int peer)
{
  return device == peer || !fake_control.without[FAKE_PEER];
}

static bool
is_device (CUdevice device)
{
  return device >= 0 && device < fake_n_devices;
}

/* --- the driver ---------------------------------------------------------- */

CUresult
cuInit (unsigned flags)
{
  CUresult result = fake_enter_before_init (FAKE_cuInit);

  if (result != CUDA_SUCCESS)
    return result;
  if (flags != 0)
    return CUDA_ERROR_INVALID_VALUE;
  pthread_mutex_lock (&fake_lock);
  if (fake_n_devices == 0)
    fake_find_devices ();
  if (fake_n_devices == 0)
    result = CUDA_ERROR_NO_DEVICE;
  else
    fake_set_initialized ();
  pthread_mutex_unlock (&fake_lock);
  return result;
}

CUresult
cuDriverGetVersion (int *version_out)
{
  CUresult result = fake_enter_before_init (FAKE_cuDriverGetVersion);

  if (result != CUDA_SUCCESS)
    return result;
  if (!version_out)
    return CUDA_ERROR_INVALID_VALUE;
  *version_out = fake_control.version;
  return CUDA_SUCCESS;
}

static const struct {
  CUresult code;
  const char *name;
  const char *sentence;
} errors[] = {
  { CUDA_SUCCESS, "CUDA_SUCCESS", "no error" },
  { CUDA_ERROR_INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument" },
  { CUDA_ERROR_OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory" },
  { CUDA_ERROR_NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED",
      "initialization error" },
  { CUDA_ERROR_NO_DEVICE, "CUDA_ERROR_NO_DEVICE",
      "no CUDA-capable device is detected" },
  { CUDA_ERROR_INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE",
      "invalid device ordinal" },
  { CUDA_ERROR_INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT",
      "invalid device context" },
  { CUDA_ERROR_MAP_FAILED, "CUDA_ERROR_MAP_FAILED",
      "mapping of buffer object failed" },
  { CUDA_ERROR_ALREADY_MAPPED, "CUDA_ERROR_ALREADY_MAPPED",
      "resource already mapped" },
  { CUDA_ERROR_PEER_ACCESS_UNSUPPORTED, "CUDA_ERROR_PEER_ACCESS_UNSUPPORTED",
      "peer access is not supported between these two devices" },
  { CUDA_ERROR_OPERATING_SYSTEM, "CUDA_ERROR_OPERATING_SYSTEM",
      "OS call failed or operation not supported on this OS" },
  { CUDA_ERROR_INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE",
      "invalid resource handle" },
  { CUDA_ERROR_NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found" },
  { CUDA_ERROR_NOT_READY, "CUDA_ERROR_NOT_READY", "device not ready" },
  { CUDA_ERROR_ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS",
      "an illegal memory access was encountered" },
  { CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED,
      "CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED",
      "peer access is already enabled" },
  { CUDA_ERROR_PEER_ACCESS_NOT_ENABLED, "CUDA_ERROR_PEER_ACCESS_NOT_ENABLED",
      "peer access has not been enabled" },
  { CUDA_ERROR_CONTEXT_IS_DESTROYED, "CUDA_ERROR_CONTEXT_IS_DESTROYED",
      "context is destroyed" },
  { CUDA_ERROR_NOT_PERMITTED, "CUDA_ERROR_NOT_PERMITTED",
      "operation not permitted" },
  { CUDA_ERROR_NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED",
      "operation not supported" },
  { CUDA_ERROR_UNKNOWN, "CUDA_ERROR_UNKNOWN", "unknown error" },
};

CUresult
cuGetErrorName (CUresult error, const char **name_out)
{
  CUresult result = fake_enter_before_init (FAKE_cuGetErrorName);

  if (result != CUDA_SUCCESS)
    return result;
  for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
    if (errors[i].code == error) {
      *name_out = errors[i].name;
      return CUDA_SUCCESS;
    }
  }
  *name_out = NULL;
  return CUDA_ERROR_INVALID_VALUE;
}

CUresult
cuGetErrorString (CUresult error, const char **sentence_out)
{
  CUresult result = fake_enter_before_init (FAKE_cuGetErrorString);

  if (result != CUDA_SUCCESS)
    return result;
  for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
    if (errors[i].code == error) {
      *sentence_out = errors[i].sentence;
      return CUDA_SUCCESS;
    }
  }
  *sentence_out = NULL;
  return CUDA_ERROR_INVALID_VALUE;
}

/* --- devices ------------------------------------------------------------- */

CUresult
cuDeviceGet (CUdevice *device_out, int ordinal)
{
  FAKE_ENTER (cuDeviceGet);
  if (!is_device (ordinal))
    return CUDA_ERROR_INVALID_DEVICE;
  *device_out = ordinal;
  return CUDA_SUCCESS;
}

CUresult
cuDeviceGetCount (int *count_out)
{
  FAKE_ENTER (cuDeviceGetCount);
  *count_out = fake_n_devices;
  return CUDA_SUCCESS;
}

CUresult
cuDeviceGetName (char *name_out, int size, CUdevice device)
{
  FAKE_ENTER (cuDeviceGetName);
  if (!is_device (device))
    return CUDA_ERROR_INVALID_DEVICE;
  if (size <= 0)
    return CUDA_ERROR_INVALID_VALUE;
  snprintf (name_out, (size_t) size, "fake-cuda (test double)%s",
      fake_control.mig ? " MIG" : "");
  return CUDA_SUCCESS;
}

static int
attribute_value (CUdevice_attribute attribute, CUdevice device)
{
  const bool *without = fake_control.without;

  switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT:
      return TEXTURE_ALIGNMENT;
    case CU_DEVICE_ATTRIBUTE_TEXTURE_PITCH_ALIGNMENT:
      return PITCH_ALIGNMENT;
    case CU_DEVICE_ATTRIBUTE_PCI_BUS_ID:
      return (unsigned char) fake_devices[device].board_uuid.bytes[15];
    case CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING:
      return 1;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
      return 9;
    case CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED:
      return !without[FAKE_VMM];
    case CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED:
      return !without[FAKE_VMM] && !without[FAKE_FD];
    case CU_DEVICE_ATTRIBUTE_IPC_EVENT_SUPPORTED:
      return !without[FAKE_EVENTS];
    default:
      return 0;
  }
}

CUresult
cuDeviceGetAttribute (
    int *value_out, CUdevice_attribute attribute, CUdevice device)
{
  FAKE_ENTER (cuDeviceGetAttribute);
  if (!is_device (device))
    return CUDA_ERROR_INVALID_DEVICE;
  *value_out = attribute_value (attribute, device);
  return CUDA_SUCCESS;
}

CUresult
cuDeviceGetUuid_v2 (CUuuid *uuid_out, CUdevice device)
{
  FAKE_ENTER (cuDeviceGetUuid);
  if (!is_device (device))
    return CUDA_ERROR_INVALID_DEVICE;
  *uuid_out = fake_devices[device].uuid;
  return CUDA_SUCCESS;
}

CUresult
cuDeviceCanAccessPeer (int *can_out, CUdevice device, CUdevice peer)
{
  FAKE_ENTER (cuDeviceCanAccessPeer);
  if (!is_device (device) || !is_device (peer))
    return CUDA_ERROR_INVALID_DEVICE;
  *can_out = device != peer && fake_can_access (device, peer);
  return CUDA_SUCCESS;
}
