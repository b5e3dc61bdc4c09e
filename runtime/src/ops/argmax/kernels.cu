// The place of the largest of `SIZE` elements, `INNER` apart; `LANES` threads share a row.

// Whether `a` at place `i` comes before `b` at place `j`: larger, NaN the largest, the first of
// equals.
DEVICE bool wins(float a, unsigned i, float b, unsigned j) {
    const bool a_nan = a != a, b_nan = b != b;
    if (a_nan != b_nan) return a_nan;
    return a > b || ((a == b || a_nan) && i < j);
}

KERNEL argmax(y_t* y, const x_t* x, unsigned rows) {
    const unsigned row = thread_of_grid() / LANES, lane = threadIdx.x % LANES;
    if (row >= rows) return;
    const unsigned start = row / INNER * (SIZE * INNER) + row % INNER;
    float best = -INFINITY;
    unsigned place = lane < SIZE ? lane : 0;
    for (unsigned c = lane; c < SIZE; c += LANES) {
        const float value = get(x, start + c * INNER);
        if (wins(value, c, best, place)) {
            best = value;
            place = c;
        }
    }
#if LANES == 32
#pragma unroll
    for (int away = 16; away; away >>= 1) {
        const float other = __shfl_xor_sync(~0u, best, away);
        const unsigned there = __shfl_xor_sync(~0u, place, away);
        if (wins(other, there, best, place)) {
            best = other;
            place = there;
        }
    }
#endif
    if (lane == 0) put(y, row, (float)place);
}
