/* SPDX-License-Identifier: MIT */
/* Peers that speak the protocol by hand, and break it as they like. */
#ifndef XMEM_HARNESS_RAW_H
#define XMEM_HARNESS_RAW_H

#include "harness/harness.h"
#include "ipc/connection.h"

/* A blocking SOCK_SEQPACKET to or at the path. */
int raw_connect (const char *path);
int raw_listen (const char *path);
int raw_accept (int listener);

/* Sends bytes with fds; false when the peer has hung up. */
bool raw_send (
    int fd, const void *bytes, size_t size, const int *fds, unsigned n_fds);

/* Sends a message, with an fd unless it is -1. */
void raw_send_message (
    int fd, const struct xmem_wire_message *message, int with_fd);

/* The next message, whenever it comes. Returns as xmem_connection_receive (),
 * but for XMEM_AGAIN. */
int raw_receive (int fd, struct xmem_received *received);

/* The next message must be of this type; closes an fd that comes with it. */
void raw_expect (
    int fd, enum xmem_wire_type type, struct xmem_received *received);

/* Skips messages until the peer ends the connection or says ERROR; returns
 * the status it says, or XMEM_GONE. */
int raw_expect_end (int fd);

/* Connects and shakes hands as a subscriber. */
int raw_subscribe (
    const char *path, enum xmem_delivery delivery, unsigned n_buffers);

void raw_release (int fd, uint64_t sequence);

/* A memfd of `size` bytes with these seals. */
int raw_memfd (size_t size, unsigned seals);

#endif
