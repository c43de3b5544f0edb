/* SPDX-License-Identifier: MIT */
/* Who may connect, as the properties of a sink say it. */
#ifndef GST_XMEM_ACCESS_H
#define GST_XMEM_ACCESS_H

#include <glib.h>

#include <xmem/publisher.h>

G_BEGIN_DECLS

/* Fills the parameters' group and list of users from what xmemsink's properties
 * say; NULL or empty: none. They point into *uids and group.
 *
 * Returns: 0, XMEM_INVALID. */
int gst_xmem_access_set (struct xmem_publisher_params *params,
    const gchar *group, const gchar *allow_uids, GArray **uids,
    struct xmem_error *error);

G_END_DECLS

#endif
