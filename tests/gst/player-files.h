/* SPDX-License-Identifier: MIT */
/* The child's side of buffers in files: feeding them, and looking at one. */
#ifndef XMEM_TEST_PLAYER_FILES_H
#define XMEM_TEST_PLAYER_FILES_H

#include <gst/app/gstappsrc.h>

#include "player.h"

/* Feeds in a thread of its own; takes the reference on @appsrc. */
void files_feed (GstAppSrc *take_appsrc, const char *caps, unsigned n_frames,
    const struct player_files *files);

/* As player_look_at_last () says. */
void files_look_at_last (GstElement *sink, struct player_memory *seen);

#endif
