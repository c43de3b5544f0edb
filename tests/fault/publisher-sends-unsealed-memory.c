/* SPDX-License-Identifier: MIT */
/* Memory that its sender could still shrink or write: a subscriber maps none
 * of it. */
#include <fcntl.h>
#include <unistd.h>

#include "fault/hostile.h"

static void
check_seals (unsigned seals, bool after_a_frame)
{
  const struct xmem_wire_message m = { .type = XMEM_WIRE_SEGMENT,
    .segment = { 2, XMEM_WIRE_SEGMENT_MEMFD, HOSTILE_SIZE } };
  struct hostile h;
  int memory = raw_memfd (HOSTILE_SIZE, seals);

  hostile_open (&h);
  if (after_a_frame)
    hostile_send_good (&h);
  hostile_send (&h, &m, memory);
  close (memory);
  hostile_expect (&h, XMEM_PROTOCOL, "not sealed");
}

static void
test_no_seals (void)
{
  check_seals (0, false);
  check_seals (0, true);
}

static void
test_too_few_seals (void)
{
  check_seals (F_SEAL_SHRINK, false);
  check_seals (F_SEAL_WRITE | F_SEAL_GROW, false);
  check_seals (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL, true);
}

static void
test_another_kind_of_file (void)
{
  static const char *const files[] = { "/dev/zero", "/proc/self/exe" };
  const struct xmem_wire_message m = { .type = XMEM_WIRE_SEGMENT,
    .segment = { 1, XMEM_WIRE_SEGMENT_MEMFD, 4096 } };
  struct hostile h;

  for (size_t i = 0; i < G_N_ELEMENTS (files); i++) {
    int fd = open (files[i], O_RDONLY | O_CLOEXEC);

    hostile_open (&h);
    hostile_send (&h, &m, fd);
    close (fd);
    hostile_expect (&h, XMEM_PROTOCOL, "not sealed");
  }
}

static void
test_unsealed_caps (void)
{
  const struct xmem_wire_message m = { .type = XMEM_WIRE_STREAM,
    .stream = { .epoch = 1, .caps_fd_size = HOSTILE_SIZE } };
  int memory = raw_memfd (HOSTILE_SIZE, F_SEAL_SHRINK);
  struct hostile h;

  hostile_open (&h);
  hostile_send (&h, &m, memory);
  close (memory);
  hostile_expect (&h, XMEM_PROTOCOL, "not sealed");
}

static void
test_unsealed_metas (void)
{
  struct xmem_wire_message m = hostile_frame (1, 1);
  int memory = raw_memfd (HOSTILE_SIZE, F_SEAL_SHRINK);
  struct hostile h;

  m.frame.metas_fd_size = HOSTILE_SIZE;
  hostile_open (&h);
  hostile_send_good (&h);
  hostile_send (&h, &m, memory);
  close (memory);
  hostile_expect (&h, XMEM_PROTOCOL, "not sealed");
}

static const struct harness_role roles[] = { { "actor", actor_run },
  { NULL, NULL } };

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/no-seals", test_no_seals);
  harness_add ("/too-few-seals", test_too_few_seals);
  harness_add ("/another-kind-of-file", test_another_kind_of_file);
  harness_add ("/unsealed-caps", test_unsealed_caps);
  harness_add ("/unsealed-metas", test_unsealed_metas);
  return g_test_run ();
}
