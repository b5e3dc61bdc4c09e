// Convolution on tensor cores: the products of the tiles that `tiles.cuh` loads.

#ifdef IS_pack_weights
// The left factor of a forward pass, or OF_INPUT of an input's gradient, as tiles read it: for each
// group PADDED_ROWS of INNER. Neighbouring blocks read neighbouring weights.
KERNEL pack_weights(tile_t* y, const w_t* w, unsigned count) {
    const unsigned n = thread_of_grid();
    if (n >= count) return;
    constexpr unsigned ALL = GROUPS * PADDED_ROWS, MEETS = OF_INPUT ? GROUP_OUT : GROUP_IN;
    unsigned all, channel, tap;
    if (BY_TAPS) {
        constexpr unsigned CHUNKS = CHANNELS / BK;
        const unsigned rest = n / BK / WINDOW;
        all = OF_INPUT ? rest % ALL : rest / CHUNKS;
        channel = (OF_INPUT ? rest / ALL : rest % CHUNKS) * BK + n % BK;
        tap = n / BK % WINDOW;
    } else {
        all = n / INNER, channel = n % INNER / WINDOW, tap = n % INNER % WINDOW;
    }
    const unsigned g = all / PADDED_ROWS, row = all % PADDED_ROWS;
    const unsigned o = OF_INPUT ? channel : row, c = OF_INPUT ? row : channel;
    float value = 0.0f;
    if (row < ROWS && channel < MEETS)
        value = get(w, (size_t)((g * GROUP_OUT + o) * GROUP_IN + c) * WINDOW + tap);
    const unsigned k = BY_TAPS ? tap * CHANNELS + channel : n % INNER;
#if TF32
    y[(size_t)all * INNER + k] = __uint_as_float(to_tf32(value));
#else
    round_to(y[(size_t)all * INNER + k], value);
#endif
}
#else

// Of a column of BN / 8 matrices the two from `col` on, at `k` along the inner axis.
template <bool IS_ACROSS>
DEVICE void right_factors(unsigned (&b)[4], const tile_t* tile, unsigned col, unsigned k) {
    const unsigned lane = threadIdx.x % 32;
    if (!IS_ACROSS) {
        const unsigned row = col + lane % 8 + lane / 16 * 8;
        return load_matrices(b, tile + row * ALONG + k + lane / 8 % 2 * PIECE);
    }
#if TF32
    const tile_t* from = tile + (k + lane % 4) * ACROSS + col + lane / 4;
#pragma unroll
    for (int i = 0; i < 4; ++i) b[i] = __float_as_uint(from[i % 2 * 4 * ACROSS + i / 2 * 8]);
#else
    load_transposed(b, tile + (k + lane % 16) * ACROSS + col + lane / 16 * 8);
#endif
}

// The first row and column of the warp.
DEVICE unsigned warp_row() { return threadIdx.x / 32 / (BN / WARP_COLS) * WARP_ROWS; }
DEVICE unsigned warp_col() { return threadIdx.x / 32 % (BN / WARP_COLS) * WARP_COLS; }

typedef float Sums[MM][NN][4];

// At half of the places.
template <bool IS_ACROSS>
DEVICE void multiply_tiles(Sums& sums, const tile_t* left, const tile_t* right, int half) {
    const unsigned lane = threadIdx.x % 32, k = half * 2 * PIECE;
    unsigned a[MM][4];
#pragma unroll
    for (int m = 0; m < MM; ++m)
        load_matrices(a[m], left + (warp_row() + 16 * m + lane % 16) * ALONG + k + lane / 16 * PIECE);
#pragma unroll
    for (int n = 0; n < NN; n += 2) {
        unsigned b[4];
        right_factors<IS_ACROSS>(b, right, warp_col() + 8 * n, k);
        const unsigned columns[2][2] = {{b[0], b[1]}, {b[2], b[3]}};
#pragma unroll
        for (int i = 0; i < 2; ++i)
#pragma unroll
            for (int m = 0; m < MM; ++m) multiply<tile_t>(sums[m][n + i], a[m], columns[i]);
    }
}

// The product over the places from `k` to `end`, each step followed by `next`.
template <typename Left, typename Right, typename Next>
DEVICE void multiply_all(Sums& sums, Left& left, Right& right, unsigned k, unsigned end, Next next) {
    __shared__ __align__(16) tile_t left_tiles[2][Left::TILE], right_tiles[2][Right::TILE];
#pragma unroll
    for (int m = 0; m < MM; ++m)
#pragma unroll
        for (int n = 0; n < NN; ++n) sums[m][n][0] = sums[m][n][1] = sums[m][n][2] = sums[m][n][3] = 0.0f;
    if (k >= end) return;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        left.load(k, half), right.load(k, half);
        left.put_to(left_tiles[0], half), right.put_to(right_tiles[0], half);
    }
    __syncthreads();
    unsigned turn = 0;
    for (k = next(k); k < end; k = next(k)) {
        // Loads of half of a tile are under way at once, as registers are scarce.
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            left.load(k, half), right.load(k, half);
            multiply_tiles<Right::IS_ACROSS>(sums, left_tiles[turn], right_tiles[turn], half);
            left.put_to(left_tiles[turn ^ 1], half), right.put_to(right_tiles[turn ^ 1], half);
        }
        turn ^= 1;
        __syncthreads();
    }
#pragma unroll
    for (int half = 0; half < 2; ++half)
        multiply_tiles<Right::IS_ACROSS>(sums, left_tiles[turn], right_tiles[turn], half);
}

// Writes the sums: rows lie DISTANCE apart, and `place` gives where a column starts if it is there.
template <int DISTANCE, typename Place>
DEVICE void write(y_t* y, const Sums& sums, unsigned row0, unsigned col0, Place place) {
    const unsigned lane = threadIdx.x % 32;
#pragma unroll
    for (int n = 0; n < NN; ++n) {
#pragma unroll
        for (int e = 0; e < (PAIRS ? 1 : 2); ++e) {
            size_t at;
            if (!place(col0 + warp_col() + 8 * n + lane % 4 * 2 + e, at)) continue;
#pragma unroll
            for (int i = 0; i < 2 * MM; ++i) {
                const unsigned row = row0 + warp_row() + 8 * i + lane / 4;
                if (ROWS % BM && row >= ROWS) continue;
                const float two[2] = {sums[i / 2][n][i % 2 * 2], sums[i / 2][n][i % 2 * 2 + 1]};
                const size_t to = at + (size_t)row * DISTANCE;
                if (PAIRS) store(y, to, two);
                else put(y, to, two[e]);
            }
        }
    }
}

#ifdef IS_forward_mma
KERNEL BOUNDS forward_mma(y_t* y, const x_t* x, const tile_t* w, unsigned cols) {
    const unsigned row0 = blockIdx.x % ROW_BLOCKS * BM, g = blockIdx.x / ROW_BLOCKS % GROUPS;
    const unsigned col0 = blockIdx.x / ROW_BLOCKS / GROUPS * BN;
    Packed left(w, g * PADDED_ROWS + row0);
    Columns right(x, g, col0, cols, {});
    Sums sums;
    multiply_all(sums, left, right, 0, INNER, [](unsigned k) { return k + BK; });
    write<POSITIONS>(y, sums, row0, col0, [&](unsigned col, size_t& at) {
        at = (size_t)(col / POSITIONS * GROUPS + g) * ROWS * POSITIONS + col % POSITIONS;
        return col < cols;
    });
}
#endif

#ifdef IS_input_mma
KERNEL BOUNDS input_mma(y_t* y, const x_t* x, const tile_t* w, unsigned cols) {
    const unsigned row0 = blockIdx.x % ROW_BLOCKS * BM, g = blockIdx.x / ROW_BLOCKS % GROUPS;
    const unsigned number = blockIdx.x / ROW_BLOCKS / GROUPS % (STRIDE_ROWS * STRIDE_COLS);
    const unsigned col0 = blockIdx.x / ROW_BLOCKS / GROUPS / (STRIDE_ROWS * STRIDE_COLS) * BN;
    const Phase phase{(int)(number / STRIDE_COLS), (int)(number % STRIDE_COLS)};
    Packed left(w, g * PADDED_ROWS + row0);
    Columns right(x, g, col0, cols, phase);
    // Taps that meet nothing are left out.
    const auto met = [&](unsigned k) {
        if (BY_TAPS && STRIDE_ROWS * STRIDE_COLS > 1)
            while (k < INNER && !tap_of(k / CHANNELS, phase).meets) k = (k / CHANNELS + 1) * CHANNELS;
        return k;
    };
    Sums sums;
    multiply_all(sums, left, right, met(0), INNER, [&](unsigned k) { return met(k + BK); });
    write<PIXELS>(y, sums, row0, col0, [&](unsigned col, size_t& at) {
        const unsigned row = col % (LINES * LINE) / LINE * STRIDE_ROWS + phase.row;
        const unsigned pixel = col % LINE * STRIDE_COLS + phase.col;
        at = (size_t)(col / (LINES * LINE) * GROUPS + g) * ROWS * PIXELS + row * WIDTH + pixel;
        return col < cols && row < HEIGHT && pixel < WIDTH;
    });
}
#endif

#ifdef IS_weight_mma
// A block sums `chunk` places of the inner axis, for part number `split` of the result.
KERNEL BOUNDS weight_mma(y_t* y, const x_t* x, const w_t* w, unsigned inner, unsigned chunk) {
    constexpr unsigned COL_BLOCKS = (COLS + BN - 1) / BN;
    const unsigned row0 = blockIdx.x % ROW_BLOCKS * BM, col0 = blockIdx.x / ROW_BLOCKS % COL_BLOCKS * BN;
    const unsigned part = blockIdx.x / ROW_BLOCKS / COL_BLOCKS, g = part % GROUPS;
    const unsigned from = part / GROUPS * chunk, end = min(from + chunk, inner);
    constexpr int LEFT = LEFT_VECTOR > 1 ? LEFT_VECTOR : 2, RIGHT = RIGHT_VECTOR > 1 ? RIGHT_VECTOR : 2;
    Planes<w_t, BM, GROUPS * GROUP_OUT, GROUP_OUT, (LEFT_VECTOR > 1), LEFT> left(w, g, row0, end);
#if IS_STRAIGHT
    Planes<x_t, BN, GROUPS * GROUP_IN, GROUP_IN, (RIGHT_VECTOR > 1), RIGHT> right(x, g, col0, end);
#else
    Windows right(x, g, col0, end);
#endif
    Sums sums;
    multiply_all(sums, left, right, from, end, [](unsigned k) { return k + BK; });
    write<COLS>(y, sums, row0, col0, [&](unsigned col, size_t& at) {
        at = (size_t)part * ROWS * COLS + col;
        return col < COLS;
    });
}
#endif
#endif
