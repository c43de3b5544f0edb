/* SPDX-License-Identifier: MIT */
/* Functions found by the names of the documentation, and those that are there
 * in name only. */
#include "fake.h"

#include <string.h>

static const struct {
  const char *name;
  void *function;
  int since;
} functions[] = {
#define F(name, symbol, since) { #name, (void *) symbol, since },
#include "functions.def"
#undef F
#define U(name, symbol, since) { #name, (void *) symbol, since },
#include "unsupported.def"
#undef U
};

#define U(name, symbol, since)       \
  CUresult symbol (void)             \
  {                                  \
    FAKE_ENTER (name);               \
    return CUDA_ERROR_NOT_SUPPORTED; \
  }
#include "unsupported.def"
#undef U

static CUdriverProcAddressQueryResult
find (const char *name, int version, void **function_out)
{
  for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
    if (strcmp (functions[i].name, name) != 0)
      continue;
    if (functions[i].since > fake_control.version)
      return CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
    if (functions[i].since > version)
      return CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT;
    *function_out = functions[i].function;
    return CU_GET_PROC_ADDRESS_SUCCESS;
  }
  return CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
}

CUresult
cuGetProcAddress_v2 (const char *symbol, void **function_out, int version,
    uint64_t flags, CUdriverProcAddressQueryResult *found_out)
{
  CUresult result = fake_enter_before_init (FAKE_cuGetProcAddress);
  CUdriverProcAddressQueryResult found;

  if (result != CUDA_SUCCESS)
    return result;
  if (!symbol || !function_out)
    return CUDA_ERROR_INVALID_VALUE;
  *function_out = NULL;
  found = find (symbol, version, function_out);
  if (found_out)
    *found_out = found;
  return found == CU_GET_PROC_ADDRESS_SUCCESS ? CUDA_SUCCESS
                                              : CUDA_ERROR_NOT_FOUND;
}
