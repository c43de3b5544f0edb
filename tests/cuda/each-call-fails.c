/* SPDX-License-Identifier: MIT */
/* Each function of the driver that the library calls fails in turn, at its
 * first call, its second and so on: what cannot go on says which call failed
 * and with what code, nothing is left of what was begun, and it works the next
 * time. One child for each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/named-actor.h"
#include "cuda/peers.h"
#include "harness/named.h"
#include "mem/cuda.h"

#define CODE 999
#define SIZE 65536

static const char *const functions[] = {
#define F(name, symbol, since) #name,
#include "harness/fake-cuda/functions.def"
#undef F
};

static struct xmem_error error;

/* --- what can fail; returns the first failure ---------------------------- */

static int
fill_and_publish (
    struct xmem_pool *pool, struct xmem_publisher *publisher, CUstream stream)
{
  struct xmem_buffer *device = NULL;
  struct xmem_buffer *host;
  struct xmem_frame_info info;
  int r;

  xmem_frame_info_init (&info);
  harness_assert_ok (
      xmem_pool_acquire (pool, SIZE, 0, 0, &host, &error), &error);
  r = xmem_pool_acquire_cuda (pool, SIZE, 0, 0, 0, &device, &error);
  if (r == 0)
    r = xmem_buffer_copy (device, host, &error);
  if (r == 0)
    r = xmem_buffer_copy_after (host, device, stream, &error);
  if (r == 0)
    r = xmem_publisher_publish_after (
        publisher, device, stream, &info, 0, &error);
  xmem_buffer_unref (device);
  xmem_buffer_unref (host);
  return r;
}

static int
own (const char *mode, const char *address, CUstream stream)
{
  const struct xmem_pool_params pool_params = { .struct_size =
                                                    sizeof (pool_params),
    .cuda_mode = strcmp (mode, "legacy") == 0 ? XMEM_CUDA_MODE_LEGACY
                                              : XMEM_CUDA_MODE_VMM };
  const struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = address,
    .flags = XMEM_PUBLISHER_NO_THREAD };
  struct xmem_publisher *publisher;
  struct xmem_pool *pool;
  int r;

  harness_assert_ok (xmem_pool_new (&pool_params, &pool, &error), &error);
  harness_assert_ok (xmem_publisher_new (&params, &publisher, &error), &error);
  r = fill_and_publish (pool, publisher, stream);
  xmem_publisher_free (publisher);
  xmem_pool_unref (pool);
  return r;
}

static int
read_one (const char *address, CUstream stream)
{
  const struct xmem_subscriber_params params = { .struct_size = sizeof (params),
    .address = address,
    .flags = XMEM_SUBSCRIBER_CUDA };
  struct xmem_subscriber *subscriber;
  struct xmem_frame *frame = NULL;
  int r;

  harness_assert_ok (
      xmem_subscriber_new (&params, &subscriber, &error), &error);
  harness_assert_ok (
      xmem_subscriber_connect (subscriber, XMEM_WAIT_FOREVER, &error), &error);
  harness_say ("connected");
  r = xmem_subscriber_next (subscriber, XMEM_WAIT_FOREVER, &frame, &error);
  if (r == 0)
    r = xmem_frame_cuda_wait (frame, stream, &error);
  if (r == 0)
    xmem_frame_unref_after (frame, stream);
  else
    xmem_frame_unref (frame);
  xmem_subscriber_free (subscriber);
  return r;
}

/* Of a named pool, from the CPU to a device and back. */
static int
copy_named (struct xmem_pool *pool, struct xmem_buffer *device, CUstream stream)
{
  struct xmem_buffer *host;
  int r;

  harness_assert_ok (
      xmem_pool_acquire (pool, SIZE, 0, 0, &host, &error), &error);
  r = xmem_buffer_copy (device, host, &error);
  if (r == 0)
    r = xmem_buffer_copy_after (host, device, stream, &error);
  if (r == 0)
    r = xmem_buffer_cuda_wait (device, stream, &error);
  xmem_buffer_unref (host);
  return r;
}

static int
own_named (const char *name, CUstream stream)
{
  struct xmem_buffer *buffer;
  struct xmem_pool *pool;
  int r;

  harness_assert_ok (xmem_pool_create (name, NULL, &pool, &error), &error);
  r = xmem_pool_acquire_cuda (pool, SIZE, 0, 0, 0, &buffer, &error);
  if (r == 0) {
    r = copy_named (pool, buffer, stream);
    xmem_buffer_unref (buffer);
  }
  xmem_pool_unref (pool);
  return r;
}

/* The buffer in the first slot is another process's. */
static int
read_named (const char *name, CUstream stream)
{
  struct xmem_buffer *buffer;
  struct xmem_pool *pool;
  int r;

  harness_assert_ok (xmem_pool_open (name, 0, &pool, &error), &error);
  r = xmem_pool_get_at (pool, 0, XMEM_WRITE, &buffer, &error);
  if (r == 0) {
    r = copy_named (pool, buffer, stream);
    xmem_buffer_unref (buffer);
  }
  xmem_pool_unref (pool);
  return r;
}

/* --- a child ------------------------------------------------------------- */

static int64_t
count_left (void)
{
  return cuda_double.fake_cuda_live (NULL)
         - cuda_double.fake_cuda_live ("context")
         + (int64_t) xmem_cuda_count_memories ();
}

/* Those that only let go: their failure cannot be undone, nor told. */
static bool
lets_go (const char *function)
{
  static const char *const names[] = { "cuMemUnmap", "cuMemAddressFree",
    "cuMemFree", "cuIpcCloseMemHandle", "cuEventDestroy", "cuCtxPopCurrent",
    "cuCtxPushCurrent" };

  for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
    if (strcmp (names[i], function) == 0)
      return true;
  return false;
}

static void
check_words (const char *function)
{
  char call[64], code[16];

  snprintf (call, sizeof (call), "%s ()", function);
  snprintf (code, sizeof (code), "(%d)", CODE);
  harness_assert_contains (error.message, call);
  harness_assert_contains (error.message, code);
  harness_assert_contains (error.message, "CUDA_ERROR_UNKNOWN");
}

static int
do_what (char **argv, CUstream stream)
{
  if (strcmp (argv[1], "own") == 0)
    return own (argv[2], argv[0], stream);
  if (strcmp (argv[1], "read") == 0)
    return read_one (argv[0], stream);
  if (strcmp (argv[1], "own-named") == 0)
    return own_named (argv[0], stream);
  return read_named (argv[0], stream);
}

/* ADDRESS, "own" or "read" ("own-named", "read-named"), mode, function, nth call. Says whether that call
 * came, and what came of it. */
static void
run_failing (int argc, char **argv)
{
  const char *function = argv[3];
  unsigned nth = (unsigned) atoi (argv[4]);
  uint64_t n_before;
  CUstream stream;
  bool came;
  int r;

  double_load ();
  stream = double_stream ();
  n_before = cuda_double.fake_cuda_calls (function, 0);
  g_assert_true (cuda_double.fake_cuda_fail (function, nth, CODE));
  r = do_what (argv, stream);
  harness_wait_until (
      xmem_cuda_count_memories () == 0); /* the reader's thread lets go */
  came = cuda_double.fake_cuda_calls (function, 0) - n_before >= nth;
  if (r != 0)
    check_words (function);
  if (!lets_go (function))
    harness_wait_until (count_left () == 1); /* the stream */
  harness_say ("%s %d", came ? "came" : "never", r);
}

/* --- the test ------------------------------------------------------------ */

static const char *
address_for (const char *what, const struct harness_child *producer)
{
  if (g_str_has_suffix (what, "-named"))
    return named_name ();
  return producer ? peer_address () : harness_path ("own");
}

/* Whether that call came; *r_out is what came of it. */
static bool
fail_once (const char *what, const char *mode, const char *function,
    unsigned nth, struct harness_child *producer, int *r_out)
{
  char line[HARNESS_LINE_MAX], number[16], word[16];
  struct harness_child child;

  snprintf (number, sizeof (number), "%u", nth);
  harness_spawn (&child, "failing", address_for (what, producer), what, mode,
      function, number, NULL);
  harness_hear (&child, line);
  if (strcmp (line, "connected") == 0) {
    peer_ask (producer, "publish 1");
    harness_hear (&child, line);
  }
  g_assert_cmpint (sscanf (line, "%15s %d", word, r_out), ==, 2);
  g_assert_cmpint (harness_join (&child), ==, 0);
  return strcmp (word, "came") == 0;
}

static void
fail_each (const char *what, const char *mode, struct harness_child *producer,
    const char *const *fatal)
{
  for (size_t i = 0; i < G_N_ELEMENTS (functions); i++) {
    bool is_fatal = g_strv_contains (fatal, functions[i]);
    int r = 0, first = 0;
    unsigned nth = 1;

    while (fail_once (what, mode, functions[i], nth, producer, &r)) {
      first = nth == 1 ? r : first;
      nth = nth < 3 ? nth + 1 : 8 * nth; /* one for each slot are alike */
    }
    if (nth > 1)
      g_test_message ("%s: fewer than %u calls, %d", functions[i], nth, first);
    g_assert_cmpint (is_fatal, <=, nth > 1 && first < 0);
  }
}

#define ALWAYS                                                    \
  "cuInit", "cuDeviceGetCount", "cuDeviceGet", "cuDeviceGetUuid", \
      "cuDeviceGetAttribute", "cuDevicePrimaryCtxRetain", "cuCtxPushCurrent"

static void
test_owner_vmm (void)
{
  static const char *const fatal[] = { ALWAYS, "cuMemGetAllocationGranularity",
    "cuMemCreate", "cuMemExportToShareableHandle", "cuMemAddressReserve",
    "cuMemMap", "cuMemRelease", "cuMemSetAccess", "cuEventCreate",
    "cuIpcGetEventHandle", "cuMemcpyHtoDAsync", "cuMemcpyDtoHAsync",
    "cuStreamWaitEvent", "cuStreamSynchronize", "cuEventRecord", NULL };

  fail_each ("own", "vmm", NULL, fatal);
}

static void
test_owner_legacy (void)
{
  static const char *const fatal[] = { ALWAYS, "cuMemAlloc",
    "cuIpcGetMemHandle", "cuEventCreate", "cuIpcGetEventHandle", NULL };

  fail_each ("own", "legacy", NULL, fatal);
}

static void
test_reader_vmm (void)
{
  static const char *const fatal[] = { ALWAYS, "cuMemGetAllocationGranularity",
    "cuMemImportFromShareableHandle", "cuMemAddressReserve", "cuMemMap",
    "cuMemRelease", "cuMemSetAccess", "cuIpcOpenEventHandle",
    "cuStreamWaitEvent", NULL };
  struct harness_child producer;

  peer_start (&producer, "producer", "mode=vmm", NULL);
  fail_each ("read", "vmm", &producer, fatal);
  peer_ask (&producer, "released");
  peer_stop (&producer);
}

static void
test_reader_legacy (void)
{
  static const char *const fatal[] = { ALWAYS, "cuIpcOpenMemHandle",
    "cuIpcOpenEventHandle", "cuStreamWaitEvent", NULL };
  struct harness_child producer;

  peer_start (&producer, "producer", "mode=legacy", NULL);
  fail_each ("read", "legacy", &producer, fatal);
  peer_ask (&producer, "released");
  peer_stop (&producer);
}

#define COPIES "cuMemcpyHtoDAsync", "cuMemcpyDtoHAsync", "cuStreamSynchronize"

static void
test_owner_named (void)
{
  static const char *const fatal[] = { ALWAYS, COPIES, "cuMemAlloc",
    "cuIpcGetMemHandle", NULL };

  fail_each ("own-named", "legacy", NULL, fatal);
}

static void
test_reader_named (void)
{
  static const char *const fatal[] = { ALWAYS, COPIES, "cuIpcOpenMemHandle",
    NULL };
  struct harness_child owner;

  named_actor_start (&owner, NULL);
  named_actor_ask (&owner, 0, "create 64 %u %u", 64u << 20, 0u);
  (void) named_actor_ask_number (&owner, "acquire %d 0", SIZE);
  fail_each ("read-named", "legacy", NULL, fatal);
  named_actor_stop (&owner);
}

int
main (int argc, char **argv)
{
  static const struct harness_role roles[] = { { "failing", run_failing },
    PEER_ROLES, NAMED_ACTOR_ROLE, { NULL, NULL } };

  double_init (&argc, &argv, roles);
  double_add ("/owner-vmm", test_owner_vmm);
  double_add ("/owner-legacy", test_owner_legacy);
  double_add ("/reader-vmm", test_reader_vmm);
  double_add ("/reader-legacy", test_reader_legacy);
  double_add ("/owner-named", test_owner_named);
  double_add ("/reader-named", test_reader_named);
  return g_test_run ();
}
