// Normalisation of rows (rows.cuh). Weight and bias may be null.

// Neighbours of a parameter.
template <typename T>
DEVICE void parameters(float (&v)[WIDTH], const T* of, unsigned c, float otherwise) {
    if (of) return load(v, of, c);
#pragma unroll
    for (int e = 0; e < WIDTH; ++e) v[e] = otherwise;
}

// The statistics of a row: its mean is the sum of the first two, and the third is `1 / √(σ² + ε)`.
#define STATS 3

#ifdef IS_layer_norm
// The power of 2 that brings the largest element of a row near 1, as far as that is needed for
// squares.
DEVICE float near_one(float largest) {
    const int exponent = (__float_as_int(largest) >> 23 & 255) - 127;
    return __int_as_float((127 - min(max(exponent, -62), 120)) << 23);
}

ROW_KERNEL layer_norm(y_t* y, float* stats, const x_t* x, const weight_t* weight, const bias_t* bias,
                      float eps, unsigned rows) {
    const Lane lane(rows);
    const Part<x_t> of_x(x, lane);
    float largest = 0.0f;
    lane.each([&](int k, unsigned c) {
        float v[WIDTH];
        of_x.read(v, k, c);
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) largest = larger(largest, fabsf(v[e]));
    });
    // All below is in units of `1 / by`.
    const float by = near_one(team_max<LANES>(largest));
    float mean = 0.0f, off = 0.0f;
#if CENTRED
    RowSum of_row;
    lane.each([&](int k, unsigned c) {
        float v[WIDTH];
        of_x.read(v, k, c);
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) of_row.add(by * v[e]);
    });
    mean = of_row.of_team() / SIZE;
#endif
    RowSum distances, squares;
    lane.each([&](int k, unsigned c) {
        float v[WIDTH];
        of_x.read(v, k, c);
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) {
            const float distance = by * v[e] - mean;
            if (CENTRED) distances.add(distance);
            squares.add(distance * distance);
        }
    });
    // What the mean is off.
    if (CENTRED) off = distances.of_team() / SIZE;
    float variance = squares.of_team() / SIZE;
    variance = variance > off * off ? variance - off * off : variance * 0.0f;
    // Without a spread, `ε` alone, which may be too small in these units.
    const float scale = variance == 0.0f ? 1.0f / (sqrtf(eps) * by)
                                         : 1.0f / sqrtf(variance + eps * by * by);
    lane.each([&](int k, unsigned c) {
        float v[WIDTH], w[WIDTH], b[WIDTH];
        of_x.read(v, k, c);
        parameters(w, weight, c, 1.0f);
        parameters(b, bias, c, 0.0f);
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) v[e] = ((by * v[e] - mean) - off) * scale * w[e] + b[e];
        store(y, lane.at(c), v);
    });
    if (stats && lane.there && lane.lane == 0) {
        stats[STATS * lane.row] = mean / by;
        stats[STATS * lane.row + 1] = off / by;
        stats[STATS * lane.row + 2] = scale * by;
    }
}
#endif

// `x̂` of the elements of a row. Halves are subtracted: a difference of two floats may be none.
struct Hat {
    float minus_mean, scale, shift;

    DEVICE Hat(const float* stats, unsigned row, bool there = true) {
        const float mean = there ? stats[STATS * row] : 0.0f;
        const float rest = there ? stats[STATS * row + 1] : 0.0f;
        const float rstd = there ? stats[STATS * row + 2] : 0.0f;
        minus_mean = -0.5f * mean;
        scale = 2.0f * rstd;
        shift = -rest * rstd;
    }
    DEVICE float of(float x) const { return fmaf(fmaf(0.5f, x, minus_mean), scale, shift); }
};

#ifdef IS_layer_norm_grad
ROW_KERNEL layer_norm_grad(d_x_t* d_x, const d_y_t* d_y, const x_t* x, const weight_t* weight,
                           const float* stats, unsigned rows) {
    const Lane lane(rows);
    const Part<d_y_t> of_d_y(d_y, lane);
    const Part<x_t> of_x(x, lane);
    const Hat hat(stats, lane.row, lane.there);
    // `d_y · w`, and the normal row.
    const auto read = [&](float (&g)[WIDTH], float (&normal)[WIDTH], int k, unsigned c) {
        float w[WIDTH];
        of_d_y.read(g, k, c);
        of_x.read(normal, k, c);
        parameters(w, weight, c, 1.0f);
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) {
            g[e] *= w[e];
            normal[e] = hat.of(normal[e]);
        }
    };
    RowSum of_g, of_normal;
    lane.each([&](int k, unsigned c) {
        float g[WIDTH], normal[WIDTH];
        read(g, normal, k, c);
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) {
            of_g.add(g[e]);
            of_normal.add(g[e] * normal[e]);
        }
    });
    const float plain = CENTRED ? of_g.of_team() / SIZE : 0.0f;
    const float along = of_normal.of_team() / SIZE, scale = 0.5f * hat.scale;
    lane.each([&](int k, unsigned c) {
        float g[WIDTH], normal[WIDTH];
        read(g, normal, k, c);
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) g[e] = (g[e] - plain - normal[e] * along) * scale;
        store(d_x, lane.at(c), g);
    });
}
#endif

#ifdef IS_affine_parts
// The sums of the columns over groups of rows: a block takes 32 vectors of columns of a group, 8
// threads share each. `parts [groups, 2, SIZE]`
KERNEL affine_parts(float* parts, const d_y_t* d_y, const x_t* x, const float* stats, unsigned rows,
                    unsigned group) {
    __shared__ float of_weight[8][32 * WIDTH], of_bias[8][32 * WIDTH];
    const unsigned across = (SIZE + 32 * WIDTH - 1) / (32 * WIDTH), line = threadIdx.x / 32;
    const unsigned first = blockIdx.x % across * 32 * WIDTH, part = blockIdx.x / across;
    const unsigned c = threadIdx.x % 32 * WIDTH, end = min((part + 1) * group, rows);
    // A thread has many rows of a large group.
    Total w[WIDTH], b[WIDTH];
    if (first + c < SIZE) {
#pragma unroll 4
        for (unsigned row = part * group + line; row < end; row += 8) {
            float g[WIDTH], v[WIDTH];
            load(g, d_y, (size_t)row * SIZE + first + c);
            load(v, x, (size_t)row * SIZE + first + c);
            const Hat hat(stats, row);
#pragma unroll
            for (int e = 0; e < WIDTH; ++e) {
                w[e].add(g[e] * hat.of(v[e]));
                b[e].add(g[e]);
            }
        }
    }
#pragma unroll
    for (int e = 0; e < WIDTH; ++e) {
        of_weight[line][c + e] = w[e].value();
        of_bias[line][c + e] = b[e].value();
    }
    __syncthreads();
    const unsigned d = threadIdx.x;
    if (d >= 32 * WIDTH || first + d >= SIZE) return;
    float weight = 0.0f, bias = 0.0f;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
        weight += of_weight[i][d];
        bias += of_bias[i][d];
    }
    parts[(2 * part) * SIZE + first + d] = weight;
    parts[(2 * part + 1) * SIZE + first + d] = bias;
}
#endif

#ifdef IS_affine_grad
// The sums of the groups: a block takes 32 columns, 8 threads share each.
KERNEL affine_grad(d_weight_t* d_weight, d_bias_t* d_bias, const float* parts, unsigned groups) {
    __shared__ float of_weight[8][32], of_bias[8][32];
    const unsigned col = threadIdx.x % 32, line = threadIdx.x / 32, d = blockIdx.x * 32 + col;
    float w = 0.0f, b = 0.0f;
#pragma unroll 4
    for (unsigned part = line; part < groups && d < SIZE; part += 8) {
        w += parts[(2 * part) * SIZE + d];
        b += parts[(2 * part + 1) * SIZE + d];
    }
    of_weight[line][col] = w;
    of_bias[line][col] = b;
    __syncthreads();
    if (line != 0 || d >= SIZE) return;
#pragma unroll
    for (int i = 1; i < 8; ++i) {
        w += of_weight[i][col];
        b += of_bias[i][col];
    }
    if (d_weight) put(d_weight, d, w);
    if (d_bias) put(d_bias, d, b);
}
#endif
