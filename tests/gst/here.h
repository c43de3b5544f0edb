/* SPDX-License-Identifier: MIT */
/* Pipelines in the test's own process, where it can look at pads, buffers and
 * addresses. The other end of the socket is a process (pipeline.h). */
#ifndef XMEM_TEST_HERE_H
#define XMEM_TEST_HERE_H

#include <gst/gst.h>

/* A pipeline from a launch line, printf-style; fails on errors. */
GstElement *here_parse (const gchar *format, ...) G_GNUC_PRINTF (1, 2);

/* Plays it until EOS, which gives NULL, or an error. It keeps its state. */
GError *here_run (GstElement *pipeline);

/* The same, failing on an error. */
void here_run_ok (GstElement *pipeline);

/* A field of the stats of the element with that name. */
guint64 here_stat (
    GstElement *pipeline, const gchar *element, const gchar *field);

/* How many metas of that name the element could not carry, or not read. */
guint64 here_metas_dropped (
    GstElement *pipeline, const gchar *element, const gchar *name);

/* To NULL, and the last reference. */
void here_free (GstElement *pipeline);

/* Calls `function` for each buffer that passes "ELEMENT.PAD". */
void here_watch (GstElement *pipeline, const gchar *pad,
    void (*function) (GstBuffer *buffer, gpointer data), gpointer data);

/* What the element proposes to its upstream: its first allocator. Owned by
 * the caller. */
GstAllocator *here_proposed_allocator (GstElement *pipeline, const gchar *sink);

#endif
