/* SPDX-License-Identifier: MIT */
/* Reads caps and metas, which another process has made: believes nothing of
 * them that leads out of the frame. */
#include "cuda-luma.h"

#include <stdlib.h>
#include <string.h>

/* What is behind ", name=" or ", name=(type)" in caps. */
static const char *
find_field (const char *caps, const char *name)
{
  size_t length = strlen (name);

  for (const char *at = caps; (at = strstr (at, name)); at += length)
    if (at > caps && strchr (" ,", at[-1]) && at[length] == '=') {
      const char *value = at + length + 1;
      const char *end = *value == '(' ? strchr (value, ')') : NULL;

      return end ? end + 1 : value;
    }
  return "";
}

static bool
has_luma (const char *format)
{
  static const char *const known[] = { "NV12", "NV21", "I420", "YV12", "Y42B",
    "Y444", "GRAY8", NULL };
  size_t length = strcspn (format, ", ;");
  int i = 0;

  while (known[i]
         && (strlen (known[i]) != length
             || strncmp (known[i], format, length) != 0))
    i++;
  return known[i] != NULL;
}

/* The elements say it in the first plane of a "video" record among the frame's
 * metas (docs/protocol.md, Metas). */
static void
read_video_record (const struct xmem_frame_info *info, struct luma *luma)
{
  const uint8_t *bytes = info->metas;
  uint16_t kind_and_version[2];
  uint32_t size;

  for (size_t left = info->metas_size; left >= 8;) {
    memcpy (kind_and_version, bytes, 4);
    memcpy (&size, bytes + 4, 4);
    bytes += 8;
    left -= 8;
    if (size > left)
      return;
    if (kind_and_version[0] == 1 && kind_and_version[1] == 1 && size >= 56) {
      memcpy (&luma->offset, bytes + 40, 8);
      memcpy (&luma->stride, bytes + 48, 4);
      return;
    }
    size = size + 7 < left ? (size + 7) & ~7u : (uint32_t) left;
    bytes += size;
    left -= size;
  }
}

static bool
is_inside (const struct luma *luma, uint64_t size)
{
  uint64_t last_row;

  if (luma->width == 0 || luma->height == 0 || luma->width > luma->stride)
    return false;
  last_row = (uint64_t) luma->stride * (luma->height - 1);
  return luma->offset <= size && last_row <= size - luma->offset
         && luma->width <= size - luma->offset - last_row;
}

bool
luma_find (
    const struct xmem_frame *frame, struct luma *luma_out, const char **why_out)
{
  const struct xmem_frame_info *info = xmem_frame_get_info (frame);
  const char *caps = xmem_frame_get_stream (frame)->caps;
  struct luma luma = { 0 };

  *why_out = "the frames are no pictures that begin with 8 bits of luma";
  if (!caps || !has_luma (find_field (caps, "format")))
    return false;
  luma.width = (uint32_t) strtoul (find_field (caps, "width"), NULL, 10);
  luma.height = (uint32_t) strtoul (find_field (caps, "height"), NULL, 10);
  luma.stride = (luma.width + 3) & ~3u; /* GStreamer's, if nobody says */
  if (info->description.ndim == 2)
    luma.stride = (uint32_t) info->description.strides[0];
  else
    read_video_record (info, &luma);
  *why_out = "the picture is not within the frame's memory";
  *luma_out = luma;
  return is_inside (&luma, xmem_frame_get_region (frame, 0)->size);
}
