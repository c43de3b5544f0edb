/* SPDX-License-Identifier: MIT */
/* Connects to sockets to see who listens, and says nothing. Keeps no state. */
#include <xmem/discovery.h>

#include <string.h>
#include <sys/pidfd.h>

#include "base/cleanup.h"
#include "ipc/address.h"
#include "ipc/connection.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

_Static_assert(XMEM_MAX_FOLDERS == XMEM_ADDRESS_MAX_PLACES
                   && XMEM_MAX_FOLDER_PATH == XMEM_ADDRESS_MAX_FOLDER,
    "the folders are those of addresses");

unsigned
xmem_discovery_get_folders (
    char folders_out[XMEM_MAX_FOLDERS][XMEM_MAX_FOLDER_PATH])
{
  return xmem_address_get_folders (folders_out);
}

/* The process that listens, or -1. Before Linux 6.5 it is found by the number
 * that it had a moment ago. */
static int
open_pidfd (int fd, pid_t pid)
{
  socklen_t size = sizeof (int);
  int pidfd;

  if (getsockopt (fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) == 0)
    return pidfd;
  return pid > 0 ? pidfd_open (pid, 0) : -1;
}

int
xmem_discovery_probe (
    const char *path, int *pid_out, int *pidfd_out, struct xmem_error *error)
{
  struct xmem_address places[XMEM_ADDRESS_MAX_PLACES];
  struct xmem_connection connection;
  pid_t pid = 0;
  unsigned n;
  uid_t uid;
  int r;

  if (path[0] == '@' || !strchr (path, '/'))
    return xmem_error_set (
        error, XMEM_INVALID, 0, "\"%.100s\" is no path", path);
  r = xmem_address_find (path, places, &n, error);
  if (r == 0)
    r = xmem_connection_open (&connection, &places[0], error);
  if (r == XMEM_AGAIN)
    return xmem_error_set (
        error, XMEM_NOT_FOUND, 0, "nobody answers at %s", places[0].text);
  if (r != 0)
    return r;
  (void) xmem_connection_get_peer (&connection, &pid, &uid);
  *pid_out = (int) pid;
  *pidfd_out = open_pidfd (connection.fd, pid);
  xmem_connection_close (&connection);
  return 0;
}
