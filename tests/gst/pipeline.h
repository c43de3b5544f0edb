/* SPDX-License-Identifier: MIT */
/* Pipelines as processes: a test runs its own program again in the role
 * `--run LAUNCH...`, which plays each launch line to its end, one after the
 * other, and says on its standard output what happened:
 *
 *   run I                         launch line I (from 0) starts
 *   playing                       it has reached PLAYING
 *   caps SINK CAPS                a sink (below) got other caps
 *   frame SINK N PTS MD5 ID SIZE MEMORIES FLAGS
 *                                 and a buffer; PTS -1: none; ID: of the first
 *                                 memory's slot, 0 when it is not xmem's
 *   meta SINK TEXT                what the frame has besides (describe-metas.h),
 *                                 if the sink's name ends in -metas
 *   stats ELEMENT STRUCTURE       of each xmemsink and xmemsrc, at the end
 *   eos | error ELEMENT TEXT      how it ended
 *
 * Which fakesinks, and what MD5 is of, follows from the start of their names:
 *
 *   out    understands GstVideoMeta; MD5 of the visible pixels
 *   plain  does not; MD5 of the visible pixels, laid out as the caps say
 *   bytes  does not; MD5 of all bytes of the buffer
 *
 * An identity with such a name reports what passes it. Lines on its standard input are obeyed:
 * eos, playing, paused, ready, stats, quit. The role ends with 0 when every
 * launch line came to its EOS or was told to quit, else with 1. A critical
 * warning aborts it.
 *
 * Functions fail the running gst-check test on anything unexpected, and have
 * no time limit: the test runner has one. */
#ifndef XMEM_TEST_PIPELINE_H
#define XMEM_TEST_PIPELINE_H

#include <gst/gst.h>

typedef struct _Pipeline Pipeline;

/* First thing in main (): the exit status of the role, or -1 when the program
 * is not to play it. */
int pipeline_main (int argc, char **argv);

/* A folder of this test process' own, removed when it exits. */
const gchar *pipeline_dir (void);

/* --- running ------------------------------------------------------------- */

/* Starts one launch line, printf-style; it dies with us. */
Pipeline *pipeline_spawn (const gchar *format, ...) G_GNUC_PRINTF (1, 2);

/* Starts a NULL-terminated list of launch lines. */
Pipeline *pipeline_spawn_all (const gchar *const *launches);

GPid pipeline_get_pid (Pipeline *self);

/* A line to its standard input. */
void pipeline_tell (Pipeline *self, const gchar *line);

/* Waits for the next line that starts with `prefix`, looking at each line
 * once. Owned by self; NULL when it ended without. */
const gchar *pipeline_wait_line (Pipeline *self, const gchar *prefix);

/* Waits for its end: the exit status, or minus the signal that killed it. */
gint pipeline_wait (Pipeline *self);

/* The same, failing with all it said unless that is 0. */
void pipeline_wait_ok (Pipeline *self);

/* NULL is allowed. Kills it if it is still there. */
void pipeline_free (Pipeline *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Pipeline, pipeline_free)

/* --- what it said; after pipeline_wait () -------------------------------- */

typedef struct {
  guint run; /* launch line, from 0 */
  gchar *sink;
  guint64 index; /* in that sink of that launch line */
  GstClockTime pts;
  gchar *md5;
  guint64 id;
  guint64 size;
  guint n_memories;
  guint flags;
} PipelineFrame;

/* All frames in the order of arrival. Owned by self. */
GPtrArray *pipeline_get_frames (Pipeline *self);

/* A field of an element's stats of one launch line; fails without. */
guint64 pipeline_get_stat (
    Pipeline *self, guint run, const gchar *element, const gchar *field);

/* How many metas of that name the element could not carry, or not read. */
guint64 pipeline_get_metas_dropped (
    Pipeline *self, guint run, const gchar *element, const gchar *name);

/* What is behind `prefix` in all lines that start with it. */
GPtrArray *pipeline_get_lines (Pipeline *self, const gchar *prefix);

/* The first line that starts with `prefix`, NULL without. */
const gchar *pipeline_find_line (Pipeline *self, const gchar *prefix);

/* Fails unless both have the same number of frames (of sinks whose names start
 * with these) with the same content in the same order; more than 0. */
void pipeline_assert_same_frames (
    Pipeline *a, const gchar *sinks_of_a, Pipeline *b, const gchar *sinks_of_b);

/* --- the visible pixels -------------------------------------------------- */

/* MD5 of what a viewer sees of the picture, whatever its layout; NULL when it
 * cannot be mapped. */
gchar *pipeline_picture_md5 (GstBuffer *buffer, GstCaps *caps);

#endif
