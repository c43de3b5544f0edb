/* SPDX-License-Identifier: MIT */
/* What arrays are: their sizes, strides and bounds. Keeps no state. */
#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include <xmem/frame.h>

uint64_t
xmem_dtype_size (unsigned dtype)
{
  static const uint8_t sizes[] = {
    [XMEM_DTYPE_U8] = 1,
    [XMEM_DTYPE_I8] = 1,
    [XMEM_DTYPE_U16] = 2,
    [XMEM_DTYPE_I16] = 2,
    [XMEM_DTYPE_U32] = 4,
    [XMEM_DTYPE_I32] = 4,
    [XMEM_DTYPE_U64] = 8,
    [XMEM_DTYPE_I64] = 8,
    [XMEM_DTYPE_F16] = 2,
    [XMEM_DTYPE_F32] = 4,
    [XMEM_DTYPE_F64] = 8,
  };

  return dtype < sizeof (sizes) ? sizes[dtype] : 0;
}

int
xmem_description_set_tensor (unsigned dtype, unsigned ndim,
    const uint64_t *shape, struct xmem_description *description_out)
{
  uint64_t stride = xmem_dtype_size (dtype);

  memset (description_out, 0, sizeof (*description_out));
  if (stride == 0 || ndim == 0 || ndim > XMEM_MAX_DIMS)
    return XMEM_INVALID;
  for (unsigned i = ndim; i > 0; i--) {
    description_out->shape[i - 1] = shape[i - 1];
    description_out->strides[i - 1] = (int64_t) stride;
    if (__builtin_mul_overflow (stride, shape[i - 1], &stride)
        || stride > INT64_MAX) {
      memset (description_out, 0, sizeof (*description_out));
      return XMEM_INVALID;
    }
  }
  description_out->content_type = XMEM_CONTENT_TENSOR;
  description_out->dtype = (uint16_t) dtype;
  description_out->ndim = (uint16_t) ndim;
  return 0;
}

int
xmem_description_set_image (enum xmem_content_type content_type, uint32_t width,
    uint32_t height, uint32_t stride, struct xmem_description *description_out)
{
  static const uint8_t components[] = {
    [XMEM_CONTENT_GRAY] = 1,
    [XMEM_CONTENT_RGB] = 3,
    [XMEM_CONTENT_BGR] = 3,
    [XMEM_CONTENT_RGBA] = 4,
    [XMEM_CONTENT_BGRA] = 4,
    [XMEM_CONTENT_NV12] = 1,
  };
  unsigned n = (unsigned) content_type < sizeof (components)
                   ? components[content_type]
                   : 0;
  uint64_t row = (uint64_t) width * n;
  uint64_t rows = height;

  memset (description_out, 0, sizeof (*description_out));
  if (row == 0 || height == 0 || (stride != 0 && stride < row))
    return XMEM_INVALID;
  if (content_type == XMEM_CONTENT_NV12) {
    if (width % 2 || height % 2)
      return XMEM_INVALID;
    rows += height / 2;
  }
  *description_out = (struct xmem_description){
    .content_type = content_type,
    .dtype = XMEM_DTYPE_U8,
    .ndim = n == 1 ? 2 : 3,
    .shape = { rows, width, n == 1 ? 0 : n },
    .strides = { stride ? stride : (int64_t) row, n, n == 1 ? 0 : 1 },
  };
  return 0;
}

/* Returns false when the array is not one, or is larger than numbers are. */
static bool
measure (const struct xmem_description *d, uint64_t *span_out)
{
  uint64_t item = xmem_dtype_size (d->dtype);
  uint64_t last = 0;
  bool empty = d->ndim == 0;

  if (d->dtype > XMEM_DTYPE_F64 || d->ndim > XMEM_MAX_DIMS
      || (d->dtype == XMEM_DTYPE_NONE && d->ndim != 0))
    return false;
  for (unsigned i = 0; i < d->ndim; i++) {
    uint64_t way;

    if (d->strides[i] < 0)
      return false;
    if (d->shape[i] == 0) {
      empty = true;
      continue;
    }
    if (__builtin_mul_overflow (d->shape[i] - 1, (uint64_t) d->strides[i], &way)
        || __builtin_add_overflow (last, way, &last))
      return false;
  }
  *span_out = 0;
  return empty || !__builtin_add_overflow (last, item, span_out);
}

uint64_t
xmem_description_get_span (const struct xmem_description *description)
{
  uint64_t span;

  return measure (description, &span) ? span : 0;
}

int
xmem_description_check (const struct xmem_description *description,
    uint64_t size_bytes, struct xmem_error *error)
{
  uint64_t span;

  if (!measure (description, &span))
    return xmem_error_set (error, XMEM_INVALID, 0,
        "dtype %u with %u dimensions and these shape and strides is no array",
        description->dtype, description->ndim);
  if (span > size_bytes)
    return xmem_error_set (error, XMEM_INVALID, 0,
        "the array described spans %llu bytes, the buffer has %llu",
        (unsigned long long) span, (unsigned long long) size_bytes);
  return 0;
}
