/* SPDX-License-Identifier: MIT */
/* The file of a named pool: how it gets and loses its name, who is attached, and
 * what becomes of what the dead held.
 *
 * A file is complete before it has a name. While a process is attached it has the
 * lock on its index's byte; the kernel takes that away when it dies, however it
 * dies. XMEM_LOCK_NAME is held while somebody attaches, detaches or takes the
 * name over, so these cannot cross: whoever gets it looks whether the file still
 * has the name.
 *
 * An index whose entry names a pid and whose lock can be had belonged to a dead
 * process: its bit may be in any slot. Whoever finds that out first takes the
 * lock, clears the bit everywhere, clears the entry, and lets go; killed in
 * between, it leaves the entry for the next.
 *
 * Threads: threads of a process share the locks of the pool's fd, so
 * `reclaim_lock` keeps them apart. An index is never reclaimed by its own
 * process. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mem/map.h"
#include "mem/shm.h"
#include "pool/pool.h"

#define DEFAULT_MODE 0600
#define ATTACH_LOOKS 10

struct xmem_named {
  int fd; /* for mappings */
  int lock_fd; /* another description of the file, for locks: a mapping keeps
                  the description it was made from, in forked children too, and
                  with it its locks */
  uint32_t index; /* of this attachment; XMEM_MAX_PROCESSES: none yet */
  uint64_t serial; /* the same */
  pthread_mutex_t reclaim_lock;
  char name[256];
};

int
xmem_named_get_fd (const struct xmem_pool *pool)
{
  return pool->named->fd;
}

void
xmem_named_close (struct xmem_pool *pool)
{
  struct xmem_named *named = pool->named;

  if (named->fd >= 0)
    close (named->fd);
  if (named->lock_fd >= 0)
    close (named->lock_fd);
  named->fd = named->lock_fd = -1;
}

/* --- locks --------------------------------------------------------------- */

static int
lock_name (int fd, struct xmem_error *error)
{
  if (xmem_shm_lock (fd, XMEM_LOCK_NAME, XMEM_DEADLINE_NEVER))
    return 0;
  return xmem_error_set (error, XMEM_IN_USE, 0,
      "another process has been attaching to the pool for a second; was it "
      "stopped?");
}

/* Closing would do, but for copies of the fd in a child that another thread is
 * just forking. */
static void
unlock_all (int fd)
{
  xmem_shm_unlock (fd, XMEM_LOCK_NAME, XMEM_LOCK_GROWTH + 1);
}

int
xmem_named_lock_growth (
    struct xmem_pool *pool, int64_t deadline, struct xmem_error *error)
{
  if (xmem_shm_lock (pool->named->lock_fd, XMEM_LOCK_GROWTH, deadline))
    return 0;
  return xmem_error_set (error, XMEM_FULL, 0,
      "another process has been growing the pool for a second; was it "
      "stopped?");
}

void
xmem_named_unlock_growth (struct xmem_pool *pool)
{
  xmem_shm_unlock (pool->named->lock_fd, XMEM_LOCK_GROWTH, 1);
}

static unsigned
process_byte (uint32_t index)
{
  return XMEM_LOCK_PROCESS + index;
}

/* --- the dead ------------------------------------------------------------ */

/* With the index's lock. Returns how many slots came free. */
static uint32_t
forget_process (struct xmem_pool *pool, uint32_t index)
{
  uint64_t bit = UINT64_C (1) << index;
  uint32_t n_freed = 0;

  /* First: while we have its lock it seems to live. */
  atomic_store (&pool->head->processes[index].serial, 0);
  for (uint32_t i = 0; i < pool->n_slots; i++)
    if (xmem_slot_drop_holder (&pool->slots[i], bit)) {
      xmem_pool_slot_freed (pool, i);
      n_freed++;
    }
  atomic_fetch_and (&pool->head->waiting, ~(uint32_t) bit);
  atomic_store (&pool->head->processes[index].pid, 0);
  return n_freed;
}

uint32_t
xmem_named_reclaim (struct xmem_pool *pool)
{
  struct xmem_named *named = pool->named;
  uint32_t n_freed = 0;
  xmem_scoped_lock (&named->reclaim_lock);

  for (uint32_t i = 0; i < XMEM_MAX_PROCESSES; i++) {
    _Atomic uint32_t *pid = &pool->head->processes[i].pid;

    if (i == named->index || atomic_load (pid) == 0
        || !xmem_shm_try_lock (named->lock_fd, process_byte (i)))
      continue;
    /* Somebody else may have done it before we had the lock. */
    if (atomic_load (pid) != 0)
      n_freed += forget_process (pool, i);
    xmem_shm_unlock (named->lock_fd, process_byte (i), 1);
  }
  return n_freed;
}

uint32_t
xmem_named_count_processes (const struct xmem_pool *pool)
{
  uint32_t n = 0;

  for (uint32_t i = 0; i < XMEM_MAX_PROCESSES; i++)
    n += i == pool->named->index
         || xmem_shm_is_locked (pool->named->lock_fd, process_byte (i), 1);
  return n;
}

uint64_t
xmem_named_get_serial (const struct xmem_pool *pool)
{
  return pool->named->serial;
}

bool
xmem_named_lives (const struct xmem_pool *pool, uint64_t serial)
{
  for (uint32_t i = 0; serial != 0 && i < XMEM_MAX_PROCESSES; i++)
    if (atomic_load (&pool->head->processes[i].serial) == serial)
      return xmem_shm_is_locked (pool->named->lock_fd, process_byte (i), 1);
  return false;
}

void
xmem_named_resign (struct xmem_pool *pool)
{
  atomic_store (&pool->head->processes[pool->named->index].serial, 0);
}

/* --- attaching and detaching --------------------------------------------- */

/* An index that nobody has; with `dead` one whose process did not detach. */
static bool
take_index (struct xmem_pool *pool, bool dead)
{
  struct xmem_named *named = pool->named;

  for (uint32_t i = 0; i < XMEM_MAX_PROCESSES; i++) {
    _Atomic uint32_t *pid = &pool->head->processes[i].pid;

    if ((atomic_load (pid) != 0) != dead
        || !xmem_shm_try_lock (named->lock_fd, process_byte (i)))
      continue;
    named->index = i;
    pool->holder.bit = UINT64_C (1) << i;
    if (atomic_load (pid) != 0)
      (void) forget_process (pool, i);
    do
      named->serial = atomic_fetch_add (&pool->head->n_attached, 1) + 1;
    while (named->serial == 0);
    atomic_store (&pool->head->processes[i].serial, named->serial);
    atomic_store (pid, pool->pid);
    return true;
  }
  return false;
}

/* With XMEM_LOCK_NAME. Returns 0, XMEM_FULL. */
static int
attach (struct xmem_pool *pool, struct xmem_error *error)
{
  const struct timespec pause = { .tv_nsec = 1000000 };

  /* One that seems taken may be a dead one that is being reclaimed. */
  for (unsigned i = 0; i < ATTACH_LOOKS; i++) {
    if (take_index (pool, false) || take_index (pool, true))
      return 0;
    nanosleep (&pause, NULL);
  }
  return xmem_error_set (error, XMEM_FULL, 0,
      "%s is open %d times, and that is the limit", pool->named->name,
      XMEM_MAX_PROCESSES);
}

/* Lets go of the file; with the last process it goes. */
void
xmem_named_detach (struct xmem_pool *pool)
{
  struct xmem_named *named = pool->named;

  if (named->index < XMEM_MAX_PROCESSES) {
    /* Without the lock the name stays, for the next to detach or create. */
    bool alone = lock_name (named->lock_fd, NULL) == 0
                 && !xmem_shm_is_locked (
                     named->lock_fd, XMEM_LOCK_PROCESS, XMEM_MAX_PROCESSES);

    /* All references are gone, and so our bit from all slots. */
    atomic_store (&pool->head->processes[named->index].pid, 0);
    if (alone && xmem_shm_is_named (named->fd, named->name))
      (void) xmem_shm_unlink (named->name, NULL);
  }
  if (pool->head)
    munmap (pool->head, (size_t) xmem_layout_head_size (pool->n_slots));
  if (named->lock_fd >= 0)
    unlock_all (named->lock_fd);
  xmem_fork_hold ();
  xmem_named_close (pool);
  xmem_fork_release ();
  xmem_fork_unwatch (pool);
  pthread_mutex_destroy (&named->reclaim_lock);
  free (named);
}

/* A named pool without a file. */
static int
named_alloc (const char *name, const struct xmem_pool_params *params,
    struct xmem_pool **pool_out, struct xmem_error *error)
{
  struct xmem_named *named;
  int r;

  r = xmem_shm_check_name (name, error);
  if (r == 0)
    r = xmem_pool_alloc (params, pool_out, error);
  if (r != 0)
    return r;
  named = calloc (1, sizeof (*named));
  if (!named) {
    xmem_pool_dealloc (*pool_out);
    return xmem_error_set (error, XMEM_NO_MEMORY, 0, "no memory for a pool");
  }
  named->fd = named->lock_fd = -1;
  named->index = XMEM_MAX_PROCESSES;
  strncpy (named->name, name, sizeof (named->name) - 1);
  pthread_mutex_init (&named->reclaim_lock, NULL);
  (*pool_out)->named = named;
  xmem_fork_watch (*pool_out);
  return 0;
}

static int
map_head (struct xmem_pool *pool, struct xmem_error *error)
{
  size_t size = (size_t) xmem_layout_head_size (pool->n_slots);
  void *head =
      mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, pool->named->fd, 0);
  int r;

  if (head == MAP_FAILED)
    return xmem_error_set (
        error, XMEM_SYSTEM, errno, "cannot map %s", pool->named->name);
  r = xmem_pool_set_head (pool, head, error);
  if (r != 0)
    munmap (head, size);
  return r;
}

/* Gives up a pool that did not become one. */
static void
abandon (struct xmem_pool *pool)
{
  xmem_named_detach (pool);
  xmem_pool_dealloc (pool);
}

/* --- creating ------------------------------------------------------------ */

static int
make_file (struct xmem_pool *pool, mode_t mode, struct xmem_error *error)
{
  uint64_t size = xmem_layout_head_size (pool->n_slots);
  int r;

  xmem_fork_hold ();
  r = xmem_shm_make (mode, &pool->named->fd, error);
  if (r == 0)
    r = xmem_shm_reopen (pool->named->fd, &pool->named->lock_fd, error);
  xmem_fork_release ();
  if (r != 0)
    return r;
  if (xmem_allocate (pool->named->fd, 0, size) < 0)
    return xmem_error_set (error,
        errno == ENOSPC || errno == EFBIG ? XMEM_NO_SPACE : XMEM_SYSTEM, errno,
        "cannot allocate %llu bytes in /dev/shm", (unsigned long long) size);
  r = map_head (pool, error);
  if (r != 0)
    return r;
  xmem_layout_init (
      pool->head, pool->n_slots, pool->max_bytes, pool->handover_ns);
  return attach (pool, error);
}

/* The pid of a live process of the pool in the file, or 0. */
static uint32_t
find_owner (int fd)
{
  for (uint32_t i = 0; i < XMEM_MAX_PROCESSES; i++) {
    struct xmem_layout_process process = { 0 };
    off_t offset = offsetof (struct xmem_layout_header, processes)
                   + (off_t) (i * sizeof (process));

    if (xmem_shm_is_locked (fd, process_byte (i), 1)
        && pread (fd, &process, sizeof (process), offset) > 0)
      return atomic_load (&process.pid);
  }
  return 0;
}

/* Whether the file is a pool, of whatever version. */
static bool
is_pool (int fd)
{
  char magic[sizeof (XMEM_LAYOUT_MAGIC) - 1] = { 0 };

  return pread (fd, magic, sizeof (magic), 0) == sizeof (magic)
         && memcmp (magic, XMEM_LAYOUT_MAGIC, sizeof (magic)) == 0;
}

/* Unlinks the name of a pool, unless it was given to another meanwhile; with
 * only_dead also unless one of its processes is alive, which is XMEM_IN_USE. The
 * magic and the locks are the same in all versions of the layout. */
static int
remove_name (const char *name, bool only_dead, struct xmem_error *error)
{
  xmem_auto_close int fd = -1;
  int r;

  r = xmem_shm_open (name, &fd, error);
  if (r != 0)
    return r;
  if (!is_pool (fd))
    return xmem_error_set (error, XMEM_CORRUPT, 0,
        "%s is the name of shared memory that is not a pool", name);
  r = lock_name (fd, error);
  if (r != 0)
    return r;
  if (!xmem_shm_is_named (fd, name))
    r = 0;
  else if (only_dead
           && xmem_shm_is_locked (fd, XMEM_LOCK_PROCESS, XMEM_MAX_PROCESSES))
    r = xmem_error_set (error, XMEM_IN_USE, 0,
        "pool %s is in use, by process %u for one", name, find_owner (fd));
  else
    r = xmem_shm_unlink (name, error);
  unlock_all (fd);
  return r;
}

/* Makes the name free if the pool that has it is dead. */
static int
take_over (const char *name, struct xmem_error *error)
{
  int r = remove_name (name, true, error);

  if (r == XMEM_NOT_FOUND)
    return 0;
  if (r == XMEM_CORRUPT && error)
    error->status = XMEM_IN_USE;
  return r == XMEM_CORRUPT ? XMEM_IN_USE : r;
}

static int
publish_file (struct xmem_pool *pool, struct xmem_error *error)
{
  int r;

  do {
    r = xmem_shm_publish (pool->named->fd, pool->named->name, error);
    if (r != XMEM_IN_USE)
      return r;
    r = take_over (pool->named->name, error);
  } while (r == 0);
  return r;
}

int
xmem_pool_create (const char *name, const struct xmem_pool_params *params,
    struct xmem_pool **pool_out, struct xmem_error *error)
{
  mode_t mode = params && params->mode ? params->mode : DEFAULT_MODE;
  struct xmem_pool *pool;
  int r;

  r = named_alloc (name, params, &pool, error);
  if (r != 0)
    return r;
  r = make_file (pool, mode, error);
  if (r == 0)
    r = publish_file (pool, error);
  if (r != 0) {
    abandon (pool);
    return r;
  }
  *pool_out = pool;
  return 0;
}

/* --- opening ------------------------------------------------------------- */

/* What the file says of the pool, checked. */
static int
read_header (struct xmem_pool *pool, struct xmem_error *error)
{
  struct xmem_layout_header header;
  struct xmem_error why;
  struct stat st;
  size_t size = offsetof (struct xmem_layout_header, processes);
  int r;

  /* Whatever cannot be read is no pool. */
  memset (&header, 0, size);
  if (pread (pool->named->fd, &header, size, 0) < 0
      || fstat (pool->named->fd, &st) < 0)
    st.st_size = 0;
  r = xmem_layout_check (&header, (uint64_t) st.st_size, &why);
  if (r != 0)
    return xmem_error_set (
        error, r, 0, "%s: %.200s", pool->named->name, why.message);
  pool->n_slots = header.n_slots;
  pool->max_bytes = header.max_bytes;
  pool->handover_ns = header.handover_ns;
  return 0;
}

static int
open_file (struct xmem_pool *pool, struct xmem_error *error)
{
  struct xmem_named *named = pool->named;
  int r;

  xmem_fork_hold ();
  xmem_named_close (pool);
  r = xmem_shm_open (named->name, &named->fd, error);
  if (r == 0)
    r = xmem_shm_open (named->name, &named->lock_fd, error);
  xmem_fork_release ();
  return r;
}

/* With the file's XMEM_LOCK_NAME if it returns 0. */
static int
open_locked (struct xmem_pool *pool, struct xmem_error *error)
{
  int r;

  do {
    r = open_file (pool, error);
    if (r == 0)
      r = read_header (pool, error);
    if (r == 0)
      r = lock_name (pool->named->lock_fd, error);
    /* Opened twice by name: it may have been two, or be gone by now. */
  } while (
      r == 0 && !xmem_shm_is_linked (pool->named->lock_fd, pool->named->fd));
  return r;
}

static int
named_open (struct xmem_pool *pool, struct xmem_error *error)
{
  int r;

  r = open_locked (pool, error);
  if (r == 0)
    r = map_head (pool, error);
  if (r == 0)
    r = attach (pool, error);
  if (r == 0)
    xmem_shm_unlock (pool->named->lock_fd, XMEM_LOCK_NAME, 1);
  return r;
}

int
xmem_pool_open (const char *name, unsigned flags, struct xmem_pool **pool_out,
    struct xmem_error *error)
{
  struct xmem_pool *pool;
  int r;

  r = named_alloc (name, NULL, &pool, error);
  if (r != 0)
    return r;
  pool->writable = !(flags & XMEM_OPEN_READ_ONLY);
  r = named_open (pool, error);
  if (r != 0) {
    abandon (pool);
    return r;
  }
  *pool_out = pool;
  return 0;
}

int
xmem_pool_unlink (const char *name, struct xmem_error *error)
{
  int r = xmem_shm_check_name (name, error);

  return r == 0 ? remove_name (name, false, error) : r;
}
