/* SPDX-License-Identifier: MIT */
/* A libnvrtc for GStreamer 1.22 to 1.26, which ask for architectures that NVRTC
 * 13 does not know any more, so that cudaconvert and cudascale would not be
 * there. It passes every call on to the machine's own, and asks for compute_75,
 * which the driver compiles further for what is at hand.
 *
 * GST_CUDA_NVRTC_LIBNAME leads to it. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#define EXPORTED __attribute__ ((visibility ("default")))
#define ARCHITECTURE "--gpu-architecture="
#define OLDEST "--gpu-architecture=compute_75"
#define INTERNAL_ERROR 11
#define MAX_OPTIONS 16

typedef struct _nvrtcProgram *nvrtcProgram;

static void *
find (const char *name)
{
  static const char *const libraries[] = { "libnvrtc.so.13", "libnvrtc.so.12",
    "libnvrtc.so" };
  static void *library;

  for (size_t i = 0; !library && i < 3; i++)
    library = dlopen (libraries[i], RTLD_NOW | RTLD_LOCAL);
  return library ? dlsym (library, name) : NULL;
}

#define PASS_ON(name, parameters, arguments)       \
  EXPORTED int name parameters;                    \
  int name parameters                              \
  {                                                \
    int (*real) parameters = find (#name);         \
                                                   \
    return real ? real arguments : INTERNAL_ERROR; \
  }

PASS_ON (nvrtcCreateProgram,
    (nvrtcProgram * program, const char *source, const char *name, int n,
        const char *const *headers, const char *const *names),
    (program, source, name, n, headers, names))
PASS_ON (nvrtcDestroyProgram, (nvrtcProgram * program), (program))
PASS_ON (nvrtcGetPTX, (nvrtcProgram program, char *ptx), (program, ptx))
PASS_ON (nvrtcGetPTXSize, (nvrtcProgram program, size_t *size), (program, size))
PASS_ON (nvrtcGetProgramLog, (nvrtcProgram program, char *log), (program, log))
PASS_ON (nvrtcGetProgramLogSize, (nvrtcProgram program, size_t *size),
    (program, size))

EXPORTED int nvrtcCompileProgram (
    nvrtcProgram program, int n_options, const char *const *options);

int
nvrtcCompileProgram (
    nvrtcProgram program, int n_options, const char *const *options)
{
  int (*real) (nvrtcProgram, int, const char *const *) =
      find ("nvrtcCompileProgram");
  const char *ours[MAX_OPTIONS];

  if (!real || n_options > MAX_OPTIONS)
    return INTERNAL_ERROR;
  for (int i = 0; i < n_options; i++)
    ours[i] = strncmp (options[i], ARCHITECTURE, strlen (ARCHITECTURE)) == 0
                  ? OLDEST
                  : options[i];
  return real (program, n_options, ours);
}
