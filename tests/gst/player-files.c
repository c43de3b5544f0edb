/* SPDX-License-Identifier: MIT */
/* Frames in files that no pool of ours made, as devices and other programs make
 * them: written through a mapping from before they were sealed, and wrapped anew
 * for each buffer, or buffers of a pool that cannot grow.
 *
 * Threads: a feed is a thread; what frees a memory, any, tells it so under the
 * lock. */
#include "player-files.h"

#include <fcntl.h>
#include <gst/allocators/allocators.h>
#include <gst/video/video.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/dmabuf-double.h"
#include "harness/frames.h"

#define PICTURE_WIDTH 160
#define PICTURE_HEIGHT 120

struct file {
  int fd;
  uint8_t *data;
  size_t size;
  gboolean busy; /* somebody has its memory; under the lock */
};

static GMutex lock;
static GCond changed;

/* --- files --------------------------------------------------------------- */

static unsigned
seals_of (enum player_file kind)
{
  switch (kind) {
    case PLAYER_FILE_SEALED:
      return F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE;
    case PLAYER_FILE_SHRINKABLE:
      return F_SEAL_GROW | F_SEAL_FUTURE_WRITE;
    default:
      return 0;
  }
}

static struct file *
file_new (const struct player_files *files)
{
  struct file *file = g_new0 (struct file, 1);

  file->size = files->size;
  if (files->kind == PLAYER_FILE_DMABUF) {
    file->fd = dmabuf_double_new (file->size);
  } else {
    file->fd = memfd_create ("file", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    g_assert_cmpint (ftruncate (file->fd, (off_t) file->size), ==, 0);
  }
  file->data =
      mmap (NULL, file->size, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);
  g_assert_true (file->data != MAP_FAILED);
  if (files->kind != PLAYER_FILE_DMABUF)
    g_assert_cmpint (
        fcntl (file->fd, F_ADD_SEALS, seals_of (files->kind)), ==, 0);
  return file;
}

/* What can be shrunk is, while others may still have it. */
static void
file_free (gpointer data)
{
  struct file *file = data;

  if (fcntl (file->fd, F_GET_SEALS) == (int) seals_of (PLAYER_FILE_SHRINKABLE))
    g_assert_cmpint (ftruncate (file->fd, 0), ==, 0);
  munmap (file->data, file->size);
  close (file->fd);
  g_free (file);
}

/* The memory is free again. */
static void
file_returns (gpointer data)
{
  struct file *file = data;

  g_mutex_lock (&lock);
  file->busy = FALSE;
  g_cond_broadcast (&changed);
  g_mutex_unlock (&lock);
}

static void
file_wait (struct file *file)
{
  g_mutex_lock (&lock);
  while (file->busy)
    g_cond_wait (&changed, &lock);
  file->busy = TRUE;
  g_mutex_unlock (&lock);
}

/* Memory of the whole file; `gone` is called with it. */
static GstMemory *
file_wrap (struct file *file, enum player_file kind, GDestroyNotify gone)
{
  g_autoptr (GstAllocator) allocator = kind == PLAYER_FILE_DMABUF
                                           ? gst_dmabuf_allocator_new ()
                                           : gst_fd_allocator_new ();
  GstMemory *memory = gst_fd_allocator_alloc (
      allocator, dup (file->fd), file->size, GST_FD_MEMORY_FLAG_KEEP_MAPPED);

  gst_mini_object_set_qdata (GST_MINI_OBJECT (memory),
      g_quark_from_static_string ("file"), file, gone);
  return memory;
}

/* --- a pool -------------------------------------------------------------- */

typedef struct {
  GstBufferPool parent;
  struct player_files files;
} FilePool;

typedef GstBufferPoolClass FilePoolClass;

static GType file_pool_get_type (void);
G_DEFINE_TYPE (FilePool, file_pool, GST_TYPE_BUFFER_POOL)

static GstFlowReturn
file_pool_alloc_buffer (
    GstBufferPool *pool, GstBuffer **buffer, GstBufferPoolAcquireParams *params)
{
  const struct player_files *files = &((FilePool *) pool)->files;

  *buffer = gst_buffer_new ();
  gst_buffer_append_memory (
      *buffer, file_wrap (file_new (files), files->kind, file_free));
  return GST_FLOW_OK;
}

static void
file_pool_class_init (FilePoolClass *klass)
{
  GST_BUFFER_POOL_CLASS (klass)->alloc_buffer = file_pool_alloc_buffer;
}

static void
file_pool_init (FilePool *self)
{
}

static GstBufferPool *
file_pool_new (const struct player_files *files)
{
  GstBufferPool *pool = g_object_new (file_pool_get_type (), NULL);
  GstStructure *config = gst_buffer_pool_get_config (pool);

  ((FilePool *) pool)->files = *files;
  gst_buffer_pool_config_set_params (
      config, NULL, files->size, files->n_files, files->n_files);
  g_assert_true (gst_buffer_pool_set_config (pool, config));
  g_assert_true (gst_buffer_pool_set_active (pool, TRUE));
  return pool;
}

/* --- feeding ------------------------------------------------------------- */

struct feed {
  GstAppSrc *appsrc;
  unsigned n_frames;
  struct player_files files;
  GstBufferPool *pool; /* NULL without */
  GPtrArray *ring; /* of files */
};

static struct file *
choose_file (struct feed *feed, unsigned number)
{
  unsigned n = feed->files.n_files;

  if (n == 0)
    return file_new (&feed->files);
  if (number < n)
    g_ptr_array_add (feed->ring, file_new (&feed->files));
  file_wait (feed->ring->pdata[number % n]);
  return feed->ring->pdata[number % n];
}

static void
add_layout (GstBuffer *buffer, unsigned stride)
{
  gsize offset[GST_VIDEO_MAX_PLANES] = { 0, stride * PICTURE_HEIGHT };
  gint strides[GST_VIDEO_MAX_PLANES] = { (gint) stride, (gint) stride };

  gst_buffer_add_video_meta_full (buffer, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_FORMAT_NV12, PICTURE_WIDTH, PICTURE_HEIGHT, 2, offset, strides);
}

static GstBuffer *
next_buffer (struct feed *feed, unsigned number)
{
  GstBuffer *buffer = NULL;
  struct file *file;

  if (feed->pool) {
    g_assert_cmpint (gst_buffer_pool_acquire_buffer (feed->pool, &buffer, NULL),
        ==, GST_FLOW_OK);
    file = gst_mini_object_get_qdata (
        GST_MINI_OBJECT (gst_buffer_peek_memory (buffer, 0)),
        g_quark_from_static_string ("file"));
  } else {
    file = choose_file (feed, number);
    buffer = gst_buffer_new ();
    gst_buffer_append_memory (
        buffer, file_wrap (file, feed->files.kind,
                    feed->files.n_files ? file_returns : file_free));
  }
  frames_stamp (file->data, file->size, number);
  if (feed->files.stride > 0)
    add_layout (buffer, feed->files.stride);
  GST_BUFFER_OFFSET (buffer) = number;
  GST_BUFFER_PTS (buffer) = number * GST_MSECOND;
  return buffer;
}

static gpointer
feed_thread (gpointer data)
{
  struct feed *feed = data;

  for (unsigned i = 0; i < feed->n_frames; i++)
    if (gst_app_src_push_buffer (feed->appsrc, next_buffer (feed, i))
        != GST_FLOW_OK)
      break;
  gst_app_src_end_of_stream (feed->appsrc);
  if (feed->pool)
    gst_buffer_pool_set_active (feed->pool, FALSE);
  gst_clear_object (&feed->pool);
  for (guint i = 0; i < feed->ring->len; i++)
    file_wait (feed->ring->pdata[i]);
  g_ptr_array_unref (feed->ring);
  gst_object_unref (feed->appsrc);
  g_free (feed);
  return NULL;
}

void
files_feed (GstAppSrc *take_appsrc, const char *caps_text, unsigned n_frames,
    const struct player_files *files)
{
  g_autoptr (GstCaps) caps = gst_caps_from_string (caps_text);
  struct feed *feed = g_new0 (struct feed, 1);

  g_assert_nonnull (caps);
  g_object_set (take_appsrc, "format", GST_FORMAT_TIME, "block", TRUE,
      "max-buffers", (guint64) 2, "max-bytes", (guint64) 0, "caps", caps, NULL);
  feed->appsrc = take_appsrc;
  feed->n_frames = n_frames;
  feed->files = *files;
  if (files->pooled)
    feed->pool = file_pool_new (files);
  feed->ring = g_ptr_array_new_with_free_func (file_free);
  g_thread_unref (g_thread_new ("feed", feed_thread, feed));
}

/* --- looking ------------------------------------------------------------- */

void
files_look_at_last (GstElement *sink, struct player_memory *seen)
{
  g_autoptr (GstSample) sample = NULL;
  GstBuffer *buffer;
  GstMemory *memory;
  GstVideoMeta *meta;
  struct stat st;

  g_object_get (sink, "last-sample", &sample, NULL);
  g_assert_nonnull (sample);
  buffer = gst_sample_get_buffer (sample);
  memory = gst_buffer_peek_memory (buffer, 0);
  meta = gst_buffer_get_video_meta (buffer);
  memset (seen, 0, sizeof (*seen));
  seen->is_dmabuf = gst_is_dmabuf_memory (memory);
  seen->is_fd = gst_is_fd_memory (memory);
  seen->is_writable = !GST_MEMORY_IS_READONLY (memory);
  seen->offset = memory->offset;
  seen->size = memory->size;
  if (seen->is_fd) {
    g_assert_cmpint (fstat (gst_fd_memory_get_fd (memory), &st), ==, 0);
    seen->inode = st.st_ino;
  }
  if (meta && meta->n_planes > 1) {
    seen->plane_offset = meta->offset[1];
    seen->stride = (unsigned) meta->stride[1];
  }
}
