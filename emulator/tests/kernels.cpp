// Kernels with and without mistakes, run by the emulator's engine alone.
//
//     kernels NAME
//
// exits with 0 when the launch went well and the result is right, with 1 when it failed.
#include "emulator.h"

__global__ void sum_of_block(float* y, const float* x) {
    __shared__ float part[64];
    part[threadIdx.x] = x[threadIdx.x];
    for (unsigned half = 32; half; half /= 2) {
#ifndef WITHOUT_BARRIER
        __syncthreads();
#endif
        if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
    }
    if (threadIdx.x == 0) y[0] = part[0];
}
EMULATED_EXPORT(sum_of_block)

__global__ void different_barriers(float* y, const float*) {
    if (threadIdx.x < 32) {
        __syncthreads();
    } else {
        __syncthreads();
    }
    y[0] = 2080.0f;
}
EMULATED_EXPORT(different_barriers)

__global__ void incomplete_barrier(float* y, const float*) {
    if (threadIdx.x < 40) __syncwarp();
    else __syncthreads();
    y[0] = 2080.0f;
}
EMULATED_EXPORT(incomplete_barrier)

__global__ void beside_memory(float* y, const float* x) {
    if (threadIdx.x == 0) y[0] = x[64];
}
EMULATED_EXPORT(beside_memory)

__global__ void order_of_threads(float* y, const float*) {
    y[0] = threadIdx.x == 63 ? 2080.0f : 0.0f;
}
EMULATED_EXPORT(order_of_threads)

__global__ void unwritten_shared(float* y, const float* x) {
    __shared__ float tile[64];
    if (threadIdx.x < 63) tile[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    if (threadIdx.x == 0) {
        y[0] = 0.0f;
        for (int i = 0; i < 64; ++i) y[0] += tile[i];
    }
}
EMULATED_EXPORT(unwritten_shared)

// The identity times a matrix, in the fragments of PTX.
__global__ void matrix_product(float* y, const float* x) {
    const unsigned lane = threadIdx.x % 32, r = lane / 4, c = lane % 4;
    const auto one = [](unsigned row, unsigned col) { return row == col ? 0x3f80u : 0u; };
    const auto value = [&](unsigned row, unsigned col) {
        return __float_as_uint(x[(row * 8 + col) % 64]) >> 16;
    };
    unsigned a[4], b[2];
    for (unsigned i = 0; i < 4; ++i) {
        const unsigned row = r + 8 * (i % 2), col = 2 * c + 8 * (i / 2);
        a[i] = one(row, col) | one(row, col + 1) << 16;
    }
    for (unsigned i = 0; i < 2; ++i) {
        const unsigned row = 2 * c + 8 * i;
        b[i] = value(row, r) | value(row + 1, r) << 16;
    }
    float d[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    emulator::mma_m16n8k16_bf16(d, a, b);
    bool right = true;
    for (unsigned i = 0; i < 4; ++i) {
        const unsigned row = r + 8 * (i / 2), col = 2 * c + i % 2;
        right &= d[i] == x[(row * 8 + col) % 64];
    }
    const unsigned all = __ballot_sync(~0u, right);
    if (threadIdx.x == 0) y[0] = all == ~0u ? 2080.0f : 0.0f;
}
EMULATED_EXPORT(matrix_product)

int main(int count, char** words) {
    if (count != 2) return 2;
    // From malloc, so that AddressSanitizer knows where they end. 1 + 2 + … + 64 = 2080.
    float* x = (float*)malloc(64 * sizeof(float));
    float* y = (float*)malloc(sizeof(float));
    for (int i = 0; i < 64; ++i) x[i] = (float)(i + 1);
    const unsigned dims[6] = {1, 1, 1, 64, 1, 1};
    void* arguments[2] = {&y, &x};
    int failed = 2;
#define RUN(name) \
    if (!strcmp(words[1], #name)) failed = emulator_launch_##name(dims, 0, arguments)
    RUN(sum_of_block);
    RUN(different_barriers);
    RUN(incomplete_barrier);
    RUN(beside_memory);
    RUN(order_of_threads);
    RUN(unwritten_shared);
    RUN(matrix_product);
    const bool right = failed == 0 && y[0] == 2080.0f;
    free(x);
    free(y);
    return right ? 0 : 1;
}
