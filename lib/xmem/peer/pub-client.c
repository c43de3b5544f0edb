/* SPDX-License-Identifier: MIT */
/* One subscriber as the publisher sees it: what it may have, what it has.
 *
 * The account is kept here and nowhere else; nothing the client says can do
 * more than give back what it holds. With the publisher's lock held
 * throughout; never blocks.
 *
 * Invariant: a frame is in `held` from the moment it is sent until the client
 * releases it or hangs up. */
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "peer/pub-private.h"

#define FEATURES                                       \
  (XMEM_WIRE_FEATURE_EVENTS | XMEM_WIRE_FEATURE_DMABUF \
      | XMEM_WIRE_FEATURE_CUDA | XMEM_WIRE_FEATURE_CUDA_COMPLETE)

/* --- sending ------------------------------------------------------------- */

static void
watch (struct xmem_publisher *pub, struct pub_client *client, uint32_t events)
{
  struct epoll_event event = { .events = events, .data.ptr = client };

  epoll_ctl (pub->epoll_fd, EPOLL_CTL_MOD, client->connection.fd, &event);
}

static void
update_wants_write (struct xmem_publisher *pub, struct pub_client *client)
{
  bool wants = client->connection.first && !client->broken;

  if (wants == client->wants_write || client->state == PUB_CLIENT_EVICTED)
    return;
  client->wants_write = wants;
  watch (pub, client, EPOLLIN | (wants ? EPOLLOUT : 0));
}

/* Its hang-up will be read soon; in case it lives it gets to know. */
static void
mark_broken (struct xmem_publisher *pub, struct pub_client *client)
{
  client->broken = true;
  shutdown (client->connection.fd, SHUT_WR);
  pthread_cond_broadcast (&pub->changed);
}

void
pub_client_send (struct xmem_publisher *pub, struct pub_client *client,
    struct xmem_packet *packet)
{
  int r;

  if (client->broken || client->state != PUB_CLIENT_ACTIVE)
    return;
  r = xmem_connection_send (&client->connection, packet);
  if (r == XMEM_FULL || r == XMEM_NO_MEMORY) {
    pub_client_evict (pub, client, r, "too many messages were not read");
  } else if (r != 0) {
    mark_broken (pub, client);
  }
  update_wants_write (pub, client);
}

static void
send_message (struct xmem_publisher *pub, struct pub_client *client,
    const struct xmem_wire_message *message)
{
  struct xmem_packet *packet = xmem_packet_new (message, -1);

  if (packet)
    pub_client_send (pub, client, packet);
  xmem_packet_unref (packet);
}

void
pub_client_flush (struct xmem_publisher *pub, struct pub_client *client)
{
  int r = client->broken ? 0 : xmem_connection_flush (&client->connection);

  if (r == XMEM_FULL)
    pub_client_evict (pub, client, r, "too many messages were not read");
  else if (r == XMEM_GONE)
    mark_broken (pub, client);
  if (r == 0 && !client->broken) {
    pub_client_send_events (pub, client, false);
    pub_client_announce (pub, client); /* of several streams the last */
  }
  update_wants_write (pub, client);
}

void
pub_client_send_stream (struct xmem_publisher *pub, struct pub_client *client,
    struct pub_stream *stream)
{
  if (client->epoch >= stream->epoch)
    return;
  client->epoch = stream->epoch;
  pub_client_send (pub, client, stream->packet);
}

static void
send_segments (struct xmem_publisher *pub, struct pub_client *client,
    const struct pub_frame *frame)
{
  for (unsigned i = 0; i < frame->n_segments; i++) {
    unsigned place = frame->segments[i];
    uint64_t bit = UINT64_C (1) << (place % 64);

    if (client->has_segment[place / 64] & bit)
      continue;
    client->has_segment[place / 64] |= bit;
    pub_client_send (pub, client, pub->segments[place].packet);
    pub->stats.segments_sent++;
  }
}

void
pub_client_send_frame (struct xmem_publisher *pub, struct pub_client *client,
    struct pub_frame *frame, struct xmem_packet *packet)
{
  pub_client_send_events (pub, client, true);
  pub_client_send_stream (pub, client, frame->stream);
  client->needs_key = false;
  send_segments (pub, client, frame);
  frame->refs++;
  client->held[client->n_held++] = (struct pub_held){ .frame = frame,
    .since_ns = xmem_clock_now (),
    .event_bytes = client->event_bytes_sent };
  pub_client_send (pub, client, packet);
  pub_count_delivered (pub, client, frame);
}

static void
send_frame (struct xmem_publisher *pub, struct pub_client *client,
    struct pub_frame *frame)
{
  pub_client_send_frame (pub, client, frame, frame->packet);
}

/* --- delivery ------------------------------------------------------------ */

bool
pub_client_has_credit (const struct pub_client *client)
{
  return client->n_held < client->grant;
}

static void
skip (struct xmem_publisher *pub, struct pub_client *client)
{
  client->needs_key = true;
  pub_count_dropped (pub, client);
}

static void
drop_pending (struct xmem_publisher *pub, struct pub_client *client)
{
  if (!client->pending)
    return;
  pub_frame_unref (pub, client->pending);
  client->pending = NULL;
  pub_client_join_events (client);
}

void
pub_client_flush_frames (struct xmem_publisher *pub, struct pub_client *client)
{
  if (client->pending)
    skip (pub, client);
  drop_pending (pub, client);
  pub_client_satisfy (client);
}

/* Without credit "latest" keeps the newest frame that can be decoded: a delta
 * unit never replaces what it may depend on. */
static void
keep_pending (struct xmem_publisher *pub, struct pub_client *client,
    struct pub_frame *frame)
{
  bool is_delta = frame->flags & XMEM_FRAME_DELTA_UNIT;

  if (client->pending && is_delta) {
    skip (pub, client);
    return;
  }
  if (client->pending) {
    drop_pending (pub, client);
    pub_count_dropped (pub, client);
  }
  pub_client_send_events (pub, client, false);
  client->pending = frame;
  frame->refs++;
  client->needs_key = false;
}

/* It has room for a frame and cannot use this one. One key unit will do for
 * everybody. */
static void
ask_for_key (struct xmem_publisher *pub, const struct pub_client *client)
{
  if (pub->key_asked || client->pending || !pub_client_has_credit (client))
    return;
  pub->key_asked = pub->key_wanted = true;
}

/* Evicts a client that does not take the memory which the frame is in. */
static bool
takes_memory (struct xmem_publisher *pub, struct pub_client *client,
    const struct pub_frame *frame)
{
  if (frame->in_dmabuf && !(client->features & XMEM_WIRE_FEATURE_DMABUF)) {
    pub_client_evict (pub, client, XMEM_UNSUPPORTED,
        "the frames are dmabufs, which this subscriber does not take");
    return false;
  }
  if (frame->in_cuda && !(client->features & XMEM_WIRE_FEATURE_CUDA)) {
    pub_client_evict (pub, client, XMEM_REFUSED,
        "the frames are in CUDA memory, which this subscriber did not ask for "
        "(XMEM_SUBSCRIBER_CUDA)");
    return false;
  }
  return true;
}

bool
pub_client_can_read (struct xmem_publisher *pub, struct pub_client *client,
    const struct pub_frame *frame)
{
  return takes_memory (pub, client, frame)
         && (frame->complete
             || !(client->features & XMEM_WIRE_FEATURE_CUDA_COMPLETE));
}

void
pub_client_offer (struct xmem_publisher *pub, struct pub_client *client,
    struct pub_frame *frame)
{
  if (client->state != PUB_CLIENT_ACTIVE || client->broken)
    return;
  if (!pub_client_can_read (pub, client, frame)) {
    /* It has joined just now, while this one was on its way. */
    if (client->state == PUB_CLIENT_ACTIVE)
      skip (pub, client);
    return;
  }
  if (client->needs_key && frame->flags & XMEM_FRAME_DELTA_UNIT) {
    skip (pub, client);
    ask_for_key (pub, client);
  } else if (pub_client_has_credit (client) && !client->pending) {
    send_frame (pub, client, frame);
  } else {
    pub_client_starve (pub, client);
    if (client->delivery == XMEM_DELIVERY_LATEST)
      keep_pending (pub, client, frame);
    else
      skip (pub, client);
  }
}

static void
send_pending (struct xmem_publisher *pub, struct pub_client *client)
{
  struct pub_frame *frame = xmem_steal_ptr (client->pending);

  if (!frame)
    return;
  if (client->n_held < XMEM_PUB_MAX_HELD) {
    bool needs_key = client->needs_key; /* what was skipped came later */

    send_frame (pub, client, frame);
    client->needs_key = needs_key;
  } else {
    skip (pub, client);
  }
  pub_frame_unref (pub, frame);
  pub_client_join_events (client);
  pub_client_send_events (pub, client, false);
}

void
pub_client_announce (struct xmem_publisher *pub, struct pub_client *client)
{
  if (client->state == PUB_CLIENT_ACTIVE && !client->pending
      && client->n_events == 0 && pub->stream)
    pub_client_send_stream (pub, client, pub->stream);
}

void
pub_client_finish (struct xmem_publisher *pub, struct pub_client *client,
    const struct xmem_wire_message *message)
{
  if (client->state != PUB_CLIENT_ACTIVE)
    return;
  send_pending (pub, client);
  pub_client_send_events (pub, client, true);
  pub_client_announce (pub, client);
  pub_client_satisfy (client);
  client->needs_key = false;
  send_message (pub, client, message);
}

/* --- what a client says -------------------------------------------------- */

void
pub_client_leave (struct xmem_publisher *pub, struct pub_client *client,
    enum pub_client_state state)
{
  if (client->state == PUB_CLIENT_ACTIVE)
    pub->stats.n_clients--;
  client->state = state;
  drop_pending (pub, client);
  pub_client_drop_events (client);
  pthread_cond_broadcast (&pub->changed);
  pub_wake (pub);
}

void
pub_client_tell_error (
    struct pub_client *client, int status, const char *sentence)
{
  struct xmem_wire_message m = { .type = XMEM_WIRE_ERROR,
    .error = { .status = status, .text = { sentence, strlen (sentence) } } };
  struct xmem_packet *packet = xmem_packet_new (&m, -1);

  if (packet)
    (void) xmem_connection_send (&client->connection, packet);
  xmem_packet_unref (packet);
}

void
pub_client_evict (struct xmem_publisher *pub, struct pub_client *client,
    int status, const char *reason)
{
  if (client->state == PUB_CLIENT_EVICTED)
    return;
  pub_client_leave (pub, client, PUB_CLIENT_EVICTED);
  pub_client_tell_error (client, status, reason);
  /* It may read our words to the end; we only wait for its hang-up. */
  shutdown (client->connection.fd, SHUT_WR);
  watch (pub, client, 0);
}

/* Clients that get frames, and those that have left and keep some. */
static unsigned
count_served (const struct xmem_publisher *pub)
{
  unsigned n = 0;

  for (const struct pub_client *c = pub->clients; c; c = c->next)
    n += c->state == PUB_CLIENT_ACTIVE || c->n_held > 0;
  return n;
}

static void
welcome (struct xmem_publisher *pub, struct pub_client *client,
    const struct xmem_wire_hello *hello)
{
  struct xmem_wire_message m = { .type = XMEM_WIRE_WELCOME };

  client->grant = hello->n_buffers < pub->params.max_buffers
                      ? hello->n_buffers
                      : pub->params.max_buffers;
  client->delivery = (enum xmem_delivery) hello->delivery;
  if (hello->name.size > 0)
    memcpy (client->name, hello->name.data, hello->name.size);
  client->next_sequence = pub->next_sequence;
  client->state = PUB_CLIENT_ACTIVE;
  client->needs_key = pub->started;
  client->features = hello->features & FEATURES;
  pub->stats.n_clients++;
  pub->stats.clients_served++;
  m.welcome.version = hello->version_max < XMEM_WIRE_VERSION_MAX
                          ? hello->version_max
                          : XMEM_WIRE_VERSION_MAX;
  m.welcome.grant = client->grant;
  m.welcome.features = client->features;
  m.welcome.pid = (uint32_t) getpid ();
  send_message (pub, client, &m);
  pub_client_announce (pub, client);
  pub_client_add_sticky (pub, client);
  if (client->state == PUB_CLIENT_ACTIVE && !client->broken)
    pub_replay_to (pub, client);
  pthread_cond_broadcast (&pub->changed);
}

void
pub_client_hello (struct xmem_publisher *pub, struct pub_client *client,
    const struct xmem_wire_hello *hello)
{
  char words[128];

  if (client->state != PUB_CLIENT_NEW
      || hello->delivery > XMEM_DELIVERY_EVERY) {
    pub_client_evict (pub, client, XMEM_PROTOCOL, "an unexpected HELLO");
  } else if (hello->version_min > XMEM_WIRE_VERSION_MAX
             || hello->version_max < XMEM_WIRE_VERSION_MIN) {
    snprintf (words, sizeof (words),
        "the publisher speaks protocol versions %d to %d, not %u to %u",
        XMEM_WIRE_VERSION_MIN, XMEM_WIRE_VERSION_MAX, hello->version_min,
        hello->version_max);
    pub_client_evict (pub, client, XMEM_VERSION, words);
  } else if (pub->params.max_clients > 0
             && count_served (pub) >= pub->params.max_clients) {
    snprintf (words, sizeof (words), "the publisher serves at most %u clients",
        pub->params.max_clients);
    pub_client_evict (pub, client, XMEM_REFUSED, words);
  } else {
    welcome (pub, client, hello);
  }
}

static bool
release_one (
    struct xmem_publisher *pub, struct pub_client *client, uint64_t sequence)
{
  for (unsigned i = 0; i < client->n_held; i++) {
    if (client->held[i].frame->sequence != sequence)
      continue;
    pub_frame_unref (pub, client->held[i].frame);
    if (client->held[i].event_bytes > client->event_bytes_read)
      client->event_bytes_read = client->held[i].event_bytes;
    client->n_held--;
    memmove (&client->held[i], &client->held[i + 1],
        (client->n_held - i) * sizeof (client->held[0]));
    return true;
  }
  return false;
}

void
pub_client_release (struct xmem_publisher *pub, struct pub_client *client,
    const struct xmem_wire_sequences *sequences)
{
  bool good = sequences->n > 0;

  for (uint32_t i = 0; i < sequences->n && good; i++)
    good = release_one (pub, client, sequences->sequences[i]);
  if (!good) {
    pub_client_evict (
        pub, client, XMEM_PROTOCOL, "a release of what was not held");
    return;
  }
  pub_client_satisfy (client);
  if (client->pending && pub_client_has_credit (client)) {
    send_pending (pub, client);
    pub_client_announce (pub, client);
  }
  pthread_cond_broadcast (&pub->changed);
}

static bool
is_kept (const struct xmem_wire_sequences *kept, uint64_t sequence)
{
  for (uint32_t i = 0; i < kept->n; i++)
    if (kept->sequences[i] == sequence)
      return true;
  return false;
}

void
pub_client_detach (struct xmem_publisher *pub, struct pub_client *client,
    const struct xmem_wire_sequences *kept)
{
  pub_client_leave (pub, client, PUB_CLIENT_LEAVING);
  for (unsigned i = client->n_held; i > 0; i--)
    if (!is_kept (kept, client->held[i - 1].frame->sequence))
      release_one (pub, client, client->held[i - 1].frame->sequence);
}

void
pub_client_gone (struct xmem_publisher *pub, struct pub_client *client)
{
  pub_client_leave (pub, client, PUB_CLIENT_GONE);
  while (client->n_held > 0)
    pub_frame_unref (pub, client->held[--client->n_held].frame);
  /* Closing is not enough: while a forked child has the socket too, epoll goes
   * on reporting it, with a client that is no more. */
  if (client->connection.fd >= 0)
    epoll_ctl (pub->epoll_fd, EPOLL_CTL_DEL, client->connection.fd, NULL);
  xmem_connection_close (&client->connection);
}
