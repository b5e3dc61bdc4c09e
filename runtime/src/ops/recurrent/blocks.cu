// All steps of recurrent cells: a block takes SAMPLES samples through them. What is multiplied with
// the weights `w [ROWS, COLS]` lies in shared memory. A thread sums four columns over the EACH rows
// of its group; the weights of the first KEPT rows stay in registers, the others are read from the
// caches at each step.

#define QUARTER ((COLS + 3) / 4)
#define UNITS ((SAMPLES * HIDDEN + BLOCK - 1) / BLOCK)

// Factors of the products, zeros behind ROWS, and the sums of each group.
struct Shared {
    float4 x[SAMPLES][GROUPS * EACH / 4];
    float parts[GROUPS][SAMPLES][COLS];
};

DEVICE float* factors(Shared& shared, unsigned sample) { return (float*)shared.x[sample]; }

DEVICE void clear(Shared& shared) {
    for (unsigned i = threadIdx.x; i < sizeof(Shared) / 4; i += BLOCK) ((float*)&shared)[i] = 0.0f;
    __syncthreads();
}

// Neighbouring threads take neighbouring columns, whatever their number.
DEVICE unsigned column(unsigned e) { return threadIdx.x % QUARTER + e * QUARTER; }

template <typename T>
DEVICE void load_row(float (&v)[4], const T* w, unsigned row) {
#pragma unroll
    for (unsigned e = 0; e < 4; ++e) {
        const bool is_there = row < ROWS && (COLS % 4 == 0 || column(e) < COLS);
        v[e] = is_there ? get(w, row * COLS + column(e)) : 0.0f;
    }
}

template <typename T>
DEVICE void keep(float (&kept)[KEPT][4], const T* w) {
#pragma unroll
    for (unsigned r = 0; r < KEPT; ++r) load_row(kept[r], w, threadIdx.x / QUARTER * EACH + r);
}

// Four rows from `row` on.
DEVICE void add_rows(float (&sums)[SAMPLES][4], const Shared& shared, const float (*w)[4], unsigned row) {
#pragma unroll
    for (unsigned sample = 0; sample < SAMPLES; ++sample) {
        const float4 x = shared.x[sample][row / 4];
#pragma unroll
        for (unsigned e = 0; e < 4; ++e) {
            float sum = fmaf(x.x, w[0][e], sums[sample][e]);
            sum = fmaf(x.y, w[1][e], sum);
            sum = fmaf(x.z, w[2][e], sum);
            sums[sample][e] = fmaf(x.w, w[3][e], sum);
        }
    }
}

// The sums of the thread's group.
template <typename T>
DEVICE void multiply_weights(Shared& shared, const float (&kept)[KEPT][4], const T* w) {
    const unsigned group = threadIdx.x / QUARTER, first = group * EACH;
    if (group >= GROUPS) return;
    float sums[SAMPLES][4] = {};
#pragma unroll
    for (unsigned r = 0; r < KEPT; r += 4) add_rows(sums, shared, kept + r, first + r);
#pragma unroll 1
    for (unsigned r = KEPT; r < EACH; r += 4) {
        float rows[4][4];
#pragma unroll
        for (unsigned i = 0; i < 4; ++i) load_row(rows[i], w, first + r + i);
        add_rows(sums, shared, rows, first + r);
    }
#pragma unroll
    for (unsigned sample = 0; sample < SAMPLES; ++sample) {
#pragma unroll
        for (unsigned e = 0; e < 4; ++e) {
            if (COLS % 4 == 0 || column(e) < COLS) {
                shared.parts[group][sample][column(e)] = sums[sample][e];
            }
        }
    }
}

DEVICE float product(const Shared& shared, unsigned sample, unsigned col) {
    float sum = 0.0f;
#pragma unroll
    for (unsigned group = 0; group < GROUPS; ++group) sum += shared.parts[group][sample][col];
    return sum;
}

// A float of a state: sample `b`, which is the block's `sample`, and place `u`. Samples behind the
// last one have no steps.
struct Unit {
    unsigned sample, u, b, length;
    bool exists;

    DEVICE Unit(unsigned n, const unsigned* lengths, unsigned steps, unsigned batch) {
        const unsigned i = threadIdx.x + n * BLOCK;
        sample = i / HIDDEN, u = i % HIDDEN, b = blockIdx.x * SAMPLES + sample;
        exists = sample < SAMPLES && b < batch;
        length = exists ? lengths ? lengths[b] : steps : 0;
    }

    DEVICE size_t of_state(unsigned s, unsigned steps, unsigned width) const {
        return ((size_t)b * steps + place(s, length)) * width + u;
    }
};

// The steps of the block's longest sample; behind it there are no products.
DEVICE unsigned longest(const unsigned* lengths, unsigned steps, unsigned batch) {
    unsigned most = lengths ? 0 : steps;
    for (unsigned i = 0; lengths && i < SAMPLES; ++i) {
        const unsigned b = blockIdx.x * SAMPLES + i;
        if (b < batch) most = max(most, lengths[b]);
    }
    return most;
}

#ifdef IS_forward_all
KERNEL __launch_bounds__(BLOCK)
forward_all(y_t* y, h_t* h_last, c_t* c_last, gates_t* gates, before_t* before, inner_t* inner,
            const x_t* x, const w_t* w, const bias_t* bias, const h_first_t* h_first,
            const c_first_t* c_first, const unsigned* lengths, unsigned steps, unsigned batch) {
    __shared__ Shared shared;
    float kept[KEPT][4], h[UNITS], c[UNITS];
    keep(kept, w);
    clear(shared);
#pragma unroll
    for (int n = 0; n < UNITS; ++n) {
        const Unit unit(n, lengths, steps, batch);
        const unsigned at = unit.b * HIDDEN + unit.u;
        h[n] = unit.exists && h_first ? get(h_first, at) : 0.0f;
        c[n] = unit.exists && c_first ? get(c_first, at) : 0.0f;
        if (unit.exists) factors(shared, unit.sample)[unit.u] = h[n];
    }
    const unsigned last = longest(lengths, steps, batch);
    __syncthreads();
    for (unsigned s = 0; s < steps; ++s) {
        // Before the products, which hide how long it takes.
        float g[UNITS][GATES];
#pragma unroll
        for (int n = 0; n < UNITS; ++n) {
            const Unit unit(n, lengths, steps, batch);
#pragma unroll
            for (int k = 0; k < GATES; ++k) {
                const size_t at = unit.of_state(s, steps, WIDTH) + k * HIDDEN;
                g[n][k] = s < unit.length ? get(x, at) : 0.0f;
            }
        }
        if ((s > 0 || h_first) && s < last) multiply_weights(shared, kept, w);
        __syncthreads();
#pragma unroll
        for (int n = 0; n < UNITS; ++n) {
            const Unit unit(n, lengths, steps, batch);
            if (!unit.exists) continue;
            float state = 0.0f, old = 0.0f, inner_of_step = 0.0f;
            if (s < unit.length) {
                float p[GATES];
#pragma unroll
                for (int k = 0; k < GATES; ++k) {
                    const unsigned col = k * HIDDEN + unit.u;
                    p[k] = (bias ? get(bias, col) : 0.0f) + product(shared, unit.sample, col);
                }
                old = h[n];
                inner_of_step = to_keep(p, c[n]);
                advance(g[n], p, h[n], c[n]);
                state = factors(shared, unit.sample)[unit.u] = h[n];
            }
            const size_t at = unit.of_state(s, steps, HIDDEN);
            put(y, at, state);
            if (before) put(before, at, old);
            if (inner) put(inner, at, inner_of_step);
            if (gates) {
#pragma unroll
                for (int k = 0; k < GATES; ++k) {
                    put(gates, unit.of_state(s, steps, WIDTH) + k * HIDDEN, g[n][k]);
                }
            }
        }
        __syncthreads();
    }
#pragma unroll
    for (int n = 0; n < UNITS; ++n) {
        const Unit unit(n, lengths, steps, batch);
        if (!unit.exists) continue;
        put(h_last, unit.b * HIDDEN + unit.u, h[n]);
        if (c_last) put(c_last, unit.b * HIDDEN + unit.u, c[n]);
    }
}
#endif

#ifdef IS_backward_all
struct Saved {
    Past past;
    float d_y;
};

KERNEL __launch_bounds__(BLOCK)
backward_all(d_x_t* d_x, d_products_t* d_products, d_h_t* d_h_first, d_c_t* d_c_first,
             const d_h_last_t* d_h_last, const d_c_last_t* d_c_last, const d_y_t* d_y,
             const gates_t* gates, const before_t* before, const inner_t* inner, const w_t* w,
             const unsigned* lengths, unsigned steps, unsigned batch) {
    __shared__ Shared shared;
    float kept[KEPT][4], d_h[UNITS], d_c[UNITS];
    Saved saved[UNITS];
    const auto read = [&](unsigned s) {
#pragma unroll
        for (int n = 0; n < UNITS; ++n) {
            const Unit unit(n, lengths, steps, batch);
            if (s >= unit.length) continue;
            const size_t at = unit.of_state(s, steps, HIDDEN);
            saved[n].d_y = d_y ? get(d_y, at) : 0.0f;
            if (CELL == 3) saved[n].past.before = get(before, at);
            if (CELL >= 2) saved[n].past.inner = get(inner, at);
#pragma unroll
            for (int k = 0; k < GATES; ++k) {
                saved[n].past.gates[k] = get(gates, unit.of_state(s, steps, WIDTH) + k * HIDDEN);
            }
        }
    };
    keep(kept, w);
    clear(shared);
#pragma unroll
    for (int n = 0; n < UNITS; ++n) {
        const Unit unit(n, lengths, steps, batch);
        const unsigned at = unit.b * HIDDEN + unit.u;
        d_h[n] = unit.exists && d_h_last ? get(d_h_last, at) : 0.0f;
        d_c[n] = unit.exists && d_c_last ? get(d_c_last, at) : 0.0f;
    }
    const unsigned last = longest(lengths, steps, batch);
    if (steps > 0) read(steps - 1);
    for (unsigned s = steps; s-- > 0;) {
#pragma unroll
        for (int n = 0; n < UNITS; ++n) {
            const Unit unit(n, lengths, steps, batch);
            if (!unit.exists) continue;
            float d[GATES] = {}, d_p[GATES] = {};
            if (s < unit.length) {
                d_h[n] += product(shared, unit.sample, unit.u) + saved[n].d_y;
                retreat(d, d_p, d_h[n], d_c[n], saved[n].past);
            }
#pragma unroll
            for (int k = 0; k < GATES; ++k) {
                const size_t at = unit.of_state(s, steps, WIDTH) + k * HIDDEN;
                factors(shared, unit.sample)[k * HIDDEN + unit.u] = d_p[k];
                put(d_x, at, d[k]);
                if (d_products) put(d_products, at, d_p[k]);
            }
        }
        // Before the products, which hide how long it takes.
        if (s > 0) read(s - 1);
        __syncthreads();
        if ((s > 0 || d_h_first) && s < last) multiply_weights(shared, kept, w);
        __syncthreads();
    }
#pragma unroll
    for (int n = 0; n < UNITS; ++n) {
        const Unit unit(n, lengths, steps, batch);
        if (!unit.exists) continue;
        const unsigned at = unit.b * HIDDEN + unit.u;
        if (d_h_first) put(d_h_first, at, d_h[n] + product(shared, unit.sample, unit.u));
        if (d_c_first) put(d_c_first, at, d_c[n]);
    }
}
#endif
