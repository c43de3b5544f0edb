/* SPDX-License-Identifier: MIT */
/* A child that has a named pool open and does what it is told, so that a test
 * reads as one script although its processes are real. It sees the library's
 * public functions only.
 *
 * A test that uses these has the role { "pool-actor", pool_actor_run }. */
#ifndef XMEM_TEST_POOL_ACTOR_H
#define XMEM_TEST_POOL_ACTOR_H

#include <xmem/pool.h>

#include "harness/harness.h"
#include "pool-file.h"

#define POOL_ACTOR_FOREVER (-1)

struct pool_actor {
  struct harness_child child;
  char message[256]; /* of the last call that failed */
};

void pool_actor_run (int argc, char **argv);

void pool_actor_start (struct pool_actor *actor);
/* Starts it and lets it open the pool, which must succeed. */
void pool_actor_start_open (struct pool_actor *actor, const char *name);
/* Lets it give back everything and end; fails unless it does so without
 * fault. */
void pool_actor_stop (struct pool_actor *actor);
/* kill -9 and wait. */
void pool_actor_die (struct pool_actor *actor);
/* Stops it where it is; waits until the kernel says so. */
void pool_actor_freeze (struct pool_actor *actor);
void pool_actor_thaw (struct pool_actor *actor);

/* --- its pool; the numbers returned are statuses ------------------------- */

/* handover_ms: POOL_ACTOR_FOREVER, or 0 for the default. */
int pool_actor_create (struct pool_actor *actor, const char *name,
    uint32_t n_slots, int handover_ms);
int pool_actor_open (
    struct pool_actor *actor, const char *name, unsigned flags);
/* The same in two steps each, so that several do it at the same time. */
void pool_actor_create_begin (struct pool_actor *actor, const char *name,
    uint32_t n_slots, int handover_ms);
int pool_actor_create_end (struct pool_actor *actor);
void pool_actor_open_begin (
    struct pool_actor *actor, const char *name, unsigned flags);
int pool_actor_open_end (struct pool_actor *actor);
/* Gives its buffers back, and the pool. */
void pool_actor_close (struct pool_actor *actor);

int pool_actor_acquire (
    struct pool_actor *actor, uint64_t size, int timeout_ms, uint64_t *id_out);
/* The same in two steps: the test goes on while it waits. */
void pool_actor_acquire_begin (
    struct pool_actor *actor, uint64_t size, int timeout_ms);
int pool_actor_acquire_end (struct pool_actor *actor, uint64_t *id_out);

/* Waits for a slot without limit, and gives it back at once. */
void pool_actor_borrow_begin (struct pool_actor *actor, uint64_t size);
void pool_actor_borrow_end (struct pool_actor *actor);

/* One that must be had without waiting. */
uint64_t pool_actor_expect_slot (struct pool_actor *actor, uint64_t size);
/* As many as can be had without waiting; keeps them. */
unsigned pool_actor_acquire_all (struct pool_actor *actor, uint64_t size);

int pool_actor_get (
    struct pool_actor *actor, uint64_t id, enum xmem_access access);
int pool_actor_take (
    struct pool_actor *actor, uint64_t id, enum xmem_access access);
int pool_actor_give (struct pool_actor *actor, uint64_t id, unsigned n);
void pool_actor_unref (struct pool_actor *actor, uint64_t id);

/* Fills a buffer it has; whether all of one carries this stamp. */
void pool_actor_stamp (struct pool_actor *actor, uint64_t id, uint64_t stamp);
bool pool_actor_sees (struct pool_actor *actor, uint64_t id, uint64_t stamp);

unsigned pool_actor_reclaim (struct pool_actor *actor);
void pool_actor_reclaim_begin (struct pool_actor *actor);
unsigned pool_actor_reclaim_end (struct pool_actor *actor);
struct xmem_pool_stats pool_actor_get_stats (struct pool_actor *actor);

int pool_actor_preallocate (
    struct pool_actor *actor, uint64_t size, uint32_t n);
void pool_actor_preallocate_begin (
    struct pool_actor *actor, uint64_t size, uint32_t n);
int pool_actor_preallocate_end (struct pool_actor *actor);

/* Forks without exec: a child that tries every call on the pool, all of which
 * must be XMEM_FORKED, and then only lives until it is killed. Returns its
 * pid. */
pid_t pool_actor_fork (struct pool_actor *actor);

/* Says when it begins, then opens and closes the pool, over and over, until it
 * is killed. Each must succeed. */
void pool_actor_come_and_go (struct pool_actor *actor, const char *name);

/* The same with a pool of its own. */
void pool_actor_make_and_unmake (struct pool_actor *actor, const char *name);

#endif
