// Elements chosen along an axis of `SIZE` elements, COUNT of them, INNER apart.

#ifdef IS_gather
KERNEL gather(y_t* y, const x_t* x, const unsigned* index, unsigned count) {
    const unsigned n = thread_of_grid();
    if (n >= count) return;
    put(y, n, get(x, (n / (COUNT * INNER) * SIZE + index[n]) * INNER + n % INNER));
}
#endif

#ifdef IS_gather_grad
KERNEL gather_grad(d_x_t* d_x, const d_y_t* d_y, const unsigned* index, unsigned count) {
    const unsigned n = thread_of_grid();
    if (n >= count) return;
    const unsigned chosen = n / INNER % SIZE;
    const unsigned start = n / (SIZE * INNER) * (COUNT * INNER) + n % INNER;
    Total sum;
    for (unsigned j = 0; j < COUNT; ++j) {
        if (index[start + j * INNER] == chosen) sum.add(get(d_y, start + j * INNER));
    }
    put(d_x, n, sum.value());
}
#endif
