// Attention without its scores in memory: a block takes `BQ` queries of a head and meets `BK` keys
// after another, or takes `BK` keys and meets the queries. `TEAM` threads of a warp share a row of
// the tile. Tiles in shared memory have rows of `DIM + 1` floats, so that rows start at different
// banks.

#define PITCH (DIM + 1)
#define COLUMNS ((DIM + TEAM - 1) / TEAM)

// The rows of a sample and a head, as far apart as `row` floats.
struct Rows {
    unsigned batch, head, row;
    DEVICE size_t at(unsigned b, unsigned h, unsigned i) const {
        return (size_t)b * batch + (size_t)h * head + (size_t)i * row;
    }
};

DEVICE float team_row_sum(float x) {
#pragma unroll
    for (int away = TEAM / 2; away; away >>= 1) x += __shfl_xor_sync(~0u, x, away);
    return x;
}
DEVICE float team_row_max(float x) {
#pragma unroll
    for (int away = TEAM / 2; away; away >>= 1) x = larger(x, __shfl_xor_sync(~0u, x, away));
    return x;
}

// Rows `first..first + COUNT` of a head, zeros behind the last.
template <int COUNT, typename T>
DEVICE void load_tile(float* tile, const T* x, const Rows& rows, unsigned b, unsigned h,
                      unsigned first, unsigned end) {
    for (unsigned i = threadIdx.x; i < COUNT * DIM; i += THREADS) {
        const unsigned row = i / DIM, d = i % DIM;
        const bool there = first + row < end;
        tile[row * PITCH + d] = there ? get(x, rows.at(b, h, first + row) + d) : 0.0f;
    }
}

DEVICE float dot(const float* a, const float* b) {
    float sum = 0.0f;
#pragma unroll 8
    for (int d = 0; d < DIM; ++d) sum += a[d] * b[d];
    return sum;
}

// The keys that a query sees end there.
DEVICE unsigned end_of_keys(unsigned query, unsigned keys, unsigned causal) {
#if CAUSAL
    return min(keys, query + causal + 1);
#else
    return keys;
#endif
}

#if MASK
#define MASK_PARAMETERS , const mask_t* mask, unsigned mb, unsigned mh, unsigned mr
#define MASK_OF(b, h, i, j) get(mask, mask_rows.at(b, h, i) + j)
#define MASK_ROWS const Rows mask_rows{mb, mh, mr};
#else
#define MASK_PARAMETERS
#define MASK_OF(b, h, i, j) 0.0f
#define MASK_ROWS
#endif

#ifdef IS_attention
KERNEL __launch_bounds__(THREADS)
attention(y_t* y, unsigned yb, unsigned yh, unsigned yr, float* lse, const q_t* q, unsigned qb,
          unsigned qh, unsigned qr, const k_t* k, unsigned kb, unsigned kh, unsigned kr, const v_t* v,
          unsigned vb, unsigned vh, unsigned vr, float scale, unsigned queries, unsigned keys,
          unsigned causal MASK_PARAMETERS) {
    __shared__ float q_tile[BQ * PITCH], k_tile[BK * PITCH], v_tile[BK * PITCH], p_tile[BQ][BK + 1];
    const Rows of_q{qb, qh, qr}, of_k{kb, kh, kr}, of_v{vb, vh, vr}, of_y{yb, yh, yr};
    MASK_ROWS
    const unsigned tiles = (queries + BQ - 1) / BQ;
    const unsigned first = blockIdx.x % tiles * BQ, head = blockIdx.x / tiles;
    const unsigned b = head / HEADS, h = head % HEADS, kv = h / (HEADS / KV_HEADS);
    const unsigned r = threadIdx.x / TEAM, t = threadIdx.x % TEAM, i = first + r;
    load_tile<BQ>(q_tile, q, of_q, b, h, first, queries);

    float out[COLUMNS], max = -INFINITY, sum = 0.0f;
#pragma unroll
    for (int c = 0; c < COLUMNS; ++c) out[c] = 0.0f;
    const unsigned end = i < queries ? end_of_keys(i, keys, causal) : 0;
    const unsigned last = end_of_keys(min(first + BQ, queries) - 1, keys, causal);
    for (unsigned j0 = 0; j0 < last; j0 += BK) {
        __syncthreads();
        load_tile<BK>(k_tile, k, of_k, b, kv, j0, keys);
        load_tile<BK>(v_tile, v, of_v, b, kv, j0, keys);
        __syncthreads();
        float most = max;
        for (unsigned j = t; j < BK; j += TEAM) {
            float s = -INFINITY;
            if (j0 + j < end) {
                s = dot(q_tile + r * PITCH, k_tile + j * PITCH) * scale + MASK_OF(b, h, i, j0 + j);
            }
            p_tile[r][j] = s;
            most = larger(most, s);
        }
        most = team_row_max(most);
        // Where nothing is seen yet, nothing is carried.
        const float carry = most == -INFINITY ? 1.0f : expf(max - most);
        float part = 0.0f;
        for (unsigned j = t; j < BK; j += TEAM) {
            const float p = most == -INFINITY ? 0.0f : expf(p_tile[r][j] - most);
            p_tile[r][j] = p;
            part += p;
        }
        sum = sum * carry + team_row_sum(part);
        max = most;
        __syncwarp();
#pragma unroll
        for (int c = 0; c < COLUMNS; ++c) {
            const unsigned d = t + c * TEAM;
            if (d >= DIM) continue;
            float added = 0.0f;
            for (unsigned j = 0; j < BK; ++j) added += p_tile[r][j] * v_tile[j * PITCH + d];
            out[c] = out[c] * carry + added;
        }
    }
    if (i >= queries) return;
    const bool sees = max != -INFINITY;
#pragma unroll
    for (int c = 0; c < COLUMNS; ++c) {
        const unsigned d = t + c * TEAM;
        if (d < DIM) put(y, of_y.at(b, h, i) + d, sees ? out[c] / sum : 0.0f);
    }
    if (lse && t == 0) lse[(size_t)head * queries + i] = sees ? max + logf(sum) : INFINITY;
}
#endif

#ifdef IS_append
// Rows of keys or values go behind `past` others.
KERNEL append(y_t* y, unsigned yb, unsigned yh, unsigned yr, const x_t* x, unsigned xb, unsigned xh,
              unsigned xr, unsigned past, unsigned rows, unsigned count) {
    const Rows of_y{yb, yh, yr}, of_x{xb, xh, xr};
    const unsigned n = thread_of_grid();
    if (n >= count) return;
    const unsigned d = n % DIM, i = n / DIM % rows, head = n / DIM / rows;
    const unsigned b = head / KV_HEADS, h = head % KV_HEADS;
    put(y, of_y.at(b, h, past + i) + d, get(x, of_x.at(b, h, i) + d));
}
#endif

#ifdef IS_row_products
// `Σ d_y · y` of each query, by `TEAM` threads that load `WIDTH` neighbours at once.
KERNEL row_products(float* products, const d_y_t* d_y, unsigned db, unsigned dh, unsigned dr,
                    const y_t* y, unsigned yb, unsigned yh, unsigned yr, unsigned queries,
                    unsigned count) {
    const Rows of_d{db, dh, dr}, of_y{yb, yh, yr};
    const unsigned n = thread_of_grid() / TEAM, t = threadIdx.x % TEAM;
    const unsigned i = n % queries, head = n / queries, b = head / HEADS, h = head % HEADS;
    float sum = 0.0f;
    for (unsigned d = t * WIDTH; n < count && d < DIM; d += TEAM * WIDTH) {
        float along[WIDTH], of[WIDTH];
        load(along, d_y, of_d.at(b, h, i) + d);
        load(of, y, of_y.at(b, h, i) + d);
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) sum += along[e] * of[e];
    }
    sum = team_row_sum(sum);
    if (n < count && t == 0) products[n] = sum;
}
#endif

#ifdef IS_grad_queries
KERNEL __launch_bounds__(THREADS)
grad_queries(d_q_t* d_q, unsigned gb, unsigned gh, unsigned gr, const d_y_t* d_y, unsigned yb,
             unsigned yh, unsigned yr, const float* products, const float* lse, const q_t* q,
             unsigned qb, unsigned qh, unsigned qr, const k_t* k, unsigned kb, unsigned kh,
             unsigned kr, const v_t* v, unsigned vb, unsigned vh, unsigned vr, float scale,
             unsigned queries, unsigned keys, unsigned causal MASK_PARAMETERS) {
    __shared__ float q_tile[BQ * PITCH], d_y_tile[BQ * PITCH], k_tile[BK * PITCH];
    __shared__ float v_tile[BK * PITCH], d_s_tile[BQ][BK + 1];
    const Rows of_q{qb, qh, qr}, of_k{kb, kh, kr}, of_v{vb, vh, vr}, of_y{yb, yh, yr}, of_g{gb, gh, gr};
    MASK_ROWS
    const unsigned tiles = (queries + BQ - 1) / BQ;
    const unsigned first = blockIdx.x % tiles * BQ, head = blockIdx.x / tiles;
    const unsigned b = head / HEADS, h = head % HEADS, kv = h / (HEADS / KV_HEADS);
    const unsigned r = threadIdx.x / TEAM, t = threadIdx.x % TEAM, i = first + r;
    load_tile<BQ>(q_tile, q, of_q, b, h, first, queries);
    load_tile<BQ>(d_y_tile, d_y, of_y, b, h, first, queries);
    const bool there = i < queries;
    const float log_sum = there ? lse[(size_t)head * queries + i] : INFINITY;
    const float product = there ? products[(size_t)head * queries + i] : 0.0f;
    float out[COLUMNS];
#pragma unroll
    for (int c = 0; c < COLUMNS; ++c) out[c] = 0.0f;
    const unsigned end = there ? end_of_keys(i, keys, causal) : 0;
    const unsigned last = end_of_keys(min(first + BQ, queries) - 1, keys, causal);
    for (unsigned j0 = 0; j0 < last; j0 += BK) {
        __syncthreads();
        load_tile<BK>(k_tile, k, of_k, b, kv, j0, keys);
        load_tile<BK>(v_tile, v, of_v, b, kv, j0, keys);
        __syncthreads();
        for (unsigned j = t; j < BK; j += TEAM) {
            float d_s = 0.0f;
            if (j0 + j < end) {
                const float s =
                    dot(q_tile + r * PITCH, k_tile + j * PITCH) * scale + MASK_OF(b, h, i, j0 + j);
                const float d_p = dot(d_y_tile + r * PITCH, v_tile + j * PITCH);
                d_s = expf(s - log_sum) * (d_p - product) * scale;
            }
            d_s_tile[r][j] = d_s;
        }
        __syncwarp();
#pragma unroll
        for (int c = 0; c < COLUMNS; ++c) {
            const unsigned d = t + c * TEAM;
            if (d >= DIM) continue;
            for (unsigned j = 0; j < BK; ++j) out[c] += d_s_tile[r][j] * k_tile[j * PITCH + d];
        }
    }
    if (!there) return;
#pragma unroll
    for (int c = 0; c < COLUMNS; ++c) {
        const unsigned d = t + c * TEAM;
        if (d < DIM) put(d_q, of_g.at(b, h, i) + d, out[c]);
    }
}
#endif

#ifdef IS_grad_keys
// A block takes BQ keys here, and meets BK queries after another, of all heads that share the keys.
KERNEL __launch_bounds__(THREADS)
grad_keys(d_k_t* d_k, unsigned gb, unsigned gh, unsigned gr, d_v_t* d_v, unsigned hb, unsigned hh,
          unsigned hr, const d_y_t* d_y, unsigned yb, unsigned yh, unsigned yr, const float* products,
          const float* lse, const q_t* q, unsigned qb, unsigned qh, unsigned qr, const k_t* k,
          unsigned kb, unsigned kh, unsigned kr, const v_t* v, unsigned vb, unsigned vh, unsigned vr,
          float scale, unsigned queries, unsigned keys, unsigned causal MASK_PARAMETERS) {
    __shared__ float k_tile[BQ * PITCH], v_tile[BQ * PITCH], q_tile[BK * PITCH];
    __shared__ float d_y_tile[BK * PITCH], p_tile[BQ][BK + 1], d_s_tile[BQ][BK + 1];
    const Rows of_q{qb, qh, qr}, of_k{kb, kh, kr}, of_v{vb, vh, vr}, of_y{yb, yh, yr};
    const Rows of_d_k{gb, gh, gr}, of_d_v{hb, hh, hr};
    MASK_ROWS
    const unsigned tiles = (keys + BQ - 1) / BQ;
    const unsigned first = blockIdx.x % tiles * BQ, b = blockIdx.x / tiles / KV_HEADS;
    const unsigned kv = blockIdx.x / tiles % KV_HEADS;
    const unsigned r = threadIdx.x / TEAM, t = threadIdx.x % TEAM, j = first + r;
    load_tile<BQ>(k_tile, k, of_k, b, kv, first, keys);
    load_tile<BQ>(v_tile, v, of_v, b, kv, first, keys);
    float of_key[COLUMNS], of_value[COLUMNS];
#pragma unroll
    for (int c = 0; c < COLUMNS; ++c) of_key[c] = of_value[c] = 0.0f;
    for (unsigned h = kv * (HEADS / KV_HEADS); h < (kv + 1) * (HEADS / KV_HEADS); ++h) {
        const size_t head = ((size_t)b * HEADS + h) * queries;
        for (unsigned i0 = 0; i0 < queries; i0 += BK) {
#if CAUSAL
            // No query up to here sees the first key.
            if (first > i0 + BK - 1 + causal) continue;
#endif
            __syncthreads();
            load_tile<BK>(q_tile, q, of_q, b, h, i0, queries);
            load_tile<BK>(d_y_tile, d_y, of_y, b, h, i0, queries);
            __syncthreads();
            for (unsigned i = t; i < BK; i += TEAM) {
                float p = 0.0f, d_s = 0.0f;
                if (j < keys && i0 + i < queries && j < end_of_keys(i0 + i, keys, causal)) {
                    const float s = dot(q_tile + i * PITCH, k_tile + r * PITCH) * scale +
                                    MASK_OF(b, h, i0 + i, j);
                    const float d_p = dot(d_y_tile + i * PITCH, v_tile + r * PITCH);
                    p = expf(s - lse[head + i0 + i]);
                    d_s = p * (d_p - products[head + i0 + i]) * scale;
                }
                p_tile[r][i] = p;
                d_s_tile[r][i] = d_s;
            }
            __syncwarp();
#pragma unroll
            for (int c = 0; c < COLUMNS; ++c) {
                const unsigned d = t + c * TEAM;
                if (d >= DIM) continue;
                for (unsigned i = 0; i < BK; ++i) {
                    of_value[c] += p_tile[r][i] * d_y_tile[i * PITCH + d];
                    of_key[c] += d_s_tile[r][i] * q_tile[i * PITCH + d];
                }
            }
        }
    }
    if (j >= keys) return;
#pragma unroll
    for (int c = 0; c < COLUMNS; ++c) {
        const unsigned d = t + c * TEAM;
        if (d >= DIM) continue;
        put(d_k, of_d_k.at(b, kv, j) + d, of_key[c]);
        put(d_v, of_d_v.at(b, kv, j) + d, of_value[c]);
    }
}
#endif

#ifdef IS_grad_mask
// A block takes BQ rows and BK keys of the mask, and meets all queries that read them after
// another: those of `batches` samples, of all heads where SUM_HEADS is set, of all rows where
// SUM_ROWS is. A sum carries what rounding takes from it (W. Kahan, 1965).
#define EACH ((BK + TEAM - 1) / TEAM)
KERNEL __launch_bounds__(THREADS)
grad_mask(d_mask_t* d_mask, unsigned gb, unsigned gh, unsigned gr, unsigned batches, const d_y_t* d_y,
          unsigned yb, unsigned yh, unsigned yr, const float* products, const float* lse, const q_t* q,
          unsigned qb, unsigned qh, unsigned qr, const k_t* k, unsigned kb, unsigned kh, unsigned kr,
          const v_t* v, unsigned vb, unsigned vh, unsigned vr, float scale, unsigned queries,
          unsigned keys, unsigned causal MASK_PARAMETERS) {
    __shared__ float q_tile[BQ * PITCH], d_y_tile[BQ * PITCH], k_tile[BK * PITCH];
    __shared__ float v_tile[BK * PITCH], sum_tile[BQ][BK + 1];
    const Rows of_q{qb, qh, qr}, of_k{kb, kh, kr}, of_v{vb, vh, vr}, of_y{yb, yh, yr}, of_g{gb, gh, gr};
    MASK_ROWS
    const unsigned key_tiles = (keys + BK - 1) / BK, row_tiles = SUM_ROWS ? 1 : (queries + BQ - 1) / BQ;
    const unsigned heads = SUM_HEADS ? 1 : HEADS, same_heads = SUM_HEADS ? HEADS : 1;
    const unsigned j0 = blockIdx.x % key_tiles * BK, first = blockIdx.x / key_tiles % row_tiles * BQ;
    const unsigned head = blockIdx.x / key_tiles / row_tiles, h0 = head % heads, b0 = head / heads;
    const unsigned last = SUM_ROWS ? queries : min(first + BQ, queries);
    const unsigned r = threadIdx.x / TEAM, t = threadIdx.x % TEAM;
    float sum[EACH], lost[EACH];
#pragma unroll
    for (int c = 0; c < EACH; ++c) sum[c] = lost[c] = 0.0f;
    for (unsigned n = 0; n < batches * same_heads; ++n) {
        const unsigned b = b0 + n / same_heads, h = h0 + n % same_heads, kv = h / (HEADS / KV_HEADS);
        __syncthreads();
        load_tile<BK>(k_tile, k, of_k, b, kv, j0, keys);
        load_tile<BK>(v_tile, v, of_v, b, kv, j0, keys);
        for (unsigned i0 = first; i0 < last; i0 += BQ) {
#if CAUSAL
            // No query up to here sees the first key.
            if (j0 > i0 + BQ - 1 + causal) continue;
#endif
            __syncthreads();
            load_tile<BQ>(q_tile, q, of_q, b, h, i0, queries);
            load_tile<BQ>(d_y_tile, d_y, of_y, b, h, i0, queries);
            __syncthreads();
            const unsigned i = i0 + r;
            if (i >= queries) continue;
            const size_t query = ((size_t)b * HEADS + h) * queries + i;
            const unsigned end = end_of_keys(i, keys, causal);
#pragma unroll
            for (int c = 0; c < EACH; ++c) {
                const unsigned j = t + c * TEAM;
                if (j >= BK || j0 + j >= end) continue;
                const float s =
                    dot(q_tile + r * PITCH, k_tile + j * PITCH) * scale + MASK_OF(b, h, i, j0 + j);
                const float d_p = dot(d_y_tile + r * PITCH, v_tile + j * PITCH);
                const float added = expf(s - lse[query]) * (d_p - products[query]) - lost[c];
                const float more = sum[c] + added;
                lost[c] = more - sum[c] - added;
                sum[c] = more;
            }
        }
    }
    if (!SUM_ROWS) {
#pragma unroll
        for (int c = 0; c < EACH; ++c) {
            const unsigned j = t + c * TEAM;
            const bool there = j < BK && j0 + j < keys && first + r < queries;
            if (there) put(d_mask, of_g.at(b0, h0, first + r) + j0 + j, sum[c]);
        }
        return;
    }
#pragma unroll
    for (int c = 0; c < EACH; ++c) {
        const unsigned j = t + c * TEAM;
        if (j < BK) sum_tile[r][j] = sum[c];
    }
    __syncthreads();
    const unsigned j = threadIdx.x;
    if (j >= BK || j0 + j >= keys) return;
    float total = 0.0f;
    for (unsigned row = 0; row < BQ; ++row) total += sum_tile[row][j];
    put(d_mask, of_g.at(b0, h0, 0) + j0 + j, total);
}
#endif
