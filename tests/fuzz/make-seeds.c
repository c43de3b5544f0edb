/* SPDX-License-Identifier: MIT */
/* Writes the seeds of the fuzz targets: each golden message as it is, and
 * conversations made of them; and changes to the file of a pool.
 *
 * usage: make-seeds FOLDER, which must exist. In it: wire-NAME, subscriber-NAME,
 * publisher-NAME and pool-NAME. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/golden.h"
#include "base/bytes.h"
#include "fuzz/patches.h"
#include "fuzz/records.h"
#include "pool/layout.h"

static const char *folder;

static void
write_file (const char *kind, const char *name, const uint8_t *bytes, size_t n)
{
  char path[512];
  FILE *file;

  snprintf (path, sizeof (path), "%s/%s-%s", folder, kind, name);
  file = fopen (path, "wbe");
  if (!file || fwrite (bytes, 1, n, file) != n || fclose (file) != 0) {
    perror (path);
    exit (1);
  }
}

static void
add (struct xmem_writer *w, unsigned fds, const struct xmem_wire_message *m)
{
  uint8_t bytes[1024];
  size_t n = xmem_wire_encode (m, bytes, sizeof (bytes));
  uint8_t head[3] = { (uint8_t) fds, (uint8_t) n, (uint8_t) (n >> 8) };

  xmem_writer_put (w, head, sizeof (head));
  xmem_writer_put (w, bytes, n);
}

/* Stream, segment, frames, retire, end. */
static void
make_subscriber_seed (void)
{
  uint8_t bytes[4096];
  struct xmem_writer w = { .data = bytes, .size = sizeof (bytes) };
  struct xmem_wire_message m = { .type = XMEM_WIRE_STREAM,
    .stream = { .epoch = 1, .caps_fd_size = RECORD_MEMORY_SIZE } };

  add (&w, RECORD_SEALED, &m);
  m = (struct xmem_wire_message){ .type = XMEM_WIRE_SEGMENT,
    .segment = { 1, XMEM_WIRE_SEGMENT_MEMFD, RECORD_MEMORY_SIZE } };
  add (&w, RECORD_SEALED, &m);
  m = (struct xmem_wire_message){ .type = XMEM_WIRE_FRAME,
    .frame = { .epoch = 1,
        .n_regions = 2,
        .regions = { { 1, 0, 1, 0, 4096 }, { 1, 1, 1, 4096, 61440 } },
        .info = { .metas = "metas", .metas_size = 5 } } };
  for (unsigned i = 0; i < 4; i++) {
    m.frame.sequence = i;
    add (&w, RECORD_NONE, &m);
  }
  m.frame.sequence = 4;
  m.frame.info.metas_size = 0;
  m.frame.metas_fd_size = RECORD_MEMORY_SIZE;
  add (&w, RECORD_SEALED, &m);
  m = (struct xmem_wire_message){ .type = XMEM_WIRE_EVENT,
    .event = { .kind = 1, .data = "inline", .size = 6 } };
  add (&w, RECORD_NONE, &m);
  m = (struct xmem_wire_message){ .type = XMEM_WIRE_EVENT,
    .event = { .kind = 2,
        .name = { "file", 4 },
        .data_fd_size = RECORD_MEMORY_SIZE } };
  add (&w, RECORD_SEALED, &m);
  m = (struct xmem_wire_message){ .type = XMEM_WIRE_RETIRE, .retire = 1 };
  add (&w, RECORD_NONE, &m);
  m = (struct xmem_wire_message){ .type = XMEM_WIRE_EOS, .eos = 9 };
  add (&w, RECORD_NONE, &m);
  m = (struct xmem_wire_message){ .type = XMEM_WIRE_BYE };
  add (&w, RECORD_NONE, &m);
  write_file ("subscriber", "conversation", bytes, w.used);
}

/* Segments in CUDA memory, and a frame in the last of them. */
static void
make_cuda_seed (void)
{
  static const uint8_t events[2 * XMEM_WIRE_CUDA_HANDLE];
  uint8_t bytes[4096];
  struct xmem_writer w = { .data = bytes, .size = sizeof (bytes) };
  struct xmem_wire_message m = { .type = XMEM_WIRE_STREAM,
    .stream = { .epoch = 1 } };

  add (&w, RECORD_NONE, &m);
  m = (struct xmem_wire_message){ .type = XMEM_WIRE_SEGMENT,
    .segment = { 1, XMEM_WIRE_SEGMENT_CUDA_VMM, RECORD_MEMORY_SIZE,
        { .slot_size = 4096, .n_events = 2, .events = events } } };
  add (&w, RECORD_SEALED, &m);
  write_file ("subscriber", "cuda-vmm", bytes, w.used);
  m.segment.id = 2;
  m.segment.kind = XMEM_WIRE_SEGMENT_CUDA_LEGACY;
  add (&w, RECORD_NONE, &m);
  m = (struct xmem_wire_message){ .type = XMEM_WIRE_FRAME,
    .frame = {
        .epoch = 1, .n_regions = 1, .regions = { { 2, 0, 1, 0, 4096 } } } };
  add (&w, RECORD_NONE, &m);
  write_file ("subscriber", "cuda-legacy", bytes, w.used);
}

static void
make_publisher_seed (void)
{
  uint8_t bytes[4096];
  struct xmem_writer w = { .data = bytes, .size = sizeof (bytes) };
  struct xmem_wire_message m = { .type = XMEM_WIRE_HELLO,
    .hello = { 1, 1, 2, XMEM_WIRE_FEATURE_EVENTS, XMEM_DELIVERY_EVERY, 1,
        { "fuzz", 4 } } };

  add (&w, RECORD_NONE, &m);
  write_file ("publisher", "hello", bytes, w.used);
  for (uint64_t i = 0; i < 4; i++) {
    m = (struct xmem_wire_message){ .type = XMEM_WIRE_RELEASE,
      .sequences = { 1, { i } } };
    add (&w, RECORD_NONE, &m);
  }
  m = (struct xmem_wire_message){ .type = XMEM_WIRE_EVENT,
    .event = { .kind = 1, .name = { "ask", 3 }, .data = "data", .size = 4 } };
  add (&w, RECORD_NONE, &m);
  m = (struct xmem_wire_message){ .type = XMEM_WIRE_DETACH,
    .sequences = { 1, { 4 } } };
  add (&w, RECORD_NONE, &m);
  write_file ("publisher", "conversation", bytes, w.used);
}

static void
add_patch (struct xmem_writer *w, enum patch_where where, uint32_t position,
    const void *bytes, size_t n)
{
  uint8_t head[PATCH_HEAD_BYTES] = { (uint8_t) where, (uint8_t) n,
    (uint8_t) position, (uint8_t) (position >> 8), (uint8_t) (position >> 16) };

  xmem_writer_put (w, head, sizeof (head));
  xmem_writer_put (w, bytes, n);
}

static void
write_patch (const char *name, enum patch_where where, uint32_t position,
    const void *bytes, size_t n)
{
  uint8_t all[600];
  struct xmem_writer w = { .data = all, .size = sizeof (all) };

  add_patch (&w, where, position, bytes, n);
  add_patch (&w, PATCH_OPEN, 0, NULL, 0);
  add_patch (&w, where, position, bytes, n);
  write_file ("pool", name, all, w.used);
}

/* More slots than there were, in a file that has room for them. */
static void
make_larger_pool_seed (void)
{
  struct xmem_layout_header header = { 0 };
  uint8_t all[600];
  struct xmem_writer w = { .data = all, .size = sizeof (all) };

  xmem_layout_init (&header, 1000, UINT64_MAX, 1);
  add_patch (&w, PATCH_CUT, 1 << 20, NULL, 0);
  add_patch (&w, PATCH_HEADER, 0, &header, 48);
  write_file ("pool", "larger", all, w.used);
}

/* A segment on a device, of nobody any more and of whoever opens the pool; and
 * again of somebody else while it is open, with other slots. */
static void
make_cuda_pool_seeds (void)
{
  struct xmem_layout_segment segment = { .kind = XMEM_SEGMENT_CUDA,
    .first = 8,
    .n_slots = 4,
    .pid = 1,
    .owner = 1,
    .slot_size = 4096,
    .device = "a device",
    .handle = "a handle" };
  const uint32_t n_segments = 3;
  const uint64_t held = UINT64_C (5) << 32 | 0x02000002;
  uint8_t all[1200];
  struct xmem_writer w = { .data = all, .size = sizeof (all) };

  write_patch ("cuda-segment", PATCH_SEGMENT, 2 << 8, &segment, 128);
  add_patch (&w, PATCH_SEGMENT, 2 << 8, &segment, 128);
  add_patch (&w, PATCH_HEADER, 128, &n_segments, 4);
  add_patch (&w, PATCH_SLOT, 9 << 8, &held, 8);
  add_patch (&w, PATCH_OPEN, 0, NULL, 0);
  segment.owner = 2;
  add_patch (&w, PATCH_SEGMENT, 2 << 8, &segment, 128);
  add_patch (&w, PATCH_SLOT, 10 << 8, &held, 8);
  segment.n_slots = 5;
  add_patch (&w, PATCH_SEGMENT, 2 << 8, &segment, 128);
  write_file ("pool", "cuda-owners", all, w.used);
}

static void
make_pool_seeds (void)
{
  const struct xmem_layout_segment segment = { .kind = XMEM_SEGMENT_FILE,
    .first = 8,
    .n_slots = 4,
    .offset = 65536,
    .slot_size = 64 };
  const struct xmem_slot held = { .state = UINT64_C (5) << 32 | 0x02000002,
    .size = 60,
    .info = { 1, 2, 3,
        { XMEM_CONTENT_GRAY, XMEM_DTYPE_U8, 2, { 6, 10 }, { 10, 1 } } } };
  const uint64_t closed = XMEM_SLOT_CLOSED;
  const uint32_t n_segments = 3;
  const uint32_t pid = 1;

  write_file ("pool", "as-it-is", (const uint8_t *) "", 0);
  write_patch ("header", PATCH_HEADER, 8, "\2", 1);
  write_patch ("n-segments", PATCH_HEADER, 128, &n_segments, 4);
  write_patch ("process", PATCH_HEADER, 256 + 64, &pid, 4);
  write_patch ("segment", PATCH_SEGMENT, 2 << 8, &segment, 32);
  write_patch ("slot", PATCH_SLOT, 1 << 8, &held, 224);
  write_patch ("free-slot", PATCH_SLOT, 3 << 8, &held, 224);
  write_patch ("closed-slot", PATCH_SLOT, 4 << 8, &closed, 8);
  write_patch ("free-bits", PATCH_FILE, 36864, "\xff\xff", 2);
  write_patch ("cut", PATCH_CUT, 70000, NULL, 0);
  make_larger_pool_seed ();
  make_cuda_pool_seeds ();
}

int
main (int argc, char **argv)
{
  uint8_t bytes[1024];

  if (argc != 2)
    return 2;
  folder = argv[1];
  for (size_t i = 0; i < golden_n_messages; i++) {
    const struct golden *golden = &golden_messages[i];
    struct xmem_writer w = { .data = bytes, .size = sizeof (bytes) };

    write_file ("wire", golden->name, bytes,
        golden_bytes (golden->hex, bytes, sizeof (bytes)));
    add (&w, (unsigned) (i % RECORD_KINDS), &golden->message);
    write_file ("subscriber", golden->name, bytes, w.used);
    write_file ("publisher", golden->name, bytes, w.used);
  }
  make_subscriber_seed ();
  make_cuda_seed ();
  make_publisher_seed ();
  make_pool_seeds ();
  return 0;
}
