/* SPDX-License-Identifier: MIT */
/* The kernel of cuda-consume, in the driver's own assembly (PTX 7.4, CUDA 11.4),
 * so that it takes nothing but the driver to run it. In CUDA C it is
 *
 *   __global__ void
 *   histogram (const uint8_t *luma, uint32_t stride, uint32_t width,
 *       uint32_t height, uint32_t *bins)
 *   {
 *     uint32_t x = blockIdx.x * blockDim.x + threadIdx.x;
 *     uint32_t y = blockIdx.y * blockDim.y + threadIdx.y;
 *
 *     if (x < width && y < height)
 *       atomicAdd (&bins[luma[(uint64_t) y * stride + x] >> 4], 1);
 *   }
 */
#ifndef CUDA_HISTOGRAM_H
#define CUDA_HISTOGRAM_H

enum { HISTOGRAM_BINS = 16, HISTOGRAM_BLOCK = 16 };

static const char histogram_ptx[] =
    ".version 7.4\n"
    ".target sm_52\n"
    ".address_size 64\n"
    ".visible .entry histogram (.param .u64 luma, .param .u32 stride,\n"
    "    .param .u32 width, .param .u32 height, .param .u64 bins)\n"
    "{\n"
    "  .reg .pred %outside;\n"
    "  .reg .u32 %x, %y, %a, %b, %limit;\n"
    "  .reg .u64 %at, %bin;\n"
    "  mov.u32 %a, %ctaid.x;\n"
    "  mov.u32 %b, %ntid.x;\n"
    "  mov.u32 %x, %tid.x;\n"
    "  mad.lo.u32 %x, %a, %b, %x;\n"
    "  mov.u32 %a, %ctaid.y;\n"
    "  mov.u32 %b, %ntid.y;\n"
    "  mov.u32 %y, %tid.y;\n"
    "  mad.lo.u32 %y, %a, %b, %y;\n"
    "  ld.param.u32 %limit, [width];\n"
    "  setp.ge.u32 %outside, %x, %limit;\n"
    "  @%outside ret;\n"
    "  ld.param.u32 %limit, [height];\n"
    "  setp.ge.u32 %outside, %y, %limit;\n"
    "  @%outside ret;\n"
    "  ld.param.u64 %at, [luma];\n"
    "  ld.param.u32 %a, [stride];\n"
    "  mad.wide.u32 %at, %y, %a, %at;\n"
    "  cvt.u64.u32 %bin, %x;\n"
    "  add.u64 %at, %at, %bin;\n"
    "  ld.global.u8 %a, [%at];\n"
    "  shr.u32 %a, %a, 4;\n"
    "  ld.param.u64 %bin, [bins];\n"
    "  mad.wide.u32 %bin, %a, 4, %bin;\n"
    "  red.global.add.u32 [%bin], 1;\n"
    "  ret;\n"
    "}\n";

#endif
