// libcuda.so without a GPU: memory is the host's, kernels are objects that nvrtc.cpp made, streams run
// at once and in order, and a capture keeps what it is given for replays. What a real driver refuses is
// refused here.
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "failures.h"

#define API extern "C" __attribute__((visibility("default")))

typedef int Result;
typedef uint64_t Address;
enum {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    INVALID_DEVICE = 101,
    INVALID_IMAGE = 200,
    NOT_FOUND = 500,
    NOT_READY = 600,
    LAUNCH_OUT_OF_RESOURCES = 701,
    CAPTURE_UNSUPPORTED = 900,
    CAPTURE_UNMATCHED = 903,
    FAILED = 719,
};

struct Graph {
    std::vector<std::function<Result()>> work;
};
struct Stream {
    Graph* capture = nullptr;
};
struct Function {
    int (*launch)(const unsigned*, unsigned, void**);
    std::vector<unsigned> sizes;
    unsigned most_dynamic_shared = 48 << 10;
    std::string name;
};
struct Module {
    void* object;
};

// One lock for all: kernels run one at a time.
static std::recursive_mutex lock;
static Stream null_stream;
static std::map<Address, size_t> allocations;
static size_t in_use = 0;

static size_t number_from_environment(const char* name, size_t otherwise) {
    const char* text = getenv(name);
    return text ? strtoull(text, nullptr, 10) : otherwise;
}
static size_t memory() { return number_from_environment("EMULATOR_MEMORY", 8ull << 30); }
static int devices() { return (int)number_from_environment("EMULATOR_DEVICES", 1); }

// Whether a call fails because of `GRADIRON_EMULATOR_FAIL`: a number, or the first letters of names, a
// colon, and a number among the calls of such names.
API int emulator_fails(const char* call) {
    static const char* asked = getenv("GRADIRON_EMULATOR_FAIL");
    if (!asked || !*asked) return 0;
    static const char* colon = strrchr(asked, ':');
    static const size_t letters = colon ? colon - asked : 0;
    static const size_t number = strtoull(colon ? colon + 1 : asked, nullptr, 10);
    static std::atomic<size_t> calls{0};
    if (strncmp(call, asked, letters) || ++calls != number) return 0;
    fprintf(stderr, "emulator: call %zu fails: %s\n", number, call);
    return 1;
}

static Stream* stream_of(void* stream) {
    // The first handles are names of the null stream.
    return (uintptr_t)stream > 2 ? (Stream*)stream : &null_stream;
}

// Does something on a stream: at once, or when what is captured is launched.
static Result submit(void* stream, std::function<Result()> work) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    if (Graph* capture = stream_of(stream)->capture) {
        capture->work.push_back(std::move(work));
        return SUCCESS;
    }
    return work();
}
// The same for cublaslt.cpp and cudnn.cpp; `drop` is called when `work` is no more needed.
API Result emulator_submit(void* stream, Result (*work)(void*), void (*drop)(void*), void* argument) {
    std::shared_ptr<void> kept(argument, drop);
    return submit(stream, [=] { return work(kept.get()); });
}

static Result complain(const char* what, Address at, size_t bytes) {
    fprintf(stderr, "emulator: %s: %zu bytes at %llx are not inside one allocation\n", what, bytes,
            (unsigned long long)at);
    return INVALID_VALUE;
}
static bool is_inside(Address at, size_t bytes) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    auto next = allocations.upper_bound(at);
    if (next == allocations.begin()) return bytes == 0;
    --next;
    return at + bytes <= next->first + next->second;
}

// Devices and contexts.
API Result cuInit(unsigned) { MAY_FAIL; return SUCCESS; }
API Result cuDriverGetVersion(int* version) {
    MAY_FAIL;
    *version = (int)number_from_environment("EMULATOR_DRIVER", 13000);
    return SUCCESS;
}
API Result cuDeviceGetCount(int* count) {
    MAY_FAIL;
    *count = devices();
    return SUCCESS;
}
API Result cuDeviceGet(int* device, int number) {
    MAY_FAIL;
    *device = number;
    return number < devices() ? SUCCESS : INVALID_DEVICE;
}
API Result cuDeviceGetName(char* name, int size, int) {
    MAY_FAIL;
    snprintf(name, size, "emulator");
    return SUCCESS;
}
API Result cuDeviceTotalMem_v2(size_t* bytes, int) {
    MAY_FAIL;
    *bytes = memory();
    return SUCCESS;
}
API Result cuDeviceGetAttribute(int* value, int attribute, int) {
    MAY_FAIL;
    switch (attribute) {
        case 1: *value = 1024; break;     // threads of a block
        case 8: *value = 48 << 10; break; // shared memory of a block
        case 10: *value = 32; break;      // lanes of a warp
        case 16: *value = 132; break;     // multiprocessors
        case 75: *value = 9; break;       // compute capability
        case 97: *value = 227 << 10; break;  // shared memory of a block, when asked for
        case 115: *value = 1; break;      // memory pools
        default: *value = 0;
    }
    return SUCCESS;
}
static int retained = 0;
API Result cuDevicePrimaryCtxRetain(void** context, int) {
    MAY_FAIL;
    std::lock_guard<std::recursive_mutex> guard(lock);
    retained++;
    *context = (void*)0x10;
    return SUCCESS;
}
API Result cuDevicePrimaryCtxRelease_v2(int) {
    MAY_FAIL;
    std::lock_guard<std::recursive_mutex> guard(lock);
    if (--retained == 0 && !allocations.empty())
        fprintf(stderr, "emulator: %zu allocations of %zu bytes are left\n", allocations.size(), in_use);
    return SUCCESS;
}
API Result cuCtxSetCurrent(void*) { MAY_FAIL; return SUCCESS; }
API Result cuCtxGetCurrent(void** context) {
    MAY_FAIL;
    *context = (void*)0x10;
    return SUCCESS;
}
API Result cuCtxSynchronize() { MAY_FAIL; return SUCCESS; }
API Result cuGetErrorName(int error, const char** name) {
    static thread_local char text[32];
    snprintf(text, sizeof text, "CUDA error %d", error);
    *name = text;
    return SUCCESS;
}
API Result cuGetErrorString(int error, const char** text) { return cuGetErrorName(error, text); }

// Streams and events.
API Result cuStreamCreate(void** stream, unsigned) {
    MAY_FAIL;
    *stream = new Stream;
    return SUCCESS;
}
API Result cuStreamCreateWithPriority(void** stream, unsigned, int) {
    MAY_FAIL;
    *stream = new Stream;
    return SUCCESS;
}
API Result cuStreamDestroy_v2(void* stream) {
    MAY_FAIL;
    delete (Stream*)stream;
    return SUCCESS;
}
API Result cuStreamSynchronize(void* stream) {
    MAY_FAIL;
    return stream_of(stream)->capture ? CAPTURE_UNSUPPORTED : SUCCESS;
}
API Result cuStreamQuery(void* stream) { MAY_FAIL; return cuStreamSynchronize(stream); }
API Result cuStreamWaitEvent(void*, void*, unsigned) { MAY_FAIL; return SUCCESS; }
struct Event {
    bool timed;
    std::chrono::steady_clock::time_point at;
};
API Result cuEventCreate(void** event, unsigned flags) {
    MAY_FAIL;
    const unsigned DISABLE_TIMING = 2;
    *event = new Event{!(flags & DISABLE_TIMING), {}};
    return SUCCESS;
}
API Result cuEventDestroy_v2(void* event) {
    MAY_FAIL;
    delete (Event*)event;
    return SUCCESS;
}
API Result cuEventRecord(void* event, void*) {
    MAY_FAIL;
    ((Event*)event)->at = std::chrono::steady_clock::now();
    return SUCCESS;
}
API Result cuEventElapsedTime_v2(float* milliseconds, void* start, void* end) {
    MAY_FAIL;
    const Event *from = (Event*)start, *to = (Event*)end;
    const bool recorded = from->at.time_since_epoch().count() && to->at.time_since_epoch().count();
    if (!from->timed || !to->timed || !recorded) return INVALID_VALUE;
    *milliseconds = std::chrono::duration<float, std::milli>(to->at - from->at).count();
    return SUCCESS;
}
API Result cuEventElapsedTime(float* milliseconds, void* start, void* end) {
    MAY_FAIL;
    return cuEventElapsedTime_v2(milliseconds, start, end);
}
API Result cuEventSynchronize(void*) { MAY_FAIL; return SUCCESS; }
// Now and then an event is not reached yet, so that programs have to wait for some.
API Result cuEventQuery(void*) {
    MAY_FAIL;
    static unsigned calls = 0;
    return ++calls % 5 == 0 ? NOT_READY : SUCCESS;
}

// Memory. It starts as NaN, and ends as something else that is no address.
API Result cuMemAlloc_v2(Address* at, size_t bytes) {
    MAY_FAIL;
    std::lock_guard<std::recursive_mutex> guard(lock);
    void* start = nullptr;
    if (in_use + bytes > memory() || posix_memalign(&start, 256, bytes ? bytes : 1))
        return OUT_OF_MEMORY;
    memset(start, 0xff, bytes);
    *at = (Address)start;
    allocations[*at] = bytes;
    in_use += bytes;
    return SUCCESS;
}
API Result cuMemFree_v2(Address at) {
    MAY_FAIL;
    std::lock_guard<std::recursive_mutex> guard(lock);
    auto known = allocations.find(at);
    if (known == allocations.end()) return complain("free", at, 0);
    in_use -= known->second;
    memset((void*)at, 0xfe, known->second);
    free((void*)at);
    allocations.erase(known);
    return SUCCESS;
}
API Result cuMemGetInfo_v2(size_t* free_bytes, size_t* total) {
    MAY_FAIL;
    std::lock_guard<std::recursive_mutex> guard(lock);
    *total = memory();
    *free_bytes = *total - in_use;
    return SUCCESS;
}
API Result cuMemHostAlloc(void** at, size_t bytes, unsigned) {
    MAY_FAIL;
    *at = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    return *at ? SUCCESS : OUT_OF_MEMORY;
}
API Result cuMemFreeHost(void* at) {
    MAY_FAIL;
    free(at);
    return SUCCESS;
}
API Result cuMemcpyHtoDAsync_v2(Address to, const void* from, size_t bytes, void* stream) {
    MAY_FAIL;
    if (!is_inside(to, bytes)) return complain("copy to the device", to, bytes);
    return submit(stream, [=] {
        memcpy((void*)to, from, bytes);
        return SUCCESS;
    });
}
API Result cuMemcpyDtoHAsync_v2(void* to, Address from, size_t bytes, void* stream) {
    MAY_FAIL;
    if (!is_inside(from, bytes)) return complain("copy to the host", from, bytes);
    return submit(stream, [=] {
        memcpy(to, (void*)from, bytes);
        return SUCCESS;
    });
}
API Result cuMemcpyDtoDAsync_v2(Address to, Address from, size_t bytes, void* stream) {
    MAY_FAIL;
    if (!is_inside(to, bytes)) return complain("copy on the device", to, bytes);
    if (!is_inside(from, bytes)) return complain("copy on the device", from, bytes);
    return submit(stream, [=] {
        memmove((void*)to, (void*)from, bytes);
        return SUCCESS;
    });
}
API Result cuMemsetD8Async(Address at, unsigned char value, size_t bytes, void* stream) {
    MAY_FAIL;
    if (!is_inside(at, bytes)) return complain("set", at, bytes);
    return submit(stream, [=] {
        memset((void*)at, value, bytes);
        return SUCCESS;
    });
}

// Kernels.
API Result cuModuleLoadData(void** module, const void* image) {
    MAY_FAIL;
    const char* text = (const char*)image;
    if (strncmp(text, "EMULATED:", 9)) return INVALID_IMAGE;
    const std::string path(text + 9, strcspn(text + 9, "\n"));
    void* object = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!object) {
        fprintf(stderr, "emulator: %s\n", dlerror());
        return INVALID_IMAGE;
    }
    *module = new Module{object};
    return SUCCESS;
}
API Result cuModuleUnload(void* module) {
    MAY_FAIL;
    delete (Module*)module;
    return SUCCESS;
}
template <class T>
static T symbol(void* module, const char* kind, const char* name) {
    return (T)dlsym(((Module*)module)->object, (std::string("emulator_") + kind + name).c_str());
}
API Result cuModuleGetFunction(void** function, void* module, const char* name) {
    MAY_FAIL;
    auto launch = symbol<int (*)(const unsigned*, unsigned, void**)>(module, "launch_", name);
    auto arguments = symbol<void (*)(unsigned*, unsigned*)>(module, "arguments_", name);
    auto shared = symbol<unsigned (*)()>(module, "shared_", name);
    if (!launch || !arguments || !shared) return NOT_FOUND;
    if (shared() > 48 << 10) {
        fprintf(stderr, "emulator: `%s` has %u bytes of static shared memory\n", name, shared());
        return INVALID_IMAGE;
    }
    unsigned sizes[64], count = 0;
    arguments(sizes, &count);
    *function = new Function{launch, {sizes, sizes + count}, 48 << 10, name};
    return SUCCESS;
}
API Result cuFuncSetAttribute(void* function, int attribute, int value) {
    MAY_FAIL;
    const int MOST_DYNAMIC_SHARED = 8;
    if (attribute != MOST_DYNAMIC_SHARED) return SUCCESS;
    if (value > 227 << 10) return INVALID_VALUE;
    ((Function*)function)->most_dynamic_shared = (unsigned)value;
    return SUCCESS;
}
API Result cuLaunchKernel(void* handle, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                          unsigned bz, unsigned dynamic_shared, void* stream, void** arguments, void**) {
    MAY_FAIL;
    auto* function = (Function*)handle;
    const bool some = gx && gy && gz && bx && by && bz;
    if (!some || gx > 0x7fffffffu || gy > 65535 || gz > 65535 || bz > 64) {
        fprintf(stderr, "emulator: %s: a launch of impossible size\n", function->name.c_str());
        return INVALID_VALUE;
    }
    if ((uint64_t)bx * by * bz > 1024) return LAUNCH_OUT_OF_RESOURCES;
    if (dynamic_shared > function->most_dynamic_shared) {
        fprintf(stderr, "emulator: %s: more dynamic shared memory than asked for\n",
                function->name.c_str());
        return INVALID_VALUE;
    }
    // Arguments are copied when a launch is submitted.
    std::vector<std::string> values;
    for (size_t i = 0; i < function->sizes.size(); ++i)
        values.emplace_back((const char*)arguments[i], function->sizes[i]);
    return submit(stream, [=]() -> Result {
        std::vector<void*> pointers;
        for (const std::string& value : values) pointers.push_back((void*)value.data());
        const unsigned dims[6] = {gx, gy, gz, bx, by, bz};
        return function->launch(dims, dynamic_shared, pointers.data());
    });
}

// Graphs.
API Result cuStreamBeginCapture_v2(void* stream, int) {
    MAY_FAIL;
    Stream* of = stream_of(stream);
    if (of->capture || of == &null_stream) return CAPTURE_UNSUPPORTED;
    of->capture = new Graph;
    return SUCCESS;
}
API Result cuStreamEndCapture(void* stream, void** graph) {
    Stream* of = stream_of(stream);
    *graph = of->capture;
    of->capture = nullptr;
    // A capture that fails has ended.
    MAY_FAIL;
    return *graph ? SUCCESS : CAPTURE_UNMATCHED;
}
API Result cuStreamIsCapturing(void* stream, int* status) {
    MAY_FAIL;
    *status = stream_of(stream)->capture ? 1 : 0;
    return SUCCESS;
}
API Result cuGraphInstantiateWithFlags(void** instance, void* graph, unsigned long long) {
    MAY_FAIL;
    *instance = new Graph(*(Graph*)graph);
    return SUCCESS;
}
API Result cuGraphLaunch(void* instance, void* stream) {
    MAY_FAIL;
    if (stream_of(stream)->capture) return CAPTURE_UNSUPPORTED;
    std::lock_guard<std::recursive_mutex> guard(lock);
    for (auto& work : ((Graph*)instance)->work) {
        // Between two launches of it: those before have run.
        if (fails("cuGraphLaunch in the middle")) return FAILED;
        if (Result result = work()) return result;
    }
    return SUCCESS;
}
API Result cuGraphExecDestroy(void* instance) {
    MAY_FAIL;
    delete (Graph*)instance;
    return SUCCESS;
}
API Result cuGraphDestroy(void* graph) {
    MAY_FAIL;
    delete (Graph*)graph;
    return SUCCESS;
}
