/* SPDX-License-Identifier: MIT */
/* What the test double of the CUDA driver exports besides the driver's own
 * functions. Tests find these with dlsym () in "libcuda.so.1": where there are
 * none, it is another driver. README.md has the environment's variables. */
#ifndef XMEM_FAKE_CUDA_H
#define XMEM_FAKE_CUDA_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#pragma GCC visibility push(default)

/* How often a function was called, by the name of its documentation
 * ("cuMemAlloc"), by this thread of ours, or by all with tid 0. */
uint64_t fake_cuda_calls (const char *function, pid_t tid);

/* The nth call of the function from now on, 1 being the next, fails with this
 * code; 0: every one does. Without a name: none fails any more. Returns false
 * for an unknown name. */
bool fake_cuda_fail (const char *function, unsigned nth, int code);

/* While paused, no stream of this process begins to copy, to set memory or to
 * call a function of the host. Events are recorded and waited for, but only
 * after the work that comes before them. */
void fake_cuda_pause (bool paused);

/* What of a kind there is in this process: "memory" (allocations), "host"
 * (pinned memory), "handle", "reservation", "mapping", "import" (of legacy
 * handles), "event", "stream", "context" (a retained primary one counts),
 * "module". NULL: of all kinds together. -1: no such kind. */
int64_t fake_cuda_live (const char *kind);

/* The driver's memory behind a device pointer, for tests that play a kernel;
 * NULL where there is none. The pointer itself cannot be read on the host. */
void *fake_cuda_peek (unsigned long long pointer);

#pragma GCC visibility pop

#endif
