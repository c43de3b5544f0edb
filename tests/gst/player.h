/* SPDX-License-Identifier: MIT */
/* A child with pipelines that does what it is told, step by step, so that a
 * test about the life of two processes reads as one script. (pipeline.h is
 * for launch lines that just run to their end.)
 *
 *   int main (int argc, char **argv)
 *   {
 *     player_init (&argc, &argv);
 *     harness_add ("/a-sentence", test_it);
 *     return g_test_run ();
 *   }
 *
 * Functions fail the test on anything unexpected. They have no time limit;
 * player_init () sets one for the program as a whole. A critical warning of
 * GLib's ends the child. */
#ifndef XMEM_TEST_PLAYER_H
#define XMEM_TEST_PLAYER_H

#include <gst/gst.h>

#include "harness/harness.h"

/* As harness_init (), with the roles "player", "player-apart" and "actor". */
void player_init (int *argc, char ***argv);

struct player {
  struct harness_child child;
  const char *line; /* which of its pipelines */
};

#define PLAYER_FIRST_LINE "main"

void player_start (struct player *player);
/* Lets it take its pipelines down and end; fails unless that goes well. */
void player_stop (struct player *player);
/* kill -9 and wait. */
void player_die (struct player *player);
/* Waits for EOS or an error as player_wait_end (), then ends on the spot,
 * leaving its pipelines as they are. */
void player_exit_at_end (struct player *player);
/* SIGSTOP, and SIGCONT. */
void player_freeze (struct player *player);
void player_thaw (struct player *player);

/* The same child, for a further pipeline in it; stop one of them only. */
struct player player_another (const struct player *player, const char *line);

/* --- its pipeline -------------------------------------------------------- */

/* Makes the pipeline; a former one of that name goes. */
void player_launch (struct player *player, const char *format, ...)
    G_GNUC_PRINTF (2, 3);

/* What stands before a sink, "sink", that publishes at the address; its frames
 * are counted. And a source, which properties name, with what stands behind it,
 * "out", whose frames are summed. */
void player_launch_sink (struct player *player, const char *source,
    const char *address, const char *properties);
void player_launch_source (
    struct player *player, const char *address, const char *properties);

/* Launches and sets it to PLAYING, without waiting for that. */
void player_play (struct player *player, const char *format, ...)
    G_GNUC_PRINTF (2, 3);

/* gst_element_set_state (). */
GstStateChangeReturn player_set_state (struct player *player, GstState state);

/* The same and waits for the end of the change, which must not fail. */
void player_reach (struct player *player, GstState state);

/* To NULL, and gone. */
void player_drop (struct player *player);

/* All of them, and then gst_deinit (). The process lives on. */
void player_deinit (struct player *player);

/* Sends EOS into its sources. */
void player_send_eos (struct player *player);

/* Waits for EOS or an error on its bus: NULL for EOS, else the error's text;
 * until the next call. */
const char *player_wait_end (struct player *player);
void player_expect_eos (struct player *player);
void player_expect_error (struct player *player, const char *part);
/* Whether either is there, without waiting. */
bool player_has_ended (struct player *player);
/* Forgets EOS and errors. */
void player_forget_end (struct player *player);

/* Waits for a warning with this text in it. */
void player_expect_warning (struct player *player, const char *part);

/* Waits for an element message of this name, or "GstMessageQOS"; a number in
 * the last of them. */
int64_t player_wait_message (
    struct player *player, const char *name, const char *field);
unsigned player_count_messages (struct player *player, const char *name);

/* --- elements, by name --------------------------------------------------- */

void player_set (struct player *player, const char *element,
    const char *property, const char *value);
/* As text; until the next call. */
const char *player_get (
    struct player *player, const char *element, const char *property);

/* A number in the element's stats. */
uint64_t player_stat (
    struct player *player, const char *element, const char *field);
/* The same of a sink's client of that name; UINT64_MAX when it has none. */
uint64_t player_client_stat (struct player *player, const char *element,
    const char *client, const char *field);
/* All of them, as text. */
const char *player_stats (struct player *player, const char *element);
#define player_wait_stat(player, element, field, at_least) \
  harness_wait_until (player_stat (player, element, field) >= (at_least))

/* Counts the signals of an xmemsink. */
struct player_signals {
  unsigned connected;
  unsigned disconnected;
  unsigned notified; /* of num-clients */
  int last_connected; /* fds */
  int last_disconnected;
};

void player_watch (struct player *player, const char *element);
struct player_signals player_get_signals (
    struct player *player, const char *element);

/* --- time ---------------------------------------------------------------- */

/* Makes it run on a clock of player-clock.h. */
void player_use_clock (struct player *player, const char *description);
/* Serves its clock to other processes: the port, 0 if that is not possible. */
int player_serve_clock (struct player *player);
void player_set_latency (struct player *player, uint64_t latency_ns);

struct player_times {
  uint64_t base_time; /* of its pipeline */
  uint64_t latency; /* of the sink `element` */
};

struct player_times player_get_times (
    struct player *player, const char *element);

/* How much later than Time in docs/elements.md promises it has said that its
 * running times are. A machine that is loaded delays a live connection's first
 * frame, which may then lie before the start. */
int64_t player_get_shift (struct player *player);

struct player_latency {
  bool live;
  uint64_t min;
  uint64_t max;
};

struct player_latency player_query_latency (
    struct player *player, const char *element);

/* --- what passes --------------------------------------------------------- */

enum player_look {
  PLAYER_LOOK_AWAY = 0, /* at times and flags only */
  PLAYER_LOOK_TOUCH, /* reads a byte of every page */
  PLAYER_LOOK_SUM, /* reads everything */
};

/* Records every buffer that comes to the element's (first) sink pad. */
void player_tap (
    struct player *player, const char *element, enum player_look look);

/* The same when the fakesink `element` shows them. */
void player_tap_rendered (struct player *player, const char *element);

/* So many records take no more memory than the first. */
#define PLAYER_RESERVED 8192

struct player_record {
  int64_t running_pts; /* INT64_MIN: none */
  int64_t running_dts;
  uint64_t pts;
  uint64_t dts;
  uint64_t duration;
  uint64_t offset;
  uint64_t offset_end;
  uint64_t flags;
  uint64_t size;
  uint64_t sum; /* of the content */
  uint64_t at; /* CLOCK_MONOTONIC */
  int64_t base; /* CLOCK_MONOTONIC at running time 0, by the element's clock at
                   that moment; 0 without a clock */
  uint64_t uncertainty; /* of that */
  uint64_t raw_pts; /* of metas, as docs/elements.md tells; or NONE */
  uint64_t captured;
  uint64_t lost; /* before it; 0: nothing is said */
};

unsigned player_count (struct player *player, const char *element);
#define player_wait_count(player, element, at_least) \
  harness_wait_until (player_count (player, element) >= (at_least))

/* Waits for n further ones. */
void player_wait_more (struct player *player, const char *element, unsigned n);

/* Of struct player_record, so far; the caller frees the array. */
GArray *player_get_records (struct player *player, const char *element);

/* Fails unless the sums of all of them are the same. */
void player_assert_same_content (GArray *a, GArray *b);

/* Keeps references to the next n buffers. */
void player_hold (struct player *player, const char *element, unsigned n);
void player_let_go (struct player *player);
/* How many it keeps, and that their content is still what it was. They stay
 * when the pipeline goes. */
unsigned player_check_held (struct player *player);

/* --- buffers of our making ----------------------------------------------- */

/* The segment of the buffers that follow, in nanoseconds. */
struct player_segment {
  double rate; /* 0: 1.0 */
  uint64_t start;
  uint64_t stop; /* 0: none */
  uint64_t base;
  uint64_t offset;
};

/* Into the appsrc `element`, of `size` bytes. */
void player_push (struct player *player, const char *element,
    const struct player_segment *segment, const struct player_record *record);
/* n of 10 ms each, numbered from `first` on by time and offset. */
void player_push_steps (
    struct player *player, const char *element, unsigned first, unsigned n);
void player_end_of_stream (struct player *player, const char *element);

/* Pushes n_frames of these caps, with `fps`, out of a pool of libgstxmem; in
 * a thread of its own. Each is stamped with its number, otherwise untouched. */
void player_feed (struct player *player, const char *element, const char *caps,
    unsigned n_frames, unsigned fps);

/* --- buffers in files of others ------------------------------------------ */

enum player_file {
  PLAYER_FILE_SEALED, /* against shrinking and writing */
  PLAYER_FILE_UNSEALED,
  PLAYER_FILE_SHRINKABLE, /* only against writing, and shrunk after use */
  PLAYER_FILE_DMABUF, /* dmabuf-double.h */
};

struct player_files {
  enum player_file kind;
  unsigned size; /* of each, a multiple of 8 */
  unsigned
      n_files; /* used in turns as they come back; 0: a new one each time */
  bool pooled; /* as a GstBufferPool of that many buffers */
  unsigned stride; /* 0: no GstVideoMeta; else of NV12 pictures of 160 x 120 */
};

/* Pushes n_frames of these caps into the appsrc, in a thread of its own. Each
 * consists of its number. */
void player_feed_files (struct player *player, const char *element,
    const char *caps, unsigned n_frames, const struct player_files *files);

struct player_memory {
  bool is_dmabuf; /* to GStreamer */
  bool is_fd;
  bool is_writable;
  uint64_t offset;
  uint64_t size;
  uint64_t inode; /* of its fd, or 0 */
  uint64_t plane_offset; /* of the second plane of the GstVideoMeta, or 0 */
  unsigned stride; /* the same */
};

/* At the first memory of the last buffer that a sink got. */
struct player_memory player_look_at_last (
    struct player *player, const char *sink);

#endif
