/* SPDX-License-Identifier: MIT */
/* Words for statuses. Knows nothing of what failed; keeps no state. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *
xmem_status_string (int status)
{
  switch (status) {
    case XMEM_OK:
      return "done";
    case XMEM_AGAIN:
      return "not within the time given";
    case XMEM_EOS:
      return "end of stream";
    case XMEM_STALE:
      return "the buffer has moved on to other content";
    case XMEM_INTERRUPTED:
      return "interrupted";
    case XMEM_GONE:
      return "the peer hung up";
    case XMEM_FULL:
      return "a limit is reached";
    case XMEM_EVENT:
      return "an event";
    case XMEM_INVALID:
      return "invalid argument";
    case XMEM_SYSTEM:
      return "a system call failed";
    case XMEM_NO_MEMORY:
      return "out of memory";
    case XMEM_NO_SPACE:
      return "no shared memory left";
    case XMEM_PROTOCOL:
      return "the peer broke the protocol";
    case XMEM_VERSION:
      return "no protocol version in common";
    case XMEM_REFUSED:
      return "refused";
    case XMEM_IN_USE:
      return "the address is in use";
    case XMEM_NOT_FOUND:
      return "nobody there";
    case XMEM_FORKED:
      return "the object belongs to the parent process";
    case XMEM_CORRUPT:
      return "shared data makes no sense";
    case XMEM_UNSUPPORTED:
      return "not supported here";
    case XMEM_DEVICE:
      return "a call of a device's driver failed";
    default:
      return "unknown status";
  }
}

int
xmem_error_set (struct xmem_error *error, int status, int sys_errno,
    const char *format, ...)
{
  va_list args;
  int n;

  if (!error)
    return status;
  error->status = status;
  error->sys_errno = sys_errno;
  va_start (args, format);
  n = vsnprintf (error->message, sizeof (error->message), format, args);
  va_end (args);
  if (sys_errno && n >= 0 && (size_t) n < sizeof (error->message))
    snprintf (error->message + n, sizeof (error->message) - (size_t) n,
        ": %s (errno %d)", strerrordesc_np (sys_errno), sys_errno);
  return status;
}
