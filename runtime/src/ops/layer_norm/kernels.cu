// Normalisation of rows (rows.cuh). Weight and bias may be null.

// Neighbours of a parameter.
template <typename T>
DEVICE void parameters(float (&v)[WIDTH], const T* of, unsigned c, float otherwise) {
    if (of) return load(v, of, c);
#pragma unroll
    for (int e = 0; e < WIDTH; ++e) v[e] = otherwise;
}

#ifdef IS_layer_norm
ROW_KERNEL layer_norm(y_t* y, float* stats, const x_t* x, const weight_t* weight, const bias_t* bias,
                      float eps, unsigned rows) {
    const Lane lane(rows);
    const Part<x_t> of_x(x, lane);
    float mean = 0.0f, squares = 0.0f;
#if CENTRED
    lane.each([&](int k, unsigned c) {
        float v[WIDTH];
        of_x.read(v, k, c);
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) mean += v[e];
    });
    mean = team_sum<LANES>(mean) / SIZE;
#endif
    lane.each([&](int k, unsigned c) {
        float v[WIDTH];
        of_x.read(v, k, c);
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) squares += (v[e] - mean) * (v[e] - mean);
    });
    const float scale = 1.0f / sqrtf(team_sum<LANES>(squares) / SIZE + eps);
    lane.each([&](int k, unsigned c) {
        float v[WIDTH], w[WIDTH], b[WIDTH];
        of_x.read(v, k, c);
        parameters(w, weight, c, 1.0f);
        parameters(b, bias, c, 0.0f);
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) v[e] = (v[e] - mean) * scale * w[e] + b[e];
        store(y, lane.at(c), v);
    });
    if (stats && lane.there && lane.lane == 0) {
        stats[2 * lane.row] = mean;
        stats[2 * lane.row + 1] = scale;
    }
}
#endif

#ifdef IS_layer_norm_grad
ROW_KERNEL layer_norm_grad(d_x_t* d_x, const d_y_t* d_y, const x_t* x, const weight_t* weight,
                           const float* stats, unsigned rows) {
    const Lane lane(rows);
    const Part<d_y_t> of_d_y(d_y, lane);
    const Part<x_t> of_x(x, lane);
    const float mean = lane.there ? stats[2 * lane.row] : 0.0f;
    const float scale = lane.there ? stats[2 * lane.row + 1] : 0.0f;
    // `d_y · w`, and the normal row.
    const auto read = [&](float (&g)[WIDTH], float (&normal)[WIDTH], int k, unsigned c) {
        float w[WIDTH];
        of_d_y.read(g, k, c);
        of_x.read(normal, k, c);
        parameters(w, weight, c, 1.0f);
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) {
            g[e] *= w[e];
            normal[e] = (normal[e] - mean) * scale;
        }
    };
    float plain = 0.0f, along = 0.0f;
    lane.each([&](int k, unsigned c) {
        float g[WIDTH], normal[WIDTH];
        read(g, normal, k, c);
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) {
            plain += g[e];
            along += g[e] * normal[e];
        }
    });
    plain = CENTRED ? team_sum<LANES>(plain) / SIZE : 0.0f;
    along = team_sum<LANES>(along) / SIZE;
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
// The sums of the columns over groups of rows: a block takes 32 vectors of columns of a group, 8 threads
// share each. `parts [groups, 2, SIZE]`
KERNEL affine_parts(float* parts, const d_y_t* d_y, const x_t* x, const float* stats, unsigned rows,
                    unsigned group) {
    __shared__ float of_weight[8][32 * WIDTH], of_bias[8][32 * WIDTH];
    const unsigned across = (SIZE + 32 * WIDTH - 1) / (32 * WIDTH), line = threadIdx.x / 32;
    const unsigned first = blockIdx.x % across * 32 * WIDTH, part = blockIdx.x / across;
    const unsigned c = threadIdx.x % 32 * WIDTH, end = min((part + 1) * group, rows);
    float w[WIDTH], b[WIDTH];
#pragma unroll
    for (int e = 0; e < WIDTH; ++e) w[e] = b[e] = 0.0f;
    if (first + c < SIZE) {
#pragma unroll 4
        for (unsigned row = part * group + line; row < end; row += 8) {
            float g[WIDTH], v[WIDTH];
            load(g, d_y, (size_t)row * SIZE + first + c);
            load(v, x, (size_t)row * SIZE + first + c);
            const float mean = stats[2 * row], scale = stats[2 * row + 1];
#pragma unroll
            for (int e = 0; e < WIDTH; ++e) {
                w[e] += g[e] * (v[e] - mean) * scale;
                b[e] += g[e];
            }
        }
    }
#pragma unroll
    for (int e = 0; e < WIDTH; ++e) {
        of_weight[line][c + e] = w[e];
        of_bias[line][c + e] = b[e];
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
