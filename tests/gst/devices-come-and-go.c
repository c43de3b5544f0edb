/* SPDX-License-Identifier: MIT */
/* The device provider lists the publishers that live, in whatever order they,
 * their folder and the one who looks come, and however they go: in good order,
 * by kill -9, which leaves the socket file, or by being replaced. Nobody who is
 * looked at hears of it. */
#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include <gst/gst.h>

#include "player-child.h"
#include "player.h"
#include "tool.h"

#define ENDLESS                                                   \
  "videotestsrc ! video/x-raw,width=64,height=48,framerate=30/1 " \
  "! identity sleep-time=2000 ! xmemsink name=sink sync=false socket-path="

/* --- who looks, in a process of its own ---------------------------------- */

static GstDeviceProvider *provider;
static GstBus *bus;

static char *
get_path (GstDevice *device)
{
  GstStructure *properties = gst_device_get_properties (device);
  char *path =
      g_strdup (gst_structure_get_string (properties, "xmem.socket-path"));

  gst_structure_free (properties);
  return path;
}

/* Other publishers of this machine are none of this test's business. */
static bool
is_ours (GstDevice *device)
{
  char *path = get_path (device);
  bool ours = g_str_has_prefix (path, g_getenv ("XDG_RUNTIME_DIR"));

  g_free (path);
  return ours;
}

static GstDevice *
find_device (const char *name)
{
  GList *devices = gst_device_provider_get_devices (provider);
  GstDevice *found = NULL;

  for (GList *link = devices; link; link = link->next) {
    char *other = gst_device_get_display_name (link->data);

    if (strcmp (name, other) == 0 && is_ours (link->data))
      gst_object_replace ((GstObject **) &found, link->data);
    g_free (other);
  }
  g_list_free_full (devices, gst_object_unref);
  return found;
}

static void
run_start (const char *arguments)
{
  g_assert_true (gst_device_provider_start (provider));
  harness_say ("started");
}

static void
run_stop (const char *arguments)
{
  gst_device_provider_stop (provider);
  harness_say ("stopped");
}

/* The next that comes or goes. */
static void
run_next (const char *arguments)
{
  GstMessage *message = NULL;
  GstDevice *device = NULL;
  bool added;
  char *name;

  while (!device || !is_ours (device)) {
    gst_clear_object (&device);
    gst_clear_message (&message);
    message = gst_bus_timed_pop_filtered (bus, GST_CLOCK_TIME_NONE,
        GST_MESSAGE_DEVICE_ADDED | GST_MESSAGE_DEVICE_REMOVED);
    added = GST_MESSAGE_TYPE (message) == GST_MESSAGE_DEVICE_ADDED;
    if (added)
      gst_message_parse_device_added (message, &device);
    else
      gst_message_parse_device_removed (message, &device);
  }
  name = gst_device_get_display_name (device);
  harness_say ("%s %s", added ? "added" : "removed", name);
  g_free (name);
  gst_object_unref (device);
  gst_message_unref (message);
}

static void
run_describe (const char *name)
{
  GstDevice *device = find_device (name);
  GstStructure *properties;
  char *class, *path;
  int pid = 0;

  if (!device) {
    harness_say ("none");
    return;
  }
  properties = gst_device_get_properties (device);
  gst_structure_get_int (properties, "xmem.publisher-pid", &pid);
  class = gst_device_get_device_class (device);
  path = get_path (device);
  harness_say ("%s %d %s %s", class, pid,
      gst_structure_get_string (properties, "device.api"), path);
  g_free (path);
  g_free (class);
  gst_structure_free (properties);
  gst_object_unref (device);
}

/* Some frames through this source. */
static void
play (GstDevice *device, GstElement *source)
{
  GstElement *sink = gst_element_factory_make ("fakesink", NULL);
  GstElement *pipeline = gst_pipeline_new (NULL);
  GstBus *pipeline_bus = gst_element_get_bus (pipeline);
  GstMessage *message;

  g_object_set (source, "num-buffers", 3, NULL);
  gst_bin_add_many (GST_BIN (pipeline), source, sink, NULL);
  g_assert_true (gst_element_link (source, sink));
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  message = gst_bus_timed_pop_filtered (
      pipeline_bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  g_assert_cmpstr (GST_MESSAGE_TYPE_NAME (message), ==, "eos");
  g_assert_false (gst_device_reconfigure_element (device, source));
  g_assert_false (gst_device_reconfigure_element (device, sink));
  gst_message_unref (message);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline_bus);
  gst_object_unref (pipeline);
}

static void
run_play (const char *name)
{
  GstDevice *device = find_device (name);
  GstElement *source = gst_element_factory_make ("xmemsrc", NULL);

  play (device, gst_device_create_element (device, "src"));
  g_assert_true (gst_device_reconfigure_element (device, source));
  play (device, source);
  harness_say ("played");
  gst_object_unref (device);
}

static void
run_watcher (int argc, char **argv)
{
  static const struct harness_command commands[] = {
    { "start", run_start },
    { "stop", run_stop },
    { "next", run_next },
    { "describe", run_describe },
    { "play", run_play },
  };
  GstDeviceProviderFactory *factory;

  gst_init (NULL, NULL);
  factory = gst_device_provider_factory_find ("xmemdeviceprovider");
  g_assert_nonnull (factory);
  provider = gst_device_provider_factory_get (factory);
  bus = gst_device_provider_get_bus (provider);
  harness_obey (commands, G_N_ELEMENTS (commands));
  gst_object_unref (bus);
  gst_object_unref (provider);
  gst_object_unref (factory);
}

/* --- the test's side ----------------------------------------------------- */

static struct harness_child watcher;
static char answer[HARNESS_LINE_MAX];

/* Our own first runtime folder, which does not exist yet. */
static void
begin (void)
{
  char *folder = g_path_get_dirname (harness_path ("xmem"));

  g_setenv ("XDG_RUNTIME_DIR", folder, TRUE);
  g_free (folder);
  harness_spawn (&watcher, "watcher", NULL);
}

static void
end (void)
{
  g_assert_cmpint (harness_join (&watcher), ==, 0);
}

static const char *
ask (const char *question)
{
  harness_tell (&watcher, "%s", question);
  harness_hear (&watcher, answer);
  return answer;
}

static void
publish (struct player *player, const char *name)
{
  player_start (player);
  player_play (player, ENDLESS "%s", name);
}

static void
expect_device (const char *name, pid_t pid)
{
  char *question = g_strdup_printf ("describe %s", name);
  char *expected = g_strdup_printf ("Video/Source/Network %d xmem %s/%s",
      (int) pid, harness_path ("xmem"), name);

  g_assert_cmpstr (ask (question), ==, expected);
  g_free (expected);
  g_free (question);
}

static void
remove_file (const char *name)
{
  char *path = g_build_filename (harness_path ("xmem"), name, NULL);

  g_assert_cmpint (g_unlink (path), ==, 0);
  g_free (path);
}

/* --- cases --------------------------------------------------------------- */

static void
test_come_and_go (void)
{
  struct player one, two;

  begin ();
  ask ("start");
  publish (&one, "one"); /* which makes the folder */
  g_assert_cmpstr (ask ("next"), ==, "added one");
  expect_device ("one", one.child.pid);
  publish (&two, "two");
  g_assert_cmpstr (ask ("next"), ==, "added two");
  expect_device ("two", two.child.pid);
  expect_device ("one", one.child.pid);
  player_stop (&one);
  g_assert_cmpstr (ask ("next"), ==, "removed one");
  g_assert_cmpstr (ask ("describe one"), ==, "none");
  publish (&one, "one");
  g_assert_cmpstr (ask ("next"), ==, "added one");
  player_stop (&two);
  g_assert_cmpstr (ask ("next"), ==, "removed two");
  expect_device ("one", one.child.pid);
  player_stop (&one);
  g_assert_cmpstr (ask ("next"), ==, "removed one");
  end ();
}

static void
test_killed (void)
{
  struct player victim;

  begin ();
  publish (&victim, "cam");
  ask ("start");
  for (unsigned i = 0; i < 3; i++) {
    g_assert_cmpstr (ask ("next"), ==, "added cam");
    expect_device ("cam", victim.child.pid);
    player_die (&victim);
    g_assert_cmpstr (ask ("next"), ==, "removed cam");
    g_assert_cmpstr (ask ("describe cam"), ==, "none");
    if (i < 2)
      publish (&victim, "cam"); /* in place of the file that is left */
  }
  ask ("stop");
  g_assert_cmpstr (ask ("describe cam"), ==, "none"); /* looks at it anew */
  end ();
  remove_file ("cam");
}

/* Without start, or after a stop, each question looks once. */
static void
test_looked_at_once (void)
{
  struct player one;

  begin ();
  g_assert_cmpstr (ask ("describe one"), ==, "none");
  publish (&one, "one");
  player_reach (&one, GST_STATE_PLAYING);
  expect_device ("one", one.child.pid);
  for (unsigned i = 0; i < 3; i++) {
    ask ("start");
    expect_device ("one", one.child.pid);
    ask ("stop");
  }
  expect_device ("one", one.child.pid);
  player_stop (&one);
  g_assert_cmpstr (ask ("describe one"), ==, "none");
  end ();
}

static void
test_nobody_notices (void)
{
  struct player one;

  begin ();
  player_start (&one);
  player_launch (&one, ENDLESS "one");
  player_watch (&one, "sink");
  player_set_state (&one, GST_STATE_PLAYING);
  player_reach (&one, GST_STATE_PLAYING);
  for (unsigned i = 0; i < 20; i++)
    expect_device ("one", one.child.pid);
  g_assert_cmpstr (ask ("play one"), ==, "played");
  harness_wait_until (player_get_signals (&one, "sink").disconnected == 2);
  g_assert_cmpuint (player_get_signals (&one, "sink").connected, ==, 2);
  g_assert_cmpuint (player_stat (&one, "sink", "clients-served"), ==, 2);
  player_stop (&one);
  end ();
}

/* Whatever else lies in the folder. */
static void
test_other_files (void)
{
  const char *folder = harness_path ("xmem");
  char *file = g_build_filename (folder, "file", NULL);
  char *subfolder = g_build_filename (folder, "folder", NULL);
  struct player one;

  g_assert_cmpint (g_mkdir (folder, 0700), ==, 0);
  g_assert_true (g_file_set_contents (file, "", 0, NULL));
  g_assert_cmpint (g_mkdir (subfolder, 0700), ==, 0);
  begin ();
  ask ("start");
  publish (&one, "one");
  g_assert_cmpstr (ask ("next"), ==, "added one");
  g_assert_cmpstr (ask ("describe file"), ==, "none");
  g_assert_cmpstr (ask ("describe folder"), ==, "none");
  player_stop (&one);
  g_assert_cmpstr (ask ("next"), ==, "removed one");
  end ();
  g_rmdir (subfolder);
  g_unlink (file);
  g_free (subfolder);
  g_free (file);
}

static void
test_device_monitor (void)
{
  char *program = g_find_program_in_path ("gst-device-monitor-1.0");
  char *path = g_build_filename (harness_path ("xmem"), "cam", NULL);
  struct player one;
  struct tool tool;

  if (program) {
    begin ();
    tool_start (&tool, "%s --follow Video/Source", program);
    tool_wait_for (&tool, "Monitoring devices");
    publish (&one, "cam");
    tool_wait_for (&tool, path);
    tool_wait_for (&tool, "gst-launch-1.0 xmemsrc ");
    player_die (&one);
    tool_wait_for (&tool, "Device removed:\n\tname  : cam\n");
    tool_signal (&tool, SIGKILL);
    g_assert_cmpint (tool_wait (&tool), ==, -SIGKILL);
    tool_clear (&tool);
    end ();
    remove_file ("cam");
  } else {
    g_test_skip ("there is no gst-device-monitor-1.0 here");
  }
  g_free (path);
  g_free (program);
}

static const struct harness_role roles[] = { { "player", player_child_run },
  { "watcher", run_watcher }, { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/gst/devices/come-and-go", test_come_and_go);
  harness_add ("/gst/devices/killed", test_killed);
  harness_add ("/gst/devices/looked-at-once", test_looked_at_once);
  harness_add ("/gst/devices/nobody-notices", test_nobody_notices);
  harness_add ("/gst/devices/other-files", test_other_files);
  harness_add ("/gst/devices/device-monitor", test_device_monitor);
  return g_test_run ();
}
