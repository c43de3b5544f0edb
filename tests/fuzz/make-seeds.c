/* SPDX-License-Identifier: MIT */
/* Writes the seeds of the fuzz targets: each golden message as it is, and
 * conversations made of them.
 *
 * usage: make-seeds FOLDER, which must exist. In it: wire-NAME, subscriber-NAME
 * and publisher-NAME. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/golden.h"
#include "base/bytes.h"
#include "fuzz/records.h"

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
  m = (struct xmem_wire_message){ .type = XMEM_WIRE_RETIRE, .retire = 1 };
  add (&w, RECORD_NONE, &m);
  m = (struct xmem_wire_message){ .type = XMEM_WIRE_EOS, .eos = 9 };
  add (&w, RECORD_NONE, &m);
  m = (struct xmem_wire_message){ .type = XMEM_WIRE_BYE };
  add (&w, RECORD_NONE, &m);
  write_file ("subscriber", "conversation", bytes, w.used);
}

static void
make_publisher_seed (void)
{
  uint8_t bytes[4096];
  struct xmem_writer w = { .data = bytes, .size = sizeof (bytes) };
  struct xmem_wire_message m = { .type = XMEM_WIRE_HELLO,
    .hello = { 1, 1, 2, 0, XMEM_DELIVERY_EVERY, 1, { "fuzz", 4 } } };

  add (&w, RECORD_NONE, &m);
  write_file ("publisher", "hello", bytes, w.used);
  for (uint64_t i = 0; i < 4; i++) {
    m = (struct xmem_wire_message){ .type = XMEM_WIRE_RELEASE,
      .sequences = { 1, { i } } };
    add (&w, RECORD_NONE, &m);
  }
  m = (struct xmem_wire_message){ .type = XMEM_WIRE_DETACH,
    .sequences = { 1, { 4 } } };
  add (&w, RECORD_NONE, &m);
  write_file ("publisher", "conversation", bytes, w.used);
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
  make_publisher_seed ();
  return 0;
}
