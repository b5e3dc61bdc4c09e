// What the threads of a block and of a warp do together.
#pragma once
#include "fibers.h"

namespace emulator {

EMULATOR_ENGINE inline void barrier(unsigned line) {
    wait(State::AtBarrier, line, 0, &engine.barrier_tag[engine.turn & 1]);
}

EMULATOR_ENGINE inline int barrier_or(int predicate, unsigned line) {
    engine.any |= !!predicate;
    barrier(line);
    return engine.any_of_last;
}

EMULATOR_ENGINE inline void warp_barrier(unsigned mask, unsigned line) {
    Warp& warp = engine.warps[engine.current->number / 32];
    const unsigned kind = mask % 15;
    wait(State::AtWarpBarrier, line, mask, &warp.tag[kind][warp.turn[kind] & 1]);
}

inline unsigned lane() { return engine.current->number % 32; }
inline Warp& warp() { return engine.warps[engine.current->number / 32]; }
inline unsigned mask_of(unsigned mask = ~0u) { return mask; }

// The value of another lane; a lane's own where there is no such lane.
template <class T>
EMULATOR_ENGINE T shuffle(unsigned mask, T value, unsigned source, unsigned line) {
    memcpy(warp().slot[lane()], &value, sizeof(T));
    warp_barrier(mask, line);
    T other = value;
    if (source < 32 && (mask >> source & 1)) memcpy(&other, warp().slot[source], sizeof(T));
    warp_barrier(mask, line);
    return other;
}

// The lanes whose predicate holds.
EMULATOR_ENGINE inline unsigned ballot(unsigned mask, int predicate, unsigned line) {
    warp().slot[lane()][0] = !!predicate;
    warp_barrier(mask, line);
    unsigned lanes = 0;
    for (unsigned i = 0; i < 32; ++i) {
        const bool there = 32 * (engine.current->number / 32) + i < engine.count;
        if (there && (mask >> i & 1) && warp().slot[i][0]) lanes |= 1u << i;
    }
    warp_barrier(mask, line);
    return lanes;
}

}  // namespace emulator

#define threadIdx (emulator::engine.current->thread)
#define blockIdx (emulator::engine.block)
#define blockDim (emulator::engine.block_dim)
#define gridDim (emulator::engine.grid_dim)
#define warpSize 32
#define __syncthreads() emulator::barrier(__LINE__)
#define __syncthreads_or(p) emulator::barrier_or(p, __LINE__)
#define __syncwarp(...) emulator::warp_barrier(emulator::mask_of(__VA_ARGS__), __LINE__)
#define __shfl_sync(m, v, s, ...) emulator::shuffle(m, v, (s) & 31, __LINE__)
#define __shfl_xor_sync(m, v, x, ...) emulator::shuffle(m, v, emulator::lane() ^ (x), __LINE__)
#define __shfl_down_sync(m, v, x, ...) emulator::shuffle(m, v, emulator::lane() + (x), __LINE__)
#define __shfl_up_sync(m, v, x, ...) emulator::shuffle(m, v, emulator::lane() - (x), __LINE__)
#define __ballot_sync(m, p) emulator::ballot(m, p, __LINE__)
#define __any_sync(m, p) (emulator::ballot(m, p, __LINE__) != 0)
