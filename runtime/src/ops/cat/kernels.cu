// An operand `x [outer, LEN]` is the part of `y [outer, TOTAL]` from column START on. A thread
// moves `WIDTH` neighbours.

// The place in `y` of element `i` of the operand.
DEVICE unsigned in_whole(unsigned i) { return i / LEN * TOTAL + START + i % LEN; }

#ifdef IS_cat
KERNEL cat(y_t* y, const x_t* x, unsigned count) {
    const unsigned i = thread_of_grid() * WIDTH;
    if (i >= count) return;
    float v[WIDTH];
    load(v, x, i);
    store(y, in_whole(i), v);
}
#endif

#ifdef IS_cat_grad
KERNEL cat_grad(d_x_t* d_x, const d_y_t* d_y, unsigned count) {
    const unsigned i = thread_of_grid() * WIDTH;
    if (i >= count) return;
    float v[WIDTH];
    load(v, d_y, in_whole(i));
    store(d_x, i, v);
}
#endif
