/* SPDX-License-Identifier: MIT */
/* What the tests of CUDA memory share: the test double of the driver, found
 * through LD_LIBRARY_PATH as the driver would be, and kernels, which are
 * functions of the host that a stream calls.
 *
 * The double reads its environment when it is loaded: a child sets what it
 * wants before double_load (). The tests' own process does not load it. */
#ifndef XMEM_TESTS_CUDA_DOUBLE_H
#define XMEM_TESTS_CUDA_DOUBLE_H

#include <xmem/xmem.h>

#include "harness/fake-cuda/fake-cuda.h"
#include "harness/harness.h"
#include "mem/cuda-driver.h"

#define DOUBLE_FUNCTIONS(F)    \
  F (cuStreamCreate)           \
  F (cuStreamSynchronize)      \
  F (cuStreamDestroy_v2)       \
  F (cuCtxCreate_v2)           \
  F (cuCtxDestroy_v2)          \
  F (cuCtxSetCurrent)          \
  F (cuDevicePrimaryCtxRetain) \
  F (cuLaunchHostFunc)         \
  F (cuInit)                   \
  F (fake_cuda_calls)          \
  F (fake_cuda_fail)           \
  F (fake_cuda_live)           \
  F (fake_cuda_pause)          \
  F (fake_cuda_peek)

#define DOUBLE_FIELD(name) __typeof__ (&name) name;

struct cuda_double {
  DOUBLE_FUNCTIONS (DOUBLE_FIELD)
};

/* Empty before double_load (). */
extern struct cuda_double cuda_double;

/* Prepares a test: exits 77 where the double is not what would be loaded, and
 * says that it was used. Then as harness_init (). */
void double_init (int *argc, char ***argv, const struct harness_role *roles);

/* Loads it into this process, and makes device 0's primary context current. */
void double_load (void);

CUstream double_stream (void);

/* --- kernels ------------------------------------------------------------- */

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
