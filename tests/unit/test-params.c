/* SPDX-License-Identifier: MIT */
/* peer: what the public functions refuse before anything happens, and that
 * NULL is allowed where the headers say so. */
#include <string.h>

#include <xmem/xmem.h>

#include "harness/frames.h"
#include "harness/harness.h"

static void
refuse_publisher (const struct xmem_publisher_params *params)
{
  struct xmem_publisher *publisher = NULL;
  struct xmem_error error;

  harness_assert_status (
      xmem_publisher_new (params, &publisher, &error), XMEM_INVALID, &error);
  g_assert_null (publisher);
  g_assert_cmpint (error.status, ==, XMEM_INVALID);
  g_assert_cmpuint (strlen (error.message), >, 10);
}

static void
test_publisher (void)
{
  struct xmem_publisher_params params = { .struct_size = sizeof (params),
    .address = harness_path ("socket") };

  params.struct_size--;
  refuse_publisher (&params);
  params.struct_size = 0;
  refuse_publisher (&params);
  params.struct_size = sizeof (params);
  params.max_buffers = XMEM_MAX_GRANT + 1;
  refuse_publisher (&params);
  params.max_buffers = 0;
  params.mode = 04600;
  refuse_publisher (&params);
  params.mode = 0;
  params.address = "";
  refuse_publisher (&params);
}

static void
test_publish (void)
{
  struct source source;
  struct xmem_frame_info info;
  struct xmem_publish frame = { .struct_size = sizeof (frame) - 1,
    .info = &info };

  source_open_simply (&source);
  xmem_frame_info_init (&info);
  harness_assert_status (
      xmem_publisher_publish (source.publisher, &frame, 0, NULL), XMEM_INVALID,
      NULL);
  frame.struct_size++;
  harness_assert_ok (
      xmem_publisher_publish (source.publisher, &frame, 0, NULL), NULL);
  source_close (&source);
}

static void
refuse_subscriber (const struct xmem_subscriber_params *params)
{
  struct xmem_subscriber *subscriber = NULL;
  struct xmem_error error;

  harness_assert_status (
      xmem_subscriber_new (params, &subscriber, &error), XMEM_INVALID, &error);
  g_assert_null (subscriber);
}

static void
test_subscriber (void)
{
  struct xmem_subscriber_params params = { .struct_size = sizeof (params) + 1 };
  struct xmem_subscriber *subscriber;
  char name[257];

  refuse_subscriber (&params);
  params.struct_size = sizeof (params);
  params.delivery = (enum xmem_delivery) 2;
  refuse_subscriber (&params);
  params.delivery = XMEM_DELIVERY_EVERY;
  memset (name, 'n', sizeof (name));
  name[256] = '\0';
  params.name = name;
  refuse_subscriber (&params);
  name[255] = '\0';
  harness_assert_ok (xmem_subscriber_new (&params, &subscriber, NULL), NULL);
  xmem_subscriber_free (subscriber);
}

static void
test_null (void)
{
  xmem_publisher_free (NULL);
  xmem_subscriber_free (NULL);
  xmem_frame_unref (NULL);
  xmem_buffer_unref (NULL);
  xmem_pool_unref (NULL);
}

static void
test_neutral_info (void)
{
  struct xmem_frame_info info;

  memset (&info, 0xee, sizeof (info));
  xmem_frame_info_init (&info);
  g_assert_cmpint (info.pts, ==, XMEM_TIME_NONE);
  g_assert_cmpint (info.dts, ==, XMEM_TIME_NONE);
  g_assert_cmpuint (info.duration, ==, XMEM_NONE);
  g_assert_cmpuint (info.raw_pts, ==, XMEM_NONE);
  g_assert_cmpuint (info.offset, ==, XMEM_NONE);
  g_assert_cmpuint (info.offset_end, ==, XMEM_NONE);
  g_assert_cmpuint (info.capture_ns, ==, XMEM_NONE);
  g_assert_cmpuint (info.flags, ==, 0);
  g_assert_cmpuint (info.description.ndim, ==, 0);
  g_assert_null (info.metas);
  g_assert_cmpuint (info.metas_size, ==, 0);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv, NULL);
  harness_add ("/publisher", test_publisher);
  harness_add ("/publish", test_publish);
  harness_add ("/subscriber", test_subscriber);
  harness_add ("/null", test_null);
  harness_add ("/neutral-info", test_neutral_info);
  return g_test_run ();
}
