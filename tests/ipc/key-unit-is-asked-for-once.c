/* SPDX-License-Identifier: MIT */
/* A subscriber that could have a frame but for its being a delta unit: the
 * publisher is told, once for all who wait, until the next key unit. */
#include "harness/actor.h"
#include "harness/frames.h"

#define D XMEM_FRAME_DELTA_UNIT

static unsigned n_asked;

static void
key_unit_wanted (void *user_data)
{
  n_asked++;
}

static const char *
open_source (struct source *source)
{
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = harness_path ("socket"),
    .key_unit_wanted = key_unit_wanted };

  n_asked = 0;
  source_open (source, &params);
  return params.address;
}

static void
publish (struct source *source, uint64_t first, const char *units)
{
  for (unsigned i = 0; units[i]; i++)
    harness_assert_ok (
        source_publish (source, 1000, first + i, units[i] == 'd' ? D : 0, 0),
        NULL);
}

static void
test_joiners (void)
{
  struct source source;
  const char *address = open_source (&source);
  struct actor actors[3];

  publish (&source, 0, "Kdd");
  g_assert_cmpuint (n_asked, ==, 0); /* by nobody */
  actor_start_subscriber (&actors[0], address, XMEM_DELIVERY_LATEST, 16);
  actor_start_subscriber (&actors[1], address, XMEM_DELIVERY_EVERY, 16);
  publish (&source, 3, "dd");
  g_assert_cmpuint (n_asked, ==, 1);
  actor_start_subscriber (&actors[2], address, XMEM_DELIVERY_LATEST, 16);
  publish (&source, 5, "ddK");
  for (unsigned i = 0; i < 3; i++) {
    actor_expect_frame (&actors[i], 7);
    actor_release (&actors[i], 7);
  }
  harness_wait_until (source_stats (&source).frames_held == 0);
  publish (&source, 8, "dd");
  g_assert_cmpuint (n_asked, ==, 1);
  for (unsigned i = 0; i < 3; i++)
    actor_stop (&actors[i]);
  source_close (&source);
}

/* Who has no room for a frame needs no key unit yet. */
static void
test_skips (void)
{
  struct source source;
  const char *address = open_source (&source);
  struct actor actor;

  actor_start_subscriber (&actor, address, XMEM_DELIVERY_LATEST, 1);
  publish (&source, 0, "KdddKddd"); /* 0 sent, 4 waits */
  g_assert_cmpuint (n_asked, ==, 0);
  actor_expect_frame (&actor, 0);
  actor_release (&actor, 0);
  actor_expect_frame (&actor, 4);
  publish (&source, 8, "d");
  g_assert_cmpuint (n_asked, ==, 0);
  actor_release (&actor, 4);
  harness_wait_until (source_stats (&source).frames_held == 0);
  publish (&source, 9, "dd");
  g_assert_cmpuint (n_asked, ==, 1);
  publish (&source, 11, "K");
  actor_expect_frame (&actor, 11);
  g_assert_cmpuint (n_asked, ==, 1);
  actor_stop (&actor);
  source_close (&source);
}

static void
test_raw_frames (void)
{
  struct source source;
  const char *address = open_source (&source);
  struct actor actor;

  publish (&source, 0, "KK");
  actor_start_subscriber (&actor, address, XMEM_DELIVERY_LATEST, 1);
  publish (&source, 2, "KKKK");
  g_assert_cmpuint (n_asked, ==, 0);
  actor_stop (&actor);
  source_close (&source);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/joiners", test_joiners);
  harness_add ("/skips", test_skips);
  harness_add ("/raw-frames", test_raw_frames);
  return g_test_run ();
}
