// Rows of `SIZE` elements, `INNER` apart, each shared by `LANES` threads: a power of two within a warp, or a
// block. A thread takes every LANES-th vector of `WIDTH` neighbours. Where these are few it keeps them in
// registers, and memory is read once; else each pass reads them again.

#define EACH ((SIZE / WIDTH + LANES - 1) / LANES)
#define KEPT (EACH * WIDTH <= 32)
// A kernel with blocks of so many threads.
#define ROW_KERNEL KERNEL __launch_bounds__(LANES > THREADS ? LANES : THREADS)

// What a thread has of a row.
struct Lane {
    unsigned row, lane;
    bool there;

    DEVICE Lane(unsigned rows) : row(thread_of_grid() / LANES), lane(threadIdx.x % LANES) {
        there = row < rows;
    }
    // The place of element `c`.
    DEVICE size_t at(unsigned c) const {
        return (size_t)(row / INNER) * (SIZE * INNER) + row % INNER + (size_t)c * INNER;
    }
    // `f(k, c)` for the thread's vectors: their numbers, and the first element of each. No thread leaves
    // where others of its warp go on.
    template <typename F>
    DEVICE void each(F f) const {
#pragma unroll(KEPT ? EACH : 4)
        for (int k = 0; k < EACH; ++k) {
            const unsigned c = (lane + k * LANES) * WIDTH;
            if (there && c < SIZE) f(k, c);
        }
    }
};

// A thread's part of an operand.
template <typename T>
struct Part {
    const T* x;
    const Lane& of;
    float kept[KEPT ? EACH : 1][WIDTH];

    DEVICE Part(const T* x, const Lane& of) : x(x), of(of) {
        if (KEPT) of.each([&](int k, unsigned c) { load(kept[k], x, of.at(c)); });
    }
    // Vector `k`, which starts at element `c`.
    DEVICE void read(float (&v)[WIDTH], int k, unsigned c) const {
        if (!KEPT) return load(v, x, of.at(c));
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) v[e] = kept[KEPT ? k : 0][e];
    }
};

// A thread's sum of a row: of few elements, or of any number.
struct RowSum {
    float few = 0.0f;
    Total many;

    DEVICE void add(float x) {
        if (KEPT) few += x;
        else many.add(x);
    }
    DEVICE void scale(float by) {
        if (KEPT) few *= by;
        else many.scale(by);
    }
    DEVICE float of_team() const { return team_sum<LANES>(KEPT ? few : many.value()); }
};
