/* SPDX-License-Identifier: MIT */
/* Players (player.h) of other users and in namespaces of their own, as if in a
 * container. Only root can start them. */
#ifndef XMEM_TEST_APART_H
#define XMEM_TEST_APART_H

#include "player.h"

/* Where a player in namespaces of its own finds the folder it shares. */
#define APART_SHARED "/run/shared"

struct apart {
  unsigned uid;
  unsigned group;
  /* Gives it mount, pid, ipc, net, uts and user namespaces of its own, in which
   * it is root, with nothing in /run but this folder. NULL: none of this. */
  const char *share;
  const char *shm_size; /* of its /dev/shm then; NULL: it cannot be written */
};

/* False where this machine does not allow it; the case is skipped then, with
 * the reason. */
bool apart_start (struct player *player, const struct apart *apart);

/* kill -9 and wait, for one in namespaces of its own. */
void apart_die (struct player *player);

/* A folder of this case that everybody may write. */
const char *apart_folder (void);

/* The role. */
void apart_run (int argc, char **argv);

#endif
