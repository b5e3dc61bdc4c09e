// Normalisation of rows of `DIM` elements; `LANES` threads share a row. Weight and bias may be null.

#ifdef IS_layer_norm
KERNEL layer_norm(y_t* y, float* stats, const x_t* x, const weight_t* weight, const bias_t* bias,
                  float eps, unsigned rows) {
    const unsigned row = thread_of_grid() / LANES, lane = threadIdx.x % LANES;
    if (row >= rows) return;
    const size_t start = (size_t)row * DIM;
    float mean = 0.0f, squares = 0.0f;
#if CENTRED
    for (unsigned d = lane; d < DIM; d += LANES) mean += get(x, start + d);
    mean = team_sum<LANES>(mean) / DIM;
#endif
    for (unsigned d = lane; d < DIM; d += LANES) {
        const float away = get(x, start + d) - mean;
        squares += away * away;
    }
    const float scale = 1.0f / sqrtf(team_sum<LANES>(squares) / DIM + eps);
    for (unsigned d = lane; d < DIM; d += LANES) {
        const float normal = (get(x, start + d) - mean) * scale;
        put(y, start + d, normal * (weight ? get(weight, d) : 1.0f) + (bias ? get(bias, d) : 0.0f));
    }
    if (stats && lane == 0) {
        stats[2 * row] = mean;
        stats[2 * row + 1] = scale;
    }
}
#endif

#ifdef IS_layer_norm_grad
KERNEL layer_norm_grad(d_x_t* d_x, const d_y_t* d_y, const x_t* x, const weight_t* weight,
                       const float* stats, unsigned rows) {
    const unsigned row = thread_of_grid() / LANES, lane = threadIdx.x % LANES;
    if (row >= rows) return;
    const size_t start = (size_t)row * DIM;
    const float mean = stats[2 * row], scale = stats[2 * row + 1];
    float plain = 0.0f, along = 0.0f;
    for (unsigned d = lane; d < DIM; d += LANES) {
        const float g = get(d_y, start + d) * (weight ? get(weight, d) : 1.0f);
        plain += g;
        along += g * (get(x, start + d) - mean) * scale;
    }
    plain = CENTRED ? team_sum<LANES>(plain) / DIM : 0.0f;
    along = team_sum<LANES>(along) / DIM;
    for (unsigned d = lane; d < DIM; d += LANES) {
        const float g = get(d_y, start + d) * (weight ? get(weight, d) : 1.0f);
        const float normal = (get(x, start + d) - mean) * scale;
        put(d_x, start + d, (g - plain - normal * along) * scale);
    }
}
#endif

#ifdef IS_affine_parts
// The sums of the columns over groups of rows: a block takes 32 columns of a group, 8 threads share
// each. `parts [groups, 2, DIM]`
KERNEL affine_parts(float* parts, const d_y_t* d_y, const x_t* x, const float* stats, unsigned rows,
                    unsigned group) {
    __shared__ float of_weight[8][33], of_bias[8][33];
    const unsigned across = (DIM + 31) / 32, col = threadIdx.x % 32, line = threadIdx.x / 32;
    const unsigned d = blockIdx.x % across * 32 + col, part = blockIdx.x / across;
    const unsigned end = min((part + 1) * group, rows);
    float w = 0.0f, b = 0.0f;
    for (unsigned row = part * group + line; row < end && d < DIM; row += 8) {
        const float g = get(d_y, (size_t)row * DIM + d);
        w += g * (get(x, (size_t)row * DIM + d) - stats[2 * row]) * stats[2 * row + 1];
        b += g;
    }
    of_weight[line][col] = w;
    of_bias[line][col] = b;
    __syncthreads();
    if (line != 0 || d >= DIM) return;
    for (int i = 1; i < 8; ++i) {
        w += of_weight[i][col];
        b += of_bias[i][col];
    }
    parts[(2 * part) * DIM + d] = w;
    parts[(2 * part + 1) * DIM + d] = b;
}
#endif

#ifdef IS_affine_grad
KERNEL affine_grad(d_weight_t* d_weight, d_bias_t* d_bias, const float* parts, unsigned groups) {
    const unsigned d = thread_of_grid();
    if (d >= DIM) return;
    float w = 0.0f, b = 0.0f;
    for (unsigned part = 0; part < groups; ++part) {
        w += parts[(2 * part) * DIM + d];
        b += parts[(2 * part + 1) * DIM + d];
    }
    if (d_weight) put(d_weight, d, w);
    if (d_bias) put(d_bias, d, b);
}
#endif
