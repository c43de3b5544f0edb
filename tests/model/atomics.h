/* SPDX-License-Identifier: MIT */
/* Makes each atomic access of what is included after this a step of the
 * explorer, and of sleeping on a futex too. */
#ifndef MODEL_ATOMICS_H
#define MODEL_ATOMICS_H

#include <stdatomic.h>

#include "model/explore.h"

#undef atomic_load
#undef atomic_store
#undef atomic_exchange
#undef atomic_compare_exchange_strong
#undef atomic_compare_exchange_weak
#undef atomic_fetch_add
#undef atomic_fetch_sub
#undef atomic_fetch_or
#undef atomic_fetch_and

#define atomic_load(object)                \
  (explore_point (EXPLORE_LOAD, (object)), \
      atomic_load_explicit ((object), memory_order_seq_cst))

/* What is written is computed before the step. */
#define MODEL_CHANGE(access, call, object, value)             \
  ({                                                          \
    __auto_type value_ = (value);                             \
    explore_point (access, (object));                         \
    call##_explicit ((object), value_, memory_order_seq_cst); \
  })

#define atomic_store(object, value) \
  MODEL_CHANGE (EXPLORE_STORE, atomic_store, object, value)
#define atomic_exchange(object, value) \
  MODEL_CHANGE (EXPLORE_CHANGE, atomic_exchange, object, value)
#define atomic_fetch_add(object, value) \
  MODEL_CHANGE (EXPLORE_CHANGE, atomic_fetch_add, object, value)
#define atomic_fetch_sub(object, value) \
  MODEL_CHANGE (EXPLORE_CHANGE, atomic_fetch_sub, object, value)
#define atomic_fetch_or(object, value) \
  MODEL_CHANGE (EXPLORE_CHANGE, atomic_fetch_or, object, value)
#define atomic_fetch_and(object, value) \
  MODEL_CHANGE (EXPLORE_CHANGE, atomic_fetch_and, object, value)

#define MODEL_SWAP(object, expected, value)                               \
  atomic_compare_exchange_strong_explicit ((object), (expected), (value), \
      memory_order_seq_cst, memory_order_seq_cst)

#define atomic_compare_exchange_strong(object, expected, value) \
  ({                                                            \
    __auto_type value_ = (value);                               \
    explore_point (EXPLORE_SWAP, (object));                     \
    MODEL_SWAP ((object), (expected), value_);                  \
  })

#define atomic_compare_exchange_weak(object, expected, value)       \
  ({                                                                \
    __auto_type value_ = (value);                                   \
    !explore_weak_swap ((object), (expected), sizeof (*(expected))) \
        && MODEL_SWAP ((object), (expected), value_);               \
  })

/* In place of base/futex.h. */
#define XMEM_BASE_FUTEX_H

static inline void
xmem_futex_wait (_Atomic uint32_t *word, uint32_t expected, int64_t deadline)
{
  explore_wait ((const volatile uint32_t *) word, expected);
}

static inline void
xmem_futex_wake_all (_Atomic uint32_t *word)
{
  explore_wake_all ((const volatile uint32_t *) word);
}

#endif
