/* SPDX-License-Identifier: MIT */
/**
 * SECTION:element-xmemalloc
 * @title: xmemalloc
 *
 * Passes everything through, and offers shared memory to the element before it:
 * what that writes there an xmemsink further down publishes without a copy, also
 * behind elements that do not pass on what xmemsink proposes, such as tee.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 filesrc location=clip.mp4 ! decodebin ! xmemalloc \
 *     ! tee name=t  t. ! queue ! xmemsink  t. ! queue ! autovideosink
 * ]|
 *
 * Threads: as GstBaseTransform.
 */
#include "gstxmemalloc.h"

#include "allocation.h"
#include "gpu.h"
#include "settings.h"

#define DEFAULT_MAX_POOL_BYTES (G_GUINT64_CONSTANT (1) << 30)

enum { PROP_0, PROP_MAX_POOL_BYTES, N_PROPERTIES };
static GParamSpec *specs[N_PROPERTIES];

struct _GstXmemAlloc {
  GstBaseTransform parent;

  guint64 max_pool_bytes; /* under the object lock; read at start */
  GstXmemAllocator *allocator; /* from start to stop */
  GstXmemGpu gpu;
};

G_DEFINE_TYPE (GstXmemAlloc, gst_xmem_alloc, GST_TYPE_BASE_TRANSFORM)
GST_ELEMENT_REGISTER_DEFINE (
    xmemalloc, "xmemalloc", GST_RANK_NONE, GST_TYPE_XMEM_ALLOC)

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE (
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE (
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

static gboolean
gst_xmem_alloc_start (GstBaseTransform *transform)
{
  GstXmemAlloc *self = GST_XMEM_ALLOC (transform);

  self->allocator =
      GST_XMEM_ALLOCATOR (gst_xmem_allocator_new (self->max_pool_bytes));
  self->gpu.max_bytes = self->max_pool_bytes;
  return TRUE;
}

static gboolean
gst_xmem_alloc_stop (GstBaseTransform *transform)
{
  g_clear_object (&GST_XMEM_ALLOC (transform)->allocator);
  gst_xmem_gpu_reset (&GST_XMEM_ALLOC (transform)->gpu);
  return TRUE;
}

static void
gst_xmem_alloc_set_context (GstElement *element, GstContext *context)
{
  gst_xmem_gpu_set_context (&GST_XMEM_ALLOC (element)->gpu, context);
  GST_ELEMENT_CLASS (gst_xmem_alloc_parent_class)
      ->set_context (element, context);
}

static gboolean
gst_xmem_alloc_query (
    GstBaseTransform *transform, GstPadDirection direction, GstQuery *query)
{
  return gst_xmem_gpu_query (&GST_XMEM_ALLOC (transform)->gpu, query)
         || GST_BASE_TRANSFORM_CLASS (gst_xmem_alloc_parent_class)
                ->query (transform, direction, query);
}

static gboolean
gst_xmem_alloc_set_caps (
    GstBaseTransform *transform, GstCaps *in_caps, GstCaps *out_caps)
{
  gst_xmem_allocation_trim (GST_XMEM_ALLOC (transform)->allocator, in_caps);
  gst_xmem_gpu_set_caps (&GST_XMEM_ALLOC (transform)->gpu, in_caps);
  return TRUE;
}

/* What downstream understands stays its word; where to write is ours. */
static gboolean
gst_xmem_alloc_propose_allocation (
    GstBaseTransform *transform, GstQuery *decide_query, GstQuery *query)
{
  GstXmemAlloc *self = GST_XMEM_ALLOC (transform);
  GstCaps *caps;

  if (!self->allocator)
    return FALSE;
  (void) gst_pad_peer_query (GST_BASE_TRANSFORM_SRC_PAD (self), query);
  while (gst_query_get_n_allocation_pools (query) > 0)
    gst_query_remove_nth_allocation_pool (query, 0);
  while (gst_query_get_n_allocation_params (query) > 0)
    gst_query_remove_nth_allocation_param (query, 0);
  gst_query_parse_allocation (query, &caps, NULL);
  if (caps && gst_xmem_gpu_takes (caps))
    return gst_xmem_gpu_propose (&self->gpu, query);
  gst_xmem_allocation_propose (self->allocator, query);
  return TRUE;
}

static const gsize settings[N_PROPERTIES] = {
  [PROP_MAX_POOL_BYTES] = G_STRUCT_OFFSET (GstXmemAlloc, max_pool_bytes),
};

static void
gst_xmem_alloc_set_property (
    GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  gst_xmem_settings_set (object, settings, id, value, pspec);
}

static void
gst_xmem_alloc_get_property (
    GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  gst_xmem_settings_get (object, settings, id, value, pspec);
}

static void
gst_xmem_alloc_finalize (GObject *object)
{
  gst_xmem_gpu_clear (&GST_XMEM_ALLOC (object)->gpu);
  G_OBJECT_CLASS (gst_xmem_alloc_parent_class)->finalize (object);
}

static void
gst_xmem_alloc_class_init (GstXmemAllocClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstBaseTransformClass *transform_class = GST_BASE_TRANSFORM_CLASS (klass);

  object_class->set_property = gst_xmem_alloc_set_property;
  object_class->get_property = gst_xmem_alloc_get_property;
  object_class->finalize = gst_xmem_alloc_finalize;
  specs[PROP_MAX_POOL_BYTES] =
      g_param_spec_uint64 ("max-pool-bytes", "Maximum of pool bytes",
          "Most shared memory offered to upstream elements; beyond it they get "
          "system memory, which xmemsink copies",
          1, G_MAXUINT64, DEFAULT_MAX_POOL_BYTES, GST_XMEM_SETTING);
  g_object_class_install_properties (object_class, N_PROPERTIES, specs);

  element_class->set_context = gst_xmem_alloc_set_context;
  transform_class->start = gst_xmem_alloc_start;
  transform_class->stop = gst_xmem_alloc_stop;
  transform_class->set_caps = gst_xmem_alloc_set_caps;
  transform_class->propose_allocation = gst_xmem_alloc_propose_allocation;
  transform_class->query = gst_xmem_alloc_query;
  transform_class->passthrough_on_same_caps = TRUE;

  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_set_static_metadata (element_class, "xmem allocator",
      "Generic",
      "Offers shared memory to the element before it, so that an xmemsink "
      "behind a tee publishes without a copy.  Example:  gst-launch-1.0 "
      "videotestsrc ! xmemalloc ! tee name=t  t. ! queue ! xmemsink  t. ! "
      "queue ! autovideosink",
      "xmem authors");
}

static void
gst_xmem_alloc_init (GstXmemAlloc *self)
{
  gst_xmem_settings_init (G_OBJECT (self), settings, specs, N_PROPERTIES);
  gst_xmem_gpu_init (&self->gpu, GST_ELEMENT (self));
  gst_base_transform_set_passthrough (GST_BASE_TRANSFORM (self), TRUE);
}
