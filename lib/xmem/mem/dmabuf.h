/* SPDX-License-Identifier: MIT */
/* dmabufs: memory of devices that has a file descriptor. */
#ifndef XMEM_MEM_DMABUF_H
#define XMEM_MEM_DMABUF_H

#include <stdbool.h>
#include <stdint.h>

/* Whether the file is one, whoever sent it. Before Linux 5.3 none is found. */
bool xmem_dmabuf_is (int fd);

/* How large it is; 0 when nobody knows. */
uint64_t xmem_dmabuf_size (int fd);

/* The processor starts to read it, or has done so: devices' writes become
 * visible between the two. */
void xmem_dmabuf_begin_read (int fd);
void xmem_dmabuf_end_read (int fd);

#endif
