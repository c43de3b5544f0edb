/* SPDX-License-Identifier: MIT */
/* How long a client that holds its full grant is waited for.
 *
 * The clock of a client runs from the first frame that finds no room until the
 * client releases something. By it publish () stops waiting for a client that
 * wants every frame, and the I/O thread, woken by a timer, evicts whoever is
 * stuck. With the publisher's lock held throughout.
 *
 * Invariant: with a client_timeout_ns, the timer runs while any active
 * client's clock does. */
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "base/clock.h"
#include "peer/pub-private.h"

int
pub_patience_init (struct xmem_publisher *pub, struct xmem_error *error)
{
  struct epoll_event event = { .events = EPOLLIN, .data.ptr = &pub->timer_fd };

  if (pub->params.client_timeout_ns == 0)
    return 0;
  pub->timer_fd = timerfd_create (CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (pub->timer_fd < 0
      || epoll_ctl (pub->epoll_fd, EPOLL_CTL_ADD, pub->timer_fd, &event) < 0)
    return xmem_error_set (error, XMEM_SYSTEM, errno, "cannot make a timer");
  return 0;
}

void
pub_patience_clear (struct xmem_publisher *pub)
{
  if (pub->timer_fd >= 0)
    close (pub->timer_fd);
  pub->timer_fd = -1;
}

/* When this clock reaches the limit, 0 being none. */
static int64_t
limit_at (const struct pub_client *client, uint64_t limit_ns)
{
  int64_t at;

  return limit_ns == 0
                 || __builtin_add_overflow (client->starved_ns, limit_ns, &at)
             ? XMEM_DEADLINE_NEVER
             : at;
}

static void
start_timer (struct xmem_publisher *pub, int64_t at)
{
  const struct itimerspec when = { .it_value = { .tv_sec = at / 1000000000,
                                       .tv_nsec = at % 1000000000 } };

  pub->timer_runs =
      timerfd_settime (pub->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) == 0;
}

void
pub_client_starve (struct xmem_publisher *pub, struct pub_client *client)
{
  int64_t at;

  if (client->starved_ns != 0)
    return;
  client->starved_ns = xmem_clock_now ();
  at = limit_at (client, pub->params.client_timeout_ns);
  /* One that runs ends sooner than this client's time. */
  if (at != XMEM_DEADLINE_NEVER && !pub->timer_runs)
    start_timer (pub, at);
}

void
pub_client_satisfy (struct pub_client *client)
{
  client->starved_ns = 0;
}

int64_t
pub_patience_end (struct xmem_publisher *pub)
{
  int64_t now = xmem_clock_now (), end = 0, at;

  if (pub->params.flags & XMEM_PUBLISHER_LEAKY)
    return 0;
  for (struct pub_client *c = pub->clients; c; c = c->next) {
    if (c->state != PUB_CLIENT_ACTIVE || c->broken
        || c->delivery != XMEM_DELIVERY_EVERY || pub_client_has_credit (c))
      continue;
    pub_client_starve (pub, c);
    at = limit_at (c, pub->params.max_wait_ns);
    if (at > now && at > end)
      end = at;
  }
  return end;
}

static void
evict (struct xmem_publisher *pub, struct pub_client *client)
{
  char words[128];

  snprintf (words, sizeof (words),
      "%u frames were held and none released for %.3f s", client->n_held,
      (double) pub->params.client_timeout_ns / 1e9);
  client->stuck = true;
  pub_client_evict (pub, client, XMEM_GONE, words);
}

void
pub_evict_stuck (struct xmem_publisher *pub)
{
  int64_t now = xmem_clock_now (), next = XMEM_DEADLINE_NEVER, at;
  uint64_t count;

  (void) !read (pub->timer_fd, &count, sizeof (count));
  pub->timer_runs = false;
  for (struct pub_client *c = pub->clients; c; c = c->next) {
    if (c->state != PUB_CLIENT_ACTIVE || c->broken || c->starved_ns == 0)
      continue;
    at = limit_at (c, pub->params.client_timeout_ns);
    if (at <= now)
      evict (pub, c);
    else if (at < next)
      next = at;
  }
  if (next != XMEM_DEADLINE_NEVER)
    start_timer (pub, next);
}
