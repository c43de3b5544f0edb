/* SPDX-License-Identifier: MIT */
/* A listening socket that takes over a dead one's address and never a live
 * one's. */
#ifndef XMEM_IPC_LISTENER_H
#define XMEM_IPC_LISTENER_H

#include <sys/types.h>

#include "ipc/permissions.h"

struct xmem_listener {
  int fd;
  int spare_fd; /* given up to turn a connection away without free fds */
  struct xmem_address address;
  dev_t device; /* of the socket file, to know it again */
  ino_t inode;
};

/* Returns 0; XMEM_IN_USE, naming the owner's pid; XMEM_REFUSED; XMEM_SYSTEM. */
int xmem_listener_open (struct xmem_listener *listener,
    const struct xmem_address *address,
    const struct xmem_permissions *permissions, struct xmem_error *error);

/* Stops listening and removes the socket file if it is still ours. */
void xmem_listener_close (struct xmem_listener *listener);

/* The next connection, non-blocking and close-on-exec, or -1. */
int xmem_listener_accept (struct xmem_listener *listener);

#endif
