/* SPDX-License-Identifier: MIT */
/* Kernels: not those of the program, which are never looked at, but functions of
 * the host that are written here under the same names. A module is a text with an
 * entry of such a name; all others are not supported. */
#include "fake.h"

#include <stdlib.h>
#include <string.h>

#define MAX_PARAMETERS 8
#define MAX_GRID_YZ 65535
#define MAX_BLOCK 1024

struct launch_op {
  struct fake_op base;
  CUfunction function;
  int device;
  unsigned n_threads_x; /* over all blocks */
  unsigned n_threads_y;
  uint64_t parameters[MAX_PARAMETERS];
};

struct CUfunc_st {
  const char *name;
  size_t sizes[MAX_PARAMETERS]; /* of the parameters, up to a 0 */
  CUresult (*run) (const struct launch_op *launch);
};

struct CUmod_st {
  struct CUmod_st *next;
  CUcontext context;
  const struct CUfunc_st *function;
};

static struct CUmod_st *modules;

/* --- the kernels --------------------------------------------------------- */

static bool
may (const struct launch_op *launch, CUdeviceptr pointer, uint64_t size,
    CUmemAccess_flags access)
{
  bool allowed;

  pthread_mutex_lock (&fake_lock);
  allowed = fake_range_allows (pointer, size, launch->device, access);
  pthread_mutex_unlock (&fake_lock);
  return allowed;
}

static unsigned
least (uint64_t a, uint64_t b)
{
  return (unsigned) (a < b ? a : b);
}

/* Of examples/cuda-histogram.h: luma, stride, width, height, bins. */
static CUresult
run_histogram (const struct launch_op *launch)
{
  const uint64_t *p = launch->parameters;
  unsigned width = least (p[2], launch->n_threads_x);
  unsigned height = least (p[3], launch->n_threads_y);
  const uint8_t *luma = fake_view (p[0]);
  uint32_t *bins = fake_view (p[4]);

  if (width == 0 || height == 0)
    return CUDA_SUCCESS;
  if (!may (launch, p[0], p[1] * (height - 1) + width,
          CU_MEM_ACCESS_FLAGS_PROT_READ)
      || !may (
          launch, p[4], 16 * sizeof *bins, CU_MEM_ACCESS_FLAGS_PROT_READWRITE))
    return CUDA_ERROR_ILLEGAL_ADDRESS;
  for (unsigned y = 0; y < height; y++)
    for (unsigned x = 0; x < width; x++)
      bins[luma[p[1] * y + x] >> 4]++;
  return CUDA_SUCCESS;
}

static const struct CUfunc_st functions[] = {
  { "histogram", { 8, 4, 4, 4, 8 }, run_histogram },
};

/* --- modules ------------------------------------------------------------- */

static const struct CUfunc_st *
find_entry (const char *text)
{
  for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
    for (const char *at = text; (at = strstr (at, ".entry "));) {
      size_t length = strlen (functions[i].name);

      at += strlen (".entry ");
      if (strncmp (at, functions[i].name, length) == 0
          && strchr (" (\n", at[length]))
        return &functions[i];
    }
  return NULL;
}

static struct CUmod_st **
find_module (CUmodule module)
{
  struct CUmod_st **at = &modules;

  while (*at && *at != module)
    at = &(*at)->next;
  return at;
}

static void
free_module (struct CUmod_st **at)
{
  struct CUmod_st *module = *at;

  *at = module->next;
  fake_live[FAKE_KIND_MODULE]--;
  free (module);
}

void
fake_context_free_modules (CUcontext context)
{
  for (struct CUmod_st **at = &modules; *at;) {
    if ((*at)->context == context)
      free_module (at);
    else
      at = &(*at)->next;
  }
}

CUresult
cuModuleLoadData (CUmodule *module_out, const void *image)
{
  FAKE_ENTER_LOCKED (cuModuleLoadData);
  const struct CUfunc_st *function;
  CUcontext context;
  CUresult result = fake_current (&context);

  if (result != CUDA_SUCCESS)
    return result;
  if (!module_out || !image)
    return CUDA_ERROR_INVALID_VALUE;
  function = find_entry (image);
  if (!function)
    return CUDA_ERROR_NOT_SUPPORTED;
  *module_out = calloc (1, sizeof **module_out);
  if (!*module_out)
    abort ();
  **module_out = (struct CUmod_st){ modules, context, function };
  modules = *module_out;
  fake_live[FAKE_KIND_MODULE]++;
  return CUDA_SUCCESS;
}

CUresult
cuModuleUnload (CUmodule module)
{
  FAKE_ENTER_LOCKED (cuModuleUnload);
  struct CUmod_st **at = find_module (module);

  if (!*at)
    return CUDA_ERROR_INVALID_HANDLE;
  free_module (at);
  return CUDA_SUCCESS;
}

CUresult
cuModuleGetFunction (
    CUfunction *function_out, CUmodule module, const char *name)
{
  FAKE_ENTER_LOCKED (cuModuleGetFunction);

  if (!*find_module (module))
    return CUDA_ERROR_INVALID_HANDLE;
  if (!function_out || !name)
    return CUDA_ERROR_INVALID_VALUE;
  if (strcmp (module->function->name, name) != 0)
    return CUDA_ERROR_NOT_FOUND;
  *function_out = (CUfunction) module->function;
  return CUDA_SUCCESS;
}

/* --- launches ------------------------------------------------------------ */

static CUresult
launch_run (struct fake_op *op)
{
  struct launch_op *launch = (struct launch_op *) op;

  return launch->function->run (launch);
}

static bool
is_function (CUfunction function)
{
  for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
    if (function == &functions[i])
      return true;
  return false;
}

CUresult
cuLaunchKernel (CUfunction function, unsigned grid_x, unsigned grid_y,
    unsigned grid_z, unsigned block_x, unsigned block_y, unsigned block_z,
    unsigned shared_bytes, CUstream name, void **parameters, void **extra)
{
  FAKE_ENTER_LOCKED (cuLaunchKernel);
  struct launch_op *launch;
  CUstream stream;
  CUresult result = fake_find_stream (name, &stream);

  if (result != CUDA_SUCCESS)
    return result;
  if (!is_function (function))
    return CUDA_ERROR_INVALID_HANDLE;
  if (grid_x == 0 || grid_y - 1 >= MAX_GRID_YZ || grid_z - 1 >= MAX_GRID_YZ
      || block_x == 0 || block_y == 0 || block_z == 0
      || (uint64_t) block_x * block_y > MAX_BLOCK / block_z || !parameters)
    return CUDA_ERROR_INVALID_VALUE;
  launch = fake_op_new (sizeof *launch);
  launch->base.is_work = true;
  launch->base.run = launch_run;
  launch->function = function;
  launch->device = fake_stream_context (stream)->device;
  launch->n_threads_x = least ((uint64_t) grid_x * block_x, UINT32_MAX);
  launch->n_threads_y = grid_y * block_y;
  /* Copied at the call, as by a driver. */
  for (int i = 0; i < MAX_PARAMETERS && function->sizes[i]; i++)
    memcpy (&launch->parameters[i], parameters[i], function->sizes[i]);
  fake_stream_push (stream, &launch->base);
  return CUDA_SUCCESS;
}
