/* SPDX-License-Identifier: MIT */
/* Virtual memory management: allocations with handles, that other processes
 * import from a descriptor, and reserved addresses that they are mapped at. */
#include "fake.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "/memfd:fake-cuda-vmm-"

struct handle {
  struct handle *next;
  CUmemGenericAllocationHandle name;
  bool is_exportable;
  struct fake_memory *memory;
};

struct reservation {
  struct reservation *next;
  CUdeviceptr base;
  size_t size;
};

static struct handle *handles;
static struct reservation *reservations;
static CUmemGenericAllocationHandle last_name = 0x1000;

static bool
is_whole (uint64_t size)
{
  return size > 0 && size % FAKE_GRANULARITY == 0;
}

/* --- handles ------------------------------------------------------------- */

static CUmemGenericAllocationHandle
new_handle (struct fake_memory *memory, bool is_exportable)
{
  struct handle *handle = calloc (1, sizeof *handle);

  if (!handle)
    abort ();
  *handle = (struct handle){ handles, ++last_name, is_exportable, memory };
  handles = handle;
  fake_live[FAKE_KIND_HANDLE]++;
  return handle->name;
}

static struct handle **
find_handle (CUmemGenericAllocationHandle name)
{
  struct handle **at = &handles;

  while (*at && (*at)->name != name)
    at = &(*at)->next;
  return at;
}

/* What a property may be here. */
static CUresult
check_properties (const CUmemAllocationProp *properties)
{
  if (fake_control.without[FAKE_VMM])
    return CUDA_ERROR_NOT_SUPPORTED;
  if (!properties || properties->type != CU_MEM_ALLOCATION_TYPE_PINNED
      || properties->location.type != CU_MEM_LOCATION_TYPE_DEVICE)
    return CUDA_ERROR_INVALID_VALUE;
  if (properties->location.id < 0 || properties->location.id >= fake_n_devices)
    return CUDA_ERROR_INVALID_DEVICE;
  if ((unsigned) properties->requestedHandleTypes
      & ~(unsigned) CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR)
    return CUDA_ERROR_NOT_SUPPORTED;
  if (properties->requestedHandleTypes && fake_control.without[FAKE_FD])
    return CUDA_ERROR_NOT_SUPPORTED;
  return CUDA_SUCCESS;
}

CUresult
cuMemGetAllocationGranularity (size_t *granularity_out,
    const CUmemAllocationProp *properties,
    CUmemAllocationGranularity_flags which)
{
  FAKE_ENTER_LOCKED (cuMemGetAllocationGranularity);
  CUresult result = check_properties (properties);

  if (result == CUDA_SUCCESS)
    *granularity_out = FAKE_GRANULARITY;
  return result;
}

CUresult
cuMemCreate (CUmemGenericAllocationHandle *handle_out, size_t size,
    const CUmemAllocationProp *properties, unsigned long long flags)
{
  FAKE_ENTER_LOCKED (cuMemCreate);
  CUresult result = check_properties (properties);
  struct fake_memory *memory;

  if (result != CUDA_SUCCESS)
    return result;
  if (!is_whole (size) || flags != 0)
    return CUDA_ERROR_INVALID_VALUE;
  memory = fake_memory_new (properties->location.id, size, "vmm", &result);
  if (!memory)
    return result;
  *handle_out = new_handle (memory, properties->requestedHandleTypes != 0);
  return CUDA_SUCCESS;
}

CUresult
cuMemRelease (CUmemGenericAllocationHandle name)
{
  FAKE_ENTER_LOCKED (cuMemRelease);
  struct handle **at = find_handle (name);
  struct handle *handle = *at;

  if (!handle)
    return CUDA_ERROR_INVALID_VALUE;
  *at = handle->next;
  fake_memory_unref (handle->memory);
  free (handle);
  fake_live[FAKE_KIND_HANDLE]--;
  return CUDA_SUCCESS;
}

CUresult
cuMemExportToShareableHandle (void *shareable_out,
    CUmemGenericAllocationHandle name, CUmemAllocationHandleType type,
    unsigned long long flags)
{
  FAKE_ENTER_LOCKED (cuMemExportToShareableHandle);
  struct handle *handle = *find_handle (name);
  int fd;

  if (!handle || !handle->is_exportable || flags != 0
      || type != CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR)
    return CUDA_ERROR_INVALID_VALUE;
  if (fake_control.without[FAKE_EXPORT])
    return CUDA_ERROR_NOT_SUPPORTED;
  fd = fcntl (handle->memory->fd, F_DUPFD_CLOEXEC, 3);
  if (fd < 0)
    return CUDA_ERROR_OPERATING_SYSTEM;
  *(int *) shareable_out = fd;
  return CUDA_SUCCESS;
}

/* Whose memory a descriptor is: the file's name says it. Returns -1 for any
 * other file. */
static int
find_owner (int fd, CUresult *why_out)
{
  char path[64];
  char name[256];
  CUuuid uuid;
  ssize_t n;

  snprintf (path, sizeof path, "/proc/self/fd/%d", fd);
  n = readlink (path, name, sizeof name - 1);
  *why_out = CUDA_ERROR_INVALID_VALUE;
  if (n < (ssize_t) (sizeof FILE_NAME - 1 + 32)
      || strncmp (name, FILE_NAME, sizeof FILE_NAME - 1) != 0)
    return -1;
  name[n] = '\0';
  for (unsigned i = 0; i < 16; i++) {
    unsigned byte = 0;

    sscanf (name + sizeof FILE_NAME - 1 + 2 * i, "%2x", &byte);
    uuid.bytes[i] = (char) byte;
  }
  *why_out = CUDA_ERROR_INVALID_DEVICE;
  return fake_find_uuid (&uuid);
}

CUresult
cuMemImportFromShareableHandle (CUmemGenericAllocationHandle *handle_out,
    void *shareable, CUmemAllocationHandleType type)
{
  FAKE_ENTER_LOCKED (cuMemImportFromShareableHandle);
  struct stat status;
  CUresult result;
  int device;
  int fd;

  if (fake_control.without[FAKE_VMM] || fake_control.without[FAKE_FD])
    return CUDA_ERROR_NOT_SUPPORTED;
  if (type != CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR)
    return CUDA_ERROR_INVALID_VALUE;
  device = find_owner ((int) (intptr_t) shareable, &result);
  if (device < 0)
    return result;
  fd = fcntl ((int) (intptr_t) shareable, F_DUPFD_CLOEXEC, 3);
  if (fd < 0)
    return CUDA_ERROR_OPERATING_SYSTEM;
  if (fstat (fd, &status) != 0 || !is_whole ((uint64_t) status.st_size)) {
    close (fd);
    return CUDA_ERROR_INVALID_VALUE;
  }
  *handle_out = new_handle (
      fake_memory_take_fd (device, (size_t) status.st_size, fd), true);
  return CUDA_SUCCESS;
}

/* --- addresses ----------------------------------------------------------- */

static bool
is_reserved (CUdeviceptr pointer, size_t size)
{
  for (const struct reservation *at = reservations; at; at = at->next)
    if (pointer >= at->base && size <= at->size
        && pointer - at->base <= at->size - size)
      return true;
  return false;
}

static bool
overlaps (CUdeviceptr pointer, size_t size)
{
  for (const struct fake_range *at = fake_ranges; at; at = at->next)
    if (pointer < at->base + at->mapped_size && at->base < pointer + size)
      return true;
  return false;
}

CUresult
cuMemAddressReserve (CUdeviceptr *pointer_out, size_t size, size_t alignment,
    CUdeviceptr wanted, unsigned long long flags)
{
  FAKE_ENTER_LOCKED (cuMemAddressReserve);
  struct reservation *reservation;

  if (fake_control.without[FAKE_VMM])
    return CUDA_ERROR_NOT_SUPPORTED;
  if (!is_whole (size) || flags != 0 || (alignment & (alignment - 1)) != 0)
    return CUDA_ERROR_INVALID_VALUE;
  reservation = calloc (1, sizeof *reservation);
  if (!reservation)
    abort ();
  reservation->size = size;
  reservation->base = fake_reserve (
      size, alignment > FAKE_GRANULARITY ? alignment : FAKE_GRANULARITY);
  if (!reservation->base) {
    free (reservation);
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  reservation->next = reservations;
  reservations = reservation;
  fake_live[FAKE_KIND_RESERVATION]++;
  *pointer_out = reservation->base;
  return CUDA_SUCCESS;
}

CUresult
cuMemAddressFree (CUdeviceptr pointer, size_t size)
{
  FAKE_ENTER_LOCKED (cuMemAddressFree);
  struct reservation **at = &reservations;
  struct reservation *reservation;

  while (*at && ((*at)->base != pointer || (*at)->size != size))
    at = &(*at)->next;
  reservation = *at;
  if (!reservation || overlaps (pointer, size))
    return CUDA_ERROR_INVALID_VALUE;
  *at = reservation->next;
  fake_unreserve (pointer);
  free (reservation);
  fake_live[FAKE_KIND_RESERVATION]--;
  return CUDA_SUCCESS;
}

/* --- mappings ------------------------------------------------------------ */

CUresult
cuMemMap (CUdeviceptr pointer, size_t size, size_t offset,
    CUmemGenericAllocationHandle name, unsigned long long flags)
{
  FAKE_ENTER_LOCKED (cuMemMap);
  struct handle *handle = *find_handle (name);
  struct fake_range *range;

  if (!handle || offset != 0 || flags != 0 || size != handle->memory->size
      || !is_reserved (pointer, size) || pointer % FAKE_GRANULARITY != 0)
    return CUDA_ERROR_INVALID_VALUE;
  if (overlaps (pointer, size))
    return CUDA_ERROR_ALREADY_MAPPED;
  range = fake_range_new (
      FAKE_MAPPING, pointer, size, fake_memory_ref (handle->memory));
  if (!range) {
    fake_memory_unref (handle->memory);
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  return CUDA_SUCCESS;
}

CUresult
cuMemUnmap (CUdeviceptr pointer, size_t size)
{
  FAKE_ENTER_LOCKED (cuMemUnmap);
  struct fake_range *range = fake_range_find (pointer);

  if (!range || range->kind != FAKE_MAPPING || range->base != pointer
      || range->size != size)
    return CUDA_ERROR_INVALID_VALUE;
  fake_range_free (range);
  return CUDA_SUCCESS;
}

/* The view can be used as any of the devices can use the memory. */
static void
protect (const struct fake_range *range)
{
  unsigned access = CU_MEM_ACCESS_FLAGS_PROT_NONE;

  for (int i = 0; i < FAKE_MAX_DEVICES; i++)
    access |= (unsigned) range->access[i];
  fake_view_protect (range->base, range->size, (CUmemAccess_flags) access);
}

static CUresult
set_access (struct fake_range *range, const CUmemAccessDesc *access)
{
  int device = access->location.id;
  CUmemAccess_flags flags = access->flags;

  if (access->location.type != CU_MEM_LOCATION_TYPE_DEVICE || device < 0
      || device >= fake_n_devices)
    return CUDA_ERROR_INVALID_DEVICE;
  if (flags != CU_MEM_ACCESS_FLAGS_PROT_NONE
      && flags != CU_MEM_ACCESS_FLAGS_PROT_READ
      && flags != CU_MEM_ACCESS_FLAGS_PROT_READWRITE)
    return CUDA_ERROR_INVALID_VALUE;
  if (!fake_can_access (device, range->memory->device))
    return CUDA_ERROR_INVALID_DEVICE;
  if (flags == CU_MEM_ACCESS_FLAGS_PROT_READ
      && fake_control.without[FAKE_READ_ONLY])
    flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
  range->access[device] = flags;
  return CUDA_SUCCESS;
}

CUresult
cuMemSetAccess (CUdeviceptr pointer, size_t size, const CUmemAccessDesc *access,
    size_t n_access)
{
  FAKE_ENTER_LOCKED (cuMemSetAccess);
  struct fake_range *range = fake_range_find (pointer);
  CUresult result = CUDA_SUCCESS;

  if (!range || range->kind != FAKE_MAPPING || range->base != pointer
      || range->size != size)
    return CUDA_ERROR_INVALID_VALUE;
  for (size_t i = 0; i < n_access && result == CUDA_SUCCESS; i++)
    result = set_access (range, &access[i]);
  protect (range);
  return result;
}
