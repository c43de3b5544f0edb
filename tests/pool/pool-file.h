/* SPDX-License-Identifier: MIT */
/* A named pool's file, looked at from outside: whether it has its name, which
 * of its locks are held, what its slots say. Counts as no process of the
 * pool. */
#ifndef XMEM_TEST_POOL_FILE_H
#define XMEM_TEST_POOL_FILE_H

#include <stdbool.h>

#include "pool/layout.h"

#define POOL_NAME_MAX 64

/* A name that no other test uses. */
void pool_name (char name[POOL_NAME_MAX], const char *what);

bool pool_file_exists (const char *name);

/* How many objects in /dev/shm have a name that begins like this. */
unsigned pool_file_count (const char *name);

/* Whether somebody has the lock on this byte (XMEM_LOCK_...). False also when
 * there is no such file. */
bool pool_file_is_locked (const char *name, unsigned byte);

/* How many have it open. */
unsigned pool_file_count_processes (const char *name);

/* How many processes are marked as sleeping until a slot comes free. */
unsigned pool_file_count_waiting (const char *name);

/* Prints what is not zero, for whoever looks at a test that has failed. */
void pool_file_dump (const char *name);

#endif
