/* SPDX-License-Identifier: MIT */
/* The events that a source pushes: the producer's, in the place of some that
 * GstBaseSrc would make up. */
#ifndef GST_XMEM_SRCPAD_H
#define GST_XMEM_SRCPAD_H

#include <gst/base/gstbasesrc.h>

G_BEGIN_DECLS

/* Lets no stream-start out while *hold, an atomic: GstBaseSrc makes one before
 * the producer's is known. Once it is no longer held, what is there goes out
 * ahead of whatever is pushed next. */
void gst_xmem_srcpad_init (GstBaseSrc *src, gint *hold);

/* Pushes an event of the producer's from the streaming thread, after what has
 * to come first. Takes it. */
void gst_xmem_srcpad_push (GstBaseSrc *src, GstEvent *event);

G_END_DECLS

#endif
