/* SPDX-License-Identifier: MIT */
/* Properties that are members of their element's struct and nothing more: of the
 * types string, boolean, int, uint, uint64 and enum, under the object lock.
 *
 * offsets: where the member of each property lies in the element, by property
 * id; 0: it is none of these. */
#ifndef GST_XMEM_SETTINGS_H
#define GST_XMEM_SETTINGS_H

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_XMEM_SETTING \
  (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY)

/* Gives all of them the defaults of their specs, of which there are n, by id. */
void gst_xmem_settings_init (
    GObject *object, const gsize *offsets, GParamSpec *const *specs, guint n);

/* A string that is set to NULL becomes its default. */
void gst_xmem_settings_set (GObject *object, const gsize *offsets, guint id,
    const GValue *value, GParamSpec *pspec);
void gst_xmem_settings_get (GObject *object, const gsize *offsets, guint id,
    GValue *value, GParamSpec *pspec);

G_END_DECLS

#endif
