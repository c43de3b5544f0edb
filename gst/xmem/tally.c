/* SPDX-License-Identifier: MIT */
/* Owns its counts. Threads: any; `lock` guards them.
 *
 * Field names stay in the process for good, so their number is bounded. */
#include "tally.h"

#include <string.h>

#define MAX_NAMES 64
#define MAX_NAME_SIZE 64

void
gst_xmem_tally_init (GstXmemTally *tally)
{
  g_mutex_init (&tally->lock);
  tally->counts = NULL;
}

void
gst_xmem_tally_clear (GstXmemTally *tally)
{
  g_clear_pointer (&tally->counts, gst_structure_free);
  g_mutex_clear (&tally->lock);
}

void
gst_xmem_tally_reset (GstXmemTally *tally)
{
  g_mutex_lock (&tally->lock);
  g_clear_pointer (&tally->counts, gst_structure_free);
  g_mutex_unlock (&tally->lock);
}

static void
make_field_name (const gchar *name, gchar *field)
{
  gsize n = 0;

  for (; name[n] && n < MAX_NAME_SIZE - 1; n++)
    field[n] =
        g_ascii_isalnum (name[n]) || strchr ("-_./:+", name[n]) ? name[n] : '_';
  field[n] = '\0';
}

void
gst_xmem_tally_add (GstXmemTally *tally, const gchar *name)
{
  gchar field[MAX_NAME_SIZE];
  guint64 n = 0;

  make_field_name (name, field);
  g_mutex_lock (&tally->lock);
  if (!tally->counts)
    tally->counts = gst_structure_new_empty ("counts");
  if (!gst_structure_has_field (tally->counts, field)
      && gst_structure_n_fields (tally->counts) >= MAX_NAMES)
    g_strlcpy (field, "others", sizeof (field));
  gst_structure_get_uint64 (tally->counts, field, &n);
  gst_structure_set (tally->counts, field, G_TYPE_UINT64, n + 1, NULL);
  g_mutex_unlock (&tally->lock);
}

GstStructure *
gst_xmem_tally_get (GstXmemTally *tally, const gchar *name)
{
  GstStructure *counts;

  g_mutex_lock (&tally->lock);
  if (tally->counts)
    counts = gst_structure_copy (tally->counts);
  else
    counts = gst_structure_new_empty (name);
  g_mutex_unlock (&tally->lock);
  gst_structure_set_name (counts, name);
  return counts;
}
