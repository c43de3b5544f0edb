/* SPDX-License-Identifier: MIT */
/* Who may connect to a socket file: its permissions, in both directions. */
#ifndef XMEM_IPC_PERMISSIONS_H
#define XMEM_IPC_PERMISSIONS_H

#include <sys/types.h>

#include "ipc/address.h"

#define XMEM_NO_GROUP ((gid_t) -1)

struct xmem_permissions {
  mode_t mode;
  gid_t group; /* XMEM_NO_GROUP: as it comes */
};

/* @group: a name or a number; NULL: none. @mode: 0: what lets in the owner,
 * and the group if there is one. Returns 0, XMEM_INVALID, XMEM_NO_MEMORY. */
int xmem_permissions_init (struct xmem_permissions *permissions, unsigned mode,
    const char *group, struct xmem_error *error);

/* Gives a socket file its group, then its mode. Returns 0, XMEM_REFUSED,
 * XMEM_SYSTEM. */
int xmem_permissions_apply (const struct xmem_permissions *permissions,
    const char *path, struct xmem_error *error);

/* XMEM_REFUSED, with what the socket file asks for and who we are. @err: errno
 * of connect (). */
int xmem_permissions_explain (
    const struct xmem_address *address, int err, struct xmem_error *error);

#endif
