/* SPDX-License-Identifier: MIT */
/* The driver's double between processes. The test is the producer; a child is
 * the one that reads. */
#include "harness/fake-cuda/try.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness/raw.h"

/* --- handles as text, descriptors ---------------------------------------- */

static void
to_text (const char *bytes, char text[2 * CU_IPC_HANDLE_SIZE + 1])
{
  for (int i = 0; i < CU_IPC_HANDLE_SIZE; i++)
    sprintf (text + 2 * i, "%02x", (unsigned char) bytes[i]);
}

static void
from_text (const char *text, char *bytes)
{
  for (int i = 0; i < CU_IPC_HANDLE_SIZE; i++) {
    unsigned byte;

    g_assert_cmpint (sscanf (text + 2 * i, "%2x", &byte), ==, 1);
    bytes[i] = (char) byte;
  }
}

static int
receive_fd (int socket)
{
  char byte;
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE (sizeof (int))];
  } control;
  struct iovec part = { &byte, 1 };
  struct msghdr message = { .msg_iov = &part,
    .msg_iovlen = 1,
    .msg_control = &control,
    .msg_controllen = sizeof control };
  int fd;

  g_assert_cmpint (recvmsg (socket, &message, MSG_CMSG_CLOEXEC), ==, 1);
  g_assert_nonnull (CMSG_FIRSTHDR (&message));
  memcpy (&fd, CMSG_DATA (CMSG_FIRSTHDR (&message)), sizeof fd);
  return fd;
}

/* --- the reader ---------------------------------------------------------- */

static struct {
  CUstream stream;
  CUevent event;
  CUdeviceptr memory;
  struct try_mapping mapping;
  unsigned char byte;
} reader;

static void
reader_open_event (const char *arguments)
{
  CUipcEventHandle handle;

  from_text (arguments, handle.reserved);
  harness_say ("%d", (int) cuIpcOpenEventHandle (&reader.event, handle));
}

static void
reader_open_memory (const char *arguments)
{
  CUipcMemHandle handle;

  from_text (arguments, handle.reserved);
  harness_say ("%d", (int) cuIpcOpenMemHandle_v2 (&reader.memory, handle, 0));
}

static void
reader_close_memory (const char *arguments)
{
  harness_say ("%d", (int) cuIpcCloseMemHandle (reader.memory));
}

static void
reader_import (const char *arguments)
{
  int socket = raw_connect (arguments);

  reader.mapping =
      try_import (receive_fd (socket), CU_MEM_ACCESS_FLAGS_PROT_READ);
  reader.memory = reader.mapping.pointer;
  close (socket);
  harness_say ("done");
}

/* "wait": the stream waits for the event first. */
static void
reader_begin (const char *arguments)
{
  if (strcmp (arguments, "wait") == 0)
    try_ok (cuStreamWaitEvent (reader.stream, reader.event, 0));
  try_ok (cuMemcpyDtoHAsync_v2 (&reader.byte, reader.memory, 1, reader.stream));
  harness_say ("%d", (int) cuStreamQuery (reader.stream));
}

static void
reader_wait_event (const char *arguments)
{
  try_ok (cuStreamWaitEvent (reader.stream, reader.event, 0));
  harness_say ("%d", (int) cuStreamQuery (reader.stream));
}

static void
reader_end (const char *arguments)
{
  try_ok (cuStreamSynchronize (reader.stream));
  harness_say ("%d", reader.byte);
}

static void
reader_write (const char *arguments)
{
  cuMemsetD8Async (reader.memory, 1, 1, reader.stream);
  harness_say ("%d", (int) cuStreamSynchronize (reader.stream));
}

/* A device pointer is not for that: it dies. */
static void
reader_touch (const char *arguments)
{
  harness_say ("%d", *(volatile unsigned char *) (uintptr_t) reader.memory);
}

static void
reader_other_context (const char *arguments)
{
  CUcontext context;

  try_ok (cuCtxCreate_v2 (&context, 0, 0));
  harness_say ("done");
}

static void
run_reader (int argc, char **argv)
{
  static const struct harness_command commands[] = {
    { "open-event", reader_open_event }, { "open-memory", reader_open_memory },
    { "close-memory", reader_close_memory }, { "import", reader_import },
    { "begin", reader_begin }, { "end", reader_end },
    { "wait-event", reader_wait_event }, { "write", reader_write },
    { "touch", reader_touch }, { "other-context", reader_other_context }
  };

  try_begin ();
  reader.stream = try_new_stream ();
  harness_obey (commands, G_N_ELEMENTS (commands));
}

/* --- what other processes do --------------------------------------------- */

/* Says the handle of an event that is recorded after work that never ends. */
static void
run_stuck (int argc, char **argv)
{
  char text[2 * CU_IPC_HANDLE_SIZE + 1];
  CUipcEventHandle handle;
  CUdeviceptr memory;
  CUevent event;
  char line[HARNESS_LINE_MAX];

  try_begin ();
  try_ok (cuMemAlloc_v2 (&memory, TRY_SIZE));
  try_ok (
      cuEventCreate (&event, CU_EVENT_INTERPROCESS | CU_EVENT_DISABLE_TIMING));
  fake_cuda_pause (true);
  try_fill (memory, 1, CU_STREAM_PER_THREAD);
  try_ok (cuEventRecord (event, CU_STREAM_PER_THREAD));
  try_ok (cuIpcGetEventHandle (&handle, event));
  to_text (handle.reserved, text);
  harness_say ("%s", text);
  harness_listen (line);
}

static void
run_describe (int argc, char **argv)
{
  CUdeviceptr memory;
  CUuuid uuid;
  CUresult result = cuInit (0);
  int n = 0;
  int vmm = 0;

  if (result == CUDA_SUCCESS) {
    try_ok (cuDeviceGetCount (&n));
    try_ok (cuDeviceGetUuid_v2 (&uuid, 0));
    try_ok (cuDeviceGetAttribute (
        &vmm, CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED, 0));
    try_begin ();
    result = cuMemAlloc_v2 (&memory, 1);
  }
  harness_say ("%d %d %d %d", (int) result, n, n ? uuid.bytes[15] : 0, vmm);
}

static const struct harness_role roles[] = { { "reader", run_reader },
  { "stuck", run_stuck }, { "describe", run_describe }, { NULL, NULL } };

/* --- helpers of the cases ------------------------------------------------ */

static int
ask (struct harness_child *child, const char *line)
{
  char answer[HARNESS_LINE_MAX];

  harness_tell (child, "%s", line);
  harness_hear (child, answer);
  return atoi (answer);
}

static int
ask_open (struct harness_child *child, const char *what, const char *bytes)
{
  char line[HARNESS_LINE_MAX];
  int n = snprintf (line, sizeof line, "%s ", what);

  to_text (bytes, line + n);
  return ask (child, line);
}

static void
send_memory (struct harness_child *child, const struct try_mapping *mapping)
{
  const char *path = harness_path ("socket");
  int listener = raw_listen (path);
  char line[HARNESS_LINE_MAX];
  int socket;
  int fd;

  try_ok (cuMemExportToShareableHandle (
      &fd, mapping->handle, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0));
  harness_tell (child, "import %s", path);
  socket = raw_accept (listener);
  g_assert_true (raw_send (socket, "m", 1, &fd, 1));
  harness_hear (child, line);
  close (fd);
  close (socket);
  close (listener);
}

static CUevent
new_shared_event (CUipcEventHandle *handle_out)
{
  CUevent event;

  try_expect (
      cuEventCreate (&event, CU_EVENT_INTERPROCESS), CUDA_ERROR_INVALID_VALUE);
  try_ok (
      cuEventCreate (&event, CU_EVENT_INTERPROCESS | CU_EVENT_DISABLE_TIMING));
  try_ok (cuIpcGetEventHandle (handle_out, event));
  return event;
}

/* --- cases --------------------------------------------------------------- */

/* While the writer's stream is held still: who does not wait reads what was
 * there before, who waits does not. */
static void
test_events_order_processes (void)
{
  struct harness_child child;
  struct try_mapping memory;
  CUipcEventHandle handle;
  CUevent event, again;
  CUstream stream;

  try_begin ();
  stream = try_new_stream ();
  memory = try_create ();
  event = new_shared_event (&handle);
  try_expect (
      cuIpcOpenEventHandle (&again, handle), CUDA_ERROR_INVALID_CONTEXT);
  harness_spawn (&child, "reader", NULL);
  g_assert_cmpint (ask_open (&child, "open-event", handle.reserved), ==, 0);
  send_memory (&child, &memory);
  for (unsigned char i = 1; i < 100; i++) {
    fake_cuda_pause (true);
    try_fill (memory.pointer, i, stream);
    try_ok (cuEventRecord (event, stream));
    ask (&child, "begin");
    g_assert_cmpint (ask (&child, "end"), ==, i - 1);
    g_assert_cmpint (ask (&child, "begin wait"), ==, CUDA_ERROR_NOT_READY);
    fake_cuda_pause (false);
    g_assert_cmpint (ask (&child, "end"), ==, i);
  }
  g_assert_cmpint (harness_join (&child), ==, 0);
  try_ok (cuEventDestroy_v2 (event));
  try_ok (cuStreamDestroy_v2 (stream));
  try_unmap (&memory);
  try_end ();
}

/* The reader lags as it likes: what was published stays as it is until it has
 * read, so it reads that. */
static void
test_lagging_readers_wait (void)
{
  struct harness_child child;
  struct try_mapping memory;
  CUipcEventHandle handle;
  CUstream stream;
  CUevent event;

  try_begin ();
  stream = try_new_stream ();
  memory = try_create ();
  event = new_shared_event (&handle);
  g_setenv ("FAKE_CUDA_LAG", "0:3000", TRUE);
  g_setenv ("FAKE_CUDA_SEED", "5", TRUE);
  harness_spawn (&child, "reader", NULL);
  g_unsetenv ("FAKE_CUDA_LAG");
  g_unsetenv ("FAKE_CUDA_SEED");
  g_assert_cmpint (ask_open (&child, "open-event", handle.reserved), ==, 0);
  send_memory (&child, &memory);
  for (unsigned char i = 1; i < 100; i++) {
    try_fill (memory.pointer, i, stream);
    try_ok (cuEventRecord (event, stream));
    ask (&child, "begin wait");
    g_assert_cmpint (ask (&child, "end"), ==, i);
  }
  g_assert_cmpint (harness_join (&child), ==, 0);
  try_ok (cuEventDestroy_v2 (event));
  try_ok (cuStreamDestroy_v2 (stream));
  try_unmap (&memory);
  try_end ();
}

static void
test_imports_can_be_read_only (void)
{
  struct harness_child child;
  struct try_mapping memory;

  try_begin ();
  memory = try_create ();
  harness_spawn (&child, "reader", NULL);
  send_memory (&child, &memory);
  g_assert_cmpint (ask (&child, "write"), ==, (int) CUDA_ERROR_ILLEGAL_ADDRESS);
  g_assert_cmpint (harness_join (&child), ==, 0);
  g_assert_cmpuint (try_read (memory.pointer, NULL), ==, 0);
  g_setenv ("FAKE_CUDA_WITHOUT", "read-only", TRUE);
  harness_spawn (&child, "reader", NULL);
  g_unsetenv ("FAKE_CUDA_WITHOUT");
  send_memory (&child, &memory);
  g_assert_cmpint (ask (&child, "write"), ==, 0);
  g_assert_cmpint (harness_join (&child), ==, 0);
  g_assert_cmpuint (try_read (memory.pointer, NULL), ==, 1);
  try_unmap (&memory);
  try_end ();
}

static void
test_the_host_cannot_touch_device_memory (void)
{
  struct harness_child child;
  struct try_mapping memory;
  char line[HARNESS_LINE_MAX];

  try_begin ();
  memory = try_create ();
  harness_spawn (&child, "reader", NULL);
  send_memory (&child, &memory);
  harness_tell (&child, "touch");
  g_assert_cmpint (recv (child.fd, line, sizeof line, 0), ==, 0);
  g_assert_cmpint (harness_join (&child), !=, 0);
  try_unmap (&memory);
  try_end ();
}

static void
test_legacy_handles_are_for_one_context (void)
{
  struct harness_child child;
  CUipcMemHandle handle, other;
  CUdeviceptr memory, again;

  try_begin ();
  try_ok (cuMemAlloc_v2 (&memory, TRY_SIZE));
  try_fill (memory, 5, NULL);
  try_ok (cuCtxSynchronize ());
  try_expect (
      cuIpcGetMemHandle (&handle, memory + 1), CUDA_ERROR_INVALID_VALUE);
  try_ok (cuIpcGetMemHandle (&handle, memory));
  try_expect (
      cuIpcOpenMemHandle_v2 (&again, handle, 0), CUDA_ERROR_INVALID_CONTEXT);
  harness_spawn (&child, "reader", NULL);
  g_assert_cmpint (ask_open (&child, "open-memory", handle.reserved), ==, 0);
  g_assert_cmpint (ask_open (&child, "open-memory", handle.reserved), ==, 0);
  ask (&child, "begin");
  g_assert_cmpint (ask (&child, "end"), ==, 5);
  g_assert_cmpint (ask (&child, "close-memory"), ==, 0);
  ask (&child, "other-context");
  g_assert_cmpint (ask_open (&child, "open-memory", handle.reserved), ==,
      CUDA_ERROR_ALREADY_MAPPED);
  g_assert_cmpint (ask (&child, "close-memory"), ==, 0);
  g_assert_cmpint (ask (&child, "close-memory"), ==, CUDA_ERROR_INVALID_VALUE);
  g_assert_cmpint (ask_open (&child, "open-memory", handle.reserved), ==, 0);
  g_assert_cmpint (ask (&child, "close-memory"), ==, 0);
  try_ok (cuMemFree_v2 (memory));
  other = handle;
  memset (&other, 'x', 8);
  g_assert_cmpint (ask_open (&child, "open-memory", other.reserved), ==,
      CUDA_ERROR_INVALID_HANDLE);
  g_assert_cmpint (ask_open (&child, "open-memory", handle.reserved), ==,
      CUDA_ERROR_INVALID_HANDLE);
  g_assert_cmpint (harness_join (&child), ==, 0);
  try_end ();
}

/* A process dies with an event on its way. */
static void
wait_for_the_dead (const char *death, int expected)
{
  struct harness_child stuck, child;
  CUipcEventHandle handle;
  char line[HARNESS_LINE_MAX];

  harness_spawn (&stuck, "stuck", NULL);
  harness_hear (&stuck, line);
  from_text (line, handle.reserved);
  g_setenv ("FAKE_CUDA_DEATH", death, TRUE);
  harness_spawn (&child, "reader", NULL);
  g_unsetenv ("FAKE_CUDA_DEATH");
  g_assert_cmpint (ask_open (&child, "open-event", handle.reserved), ==, 0);
  harness_kill (&stuck, SIGKILL);
  g_assert_cmpint (harness_join (&stuck), ==, -SIGKILL);
  g_assert_cmpint (ask_open (&child, "open-event", handle.reserved), ==,
      CUDA_ERROR_INVALID_HANDLE);
  g_assert_cmpint (ask (&child, "wait-event"), ==, expected);
  harness_kill (&child, SIGKILL);
  g_assert_cmpint (harness_join (&child), ==, -SIGKILL);
}

static void
test_the_dead_are_waited_for_as_told (void)
{
  wait_for_the_dead ("completes", CUDA_SUCCESS);
  wait_for_the_dead ("hangs", CUDA_ERROR_NOT_READY);
}

/* --- the environment ----------------------------------------------------- */

static void
expect_description (const char *variable, const char *value, const char *said)
{
  struct harness_child child;
  char line[HARNESS_LINE_MAX];

  g_setenv (variable, value, TRUE);
  harness_spawn (&child, "describe", NULL);
  g_unsetenv (variable);
  harness_hear (&child, line);
  g_assert_cmpstr (line, ==, said);
  g_assert_cmpint (harness_join (&child), ==, 0);
}

/* What it says: error, devices, last byte of the first one's UUID, whether
 * there is virtual memory management. */
static void
test_the_environment_is_obeyed (void)
{
  g_setenv ("FAKE_CUDA_DEVICES", "3", TRUE);
  expect_description ("FAKE_CUDA_SEED", "1", "0 3 1 1");
  expect_description ("CUDA_VISIBLE_DEVICES", "2,0", "0 2 3 1");
  expect_description ("CUDA_VISIBLE_DEVICES", "1,7,0", "0 1 2 1");
  expect_description ("CUDA_VISIBLE_DEVICES", "", "100 0 0 0");
  expect_description ("CUDA_VISIBLE_DEVICES", "1,1", "100 0 0 0");
  expect_description ("CUDA_VISIBLE_DEVICES",
      "GPU-fa4ecda0-0000-0000-0000-000000000003", "0 1 3 1");
  expect_description ("FAKE_CUDA_UUIDS",
      "GPU-00000000-0000-0000-0000-000000000042", "0 3 66 1");
  expect_description ("FAKE_CUDA_MIG", "1", "0 1 1 1");
  expect_description ("FAKE_CUDA_WITHOUT", "peer,vmm", "0 3 1 0");
  expect_description (
      "FAKE_CUDA_FAIL", "cuMemAlloc:1:46,cuMemFree:0:1", "46 3 1 1");
  g_unsetenv ("FAKE_CUDA_DEVICES");
}

static void
test_the_table_is_written (void)
{
  struct harness_child child;
  const char *path = harness_path ("table");
  char line[HARNESS_LINE_MAX];
  char *text;

  g_setenv ("FAKE_CUDA_TABLE", path, TRUE);
  harness_spawn (&child, "describe", NULL);
  g_unsetenv ("FAKE_CUDA_TABLE");
  harness_hear (&child, line);
  g_assert_cmpint (harness_join (&child), ==, 0);
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  harness_assert_contains (text, "\tcuMemAlloc\t1\n");
  g_free (text);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, roles);
  harness_add ("/events/order-processes", test_events_order_processes);
  harness_add ("/events/lagging-readers", test_lagging_readers_wait);
  harness_add ("/events/of-the-dead", test_the_dead_are_waited_for_as_told);
  harness_add ("/memory/read-only", test_imports_can_be_read_only);
  harness_add (
      "/memory/not-for-the-host", test_the_host_cannot_touch_device_memory);
  harness_add (
      "/memory/legacy-handles", test_legacy_handles_are_for_one_context);
  harness_add ("/environment/obeyed", test_the_environment_is_obeyed);
  harness_add ("/environment/table", test_the_table_is_written);
  return g_test_run ();
}
