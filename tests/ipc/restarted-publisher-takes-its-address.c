/* SPDX-License-Identifier: MIT */
/* A publisher that ends gives its address free at once, although frames of it
 * are still out; old readers find the new one. */
#include <unistd.h>

#include "harness/actor.h"
#include "harness/frames.h"

static void
check_restart (const char *address)
{
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = address };
  struct source one, two;
  struct actor old, new;

  source_open (&one, &params);
  g_assert_cmpstr (xmem_publisher_get_address (one.publisher), ==, address);
  actor_start_subscriber (&old, address, XMEM_DELIVERY_EVERY, 4);
  source_publish_many (&one, 10000, 0, 2);
  actor_expect_frame (&old, 0);
  actor_expect_frame (&old, 1);
  source_close (&one);
  if (address[0] != '@')
    g_assert_cmpint (access (address, F_OK), ==, -1);
  source_open (&two, &params);
  actor_start_subscriber (&new, address, XMEM_DELIVERY_EVERY, 4);
  source_publish_many (&two, 10000, 0, 1);
  actor_expect_frame (&new, 0);
  actor_expect_status (&old, XMEM_GONE);
  g_assert_true (actor_still_sees (&old, 1, 1));
  actor_release (&old, 0);
  harness_assert_ok (
      actor_connect (&old, address, XMEM_DELIVERY_EVERY, 4, -1), NULL);
  source_publish_many (&two, 10000, 1, 1);
  actor_release (&old, 1);
  actor_expect_frame (&old, 1);
  actor_stop (&new);
  actor_stop (&old);
  source_close (&two);
}

static void
test_path (void)
{
  check_restart (harness_path ("socket"));
}

static void
test_abstract (void)
{
  char *address = g_strdup_printf ("@xmem-test-%d", (int) getpid ());

  check_restart (address);
  g_free (address);
}

/* Somebody who waits for a publisher finds each new one. */
static void
test_many_restarts (void)
{
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = harness_path ("socket") };
  struct source source;
  struct actor actor;
  char line[HARNESS_LINE_MAX];

  actor_start (&actor);
  for (unsigned i = 0; i < 20; i++) {
    harness_tell (&actor.child, "connect %s 1 4 -1", params.address);
    source_open (&source, &params);
    harness_assert_ok (
        xmem_publisher_wait_clients (source.publisher, 1, XMEM_WAIT_FOREVER),
        NULL);
    harness_hear (&actor.child, line);
    source_publish_many (&source, 1000, 0, 1);
    source_close (&source);
    actor_expect_frame (&actor, 0);
    actor_expect_status (&actor, XMEM_GONE);
    actor_release (&actor, 0);
  }
  actor_stop (&actor);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/path", test_path);
  harness_add ("/abstract", test_abstract);
  harness_add ("/many-restarts", test_many_restarts);
  return g_test_run ();
}
