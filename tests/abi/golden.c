/* SPDX-License-Identifier: MIT */
/* The golden messages. A line of hex is a field or a few; the header is
 * type, flags (1: must be understood), length of all. */
#include "abi/golden.h"

#include <string.h>

#define FEATURES UINT64_C (0x0102030405060708)
#define NONE XMEM_NONE
#define NO_TIME XMEM_TIME_NONE

const struct golden golden_messages[] = {
  { .name = "hello",
      .hex = "0100 0100 20000000"
             "0100 0300 04000000" /* versions 1 to 3, 4 buffers */
             "0807060504030201" /* features */
             "01000000 d2040000", /* delivery, pid */
      .message = { .type = XMEM_WIRE_HELLO,
          .hello = { 1, 3, 4, FEATURES, 1, 1234, { NULL, 0 } } } },
  { .name = "hello-with-name",
      .hex = "0100 0100 30000000"
             "0100 0100 01000000 0000000000000000 00000000 ffffffff"
             "0100 0000 03000000 63616d 0000000000", /* NAME "cam" */
      .message = { .type = XMEM_WIRE_HELLO,
          .hello = { 1, 1, 1, 0, 0, UINT32_MAX, { "cam", 3 } } } },
  { .name = "welcome",
      .hex = "0200 0100 20000000"
             "0100 0000 04000000" /* version, grant */
             "0807060504030201" /* features */
             "d2040000 00000000", /* pid */
      .message = { .type = XMEM_WIRE_WELCOME,
          .welcome = { 1, 4, FEATURES, 1234 } } },
  { .name = "error",
      .hex = "0300 0100 10000000"
             "faffffff 00000000", /* status */
      .message = { .type = XMEM_WIRE_ERROR,
          .error = { XMEM_VERSION, { NULL, 0 } } } },
  { .name = "error-with-words",
      .hex = "0300 0100 20000000"
             "f9ffffff 00000000"
             "0200 0000 08000000 6f6e6c79206f6e65", /* TEXT "only one" */
      .message = { .type = XMEM_WIRE_ERROR,
          .error = { XMEM_REFUSED, { "only one", 8 } } } },
  { .name = "segment",
      .hex = "0400 0100 18000000"
             "07000000 01000000" /* id, kind */
             "0000000001000000", /* size */
      .message = { .type = XMEM_WIRE_SEGMENT,
          .segment = { 7, XMEM_WIRE_SEGMENT_MEMFD, UINT64_C (0x100000000) } } },
  { .name = "retire",
      .hex = "0500 0100 10000000"
             "07000000 00000000",
      .message = { .type = XMEM_WIRE_RETIRE, .retire = 7 } },
  { .name = "stream",
      .hex = "0600 0100 20000000"
             "05000000 00000000" /* epoch */
             "ffffffffffffffff" /* base time */
             "4023010000000000", /* latency */
      .message = { .type = XMEM_WIRE_STREAM,
          .stream = { 5, NONE, 0x12340, { NULL, 0 }, 0 } } },
  { .name = "stream-with-caps",
      .hex = "0600 0100 38000000"
             "06000000 00000000 e803000000000000 0000000000000000"
             "0300 0000 0b000000" /* CAPS "video/x-raw" */
             "766964656f2f782d726177 0000000000",
      .message = { .type = XMEM_WIRE_STREAM,
          .stream = { 6, 1000, 0, { "video/x-raw", 11 }, 0 } } },
  { .name = "stream-with-caps-in-a-file",
      .hex = "0600 0100 30000000"
             "07000000 00000000 e803000000000000 0000000000000000"
             "0400 0000 08000000 0000100000000000", /* CAPS_FD, size */
      .message = { .type = XMEM_WIRE_STREAM,
          .stream = { 7, 1000, 0, { NULL, 0 }, 0x100000 } } },
  { .name = "frame-without-bytes",
      .hex = "0700 0100 60000000"
             "0000000000000000 0000000000000000"
             "0000000000000080 0000000000000080" /* pts, dts: none */
             "ffffffffffffffff ffffffffffffffff" /* duration, raw pts */
             "ffffffffffffffff ffffffffffffffff" /* offsets */
             "ffffffffffffffff" /* capture */
             "00000000 01000000 00000000 00000000",
      .message = { .type = XMEM_WIRE_FRAME,
          .frame = { .epoch = 1,
              .info = { NO_TIME, NO_TIME, NONE, NONE, NONE, NONE, NONE } } } },
  { .name = "frame",
      .hex = "0700 0100 e0000000"
             "2a00000000000000 2b00000000000000" /* sequence, published */
             "ffffffffffffffff feffffffffffffff" /* pts -1, dts -2 */
             "0300000000000000 0400000000000000" /* duration, raw pts */
             "0500000000000000 0600000000000000" /* offset, offset end */
             "0700000000000000" /* capture */
             "40200000 09000000 02000000 00000000" /* flags, epoch, regions */
             "01000000 02000000 03000000 00000000" /* segment, slot, gen. */
             "0010000000000000 0020000000000000" /* offset, size */
             "04000000 05000000 06000000 00000000"
             "0000000000000000 0000000000000100"
             "0500 0000 28000000" /* DESCRIPTION */
             "0b000000 0100 0200" /* content type, dtype, dimensions */
             "3804000000000000 0008000000000000" /* 1080, every 2048 bytes */
             "8007000000000000 feffffffffffffff" /* 1920, every -2 bytes */
             "0600 0000 05000000 6d65746173 000000", /* METAS "metas" */
      .message = { .type = XMEM_WIRE_FRAME,
          .frame = { .sequence = 42,
              .published_ns = 43,
              .epoch = 9,
              .n_regions = 2,
              .regions = { { 1, 2, 3, 0x1000, 0x2000 },
                  { 4, 5, 6, 0, UINT64_C (0x1000000000000) } },
              .info = { -1, -2, 3, 4, 5, 6, 7,
                  XMEM_FRAME_DISCONT | XMEM_FRAME_DELTA_UNIT,
                  { 11, XMEM_DTYPE_U8, 2, { 1080, 1920 }, { 2048, -2 } },
                  "metas", 5 } } } },
  { .name = "frame-with-metas-in-a-file",
      .hex = "0700 0100 70000000"
             "0000000000000000 0000000000000000"
             "0000000000000080 0000000000000080"
             "ffffffffffffffff ffffffffffffffff"
             "ffffffffffffffff ffffffffffffffff"
             "ffffffffffffffff"
             "00000000 01000000 00000000 00000000"
             "0700 0100 08000000 0000010000000000", /* METAS_FD (MUST), size */
      .message = { .type = XMEM_WIRE_FRAME,
          .frame = { .epoch = 1,
              .info = { NO_TIME, NO_TIME, NONE, NONE, NONE, NONE, NONE },
              .metas_fd_size = 0x10000 } } },
  { .name = "release",
      .hex = "0800 0100 20000000"
             "02000000 00000000 2a00000000000000 ffffffffffffffff",
      .message = { .type = XMEM_WIRE_RELEASE,
          .sequences = { 2, { 42, UINT64_MAX } } } },
  { .name = "detach",
      .hex = "0900 0100 10000000"
             "00000000 00000000",
      .message = { .type = XMEM_WIRE_DETACH, .sequences = { 0, { 0 } } } },
  { .name = "detach-keeping-one",
      .hex = "0900 0100 18000000"
             "01000000 00000000 2a00000000000000",
      .message = { .type = XMEM_WIRE_DETACH, .sequences = { 1, { 42 } } } },
  { .name = "event",
      .hex = "0a00 0100 10000000"
             "01002800 00000000", /* kind, flags */
      .message = { .type = XMEM_WIRE_EVENT, .event = { .kind = 0x280001 } } },
  { .name = "event-with-data",
      .hex = "0a00 0100 30000000"
             "07000000 03000000"
             "0100 0000 05000000 7363656e65 000000" /* NAME "scene" */
             "0800 0000 03000000 010203 0000000000", /* EVENT */
      .message = { .type = XMEM_WIRE_EVENT,
          .event = { 7, XMEM_EVENT_STICKY | XMEM_EVENT_UNTIL_FLUSH,
              { "scene", 5 }, "\1\2\3", 3, 0 } } },
  { .name = "event-with-data-in-a-file",
      .hex = "0a00 0100 20000000"
             "07000000 04000000"
             "0900 0000 08000000 0000100000000000", /* EVENT_FD, size */
      .message = { .type = XMEM_WIRE_EVENT,
          .event = { .kind = 7,
              .flags = XMEM_EVENT_FLUSH,
              .data_fd_size = 0x100000 } } },
  { .name = "eos",
      .hex = "0b00 0100 10000000"
             "2b00000000000000",
      .message = { .type = XMEM_WIRE_EOS, .eos = 43 } },
  { .name = "bye",
      .hex = "0c00 0100 10000000"
             "0000000000000000",
      .message = { .type = XMEM_WIRE_BYE } },
  { .name = "bye-after-the-end",
      .hex = "0c00 0100 10000000"
             "0100000000000000",
      .message = { .type = XMEM_WIRE_BYE, .bye = XMEM_WIRE_BYE_ENDED } },
  { .name = "segment-dmabuf",
      .hex = "0400 0100 18000000"
             "08000000 02000000" /* id, kind */
             "0010000000000000", /* size */
      .message = { .type = XMEM_WIRE_SEGMENT,
          .segment = { 8, XMEM_WIRE_SEGMENT_DMABUF, 4096 } } },
};

const size_t golden_n_messages =
    sizeof (golden_messages) / sizeof (golden_messages[0]);

static unsigned
digit (char c)
{
  return c >= 'a' ? (unsigned) (c - 'a') + 10 : (unsigned) (c - '0');
}

size_t
golden_bytes (const char *hex, uint8_t *bytes, size_t size)
{
  size_t n = 0;

  for (; *hex && n < size; hex++)
    if (*hex != ' ') {
      bytes[n++] = (uint8_t) (digit (hex[0]) << 4 | digit (hex[1]));
      hex++;
    }
  return n;
}
