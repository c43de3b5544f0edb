/* SPDX-License-Identifier: MIT */
/* What both ends know after the handshake: how many frames may be held, who
 * the other one is, and that the application hears of it. */
#include <pthread.h>
#include <stdatomic.h>

#include "harness/actor.h"
#include "harness/frames.h"

static unsigned
grant_for (const char *address, unsigned wanted)
{
  struct actor actor;
  unsigned grant;

  actor_start_subscriber (&actor, address, XMEM_DELIVERY_LATEST, wanted);
  grant = actor_get_grant (&actor);
  actor_stop (&actor);
  return grant;
}

static void
test_smaller_wish_wins (void)
{
  struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = harness_path ("socket") };
  struct source source;

  source_open (&source, &params);
  g_assert_cmpuint (grant_for (params.address, 0), ==, 4);
  g_assert_cmpuint (grant_for (params.address, 1), ==, 1);
  g_assert_cmpuint (grant_for (params.address, 100), ==, 4);
  source_close (&source);
  params.address = harness_path ("socket2");
  params.max_buffers = XMEM_MAX_GRANT;
  source_open (&source, &params);
  g_assert_cmpuint (grant_for (params.address, 0), ==, 4);
  g_assert_cmpuint (grant_for (params.address, 40), ==, 40);
  g_assert_cmpuint (grant_for (params.address, UINT32_MAX), ==, 64);
  source_close (&source);
}

static void
test_both_know_each_other (void)
{
  const char *address = harness_path ("socket");
  struct xmem_publisher_stats pub;
  struct xmem_subscriber_stats sub;
  struct actor here, there;

  actor_start (&here);
  harness_assert_ok (actor_open_publisher (&here, address, 0, 0, 0), NULL);
  actor_start_subscriber (&there, address, XMEM_DELIVERY_LATEST, 0);
  actor_get_stats (&there, &sub);
  g_assert_cmpint (sub.publisher_pid, ==, here.child.pid);
  actor_get_publisher_stats (&here, &pub);
  g_assert_cmpuint (pub.n_clients, ==, 1);
  g_assert_cmpuint (pub.clients_served, ==, 1);
  actor_unsubscribe (&there);
  do
    actor_get_publisher_stats (&here, &pub);
  while (pub.n_clients > 0);
  g_assert_cmpuint (pub.clients_served, ==, 1);
  actor_stop (&there);
  actor_stop (&here);
}

struct heard {
  atomic_uint n_connected;
  atomic_uint n_disconnected;
  atomic_int fd;
};

static void
on_connected (int fd, void *data)
{
  struct heard *heard = data;

  heard->fd = fd;
  heard->n_connected++;
}

static void
on_disconnected (int fd, void *data)
{
  struct heard *heard = data;

  g_assert_cmpint (heard->fd, ==, fd);
  heard->n_disconnected++;
}

static void
test_callbacks_come_in_pairs (void)
{
  struct heard heard = { 0 };
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = harness_path ("socket"),
    .client_connected = on_connected,
    .client_disconnected = on_disconnected,
    .user_data = &heard };
  struct source source;
  struct actor actor;

  source_open (&source, &params);
  for (unsigned i = 1; i <= 5; i++) {
    actor_start_subscriber (&actor, params.address, XMEM_DELIVERY_EVERY, 0);
    harness_wait_until (heard.n_connected == i);
    g_assert_cmpint (heard.fd, >, 2);
    g_assert_cmpuint (heard.n_disconnected, ==, i - 1);
    if (i % 2)
      actor_stop (&actor);
    else
      actor_die (&actor);
    harness_wait_until (heard.n_disconnected == i);
  }
  source_close (&source);
  g_assert_cmpuint (heard.n_connected, ==, 5);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/smaller-wish-wins", test_smaller_wish_wins);
  harness_add ("/both-know-each-other", test_both_know_each_other);
  harness_add ("/callbacks-come-in-pairs", test_callbacks_come_in_pairs);
  return g_test_run ();
}
