/* SPDX-License-Identifier: MIT */
/* What imported memory can be used for: textures, read by a kernel, and another
 * context of the device. Each answer is the driver's code, -1 for other bytes
 * than those that were written. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "measure.h"

#define WIDTH 256
#define HEIGHT 16
#define PITCH 512
#define N_BYTES (PITCH * HEIGHT)
#define WRONG_BYTES (-1)
#define NO_ANSWER "the other process has ended"

/* Each thread reads the texel at its place, and writes it to out. */
static const char kernels[] =
    ".version 6.4\n"
    ".target sm_50\n"
    ".address_size 64\n"
    ".visible .entry read_linear (.param .u64 texture, .param .u64 out)\n"
    "{\n"
    "  .reg .b32 %r<6>;\n"
    "  .reg .b64 %d<5>;\n"
    "  ld.param.u64 %d1, [texture];\n"
    "  ld.param.u64 %d2, [out];\n"
    "  cvta.to.global.u64 %d2, %d2;\n"
    "  mov.u32 %r1, %tid.x;\n"
    "  tex.1d.v4.u32.s32 {%r2, %r3, %r4, %r5}, [%d1, {%r1}];\n"
    "  cvt.u64.u32 %d3, %r1;\n"
    "  add.u64 %d4, %d2, %d3;\n"
    "  st.global.u8 [%d4], %r2;\n"
    "  ret;\n"
    "}\n"
    ".visible .entry read_pitch (.param .u64 texture, .param .u64 out)\n"
    "{\n"
    "  .reg .b32 %r<9>;\n"
    "  .reg .b64 %d<5>;\n"
    "  .reg .f32 %f<3>;\n"
    "  ld.param.u64 %d1, [texture];\n"
    "  ld.param.u64 %d2, [out];\n"
    "  cvta.to.global.u64 %d2, %d2;\n"
    "  mov.u32 %r1, %tid.x;\n"
    "  mov.u32 %r2, %ctaid.x;\n"
    "  mov.u32 %r3, %ntid.x;\n"
    "  cvt.rn.f32.u32 %f1, %r1;\n"
    "  cvt.rn.f32.u32 %f2, %r2;\n"
    "  tex.2d.v4.u32.f32 {%r4, %r5, %r6, %r7}, [%d1, {%f1, %f2}];\n"
    "  mad.lo.u32 %r8, %r2, %r3, %r1;\n"
    "  cvt.u64.u32 %d3, %r8;\n"
    "  add.u64 %d4, %d2, %d3;\n"
    "  st.global.u8 [%d4], %r4;\n"
    "  ret;\n"
    "}\n";

static uint8_t
byte_at (size_t offset)
{
  return (uint8_t) (offset * 7 + (offset >> 8));
}

static CUresult
fill (CUdeviceptr pointer)
{
  uint8_t bytes[N_BYTES];

  for (size_t i = 0; i < N_BYTES; i++)
    bytes[i] = byte_at (i);
  return cu.cuMemcpyHtoD_v2 (pointer, bytes, N_BYTES);
}

/* --- textures ------------------------------------------------------------ */

struct texture_answers {
  int linear_create;
  int linear_read;
  int pitch_create;
  int pitch_read;
};

static CUresult
launch (const char *name, CUtexObject texture, CUdeviceptr out, unsigned rows)
{
  void *parameters[] = { &texture, &out };
  CUmodule module;
  CUfunction function;
  CUresult result = cu.cuModuleLoadData (&module, kernels);

  if (result == CUDA_SUCCESS)
    result = cu.cuModuleGetFunction (&function, module, name);
  if (result == CUDA_SUCCESS)
    result = cu.cuLaunchKernel (
        function, rows, 1, 1, WIDTH, 1, 1, 0, stream, parameters, NULL);
  if (result == CUDA_SUCCESS)
    result = cu.cuStreamSynchronize (stream);
  return result;
}

static int
read_back (const char *name, CUtexObject texture, unsigned rows)
{
  uint8_t bytes[WIDTH * HEIGHT] = { 0 };
  CUdeviceptr out;
  CUresult result = cu.cuMemAlloc_v2 (&out, sizeof bytes);

  if (result == CUDA_SUCCESS)
    result = launch (name, texture, out, rows);
  if (result == CUDA_SUCCESS)
    result = cu.cuMemcpyDtoH_v2 (bytes, out, sizeof bytes);
  if (result != CUDA_SUCCESS)
    return (int) result;
  for (size_t i = 0; i < WIDTH * rows; i++)
    if (bytes[i] != byte_at (i / WIDTH * PITCH + i % WIDTH))
      return WRONG_BYTES;
  return 0;
}

static int
create (const CUDA_RESOURCE_DESC *resource, CUtexObject *texture_out)
{
  const CUDA_TEXTURE_DESC description = {
    .addressMode = { CU_TR_ADDRESS_MODE_CLAMP, CU_TR_ADDRESS_MODE_CLAMP,
        CU_TR_ADDRESS_MODE_CLAMP },
    .flags = CU_TRSF_READ_AS_INTEGER
  };

  return (int) cu.cuTexObjectCreate (texture_out, resource, &description, NULL);
}

static struct texture_answers
try_textures (CUdeviceptr pointer)
{
  const CUDA_RESOURCE_DESC linear = { .resType = CU_RESOURCE_TYPE_LINEAR,
    .res.linear = { pointer, CU_AD_FORMAT_UNSIGNED_INT8, 1, N_BYTES } };
  const CUDA_RESOURCE_DESC pitch = { .resType = CU_RESOURCE_TYPE_PITCH2D,
    .res.pitch2D = {
        pointer, CU_AD_FORMAT_UNSIGNED_INT8, 1, WIDTH, HEIGHT, PITCH } };
  struct texture_answers answers;
  CUtexObject texture;

  answers.linear_create = answers.linear_read = create (&linear, &texture);
  if (answers.linear_create == 0)
    answers.linear_read = read_back ("read_linear", texture, 1);
  answers.pitch_create = answers.pitch_read = create (&pitch, &texture);
  if (answers.pitch_create == 0)
    answers.pitch_read = read_back ("read_pitch", texture, HEIGHT);
  return answers;
}

static void
say_textures (const char *key, const struct texture_answers *answers)
{
  say_key (key);
  printf ("{ \"linear_create\": %d, \"linear_read\": %d, \"pitch_create\": %d, "
          "\"pitch_read\": %d }",
      answers->linear_create, answers->linear_read, answers->pitch_create,
      answers->pitch_read);
}

void
be_texturer (CUmemAccess_flags access)
{
  struct texture_answers answers;
  CUdeviceptr pointer;

  begin ();
  if (access != CU_MEM_ACCESS_FLAGS_PROT_NONE) {
    must (import_segment (access, &pointer), "import");
  } else {
    must (cu.cuMemAlloc_v2 (&pointer, N_BYTES), "cuMemAlloc");
    must (fill (pointer), "cuMemcpyHtoD");
  }
  answers = try_textures (pointer);
  tell (LINE_FD, &answers, sizeof answers);
}

/* --- another context ----------------------------------------------------- */

static int
compare (CUdeviceptr pointer)
{
  uint8_t bytes[N_BYTES] = { 0 };
  CUresult result = cu.cuMemcpyDtoH_v2 (bytes, pointer, N_BYTES);

  if (result != CUDA_SUCCESS)
    return (int) result;
  for (size_t i = 0; i < N_BYTES; i++)
    if (bytes[i] != byte_at (i))
      return WRONG_BYTES;
  return 0;
}

/* Reads what was mapped in the first context. */
void
be_in_second_context (void)
{
  CUdeviceptr pointer;
  CUcontext second;
  int answer;

  begin ();
  must (import_segment (CU_MEM_ACCESS_FLAGS_PROT_READ, &pointer), "import");
  answer = (int) cu.cuCtxCreate_v2 (&second, 0, 0);
  if (answer == 0)
    answer = compare (pointer);
  tell (LINE_FD, &answer, sizeof answer);
}

/* --- questions ----------------------------------------------------------- */

/* A segment that is filled, for a process with this role; the code that keeps it
 * from being one. */
static CUresult
start_with_segment (const char *role, struct peer *peer_out)
{
  CUmemGenericAllocationHandle handle;
  CUdeviceptr pointer;
  CUresult result = make_segment (&handle);
  int fd;

  if (result == CUDA_SUCCESS)
    result = map_segment (handle, CU_MEM_ACCESS_FLAGS_PROT_READWRITE, &pointer);
  if (result == CUDA_SUCCESS)
    result = fill (pointer);
  if (result == CUDA_SUCCESS)
    result = export_segment (handle, &fd);
  if (result != CUDA_SUCCESS)
    return result;
  *peer_out = start_peer (role, fd);
  close (fd);
  return CUDA_SUCCESS;
}

static void
hear_textures (const char *key, struct peer *peer)
{
  struct texture_answers answers;

  if (hear (peer->socket, &answers, sizeof answers))
    say_textures (key, &answers);
  else
    say_text (key, NO_ANSWER);
  end_peer (peer);
}

static void
ask_texturer (const char *key, const char *role)
{
  struct peer peer;
  CUresult result = start_with_segment (role, &peer);

  if (result == CUDA_SUCCESS)
    hear_textures (key, &peer);
  else
    say_number (key, result);
}

/* Each in a process of its own: what fails may break its context. */
void
ask_about_textures (void)
{
  struct peer peer = start_peer ("texturer-alone", -1);

  hear_textures ("textures_on_own_memory", &peer);
  ask_texturer ("textures_on_read_only_import", "texturer-read-only");
  ask_texturer ("textures_on_import", "texturer");
}

void
ask_about_contexts (void)
{
  static const char key[] = "import_in_second_context_result";
  struct peer peer;
  CUresult result = start_with_segment ("in-second-context", &peer);
  int answer;

  if (result != CUDA_SUCCESS) {
    say_number (key, result);
    return;
  }
  if (hear (peer.socket, &answer, sizeof answer))
    say_number (key, answer);
  else
    say_text (key, NO_ANSWER);
  end_peer (&peer);
}
