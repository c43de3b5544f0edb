/* SPDX-License-Identifier: MIT */
/**
 * xmem/error.h: what every xmem function returns, and words for it.
 *
 * A function that can fail returns an int:
 *   0          done;
 *   positive   a condition that belongs to normal life and that the caller
 *              handles (nothing there yet, the stream has ended, ...);
 *   negative   a failure. The values are meant to be forwarded unchanged.
 *
 * Functions that take a `struct xmem_error *` fill it when they return
 * anything but 0, if it is not NULL. The struct belongs to the caller, holds
 * no resources, and needs no initialisation.
 */
#ifndef XMEM_ERROR_H
#define XMEM_ERROR_H

#ifdef __cplusplus
#define XMEM_BEGIN_DECLS extern "C" {
#define XMEM_END_DECLS }
#else
#define XMEM_BEGIN_DECLS
#define XMEM_END_DECLS
#endif

#define XMEM_API __attribute__ ((visibility ("default")))

XMEM_BEGIN_DECLS

enum xmem_status {
  XMEM_OK = 0,

  /* Conditions */
  XMEM_AGAIN = 1, /* not within the time given */
  XMEM_EOS = 2, /* the stream has ended cleanly */
  XMEM_STALE = 3, /* the id names a buffer that has moved on */
  XMEM_INTERRUPTED = 4, /* the wait was interrupted on purpose */
  XMEM_GONE = 5, /* the peer hung up without a word, or died, and what was its
                    with it */
  XMEM_FULL = 6, /* a stated limit is reached */
  XMEM_EVENT = 7, /* an event comes before the next frame */

  /* Failures */
  XMEM_INVALID = -1, /* an argument is outside what is documented */
  XMEM_SYSTEM = -2, /* a system call failed, errno tells */
  XMEM_NO_MEMORY = -3, /* no private memory left */
  XMEM_NO_SPACE = -4, /* no shared memory left */
  XMEM_PROTOCOL = -5, /* the peer broke the protocol */
  XMEM_VERSION = -6, /* no protocol version in common */
  XMEM_REFUSED = -7, /* the peer, or a permission, said no */
  XMEM_IN_USE = -8, /* somebody alive has that address */
  XMEM_NOT_FOUND = -9, /* nobody there */
  XMEM_FORKED = -10, /* this object belongs to the parent process */
  XMEM_CORRUPT = -11, /* shared data that makes no sense */
  XMEM_UNSUPPORTED = -12, /* not on this machine, or not in this build */
  XMEM_DEVICE = -13, /* a call of a device's driver failed */
};

struct xmem_error {
  int status; /* enum xmem_status, as returned */
  int sys_errno; /* errno of the failed system call, or 0 */
  char message[248]; /* one sentence, UTF-8, no newline at the end */
};

/**
 * The standing phrase for a status, for example "no shared memory left".
 *
 * Ownership: a static string. Threads: any. Blocks: never.
 * Returns: never NULL; unknown values give "unknown status".
 */
XMEM_API const char *xmem_status_string (int status);

XMEM_END_DECLS
#endif
