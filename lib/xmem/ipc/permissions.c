/* SPDX-License-Identifier: MIT */
/* Keeps no state. Knows users and groups as numbers, but for the name that a
 * group may be given by. */
#include "ipc/permissions.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define DEFAULT_MODE 0600
#define DEFAULT_GROUP_MODE 0660
/* A group with all its members' names. */
#define MAX_GROUP_ENTRY (1 << 20)

static bool
is_number (const char *text, gid_t *number_out)
{
  char *end;
  unsigned long long value;

  if (text[0] < '0' || text[0] > '9')
    return false;
  errno = 0;
  value = strtoull (text, &end, 10);
  *number_out = (gid_t) value;
  return *end == '\0' && errno == 0 && value < XMEM_NO_GROUP;
}

/* ERANGE: the buffer is too small. */
static int
look_up (const char *name, char *buffer, size_t size, gid_t *group_out)
{
  struct group entry, *found = NULL;
  int err = getgrnam_r (name, &entry, buffer, size, &found);

  if (found)
    *group_out = found->gr_gid;
  return found ? 0 : err == ERANGE ? ERANGE : ENOENT;
}

static int
find_group (const char *name, gid_t *group_out, struct xmem_error *error)
{
  int err = ERANGE;

  if (is_number (name, group_out))
    return 0;
  for (size_t size = 4096; err == ERANGE && size <= MAX_GROUP_ENTRY;
       size *= 4) {
    xmem_auto_free char *buffer = malloc (size);

    if (!buffer)
      return xmem_error_set (error, XMEM_NO_MEMORY, 0, "no memory");
    err = look_up (name, buffer, size, group_out);
  }
  if (err == 0)
    return 0;
  return xmem_error_set (
      error, XMEM_INVALID, 0, "there is no group \"%.64s\" here", name);
}

int
xmem_permissions_init (struct xmem_permissions *permissions, unsigned mode,
    const char *group, struct xmem_error *error)
{
  int r = 0;

  permissions->group = XMEM_NO_GROUP;
  permissions->mode = mode ? mode : group ? DEFAULT_GROUP_MODE : DEFAULT_MODE;
  if ((mode & ~0777u) != 0)
    return xmem_error_set (
        error, XMEM_INVALID, 0, "the mode may be at most 0777");
  if (group)
    r = find_group (group, &permissions->group, error);
  if (r == 0 && group
      && !(permissions->mode & 0020)) /* connecting is writing */
    r = xmem_error_set (error, XMEM_INVALID, 0,
        "with mode %04o group %.64s may not connect; with %04o it may", mode,
        group, mode | 0060);
  return r;
}

int
xmem_permissions_apply (const struct xmem_permissions *permissions,
    const char *path, struct xmem_error *error)
{
  if (permissions->group != XMEM_NO_GROUP
      && chown (path, (uid_t) -1, permissions->group) < 0)
    return xmem_error_set (error, errno == EPERM ? XMEM_REFUSED : XMEM_SYSTEM,
        errno,
        "cannot give the socket file to group %u, which this user must be in",
        (unsigned) permissions->group);
  if (chmod (path, permissions->mode) < 0)
    return xmem_error_set (
        error, XMEM_SYSTEM, errno, "cannot set the mode of %s", path);
  return 0;
}

int
xmem_permissions_explain (
    const struct xmem_address *address, int err, struct xmem_error *error)
{
  struct stat st;

  if (stat (address->text, &st) < 0)
    return xmem_error_set (error, XMEM_REFUSED, err,
        "cannot connect to %s, whose folder is closed to user %u",
        address->text, (unsigned) geteuid ());
  return xmem_error_set (error, XMEM_REFUSED, err,
      "cannot connect to %s: mode %04o, user %u, group %u, and this is user %u",
      address->text, (unsigned) st.st_mode & 07777, (unsigned) st.st_uid,
      (unsigned) st.st_gid, (unsigned) geteuid ());
}
