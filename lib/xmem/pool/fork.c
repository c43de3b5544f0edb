/* SPDX-License-Identifier: MIT */
/* A child made by fork () has copies of its parent's handles, and of the
 * descriptions that say its parent lives. It gives up both: the pools are marked,
 * so that every call on them fails, and the files are closed, so that the
 * parent's locks end with the parent.
 *
 * `lock` guards the list and is held across fork (). */
#include "pool/pool.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct xmem_pool *known;

static void
in_child (void)
{
  for (struct xmem_pool *pool = known; pool; pool = pool->next_known) {
    atomic_store (&pool->forked, true);
    if (pool->named)
      xmem_named_close (pool);
  }
  known = NULL;
  pthread_mutex_unlock (&lock);
}

static void
start (void)
{
  /* Without memory for this a child is not told; nothing else depends on it. */
  (void) pthread_atfork (xmem_fork_hold, xmem_fork_release, in_child);
}

void
xmem_fork_hold (void)
{
  pthread_mutex_lock (&lock);
}

void
xmem_fork_release (void)
{
  pthread_mutex_unlock (&lock);
}

void
xmem_fork_watch (struct xmem_pool *pool)
{
  xmem_scoped_lock (&lock);

  pthread_once (&once, start);
  pool->next_known = known;
  known = pool;
}

void
xmem_fork_unwatch (struct xmem_pool *pool)
{
  struct xmem_pool **link = &known;
  xmem_scoped_lock (&lock);

  while (*link && *link != pool)
    link = &(*link)->next_known;
  if (*link)
    *link = pool->next_known;
}
