/* SPDX-License-Identifier: MIT */
/**
 * xmem/xmem.h: everything. See the headers below, in this order.
 */
#ifndef XMEM_XMEM_H
#define XMEM_XMEM_H

#include <xmem/cuda.h>
#include <xmem/error.h>
#include <xmem/event.h>
#include <xmem/pool.h>
#include <xmem/frame.h>
#include <xmem/publisher.h>
#include <xmem/segment.h>
#include <xmem/subscriber.h>

#endif
