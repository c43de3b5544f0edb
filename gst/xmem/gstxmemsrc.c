/* SPDX-License-Identifier: MIT */
/**
 * SECTION:element-xmemsrc
 * @title: xmemsrc
 *
 * Receives what an xmemsink in another process publishes, without copying:
 * its buffers are read-only views of the producer's memory.
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 xmemsrc ! videoconvert ! autovideosink
 * gst-launch-1.0 xmemsrc socket-path=/tmp/clip delivery=every is-live=false \
 *     ! filesink location=frames.raw
 * ]|
 *
 * Threads: the streaming thread connects, waits and receives; unlock ends its
 * waits through an eventfd. No lock of the element is held meanwhile.
 */
#include "gstxmemsrc.h"

#include "connection.h"
#include "errors.h"
#include "events.h"
#include "gpu-modes.h"
#include "history.h"
#include "incoming.h"
#include "interruption.h"
#include "qos.h"
#include "settings.h"
#include "srcpad.h"
#include "text.h"
#include "times.h"
#include "uri.h"

GST_DEBUG_CATEGORY (gst_xmem_src_debug); /* connection.c's too */
#define GST_CAT_DEFAULT gst_xmem_src_debug

#define DEFAULT_SOCKET_PATH XMEM_DEFAULT_ADDRESS
#define DEFAULT_MAX_BUFFERS 4
#define DEFAULT_CONNECTION_TIMEOUT 5 /* s */
#define DEFAULT_RECONNECT_INTERVAL 20 /* ms */

enum {
  PROP_0,
  PROP_SOCKET_PATH,
  PROP_IS_LIVE,
  PROP_DELIVERY,
  PROP_MAX_BUFFERS,
  PROP_CONNECTION_TIMEOUT,
  PROP_ON_DISCONNECT,
  PROP_ON_EOS,
  PROP_RECONNECT_INTERVAL,
  PROP_ADD_REFERENCE_TIMESTAMP_META,
  PROP_CUDA_IO_MODE,
  PROP_CUDA_COMPLETE,
  PROP_STATS,
  N_PROPERTIES
};
static GParamSpec *specs[N_PROPERTIES];

struct _GstXmemSrc {
  GstPushSrc parent;

  /* Properties, under the object lock; read at start */
  gchar *socket_path;
  enum xmem_delivery delivery;
  guint max_buffers;
  guint connection_timeout;
  GstXmemOnDisconnect on_disconnect;
  GstXmemOnEos on_eos;
  guint reconnect_interval;
  gboolean add_reference_timestamps;
  GstXmemCudaIoMode cuda_io_mode;
  gboolean cuda_complete;

  /* From start to stop; changed under the object lock */
  struct xmem_subscriber *subscriber;

  /* The streaming thread's */
  GstXmemConnection connection;
  guint32 epoch;
  guint64 next_sequence; /* of the frame that would follow without a gap */
  GstCaps *caps; /* of the stream, NULL without */
  GstXmemIncomingFormat format;
  GstXmemGpu gpu;
  GstXmemTimes times; /* with fields under the object lock */
  GstXmemQos qos;
  gint hold_stream_start; /* atomic; see srcpad.h */
  GstXmemInterruption interruption; /* any thread's */

  /* Figures, under the object lock */
  guint64 frames_repacked;
  guint64 frames_copied;
  GstXmemTally metas_dropped; /* under its own */
};

static void gst_xmem_src_uri_handler_init (GstURIHandlerInterface *iface);

G_DEFINE_TYPE_WITH_CODE (GstXmemSrc, gst_xmem_src, GST_TYPE_PUSH_SRC,
    G_IMPLEMENT_INTERFACE (GST_TYPE_URI_HANDLER, gst_xmem_src_uri_handler_init)
        GST_DEBUG_CATEGORY_INIT (
            gst_xmem_src_debug, "xmemsrc", 0, "xmem source"))
GST_ELEMENT_REGISTER_DEFINE (
    xmemsrc, "xmemsrc", GST_RANK_PRIMARY, GST_TYPE_XMEM_SRC)

static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE (
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

static GType
gst_xmem_delivery_get_type (void)
{
  static gsize type = 0;
  static const GEnumValue values[] = {
    { XMEM_DELIVERY_LATEST,
        "The newest frame there is; never holds the "
        "producer back",
        "latest" },
    { XMEM_DELIVERY_EVERY, "Every frame; the producer waits for us", "every" },
    { 0, NULL, NULL },
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (
        &type, g_enum_register_static ("GstXmemDelivery", values));
  return type;
}

/* --- starting and stopping ----------------------------------------------- */

static gboolean
gst_xmem_src_start (GstBaseSrc *src)
{
  GstXmemSrc *self = GST_XMEM_SRC (src);
  struct xmem_subscriber_params params = { .struct_size = sizeof (params) };
  struct xmem_subscriber *subscriber;
  struct xmem_error error;

  params.address = self->socket_path;
  params.name = GST_OBJECT_NAME (self);
  params.delivery = self->delivery;
  params.n_buffers = self->max_buffers;
  params.retry_ns = self->reconnect_interval * GST_MSECOND;
  params.flags = XMEM_SUBSCRIBER_EVENTS | XMEM_SUBSCRIBER_DMABUF
                 | gst_xmem_gpu_subscriber_flags (self->cuda_complete);
  params.get_cuda_context = gst_xmem_gpu_get_context;
  params.user_data = &self->gpu;
  if (xmem_subscriber_new (&params, &subscriber, &error) != 0) {
    gst_xmem_post_error (
        GST_ELEMENT (self), "Cannot subscribe", self->socket_path, &error);
    return FALSE;
  }
  GST_OBJECT_LOCK (self);
  self->subscriber = subscriber;
  self->frames_repacked = self->frames_copied = 0;
  GST_OBJECT_UNLOCK (self);
  gst_xmem_tally_reset (&self->metas_dropped);
  self->connection = (GstXmemConnection){
    .element = GST_ELEMENT (self),
    .address = self->socket_path,
    .subscriber = subscriber,
    .on_disconnect = self->on_disconnect,
    .on_eos = self->on_eos,
    .timeout_ns = self->connection_timeout > 0
                      ? (gint64) self->connection_timeout * GST_SECOND
                      : XMEM_WAIT_FOREVER,
  };
  gst_xmem_times_start (&self->times);
  g_atomic_int_set (&self->hold_stream_start, TRUE);
  gst_xmem_qos_reset (&self->qos);
  self->format.is_video = self->format.is_audio = FALSE;
  return TRUE;
}

static gboolean
gst_xmem_src_stop (GstBaseSrc *src)
{
  GstXmemSrc *self = GST_XMEM_SRC (src);
  struct xmem_subscriber_stats stats;
  struct xmem_subscriber *subscriber;

  GST_OBJECT_LOCK (self);
  subscriber = g_steal_pointer (&self->subscriber);
  GST_OBJECT_UNLOCK (self);
  xmem_subscriber_get_stats (subscriber, &stats);
  GST_INFO_OBJECT (self,
      "stopped: %" G_GUINT64_FORMAT " frames received, %" G_GUINT64_FORMAT
      " lost",
      stats.frames_received, stats.frames_lost);
  /* Buffers that are still out keep the connection. */
  xmem_subscriber_free (subscriber);
  gst_xmem_interruption_pushed (&self->interruption); /* or never will be */
  gst_xmem_gpu_reset (&self->gpu);
  gst_clear_caps (&self->caps);
  return TRUE;
}

static gboolean
gst_xmem_src_unlock (GstBaseSrc *src)
{
  GstXmemSrc *self = GST_XMEM_SRC (src);

  gst_xmem_interruption_unlock (&self->interruption);
  if (self->subscriber)
    xmem_subscriber_interrupt (self->subscriber, TRUE);
  return TRUE;
}

static gboolean
gst_xmem_src_unlock_stop (GstBaseSrc *src)
{
  GstXmemSrc *self = GST_XMEM_SRC (src);

  if (self->subscriber)
    xmem_subscriber_interrupt (self->subscriber, FALSE);
  gst_xmem_interruption_unlock_stop (&self->interruption);
  return TRUE;
}

static void
gst_xmem_src_set_context (GstElement *element, GstContext *context)
{
  gst_xmem_gpu_set_context (&GST_XMEM_SRC (element)->gpu, context);
  GST_ELEMENT_CLASS (gst_xmem_src_parent_class)->set_context (element, context);
}

static GstStateChangeReturn
gst_xmem_src_change_state (GstElement *element, GstStateChange transition)
{
  GstXmemSrc *self = GST_XMEM_SRC (element);
  GstStateChangeReturn r;

  if (transition == GST_STATE_CHANGE_PAUSED_TO_PLAYING)
    gst_xmem_times_resume (&self->times);
  if (transition == GST_STATE_CHANGE_PLAYING_TO_PAUSED)
    gst_xmem_interruption_begin_pause (&self->interruption);
  r = GST_ELEMENT_CLASS (gst_xmem_src_parent_class)
          ->change_state (element, transition);
  gst_xmem_interruption_end_pause (&self->interruption);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_PLAYING
      && gst_xmem_interruption_is_pause (&self->interruption))
    gst_xmem_src_unlock_stop (GST_BASE_SRC (self));
  return r;
}

/* --- negotiation --------------------------------------------------------- */

/* The caps are the producer's; nothing is known before the first frame. */
static gboolean
gst_xmem_src_negotiate (GstBaseSrc *src)
{
  GstXmemSrc *self = GST_XMEM_SRC (src);

  return !self->caps || gst_base_src_set_caps (src, self->caps);
}

static gboolean
gst_xmem_src_decide_allocation (GstBaseSrc *src, GstQuery *query)
{
  GstXmemSrc *self = GST_XMEM_SRC (src);

  self->format.downstream_reads_meta =
      gst_query_find_allocation_meta (query, GST_VIDEO_META_API_TYPE, NULL);
  /* The memory is the producer's: downstream's pools are of no use. */
  while (gst_query_get_n_allocation_pools (query) > 0)
    gst_query_remove_nth_allocation_pool (query, 0);
  GST_DEBUG_OBJECT (self, "downstream %s video metas",
      self->format.downstream_reads_meta ? "reads" : "does not read");
  return TRUE;
}

static GstFlowReturn
set_stream (GstXmemSrc *self, const struct xmem_stream_info *stream)
{
  g_autoptr (GstCaps) caps =
      stream->caps ? gst_xmem_text_to_caps (stream->caps) : NULL;

  if (stream->caps && (!caps || !gst_caps_is_fixed (caps))) {
    GST_ELEMENT_ERROR (self, STREAM, FORMAT,
        ("The producer announced caps that cannot be read: %.200s",
            stream->caps),
        (NULL));
    return GST_FLOW_ERROR;
  }
  if (!caps || (self->caps && gst_caps_is_equal (caps, self->caps)))
    return GST_FLOW_OK;
  GST_INFO_OBJECT (self, "caps %" GST_PTR_FORMAT, caps);
  gst_caps_replace (&self->caps, caps);
  gst_xmem_incoming_set_caps (&self->format, caps);
  gst_xmem_gpu_set_caps (&self->gpu, caps);
  if (gst_base_src_negotiate (GST_BASE_SRC (self)))
    return GST_FLOW_OK;
  if (GST_PAD_IS_FLUSHING (GST_BASE_SRC_PAD (self)))
    return GST_FLOW_FLUSHING;
  GST_ELEMENT_ERROR (self, CORE, NEGOTIATION,
      ("Downstream does not take the producer's caps: %.200s", stream->caps),
      (NULL));
  return GST_FLOW_ERROR;
}

static GstFlowReturn
follow_stream (
    GstXmemSrc *self, const struct xmem_stream_info *stream, guint32 epoch)
{
  if (epoch == self->epoch)
    return GST_FLOW_OK;
  self->epoch = epoch;
  return set_stream (self, stream);
}

static gboolean
gst_xmem_src_query (GstBaseSrc *src, GstQuery *query)
{
  if (gst_xmem_gpu_query (&GST_XMEM_SRC (src)->gpu, query))
    return TRUE;
  if (GST_QUERY_TYPE (query) != GST_QUERY_LATENCY)
    return GST_BASE_SRC_CLASS (gst_xmem_src_parent_class)->query (src, query);
  /* A frame arrives when the producer presents it; however long it may be
   * kept, its slot is not missed. */
  gst_query_set_latency (
      query, gst_base_src_is_live (src), 0, GST_CLOCK_TIME_NONE);
  return TRUE;
}

/* Sends a consumer's request to the producer; its time becomes one of the
 * producer's. */
static gboolean
send_upstream (GstXmemSrc *self, GstEvent *event)
{
  gint64 time = gst_xmem_event_get_time (event, &GST_BASE_SRC (self)->segment);
  struct xmem_error error = { .status = XMEM_GONE };
  GstXmemEvent out;
  int r = XMEM_GONE;

  time = gst_xmem_times_unmap (&self->times, time);
  GST_OBJECT_LOCK (self);
  gst_xmem_event_write (&out, event, &GST_BASE_SRC (self)->segment, time);
  if (self->subscriber)
    r = xmem_subscriber_send_event (self->subscriber, &out.event, &error);
  GST_OBJECT_UNLOCK (self);
  gst_xmem_event_clear (&out);
  GST_DEBUG_OBJECT (self, "%" GST_PTR_FORMAT " to the producer: %s", event,
      xmem_status_string (r));
  return r == 0;
}

static gboolean
gst_xmem_src_event (GstBaseSrc *src, GstEvent *event)
{
  if (gst_xmem_event_is_upstream (GST_EVENT_TYPE (event)))
    return send_upstream (GST_XMEM_SRC (src), event);
  return GST_BASE_SRC_CLASS (gst_xmem_src_parent_class)->event (src, event);
}

static gboolean
gst_xmem_src_is_seekable (GstBaseSrc *src)
{
  return FALSE;
}

/* --- receiving ----------------------------------------------------------- */

/* Pushes the event that comes before the next frame. */
static GstFlowReturn
handle_event (GstXmemSrc *self)
{
  guint32 epoch = 0;
  const struct xmem_stream_info *stream =
      xmem_subscriber_get_stream (self->subscriber, &epoch);
  GstFlowReturn flow = GST_FLOW_OK;
  GstXmemReceived received;
  GstEvent *event;

  g_atomic_int_set (&self->hold_stream_start, FALSE);
  if (!gst_xmem_received_read (
          &received, xmem_subscriber_get_event (self->subscriber))) {
    GST_WARNING_OBJECT (self, "an event that is not understood");
    return GST_FLOW_OK;
  }
  if (stream && received.type != GST_EVENT_STREAM_START)
    flow = follow_stream (self, stream, epoch);
  if (flow != GST_FLOW_OK) {
    gst_xmem_received_clear (&received);
    return flow;
  }
  event = gst_xmem_received_take (&received,
      gst_xmem_times_map (&self->times, stream, received.time),
      &GST_BASE_SRC (self)->segment);
  if (event && GST_EVENT_TYPE (event) == GST_EVENT_FLUSH_STOP)
    event = gst_xmem_times_flush (&self->times, event);
  if (event)
    gst_xmem_srcpad_push (GST_BASE_SRC (self), event);
  return GST_FLOW_OK;
}

/* What counted before does not: epochs and sequences begin anew. */
static void
begin_anew (GstXmemSrc *self)
{
  self->epoch = 0;
  self->next_sequence = XMEM_NONE;
  gst_xmem_times_renew (&self->times);
}

static GstFlowReturn
next_frame (GstXmemSrc *self, struct xmem_frame **frame)
{
  GstFlowReturn flow, pushed = GST_FLOW_OK;
  gboolean renewed;

  do {
    flow = gst_xmem_connection_next (&self->connection, frame, &renewed);
    if (renewed)
      begin_anew (self);
    if (flow == GST_XMEM_FLOW_EVENT)
      pushed = handle_event (self);
  } while ((flow == GST_XMEM_FLOW_EVENT && pushed == GST_FLOW_OK)
           || (flow == GST_FLOW_FLUSHING
               && gst_xmem_interruption_wait (&self->interruption)));
  if (flow == GST_XMEM_FLOW_EVENT)
    return pushed;
  g_atomic_int_set (&self->hold_stream_start, FALSE);
  return flow;
}

static void
report_loss (GstXmemSrc *self, GstBuffer *buffer)
{
  GstBaseSrc *src = GST_BASE_SRC (self);
  struct xmem_subscriber_stats stats;

  xmem_subscriber_get_stats (self->subscriber, &stats);
  gst_xmem_qos_update (&self->qos, GST_ELEMENT (self),
      gst_base_src_is_live (src), &src->segment, buffer, stats.frames_received,
      stats.frames_lost);
}

/* Frames may be missing before this one: decoders must know, and the
 * application too, and how many, if they were meant for us. */
static void
mark_gap (GstXmemSrc *self, struct xmem_frame *frame, GstBuffer *buffer)
{
  guint64 sequence = xmem_frame_get_sequence (frame);

  if (sequence != self->next_sequence)
    GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DISCONT);
  if (self->next_sequence != XMEM_NONE && sequence > self->next_sequence) {
    gst_xmem_history_add_lost (buffer, sequence - self->next_sequence);
    report_loss (self, buffer);
  }
  self->next_sequence = sequence + 1;
}

/* Whether downstream holds so many frames that with a view of this one there
 * would be no room for the next. A copy would be no dmabuf. */
static gboolean
must_copy_out (GstXmemSrc *self)
{
  guint held = self->gpu.active ? gst_xmem_gpu_count_views (&self->gpu) + 1
                                : xmem_subscriber_get_held (self->subscriber);

  return !self->format.only_dmabufs
         && held >= xmem_subscriber_get_grant (self->subscriber);
}

/* A view of the frame, or a copy. */
static GstBuffer *
make_buffer (GstXmemSrc *self, struct xmem_frame *frame)
{
  gboolean copy_out =
      must_copy_out (self)
      || (self->gpu.active && self->cuda_io_mode == GST_XMEM_CUDA_IO_COPY);
  GstXmemIncomingKind kind;
  GstBuffer *buffer;

  buffer = gst_xmem_incoming_buffer (
      frame, &self->format, copy_out, &self->metas_dropped, &kind);
  GST_OBJECT_LOCK (self);
  self->frames_repacked += kind == GST_XMEM_INCOMING_REPACKED;
  self->frames_copied += kind == GST_XMEM_INCOMING_COPY;
  GST_OBJECT_UNLOCK (self);
  if (kind == GST_XMEM_INCOMING_REPACKED && self->frames_repacked == 1)
    GST_INFO_OBJECT (self, "repacks frames into the layout of the caps");
  if (kind == GST_XMEM_INCOMING_COPY && self->frames_copied == 1)
    GST_INFO_OBJECT (self, "copies frames out");
  return buffer;
}

static GstFlowReturn
gst_xmem_src_create (GstPushSrc *src, GstBuffer **buffer)
{
  GstXmemSrc *self = GST_XMEM_SRC (src);
  struct xmem_frame *frame;
  GstFlowReturn flow;

  *buffer = gst_xmem_interruption_take_back (&self->interruption);
  if (*buffer) {
    gst_xmem_interruption_bring (&self->interruption, *buffer);
    return GST_FLOW_OK;
  }
  while ((flow = next_frame (self, &frame)) == GST_FLOW_OK
         && gst_xmem_interruption_wait (&self->interruption)
         && self->delivery == XMEM_DELIVERY_LATEST
         && gst_xmem_times_is_outdated (&self->times, frame))
    xmem_frame_unref (frame);
  if (flow != GST_FLOW_OK)
    return flow;
  flow = follow_stream (
      self, xmem_frame_get_stream (frame), xmem_frame_get_epoch (frame));
  if (flow == GST_FLOW_OK) {
    *buffer = make_buffer (self, frame);
    if (!*buffer)
      flow = GST_FLOW_ERROR;
  }
  if (flow == GST_FLOW_OK) {
    gst_xmem_times_set (&self->times, frame, *buffer);
    if (self->add_reference_timestamps)
      gst_xmem_history_add_times (*buffer, xmem_frame_get_info (frame));
    mark_gap (self, frame, *buffer);
    GST_LOG_OBJECT (self, "frame %" G_GUINT64_FORMAT " %" GST_PTR_FORMAT,
        xmem_frame_get_sequence (frame), *buffer);
    if (gst_base_src_is_live (GST_BASE_SRC (self))
        && self->delivery == XMEM_DELIVERY_EVERY)
      gst_xmem_interruption_bring (&self->interruption, *buffer);
  }
  xmem_frame_unref (frame);
  return flow;
}

/* --- xmem://NAME and xmem:///path ---------------------------------------- */

static GstURIType
gst_xmem_src_uri_get_type (GType type)
{
  return GST_URI_SRC;
}

static const gchar *const *
gst_xmem_src_uri_get_protocols (GType type)
{
  static const gchar *const protocols[] = { "xmem", NULL };

  return protocols;
}

static gchar *
gst_xmem_src_uri_get_uri (GstURIHandler *handler)
{
  GstXmemSrc *self = GST_XMEM_SRC (handler);
  gchar *uri;

  GST_OBJECT_LOCK (self);
  uri = gst_xmem_uri_from_address (self->socket_path);
  GST_OBJECT_UNLOCK (self);
  return uri;
}

static gboolean
gst_xmem_src_uri_set_uri (
    GstURIHandler *handler, const gchar *uri, GError **error)
{
  g_autofree gchar *address = gst_xmem_uri_to_address (uri, error);

  if (address)
    g_object_set (handler, "socket-path", address, NULL);
  return address != NULL;
}

static void
gst_xmem_src_uri_handler_init (GstURIHandlerInterface *iface)
{
  iface->get_type = gst_xmem_src_uri_get_type;
  iface->get_protocols = gst_xmem_src_uri_get_protocols;
  iface->get_uri = gst_xmem_src_uri_get_uri;
  iface->set_uri = gst_xmem_src_uri_set_uri;
}

/* --- properties ---------------------------------------------------------- */

static GstStructure *
make_stats (GstXmemSrc *self)
{
  g_autoptr (GstStructure) metas_dropped =
      gst_xmem_tally_get (&self->metas_dropped, "metas-dropped");
  struct xmem_subscriber_stats stats = { 0 };
  GstStructure *structure;

  GST_OBJECT_LOCK (self);
  if (self->subscriber)
    xmem_subscriber_get_stats (self->subscriber, &stats);
  structure = gst_structure_new ("application/x-xmemsrc-stats",
      "frames-received", G_TYPE_UINT64, stats.frames_received, "frames-lost",
      G_TYPE_UINT64, stats.frames_lost, "frames-repacked", G_TYPE_UINT64,
      self->frames_repacked, "frames-copied", G_TYPE_UINT64,
      self->frames_copied, "frames-held", G_TYPE_UINT, stats.frames_held,
      "segments", G_TYPE_UINT, stats.n_segments, "segments-received",
      G_TYPE_UINT64, stats.segments_received, "publisher-pid", G_TYPE_INT,
      stats.publisher_pid, "latency-min", G_TYPE_UINT64, stats.latency_min_ns,
      "latency-mean", G_TYPE_UINT64, stats.latency_mean_ns, "latency-max",
      G_TYPE_UINT64, stats.latency_max_ns, "latency-p50", G_TYPE_UINT64,
      stats.latency_p50_ns, "latency-p99", G_TYPE_UINT64, stats.latency_p99_ns,
      "metas-dropped", GST_TYPE_STRUCTURE, metas_dropped, NULL);
  GST_OBJECT_UNLOCK (self);
  return structure;
}

static const gsize settings[N_PROPERTIES] = {
  [PROP_SOCKET_PATH] = G_STRUCT_OFFSET (GstXmemSrc, socket_path),
  [PROP_DELIVERY] = G_STRUCT_OFFSET (GstXmemSrc, delivery),
  [PROP_MAX_BUFFERS] = G_STRUCT_OFFSET (GstXmemSrc, max_buffers),
  [PROP_CONNECTION_TIMEOUT] = G_STRUCT_OFFSET (GstXmemSrc, connection_timeout),
  [PROP_ON_DISCONNECT] = G_STRUCT_OFFSET (GstXmemSrc, on_disconnect),
  [PROP_ON_EOS] = G_STRUCT_OFFSET (GstXmemSrc, on_eos),
  [PROP_RECONNECT_INTERVAL] = G_STRUCT_OFFSET (GstXmemSrc, reconnect_interval),
  [PROP_ADD_REFERENCE_TIMESTAMP_META] =
      G_STRUCT_OFFSET (GstXmemSrc, add_reference_timestamps),
  [PROP_CUDA_IO_MODE] = G_STRUCT_OFFSET (GstXmemSrc, cuda_io_mode),
  [PROP_CUDA_COMPLETE] = G_STRUCT_OFFSET (GstXmemSrc, cuda_complete),
};

static void
gst_xmem_src_set_property (
    GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  if (id == PROP_IS_LIVE)
    gst_base_src_set_live (GST_BASE_SRC (object), g_value_get_boolean (value));
  else
    gst_xmem_settings_set (object, settings, id, value, pspec);
}

static void
gst_xmem_src_get_property (
    GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  switch (id) {
    case PROP_IS_LIVE:
      g_value_set_boolean (value, gst_base_src_is_live (GST_BASE_SRC (object)));
      break;
    case PROP_STATS:
      g_value_take_boxed (value, make_stats (GST_XMEM_SRC (object)));
      break;
    default:
      gst_xmem_settings_get (object, settings, id, value, pspec);
  }
}

static void
gst_xmem_src_finalize (GObject *object)
{
  g_free (GST_XMEM_SRC (object)->socket_path);
  gst_xmem_gpu_clear (&GST_XMEM_SRC (object)->gpu);
  gst_xmem_tally_clear (&GST_XMEM_SRC (object)->metas_dropped);
  gst_xmem_interruption_clear (&GST_XMEM_SRC (object)->interruption);
  G_OBJECT_CLASS (gst_xmem_src_parent_class)->finalize (object);
}

static void
install_properties (GObjectClass *klass)
{
  const GParamFlags rw = GST_XMEM_SETTING;
  const GParamFlags ro = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  specs[PROP_SOCKET_PATH] = g_param_spec_string ("socket-path", "Socket path",
      "Where the producer is: a name in a runtime folder, a path with a "
      "slash, or @name in the abstract namespace",
      DEFAULT_SOCKET_PATH, rw);
  specs[PROP_IS_LIVE] = g_param_spec_boolean ("is-live", "Is live",
      "Map times by clock, as a live source; false keeps the producer's "
      "running times",
      TRUE, rw);
  specs[PROP_DELIVERY] = g_param_spec_enum ("delivery", "Delivery",
      "Which frames to get when this pipeline is slower than the producer",
      gst_xmem_delivery_get_type (), XMEM_DELIVERY_LATEST, rw);
  specs[PROP_MAX_BUFFERS] =
      g_param_spec_uint ("max-buffers", "Maximum of buffers",
          "How many frames to hold at once; the producer may grant fewer. When "
          "this pipeline keeps more, frames are copied out",
          1, XMEM_MAX_GRANT, DEFAULT_MAX_BUFFERS, rw);
  specs[PROP_CONNECTION_TIMEOUT] =
      g_param_spec_uint ("connection-timeout", "Connection timeout",
          "Seconds to wait for a producer that is not there yet (0 = no limit)",
          0, G_MAXUINT, DEFAULT_CONNECTION_TIMEOUT, rw);
  specs[PROP_ON_DISCONNECT] = g_param_spec_enum ("on-disconnect",
      "On disconnect",
      "What to do when the producer stops or dies without an end of stream",
      gst_xmem_on_disconnect_get_type (), GST_XMEM_ON_DISCONNECT_RECONNECT, rw);
  specs[PROP_ON_EOS] = g_param_spec_enum ("on-eos", "On end of stream",
      "What to do when the producer's stream ends", gst_xmem_on_eos_get_type (),
      GST_XMEM_ON_EOS_EOS, rw);
  specs[PROP_RECONNECT_INTERVAL] = g_param_spec_uint ("reconnect-interval",
      "Reconnect interval", "Milliseconds between two looks for a producer", 1,
      G_MAXINT, DEFAULT_RECONNECT_INTERVAL, rw);
  specs[PROP_ADD_REFERENCE_TIMESTAMP_META] = g_param_spec_boolean (
      "add-reference-timestamp-meta", "Add reference timestamp metas",
      "Add to each buffer the producer's own pts (timestamp/x-xmem-pts) "
      "and "
      "the CLOCK_MONOTONIC time of its capture (timestamp/x-xmem-capture)",
      FALSE, rw);
  specs[PROP_CUDA_IO_MODE] = g_param_spec_enum ("cuda-io-mode", "CUDA IO mode",
      "What to hand out of frames in CUDA memory",
      gst_xmem_cuda_io_mode_get_type (), GST_XMEM_CUDA_IO_IMPORT, rw);
  specs[PROP_CUDA_COMPLETE] =
      g_param_spec_boolean ("cuda-complete", "CUDA complete",
          "Have the producer wait until frames in CUDA memory are written, "
          "where "
          "CUDA events cannot be shared (containers without a common /dev/shm)",
          FALSE, rw);
  specs[PROP_STATS] = g_param_spec_boxed ("stats", "Statistics",
      "Frames received, lost, copied, repacked, held; one-way latency in "
      "ns; metas that were not understood, by name",
      GST_TYPE_STRUCTURE, ro);
  g_object_class_install_properties (klass, N_PROPERTIES, specs);
}

static void
gst_xmem_src_class_init (GstXmemSrcClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstBaseSrcClass *src_class = GST_BASE_SRC_CLASS (klass);

  object_class->set_property = gst_xmem_src_set_property;
  object_class->get_property = gst_xmem_src_get_property;
  object_class->finalize = gst_xmem_src_finalize;
  install_properties (object_class);
  gst_type_mark_as_plugin_api (gst_xmem_delivery_get_type (), 0);
  gst_type_mark_as_plugin_api (gst_xmem_on_disconnect_get_type (), 0);
  gst_type_mark_as_plugin_api (gst_xmem_on_eos_get_type (), 0);
  gst_type_mark_as_plugin_api (gst_xmem_cuda_io_mode_get_type (), 0);

  element_class->change_state = gst_xmem_src_change_state;
  element_class->set_context = gst_xmem_src_set_context;
  src_class->start = gst_xmem_src_start;
  src_class->stop = gst_xmem_src_stop;
  src_class->unlock = gst_xmem_src_unlock;
  src_class->unlock_stop = gst_xmem_src_unlock_stop;
  src_class->negotiate = gst_xmem_src_negotiate;
  src_class->decide_allocation = gst_xmem_src_decide_allocation;
  src_class->event = gst_xmem_src_event;
  src_class->query = gst_xmem_src_query;
  src_class->is_seekable = gst_xmem_src_is_seekable;
  GST_PUSH_SRC_CLASS (klass)->create = gst_xmem_src_create;

  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_set_static_metadata (element_class, "xmem source",
      "Source/Network",
      "Receives frames that an xmemsink (or a program on libxmem) in another "
      "process publishes, without copying them: its buffers are read-only "
      "views of the producer's memory.  Examples:  gst-launch-1.0 xmemsrc ! "
      "videoconvert ! autovideosink  |  gst-launch-1.0 xmemsrc "
      "socket-path=/tmp/clip delivery=every is-live=false ! filesink "
      "location=frames.raw",
      "xmem authors");
}

static GstPadProbeReturn
on_push (GstPad *pad, GstPadProbeInfo *info, gpointer interruption)
{
  gst_xmem_interruption_pushed (interruption);
  return GST_PAD_PROBE_OK;
}

static void
gst_xmem_src_init (GstXmemSrc *self)
{
  gst_xmem_settings_init (G_OBJECT (self), settings, specs, N_PROPERTIES);
  gst_xmem_srcpad_init (GST_BASE_SRC (self), &self->hold_stream_start);
  gst_pad_add_probe (GST_BASE_SRC_PAD (self), GST_PAD_PROBE_TYPE_BUFFER,
      on_push, &self->interruption, NULL);
  gst_xmem_times_init (&self->times, GST_BASE_SRC (self));
  gst_xmem_gpu_init (&self->gpu, GST_ELEMENT (self));
  self->format.gpu = &self->gpu;
  gst_xmem_tally_init (&self->metas_dropped);
  gst_xmem_interruption_init (&self->interruption);
  gst_base_src_set_live (GST_BASE_SRC (self), TRUE);
  gst_base_src_set_format (GST_BASE_SRC (self), GST_FORMAT_TIME);
}
