// Calls that fail because a test asks for it: see `GRADIRON_EMULATOR_FAIL` in README.md. The driver counts
// those of all libraries.
#include <dlfcn.h>

static bool fails(const char* call) {
    typedef int (*Fails)(const char*);
    static const Fails counted =
        (Fails)dlsym(dlopen("libcuda.so", RTLD_NOW | RTLD_NOLOAD), "emulator_fails");
    return counted && counted(call);
}
// Stands first in a call.
#define MAY_FAIL             \
    if (fails(__func__)) return FAILED
