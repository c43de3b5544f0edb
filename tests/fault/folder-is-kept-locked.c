/* SPDX-License-Identifier: MIT */
/* Another process keeps the folder of sockets locked and does not let go, by
 * accident or on purpose: publishers come and go all the same. */
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "harness/actor.h"
#include "harness/frames.h"

static void
run_locker (int argc, char **argv)
{
  int fd = open (argv[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  g_assert_cmpint (flock (fd, LOCK_EX), ==, 0);
  harness_say ("locked");
  for (;;)
    pause ();
}

static void
test_publishers_come_and_go (void)
{
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = harness_path ("socket") };
  char *folder = g_path_get_dirname (params.address);
  struct harness_child locker;
  struct source source;
  struct actor actor;
  char line[HARNESS_LINE_MAX];

  harness_spawn (&locker, "locker", folder, NULL);
  harness_hear (&locker, line);
  for (unsigned i = 0; i < 2; i++) {
    source_open (&source, &params);
    actor_start_subscriber (&actor, params.address, XMEM_DELIVERY_EVERY, 4);
    source_publish_many (&source, 1000, 0, 1);
    actor_expect_frame (&actor, 0);
    source_close (&source);
    g_assert_false (g_file_test (params.address, G_FILE_TEST_EXISTS));
    actor_expect_status (&actor, XMEM_GONE);
    actor_stop (&actor);
  }
  harness_kill (&locker, SIGKILL);
  g_assert_cmpint (harness_join (&locker), ==, -SIGKILL);
  g_free (folder);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { "locker", run_locker }, { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/publishers-come-and-go", test_publishers_come_and_go);
  return g_test_run ();
}
