// Convolution on tensor cores, as the products of matrices that `kernels.cu` tells of. A block
// makes a tile of BM rows and BN columns, a warp of it WARP_ROWS × 32. Of the inner axis it meets
// BK places after BK: they are loaded into registers while those before, which lie in shared
// memory, are multiplied. Tiles are of halves, or with TF32 of floats of 10 bits behind the first.
//
// BY_TAPS the inner axis has all channels of a tap after those of another, each padded to CHANNELS,
// a multiple of BK: a step has one tap. Else it has all taps of a channel after those of another,
// and is padded to INNER. The columns of the weight's gradient are ordered alike, without padding.

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
#ifndef IS_pack_weights

// From row to row of a tile whose rows lie along the inner axis, and of one whose rows lie across
// it. Eight rows of a matrix lie in different banks.
constexpr int ALONG = BK + PIECE, ACROSS = BN + 8;

constexpr int WARP_ROWS = BM + BN == 256 ? 64 : 32, WARP_COLS = 32;
constexpr int BLOCK = 32 * (BM / WARP_ROWS) * (BN / WARP_COLS);
constexpr int MM = WARP_ROWS / 16, NN = WARP_COLS / 8;
constexpr int ROW_BLOCKS = (ROWS + BM - 1) / BM;
// Registers for this many blocks of a multiprocessor: 128 for each thread, or 168 in a block of
// four warps.
#define BOUNDS __launch_bounds__(BLOCK, BLOCK == 128 ? 3 : 2)

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
        for (int t = first_of(COUNT, half), i = 0; t < last_of(COUNT, half); ++t, ++i)
            load_pairs(words[i], (const unsigned*)(from + t * AT_ONCE * INNER + k));
    }
    DEVICE void put_to(tile_t* tile, int half) const {
#pragma unroll
        for (int t = first_of(COUNT, half), i = 0; t < last_of(COUNT, half); ++t, ++i)
            store_pairs((unsigned*)(tile + (row() + t * AT_ONCE) * ALONG + piece()), words[i]);
    }
};

// A tile of `b`: the channels that windows meet at BN columns, images and places of LINES × LINE. A
// thread takes V neighbouring columns, at once if RIGHT_VECTOR.
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
            for (int t = first_of(COUNT, half), i = 0; t < last_of(COUNT, half); ++t, ++i) {
                const bool there = MET % BK == 0 || first + t * AT_ONCE < MET;
                fetch(loaded[i], from + t * AT_ONCE * MET_PLANE, there);
            }
            return;
        }
#pragma unroll
        for (int e = 0; e < V; ++e) {
            const bool within = BY_TAPS && place(from, e, k / CHANNELS, first);
#pragma unroll
            for (int t = first_of(COUNT, half), i = 0; t < last_of(COUNT, half); ++t, ++i) {
                if (BY_TAPS) {
                    const bool there = MET % BK == 0 || first + t * AT_ONCE < MET;
                    loaded[i][e] = within && there ? from[t * AT_ONCE * MET_PLANE] : x_t{};
                } else {
                    const unsigned n = k + row() + t * AT_ONCE;
                    const bool there = place(from, e, n % WINDOW, n / WINDOW) && n < MET * WINDOW;
                    loaded[i][e] = there ? *from : x_t{};
                }
            }
        }
    }
    DEVICE void put_to(tile_t* tile, int half) const {
#pragma unroll
        for (int t = first_of(COUNT, half), i = 0; t < last_of(COUNT, half); ++t, ++i)
            keep(tile + (row() + t * AT_ONCE) * ACROSS + across(), loaded[i]);
    }
};
#else
constexpr unsigned COLS = GROUP_IN * WINDOW;

// A tile of `a` or `b` of SIDE rows, each a plane of POSITIONS elements from image to image; PLANES
// are those of an image, and COUNT_OF those of a group. A thread takes V neighbours, at once if
// VECTOR.
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
            for (int t = first_of(COUNT, half), i = 0; t < last_of(COUNT, half); ++t, ++i)
                fetch(loaded[i], from + distance(t) * POSITIONS, there);
            return;
        }
#pragma unroll
        for (int e = 0; e < V; ++e) {
            const T* from = place(k + along() + e);
            const bool there = k + along() + e < end;
#pragma unroll
            for (int t = first_of(COUNT, half), i = 0; t < last_of(COUNT, half); ++t, ++i)
                loaded[i][e] = there ? from[distance(t) * POSITIONS] : T{};
        }
    }
    DEVICE void put_to(tile_t* tile, int half) const {
#pragma unroll
        for (int t = first_of(COUNT, half), i = 0; t < last_of(COUNT, half); ++t, ++i)
            keep(tile + (row() + t * AT_ONCE) * ALONG + along(), loaded[i]);
    }
};

// A tile of `b` of the weight's gradient: BN columns, each a tap of a channel, along positions of
// images.
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
            for (int t = first_of(COUNT, half), i = 0; t < last_of(COUNT, half); ++t, ++i) {
                const int row = top + taps[t].row, col = left + taps[t].col;
                const bool there = n < end && row >= 0 && row < HEIGHT && col >= 0 && col < WIDTH;
                loaded[i][e] = there ? from[distance[t]] : x_t{};
            }
        }
    }
    DEVICE void put_to(tile_t* tile, int half) const {
#pragma unroll
        for (int t = first_of(COUNT, half), i = 0; t < last_of(COUNT, half); ++t, ++i)
            keep(tile + (row() + t * AT_ONCE) * ALONG + along(), loaded[i]);
    }
};
#endif
#endif
