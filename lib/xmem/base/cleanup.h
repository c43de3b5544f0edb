/* SPDX-License-Identifier: MIT */
/* Scope cleanup: the one way of letting go on every path out of a function. */
#ifndef XMEM_BASE_CLEANUP_H
#define XMEM_BASE_CLEANUP_H

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define xmem_cleanup(function) __attribute__ ((cleanup (function)))

/* Defines function_p (T *), for xmem_cleanup (function_p). */
#define XMEM_DEFINE_CLEANUP(type, function)     \
  static inline void function##_p (type *value) \
  {                                             \
    if (*value)                                 \
      function (*value);                        \
  }                                             \
  struct xmem_cleanup_semicolon

static inline void
xmem_free_p (void *value)
{
  free (*(void **) value);
}

static inline void
xmem_close_p (int *fd)
{
  if (*fd >= 0)
    close (*fd);
}

static inline void
xmem_unlock_p (pthread_mutex_t **mutex)
{
  pthread_mutex_unlock (*mutex);
}

#define xmem_auto_free xmem_cleanup (xmem_free_p)
#define xmem_auto_close xmem_cleanup (xmem_close_p)

/* Holds a pthread mutex until the end of the scope. */
#define xmem_scoped_lock(mutex)                                         \
  pthread_mutex_t *scoped_lock_ xmem_cleanup (xmem_unlock_p) = (mutex); \
  pthread_mutex_lock (scoped_lock_)

/* The value, leaving the variable empty for its cleanup. */
#define xmem_steal_ptr(pointer)               \
  ({                                          \
    __typeof__ (pointer) stolen_ = (pointer); \
    (pointer) = NULL;                         \
    stolen_;                                  \
  })

static inline int
xmem_steal_fd (int *fd)
{
  int stolen = *fd;

  *fd = -1;
  return stolen;
}

#endif
