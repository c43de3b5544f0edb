/* SPDX-License-Identifier: MIT */
/* wire/message: both directions agree, and no bytes whatever lead a decoder
 * out of bounds or past a limit. */
#include <string.h>

#include "abi/golden.h"
#include "base/bytes.h"
#include "harness/harness.h"
#include "harness/messages.h"

#define MUST 1

/* Decodes from memory of just that size, so that a sanitizer sees one byte too
 * many. Texts and metas are gone when this returns. */
static int
decode (const uint8_t *bytes, size_t size, struct xmem_wire_message *message)
{
  uint8_t *exact = g_memdup2 (bytes, size);
  int r = xmem_wire_decode (exact ? exact : bytes, size, message, NULL);

  g_free (exact);
  return r;
}

static void
set_length (uint8_t *bytes, size_t size)
{
  struct xmem_writer w = { .data = bytes + 4, .size = 4 };

  xmem_writer_u32 (&w, (uint32_t) size);
}

/* --- messages and their bytes -------------------------------------------- */

static void
check_round_trip (const struct xmem_wire_message *message)
{
  uint8_t bytes[XMEM_WIRE_MAX_MESSAGE];
  size_t size = xmem_wire_encode (message, bytes, sizeof (bytes));
  struct xmem_wire_message again;
  struct xmem_error error;

  g_assert_cmpuint (size, >, 0);
  g_assert_cmpuint (size % 8, ==, 0);
  memset (&again, 0xee, sizeof (again));
  harness_assert_ok (xmem_wire_decode (bytes, size, &again, &error), &error);
  g_assert_true (messages_equal (message, &again));
}

static void
test_round_trip_of_every_message (void)
{
  for (size_t i = 0; i < golden_n_messages; i++)
    check_round_trip (&golden_messages[i].message);
}

static uint64_t
random_u64 (void)
{
  return (uint64_t) g_test_rand_int () << 32 | (uint32_t) g_test_rand_int ();
}

static void
fill_frame (struct xmem_wire_frame *frame, const void *metas)
{
  struct xmem_frame_info *info = &frame->info;

  frame->n_regions = (uint32_t) g_test_rand_int_range (0, 17);
  for (uint32_t i = 0; i < frame->n_regions; i++)
    frame->regions[i] = (struct xmem_wire_region){ (uint32_t) random_u64 (),
      (uint32_t) random_u64 (), (uint32_t) random_u64 (), random_u64 (),
      random_u64 () };
  frame->sequence = random_u64 ();
  frame->published_ns = random_u64 ();
  frame->epoch = (uint32_t) random_u64 ();
  info->pts = (int64_t) random_u64 ();
  info->dts = (int64_t) random_u64 ();
  info->flags = (uint32_t) random_u64 ();
  info->capture_ns = random_u64 ();
  info->description.dtype = (uint16_t) g_test_rand_int_range (0, 12);
  info->description.ndim = (uint16_t) g_test_rand_int_range (0, 9);
  for (unsigned i = 0; i < info->description.ndim; i++) {
    info->description.shape[i] = random_u64 ();
    info->description.strides[i] = (int64_t) random_u64 ();
  }
  info->metas_size =
      (size_t) g_test_rand_int_range (0, XMEM_WIRE_MAX_INLINE_METAS + 1);
  info->metas = metas;
  frame->metas_fd_size =
      (uint64_t) g_test_rand_int_range (0, XMEM_MAX_METAS + 1);
}

static void
test_round_trip_of_random_frames (void)
{
  uint8_t metas[XMEM_WIRE_MAX_INLINE_METAS];

  for (size_t i = 0; i < sizeof (metas); i++)
    metas[i] = (uint8_t) g_test_rand_int ();
  for (unsigned i = 0; i < 500; i++) {
    struct xmem_wire_message m = { .type = XMEM_WIRE_FRAME };

    fill_frame (&m.frame, metas);
    check_round_trip (&m);
  }
}

static void
test_round_trip_at_the_limits (void)
{
  static char text[XMEM_WIRE_MAX_INLINE_CAPS];
  struct xmem_wire_message m = { .type = XMEM_WIRE_STREAM };

  memset (text, 'x', sizeof (text));
  m.stream.caps = (struct xmem_wire_text){ text, sizeof (text) };
  check_round_trip (&m);
  m.stream.caps = (struct xmem_wire_text){ text, 0 }; /* "" is not NULL */
  check_round_trip (&m);
  m = (struct xmem_wire_message){ .type = XMEM_WIRE_STREAM,
    .stream.caps_fd_size = XMEM_MAX_CAPS };
  check_round_trip (&m);
  m = (struct xmem_wire_message){ .type = XMEM_WIRE_FRAME,
    .frame.metas_fd_size = XMEM_MAX_METAS };
  check_round_trip (&m);
  m = (struct xmem_wire_message){ .type = XMEM_WIRE_HELLO,
    .hello = { 1, 1, 1, 0, 0, 0, { text, XMEM_WIRE_MAX_NAME } } };
  check_round_trip (&m);
  m = (struct xmem_wire_message){ .type = XMEM_WIRE_ERROR,
    .error = { XMEM_REFUSED, { text, 1024 } } };
  check_round_trip (&m);
  m = (struct xmem_wire_message){ .type = XMEM_WIRE_RELEASE,
    .sequences.n = XMEM_WIRE_MAX_SEQUENCES };
  check_round_trip (&m);
  m = (struct xmem_wire_message){ .type = XMEM_WIRE_SEGMENT,
    .segment = { 1, XMEM_WIRE_SEGMENT_CUDA_LEGACY, XMEM_WIRE_MAX_CUDA_EVENTS,
        { .slot_size = 1,
            .n_events = XMEM_WIRE_MAX_CUDA_EVENTS,
            .events = (const uint8_t *) text } } };
  check_round_trip (&m);
}

static void
test_texts_stay_where_they_are (void)
{
  struct xmem_wire_message m;
  uint8_t bytes[256];
  size_t size = golden_bytes (golden_messages[1].hex, bytes, sizeof (bytes));

  harness_assert_ok (xmem_wire_decode (bytes, size, &m, NULL), NULL);
  g_assert_true (m.hello.name.data == (const char *) bytes + size - 8);
}

/* --- encoding ------------------------------------------------------------ */

static void
test_encoder_stays_inside (void)
{
  for (size_t i = 0; i < golden_n_messages; i++) {
    uint8_t bytes[256];
    const struct xmem_wire_message *m = &golden_messages[i].message;
    size_t size = xmem_wire_encode (m, bytes, sizeof (bytes));

    for (size_t small = 0; small < size; small++) {
      uint8_t *exact = g_malloc0 (small + (small == 0));

      g_assert_cmpuint (xmem_wire_encode (m, exact, small), ==, 0);
      g_free (exact);
    }
  }
}

static void
refuse_to_encode (const struct xmem_wire_message *message)
{
  static uint8_t bytes[2 * XMEM_WIRE_MAX_MESSAGE];

  g_assert_cmpuint (xmem_wire_encode (message, bytes, sizeof (bytes)), ==, 0);
}

static void
test_encoder_refuses_texts_out_of_bounds (void)
{
  static char text[XMEM_WIRE_MAX_INLINE_CAPS + 1];
  struct xmem_wire_message m = { .type = XMEM_WIRE_HELLO,
    .hello = { 1, 1, 1, 0, 0, 0, { text, XMEM_WIRE_MAX_NAME + 1 } } };

  memset (text, 'x', sizeof (text));
  refuse_to_encode (&m);
  m.hello.name = (struct xmem_wire_text){ "a\0b", 3 };
  refuse_to_encode (&m);
  m = (struct xmem_wire_message){ .type = XMEM_WIRE_ERROR,
    .error = { XMEM_REFUSED, { text, 1025 } } };
  refuse_to_encode (&m);
  m = (struct xmem_wire_message){ .type = XMEM_WIRE_STREAM,
    .stream.caps = { text, sizeof (text) } };
  refuse_to_encode (&m);
}

static void
test_encoder_refuses_numbers_out_of_bounds (void)
{
  struct xmem_wire_message m = { .type = XMEM_WIRE_FRAME,
    .frame.n_regions = XMEM_MAX_REGIONS + 1 };
  static const uint8_t metas[XMEM_WIRE_MAX_INLINE_METAS + 1];

  refuse_to_encode (&m);
  m.frame.n_regions = UINT32_MAX;
  refuse_to_encode (&m);
  m.frame.n_regions = 0;
  m.frame.info.metas = metas;
  m.frame.info.metas_size = sizeof (metas);
  refuse_to_encode (&m);
  m.frame.info.metas_size = 0;
  m.frame.info.description.ndim = XMEM_MAX_DIMS + 1;
  refuse_to_encode (&m);
  m.frame.info.description.ndim = 1;
  m.frame.info.description.dtype = XMEM_DTYPE_F64 + 1;
  refuse_to_encode (&m);
  m = (struct xmem_wire_message){ .type = XMEM_WIRE_RELEASE,
    .sequences.n = XMEM_WIRE_MAX_SEQUENCES + 1 };
  refuse_to_encode (&m);
  m = (struct xmem_wire_message){ .type = XMEM_WIRE_STREAM,
    .stream.caps_fd_size = XMEM_MAX_CAPS + 1 };
  refuse_to_encode (&m);
  m = (struct xmem_wire_message){ .type = XMEM_WIRE_FRAME,
    .frame.metas_fd_size = XMEM_MAX_METAS + 1 };
  refuse_to_encode (&m);
}

static void
test_encoder_refuses_events_outside_of_their_segment (void)
{
  static const uint8_t
      handles[(XMEM_WIRE_MAX_CUDA_EVENTS + 1) * XMEM_WIRE_CUDA_HANDLE];
  struct xmem_wire_message m = { .type = XMEM_WIRE_SEGMENT,
    .segment = { 1, XMEM_WIRE_SEGMENT_CUDA_VMM, 4096,
        { .slot_size = 4096, .n_events = 1, .events = handles } } };

  check_round_trip (&m);
  m.segment.cuda.slot_size = 0;
  refuse_to_encode (&m);
  m.segment.cuda.slot_size = 2049;
  m.segment.cuda.n_events = 2;
  refuse_to_encode (&m);
  m.segment.cuda.slot_size = UINT64_MAX / 2 + 1;
  refuse_to_encode (&m);
  m.segment.cuda.slot_size = 1;
  m.segment.cuda.n_events = XMEM_WIRE_MAX_CUDA_EVENTS + 1;
  refuse_to_encode (&m);
}

/* The bytes of a golden message with some of them replaced. */
static int
decode_with (const char *name, size_t at, const void *bytes, size_t n)
{
  uint8_t copy[1024];
  struct xmem_wire_message m;
  size_t i = 0, size;
  int r;

  while (strcmp (golden_messages[i].name, name) != 0)
    i++;
  size = golden_bytes (golden_messages[i].hex, copy, sizeof (copy));
  g_assert_cmpuint (at + n, <=, size);
  memcpy (copy + at, bytes, n);
  r = xmem_wire_decode (copy, size, &m, NULL);
  if (r == 0)
    check_round_trip (&m);
  return r;
}

static void
test_cuda_segments_are_checked (void)
{
  const uint8_t events[8] = { 0, 0x20 }; /* slots of all of the segment */
  const uint8_t larger[8] = { 1, 0x20 };
  const uint8_t none[8] = { 0 };

  g_assert_cmpint (
      decode_with ("segment-cuda-legacy", 168, events, 8), ==, XMEM_OK);
  g_assert_cmpint (
      decode_with ("segment-cuda-legacy", 168, larger, 8), ==, XMEM_PROTOCOL);
  g_assert_cmpint (
      decode_with ("segment-cuda-legacy", 168, none, 8), ==, XMEM_PROTOCOL);
  /* A handle is not for memory that has a descriptor. */
  g_assert_cmpint (
      decode_with ("segment-cuda-legacy", 12, "\4", 1), ==, XMEM_OK);
  /* Without its device, its name, its handle. */
  g_assert_cmpint (
      decode_with ("segment-cuda-vmm", 24, none, 1), ==, XMEM_PROTOCOL);
  g_assert_cmpint (
      decode_with ("segment-cuda-vmm", 64, none, 1), ==, XMEM_PROTOCOL);
  g_assert_cmpint (
      decode_with ("segment-cuda-legacy", 88, none, 1), ==, XMEM_PROTOCOL);
}

/* --- bytes that are wrong ------------------------------------------------ */

static void
check_truncations (const struct golden *golden)
{
  uint8_t bytes[256], again[256];
  size_t size = golden_bytes (golden->hex, bytes, sizeof (bytes));
  struct xmem_wire_message m;

  for (size_t cut = 0; cut < size; cut++) {
    uint8_t *exact = g_memdup2 (bytes, cut + (cut == 0));
    int r = xmem_wire_decode (exact, cut, &m, NULL);

    g_assert_cmpint (r, ==, XMEM_PROTOCOL);
    if (cut >= 8)
      set_length (exact, cut);
    r = xmem_wire_decode (exact, cut, &m, NULL);
    /* Only where a TLV ends is there another message. */
    if (r == 0)
      g_assert_cmpuint (xmem_wire_encode (&m, again, sizeof (again)), ==, cut);
    else
      g_assert_cmpint (r, ==, XMEM_PROTOCOL);
    g_free (exact);
  }
}

static void
test_every_truncation (void)
{
  for (size_t i = 0; i < golden_n_messages; i++)
    check_truncations (&golden_messages[i]);
}

static void
test_every_byte_changed (void)
{
  static const uint8_t changes[] = { 0x01, 0x80, 0xff };
  struct xmem_wire_message m;

  for (size_t i = 0; i < golden_n_messages; i++) {
    uint8_t bytes[256];
    size_t size = golden_bytes (golden_messages[i].hex, bytes, sizeof (bytes));

    for (size_t at = 0; at < size; at++) {
      for (size_t j = 0; j < G_N_ELEMENTS (changes); j++) {
        bytes[at] ^= changes[j];
        (void) decode (bytes, size, &m); /* the sanitizers judge */
        bytes[at] ^= changes[j];
      }
    }
  }
}

static void
test_wrong_lengths (void)
{
  uint8_t bytes[64];
  struct xmem_wire_message m;
  size_t size = golden_bytes (golden_messages[0].hex, bytes, sizeof (bytes));
  static const uint32_t lengths[] = { 0, 7, 8, 31, 33, UINT32_MAX };

  for (size_t i = 0; i < G_N_ELEMENTS (lengths); i++) {
    set_length (bytes, lengths[i]);
    g_assert_cmpint (decode (bytes, size, &m), ==, XMEM_PROTOCOL);
  }
}

static void
test_too_large_a_message (void)
{
  static uint8_t bytes[XMEM_WIRE_MAX_MESSAGE + 8];
  struct xmem_wire_message m;
  struct xmem_writer w = { .data = bytes + 16, .size = 8 };

  golden_bytes ("0c00 0100 10000000 0000000000000000", bytes, 16);
  xmem_writer_u32 (&w, 99); /* an unknown TLV up to the end */
  xmem_writer_u32 (&w, XMEM_WIRE_MAX_MESSAGE - 24);
  set_length (bytes, XMEM_WIRE_MAX_MESSAGE);
  harness_assert_ok (decode (bytes, XMEM_WIRE_MAX_MESSAGE, &m), NULL);
  xmem_writer_u32 (&w, 0);
  set_length (bytes, sizeof (bytes));
  g_assert_cmpint (decode (bytes, sizeof (bytes), &m), ==, XMEM_PROTOCOL);
}

/* --- what later versions may send ---------------------------------------- */

static size_t
append_tlv (
    uint8_t *bytes, size_t size, uint16_t type, uint16_t flags, uint32_t length)
{
  struct xmem_writer w = { .data = bytes + size, .size = 64 };

  xmem_writer_u16 (&w, type);
  xmem_writer_u16 (&w, flags);
  xmem_writer_u32 (&w, length);
  memset (w.data + w.used, 'u', (length + 7) & ~7u);
  size += w.used + ((length + 7) & ~7u);
  set_length (bytes, size);
  return size;
}

static void
check_unknown_tlv (const struct golden *golden, uint16_t type, uint32_t length)
{
  uint8_t bytes[512];
  size_t size = golden_bytes (golden->hex, bytes, sizeof (bytes));
  struct xmem_wire_message m;

  size = append_tlv (bytes, size, type, 0, length);
  harness_assert_ok (xmem_wire_decode (bytes, size, &m, NULL), NULL);
  g_assert_true (messages_equal (&m, &golden->message));
  size = append_tlv (bytes, size, type, MUST, length);
  g_assert_cmpint (decode (bytes, size, &m), ==, XMEM_PROTOCOL);
}

static void
test_unknown_tlvs_are_skipped (void)
{
  static const uint16_t types[] = { 0, 99, 65534, 65535 };
  static const uint32_t lengths[] = { 0, 1, 7, 8, 9, 40 };

  for (size_t i = 0; i < golden_n_messages; i++)
    for (size_t j = 0; j < G_N_ELEMENTS (types); j++)
      for (size_t k = 0; k < G_N_ELEMENTS (lengths); k++)
        check_unknown_tlv (&golden_messages[i], types[j], lengths[k]);
}

static void
test_unknown_messages_are_skipped (void)
{
  static const uint16_t types[] = { 0, 13, 14, 255, 65535 };
  struct xmem_wire_message m;

  for (size_t i = 0; i < G_N_ELEMENTS (types); i++) {
    uint8_t bytes[16] = { (uint8_t) types[i], (uint8_t) (types[i] >> 8), 0, 0,
      16 };

    g_assert_cmpint (decode (bytes, sizeof (bytes), &m), ==, XMEM_STALE);
    bytes[2] = MUST;
    g_assert_cmpint (decode (bytes, sizeof (bytes), &m), ==, XMEM_PROTOCOL);
  }
}

static void
test_repeated_tlvs_leave_nothing_behind (void)
{
  /* A description with one dimension, after one with two. */
  uint8_t bytes[512], more[64];
  struct xmem_wire_message m;
  size_t size = golden_bytes (golden_messages[11].hex, bytes, sizeof (bytes));
  size_t n = golden_bytes ("0500 0000 18000000 0b000000 0100 0100"
                           "0100000000000000 0200000000000000",
      more, sizeof (more));

  g_assert_cmpint (
      golden_messages[11].message.frame.info.description.ndim, ==, 2);
  memcpy (bytes + size, more, n);
  set_length (bytes, size + n);
  harness_assert_ok (xmem_wire_decode (bytes, size + n, &m, NULL), NULL);
  g_assert_cmpuint (m.frame.info.description.ndim, ==, 1);
  g_assert_cmpuint (m.frame.info.description.shape[0], ==, 1);
  g_assert_cmpuint (m.frame.info.description.shape[1], ==, 0);
  g_assert_cmpint (m.frame.info.description.strides[1], ==, 0);
}

/* --- what no peer may say ------------------------------------------------ */

/* A golden message with some bytes replaced. */
static void
refuse (size_t index, size_t at, const char *hex)
{
  uint8_t bytes[256];
  size_t size =
      golden_bytes (golden_messages[index].hex, bytes, sizeof (bytes));
  struct xmem_wire_message m;

  harness_assert_ok (decode (bytes, size, &m), NULL);
  golden_bytes (hex, bytes + at, sizeof (bytes) - at);
  g_assert_cmpint (decode (bytes, size, &m), ==, XMEM_PROTOCOL);
}

static size_t
find (const char *name)
{
  size_t i = 0;

  while (strcmp (golden_messages[i].name, name) != 0)
    i++;
  return i;
}

static void
test_impossible_values (void)
{
  refuse (find ("hello"), 8, "0400"); /* versions 4 to 3 */
  refuse (find ("hello"), 12, "00000000"); /* no buffers */
  refuse (find ("welcome"), 12, "00000000"); /* nothing granted */
  refuse (find ("segment"), 12, "02000000"); /* a kind unheard of */
  refuse (find ("segment"), 16, "0000000000000000"); /* no bytes */
  refuse (find ("frame"), 88, "11000000"); /* 17 regions */
  refuse (find ("frame"), 88, "ffffffff");
  refuse (find ("frame"), 172, "0c00"); /* no such dtype */
  refuse (find ("frame"), 174, "0900"); /* nine dimensions */
  refuse (find ("frame"), 174, "0100"); /* fewer than there are numbers */
  refuse (find ("frame"), 174, "0300"); /* more */
  refuse (find ("release"), 8, "81000000"); /* 129 sequences */
  refuse (find ("release"), 8, "03000000"); /* more than there are */
  refuse (find ("release"), 8, "ffffffff");
  refuse (find ("stream-with-caps-in-a-file"), 40, "0100000100000000");
  refuse (find ("stream-with-caps-in-a-file"), 36, "07000000");
  refuse (find ("stream-with-caps"), 42, "00"); /* NUL inside */
  refuse (find ("hello-with-name"), 36, "f0000000"); /* beyond the end */
  refuse (find ("hello-with-name"), 36, "ffffffff");
  refuse (find ("hello-with-name"), 36, "fdffffff"); /* padding wraps */
}

/* A message followed by one TLV of that many bytes. */
static int
decode_long_tlv (const char *hex, uint16_t type, size_t length)
{
  static uint8_t bytes[XMEM_WIRE_MAX_MESSAGE];
  struct xmem_wire_message m;
  size_t size = golden_bytes (hex, bytes, sizeof (bytes));
  struct xmem_writer w = {
    .data = bytes, .used = size, .size = sizeof (bytes)
  };

  xmem_writer_u16 (&w, type);
  xmem_writer_u16 (&w, 0);
  xmem_writer_u32 (&w, (uint32_t) length);
  memset (bytes + w.used, 'x', length);
  w.used += length;
  xmem_writer_zeros (&w, -length & 7);
  g_assert_false (w.failed);
  set_length (bytes, w.used);
  return decode (bytes, w.used, &m);
}

static void
test_long_texts (void)
{
  const char *hello = golden_messages[find ("hello")].hex;
  const char *error = golden_messages[find ("error")].hex;
  const char *stream = golden_messages[find ("stream")].hex;
  const char *frame = golden_messages[find ("frame-without-bytes")].hex;

  harness_assert_ok (decode_long_tlv (hello, 1, 255), NULL);
  g_assert_cmpint (decode_long_tlv (hello, 1, 256), ==, XMEM_PROTOCOL);
  harness_assert_ok (decode_long_tlv (error, 2, 1024), NULL);
  g_assert_cmpint (decode_long_tlv (error, 2, 1025), ==, XMEM_PROTOCOL);
  harness_assert_ok (decode_long_tlv (stream, 3, 16384), NULL);
  g_assert_cmpint (decode_long_tlv (stream, 3, 16385), ==, XMEM_PROTOCOL);
  harness_assert_ok (decode_long_tlv (frame, 6, 16384), NULL);
  g_assert_cmpint (decode_long_tlv (frame, 6, 16385), ==, XMEM_PROTOCOL);
}

static void
test_random_bytes (void)
{
  struct xmem_wire_message m;

  for (unsigned i = 0; i < 20000; i++) {
    uint8_t bytes[200];
    size_t size = (size_t) g_test_rand_int_range (8, sizeof (bytes) + 1);

    for (size_t j = 0; j < size; j++)
      bytes[j] = (uint8_t) g_test_rand_int ();
    bytes[0] = (uint8_t) g_test_rand_int_range (0, 14);
    bytes[1] = 0;
    set_length (bytes, size);
    (void) decode (bytes, size, &m);
  }
}

static void
add_bad_bytes (void)
{
  harness_add ("/every-truncation", test_every_truncation);
  harness_add ("/every-byte-changed", test_every_byte_changed);
  harness_add ("/wrong-lengths", test_wrong_lengths);
  harness_add ("/too-large-a-message", test_too_large_a_message);
  harness_add ("/encoder-refuses-events-outside-of-their-segment",
      test_encoder_refuses_events_outside_of_their_segment);
  harness_add ("/cuda-segments-are-checked", test_cuda_segments_are_checked);
  harness_add ("/unknown-tlvs-are-skipped", test_unknown_tlvs_are_skipped);
  harness_add (
      "/unknown-messages-are-skipped", test_unknown_messages_are_skipped);
  harness_add ("/repeated-tlvs-leave-nothing-behind",
      test_repeated_tlvs_leave_nothing_behind);
  harness_add ("/impossible-values", test_impossible_values);
  harness_add ("/long-texts", test_long_texts);
  harness_add ("/random-bytes", test_random_bytes);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, NULL);
  harness_add (
      "/round-trip-of-every-message", test_round_trip_of_every_message);
  harness_add (
      "/round-trip-of-random-frames", test_round_trip_of_random_frames);
  harness_add ("/round-trip-at-the-limits", test_round_trip_at_the_limits);
  harness_add ("/texts-stay-where-they-are", test_texts_stay_where_they_are);
  harness_add ("/encoder-stays-inside", test_encoder_stays_inside);
  harness_add ("/encoder-refuses-texts-out-of-bounds",
      test_encoder_refuses_texts_out_of_bounds);
  harness_add ("/encoder-refuses-numbers-out-of-bounds",
      test_encoder_refuses_numbers_out_of_bounds);
  add_bad_bytes ();
  return g_test_run ();
}
