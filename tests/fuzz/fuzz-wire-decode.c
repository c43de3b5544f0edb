/* SPDX-License-Identifier: MIT */
/* Any bytes into the decoder. What it accepts must be encodable, and mean the
 * same again. */
#include <stdlib.h>

#include "harness/messages.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static uint8_t bytes[XMEM_WIRE_MAX_MESSAGE];
  static struct xmem_wire_message message, again;
  struct xmem_error error;
  size_t n;

  if (xmem_wire_decode (data, size, &message, &error) != 0)
    return 0;
  n = xmem_wire_encode (&message, bytes, sizeof (bytes));
  if (n == 0 || n % 8 != 0 || n > size
      || xmem_wire_decode (bytes, n, &again, &error) != 0
      || !messages_equal (&message, &again))
    abort ();
  return 0;
}
