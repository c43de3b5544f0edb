/* SPDX-License-Identifier: MIT */
/* The metas of a buffer as lines of text with every field, so that those of two
 * processes can be compared. */
#ifndef XMEM_TEST_DESCRIBE_METAS_H
#define XMEM_TEST_DESCRIBE_METAS_H

#include <gst/gst.h>

/* One line per meta, in the buffer's order. */
GPtrArray *describe_metas (GstBuffer *buffer);

#endif
