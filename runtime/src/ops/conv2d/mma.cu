// Convolution on tensor cores, as the products of matrices that `kernels.cu` tells of. A block makes a tile
// of BM rows and BN columns, a warp of it WARP_ROWS × 32. Of the inner axis it meets BK places after BK:
// they are loaded into registers while those before, which lie in shared memory, are multiplied. Tiles are
// of halves, or with TF32 of floats of 10 bits behind the first.
//
// BY_TAPS the inner axis has all channels of a tap after those of another, each padded to CHANNELS, a
// multiple of BK: a step has one tap. Else it has all taps of a channel after those of another, and is
// padded to INNER. The columns of the weight's gradient are ordered alike, without padding.

#if TF32
typedef float tile_t;
#else
typedef HALF tile_t;
#endif

#define WINDOW (KERNEL_HEIGHT * KERNEL_WIDTH)
#define POSITIONS (OUT_HEIGHT * OUT_WIDTH)
#define PIXELS (HEIGHT * WIDTH)

constexpr int BK = 64 / sizeof(tile_t);
// The elements of 16 bytes, which is what a row of a matrix has for `load_matrices`.
constexpr int PIECE = 16 / sizeof(tile_t);
#ifdef IS_pack_weights
// The left factor of a forward pass, or OF_INPUT of an input's gradient, as tiles read it: for each group
// PADDED_ROWS of INNER. Neighbouring blocks read neighbouring weights.
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

// From row to row of a tile whose rows lie along the inner axis, and of one whose rows lie across it. Eight
// rows of a matrix lie in different banks.
constexpr int ALONG = BK + PIECE, ACROSS = BN + 8;

constexpr int WARP_ROWS = BM + BN == 256 ? 64 : 32, WARP_COLS = 32;
constexpr int BLOCK = 32 * (BM / WARP_ROWS) * (BN / WARP_COLS);
constexpr int MM = WARP_ROWS / 16, NN = WARP_COLS / 8;
constexpr int ROW_BLOCKS = (ROWS + BM - 1) / BM;
// Registers for this many blocks of a multiprocessor: 128 for each thread.
#define BOUNDS __launch_bounds__(BLOCK, 512 / BLOCK)

DEVICE unsigned pair(HALF a, HALF b) { return a.bits | (unsigned)b.bits << 16; }
DEVICE unsigned pair(float a, float b) { return pack<HALF>(a, b); }

// Neighbours to a tile.
template <int V, typename T>
DEVICE void keep(tile_t* tile, const T (&x)[V]) {
    unsigned words[V * sizeof(tile_t) / 4];
#pragma unroll
    for (int i = 0; i < V * (int)sizeof(tile_t) / 4; ++i) {
#if TF32
        words[i] = to_tf32(to_float(x[i]));
#else
        words[i] = pair(x[2 * i], x[2 * i + 1]);
#endif
    }
    store_pairs((unsigned*)tile, words);
}

// A thread loads the pieces of a tile in two halves.
DEVICE constexpr int first_of(int count, int half) { return half * ((count + 1) / 2); }
DEVICE constexpr int last_of(int count, int half) { return half ? count : (count + 1) / 2; }

DEVICE void from_word(float& x, unsigned word, int) { x = __uint_as_float(word); }
DEVICE void from_word(HALF& x, unsigned word, int e) { x.bits = word >> 16 * (e % 2); }

// Neighbours at once, zeros where there are none.
template <int V, typename T>
DEVICE void fetch(T (&x)[V], const T* from, bool there) {
    unsigned words[V * sizeof(T) / 4] = {};
    if (there) load_pairs(words, (const unsigned*)from);
#pragma unroll
    for (int e = 0; e < V; ++e) from_word(x[e], words[e * sizeof(T) / 4], e);
}

// What a tap adds to the place of a window.
struct Tap {
    int row, col;
    bool meets;
};
// The pixels of a block lie STRIDE apart from these on, so that the same taps meet all of them.
struct Phase {
    int row, col;
};
#ifdef IS_input_mma
constexpr int MET = GROUP_OUT, MET_HEIGHT = OUT_HEIGHT, MET_WIDTH = OUT_WIDTH;
constexpr int LINES = (HEIGHT + STRIDE_ROWS - 1) / STRIDE_ROWS;
constexpr int LINE = (WIDTH + STRIDE_COLS - 1) / STRIDE_COLS;
DEVICE Tap tap_of(unsigned tap, Phase phase) {
    const int row = phase.row + PADDING_ROWS - (int)(tap / KERNEL_WIDTH * DILATION_ROWS);
    const int col = phase.col + PADDING_COLS - (int)(tap % KERNEL_WIDTH * DILATION_COLS);
    return {row / STRIDE_ROWS, col / STRIDE_COLS, row % STRIDE_ROWS == 0 && col % STRIDE_COLS == 0};
}
#else
constexpr int MET = GROUP_IN, MET_HEIGHT = HEIGHT, MET_WIDTH = WIDTH;
constexpr int LINES = OUT_HEIGHT, LINE = OUT_WIDTH;
DEVICE Tap tap_of(unsigned tap, Phase) {
    const int row = tap / KERNEL_WIDTH * DILATION_ROWS - PADDING_ROWS;
    const int col = tap % KERNEL_WIDTH * DILATION_COLS - PADDING_COLS;
    return {row, col, true};
}
#endif
constexpr int MET_PLANE = MET_HEIGHT * MET_WIDTH;

#ifndef IS_weight_mma
// A tile of `a`: rows of the packed weights.
struct Packed {
    static constexpr int TILE = BM * ALONG, AT_ONCE = BLOCK / 4, COUNT = BM / AT_ONCE;
    const tile_t* from;
    unsigned words[(COUNT + 1) / 2][4];

    DEVICE unsigned row() const { return threadIdx.x / 4; }
    DEVICE unsigned piece() const { return threadIdx.x % 4 * PIECE; }
    DEVICE Packed(const tile_t* w, unsigned row0)
        : from(w + (size_t)(row0 + row()) * INNER + piece()) {}
    DEVICE void load(unsigned k, int half) {
#pragma unroll
        for (int t = first_of(COUNT, half); t < last_of(COUNT, half); ++t)
            load_pairs(words[t - first_of(COUNT, half)], (const unsigned*)(from + t * AT_ONCE * INNER + k));
    }
    DEVICE void put_to(tile_t* tile, int half) const {
#pragma unroll
        for (int t = first_of(COUNT, half); t < last_of(COUNT, half); ++t)
            store_pairs((unsigned*)(tile + (row() + t * AT_ONCE) * ALONG + piece()), words[t - first_of(COUNT, half)]);
    }
};

// A tile of `b`: the channels that windows meet at BN columns, images and places of LINES × LINE. A thread
// takes V neighbouring columns, at once if RIGHT_VECTOR.
struct Columns {
    static constexpr bool IS_ACROSS = true;
    static constexpr int V = RIGHT_VECTOR > 1 ? RIGHT_VECTOR : 2;
    static constexpr int TILE = BK * ACROSS, AT_ONCE = BLOCK / (BN / V), COUNT = BK / AT_ONCE;
    const x_t* x[V];
    int top[V], left[V];
    Phase phase;
    x_t loaded[(COUNT + 1) / 2][V];

    DEVICE unsigned row() const { return threadIdx.x / (BN / V); }
    DEVICE unsigned across() const { return threadIdx.x % (BN / V) * V; }
    DEVICE Columns(const x_t* of, unsigned g, unsigned col0, unsigned cols, Phase phase) : phase(phase) {
#pragma unroll
        for (int e = 0; e < V; ++e) {
            // Columns behind the last are the last.
            const unsigned col = RIGHT_VECTOR > 1 ? min(col0 + across(), cols - V) + e
                                                  : min(col0 + across() + e, cols - 1);
            const unsigned image = col / (LINES * LINE) * (GROUPS * MET) + g * MET;
            x[e] = of + (size_t)image * MET_PLANE;
            top[e] = col % (LINES * LINE) / LINE;
            left[e] = col % LINE;
#ifdef IS_forward_mma
            top[e] *= STRIDE_ROWS;
            left[e] *= STRIDE_COLS;
#endif
        }
    }
    // Where column `e` reads a channel by a tap, if that is within the plane.
    DEVICE bool place(const x_t*& at, int e, unsigned tap, unsigned channel) const {
        const Tap by = tap_of(tap, phase);
        const int row = top[e] + by.row, col = left[e] + by.col;
        at = x[e] + (size_t)channel * MET_PLANE + row * MET_WIDTH + col;
        return by.meets && row >= 0 && row < MET_HEIGHT && col >= 0 && col < MET_WIDTH;
    }
    DEVICE void load(unsigned k, int half) {
        const unsigned first = BY_TAPS ? k % CHANNELS + row() : 0;
        const x_t* from;
        if (RIGHT_VECTOR > 1) {
            place(from, 0, 0, first);
#pragma unroll
            for (int t = first_of(COUNT, half); t < last_of(COUNT, half); ++t) {
                const bool there = MET % BK == 0 || first + t * AT_ONCE < MET;
                fetch(loaded[t - first_of(COUNT, half)], from + t * AT_ONCE * MET_PLANE, there);
            }
            return;
        }
#pragma unroll
        for (int e = 0; e < V; ++e) {
            const bool within = BY_TAPS && place(from, e, k / CHANNELS, first);
#pragma unroll
            for (int t = first_of(COUNT, half); t < last_of(COUNT, half); ++t) {
                if (BY_TAPS) {
                    const bool there = MET % BK == 0 || first + t * AT_ONCE < MET;
                    loaded[t - first_of(COUNT, half)][e] = within && there ? from[t * AT_ONCE * MET_PLANE] : x_t{};
                } else {
                    const unsigned n = k + row() + t * AT_ONCE;
                    const bool there = place(from, e, n % WINDOW, n / WINDOW) && n < MET * WINDOW;
                    loaded[t - first_of(COUNT, half)][e] = there ? *from : x_t{};
                }
            }
        }
    }
    DEVICE void put_to(tile_t* tile, int half) const {
#pragma unroll
        for (int t = first_of(COUNT, half); t < last_of(COUNT, half); ++t) keep(tile + (row() + t * AT_ONCE) * ACROSS + across(), loaded[t - first_of(COUNT, half)]);
    }
};
#else
constexpr unsigned COLS = GROUP_IN * WINDOW;

// A tile of `a` or `b` of SIDE rows, each a plane of POSITIONS elements from image to image; PLANES are
// those of an image, and COUNT_OF those of a group. A thread takes V neighbours, at once if VECTOR.
template <typename T, int SIDE, int PLANES, int OF_GROUP, bool VECTOR, int V>
struct Planes {
    static constexpr bool IS_ACROSS = false;
    static constexpr int TILE = SIDE * ALONG, AT_ONCE = BLOCK / (BK / V), COUNT = SIDE / AT_ONCE;
    const T* x;
    int first;
    unsigned end;
    T loaded[(COUNT + 1) / 2][V];

    DEVICE unsigned row() const { return threadIdx.x / (BK / V); }
    DEVICE unsigned along() const { return threadIdx.x % (BK / V) * V; }
    DEVICE Planes(const T* x, unsigned g, unsigned row0, unsigned end)
        : x(x + (size_t)g * OF_GROUP * POSITIONS), first(row0 + row()), end(end) {}
    // From the first row of the thread to another. Rows behind the last are the last.
    DEVICE int distance(int t) const {
        return OF_GROUP % SIDE ? min(first + t * AT_ONCE, OF_GROUP - 1) - first : t * AT_ONCE;
    }
    DEVICE const T* place(unsigned k) const {
        const unsigned image = k / POSITIONS * PLANES;
        return x + (size_t)(image + first) * POSITIONS + k % POSITIONS;
    }
    DEVICE void load(unsigned k, int half) {
        if (VECTOR) {
            const T* from = place(k + along());
            const bool there = k + along() < end;
#pragma unroll
            for (int t = first_of(COUNT, half); t < last_of(COUNT, half); ++t) fetch(loaded[t - first_of(COUNT, half)], from + distance(t) * POSITIONS, there);
            return;
        }
#pragma unroll
        for (int e = 0; e < V; ++e) {
            const T* from = place(k + along() + e);
            const bool there = k + along() + e < end;
#pragma unroll
            for (int t = first_of(COUNT, half); t < last_of(COUNT, half); ++t)
                loaded[t - first_of(COUNT, half)][e] = there ? from[distance(t) * POSITIONS] : T{};
        }
    }
    DEVICE void put_to(tile_t* tile, int half) const {
#pragma unroll
        for (int t = first_of(COUNT, half); t < last_of(COUNT, half); ++t) keep(tile + (row() + t * AT_ONCE) * ALONG + along(), loaded[t - first_of(COUNT, half)]);
    }
};

// A tile of `b` of the weight's gradient: BN columns, each a tap of a channel, along positions of images.
struct Windows {
    static constexpr bool IS_ACROSS = false;
    static constexpr int V = 2;
    static constexpr int TILE = BN * ALONG, AT_ONCE = BLOCK / (BK / V), COUNT = BN / AT_ONCE;
    // All columns of the block have one tap.
    static constexpr bool SHARED = BY_TAPS && GROUP_IN % BN == 0;
    const x_t* x;
    unsigned col0, end;
    // From the first channel of the thread to that of another column.
    int distance[COUNT];
    Tap taps[COUNT];
    x_t loaded[(COUNT + 1) / 2][V];

    DEVICE unsigned row() const { return threadIdx.x / (BK / V); }
    DEVICE unsigned along() const { return threadIdx.x % (BK / V) * V; }
    DEVICE Windows(const x_t* of, unsigned g, unsigned col0, unsigned end) : end(end) {
        const unsigned first = SHARED ? col0 % GROUP_IN + row() : 0;
        x = of + (size_t)(g * GROUP_IN + first) * PIXELS;
#pragma unroll
        for (int t = 0; t < COUNT; ++t) {
            const unsigned col = min(col0 + row() + t * AT_ONCE, COLS - 1);
            const unsigned channel = BY_TAPS ? col % GROUP_IN : col / WINDOW;
            const unsigned tap = SHARED ? col0 / GROUP_IN : BY_TAPS ? col / GROUP_IN : col % WINDOW;
            taps[t] = tap_of(tap, {});
            const int by = taps[t].row * WIDTH + taps[t].col;
            distance[t] = SHARED ? t * AT_ONCE * PIXELS : (int)channel * PIXELS + by;
            if (SHARED && t == 0) x += by;
        }
    }
    DEVICE void load(unsigned k, int half) {
#pragma unroll
        for (int e = 0; e < V; ++e) {
            const unsigned n = k + along() + e, position = n % POSITIONS;
            const int top = position / OUT_WIDTH * STRIDE_ROWS, left = position % OUT_WIDTH * STRIDE_COLS;
            const x_t* from =
                x + (size_t)(n / POSITIONS * (GROUPS * GROUP_IN)) * PIXELS + top * WIDTH + left;
#pragma unroll
            for (int t = first_of(COUNT, half); t < last_of(COUNT, half); ++t) {
                const int row = top + taps[t].row, col = left + taps[t].col;
                const bool there = n < end && row >= 0 && row < HEIGHT && col >= 0 && col < WIDTH;
                loaded[t - first_of(COUNT, half)][e] = there ? from[distance[t]] : x_t{};
            }
        }
    }
    DEVICE void put_to(tile_t* tile, int half) const {
#pragma unroll
        for (int t = first_of(COUNT, half); t < last_of(COUNT, half); ++t) keep(tile + (row() + t * AT_ONCE) * ALONG + along(), loaded[t - first_of(COUNT, half)]);
    }
};
#endif

// Of a column of BN / 8 matrices the two from `col` on, at `k` along the inner axis.
template <bool IS_ACROSS>
DEVICE void right_factors(unsigned (&b)[4], const tile_t* tile, unsigned col, unsigned k) {
    const unsigned lane = threadIdx.x % 32;
    if (!IS_ACROSS) return load_matrices(b, tile + (col + lane % 8 + lane / 16 * 8) * ALONG + k + lane / 8 % 2 * PIECE);
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
