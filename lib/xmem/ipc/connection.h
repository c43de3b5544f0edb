/* SPDX-License-Identifier: MIT */
/* One non-blocking SOCK_SEQPACKET connection: whole messages, with fds. */
#ifndef XMEM_IPC_CONNECTION_H
#define XMEM_IPC_CONNECTION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ipc/address.h"
#include "wire/message.h"

/* An encoded message, shared by all connections it goes to. */
struct xmem_packet {
  atomic_uint refs;
  int fd; /* travels with it, owned; or -1 */
  size_t size;
  uint8_t bytes[];
};

/* Encodes; take_fd (or -1) is taken, also on failure. NULL without memory,
 * or when the message does not fit the protocol. */
struct xmem_packet *xmem_packet_new (
    const struct xmem_wire_message *message, int take_fd);
struct xmem_packet *xmem_packet_ref (struct xmem_packet *packet);
void xmem_packet_unref (struct xmem_packet *packet);

struct xmem_queued;

struct xmem_connection {
  int fd;
  struct xmem_queued *first; /* what the socket had no room for */
  struct xmem_queued *last;
  unsigned n_queued;
};

/* Takes the fd of a connected socket. */
void xmem_connection_init (struct xmem_connection *connection, int take_fd);
/* Closes; may be called again. */
void xmem_connection_close (struct xmem_connection *connection);

/* Connects. Returns 0, XMEM_AGAIN when nobody is there yet, XMEM_REFUSED
 * without permission, XMEM_SYSTEM. */
int xmem_connection_open (struct xmem_connection *connection,
    const struct xmem_address *address, struct xmem_error *error);

/* Sends, or queues behind what is queued already. Never blocks. Returns 0;
 * XMEM_GONE; XMEM_FULL when the peer does not read and its queue is full;
 * XMEM_NO_MEMORY. */
int xmem_connection_send (
    struct xmem_connection *connection, struct xmem_packet *packet);

/* Sends what is queued. Returns 0; XMEM_AGAIN while something is left;
 * XMEM_GONE; XMEM_FULL as above. */
int xmem_connection_flush (struct xmem_connection *connection);

/* Whether the peer has read everything that was sent; false when in doubt. */
bool xmem_connection_is_empty (const struct xmem_connection *connection);

/* A received message; `message` points into `bytes`. */
struct xmem_received {
  struct xmem_wire_message message;
  int fd; /* -1, or owned by the receiver */
  uint8_t bytes[XMEM_WIRE_MAX_MESSAGE];
};

/* The next message. Returns 0; XMEM_AGAIN, also between messages that are
 * skipped because only a later version knows them (the socket stays readable);
 * XMEM_GONE when all is read and the peer has hung up; XMEM_PROTOCOL;
 * XMEM_SYSTEM. On 0, take received->fd. */
int xmem_connection_receive (struct xmem_connection *connection,
    struct xmem_received *received, struct xmem_error *error);

/* Who is at the other end; false if the kernel does not say. */
bool xmem_connection_get_peer (
    const struct xmem_connection *connection, pid_t *pid_out, uid_t *uid_out);

#endif
