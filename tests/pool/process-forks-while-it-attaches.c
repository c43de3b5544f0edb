/* SPDX-License-Identifier: MIT */
/* One thread opens, closes and tries to create a pool while another forks
 * children without exec, at any instant. These live on; they keep no lock that
 * the thread had at that instant, so nobody is kept out by them. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "pool-actor.h"

#define N_CHILDREN 40

static atomic_bool done;

static void *
run_attacher (void *data)
{
  const char *name = data;
  struct xmem_pool *pool;
  struct xmem_error error;

  while (!atomic_load (&done)) {
    harness_assert_ok (xmem_pool_open (name, 0, &pool, &error), &error);
    xmem_pool_unref (pool);
    harness_assert_status (
        xmem_pool_create (name, NULL, &pool, &error), XMEM_IN_USE, &error);
  }
  return NULL;
}

static void
run_forker (int argc, char **argv)
{
  char line[HARNESS_LINE_MAX];
  pthread_t thread;

  g_assert_cmpint (
      pthread_create (&thread, NULL, run_attacher, argv[0]), ==, 0);
  for (unsigned i = 0; i < N_CHILDREN; i++) {
    pid_t pid;

    harness_listen (line);
    pid = fork ();
    if (pid == 0) {
      close (STDOUT_FILENO);
      close (STDERR_FILENO);
      alarm (60); /* should the test not live to kill us */
      for (;;)
        pause ();
    }
    harness_say ("%d", (int) pid);
  }
  atomic_store (&done, true);
  pthread_join (thread, NULL);
  harness_say ("done");
}

static void
test_children_keep_nothing (void)
{
  struct pool_actor witness, newcomer;
  struct harness_child forker;
  char name[POOL_NAME_MAX], line[HARNESS_LINE_MAX];
  pid_t children[N_CHILDREN];

  pool_name (name, "forking");
  pool_actor_start (&witness);
  harness_assert_ok (pool_actor_create (&witness, name, 4, 0), NULL);
  harness_spawn (&forker, "forker", name, NULL);
  for (unsigned i = 0; i < N_CHILDREN; i++) {
    g_usleep ((gulong) g_test_rand_int_range (0, 2000));
    harness_tell (&forker, "fork");
    harness_hear (&forker, line);
    children[i] = (pid_t) g_ascii_strtoll (line, NULL, 10);
    g_assert_cmpint (children[i], >, 0);
  }
  harness_hear (&forker, line);
  g_assert_cmpint (harness_join (&forker), ==, 0);
  g_assert_cmpuint (pool_file_count_processes (name), ==, 1);
  pool_actor_start_open (&newcomer, name);
  pool_actor_stop (&newcomer);
  pool_actor_stop (&witness);
  g_assert_false (pool_file_exists (name));
  for (unsigned i = 0; i < N_CHILDREN; i++)
    kill (children[i], SIGKILL);
}

static const struct harness_role roles[] = { { "forker", run_forker },
  { "pool-actor", pool_actor_run }, { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/children-keep-nothing", test_children_keep_nothing);
  return g_test_run ();
}
