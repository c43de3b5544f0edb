/* SPDX-License-Identifier: MIT */
/* What subscribers ask for comes to the publisher's callback, with the socket
 * that it came from; a flood does not. */
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness/actor.h"
#include "harness/frames.h"
#include "harness/raw.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards heard */

static struct heard {
  unsigned n;
  unsigned kind;
  unsigned last; /* number of the last event */
  unsigned n_out_of_order;
  size_t size;
  int fd;
  char name[XMEM_MAX_EVENT_NAME + 1];
} heard;

static void
event_received (int fd, const struct xmem_event *event, void *user_data)
{
  uint32_t number;

  g_assert_cmpuint (event->flags, ==, 0);
  g_assert_cmpuint (event->size, >=, sizeof (number));
  memcpy (&number, event->data, sizeof (number));
  pthread_mutex_lock (&lock);
  if (number > 0)
    heard.n_out_of_order += number != heard.last + 1;
  heard.last = number;
  heard.kind = event->kind;
  heard.size = event->size;
  heard.fd = fd;
  g_strlcpy (heard.name, event->name, sizeof (heard.name));
  heard.n++;
  pthread_mutex_unlock (&lock);
  /* From here the publisher may be used. */
  xmem_publisher_send_event (
      *(struct xmem_publisher **) user_data, event, NULL);
}

static struct heard
look (void)
{
  struct heard copy;

  pthread_mutex_lock (&lock);
  copy = heard;
  pthread_mutex_unlock (&lock);
  return copy;
}

static const char *
open_source (struct source *source)
{
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = harness_path ("socket"),
    .event_received = event_received,
    .user_data = &source->publisher };

  memset (&heard, 0, sizeof (heard));
  source_open (source, &params);
  return params.address;
}

static void
test_they_arrive (void)
{
  struct source source;
  const char *address = open_source (&source);
  struct actor_event echo;
  struct actor actor;

  actor_start_subscriber (
      &actor, address, XMEM_DELIVERY_LATEST | ACTOR_EVENTS, 4);
  harness_assert_ok (actor_send_events (&actor, 7, "ask", 4, 50), NULL);
  harness_wait_until (look ().n == 50);
  g_assert_cmpuint (look ().kind, ==, 7);
  g_assert_cmpstr (look ().name, ==, "ask");
  g_assert_cmpuint (look ().size, ==, 4);
  g_assert_cmpuint (look ().n_out_of_order, ==, 0);
  g_assert_cmpint (look ().fd, >=, 0);
  harness_assert_ok (
      actor_send_events (&actor, 8, "big", XMEM_MAX_UPSTREAM_DATA, 1), NULL);
  harness_wait_until (look ().n == 51);
  g_assert_cmpuint (look ().size, ==, XMEM_MAX_UPSTREAM_DATA);
  for (unsigned i = 0; i < 50; i++)
    actor_expect_event (&actor, 7, "ask");
  actor_next_event (&actor, &echo);
  g_assert_cmpuint (echo.size, ==, XMEM_MAX_UPSTREAM_DATA);
  actor_stop (&actor);
  source_close (&source);
}

/* Frames come back all the same, and most of the requests are not look (). */
static void
test_floods_are_not_heard (void)
{
  struct source source;
  const char *address = open_source (&source);
  const struct xmem_wire_message m = { .type = XMEM_WIRE_EVENT,
    .event = { .kind = 1, .data = "0000", .size = 4 } };
  struct xmem_wire_message hello = { .type = XMEM_WIRE_HELLO,
    .hello = { 1, 1, 4, XMEM_WIRE_FEATURE_EVENTS, 0, 1, { NULL, 0 } } };
  struct xmem_received received;
  struct actor actor;
  int fd;

  actor_start_subscriber (&actor, address, XMEM_DELIVERY_EVERY, 4);
  fd = raw_connect (address);
  raw_send_message (fd, &hello, -1);
  raw_expect (fd, XMEM_WIRE_WELCOME, &received);
  g_assert_cmpuint (
      received.message.welcome.features, ==, XMEM_WIRE_FEATURE_EVENTS);
  for (unsigned i = 0; i < 10000; i++) {
    raw_send_message (fd, &m, -1);
    if (i % 64 == 0) {
      source_publish_many (&source, 1000, i / 64, 1);
      actor_expect_frame (&actor, i / 64);
      actor_release (&actor, i / 64);
    }
    /* Its echoes, and the frames, it must read. */
    while (recv (fd, &received, sizeof (received), MSG_DONTWAIT) > 0)
      ;
  }
  g_assert_cmpuint (look ().n, <, 10000);
  close (fd);
  actor_stop (&actor);
  source_close (&source);
}

/* An event with a file, or from somebody who did not ask for events, is an
 * error. */
static void
test_wrong_ones_end_the_connection (void)
{
  struct source source;
  const char *address = open_source (&source);
  struct xmem_wire_message m = { .type = XMEM_WIRE_EVENT,
    .event = { .kind = 1, .data = "0000", .size = 4 } };
  struct xmem_wire_message hello = { .type = XMEM_WIRE_HELLO,
    .hello = { 1, 1, 4, XMEM_WIRE_FEATURE_EVENTS, 0, 1, { NULL, 0 } } };
  struct xmem_received received;
  int fd;

  fd = raw_subscribe (address, XMEM_DELIVERY_LATEST, 4);
  raw_send_message (fd, &m, -1);
  g_assert_cmpint (raw_expect_end (fd), ==, XMEM_PROTOCOL);
  close (fd);
  fd = raw_connect (address);
  raw_send_message (fd, &hello, -1);
  raw_expect (fd, XMEM_WIRE_WELCOME, &received);
  m.event.data_fd_size = 100;
  raw_send_message (fd, &m, -1);
  g_assert_cmpint (raw_expect_end (fd), ==, XMEM_PROTOCOL);
  close (fd);
  g_assert_cmpuint (look ().n, ==, 0);
  source_close (&source);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/they-arrive", test_they_arrive);
  harness_add ("/floods-are-not-heard", test_floods_are_not_heard);
  harness_add (
      "/wrong-ones-end-the-connection", test_wrong_ones_end_the_connection);
  return g_test_run ();
}
