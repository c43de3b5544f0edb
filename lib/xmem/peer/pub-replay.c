/* SPDX-License-Identifier: MIT */
/* The frame that late joiners get at once.
 *
 * Owns a reference on the last frame published, if XMEM_PUBLISHER_REPLAY_LAST
 * asks for it, unless that needs earlier ones to be decoded, or something came
 * behind it that makes it old: other caps, a flush, an end of stream. With the
 * publisher's lock held throughout.
 *
 * Invariant: the kept frame is the newest one published, and of the stream's
 * caps. */
#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "peer/pub-private.h"

void
pub_replay_forget (struct xmem_publisher *pub)
{
  struct pub_frame *frame = xmem_steal_ptr (pub->last);

  if (frame)
    pub_frame_unref (pub, frame);
}

void
pub_replay_keep (struct xmem_publisher *pub, struct pub_frame *frame)
{
  if (!(pub->params.flags & XMEM_PUBLISHER_REPLAY_LAST))
    return;
  pub_replay_forget (pub);
  if (frame->flags & XMEM_FRAME_DELTA_UNIT)
    return;
  pub->last = frame;
  frame->refs++;
}

unsigned
pub_replay_count (const struct xmem_publisher *pub)
{
  return pub->last && pub->last->refs == 1;
}

void
pub_replay_follow (struct xmem_publisher *pub, const struct pub_stream *stream)
{
  const char *caps = stream->caps, *before;

  if (!pub->last)
    return;
  before = pub->last->stream->caps;
  if (!caps || !before ? caps != before : strcmp (caps, before) != 0)
    pub_replay_forget (pub);
}

/* Moves the times to now, the running time at which a frame would be presented
 * now; never back. */
static void
stamp (
    const struct pub_stream *stream, struct xmem_frame_info *info, int64_t now)
{
  int64_t *first = info->pts != XMEM_TIME_NONE ? &info->pts : &info->dts;
  int64_t running, by;

  if (stream->base_time_ns == XMEM_NONE || *first == XMEM_TIME_NONE
      || __builtin_sub_overflow (now, stream->base_time_ns, &running)
      || __builtin_sub_overflow (running, stream->latency_ns, &running)
      || __builtin_sub_overflow (running, *first, &by) || by <= 0)
    return;
  *first = running;
  if (first == &info->pts && info->dts != XMEM_TIME_NONE
      && __builtin_add_overflow (info->dts, by, &info->dts))
    info->dts = XMEM_TIME_NONE;
}

/* The frame's message again, of now and of the present stream. */
static struct xmem_packet *
renew_packet (const struct xmem_publisher *pub, const struct pub_frame *frame)
{
  const struct xmem_packet *packet = frame->packet;
  int64_t now = xmem_clock_now ();
  struct xmem_wire_message m;
  struct xmem_error error;
  int fd = -1;

  if (xmem_wire_decode (packet->bytes, packet->size, &m, &error) != 0)
    return NULL;
  if (packet->fd >= 0) {
    fd = fcntl (packet->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
      return NULL;
  }
  stamp (pub->stream, &m.frame.info, now);
  m.frame.published_ns = (uint64_t) now;
  m.frame.epoch = pub->stream->epoch;
  return xmem_packet_new (&m, fd);
}

void
pub_replay_to (struct xmem_publisher *pub, struct pub_client *client)
{
  struct xmem_packet *packet;

  if (!pub->last || !pub_client_can_read (pub, client, pub->last))
    return;
  packet = renew_packet (pub, pub->last);
  if (packet)
    pub_client_send_frame (pub, client, pub->last, packet);
  xmem_packet_unref (packet);
}
