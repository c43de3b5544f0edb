/* SPDX-License-Identifier: MIT */
/* From what a user writes to where a socket is. */
#ifndef XMEM_IPC_ADDRESS_H
#define XMEM_IPC_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/error.h"

#define XMEM_ADDRESS_MAX_PLACES 3
#define XMEM_ADDRESS_MAX_FOLDER 96

struct xmem_address {
  struct sockaddr_un sun;
  socklen_t len;
  char text[sizeof (((struct sockaddr_un *) 0)->sun_path) + 1];
};

static inline bool
xmem_address_is_abstract (const struct xmem_address *address)
{
  return address->text[0] == '@';
}

/* The runtime folders, best first, but one that somebody else has made. Returns
 * their number. */
unsigned xmem_address_get_folders (
    char folders_out[XMEM_ADDRESS_MAX_PLACES][XMEM_ADDRESS_MAX_FOLDER]);

/* All places where a publisher of this name may be, best first. */
int xmem_address_find (const char *name,
    struct xmem_address places[XMEM_ADDRESS_MAX_PLACES], unsigned *n_out,
    struct xmem_error *error);

/* The one place where a new publisher of this name goes; makes its folder if
 * it is one of the runtime folders. */
int xmem_address_choose (
    const char *name, struct xmem_address *address, struct xmem_error *error);

#endif
