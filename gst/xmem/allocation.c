/* SPDX-License-Identifier: MIT */
/* Keeps no state. Threads: the streaming thread of one sink. */
#include "allocation.h"

#include <gst/allocators/gstdmabuf.h>
#include <gst/video/video.h>

#include "foreign.h"

static gboolean
raw_video_info (GstCaps *caps, GstVideoInfo *info)
{
  return caps && gst_video_info_from_caps (info, caps) && info->size > 0
         && gst_caps_features_is_equal (gst_caps_get_features (caps, 0),
             GST_CAPS_FEATURES_MEMORY_SYSTEM_MEMORY);
}

gboolean
gst_xmem_allocation_check (GstElement *element, GstCaps *caps)
{
  GstCapsFeatures *features = gst_caps_get_features (caps, 0);

  for (guint i = 0; features && i < gst_caps_features_get_size (features);
       i++) {
    const gchar *feature = gst_caps_features_get_nth (features, i);

    if (!g_str_has_prefix (feature, "memory:")
        || g_str_equal (feature, GST_CAPS_FEATURE_MEMORY_SYSTEM_MEMORY)
        || g_str_equal (feature, GST_CAPS_FEATURE_MEMORY_DMABUF))
      continue;
    GST_ELEMENT_ERROR (element, STREAM, FORMAT,
        ("%s cannot be shared with other processes; download it to system "
         "memory before.",
            feature),
        (NULL));
    return FALSE;
  }
  return TRUE;
}

static GstBufferPool *
make_pool (GstXmemAllocator *allocator, GstCaps *caps, guint size)
{
  GstBufferPool *pool = gst_xmem_buffer_pool_new (allocator);
  GstStructure *config = gst_buffer_pool_get_config (pool);

  gst_buffer_pool_config_set_params (config, caps, size, 0, 0);
  if (!gst_buffer_pool_set_config (pool, config))
    gst_clear_object (&pool);
  return pool;
}

void
gst_xmem_allocation_propose (GstXmemAllocator *allocator, GstQuery *query)
{
  g_autoptr (GstBufferPool) pool = NULL;
  GstVideoInfo info;
  GstCaps *caps;
  gboolean need_pool;

  gst_query_parse_allocation (query, &caps, &need_pool);
  if (need_pool && raw_video_info (caps, &info))
    pool = make_pool (allocator, caps, info.size);
  if (pool)
    gst_query_add_allocation_pool (query, pool, info.size, 0, 0);
  if (!gst_xmem_caps_are_dmabuf (caps))
    gst_query_add_allocation_param (query, GST_ALLOCATOR (allocator), NULL);
}

void
gst_xmem_allocation_trim (GstXmemAllocator *allocator, GstCaps *caps)
{
  GstVideoInfo info;

  if (raw_video_info (caps, &info))
    xmem_pool_trim (gst_xmem_allocator_get_pool (allocator), info.size);
}

/* The element that made the memory: behind queues, tees and the like. */
static GstElement *
find_origin (GstElement *element)
{
  GstElement *origin = NULL;
  GstPad *pad = gst_element_get_static_pad (element, "sink");

  while (pad) {
    g_autoptr (GstPad) peer = gst_pad_get_peer (pad);
    GstElement *upstream = peer ? gst_pad_get_parent_element (peer) : NULL;

    gst_clear_object (&pad);
    if (!upstream)
      break;
    gst_clear_object (&origin);
    origin = upstream;
    if (g_strcmp0 (
            gst_element_get_metadata (upstream, GST_ELEMENT_METADATA_KLASS),
            "Generic")
        == 0)
      pad = gst_element_get_static_pad (upstream, "sink");
  }
  return origin;
}

void
gst_xmem_allocation_refuse (GstElement *element, const gchar *what)
{
  g_autoptr (GstElement) origin = find_origin (element);

  GST_ELEMENT_ERROR (element, STREAM, FORMAT,
      ("%s gave %s, which would have to be copied, and that is not possible or "
       "not allowed (allow-copy).",
          origin ? GST_OBJECT_NAME (origin) : "upstream", what),
      ("It did not use the pool or the allocator that xmemsink proposed; "
       "behind a tee, or from an appsrc, use those of libgstxmem."));
}
