/* SPDX-License-Identifier: MIT */
/* What is in the folders is looked at anew whenever something changes there.
 * Each socket file is tried once; from then on a pidfd tells of its process's
 * end, since the file stays when that is killed.
 *
 * Threads: all happens on one of its own, whose main context GIO's monitors
 * use: the application need not run a main loop.
 * Invariant: `publishers` has whom appeared () was called for last. */
#include "watch.h"

#include <gio/gio.h>
#include <glib-unix.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xmem/discovery.h>

typedef struct {
  GstXmemWatch *watch;
  gchar *path;
  struct stat file; /* by which it is known again */
  guint look; /* the last that found it */
  gint pidfd; /* -1: its end is not told */
  GSource *end;
} Publisher;

typedef struct {
  GstXmemWatch *watch;
  GFile *file;
  GFileMonitor *above; /* tells when the folder is made */
  GFileMonitor *inside;
} Folder;

struct _GstXmemWatch {
  GstXmemWatchCallbacks callbacks;
  GMainContext *context;
  GMainLoop *loop;
  GThread *thread;
  GHashTable *publishers; /* by path */
  guint n_looks;
  Folder folders[XMEM_MAX_FOLDERS];
  guint n_folders;

  GMutex lock; /* guards what follows */
  GCond changed;
  gboolean ready;
};

/* --- publishers ---------------------------------------------------------- */

static void
publisher_free (gpointer data)
{
  Publisher *publisher = data;

  if (publisher->end) {
    g_source_destroy (publisher->end);
    g_source_unref (publisher->end);
  }
  if (publisher->pidfd >= 0)
    close (publisher->pidfd);
  g_free (publisher->path);
  g_free (publisher);
}

static void
lose (GstXmemWatch *self, Publisher *publisher)
{
  self->callbacks.disappeared (publisher->path, self->callbacks.user_data);
  g_hash_table_remove (self->publishers, publisher->path);
}

static gboolean
has_died (gint fd, GIOCondition condition, gpointer user_data)
{
  Publisher *publisher = user_data;

  lose (publisher->watch, publisher);
  return G_SOURCE_REMOVE;
}

static void
find (GstXmemWatch *self, const gchar *path, const struct stat *file)
{
  Publisher *publisher;
  int pid, pidfd;

  if (xmem_discovery_probe (path, &pid, &pidfd, NULL) != 0)
    return;
  publisher = g_new0 (Publisher, 1);
  publisher->watch = self;
  publisher->path = g_strdup (path);
  publisher->file = *file;
  publisher->look = self->n_looks;
  publisher->pidfd = pidfd;
  if (pidfd >= 0) {
    publisher->end = g_unix_fd_source_new (pidfd, G_IO_IN);
    g_source_set_callback (
        publisher->end, G_SOURCE_FUNC (has_died), publisher, NULL);
    g_source_attach (publisher->end, self->context);
  }
  g_hash_table_insert (self->publishers, publisher->path, publisher);
  self->callbacks.appeared (path, pid, self->callbacks.user_data);
}

/* A file that took another's place may get its inode, not its time. */
static gboolean
is_same_file (const struct stat *a, const struct stat *b)
{
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino
         && a->st_ctim.tv_sec == b->st_ctim.tv_sec
         && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static void
look_at (GstXmemWatch *self, const gchar *path)
{
  Publisher *publisher = g_hash_table_lookup (self->publishers, path);
  struct stat file;

  if (lstat (path, &file) < 0 || !S_ISSOCK (file.st_mode))
    return;
  if (publisher && is_same_file (&publisher->file, &file)) {
    publisher->look = self->n_looks;
    return;
  }
  if (publisher)
    lose (self, publisher);
  find (self, path, &file);
}

/* Names with a dot are no publishers, or not yet. */
static void
look_into (GstXmemWatch *self, const gchar *folder)
{
  GDir *dir = g_dir_open (folder, 0, NULL);
  const gchar *name;

  while (dir && (name = g_dir_read_name (dir))) {
    g_autofree gchar *path = g_build_filename (folder, name, NULL);

    if (name[0] != '.')
      look_at (self, path);
  }
  g_clear_pointer (&dir, g_dir_close);
}

static void
lose_unseen (GstXmemWatch *self)
{
  g_autoptr (GList) all = g_hash_table_get_values (self->publishers);

  for (GList *link = all; link; link = link->next) {
    Publisher *publisher = link->data;

    if (publisher->look != self->n_looks)
      lose (self, publisher);
  }
}

static void
look (GstXmemWatch *self)
{
  char folders[XMEM_MAX_FOLDERS][XMEM_MAX_FOLDER_PATH];
  guint n = xmem_discovery_get_folders (folders);

  self->n_looks++;
  for (guint i = 0; i < n; i++)
    look_into (self, folders[i]);
  lose_unseen (self);
}

/* --- folders ------------------------------------------------------------- */

static void
inside_changed (GFileMonitor *monitor, GFile *file, GFile *other,
    GFileMonitorEvent event, gpointer user_data)
{
  Folder *folder = user_data;

  look (folder->watch);
}

static GFileMonitor *
monitor_folder (GFile *file, GCallback changed, Folder *folder)
{
  GFileMonitor *monitor =
      g_file_monitor_directory (file, G_FILE_MONITOR_NONE, NULL, NULL);

  if (monitor)
    g_signal_connect (monitor, "changed", changed, folder);
  return monitor;
}

/* A monitor does not follow a folder that goes and comes again. */
static void
monitor_inside (Folder *folder)
{
  g_clear_object (&folder->inside);
  folder->inside =
      monitor_folder (folder->file, G_CALLBACK (inside_changed), folder);
}

static void
above_changed (GFileMonitor *monitor, GFile *file, GFile *other,
    GFileMonitorEvent event, gpointer user_data)
{
  Folder *folder = user_data;

  if (!g_file_equal (file, folder->file))
    return;
  monitor_inside (folder);
  look (folder->watch);
}

static void
start_monitors (GstXmemWatch *self)
{
  char folders[XMEM_MAX_FOLDERS][XMEM_MAX_FOLDER_PATH];

  self->n_folders = xmem_discovery_get_folders (folders);
  for (guint i = 0; i < self->n_folders; i++) {
    Folder *folder = &self->folders[i];
    g_autoptr (GFile) above = NULL;

    folder->watch = self;
    folder->file = g_file_new_for_path (folders[i]);
    above = g_file_get_parent (folder->file);
    folder->above = monitor_folder (above, G_CALLBACK (above_changed), folder);
    monitor_inside (folder);
  }
}

static void
stop_monitors (GstXmemWatch *self)
{
  for (guint i = 0; i < self->n_folders; i++) {
    g_clear_object (&self->folders[i].above);
    g_clear_object (&self->folders[i].inside);
    g_clear_object (&self->folders[i].file);
  }
}

/* --- the thread ---------------------------------------------------------- */

static gpointer
watch_thread (gpointer data)
{
  GstXmemWatch *self = data;

  g_main_context_push_thread_default (self->context);
  start_monitors (self); /* first, or something could come in between */
  look (self);
  g_mutex_lock (&self->lock);
  self->ready = TRUE;
  g_cond_signal (&self->changed);
  g_mutex_unlock (&self->lock);
  g_main_loop_run (self->loop);
  stop_monitors (self);
  g_main_context_pop_thread_default (self->context);
  return NULL;
}

static GstXmemWatch *
new_watch (const GstXmemWatchCallbacks *callbacks)
{
  GstXmemWatch *self = g_new0 (GstXmemWatch, 1);

  self->callbacks = *callbacks;
  self->context = g_main_context_new ();
  self->loop = g_main_loop_new (self->context, FALSE);
  self->publishers =
      g_hash_table_new_full (g_str_hash, g_str_equal, NULL, publisher_free);
  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  return self;
}

GstXmemWatch *
gst_xmem_watch_new (const GstXmemWatchCallbacks *callbacks)
{
  GstXmemWatch *self = new_watch (callbacks);

  self->thread = g_thread_new ("xmem-watch", watch_thread, self);
  g_mutex_lock (&self->lock);
  while (!self->ready)
    g_cond_wait (&self->changed, &self->lock);
  g_mutex_unlock (&self->lock);
  return self;
}

static gboolean
quit (gpointer loop)
{
  g_main_loop_quit (loop);
  return G_SOURCE_REMOVE;
}

void
gst_xmem_watch_free (GstXmemWatch *self)
{
  if (self->thread) {
    /* From within, lest it come before the loop runs. */
    g_main_context_invoke (self->context, quit, self->loop);
    g_thread_join (self->thread);
  }
  g_hash_table_unref (self->publishers);
  g_main_loop_unref (self->loop);
  g_main_context_unref (self->context);
  g_cond_clear (&self->changed);
  g_mutex_clear (&self->lock);
  g_free (self);
}

void
gst_xmem_watch_look_once (const GstXmemWatchCallbacks *callbacks)
{
  GstXmemWatch *self = new_watch (callbacks);

  look (self);
  gst_xmem_watch_free (self);
}
