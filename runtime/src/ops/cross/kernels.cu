// Cross products of vectors whose elements are INNER apart.

#ifdef IS_cross
KERNEL cross(y_t* y, const a_t* a, const b_t* b, unsigned count) {
    const unsigned n = thread_of_grid();
    if (n >= count) return;
    const unsigned start = n / INNER * (3 * INNER) + n % INNER;
    float u[3], v[3];
#pragma unroll
    for (int i = 0; i < 3; ++i) {
        u[i] = get(a, start + i * INNER);
        v[i] = get(b, start + i * INNER);
    }
#pragma unroll
    for (int i = 0; i < 3; ++i) {
        const int j = (i + 1) % 3, k = (i + 2) % 3;
        put(y, start + i * INNER, u[j] * v[k] - u[k] * v[j]);
    }
}
#endif
