/* SPDX-License-Identifier: MIT */
/* What the producer knows and decides of its clients: waiting for them,
 * counting them, refusing them; where they find it; and what both elements
 * say of themselves. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "player.h"
#include "tool.h"

#define SOURCE                                                   \
  "videotestsrc ! video/x-raw,format=NV12,width=160,height=120," \
  "framerate=30/1 ! identity sleep-time=1000 ! "

static void
start_producer (
    struct player *producer, const char *address, const char *properties)
{
  player_start (producer);
  player_launch (producer, SOURCE "xmemsink name=sink sync=false %s%s %s",
      address ? "socket-path=" : "", address ? address : "", properties);
  player_tap (producer, "sink", PLAYER_LOOK_AWAY);
  player_watch (producer, "sink");
  player_set_state (producer, GST_STATE_PLAYING);
}

static void
launch_consumer (
    struct player *consumer, const char *address, const char *properties)
{
  player_launch (consumer,
      "xmemsrc name=src is-live=false delivery=every %s%s %s ! "
      "fakesink name=out sync=false",
      address ? "socket-path=" : "", address ? address : "", properties);
  player_tap (consumer, "out", PLAYER_LOOK_AWAY);
  player_set_state (consumer, GST_STATE_PLAYING);
}

static void
start_consumer (
    struct player *consumer, const char *address, const char *properties)
{
  player_start (consumer);
  launch_consumer (consumer, address, properties);
}

static unsigned
num_clients (struct player *producer)
{
  return (unsigned) atoi (player_get (producer, "sink", "num-clients"));
}

static uint64_t
n_published (struct player *producer)
{
  return player_stat (producer, "sink", "frames-published");
}

/* --- waiting for them ---------------------------------------------------- */

static void
assert_begins_at_first_frame (struct player *consumer)
{
  GArray *records = player_get_records (consumer, "out");

  g_assert_cmpuint (records->len, >, 0);
  g_assert_cmpuint (
      g_array_index (records, struct player_record, 0).offset, ==, 0);
  g_array_unref (records);
}

/* Hangs if it does not. */
static void
wait_until_it_waits (struct player *producer)
{
  uint64_t before, now = n_published (producer);

  do {
    before = now;
    harness_sleep_ms (100);
    now = n_published (producer);
  } while (now != before);
}

static void
test_waits_for_three (void)
{
  const char *address = harness_path ("socket");
  struct player producer, consumers[3];

  start_producer (&producer, address, "wait-for-connection=true min-clients=3");
  for (unsigned i = 0; i < 2; i++)
    start_consumer (&consumers[i], address, "");
  harness_wait_until (num_clients (&producer) == 2);
  player_wait_count (&producer, "sink", 1);
  harness_sleep_ms (200);
  g_assert_cmpuint (n_published (&producer), ==, 0);
  g_assert_cmpuint (player_count (&producer, "sink"), ==, 1);
  start_consumer (&consumers[2], address, "");
  for (unsigned i = 0; i < 3; i++) {
    player_wait_count (&consumers[i], "out", 10);
    assert_begins_at_first_frame (&consumers[i]);
  }
  /* From then on one is enough, and without any it waits again. */
  player_reach (&consumers[0], GST_STATE_NULL);
  player_reach (&consumers[1], GST_STATE_NULL);
  player_wait_more (&consumers[2], "out", 20);
  player_reach (&consumers[2], GST_STATE_NULL);
  harness_wait_until (num_clients (&producer) == 0);
  wait_until_it_waits (&producer);
  player_set_state (&consumers[0], GST_STATE_PLAYING);
  player_wait_more (&consumers[0], "out", 20);
  for (unsigned i = 0; i < 3; i++)
    player_stop (&consumers[i]);
  player_stop (&producer);
}

static void
test_waiting_can_be_left_off (void)
{
  const char *address = harness_path ("socket");
  struct player producer, consumer;

  start_producer (&producer, address, "wait-for-connection=true");
  /* GstBin loses a change to PAUSED that comes while it goes on to PLAYING. */
  player_reach (&producer, GST_STATE_PLAYING);
  for (unsigned i = 0; i < 10; i++) {
    player_wait_count (&producer, "sink", 1);
    harness_sleep_ms (i);
    player_reach (&producer, GST_STATE_PAUSED);
    player_reach (&producer, GST_STATE_PLAYING);
    g_assert_cmpuint (n_published (&producer), ==, 0);
    player_reach (&producer, i % 2 ? GST_STATE_NULL : GST_STATE_READY);
    player_reach (&producer, GST_STATE_PLAYING);
  }
  start_consumer (&consumer, address, "");
  player_wait_count (&consumer, "out", 10);
  player_stop (&consumer);
  player_stop (&producer);
}

static void
test_min_clients_alone_is_warned_of (void)
{
  const char *address = harness_path ("socket");
  struct player producer;

  player_start (&producer);
  player_play (&producer,
      "fakesrc ! xmemsink name=sink socket-path=%s min-clients=2", address);
  player_expect_warning (&producer, "wait-for-connection");
  player_stop (&producer);
}

/* --- counting and refusing them ------------------------------------------ */

static void
test_counted_and_signalled (void)
{
  const char *address = harness_path ("socket");
  struct player producer, consumers[3];
  struct player_signals s;

  start_producer (&producer, address, "");
  for (unsigned i = 0; i < 3; i++) {
    start_consumer (&consumers[i], address, "");
    harness_wait_until (
        player_get_signals (&producer, "sink").connected == i + 1);
    harness_wait_until (num_clients (&producer) == i + 1);
  }
  s = player_get_signals (&producer, "sink");
  g_assert_cmpuint (s.disconnected, ==, 0);
  g_assert_cmpuint (s.notified, >=, 3);
  g_assert_cmpint (s.last_connected, >, 2);

  /* The last one in is the first one out: by its fd it can be told. */
  player_reach (&consumers[2], GST_STATE_NULL);
  harness_wait_until (player_get_signals (&producer, "sink").disconnected == 1);
  g_assert_cmpint (player_get_signals (&producer, "sink").last_disconnected, ==,
      s.last_connected);
  g_assert_cmpuint (num_clients (&producer), ==, 2);
  player_die (&consumers[1]);
  harness_wait_until (player_get_signals (&producer, "sink").disconnected == 2);
  harness_wait_until (num_clients (&producer) == 1);
  g_assert_cmpint (player_get_signals (&producer, "sink").last_disconnected, !=,
      s.last_connected);
  g_assert_cmpuint (player_get_signals (&producer, "sink").notified, >=, 5);
  g_assert_cmpuint (player_stat (&producer, "sink", "clients-served"), ==, 3);
  player_stop (&consumers[0]);
  player_stop (&consumers[2]);
  player_stop (&producer);
}

static void
check_refused (const char *address)
{
  struct player producer, first, second;

  start_producer (&producer, address, "max-clients=1");
  start_consumer (&first, address, "");
  player_wait_count (&first, "out", 1);
  start_consumer (&second, address, "connection-timeout=100");
  player_expect_error (&second, "at most 1 client");
  player_expect_error (&second, "max-clients");
  player_expect_error (&second, address);
  player_wait_more (&first, "out", 10);
  player_reach (&first, GST_STATE_NULL);
  harness_wait_until (num_clients (&producer) == 0);
  player_drop (&second);
  launch_consumer (&second, address, "");
  player_wait_count (&second, "out", 10);
  player_stop (&second);
  player_stop (&first);
  player_stop (&producer);
}

static void
test_refused_in_words (void)
{
  check_refused (harness_path ("socket"));
}

/* Sets the runtime folder of the children; a name is then looked for in three
 * places. */
static char *
enter_runtime_folder (void)
{
  char *before = g_strdup (g_getenv ("XDG_RUNTIME_DIR"));
  char *folder = g_path_get_dirname (harness_path ("x"));

  g_setenv ("XDG_RUNTIME_DIR", folder, TRUE);
  g_free (folder);
  return before;
}

static void
leave_runtime_folder (char *take_before)
{
  if (take_before)
    g_setenv ("XDG_RUNTIME_DIR", take_before, TRUE);
  else
    g_unsetenv ("XDG_RUNTIME_DIR");
  g_free (take_before);
}

static void
test_refused_by_name_in_words (void)
{
  char *before = enter_runtime_folder ();

  check_refused ("clip");
  leave_runtime_folder (before);
}

/* --- where they find it -------------------------------------------------- */

static void
test_default_name (void)
{
  char *before = enter_runtime_folder ();
  const char *path = harness_path ("xmem/default");
  struct player producer, consumer;

  start_producer (&producer, NULL, "");
  start_consumer (&consumer, NULL, "");
  player_wait_count (&consumer, "out", 10);
  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
  g_assert_cmpstr (
      player_get (&producer, "sink", "socket-path"), ==, "default");
  g_assert_cmpstr (player_get (&consumer, "src", "socket-path"), ==, "default");
  player_stop (&consumer);
  player_stop (&producer);
  leave_runtime_folder (before);
}

static void
test_abstract_name (void)
{
  char *address = g_strdup_printf ("@xmem-test-%d", (int) getpid ());
  struct player producer, consumer;

  start_producer (&producer, address, "");
  start_consumer (&consumer, address, "");
  player_wait_count (&consumer, "out", 10);
  player_stop (&consumer);
  player_stop (&producer);
  g_free (address);
}

static void
check_mode (const char *properties, mode_t mode)
{
  const char *address = harness_path ("socket");
  struct player producer;
  struct stat st;

  start_producer (&producer, address, properties);
  g_assert_cmpint (stat (address, &st), ==, 0);
  g_assert_cmphex (st.st_mode & 07777, ==, mode);
  player_stop (&producer);
}

static void
test_perms (void)
{
  mode_t before = umask (0077);

  check_mode ("", 0600);
  check_mode ("perms=0660", 0660);
  check_mode ("perms=0666", 0666);
  check_mode ("perms=384", 0600);
  umask (before);
}

/* --- what they say of themselves ----------------------------------------- */

static void
assert_has_fields (
    struct player *player, const char *element, const char *const *fields)
{
  char *stats = g_strdup (player_stats (player, element));

  for (; *fields; fields++) {
    char *field = g_strdup_printf (" %s=(", *fields);

    harness_assert_contains (stats, field);
    g_free (field);
  }
  g_free (stats);
}

static void
test_stats (void)
{
  static const char *const of_sink[] = { "frames-zero-copy", "frames-copied",
    "frames-published", "frames-delivered", "frames-dropped", "frames-held",
    "num-clients", "clients-served", "segments-sent", "pool-bytes",
    "pool-slots", "pool-segments", "rendered", NULL };
  static const char *const of_source[] = { "frames-received", "frames-lost",
    "frames-repacked", "frames-copied", "frames-held", "segments",
    "segments-received", "publisher-pid", "latency-min", "latency-mean",
    "latency-max", "latency-p50", "latency-p99", NULL };
  const char *address = harness_path ("socket");
  struct player producer, consumer;

  start_producer (&producer, address, "");
  start_consumer (&consumer, address, "");
  player_wait_count (&consumer, "out", 10);
  assert_has_fields (&producer, "sink", of_sink);
  assert_has_fields (&consumer, "src", of_source);
  g_assert_cmpuint (
      player_stat (&consumer, "src", "publisher-pid"), ==, producer.child.pid);
  g_assert_cmpuint (player_stat (&consumer, "src", "frames-received"), >=, 10);
  g_assert_cmpuint (
      player_stat (&producer, "sink", "frames-zero-copy"), >=, 10);
  g_assert_cmpuint (player_stat (&consumer, "src", "latency-p50"), >, 0);
  g_assert_cmpuint (player_stat (&producer, "sink", "pool-bytes"), >, 0);
  /* Also where there is nothing to count. */
  player_reach (&producer, GST_STATE_NULL);
  player_reach (&consumer, GST_STATE_NULL);
  assert_has_fields (&producer, "sink", of_sink);
  assert_has_fields (&consumer, "src", of_source);
  player_stop (&consumer);
  player_stop (&producer);
}

static char *
inspect (const char *element)
{
  struct tool tool;

  tool_start (&tool, "gst-inspect-1.0 %s", element);
  g_assert_cmpint (tool_wait (&tool), ==, 0);
  tool_get_text (&tool);
  return tool.said;
}

static void
test_inspection (void)
{
  static const char *const of_sink[] = {
    "gst-launch-1.0 videotestsrc ! xmemsink", "wait-for-connection",
    "\"client-connected\"", "\"client-disconnected\"", "max-pool-bytes",
    "upstream", NULL
  };
  static const char *const of_source[] = { "gst-launch-1.0 xmemsrc ! ",
    "delivery=every is-live=false", "connection-timeout", "latest", NULL };
  char *sink = inspect ("xmemsink"), *source = inspect ("xmemsrc");

  for (const char *const *part = of_sink; *part; part++)
    harness_assert_contains (sink, *part);
  for (const char *const *part = of_source; *part; part++)
    harness_assert_contains (source, *part);
  g_free (sink);
  g_free (source);
}

int
main (int argc, char **argv)
{
  player_init (&argc, &argv);
  harness_add ("/gst/clients/three-are-waited-for", test_waits_for_three);
  harness_add (
      "/gst/clients/waiting-can-be-left-off", test_waiting_can_be_left_off);
  harness_add ("/gst/clients/min-clients-alone-is-warned-of",
      test_min_clients_alone_is_warned_of);
  harness_add (
      "/gst/clients/counted-and-signalled", test_counted_and_signalled);
  harness_add ("/gst/clients/refused-in-words", test_refused_in_words);
  harness_add (
      "/gst/clients/refused-by-name-in-words", test_refused_by_name_in_words);
  harness_add ("/gst/clients/default-name", test_default_name);
  harness_add ("/gst/clients/abstract-name", test_abstract_name);
  harness_add ("/gst/clients/perms", test_perms);
  harness_add ("/gst/clients/stats", test_stats);
  harness_add ("/gst/clients/inspection", test_inspection);
  return g_test_run ();
}
