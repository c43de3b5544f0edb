/* SPDX-License-Identifier: MIT */
/* Opens the file anew for each look, so that no lock of the caller's own is in
 * the way. */
#include "pool-file.h"

#include <dirent.h>
#include <fcntl.h>
#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "mem/shm.h"

void
pool_name (char name[POOL_NAME_MAX], const char *what)
{
  snprintf (name, POOL_NAME_MAX, "/xmem-test-%d-%s", (int) getpid (), what);
}

bool
pool_file_exists (const char *name)
{
  xmem_auto_close int fd = shm_open (name, O_RDONLY, 0);

  return fd >= 0;
}

unsigned
pool_file_count (const char *name)
{
  DIR *dir = opendir ("/dev/shm");
  struct dirent *entry;
  unsigned n = 0;

  g_assert_nonnull (dir);
  while ((entry = readdir (dir)))
    n += g_str_has_prefix (entry->d_name, name + 1);
  closedir (dir);
  return n;
}

bool
pool_file_is_locked (const char *name, unsigned byte)
{
  xmem_auto_close int fd = shm_open (name, O_RDWR, 0);

  return fd >= 0 && xmem_shm_is_locked (fd, byte, 1);
}

unsigned
pool_file_count_processes (const char *name)
{
  unsigned n = 0;

  for (unsigned i = 0; i < XMEM_MAX_PROCESSES; i++)
    n += pool_file_is_locked (name, XMEM_LOCK_PROCESS + i);
  return n;
}

/* The head of the file, or NULL. */
static struct xmem_layout_header *
map_head (const char *name, size_t *size_out)
{
  xmem_auto_close int fd = shm_open (name, O_RDONLY, 0);
  struct xmem_layout_header *head;
  struct stat st;

  if (fd < 0 || fstat (fd, &st) < 0)
    return NULL;
  *size_out = (size_t) st.st_size;
  head = mmap (NULL, *size_out, PROT_READ, MAP_SHARED, fd, 0);
  return head == MAP_FAILED ? NULL : head;
}

static const struct xmem_slot *
slots_of (const struct xmem_layout_header *head)
{
  return (const void *) ((const char *) head
                         + xmem_layout_slots_offset (head->n_slots));
}

unsigned
pool_file_count_waiting (const char *name)
{
  size_t size;
  struct xmem_layout_header *head = map_head (name, &size);
  unsigned n;

  g_assert_nonnull (head);
  n = (unsigned) __builtin_popcount (atomic_load (&head->waiting));
  munmap (head, size);
  return n;
}

void
pool_file_dump (const char *name)
{
  size_t size;
  struct xmem_layout_header *head = map_head (name, &size);

  if (!head)
    return;
  fprintf (stderr, "%s: %u segments, waiting %#x, released %u\n", name,
      atomic_load (&head->n_segments), atomic_load (&head->waiting),
      atomic_load (&head->n_released));
  for (unsigned i = 0; i < XMEM_LOCK_GROWTH + 1; i++)
    if (pool_file_is_locked (name, i))
      fprintf (stderr, "  byte %u is locked\n", i);
  for (unsigned i = 0; i < XMEM_MAX_PROCESSES; i++)
    if (atomic_load (&head->processes[i].pid) != 0)
      fprintf (stderr, "  process %u: pid %u\n", i,
          atomic_load (&head->processes[i].pid));
  for (uint32_t i = 0; i < head->n_slots; i++)
    if (atomic_load (&slots_of (head)[i].state) != 0)
      fprintf (stderr, "  slot %u: %016" PRIx64 ", given at %" PRIu64 "\n", i,
          atomic_load (&slots_of (head)[i].state),
          atomic_load (&slots_of (head)[i].given_ns));
  munmap (head, size);
}
