/* SPDX-License-Identifier: MIT */
/* pool/named: names, creating, opening, attaching and letting go; what is in
 * the way of a pool's name, and what is no pool. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/named.h"
#include "pool/pool.h"

#define PAGE 65536

static struct xmem_pool_stats
stats_of (struct xmem_pool *pool)
{
  struct xmem_pool_stats stats;

  xmem_pool_get_stats (pool, &stats);
  return stats;
}

static void
expect_create (const char *name, int expected, struct xmem_error *error)
{
  struct xmem_pool *pool = NULL;

  harness_assert_status (
      xmem_pool_create (name, NULL, &pool, error), expected, error);
  g_assert_cmpint (error->status, ==, expected);
  g_assert_null (pool);
}

static void
expect_open (const char *name, int expected, struct xmem_error *error)
{
  struct xmem_pool *pool = NULL;

  harness_assert_status (
      xmem_pool_open (name, 0, &pool, error), expected, error);
  g_assert_cmpint (error->status, ==, expected);
  g_assert_null (pool);
}

static struct stat
stat_of_object (void)
{
  struct stat st;

  g_assert_cmpint (lstat (named_path (), &st), ==, 0);
  return st;
}

/* --- names --------------------------------------------------------------- */

static void
test_impossible_names (void)
{
  char long_name[257];
  const char *const names[] = { NULL, "", "/", ".", "..", "/.", "/..", "a/b",
    "//a", "/a/b", "a/", "/../shm/a", long_name };
  struct xmem_error error;

  memset (long_name, 'x', 256);
  long_name[0] = '/';
  long_name[256] = '\0'; /* 255 behind the slash */
  for (size_t i = 0; i < G_N_ELEMENTS (names); i++) {
    expect_create (names[i], XMEM_INVALID, &error);
    harness_assert_contains (error.message, "name");
    expect_open (names[i], XMEM_INVALID, &error);
    harness_assert_status (
        xmem_pool_unlink (names[i], &error), XMEM_INVALID, &error);
  }
}

static void
test_longest_name (void)
{
  g_autofree char *tail = g_strnfill (255 - strlen (named_name ()), 'x');
  g_autofree char *name = g_strconcat (named_name (), tail, NULL);
  g_autofree char *path = g_strconcat ("/dev/shm", name, NULL);
  struct xmem_pool *one, *two;
  struct xmem_error error;

  g_assert_cmpuint (strlen (name), ==, 255); /* 254 behind the slash */
  harness_assert_ok (xmem_pool_create (name, NULL, &one, &error), &error);
  harness_assert_ok (xmem_pool_open (name + 1, 0, &two, &error), &error);
  xmem_pool_unref (one);
  g_assert_cmpint (access (path, F_OK), ==, 0);
  xmem_pool_unref (two);
  g_assert_cmpint (access (path, F_OK), <, 0);
}

static void
test_slash_may_be_left_out (void)
{
  struct xmem_pool *pool;
  struct xmem_error error;

  harness_assert_ok (
      xmem_pool_create (named_name () + 1, NULL, &pool, &error), &error);
  expect_create (named_name (), XMEM_IN_USE, &error);
  xmem_pool_unref (named_open (0));
  named_close (pool);
}

static void
test_nobody_there (void)
{
  struct xmem_error error;

  expect_open (named_name (), XMEM_NOT_FOUND, &error);
  harness_assert_contains (error.message, named_path ());
  g_assert_cmpint (error.sys_errno, ==, ENOENT);
  harness_assert_status (
      xmem_pool_unlink (named_name (), &error), XMEM_NOT_FOUND, &error);
}

/* --- creating ------------------------------------------------------------ */

static void
test_params_are_checked (void)
{
  struct xmem_pool_params wrong[] = {
    { .struct_size = 0 },
    { .struct_size = sizeof (wrong[0]) + 8 },
    { .struct_size = sizeof (wrong[0]), .n_slots = XMEM_MAX_SLOTS + 1 },
    { .struct_size = sizeof (wrong[0]), .mode = 01600 },
    { .struct_size = sizeof (wrong[0]), .mode = UINT32_MAX },
  };
  struct xmem_pool *pool = NULL;
  struct xmem_error error;

  for (size_t i = 0; i < G_N_ELEMENTS (wrong); i++) {
    harness_assert_status (
        xmem_pool_create (named_name (), &wrong[i], &pool, &error),
        XMEM_INVALID, &error);
    g_assert_null (pool);
    g_assert_false (named_exists ());
  }
}

static void
test_new_pool_is_empty (void)
{
  struct xmem_pool *pool = named_create (NULL);
  struct xmem_pool_stats stats = stats_of (pool);
  struct stat st = stat_of_object ();

  g_assert_cmpuint (stats.n_slots + stats.n_used + stats.n_segments, ==, 0);
  g_assert_cmpuint (stats.bytes, ==, 0);
  g_assert_cmpuint (stats.n_processes, ==, 1);
  g_assert_true (S_ISREG (st.st_mode));
  g_assert_cmpuint (st.st_nlink, ==, 1);
  g_assert_cmpuint ((uint64_t) st.st_size, ==, xmem_layout_head_size (1024));
  named_close (pool);
}

static void
test_largest_pool (void)
{
  const struct xmem_pool_params params = { .struct_size = sizeof (params),
    .n_slots = XMEM_MAX_SLOTS,
    .max_bytes = UINT64_MAX };
  struct xmem_pool *pool = named_create (&params);
  struct xmem_pool *other = named_open (0);

  xmem_buffer_unref (named_acquire (other, 1 << 20));
  xmem_pool_unref (other);
  named_close (pool);
}

static void
test_mode_is_honoured_whatever_the_umask (void)
{
  static const struct {
    mode_t mode, umask, expected;
  } cases[] = { { 0, 0, 0600 }, { 0, 0777, 0600 }, { 0666, 077, 0666 },
    { 0640, 022, 0640 }, { 0777, 0777, 0777 }, { 0600, 0, 0600 } };

  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
    const struct xmem_pool_params params = { .struct_size = sizeof (params),
      .mode = cases[i].mode };
    mode_t before = umask (cases[i].umask);
    struct xmem_pool *pool = named_create (&params);

    umask (before);
    g_assert_cmpuint (stat_of_object ().st_mode & 07777, ==, cases[i].expected);
    named_close (pool);
  }
}

static void
test_live_pool_is_not_replaced (void)
{
  struct xmem_pool *pool = named_create (NULL);
  struct xmem_buffer *buffer = named_acquire (pool, 100);
  g_autofree char *pid = g_strdup_printf ("process %d ", (int) getpid ());
  ino_t inode = stat_of_object ().st_ino;
  struct xmem_error error;

  expect_create (named_name (), XMEM_IN_USE, &error);
  harness_assert_contains (error.message, pid);
  harness_assert_contains (error.message, named_name ());
  g_assert_cmpuint (stat_of_object ().st_ino, ==, inode);
  xmem_pool_unref (named_open (0));
  xmem_buffer_unref (buffer);
  named_close (pool);
}

/* --- processes that come and go ------------------------------------------ */

/* NAME: has a pool of that name open, and a buffer of it; makes the pool if
 * there is none. */
static void
run_holder (int argc, char **argv)
{
  char line[HARNESS_LINE_MAX];
  struct xmem_pool *pool;
  struct xmem_buffer *buffer;
  struct xmem_error error;
  int r = xmem_pool_open (argv[0], 0, &pool, &error);

  if (r == XMEM_NOT_FOUND)
    r = xmem_pool_create (argv[0], NULL, &pool, &error);
  harness_assert_ok (r, &error);
  buffer = named_acquire (pool, 1000);
  harness_say ("%" G_GUINT64_FORMAT, xmem_buffer_get_id (buffer));
  harness_listen (line);
  xmem_buffer_unref (buffer);
  xmem_pool_unref (pool);
}

static uint64_t
spawn_holder (struct harness_child *child)
{
  char line[HARNESS_LINE_MAX];

  harness_spawn (child, "holder", named_name (), NULL);
  harness_hear (child, line);
  return g_ascii_strtoull (line, NULL, 10);
}

static void
test_pool_of_another_process_is_not_replaced (void)
{
  struct harness_child child;
  g_autofree char *pid = NULL;
  struct xmem_error error;

  spawn_holder (&child);
  pid = g_strdup_printf ("process %d ", (int) child.pid);
  expect_create (named_name (), XMEM_IN_USE, &error);
  harness_assert_contains (error.message, pid);
  g_assert_cmpint (harness_join (&child), ==, 0);
  g_assert_false (named_exists ());
}

static void
test_pool_of_the_dead_is_replaced (void)
{
  struct harness_child child;
  struct xmem_pool *pool;
  ino_t inode;

  spawn_holder (&child);
  inode = stat_of_object ().st_ino;
  harness_kill (&child, SIGKILL);
  g_assert_cmpint (harness_join (&child), ==, -SIGKILL);
  g_assert_true (named_exists ());
  pool = named_create (NULL);
  g_assert_cmpuint (stat_of_object ().st_ino, !=, inode);
  g_assert_cmpuint (stats_of (pool).n_slots, ==, 0);
  named_close (pool);
}

/* Opening is not refused: what the dead held is free again. */
static void
test_pool_of_the_dead_is_opened (void)
{
  struct harness_child child;
  struct xmem_pool *pool;
  struct xmem_buffer *buffer;
  struct xmem_error error;
  uint64_t id = spawn_holder (&child);

  harness_kill (&child, SIGKILL);
  g_assert_cmpint (harness_join (&child), ==, -SIGKILL);
  pool = named_open (0);
  harness_assert_ok (xmem_pool_reclaim (pool, NULL, &error), &error);
  g_assert_cmpuint (stats_of (pool).n_processes, ==, 1);
  g_assert_cmpuint (stats_of (pool).n_used, ==, 0);
  harness_assert_status (
      xmem_pool_get (pool, id, XMEM_READ, &buffer, &error), XMEM_STALE, &error);
  named_close (pool);
}

static void
test_reclaim_counts_what_the_dead_held (void)
{
  struct xmem_pool *pool = named_create (NULL);
  struct harness_child child;
  struct xmem_error error;
  uint32_t n_freed;

  spawn_holder (&child);
  g_assert_cmpuint (stats_of (pool).n_processes, ==, 2);
  harness_assert_ok (xmem_pool_reclaim (pool, &n_freed, &error), &error);
  g_assert_cmpuint (n_freed, ==, 0); /* it lives */
  harness_kill (&child, SIGKILL);
  g_assert_cmpint (harness_join (&child), ==, -SIGKILL);
  g_assert_cmpuint (stats_of (pool).n_used, ==, 1);
  g_assert_cmpuint (pool->head->processes[1].pid, ==, child.pid);
  pool->head->waiting = 1 << 1; /* as if it had been waiting, too */
  harness_assert_ok (xmem_pool_reclaim (pool, &n_freed, &error), &error);
  g_assert_cmpuint (n_freed, ==, 1);
  g_assert_cmpuint (pool->head->processes[1].pid, ==, 0);
  g_assert_cmphex (pool->head->waiting, ==, 0);
  harness_assert_ok (xmem_pool_reclaim (pool, &n_freed, &error), &error);
  g_assert_cmpuint (n_freed, ==, 0);
  g_assert_cmpuint (stats_of (pool).n_used, ==, 0);
  g_assert_cmpuint (stats_of (pool).n_processes, ==, 1);
  named_close (pool);
}

/* --- attaching and letting go -------------------------------------------- */

static void
test_last_one_takes_the_name_along (void)
{
  struct xmem_pool *first = named_create (NULL);
  struct xmem_pool *second = named_open (0);
  struct xmem_pool *third = named_open (XMEM_OPEN_READ_ONLY);

  g_assert_cmpuint (stats_of (first).n_processes, ==, 3);
  xmem_pool_unref (first);
  g_assert_true (named_exists ());
  xmem_pool_unref (xmem_pool_ref (second));
  xmem_pool_unref (second);
  g_assert_cmpuint (stats_of (third).n_processes, ==, 1);
  named_close (third);
}

static void
test_buffers_keep_their_pool (void)
{
  struct xmem_pool *pool = named_create (NULL);
  struct xmem_buffer *buffer = named_acquire (pool, 100);
  struct xmem_pool *other;

  xmem_pool_unref (pool);
  g_assert_true (named_exists ());
  other = named_open (0);
  g_assert_cmpuint (stats_of (other).n_used, ==, 1);
  g_assert_cmpuint (stats_of (other).n_processes, ==, 2);
  xmem_buffer_unref (buffer);
  g_assert_cmpuint (stats_of (other).n_used, ==, 0);
  g_assert_cmpuint (stats_of (other).n_processes, ==, 1);
  named_close (other);
}

static void
test_one_attachment_too_many (void)
{
  struct xmem_pool *pools[XMEM_MAX_PROCESSES];
  struct xmem_buffer *buffers[XMEM_MAX_PROCESSES];
  struct xmem_buffer_refs refs;
  struct xmem_error error;

  pools[0] = named_create (NULL);
  for (unsigned i = 1; i < XMEM_MAX_PROCESSES; i++)
    pools[i] = named_open (0);
  g_assert_cmpuint (stats_of (pools[5]).n_processes, ==, XMEM_MAX_PROCESSES);
  expect_open (named_name (), XMEM_FULL, &error);
  harness_assert_contains (error.message, "24 times");
  buffers[0] = named_acquire (pools[0], 100);
  for (unsigned i = 1; i < XMEM_MAX_PROCESSES; i++)
    buffers[i] =
        named_get (pools[i], xmem_buffer_get_id (buffers[0]), XMEM_READ);
  xmem_buffer_get_refs (buffers[0], &refs);
  g_assert_cmpuint (refs.holders, ==, XMEM_MAX_PROCESSES);
  for (unsigned i = 0; i < XMEM_MAX_PROCESSES; i++)
    xmem_buffer_unref (buffers[i]);
  g_assert_cmpuint (stats_of (pools[0]).n_used, ==, 0);
  xmem_pool_unref (pools[7]);
  pools[7] = named_open (0);
  expect_open (named_name (), XMEM_FULL, &error);
  for (unsigned i = 1; i < XMEM_MAX_PROCESSES; i++)
    xmem_pool_unref (pools[i]);
  named_close (pools[0]);
}

static void
test_name_is_taken_away (void)
{
  struct xmem_pool *old = named_create (NULL);
  struct xmem_buffer *before = named_acquire (old, 100);
  struct xmem_buffer *after;
  struct xmem_pool *new;
  struct xmem_error error;

  harness_assert_ok (xmem_pool_unlink (named_name (), &error), &error);
  g_assert_false (named_exists ());
  expect_open (named_name (), XMEM_NOT_FOUND, &error);
  new = named_create (NULL);
  after = named_acquire (old, 1 << 20); /* grows what has no name */
  g_assert_cmpuint (stats_of (old).n_used, ==, 2);
  g_assert_cmpuint (stats_of (old).n_processes, ==, 1);
  g_assert_cmpuint (stats_of (new).n_used, ==, 0);
  xmem_buffer_unref (before);
  xmem_buffer_unref (after);
  xmem_pool_unref (old);
  g_assert_true (named_exists ()); /* the name of the new one */
  named_close (new);
}

/* --- those who are stopped in between ------------------------------------ */

/* As a process that was stopped while attaching: holds the lock. */
static int
lock_object (unsigned byte)
{
  struct flock lock = { .l_type = F_WRLCK, .l_start = byte, .l_len = 1 };
  int fd = open (named_path (), O_RDWR | O_CLOEXEC);

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (fcntl (fd, F_OFD_SETLK, &lock), ==, 0);
  return fd;
}

static void
test_stopped_attacher_is_named_as_the_cause (void)
{
  struct xmem_pool *pool = named_create (NULL);
  int fd = lock_object (XMEM_LOCK_NAME);
  struct xmem_error error;

  expect_open (named_name (), XMEM_IN_USE, &error);
  harness_assert_contains (error.message, "stopped");
  harness_assert_status (
      xmem_pool_unlink (named_name (), &error), XMEM_IN_USE, &error);
  harness_assert_contains (error.message, "stopped");
  /* Who cannot know whether it was the last leaves the name. */
  xmem_pool_unref (pool);
  g_assert_true (named_exists ());
  expect_create (named_name (), XMEM_IN_USE, &error);
  close (fd);
  named_close (named_create (NULL));
}

static void
test_stopped_grower_is_not_waited_for (void)
{
  struct xmem_pool *pool = named_create (NULL);
  int fd = lock_object (XMEM_LOCK_GROWTH);
  struct xmem_buffer *buffer;
  struct xmem_error error;

  harness_assert_status (
      xmem_pool_acquire (pool, 100, 0, 0, &buffer, &error), XMEM_AGAIN, &error);
  harness_assert_status (
      xmem_pool_preallocate (pool, 100, 1, &error), XMEM_FULL, &error);
  harness_assert_contains (error.message, "stopped");
  close (fd);
  xmem_buffer_unref (named_acquire (pool, 100));
  named_close (pool);
}

/* A child made by fork () in just this instant has a copy of the description,
 * which must not keep the locks. */
static void
test_copy_of_the_description_keeps_no_lock (void)
{
  struct xmem_pool *pool = named_create (NULL);
  struct xmem_pool *other = named_open (0);
  int copy = fcntl (xmem_named_get_fd (other), F_DUPFD_CLOEXEC, 0);

  g_assert_cmpint (copy, >=, 0);
  xmem_pool_unref (other);
  g_assert_cmpuint (stats_of (pool).n_processes, ==, 1);
  xmem_pool_unref (named_open (0));
  named_close (pool);
  close (copy);
}

/* --- things that are no pools -------------------------------------------- */

static void
write_object (const void *bytes, size_t size)
{
  int fd = open (named_path (), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (write (fd, bytes, size), ==, (ssize_t) size);
  close (fd);
}

static void
remove_object (void)
{
  g_assert_cmpint (unlink (named_path ()), ==, 0);
}

static void
assert_object_is (const void *bytes, size_t size)
{
  g_autofree char *content = NULL;
  gsize length;

  g_assert_true (g_file_get_contents (named_path (), &content, &length, NULL));
  g_assert_cmpmem (content, length, bytes, size);
}

/* Others' shared memory is left as it is. */
static void
test_foreign_objects_are_not_touched (void)
{
  static const char zeros[PAGE * 16];
  static const struct {
    const char *bytes;
    size_t size;
  } objects[] = { { "", 0 }, { "x", 1 }, { "xmempoo", 7 }, { "XMEMPOOL", 8 },
    { zeros, sizeof (zeros) } };
  struct xmem_error error;

  for (size_t i = 0; i < G_N_ELEMENTS (objects); i++) {
    write_object (objects[i].bytes, objects[i].size);
    expect_create (named_name (), XMEM_IN_USE, &error);
    harness_assert_contains (error.message, "not a pool");
    expect_open (named_name (), XMEM_CORRUPT, &error);
    harness_assert_contains (error.message, "not a pool");
    harness_assert_status (
        xmem_pool_unlink (named_name (), &error), XMEM_CORRUPT, &error);
    assert_object_is (objects[i].bytes, objects[i].size);
    remove_object ();
  }
}

static void
expect_no_pool (void)
{
  struct xmem_error error;

  expect_open (named_name (), XMEM_CORRUPT, &error);
  harness_assert_contains (error.message, named_name ());
  expect_create (named_name (), XMEM_IN_USE, &error);
  harness_assert_status (
      xmem_pool_unlink (named_name (), &error), XMEM_CORRUPT, &error);
  g_assert_true (named_exists ());
}

static void
test_folders_links_and_pipes_are_no_pools (void)
{
  const char *target = harness_path ("target");

  g_assert_cmpint (mkdir (named_path (), 0700), ==, 0);
  expect_no_pool ();
  g_assert_cmpint (rmdir (named_path ()), ==, 0);
  g_assert_cmpint (mkfifo (named_path (), 0600), ==, 0);
  expect_no_pool ();
  remove_object ();
  g_assert_cmpint (symlink (target, named_path ()), ==, 0);
  expect_no_pool ();
  g_assert_true (g_file_set_contents (target, "mine", 4, NULL));
  expect_no_pool ();
  remove_object ();
}

/* --- damaged pools ------------------------------------------------------- */

/* The bytes of a pool with two segments, of 128 and of 65536 bytes per slot. */
static GByteArray *
make_image (void)
{
  const struct xmem_pool_params params = { .struct_size = sizeof (params),
    .n_slots = 16 };
  struct xmem_pool *pool = named_create (&params);
  struct xmem_buffer *small = named_acquire (pool, 100);
  struct xmem_buffer *large = named_acquire (pool, PAGE);
  char *bytes;
  gsize size;

  g_assert_true (g_file_get_contents (named_path (), &bytes, &size, NULL));
  xmem_buffer_unref (small);
  xmem_buffer_unref (large);
  named_close (pool);
  return g_byte_array_new_take ((guint8 *) bytes, size);
}

static void
test_image_of_a_pool_is_a_pool (void)
{
  g_autoptr (GByteArray) image = make_image ();
  struct xmem_pool *pool;

  write_object (image->data, image->len);
  pool = named_open (0);
  g_assert_cmpuint (stats_of (pool).n_segments, ==, 2);
  xmem_buffer_unref (named_acquire (pool, 100));
  named_close (pool);
}

/* The magic alone, or more: it was one, and nobody has it. */
static void
test_truncated_pools_are_replaced (void)
{
  g_autoptr (GByteArray) image = make_image ();
  static const size_t sizes[] = { 8, 12, 255, 256, 4096, 36863, 36864, 40000,
    PAGE - 1 };
  struct xmem_error error;

  for (size_t i = 0; i < G_N_ELEMENTS (sizes); i++) {
    write_object (image->data, sizes[i]);
    expect_open (named_name (), XMEM_CORRUPT, &error);
    named_close (named_create (NULL));
    write_object (image->data, sizes[i]);
    harness_assert_ok (xmem_pool_unlink (named_name (), &error), &error);
    g_assert_false (named_exists ());
  }
}

/* What goes on with a pool that was cut off behind its head. */
static void
expect_corrupt (struct xmem_pool *pool)
{
  struct xmem_buffer *buffer;
  struct xmem_error error;
  uint32_t cursor = 0;

  harness_assert_status (
      xmem_pool_next (pool, &cursor, &buffer, &error), XMEM_CORRUPT, &error);
  harness_assert_status (xmem_pool_acquire (pool, PAGE, 0, 0, &buffer, &error),
      XMEM_CORRUPT, &error);
  harness_assert_status (
      xmem_pool_acquire (pool, PAGE, 0, XMEM_WAIT_FOREVER, &buffer, &error),
      XMEM_CORRUPT, &error);
  harness_assert_status (
      xmem_pool_get_at (pool, 15, XMEM_READ, &buffer, &error), XMEM_CORRUPT,
      &error);
  harness_assert_status (
      xmem_pool_preallocate (pool, PAGE, 1, &error), XMEM_CORRUPT, &error);
  harness_assert_status (
      xmem_pool_reclaim (pool, NULL, &error), XMEM_CORRUPT, &error);
}

static void
test_truncated_segments_are_not_used (void)
{
  g_autoptr (GByteArray) image = make_image ();
  const size_t sizes[] = { PAGE, PAGE + 1, 2 * PAGE, image->len - 1 };
  struct xmem_pool *pool;

  for (size_t i = 0; i < G_N_ELEMENTS (sizes); i++) {
    write_object (image->data, sizes[i]);
    pool = named_open (0);
    expect_corrupt (pool);
    g_assert_cmpuint (stats_of (pool).bytes, <=, sizes[i] - PAGE);
    named_close (pool);
  }
}

static struct xmem_layout_header *
header_of (GByteArray *image)
{
  return (struct xmem_layout_header *) (void *) image->data;
}

static void
test_pool_of_another_version (void)
{
  g_autoptr (GByteArray) image = make_image ();
  struct xmem_error error;

  header_of (image)->version = XMEM_LAYOUT_VERSION + 1;
  write_object (image->data, image->len);
  expect_open (named_name (), XMEM_VERSION, &error);
  harness_assert_contains (error.message, "version 3");
  named_close (named_create (NULL)); /* nobody has it */
}

/* While its processes live it is theirs, whatever the version. */
static void
test_live_pool_of_another_version (void)
{
  g_autoptr (GByteArray) image = make_image ();
  struct xmem_error error;
  int fd;

  header_of (image)->version = XMEM_LAYOUT_VERSION + 1;
  write_object (image->data, image->len);
  fd = lock_object (XMEM_LOCK_PROCESS + 23);
  expect_create (named_name (), XMEM_IN_USE, &error);
  assert_object_is (image->data, image->len);
  close (fd);
  remove_object ();
}

static void
test_garbage (void)
{
  g_autofree guint32 *garbage = g_new (guint32, 4 * PAGE / 4);
  g_autoptr (GRand) rand = g_rand_new_with_seed (1);
  struct xmem_error error;

  for (unsigned n = 0; n < 20; n++) {
    for (unsigned i = 0; i < PAGE; i++)
      garbage[i] = g_rand_int (rand);
    write_object (garbage, 4 * PAGE);
    expect_open (named_name (), XMEM_CORRUPT, &error);
    memcpy (garbage, "xmempool", 8);
    write_object (garbage, 4 * PAGE);
    expect_open (named_name (), XMEM_VERSION, &error);
    garbage[2] = XMEM_LAYOUT_VERSION;
    write_object (garbage, 4 * PAGE);
    expect_open (named_name (), XMEM_CORRUPT, &error);
    remove_object ();
  }
}

static void
test_damaged_segments_are_not_used (void)
{
  g_autoptr (GByteArray) image = make_image ();
  struct xmem_layout_segment *segment = &header_of (image)->segments[1];
  struct xmem_pool *pool;

  segment->slot_size = UINT64_C (1) << 40;
  write_object (image->data, image->len);
  pool = named_open (0);
  expect_corrupt (pool);
  g_assert_cmpuint (stats_of (pool).n_segments, ==, 1); /* the good one */
  named_close (pool);
}

static void
test_segments_of_unknown_kind (void)
{
  g_autoptr (GByteArray) image = make_image ();
  struct xmem_buffer *buffer;
  struct xmem_pool *pool;
  struct xmem_error error;
  uint32_t cursor = 0;

  header_of (image)->segments[0].kind = XMEM_SEGMENT_CUDA + 1;
  write_object (image->data, image->len);
  pool = named_open (0);
  harness_assert_status (
      xmem_pool_next (pool, &cursor, &buffer, &error), XMEM_VERSION, &error);
  harness_assert_status (xmem_pool_acquire (pool, 100, 0, 0, &buffer, &error),
      XMEM_VERSION, &error);
  g_assert_cmpuint (stats_of (pool).n_segments, ==, 0);
  named_close (pool);
}

/* Damage that is done while a pool is open. */
static void
test_header_that_makes_no_sense_any_more (void)
{
  struct xmem_pool *pool = named_create (NULL);
  struct xmem_pool *other = named_open (0);

  xmem_buffer_unref (named_acquire (pool, 100));
  pool->head->n_segments = XMEM_MAX_SEGMENTS + 1;
  expect_corrupt (other);
  g_assert_cmpuint (stats_of (other).n_segments, ==, 0);
  pool->head->n_segments = 1;
  g_assert_cmpuint (stats_of (other).n_segments, ==, 1);
  xmem_pool_unref (other);
  named_close (pool);
}

/* --- opened for reading only --------------------------------------------- */

static void
test_read_only_attachment_only_looks (void)
{
  struct xmem_pool *pool = named_create (NULL);
  struct xmem_pool *other = named_open (XMEM_OPEN_READ_ONLY);
  struct xmem_buffer *mine = named_acquire (pool, 100);
  uint64_t id = xmem_buffer_get_id (mine);
  struct xmem_buffer *buffer = NULL;
  struct xmem_error error;

  harness_assert_status (xmem_pool_acquire (other, 100, 0, 0, &buffer, &error),
      XMEM_REFUSED, &error);
  harness_assert_contains (error.message, "reading only");
  harness_assert_status (
      xmem_pool_preallocate (other, 100, 1, &error), XMEM_REFUSED, &error);
  harness_assert_status (xmem_pool_get (other, id, XMEM_WRITE, &buffer, &error),
      XMEM_REFUSED, &error);
  harness_assert_status (
      xmem_pool_get_at (other, (uint32_t) id, XMEM_WRITE, &buffer, &error),
      XMEM_REFUSED, &error);
  harness_assert_status (
      xmem_pool_take (other, id, XMEM_WRITE, &buffer, &error), XMEM_REFUSED,
      &error);
  g_assert_null (buffer);
  harness_assert_ok (xmem_pool_reclaim (other, NULL, &error), &error);
  buffer = named_get (other, id, XMEM_READ);
  g_assert_null (xmem_buffer_get_mut_data (buffer));
  g_assert_nonnull (xmem_buffer_get_data (buffer));
  harness_assert_ok (xmem_buffer_give (buffer, 1, &error), &error);
  harness_assert_ok (
      xmem_pool_take (other, id, XMEM_READ, &buffer, &error), &error);
  xmem_buffer_unref (mine);
  g_assert_cmpuint (stats_of (pool).n_used, ==, 1); /* it holds what it sees */
  xmem_buffer_unref (buffer);
  g_assert_cmpuint (stats_of (pool).n_used, ==, 0);
  xmem_pool_unref (pool);
  named_close (other);
}

/* --- refusals ------------------------------------------------------------ */

/* NAME STATUS: what another user gets who opens, unlinks and creates. */
static void
run_stranger (int argc, char **argv)
{
  int expected = atoi (argv[1]);
  struct xmem_pool *pool;
  struct xmem_error error;

  g_assert_cmpint (setgid (65534), ==, 0);
  g_assert_cmpint (setuid (65534), ==, 0);
  harness_assert_status (
      xmem_pool_open (argv[0], 0, &pool, &error), expected, &error);
  if (expected == 0) {
    g_assert_cmpuint (stats_of (pool).n_processes, ==, 2);
    xmem_buffer_unref (named_acquire (pool, 100));
    xmem_pool_unref (pool);
    expect_create (argv[0], XMEM_IN_USE, &error);
  } else {
    g_assert_cmpint (error.sys_errno, ==, EACCES);
    expect_create (argv[0], expected, &error);
    harness_assert_status (
        xmem_pool_unlink (argv[0], &error), expected, &error);
  }
}

static void
test_mode_decides_who_attaches (void)
{
  static const struct {
    mode_t mode;
    const char *status;
  } cases[] = { { 0600, "-7" }, { 0644, "-7" }, { 0666, "0" } };

  if (geteuid () != 0) {
    g_test_skip ("only root can become another user");
    return;
  }
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
    const struct xmem_pool_params params = { .struct_size = sizeof (params),
      .mode = cases[i].mode };
    struct xmem_pool *pool = named_create (&params);
    struct harness_child child;

    harness_spawn (&child, "stranger", named_name (), cases[i].status, NULL);
    g_assert_cmpint (harness_join (&child), ==, 0);
    g_assert_cmpuint (stats_of (pool).n_used, ==, 0);
    named_close (pool);
  }
}

static void
set_file_limit (uint64_t bytes)
{
  struct rlimit limits;

  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &limits), ==, 0);
  limits.rlim_cur = bytes;
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &limits), ==, 0);
}

/* Files may not grow here, as where there is no more memory to share. */
static void
run_poor (int argc, char **argv)
{
  struct xmem_pool *pool;
  struct xmem_buffer *buffer;
  struct xmem_error error;

  signal (SIGXFSZ, SIG_IGN);
  set_file_limit (PAGE);
  expect_create (named_name (), XMEM_NO_SPACE, &error);
  g_assert_cmpint (error.sys_errno, ==, EFBIG);
  g_assert_false (named_exists ());
  set_file_limit (16 * PAGE);
  pool = named_create (NULL);
  buffer = named_acquire (pool, 100);
  harness_assert_status (xmem_pool_acquire (pool, 16 * PAGE, 0,
                             XMEM_WAIT_FOREVER, &buffer, &error),
      XMEM_NO_SPACE, &error);
  harness_assert_status (xmem_pool_preallocate (pool, 16 * PAGE, 1, &error),
      XMEM_NO_SPACE, &error);
  g_assert_cmpuint (stats_of (pool).n_segments, ==, 1);
  xmem_buffer_unref (named_acquire (pool, 100)); /* there is still that */
  xmem_buffer_unref (buffer);
  named_close (pool);
}

static void
test_no_space_is_told (void)
{
  struct harness_child child;

  harness_spawn (&child, "poor", NULL);
  g_assert_cmpint (harness_join (&child), ==, 0);
}

static const struct harness_role roles[] = { { "holder", run_holder },
  { "stranger", run_stranger }, { "poor", run_poor }, { NULL, NULL } };

static void
add_names (void)
{
  harness_add ("/impossible-names", test_impossible_names);
  harness_add ("/longest-name", test_longest_name);
  harness_add ("/slash-may-be-left-out", test_slash_may_be_left_out);
  harness_add ("/nobody-there", test_nobody_there);
  harness_add ("/params-are-checked", test_params_are_checked);
  harness_add ("/new-pool-is-empty", test_new_pool_is_empty);
  harness_add ("/largest-pool", test_largest_pool);
  harness_add ("/mode-is-honoured-whatever-the-umask",
      test_mode_is_honoured_whatever_the_umask);
  harness_add ("/live-pool-is-not-replaced", test_live_pool_is_not_replaced);
}

static void
add_processes (void)
{
  harness_add ("/pool-of-another-process-is-not-replaced",
      test_pool_of_another_process_is_not_replaced);
  harness_add (
      "/pool-of-the-dead-is-replaced", test_pool_of_the_dead_is_replaced);
  harness_add ("/pool-of-the-dead-is-opened", test_pool_of_the_dead_is_opened);
  harness_add ("/reclaim-counts-what-the-dead-held",
      test_reclaim_counts_what_the_dead_held);
  harness_add (
      "/last-one-takes-the-name-along", test_last_one_takes_the_name_along);
  harness_add ("/buffers-keep-their-pool", test_buffers_keep_their_pool);
  harness_add ("/one-attachment-too-many", test_one_attachment_too_many);
  harness_add ("/name-is-taken-away", test_name_is_taken_away);
  harness_add ("/stopped-attacher-is-named-as-the-cause",
      test_stopped_attacher_is_named_as_the_cause);
  harness_add ("/stopped-grower-is-not-waited-for",
      test_stopped_grower_is_not_waited_for);
  harness_add ("/copy-of-the-description-keeps-no-lock",
      test_copy_of_the_description_keeps_no_lock);
}

static void
add_damage (void)
{
  harness_add (
      "/foreign-objects-are-not-touched", test_foreign_objects_are_not_touched);
  harness_add ("/folders-links-and-pipes-are-no-pools",
      test_folders_links_and_pipes_are_no_pools);
  harness_add ("/image-of-a-pool-is-a-pool", test_image_of_a_pool_is_a_pool);
  harness_add (
      "/truncated-pools-are-replaced", test_truncated_pools_are_replaced);
  harness_add (
      "/truncated-segments-are-not-used", test_truncated_segments_are_not_used);
  harness_add ("/pool-of-another-version", test_pool_of_another_version);
  harness_add (
      "/live-pool-of-another-version", test_live_pool_of_another_version);
  harness_add ("/garbage", test_garbage);
  harness_add (
      "/damaged-segments-are-not-used", test_damaged_segments_are_not_used);
  harness_add ("/segments-of-unknown-kind", test_segments_of_unknown_kind);
  harness_add ("/header-that-makes-no-sense-any-more",
      test_header_that_makes_no_sense_any_more);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  add_names ();
  add_processes ();
  add_damage ();
  harness_add (
      "/read-only-attachment-only-looks", test_read_only_attachment_only_looks);
  harness_add ("/mode-decides-who-attaches", test_mode_decides_who_attaches);
  harness_add ("/no-space-is-told", test_no_space_is_told);
  return g_test_run ();
}
