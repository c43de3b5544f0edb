/* SPDX-License-Identifier: MIT */
/* The harness itself: that it sees what it is there to see. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness/actor.h"
#include "harness/frames.h"
#include "harness/harness.h"

static void
run_echo (int argc, char **argv)
{
  char line[HARNESS_LINE_MAX];

  g_assert_cmpint (argc, ==, 2);
  harness_say ("%s and %s", argv[0], argv[1]);
  while (harness_listen (line))
    harness_say ("%s", line);
  exit (7);
}

static const struct harness_role roles[] = { { "echo", run_echo },
  { "actor", actor_run }, { NULL, NULL } };

static void
test_child_talks_and_exits (void)
{
  struct harness_child child;
  char line[HARNESS_LINE_MAX];

  harness_spawn (&child, "echo", "one", "two", NULL);
  g_assert_cmpint (child.pid, !=, getpid ());
  harness_hear (&child, line);
  g_assert_cmpstr (line, ==, "one and two");
  harness_tell (&child, "number %d", 3);
  harness_hear (&child, line);
  g_assert_cmpstr (line, ==, "number 3");
  g_assert_cmpint (harness_join (&child), ==, 7);
}

static void
test_child_is_killed (void)
{
  struct harness_child child;
  char line[HARNESS_LINE_MAX];

  harness_spawn (&child, "echo", "a", "b", NULL);
  harness_hear (&child, line);
  g_assert_false (harness_is_stopped (&child));
  harness_kill (&child, SIGSTOP);
  harness_wait_until (harness_is_stopped (&child));
  harness_kill (&child, SIGKILL);
  g_assert_cmpint (harness_join (&child), ==, -SIGKILL);
}

static void
test_child_has_nothing_of_ours (void)
{
  struct harness_child one, two;
  char line[HARNESS_LINE_MAX];

  harness_spawn (&one, "echo", "a", "b", NULL);
  harness_spawn (&two, "echo", "a", "b", NULL);
  harness_hear (&one, line);
  harness_hear (&two, line);
  g_assert_cmpuint (
      harness_count_fds (one.pid), ==, harness_count_fds (two.pid));
  harness_join (&one);
  harness_join (&two);
}

static void
test_descriptors_are_counted (void)
{
  unsigned before = harness_count_fds (0);
  int fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);

  g_assert_cmpuint (harness_count_fds (0), ==, before + 1);
  g_assert_cmpuint (harness_count_fds (getpid ()), ==, before + 2);
  close (fd);
  g_assert_cmpuint (harness_count_fds (0), ==, before);
}

static void
test_mappings_are_counted (void)
{
  struct xmem_pool *pool;
  struct xmem_buffer *buffer;

  harness_assert_ok (xmem_pool_new (NULL, &pool, NULL), NULL);
  g_assert_cmpuint (harness_count_mappings (0), ==, 0);
  buffer = frames_new_buffer (pool, 100000, 1);
  g_assert_cmpuint (harness_count_mappings (0), ==, 1);
  xmem_buffer_unref (buffer);
  xmem_pool_unref (pool);
  g_assert_cmpuint (harness_count_mappings (0), ==, 0);
}

static void
test_resident_memory_is_seen (void)
{
  const size_t size = 64 << 20;
  uint64_t before = harness_rss_bytes (0);
  char *data = mmap (NULL, size, PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

  g_assert_true (data != MAP_FAILED);
  g_assert_cmpuint (harness_rss_bytes (0), >, before + size / 2);
  munmap (data, size);
}

static void
test_threads_are_counted (void)
{
  struct source source;

  g_assert_cmpuint (harness_count_threads (0), ==, 0);
  source_open_simply (&source);
  harness_wait_until (harness_count_threads (0) == 1);
  source_close (&source);
  harness_wait_until (harness_count_threads (0) == 0);
}

static void
test_torn_frames_are_seen (void)
{
  uint8_t bytes[1003];
  uint64_t stamp;

  for (size_t size = 1; size <= sizeof (bytes); size += 167) {
    frames_stamp (bytes, size, UINT64_C (0x0123456789abcdef));
    g_assert_true (frames_read_stamp (bytes, size, &stamp));
    if (size > 8) {
      g_assert_cmphex (stamp, ==, UINT64_C (0x0123456789abcdef));
      bytes[size - 1] ^= 1;
      g_assert_false (frames_read_stamp (bytes, size, &stamp));
    }
  }
}

static void
test_folder_goes (void)
{
  static char *path;

  if (path) { /* the second time: the first case's folder */
    g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
    g_clear_pointer (&path, g_free);
    return;
  }
  path = g_strdup (harness_path ("file"));
  g_assert_true (g_file_set_contents (path, "x", 1, NULL));
}

static void
test_actor_does_both (void)
{
  const char *address = harness_path ("socket");
  struct actor here, there;

  actor_start (&here);
  harness_assert_ok (actor_open_publisher (&here, address, 0, 0, 0), NULL);
  actor_start_subscriber (&there, address, XMEM_DELIVERY_EVERY, 2);
  harness_assert_ok (actor_publish (&here, 1000, 42, 0, -1), NULL);
  actor_expect_frame (&there, 0);
  g_assert_true (actor_still_sees (&there, 0, 42));
  g_assert_false (actor_still_sees (&there, 0, 41));
  actor_stop (&there);
  actor_stop (&here);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/child-talks-and-exits", test_child_talks_and_exits);
  harness_add ("/child-is-killed", test_child_is_killed);
  harness_add ("/child-has-nothing-of-ours", test_child_has_nothing_of_ours);
  harness_add ("/descriptors-are-counted", test_descriptors_are_counted);
  harness_add ("/mappings-are-counted", test_mappings_are_counted);
  harness_add ("/resident-memory-is-seen", test_resident_memory_is_seen);
  harness_add ("/threads-are-counted", test_threads_are_counted);
  harness_add ("/torn-frames-are-seen", test_torn_frames_are_seen);
  harness_add ("/folder-is-made", test_folder_goes);
  harness_add ("/folder-goes", test_folder_goes);
  harness_add ("/actor-does-both", test_actor_does_both);
  return g_test_run ();
}
