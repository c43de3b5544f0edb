/* SPDX-License-Identifier: MIT */
/* Both halves of an actor: what the child does with a line, and the lines
 * that the test sends. Every command has one answer.
 *
 * The child owns one subscriber, one source and the frames it keeps. */
#include "harness/actor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "harness/frames.h"

#define MAX_KEPT 128

/* --- the child ----------------------------------------------------------- */

static struct {
  struct xmem_subscriber *subscriber;
  struct source source;
  struct xmem_frame *kept[MAX_KEPT];
  unsigned n_kept;
} self;

static int64_t
ms_to_ns (int ms)
{
  return ms < 0 ? XMEM_WAIT_FOREVER : ms * INT64_C (1000000);
}

static void
answer (int status, const struct xmem_error *error)
{
  harness_say ("%d %s", status, status && error ? error->message : "-");
}

static void
do_connect (const char *arguments)
{
  struct xmem_subscriber_params params = { .struct_size = sizeof (params),
    .name = "actor" };
  struct xmem_error error;
  char address[256];
  int delivery, timeout_ms, r;

  g_assert_cmpint (sscanf (arguments, "%255s %d %u %d", address, &delivery,
                       &params.n_buffers, &timeout_ms),
      ==, 4);
  params.address = address;
  params.delivery =
      (enum xmem_delivery) (delivery & ~(ACTOR_EVENTS | ACTOR_DMABUF));
  params.flags = (delivery & ACTOR_EVENTS ? XMEM_SUBSCRIBER_EVENTS : 0u)
                 | (delivery & ACTOR_DMABUF ? XMEM_SUBSCRIBER_DMABUF : 0u);
  g_clear_pointer (&self.subscriber, xmem_subscriber_free);
  r = xmem_subscriber_new (&params, &self.subscriber, &error);
  if (r == 0)
    r = xmem_subscriber_connect (
        self.subscriber, ms_to_ns (timeout_ms), &error);
  answer (r, &error);
}

static void
look_at (const struct xmem_frame *frame, struct actor_frame *seen)
{
  const struct xmem_stream_info *stream = xmem_frame_get_stream (frame);
  uint64_t stamp;

  memset (seen, 0, sizeof (*seen));
  seen->sequence = xmem_frame_get_sequence (frame);
  seen->epoch = xmem_frame_get_epoch (frame);
  seen->flags = xmem_frame_get_info (frame)->flags;
  seen->pts = xmem_frame_get_info (frame)->pts;
  seen->n_regions = (unsigned) xmem_frame_get_n_regions (frame);
  seen->caps_size = stream->caps ? strlen (stream->caps) : 0;
  seen->caps_hash = stream->caps ? g_str_hash (stream->caps) : 0;
  for (unsigned i = 0; i < seen->n_regions; i++) {
    uint64_t size = xmem_frame_get_region (frame, i)->size;

    seen->size += size;
    seen->n_intact +=
        frames_read_stamp (xmem_frame_get_data (frame, i), size, &stamp);
    if (i == 0)
      seen->stamp = stamp;
  }
}

unsigned
actor_hash (const void *data, size_t size)
{
  const uint8_t *bytes = data;
  unsigned hash = 5381;

  for (size_t i = 0; i < size; i++)
    hash = hash * 33 + bytes[i];
  return hash;
}

static void
say_event (const struct xmem_event *event)
{
  harness_say ("%d - %u %u %zu %u =%s", XMEM_EVENT, event->kind, event->flags,
      event->size, actor_hash (event->data, event->size), event->name);
}

static void
do_next (const char *arguments)
{
  struct xmem_frame *frame;
  struct xmem_error error;
  struct actor_frame seen;
  int r;

  r = xmem_subscriber_next (
      self.subscriber, ms_to_ns (atoi (arguments)), &frame, &error);
  if (r == XMEM_EVENT)
    say_event (xmem_subscriber_get_event (self.subscriber));
  else if (r != 0)
    answer (r, &error);
  if (r != 0)
    return;
  g_assert_cmpuint (self.n_kept, <, MAX_KEPT);
  self.kept[self.n_kept++] = frame;
  look_at (frame, &seen);
  harness_say ("0 - %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRId64
               " %u %u %u %u %" PRIu64 " %u",
      seen.sequence, seen.size, seen.stamp, seen.pts, seen.epoch, seen.flags,
      seen.n_regions, seen.n_intact, seen.caps_size, seen.caps_hash);
}

static void
do_send_events (const char *arguments)
{
  struct xmem_event event = { .kind = 0 };
  uint8_t data[XMEM_MAX_UPSTREAM_DATA] = { 0 };
  char name[XMEM_MAX_EVENT_NAME + 1];
  struct xmem_error error;
  unsigned size, n;
  int r = 0;

  g_assert_cmpint (
      sscanf (arguments, "%u %255s %u %u", &event.kind, name, &size, &n), ==,
      4);
  event.name = name;
  event.data = data;
  event.size = size;
  for (uint32_t i = 0; i < n && r == 0; i++) {
    memcpy (data, &i, sizeof (i));
    r = xmem_subscriber_send_event (self.subscriber, &event, &error);
  }
  answer (r, &error);
}

static unsigned
find_kept (const char *arguments)
{
  uint64_t sequence = g_ascii_strtoull (arguments, NULL, 10);
  unsigned i = 0;

  while (i < self.n_kept && xmem_frame_get_sequence (self.kept[i]) != sequence)
    i++;
  g_assert_cmpuint (i, <, self.n_kept);
  return i;
}

static void
drop_kept (unsigned i)
{
  xmem_frame_unref (self.kept[i]);
  self.n_kept--;
  memmove (&self.kept[i], &self.kept[i + 1],
      (self.n_kept - i) * sizeof (self.kept[0]));
}

static void
do_release (const char *arguments)
{
  drop_kept (find_kept (arguments));
  answer (0, NULL);
}

static void
do_look (const char *arguments)
{
  struct actor_frame seen;

  look_at (self.kept[find_kept (arguments)], &seen);
  harness_say (
      "%d - %" PRIu64, seen.n_intact == seen.n_regions ? 0 : 1, seen.stamp);
}

static void
do_unsubscribe (const char *arguments)
{
  g_clear_pointer (&self.subscriber, xmem_subscriber_free);
  answer (0, NULL);
}

static void
do_stats (const char *arguments)
{
  struct xmem_subscriber_stats s;

  xmem_subscriber_get_stats (self.subscriber, &s);
  harness_say ("%u - %" PRIu64 " %" PRIu64 " %u %u %" PRIu64 " %d %" PRIu64
               " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64,
      xmem_subscriber_get_grant (self.subscriber), s.frames_received,
      s.frames_lost, s.frames_held, s.n_segments, s.segments_received,
      s.publisher_pid, s.latency_min_ns, s.latency_mean_ns, s.latency_max_ns,
      s.latency_p50_ns, s.latency_p99_ns);
}

/* Adds a frame to the summary, when it comes or when it goes. */
static void
judge (const struct xmem_frame *frame, struct actor_summary *summary)
{
  struct actor_frame seen;

  look_at (frame, &seen);
  if (seen.n_intact != seen.n_regions
      || (seen.n_regions > 0 && seen.stamp != seen.sequence))
    summary->n_bad++;
}

static void
judge_order (const struct xmem_frame *frame, struct actor_summary *summary)
{
  uint64_t sequence = xmem_frame_get_sequence (frame);

  if (summary->n == 0)
    summary->first = sequence;
  else if (sequence <= summary->last)
    summary->n_bad++;
  else
    summary->n_gaps += sequence != summary->last + 1;
  summary->last = sequence;
  summary->n++;
}

static void
drop_oldest (unsigned keep, struct actor_summary *summary)
{
  while (self.n_kept > keep) {
    judge (self.kept[0], summary);
    drop_kept (0);
  }
}

static void
do_drain (const char *arguments)
{
  struct actor_summary summary = { 0 };
  struct xmem_frame *frame;
  unsigned hold, pause_ms;

  g_assert_cmpint (sscanf (arguments, "%u %u", &hold, &pause_ms), ==, 2);
  while ((summary.status = xmem_subscriber_next (
              self.subscriber, XMEM_WAIT_FOREVER, &frame, NULL))
         == 0) {
    judge (frame, &summary);
    judge_order (frame, &summary);
    self.kept[self.n_kept++] = frame;
    if (pause_ms > 0)
      harness_sleep_ms (pause_ms);
    drop_oldest (hold > 0 ? hold - 1 : 0, &summary);
  }
  drop_oldest (0, &summary);
  harness_say ("%d - %" PRIu64 " %" PRIu64 " %" PRIu64 " %u %u", summary.status,
      summary.n, summary.first, summary.last, summary.n_gaps, summary.n_bad);
}

static void
do_open (const char *arguments)
{
  struct xmem_publisher_params params = { .struct_size = sizeof (params) };
  struct xmem_error error;
  char address[256];
  int r;

  g_assert_cmpint (sscanf (arguments, "%255s %u %u %u", address, &params.flags,
                       &params.max_clients, &params.max_buffers),
      ==, 4);
  params.address = address;
  if (!self.source.pool)
    harness_assert_ok (xmem_pool_new (NULL, &self.source.pool, &error), &error);
  r = xmem_publisher_new (&params, &self.source.publisher, &error);
  answer (r, &error);
}

static void
do_publish (const char *arguments)
{
  uint64_t size, stamp;
  unsigned flags;
  int timeout_ms;

  g_assert_cmpint (sscanf (arguments, "%" SCNu64 " %" SCNu64 " %u %d", &size,
                       &stamp, &flags, &timeout_ms),
      ==, 4);
  answer (
      source_publish (&self.source, size, stamp, flags, ms_to_ns (timeout_ms)),
      NULL);
}

static void
do_publish_many (const char *arguments)
{
  uint64_t size, first;
  unsigned n, pause_ms;

  g_assert_cmpint (sscanf (arguments, "%" SCNu64 " %" SCNu64 " %u %u", &size,
                       &first, &n, &pause_ms),
      ==, 4);
  for (unsigned i = 0; i < n; i++) {
    source_publish_many (&self.source, size, first + i, 1);
    if (pause_ms > 0)
      harness_sleep_ms (pause_ms);
  }
  answer (0, NULL);
}

static void
unref_frame (void *frame)
{
  xmem_frame_unref (frame);
}

static void
do_forward (const char *arguments)
{
  struct xmem_frame *frame = self.kept[find_kept (arguments)];
  struct xmem_region regions[XMEM_MAX_REGIONS];
  struct xmem_publish publish = { .struct_size = sizeof (publish),
    .regions = regions,
    .n_regions = xmem_frame_get_n_regions (frame),
    .info = xmem_frame_get_info (frame),
    .done = unref_frame,
    .done_data = frame };
  struct xmem_error error;
  int r;

  for (size_t i = 0; i < publish.n_regions; i++)
    regions[i] = *xmem_frame_get_region (frame, i);
  xmem_frame_ref (frame);
  r = xmem_publisher_publish (self.source.publisher, &publish, 0, &error);
  if (r != 0)
    xmem_frame_unref (frame);
  answer (r, &error);
}

static void
do_wait_clients (const char *arguments)
{
  answer (xmem_publisher_wait_clients (self.source.publisher,
              (unsigned) atoi (arguments), XMEM_WAIT_FOREVER),
      NULL);
}

static void
do_wait_released (const char *arguments)
{
  answer (
      xmem_publisher_wait_released (self.source.publisher, XMEM_WAIT_FOREVER),
      NULL);
}

static void
do_eos (const char *arguments)
{
  xmem_publisher_send_eos (self.source.publisher);
  answer (0, NULL);
}

static void
do_close (const char *arguments)
{
  g_clear_pointer (&self.source.publisher, xmem_publisher_free);
  answer (0, NULL);
}

static void
do_publisher_stats (const char *arguments)
{
  struct xmem_publisher_stats s = source_stats (&self.source);

  harness_say ("0 - %u %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
               " %u %u %" PRIu64,
      s.n_clients, s.clients_served, s.frames_published, s.frames_delivered,
      s.frames_dropped, s.frames_held, s.n_segments, s.segments_sent);
}

static const struct harness_command commands[] = {
  { "connect", do_connect },
  { "next", do_next },
  { "release", do_release },
  { "send-events", do_send_events },
  { "look", do_look },
  { "unsubscribe", do_unsubscribe },
  { "stats", do_stats },
  { "drain", do_drain },
  { "open", do_open },
  { "publish", do_publish },
  { "publish-many", do_publish_many },
  { "forward", do_forward },
  { "wait-clients", do_wait_clients },
  { "wait-released", do_wait_released },
  { "eos", do_eos },
  { "close", do_close },
  { "publisher-stats", do_publisher_stats },
};

void
actor_run (int argc, char **argv)
{
  harness_obey (commands, G_N_ELEMENTS (commands));
  g_clear_pointer (&self.subscriber, xmem_subscriber_free);
  while (self.n_kept > 0)
    drop_kept (0);
  source_close (&self.source);
}

/* --- the test's half ----------------------------------------------------- */

/* Hears "STATUS MESSAGE" or "STATUS - REST". */
static int
hear (struct actor *actor, char rest[HARNESS_LINE_MAX])
{
  char line[HARNESS_LINE_MAX];
  int status, used = 0;

  harness_hear (&actor->child, line);
  g_assert_cmpint (sscanf (line, "%d %n", &status, &used), >=, 1);
  g_strlcpy (actor->message, line + used, sizeof (actor->message));
  if (rest)
    g_strlcpy (rest,
        g_str_has_prefix (line + used, "- ") ? line + used + 2 : "",
        HARNESS_LINE_MAX);
  return status;
}

static int
hear_status (struct actor *actor)
{
  return hear (actor, NULL);
}

static void
hear_ok (struct actor *actor)
{
  harness_assert_ok (hear_status (actor), NULL);
}

void
actor_start (struct actor *actor)
{
  memset (actor, 0, sizeof (*actor));
  harness_spawn (&actor->child, "actor", NULL);
}

void
actor_stop (struct actor *actor)
{
  g_assert_cmpint (harness_join (&actor->child), ==, 0);
}

void
actor_die (struct actor *actor)
{
  harness_kill (&actor->child, 9);
  g_assert_cmpint (harness_join (&actor->child), ==, -9);
}

int
actor_connect (struct actor *actor, const char *address,
    enum xmem_delivery delivery, unsigned n_buffers, int timeout_ms)
{
  harness_tell (&actor->child, "connect %s %d %u %d", address, (int) delivery,
      n_buffers, timeout_ms);
  return hear_status (actor);
}

void
actor_start_subscriber (struct actor *actor, const char *address,
    enum xmem_delivery delivery, unsigned n_buffers)
{
  int r;

  actor_start (actor);
  r = actor_connect (actor, address, delivery, n_buffers, -1);
  if (r != 0)
    g_error ("status %d: %s", r, actor->message);
}

int
actor_next (struct actor *actor, int timeout_ms, struct actor_frame *f)
{
  char rest[HARNESS_LINE_MAX];
  int r;

  harness_tell (&actor->child, "next %d", timeout_ms);
  r = hear (actor, rest);
  if (r != 0)
    return r;
  g_assert_cmpint (
      sscanf (rest,
          "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNd64 " %u %u %u %u %" SCNu64
          " %u",
          &f->sequence, &f->size, &f->stamp, &f->pts, &f->epoch, &f->flags,
          &f->n_regions, &f->n_intact, &f->caps_size, &f->caps_hash),
      ==, 10);
  return 0;
}

void
actor_expect_frame (struct actor *actor, uint64_t sequence)
{
  struct actor_frame frame;
  int r = actor_next (actor, -1, &frame);

  if (r != 0)
    g_error (
        "status %d, not frame %" PRIu64 ": %s", r, sequence, actor->message);
  g_assert_cmpuint (frame.sequence, ==, sequence);
  g_assert_cmpuint (frame.n_intact, ==, frame.n_regions);
}

void
actor_expect_status (struct actor *actor, int status)
{
  struct actor_frame frame;

  harness_assert_status (
      actor_next (actor, status == XMEM_AGAIN ? 100 : -1, &frame), status,
      NULL);
}

void
actor_next_event (struct actor *actor, struct actor_event *e)
{
  char rest[HARNESS_LINE_MAX];

  harness_tell (&actor->child, "next -1");
  harness_assert_status (hear (actor, rest), XMEM_EVENT, NULL);
  memset (e->name, 0, sizeof (e->name));
  g_assert_cmpint (sscanf (rest, "%u %u %" SCNu64 " %u =%255s", &e->kind,
                       &e->flags, &e->size, &e->hash, e->name),
      >=, 4);
}

void
actor_expect_event (struct actor *actor, unsigned kind, const char *name)
{
  struct actor_event event;

  actor_next_event (actor, &event);
  g_assert_cmpuint (event.kind, ==, kind);
  g_assert_cmpstr (event.name, ==, name);
}

int
actor_send_events (struct actor *actor, unsigned kind, const char *name,
    unsigned size, unsigned n)
{
  harness_tell (&actor->child, "send-events %u %s %u %u", kind, name, size, n);
  return hear_status (actor);
}

void
actor_release (struct actor *actor, uint64_t sequence)
{
  harness_tell (&actor->child, "release %" PRIu64, sequence);
  hear_ok (actor);
}

bool
actor_still_sees (struct actor *actor, uint64_t sequence, uint64_t stamp)
{
  char rest[HARNESS_LINE_MAX];

  harness_tell (&actor->child, "look %" PRIu64, sequence);
  return hear (actor, rest) == 0 && g_ascii_strtoull (rest, NULL, 10) == stamp;
}

void
actor_unsubscribe (struct actor *actor)
{
  harness_tell (&actor->child, "unsubscribe");
  hear_ok (actor);
}

static int
ask_stats (struct actor *actor, struct xmem_subscriber_stats *s)
{
  char rest[HARNESS_LINE_MAX];
  int grant;

  harness_tell (&actor->child, "stats");
  grant = hear (actor, rest);
  g_assert_cmpint (
      sscanf (rest,
          "%" SCNu64 " %" SCNu64 " %u %u %" SCNu64 " %d %" SCNu64 " %" SCNu64
          " %" SCNu64 " %" SCNu64 " %" SCNu64,
          &s->frames_received, &s->frames_lost, &s->frames_held, &s->n_segments,
          &s->segments_received, &s->publisher_pid, &s->latency_min_ns,
          &s->latency_mean_ns, &s->latency_max_ns, &s->latency_p50_ns,
          &s->latency_p99_ns),
      ==, 11);
  return grant;
}

void
actor_get_stats (struct actor *actor, struct xmem_subscriber_stats *stats_out)
{
  (void) ask_stats (actor, stats_out);
}

unsigned
actor_get_grant (struct actor *actor)
{
  struct xmem_subscriber_stats stats;

  return (unsigned) ask_stats (actor, &stats);
}

void
actor_drain_begin (struct actor *actor, unsigned hold, unsigned pause_ms)
{
  harness_tell (&actor->child, "drain %u %u", hold, pause_ms);
}

void
actor_drain_end (struct actor *actor, struct actor_summary *s)
{
  char rest[HARNESS_LINE_MAX];

  s->status = hear (actor, rest);
  g_assert_cmpint (sscanf (rest, "%" SCNu64 " %" SCNu64 " %" SCNu64 " %u %u",
                       &s->n, &s->first, &s->last, &s->n_gaps, &s->n_bad),
      ==, 5);
}

int
actor_open_publisher (struct actor *actor, const char *address, unsigned flags,
    unsigned max_clients, unsigned max_buffers)
{
  harness_tell (&actor->child, "open %s %u %u %u", address, flags, max_clients,
      max_buffers);
  return hear_status (actor);
}

int
actor_publish (struct actor *actor, uint64_t size, uint64_t stamp,
    unsigned flags, int timeout_ms)
{
  harness_tell (&actor->child, "publish %" PRIu64 " %" PRIu64 " %u %d", size,
      stamp, flags, timeout_ms);
  return hear_status (actor);
}

void
actor_publish_begin (struct actor *actor, uint64_t size, uint64_t first,
    unsigned n, unsigned pause_ms)
{
  harness_tell (&actor->child, "publish-many %" PRIu64 " %" PRIu64 " %u %u",
      size, first, n, pause_ms);
}

void
actor_publish_end (struct actor *actor)
{
  hear_ok (actor);
}

int
actor_forward (struct actor *actor, uint64_t sequence)
{
  harness_tell (&actor->child, "forward %" PRIu64, sequence);
  return hear_status (actor);
}

void
actor_wait_clients (struct actor *actor, unsigned n)
{
  harness_tell (&actor->child, "wait-clients %u", n);
  hear_ok (actor);
}

void
actor_wait_released (struct actor *actor)
{
  harness_tell (&actor->child, "wait-released");
  hear_ok (actor);
}

void
actor_send_eos (struct actor *actor)
{
  harness_tell (&actor->child, "eos");
  hear_ok (actor);
}

void
actor_close_publisher (struct actor *actor)
{
  harness_tell (&actor->child, "close");
  hear_ok (actor);
}

void
actor_get_publisher_stats (struct actor *actor, struct xmem_publisher_stats *s)
{
  char rest[HARNESS_LINE_MAX];

  harness_tell (&actor->child, "publisher-stats");
  hear (actor, rest);
  g_assert_cmpint (
      sscanf (rest,
          "%u %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %u %u %" SCNu64,
          &s->n_clients, &s->clients_served, &s->frames_published,
          &s->frames_delivered, &s->frames_dropped, &s->frames_held,
          &s->n_segments, &s->segments_sent),
      ==, 8);
}
