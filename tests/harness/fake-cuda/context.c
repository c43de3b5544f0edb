/* SPDX-License-Identifier: MIT */
/* Contexts, and the stack of them that each thread has. A context is never
 * freed, so that a stale one is told from a living one. */
#include "fake.h"

#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH 32

static struct CUctx_st *contexts; /* all that ever were */
static struct CUctx_st *primaries[FAKE_MAX_DEVICES];

static __thread CUcontext stack[MAX_DEPTH];
static __thread unsigned depth;

CUresult
fake_check_context (CUcontext context)
{
  for (const struct CUctx_st *at = contexts; at; at = at->next)
    if (at == context)
      return at->n_retained > 0 ? at->error : CUDA_ERROR_CONTEXT_IS_DESTROYED;
  return CUDA_ERROR_INVALID_CONTEXT;
}

CUresult
fake_current (CUcontext *context_out)
{
  *context_out = depth > 0 ? stack[depth - 1] : NULL;
  return fake_check_context (*context_out);
}

static CUcontext
new_context (CUdevice device)
{
  CUcontext context = calloc (1, sizeof *context);

  if (!context)
    abort ();
  context->device = device;
  context->next = contexts;
  contexts = context;
  return context;
}

static void
begin (CUcontext context)
{
  context->n_retained = 1;
  context->generation++;
  context->error = CUDA_SUCCESS;
  memset (context->peers, 0, sizeof context->peers);
  context->legacy = fake_stream_new (context);
  fake_live[FAKE_KIND_CONTEXT]++;
}

/* Ends with it: its streams, its allocations, its imports. */
static void
end (CUcontext context)
{
  fake_context_wait (context);
  fake_context_free_streams (context);
  fake_context_free_memory (context);
  fake_context_free_modules (context);
  context->legacy = NULL;
  context->n_retained = 0;
  fake_live[FAKE_KIND_CONTEXT]--;
}

/* --- primary ones -------------------------------------------------------- */

CUresult
cuDevicePrimaryCtxRetain (CUcontext *context_out, CUdevice device)
{
  FAKE_ENTER_LOCKED (cuDevicePrimaryCtxRetain);
  if (device < 0 || device >= fake_n_devices)
    return CUDA_ERROR_INVALID_DEVICE;
  if (!primaries[device])
    primaries[device] = new_context (device);
  if (primaries[device]->n_retained == 0)
    begin (primaries[device]);
  else
    primaries[device]->n_retained++;
  *context_out = primaries[device];
  return CUDA_SUCCESS;
}

CUresult
cuDevicePrimaryCtxRelease_v2 (CUdevice device)
{
  FAKE_ENTER_LOCKED (cuDevicePrimaryCtxRelease);
  if (device < 0 || device >= fake_n_devices)
    return CUDA_ERROR_INVALID_DEVICE;
  if (!primaries[device] || primaries[device]->n_retained == 0)
    return CUDA_ERROR_INVALID_CONTEXT;
  if (primaries[device]->n_retained == 1)
    end (primaries[device]);
  else
    primaries[device]->n_retained--;
  return CUDA_SUCCESS;
}

/* --- others -------------------------------------------------------------- */

CUresult
cuCtxCreate_v2 (CUcontext *context_out, unsigned flags, CUdevice device)
{
  FAKE_ENTER_LOCKED (cuCtxCreate);
  if (device < 0 || device >= fake_n_devices)
    return CUDA_ERROR_INVALID_DEVICE;
  if (depth == MAX_DEPTH)
    return CUDA_ERROR_OUT_OF_MEMORY;
  *context_out = new_context (device);
  begin (*context_out);
  stack[depth++] = *context_out;
  return CUDA_SUCCESS;
}

CUresult
cuCtxDestroy_v2 (CUcontext context)
{
  FAKE_ENTER_LOCKED (cuCtxDestroy);
  CUresult result = fake_check_context (context);

  if (result == CUDA_ERROR_INVALID_CONTEXT
      || result == CUDA_ERROR_CONTEXT_IS_DESTROYED)
    return result;
  if (context == primaries[context->device])
    return CUDA_ERROR_INVALID_CONTEXT;
  end (context);
  if (depth > 0 && stack[depth - 1] == context)
    depth--;
  return CUDA_SUCCESS;
}

/* --- the stack ----------------------------------------------------------- */

CUresult
cuCtxPushCurrent_v2 (CUcontext context)
{
  FAKE_ENTER_LOCKED (cuCtxPushCurrent);
  CUresult result = fake_check_context (context);

  if (result == CUDA_ERROR_INVALID_CONTEXT
      || result == CUDA_ERROR_CONTEXT_IS_DESTROYED)
    return result;
  if (depth == MAX_DEPTH)
    return CUDA_ERROR_INVALID_VALUE;
  stack[depth++] = context;
  return CUDA_SUCCESS;
}

CUresult
cuCtxPopCurrent_v2 (CUcontext *context_out)
{
  FAKE_ENTER_LOCKED (cuCtxPopCurrent);
  if (depth == 0)
    return CUDA_ERROR_INVALID_CONTEXT;
  depth--;
  if (context_out)
    *context_out = stack[depth];
  return CUDA_SUCCESS;
}

CUresult
cuCtxSetCurrent (CUcontext context)
{
  FAKE_ENTER_LOCKED (cuCtxSetCurrent);
  if (depth > 0)
    depth--;
  if (context)
    stack[depth++] = context;
  return CUDA_SUCCESS;
}

CUresult
cuCtxGetCurrent (CUcontext *context_out)
{
  FAKE_ENTER_LOCKED (cuCtxGetCurrent);
  *context_out = depth > 0 ? stack[depth - 1] : NULL;
  return CUDA_SUCCESS;
}

CUresult
cuCtxGetDevice (CUdevice *device_out)
{
  FAKE_ENTER_LOCKED (cuCtxGetDevice);
  CUcontext context;
  CUresult result = fake_current (&context);

  if (result != CUDA_SUCCESS)
    return result;
  *device_out = context->device;
  return CUDA_SUCCESS;
}

CUresult
cuCtxSynchronize (void)
{
  FAKE_ENTER_LOCKED (cuCtxSynchronize);
  CUcontext context;
  CUresult result = fake_current (&context);

  return result == CUDA_SUCCESS ? fake_context_wait (context) : result;
}

/* --- peers --------------------------------------------------------------- */

CUresult
cuCtxEnablePeerAccess (CUcontext peer, unsigned flags)
{
  FAKE_ENTER_LOCKED (cuCtxEnablePeerAccess);
  CUcontext context;
  CUresult result = fake_current (&context);

  if (result == CUDA_SUCCESS)
    result = fake_check_context (peer);
  if (result != CUDA_SUCCESS)
    return result;
  if (!fake_can_access (context->device, peer->device)
      || context->device == peer->device)
    return CUDA_ERROR_PEER_ACCESS_UNSUPPORTED;
  if (context->peers[peer->device])
    return CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED;
  context->peers[peer->device] = true;
  return CUDA_SUCCESS;
}

CUresult
cuCtxDisablePeerAccess (CUcontext peer)
{
  FAKE_ENTER_LOCKED (cuCtxDisablePeerAccess);
  CUcontext context;
  CUresult result = fake_current (&context);

  if (result == CUDA_SUCCESS)
    result = fake_check_context (peer);
  if (result != CUDA_SUCCESS)
    return result;
  if (!context->peers[peer->device])
    return CUDA_ERROR_PEER_ACCESS_NOT_ENABLED;
  context->peers[peer->device] = false;
  return CUDA_SUCCESS;
}
