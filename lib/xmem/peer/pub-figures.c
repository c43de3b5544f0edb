/* SPDX-License-Identifier: MIT */
/* What is counted, of all clients and of each. Owns nothing. With the
 * publisher's lock held, but for the public functions. */
#include <string.h>

#include "base/clock.h"
#include "peer/pub-private.h"

void
pub_count_delivered (struct xmem_publisher *pub, struct pub_client *client,
    const struct pub_frame *frame)
{
  client->next_sequence = frame->sequence + 1;
  client->delivered++;
  pub->stats.frames_delivered++;
}

void
pub_count_dropped (struct xmem_publisher *pub, struct pub_client *client)
{
  client->dropped++;
  pub->stats.frames_dropped++;
}

static enum xmem_client_state
public_state (const struct pub_client *client)
{
  if (client->state == PUB_CLIENT_ACTIVE)
    return XMEM_CLIENT_ACTIVE;
  return client->state == PUB_CLIENT_LEAVING ? XMEM_CLIENT_LEFT
                                             : XMEM_CLIENT_EVICTED;
}

void
pub_client_describe (const struct xmem_publisher *pub,
    const struct pub_client *client, struct xmem_publisher_client *client_out)
{
  *client_out = (struct xmem_publisher_client){
    .fd = client->fd_number,
    .pid = (int) client->pid,
    .state = public_state (client),
    .delivery = client->delivery,
    .grant = client->grant,
    .frames_held = client->n_held,
    .frames_delivered = client->delivered,
    .frames_dropped = client->dropped,
    .lag = pub->next_sequence - client->next_sequence,
  };
  if (client->n_held > 0)
    client_out->oldest_held_ns =
        (uint64_t) (xmem_clock_now () - client->held[0].since_ns);
  _Static_assert(
      sizeof (client_out->name) == sizeof (client->name), "a name may fill it");
  memcpy (client_out->name, client->name, sizeof (client->name));
}

size_t
xmem_publisher_get_clients (struct xmem_publisher *pub,
    struct xmem_publisher_client *clients_out, size_t n_clients)
{
  size_t n = 0, i = 0;
  xmem_scoped_lock (&pub->lock);

  for (const struct pub_client *c = pub->clients; c; c = c->next)
    n += c->state == PUB_CLIENT_ACTIVE || c->n_held > 0;
  /* The list begins with the one that came last. */
  for (const struct pub_client *c = pub->clients; c; c = c->next)
    if ((c->state == PUB_CLIENT_ACTIVE || c->n_held > 0) && n - ++i < n_clients)
      pub_client_describe (pub, c, &clients_out[n - i]);
  return n;
}

void
xmem_publisher_get_stats (
    struct xmem_publisher *pub, struct xmem_publisher_stats *stats_out)
{
  xmem_scoped_lock (&pub->lock);

  *stats_out = pub->stats;
  stats_out->frames_held -= pub_replay_count (pub);
}
