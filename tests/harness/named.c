/* SPDX-License-Identifier: MIT */
/* Named pools for tests. Keeps the name. */
#include "harness/named.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

const char *
named_path (void)
{
  static char path[64];

  snprintf (path, sizeof (path), "/dev/shm/xmem-test-%d", (int) getpid ());
  return path;
}

const char *
named_name (void)
{
  return named_path () + sizeof ("/dev/shm") - 1;
}

bool
named_exists (void)
{
  struct stat st;

  return lstat (named_path (), &st) == 0;
}

struct xmem_pool *
named_create (const struct xmem_pool_params *params)
{
  struct xmem_pool *pool;
  struct xmem_error error;

  harness_assert_ok (
      xmem_pool_create (named_name (), params, &pool, &error), &error);
  return pool;
}

struct xmem_pool *
named_open (unsigned flags)
{
  struct xmem_pool *pool;
  struct xmem_error error;

  harness_assert_ok (
      xmem_pool_open (named_name (), flags, &pool, &error), &error);
  return pool;
}

void
named_close (struct xmem_pool *pool)
{
  g_assert_true (named_exists ());
  xmem_pool_unref (pool);
  g_assert_false (named_exists ());
}

struct xmem_buffer *
named_acquire (struct xmem_pool *pool, uint64_t size)
{
  struct xmem_buffer *buffer;
  struct xmem_error error;

  harness_assert_ok (
      xmem_pool_acquire (pool, size, 0, 0, &buffer, &error), &error);
  return buffer;
}

struct xmem_buffer *
named_get (struct xmem_pool *pool, uint64_t id, enum xmem_access access)
{
  struct xmem_buffer *buffer;
  struct xmem_error error;

  harness_assert_ok (xmem_pool_get (pool, id, access, &buffer, &error), &error);
  return buffer;
}
