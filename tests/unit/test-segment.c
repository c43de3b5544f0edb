/* SPDX-License-Identifier: MIT */
/* pool/segment: which files of others can be published, and which of a peer's
 * are taken for what it says they are. With a double of dmabufs. */
#include "pool/segment.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "harness/dmabuf-double.h"
#include "harness/harness.h"
#include "harness/raw.h"

#define SIZE 65536

/* --- files to publish ---------------------------------------------------- */

static void
check_file (int take_fd, int expected, const char *words)
{
  struct xmem_segment *segment;
  struct xmem_error error;
  int r = xmem_segment_new_dup_fd (take_fd, &segment, &error);

  close (take_fd);
  harness_assert_status (r, expected, &error);
  if (r != 0) {
    harness_assert_contains (error.message, words);
    return;
  }
  g_assert_cmpint (xmem_segment_borrow_fd (segment), >=, 0);
  g_assert_cmpint (xmem_segment_borrow_fd (segment), !=, take_fd);
  g_assert_cmpuint (xmem_segment_get_size (segment), ==, SIZE);
  xmem_segment_unref (segment);
}

static void
test_sealed_files (void)
{
  const unsigned good[] = { F_SEAL_SHRINK | F_SEAL_WRITE,
    F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE,
    F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL };
  const unsigned bad[] = { 0, F_SEAL_SHRINK, F_SEAL_WRITE,
    F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL,
    F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };

  for (size_t i = 0; i < G_N_ELEMENTS (good); i++)
    check_file (raw_memfd (SIZE, good[i]), XMEM_OK, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (bad); i++)
    check_file (raw_memfd (SIZE, bad[i]), XMEM_UNSUPPORTED,
        "neither a dmabuf nor sealed");
  check_file (raw_memfd (0, good[0]), XMEM_INVALID, "empty");
}

static void
test_other_files (void)
{
  static const char *const files[] = { "/dev/zero", "/proc/self/exe", "/tmp" };

  for (size_t i = 0; i < G_N_ELEMENTS (files); i++)
    check_file (open (files[i], O_RDONLY | O_CLOEXEC), XMEM_UNSUPPORTED,
        "neither a dmabuf nor sealed");
}

static void
test_dmabufs (void)
{
  struct xmem_segment *segment;
  int fd = dmabuf_double_new (SIZE);

  harness_assert_ok (xmem_segment_new_dup_fd (fd, &segment, NULL), NULL);
  g_assert_true (xmem_segment_is_dmabuf (segment));
  xmem_segment_unref (segment);
  close (fd);
  check_file (dmabuf_double_new (0), XMEM_INVALID, "empty");
}

/* --- files of a peer ----------------------------------------------------- */

static void
test_false_dmabufs (void)
{
  const int files[] = { raw_memfd (SIZE, F_SEAL_SHRINK | F_SEAL_WRITE),
    open ("/dev/zero", O_RDONLY | O_CLOEXEC) };
  struct xmem_segment *segment;
  struct xmem_error error;

  for (size_t i = 0; i < G_N_ELEMENTS (files); i++) {
    harness_assert_status (
        xmem_segment_import_dmabuf (files[i], SIZE, &segment, &error),
        XMEM_PROTOCOL, &error);
    harness_assert_contains (error.message, "no dmabuf");
  }
}

static void
test_dmabufs_smaller_than_announced (void)
{
  const uint64_t sizes[] = { SIZE + 1, SIZE_MAX / 2, UINT64_MAX };
  struct xmem_segment *segment;
  struct xmem_error error;

  for (size_t i = 0; i < G_N_ELEMENTS (sizes); i++) {
    harness_assert_status (xmem_segment_import_dmabuf (dmabuf_double_new (SIZE),
                               sizes[i], &segment, &error),
        XMEM_PROTOCOL, &error);
    harness_assert_contains (error.message, "sent fewer");
  }
}

/* Only who looks at it pays for that. */
static void
test_dmabufs_are_mapped_when_read (void)
{
  int fd = dmabuf_double_new (SIZE);
  struct xmem_segment *segment;
  const uint8_t *data;

  g_assert_cmpint (pwrite (fd, "here", 4, SIZE - 4), ==, 4);
  harness_assert_ok (
      xmem_segment_import_dmabuf (fd, SIZE, &segment, NULL), NULL);
  g_assert_null (segment->data);
  g_assert_true (xmem_segment_contains (segment, 0, SIZE));
  g_assert_false (xmem_segment_contains (segment, 1, SIZE));
  data = xmem_segment_get_data (segment);
  g_assert_cmpmem (data + SIZE - 4, 4, "here", 4);
  g_assert_true (data == xmem_segment_get_data (segment));
  xmem_segment_unref (segment);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, NULL);
  harness_add ("/sealed-files", test_sealed_files);
  harness_add ("/other-files", test_other_files);
  harness_add ("/dmabufs", test_dmabufs);
  harness_add ("/false-dmabufs", test_false_dmabufs);
  harness_add (
      "/dmabufs-smaller-than-announced", test_dmabufs_smaller_than_announced);
  harness_add (
      "/dmabufs-are-mapped-when-read", test_dmabufs_are_mapped_when_read);
  return g_test_run ();
}
