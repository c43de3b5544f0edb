/* SPDX-License-Identifier: MIT */
/* What the tests of CUDA memory share: the driver, which is its test double
 * where LD_LIBRARY_PATH leads there, and kernels. With the double these are
 * functions of the host that a stream calls; with another driver, copies of
 * memory that such functions fill or look at.
 *
 * The double reads its environment when it is loaded: a child sets what it
 * wants before double_load (). The tests' own process does not load it. */
#ifndef XMEM_TESTS_CUDA_DOUBLE_H
#define XMEM_TESTS_CUDA_DOUBLE_H

#include <xmem/xmem.h>

#include "harness/fake-cuda/fake-cuda.h"
#include "harness/harness.h"
#include "mem/cuda-driver.h"

#define DRIVER_FUNCTIONS(F)    \
  F (cuStreamCreate)           \
  F (cuStreamSynchronize)      \
  F (cuStreamDestroy_v2)       \
  F (cuCtxCreate_v2)           \
  F (cuCtxDestroy_v2)          \
  F (cuCtxSetCurrent)          \
  F (cuDevicePrimaryCtxRetain) \
  F (cuLaunchHostFunc)         \
  F (cuMemAllocHost_v2)        \
  F (cuMemcpyHtoDAsync_v2)     \
  F (cuMemcpyDtoHAsync_v2)     \
  F (cuDeviceGetCount)         \
  F (cuInit)

/* NULL with any driver but the double. */
#define DOUBLE_FUNCTIONS(F) \
  F (fake_cuda_calls)       \
  F (fake_cuda_fail)        \
  F (fake_cuda_live)        \
  F (fake_cuda_pause)       \
  F (fake_cuda_peek)

#define DOUBLE_FIELD(name) __typeof__ (&name) name;

struct cuda_double {
  DRIVER_FUNCTIONS (DOUBLE_FIELD)
  DOUBLE_FUNCTIONS (DOUBLE_FIELD)
};

/* Empty before double_load (). */
extern struct cuda_double cuda_double;

/* Prepares a test: exits 77 where there is neither the double nor a driver with
 * a device, and says which it is. Then as harness_init (). */
void double_init (int *argc, char ***argv, const struct harness_role *roles);

/* Whether the driver is the double. */
bool double_is_here (void);

/* A case that only the double can play; skipped with another driver. */
void double_add (const char *path, void (*run) (void));

/* Loads the driver into this process, and makes device 0's primary context current. */
void double_load (void);

CUstream double_stream (void);

/* What of a kind the driver keeps in this process, see fake_cuda_live (); 0
 * where it cannot be asked. */
int64_t double_live (const char *kind);

/* Holds streams still, all of them or at least these, from the work on that is
 * launched later; and lets them go on. */
void double_pause (const CUstream *streams, size_t n_streams);
void double_go (void);

/* --- kernels ------------------------------------------------------------- */

/* For double_load (), with a driver that is not the double. */
void double_prepare_kernels (void);

/* What a kernel can do, where it is no function of the double's. */
#define DOUBLE_MAX_WORDS 512

/* Fills n_words words on a device with a stamp, on a stream. */
void double_write (
    CUstream stream, uint64_t pointer, size_t n_words, uint64_t stamp);

/* Counts, on a stream, whether all words carry the stamp, twice with pause_us
 * in between. The counters must live until the stream has done so. */
struct double_tally {
  _Atomic uint64_t n_good;
  _Atomic uint64_t n_bad; /* stale or torn */
};

void double_check (CUstream stream, uint64_t pointer, size_t n_words,
    uint64_t stamp, unsigned pause_us, struct double_tally *tally);

#endif
