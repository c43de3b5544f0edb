/* SPDX-License-Identifier: MIT */
/* What an application does from the callbacks of its publisher: publish,
 * announce a stream, end it, even end the publisher. */
#include <stdatomic.h>

#include "harness/actor.h"
#include "harness/frames.h"

static struct source source;
static atomic_uint n_connected, n_disconnected;

static const char *
open_source (
    void (*connected) (int, void *), void (*disconnected) (int, void *))
{
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = harness_path ("socket"),
    .client_connected = connected,
    .client_disconnected = disconnected };

  n_connected = n_disconnected = 0;
  source_open (&source, &params);
  return params.address;
}

static void
count_connected (int fd, void *data)
{
  n_connected++;
}

static void
count_disconnected (int fd, void *data)
{
  n_disconnected++;
}

static void
greet (int fd, void *data)
{
  source_set_caps (&source, "hello");
  harness_assert_ok (source_publish (&source, 1000, 0, 0, 0), NULL);
  harness_assert_ok (
      xmem_publisher_wait_clients (source.publisher, 1, 0), NULL);
  g_assert_cmpuint (source_stats (&source).n_clients, ==, 1);
  xmem_publisher_send_eos (source.publisher);
  n_connected++;
}

static void
test_publishing (void)
{
  struct actor_frame frame;
  const char *address;
  struct actor actor;

  address = open_source (greet, NULL);
  actor_start_subscriber (&actor, address, XMEM_DELIVERY_EVERY, 4);
  harness_assert_ok (actor_next (&actor, -1, &frame), NULL);
  g_assert_cmpuint (frame.caps_hash, ==, g_str_hash ("hello"));
  actor_expect_status (&actor, XMEM_EOS);
  harness_wait_until (n_connected == 1);
  actor_stop (&actor);
  source_close (&source);
}

static void
end_it (int fd, void *data)
{
  xmem_publisher_free (source.publisher);
  n_connected++;
}

static void
test_freeing (void)
{
  const char *address;
  struct actor actor;

  address = open_source (end_it, count_disconnected);
  actor_start_subscriber (&actor, address, XMEM_DELIVERY_EVERY, 4);
  actor_expect_status (&actor, XMEM_GONE);
  harness_wait_until (n_connected == 1);
  actor_stop (&actor);
  harness_wait_until (harness_count_threads (0) == 0);
  g_assert_cmpuint (n_disconnected, ==, 1); /* by the free itself */
  xmem_pool_unref (source.pool);
}

/* xmem_publisher_free () says good-bye for all, and after it has returned there
 * is no callback, even of clients whose leaving comes later. */
static void
test_silence_after_the_end (void)
{
  const char *address;
  struct actor actors[3];

  address = open_source (count_connected, count_disconnected);
  for (unsigned i = 0; i < 3; i++)
    actor_start_subscriber (&actors[i], address, XMEM_DELIVERY_EVERY, 4);
  harness_wait_until (n_connected == 3);
  source_close (&source);
  g_assert_cmpuint (n_disconnected, ==, 3);
  for (unsigned i = 0; i < 3; i++)
    actor_stop (&actors[i]);
  harness_wait_until (harness_count_threads (0) == 0);
  g_assert_cmpuint (n_disconnected, ==, 3);
}

static void
count_freed (void *data)
{
  (*(atomic_uint *) data)++;
}

/* The application's data is given back once, when nobody can call any more. */
static void
test_user_data_is_given_back (void)
{
  atomic_uint n_freed = 0;
  struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = harness_path ("socket"),
    .user_data = &n_freed,
    .user_data_free = count_freed };
  struct xmem_publisher *none = NULL;
  struct actor actor;

  source_open (&source, &params);
  harness_assert_status (
      xmem_publisher_new (&params, &none, NULL), XMEM_IN_USE, NULL);
  g_assert_null (none);
  g_assert_cmpuint (n_freed, ==, 0);
  actor_start_subscriber (&actor, params.address, XMEM_DELIVERY_EVERY, 4);
  source_publish_many (&source, 1000, 0, 1);
  actor_expect_frame (&actor, 0);
  source_close (&source);
  actor_expect_status (&actor, XMEM_GONE);
  g_assert_cmpuint (n_freed, ==, 0); /* a frame is out */
  actor_stop (&actor);
  harness_wait_until (n_freed == 1);
  harness_wait_until (harness_count_threads (0) == 0);
  params.flags = XMEM_PUBLISHER_NO_THREAD;
  source_open (&source, &params);
  source_close (&source);
  g_assert_cmpuint (n_freed, ==, 2);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/publishing", test_publishing);
  harness_add ("/freeing", test_freeing);
  harness_add ("/silence-after-the-end", test_silence_after_the_end);
  harness_add ("/user-data-is-given-back", test_user_data_is_given_back);
  return g_test_run ();
}
