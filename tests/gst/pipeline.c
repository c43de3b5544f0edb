/* SPDX-License-Identifier: MIT */
/* The test's side of pipeline.h: starts children, and keeps every line they
 * say.
 *
 * Threads: one per child reads its output, so that no child ever waits for
 * the test; `lock` guards the lines. The rest belongs to the test's thread. */
#include "pipeline.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <gst/check/gstcheck.h>
#include <stdlib.h>
#include <string.h>

struct _Pipeline {
  GSubprocess *process;
  GPid pid;
  GThread *reader;
  GMutex lock;
  GCond changed;
  GPtrArray *lines;
  gboolean ended;
  guint seen; /* lines that pipeline_wait_line () has looked at */
  GPtrArray *frames; /* NULL until asked for */
};

/* --- folder -------------------------------------------------------------- */

static gchar *folder;
static GPid folder_owner;

static void
remove_folder (void)
{
  g_autoptr (GDir) dir = NULL;
  const gchar *name;

  if (getpid () != folder_owner)
    return;
  dir = g_dir_open (folder, 0, NULL);
  while (dir && (name = g_dir_read_name (dir))) {
    g_autofree gchar *path = g_build_filename (folder, name, NULL);

    g_unlink (path);
  }
  g_rmdir (folder);
  g_clear_pointer (&folder, g_free);
}

const gchar *
pipeline_dir (void)
{
  if (!folder || folder_owner != getpid ()) {
    folder = g_dir_make_tmp ("xmem-test-XXXXXX", NULL);
    fail_unless (folder != NULL);
    folder_owner = getpid ();
    atexit (remove_folder);
  }
  return folder;
}

/* --- running ------------------------------------------------------------- */

static gpointer
read_lines (gpointer data)
{
  Pipeline *self = data;
  g_autoptr (GDataInputStream) input =
      g_data_input_stream_new (g_subprocess_get_stdout_pipe (self->process));
  gchar *line;

  do {
    line = g_data_input_stream_read_line (input, NULL, NULL, NULL);
    g_mutex_lock (&self->lock);
    if (line)
      g_ptr_array_add (self->lines, line);
    else
      self->ended = TRUE;
    g_cond_broadcast (&self->changed);
    g_mutex_unlock (&self->lock);
  } while (line);
  return NULL;
}

Pipeline *
pipeline_spawn_all (const gchar *const *launches)
{
  Pipeline *self = g_new0 (Pipeline, 1);
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();
  g_autoptr (GError) error = NULL;

  g_ptr_array_add (argv, (gpointer) "/proc/self/exe");
  g_ptr_array_add (argv, (gpointer) "--run");
  for (guint i = 0; launches[i]; i++)
    g_ptr_array_add (argv, (gpointer) launches[i]);
  g_ptr_array_add (argv, NULL);
  self->process = g_subprocess_newv ((const gchar *const *) argv->pdata,
      G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDIN_PIPE, &error);
  g_assert_no_error (error);
  self->pid = atoi (g_subprocess_get_identifier (self->process));
  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  self->lines = g_ptr_array_new_with_free_func (g_free);
  self->reader = g_thread_new ("reader", read_lines, self);
  return self;
}

Pipeline *
pipeline_spawn (const gchar *format, ...)
{
  g_autofree gchar *launch = NULL;
  va_list args;

  va_start (args, format);
  launch = g_strdup_vprintf (format, args);
  va_end (args);
  return pipeline_spawn_all ((const gchar *const[]){ launch, NULL });
}

GPid
pipeline_get_pid (Pipeline *self)
{
  return self->pid;
}

void
pipeline_tell (Pipeline *self, const gchar *line)
{
  g_autofree gchar *text = g_strconcat (line, "\n", NULL);

  fail_unless (
      g_output_stream_write_all (g_subprocess_get_stdin_pipe (self->process),
          text, strlen (text), NULL, NULL, NULL));
}

const gchar *
pipeline_wait_line (Pipeline *self, const gchar *prefix)
{
  const gchar *found = NULL;

  g_mutex_lock (&self->lock);
  while (!found) {
    while (self->seen == self->lines->len && !self->ended)
      g_cond_wait (&self->changed, &self->lock);
    if (self->seen == self->lines->len)
      break;
    found = g_ptr_array_index (self->lines, self->seen++);
    if (!g_str_has_prefix (found, prefix))
      found = NULL;
  }
  g_mutex_unlock (&self->lock);
  return found;
}

gint
pipeline_wait (Pipeline *self)
{
  if (self->reader)
    g_thread_join (g_steal_pointer (&self->reader));
  g_subprocess_wait (self->process, NULL, NULL);
  return g_subprocess_get_if_exited (self->process)
             ? g_subprocess_get_exit_status (self->process)
             : -g_subprocess_get_term_sig (self->process);
}

void
pipeline_wait_ok (Pipeline *self)
{
  gint status = pipeline_wait (self);

  if (status == 0)
    return;
  for (guint i = 0; i < self->lines->len; i++)
    g_printerr ("%d: %s\n", self->pid,
        (const gchar *) g_ptr_array_index (self->lines, i));
  fail ("process %d ended with %d", self->pid, status);
}

void
pipeline_free (Pipeline *self)
{
  if (!self)
    return;
  g_subprocess_force_exit (self->process);
  pipeline_wait (self);
  g_clear_object (&self->process);
  g_ptr_array_unref (self->lines);
  g_clear_pointer (&self->frames, g_ptr_array_unref);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->changed);
  g_free (self);
}

/* --- what it said -------------------------------------------------------- */

static void
frame_free (gpointer data)
{
  PipelineFrame *frame = data;

  g_free (frame->sink);
  g_free (frame->md5);
  g_free (frame);
}

/* "frame SINK N PTS MD5 ID SIZE MEMORIES FLAGS" */
static PipelineFrame *
parse_frame (const gchar *line, guint run)
{
  PipelineFrame *frame = g_new0 (PipelineFrame, 1);
  g_auto (GStrv) words = g_strsplit (line, " ", -1);

  fail_unless_equals_int (g_strv_length (words), 9);
  frame->run = run;
  frame->sink = g_strdup (words[1]);
  frame->index = g_ascii_strtoull (words[2], NULL, 10);
  frame->pts = g_ascii_strtoll (words[3], NULL, 10);
  frame->md5 = g_strdup (words[4]);
  frame->id = g_ascii_strtoull (words[5], NULL, 16);
  frame->size = g_ascii_strtoull (words[6], NULL, 10);
  frame->n_memories = g_ascii_strtoull (words[7], NULL, 10);
  frame->flags = g_ascii_strtoull (words[8], NULL, 16);
  return frame;
}

GPtrArray *
pipeline_get_frames (Pipeline *self)
{
  guint run = 0;

  if (self->frames)
    return self->frames;
  self->frames = g_ptr_array_new_with_free_func (frame_free);
  for (guint i = 0; i < self->lines->len; i++) {
    const gchar *line = g_ptr_array_index (self->lines, i);

    if (g_str_has_prefix (line, "run "))
      run = atoi (line + 4);
    else if (g_str_has_prefix (line, "frame "))
      g_ptr_array_add (self->frames, parse_frame (line, run));
  }
  return self->frames;
}

/* The last line that starts with `prefix` within launch line `run`. */
static const gchar *
find_in_run (Pipeline *self, guint run, const gchar *prefix)
{
  const gchar *found = NULL;
  guint now = 0;

  for (guint i = 0; i < self->lines->len; i++) {
    const gchar *line = g_ptr_array_index (self->lines, i);

    if (g_str_has_prefix (line, "run "))
      now = atoi (line + 4);
    else if (now == run && g_str_has_prefix (line, prefix))
      found = line;
  }
  return found;
}

static GstStructure *
get_stats (Pipeline *self, guint run, const gchar *element)
{
  g_autofree gchar *prefix = g_strdup_printf ("stats %s ", element);
  const gchar *line = find_in_run (self, run, prefix);
  GstStructure *stats;

  fail_unless (line != NULL, "no stats of %s in run %u", element, run);
  stats = gst_structure_from_string (line + strlen (prefix), NULL);
  fail_unless (stats != NULL);
  return stats;
}

guint64
pipeline_get_stat (
    Pipeline *self, guint run, const gchar *element, const gchar *field)
{
  g_autoptr (GstStructure) stats = get_stats (self, run, element);
  guint64 value = 0;
  guint narrow;

  if (gst_structure_get_uint64 (stats, field, &value))
    return value;
  fail_unless (gst_structure_get_uint (stats, field, &narrow),
      "no field %s in the stats of %s", field, element);
  return narrow;
}

guint64
pipeline_get_metas_dropped (
    Pipeline *self, guint run, const gchar *element, const gchar *name)
{
  g_autoptr (GstStructure) stats = get_stats (self, run, element);
  g_autoptr (GstStructure) dropped = NULL;
  guint64 n = 0;

  fail_unless (gst_structure_get (
      stats, "metas-dropped", GST_TYPE_STRUCTURE, &dropped, NULL));
  gst_structure_get_uint64 (dropped, name, &n);
  return n;
}

GPtrArray *
pipeline_get_lines (Pipeline *self, const gchar *prefix)
{
  GPtrArray *lines = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < self->lines->len; i++) {
    const gchar *line = g_ptr_array_index (self->lines, i);

    if (g_str_has_prefix (line, prefix))
      g_ptr_array_add (lines, g_strdup (line + strlen (prefix)));
  }
  return lines;
}

const gchar *
pipeline_find_line (Pipeline *self, const gchar *prefix)
{
  for (guint i = 0; i < self->lines->len; i++)
    if (g_str_has_prefix (g_ptr_array_index (self->lines, i), prefix))
      return g_ptr_array_index (self->lines, i);
  return NULL;
}

static PipelineFrame *
next_of (GPtrArray *frames, const gchar *sinks, guint *i)
{
  while (*i < frames->len) {
    PipelineFrame *frame = g_ptr_array_index (frames, (*i)++);

    if (g_str_has_prefix (frame->sink, sinks))
      return frame;
  }
  return NULL;
}

void
pipeline_assert_same_frames (
    Pipeline *a, const gchar *sinks_of_a, Pipeline *b, const gchar *sinks_of_b)
{
  guint i = 0, k = 0, n = 0;
  PipelineFrame *x, *y;

  while (TRUE) {
    x = next_of (pipeline_get_frames (a), sinks_of_a, &i);
    y = next_of (pipeline_get_frames (b), sinks_of_b, &k);
    if (!x || !y)
      break;
    fail_unless (g_str_equal (x->md5, y->md5) && x->run == y->run,
        "frame %u of %s in run %u: %s, of %s in run %u: %s", n, x->sink, x->run,
        x->md5, y->sink, y->run, y->md5);
    n++;
  }
  fail_unless (!x && !y, "more frames on one side than the other's %u", n);
  fail_unless (n > 0, "no frames");
}
