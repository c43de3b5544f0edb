/* SPDX-License-Identifier: MIT */
/* Events of a publisher, both ways.
 *
 * Owns the sticky ones and, of each client, those that it was not sent yet.
 * Knows nothing of what they mean. With the publisher's lock held unless it
 * says otherwise; never blocks.
 *
 * Invariant: a client's events before `n_ahead` come before its pending frame,
 * the others behind it; without a pending frame all are ahead. None is dropped
 * but a sticky one that a later one of its kind and name replaces with no
 * frame between them. */
#include <string.h>

#include "base/clock.h"
#include "mem/memfd.h"
#include "peer/pub-private.h"

#define KNOWN_FLAGS \
  (XMEM_EVENT_STICKY | XMEM_EVENT_UNTIL_FLUSH | XMEM_EVENT_FLUSH)
/* Upstream: what a client may send at once, and how often one more. */
#define MAX_TOKENS 64
#define TOKEN_NS INT64_C (10000000)
/* Events of all clients between two looks at the callbacks. */
#define MAX_UPSTREAM 64

/* --- making -------------------------------------------------------------- */

static void
event_free (struct pub_event *event)
{
  pub_stream_unref (event->stream);
  xmem_packet_unref (event->packet);
  free (event->name);
  free (event);
}

void
pub_event_unref (struct pub_event *event)
{
  if (--event->refs == 0)
    event_free (event);
}

static int
encode (const struct xmem_event *event, struct xmem_packet **packet_out,
    struct xmem_error *error)
{
  struct xmem_wire_message m = { .type = XMEM_WIRE_EVENT };
  size_t name_size = event->name ? strlen (event->name) : 0;
  int fd = -1, r;

  if (name_size > XMEM_MAX_EVENT_NAME || event->size > XMEM_MAX_EVENT_DATA
      || (event->flags & ~(unsigned) KNOWN_FLAGS))
    return xmem_error_set (error, XMEM_INVALID, 0,
        "an event of %zu bytes, with a name of %zu and flags 0x%x", event->size,
        name_size, event->flags);
  m.event.kind = event->kind;
  m.event.flags = event->flags;
  if (name_size > 0)
    m.event.name = (struct xmem_wire_text){ event->name, name_size };
  if (event->size > XMEM_WIRE_MAX_INLINE_EVENT) {
    r = xmem_memfd_from_bytes (event->data, event->size, &fd, error);
    if (r != 0)
      return r;
    m.event.data_fd_size = event->size;
  } else {
    m.event.data = event->data;
    m.event.size = event->size;
  }
  *packet_out = xmem_packet_new (&m, fd);
  if (!*packet_out)
    return xmem_error_set (error, XMEM_NO_MEMORY, 0, "no memory for an event");
  return 0;
}

static bool
is_same (const struct pub_event *a, const struct pub_event *b)
{
  return a->kind == b->kind && strcmp (a->name, b->name) == 0;
}

/* In the place of the one it replaces. */
static int
keep_sticky (struct xmem_publisher *pub, struct pub_event *event,
    struct xmem_error *error)
{
  unsigned i = 0;

  while (i < pub->n_sticky && !is_same (pub->sticky[i], event))
    i++;
  if (i == XMEM_MAX_STICKY_EVENTS)
    return xmem_error_set (error, XMEM_FULL, 0,
        "more than %d different sticky events", XMEM_MAX_STICKY_EVENTS);
  if (i < pub->n_sticky)
    pub_event_unref (pub->sticky[i]);
  else
    pub->n_sticky++;
  pub->sticky[i] = event;
  event->refs++;
  return 0;
}

/* Those that have all of these flags. */
static void
forget_sticky (struct xmem_publisher *pub, uint32_t flags)
{
  unsigned n = 0;

  for (unsigned i = 0; i < pub->n_sticky; i++) {
    if ((pub->sticky[i]->flags & flags) == flags)
      pub_event_unref (pub->sticky[i]);
    else
      pub->sticky[n++] = pub->sticky[i];
  }
  pub->n_sticky = n;
}

void
pub_event_forget_sticky (struct xmem_publisher *pub)
{
  forget_sticky (pub, 0);
}

int
pub_event_new (struct xmem_publisher *pub, const struct xmem_event *event,
    struct pub_event **event_out, struct xmem_error *error)
{
  struct pub_event *made = calloc (1, sizeof (*made));
  int r = 0;

  if (!made)
    return xmem_error_set (error, XMEM_NO_MEMORY, 0, "no memory for an event");
  made->refs = 1;
  made->kind = event->kind;
  made->flags = event->flags;
  made->size = event->size;
  made->name = strdup (event->name ? event->name : "");
  made->stream = pub->stream;
  if (made->stream)
    made->stream->refs++;
  r = made->name ? encode (event, &made->packet, error)
                 : xmem_error_set (error, XMEM_NO_MEMORY, 0, "no memory");
  if (r == 0 && event->flags & XMEM_EVENT_FLUSH)
    forget_sticky (pub, XMEM_EVENT_UNTIL_FLUSH);
  if (r == 0 && event->flags & XMEM_EVENT_STICKY)
    r = keep_sticky (pub, made, error);
  if (r == 0)
    *event_out = made;
  else
    event_free (made);
  return r;
}

/* --- to a client --------------------------------------------------------- */

static struct pub_event *
remove_event (struct pub_client *client, unsigned i)
{
  struct pub_event *event = client->events[i];

  client->event_bytes_waiting -= event->size;
  client->n_events--;
  client->n_ahead -= i < client->n_ahead;
  memmove (&client->events[i], &client->events[i + 1],
      (client->n_events - i) * sizeof (client->events[0]));
  return event;
}

/* Those from `first` on that a later one, up to `last`, replaces. */
static void
coalesce (struct pub_client *client, unsigned first, unsigned last)
{
  const struct pub_event *event = client->events[last];

  if (!(event->flags & XMEM_EVENT_STICKY))
    return;
  for (unsigned i = last; i > first; i--)
    if (client->events[i - 1]->flags & XMEM_EVENT_STICKY
        && is_same (client->events[i - 1], event))
      pub_event_unref (remove_event (client, i - 1));
}

/* Whether it leaves too much unread. What it has not read lies in its socket,
 * each large event a memfd of its own, or waits here; how much it has read
 * shows when it releases a frame that came later, and when its socket is empty.
 */
static bool
is_over_quota (struct pub_client *client)
{
  uint64_t sent = client->event_bytes_sent;

  if (sent - client->event_bytes_read + client->event_bytes_waiting
      <= client->event_quota)
    return false;
  if (xmem_connection_is_empty (&client->connection))
    client->event_bytes_read = sent;
  return sent - client->event_bytes_read + client->event_bytes_waiting
         > client->event_quota;
}

void
pub_client_add_event (struct xmem_publisher *pub, struct pub_client *client,
    struct pub_event *event)
{
  if (client->state != PUB_CLIENT_ACTIVE || client->broken
      || !(client->features & XMEM_WIRE_FEATURE_EVENTS))
    return;
  if (event->flags & XMEM_EVENT_FLUSH)
    pub_client_flush_frames (pub, client);
  if (client->n_events == XMEM_PUB_MAX_EVENTS) {
    pub_client_evict (pub, client, XMEM_FULL, "too many events were not read");
    return;
  }
  client->events[client->n_events++] = event;
  client->event_bytes_waiting += event->size;
  event->refs++;
  coalesce (client, client->n_ahead, client->n_events - 1);
  if (is_over_quota (client)) {
    pub_client_evict (
        pub, client, XMEM_FULL, "too many bytes of events were not read");
    return;
  }
  if (!client->pending)
    client->n_ahead = client->n_events;
  pub_client_send_events (pub, client, false);
}

/* They are kept anyway, so they come on top of its quota. */
void
pub_client_add_sticky (struct xmem_publisher *pub, struct pub_client *client)
{
  client->event_quota = XMEM_PUB_MAX_EVENT_BYTES;
  for (unsigned i = 0; i < pub->n_sticky; i++)
    client->event_quota += pub->sticky[i]->size;
  for (unsigned i = 0; i < pub->n_sticky; i++)
    pub_client_add_event (pub, client, pub->sticky[i]);
}

void
pub_client_send_events (
    struct xmem_publisher *pub, struct pub_client *client, bool all)
{
  while (client->n_ahead > 0 && (all || !client->connection.first)) {
    struct pub_event *event = remove_event (client, 0);

    if (event->stream)
      pub_client_send_stream (pub, client, event->stream);
    client->event_bytes_sent += event->size;
    pub_client_send (pub, client, event->packet);
    pub_event_unref (event);
  }
}

void
pub_client_join_events (struct pub_client *client)
{
  for (unsigned i = client->n_ahead; i < client->n_events; i++) {
    unsigned n = client->n_events;

    coalesce (client, 0, i);
    i -= n - client->n_events;
  }
  client->n_ahead = client->n_events;
}

void
pub_client_drop_events (struct pub_client *client)
{
  while (client->n_events > 0)
    pub_event_unref (client->events[--client->n_events]);
  client->n_ahead = 0;
  client->event_bytes_waiting = 0;
}

/* --- from a client ------------------------------------------------------- */

bool
pub_upstream_has_room (const struct xmem_publisher *pub)
{
  return pub->n_upstream < MAX_UPSTREAM;
}

/* Whether it has not sent too many. */
static bool
take_token (struct pub_client *client)
{
  int64_t now = xmem_clock_now ();
  int64_t more = (now - client->tokens_at) / TOKEN_NS;

  if (client->tokens_at == 0 || more >= MAX_TOKENS - client->tokens) {
    client->tokens = MAX_TOKENS;
    client->tokens_at = now;
  } else {
    client->tokens += (unsigned) more;
    client->tokens_at += more * TOKEN_NS;
  }
  if (client->tokens == 0)
    return false;
  client->tokens--;
  return true;
}

static void
add_upstream (struct xmem_publisher *pub, struct pub_client *client,
    const struct xmem_wire_event *m)
{
  struct pub_upstream *up = calloc (1, sizeof (*up) + m->size);

  if (!up)
    return; /* a request that is not heard */
  if (m->name.size > 0)
    memcpy (up->name, m->name.data, m->name.size);
  if (m->size > 0)
    memcpy (up->data, m->data, m->size);
  up->client_fd = client->fd_number;
  up->event = (struct xmem_event){ m->kind, 0, up->name, up->data, m->size };
  if (!pub->upstream)
    pub->upstream_end = &pub->upstream;
  *pub->upstream_end = up;
  pub->upstream_end = &up->next;
  pub->n_upstream++;
}

void
pub_client_receive_event (struct xmem_publisher *pub, struct pub_client *client,
    const struct xmem_wire_event *m)
{
  if (!(client->features & XMEM_WIRE_FEATURE_EVENTS) || m->data_fd_size > 0)
    pub_client_evict (pub, client, XMEM_PROTOCOL, "an unexpected event");
  else if (client->state == PUB_CLIENT_ACTIVE && pub->params.event_received
           && take_token (client))
    add_upstream (pub, client, m);
}

static struct pub_upstream *
next_upstream (struct xmem_publisher *pub)
{
  struct pub_upstream *up;
  xmem_scoped_lock (&pub->lock);

  up = pub->upstream;
  if (!up || pub->closing)
    return NULL;
  pub->upstream = up->next;
  pub->n_upstream--;
  return up;
}

void
pub_run_upstream (struct xmem_publisher *pub)
{
  struct pub_upstream *up;

  while ((up = next_upstream (pub)) != NULL) {
    pub->params.event_received (
        up->client_fd, &up->event, pub->params.user_data);
    free (up);
  }
}

void
pub_drop_upstream (struct xmem_publisher *pub)
{
  while (pub->upstream) {
    struct pub_upstream *up = pub->upstream;

    pub->upstream = up->next;
    free (up);
  }
  pub->n_upstream = 0;
}
