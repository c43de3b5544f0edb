/* SPDX-License-Identifier: MIT */
/**
 * xmem/discovery.h: which publishers there are.
 *
 * A publisher with a plain name has a socket file of that name in one of the
 * runtime folders. The file alone says little: it stays when its process is
 * killed. Files whose names begin with a dot are not publishers yet.
 */
#ifndef XMEM_DISCOVERY_H
#define XMEM_DISCOVERY_H

#include <xmem/error.h>

XMEM_BEGIN_DECLS

#define XMEM_MAX_FOLDERS 3
#define XMEM_MAX_FOLDER_PATH 96

/**
 * The runtime folders, in the order in which names are looked for. They need
 * not exist; the one in /tmp is left out while somebody else may have made it.
 *
 * Threads: any. Blocks: never.
 * Returns: how many there are.
 */
XMEM_API unsigned xmem_discovery_get_folders (
    char folders_out[XMEM_MAX_FOLDERS][XMEM_MAX_FOLDER_PATH]);

/**
 * Looks whether a process listens at a socket file, without becoming a client:
 * the publisher's application does not hear of it, and it may still refuse us
 * as a subscriber.
 *
 * @pid_out: 0 for a process of another pid namespace.
 * @pidfd_out: readable from when that process ends; -1 where the kernel has
 *   none (before Linux 6.5 for another pid namespace).
 *
 * Ownership: the caller closes *pidfd_out.
 * Threads: any. Blocks: never.
 * Returns: 0; XMEM_NOT_FOUND when nobody answers; XMEM_REFUSED;
 *   XMEM_INVALID; XMEM_SYSTEM.
 */
XMEM_API int xmem_discovery_probe (
    const char *path, int *pid_out, int *pidfd_out, struct xmem_error *error);

XMEM_END_DECLS
#endif
