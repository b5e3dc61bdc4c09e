// Copies, sums and constants, `WIDTH` elements a thread.

#ifdef IS_copy
KERNEL copy(y_t* y, const x_t* x, unsigned count) {
    const unsigned i = thread_of_grid() * WIDTH;
    if (i + WIDTH <= count) {
        float v[WIDTH];
        load(v, x, i);
        store(y, i, v);
    } else {
        for (unsigned e = i; e < count; ++e) put(y, e, get(x, e));
    }
}
#endif

#ifdef IS_accumulate
KERNEL accumulate(y_t* y, const x_t* x, unsigned count) {
    const unsigned i = thread_of_grid() * WIDTH;
    if (i + WIDTH <= count) {
        float sum[WIDTH], v[WIDTH];
        load(sum, y, i);
        load(v, x, i);
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) sum[e] += v[e];
        store(y, i, sum);
    } else {
        for (unsigned e = i; e < count; ++e) put(y, e, get(y, e) + get(x, e));
    }
}
#endif

#ifdef IS_fill
KERNEL fill(y_t* y, float value, unsigned count) {
    const unsigned i = thread_of_grid() * WIDTH;
    if (i + WIDTH <= count) {
        float v[WIDTH];
#pragma unroll
        for (int e = 0; e < WIDTH; ++e) v[e] = value;
        store(y, i, v);
    } else {
        for (unsigned e = i; e < count; ++e) put(y, e, value);
    }
}
#endif
