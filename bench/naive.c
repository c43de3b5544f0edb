/* SPDX-License-Identifier: MIT */
/* The least that works: no checks of what another process wrote, no waiting. */
#include "naive.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xmem/pool.h>

#define MAGIC 0x6e616976
#define NO_SLOT UINT32_MAX

struct slot {
  _Atomic uint32_t refs;
  uint32_t next; /* of the free list */
  uint64_t size;
  struct xmem_buffer_info info;
};

struct head {
  uint32_t magic;
  uint32_t n_slots;
  /* Index of the first free slot, and above it a count of changes: without it
   * a slot that is taken and freed meanwhile would go unnoticed. */
  _Atomic uint64_t free_list;
  _Atomic uint32_t n_touched; /* slots from here on were never used */
  struct slot slots[];
};

struct naive_pool {
  struct head *head;
  size_t size;
  char name[64];
};

static void
check (bool good, const char *what)
{
  if (good)
    return;
  perror (what);
  exit (1);
}

static void *
map (const char *name, int flags, uint64_t size)
{
  int fd = shm_open (name, flags | O_RDWR | O_CLOEXEC, 0600);
  void *data;

  check (fd >= 0, "xmem-bench: shm_open");
  if (flags & O_CREAT)
    check (ftruncate (fd, (off_t) size) == 0, "xmem-bench: ftruncate");
  data = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  check (data != MAP_FAILED, "xmem-bench: mmap");
  close (fd);
  return data;
}

static struct naive_pool *
pool_new (const char *name)
{
  struct naive_pool *pool = calloc (1, sizeof (*pool));

  check (pool, "xmem-bench: calloc");
  snprintf (pool->name, sizeof (pool->name), "%s", name);
  return pool;
}

struct naive_pool *
naive_create (const char *name, uint32_t n_slots)
{
  struct naive_pool *pool = pool_new (name);

  pool->size = sizeof (*pool->head) + n_slots * sizeof (pool->head->slots[0]);
  pool->head = map (name, O_CREAT | O_EXCL, pool->size);
  pool->head->n_slots = n_slots;
  pool->head->free_list = NO_SLOT;
  pool->head->magic = MAGIC;
  return pool;
}

struct naive_pool *
naive_open (const char *name)
{
  struct naive_pool *pool = pool_new (name);
  int fd = shm_open (name, O_RDWR | O_CLOEXEC, 0);
  struct stat st;

  check (fd >= 0 && fstat (fd, &st) == 0, "xmem-bench: shm_open");
  pool->size = (size_t) st.st_size;
  pool->head =
      mmap (NULL, pool->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  check (pool->head != MAP_FAILED, "xmem-bench: mmap");
  close (fd);
  check (pool->head->magic == MAGIC, "xmem-bench: not a pool");
  return pool;
}

void
naive_close (struct naive_pool *pool)
{
  munmap (pool->head, pool->size);
  free (pool);
}

void
naive_unlink (const char *name)
{
  check (shm_unlink (name) == 0, "xmem-bench: shm_unlink");
}

/* --- slots --------------------------------------------------------------- */

uint32_t
naive_reserve (struct naive_pool *pool)
{
  struct head *head = pool->head;
  uint64_t first = atomic_load (&head->free_list);
  uint64_t rest;

  do {
    if ((uint32_t) first == NO_SLOT) {
      uint32_t index = atomic_fetch_add (&head->n_touched, 1);

      check (index < head->n_slots, "xmem-bench: the naive pool is full");
      return index;
    }
    rest = ((first >> 32) + 1) << 32 | head->slots[(uint32_t) first].next;
  } while (!atomic_compare_exchange_weak (&head->free_list, &first, rest));
  return (uint32_t) first;
}

void
naive_unreserve (struct naive_pool *pool, uint32_t index)
{
  struct head *head = pool->head;
  uint64_t first = atomic_load (&head->free_list);

  do
    head->slots[index].next = (uint32_t) first;
  while (!atomic_compare_exchange_weak (
      &head->free_list, &first, ((first >> 32) + 1) << 32 | index));
}

/* --- buffers ------------------------------------------------------------- */

struct buffer_name {
  char chars[80];
};

static struct buffer_name
name_of (const struct naive_pool *pool, uint32_t index)
{
  struct buffer_name name;

  snprintf (name.chars, sizeof (name.chars), "%s-%u", pool->name, index);
  return name;
}

void
naive_acquire (
    struct naive_pool *pool, uint64_t size, struct naive_buffer *buffer_out)
{
  uint32_t index = naive_reserve (pool);
  struct slot *slot = &pool->head->slots[index];

  buffer_out->index = index;
  buffer_out->size = size;
  buffer_out->data = map (name_of (pool, index).chars, O_CREAT | O_EXCL, size);
  slot->size = size;
  slot->info = (struct xmem_buffer_info){ 0 };
  atomic_store (&slot->refs, 1);
}

void
naive_get (
    struct naive_pool *pool, uint32_t index, struct naive_buffer *buffer_out)
{
  struct slot *slot = &pool->head->slots[index];

  atomic_fetch_add (&slot->refs, 1);
  buffer_out->index = index;
  buffer_out->size = slot->size;
  buffer_out->data = map (name_of (pool, index).chars, 0, slot->size);
}

void
naive_ref (struct naive_pool *pool, const struct naive_buffer *buffer)
{
  atomic_fetch_add (&pool->head->slots[buffer->index].refs, 1);
}

void
naive_unref (struct naive_pool *pool, const struct naive_buffer *buffer)
{
  if (atomic_fetch_sub (&pool->head->slots[buffer->index].refs, 1) != 1)
    return;
  naive_unlink (name_of (pool, buffer->index).chars);
  naive_unreserve (pool, buffer->index);
}

void
naive_release (struct naive_pool *pool, const struct naive_buffer *buffer)
{
  munmap (buffer->data, buffer->size);
  naive_unref (pool, buffer);
}
