/* SPDX-License-Identifier: MIT */
/* The subscriber: connecting, waiting, and what each message means.
 *
 * Owns its link to a publisher (one at a time) and the figures. All waits are
 * ppoll () on the socket and on an eventfd that interrupts.
 *
 * Threads: one at a time, but for interrupt and the figures, which `lock`
 * guards. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/histogram.h"
#include "mem/map.h"
#include "mem/memfd.h"
#include "peer/sub-private.h"

#define DEFAULT_BUFFERS 4
/* Messages that are no frames, read in one go even past the timeout. */
#define MAX_OTHERS 64
#define DEFAULT_RETRY_NS INT64_C (20000000)
/* What a publisher that took the connection gets at least for its answer. */
#define HANDSHAKE_NS INT64_C (2000000000)

struct xmem_subscriber {
  char *address;
  char *name;
  enum xmem_delivery delivery;
  uint32_t n_buffers;
  int64_t retry_ns;
  int interrupt_fd; /* an eventfd, readable while interrupted */
  unsigned flags; /* enum xmem_subscriber_flags */
  void *(*get_cuda_context) (
      int device, struct xmem_cuda_keeper *keeper_out, void *user_data);
  void *user_data;
  bool ended; /* EOS was heard, and no frame since */
  bool finished; /* BYE was heard: nothing will follow */
  struct sub_link *link; /* NULL when not connected */
  struct xmem_received received;
  char event_name[XMEM_MAX_EVENT_NAME + 1];
  uint8_t *event_data; /* NULL without an event */
  struct xmem_event event;

  pthread_mutex_t lock; /* guards what follows, and `link` for readers */
  struct xmem_subscriber_stats stats;
  struct xmem_histogram latency;
};

#define FLAGS                                                                  \
  (0u | XMEM_SUBSCRIBER_EVENTS | XMEM_SUBSCRIBER_DMABUF | XMEM_SUBSCRIBER_CUDA \
      | XMEM_SUBSCRIBER_CUDA_COMPLETE)

/* --- waiting ------------------------------------------------------------- */

/* Waits for events on fd (-1: none). Returns 0; XMEM_AGAIN at the deadline;
 * XMEM_INTERRUPTED. */
static int
wait_fd (struct xmem_subscriber *sub, int fd, short events, int64_t deadline)
{
  struct pollfd fds[2] = { { .fd = sub->interrupt_fd, .events = POLLIN },
    { .fd = fd, .events = events } };
  struct timespec left;
  int n;

  do
    n = ppoll (fds, 2, xmem_clock_left (deadline, &left), NULL);
  while (n < 0 && errno == EINTR);
  if (fds[0].revents)
    return XMEM_INTERRUPTED;
  return n > 0 ? 0 : XMEM_AGAIN;
}

/* --- connecting ---------------------------------------------------------- */

static void
set_link (struct xmem_subscriber *sub, struct sub_link *link)
{
  struct sub_link *old = sub->link;

  pthread_mutex_lock (&sub->lock);
  sub->link = link;
  sub->stats.publisher_pid = link ? (int) link->publisher_pid : 0;
  sub->stats.n_segments = 0;
  pthread_mutex_unlock (&sub->lock);
  if (old)
    sub_link_leave (old);
}

static void
forget_event (struct xmem_subscriber *sub)
{
  free (xmem_steal_ptr (sub->event_data));
}

static uint64_t
features_of (const struct xmem_subscriber *sub)
{
  uint64_t features = 0;

  if (sub->flags & XMEM_SUBSCRIBER_EVENTS)
    features |= XMEM_WIRE_FEATURE_EVENTS;
  if (sub->flags & XMEM_SUBSCRIBER_DMABUF)
    features |= XMEM_WIRE_FEATURE_DMABUF;
  if (sub->flags & XMEM_SUBSCRIBER_CUDA)
    features |= XMEM_WIRE_FEATURE_CUDA;
  if (sub->flags & XMEM_SUBSCRIBER_CUDA_COMPLETE)
    features |= XMEM_WIRE_FEATURE_CUDA_COMPLETE;
  return features;
}

static int
send_hello (struct xmem_subscriber *sub, struct xmem_connection *connection)
{
  struct xmem_wire_message m = { .type = XMEM_WIRE_HELLO };
  struct xmem_packet *packet;
  int r;

  m.hello.version_min = XMEM_WIRE_VERSION_MIN;
  m.hello.version_max = XMEM_WIRE_VERSION_MAX;
  m.hello.n_buffers = sub->n_buffers;
  m.hello.features = features_of (sub);
  m.hello.delivery = (uint32_t) sub->delivery;
  m.hello.pid = (uint32_t) getpid ();
  if (sub->name)
    m.hello.name = (struct xmem_wire_text){ sub->name, strlen (sub->name) };
  packet = xmem_packet_new (&m, -1);
  r = packet ? xmem_connection_send (connection, packet) : XMEM_NO_MEMORY;
  xmem_packet_unref (packet);
  return r;
}

/* An ERROR message in words of our own and the publisher's. */
static int
refused (const struct xmem_wire_error *m, struct xmem_error *error)
{
  int status = m->status == XMEM_VERSION || m->status == XMEM_PROTOCOL
                       || m->status == XMEM_GONE
                   ? m->status
                   : XMEM_REFUSED;

  return xmem_error_set (error, status, 0, "the publisher %s: %.*s",
      status == XMEM_GONE ? "has given us up" : "refuses",
      m->text.size < 200 ? (int) m->text.size : 200,
      m->text.data ? m->text.data : "");
}

/* Waits for the answer to HELLO. XMEM_GONE: died meanwhile. */
static int
read_welcome (struct xmem_subscriber *sub, struct xmem_connection *connection,
    int64_t deadline, struct xmem_error *error)
{
  struct xmem_received *received = &sub->received;
  int r;

  while ((r = xmem_connection_receive (connection, received, error))
         == XMEM_AGAIN) {
    r = wait_fd (sub, connection->fd, POLLIN, deadline);
    if (r == XMEM_AGAIN)
      return xmem_error_set (error, XMEM_NOT_FOUND, 0,
          "the publisher took the connection and does not answer");
    if (r != 0)
      return xmem_error_set (error, r, 0, "interrupted");
  }
  if (r != 0)
    return r;
  if (received->fd >= 0)
    close (received->fd);
  if (received->message.type == XMEM_WIRE_ERROR)
    return refused (&received->message.error, error);
  if (received->message.type != XMEM_WIRE_WELCOME || received->fd >= 0)
    return xmem_error_set (
        error, XMEM_PROTOCOL, 0, "the answer to HELLO is not WELCOME");
  if (received->message.welcome.version != XMEM_WIRE_VERSION_MAX)
    return xmem_error_set (error, XMEM_VERSION, 0,
        "the publisher chose protocol version %u, which was not offered",
        received->message.welcome.version);
  return 0;
}

/* Shakes hands on a fresh connection, which it takes. */
static int
shake_hands (struct xmem_subscriber *sub, struct xmem_connection *connection,
    int64_t deadline, struct xmem_error *error)
{
  const struct xmem_wire_welcome *welcome = &sub->received.message.welcome;
  pid_t pid = 0;
  uid_t uid;
  int64_t answer_deadline = xmem_clock_deadline (HANDSHAKE_NS);
  struct sub_link *link;
  uint64_t features;
  int r;

  if (answer_deadline < deadline)
    answer_deadline = deadline;
  r = send_hello (sub, connection);
  /* Refused before it read our words: its own may still be there. */
  if (r == 0 || r == XMEM_GONE)
    r = read_welcome (sub, connection, answer_deadline, error);
  if (r != 0) {
    xmem_connection_close (connection);
    return r;
  }
  /* As this process knows it, 0 in another pid namespace: the publisher's own
   * number would be somebody else's here. */
  (void) xmem_connection_get_peer (connection, &pid, &uid);
  link = sub_link_new (connection);
  if (!link)
    return xmem_error_set (error, XMEM_NO_MEMORY, 0, "no memory for a link");
  link->grant = welcome->grant;
  link->publisher_pid = (uint32_t) pid;
  features = welcome->features & features_of (sub);
  link->has_events = features & XMEM_WIRE_FEATURE_EVENTS;
  link->has_dmabufs = features & XMEM_WIRE_FEATURE_DMABUF;
  link->takes_cuda = features & XMEM_WIRE_FEATURE_CUDA;
  link->cuda_complete = features & XMEM_WIRE_FEATURE_CUDA_COMPLETE;
  link->get_cuda_context = sub->get_cuda_context;
  link->user_data = sub->user_data;
  sub->ended = sub->finished = false;
  set_link (sub, link);
  return 0;
}

/* One round over all places. Returns as xmem_subscriber_connect (), or
 * XMEM_AGAIN when nobody is at any of them. */
static int
try_places (
    struct xmem_subscriber *sub, int64_t deadline, struct xmem_error *error)
{
  struct xmem_address places[XMEM_ADDRESS_MAX_PLACES];
  struct xmem_connection connection;
  struct xmem_error refusal = { .status = XMEM_AGAIN };
  char tried[160] = "";
  unsigned n;
  int r;

  r = xmem_address_find (sub->address, places, &n, error);
  if (r != 0)
    return r;
  for (unsigned i = 0; i < n; i++) {
    size_t used = strlen (tried);

    r = xmem_connection_open (&connection, &places[i], error);
    if (r == 0)
      r = shake_hands (sub, &connection, deadline, error);
    if (r == XMEM_GONE)
      r = XMEM_AGAIN;
    if (r != XMEM_AGAIN && r != XMEM_REFUSED)
      return r;
    if (r == XMEM_REFUSED)
      refusal = *error;
    snprintf (tried + used, sizeof (tried) - used, "%s%s", i ? ", " : "",
        places[i].text);
  }
  if (refusal.status == XMEM_REFUSED) {
    *error = refusal;
    return XMEM_REFUSED;
  }
  return xmem_error_set (
      error, XMEM_AGAIN, 0, "no publisher answers; tried %s", tried);
}

int
xmem_subscriber_connect (
    struct xmem_subscriber *sub, int64_t timeout_ns, struct xmem_error *error)
{
  int64_t deadline = xmem_clock_deadline (timeout_ns);
  struct xmem_error local;
  int64_t now;
  int r;

  if (!error)
    error = &local;
  forget_event (sub);
  set_link (sub, NULL);
  while ((r = try_places (sub, deadline, error)) == XMEM_AGAIN) {
    now = xmem_clock_now ();
    if (now >= deadline || timeout_ns == 0) {
      error->status = XMEM_NOT_FOUND;
      return XMEM_NOT_FOUND;
    }
    if (wait_fd (sub, -1, 0,
            deadline - now > sub->retry_ns ? now + sub->retry_ns : deadline)
        == XMEM_INTERRUPTED)
      return xmem_error_set (error, XMEM_INTERRUPTED, 0, "interrupted");
  }
  return r;
}

/* --- receiving ----------------------------------------------------------- */

static void
count_frame (struct xmem_subscriber *sub, const struct xmem_wire_frame *m)
{
  uint64_t now = (uint64_t) xmem_clock_now ();
  xmem_scoped_lock (&sub->lock);

  if (sub->link->next_sequence > 0)
    sub->stats.frames_lost += m->sequence - sub->link->next_sequence;
  sub->link->next_sequence = m->sequence + 1;
  sub->stats.frames_received++;
  xmem_histogram_add (
      &sub->latency, now > m->published_ns ? now - m->published_ns : 0);
}

static void
count_segments (struct xmem_subscriber *sub, unsigned received)
{
  xmem_scoped_lock (&sub->lock);

  sub->stats.segments_received += received;
  sub->stats.n_segments = sub->link->n_segments;
}

static int
end_of_stream (struct xmem_subscriber *sub, uint64_t n_published)
{
  xmem_scoped_lock (&sub->lock);

  if (sub->link->next_sequence > 0 && n_published > sub->link->next_sequence) {
    sub->stats.frames_lost += n_published - sub->link->next_sequence;
    sub->link->next_sequence = n_published;
  }
  sub->ended = true;
  return XMEM_EOS;
}

/* Copies the data, if any, out of the message or out of a memfd, whose size
 * the wire has bounded; a zero follows. */
static int
copy_data (struct xmem_subscriber *sub, const struct xmem_wire_event *m, int fd,
    struct xmem_error *error)
{
  size_t size = fd >= 0 ? (size_t) m->data_fd_size : m->size;
  void *mapped = NULL;
  int r;

  if (fd >= 0) {
    r = xmem_memfd_map (fd, size, &mapped, error);
    if (r != 0)
      return r;
  }
  sub->event_data = malloc (size + 1);
  if (sub->event_data && size > 0)
    memcpy (sub->event_data, fd >= 0 ? mapped : m->data, size);
  if (fd >= 0)
    xmem_unmap (mapped, size);
  if (!sub->event_data)
    return xmem_error_set (error, XMEM_NO_MEMORY, 0, "no memory for an event");
  sub->event_data[size] = 0;
  sub->event.size = size;
  return 0;
}

static int
take_event (struct xmem_subscriber *sub, const struct xmem_wire_event *m,
    int fd, struct xmem_error *error)
{
  int r;

  if (!sub->link->has_events || (fd >= 0) != (m->data_fd_size > 0))
    return xmem_error_set (error, XMEM_PROTOCOL, 0,
        "an event that was not asked for, or without its file descriptor");
  r = copy_data (sub, m, fd, error);
  if (r != 0)
    return r;
  if (m->name.size > 0)
    memcpy (sub->event_name, m->name.data, m->name.size);
  sub->event_name[m->name.size] = '\0';
  sub->event.kind = m->kind;
  sub->event.flags = m->flags;
  sub->event.name = sub->event_name;
  sub->event.data = sub->event_data;
  return xmem_error_set (error, XMEM_EVENT, 0, "an event");
}

/* Acts on the message just received. Returns 0 with a frame or, without one,
 * XMEM_AGAIN to go on; what xmem_subscriber_next () returns otherwise. */
static int
handle_message (struct xmem_subscriber *sub, struct xmem_frame **frame_out,
    struct xmem_error *error)
{
  const struct xmem_wire_message *m = &sub->received.message;
  xmem_auto_close int fd = sub->received.fd;
  int r;

  switch (m->type) {
    case XMEM_WIRE_SEGMENT:
      r = sub_link_add_segment (
          sub->link, &m->segment, xmem_steal_fd (&fd), error);
      count_segments (sub, r == 0);
      return r == 0 ? XMEM_AGAIN : r;
    case XMEM_WIRE_RETIRE:
      r = sub_link_retire (sub->link, m->retire, error);
      count_segments (sub, 0);
      return r == 0 ? XMEM_AGAIN : r;
    case XMEM_WIRE_STREAM:
      r = sub_link_set_stream (
          sub->link, &m->stream, xmem_steal_fd (&fd), error);
      return r == 0 ? XMEM_AGAIN : r;
    case XMEM_WIRE_FRAME:
      r = sub_link_add_frame (
          sub->link, &m->frame, xmem_steal_fd (&fd), frame_out, error);
      if (r == 0)
        count_frame (sub, &m->frame);
      sub->ended = false;
      return r;
    case XMEM_WIRE_EVENT:
      return take_event (sub, &m->event, fd, error);
    case XMEM_WIRE_EOS:
      return end_of_stream (sub, m->eos);
    case XMEM_WIRE_BYE:
      sub->finished = true;
      sub->ended |= m->bye & XMEM_WIRE_BYE_ENDED;
      return XMEM_GONE;
    case XMEM_WIRE_ERROR:
      return refused (&m->error, error);
    default:
      return xmem_error_set (error, XMEM_PROTOCOL, 0,
          "a message of type %d does not come from a publisher", m->type);
  }
}

/* Waits until there is something to read or room to write. */
static int
wait_link (struct xmem_subscriber *sub, int64_t deadline)
{
  short events = POLLIN;

  if (sub_link_flush (sub->link) == XMEM_AGAIN)
    events |= POLLOUT;
  return wait_fd (sub, sub->link->connection.fd, events, deadline);
}

static int
next_frame (struct xmem_subscriber *sub, int64_t deadline,
    struct xmem_frame **frame_out, struct xmem_error *error)
{
  int r;

  for (unsigned i = 0;; i++) {
    r = xmem_connection_receive (&sub->link->connection, &sub->received, error);
    if (r == 0)
      r = handle_message (sub, frame_out, error);
    if (r != XMEM_AGAIN)
      return r;
    /* Also after a message that is no frame, so that a publisher which sends
     * nothing else can be interrupted, and timed out when it has had its
     * chance. */
    r = i > MAX_OTHERS && xmem_clock_now () > deadline
            ? XMEM_AGAIN
            : wait_link (sub, deadline);
    if (r != 0)
      return xmem_error_set (error, r, 0, "no frame in time");
  }
}

int
xmem_subscriber_next (struct xmem_subscriber *sub, int64_t timeout_ns,
    struct xmem_frame **frame_out, struct xmem_error *error)
{
  int64_t deadline = xmem_clock_deadline (timeout_ns);
  struct xmem_error local;
  int r;

  if (!error)
    error = &local;
  forget_event (sub);
  if (!sub->link)
    return xmem_error_set (error, XMEM_INVALID, 0, "not connected");
  r = sub->finished ? XMEM_GONE : next_frame (sub, deadline, frame_out, error);
  if (r == XMEM_GONE && sub->finished)
    xmem_error_set (error, XMEM_GONE, 0,
        "the publisher has stopped without an end of stream");
  if (r == XMEM_EOS || (r == XMEM_GONE && sub->ended))
    r = xmem_error_set (error, XMEM_EOS, 0, "end of stream");
  if (r < 0)
    set_link (sub, NULL);
  return r;
}

/* --- events -------------------------------------------------------------- */

const struct xmem_event *
xmem_subscriber_get_event (const struct xmem_subscriber *sub)
{
  return sub->event_data ? &sub->event : NULL;
}

const struct xmem_stream_info *
xmem_subscriber_get_stream (
    const struct xmem_subscriber *sub, uint32_t *epoch_out)
{
  const struct sub_stream *stream = sub->link ? sub->link->stream : NULL;

  if (!stream)
    return NULL;
  if (epoch_out)
    *epoch_out = stream->epoch;
  return &stream->info;
}

/* The lock keeps the link. */
static int
send_packet (struct xmem_subscriber *sub, struct xmem_packet *packet,
    struct xmem_error *error)
{
  int r;
  xmem_scoped_lock (&sub->lock);

  if (!sub->link)
    return xmem_error_set (error, XMEM_GONE, 0, "not connected");
  if (!sub->link->has_events)
    return xmem_error_set (
        error, XMEM_UNSUPPORTED, 0, "events were not agreed on");
  r = sub_link_send (sub->link, packet);
  if (r != 0)
    return xmem_error_set (error, r, 0, "the publisher does not read");
  return 0;
}

int
xmem_subscriber_send_event (struct xmem_subscriber *sub,
    const struct xmem_event *event, struct xmem_error *error)
{
  struct xmem_wire_message m = { .type = XMEM_WIRE_EVENT };
  size_t name_size = event->name ? strlen (event->name) : 0;
  struct xmem_packet *packet;
  int r;

  if (event->flags != 0 || name_size > XMEM_MAX_EVENT_NAME
      || event->size > XMEM_MAX_UPSTREAM_DATA)
    return xmem_error_set (error, XMEM_INVALID, 0,
        "an upstream event has at most %d bytes and no flags",
        XMEM_MAX_UPSTREAM_DATA);
  m.event.kind = event->kind;
  if (name_size > 0)
    m.event.name = (struct xmem_wire_text){ event->name, name_size };
  m.event.data = event->data;
  m.event.size = event->size;
  packet = xmem_packet_new (&m, -1);
  if (!packet)
    return xmem_error_set (error, XMEM_NO_MEMORY, 0, "no memory for an event");
  r = send_packet (sub, packet, error);
  xmem_packet_unref (packet);
  return r;
}

/* --- the rest ------------------------------------------------------------ */

int
xmem_subscriber_new (const struct xmem_subscriber_params *params,
    struct xmem_subscriber **subscriber_out, struct xmem_error *error)
{
  struct xmem_subscriber *sub;

  if (params->struct_size != sizeof (*params) || (params->flags & ~FLAGS)
      || (unsigned) params->delivery > XMEM_DELIVERY_EVERY
      || (params->name && strlen (params->name) > XMEM_WIRE_MAX_NAME))
    return xmem_error_set (error, XMEM_INVALID, 0,
        "a name has at most %d bytes, and struct_size must be set",
        XMEM_WIRE_MAX_NAME);
  sub = calloc (1, sizeof (*sub));
  if (!sub)
    return xmem_error_set (error, XMEM_NO_MEMORY, 0, "no memory");
  pthread_mutex_init (&sub->lock, NULL);
  sub->delivery = params->delivery;
  sub->flags = params->flags;
  sub->get_cuda_context = params->get_cuda_context;
  sub->user_data = params->user_data;
  sub->n_buffers = params->n_buffers ? params->n_buffers : DEFAULT_BUFFERS;
  sub->retry_ns = params->retry_ns > 0 && params->retry_ns < INT64_MAX / 2
                      ? (int64_t) params->retry_ns
                      : DEFAULT_RETRY_NS;
  sub->address =
      strdup (params->address ? params->address : XMEM_DEFAULT_ADDRESS);
  sub->name = params->name ? strdup (params->name) : NULL;
  sub->interrupt_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (!sub->address || (params->name && !sub->name) || sub->interrupt_fd < 0) {
    int err = errno;

    xmem_subscriber_free (sub);
    return xmem_error_set (error, XMEM_SYSTEM, err, "cannot make a subscriber");
  }
  *subscriber_out = sub;
  return 0;
}

void
xmem_subscriber_free (struct xmem_subscriber *sub)
{
  if (!sub)
    return;
  forget_event (sub);
  set_link (sub, NULL);
  if (sub->interrupt_fd >= 0)
    close (sub->interrupt_fd);
  pthread_mutex_destroy (&sub->lock);
  free (sub->name);
  free (sub->address);
  free (sub);
}

void
xmem_subscriber_interrupt (struct xmem_subscriber *sub, bool interrupted)
{
  uint64_t count = 1;

  if (interrupted)
    (void) !write (sub->interrupt_fd, &count, sizeof (count));
  else
    (void) !read (sub->interrupt_fd, &count, sizeof (count));
}

int
xmem_subscriber_get_fd (const struct xmem_subscriber *sub)
{
  return sub->link ? sub->link->connection.fd : -1;
}

uint32_t
xmem_subscriber_get_grant (const struct xmem_subscriber *sub)
{
  return sub->link ? sub->link->grant : 0;
}

uint32_t
xmem_subscriber_get_held (struct xmem_subscriber *sub)
{
  uint32_t held = 0;
  xmem_scoped_lock (&sub->lock);

  if (sub->link) {
    pthread_mutex_lock (&sub->link->lock);
    held = sub->link->n_held;
    pthread_mutex_unlock (&sub->link->lock);
  }
  return held;
}

void
xmem_subscriber_get_stats (
    struct xmem_subscriber *sub, struct xmem_subscriber_stats *stats_out)
{
  const struct xmem_histogram *latency = &sub->latency;
  uint32_t held = xmem_subscriber_get_held (sub);
  xmem_scoped_lock (&sub->lock);

  *stats_out = sub->stats;
  stats_out->frames_held = held;
  stats_out->latency_min_ns = latency->min;
  stats_out->latency_max_ns = latency->max;
  stats_out->latency_mean_ns = latency->n ? latency->sum / latency->n : 0;
  stats_out->latency_p50_ns = xmem_histogram_quantile (latency, 0.5);
  stats_out->latency_p99_ns = xmem_histogram_quantile (latency, 0.99);
}
