// Running sums along `SIZE` elements, `INNER` apart; a thread for each row. REVERSE starts from the
// last element.

KERNEL cumsum(y_t* y, const x_t* x, unsigned rows) {
    const unsigned row = thread_of_grid();
    if (row >= rows) return;
    const unsigned start = row / INNER * (SIZE * INNER) + row % INNER;
    float sum = 0.0f;
    for (unsigned c = 0; c < SIZE; ++c) {
        const unsigned i = start + (REVERSE ? SIZE - 1 - c : c) * INNER;
        sum += get(x, i);
        put(y, i, sum);
    }
}
