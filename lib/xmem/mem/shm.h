/* SPDX-License-Identifier: MIT */
/* POSIX shared memory objects by name, and locks on their bytes.
 *
 * An object is made without a name and gets it when it is complete, so nobody
 * sees half of one. Locks are open file description locks: they belong to the
 * fd and its copies, and go with the last of them, however it goes. They are
 * asked for again and again rather than waited for in the kernel, since a
 * stopped process must not be able to stop another. */
#ifndef XMEM_MEM_SHM_H
#define XMEM_MEM_SHM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/* "/name" or "name". Returns 0, XMEM_INVALID. */
int xmem_shm_check_name (const char *name, struct xmem_error *error);

/* A new object without a name, with these permissions whatever the umask.
 * Returns 0, XMEM_SYSTEM; gives an fd. */
int xmem_shm_make (mode_t mode, int *fd_out, struct xmem_error *error);

/* Gives it its name. Returns 0, XMEM_IN_USE when there is one, failures. */
int xmem_shm_publish (int fd, const char *name, struct xmem_error *error);

/* Returns 0, XMEM_NOT_FOUND, XMEM_REFUSED, XMEM_CORRUPT for what cannot be
 * shared memory, XMEM_SYSTEM; gives an fd for reading and writing. */
int xmem_shm_open (const char *name, int *fd_out, struct xmem_error *error);

/* Another description of the same object, with locks of its own. */
int xmem_shm_reopen (int fd, int *fd_out, struct xmem_error *error);

/* Whether the name is (still) that of the object behind fd. */
bool xmem_shm_is_named (int fd, const char *name);

/* Whether both are one object, and nobody has unlinked it. */
bool xmem_shm_is_linked (int fd, int other_fd);

/* Returns 0, also when there is none; XMEM_REFUSED, XMEM_SYSTEM. */
int xmem_shm_unlink (const char *name, struct xmem_error *error);

/* Whether this fd has the byte's lock now. */
bool xmem_shm_try_lock (int fd, unsigned byte);

/* The same, asking until the deadline, and no longer than a second in which the
 * others could let go of it. */
bool xmem_shm_lock (int fd, unsigned byte, int64_t deadline);

void xmem_shm_unlock (int fd, unsigned byte, unsigned n_bytes);

/* Whether another fd has a lock on any of these bytes. */
bool xmem_shm_is_locked (int fd, unsigned byte, unsigned n_bytes);

#endif
