/* SPDX-License-Identifier: MIT */
/* Encoded streams: nobody gets a delta unit without the units before it, back
 * to a key unit; neither after joining nor after frames were skipped. */
#include "harness/actor.h"
#include "harness/frames.h"

#define D XMEM_FRAME_DELTA_UNIT

/* One unit per letter: K a key unit, d a delta unit. */
static void
publish (struct source *source, uint64_t first, const char *units)
{
  for (unsigned i = 0; units[i]; i++)
    harness_assert_ok (
        source_publish (source, 1000, first + i, units[i] == 'd' ? D : 0, 0),
        NULL);
}

static void
test_joiner_waits_for_a_key_unit (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor first, second;

  actor_start_subscriber (&first, address, XMEM_DELIVERY_LATEST, 16);
  publish (&source, 0, "Kd");
  actor_start_subscriber (&second, address, XMEM_DELIVERY_LATEST, 16);
  publish (&source, 2, "ddKdd");
  for (unsigned i = 0; i < 4; i++) /* the default grant */
    actor_expect_frame (&first, i);
  actor_expect_frame (&second, 4);
  actor_expect_frame (&second, 5);
  actor_expect_frame (&second, 6);
  g_assert_cmpuint (source_stats (&source).frames_dropped, >=, 2);
  actor_stop (&first);
  actor_stop (&second);
  source_close (&source);
}

/* Who was there when the stream began gets what it begins with. */
static void
test_first_unit_is_taken_as_it_is (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor actor;

  actor_start_subscriber (&actor, address, XMEM_DELIVERY_LATEST, 4);
  publish (&source, 0, "dd");
  actor_expect_frame (&actor, 0);
  actor_expect_frame (&actor, 1);
  actor_stop (&actor);
  source_close (&source);
}

static void
test_joiner_of_raw_frames_waits_for_nothing (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor actor;

  publish (&source, 0, "KKK");
  actor_start_subscriber (&actor, address, XMEM_DELIVERY_EVERY, 4);
  publish (&source, 3, "K");
  actor_expect_frame (&actor, 3);
  actor_stop (&actor);
  source_close (&source);
}

/* Without credit: the next delta unit waits, its successors do not replace
 * it, a key unit does. */
static void
test_latest_skips_to_key_units (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor actor;

  actor_start_subscriber (&actor, address, XMEM_DELIVERY_LATEST, 1);
  publish (&source, 0, "Kdd"); /* 0 sent, 1 waits, 2 skipped */
  actor_expect_frame (&actor, 0);
  actor_release (&actor, 0);
  actor_expect_frame (&actor, 1);
  publish (&source, 3, "d"); /* cannot follow 1 */
  actor_release (&actor, 1);
  harness_wait_until (source_stats (&source).frames_held == 0);
  publish (&source, 4, "d"); /* neither */
  actor_expect_status (&actor, XMEM_AGAIN);
  publish (&source, 5, "KddKd"); /* 5 sent, 6 waits, 8 takes its place */
  actor_expect_frame (&actor, 5);
  actor_release (&actor, 5);
  actor_expect_frame (&actor, 8);
  actor_expect_status (&actor, XMEM_AGAIN);
  actor_release (&actor, 8);
  harness_wait_until (source_stats (&source).frames_held == 0);
  publish (&source, 10, "dK"); /* 9 was skipped, so 10 is */
  actor_expect_frame (&actor, 11);
  actor_stop (&actor);
  source_close (&source);
}

static void
test_leaky_skips_to_key_units (void)
{
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = harness_path ("socket"),
    .flags = XMEM_PUBLISHER_LEAKY };
  struct source source;
  struct actor actor;

  source_open (&source, &params);
  actor_start_subscriber (&actor, params.address, XMEM_DELIVERY_EVERY, 2);
  publish (&source, 0, "Kdd"); /* 2 is lost */
  actor_expect_frame (&actor, 0);
  actor_expect_frame (&actor, 1);
  actor_release (&actor, 0);
  actor_release (&actor, 1);
  harness_wait_until (source_stats (&source).frames_held == 0);
  publish (&source, 3, "ddKd");
  actor_expect_frame (&actor, 5);
  actor_expect_frame (&actor, 6);
  actor_stop (&actor);
  source_close (&source);
}

static void
test_new_stream_begins_anew (void)
{
  struct source source;
  const char *address = source_open_simply (&source);
  struct actor actor;

  publish (&source, 0, "Kd");
  xmem_publisher_send_eos (source.publisher);
  actor_start_subscriber (&actor, address, XMEM_DELIVERY_LATEST, 4);
  publish (&source, 2, "d");
  actor_expect_frame (&actor, 2);
  actor_stop (&actor);
  source_close (&source);
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add (
      "/joiner-waits-for-a-key-unit", test_joiner_waits_for_a_key_unit);
  harness_add (
      "/first-unit-is-taken-as-it-is", test_first_unit_is_taken_as_it_is);
  harness_add ("/joiner-of-raw-frames-waits-for-nothing",
      test_joiner_of_raw_frames_waits_for_nothing);
  harness_add ("/latest-skips-to-key-units", test_latest_skips_to_key_units);
  harness_add ("/leaky-skips-to-key-units", test_leaky_skips_to_key_units);
  harness_add ("/new-stream-begins-anew", test_new_stream_begins_anew);
  return g_test_run ();
}
