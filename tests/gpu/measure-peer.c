/* SPDX-License-Identifier: MIT */
/* Starts, hears and ends the other process. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"

extern char **environ;

struct peer
start_peer (const char *role, int fd)
{
  char *argv[] = { "measure", (char *) (uintptr_t) role, NULL };
  posix_spawn_file_actions_t actions;
  struct peer peer;
  int pair[2];
  int line; /* out of the way of what is put at LINE_FD and after */

  if (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0
      || (line = fcntl (pair[1], F_DUPFD_CLOEXEC, LINE_FD + 2)) < 0)
    abort ();
  posix_spawn_file_actions_init (&actions);
  if (fd >= 0)
    posix_spawn_file_actions_adddup2 (&actions, fd, SEGMENT_FD);
  posix_spawn_file_actions_adddup2 (&actions, line, LINE_FD);
  if (posix_spawn (&peer.pid, "/proc/self/exe", &actions, NULL, argv, environ)
      != 0)
    abort ();
  posix_spawn_file_actions_destroy (&actions);
  close (line);
  close (pair[1]);
  peer.socket = pair[0];
  return peer;
}

bool
hear (int socket, void *data, size_t size)
{
  ssize_t n;

  do
    n = recv (socket, data, size, 0);
  while (n < 0 && errno == EINTR);
  return n == (ssize_t) size;
}

void
tell (int socket, const void *data, size_t size)
{
  if (send (socket, data, size, MSG_NOSIGNAL) != (ssize_t) size)
    exit (1);
}

void
end_peer (struct peer *peer)
{
  kill (peer->pid, SIGKILL);
  waitpid (peer->pid, NULL, 0);
  close (peer->socket);
}
