// Attention on tensor cores: factors are halves, sums are floats. Four warps take 16 rows each; a block
// meets BK rows of the other side after another, which lie in shared memory as halves. What a warp needs of
// its own rows stays in registers, in the fragments of `multiply`.

#define WARPS 4
#define OWN (16 * WARPS)
#define PITCH (DIM + 8)
#define DEPTH (DIM / 16)
#define WIDE (DIM / 8)
#define MET (BK / 8)

struct Rows {
    unsigned batch, head, row;
    DEVICE size_t at(unsigned b, unsigned h, unsigned i) const {
        return (size_t)b * batch + (size_t)h * head + (size_t)i * row;
    }
};

// Rows `first..first + BK` of a head, zeros behind the last.
template <typename T>
DEVICE void load_tile(HALF (*tile)[PITCH], const T* x, const Rows& rows, unsigned b, unsigned h,
                      unsigned first, unsigned end) {
    for (unsigned i = threadIdx.x; i < BK * DIM; i += 32 * WARPS) {
        const unsigned row = i / DIM, d = i % DIM;
        const bool there = first + row < end;
        round_to(tile[row][d], there ? get(x, rows.at(b, h, first + row) + d) : 0.0f);
    }
}

// The warp's 16 rows from `first` on as left factors.
template <typename T>
DEVICE void load_rows(unsigned (&a)[DEPTH][4], const T* x, const Rows& rows, unsigned b, unsigned h,
                      unsigned first, unsigned end) {
    const unsigned r = threadIdx.x % 32 / 4, c = threadIdx.x % 4 * 2;
#pragma unroll
    for (int k = 0; k < DEPTH; ++k) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const unsigned row = first + r + 8 * (i % 2), d = 16 * k + c + 8 * (i / 2);
            const size_t at = rows.at(b, h, row) + d;
            a[k][i] = row < end ? pack<HALF>(get(x, at), get(x, at + 1)) : 0;
        }
    }
}

// s [16, BK] = a [16, DIM] · tileᵀ
DEVICE void multiply_rows(float (&s)[MET][4], const unsigned (&a)[DEPTH][4], const HALF (*tile)[PITCH]) {
    const unsigned r = threadIdx.x % 32 / 4, c = threadIdx.x % 4 * 2;
#pragma unroll
    for (int n = 0; n < MET; ++n) {
        s[n][0] = s[n][1] = s[n][2] = s[n][3] = 0.0f;
#pragma unroll
        for (int k = 0; k < DEPTH; ++k) {
            const unsigned* row = (const unsigned*)tile[8 * n + r];
            const unsigned b[2] = {row[(16 * k + c) / 2], row[(16 * k + c + 8) / 2]};
            multiply<HALF>(s[n], a[k], b);
        }
    }
}

// out [16, DIM] += p [16, BK] · tile
DEVICE void multiply_columns(float (&out)[WIDE][4], const float (&p)[MET][4], const HALF (*tile)[PITCH]) {
    const unsigned r = threadIdx.x % 32 / 4, c = threadIdx.x % 4 * 2;
#pragma unroll
    for (int k = 0; k < MET / 2; ++k) {
        // A result of one product is the left factor of the next.
        const unsigned a[4] = {
            pack<HALF>(p[2 * k][0], p[2 * k][1]), pack<HALF>(p[2 * k][2], p[2 * k][3]),
            pack<HALF>(p[2 * k + 1][0], p[2 * k + 1][1]), pack<HALF>(p[2 * k + 1][2], p[2 * k + 1][3])};
#pragma unroll
        for (int n = 0; n < WIDE; ++n) {
            const auto pair = [&](unsigned row) {
                return tile[row][8 * n + r].bits | (unsigned)tile[row + 1][8 * n + r].bits << 16;
            };
            const unsigned b[2] = {pair(16 * k + c), pair(16 * k + c + 8)};
            multiply<HALF>(out[n], a, b);
        }
    }
}

// Over the four lanes that share a row.
DEVICE float row_sum(float x) {
    x += __shfl_xor_sync(~0u, x, 1);
    return x + __shfl_xor_sync(~0u, x, 2);
}
DEVICE float row_max(float x) {
    x = larger(x, __shfl_xor_sync(~0u, x, 1));
    return larger(x, __shfl_xor_sync(~0u, x, 2));
}

DEVICE bool sees(unsigned query, unsigned key, unsigned keys, unsigned causal) {
    return key < keys && (!CAUSAL || key <= query + causal);
}
// The keys that a query sees end there.
DEVICE unsigned end_of_keys(unsigned query, unsigned keys, unsigned causal) {
    return CAUSAL ? min(keys, query + causal + 1) : keys;
}

#if MASK
#define MASK_PARAMETERS , const mask_t* mask, unsigned mb, unsigned mh, unsigned mr
#define MASK_ROWS const Rows mask_rows{mb, mh, mr};
#define MASK_OF(b, h, i, j) get(mask, mask_rows.at(b, h, i) + j)
#else
#define MASK_PARAMETERS
#define MASK_ROWS
#define MASK_OF(b, h, i, j) 0.0f
#endif

#ifdef IS_attention_mma
KERNEL __launch_bounds__(32 * WARPS)
attention_mma(y_t* y, unsigned yb, unsigned yh, unsigned yr, float* lse, const q_t* q, unsigned qb,
              unsigned qh, unsigned qr, const k_t* k, unsigned kb, unsigned kh, unsigned kr,
              const v_t* v, unsigned vb, unsigned vh, unsigned vr, float scale, unsigned queries,
              unsigned keys, unsigned causal MASK_PARAMETERS) {
    __shared__ __align__(16) HALF k_tile[BK][PITCH], v_tile[BK][PITCH];
    const Rows of_q{qb, qh, qr}, of_k{kb, kh, kr}, of_v{vb, vh, vr}, of_y{yb, yh, yr};
    MASK_ROWS
    const unsigned blocks = (queries + OWN - 1) / OWN;
    const unsigned start = blockIdx.x % blocks * OWN, head = blockIdx.x / blocks;
    const unsigned b = head / HEADS, h = head % HEADS, kv = h / (HEADS / KV_HEADS);
    const unsigned first = start + threadIdx.x / 32 * 16;
    const unsigned r = threadIdx.x % 32 / 4, c = threadIdx.x % 4 * 2;
    unsigned of_rows[DEPTH][4];
    load_rows(of_rows, q, of_q, b, h, first, queries);
    float out[WIDE][4], most[2] = {-INFINITY, -INFINITY}, sum[2] = {0.0f, 0.0f};
#pragma unroll
    for (int n = 0; n < WIDE; ++n) out[n][0] = out[n][1] = out[n][2] = out[n][3] = 0.0f;
    const unsigned last = end_of_keys(min(start + OWN, queries) - 1, keys, causal);
    for (unsigned j0 = 0; j0 < last; j0 += BK) {
        __syncthreads();
        load_tile(k_tile, k, of_k, b, kv, j0, keys);
        load_tile(v_tile, v, of_v, b, kv, j0, keys);
        __syncthreads();
        float s[MET][4];
        multiply_rows(s, of_rows, k_tile);
        float max[2] = {most[0], most[1]};
#pragma unroll
        for (int n = 0; n < MET; ++n) {
#pragma unroll
            for (int e = 0; e < 4; ++e) {
                const unsigned i = first + r + 8 * (e / 2), j = j0 + 8 * n + c + e % 2;
                const bool seen = i < queries && sees(i, j, keys, causal);
                s[n][e] = seen ? s[n][e] * scale + MASK_OF(b, h, i, j) : -INFINITY;
                max[e / 2] = larger(max[e / 2], s[n][e]);
            }
        }
        float part[2] = {0.0f, 0.0f}, carry[2];
#pragma unroll
        for (int e = 0; e < 2; ++e) {
            max[e] = row_max(max[e]);
            carry[e] = max[e] == -INFINITY ? 1.0f : expf(most[e] - max[e]);
            most[e] = max[e];
        }
#pragma unroll
        for (int n = 0; n < MET; ++n) {
#pragma unroll
            for (int e = 0; e < 4; ++e) {
                s[n][e] = max[e / 2] == -INFINITY ? 0.0f : expf(s[n][e] - max[e / 2]);
                part[e / 2] += s[n][e];
            }
        }
#pragma unroll
        for (int e = 0; e < 2; ++e) sum[e] = sum[e] * carry[e] + row_sum(part[e]);
#pragma unroll
        for (int n = 0; n < WIDE; ++n) {
#pragma unroll
            for (int e = 0; e < 4; ++e) out[n][e] *= carry[e / 2];
        }
        multiply_columns(out, s, v_tile);
    }
#pragma unroll
    for (int e = 0; e < 4; ++e) {
        const unsigned i = first + r + 8 * (e / 2);
        if (i >= queries) continue;
        const bool any = most[e / 2] != -INFINITY;
#pragma unroll
        for (int n = 0; n < WIDE; ++n) {
            put(y, of_y.at(b, h, i) + 8 * n + c + e % 2, any ? out[n][e] / sum[e / 2] : 0.0f);
        }
        const bool writes = lse && e % 2 == 0 && c == 0;
        if (writes) lse[(size_t)head * queries + i] = any ? most[e / 2] + logf(sum[e / 2]) : INFINITY;
    }
}
#endif

#ifdef IS_grad_queries_mma
KERNEL __launch_bounds__(32 * WARPS)
grad_queries_mma(d_q_t* d_q, unsigned gb, unsigned gh, unsigned gr, const d_y_t* d_y, unsigned yb,
                 unsigned yh, unsigned yr, const float* products, const float* lse, const q_t* q,
                 unsigned qb, unsigned qh, unsigned qr, const k_t* k, unsigned kb, unsigned kh,
                 unsigned kr, const v_t* v, unsigned vb, unsigned vh, unsigned vr, float scale,
                 unsigned queries, unsigned keys, unsigned causal MASK_PARAMETERS) {
    __shared__ __align__(16) HALF k_tile[BK][PITCH], v_tile[BK][PITCH];
    const Rows of_q{qb, qh, qr}, of_k{kb, kh, kr}, of_v{vb, vh, vr}, of_y{yb, yh, yr}, of_g{gb, gh, gr};
    MASK_ROWS
    const unsigned blocks = (queries + OWN - 1) / OWN;
    const unsigned start = blockIdx.x % blocks * OWN, head = blockIdx.x / blocks;
    const unsigned b = head / HEADS, h = head % HEADS, kv = h / (HEADS / KV_HEADS);
    const unsigned first = start + threadIdx.x / 32 * 16;
    const unsigned r = threadIdx.x % 32 / 4, c = threadIdx.x % 4 * 2;
    unsigned q_rows[DEPTH][4], d_y_rows[DEPTH][4];
    load_rows(q_rows, q, of_q, b, h, first, queries);
    load_rows(d_y_rows, d_y, of_y, b, h, first, queries);
    float log_sum[2], product[2], out[WIDE][4];
#pragma unroll
    for (int e = 0; e < 2; ++e) {
        const unsigned i = first + r + 8 * e;
        log_sum[e] = i < queries ? lse[(size_t)head * queries + i] : INFINITY;
        product[e] = i < queries ? products[(size_t)head * queries + i] : 0.0f;
    }
#pragma unroll
    for (int n = 0; n < WIDE; ++n) out[n][0] = out[n][1] = out[n][2] = out[n][3] = 0.0f;
    const unsigned last = end_of_keys(min(start + OWN, queries) - 1, keys, causal);
    for (unsigned j0 = 0; j0 < last; j0 += BK) {
        __syncthreads();
        load_tile(k_tile, k, of_k, b, kv, j0, keys);
        load_tile(v_tile, v, of_v, b, kv, j0, keys);
        __syncthreads();
        float s[MET][4], d_p[MET][4];
        multiply_rows(s, q_rows, k_tile);
        multiply_rows(d_p, d_y_rows, v_tile);
#pragma unroll
        for (int n = 0; n < MET; ++n) {
#pragma unroll
            for (int e = 0; e < 4; ++e) {
                const unsigned i = first + r + 8 * (e / 2), j = j0 + 8 * n + c + e % 2;
                float d_s = 0.0f;
                if (i < queries && sees(i, j, keys, causal)) {
                    const float p = expf(s[n][e] * scale + MASK_OF(b, h, i, j) - log_sum[e / 2]);
                    d_s = p * (d_p[n][e] - product[e / 2]) * scale;
                }
                s[n][e] = d_s;
            }
        }
        multiply_columns(out, s, k_tile);
    }
#pragma unroll
    for (int e = 0; e < 4; ++e) {
        const unsigned i = first + r + 8 * (e / 2);
        if (i >= queries) continue;
#pragma unroll
        for (int n = 0; n < WIDE; ++n) put(d_q, of_g.at(b, h, i) + 8 * n + c + e % 2, out[n][e]);
    }
}
#endif

#ifdef IS_grad_keys_mma
// The rows of a block are keys here, and those that it meets are queries, of all heads that share the
// keys.
KERNEL __launch_bounds__(32 * WARPS)
grad_keys_mma(d_k_t* d_k, unsigned gb, unsigned gh, unsigned gr, d_v_t* d_v, unsigned hb, unsigned hh,
              unsigned hr, const d_y_t* d_y, unsigned yb, unsigned yh, unsigned yr,
              const float* products, const float* lse, const q_t* q, unsigned qb, unsigned qh,
              unsigned qr, const k_t* k, unsigned kb, unsigned kh, unsigned kr, const v_t* v,
              unsigned vb, unsigned vh, unsigned vr, float scale, unsigned queries, unsigned keys,
              unsigned causal MASK_PARAMETERS) {
    __shared__ __align__(16) HALF q_tile[BK][PITCH], d_y_tile[BK][PITCH];
    const Rows of_q{qb, qh, qr}, of_k{kb, kh, kr}, of_v{vb, vh, vr}, of_y{yb, yh, yr};
    const Rows of_d_k{gb, gh, gr}, of_d_v{hb, hh, hr};
    MASK_ROWS
    const unsigned blocks = (keys + OWN - 1) / OWN;
    const unsigned start = blockIdx.x % blocks * OWN, b = blockIdx.x / blocks / KV_HEADS;
    const unsigned kv = blockIdx.x / blocks % KV_HEADS, first = start + threadIdx.x / 32 * 16;
    const unsigned r = threadIdx.x % 32 / 4, c = threadIdx.x % 4 * 2;
    unsigned k_rows[DEPTH][4], v_rows[DEPTH][4];
    load_rows(k_rows, k, of_k, b, kv, first, keys);
    load_rows(v_rows, v, of_v, b, kv, first, keys);
    float of_key[WIDE][4], of_value[WIDE][4];
#pragma unroll
    for (int n = 0; n < WIDE; ++n) {
#pragma unroll
        for (int e = 0; e < 4; ++e) of_key[n][e] = of_value[n][e] = 0.0f;
    }
    for (unsigned h = kv * (HEADS / KV_HEADS); h < (kv + 1) * (HEADS / KV_HEADS); ++h) {
        const size_t head = ((size_t)b * HEADS + h) * queries;
        for (unsigned i0 = 0; i0 < queries; i0 += BK) {
            // No query up to here sees the first key.
            if (CAUSAL && start > i0 + BK - 1 + causal) continue;
            __syncthreads();
            load_tile(q_tile, q, of_q, b, h, i0, queries);
            load_tile(d_y_tile, d_y, of_y, b, h, i0, queries);
            __syncthreads();
            float p[MET][4], d_s[MET][4];
            multiply_rows(p, k_rows, q_tile);
            multiply_rows(d_s, v_rows, d_y_tile);
#pragma unroll
            for (int n = 0; n < MET; ++n) {
#pragma unroll
                for (int e = 0; e < 4; ++e) {
                    const unsigned j = first + r + 8 * (e / 2), i = i0 + 8 * n + c + e % 2;
                    float at = 0.0f, d_at = 0.0f;
                    if (i < queries && sees(i, j, keys, causal)) {
                        at = expf(p[n][e] * scale + MASK_OF(b, h, i, j) - lse[head + i]);
                        d_at = at * (d_s[n][e] - products[head + i]) * scale;
                    }
                    p[n][e] = at;
                    d_s[n][e] = d_at;
                }
            }
            multiply_columns(of_value, p, d_y_tile);
            multiply_columns(of_key, d_s, q_tile);
        }
    }
#pragma unroll
    for (int e = 0; e < 4; ++e) {
        const unsigned j = first + r + 8 * (e / 2);
        if (j >= keys) continue;
#pragma unroll
        for (int n = 0; n < WIDE; ++n) {
            const unsigned d = 8 * n + c + e % 2;
            put(d_k, of_d_k.at(b, kv, j) + d, of_key[n][e]);
            put(d_v, of_d_v.at(b, kv, j) + d, of_value[n][e]);
        }
    }
}
#endif
