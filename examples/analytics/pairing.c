/* SPDX-License-Identifier: MIT */
/* Owns the pictures and the answers that wait, both in order of their times;
 * everything under the lock. */
#include "pairing.h"

/* Answers whose pictures have not come yet. */
#define MAX_ANSWERS 64

struct _Pairing {
  GMutex lock;
  GCond changed;
  GQueue pictures; /* Pair, whose answer is NULL */
  GQueue answers; /* Answer */
  guint depth;
  gboolean ended;
};

Pairing *
pairing_new (guint depth)
{
  Pairing *self = g_new0 (Pairing, 1);

  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  self->depth = depth;
  return self;
}

void
pair_clear (Pair *pair)
{
  g_clear_pointer (&pair->sample, gst_sample_unref);
  g_clear_pointer (&pair->answer, g_free);
}

static void
pair_free (gpointer pair)
{
  pair_clear (pair);
  g_free (pair);
}

void
pairing_free (Pairing *self)
{
  g_queue_clear_full (&self->pictures, pair_free);
  g_queue_clear_full (&self->answers, g_free);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->changed);
  g_free (self);
}

void
pairing_push_picture (Pairing *self, GstSample *picture, GstClockTime time)
{
  Pair *pair = g_new0 (Pair, 1);

  pair->sample = picture;
  pair->time = time;
  g_mutex_lock (&self->lock);
  while (self->pictures.length > self->depth && !self->ended)
    g_cond_wait (&self->changed, &self->lock);
  g_queue_push_tail (&self->pictures, pair);
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

void
pairing_push_answer (Pairing *self, const Answer *answer)
{
  g_mutex_lock (&self->lock);
  if (self->answers.length == MAX_ANSWERS)
    g_free (g_queue_pop_head (&self->answers));
  g_queue_push_tail (&self->answers, g_memdup2 (answer, sizeof (*answer)));
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

void
pairing_end (Pairing *self)
{
  g_mutex_lock (&self->lock);
  self->ended = TRUE;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

/* The first answer that is not older than the picture; the others go. */
static Answer *
find_answer (Pairing *self, const Pair *pair)
{
  Answer *answer;

  while ((answer = g_queue_peek_head (&self->answers))
         && answer->picture < pair->time)
    g_free (g_queue_pop_head (&self->answers));
  return answer;
}

/* Whether nothing more is to be waited for. */
static gboolean
is_ready (Pairing *self)
{
  Pair *pair = g_queue_peek_head (&self->pictures);

  if (!pair)
    return self->ended;
  return self->ended || self->pictures.length > self->depth
         || find_answer (self, pair);
}

gboolean
pairing_take (Pairing *self, Pair *pair)
{
  g_autofree Pair *first = NULL;
  Answer *answer;

  g_mutex_lock (&self->lock);
  while (!is_ready (self))
    g_cond_wait (&self->changed, &self->lock);
  first = g_queue_pop_head (&self->pictures);
  if (first) {
    *pair = *first;
    answer = find_answer (self, pair);
    if (answer && answer->picture == pair->time)
      pair->answer = g_queue_pop_head (&self->answers);
  }
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
  return first != NULL;
}
