// Attention on tensor cores (tiles.cuh).

// Over the four lanes that share a row.
DEVICE float row_sum(float x) {
    x += __shfl_xor_sync(~0u, x, 1);
    return x + __shfl_xor_sync(~0u, x, 2);
}
DEVICE float row_max(float x) {
    x = fmaxf(x, __shfl_xor_sync(~0u, x, 1));
    return fmaxf(x, __shfl_xor_sync(~0u, x, 2));
}

#ifdef IS_attention_mma
KERNEL __launch_bounds__(BLOCK, RESIDENT)
attention_mma(y_t* y, unsigned yb, unsigned yh, unsigned yr, float* lse, const q_t* q, unsigned qb,
              unsigned qh, unsigned qr, const k_t* k, unsigned kb, unsigned kh, unsigned kr,
              const v_t* v, unsigned vb, unsigned vh, unsigned vr, float scale, unsigned queries,
              unsigned keys, unsigned causal MASK_PARAMETERS) {
    __shared__ __align__(16) Row tiles[2][2][BK];
    const unsigned blocks = (queries + OWN - 1) / OWN, number = blockIdx.x % blocks;
    // The last queries see the most keys: first, so that no long block is the last to end.
    const unsigned start = (CAUSAL ? blocks - 1 - number : number) * OWN, head = blockIdx.x / blocks;
    const unsigned b = head / HEADS, h = head % HEADS, kv = h / (HEADS / KV_HEADS);
    const unsigned first = start + threadIdx.x / 32 * ROWS;
    const unsigned r = threadIdx.x % 32 / 4, c = threadIdx.x % 4 * 2;
    k += first_row(b, kb, kv, kh), v += first_row(b, vb, kv, vh);
    unsigned q_rows[TALL][DEPTH][4];
    load_rows(q_rows, &tiles[0][0][0], q + first_row(b, qb, h, qh), qr, first, queries);
    __syncthreads();
    const auto fetch_tiles = [&](unsigned j0) {
        Row(*to)[BK] = tiles[j0 / BK % 2];
        fetch_rows<BK, BLOCK>(to[0], k, kr, j0, keys);
        fetch_rows<BK, BLOCK>(to[1], v, vr, j0, keys);
    };
    fetch_tiles(0);

    float out[TALL][WIDE][4], most[TALL][2], sum[TALL][2];
    clear(out);
#pragma unroll
    for (int m = 0; m < TALL; ++m) {
        most[m][0] = most[m][1] = -INFINITY;
        sum[m][0] = sum[m][1] = 0.0f;
    }
    // With a mask, scores are scaled before it is added.
    const float to_power = scale * LOG2_E, factor = MASK ? 1.0f : to_power;
    const unsigned last = end_of_keys(min(start + OWN, queries) - 1, keys, causal);
    for (unsigned j0 = 0; j0 < last; j0 += BK) {
        await_copies();
        __syncthreads();
        if (j0 + BK < last) fetch_tiles(j0 + BK);
        if (CAUSAL && j0 > first + ROWS - 1 + causal) continue;
        const Row(*tile)[BK] = tiles[j0 / BK % 2];
        float s[TALL][MET][4];
        multiply_rows(s, q_rows, tile[0]);
        const bool all_seen = j0 + BK <= keys && (!CAUSAL || j0 + BK - 1 <= first + causal);
        if (MASK || !all_seen) {
#pragma unroll
            for (int m = 0; m < TALL; ++m) {
#pragma unroll
                for (int n = 0; n < MET; ++n) {
#pragma unroll
                    for (int e = 0; e < 4; ++e) {
                        const unsigned i = first + 16 * m + r + 8 * (e / 2), j = j0 + 8 * n + c + e % 2;
                        const bool seen = i < queries && sees(i, j, keys, causal);
                        if (MASK && seen) s[m][n][e] = s[m][n][e] * to_power + MASK_OF(b, h, i, j);
                        if (!seen) s[m][n][e] = -INFINITY;
                    }
                }
            }
        }
#pragma unroll
        for (int m = 0; m < TALL; ++m) {
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                float max = most[m][half];
#pragma unroll
                for (int n = 0; n < MET; ++n) {
                    max = fmaxf(max, fmaxf(s[m][n][2 * half], s[m][n][2 * half + 1]));
                }
                max = row_max(max);
                // Where nothing is seen yet, every power is 0.
                const float base = max == -INFINITY ? 0.0f : max * factor;
                const float carry = power_of_two(most[m][half] * factor - base);
                most[m][half] = max;
                float part = 0.0f;
#pragma unroll
                for (int n = 0; n < MET; ++n) {
#pragma unroll
                    for (int e = 2 * half; e < 2 * half + 2; ++e) {
                        s[m][n][e] = power_of_two(s[m][n][e] * factor - base);
                        part += s[m][n][e];
                    }
                }
                sum[m][half] = sum[m][half] * carry + part;
#pragma unroll
                for (int n = 0; n < WIDE; ++n) {
                    out[m][n][2 * half] *= carry;
                    out[m][n][2 * half + 1] *= carry;
                }
            }
        }
        multiply_columns(out, s, tile[1]);
    }
#pragma unroll
    for (int m = 0; m < TALL; ++m) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const unsigned i = first + 16 * m + r + 8 * half;
            const float total = row_sum(sum[m][half]);
            if (i >= queries) continue;
            const bool any = total != 0.0f;
            write_row(y + first_row(b, yb, h, yh) + (size_t)i * yr, out[m], half, any ? 1.0f / total : 0.0f);
            if (lse && c == 0) {
                const float log_sum = most[m][half] * factor * LN_2 + logf(total);
                lse[(size_t)head * queries + i] = any ? log_sum : INFINITY;
            }
        }
    }
}
#endif
