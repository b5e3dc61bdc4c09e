// Reductions of channels of `x [batch, CHANNELS, INNER]`: a block takes a part of a channel, and
// the parts are combined in their order. Element `e` of a channel is element `e % INNER` of sample
// `e / INNER`.

DEVICE size_t element(unsigned channel, unsigned e) {
    return ((size_t)(e / INNER) * CHANNELS + channel) * INNER + e % INNER;
}

#ifdef IS_moments
// Vectors of a thread that are in registers at once.
#define KEPT (16 / WIDTH)
#define TILE (unsigned)(KEPT * WIDTH * THREADS)

// `f(k, e)` for the thread's vectors of a tile: their numbers, and the first element of each.
template <typename F>
DEVICE void each(unsigned count, F f) {
#pragma unroll
    for (int k = 0; k < KEPT; ++k) {
        const unsigned e = (threadIdx.x + k * THREADS) * WIDTH;
        if (e < count) f(k, e);
    }
}

// Elements are summed as such a part of themselves, so that the sum of a tile stays in the range.
#define SMALL (1.0f / 4096)

// The mean of each part and the squares around it: `parts [CHANNELS, splits, 2]`. Tile by tile,
// each of which is read once (T. Chan, G. Golub, R. LeVeque, 1979). What the mean of a tile is off
// is summed with the squares around it, which for large numbers are squares of parts.
KERNEL moments(double* parts, const x_t* x, unsigned count, unsigned chunk, unsigned splits) {
    const unsigned channel = blockIdx.x / splits, from = blockIdx.x % splits * chunk;
    const unsigned end = min(from + chunk, count);
    double mean = 0.0, squares = 0.0;
    for (unsigned start = from; start < end; start += TILE) {
        const unsigned here = min(TILE, end - start), before = start - from;
        float kept[KEPT][WIDTH], sum = 0.0f;
        each(here, [&](int k, unsigned e) { load(kept[k], x, element(channel, start + e)); });
        each(here, [&](int k, unsigned) {
#pragma unroll
            for (int i = 0; i < WIDTH; ++i) sum += SMALL * kept[k][i];
        });
        const float of_tile = block_sum(sum) * (1.0f / SMALL / here);
        float off = 0.0f, plain = 0.0f, large = 0.0f, small = 0.0f;
        const float down = 0x1p-64f, up = 0x1p64f;
        each(here, [&](int k, unsigned) {
#pragma unroll
            for (int i = 0; i < WIDTH; ++i) {
                const float distance = kept[k][i] - of_tile;
                off += distance;
                plain += distance * distance;
                large += (down * distance) * (down * distance);
                small += (up * distance) * (up * distance);
            }
        });
        // A thread's squares as those that are in the range of floats.
        double around = plain;
        if (plain > 0x1p100f) around = (double)large * 0x1p64 * 0x1p64;
        if (plain < 0x1p-80f && small < 0x1p100f) around = (double)small * 0x1p-64 * 0x1p-64;
        double all_off = off;
        block_sums(around, all_off);
        all_off /= here;
        around = fmax(around - all_off * all_off * here, 0.0);
        const double away = of_tile + all_off - mean, share = (double)here / (before + here);
        squares += around + away * away * before * share;
        mean += away * share;
    }
    if (threadIdx.x == 0) {
        parts[2 * blockIdx.x] = mean;
        parts[2 * blockIdx.x + 1] = squares;
    }
}
#endif

#ifdef IS_statistics
// Numbers of batches (count.rs): beyond 2^24 in the bits of a float.
#define WHOLE 16777216.0f
DEVICE double count_of(float place) {
    if (!(place > WHOLE) || place == INFINITY) return place;
    return WHOLE + (double)(__float_as_int(place) - __float_as_int(WHOLE));
}
DEVICE float with_one_more(float place) {
    if (place < WHOLE) return place + 1.0f;
    return __int_as_float(min(__float_as_int(place) + 1, 0x7f7fffff));
}

// From the parts to the statistics of a batch, and the running ones where there are some (T. Chan,
// G. Golub, R. LeVeque, 1979). `weight` is that of this batch, negative for an equal weight of all.
KERNEL statistics(float* mean, float* rest, float* invstd, new_mean_t* new_mean, new_var_t* new_var,
                  new_batches_t* new_batches, const old_mean_t* old_mean, const old_var_t* old_var,
                  const old_batches_t* old_batches, const double* parts, float eps, float momentum,
                  unsigned count, unsigned chunk, unsigned splits) {
    const unsigned channel = thread_of_grid();
    if (channel >= CHANNELS) return;
    double mu = 0.0, squares = 0.0, seen = 0.0;
    for (unsigned part = 0; part < splits; ++part) {
        const double n = min(chunk, count - part * chunk);
        const double away = parts[2 * (channel * splits + part)] - mu;
        seen += n;
        squares += parts[2 * (channel * splits + part) + 1] + away * away * (seen - n) * n / seen;
        mu += away * n / seen;
    }
    mean[channel] = (float)mu;
    rest[channel] = (float)(mu - (float)mu);
    invstd[channel] = (float)(1.0 / sqrt(squares / count + (double)eps));
    if (!new_mean) return;
    const float before = old_batches[0];
    const double weight = momentum < 0.0f ? 1.0 / (count_of(before) + 1.0) : momentum;
    const double old = old_var[channel];
    new_mean[channel] = (float)((1.0 - weight) * old_mean[channel] + weight * mu);
    // One element has no unbiased variance.
    const double moved = count > 1 ? (1.0 - weight) * old + weight * squares / (count - 1.0) : old;
    new_var[channel] = (float)moved;
    if (channel == 0) new_batches[0] = with_one_more(before);
}
#endif

#ifdef IS_sums
// `Σ d_y (x − mean) invstd` and `Σ d_y` of each part. Few are summed in floats.
#define FEW (32 / WIDTH)
KERNEL sums(double* parts, const d_y_t* d_y, const x_t* x, const float* mean, const float* rest,
            const float* invstd, unsigned count, unsigned chunk, unsigned splits) {
    const unsigned channel = blockIdx.x / splits, from = blockIdx.x % splits * chunk;
    const unsigned end = min(from + chunk, count);
    const float mu = mean[channel], scale = invstd[channel], shift = -rest[channel] * scale;
    double along = 0.0, plain = 0.0;
    unsigned e = from + threadIdx.x * WIDTH;
    while (e < end) {
        float of_few = 0.0f, plain_few = 0.0f;
#pragma unroll 4
        for (int n = 0; n < FEW && e < end; ++n, e += THREADS * WIDTH) {
            float g[WIDTH], v[WIDTH];
            load(g, d_y, element(channel, e));
            load(v, x, element(channel, e));
#pragma unroll
            for (int i = 0; i < WIDTH; ++i) {
                of_few += g[i] * ((v[i] - mu) * scale + shift);
                plain_few += g[i];
            }
        }
        along += of_few;
        plain += plain_few;
    }
    block_sums(along, plain);
    if (threadIdx.x == 0) {
        parts[2 * blockIdx.x] = along;
        parts[2 * blockIdx.x + 1] = plain;
    }
}
#endif

#ifdef IS_combine
KERNEL combine(d_w_t* d_w, d_b_t* d_b, const double* parts, unsigned splits) {
    const unsigned channel = thread_of_grid();
    if (channel >= CHANNELS) return;
    double along = 0.0, plain = 0.0;
    for (unsigned part = 0; part < splits; ++part) {
        along += parts[2 * (channel * splits + part)];
        plain += parts[2 * (channel * splits + part) + 1];
    }
    put(d_w, channel, (float)along);
    put(d_b, channel, (float)plain);
}
#endif
