/* SPDX-License-Identifier: MIT */
/* mem/memfd: what another process can do with memory of ours (read it), what
 * we accept from another process, and running out. */
#include "mem/map.h"
#include "mem/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "harness/frames.h"
#include "harness/harness.h"
#include "harness/raw.h"

#define SIZE 65536

#define ALL_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

/* --- attacks, from another process --------------------------------------- */

static int
attack_map (int fd)
{
  return mmap (NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                 == MAP_FAILED
             ? errno
             : 0;
}

static int
attack_mprotect (int fd)
{
  void *data = mmap (NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);

  g_assert_true (data != MAP_FAILED);
  return mprotect (data, SIZE, PROT_READ | PROT_WRITE) < 0 ? errno : 0;
}

static int
attack_write (int fd)
{
  return pwrite (fd, "attack", 6, 0) < 0 ? errno : 0;
}

static int
attack_reopen (int fd)
{
  char *path = g_strdup_printf ("/proc/self/fd/%d", fd);
  int again = open (path, O_RDWR | O_CLOEXEC);
  int r;

  g_free (path);
  if (again < 0)
    return errno;
  r = attack_write (again);
  return r == 0 ? 0 : attack_map (again);
}

/* The kernel writes there for a debugger even where the program may not. */
static int
attack_proc_mem (int fd)
{
  void *data = mmap (NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
  int mem = open ("/proc/self/mem", O_RDWR | O_CLOEXEC);
  int r;

  g_assert_true (data != MAP_FAILED);
  r = mem < 0 || pwrite (mem, "attack", 6, (off_t) (uintptr_t) data) < 0 ? errno
                                                                         : 0;
  close (mem);
  return r;
}

static int
attack_shrink (int fd)
{
  return ftruncate (fd, SIZE / 2) < 0 ? errno : 0;
}

static int
attack_grow (int fd)
{
  return ftruncate (fd, 2 * SIZE) < 0 ? errno : 0;
}

static int
attack_append (int fd)
{
  return fallocate (fd, 0, SIZE, SIZE) < 0 ? errno : 0;
}

static int
attack_punch (int fd)
{
  return fallocate (fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, SIZE / 2)
                 < 0
             ? errno
             : 0;
}

static int
attack_remove (int fd)
{
  void *data = mmap (NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);

  g_assert_true (data != MAP_FAILED);
  return madvise (data, SIZE, MADV_REMOVE) < 0 ? errno : 0;
}

static int
attack_seal (int fd)
{
  return fcntl (fd, F_ADD_SEALS, F_SEAL_WRITE) < 0 ? errno : 0;
}

static const struct {
  const char *name;
  int (*run) (int fd); /* 0 when it succeeds, else errno */
} attacks[] = {
  { "a writable mapping", attack_map },
  { "mprotect", attack_mprotect },
  { "pwrite", attack_write },
  { "reopening through /proc", attack_reopen },
  { "writing through /proc/self/mem", attack_proc_mem },
  { "shrinking", attack_shrink },
  { "growing", attack_grow },
  { "appending", attack_append },
  { "punching a hole", attack_punch },
  { "removing pages", attack_remove },
  { "further seals", attack_seal },
};

static void
run_attacker (int argc, char **argv)
{
  int fd = atoi (argv[0]);
  void *data;
  uint64_t stamp;

  for (size_t i = 0; i < G_N_ELEMENTS (attacks); i++)
    harness_say ("%d", attacks[i].run (fd));
  data = mmap (NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
  g_assert_true (data != MAP_FAILED);
  harness_say ("%d", frames_read_stamp (data, SIZE, &stamp) && stamp == 7);
}

/* Starts the attacker with a copy of fd. */
static void
spawn_attacker (struct harness_child *child, int fd)
{
  int copy = fcntl (fd, F_DUPFD, 100); /* not close-on-exec */
  char number[16];

  g_snprintf (number, sizeof (number), "%d", copy);
  harness_spawn (child, "attacker", number, NULL);
  close (copy);
}

static void
hear_of_failures (struct harness_child *child)
{
  char line[HARNESS_LINE_MAX];

  for (size_t i = 0; i < G_N_ELEMENTS (attacks); i++) {
    harness_hear (child, line);
    g_test_message ("%s: %s", attacks[i].name, g_strerror (atoi (line)));
    g_assert_cmpint (atoi (line), !=, 0);
  }
  harness_hear (child, line);
  g_assert_cmpstr (line, ==, "1");
  g_assert_cmpint (harness_join (child), ==, 0);
}

static void
test_others_can_only_read (void)
{
  struct harness_child child;
  struct xmem_error error;
  struct stat st;
  void *data;
  uint64_t stamp;
  int fd;

  harness_assert_ok (xmem_memfd_create (SIZE, &fd, &data, &error), &error);
  g_assert_cmpint (fcntl (fd, F_GETFD) & FD_CLOEXEC, !=, 0);
  frames_stamp (data, SIZE, 7); /* we can write */
  spawn_attacker (&child, fd);
  hear_of_failures (&child);
  g_assert_true (frames_read_stamp (data, SIZE, &stamp));
  g_assert_cmpuint (stamp, ==, 7);
  g_assert_cmpint (fstat (fd, &st), ==, 0);
  g_assert_cmpint (st.st_size, ==, SIZE);
  g_assert_cmpint (st.st_blocks * 512, >=, SIZE); /* allocated */
  xmem_unmap (data, SIZE);
  close (fd);
}

static void
test_copied_bytes_are_fixed (void)
{
  g_autofree uint8_t *bytes = g_malloc (SIZE);
  struct harness_child child;
  struct xmem_error error;
  int fd;

  frames_stamp (bytes, SIZE, 7);
  harness_assert_ok (xmem_memfd_from_bytes (bytes, SIZE, &fd, &error), &error);
  g_assert_cmpint (attack_map (fd), !=, 0); /* not even we can write */
  spawn_attacker (&child, fd);
  hear_of_failures (&child);
  close (fd);
}

/* --- what we map --------------------------------------------------------- */

static void
test_own_kind_is_mapped (void)
{
  struct xmem_error error;
  void *data, *view;
  uint64_t stamp;
  int fd;

  harness_assert_ok (xmem_memfd_create (SIZE, &fd, &data, &error), &error);
  harness_assert_ok (xmem_memfd_map (fd, SIZE, &view, &error), &error);
  frames_stamp (data, SIZE, 8);
  g_assert_true (frames_read_stamp (view, SIZE, &stamp));
  g_assert_cmpuint (stamp, ==, 8);
  xmem_unmap (view, SIZE);
  harness_assert_ok (xmem_memfd_map (fd, SIZE / 2, &view, &error), &error);
  xmem_unmap (view, SIZE / 2);
  xmem_unmap (data, SIZE);
  close (fd);
}

static void
refuse_to_map (int take_fd, size_t size)
{
  struct xmem_error error;
  void *data;

  g_assert_cmpint (take_fd, >=, 0);
  harness_assert_status (
      xmem_memfd_map (take_fd, size, &data, &error), XMEM_PROTOCOL, &error);
  close (take_fd);
}

static void
test_unsealed_memory_is_refused (void)
{
  refuse_to_map (raw_memfd (SIZE, 0), SIZE);
  refuse_to_map (raw_memfd (SIZE, F_SEAL_SHRINK), SIZE);
  refuse_to_map (raw_memfd (SIZE, F_SEAL_SHRINK | F_SEAL_GROW), SIZE);
  refuse_to_map (raw_memfd (SIZE, F_SEAL_WRITE), SIZE);
  refuse_to_map (raw_memfd (SIZE, F_SEAL_GROW | F_SEAL_WRITE), SIZE);
}

static void
test_other_files_are_refused (void)
{
  int pipes[2];

  refuse_to_map (open ("/proc/self/exe", O_RDONLY | O_CLOEXEC), 4096);
  refuse_to_map (open ("/dev/zero", O_RDWR | O_CLOEXEC), 4096);
  refuse_to_map (open ("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), 4096);
  g_assert_cmpint (pipe2 (pipes, O_CLOEXEC), ==, 0);
  refuse_to_map (pipes[0], 4096);
  close (pipes[1]);
}

static void
test_lies_about_the_size_are_refused (void)
{
  refuse_to_map (raw_memfd (SIZE, ALL_SEALS), SIZE + 1);
  refuse_to_map (raw_memfd (SIZE, ALL_SEALS), SIZE_MAX / 2);
  refuse_to_map (raw_memfd (SIZE, ALL_SEALS), 0);
  refuse_to_map (raw_memfd (0, ALL_SEALS), 1);
}

/* A file of holes costs its sender nothing; filling them would cost us. */
static void
test_holes_are_not_filled (void)
{
  const size_t size = (size_t) 256 << 20;
  int fd = raw_memfd (size, ALL_SEALS);
  struct xmem_error error;
  struct stat st;
  void *data;

  harness_assert_ok (xmem_memfd_map (fd, size, &data, &error), &error);
  g_assert_cmpint (fstat (fd, &st), ==, 0);
  g_assert_cmpint (st.st_blocks, ==, 0);
  xmem_unmap (data, size);
  close (fd);
}

/* --- running out --------------------------------------------------------- */

static void
limit (int resource, rlim_t value)
{
  struct rlimit limits;

  g_assert_cmpint (getrlimit (resource, &limits), ==, 0);
  limits.rlim_cur = value;
  g_assert_cmpint (setrlimit (resource, &limits), ==, 0);
}

static void
check_failure (size_t size, int status, int sys_errno)
{
  unsigned n_fds = harness_count_fds (0);
  unsigned n_mappings = harness_count_mappings (0);
  struct xmem_error error;
  char number[32];
  void *data;
  int fd;

  harness_assert_status (
      xmem_memfd_create (size, &fd, &data, &error), status, &error);
  g_assert_cmpint (error.sys_errno, ==, sys_errno);
  g_snprintf (number, sizeof (number), "%zu", size);
  harness_assert_contains (error.message, number);
  g_assert_cmpuint (harness_count_fds (0), ==, n_fds);
  g_assert_cmpuint (harness_count_mappings (0), ==, n_mappings);
}

/* Limits are the whole process's, so each is met in a child of its own. */
static void
run_limited (int argc, char **argv)
{
  void *data;
  int fd;

  if (strcmp (argv[0], "file") == 0) {
    signal (SIGXFSZ, SIG_IGN);
    limit (RLIMIT_FSIZE, 1 << 20);
    check_failure (2 << 20, XMEM_NO_SPACE, EFBIG);
    harness_assert_ok (xmem_memfd_create (1 << 20, &fd, &data, NULL), NULL);
  } else if (strcmp (argv[0], "address-space") == 0) {
    limit (RLIMIT_AS, 1 << 30);
    check_failure ((size_t) 1 << 30, XMEM_NO_SPACE, ENOMEM);
  } else {
    limit (RLIMIT_NOFILE, 5); /* 0 to 3 are taken */
    harness_assert_ok (xmem_memfd_create (4096, &fd, &data, NULL), NULL);
    harness_assert_status (
        xmem_memfd_create (4096, &fd, &data, NULL), XMEM_SYSTEM, NULL);
    limit (RLIMIT_NOFILE, 64); /* for what comes at the end */
  }
}

static void
check_limited (const char *what)
{
  struct harness_child child;

  harness_spawn (&child, "limited", what, NULL);
  g_assert_cmpint (harness_join (&child), ==, 0);
}

static void
test_file_size_limit_is_told (void)
{
  check_limited ("file");
}

static void
test_address_space_limit_is_told (void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  g_test_skip ("the sanitizer takes all address space");
#else
  check_limited ("address-space");
#endif
}

static void
test_descriptor_limit_is_told (void)
{
  check_limited ("descriptors");
}

static const struct harness_role roles[] = { { "attacker", run_attacker },
  { "limited", run_limited }, { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/others-can-only-read", test_others_can_only_read);
  harness_add ("/copied-bytes-are-fixed", test_copied_bytes_are_fixed);
  harness_add ("/own-kind-is-mapped", test_own_kind_is_mapped);
  harness_add ("/unsealed-memory-is-refused", test_unsealed_memory_is_refused);
  harness_add ("/other-files-are-refused", test_other_files_are_refused);
  harness_add (
      "/lies-about-the-size-are-refused", test_lies_about_the_size_are_refused);
  harness_add ("/holes-are-not-filled", test_holes_are_not_filled);
  harness_add ("/file-size-limit-is-told", test_file_size_limit_is_told);
  harness_add (
      "/address-space-limit-is-told", test_address_space_limit_is_told);
  harness_add ("/descriptor-limit-is-told", test_descriptor_limit_is_told);
  return g_test_run ();
}
