// What the kernels for tensor cores share. Factors are halves, sums are floats. Each of four warps
// takes TALL times 16 rows, whose fragments stay in registers; a block meets BK rows of the other
// side after another, which lie in shared memory as halves: while one pair of tiles is multiplied,
// the next arrives in another place. Probabilities are powers of 2, whose exponents are scores
// times log2 e.

#define WARPS 4
#define BLOCK (32 * WARPS)
#define ROWS (16 * TALL)
#define OWN (ROWS * WARPS)
// Rows start at different banks, each at a multiple of 16 bytes.
#define PITCH (DIM + 8)
#define DEPTH (DIM / 16)
#define WIDE (DIM / 8)
#define MET (BK / 8)

typedef HALF Row[PITCH];

// The rows of a sample and a head start there.
DEVICE size_t first_row(unsigned b, unsigned batch, unsigned h, unsigned head) {
    return (size_t)b * batch + (size_t)h * head;
}

// Eight neighbours to shared memory, or zeros.
template <typename T>
DEVICE void fetch(HALF* to, const T* from, bool there) {
    float v[8];
#pragma unroll
    for (int e = 0; e < 8; ++e) v[e] = 0.0f;
    if (there && ALIGNED) load(v, from, 0);
    if (there && !ALIGNED) {
#pragma unroll
        for (int e = 0; e < 8; ++e) v[e] = get(from, e);
    }
    store(to, 0, v);
}
#if ALIGNED
DEVICE void fetch(HALF* to, const HALF* from, bool there) { copy_ahead<16>(to, from, there); }
#endif

// Rows `first..first + COUNT`, zeros behind the last, by `LANES` threads. Copies wait for nothing,
// and need registers for one address; loads wait together.
template <int COUNT, int LANES, typename T>
DEVICE void fetch_rows(Row* tile, const T* x, unsigned stride, unsigned first, unsigned end) {
#pragma unroll(ALIGNED && sizeof(T) == 2 ? 1 : 4)
    for (unsigned i = threadIdx.x % LANES; i < COUNT * WIDE; i += LANES) {
        const unsigned row = i / WIDE, d = i % WIDE * 8;
        const bool there = first + row < end;
        fetch(&tile[row][d], x + (there ? (size_t)(first + row) * stride : 0) + d, there);
    }
}

// The warp's rows from `first` on as left factors, by way of the `OWN` rows at `tile`.
template <typename T>
DEVICE void load_rows(unsigned (&a)[TALL][DEPTH][4], Row* tile, const T* x, unsigned stride,
                      unsigned first, unsigned end) {
    const unsigned lane = threadIdx.x % 32;
    tile += threadIdx.x / 32 * ROWS;
    fetch_rows<ROWS, 32>(tile, x, stride, first, end);
    await_copies();
    __syncwarp();
#pragma unroll
    for (int m = 0; m < TALL; ++m) {
#pragma unroll
        for (int k = 0; k < DEPTH; ++k) {
            load_matrices(a[m][k], &tile[16 * m + lane % 16][16 * k + lane / 16 * 8]);
        }
    }
    __syncwarp();
}

// s [ROWS, BK] = a [ROWS, DIM] · tileᵀ
DEVICE void multiply_rows(float (&s)[TALL][MET][4], const unsigned (&a)[TALL][DEPTH][4],
                          const Row* tile) {
    const unsigned lane = threadIdx.x % 32;
    const HALF* at = &tile[lane / 16 * 8 + lane % 8][lane / 8 % 2 * 8];
#pragma unroll
    for (int m = 0; m < TALL; ++m) {
#pragma unroll
        for (int n = 0; n < MET; ++n) s[m][n][0] = s[m][n][1] = s[m][n][2] = s[m][n][3] = 0.0f;
    }
#pragma unroll
    for (int k = 0; k < DEPTH; ++k) {
#pragma unroll
        for (int n = 0; n < MET; n += 2) {
            unsigned b[4];
            load_matrices(b, at + 8 * n * PITCH + 16 * k);
#pragma unroll
            for (int m = 0; m < TALL; ++m) {
                multiply<HALF>(s[m][n], a[m][k], {b[0], b[1]});
                multiply<HALF>(s[m][n + 1], a[m][k], {b[2], b[3]});
            }
        }
    }
}

// out [ROWS, DIM] += p [ROWS, BK] · tile
DEVICE void multiply_columns(float (&out)[TALL][WIDE][4], const float (&p)[TALL][MET][4],
                             const Row* tile) {
    const unsigned lane = threadIdx.x % 32;
    const HALF* at = &tile[lane % 16][lane / 16 * 8];
#pragma unroll
    for (int k = 0; k < MET / 2; ++k) {
        // A result of one product is the left factor of the next.
        unsigned a[TALL][4];
#pragma unroll
        for (int m = 0; m < TALL; ++m) {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const float* pair = &p[m][2 * k + i / 2][i % 2 * 2];
                a[m][i] = pack<HALF>(pair[0], pair[1]);
            }
        }
#pragma unroll
        for (int n = 0; n < WIDE; n += 2) {
            unsigned b[4];
            load_transposed(b, at + 16 * k * PITCH + 8 * n);
#pragma unroll
            for (int m = 0; m < TALL; ++m) {
                multiply<HALF>(out[m][n], a[m], {b[0], b[1]});
                multiply<HALF>(out[m][n + 1], a[m], {b[2], b[3]});
            }
        }
    }
}

DEVICE void clear(float (&out)[TALL][WIDE][4]) {
#pragma unroll
    for (int m = 0; m < TALL; ++m) {
#pragma unroll
        for (int n = 0; n < WIDE; ++n) out[m][n][0] = out[m][n][1] = out[m][n][2] = out[m][n][3] = 0.0f;
    }
}

// The results of row `8 half + r` of a fragment, times `factor`, by the lane's pairs.
template <typename T>
DEVICE void write_row(T* row, const float (&out)[WIDE][4], int half, float factor) {
    const unsigned c = threadIdx.x % 4 * 2;
#pragma unroll
    for (int n = 0; n < WIDE; ++n) {
        const float pair[2] = {factor * out[n][2 * half], factor * out[n][2 * half + 1]};
        if (ALIGNED) {
            store(row, 8 * n + c, pair);
        } else {
            put(row, 8 * n + c, pair[0]);
            put(row, 8 * n + c + 1, pair[1]);
        }
    }
}

DEVICE bool sees(unsigned query, unsigned key, unsigned keys, unsigned causal) {
    return key < keys && (!CAUSAL || key <= query + causal);
}
// The keys that a query sees end there.
DEVICE unsigned end_of_keys(unsigned query, unsigned keys, unsigned causal) {
    return CAUSAL ? min(keys, query + causal + 1) : keys;
}

#if MASK
#define MASK_PARAMETERS , const mask_t* mask, unsigned mb, unsigned mh, unsigned mr
#define MASK_OF(b, h, i, j) (LOG2_E * get(mask, first_row(b, mb, h, mh) + (size_t)(i) * mr + (j)))
#else
#define MASK_PARAMETERS
#define MASK_OF(b, h, i, j) 0.0f
#endif
