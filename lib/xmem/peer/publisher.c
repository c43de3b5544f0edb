/* SPDX-License-Identifier: MIT */
/* The publisher: its public functions and its I/O thread.
 *
 * Owns the listener, the clients, and everything that is out. The I/O thread
 * (or the caller's dispatch) accepts, reads and writes leftovers; the thread
 * that publishes sends at once, without blocking, under `lock`. After
 * xmem_publisher_free () the I/O thread lives on until the last client has
 * hung up, then frees the publisher.
 *
 * Threads: every public function may be called from any thread. Clients are
 * removed from the list by the I/O thread only.
 * Locks: none is held while a done function or a client callback runs. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "peer/pub-private.h"

#define DEFAULT_BUFFERS 4
/* Connections beyond the clients served: those that have yet to say HELLO,
 * those that keep frames after leaving. */
#define MAX_CONNECTIONS 1024
/* Of these, connections that are idle. */
#define MAX_IDLE 64
#define MAX_EVENTS 16
/* Connections taken before anybody else who waits for the lock. */
#define MAX_ACCEPTS 16
/* Messages read from one client before the others get their turn. */
#define MAX_MESSAGES 64

/* --- connections --------------------------------------------------------- */

/* Has nothing and gets nothing: has yet to say HELLO, or was told to go. */
static bool
is_idle (const struct pub_client *client)
{
  return client->state == PUB_CLIENT_NEW
         || (client->state == PUB_CLIENT_EVICTED && client->n_held == 0);
}

/* Whoever connects and says nothing, or does not hang up when it should, gives
 * way to those who come later. */
static void
limit_idle (struct xmem_publisher *pub)
{
  struct pub_client *oldest = NULL;
  unsigned n = 0;

  for (struct pub_client *c = pub->clients; c; c = c->next)
    if (is_idle (c)) {
      oldest = c;
      n++;
    }
  if (n > MAX_IDLE)
    pub_client_gone (pub, oldest);
}

static void
add_client (struct xmem_publisher *pub, int take_fd)
{
  xmem_auto_close int fd = take_fd;
  struct epoll_event event = { .events = EPOLLIN };
  struct pub_client *client;

  if (pub->n_connections >= pub->max_connections)
    return;
  client = calloc (1, sizeof (*client));
  if (!client)
    return;
  event.data.ptr = client;
  client->fd_number = fd;
  xmem_connection_init (&client->connection, xmem_steal_fd (&fd));
  if (!pub_admit (pub, client)
      || epoll_ctl (pub->epoll_fd, EPOLL_CTL_ADD, client->fd_number, &event)
             < 0) {
    xmem_connection_close (&client->connection);
    free (client);
    return;
  }
  client->next = pub->clients;
  pub->clients = client;
  pub->n_connections++;
  limit_idle (pub);
}

static void
accept_clients (struct xmem_publisher *pub)
{
  int fd;

  for (unsigned i = 0; i < MAX_ACCEPTS && pub->listener.fd >= 0; i++) {
    fd = xmem_listener_accept (&pub->listener);
    if (fd < 0)
      return;
    add_client (pub, fd);
  }
}

static void
handle_message (struct xmem_publisher *pub, struct pub_client *client,
    const struct xmem_wire_message *m)
{
  if (m->type == XMEM_WIRE_HELLO)
    pub_client_hello (pub, client, &m->hello);
  else if (client->state == PUB_CLIENT_NEW)
    pub_client_evict (pub, client, XMEM_PROTOCOL, "HELLO comes first");
  else if (m->type == XMEM_WIRE_RELEASE)
    pub_client_release (pub, client, &m->sequences);
  else if (m->type == XMEM_WIRE_DETACH)
    pub_client_detach (pub, client, &m->sequences);
  else if (m->type == XMEM_WIRE_EVENT)
    pub_client_receive_event (pub, client, &m->event);
  else
    pub_client_evict (pub, client, XMEM_PROTOCOL, "an unexpected message");
}

static void
read_client (struct xmem_publisher *pub, struct pub_client *client)
{
  struct xmem_received received;
  struct xmem_error error;
  int r;

  for (unsigned i = 0; i < MAX_MESSAGES; i++) {
    if (client->state == PUB_CLIENT_EVICTED || !pub_upstream_has_room (pub))
      return;
    r = xmem_connection_receive (&client->connection, &received, &error);
    if (r == XMEM_AGAIN)
      return;
    if (r == XMEM_GONE) {
      pub_client_gone (pub, client);
      return;
    }
    if (received.fd >= 0) { /* no message to a publisher brings one */
      close (received.fd);
      r = xmem_error_set (&error, XMEM_PROTOCOL, 0, "an unasked-for fd");
    }
    if (r != 0)
      pub_client_evict (pub, client, r, error.message);
    else
      handle_message (pub, client, &received.message);
  }
}

static void
handle_event (struct xmem_publisher *pub, const struct epoll_event *event)
{
  struct pub_client *client = event->data.ptr;
  uint64_t count;

  if (event->data.ptr == &pub->listener) {
    accept_clients (pub);
  } else if (event->data.ptr == &pub->wake_fd) {
    (void) !read (pub->wake_fd, &count, sizeof (count));
  } else if (event->data.ptr == &pub->timer_fd) {
    pub_evict_stuck (pub);
  } else if (client->state == PUB_CLIENT_EVICTED) {
    if (event->events & (EPOLLHUP | EPOLLERR))
      pub_client_gone (pub, client);
  } else {
    if (event->events & EPOLLOUT)
      pub_client_flush (pub, client);
    if (event->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
      read_client (pub, client);
  }
}

/* --- callbacks ----------------------------------------------------------- */

/* Takes a client off the list if it is gone. */
static void
forget_client (struct xmem_publisher *pub, struct pub_client *client)
{
  struct pub_client **link = &pub->clients;

  if (client->state != PUB_CLIENT_GONE)
    return;
  while (*link != client)
    link = &(*link)->next;
  *link = client->next;
  pub->n_connections--;
  free (client);
}

/* Finds a client of whom the application does not know the state, corrects
 * that, and forgets clients that are gone. False when there is none left. */
static bool
next_change (struct xmem_publisher *pub, bool may_forget, int *fd_out,
    bool *connected_out)
{
  struct pub_client *client, *next;
  xmem_scoped_lock (&pub->lock);

  for (client = pub->clients; client; client = next) {
    bool connected = client->state == PUB_CLIENT_ACTIVE;
    bool changed = connected != client->announced && !pub->closing;

    next = client->next;
    client->announced = connected;
    *fd_out = client->fd_number;
    *connected_out = connected;
    if (may_forget)
      forget_client (pub, client);
    if (changed)
      return true;
  }
  return false;
}

/* Finds a client that was evicted for being stuck, of whom the application has
 * yet to hear. */
static bool
next_stuck (
    struct xmem_publisher *pub, struct xmem_publisher_client *client_out)
{
  xmem_scoped_lock (&pub->lock);

  for (struct pub_client *c = pub->clients; c; c = c->next) {
    if (!c->stuck || pub->closing)
      continue;
    c->stuck = false;
    pub_client_describe (pub, c, client_out);
    return true;
  }
  return false;
}

/* Only who handles events may forget clients: an event may still name one. */
static void
run_callbacks (struct xmem_publisher *pub, bool may_forget)
{
  struct xmem_publisher_client stuck;
  int fd;
  bool connected;

  while (pub->params.client_stuck && next_stuck (pub, &stuck))
    pub->params.client_stuck (&stuck, pub->params.user_data);
  while (next_change (pub, may_forget, &fd, &connected)) {
    void (*callback) (int, void *) = connected
                                         ? pub->params.client_connected
                                         : pub->params.client_disconnected;

    if (callback)
      callback (fd, pub->params.user_data);
  }
}

/* --- the I/O thread ------------------------------------------------------ */

static int
poll_events (
    struct xmem_publisher *pub, struct epoll_event *events, int64_t timeout_ns)
{
  int64_t deadline = xmem_clock_deadline (timeout_ns);
  struct pollfd wait = { .fd = pub->epoll_fd, .events = POLLIN };
  struct timespec left;
  int n;

  do
    n = ppoll (&wait, 1, xmem_clock_left (deadline, &left), NULL);
  while (n < 0 && errno == EINTR && xmem_clock_now () < deadline);
  return epoll_wait (pub->epoll_fd, events, MAX_EVENTS, 0);
}

int
xmem_publisher_dispatch (struct xmem_publisher *pub, int64_t timeout_ns)
{
  struct epoll_event events[MAX_EVENTS];
  int n = poll_events (pub, events, timeout_ns);

  pthread_mutex_lock (&pub->lock);
  for (int i = 0; i < n; i++)
    handle_event (pub, &events[i]);
  pthread_mutex_unlock (&pub->lock);
  pub_run_done (pub);
  run_callbacks (pub, true);
  pub_run_upstream (pub);
  return n > 0 ? 0 : XMEM_AGAIN;
}

static void
destroy (struct xmem_publisher *pub)
{
  pub_run_done (pub);
  pub_drop_upstream (pub);
  pub_event_forget_sticky (pub);
  pub_retire_segments (pub, true);
  pub_run_done (pub);
  pub_stream_unref (pub->stream);
  xmem_listener_close (&pub->listener);
  pub_patience_clear (pub);
  if (pub->wake_fd >= 0)
    close (pub->wake_fd);
  if (pub->epoll_fd >= 0)
    close (pub->epoll_fd);
  if (pub->params.user_data_free)
    pub->params.user_data_free (pub->params.user_data);
  pthread_cond_destroy (&pub->changed);
  pthread_mutex_destroy (&pub->lock);
  pub_admit_clear (pub);
  free ((char *) (uintptr_t) pub->params.address);
  free (pub);
}

static bool
is_over (struct xmem_publisher *pub)
{
  xmem_scoped_lock (&pub->lock);

  return pub->closing && !pub->clients;
}

static void *
io_thread (void *data)
{
  struct xmem_publisher *pub = data;

  pthread_setname_np (pthread_self (), "xmem-io");
  while (!is_over (pub))
    xmem_publisher_dispatch (pub, XMEM_WAIT_FOREVER);
  destroy (pub);
  return NULL;
}

static int
start_thread (struct xmem_publisher *pub)
{
  pthread_attr_t attributes;
  sigset_t all, before;
  pthread_t thread;
  int r;

  pthread_attr_init (&attributes);
  pthread_attr_setdetachstate (&attributes, PTHREAD_CREATE_DETACHED);
  sigfillset (&all); /* signals are the application's */
  pthread_sigmask (SIG_SETMASK, &all, &before);
  r = pthread_create (&thread, &attributes, io_thread, pub);
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  pthread_attr_destroy (&attributes);
  return r;
}

void
pub_wake (struct xmem_publisher *pub)
{
  const uint64_t one = 1;

  (void) !write (pub->wake_fd, &one, sizeof (one));
}

/* --- making and freeing -------------------------------------------------- */

static void
init_locks (struct xmem_publisher *pub)
{
  pthread_condattr_t monotonic;

  pthread_mutex_init (&pub->lock, NULL);
  pthread_condattr_init (&monotonic);
  pthread_condattr_setclock (&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init (&pub->changed, &monotonic);
  pthread_condattr_destroy (&monotonic);
}

static int
init_io (struct xmem_publisher *pub, struct xmem_error *error)
{
  struct epoll_event event = { .events = EPOLLIN };
  struct xmem_address address;
  struct xmem_permissions permissions;
  int r;

  pub->epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  pub->wake_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (pub->epoll_fd < 0 || pub->wake_fd < 0)
    return xmem_error_set (error, XMEM_SYSTEM, errno, "cannot make an fd");
  r = xmem_permissions_init (
      &permissions, pub->params.mode, pub->params.group, error);
  pub->params.group = NULL; /* the caller's */
  if (r == 0)
    r = xmem_address_choose (pub->params.address, &address, error);
  if (r == 0)
    r = xmem_listener_open (&pub->listener, &address, &permissions, error);
  if (r != 0)
    return r;
  event.data.ptr = &pub->wake_fd;
  r = epoll_ctl (pub->epoll_fd, EPOLL_CTL_ADD, pub->wake_fd, &event);
  event.data.ptr = &pub->listener;
  if (r < 0
      || epoll_ctl (pub->epoll_fd, EPOLL_CTL_ADD, pub->listener.fd, &event) < 0)
    return xmem_error_set (error, XMEM_SYSTEM, errno, "cannot watch an fd");
  return pub_patience_init (pub, error);
}

/* Leaves half of the process's descriptors to others. */
static unsigned
max_connections (void)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_NOFILE, &limit) < 0
      || limit.rlim_cur / 2 > MAX_CONNECTIONS)
    return MAX_CONNECTIONS;
  return (unsigned) limit.rlim_cur / 2;
}

static int
set_params (struct xmem_publisher *pub,
    const struct xmem_publisher_params *params, struct xmem_error *error)
{
  if (params->struct_size != sizeof (*params)
      || params->max_buffers > XMEM_MAX_GRANT)
    return xmem_error_set (error, XMEM_INVALID, 0,
        "max_buffers may be at most %d, and struct_size must be set",
        XMEM_MAX_GRANT);
  pub->max_connections = max_connections ();
  pub->params = *params;
  pub->params.allowed_uids = NULL; /* until they are ours */
  pub->params.address =
      strdup (params->address ? params->address : XMEM_DEFAULT_ADDRESS);
  if (!pub->params.address)
    return xmem_error_set (error, XMEM_NO_MEMORY, 0, "no memory");
  if (params->max_buffers == 0)
    pub->params.max_buffers = DEFAULT_BUFFERS;
  return pub_admit_init (pub, params, error);
}

int
xmem_publisher_new (const struct xmem_publisher_params *params,
    struct xmem_publisher **publisher_out, struct xmem_error *error)
{
  struct xmem_publisher *pub = calloc (1, sizeof (*pub));
  int r;

  if (!pub)
    return xmem_error_set (error, XMEM_NO_MEMORY, 0, "no memory");
  init_locks (pub);
  pub->listener.fd = pub->epoll_fd = pub->wake_fd = pub->timer_fd = -1;
  r = set_params (pub, params, error);
  if (r == 0)
    r = init_io (pub, error);
  if (r == 0)
    *publisher_out = pub; /* before a callback can run */
  if (r == 0 && !(params->flags & XMEM_PUBLISHER_NO_THREAD)) {
    r = start_thread (pub);
    if (r != 0)
      r = xmem_error_set (error, XMEM_SYSTEM, r, "cannot start a thread");
  }
  if (r != 0) {
    *publisher_out = NULL;
    pub->params.user_data_free = NULL; /* stays the caller's */
    destroy (pub);
  }
  return r;
}

/* Ends what every client gets; drops those that get nothing. */
static void
say_bye (struct xmem_publisher *pub)
{
  const struct xmem_wire_message bye = { .type = XMEM_WIRE_BYE,
    .bye = pub->ended ? XMEM_WIRE_BYE_ENDED : 0 };

  for (struct pub_client *c = pub->clients; c; c = c->next) {
    if (is_idle (c)) {
      pub_client_gone (pub, c);
    } else if (c->state == PUB_CLIENT_ACTIVE) {
      pub_client_finish (pub, c, &bye);
      if (c->state == PUB_CLIENT_ACTIVE)
        pub_client_leave (pub, c, PUB_CLIENT_LEAVING);
    }
  }
}

void
xmem_publisher_free (struct xmem_publisher *pub)
{
  bool threadless, over;

  if (!pub)
    return;
  threadless = pub->params.flags & XMEM_PUBLISHER_NO_THREAD;
  pthread_mutex_lock (&pub->lock);
  /* As in pub_client_gone (). */
  epoll_ctl (pub->epoll_fd, EPOLL_CTL_DEL, pub->listener.fd, NULL);
  xmem_listener_close (&pub->listener);
  say_bye (pub);
  pub_replay_forget (pub);
  pthread_mutex_unlock (&pub->lock);
  run_callbacks (pub, threadless);
  pthread_mutex_lock (&pub->lock);
  pub->closing = true;
  pub->interrupted = true;
  pthread_cond_broadcast (&pub->changed);
  pub_wake (pub);
  over = !pub->clients;
  pthread_mutex_unlock (&pub->lock); /* from here on it may be gone */
  if (threadless && over)
    destroy (pub);
  else if (threadless)
    (void) start_thread (pub); /* without one it stays: better than a torn
                                  frame in somebody's hands */
}

const char *
xmem_publisher_get_address (const struct xmem_publisher *pub)
{
  return pub->listener.address.text;
}

int
xmem_publisher_get_fd (const struct xmem_publisher *pub)
{
  return pub->epoll_fd;
}

/* --- publishing ---------------------------------------------------------- */

int
xmem_publisher_set_stream (struct xmem_publisher *pub,
    const struct xmem_stream_info *info, struct xmem_error *error)
{
  struct pub_stream *stream;
  int r;

  pthread_mutex_lock (&pub->lock);
  r = pub_stream_new (pub, info, &stream, error);
  if (r == 0) {
    pub_replay_follow (pub, stream);
    pub_stream_unref (pub->stream);
    pub->stream = stream;
    for (struct pub_client *c = pub->clients; c; c = c->next)
      if (!c->connection.first) /* else when there is room, if it is the last */
        pub_client_announce (pub, c);
  }
  pthread_mutex_unlock (&pub->lock);
  pub_run_done (pub); /* of the frame that was kept */
  return r;
}

/* Waits on `changed`. Returns 0 after a wake-up, XMEM_AGAIN at the deadline,
 * XMEM_INTERRUPTED. */
static int
wait_changed (struct xmem_publisher *pub, int64_t deadline)
{
  struct timespec at = { .tv_sec = deadline / 1000000000,
    .tv_nsec = deadline % 1000000000 };

  if (pub->interrupted)
    return XMEM_INTERRUPTED;
  if (deadline == XMEM_DEADLINE_NEVER)
    pthread_cond_wait (&pub->changed, &pub->lock);
  else if (pthread_cond_timedwait (&pub->changed, &pub->lock, &at) == ETIMEDOUT)
    return XMEM_AGAIN;
  return pub->interrupted ? XMEM_INTERRUPTED : 0;
}

/* Waits for those who want every frame and have no room for the next, as long
 * as each may be waited for. */
static int
wait_for_room (struct xmem_publisher *pub, int64_t deadline)
{
  int64_t end;
  int r = 0;

  while (r == 0 && (end = pub_patience_end (pub)) > 0) {
    r = wait_changed (pub, end < deadline ? end : deadline);
    if (r == XMEM_AGAIN && end < deadline)
      r = 0;
  }
  return r;
}

static int
ensure_stream (struct xmem_publisher *pub, struct xmem_error *error)
{
  const struct xmem_stream_info none = { .base_time_ns = XMEM_NONE };

  return pub->stream ? 0 : pub_stream_new (pub, &none, &pub->stream, error);
}

static int
publish_locked (struct xmem_publisher *pub, const struct xmem_publish *publish,
    bool complete, int64_t deadline, struct xmem_error *error)
{
  struct pub_frame *frame;
  int r = wait_for_room (pub, deadline);

  if (r != 0)
    return xmem_error_set (error, r, 0, "a subscriber has no room");
  pub_retire_segments (pub, false);
  r = ensure_stream (pub, error);
  if (r == 0)
    r = pub_frame_new (pub, publish, complete, &frame, error);
  if (r != 0)
    return r;
  pub->started = true;
  pub->ended = false;
  pub->stats.frames_published++;
  if (!(publish->info->flags & XMEM_FRAME_DELTA_UNIT))
    pub->key_asked = pub->key_wanted = false;
  for (struct pub_client *c = pub->clients; c; c = c->next)
    pub_client_offer (pub, c, frame);
  pub_replay_keep (pub, frame);
  pub_frame_unref (pub, frame);
  return 0;
}

int
xmem_publisher_publish (struct xmem_publisher *pub,
    const struct xmem_publish *publish, int64_t timeout_ns,
    struct xmem_error *error)
{
  int64_t deadline = xmem_clock_deadline (timeout_ns);
  struct xmem_error local;
  bool key_wanted, complete;
  int r;

  if (!error)
    error = &local;
  if (publish->struct_size != sizeof (*publish)
      || publish->n_regions > XMEM_MAX_REGIONS)
    return xmem_error_set (error, XMEM_INVALID, 0,
        "a frame has at most %d regions, and struct_size must be set",
        XMEM_MAX_REGIONS);
  r = pub_cuda_order (pub, publish, &complete, error);
  if (r != 0)
    return r;
  pthread_mutex_lock (&pub->lock);
  r = publish_locked (pub, publish, complete, deadline, error);
  key_wanted = pub->key_wanted;
  pub->key_wanted = false;
  pthread_mutex_unlock (&pub->lock);
  pub_run_done (pub);
  if (key_wanted && pub->params.key_unit_wanted)
    pub->params.key_unit_wanted (pub->params.user_data);
  return r;
}

static void
unref_buffer (void *buffer)
{
  xmem_buffer_unref (buffer);
}

int
pub_publish_buffer (struct xmem_publisher *pub, struct xmem_buffer *buffer,
    const struct xmem_frame_info *info, unsigned flags, void *cuda_stream,
    int64_t timeout_ns, struct xmem_error *error)
{
  struct xmem_region region;
  struct xmem_publish publish = { .struct_size = sizeof (publish),
    .regions = &region,
    .n_regions = 1,
    .info = info,
    .done = unref_buffer,
    .done_data = buffer,
    .flags = flags,
    .cuda_stream = cuda_stream };
  int r;

  xmem_buffer_get_region (buffer, &region);
  xmem_buffer_ref (buffer);
  r = xmem_publisher_publish (pub, &publish, timeout_ns, error);
  if (r != 0)
    xmem_buffer_unref (buffer);
  return r;
}

int
xmem_publisher_publish_buffer (struct xmem_publisher *pub,
    struct xmem_buffer *buffer, const struct xmem_frame_info *info,
    int64_t timeout_ns, struct xmem_error *error)
{
  return pub_publish_buffer (pub, buffer, info, 0, NULL, timeout_ns, error);
}

int
xmem_publisher_send_event (struct xmem_publisher *pub,
    const struct xmem_event *event, struct xmem_error *error)
{
  struct pub_event *made;
  int r;

  pthread_mutex_lock (&pub->lock);
  r = pub_event_new (pub, event, &made, error);
  if (r == 0) {
    if (event->flags & XMEM_EVENT_FLUSH)
      pub_replay_forget (pub);
    for (struct pub_client *c = pub->clients; c; c = c->next)
      pub_client_add_event (pub, c, made);
    pub_event_unref (made);
  }
  pthread_mutex_unlock (&pub->lock);
  pub_run_done (pub); /* a flush may have dropped frames */
  return r;
}

void
xmem_publisher_send_eos (struct xmem_publisher *pub)
{
  struct xmem_wire_message eos = { .type = XMEM_WIRE_EOS };

  pthread_mutex_lock (&pub->lock);
  eos.eos = pub->next_sequence;
  pub->started = pub->key_asked = false;
  pub->ended = true;
  pub_replay_forget (pub);
  for (struct pub_client *c = pub->clients; c; c = c->next)
    pub_client_finish (pub, c, &eos);
  pthread_mutex_unlock (&pub->lock);
  pub_run_done (pub);
}

/* --- waiting ------------------------------------------------------------- */

int
xmem_publisher_wait_clients (
    struct xmem_publisher *pub, uint32_t n_clients, int64_t timeout_ns)
{
  int64_t deadline = xmem_clock_deadline (timeout_ns);
  int r = 0;
  xmem_scoped_lock (&pub->lock);

  while (r == 0 && pub->stats.n_clients < n_clients)
    r = wait_changed (pub, deadline);
  return r;
}

int
xmem_publisher_wait_released (struct xmem_publisher *pub, int64_t timeout_ns)
{
  int64_t deadline = xmem_clock_deadline (timeout_ns);
  int r = 0;
  xmem_scoped_lock (&pub->lock);

  while (r == 0 && pub->n_frames > pub_replay_count (pub))
    r = wait_changed (pub, deadline);
  return r;
}

void
xmem_publisher_interrupt (struct xmem_publisher *pub, bool interrupted)
{
  xmem_scoped_lock (&pub->lock);

  pub->interrupted = interrupted || pub->closing;
  pthread_cond_broadcast (&pub->changed);
}
