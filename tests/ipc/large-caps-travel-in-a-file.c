/* SPDX-License-Identifier: MIT */
/* Caps that are too large for a message arrive all the same. */
#include <string.h>

#include "harness/actor.h"
#include "harness/frames.h"

static char *
new_caps (size_t size)
{
  char *caps = g_malloc (size + 1);

  for (size_t i = 0; i < size; i++)
    caps[i] = (char) ('a' + i * 7 % 26);
  caps[size] = '\0';
  return caps;
}

static void
test_all_sizes_arrive (void)
{
  static const size_t sizes[] = { 0, 1, 16384, 16385, 100000, XMEM_MAX_CAPS };
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor_frame frame;
  struct actor actor;

  actor_start_subscriber (&actor, address, XMEM_DELIVERY_EVERY, 0);
  for (size_t i = 0; i < G_N_ELEMENTS (sizes); i++) {
    char *caps = new_caps (sizes[i]);

    source_set_caps (&source, caps);
    source_publish_many (&source, 1000, i, 1);
    harness_assert_ok (actor_next (&actor, -1, &frame), NULL);
    g_assert_cmpuint (frame.caps_size, ==, sizes[i]);
    g_assert_cmpuint (frame.caps_hash, ==, g_str_hash (caps));
    actor_release (&actor, i);
    g_free (caps);
  }
  actor_stop (&actor);
  source_close (&source);
}

static void
test_too_large_caps_are_refused (void)
{
  struct source source;
  struct xmem_stream_info info = { .caps = NULL };
  struct xmem_error error;
  char *caps = new_caps (XMEM_MAX_CAPS + 1);

  source_open_simply (&source);
  info.caps = caps;
  harness_assert_status (
      xmem_publisher_set_stream (source.publisher, &info, &error), XMEM_INVALID,
      &error);
  harness_assert_contains (error.message, "16777217");
  g_free (caps);
  source_close (&source);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/all-sizes-arrive", test_all_sizes_arrive);
  harness_add ("/too-large-caps-are-refused", test_too_large_caps_are_refused);
  return g_test_run ();
}
