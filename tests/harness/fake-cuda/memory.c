/* SPDX-License-Identifier: MIT */
/* Device memory: files of memory, the device pointers they are mapped at, and
 * the plain allocations among these. */
#include "fake.h"
#include "fake-cuda.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096
#define PITCH 512

struct host_range {
  struct host_range *next;
  void *start;
};

struct fake_range *fake_ranges;
static struct host_range *host_ranges;

static size_t
round_up (size_t size, size_t unit)
{
  return (size + unit - 1) / unit * unit;
}

/* --- files of memory ----------------------------------------------------- */

struct fake_memory *
fake_memory_take_fd (int device, size_t size, int fd)
{
  struct fake_memory *memory = calloc (1, sizeof *memory);

  if (!memory)
    abort ();
  *memory = (struct fake_memory){
    .refs = 1, .fd = fd, .device = device, .size = size
  };
  return memory;
}

/* The name tells an importer whose memory this is. */
static int
new_file (int device, size_t size, const char *purpose)
{
  char name[128];
  int n = snprintf (name, sizeof name, "fake-cuda-%s-", purpose);
  int fd;

  for (int i = 0; i < 16; i++)
    n += snprintf (name + n, sizeof name - (size_t) n, "%02x",
        (unsigned char) fake_devices[device].uuid.bytes[i]);
  fd = memfd_create (name, MFD_CLOEXEC);
  if (fd >= 0 && ftruncate (fd, (off_t) size) != 0) {
    close (fd);
    return -1;
  }
  return fd;
}

struct fake_memory *
fake_memory_new (
    int device, size_t size, const char *purpose, CUresult *why_out)
{
  struct fake_device *on = &fake_devices[device];
  struct fake_memory *memory;
  int fd;

  *why_out = CUDA_ERROR_OUT_OF_MEMORY;
  if (size > fake_control.memory_bytes
      || on->used_bytes > fake_control.memory_bytes - size)
    return NULL;
  fd = new_file (device, size, purpose);
  if (fd < 0) {
    *why_out = CUDA_ERROR_OPERATING_SYSTEM;
    return NULL;
  }
  memory = fake_memory_take_fd (device, size, fd);
  memory->is_ours = true;
  on->used_bytes += size;
  return memory;
}

struct fake_memory *
fake_memory_ref (struct fake_memory *memory)
{
  memory->refs++;
  return memory;
}

void
fake_memory_unref (struct fake_memory *memory)
{
  if (--memory->refs > 0)
    return;
  if (memory->is_ours)
    fake_devices[memory->device].used_bytes -= memory->size;
  close (memory->fd);
  free (memory);
}

/* --- where it is mapped -------------------------------------------------- */

static const enum fake_kind live_kind[] = { [FAKE_ALLOCATION] =
                                                FAKE_KIND_MEMORY,
  [FAKE_MAPPING] = FAKE_KIND_MAPPING,
  [FAKE_IMPORT] = FAKE_KIND_IMPORT };

struct fake_range *
fake_range_new (enum fake_range_kind kind, CUdeviceptr base, size_t size,
    struct fake_memory *memory)
{
  struct fake_range *range = calloc (1, sizeof *range);

  if (!range)
    abort ();
  *range = (struct fake_range){ .next = fake_ranges,
    .kind = kind,
    .base = base,
    .size = size,
    .mapped_size = memory->size,
    .memory = memory };
  if (!fake_view_map (base, memory->size, memory->fd)) {
    free (range);
    return NULL;
  }
  fake_ranges = range;
  fake_live[live_kind[kind]]++;
  return range;
}

void
fake_range_free (struct fake_range *range)
{
  struct fake_range **at = &fake_ranges;

  while (*at != range)
    at = &(*at)->next;
  *at = range->next;
  fake_live[live_kind[range->kind]]--;
  fake_view_unmap (range->base, range->mapped_size);
  if (range->kind != FAKE_MAPPING)
    fake_unreserve (range->base);
  fake_memory_unref (range->memory);
  free (range);
}

struct fake_range *
fake_range_find (CUdeviceptr pointer)
{
  for (struct fake_range *range = fake_ranges; range; range = range->next)
    if (pointer >= range->base && pointer - range->base < range->size)
      return range;
  return NULL;
}

static bool
grants (const struct fake_range *range, int device, CUmemAccess_flags access)
{
  if (range->kind == FAKE_MAPPING)
    return (range->access[device] & access) == access;
  return true; /* copies between devices go without peer access */
}

bool
fake_range_allows (
    CUdeviceptr pointer, size_t size, int device, CUmemAccess_flags access)
{
  while (size > 0) {
    const struct fake_range *range = fake_range_find (pointer);
    size_t left;

    if (!range || !grants (range, device, access))
      return false;
    left = range->size - (size_t) (pointer - range->base);
    if (left >= size)
      return true;
    pointer += left;
    size -= left;
  }
  return true;
}

void
fake_context_free_memory (CUcontext context)
{
  struct fake_range *next;

  for (struct fake_range *range = fake_ranges; range; range = next) {
    next = range->next;
    if (range->context == context)
      fake_range_free (range);
  }
}

FAKE_EXPORTED void *
fake_cuda_peek (unsigned long long pointer)
{
  void *view = NULL;

  pthread_mutex_lock (&fake_lock);
  if (fake_range_find (pointer))
    view = fake_view (pointer);
  pthread_mutex_unlock (&fake_lock);
  return view;
}

/* --- plain allocations --------------------------------------------------- */

/* Maps the whole memory where there is room, for the context; takes the
 * reference, and drops it when there is none. */
struct fake_range *
fake_context_map (CUcontext context, enum fake_range_kind kind, size_t size,
    struct fake_memory *memory)
{
  CUdeviceptr base = fake_reserve (memory->size, PAGE);
  struct fake_range *range =
      base ? fake_range_new (kind, base, size, memory) : NULL;

  if (!range) {
    if (base)
      fake_unreserve (base);
    fake_memory_unref (memory);
    return NULL;
  }
  range->context = context;
  fake_view_protect (base, memory->size, CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
  return range;
}

static CUresult
allocate (CUdeviceptr *pointer_out, size_t size)
{
  struct fake_memory *memory;
  struct fake_range *range;
  CUcontext context;
  CUresult result = fake_current (&context);

  if (result != CUDA_SUCCESS)
    return result;
  if (size == 0 || size > SIZE_MAX / 2 || !pointer_out)
    return CUDA_ERROR_INVALID_VALUE;
  memory = fake_memory_new (
      context->device, round_up (size, PAGE), "alloc", &result);
  if (!memory)
    return result;
  range = fake_context_map (context, FAKE_ALLOCATION, size, memory);
  if (!range)
    return CUDA_ERROR_OUT_OF_MEMORY;
  *pointer_out = range->base;
  return CUDA_SUCCESS;
}

CUresult
cuMemAlloc_v2 (CUdeviceptr *pointer_out, size_t size)
{
  FAKE_ENTER_LOCKED (cuMemAlloc);
  return allocate (pointer_out, size);
}

CUresult
cuMemAllocPitch_v2 (CUdeviceptr *pointer_out, size_t *pitch_out,
    size_t width_bytes, size_t height, unsigned element_size)
{
  FAKE_ENTER_LOCKED (cuMemAllocPitch);
  size_t pitch = round_up (width_bytes, PITCH);

  if (width_bytes == 0 || height == 0 || width_bytes > SIZE_MAX / 4
      || pitch > SIZE_MAX / 4 / height
      || (element_size != 4 && element_size != 8 && element_size != 16))
    return CUDA_ERROR_INVALID_VALUE;
  *pitch_out = pitch;
  return allocate (pointer_out, pitch * height);
}

CUresult
cuMemFree_v2 (CUdeviceptr pointer)
{
  FAKE_ENTER_LOCKED (cuMemFree);
  struct fake_range *range;

  if (pointer == 0)
    return CUDA_SUCCESS;
  fake_wait_for_all ();
  range = fake_range_find (pointer);
  if (!range || range->kind != FAKE_ALLOCATION || range->base != pointer)
    return CUDA_ERROR_INVALID_VALUE;
  fake_range_free (range);
  return CUDA_SUCCESS;
}

CUresult
cuMemGetInfo_v2 (size_t *free_out, size_t *total_out)
{
  FAKE_ENTER_LOCKED (cuMemGetInfo);
  CUcontext context;
  CUresult result = fake_current (&context);

  if (result != CUDA_SUCCESS)
    return result;
  *total_out = fake_control.memory_bytes;
  *free_out = *total_out - fake_devices[context->device].used_bytes;
  return CUDA_SUCCESS;
}

/* --- pinned memory of the host ------------------------------------------- */

CUresult
cuMemAllocHost_v2 (void **pointer_out, size_t size)
{
  FAKE_ENTER_LOCKED (cuMemAllocHost);
  CUcontext context;
  CUresult result = fake_current (&context);
  struct host_range *range;

  if (result != CUDA_SUCCESS)
    return result;
  if (size == 0)
    return CUDA_ERROR_INVALID_VALUE;
  range = calloc (1, sizeof *range);
  if (!range || posix_memalign (&range->start, PAGE, size) != 0) {
    free (range);
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  range->next = host_ranges;
  host_ranges = range;
  *pointer_out = range->start;
  fake_live[FAKE_KIND_HOST]++;
  return CUDA_SUCCESS;
}

CUresult
cuMemFreeHost (void *pointer)
{
  FAKE_ENTER_LOCKED (cuMemFreeHost);
  struct host_range **at = &host_ranges;
  struct host_range *range;

  fake_wait_for_all ();
  while (*at && (*at)->start != pointer)
    at = &(*at)->next;
  range = *at;
  if (!range)
    return CUDA_ERROR_INVALID_VALUE;
  *at = range->next;
  free (range->start);
  free (range);
  fake_live[FAKE_KIND_HOST]--;
  return CUDA_SUCCESS;
}

/* --- what a pointer is --------------------------------------------------- */

CUresult
cuMemGetAddressRange_v2 (
    CUdeviceptr *base_out, size_t *size_out, CUdeviceptr pointer)
{
  FAKE_ENTER_LOCKED (cuMemGetAddressRange);
  const struct fake_range *range = fake_range_find (pointer);

  if (!range)
    return CUDA_ERROR_NOT_FOUND;
  if (base_out)
    *base_out = range->base;
  if (size_out)
    *size_out = range->size;
  return CUDA_SUCCESS;
}

CUresult
cuPointerGetAttribute (
    void *value_out, CUpointer_attribute attribute, CUdeviceptr pointer)
{
  FAKE_ENTER_LOCKED (cuPointerGetAttribute);
  const struct fake_range *range = fake_range_find (pointer);

  if (!range)
    return CUDA_ERROR_INVALID_VALUE;
  switch ((int) attribute) {
    case CU_POINTER_ATTRIBUTE_CONTEXT:
      *(CUcontext *) value_out = range->context;
      return range->context ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
    case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
      *(unsigned *) value_out = CU_MEMORYTYPE_DEVICE;
      return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_DEVICE_POINTER:
      *(CUdeviceptr *) value_out = pointer;
      return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL:
      *(int *) value_out = range->memory->device;
      return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE:
      *(int *) value_out =
          range->kind == FAKE_ALLOCATION && !fake_control.without[FAKE_LEGACY];
      return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR:
      *(CUdeviceptr *) value_out = range->base;
      return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_RANGE_SIZE:
      *(size_t *) value_out = range->size;
      return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_MAPPED:
      *(int *) value_out = 1;
      return CUDA_SUCCESS;
    default:
      return CUDA_ERROR_NOT_SUPPORTED;
  }
}
