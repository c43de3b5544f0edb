/* SPDX-License-Identifier: MIT */
/* The test's side of players: each function is one question to the child, a
 * line of fields between tabs, and its answer. */
#include "player.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "apart.h"
#include "harness/actor.h"
#include "player-child.h"

/* For a whole program; a hang is to be a failure with a name. */
#define WATCHDOG_S 220

static const struct harness_role roles[] = { { "player", player_child_run },
  { "player-apart", apart_run }, { "actor", actor_run }, { NULL, NULL } };

static char answer[HARNESS_LINE_MAX];

static void
give_up (int signal)
{
  static const char words[] = "# hangs: no end in sight of this case\n";

  (void) !write (STDERR_FILENO, words, sizeof (words) - 1);
  _exit (1);
}

void
player_init (int *argc, char ***argv)
{
  harness_init (argc, argv, roles);
  signal (SIGALRM, give_up);
  alarm (WATCHDOG_S);
}

/* --- asking -------------------------------------------------------------- */

static const char *
hear (struct player *player)
{
  harness_hear (&player->child, answer);
  return answer;
}

#define ask(player, verb, format, ...)                                    \
  (harness_tell (&(player)->child, "%s\t%s" format, verb, (player)->line, \
       ##__VA_ARGS__),                                                    \
      hear (player))

static uint64_t
to_u64 (const char *text)
{
  return g_ascii_strtoull (text, NULL, 10);
}

/* --- the child ----------------------------------------------------------- */

void
player_start (struct player *player)
{
  harness_spawn (&player->child, "player", NULL);
  player->line = PLAYER_FIRST_LINE;
}

void
player_stop (struct player *player)
{
  g_assert_cmpint (harness_join (&player->child), ==, 0);
}

void
player_die (struct player *player)
{
  harness_kill (&player->child, SIGKILL);
  g_assert_cmpint (harness_join (&player->child), ==, -SIGKILL);
}

/* Its end, without closing the line, which would end it. */
static int
join_running (struct player *player)
{
  siginfo_t info;

  g_assert_cmpint (
      waitid (P_PID, (id_t) player->child.pid, &info, WEXITED | WNOWAIT), ==,
      0);
  return harness_join (&player->child);
}

void
player_exit_at_end (struct player *player)
{
  harness_tell (&player->child, "exit-at-end\t%s", player->line);
  g_assert_cmpint (join_running (player), ==, 0);
}

void
player_freeze (struct player *player)
{
  harness_kill (&player->child, SIGSTOP);
  harness_wait_until (harness_is_stopped (&player->child));
}

void
player_thaw (struct player *player)
{
  harness_kill (&player->child, SIGCONT);
}

struct player
player_another (const struct player *player, const char *line)
{
  struct player another = *player;

  another.line = line;
  return another;
}

/* --- its pipeline -------------------------------------------------------- */

static void
launch (struct player *player, const char *format, va_list args)
{
  char *description = g_strdup_vprintf (format, args);

  ask (player, "launch", "\t%s", description);
  g_free (description);
}

void
player_launch (struct player *player, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  launch (player, format, args);
  va_end (args);
}

void
player_launch_sink (struct player *player, const char *source,
    const char *address, const char *properties)
{
  player_launch (player, "%s xmemsink name=sink socket-path=%s sync=false %s",
      source, address, properties);
  player_tap (player, "sink", PLAYER_LOOK_AWAY);
}

void
player_launch_source (
    struct player *player, const char *address, const char *properties)
{
  player_launch (player,
      "xmemsrc socket-path=%s is-live=false %s ! fakesink name=out sync=false",
      address, properties);
  player_tap (player, "out", PLAYER_LOOK_SUM);
}

GstStateChangeReturn
player_set_state (struct player *player, GstState state)
{
  return (GstStateChangeReturn) to_u64 (ask (player, "state", "\t%d", state));
}

void
player_play (struct player *player, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  launch (player, format, args);
  va_end (args);
  g_assert_cmpint (player_set_state (player, GST_STATE_PLAYING), !=,
      GST_STATE_CHANGE_FAILURE);
}

void
player_reach (struct player *player, GstState state)
{
  GstStateChangeReturn r = player_set_state (player, state);

  if (r == GST_STATE_CHANGE_ASYNC)
    r = (GstStateChangeReturn) to_u64 (ask (player, "reach", ""));
  g_assert_cmpint (r, !=, GST_STATE_CHANGE_FAILURE);
}

void
player_drop (struct player *player)
{
  ask (player, "drop", "");
}

void
player_deinit (struct player *player)
{
  ask (player, "deinit", "");
}

void
player_send_eos (struct player *player)
{
  ask (player, "send-eos", "");
}

const char *
player_wait_end (struct player *player)
{
  const char *end = ask (player, "wait-end", "");

  return strcmp (end, "eos") == 0 ? NULL : end + strlen ("error ");
}

void
player_expect_eos (struct player *player)
{
  g_assert_cmpstr (player_wait_end (player), ==, NULL);
}

void
player_expect_error (struct player *player, const char *part)
{
  const char *error = player_wait_end (player);

  g_assert_nonnull (error);
  harness_assert_contains (error, part);
}

bool
player_has_ended (struct player *player)
{
  return to_u64 (ask (player, "has-ended", ""));
}

void
player_forget_end (struct player *player)
{
  ask (player, "forget-end", "");
}

void
player_expect_warning (struct player *player, const char *part)
{
  harness_assert_contains (ask (player, "wait-warning", ""), part);
}

int64_t
player_wait_message (struct player *player, const char *name, const char *field)
{
  return g_ascii_strtoll (
      ask (player, "wait-message", "\t%s\t%s", name, field), NULL, 10);
}

unsigned
player_count_messages (struct player *player, const char *name)
{
  return (unsigned) to_u64 (ask (player, "count-messages", "\t%s", name));
}

/* --- elements ------------------------------------------------------------ */

void
player_set (struct player *player, const char *element, const char *property,
    const char *value)
{
  ask (player, "set", "\t%s\t%s\t%s", element, property, value);
}

const char *
player_get (struct player *player, const char *element, const char *property)
{
  return ask (player, "get", "\t%s\t%s", element, property);
}

uint64_t
player_stat (struct player *player, const char *element, const char *field)
{
  return to_u64 (ask (player, "stat", "\t%s\t%s", element, field));
}

uint64_t
player_client_stat (struct player *player, const char *element,
    const char *client, const char *field)
{
  return to_u64 (
      ask (player, "client-stat", "\t%s\t%s\t%s", element, client, field));
}

const char *
player_stats (struct player *player, const char *element)
{
  return ask (player, "stats", "\t%s", element);
}

void
player_watch (struct player *player, const char *element)
{
  ask (player, "watch", "\t%s", element);
}

struct player_signals
player_get_signals (struct player *player, const char *element)
{
  struct player_signals s;

  g_assert_cmpint (sscanf (ask (player, "signals", "\t%s", element),
                       "%u %u %u %d %d", &s.connected, &s.disconnected,
                       &s.notified, &s.last_connected, &s.last_disconnected),
      ==, 5);
  return s;
}

/* --- time ---------------------------------------------------------------- */

void
player_use_clock (struct player *player, const char *description)
{
  ask (player, "use-clock", "\t%s", description);
}

int
player_serve_clock (struct player *player)
{
  return atoi (ask (player, "serve-clock", ""));
}

void
player_set_latency (struct player *player, uint64_t latency_ns)
{
  ask (player, "set-latency", "\t%" G_GUINT64_FORMAT, latency_ns);
}

struct player_times
player_get_times (struct player *player, const char *element)
{
  struct player_times t;

  g_assert_cmpint (
      sscanf (ask (player, "times", "\t%s", element),
          "%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, &t.base_time, &t.latency),
      ==, 2);
  return t;
}

int64_t
player_get_shift (struct player *player)
{
  if (player_count_messages (player, "xmem-time-shift") == 0)
    return 0;
  return player_wait_message (player, "xmem-time-shift", "shift");
}

struct player_latency
player_query_latency (struct player *player, const char *element)
{
  struct player_latency latency;
  int live;

  g_assert_cmpint (sscanf (ask (player, "query-latency", "\t%s", element),
                       "%d %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, &live,
                       &latency.min, &latency.max),
      ==, 3);
  latency.live = live;
  return latency;
}

/* --- what passes --------------------------------------------------------- */

void
player_tap (struct player *player, const char *element, enum player_look look)
{
  ask (player, "tap", "\t%s\t%d", element, look);
}

void
player_tap_rendered (struct player *player, const char *element)
{
  ask (player, "tap-rendered", "\t%s", element);
}

unsigned
player_count (struct player *player, const char *element)
{
  return (unsigned) to_u64 (ask (player, "count", "\t%s", element));
}

void
player_wait_more (struct player *player, const char *element, unsigned n)
{
  unsigned before = player_count (player, element);

  player_wait_count (player, element, before + n);
}

GArray *
player_get_records (struct player *player, const char *element)
{
  GArray *records = g_array_new (FALSE, FALSE, sizeof (struct player_record));
  const char *path = harness_path ("records");
  char *bytes;
  gsize size;

  ask (player, "records", "\t%s\t%s", element, path);
  g_assert_true (g_file_get_contents (path, &bytes, &size, NULL));
  g_array_append_vals (
      records, bytes, (guint) (size / sizeof (struct player_record)));
  g_free (bytes);
  g_assert_cmpint (unlink (path), ==, 0);
  return records;
}

void
player_assert_same_content (GArray *a, GArray *b)
{
  g_assert_cmpuint (a->len, ==, b->len);
  for (guint i = 0; i < a->len; i++)
    g_assert_cmphex (g_array_index (a, struct player_record, i).sum, ==,
        g_array_index (b, struct player_record, i).sum);
}

void
player_hold (struct player *player, const char *element, unsigned n)
{
  ask (player, "hold", "\t%s\t%u", element, n);
}

void
player_let_go (struct player *player)
{
  ask (player, "let-go", "");
}

unsigned
player_check_held (struct player *player)
{
  unsigned n, n_changed;

  g_assert_cmpint (
      sscanf (ask (player, "check-held", ""), "%u %u", &n, &n_changed), ==, 2);
  g_assert_cmpuint (n_changed, ==, 0);
  return n;
}

/* --- buffers of our making ----------------------------------------------- */

void
player_push (struct player *player, const char *element,
    const struct player_segment *segment, const struct player_record *r)
{
  ask (player, "push",
      "\t%s\t%.3f %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT
      " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\t%" G_GUINT64_FORMAT
      " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT
      " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT,
      element, segment && segment->rate != 0 ? segment->rate : 1.0,
      segment ? segment->start : 0,
      segment && segment->stop ? segment->stop : GST_CLOCK_TIME_NONE,
      segment ? segment->base : 0, segment ? segment->offset : 0, r->pts,
      r->dts, r->duration, r->offset, r->offset_end, r->flags, r->size);
}

void
player_push_steps (
    struct player *player, const char *element, unsigned first, unsigned n)
{
  for (unsigned i = first; i < first + n; i++) {
    struct player_record r = { .pts = i * 10 * GST_MSECOND,
      .dts = GST_CLOCK_TIME_NONE,
      .duration = 10 * GST_MSECOND,
      .offset = i,
      .offset_end = i + 1,
      .size = 8 };

    player_push (player, element, NULL, &r);
  }
}

void
player_end_of_stream (struct player *player, const char *element)
{
  ask (player, "end-of-stream", "\t%s", element);
}

void
player_feed (struct player *player, const char *element, const char *caps,
    unsigned n_frames, unsigned fps)
{
  ask (player, "feed", "\t%s\t%s\t%u\t%u", element, caps, n_frames, fps);
}

void
player_feed_files (struct player *player, const char *element, const char *caps,
    unsigned n_frames, const struct player_files *files)
{
  ask (player, "feed-files", "\t%s\t%s\t%u\t%d\t%u\t%u\t%d\t%u", element, caps,
      n_frames, files->kind, files->size, files->n_files, files->pooled,
      files->stride);
}

struct player_memory
player_look_at_last (struct player *player, const char *sink)
{
  const char *words = ask (player, "look-at-last", "\t%s", sink);
  struct player_memory seen;
  int dmabuf, fd, writable;

  g_assert_cmpint (
      sscanf (words,
          "%d %d %d %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %u",
          &dmabuf, &fd, &writable, &seen.offset, &seen.size, &seen.inode,
          &seen.plane_offset, &seen.stride),
      ==, 8);
  seen.is_dmabuf = dmabuf;
  seen.is_fd = fd;
  seen.is_writable = writable;
  return seen;
}
