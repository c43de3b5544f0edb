/* SPDX-License-Identifier: MIT */
/* The publisher's process forks, for whatever reason, and the child keeps the
 * sockets: clients that come and go are served as before, and none that has
 * gone is heard of again. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/actor.h"
#include "harness/frames.h"

static pid_t
fork_idler (void)
{
  pid_t pid = fork ();

  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    for (;;)
      pause ();
  return pid;
}

static void
test_clients_go_after_a_fork (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor actors[4], last;
  pid_t idler;

  for (unsigned i = 0; i < 4; i++)
    actor_start_subscriber (&actors[i], address, XMEM_DELIVERY_LATEST, 4);
  source_publish_many (&source, 1000, 0, 1);
  for (unsigned i = 0; i < 4; i++)
    actor_expect_frame (&actors[i], 0);
  idler = fork_idler ();
  for (unsigned i = 0; i < 4; i++) {
    if (i % 2)
      actor_die (&actors[i]);
    else
      actor_stop (&actors[i]);
    harness_wait_until (source_stats (&source).n_clients == 3 - i);
    source_publish_many (&source, 1000, i + 1, 1);
  }
  harness_assert_ok (
      xmem_publisher_wait_released (source.publisher, XMEM_WAIT_FOREVER), NULL);
  actor_start_subscriber (&last, address, XMEM_DELIVERY_LATEST, 4);
  source_publish_many (&source, 1000, 5, 1);
  actor_expect_frame (&last, 5);
  actor_stop (&last);
  source_close (&source);
  g_assert_cmpint (kill (idler, SIGKILL), ==, 0);
  g_assert_cmpint (waitpid (idler, NULL, 0), ==, idler);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/clients-go-after-a-fork", test_clients_go_after_a_fork);
  return g_test_run ();
}
