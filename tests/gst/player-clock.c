/* SPDX-License-Identifier: MIT */
/* Keeps what serves clocks, for good. Threads: any, but for serving. */
#include "player-clock.h"

#include <gst/net/net.h>
#include <stdlib.h>
#include <string.h>

#define GAIN 1000 /* in so many ns it gains one */

/* Like GstAudioClock, a subclass of the system clock that shows another time. */
typedef struct {
  GstSystemClock parent;
} FastClock;

typedef struct {
  GstSystemClockClass parent;
} FastClockClass;

static GType fast_clock_get_type (void);
G_DEFINE_TYPE (FastClock, fast_clock, GST_TYPE_SYSTEM_CLOCK)

static GstClockTime
fast_clock_get_internal_time (GstClock *clock)
{
  GstClockTime now = gst_util_get_timestamp ();

  return now + now / GAIN;
}

static void
fast_clock_class_init (FastClockClass *klass)
{
  GST_CLOCK_CLASS (klass)->get_internal_time = fast_clock_get_internal_time;
}

static void
fast_clock_init (FastClock *clock)
{
}

static GstClock *
follow (gint port)
{
  GstClock *clock = gst_net_client_clock_new ("follower", "127.0.0.1", port, 0);

  g_assert_nonnull (clock);
  g_assert_true (gst_clock_wait_for_sync (clock, GST_CLOCK_TIME_NONE));
  return clock;
}

GstClock *
player_clock_new (const gchar *description)
{
  GstClock *clock;

  if (g_str_has_prefix (description, "net "))
    clock = follow (atoi (description + strlen ("net ")));
  else if (strcmp (description, "fast") == 0)
    clock = g_object_new (fast_clock_get_type (), "name", "fast", NULL);
  else
    clock = g_object_new (GST_TYPE_SYSTEM_CLOCK, "clock-type",
        GST_CLOCK_TYPE_REALTIME, "name", "realtime", NULL);
  return g_object_is_floating (clock) ? gst_object_ref_sink (clock) : clock;
}

gint
player_clock_serve (GstClock *clock)
{
  static GstNetTimeProvider *provider;
  gint port = 0;

  gst_clear_object (&provider);
  provider = gst_net_time_provider_new (clock, "127.0.0.1", 0);
  if (provider)
    g_object_get (provider, "port", &port, NULL);
  return port;
}

GstClockTimeDiff
player_clock_compare (GstClock *clock, GstClockTime *uncertainty_out)
{
  GstClockTimeDiff ahead = 0;

  *uncertainty_out = GST_CLOCK_TIME_NONE;
  for (guint i = 0; i < 10; i++) {
    GstClockTime before = gst_util_get_timestamp ();
    GstClockTime time = gst_clock_get_time (clock);
    GstClockTime apart = gst_util_get_timestamp () - before;

    if (apart >= *uncertainty_out)
      continue;
    *uncertainty_out = apart;
    ahead = GST_CLOCK_DIFF (time, before + apart / 2);
  }
  return ahead;
}
