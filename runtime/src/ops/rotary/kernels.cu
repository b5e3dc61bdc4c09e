// Positions as angles: `position · BASE^(−2 pair / DIM)`, in doubles until it is between −π and π.

DEVICE float angle(unsigned position, unsigned pair) {
    const double turn = 6.283185307179586;
    const double frequency = pow((double)BASE, -2.0 * pair / DIM);
    const double angle = position * frequency;
    return (float)(angle - turn * rint(angle / turn));
}

#ifdef IS_rotary
// A thread turns a pair of a row: element `pair` of both halves, or neighbours.
KERNEL rotary(y_t* y, const x_t* x, unsigned past, unsigned len, unsigned count) {
    const unsigned n = thread_of_grid();
    if (n >= count) return;
    const unsigned pair = n % (DIM / 2), row = n / (DIM / 2), position = past + row / INNER % len;
    const size_t start = (size_t)row * DIM;
    const size_t a = start + (INTERLEAVED ? 2 * pair : pair);
    const size_t b = INTERLEAVED ? a + 1 : a + DIM / 2;
    const float by = angle(position, pair), c = cosf(by), s = INVERSE ? -sinf(by) : sinf(by);
    const float x_a = get(x, a), x_b = get(x, b);
    put(y, a, x_a * c - x_b * s);
    put(y, b, x_b * c + x_a * s);
}
#endif

#ifdef IS_sinusoidal
KERNEL sinusoidal(y_t* y, unsigned count) {
    const unsigned n = thread_of_grid();
    if (n >= count) return;
    const float of = angle(n / DIM, n % DIM / 2);
    put(y, n, n % DIM % 2 ? cosf(of) : sinf(of));
}
#endif
