/* SPDX-License-Identifier: MIT */
/* Which users a publisher lets in. A socket file's permissions have decided
 * before; this is about the list of users, and about abstract addresses, which
 * have no permissions.
 *
 * Invariant: set once, before the first connection. */
#include <stdio.h>
#include <string.h>

#include "peer/pub-private.h"

/* What the kernel calls every user that this user namespace does not have. */
#define UNKNOWN_USER 65534

int
pub_admit_init (struct xmem_publisher *pub,
    const struct xmem_publisher_params *params, struct xmem_error *error)
{
  size_t n = params->n_allowed_uids;
  uint32_t *uids;

  if (n == 0)
    return 0;
  for (size_t i = 0; i < n; i++)
    if (params->allowed_uids[i] == UNKNOWN_USER)
      return xmem_error_set (error, XMEM_INVALID, 0,
          "user %d cannot be let in by a list: it stands for all users of "
          "other "
          "user namespaces",
          UNKNOWN_USER);
  uids = calloc (n, sizeof (*uids));
  if (!uids)
    return xmem_error_set (error, XMEM_NO_MEMORY, 0, "no memory");
  memcpy (uids, params->allowed_uids, n * sizeof (*uids));
  pub->params.allowed_uids = uids;
  return 0;
}

void
pub_admit_clear (struct xmem_publisher *pub)
{
  free ((uint32_t *) (uintptr_t) pub->params.allowed_uids);
}

static bool
is_admitted (const struct xmem_publisher *pub, uid_t uid)
{
  if (uid == UNKNOWN_USER)
    return false;
  for (size_t i = 0; i < pub->params.n_allowed_uids; i++)
    if (pub->params.allowed_uids[i] == uid)
      return true;
  return uid == geteuid ();
}

static void
refuse (struct pub_client *client, uid_t uid)
{
  char words[160];

  if (uid == UNKNOWN_USER)
    snprintf (words, sizeof (words),
        "a user of another user namespace is on no list (allow-uids)");
  else
    snprintf (words, sizeof (words),
        "user %u is not on its list of users (allow-uids)", (unsigned) uid);
  pub_client_tell_error (client, XMEM_REFUSED, words);
}

bool
pub_admit (struct xmem_publisher *pub, struct pub_client *client)
{
  uid_t uid = UNKNOWN_USER;

  (void) xmem_connection_get_peer (&client->connection, &client->pid, &uid);
  if (pub->params.n_allowed_uids == 0
      && !xmem_address_is_abstract (&pub->listener.address))
    return true;
  if (is_admitted (pub, uid))
    return true;
  refuse (client, uid);
  return false;
}
