/* SPDX-License-Identifier: MIT */
/* Names live in runtime folders: $XDG_RUNTIME_DIR/xmem, /run/xmem,
 * /tmp/xmem-UID. Owns nothing, keeps no state. */
#include "ipc/address.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct folder {
  char path[XMEM_ADDRESS_MAX_FOLDER];
  mode_t mode;
  bool must_be_ours; /* lies where anybody can make a folder */
};

static unsigned
runtime_folders (struct folder folders[XMEM_ADDRESS_MAX_PLACES])
{
  const char *xdg = getenv ("XDG_RUNTIME_DIR");
  unsigned n = 0;

  if (xdg && xdg[0] == '/'
      && snprintf (folders[n].path, sizeof (folders[n].path), "%s/xmem", xdg)
             < (int) sizeof (folders[n].path)) {
    folders[n].mode = 0700;
    folders[n++].must_be_ours = false;
  }
  strcpy (folders[n].path, "/run/xmem");
  folders[n].mode = 0755; /* so that the socket's own mode decides */
  folders[n++].must_be_ours = false;
  snprintf (folders[n].path, sizeof (folders[n].path), "/tmp/xmem-%u",
      (unsigned) geteuid ());
  folders[n].mode = 0700;
  folders[n++].must_be_ours = true;
  return n;
}

/* In /tmp somebody else may have made the folder first. */
static bool
folder_trusted (const struct folder *folder)
{
  struct stat st;

  if (!folder->must_be_ours)
    return true;
  return lstat (folder->path, &st) == 0 && S_ISDIR (st.st_mode)
         && st.st_uid == geteuid () && (st.st_mode & 077) == 0;
}

static bool
is_foreign (const struct folder *folder)
{
  return access (folder->path, F_OK) == 0 && !folder_trusted (folder);
}

static bool
folder_writable (const struct folder *folder)
{
  if (mkdir (folder->path, folder->mode) == 0)
    (void) chmod (folder->path, folder->mode); /* whatever the umask */
  return folder_trusted (folder)
         && faccessat (AT_FDCWD, folder->path, W_OK | X_OK, AT_EACCESS) == 0;
}

static int
set_path (struct xmem_address *address, const char *folder, const char *name,
    struct xmem_error *error)
{
  char *path = address->sun.sun_path;
  size_t size = sizeof (address->sun.sun_path);
  int n;

  memset (address, 0, sizeof (*address));
  address->sun.sun_family = AF_UNIX;
  n = snprintf (path, size, "%s%s%s", folder, folder[0] ? "/" : "", name);
  if (n < 0 || (size_t) n >= size)
    return xmem_error_set (error, XMEM_INVALID, 0,
        "the address %.120s is too long: a socket's path has at most %zu bytes",
        name, size - 1);
  strcpy (address->text, path);
  address->len =
      (socklen_t) (offsetof (struct sockaddr_un, sun_path) + (size_t) n);
  if (name[0] == '@')
    path[0] = '\0';
  else
    address->len++;
  return 0;
}

/* A path or an abstract name, which has one place only. */
static bool
is_exact (const char *name)
{
  return name[0] == '@' || strchr (name, '/');
}

static int
check_name (const char *name, struct xmem_error *error)
{
  size_t length = strlen (name);

  if (length == 0 || strcmp (name, "@") == 0 || name[length - 1] == '/'
      || (name[0] == '.' && !strchr (name, '/')))
    return xmem_error_set (error, XMEM_INVALID, 0,
        "\"%.100s\" is no address: give a name, a path or @name", name);
  return 0;
}

unsigned
xmem_address_get_folders (
    char folders_out[XMEM_ADDRESS_MAX_PLACES][XMEM_ADDRESS_MAX_FOLDER])
{
  struct folder folders[XMEM_ADDRESS_MAX_PLACES];
  unsigned n_folders = runtime_folders (folders), n = 0;

  for (unsigned i = 0; i < n_folders; i++)
    if (!is_foreign (&folders[i]))
      strcpy (folders_out[n++], folders[i].path);
  return n;
}

int
xmem_address_find (const char *name,
    struct xmem_address places[XMEM_ADDRESS_MAX_PLACES], unsigned *n_out,
    struct xmem_error *error)
{
  struct folder folders[XMEM_ADDRESS_MAX_PLACES];
  unsigned n_folders = runtime_folders (folders);
  int r = check_name (name, error);

  *n_out = 0;
  if (r == 0 && is_exact (name)) {
    r = set_path (&places[0], "", name, error);
    *n_out = r == 0;
    return r;
  }
  for (unsigned i = 0; r == 0 && i < n_folders; i++) {
    if (is_foreign (&folders[i]))
      continue;
    r = set_path (&places[*n_out], folders[i].path, name, error);
    *n_out += r == 0;
  }
  return r;
}

int
xmem_address_choose (
    const char *name, struct xmem_address *address, struct xmem_error *error)
{
  struct folder folders[XMEM_ADDRESS_MAX_PLACES];
  unsigned n = runtime_folders (folders);
  int r = check_name (name, error);

  if (r != 0)
    return r;
  if (is_exact (name))
    return set_path (address, "", name, error);
  for (unsigned i = 0; i < n; i++)
    if (folder_writable (&folders[i]))
      return set_path (address, folders[i].path, name, error);
  return xmem_error_set (error, XMEM_REFUSED, 0,
      "none of the folders for sockets may be written: %s%s/run/xmem, "
      "/tmp/xmem-%u",
      n == XMEM_ADDRESS_MAX_PLACES ? folders[0].path : "",
      n == XMEM_ADDRESS_MAX_PLACES ? ", " : "", (unsigned) geteuid ());
}
