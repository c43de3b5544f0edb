/* SPDX-License-Identifier: MIT */
/* GST_DEBUG=xmem*:4, as users set it, tells of connections, caps, pool and ends,
 * in order, and not of frames; 6 tells of these too. */
#include <signal.h>
#include <string.h>

#include "player.h"
#include "tool.h"

#define N_FRAMES 100
/* Of ours, in all of a run with more frames than that. */
#define MANY_LINES 50

#define VIDEO "video/x-raw,format=NV12,width=64,height=48,framerate=100/1"

static void
start_producer (struct tool *tool, const char *address)
{
  tool_start (tool,
      "env GST_DEBUG=xmem*:4 gst-launch-1.0 videotestsrc is-live=true ! " VIDEO
      " ! xmemsink socket-path=%s",
      address);
}

static void
start_consumer (struct tool *tool, const char *address, unsigned level,
    const char *properties)
{
  tool_start (tool,
      "env GST_DEBUG=xmem*:%u gst-launch-1.0 xmemsrc connection-timeout=0 "
      "socket-path=%s %s ! fakesink sync=false",
      level, address, properties);
}

static void
expect_in_order (struct tool *tool, const char *const *words)
{
  const char *text = tool_get_text (tool);

  for (; *words; words++) {
    const char *found = strstr (text, *words);

    if (!found)
      g_error ("no \"%s\" in its place in:\n%s", *words, tool->said);
    text = found + strlen (*words);
  }
}

/* Lines of our categories with these words; NULL: all. */
static unsigned
count_lines (struct tool *tool, const char *words)
{
  char **lines = g_strsplit (tool_get_text (tool), "\n", -1);
  unsigned n = 0;

  for (unsigned i = 0; lines[i]; i++)
    n += strstr (lines[i], " xmem") && (!words || strstr (lines[i], words));
  g_strfreev (lines);
  return n;
}

static void
stop (struct tool *tool)
{
  tool_signal (tool, SIGINT);
  g_assert_cmpint (tool_wait (tool), >=, 0);
}

static void
test_level_4 (void)
{
  static const char *const of_stream[] = { "publishing at", "caps video/x-raw",
    "buffers of 4608", "shares frames as they are", "stopped: ", NULL };
  static const char *const of_clients[] = { "publishing at", "client ",
    " connected", "client ", " disconnected", "stopped: ", NULL };
  static const char *const of_consumer[] = { "connecting to", "connected to ",
    "caps video/x-raw", "stopped: ", NULL };
  static const char *const of_the_lost[] = { "connecting to", "connected to ",
    "caps video/x-raw", "disconnected: ", "stopped: ", NULL };
  const char *address = harness_path ("socket");
  struct tool producer, consumer, lost;

  start_producer (&producer, address);
  start_consumer (&consumer, address, 4, "num-buffers=" G_STRINGIFY (N_FRAMES));
  g_assert_cmpint (tool_wait (&consumer), ==, 0);
  tool_wait_for (&producer, " disconnected");
  start_consumer (&lost, address, 4, "on-disconnect=eos");
  tool_wait_for (&lost, "caps video/x-raw");
  stop (&producer);
  g_assert_cmpint (tool_wait (&lost), ==, 0);
  expect_in_order (&producer, of_stream);
  expect_in_order (&producer, of_clients);
  expect_in_order (&consumer, of_consumer);
  expect_in_order (&lost, of_the_lost);
  g_assert_cmpuint (count_lines (&producer, NULL), <, MANY_LINES);
  g_assert_cmpuint (count_lines (&consumer, NULL), <, MANY_LINES);
  tool_clear (&lost);
  tool_clear (&consumer);
  tool_clear (&producer);
}

/* Memory that is not shared is told of once, not for each frame. */
static void
test_pool_is_used_up (void)
{
  static const char *const words[] = { "caps video/x-raw",
    " bytes of system memory instead: ",
    "copies frames: memory of type SystemMemory",
    "stopped: 100 frames published", NULL };
  struct tool tool;

  tool_start (&tool,
      "env GST_DEBUG=xmem*:4 gst-launch-1.0 videotestsrc "
      "num-buffers=" G_STRINGIFY (
          N_FRAMES) " ! " VIDEO
                    " ! xmemsink sync=false max-pool-bytes=1 socket-path=%s",
      harness_path ("socket"));
  g_assert_cmpint (tool_wait (&tool), ==, 0);
  expect_in_order (&tool, words);
  g_assert_cmpuint (count_lines (&tool, words[1]), ==, 1);
  g_assert_cmpuint (count_lines (&tool, NULL), <, MANY_LINES);
  tool_clear (&tool);
}

static void
test_level_6 (void)
{
  const char *address = harness_path ("socket");
  struct tool producer, consumer;

  start_producer (&producer, address);
  start_consumer (&consumer, address, 6, "num-buffers=" G_STRINGIFY (N_FRAMES));
  g_assert_cmpint (tool_wait (&consumer), ==, 0);
  stop (&producer);
  g_assert_cmpuint (count_lines (&consumer, " LOG "), >=, N_FRAMES);
  tool_clear (&consumer);
  tool_clear (&producer);
}

int
main (int argc, char **argv)
{
  player_init (&argc, &argv);
  harness_add ("/gst/debug/level-4", test_level_4);
  harness_add ("/gst/debug/pool-is-used-up", test_pool_is_used_up);
  harness_add ("/gst/debug/level-6", test_level_6);
  return g_test_run ();
}
