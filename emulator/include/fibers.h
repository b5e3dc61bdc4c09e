// The threads of a block as fibers of one thread of the host. A block runs alone; a fiber runs until
// it waits at a barrier. What a GPU leaves undefined is reported where it can be seen.
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

// Sanitizers are told which fiber runs, and what a barrier orders.
#if defined(__SANITIZE_THREAD__)
extern "C" {
void* __tsan_create_fiber(unsigned);
void __tsan_destroy_fiber(void*);
void* __tsan_get_current_fiber();
void __tsan_switch_to_fiber(void*, unsigned);
void __tsan_acquire(void*);
void __tsan_release(void*);
}
#define EMULATOR_ACQUIRE(tag) __tsan_acquire(tag)
#define EMULATOR_RELEASE(tag) __tsan_release(tag)
#define EMULATOR_ENGINE __attribute__((no_sanitize("thread")))
#else
#define EMULATOR_ACQUIRE(tag) ((void)0)
#define EMULATOR_RELEASE(tag) ((void)0)
#define EMULATOR_ENGINE
#endif
#if defined(__SANITIZE_ADDRESS__)
extern "C" {
void __sanitizer_start_switch_fiber(void**, const void*, size_t);
void __sanitizer_finish_switch_fiber(void*, const void**, size_t*);
}
#endif

struct dim3 {
    unsigned x, y, z;
};

// Shared memory is a section of the kernel's object, and the same for all blocks: they take turns.
#define __shared__ static __attribute__((section("emulator_shared")))
extern "C" char __start_emulator_shared[] __attribute__((weak, visibility("hidden")));
extern "C" char __stop_emulator_shared[] __attribute__((weak, visibility("hidden")));

namespace emulator {

enum class State { Ready, AtBarrier, AtWarpBarrier, Done };

constexpr size_t STACK = 128 << 10;
constexpr int FAILED = 719;  // CUDA_ERROR_LAUNCH_FAILED

struct Fiber {
    void* stack_pointer;
    dim3 thread;
    unsigned number;
    State state;
    // Where it waits, and with which lanes.
    unsigned line, mask;
    void* tsan;
    void* fake_stack;
    char* stack;
};

// What the lanes of a warp show each other. Barriers of different lanes have tags of their own.
struct Warp {
    unsigned char slot[32][32];
    unsigned turn[16];
    char tag[16][2];
};

struct Engine {
    Fiber* fibers;
    Warp* warps;
    Fiber* current;
    unsigned capacity, count, live;
    void* main_stack_pointer;
    void* main_tsan;
    void* main_fake_stack;
    const void* main_stack;
    size_t main_stack_size;
    dim3 block, block_dim, grid_dim;
    char* dynamic_shared;
    void (*body)(void*);
    void* arguments;
    int any, any_of_last;
    char error[256];
    unsigned turn;
    char start_tag, end_tag, barrier_tag[2];
    const char* kernel;
};
static Engine engine;

// Saves the registers that a call keeps on the stack, and goes on on another stack.
extern "C" void emulator_switch(void** save, void* to);
#if defined(__x86_64__)
asm(R"(
.text
.local emulator_switch
.type emulator_switch,@function
emulator_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp,(%rdi)
    movq %rsi,%rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size emulator_switch,.-emulator_switch
)");
#else
#error "the emulator runs on x86-64"
#endif

EMULATOR_ENGINE static void switch_to_main() {
    Fiber* fiber = engine.current;
#if defined(__SANITIZE_THREAD__)
    __tsan_switch_to_fiber(engine.main_tsan, 1);
#endif
#if defined(__SANITIZE_ADDRESS__)
    void** keep = fiber->state == State::Done ? nullptr : &fiber->fake_stack;
    __sanitizer_start_switch_fiber(keep, engine.main_stack, engine.main_stack_size);
#endif
    emulator_switch(&fiber->stack_pointer, engine.main_stack_pointer);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fiber->fake_stack, &engine.main_stack, &engine.main_stack_size);
#endif
}

EMULATOR_ENGINE static void switch_to(Fiber* fiber) {
    engine.current = fiber;
#if defined(__SANITIZE_THREAD__)
    __tsan_switch_to_fiber(fiber->tsan, 1);
#endif
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&engine.main_fake_stack, fiber->stack, STACK);
#endif
    emulator_switch(&engine.main_stack_pointer, fiber->stack_pointer);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(engine.main_fake_stack, nullptr, nullptr);
#endif
}

// Where each fiber starts.
EMULATOR_ENGINE __attribute__((noinline)) static void enter() {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(nullptr, &engine.main_stack, &engine.main_stack_size);
#endif
    EMULATOR_ACQUIRE(&engine.start_tag);
    engine.body(engine.arguments);
    EMULATOR_RELEASE(&engine.end_tag);
    engine.current->state = State::Done;
    engine.live--;
    switch_to_main();
    __builtin_trap();
}

EMULATOR_ENGINE static void fail(const char* what, unsigned line) {
    if (engine.error[0]) return;
    snprintf(engine.error, sizeof engine.error, "%s (kernel `%s`, block %u, line %u)", what,
             engine.kernel, engine.block.x, line);
}

EMULATOR_ENGINE static void wait(State state, unsigned line, unsigned mask, void* tag) {
    Fiber* fiber = engine.current;
    fiber->state = state;
    fiber->line = line;
    fiber->mask = mask;
    EMULATOR_RELEASE(tag);
    switch_to_main();
    EMULATOR_ACQUIRE(tag);
}

// Frees a block's barrier when all threads that are left wait at it.
EMULATOR_ENGINE static void settle_block() {
    unsigned waiting = 0, line = 0;
    bool mixed = false;
    for (unsigned i = 0; i < engine.count; ++i) {
        if (engine.fibers[i].state != State::AtBarrier) continue;
        mixed |= waiting++ && engine.fibers[i].line != line;
        line = engine.fibers[i].line;
    }
    if (!engine.live || waiting != engine.live) return;
    if (mixed) fail("threads of a block wait at different calls of __syncthreads", line);
    engine.turn++;
    engine.any_of_last = engine.any;
    engine.any = 0;
    for (unsigned i = 0; i < engine.count; ++i) {
        if (engine.fibers[i].state == State::AtBarrier) engine.fibers[i].state = State::Ready;
    }
}

// Frees the lanes of a warp that wait for each other.
EMULATOR_ENGINE static void settle_warp(unsigned warp, unsigned lanes) {
    Fiber* fibers = engine.fibers + 32 * warp;
    for (unsigned lane = 0; lane < lanes; ++lane) {
        if (fibers[lane].state != State::AtWarpBarrier) continue;
        const unsigned mask = fibers[lane].mask;
        bool complete = true;
        for (unsigned other = 0; other < lanes; ++other) {
            if (!(mask >> other & 1) || fibers[other].state == State::Done) continue;
            if (fibers[other].state != State::AtWarpBarrier) complete = false;
            else if (fibers[other].mask != mask || fibers[other].line != fibers[lane].line)
                fail("lanes of a warp disagree on a collective or its mask", fibers[lane].line);
        }
        if (!complete) continue;
        engine.warps[warp].turn[mask % 15]++;
        for (unsigned other = 0; other < lanes; ++other) {
            const bool in_mask = mask >> other & 1;
            if (in_mask && fibers[other].state == State::AtWarpBarrier)
                fibers[other].state = State::Ready;
        }
    }
}

EMULATOR_ENGINE static void settle() {
    settle_block();
    for (unsigned warp = 0; 32 * warp < engine.count; ++warp) {
        const unsigned left = engine.count - 32 * warp;
        settle_warp(warp, left < 32 ? left : 32);
    }
}

EMULATOR_ENGINE static void grow(unsigned count) {
    if (count <= engine.capacity) return;
    engine.fibers = (Fiber*)realloc(engine.fibers, count * sizeof(Fiber));
    engine.warps = (Warp*)realloc(engine.warps, (count / 32 + 1) * sizeof(Warp));
    for (unsigned i = engine.capacity; i < count; ++i) {
        memset(&engine.fibers[i], 0, sizeof(Fiber));
        engine.fibers[i].stack = (char*)mmap(nullptr, STACK, PROT_READ | PROT_WRITE,
                                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    }
    engine.capacity = count;
}

// ThreadSanitizer knows few fibers, and each kernel's object has fibers of its own.
EMULATOR_ENGINE static void tell_sanitizer(bool of_start) {
#if defined(__SANITIZE_THREAD__)
    if (of_start) engine.main_tsan = __tsan_get_current_fiber();
    for (unsigned i = 0; i < engine.count; ++i) {
        if (of_start) engine.fibers[i].tsan = __tsan_create_fiber(0);
        else __tsan_destroy_fiber(engine.fibers[i].tsan);
    }
#endif
    (void)of_start;
}

// Shared memory starts as NaN in every block, as nothing may rely on what was there.
__attribute__((no_sanitize("thread", "address"), noinline)) static void poison_shared() {
    for (volatile char* p = __start_emulator_shared; p < __stop_emulator_shared; ++p) *p = (char)0xff;
}

// The order of threads and of blocks: EMULATOR_ORDER is forward, reversed or random:SEED.
struct Order {
    enum { Forward, Reversed, Random } kind = Forward;
    unsigned seed = 1;

    EMULATOR_ENGINE unsigned draw() { return seed = seed * 1664525u + 1013904223u; }
    // Place `i` of `count`, given what was drawn for this round.
    EMULATOR_ENGINE unsigned at(unsigned i, unsigned count, unsigned drawn) const {
        if (kind == Forward) return i;
        if (kind == Reversed) return count - 1 - i;
        return (unsigned)((i * 7919ull + drawn) % count);
    }
};

EMULATOR_ENGINE static Order order_from_environment() {
    Order order;
    const char* text = getenv("EMULATOR_ORDER");
    if (text && !strcmp(text, "reversed")) order.kind = Order::Reversed;
    if (text && !strncmp(text, "random", 6)) {
        order.kind = Order::Random;
        if (text[6] == ':') order.seed = (unsigned)atoi(text + 7);
    }
    return order;
}

EMULATOR_ENGINE static void prepare_fiber(Fiber& fiber, unsigned i) {
    const dim3 dim = engine.block_dim;
    fiber.number = i;
    fiber.thread = {i % dim.x, i / dim.x % dim.y, i / (dim.x * dim.y)};
    fiber.state = State::Ready;
    fiber.fake_stack = nullptr;
    void** top = (void**)(fiber.stack + STACK - 64);
    *--top = nullptr;
    *--top = (void*)enter;
    fiber.stack_pointer = top - 6;
}

EMULATOR_ENGINE static void run_block(Order& order) {
    engine.live = engine.count;
    engine.any = 0;
    poison_shared();
    for (unsigned i = 0; i < engine.count; ++i) prepare_fiber(engine.fibers[i], i);
    EMULATOR_RELEASE(&engine.start_tag);
    while (engine.live && !engine.error[0]) {
        bool ran = false;
        const unsigned drawn = order.draw() % engine.count;
        for (unsigned k = 0; k < engine.count; ++k) {
            // 7919 is a prime, so that all threads come where it does not divide their number.
            Fiber& fiber = engine.fibers[order.at(k, engine.count, drawn)];
            if (fiber.state != State::Ready) continue;
            switch_to(&fiber);
            ran = true;
        }
        settle();
        for (unsigned i = 0; i < engine.count; ++i) ran |= engine.fibers[i].state == State::Ready;
        if (!ran && engine.live) fail("a barrier is never complete", engine.fibers[0].line);
    }
    EMULATOR_ACQUIRE(&engine.end_tag);
}

// Runs a kernel; gives an error of the driver.
EMULATOR_ENGINE static int run(const char* kernel, dim3 grid, dim3 block, unsigned dynamic_shared,
                               void (*body)(void*), void* arguments) {
    engine.kernel = kernel;
    engine.body = body;
    engine.arguments = arguments;
    engine.grid_dim = grid;
    engine.block_dim = block;
    engine.count = block.x * block.y * block.z;
    engine.error[0] = 0;
    grow(engine.count);
    tell_sanitizer(true);
    Order order = order_from_environment();
    // From malloc, so that AddressSanitizer sees what is beside it.
    void* memory = nullptr;
    if (posix_memalign(&memory, 1024, dynamic_shared ? dynamic_shared : 1)) return 2;
    engine.dynamic_shared = (char*)memory;
    const unsigned blocks = grid.x * grid.y * grid.z, drawn = order.draw() % blocks;
    for (unsigned k = 0; k < blocks && !engine.error[0]; ++k) {
        const unsigned b = blocks % 7919 ? order.at(k, blocks, drawn) : k;
        engine.block = {b % grid.x, b / grid.x % grid.y, b / (grid.x * grid.y)};
        memset(engine.dynamic_shared, 0xff, dynamic_shared);
        run_block(order);
    }
    tell_sanitizer(false);
    free(memory);
    engine.dynamic_shared = nullptr;
    if (!engine.error[0]) return 0;
    fprintf(stderr, "emulator: %s\n", engine.error);
    return FAILED;
}

// A function of any arguments, called with pointers to them.
template <unsigned... I>
struct Indices {};
template <unsigned N, unsigned... I>
struct MakeIndices : MakeIndices<N - 1, N - 1, I...> {};
template <unsigned... I>
struct MakeIndices<0, I...> {
    typedef Indices<I...> Type;
};
template <class... A>
struct Call {
    void (*function)(A...);
    void** arguments;
    template <unsigned... I>
    void make(Indices<I...>) {
        function(*(A*)arguments[I]...);
    }
    static void make(void* call) {
        ((Call*)call)->make(typename MakeIndices<sizeof...(A)>::Type());
    }
};
template <class... A>
int launch(const char* kernel, void (*function)(A...), const unsigned* dims, unsigned dynamic_shared,
           void** arguments) {
    Call<A...> call{function, arguments};
    const dim3 grid{dims[0], dims[1], dims[2]}, block{dims[3], dims[4], dims[5]};
    return run(kernel, grid, block, dynamic_shared, Call<A...>::make, &call);
}
template <class... A>
void sizes_of_arguments(void (*)(A...), unsigned* sizes, unsigned* count) {
    const unsigned all[] = {(unsigned)sizeof(A)..., 0};
    *count = sizeof...(A);
    memcpy(sizes, all, sizeof...(A) * sizeof(unsigned));
}

}  // namespace emulator

// What the driver looks for in a kernel's object.
#define EMULATED_EXPORT(name)                                                                       \
    extern "C" __attribute__((visibility("default"))) int emulator_launch_##name(                   \
        const unsigned* dims, unsigned dynamic_shared, void** arguments) {                          \
        return emulator::launch(#name, name, dims, dynamic_shared, arguments);                      \
    }                                                                                               \
    extern "C" __attribute__((visibility("default"))) void emulator_arguments_##name(               \
        unsigned* sizes, unsigned* count) {                                                         \
        emulator::sizes_of_arguments(name, sizes, count);                                           \
    }                                                                                               \
    extern "C" __attribute__((visibility("default"))) unsigned emulator_shared_##name() {           \
        return (unsigned)(__stop_emulator_shared - __start_emulator_shared);                        \
    }
