/* SPDX-License-Identifier: MIT */
/**
 * xmem/frame.h: what travels with a frame, the same on both ends.
 */
#ifndef XMEM_FRAME_H
#define XMEM_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include <xmem/error.h>

XMEM_BEGIN_DECLS

/* Where publishers and subscribers meet that were told no address. */
#define XMEM_DEFAULT_ADDRESS "default"

/* Most frames that a subscriber may hold at once. */
#define XMEM_MAX_GRANT 64

/* A frame is made of at most this many regions (GStreamer's own limit of
 * memories in a buffer). */
#define XMEM_MAX_REGIONS 16

#define XMEM_MAX_DIMS 8

/* "No such time", "no such offset": GST_CLOCK_TIME_NONE has the same bits. */
#define XMEM_NONE UINT64_MAX
/* The same for signed times. */
#define XMEM_TIME_NONE INT64_MIN

/** What a subscriber wants when it is slower than the publisher. */
enum xmem_delivery {
  XMEM_DELIVERY_LATEST = 0, /* the newest frame there is, gaps allowed */
  XMEM_DELIVERY_EVERY = 1, /* every frame; the publisher waits for us */
};

enum xmem_dtype {
  XMEM_DTYPE_NONE = 0, /* bytes without a type */
  XMEM_DTYPE_U8 = 1,
  XMEM_DTYPE_I8 = 2,
  XMEM_DTYPE_U16 = 3,
  XMEM_DTYPE_I16 = 4,
  XMEM_DTYPE_U32 = 5,
  XMEM_DTYPE_I32 = 6,
  XMEM_DTYPE_U64 = 7,
  XMEM_DTYPE_I64 = 8,
  XMEM_DTYPE_F16 = 9,
  XMEM_DTYPE_F32 = 10,
  XMEM_DTYPE_F64 = 11,
};

/** What an array is about. Values from XMEM_CONTENT_USER on are the
 * application's own. */
enum xmem_content_type {
  XMEM_CONTENT_NONE = 0, /* not said */
  XMEM_CONTENT_TENSOR = 1, /* an array of any shape */
  XMEM_CONTENT_GRAY = 2, /* image, shape {height, width} */
  XMEM_CONTENT_RGB = 3, /* image, shape {height, width, 3} */
  XMEM_CONTENT_BGR = 4, /* image, shape {height, width, 3} */
  XMEM_CONTENT_RGBA = 5, /* image, shape {height, width, 4} */
  XMEM_CONTENT_BGRA = 6, /* image, shape {height, width, 4} */
  XMEM_CONTENT_NV12 = 7, /* image, U8, shape {height * 3 / 2, width}: the luma
                            rows, then rows of Cb and Cr in turns */
  XMEM_CONTENT_USER = 0x10000,
};

/**
 * What the bytes of the first region are, for readers that know no caps: an
 * array of @ndim dimensions. All zero means "not described".
 */
struct xmem_description {
  uint32_t content_type; /* enum xmem_content_type */
  uint16_t dtype; /* enum xmem_dtype */
  uint16_t ndim; /* 0 to XMEM_MAX_DIMS */
  uint64_t shape[XMEM_MAX_DIMS]; /* elements, outermost first */
  int64_t strides[XMEM_MAX_DIMS]; /* bytes from one element to the next */
};

/** The size of one element in bytes; 0 for XMEM_DTYPE_NONE and unknown ones. */
XMEM_API uint64_t xmem_dtype_size (unsigned dtype);

/**
 * Describes a tensor without gaps.
 *
 * @ndim: 1 to XMEM_MAX_DIMS. @shape: @ndim elements, outermost first.
 * Returns: 0; XMEM_INVALID, with *@description_out all zero.
 */
XMEM_API int xmem_description_set_tensor (unsigned dtype, unsigned ndim,
    const uint64_t *shape, struct xmem_description *description_out);

/**
 * Describes an image of 8 bits per component.
 *
 * @content_type: XMEM_CONTENT_GRAY to XMEM_CONTENT_NV12.
 * @stride: bytes from row to row; 0: no gaps between rows.
 * Returns: 0; XMEM_INVALID, with *@description_out all zero: sizes of 0, odd
 *   sizes of NV12, a stride shorter than a row.
 */
XMEM_API int xmem_description_set_image (enum xmem_content_type content_type,
    uint32_t width, uint32_t height, uint32_t stride,
    struct xmem_description *description_out);

/**
 * How many bytes the described array spans, from its first to its last.
 *
 * Returns: 0 for bytes without a type, for an array without elements, and for
 *   what xmem_description_check () refuses.
 */
XMEM_API uint64_t xmem_description_get_span (
    const struct xmem_description *description);

/**
 * Whether a description makes sense for so many bytes: a known dtype, at most
 * XMEM_MAX_DIMS dimensions (none without a dtype), no negative strides, no
 * element outside.
 *
 * Returns: 0, XMEM_INVALID.
 */
XMEM_API int xmem_description_check (const struct xmem_description *description,
    uint64_t size_bytes, struct xmem_error *error);

/* The flags of a frame are those of GstBufferFlags, whose values are part of
 * GStreamer's stable ABI. The library itself looks at these only. */
enum xmem_frame_flags {
  XMEM_FRAME_DISCONT = 1 << 6, /* does not follow from the one before */
  XMEM_FRAME_DELTA_UNIT = 1 << 13, /* needs earlier frames to be decoded */
};

/** Times are in nanoseconds. */
struct xmem_frame_info {
  int64_t pts; /* running time, or XMEM_TIME_NONE */
  int64_t dts; /* running time, or XMEM_TIME_NONE */
  uint64_t duration; /* or XMEM_NONE */
  uint64_t raw_pts; /* the producer's own pts, or XMEM_NONE */
  uint64_t offset; /* media specific, or XMEM_NONE */
  uint64_t offset_end; /* media specific, or XMEM_NONE */
  uint64_t capture_ns; /* CLOCK_MONOTONIC when captured, or XMEM_NONE */
  uint32_t flags;
  struct xmem_description description;
  const void *metas; /* opaque to the library, up to XMEM_MAX_METAS bytes */
  size_t metas_size;
};

#define XMEM_MAX_METAS (1024 * 1024)

/** An info with every time and offset "none" and all else zero. */
XMEM_API void xmem_frame_info_init (struct xmem_frame_info *info);

/** What holds for all frames until the next stream: as announced. */
struct xmem_stream_info {
  const char *caps; /* media type and parameters, GStreamer's caps syntax; or
                       NULL; up to XMEM_MAX_CAPS bytes */
  uint64_t base_time_ns; /* CLOCK_MONOTONIC at running time 0, or XMEM_NONE */
  uint64_t latency_ns; /* between running time and presentation */
};

#define XMEM_MAX_CAPS (16 * 1024 * 1024)

XMEM_END_DECLS
#endif
