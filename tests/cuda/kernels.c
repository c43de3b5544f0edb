/* SPDX-License-Identifier: MIT */
/* Kernels of the tests. With the double they work in the device's memory; with
 * another driver in pinned memory, which is copied there or from there, and
 * which this keeps. */
#include <unistd.h>

#include "cuda/double.h"

struct kernel {
  uint64_t *words;
  size_t n_words;
  uint64_t stamp;
  unsigned pause_us;
  struct double_tally *tally;
  bool good; /* of a look in two steps, the first */
};

static void
write_words (void *data)
{
  struct kernel *kernel = data;

  for (size_t i = 0; i < kernel->n_words; i++)
    kernel->words[i] = kernel->stamp;
  g_free (kernel);
}

static bool
all_carry (const struct kernel *kernel)
{
  const volatile uint64_t *words = kernel->words;

  for (size_t i = 0; i < kernel->n_words; i++)
    if (words[i] != kernel->stamp)
      return false;
  return true;
}

static void
check_words (void *data)
{
  struct kernel *kernel = data;
  bool good = all_carry (kernel);

  if (kernel->pause_us > 0)
    usleep (kernel->pause_us);
  if (good && all_carry (kernel))
    kernel->tally->n_good++;
  else
    kernel->tally->n_bad++;
  g_free (kernel);
}

static void
call (CUstream stream, void (*run) (void *data), struct kernel *kernel)
{
  g_assert_cmpint (cuda_double.cuLaunchHostFunc (stream, run, kernel), ==, 0);
}

/* --- with a driver that is not the double -------------------------------- */

#define N_BLOCKS 16 /* that are made at once */

/* A kernel and the pinned memory it works in, which are used again: to allocate
 * any may mean to wait for streams. */
struct block {
  struct kernel kernel;
  uint64_t *words;
  struct block *next;
};

static GMutex lock;
static struct block *blocks;

static void
add_blocks (void)
{
  for (unsigned i = 0; i < N_BLOCKS; i++) {
    struct block *block = g_new0 (struct block, 1);
    void *words;

    g_assert_cmpint (
        cuda_double.cuMemAllocHost_v2 (&words, DOUBLE_MAX_WORDS * 8), ==, 0);
    block->words = words;
    block->next = blocks;
    blocks = block;
  }
}

void
double_prepare_kernels (void)
{
  g_mutex_lock (&lock);
  add_blocks ();
  g_mutex_unlock (&lock);
}

static struct block *
take_block (const struct kernel *kernel)
{
  struct block *block;

  g_assert_cmpuint (kernel->n_words, <=, DOUBLE_MAX_WORDS);
  g_mutex_lock (&lock);
  if (!blocks)
    add_blocks ();
  block = blocks;
  blocks = block->next;
  g_mutex_unlock (&lock);
  block->kernel = *kernel;
  block->kernel.words = block->words;
  return block;
}

/* A block begins with its kernel. */
static void
give_back (void *data)
{
  struct block *block = data;

  g_mutex_lock (&lock);
  block->next = blocks;
  blocks = block;
  g_mutex_unlock (&lock);
}

static void
look_once (void *data)
{
  struct kernel *kernel = data;

  kernel->good = all_carry (kernel);
  if (kernel->pause_us > 0)
    usleep (kernel->pause_us);
}

static void
look_again (void *data)
{
  struct kernel *kernel = data;

  if (kernel->good && all_carry (kernel))
    kernel->tally->n_good++;
  else
    kernel->tally->n_bad++;
  give_back (data);
}

static void
write_by_copy (CUstream stream, uint64_t pointer, const struct kernel *kernel)
{
  struct block *block = take_block (kernel);

  for (size_t i = 0; i < kernel->n_words; i++)
    block->words[i] = kernel->stamp;
  g_assert_cmpint (cuda_double.cuMemcpyHtoDAsync_v2 (
                       pointer, block->words, kernel->n_words * 8, stream),
      ==, 0);
  call (stream, give_back, &block->kernel);
}

static void
check_by_copy (CUstream stream, uint64_t pointer, const struct kernel *kernel)
{
  struct block *block = take_block (kernel);

  for (int i = 0; i < 2; i++) {
    g_assert_cmpint (cuda_double.cuMemcpyDtoHAsync_v2 (
                         block->words, pointer, kernel->n_words * 8, stream),
        ==, 0);
    call (stream, i == 0 ? look_once : look_again, &block->kernel);
  }
}

/* --- with the double ----------------------------------------------------- */

static void
play (CUstream stream, uint64_t pointer, const struct kernel *kernel)
{
  struct kernel *copy = g_memdup2 (kernel, sizeof (*kernel));

  copy->words = cuda_double.fake_cuda_peek (pointer);
  g_assert_nonnull (copy->words);
  call (stream, kernel->tally ? check_words : write_words, copy);
}

/* --- with either --------------------------------------------------------- */

void
double_write (CUstream stream, uint64_t pointer, size_t n_words, uint64_t stamp)
{
  const struct kernel kernel = { .n_words = n_words, .stamp = stamp };

  (double_is_here () ? play : write_by_copy) (stream, pointer, &kernel);
}

void
double_check (CUstream stream, uint64_t pointer, size_t n_words, uint64_t stamp,
    unsigned pause_us, struct double_tally *tally)
{
  const struct kernel kernel = {
    .n_words = n_words, .stamp = stamp, .pause_us = pause_us, .tally = tally
  };

  (double_is_here () ? play : check_by_copy) (stream, pointer, &kernel);
}
