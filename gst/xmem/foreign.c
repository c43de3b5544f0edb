/* SPDX-License-Identifier: MIT */
/* The files are known by device and inode: elements wrap the same one anew for
 * each buffer. While a file is known its descriptor is open here, so that its
 * inode is not another file's meanwhile.
 *
 * Invariant: a region that was given out belongs to one of the last files used,
 * and these are never the ones that make room. */
#include "foreign.h"

#include <sys/stat.h>

#include <gst/allocators/allocators.h>

#include <xmem/segment.h>

#include "gpu.h"
#include "gstxmem.h"

/* Enough for pools of devices, which have up to 32 buffers of two planes. What
 * is known here stays allocated, whether or not upstream has still use for it. */
#define MAX_FILES 64

G_STATIC_ASSERT (MAX_FILES > XMEM_MAX_REGIONS);

typedef struct {
  dev_t device;
  ino_t inode;
  struct xmem_segment *segment;
  guint64 used; /* when, in calls */
} File;

struct _GstXmemForeign {
  gint refs;
  gint n_held; /* buffers of upstream's that are out */
  gboolean only_dmabufs; /* the caps say so */
  guint64 n_calls;
  guint n_files;
  File files[MAX_FILES];
};

gboolean
gst_xmem_caps_are_dmabuf (GstCaps *caps)
{
  GstCapsFeatures *features = caps ? gst_caps_get_features (caps, 0) : NULL;

  return features
         && gst_caps_features_contains (
             features, GST_CAPS_FEATURE_MEMORY_DMABUF);
}

GstXmemForeign *
gst_xmem_foreign_new (GstCaps *caps)
{
  GstXmemForeign *self = g_new0 (GstXmemForeign, 1);

  self->refs = 1;
  self->only_dmabufs = gst_xmem_caps_are_dmabuf (caps);
  return self;
}

static void
foreign_unref (GstXmemForeign *self)
{
  if (g_atomic_int_dec_and_test (&self->refs))
    g_free (self);
}

/* --- files --------------------------------------------------------------- */

static void
forget (GstXmemForeign *self, File *file)
{
  xmem_segment_retire (file->segment);
  xmem_segment_unref (file->segment);
  *file = self->files[--self->n_files];
}

void
gst_xmem_foreign_end (GstXmemForeign *self)
{
  if (!self)
    return;
  while (self->n_files > 0)
    forget (self, &self->files[self->n_files - 1]);
  foreign_unref (self);
}

static File *
find (GstXmemForeign *self, const struct stat *st)
{
  for (guint i = 0; i < self->n_files; i++)
    if (self->files[i].inode == st->st_ino
        && self->files[i].device == st->st_dev)
      return &self->files[i];
  return NULL;
}

static void
make_room (GstXmemForeign *self)
{
  File *oldest = &self->files[0];

  if (self->n_files < MAX_FILES)
    return;
  for (guint i = 1; i < self->n_files; i++)
    if (self->files[i].used < oldest->used)
      oldest = &self->files[i];
  forget (self, oldest);
}

static gboolean
is_inside (const File *file, const GstMemory *memory)
{
  guint64 size = xmem_segment_get_size (file->segment);

  return memory->offset <= size && memory->size <= size - memory->offset;
}

static void
say (struct xmem_error *error, int status, const gchar *words)
{
  error->status = status;
  error->sys_errno = 0;
  g_strlcpy (error->message, words, sizeof (error->message));
}

/* The file of an fd, known from now on. */
static File *
get_file (GstXmemForeign *self, int fd, const GstMemory *memory,
    struct xmem_error *error)
{
  struct xmem_segment *segment;
  struct stat st;
  File *file;

  if (fstat (fd, &st) < 0) {
    say (error, XMEM_UNSUPPORTED, "it has no file");
    return NULL;
  }
  file = find (self, &st);
  if (file && is_inside (file, memory))
    return file;
  if (xmem_segment_new_dup_fd (fd, &segment, error) != 0)
    return NULL;
  if (file) /* has grown since */
    forget (self, file);
  make_room (self);
  file = &self->files[self->n_files++];
  *file = (File){ .device = st.st_dev, .inode = st.st_ino, .segment = segment };
  say (error, XMEM_UNSUPPORTED, "its file ends before it does");
  return is_inside (file, memory) ? file : NULL;
}

gboolean
gst_xmem_foreign_get_region (GstXmemForeign *self, GstMemory *memory,
    struct xmem_region *region_out, struct xmem_error *error)
{
  File *file;

  if (!gst_is_fd_memory (memory)) {
    say (error, XMEM_UNSUPPORTED, "it has no file");
    return FALSE;
  }
  file = get_file (self, gst_fd_memory_get_fd (memory), memory, error);
  if (!file)
    return FALSE;
  file->used = ++self->n_calls;
  region_out->segment = file->segment;
  region_out->id = self->n_calls << 32 | (guint64) (file - self->files);
  region_out->offset = memory->offset;
  region_out->size = memory->size;
  return TRUE;
}

/* --- buffers ------------------------------------------------------------- */

/* Of the buffer, or of that whose memory it has. */
static GstBufferPool *
get_pool (GstBuffer *buffer)
{
  GstParentBufferMeta *meta;

  while (!buffer->pool
         && (meta = gst_buffer_get_parent_buffer_meta (buffer)) != NULL)
    buffer = meta->buffer;
  return buffer->pool;
}

/* Whether one buffer more can be kept and upstream goes on: at most half of a
 * pool that does not grow. */
static gboolean
may_hold (GstXmemForeign *self, GstBuffer *buffer)
{
  GstBufferPool *pool = get_pool (buffer);
  GstStructure *config;
  guint max = 0;

  if (!pool)
    return TRUE;
  config = gst_buffer_pool_get_config (pool);
  gst_buffer_pool_config_get_params (config, NULL, NULL, NULL, &max);
  gst_structure_free (config);
  return max == 0 || (guint) g_atomic_int_get (&self->n_held) < max / 2;
}

/* Whether it can be published; *foreign when it is not ours. */
static gboolean
look_at (GstXmemForeign *self, GstMemory *memory, gboolean *foreign,
    struct xmem_error *error)
{
  gboolean is_ours =
      gst_is_xmem_memory (memory) || gst_xmem_gpu_is_shared (memory);
  struct xmem_region region;

  *foreign |= !is_ours;
  if (!is_ours && !gst_xmem_foreign_get_region (self, memory, &region, error))
    return FALSE;
  if (!self->only_dmabufs
      || (!is_ours && xmem_segment_is_dmabuf (region.segment)))
    return TRUE;
  say (error, XMEM_UNSUPPORTED, "it is no dmabuf, which the caps promise");
  return FALSE;
}

GstXmemPlan
gst_xmem_foreign_plan (GstXmemForeign *self, GstBuffer *buffer,
    gboolean *may_copy, struct xmem_error *error)
{
  gboolean foreign = FALSE;

  *may_copy = !self->only_dmabufs;
  for (guint i = 0; i < gst_buffer_n_memory (buffer); i++) {
    GstMemory *memory = gst_buffer_peek_memory (buffer, i);
    g_autofree gchar *words = NULL;

    if (memory->size == 0 || look_at (self, memory, &foreign, error))
      continue;
    words = g_strdup_printf (
        "memory of type %s (%s)", memory->allocator->mem_type, error->message);
    say (error, XMEM_UNSUPPORTED, words);
    return GST_XMEM_PLAN_COPY;
  }
  if (!foreign || may_hold (self, buffer))
    return GST_XMEM_PLAN_SHARE;
  say (error, XMEM_FULL,
      "they have half of the buffers that upstream's pool has");
  return GST_XMEM_PLAN_SPARE;
}

GstXmemForeign *
gst_xmem_foreign_hold (GstXmemForeign *self)
{
  g_atomic_int_inc (&self->refs);
  g_atomic_int_inc (&self->n_held);
  return self;
}

void
gst_xmem_foreign_drop (GstXmemForeign *self)
{
  g_atomic_int_add (&self->n_held, -1);
  foreign_unref (self);
}
