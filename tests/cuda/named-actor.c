/* SPDX-License-Identifier: MIT */
/* Both halves of the actor. The child owns its pools and the buffers it keeps. */
#include "cuda/named-actor.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/named.h"
#include "mem/cuda.h"

#define MAX_KEPT 512

/* --- the child ----------------------------------------------------------- */

static struct {
  const char *name; /* of the pool */
  struct xmem_pool *pools[2];
  unsigned at;
  struct xmem_buffer *kept[MAX_KEPT];
  unsigned n_kept;
  CUstream stream;
} self;

static struct xmem_error error;

static struct xmem_pool *
pool (void)
{
  return self.pools[self.at];
}

static void
answer (int status)
{
  harness_say ("%d %s", status, status ? error.message : "");
}

static void
answer_number (int status, uint64_t number)
{
  if (status != 0)
    answer (status);
  else
    harness_say ("0 %" PRIu64, number);
}

static void
keep (int status, struct xmem_buffer *const *buffer)
{
  if (status != 0) {
    answer (status);
    return;
  }
  g_assert_cmpuint (self.n_kept, <, MAX_KEPT);
  self.kept[self.n_kept++] = *buffer;
  answer_number (0, xmem_buffer_get_id (*buffer));
}

/* The one got last, of this id. */
static struct xmem_buffer **
find (uint64_t id)
{
  unsigned i = self.n_kept;

  while (i > 0 && xmem_buffer_get_id (self.kept[i - 1]) != id)
    i--;
  g_assert_cmpuint (i, >, 0);
  return &self.kept[i - 1];
}

static struct xmem_buffer *
take_out (uint64_t id)
{
  struct xmem_buffer **place = find (id);
  struct xmem_buffer *buffer = *place;

  *place = self.kept[--self.n_kept];
  return buffer;
}

/* Two numbers, of which the second may be missing. */
static void
parse (const char *arguments, uint64_t *one_out, uint64_t *other_out)
{
  *other_out = 0;
  g_assert_cmpint (
      sscanf (arguments, "%" SCNu64 " %" SCNu64, one_out, other_out), >=, 1);
}

static void
do_at (const char *arguments)
{
  self.at = (unsigned) atoi (arguments);
  answer (0);
}

static void
do_create (const char *arguments)
{
  struct xmem_pool_params params = { .struct_size = sizeof (params),
    .handover_timeout_ns = 100000000 };

  g_assert_cmpint (sscanf (arguments, "%u %" SCNu64 " %u", &params.n_slots,
                       &params.max_bytes, &params.cuda_mode),
      ==, 3);
  answer (xmem_pool_create (self.name, &params, &self.pools[self.at], &error));
}

static void
do_open (const char *arguments)
{
  answer (xmem_pool_open (
      self.name, (unsigned) atoi (arguments), &self.pools[self.at], &error));
}

static void
do_close (const char *arguments)
{
  g_clear_pointer (&self.pools[self.at], xmem_pool_unref);
  answer (0);
}

static void
do_acquire (const char *arguments)
{
  struct xmem_buffer *buffer;
  uint64_t size;
  int device;

  g_assert_cmpint (sscanf (arguments, "%" SCNu64 " %d", &size, &device), ==, 2);
  keep (device < 0 ? xmem_pool_acquire (pool (), size, 0, 0, &buffer, &error)
                   : xmem_pool_acquire_cuda (
                       pool (), size, device, 0, 0, &buffer, &error),
      &buffer);
}

static void
do_preallocate (const char *arguments)
{
  uint64_t size;
  unsigned n;
  int device;

  g_assert_cmpint (
      sscanf (arguments, "%" SCNu64 " %u %d", &size, &n, &device), ==, 3);
  answer (device < 0
              ? xmem_pool_preallocate (pool (), size, n, &error)
              : xmem_pool_preallocate_cuda (pool (), size, n, device, &error));
}

static void
do_get (const char *arguments)
{
  struct xmem_buffer *buffer;
  uint64_t id, access;

  parse (arguments, &id, &access);
  keep (xmem_pool_get (pool (), id, (enum xmem_access) access, &buffer, &error),
      &buffer);
}

static void
do_take (const char *arguments)
{
  struct xmem_buffer *buffer;
  uint64_t id, access;

  parse (arguments, &id, &access);
  keep (
      xmem_pool_take (pool (), id, (enum xmem_access) access, &buffer, &error),
      &buffer);
}

static void
do_get_at (const char *arguments)
{
  struct xmem_buffer *buffer;

  keep (xmem_pool_get_at (
            pool (), (uint32_t) atoi (arguments), XMEM_READ, &buffer, &error),
      &buffer);
}

static void
do_next (const char *arguments)
{
  struct xmem_buffer *buffer;
  uint32_t cursor = 0;

  keep (xmem_pool_next (pool (), &cursor, &buffer, &error), &buffer);
}

static void
do_give (const char *arguments)
{
  uint64_t id, n;

  parse (arguments, &id, &n);
  answer (xmem_buffer_give (take_out (id), (unsigned) n, &error));
}

static void
do_unref (const char *arguments)
{
  xmem_buffer_unref (take_out (g_ascii_strtoull (arguments, NULL, 10)));
  answer (0);
}

static size_t
n_words (const struct xmem_buffer *buffer)
{
  return (size_t) xmem_buffer_get_size (buffer) / sizeof (uint64_t);
}

/* Kernels take so many at a time, from there on. */
static size_t
n_in_part (const struct xmem_buffer *buffer, size_t first)
{
  return MIN (n_words (buffer) - first, DOUBLE_MAX_WORDS);
}

static uint64_t
word_at (const struct xmem_buffer *buffer, size_t i)
{
  return xmem_buffer_get_cuda_pointer (buffer) + i * sizeof (uint64_t);
}

static void
synchronize (void)
{
  g_assert_cmpint (cuda_double.cuStreamSynchronize (self.stream), ==, 0);
}

static void
do_write (const char *arguments)
{
  struct xmem_buffer *buffer;
  uint64_t id, stamp;

  parse (arguments, &id, &stamp);
  buffer = *find (id);
  harness_assert_ok (
      xmem_buffer_cuda_wait (buffer, self.stream, &error), &error);
  for (size_t i = 0; i < n_words (buffer); i += DOUBLE_MAX_WORDS)
    double_write (
        self.stream, word_at (buffer, i), n_in_part (buffer, i), stamp);
  synchronize ();
  answer (0);
}

static void
do_check (const char *arguments)
{
  struct double_tally tally = { 0 };
  struct xmem_buffer *buffer;
  uint64_t id, stamp;

  parse (arguments, &id, &stamp);
  buffer = *find (id);
  harness_assert_ok (
      xmem_buffer_cuda_wait (buffer, self.stream, &error), &error);
  for (size_t i = 0; i < n_words (buffer); i += DOUBLE_MAX_WORDS)
    double_check (self.stream, word_at (buffer, i), n_in_part (buffer, i),
        stamp, 0, &tally);
  synchronize ();
  answer_number (0, tally.n_bad == 0);
}

static void
do_copy (const char *arguments)
{
  uint64_t to, from;

  parse (arguments, &to, &from);
  answer (xmem_buffer_copy (*find (to), *find (from), &error));
}

static void
do_copy_after (const char *arguments)
{
  uint64_t to, from;
  int r;

  parse (arguments, &to, &from);
  r = xmem_buffer_copy_after (*find (to), *find (from), self.stream, &error);
  synchronize ();
  answer (r);
}

static void
do_fill (const char *arguments)
{
  uint64_t id, seed;
  uint8_t *bytes;

  parse (arguments, &id, &seed);
  bytes = xmem_buffer_get_mut_data (*find (id));
  for (size_t i = 0; i < xmem_buffer_get_size (*find (id)); i++)
    bytes[i] = (uint8_t) (seed + i * 7);
  answer (0);
}

static void
do_same (const char *arguments)
{
  uint64_t one, other;

  parse (arguments, &one, &other);
  answer_number (0, memcmp (xmem_buffer_get_data (*find (one)),
                        xmem_buffer_get_data (*find (other)),
                        (size_t) xmem_buffer_get_size (*find (one)))
                        == 0);
}

static void
do_pointer (const char *arguments)
{
  answer_number (0, xmem_buffer_get_cuda_pointer (
                        *find (g_ascii_strtoull (arguments, NULL, 10))));
}

static void
do_device (const char *arguments)
{
  harness_say ("0 %d",
      xmem_buffer_get_device (*find (g_ascii_strtoull (arguments, NULL, 10))));
}

static void
do_refs (const char *arguments)
{
  struct xmem_buffer_refs refs;

  xmem_buffer_get_refs (*find (g_ascii_strtoull (arguments, NULL, 10)), &refs);
  harness_say ("0 %u %u %u", refs.local, refs.holders, refs.in_flight);
}

static void
do_stats (const char *arguments)
{
  struct xmem_pool_stats s;

  xmem_pool_get_stats (pool (), &s);
  harness_say ("0 %u %u %u %u %" PRIu64, s.n_slots, s.n_used, s.n_in_flight,
      s.n_segments, s.bytes);
}

static void
do_reclaim (const char *arguments)
{
  uint32_t n = 0;
  int r = xmem_pool_reclaim (pool (), &n, &error);

  answer_number (r, n);
}

static void
do_publish (const char *arguments)
{
  char path[256];
  struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = path,
    .flags = XMEM_PUBLISHER_NO_THREAD };
  struct xmem_publisher *publisher;
  struct xmem_frame_info info;
  uint64_t id;
  int r;

  g_assert_cmpint (sscanf (arguments, "%" SCNu64 " %255s", &id, path), ==, 2);
  xmem_frame_info_init (&info);
  harness_assert_ok (xmem_publisher_new (&params, &publisher, &error), &error);
  r = xmem_publisher_publish_buffer (publisher, *find (id), &info, 0, &error);
  xmem_publisher_free (publisher);
  answer (r);
}

static void
do_calls (const char *arguments)
{
  answer_number (0, cuda_double.fake_cuda_calls (arguments, 0));
}

static void
do_fail (const char *arguments)
{
  char name[64];
  unsigned nth;
  int code;

  g_assert_cmpint (sscanf (arguments, "%63s %u %d", name, &nth, &code), ==, 3);
  g_assert_true (cuda_double.fake_cuda_fail (name, nth, code));
  answer (0);
}

/* What there is but contexts and our stream. */
static int64_t
count_left (void)
{
  return double_live (NULL) - double_live ("context") - double_live ("stream")
         + (int64_t) xmem_cuda_count_memories ();
}

static void
do_left (const char *arguments)
{
  answer_number (0, (uint64_t) count_left ());
}

static const struct harness_command commands[] = {
  { "at", do_at },
  { "create", do_create },
  { "open", do_open },
  { "close", do_close },
  { "acquire", do_acquire },
  { "preallocate", do_preallocate },
  { "get", do_get },
  { "take", do_take },
  { "get-at", do_get_at },
  { "next", do_next },
  { "give", do_give },
  { "unref", do_unref },
  { "write", do_write },
  { "check", do_check },
  { "fill", do_fill },
  { "same", do_same },
  { "copy", do_copy },
  { "copy-after", do_copy_after },
  { "pointer", do_pointer },
  { "device", do_device },
  { "refs", do_refs },
  { "stats", do_stats },
  { "reclaim", do_reclaim },
  { "publish", do_publish },
  { "calls", do_calls },
  { "fail", do_fail },
  { "left", do_left },
};

/* The pool's name, and what to put into the environment. */
void
named_actor_run (int argc, char **argv)
{
  bool has_driver = true;

  self.name = argv[0];
  for (int i = 1; i < argc; i++) {
    putenv (argv[i]);
    has_driver = has_driver && !g_str_has_prefix (argv[i], "NO_DRIVER");
  }
  if (has_driver) {
    double_load ();
    self.stream = double_stream ();
  }
  harness_obey (commands, G_N_ELEMENTS (commands));
  while (self.n_kept > 0)
    xmem_buffer_unref (self.kept[--self.n_kept]);
  for (unsigned i = 0; i < 2; i++)
    xmem_pool_unref (self.pools[i]);
  if (has_driver)
    g_assert_cmpint (count_left (), ==, 0);
}

/* --- the test's half ----------------------------------------------------- */

#define MAX_VARIABLES 4

void
named_actor_start (struct harness_child *child, ...)
{
  const char *variables[MAX_VARIABLES + 1] = { NULL };
  va_list args;

  va_start (args, child);
  for (unsigned i = 0; i < MAX_VARIABLES; i++) {
    variables[i] = va_arg (args, const char *);
    if (!variables[i])
      break;
  }
  va_end (args);
  harness_spawn (child, "named-actor", named_name (), variables[0],
      variables[1], variables[2], variables[3], NULL);
}

void
named_actor_stop (struct harness_child *child)
{
  g_assert_cmpint (harness_join (child), ==, 0);
}

void
named_actor_die (struct harness_child *child)
{
  harness_kill (child, SIGKILL);
  g_assert_cmpint (harness_join (child), ==, -SIGKILL);
}

static const char *
ask (struct harness_child *child, int status, const char *format, va_list args)
{
  static char line[HARNESS_LINE_MAX];
  g_autofree char *text = g_strdup_vprintf (format, args);
  int got, used = 0;

  harness_tell (child, "%s", text);
  harness_hear (child, line);
  g_assert_cmpint (sscanf (line, "%d %n", &got, &used), >=, 1);
  if (got != status)
    g_error ("%s: status %d, not %d: %s", text, got, status, line + used);
  return line + used;
}

const char *
named_actor_ask (
    struct harness_child *child, int status, const char *format, ...)
{
  const char *rest;
  va_list args;

  va_start (args, format);
  rest = ask (child, status, format, args);
  va_end (args);
  return rest;
}

uint64_t
named_actor_ask_number (struct harness_child *child, const char *format, ...)
{
  const char *rest;
  va_list args;

  va_start (args, format);
  rest = ask (child, 0, format, args);
  va_end (args);
  return g_ascii_strtoull (rest, NULL, 10);
}

void
named_actor_expect_calls (
    struct harness_child *child, const char *function, uint64_t n)
{
  if (double_is_here ())
    g_assert_cmpuint (
        named_actor_ask_number (child, "calls %s", function), ==, n);
}
