/* SPDX-License-Identifier: MIT */
/* GStreamer's command line tools, run as users run them. */
#ifndef XMEM_TEST_TOOL_H
#define XMEM_TEST_TOOL_H

#include "harness/harness.h"

struct tool {
  GPid pid;
  const char *path; /* of what it says */
  char *said; /* so far */
};

/* Starts a command line; it dies with us. */
void tool_start (struct tool *tool, const char *format, ...)
    G_GNUC_PRINTF (2, 3);

/* All it has said, on both outputs; until the next call. */
const char *tool_get_text (struct tool *tool);

/* Waits until it has said this. */
#define tool_wait_for(tool, words) \
  harness_wait_until (strstr (tool_get_text (tool), words))

void tool_signal (struct tool *tool, int signal);

/* Waits for its end: its exit status, or minus the signal that killed it. What
 * it said stays until tool_clear (). */
int tool_wait (struct tool *tool);
void tool_clear (struct tool *tool);

#endif
