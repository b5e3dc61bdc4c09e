// Products of small matrices by the lanes of a warp, with the fragments of PTX's `mma.sync`: lane
// `4 r + c` holds parts of rows `r` and `r + 8` of `a` and of the result, and of column `r` of `b`.
#pragma once
#include "collectives.h"

namespace emulator {

inline float from_bf16(unsigned bits) {
    bits <<= 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}
inline float from_f16(unsigned bits) {
    _Float16 value;
    const unsigned short half = (unsigned short)bits;
    memcpy(&value, &half, 2);
    return (float)value;
}
inline unsigned short to_f16(float value) {
    const _Float16 rounded = (_Float16)value;
    unsigned short bits;
    memcpy(&bits, &rounded, 2);
    return bits;
}
// The bits of a TF32 are the upper 19 of a float.
inline float from_tf32(unsigned bits) {
    bits &= 0xffffe000;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

// d [16, 8] += a [16, K] · b [K, 8]. `A(row, k)` and `B(k, col)` read the fragments of other lanes.
template <int K, class A, class B>
EMULATOR_ENGINE void multiply(float* d, A a, B b) {
    const unsigned row = lane() / 4, col = lane() % 4 * 2;
    for (unsigned i = 0; i < 4; ++i) {
        const unsigned r = row + 8 * (i / 2), c = col + i % 2;
        float sum = d[i];
        for (unsigned k = 0; k < K; ++k) sum += a(r, k) * b(k, c);
        d[i] = sum;
    }
}

EMULATOR_ENGINE inline const unsigned* fragments_of(unsigned lane) {
    return (const unsigned*)warp().slot[lane];
}
EMULATOR_ENGINE inline void show(const unsigned* a, const unsigned* b, unsigned line) {
    memcpy(warp().slot[lane()], a, 16);
    memcpy(warp().slot[lane()] + 16, b, 8);
    warp_barrier(~0u, line);
}

// m16n8k16: each register holds two neighbours along k.
template <float (*FROM)(unsigned)>
EMULATOR_ENGINE void mma_m16n8k16(float* d, const unsigned* a, const unsigned* b, unsigned line) {
    show(a, b, line);
    const auto of_a = [](unsigned row, unsigned k) {
        const unsigned lane = row % 8 * 4 + k % 8 / 2, number = row / 8 + 2 * (k / 8);
        return FROM(fragments_of(lane)[number] >> 16 * (k % 2) & 0xffff);
    };
    const auto of_b = [](unsigned k, unsigned col) {
        const unsigned lane = col * 4 + k % 8 / 2;
        return FROM(fragments_of(lane)[4 + k / 8] >> 16 * (k % 2) & 0xffff);
    };
    multiply<16>(d, of_a, of_b);
    warp_barrier(~0u, line);
}

// m16n8k8 of TF32.
EMULATOR_ENGINE inline void mma_m16n8k8_tf32_at(float* d, const unsigned* a, const unsigned* b,
                                                unsigned line) {
    show(a, b, line);
    const auto of_a = [](unsigned row, unsigned k) {
        return from_tf32(fragments_of(row % 8 * 4 + k % 4)[row / 8 + 2 * (k / 4)]);
    };
    const auto of_b = [](unsigned k, unsigned col) {
        return from_tf32(fragments_of(col * 4 + k % 4)[4 + k / 4]);
    };
    multiply<8>(d, of_a, of_b);
    warp_barrier(~0u, line);
}

struct Row {
    unsigned words[4];
};
// Sanitizers watch this read, other than those of the slots.
__attribute__((noinline)) inline Row read_row(const void* row) { return *(const Row*)row; }

// Four matrices of 8 × 8 halves from shared memory: lane `8 i + r` points at row `r` of matrix `i`.
// Lane `4 r + c` gets elements `2 c` and `2 c + 1` of row `r` of each, or of its transpose.
EMULATOR_ENGINE inline void ldmatrix_x4_at(unsigned* d, const void* row, bool transposed,
                                           unsigned line) {
    if ((uintptr_t)row % 16) fail("a matrix's row at no multiple of 16 bytes", line);
    const Row read = read_row(row);
    memcpy(warp().slot[lane()], &read, 16);
    warp_barrier(~0u, line);
    const unsigned r = lane() / 4, c = lane() % 4 * 2;
    for (unsigned i = 0; i < 4; ++i) {
        unsigned short pair[2];
        for (unsigned j = 0; j < 2; ++j) {
            const unsigned from = transposed ? c + j : r, at = transposed ? r : c + j;
            memcpy(&pair[j], warp().slot[8 * i + from] + 2 * at, 2);
        }
        d[i] = pair[0] | (unsigned)pair[1] << 16;
    }
    warp_barrier(~0u, line);
}

}  // namespace emulator

#define mma_m16n8k16_bf16(d, a, b) mma_m16n8k16<emulator::from_bf16>(d, a, b, __LINE__)
#define mma_m16n8k16_f16(d, a, b) mma_m16n8k16<emulator::from_f16>(d, a, b, __LINE__)
#define mma_m16n8k8_tf32(d, a, b) mma_m16n8k8_tf32_at(d, a, b, __LINE__)
#define ldmatrix_x4(d, row) ldmatrix_x4_at(d, row, false, __LINE__)
#define ldmatrix_x4_trans(d, row) ldmatrix_x4_at(d, row, true, __LINE__)
