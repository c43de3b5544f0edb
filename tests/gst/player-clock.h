/* SPDX-License-Identifier: MIT */
/* Clocks for pipelines of players. */
#ifndef XMEM_TEST_PLAYER_CLOCK_H
#define XMEM_TEST_PLAYER_CLOCK_H

#include <gst/gst.h>

/* A clock that is none of the system's: "realtime" is CLOCK_REALTIME; "fast"
 * gains 1 ms per second, as an audio device's may; "net PORT" follows the one
 * that is served there, and is in step with it. */
GstClock *player_clock_new (const gchar *description);

/* Serves @clock to other processes, until the end of this one. Returns the port,
 * 0 when that is not possible here. */
gint player_clock_serve (GstClock *clock);

/* CLOCK_MONOTONIC when @clock was 0, by now; and how many ns that may be off. */
GstClockTimeDiff player_clock_compare (
    GstClock *clock, GstClockTime *uncertainty_out);

#endif
