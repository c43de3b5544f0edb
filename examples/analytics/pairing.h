/* SPDX-License-Identifier: MIT */
/* Brings the pictures of one stream together with what another stream says of
 * them, by their times, which must be equal to the nanosecond.
 *
 * A picture waits for its answer as long as `depth` later ones are not there,
 * and no answer to a later one is. So a picture is never late by more than
 * `depth` pictures, whether or not somebody answers, and never has the answer
 * to another.
 *
 * Threads: one pushes pictures, one pushes answers, one takes. */
#ifndef ANALYTICS_PAIRING_H
#define ANALYTICS_PAIRING_H

#include "answer.h"

typedef struct _Pairing Pairing;

typedef struct {
  GstSample *sample; /* owned */
  GstClockTime time;
  Answer *answer; /* owned, NULL when there was none in time */
} Pair;

Pairing *pairing_new (guint depth);
void pairing_free (Pairing *self);

/* Takes the picture. Blocks while depth + 1 of them are there. */
void pairing_push_picture (
    Pairing *self, GstSample *picture, GstClockTime time);

/* Never blocks. */
void pairing_push_answer (Pairing *self, const Answer *answer);

/* No more pictures: those that are there need not wait. */
void pairing_end (Pairing *self);

/* Blocks for the next picture; FALSE after the last. */
gboolean pairing_take (Pairing *self, Pair *pair);
void pair_clear (Pair *pair);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Pairing, pairing_free)

#endif
