/* SPDX-License-Identifier: MIT */
/* A double of the kernel's dmabufs, for machines that make none: in a program
 * that links this, memfds of one name are taken for dmabufs. What is found with
 * it is not found with a real one: no device writes, nothing is synchronised. */
#ifndef XMEM_HARNESS_DMABUF_DOUBLE_H
#define XMEM_HARNESS_DMABUF_DOUBLE_H

#include <stddef.h>

/* A new one, in every process with the double; the caller closes it. */
int dmabuf_double_new (size_t size);

#endif
