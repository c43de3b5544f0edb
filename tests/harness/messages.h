/* SPDX-License-Identifier: MIT */
/* Whether two messages say the same. Without GLib: fuzz targets use it. */
#ifndef XMEM_HARNESS_MESSAGES_H
#define XMEM_HARNESS_MESSAGES_H

#include "wire/message.h"

bool messages_equal (
    const struct xmem_wire_message *a, const struct xmem_wire_message *b);

#endif
