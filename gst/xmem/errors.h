/* SPDX-License-Identifier: MIT */
/* From struct xmem_error to an error message on the bus: the one place. */
#ifndef GST_XMEM_ERRORS_H
#define GST_XMEM_ERRORS_H

#include <gst/gst.h>

#include <xmem/error.h>

G_BEGIN_DECLS

/* Posts an error of @element: what failed, at which address, why, and what
 * the user may try. */
void gst_xmem_post_error (GstElement *element, const gchar *what,
    const gchar *address, const struct xmem_error *error);

G_END_DECLS

#endif
