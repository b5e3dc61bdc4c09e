// The gradients of attention on tensor cores (tiles.cuh). They are scaled at the end.

#ifdef IS_grad_queries_mma
KERNEL __launch_bounds__(BLOCK, RESIDENT)
grad_queries_mma(d_q_t* d_q, unsigned gb, unsigned gh, unsigned gr, const d_y_t* d_y, unsigned yb,
                 unsigned yh, unsigned yr, const float* products, const float* lse, const q_t* q,
                 unsigned qb, unsigned qh, unsigned qr, const k_t* k, unsigned kb, unsigned kh,
                 unsigned kr, const v_t* v, unsigned vb, unsigned vh, unsigned vr, float scale,
                 unsigned queries, unsigned keys, unsigned causal MASK_PARAMETERS) {
    __shared__ __align__(16) Row tiles[2][2][BK];
    __shared__ float log_sums[OWN], of_own[OWN];
    const unsigned blocks = (queries + OWN - 1) / OWN, number = blockIdx.x % blocks;
    // The last queries see the most keys: first, so that no long block is the last to end.
    const unsigned start = (CAUSAL ? blocks - 1 - number : number) * OWN, head = blockIdx.x / blocks;
    const unsigned b = head / HEADS, h = head % HEADS, kv = h / (HEADS / KV_HEADS);
    const unsigned first = start + threadIdx.x / 32 * ROWS;
    const unsigned r = threadIdx.x % 32 / 4, c = threadIdx.x % 4 * 2;
    k += first_row(b, kb, kv, kh), v += first_row(b, vb, kv, vh);
    unsigned q_rows[TALL][DEPTH][4], d_y_rows[TALL][DEPTH][4];
    load_rows(q_rows, &tiles[0][0][0], q + first_row(b, qb, h, qh), qr, first, queries);
    load_rows(d_y_rows, &tiles[0][0][0], d_y + first_row(b, yb, h, yh), yr, first, queries);
    for (unsigned i = threadIdx.x; i < OWN; i += BLOCK) {
        const bool there = start + i < queries;
        const size_t query = (size_t)head * queries + (there ? start + i : 0);
        log_sums[i] = there ? lse[query] * LOG2_E : 0.0f;
        of_own[i] = there ? products[query] : 0.0f;
    }
    __syncthreads();
    const auto fetch_tiles = [&](unsigned j0) {
        Row(*to)[BK] = tiles[j0 / BK % 2];
        fetch_rows<BK, BLOCK>(to[0], k, kr, j0, keys);
        fetch_rows<BK, BLOCK>(to[1], v, vr, j0, keys);
    };
    fetch_tiles(0);

    float out[TALL][WIDE][4];
    clear(out);
    const float to_power = scale * LOG2_E;
    const unsigned last = end_of_keys(min(start + OWN, queries) - 1, keys, causal);
    for (unsigned j0 = 0; j0 < last; j0 += BK) {
        await_copies();
        __syncthreads();
        if (j0 + BK < last) fetch_tiles(j0 + BK);
        if (CAUSAL && j0 > first + ROWS - 1 + causal) continue;
        const Row(*tile)[BK] = tiles[j0 / BK % 2];
        float s[TALL][MET][4], d_p[TALL][MET][4];
        multiply_rows(s, q_rows, tile[0]);
        multiply_rows(d_p, d_y_rows, tile[1]);
        const bool all_seen = j0 + BK <= keys && (!CAUSAL || j0 + BK - 1 <= first + causal);
#pragma unroll
        for (int m = 0; m < TALL; ++m) {
#pragma unroll
            for (int e = 0; e < 4; ++e) {
                const unsigned i = first + 16 * m + r + 8 * (e / 2);
                const float log_sum = log_sums[i - start], product = of_own[i - start];
#pragma unroll
                for (int n = 0; n < MET; ++n) {
                    const unsigned j = j0 + 8 * n + c + e % 2;
                    float power = s[m][n][e] * to_power - log_sum;
                    if (MASK || !all_seen) {
                        const bool seen = i < queries && sees(i, j, keys, causal);
                        power = seen ? power + MASK_OF(b, h, i, j) : -INFINITY;
                    }
                    s[m][n][e] = power_of_two(power) * (d_p[m][n][e] - product);
                }
            }
        }
        multiply_columns(out, s, tile[0]);
    }
#pragma unroll
    for (int m = 0; m < TALL; ++m) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const unsigned i = first + 16 * m + r + 8 * half;
            if (i >= queries) continue;
            write_row(d_q + first_row(b, gb, h, gh) + (size_t)i * gr, out[m], half, scale);
        }
    }
}
#endif

#ifdef IS_grad_keys_mma
// The rows of a block are keys here, and those that it meets are queries, of all heads that share
// the keys. Where both gradients do not fit into registers, a launch takes one of them: `OF_KEYS`,
// `OF_VALUES`.
KERNEL __launch_bounds__(BLOCK, RESIDENT)
grad_keys_mma(d_k_t* d_k, unsigned gb, unsigned gh, unsigned gr, d_v_t* d_v, unsigned hb, unsigned hh,
              unsigned hr, const d_y_t* d_y, unsigned yb, unsigned yh, unsigned yr,
              const float* products, const float* lse, const q_t* q, unsigned qb, unsigned qh,
              unsigned qr, const k_t* k, unsigned kb, unsigned kh, unsigned kr, const v_t* v,
              unsigned vb, unsigned vh, unsigned vr, float scale, unsigned queries, unsigned keys,
              unsigned causal MASK_PARAMETERS) {
    __shared__ __align__(16) Row tiles[2][2][BK];
    // Of each query that is met: the logarithm of its sum and its product.
    __shared__ float of_met[2][2][BK];
    // The first keys are seen by the most queries.
    const unsigned blocks = (keys + OWN - 1) / OWN, start = blockIdx.x % blocks * OWN;
    const unsigned b = blockIdx.x / blocks / KV_HEADS, kv = blockIdx.x / blocks % KV_HEADS;
    const unsigned first = start + threadIdx.x / 32 * ROWS;
    const unsigned r = threadIdx.x % 32 / 4, c = threadIdx.x % 4 * 2;
    unsigned k_rows[TALL][DEPTH][4], v_rows[TALL][DEPTH][4];
    load_rows(k_rows, &tiles[0][0][0], k + first_row(b, kb, kv, kh), kr, first, keys);
    if (OF_KEYS) load_rows(v_rows, &tiles[0][0][0], v + first_row(b, vb, kv, vh), vr, first, keys);
    __syncthreads();
    // Queries before these see none of the keys.
    const unsigned from = CAUSAL && start > causal ? (start - causal) / BK * BK : 0;
    const unsigned each = from < queries ? (queries - from + BK - 1) / BK : 0;
    const unsigned count = each * (HEADS / KV_HEADS), head = kv * (HEADS / KV_HEADS);
    const auto fetch_tiles = [&](unsigned number) {
        const unsigned h = head + number / each, i0 = from + number % each * BK, at = number % 2;
        fetch_rows<BK, BLOCK>(tiles[at][0], q + first_row(b, qb, h, qh), qr, i0, queries);
        fetch_rows<BK, BLOCK>(tiles[at][1], d_y + first_row(b, yb, h, yh), yr, i0, queries);
        if (threadIdx.x < 2 * BK) {
            const unsigned i = threadIdx.x % BK;
            const float* of_queries = threadIdx.x < BK ? lse : products;
            const bool there = i0 + i < queries;
            const size_t query = ((size_t)b * HEADS + h) * queries + (there ? i0 + i : 0);
            copy_ahead<4>(&of_met[at][threadIdx.x / BK][i], of_queries + query, there);
        }
    };
    if (count > 0) fetch_tiles(0);

    float of_key[TALL][WIDE][4], of_value[TALL][WIDE][4];
    clear(of_key), clear(of_value);
    const float to_power = scale * LOG2_E;
    for (unsigned number = 0; number < count; ++number) {
        await_copies();
        __syncthreads();
        if (number + 1 < count) fetch_tiles(number + 1);
        const unsigned h = head + number / each, i0 = from + number % each * BK, at = number % 2;
        if (CAUSAL && first > i0 + BK - 1 + causal) continue;
        float p[TALL][MET][4], d_s[TALL][MET][4];
        multiply_rows(p, k_rows, tiles[at][0]);
        if (OF_KEYS) multiply_rows(d_s, v_rows, tiles[at][1]);
        // Queries behind the last are zeros, and add nothing.
        const bool all_seen = !CAUSAL || first + ROWS - 1 <= i0 + causal;
#pragma unroll
        for (int n = 0; n < MET; ++n) {
#pragma unroll
            for (int e = 0; e < 4; ++e) {
                const unsigned met = 8 * n + c + e % 2, i = i0 + met;
                const float log_sum = of_met[at][0][met] * LOG2_E, product = of_met[at][1][met];
#pragma unroll
                for (int m = 0; m < TALL; ++m) {
                    const unsigned j = first + 16 * m + r + 8 * (e / 2);
                    float power = p[m][n][e] * to_power - log_sum;
                    if (MASK || !all_seen) {
                        const bool seen = i < queries && sees(i, j, keys, causal);
                        power = seen ? power + MASK_OF(b, h, i, j) : -INFINITY;
                    }
                    p[m][n][e] = power_of_two(power);
                    if (OF_KEYS) d_s[m][n][e] = p[m][n][e] * (d_s[m][n][e] - product);
                }
            }
        }
        if (OF_VALUES) multiply_columns(of_value, p, tiles[at][1]);
        if (OF_KEYS) multiply_columns(of_key, d_s, tiles[at][0]);
    }
#pragma unroll
    for (int m = 0; m < TALL; ++m) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const unsigned j = first + 16 * m + r + 8 * half;
            if (j >= keys) continue;
            if (OF_KEYS) {
                write_row(d_k + first_row(b, gb, kv, gh) + (size_t)j * gr, of_key[m], half, scale);
            }
            if (OF_VALUES) {
                write_row(d_v + first_row(b, hb, kv, hh) + (size_t)j * hr, of_value[m], half, 1.0f);
            }
        }
    }
}
#endif
