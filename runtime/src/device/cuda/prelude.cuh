// What every kernel starts with. Kernels include nothing: the compiler of CUDA's runtime suffices.
// Under EMULATED they run on a processor, thread by thread.

#ifdef EMULATED
// Tells the emulator the name of a kernel.
#define EXPORT(name) EMULATED_EXPORT(name)
#else
#define EXPORT(name)
#define INFINITY __int_as_float(0x7f800000)
#define NAN __int_as_float(0x7fffffff)
#define DYNAMIC_SHARED(type, name) extern __shared__ type name[]
#endif

#define KERNEL extern "C" __global__ void
#define DEVICE __device__ __forceinline__
#define THREADS 256

// Elements. Kernels compute in floats, and name the types of what they read and write by their
// arguments: `y_t` for `y`.
struct bf16 {
    unsigned short bits;
};

DEVICE float get(const float* x, size_t i) { return x[i]; }
DEVICE float get(const bf16* x, size_t i) { return __int_as_float((unsigned)x[i].bits << 16); }

DEVICE void put(float* y, size_t i, float value) { y[i] = value; }

DEVICE bf16 to_bf16(float value) {
#ifdef EMULATED
    unsigned bits = __float_as_int(value);
    if ((bits & 0x7fffffff) > 0x7f800000) return bf16{0x7fff};
    return bf16{(unsigned short)((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
#else
    bf16 y;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y.bits) : "f"(value));
    return y;
#endif
}

DEVICE void put(bf16* y, size_t i, float value) { y[i] = to_bf16(value); }

// NaN if one is.
DEVICE float larger(float a, float b) { return a > b || a != a ? a : b; }
DEVICE float smaller(float a, float b) { return a < b || a != a ? a : b; }

// Every lane gets what all lanes of its warp have together.
DEVICE float warp_sum(float x) {
#pragma unroll
    for (int away = 16; away; away >>= 1) x += __shfl_xor_sync(~0u, x, away);
    return x;
}

DEVICE float warp_max(float x) {
#pragma unroll
    for (int away = 16; away; away >>= 1) x = larger(x, __shfl_xor_sync(~0u, x, away));
    return x;
}

// Every thread gets what all threads of its block have together. Blocks have at most 1024 threads,
// whole warps; all of them call, and shared memory is free for the next call when they return.
DEVICE float block_sum(float x) {
    __shared__ float sums[32];
    x = warp_sum(x);
    if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = x;
    __syncthreads();
    x = threadIdx.x % 32 < blockDim.x / 32 ? sums[threadIdx.x % 32] : 0.0f;
    x = warp_sum(x);
    __syncthreads();
    return x;
}

DEVICE float block_max(float x) {
    __shared__ float maxima[32];
    x = warp_max(x);
    if (threadIdx.x % 32 == 0) maxima[threadIdx.x / 32] = x;
    __syncthreads();
    x = threadIdx.x % 32 < blockDim.x / 32 ? maxima[threadIdx.x % 32] : -INFINITY;
    x = warp_max(x);
    __syncthreads();
    return x;
}

// The number of the thread among all of the grid.
DEVICE unsigned thread_of_grid() { return blockIdx.x * blockDim.x + threadIdx.x; }

// A row is shared by `LANES` threads: one, a warp or a block. What they have together:
template <int LANES>
DEVICE float team_sum(float x) {
    return LANES == 1 ? x : LANES == 32 ? warp_sum(x) : block_sum(x);
}
template <int LANES>
DEVICE float team_max(float x) {
    return LANES == 1 ? x : LANES == 32 ? warp_max(x) : block_max(x);
}
// Waits for the threads of the row.
template <int LANES>
DEVICE void team_sync() {
    if (LANES == 32) __syncwarp();
    if (LANES > 32) __syncthreads();
}

// Four random words for a counter and a key: Philox4x32-10 (rng.rs).
DEVICE uint4 philox(uint4 counter, uint2 key) {
#pragma unroll
    for (int round = 0; round < 10; ++round) {
        const unsigned high0 = __umulhi(0xD2511F53u, counter.x), low0 = 0xD2511F53u * counter.x;
        const unsigned high2 = __umulhi(0xCD9E8D57u, counter.z), low2 = 0xCD9E8D57u * counter.z;
        counter = uint4{high2 ^ counter.y ^ key.x, low2, high0 ^ counter.w ^ key.y, low0};
        key.x += 0x9E3779B9u;
        key.y += 0xBB67AE85u;
    }
    return counter;
}

// Two numbers as bf16 in a register, the first in the lower half.
DEVICE unsigned pack_bf16(float low, float high) {
    return to_bf16(low).bits | (unsigned)to_bf16(high).bits << 16;
}

// d [16, 8] += a [16, 16] · b [16, 8], by a warp. Lane `4 r + c` holds of `a` rows r and r + 8 at columns
// 2 c and 2 c + 8 with their neighbours, of `b` column r at rows 2 c and 2 c + 8 with theirs, and of `d`
// rows r and r + 8 at columns 2 c and 2 c + 1 (PTX, mma.m16n8k16).
DEVICE void multiply_bf16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
#ifdef EMULATED
    emulator::mma_m16n8k16_bf16(d, a, b);
#else
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}
