/* SPDX-License-Identifier: MIT */
/* The system calls behind dmabufs. Keeps no state, takes no locks. */
#include "mem/dmabuf.h"

#include <errno.h>
#include <linux/dma-buf.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Of linux/magic.h, where it is new enough. */
#define MAGIC 0x444d4142

bool
xmem_dmabuf_is (int fd)
{
  struct statfs file;

  return fstatfs (fd, &file) == 0 && (uint32_t) file.f_type == MAGIC;
}

uint64_t
xmem_dmabuf_size (int fd)
{
  off_t size = lseek (fd, 0, SEEK_END);

  return size > 0 ? (uint64_t) size : 0;
}

/* What an exporter does not need done it does not do, and says so or not. */
static void
sync_cpu (int fd, uint64_t flags)
{
  struct dma_buf_sync sync = { .flags = flags };
  int r;

  do
    r = ioctl (fd, DMA_BUF_IOCTL_SYNC, &sync);
  while (r < 0 && (errno == EINTR || errno == EAGAIN));
}

void
xmem_dmabuf_begin_read (int fd)
{
  sync_cpu (fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ);
}

void
xmem_dmabuf_end_read (int fd)
{
  sync_cpu (fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ);
}
