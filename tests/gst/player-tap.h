/* SPDX-License-Identifier: MIT */
/* What a player notes down of the buffers that pass a pad. */
#ifndef XMEM_TEST_PLAYER_TAP_H
#define XMEM_TEST_PLAYER_TAP_H

#include "player.h"

struct tap;

/* On the element's sink pad; freed with the element. */
void tap_new (GstElement *element, enum player_look look);

/* On when a fakesink has waited for a buffer's time. */
void tap_new_rendered (GstElement *element);

/* The one of that element. */
struct tap *tap_of (GstElement *element);

unsigned tap_count (struct tap *tap);
void tap_write_records (struct tap *tap, const char *path);

/* Keeps the next n buffers, in a list of the process. */
void tap_hold (struct tap *tap, unsigned n);
void tap_let_go (void);
/* How many are kept, and how many of these have other content than then. */
void tap_check_held (unsigned *n_out, unsigned *n_changed_out);

#endif
