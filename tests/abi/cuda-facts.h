/* SPDX-License-Identifier: MIT */
/* The numbers of cuda-facts.def, as the header at hand has them. */
#ifndef XMEM_CUDA_FACTS_H
#define XMEM_CUDA_FACTS_H

#include <stddef.h>

struct cuda_fact {
  const char *name;
  unsigned long long value;
};

extern const struct cuda_fact cuda_facts_ours[];
extern const struct cuda_fact cuda_facts_toolkit[];

#define V(value) { #value, (unsigned long long) (value) },
#define S(type) { "sizeof " #type, sizeof (type) },
#define O(type, member) { #type "." #member, offsetof (type, member) },

#endif
