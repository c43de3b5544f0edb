/* SPDX-License-Identifier: MIT */
/* Filling a caller's struct xmem_error. */
#ifndef XMEM_BASE_ERROR_H
#define XMEM_BASE_ERROR_H

#include <xmem/error.h>

/* Fills *error, if there is one, and returns status. sys_errno 0: none. */
__attribute__ ((format (printf, 4, 5))) int xmem_error_set (
    struct xmem_error *error, int status, int sys_errno, const char *format,
    ...);

#endif
