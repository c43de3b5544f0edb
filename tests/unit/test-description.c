/* SPDX-License-Identifier: MIT */
/* base/description: arrays and images described, measured and checked. */
#include <string.h>

#include <xmem/frame.h>

#include "harness/harness.h"

static void
assert_shape (const struct xmem_description *d, unsigned ndim,
    const uint64_t *shape, const int64_t *strides)
{
  g_assert_cmpuint (d->ndim, ==, ndim);
  for (unsigned i = 0; i < XMEM_MAX_DIMS; i++) {
    g_assert_cmpuint (d->shape[i], ==, i < ndim ? shape[i] : 0);
    g_assert_cmpint (d->strides[i], ==, i < ndim ? strides[i] : 0);
  }
}

static void
assert_zero (const struct xmem_description *d)
{
  static const struct xmem_description zero;

  g_assert_cmpmem (d, sizeof (*d), &zero, sizeof (zero));
}

/* No array at all, whatever the size of the buffer. */
static void
assert_no_array (const struct xmem_description *d)
{
  struct xmem_error error;

  harness_assert_status (
      xmem_description_check (d, UINT64_MAX, &error), XMEM_INVALID, &error);
  harness_assert_contains (error.message, "no array");
  g_assert_cmpuint (xmem_description_get_span (d), ==, 0);
  g_assert_cmpint (
      xmem_description_check (d, UINT64_MAX, NULL), ==, XMEM_INVALID);
}

/* Fits exactly into `span` bytes. */
static void
assert_span (const struct xmem_description *d, uint64_t span)
{
  struct xmem_error error;

  g_assert_cmpuint (xmem_description_get_span (d), ==, span);
  harness_assert_ok (xmem_description_check (d, span, &error), &error);
  harness_assert_ok (xmem_description_check (d, UINT64_MAX, &error), &error);
  if (span == 0)
    return;
  harness_assert_status (
      xmem_description_check (d, span - 1, &error), XMEM_INVALID, &error);
  harness_assert_contains (error.message, "spans");
  harness_assert_status (
      xmem_description_check (d, 0, &error), XMEM_INVALID, &error);
}

/* --- dtypes -------------------------------------------------------------- */

static void
test_dtype_sizes (void)
{
  static const uint64_t sizes[] = { 0, 1, 1, 2, 2, 4, 4, 8, 8, 2, 4, 8 };

  for (unsigned dtype = 0; dtype < G_N_ELEMENTS (sizes); dtype++)
    g_assert_cmpuint (xmem_dtype_size (dtype), ==, sizes[dtype]);
  g_assert_cmpuint (G_N_ELEMENTS (sizes), ==, XMEM_DTYPE_F64 + 1);
  g_assert_cmpuint (xmem_dtype_size (12), ==, 0);
  g_assert_cmpuint (xmem_dtype_size (0x10001), ==, 0);
  g_assert_cmpuint (xmem_dtype_size (UINT32_MAX), ==, 0);
}

/* --- tensors ------------------------------------------------------------- */

static void
test_tensor_has_no_gaps (void)
{
  static const uint64_t shape[] = { 2, 3, 5 };
  static const int64_t strides[] = { 60, 20, 4 };
  struct xmem_description d;

  memset (&d, 0xee, sizeof (d));
  g_assert_cmpint (
      xmem_description_set_tensor (XMEM_DTYPE_F32, 3, shape, &d), ==, 0);
  g_assert_cmpuint (d.content_type, ==, XMEM_CONTENT_TENSOR);
  g_assert_cmpuint (d.dtype, ==, XMEM_DTYPE_F32);
  assert_shape (&d, 3, shape, strides);
  assert_span (&d, 120);
}

static void
test_tensor_of_every_dtype_and_ndim (void)
{
  static const uint64_t shape[] = { 1, 2, 1, 3, 2, 1, 2, 1 };
  struct xmem_description d;

  for (unsigned dtype = XMEM_DTYPE_U8; dtype <= XMEM_DTYPE_F64; dtype++) {
    uint64_t n = 1;

    for (unsigned ndim = 1; ndim <= XMEM_MAX_DIMS; ndim++) {
      n *= shape[ndim - 1];
      g_assert_cmpint (
          xmem_description_set_tensor (dtype, ndim, shape, &d), ==, 0);
      g_assert_cmpuint (d.ndim, ==, ndim);
      assert_span (&d, n * xmem_dtype_size (dtype));
    }
  }
}

static void
test_empty_tensor (void)
{
  static const uint64_t shape[] = { 7, 0, 3 };
  struct xmem_description d;

  g_assert_cmpint (
      xmem_description_set_tensor (XMEM_DTYPE_U16, 3, shape, &d), ==, 0);
  g_assert_cmpuint (d.shape[1], ==, 0);
  assert_span (&d, 0);
}

static void
test_impossible_tensors (void)
{
  static const uint64_t shape[XMEM_MAX_DIMS + 1] = { 1, 1, 1, 1, 1, 1, 1, 1,
    1 };
  static const struct {
    unsigned dtype;
    unsigned ndim;
  } wrong[] = { { XMEM_DTYPE_NONE, 1 }, { 12, 1 }, { 0x10001, 1 },
    { XMEM_DTYPE_U8, 0 }, { XMEM_DTYPE_U8, XMEM_MAX_DIMS + 1 },
    { XMEM_DTYPE_U8, UINT32_MAX } };
  struct xmem_description d;

  for (size_t i = 0; i < G_N_ELEMENTS (wrong); i++) {
    memset (&d, 0xee, sizeof (d));
    g_assert_cmpint (
        xmem_description_set_tensor (wrong[i].dtype, wrong[i].ndim, shape, &d),
        ==, XMEM_INVALID);
    assert_zero (&d);
  }
}

/* The largest tensor has 2^63 - 1 bytes: strides are signed. */
static void
test_tensor_that_overflows (void)
{
  static const uint64_t wrong[][3] = { { 1, 1, UINT64_MAX },
    { 1, 1, UINT64_C (1) << 60 }, { 1, UINT64_C (1) << 32, UINT64_C (1) << 31 },
    { UINT64_C (1) << 32, UINT64_C (1) << 32, 1 },
    { UINT64_MAX, UINT64_MAX, UINT64_MAX } };
  static const uint64_t largest[] = { INT64_MAX };
  struct xmem_description d;

  for (size_t i = 0; i < G_N_ELEMENTS (wrong); i++) {
    memset (&d, 0xee, sizeof (d));
    g_assert_cmpint (
        xmem_description_set_tensor (XMEM_DTYPE_F64, 3, wrong[i], &d), ==,
        XMEM_INVALID);
    assert_zero (&d);
  }
  g_assert_cmpint (
      xmem_description_set_tensor (XMEM_DTYPE_U8, 1, largest, &d), ==, 0);
  assert_span (&d, INT64_MAX);
}

/* --- images -------------------------------------------------------------- */

static void
test_images_without_gaps (void)
{
  static const struct {
    enum xmem_content_type content;
    unsigned ndim;
    uint64_t shape[3];
    int64_t strides[3];
    uint64_t span;
  } images[] = {
    { XMEM_CONTENT_GRAY, 2, { 6, 10 }, { 10, 1 }, 60 },
    { XMEM_CONTENT_RGB, 3, { 6, 10, 3 }, { 30, 3, 1 }, 180 },
    { XMEM_CONTENT_BGR, 3, { 6, 10, 3 }, { 30, 3, 1 }, 180 },
    { XMEM_CONTENT_RGBA, 3, { 6, 10, 4 }, { 40, 4, 1 }, 240 },
    { XMEM_CONTENT_BGRA, 3, { 6, 10, 4 }, { 40, 4, 1 }, 240 },
    { XMEM_CONTENT_NV12, 2, { 9, 10 }, { 10, 1 }, 90 },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (images); i++) {
    struct xmem_description d;

    memset (&d, 0xee, sizeof (d));
    g_assert_cmpint (
        xmem_description_set_image (images[i].content, 10, 6, 0, &d), ==, 0);
    g_assert_cmpuint (d.content_type, ==, images[i].content);
    g_assert_cmpuint (d.dtype, ==, XMEM_DTYPE_U8);
    assert_shape (&d, images[i].ndim, images[i].shape, images[i].strides);
    assert_span (&d, images[i].span);
  }
}

/* What lies behind the last row's last pixel need not be there. */
static void
test_rows_may_have_gaps (void)
{
  static const uint64_t rgb[] = { 480, 640, 3 };
  static const int64_t rgb_strides[] = { 2048, 3, 1 };
  static const uint64_t nv12[] = { 1620, 1920 };
  static const int64_t nv12_strides[] = { 2048, 1 };
  struct xmem_description d;

  g_assert_cmpint (
      xmem_description_set_image (XMEM_CONTENT_RGB, 640, 480, 2048, &d), ==, 0);
  assert_shape (&d, 3, rgb, rgb_strides);
  assert_span (&d, 479 * 2048 + 1920);
  g_assert_cmpint (
      xmem_description_set_image (XMEM_CONTENT_NV12, 1920, 1080, 2048, &d), ==,
      0);
  assert_shape (&d, 2, nv12, nv12_strides);
  assert_span (&d, 1619 * 2048 + 1920);
}

static void
test_odd_sizes (void)
{
  struct xmem_description d;

  g_assert_cmpint (
      xmem_description_set_image (XMEM_CONTENT_BGR, 7, 5, 21, &d), ==, 0);
  assert_span (&d, 105);
  g_assert_cmpint (
      xmem_description_set_image (XMEM_CONTENT_GRAY, 1, 1, 0, &d), ==, 0);
  assert_span (&d, 1);
  g_assert_cmpint (xmem_description_set_image (XMEM_CONTENT_NV12, 7, 4, 0, &d),
      ==, XMEM_INVALID);
  assert_zero (&d);
  g_assert_cmpint (xmem_description_set_image (XMEM_CONTENT_NV12, 8, 5, 0, &d),
      ==, XMEM_INVALID);
  assert_zero (&d);
}

static void
test_impossible_images (void)
{
  static const struct {
    int content;
    uint32_t width, height, stride;
  } wrong[] = { { XMEM_CONTENT_NONE, 8, 8, 0 },
    { XMEM_CONTENT_TENSOR, 8, 8, 0 }, { XMEM_CONTENT_NV12 + 1, 8, 8, 0 },
    { XMEM_CONTENT_USER, 8, 8, 0 }, { -1, 8, 8, 0 },
    { XMEM_CONTENT_RGB, 0, 8, 0 }, { XMEM_CONTENT_RGB, 8, 0, 0 },
    { XMEM_CONTENT_NV12, 0, 0, 0 }, { XMEM_CONTENT_RGB, 8, 8, 23 },
    { XMEM_CONTENT_RGBA, 8, 8, 31 }, { XMEM_CONTENT_GRAY, 8, 8, 7 },
    { XMEM_CONTENT_RGBA, UINT32_MAX, 8, UINT32_MAX } };

  for (size_t i = 0; i < G_N_ELEMENTS (wrong); i++) {
    struct xmem_description d;

    memset (&d, 0xee, sizeof (d));
    g_assert_cmpint (
        xmem_description_set_image ((enum xmem_content_type) wrong[i].content,
            wrong[i].width, wrong[i].height, wrong[i].stride, &d),
        ==, XMEM_INVALID);
    assert_zero (&d);
  }
}

static void
test_largest_image (void)
{
  struct xmem_description d;

  g_assert_cmpint (xmem_description_set_image (
                       XMEM_CONTENT_GRAY, UINT32_MAX, UINT32_MAX, 0, &d),
      ==, 0);
  assert_span (&d, (uint64_t) UINT32_MAX * UINT32_MAX);
  /* Four times that is more than 64 bits have. */
  g_assert_cmpint (xmem_description_set_image (
                       XMEM_CONTENT_RGBA, UINT32_MAX, UINT32_MAX, 0, &d),
      ==, 0);
  assert_no_array (&d);
}

/* --- checking ------------------------------------------------------------ */

static void
test_nothing_said_is_right (void)
{
  const struct xmem_description nothing = { 0 };
  const struct xmem_description only_content = { .content_type =
                                                     XMEM_CONTENT_USER + 7 };

  assert_span (&nothing, 0);
  assert_span (&only_content, 0);
}

static void
test_unknown_dtypes_and_too_many_dimensions (void)
{
  struct xmem_description d = { .dtype = XMEM_DTYPE_F64,
    .ndim = XMEM_MAX_DIMS,
    .shape = { 1, 1, 1, 1, 1, 1, 1, 1 } };

  assert_span (&d, 8);
  d.ndim = XMEM_MAX_DIMS + 1;
  assert_no_array (&d);
  d.ndim = UINT16_MAX;
  assert_no_array (&d);
  d.ndim = 1;
  d.dtype = XMEM_DTYPE_F64 + 1;
  assert_no_array (&d);
  d.dtype = UINT16_MAX;
  assert_no_array (&d);
  d.ndim = 0;
  assert_no_array (&d);
}

static void
test_dimensions_need_a_dtype (void)
{
  const struct xmem_description d = {
    .ndim = 1, .shape = { 1 }, .strides = { 1 }
  };

  assert_no_array (&d);
}

static void
test_strides_are_not_negative (void)
{
  struct xmem_description d = {
    .dtype = XMEM_DTYPE_U8, .ndim = 2, .shape = { 2, 3 }, .strides = { 3, -1 }
  };

  assert_no_array (&d);
  d.strides[0] = INT64_MIN;
  d.strides[1] = 1;
  assert_no_array (&d);
  d.shape[0] = 0; /* nor where there is nothing to step over */
  assert_no_array (&d);
}

/* A stride of zero shows one element many times; elements may overlap. */
static void
test_strides_may_be_anything_else (void)
{
  struct xmem_description d = { .dtype = XMEM_DTYPE_U32,
    .ndim = 2,
    .shape = { UINT64_MAX, 3 },
    .strides = { 0, 2 } };

  assert_span (&d, 2 * 2 + 4);
  d.strides[1] = 100;
  assert_span (&d, 2 * 100 + 4);
  d.shape[0] = 1; /* no step is made */
  d.strides[0] = INT64_MAX;
  assert_span (&d, 2 * 100 + 4);
}

static void
test_arrays_larger_than_numbers (void)
{
  struct xmem_description d = {
    .dtype = XMEM_DTYPE_U8, .ndim = 1, .shape = { UINT64_MAX }, .strides = { 2 }
  };

  assert_no_array (&d); /* the product */
  d.ndim = 3;
  d.shape[0] = d.shape[1] = d.shape[2] = 2;
  d.strides[0] = d.strides[1] = d.strides[2] = INT64_MAX;
  assert_no_array (&d); /* the sum */
  d.ndim = 2;
  assert_span (&d, UINT64_MAX); /* the largest that there is */
  d.dtype = XMEM_DTYPE_U16;
  assert_no_array (&d); /* the last element */
}

static void
test_empty_arrays_take_no_room (void)
{
  struct xmem_description d = { .dtype = XMEM_DTYPE_F64,
    .ndim = 2,
    .shape = { 0, 1000 },
    .strides = { 8000, 8 } };

  assert_span (&d, 0);
  d.shape[0] = 1000;
  d.shape[1] = 0;
  assert_span (&d, 0);
  d.ndim = 0;
  assert_span (&d, 0);
}

static void
add_tensors (void)
{
  harness_add ("/tensor-has-no-gaps", test_tensor_has_no_gaps);
  harness_add (
      "/tensor-of-every-dtype-and-ndim", test_tensor_of_every_dtype_and_ndim);
  harness_add ("/empty-tensor", test_empty_tensor);
  harness_add ("/impossible-tensors", test_impossible_tensors);
  harness_add ("/tensor-that-overflows", test_tensor_that_overflows);
}

static void
add_images (void)
{
  harness_add ("/images-without-gaps", test_images_without_gaps);
  harness_add ("/rows-may-have-gaps", test_rows_may_have_gaps);
  harness_add ("/odd-sizes", test_odd_sizes);
  harness_add ("/impossible-images", test_impossible_images);
  harness_add ("/largest-image", test_largest_image);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, NULL);
  harness_add ("/dtype-sizes", test_dtype_sizes);
  add_tensors ();
  add_images ();
  harness_add ("/nothing-said-is-right", test_nothing_said_is_right);
  harness_add ("/unknown-dtypes-and-too-many-dimensions",
      test_unknown_dtypes_and_too_many_dimensions);
  harness_add ("/dimensions-need-a-dtype", test_dimensions_need_a_dtype);
  harness_add ("/strides-are-not-negative", test_strides_are_not_negative);
  harness_add (
      "/strides-may-be-anything-else", test_strides_may_be_anything_else);
  harness_add ("/arrays-larger-than-numbers", test_arrays_larger_than_numbers);
  harness_add ("/empty-arrays-take-no-room", test_empty_arrays_take_no_room);
  return g_test_run ();
}
