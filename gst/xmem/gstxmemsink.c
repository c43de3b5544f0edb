/* SPDX-License-Identifier: MIT */
/**
 * SECTION:element-xmemsink
 * @title: xmemsink
 *
 * Publishes what it gets to any number of xmemsrc elements, and programs on
 * libxmem, in other processes, without copying: upstream elements write into
 * shared memory (see propose_allocation), and only the place of each frame is
 * sent.
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 videotestsrc ! xmemsink
 * gst-launch-1.0 filesrc location=clip.mp4 ! decodebin ! xmemsink \
 *     socket-path=/tmp/clip wait-for-connection=true sync=false
 * ]|
 * and `gst-launch-1.0 xmemsrc ! videoconvert ! autovideosink` elsewhere.
 *
 * Threads: the streaming thread renders; the publisher's own thread emits the
 * signals. No lock of the element is held while sending or waiting.
 */
#include "gstxmemsink.h"

#include <gst/video/video.h>

#include "access.h"
#include "allocation.h"
#include "announcement.h"
#include "clients.h"
#include "errors.h"
#include "events.h"
#include "gpu-modes.h"
#include "gpu.h"
#include "metas.h"
#include "outgoing.h"
#include "qos.h"
#include "settings.h"
#include "upstream.h"

GST_DEBUG_CATEGORY (gst_xmem_sink_debug); /* allocation.c's too */
#define GST_CAT_DEFAULT gst_xmem_sink_debug

#define DEFAULT_SOCKET_PATH XMEM_DEFAULT_ADDRESS
#define DEFAULT_PERMS 0600
#define DEFAULT_MIN_CLIENTS 1
#define DEFAULT_MAX_BUFFERS 4
#define DEFAULT_MAX_POOL_BYTES (G_GUINT64_CONSTANT (1) << 30)

typedef enum {
  GST_XMEM_LEAKY_NONE,
  GST_XMEM_LEAKY_UPSTREAM,
} GstXmemLeakyType;

enum {
  PROP_0,
  PROP_SOCKET_PATH,
  PROP_PERMS,
  PROP_GROUP,
  PROP_ALLOW_UIDS,
  PROP_WAIT_FOR_CONNECTION,
  PROP_MIN_CLIENTS,
  PROP_NUM_CLIENTS,
  PROP_MAX_CLIENTS,
  PROP_MAX_BUFFERS,
  PROP_MAX_POOL_BYTES,
  PROP_LEAKY_TYPE,
  PROP_MAX_WAIT,
  PROP_CLIENT_TIMEOUT,
  PROP_ALLOW_COPY,
  PROP_REPLAY_LAST,
  PROP_CUDA_DEVICE_ID,
  PROP_CUDA_IPC_MODE,
  PROP_STATS,
  N_PROPERTIES
};
static GParamSpec *specs[N_PROPERTIES];

enum { SIGNAL_CLIENT_CONNECTED, SIGNAL_CLIENT_DISCONNECTED, N_SIGNALS };
static guint signals[N_SIGNALS];

struct _GstXmemSink {
  GstBaseSink parent;

  /* Properties, under the object lock; read at start */
  gchar *socket_path;
  guint perms;
  gchar *group;
  gchar *allow_uids;
  gboolean wait_for_connection;
  guint min_clients;
  guint max_clients;
  guint max_buffers;
  guint64 max_pool_bytes;
  GstXmemLeakyType leaky_type;
  guint64 max_wait;
  guint64 client_timeout;
  gboolean allow_copy;
  gboolean replay_last;

  /* From start to stop; changed under the object lock */
  struct xmem_publisher *publisher;
  GstXmemAllocator *allocator;

  /* The streaming thread's */
  GstXmemAnnouncement announcement;
  GstXmemForeign *foreign;
  GstXmemUpstream upstream; /* has its own lock */
  GstXmemGpu gpu; /* with two properties */
  gboolean had_clients; /* as many as min-clients, once */
  GstXmemQos qos;
  GstXmemAllocationTold told;
  GstByteWriter metas; /* of the frame that is on its way; kept for the next */

  /* Figures, under the object lock */
  guint64 frames_zero_copy;
  guint64 frames_copied;
  guint64 frames_skipped;
  guint64 events_lost;
  GstXmemTally metas_dropped; /* under its own */
};

G_DEFINE_TYPE_WITH_CODE (GstXmemSink, gst_xmem_sink, GST_TYPE_BASE_SINK,
    GST_DEBUG_CATEGORY_INIT (gst_xmem_sink_debug, "xmemsink", 0, "xmem sink"))
GST_ELEMENT_REGISTER_DEFINE (
    xmemsink, "xmemsink", GST_RANK_NONE, GST_TYPE_XMEM_SINK)

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE (
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

static GType
gst_xmem_leaky_type_get_type (void)
{
  static gsize type = 0;
  static const GEnumValue values[] = {
    { GST_XMEM_LEAKY_NONE, "Wait for consumers that want every frame", "none" },
    { GST_XMEM_LEAKY_UPSTREAM,
        "Such a consumer loses the new frame when it has no room for it",
        "upstream" },
    { 0, NULL, NULL },
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (
        &type, g_enum_register_static ("GstXmemLeakyType", values));
  return type;
}

/* --- starting and stopping ----------------------------------------------- */

/* The publisher's thread may be about to call when the sink goes away: it has a
 * weak reference, and while it calls a strong one. */
static void
client_changed (gpointer user_data, guint signal, int fd)
{
  g_autoptr (GstXmemSink) self = g_weak_ref_get (user_data);

  if (!self)
    return;
  GST_INFO_OBJECT (self, "client %d %s", fd,
      signal == SIGNAL_CLIENT_CONNECTED ? "connected" : "disconnected");
  g_signal_emit (self, signals[signal], 0, fd);
  g_object_notify (G_OBJECT (self), "num-clients");
}

static void
client_connected (int fd, gpointer user_data)
{
  client_changed (user_data, SIGNAL_CLIENT_CONNECTED, fd);
}

static void
client_disconnected (int fd, gpointer user_data)
{
  client_changed (user_data, SIGNAL_CLIENT_DISCONNECTED, fd);
}

static void
event_received (int fd, const struct xmem_event *event, gpointer user_data)
{
  g_autoptr (GstXmemSink) self = g_weak_ref_get (user_data);

  if (self)
    gst_xmem_upstream_receive (&self->upstream, GST_BASE_SINK (self), event);
}

static void
key_unit_wanted (gpointer user_data)
{
  g_autoptr (GstXmemSink) self = g_weak_ref_get (user_data);

  if (self)
    gst_xmem_upstream_ask_key_unit (&self->upstream, GST_BASE_SINK (self));
}

static void
client_stuck (const struct xmem_publisher_client *client, gpointer user_data)
{
  g_autoptr (GstXmemSink) self = g_weak_ref_get (user_data);

  if (self)
    gst_xmem_clients_warn_of_stuck (GST_ELEMENT (self), client);
}

static gpointer
weak_ref_new (gpointer object)
{
  GWeakRef *ref = g_new0 (GWeakRef, 1);

  g_weak_ref_init (ref, object);
  return ref;
}

static void
weak_ref_free (gpointer ref)
{
  g_weak_ref_clear (ref);
  g_free (ref);
}

static gboolean
gst_xmem_sink_start (GstBaseSink *sink)
{
  GstXmemSink *self = GST_XMEM_SINK (sink);
  struct xmem_publisher_params params = { .struct_size = sizeof (params) };
  struct xmem_publisher *publisher;
  struct xmem_error error;
  GstAllocator *allocator;
  g_autoptr (GArray) uids = NULL;

  params.address = self->socket_path;
  params.mode = self->perms;
  params.max_clients = self->max_clients;
  params.max_buffers = self->max_buffers;
  params.flags =
      self->leaky_type == GST_XMEM_LEAKY_UPSTREAM ? XMEM_PUBLISHER_LEAKY : 0;
  if (self->replay_last)
    params.flags |= XMEM_PUBLISHER_REPLAY_LAST;
  params.max_wait_ns = self->max_wait;
  params.client_timeout_ns = self->client_timeout;
  params.client_connected = client_connected;
  params.client_disconnected = client_disconnected;
  params.event_received = event_received;
  params.key_unit_wanted = key_unit_wanted;
  params.client_stuck = client_stuck;
  params.user_data = weak_ref_new (self);
  params.user_data_free = weak_ref_free;
  if (gst_xmem_access_set (
          &params, self->group, self->allow_uids, &uids, &error)
          != 0
      || xmem_publisher_new (&params, &publisher, &error) != 0) {
    weak_ref_free (params.user_data);
    gst_xmem_post_error (
        GST_ELEMENT (self), "Cannot publish", self->socket_path, &error);
    return FALSE;
  }
  allocator = gst_xmem_allocator_new (self->max_pool_bytes);
  GST_OBJECT_LOCK (self);
  self->publisher = publisher;
  self->allocator = GST_XMEM_ALLOCATOR (allocator);
  self->frames_zero_copy = self->frames_copied = self->frames_skipped = 0;
  self->events_lost = 0;
  GST_OBJECT_UNLOCK (self);
  gst_xmem_tally_reset (&self->metas_dropped);
  self->had_clients = FALSE;
  gst_xmem_qos_reset (&self->qos);
  self->told = 0;
  self->gpu.max_bytes = self->max_pool_bytes;
  gst_xmem_announcement_reset (&self->announcement);
  self->foreign = gst_xmem_foreign_new (NULL);
  g_object_notify (G_OBJECT (self), "num-clients"); /* some may be there */
  GST_INFO_OBJECT (
      self, "publishing at %s", xmem_publisher_get_address (publisher));
  if (self->min_clients > 1 && !self->wait_for_connection)
    GST_ELEMENT_WARNING (self, RESOURCE, SETTINGS,
        ("min-clients has no effect without wait-for-connection=true"), (NULL));
  return TRUE;
}

static gboolean
gst_xmem_sink_stop (GstBaseSink *sink)
{
  GstXmemSink *self = GST_XMEM_SINK (sink);
  struct xmem_publisher_stats stats;
  struct xmem_publisher *publisher;
  GstXmemAllocator *allocator;

  GST_OBJECT_LOCK (self);
  publisher = g_steal_pointer (&self->publisher);
  allocator = g_steal_pointer (&self->allocator);
  GST_OBJECT_UNLOCK (self);
  xmem_publisher_get_stats (publisher, &stats);
  /* What consumers still hold lives on behind this. */
  xmem_publisher_free (publisher);
  GST_INFO_OBJECT (self,
      "stopped: %" G_GUINT64_FORMAT " frames published, %" G_GUINT64_FORMAT
      " delivered to %" G_GUINT64_FORMAT " clients",
      stats.frames_published, stats.frames_delivered, stats.clients_served);
  g_clear_object (&allocator);
  g_clear_pointer (&self->foreign, gst_xmem_foreign_end);
  gst_xmem_gpu_reset (&self->gpu);
  gst_xmem_announcement_reset (&self->announcement);
  gst_xmem_upstream_reset (&self->upstream);
  return TRUE;
}

static gboolean
gst_xmem_sink_unlock (GstBaseSink *sink)
{
  GstXmemSink *self = GST_XMEM_SINK (sink);

  if (self->publisher)
    xmem_publisher_interrupt (self->publisher, TRUE);
  return TRUE;
}

static gboolean
gst_xmem_sink_unlock_stop (GstBaseSink *sink)
{
  GstXmemSink *self = GST_XMEM_SINK (sink);

  if (self->publisher)
    xmem_publisher_interrupt (self->publisher, FALSE);
  return TRUE;
}

/* When PLAYING and PAUSED follow each other quickly, GstBaseSink (1.22 to 1.26)
 * lets a buffer into render () although it is PAUSED, and going to PLAYING would
 * wait for the lock that render () waits with. So whatever waits is first sent
 * to where GstBaseSink expects it. */
static void
park_render (GstXmemSink *self)
{
  GstBaseSink *sink = GST_BASE_SINK (self);

  gst_xmem_sink_unlock (sink);
  GST_BASE_SINK_PREROLL_LOCK (sink);
  gst_xmem_sink_unlock_stop (sink);
  GST_BASE_SINK_PREROLL_UNLOCK (sink);
}

static void
gst_xmem_sink_set_context (GstElement *element, GstContext *context)
{
  gst_xmem_gpu_set_context (&GST_XMEM_SINK (element)->gpu, context);
  GST_ELEMENT_CLASS (gst_xmem_sink_parent_class)
      ->set_context (element, context);
}

static gboolean
gst_xmem_sink_query (GstBaseSink *sink, GstQuery *query)
{
  return gst_xmem_gpu_query (&GST_XMEM_SINK (sink)->gpu, query)
         || GST_BASE_SINK_CLASS (gst_xmem_sink_parent_class)
                ->query (sink, query);
}

static GstStateChangeReturn
gst_xmem_sink_change_state (GstElement *element, GstStateChange transition)
{
  if (transition == GST_STATE_CHANGE_PAUSED_TO_PLAYING)
    park_render (GST_XMEM_SINK (element));
  return GST_ELEMENT_CLASS (gst_xmem_sink_parent_class)
      ->change_state (element, transition);
}

/* --- negotiation --------------------------------------------------------- */

static gboolean
gst_xmem_sink_set_caps (GstBaseSink *sink, GstCaps *caps)
{
  GstXmemSink *self = GST_XMEM_SINK (sink);

  GST_INFO_OBJECT (self, "caps %" GST_PTR_FORMAT, caps);
  if (!gst_xmem_gpu_takes (caps)
      && !gst_xmem_allocation_check (GST_ELEMENT (self), caps))
    return FALSE;
  gst_xmem_announcement_set_caps (
      &self->announcement, caps, GST_BASE_SINK_PAD (sink));
  gst_xmem_gpu_set_caps (&self->gpu, caps);
  gst_xmem_foreign_end (self->foreign);
  self->foreign = gst_xmem_foreign_new (caps);
  gst_xmem_allocation_trim (self->allocator, caps);
  return TRUE;
}

static gboolean
gst_xmem_sink_propose_allocation (GstBaseSink *sink, GstQuery *query)
{
  GstXmemSink *self = GST_XMEM_SINK (sink);
  GstCaps *caps;

  if (!self->allocator)
    return FALSE;
  gst_query_parse_allocation (query, &caps, NULL);
  if (!caps || !gst_xmem_gpu_takes (caps))
    gst_xmem_allocation_propose (self->allocator, query);
  else if (!gst_xmem_gpu_propose (&self->gpu, query))
    return FALSE;
  gst_query_add_allocation_meta (query, GST_VIDEO_META_API_TYPE, NULL);
  return TRUE;
}

/* --- publishing ---------------------------------------------------------- */

static GstFlowReturn
fail (GstXmemSink *self, const gchar *what, const struct xmem_error *error)
{
  gst_xmem_post_error (GST_ELEMENT (self), what, self->socket_path, error);
  return GST_FLOW_ERROR;
}

/* Blocks until there are enough clients, if that is wanted. */
static GstFlowReturn
wait_for_clients (GstXmemSink *self)
{
  guint n = self->had_clients ? 1 : self->min_clients;
  GstFlowReturn flow;

  if (!self->wait_for_connection)
    return GST_FLOW_OK;
  while (xmem_publisher_wait_clients (self->publisher, n, XMEM_WAIT_FOREVER)
         != 0) {
    flow = gst_base_sink_wait_preroll (GST_BASE_SINK (self));
    if (flow != GST_FLOW_OK)
      return flow;
  }
  self->had_clients = TRUE;
  return GST_FLOW_OK;
}

static int
announce (GstXmemSink *self, struct xmem_error *error)
{
  return gst_xmem_announcement_update (&self->announcement, GST_ELEMENT (self),
      gst_base_sink_get_latency (GST_BASE_SINK (self)), self->publisher, error);
}

/* A limit that consumers have used up costs this frame, not the stream. */
static GstFlowReturn
give_up (GstXmemSink *self, const struct xmem_error *error)
{
  guint64 n;

  if (error->status < 0)
    return fail (self, "Cannot publish", error);
  GST_OBJECT_LOCK (self);
  n = ++self->frames_skipped;
  GST_OBJECT_UNLOCK (self);
  if (n == 1)
    GST_ELEMENT_WARNING (self, RESOURCE, NO_SPACE_LEFT,
        ("Consumers hold so many frames that this one is not published: %s.",
            error->message),
        ("counted from now on as frames-skipped in stats"));
  return GST_FLOW_OK;
}

/* Publishes, waiting for consumers that want every frame. Takes outgoing. */
static GstFlowReturn
publish (GstXmemSink *self, GstBuffer *buffer, GstXmemOutgoing *outgoing)
{
  const GstSegment *segment = &GST_BASE_SINK (self)->segment;
  gboolean copied = outgoing->copied;
  GstFlowReturn flow = GST_FLOW_OK;
  struct xmem_error error;
  int r;

  /* A copy is laid out in its own way. */
  gst_xmem_metas_write (&self->metas,
      outgoing->buffer ? outgoing->buffer : buffer, &self->metas_dropped);
  do {
    r = announce (self, &error);
    if (r == 0)
      r = gst_xmem_outgoing_publish (outgoing, buffer, segment,
          gst_xmem_announcement_get_capture_base (&self->announcement),
          &self->metas, self->publisher, &error);
    if (r == XMEM_INTERRUPTED)
      flow = gst_base_sink_wait_preroll (GST_BASE_SINK (self));
  } while (r == XMEM_INTERRUPTED && flow == GST_FLOW_OK);
  if (r != 0)
    gst_xmem_outgoing_free (outgoing);
  if (r == XMEM_INTERRUPTED)
    return flow;
  if (r != 0)
    return give_up (self, &error);
  GST_OBJECT_LOCK (self);
  *(copied ? &self->frames_copied : &self->frames_zero_copy) += 1;
  GST_OBJECT_UNLOCK (self);
  return GST_FLOW_OK;
}

static void
report_drops (GstXmemSink *self, GstBuffer *buffer)
{
  GstBaseSink *sink = GST_BASE_SINK (self);
  struct xmem_publisher_stats stats;

  xmem_publisher_get_stats (self->publisher, &stats);
  gst_xmem_qos_update (&self->qos, GST_ELEMENT (self),
      gst_base_sink_get_sync (sink), &sink->segment, buffer,
      stats.frames_delivered, stats.frames_dropped + self->frames_skipped);
}

/* Brings all of the buffer to where other processes can map it. */
static GstFlowReturn
make_outgoing (GstXmemSink *self, GstBuffer *buffer, GstXmemPlan plan,
    GstXmemOutgoing **out)
{
  struct xmem_pool *pool = gst_xmem_allocator_get_pool (self->allocator);
  g_autoptr (GstBuffer) shared = NULL;
  struct xmem_error error;
  gpointer stream;

  if (plan == GST_XMEM_PLAN_COPY && self->gpu.active) {
    shared = gst_xmem_gpu_share (&self->gpu, buffer, &stream);
    if (!shared)
      return GST_FLOW_ERROR;
    buffer = shared;
  }
  if (gst_xmem_outgoing_new (buffer, plan, self->foreign, pool, out, &error)
      != 0)
    return give_up (self, &error);
  if (shared) {
    (*out)->copied = TRUE;
    (*out)->cuda_stream = stream;
  }
  return GST_FLOW_OK;
}

static GstFlowReturn
gst_xmem_sink_render (GstBaseSink *sink, GstBuffer *buffer)
{
  GstXmemSink *self = GST_XMEM_SINK (sink);
  GstXmemOutgoing *outgoing = NULL;
  struct xmem_error why; /* why it is not shared as it is */
  gboolean may_copy;
  GstXmemPlan plan =
      gst_xmem_foreign_plan (self->foreign, buffer, &may_copy, &why);
  GstFlowReturn flow;

  gst_xmem_upstream_look_at (&self->upstream, buffer);
  if (plan == GST_XMEM_PLAN_COPY && !(self->allow_copy && may_copy)) {
    gst_xmem_allocation_refuse (GST_ELEMENT (self), why.message);
    return GST_FLOW_ERROR;
  }
  if (plan == GST_XMEM_PLAN_SPARE && !(self->allow_copy && may_copy))
    return give_up (self, &why);
  flow = wait_for_clients (self);
  if (flow == GST_FLOW_OK)
    flow = make_outgoing (self, buffer, plan, &outgoing);
  if (!outgoing)
    return flow;
  gst_xmem_allocation_tell (GST_ELEMENT (self), buffer,
      plan == GST_XMEM_PLAN_SHARE ? NULL : why.message, &self->told);
  flow = publish (self, buffer, outgoing);
  report_drops (self, buffer);
  return flow;
}

static void
count_lost_event (GstXmemSink *self, GstEvent *event, const gchar *reason)
{
  guint64 n;

  GST_OBJECT_LOCK (self);
  n = ++self->events_lost;
  GST_OBJECT_UNLOCK (self);
  if (n == 1)
    GST_ELEMENT_WARNING (self, STREAM, ENCODE,
        ("A %s event does not reach the consumers as it was: %s.",
            GST_EVENT_TYPE_NAME (event), reason),
        ("counted from now on as events-lost in stats"));
}

static void
send_event (GstXmemSink *self, GstEvent *event)
{
  const GstSegment *segment = &GST_BASE_SINK (self)->segment;
  struct xmem_error error;
  GstXmemEvent out;

  if (!gst_xmem_event_is_downstream (GST_EVENT_TYPE (event)))
    return;
  /* Caps before what depends on them. */
  if (GST_EVENT_TYPE (event) != GST_EVENT_STREAM_START
      && self->announcement.changed && self->announcement.caps
      && announce (self, &error) != 0)
    fail (self, "Cannot announce the caps", &error);
  gst_xmem_event_write (
      &out, event, segment, gst_xmem_event_get_time (event, segment));
  if (xmem_publisher_send_event (self->publisher, &out.event, &error) != 0)
    count_lost_event (self, event, error.message);
  else if (out.n_lost > 0)
    count_lost_event (self, event, "it contains values that cannot be shared");
  gst_xmem_event_clear (&out);
}

/* Gaps are sent when they are due, as frames are, with the stream's time. */
static gboolean
render_gap (GstXmemSink *self, GstEvent *event)
{
  struct xmem_error error;
  gboolean rendered;

  rendered = GST_BASE_SINK_CLASS (gst_xmem_sink_parent_class)
                 ->event (GST_BASE_SINK (self), gst_event_ref (event));
  if (rendered && announce (self, &error) != 0)
    fail (self, "Cannot announce the caps", &error);
  else if (rendered)
    send_event (self, event);
  gst_event_unref (event);
  return rendered;
}

static gboolean
gst_xmem_sink_event (GstBaseSink *sink, GstEvent *event)
{
  GstXmemSink *self = GST_XMEM_SINK (sink);
  struct xmem_error error;

  if (GST_EVENT_TYPE (event) == GST_EVENT_GAP)
    return render_gap (self, event);
  if (GST_EVENT_TYPE (event) == GST_EVENT_EOS) {
    /* Consumers of a stream without buffers still learn its caps. */
    if (self->announcement.changed && announce (self, &error) != 0)
      fail (self, "Cannot announce the caps", &error);
    xmem_publisher_send_eos (self->publisher);
  }
  send_event (self, event);
  return GST_BASE_SINK_CLASS (gst_xmem_sink_parent_class)->event (sink, event);
}

/* --- properties ---------------------------------------------------------- */

static GstStructure *
make_stats (GstXmemSink *self)
{
  GstStructure *stats = gst_base_sink_get_stats (GST_BASE_SINK (self));
  g_autoptr (GstStructure) metas_dropped =
      gst_xmem_tally_get (&self->metas_dropped, "metas-dropped");
  struct xmem_publisher_stats publisher = { 0 };
  struct xmem_pool_stats pool = { 0 };

  gst_structure_set_name (stats, "application/x-xmemsink-stats");
  GST_OBJECT_LOCK (self);
  if (self->publisher) {
    xmem_publisher_get_stats (self->publisher, &publisher);
    xmem_pool_get_stats (gst_xmem_allocator_get_pool (self->allocator), &pool);
  }
  gst_structure_set (stats, "frames-zero-copy", G_TYPE_UINT64,
      self->frames_zero_copy, "frames-copied", G_TYPE_UINT64,
      self->frames_copied, "frames-skipped", G_TYPE_UINT64,
      self->frames_skipped, "events-lost", G_TYPE_UINT64, self->events_lost,
      "frames-published", G_TYPE_UINT64, publisher.frames_published,
      "frames-delivered", G_TYPE_UINT64, publisher.frames_delivered,
      "frames-dropped", G_TYPE_UINT64, publisher.frames_dropped,
      "frames-synchronised", G_TYPE_UINT64, publisher.frames_synchronised,
      "frames-held", G_TYPE_UINT, publisher.frames_held, "num-clients",
      G_TYPE_UINT, publisher.n_clients, "clients-served", G_TYPE_UINT64,
      publisher.clients_served, "segments-sent", G_TYPE_UINT64,
      publisher.segments_sent, "pool-bytes", G_TYPE_UINT64, pool.bytes,
      "cuda-pool-bytes", G_TYPE_UINT64,
      gst_xmem_gpu_get_pool_bytes (&self->gpu), "pool-slots", G_TYPE_UINT,
      pool.n_slots, "pool-segments", G_TYPE_UINT, pool.n_segments,
      "metas-dropped", GST_TYPE_STRUCTURE, metas_dropped, NULL);
  gst_xmem_clients_add_to (stats, self->publisher);
  GST_OBJECT_UNLOCK (self);
  return stats;
}

static guint
count_clients (GstXmemSink *self)
{
  struct xmem_publisher_stats stats = { 0 };

  GST_OBJECT_LOCK (self);
  if (self->publisher)
    xmem_publisher_get_stats (self->publisher, &stats);
  GST_OBJECT_UNLOCK (self);
  return stats.n_clients;
}

static const gsize settings[N_PROPERTIES] = {
  [PROP_SOCKET_PATH] = G_STRUCT_OFFSET (GstXmemSink, socket_path),
  [PROP_PERMS] = G_STRUCT_OFFSET (GstXmemSink, perms),
  [PROP_GROUP] = G_STRUCT_OFFSET (GstXmemSink, group),
  [PROP_ALLOW_UIDS] = G_STRUCT_OFFSET (GstXmemSink, allow_uids),
  [PROP_WAIT_FOR_CONNECTION] =
      G_STRUCT_OFFSET (GstXmemSink, wait_for_connection),
  [PROP_MIN_CLIENTS] = G_STRUCT_OFFSET (GstXmemSink, min_clients),
  [PROP_MAX_CLIENTS] = G_STRUCT_OFFSET (GstXmemSink, max_clients),
  [PROP_MAX_BUFFERS] = G_STRUCT_OFFSET (GstXmemSink, max_buffers),
  [PROP_MAX_POOL_BYTES] = G_STRUCT_OFFSET (GstXmemSink, max_pool_bytes),
  [PROP_LEAKY_TYPE] = G_STRUCT_OFFSET (GstXmemSink, leaky_type),
  [PROP_MAX_WAIT] = G_STRUCT_OFFSET (GstXmemSink, max_wait),
  [PROP_CLIENT_TIMEOUT] = G_STRUCT_OFFSET (GstXmemSink, client_timeout),
  [PROP_ALLOW_COPY] = G_STRUCT_OFFSET (GstXmemSink, allow_copy),
  [PROP_REPLAY_LAST] = G_STRUCT_OFFSET (GstXmemSink, replay_last),
  [PROP_CUDA_DEVICE_ID] = G_STRUCT_OFFSET (GstXmemSink, gpu.device_id),
  [PROP_CUDA_IPC_MODE] = G_STRUCT_OFFSET (GstXmemSink, gpu.mode),
};

static void
gst_xmem_sink_set_property (
    GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  gst_xmem_settings_set (object, settings, id, value, pspec);
}

static void
gst_xmem_sink_get_property (
    GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GstXmemSink *self = GST_XMEM_SINK (object);

  switch (id) {
    case PROP_NUM_CLIENTS:
      g_value_set_uint (value, count_clients (self));
      break;
    case PROP_STATS:
      g_value_take_boxed (value, make_stats (self));
      break;
    default:
      gst_xmem_settings_get (object, settings, id, value, pspec);
  }
}

static void
gst_xmem_sink_finalize (GObject *object)
{
  GstXmemSink *self = GST_XMEM_SINK (object);

  g_free (self->socket_path);
  g_free (self->group);
  g_free (self->allow_uids);
  gst_xmem_upstream_clear (&self->upstream);
  gst_xmem_gpu_clear (&self->gpu);
  gst_byte_writer_reset (&self->metas);
  gst_xmem_tally_clear (&self->metas_dropped);
  G_OBJECT_CLASS (gst_xmem_sink_parent_class)->finalize (object);
}

static void
install_properties (GObjectClass *klass)
{
  const GParamFlags rw = GST_XMEM_SETTING;
  const GParamFlags ro = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  specs[PROP_SOCKET_PATH] = g_param_spec_string ("socket-path", "Socket path",
      "Where consumers connect: a name in the runtime folder, a path with "
      "a slash, or @name in the abstract namespace",
      DEFAULT_SOCKET_PATH, rw);
  specs[PROP_PERMS] = g_param_spec_uint ("perms", "Permissions",
      "Permissions of the socket file (0600 is 384); launch lines take "
      "0660",
      0001, 0777, DEFAULT_PERMS, rw);
  specs[PROP_GROUP] = g_param_spec_string ("group", "Group",
      "Group of the socket file, by name or number; wants perms of 0660 or "
      "more",
      NULL, rw);
  specs[PROP_ALLOW_UIDS] = g_param_spec_string ("allow-uids", "Allowed users",
      "Numbers of the users that may connect besides the own one, with "
      "commas between; without, perms alone decides, and an abstract "
      "address is for the own user",
      NULL, rw);
  specs[PROP_WAIT_FOR_CONNECTION] =
      g_param_spec_boolean ("wait-for-connection", "Wait for connection",
          "Block the stream until min-clients consumers are connected, and "
          "later on whenever there is none",
          FALSE, rw);
  specs[PROP_MIN_CLIENTS] =
      g_param_spec_uint ("min-clients", "Minimum of clients",
          "How many consumers wait-for-connection waits for at first", 1,
          G_MAXUINT, DEFAULT_MIN_CLIENTS, rw);
  specs[PROP_NUM_CLIENTS] =
      g_param_spec_uint ("num-clients", "Number of clients",
          "How many consumers are connected now", 0, G_MAXUINT, 0, ro);
  specs[PROP_MAX_CLIENTS] =
      g_param_spec_uint ("max-clients", "Maximum of clients",
          "Refuse further consumers (0 = no limit)", 0, G_MAXUINT, 0, rw);
  specs[PROP_MAX_BUFFERS] = g_param_spec_uint ("max-buffers",
      "Maximum of buffers", "Most frames that one consumer may hold at once", 1,
      XMEM_MAX_GRANT, DEFAULT_MAX_BUFFERS, rw);
  specs[PROP_MAX_POOL_BYTES] =
      g_param_spec_uint64 ("max-pool-bytes", "Maximum of pool bytes",
          "Most shared memory offered to upstream elements; beyond it they get "
          "system memory, which is copied",
          1, G_MAXUINT64, DEFAULT_MAX_POOL_BYTES, rw);
  specs[PROP_LEAKY_TYPE] = g_param_spec_enum ("leaky-type", "Leaky type",
      "What happens when a consumer with delivery=every has no room",
      gst_xmem_leaky_type_get_type (), GST_XMEM_LEAKY_NONE, rw);
  specs[PROP_MAX_WAIT] = g_param_spec_uint64 ("max-wait", "Maximum wait",
      "With leaky-type=none: nanoseconds that such a consumer is waited "
      "for; from then on it loses frames, until it has released one (0 = "
      "no limit)",
      0, G_MAXUINT64, 0, rw);
  specs[PROP_CLIENT_TIMEOUT] =
      g_param_spec_uint64 ("client-timeout", "Client timeout",
          "Nanoseconds after which a consumer is disconnected that releases "
          "nothing while a frame waits for it (0 = never)",
          0, G_MAXUINT64, 0, rw);
  specs[PROP_ALLOW_COPY] = g_param_spec_boolean ("allow-copy", "Allow copy",
      "Copy memory that other processes cannot map safely; false makes it "
      "an error",
      TRUE, rw);
  specs[PROP_REPLAY_LAST] = g_param_spec_boolean ("replay-last", "Replay last",
      "Keep the last frame and send it to consumers that join later, as "
      "one "
      "of that moment",
      FALSE, rw);
  specs[PROP_CUDA_DEVICE_ID] =
      g_param_spec_int ("cuda-device-id", "CUDA device id",
          "Take CUDA memory of this device only (-1 = that of the pipeline)",
          -1, G_MAXINT, -1, rw);
  specs[PROP_CUDA_IPC_MODE] = g_param_spec_enum ("cuda-ipc-mode",
      "CUDA IPC mode", "How CUDA memory gets to other processes",
      gst_xmem_cuda_ipc_mode_get_type (), XMEM_CUDA_MODE_AUTO, rw);
  specs[PROP_STATS] = g_param_spec_boxed ("stats", "Statistics",
      "Frames published, delivered, dropped, copied or not, pool, metas "
      "that "
      "cannot travel, by name, and what each client got, lost and holds",
      GST_TYPE_STRUCTURE, ro);
  g_object_class_install_properties (klass, N_PROPERTIES, specs);
}

static void
install_signals (GType type)
{
  /**
   * GstXmemSink::client-connected:
   * @fd: the number of the client's socket
   *
   * Emitted from the publisher's thread.
   */
  signals[SIGNAL_CLIENT_CONNECTED] = g_signal_new ("client-connected", type,
      G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_INT);
  /**
   * GstXmemSink::client-disconnected:
   * @fd: the number that its socket had
   *
   * Emitted from the publisher's thread.
   */
  signals[SIGNAL_CLIENT_DISCONNECTED] = g_signal_new ("client-disconnected",
      type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_INT);
}

static void
gst_xmem_sink_class_init (GstXmemSinkClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstBaseSinkClass *sink_class = GST_BASE_SINK_CLASS (klass);

  object_class->set_property = gst_xmem_sink_set_property;
  object_class->get_property = gst_xmem_sink_get_property;
  object_class->finalize = gst_xmem_sink_finalize;
  install_properties (object_class);
  install_signals (G_TYPE_FROM_CLASS (klass));
  gst_type_mark_as_plugin_api (gst_xmem_leaky_type_get_type (), 0);
  gst_type_mark_as_plugin_api (gst_xmem_cuda_ipc_mode_get_type (), 0);

  element_class->change_state = gst_xmem_sink_change_state;
  element_class->set_context = gst_xmem_sink_set_context;
  sink_class->start = gst_xmem_sink_start;
  sink_class->stop = gst_xmem_sink_stop;
  sink_class->unlock = gst_xmem_sink_unlock;
  sink_class->unlock_stop = gst_xmem_sink_unlock_stop;
  sink_class->set_caps = gst_xmem_sink_set_caps;
  sink_class->propose_allocation = gst_xmem_sink_propose_allocation;
  sink_class->render = gst_xmem_sink_render;
  sink_class->event = gst_xmem_sink_event;
  sink_class->query = gst_xmem_sink_query;

  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_set_static_metadata (element_class, "xmem sink",
      "Sink/Network",
      "Publishes frames to other processes through shared memory without "
      "copying them: upstream elements write into a shared pool, consumers "
      "(xmemsrc, libxmem) map it read-only, and only frame indices cross the "
      "control socket.  Examples:  gst-launch-1.0 videotestsrc ! xmemsink  |  "
      "gst-launch-1.0 filesrc location=clip.mp4 ! decodebin ! xmemsink "
      "socket-path=/tmp/clip wait-for-connection=true sync=false",
      "xmem authors");
}

static void
gst_xmem_sink_init (GstXmemSink *self)
{
  gst_xmem_settings_init (G_OBJECT (self), settings, specs, N_PROPERTIES);
  gst_xmem_upstream_init (&self->upstream);
  gst_xmem_gpu_init (&self->gpu, GST_ELEMENT (self));
  gst_byte_writer_init (&self->metas);
  gst_xmem_tally_init (&self->metas_dropped);
  /* It would pin a slot. */
  gst_base_sink_set_last_sample_enabled (GST_BASE_SINK (self), FALSE);
}
