/* SPDX-License-Identifier: MIT */
/* A publisher that says its memory on a device is larger than it is; and one
 * that dies before its memory is mapped, while its socket stays open a while. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cuda/peers.h"
#include "mem/cuda-memory.h"
#include "pool/segment.h"

#define SIZE 4096

static struct xmem_error error;

/* --- publishers ---------------------------------------------------------- */

static void
claim (struct xmem_segment *segment, uint64_t times)
{
  segment->size *= times;
  segment->cuda->share.size *= times;
}

/* Has the sockets that are open until the test has done with this process, which
 * the one of the harness, 3, tells. It is another program: a driver may keep memory
 * as long as anybody has its files open or mapped. */
static void
hold_sockets (void)
{
  struct stat status;

  if (fork () != 0)
    return;
  for (int fd = STDERR_FILENO + 1; fd < 1024; fd++)
    if (fstat (fd, &status) == 0)
      fcntl (fd, F_SETFD, S_ISSOCK (status.st_mode) ? 0 : FD_CLOEXEC);
  execl ("/bin/sh", "sh", "-c", "exec cat <&3 >/dev/null", NULL);
  _exit (1);
}

/* Address, mode, how many times what it has it claims. Publishes when it is told
 * to; is killed, and if it is honest its socket stays open for a while. */
static void
run_publisher (int argc, char **argv)
{
  const struct xmem_pool_params pool_params = { .struct_size =
                                                    sizeof (pool_params),
    .cuda_mode = strcmp (argv[1], "legacy") == 0 ? XMEM_CUDA_MODE_LEGACY
                                                 : XMEM_CUDA_MODE_VMM };
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = argv[0] };
  uint64_t times = strtoull (argv[2], NULL, 10);
  char line[HARNESS_LINE_MAX];
  struct xmem_publisher *publisher;
  struct xmem_frame_info info;
  struct xmem_region region;
  struct xmem_buffer *buffer;
  struct xmem_pool *pool;

  double_load ();
  xmem_frame_info_init (&info);
  harness_assert_ok (xmem_pool_new (&pool_params, &pool, &error), &error);
  harness_assert_ok (xmem_publisher_new (&params, &publisher, &error), &error);
  harness_say ("ok");
  g_assert_true (harness_listen (line));
  harness_assert_ok (
      xmem_pool_acquire_cuda (pool, SIZE, 0, 0, 0, &buffer, &error), &error);
  xmem_buffer_get_region (buffer, &region);
  claim (region.segment, times);
  harness_assert_ok (
      xmem_publisher_publish_buffer (publisher, buffer, &info, 0, &error),
      &error);
  if (times == 1)
    hold_sockets ();
  harness_say ("ok");
  pause ();
}

static void
start (struct harness_child *publisher, struct harness_child *consumer,
    const char *mode, const char *times)
{
  peer_start (publisher, "publisher", mode, times, NULL);
  peer_start (consumer, "consumer", NULL);
  peer_ask (publisher, "publish");
}

static struct peer_summary
read_one (struct harness_child *consumer)
{
  struct peer_summary summary;

  harness_tell (consumer, "next 1");
  peer_hear_summary (consumer, &summary);
  g_test_message ("%s", summary.words);
  peer_stop (consumer);
  return summary;
}

/* --- more than there is -------------------------------------------------- */

static void
lie (const char *mode, int status, const char *words)
{
  struct harness_child publisher, consumer;
  struct peer_summary summary;

  start (&publisher, &consumer, mode, "4");
  summary = read_one (&consumer);
  g_assert_cmpint (summary.status, ==, status);
  harness_assert_contains (summary.words, words);
  harness_kill (&publisher, SIGKILL);
  g_assert_cmpint (harness_join (&publisher), ==, -SIGKILL);
}

/* The driver refuses to map more of a descriptor's memory than there is. */
static void
test_more_than_there_is (void)
{
  lie ("vmm", XMEM_DEVICE, "cuMemMap ()");
  lie ("legacy", XMEM_PROTOCOL, "not the 4194304 it is said to have");
}

/* --- gone before it is mapped -------------------------------------------- */

/* Reads what a zombie has published, whose socket is open. */
static struct peer_summary
read_of_the_dead (const char *mode)
{
  struct harness_child publisher, consumer;
  struct peer_summary summary;
  siginfo_t info;

  start (&publisher, &consumer, mode, "1");
  harness_kill (&publisher, SIGKILL);
  g_assert_cmpint (
      waitid (P_PID, (id_t) publisher.pid, &info, WEXITED | WNOWAIT), ==, 0);
  summary = read_one (&consumer);
  g_assert_cmpint (harness_join (&publisher), ==, -SIGKILL);
  return summary;
}

static void
test_gone_before_it_is_mapped (void)
{
  g_assert_cmpint (read_of_the_dead ("legacy").status, ==, XMEM_GONE);
}

/* Memory with a descriptor outlives its process; events do not, and nobody needs
 * to wait for them. */
static void
test_gone_before_its_events_are_opened (void)
{
  struct peer_summary summary = read_of_the_dead ("vmm");

  g_assert_cmpint (summary.status, ==, 0);
  g_assert_cmpuint (summary.n_frames, ==, 1);
}

int
main (int argc, char **argv)
{
  static const struct harness_role roles[] = { { "publisher", run_publisher },
    PEER_ROLES, { NULL, NULL } };

  double_init (&argc, &argv, roles);
  harness_add ("/more-than-there-is", test_more_than_there_is);
  harness_add ("/gone-before-its-events-are-opened",
      test_gone_before_its_events_are_opened);
  harness_add ("/gone-before-it-is-mapped", test_gone_before_it_is_mapped);
  return g_test_run ();
}
