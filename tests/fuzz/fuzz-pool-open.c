/* SPDX-License-Identifier: MIT */
/* The file of a named pool, damaged in any way before and, but for its size,
 * after it is opened. Whatever it says, nothing outside its segments is
 * touched, and its name goes when it is closed. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xmem/xmem.h>

#include "fuzz/patches.h"
#include "pool/layout.h"
#include "pool/segment.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static char path[64];
static const char *name;
static uint8_t *image;
static size_t image_size;

/* --- the file ------------------------------------------------------------ */

static void
check (bool condition)
{
  if (!condition)
    abort ();
}

static void
read_image (void)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  struct stat st;

  check (fd >= 0 && fstat (fd, &st) == 0);
  image_size = (size_t) st.st_size;
  image = malloc (image_size);
  check (image && read (fd, image, image_size) == (ssize_t) image_size);
  close (fd);
}

/* A pool with a segment for small and one for large buffers, one of each held
 * and one of each in flight. */
static void
make_image (void)
{
  const struct xmem_pool_params params = { .struct_size = sizeof (params),
    .n_slots = PATCH_N_SLOTS,
    .max_bytes = 1 << 20 };
  static const uint64_t sizes[] = { PATCH_SMALL, PATCH_LARGE };
  struct xmem_buffer *buffers[4];
  struct xmem_pool *pool;

  snprintf (path, sizeof (path), "/dev/shm/xmem-fuzz-%d", (int) getpid ());
  name = path + strlen ("/dev/shm");
  check (xmem_pool_create (name, &params, &pool, NULL) == 0);
  for (unsigned i = 0; i < 4; i++)
    check (
        xmem_pool_acquire (pool, sizes[i % 2], 0, 0, &buffers[i], NULL) == 0);
  for (unsigned i = 0; i < 2; i++)
    check (xmem_buffer_give (buffers[i], 3, NULL) == 0);
  read_image ();
  xmem_buffer_unref (buffers[2]);
  xmem_buffer_unref (buffers[3]);
  xmem_pool_unref (pool);
}

static size_t
place (unsigned where, uint32_t position)
{
  switch (where) {
    case PATCH_HEADER:
      return position % PATCH_HEADER_SIZE;
    case PATCH_SEGMENT:
      return offsetof (struct xmem_layout_header, segments)
             + (position >> 8) % XMEM_MAX_SEGMENTS
                   * sizeof (struct xmem_layout_segment)
             + position % sizeof (struct xmem_layout_segment);
    case PATCH_SLOT:
      return (size_t) xmem_layout_slots_offset (PATCH_N_SLOTS)
             + (position >> 8) % PATCH_N_SLOTS * sizeof (struct xmem_slot)
             + position % sizeof (struct xmem_slot);
    default:
      return position % PATCH_MAX_SIZE;
  }
}

/* Applies changes until the file is to be opened, or to the end. Returns how
 * much of the input that took. */
static size_t
patch (int fd, const uint8_t *data, size_t size, bool is_open)
{
  struct stat st;
  size_t at = 0;

  while (size - at >= PATCH_HEAD_BYTES) {
    unsigned where = data[at] % PATCH_PLACES;
    size_t n = data[at + 1];
    uint32_t position = data[at + 2] | (uint32_t) data[at + 3] << 8
                        | (uint32_t) data[at + 4] << 16;

    at += PATCH_HEAD_BYTES;
    if (where == PATCH_OPEN && !is_open)
      break;
    if (n > size - at)
      n = size - at;
    check (fstat (fd, &st) == 0);
    if (where == PATCH_CUT && !is_open)
      check (ftruncate (fd, position % PATCH_MAX_SIZE) == 0);
    else if (where < PATCH_CUT
             && (!is_open
                 || place (where, position) + n <= (size_t) st.st_size))
      check (pwrite (fd, data + at, n, (off_t) place (where, position))
             == (ssize_t) n);
    at += n;
  }
  return at;
}

/* --- what is done with it ------------------------------------------------ */

static void
use_bytes (const struct xmem_buffer *buffer)
{
  const volatile uint8_t *data = xmem_buffer_get_data (buffer);
  uint64_t size = xmem_buffer_get_size (buffer);
  struct xmem_region region;

  xmem_buffer_get_region (buffer, &region);
  check (xmem_segment_contains (region.segment, region.offset, size));
  check (region.segment->data + region.offset
         == (const uint8_t *) xmem_buffer_get_data (buffer));
  if (size > 0)
    check (data[0] + data[size - 1] >= 0);
}

static void
use_info (struct xmem_buffer *buffer)
{
  struct xmem_buffer_info info;
  struct xmem_buffer_refs refs;

  if (xmem_buffer_get_info (buffer, &info, NULL) == 0) {
    check (xmem_description_get_span (&info.description)
           <= xmem_buffer_get_size (buffer));
    (void) xmem_buffer_set_info (buffer, &info, NULL);
  }
  xmem_buffer_get_refs (buffer, &refs);
  check (refs.local > 0);
}

static void
hand_over (struct xmem_pool *pool, struct xmem_buffer *buffer)
{
  uint64_t id = xmem_buffer_get_id (buffer);

  if (xmem_buffer_give (buffer, 1 + id % 3, NULL) != 0)
    xmem_buffer_unref (buffer);
  for (unsigned i = 0; i < 3; i++)
    if (xmem_pool_take (pool, id, XMEM_WRITE, &buffer, NULL) == 0) {
      use_info (buffer);
      xmem_buffer_unref (buffer);
    }
}

static void
use_what_is_there (struct xmem_pool *pool)
{
  struct xmem_buffer *buffer;
  uint32_t cursor = 0;

  while (xmem_pool_next (pool, &cursor, &buffer, NULL) == 0) {
    use_bytes (buffer);
    use_info (buffer);
    hand_over (pool, buffer);
  }
}

static void
use_new_ones (struct xmem_pool *pool)
{
  struct xmem_buffer *small, *large;

  if (xmem_pool_acquire (pool, PATCH_SMALL, 0, 0, &small, NULL) != 0)
    return;
  use_bytes (small);
  if (xmem_pool_acquire (pool, PATCH_LARGE, 0, 0, &large, NULL) == 0) {
    memset (xmem_buffer_get_mut_data (large), 1, xmem_buffer_get_size (large));
    (void) xmem_buffer_copy (large, small, NULL);
    use_info (large);
    xmem_buffer_unref (large);
  }
  (void) xmem_buffer_copy (small, small, NULL);
  xmem_buffer_unref (small);
}

static void
use (struct xmem_pool *pool)
{
  struct xmem_pool_stats stats;

  xmem_pool_get_stats (pool, &stats);
  check (stats.n_used <= stats.n_slots && stats.n_processes == 1);
  use_what_is_there (pool);
  use_new_ones (pool);
  (void) xmem_pool_reclaim (pool, NULL, NULL);
  xmem_pool_get_stats (pool, &stats);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct xmem_pool *pool;
  size_t used;
  int fd;

  if (!image)
    make_image ();
  fd = open (path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  check (fd >= 0 && write (fd, image, image_size) == (ssize_t) image_size);
  used = patch (fd, data, size, false);
  if (xmem_pool_open (name, 0, &pool, NULL) != 0) {
    check (unlink (path) == 0);
  } else {
    use (pool);
    (void) patch (fd, data + used, size - used, true);
    use (pool);
    xmem_pool_unref (pool);
    check (access (path, F_OK) < 0);
  }
  close (fd);
  return 0;
}
