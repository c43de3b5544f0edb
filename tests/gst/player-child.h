/* SPDX-License-Identifier: MIT */
/* The child's side of players. */
#ifndef XMEM_TEST_PLAYER_CHILD_H
#define XMEM_TEST_PLAYER_CHILD_H

#include "player-tap.h"

/* The role "player". */
void player_child_run (int argc, char **argv);

#endif
