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
// arguments: `y_t` for `y`. `HALF` is the type of 16 bits that a step uses.
struct bf16 {
    unsigned short bits;
};
struct f16 {
    unsigned short bits;
};

DEVICE float to_float(float x) { return x; }
DEVICE float to_float(bf16 x) { return __int_as_float((unsigned)x.bits << 16); }
DEVICE float to_float(f16 x) {
#ifdef EMULATED
    return emulator::from_f16(x.bits);
#else
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
    return y;
#endif
}

// To the nearest, ties to even.
DEVICE void round_to(float& y, float x) { y = x; }
DEVICE void round_to(bf16& y, float x) {
#ifdef EMULATED
    const unsigned bits = __float_as_int(x);
    y.bits = (bits & 0x7fffffff) > 0x7f800000 ? 0x7fff : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
#else
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
#endif
}
DEVICE void round_to(f16& y, float x) {
#ifdef EMULATED
    y.bits = emulator::to_f16(x);
#else
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
#endif
}

template <typename T>
DEVICE float get(const T* x, size_t i) {
    return to_float(x[i]);
}
template <typename T>
DEVICE void put(T* y, size_t i, float value) {
    round_to(y[i], value);
}

// Two halves in a register, the first in the lower part.
template <typename T>
DEVICE unsigned pack(float low, float high) {
    T a, b;
    round_to(a, low);
    round_to(b, high);
    return a.bits | (unsigned)b.bits << 16;
}
#ifndef EMULATED
template <>
DEVICE unsigned pack<bf16>(float low, float high) {
    unsigned y;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low));
    return y;
}
template <>
DEVICE unsigned pack<f16>(float low, float high) {
    unsigned y;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low));
    return y;
}
#endif
template <typename T>
DEVICE float2 unpack(unsigned pair) {
    const T a{(unsigned short)pair}, b{(unsigned short)(pair >> 16)};
    return make_float2(to_float(a), to_float(b));
}

// Words at once.
DEVICE void load_pairs(unsigned (&v)[1], const unsigned* x) { v[0] = *x; }
DEVICE void load_pairs(unsigned (&v)[2], const unsigned* x) {
    const uint2 two = *(const uint2*)x;
    v[0] = two.x, v[1] = two.y;
}
DEVICE void load_pairs(unsigned (&v)[4], const unsigned* x) {
    const uint4 four = *(const uint4*)x;
    v[0] = four.x, v[1] = four.y, v[2] = four.z, v[3] = four.w;
}
DEVICE void store_pairs(unsigned* y, const unsigned (&v)[1]) { *y = v[0]; }
DEVICE void store_pairs(unsigned* y, const unsigned (&v)[2]) { *(uint2*)y = make_uint2(v[0], v[1]); }
DEVICE void store_pairs(unsigned* y, const unsigned (&v)[4]) {
    *(uint4*)y = make_uint4(v[0], v[1], v[2], v[3]);
}
// Neighbours at once. Where N is even the first lies at a multiple of N elements, of 16 bytes at most.
template <int N>
DEVICE void load(float (&v)[N], const float* x, size_t i) {
    if (N % 4) {
#pragma unroll
        for (int e = 0; e < N; ++e) v[e] = x[i + e];
        return;
    }
#pragma unroll
    for (int e = 0; e < N; e += 4) {
        const float4 four = *(const float4*)(x + i + e);
        v[e] = four.x, v[e + 1] = four.y, v[e + 2] = four.z, v[e + 3] = four.w;
    }
}
template <int N, typename T>
DEVICE void load(float (&v)[N], const T* x, size_t i) {
    if (N % 2) {
#pragma unroll
        for (int e = 0; e < N; ++e) v[e] = get(x, i + e);
        return;
    }
    unsigned pairs[(N + 1) / 2];
    load_pairs(pairs, (const unsigned*)(x + i));
#pragma unroll
    for (int e = 0; e < N; e += 2) {
        const float2 two = unpack<T>(pairs[e / 2]);
        v[e] = two.x, v[e + 1] = two.y;
    }
}
// One element for all.
template <int N, typename T>
DEVICE void spread(float (&v)[N], const T* x, size_t i) {
    const float value = get(x, i);
#pragma unroll
    for (int e = 0; e < N; ++e) v[e] = value;
}
template <int N>
DEVICE void store(float* y, size_t i, const float (&v)[N]) {
    if (N % 4) {
#pragma unroll
        for (int e = 0; e < N; ++e) y[i + e] = v[e];
        return;
    }
#pragma unroll
    for (int e = 0; e < N; e += 4) {
        *(float4*)(y + i + e) = make_float4(v[e], v[e + 1], v[e + 2], v[e + 3]);
    }
}
template <int N, typename T>
DEVICE void store(T* y, size_t i, const float (&v)[N]) {
    if (N % 2) {
#pragma unroll
        for (int e = 0; e < N; ++e) put(y, i + e, v[e]);
        return;
    }
    unsigned pairs[(N + 1) / 2];
#pragma unroll
    for (int e = 0; e < N; e += 2) pairs[e / 2] = pack<T>(v[e], v[e + 1]);
    store_pairs((unsigned*)(y + i), pairs);
}

// NaN if one is.
DEVICE float larger(float a, float b) {
#ifdef EMULATED
    return a > b || a != a ? a : b;
#else
    float y;
    asm("max.NaN.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b));
    return y;
#endif
}
DEVICE float smaller(float a, float b) {
#ifdef EMULATED
    return a < b || a != a ? a : b;
#else
    float y;
    asm("min.NaN.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b));
    return y;
#endif
}

// A sum of any number of floats, and what its additions lost (D. Knuth, The Art of Computer Programming,
// vol. 2, 4.2.2, theorem B): its error does not grow with their number.
struct Total {
    float sum = 0.0f, lost = 0.0f;

    DEVICE void add(float x) {
        const float next = sum + x, added = next - sum;
        lost += (sum - (next - added)) + (x - added);
        sum = next;
    }
    DEVICE void scale(float by) {
        sum *= by;
        lost *= by;
    }
    // What was lost to infinities is no number.
    DEVICE float value() const { return sum - sum == 0.0f ? sum + lost : sum; }
};

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

// The same for two doubles.
DEVICE void block_sums(double& a, double& b) {
    __shared__ double sums[2][32];
#pragma unroll
    for (int away = 16; away; away >>= 1) {
        a += __shfl_xor_sync(~0u, a, away);
        b += __shfl_xor_sync(~0u, b, away);
    }
    if (threadIdx.x % 32 == 0) {
        sums[0][threadIdx.x / 32] = a;
        sums[1][threadIdx.x / 32] = b;
    }
    __syncthreads();
    const bool there = threadIdx.x % 32 < blockDim.x / 32;
    a = there ? sums[0][threadIdx.x % 32] : 0.0;
    b = there ? sums[1][threadIdx.x % 32] : 0.0;
#pragma unroll
    for (int away = 16; away; away >>= 1) {
        a += __shfl_xor_sync(~0u, a, away);
        b += __shfl_xor_sync(~0u, b, away);
    }
    __syncthreads();
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

// A row is shared by `LANES` threads: a power of two within a warp, or a block. What they have together:
template <int LANES>
DEVICE float team_sum(float x) {
    if (LANES > 32) return block_sum(x);
#pragma unroll
    for (int away = LANES / 2; away; away >>= 1) x += __shfl_xor_sync(~0u, x, away);
    return x;
}
template <int LANES>
DEVICE float team_max(float x) {
    if (LANES > 32) return block_max(x);
#pragma unroll
    for (int away = LANES / 2; away; away >>= 1) x = larger(x, __shfl_xor_sync(~0u, x, away));
    return x;
}
// Waits for the threads of the row.
template <int LANES>
DEVICE void team_sync() {
    if (LANES > 1 && LANES <= 32) __syncwarp();
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

// The bits of the nearest number of TF32, ties away from zero.
DEVICE unsigned to_tf32(float x) {
#ifdef EMULATED
    const unsigned bits = __float_as_uint(x);
    return x - x == 0.0f ? (bits + 0x1000) & 0xffffe000 : bits;
#else
    unsigned y;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(y) : "f"(x));
    return y;
#endif
}

// d [16, 8] += a [16, 16] · b [16, 8] of halves, by a warp. Lane `4 r + c` holds of `a` rows r and r + 8
// at columns 2 c and 2 c + 8 with their neighbours, of `b` column r at rows 2 c and 2 c + 8 with theirs,
// and of `d` rows r and r + 8 at columns 2 c and 2 c + 1 (PTX, mma.m16n8k16).
template <typename T>
DEVICE void multiply(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]);
template <>
DEVICE void multiply<bf16>(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
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
// d [16, 8] += a [16, 8] · b [8, 8] of TF32: lane `4 r + c` holds of `a` rows r and r + 8 at columns c and
// c + 4, and of `b` column r at rows c and c + 4 (PTX, mma.m16n8k8).
template <>
DEVICE void multiply<float>(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
#ifdef EMULATED
    emulator::mma_m16n8k8_tf32(d, a, b);
#else
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}
template <>
DEVICE void multiply<f16>(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
#ifdef EMULATED
    emulator::mma_m16n8k16_f16(d, a, b);
#else
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

// Four matrices of 8 × 8 halves from shared memory, for a warp. Lane `8 i + r` points at row r of matrix
// i, 16 bytes; lane `4 r + c` gets of each elements 2 c and 2 c + 1 of row r, or of row r of its transpose
// (PTX, ldmatrix).
DEVICE void load_matrices(unsigned (&d)[4], const void* row) {
#ifdef EMULATED
    emulator::ldmatrix_x4(d, row);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
                 : "r"((unsigned)__cvta_generic_to_shared(row)));
#endif
}
DEVICE void load_transposed(unsigned (&d)[4], const void* row) {
#ifdef EMULATED
    emulator::ldmatrix_x4_trans(d, row);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
                 : "r"((unsigned)__cvta_generic_to_shared(row)));
#endif
}

// Copies 4 or 16 bytes to shared memory, or zeros, without waiting. The thread that copies has them behind
// `await_copies`, and other threads behind a barrier after it.
template <int BYTES>
DEVICE void copy_ahead(void* to, const void* from, bool there) {
#ifdef EMULATED
    for (int word = 0; word < BYTES / 4; ++word) {
        ((unsigned*)to)[word] = there ? ((const unsigned*)from)[word] : 0;
    }
#else
    const unsigned at = (unsigned)__cvta_generic_to_shared(to), bytes = there ? BYTES : 0;
    if (BYTES == 16) {
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(at), "l"(from), "r"(bytes)
                     : "memory");
    } else {
        asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(at), "l"(from), "r"(bytes)
                     : "memory");
    }
#endif
}
DEVICE void await_copies() {
#ifndef EMULATED
    asm volatile("cp.async.wait_all;" ::: "memory");
#endif
}

// 2^x, with an error of 2^-22 and of 0 below the normal range.
DEVICE float power_of_two(float x) {
#ifdef EMULATED
    return exp2f(x);
#else
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#endif
}

#define LOG2_E 1.44269504f
#define LN_2 0.693147181f
// e^x in two instructions, with an error of (1.3 |x| + 4) 2^-24.
DEVICE float power_of_e(float x) { return power_of_two(x * LOG2_E); }
