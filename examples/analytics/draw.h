/* SPDX-License-Identifier: MIT */
/* Frames around what was found, in a copy of the picture: the one that was
 * received is everybody's, and read-only. */
#ifndef ANALYTICS_DRAW_H
#define ANALYTICS_DRAW_H

#include <gst/video/video.h>

#include "answer.h"

/* The caller owns it. @answer NULL: without frames. */
GstBuffer *draw_copy (
    GstBuffer *picture, const GstVideoInfo *info, const Answer *answer);

/* MD5 of the visible pixels, plane by plane; the caller frees it. */
gchar *draw_md5 (GstBuffer *picture, const GstVideoInfo *info);

#endif
