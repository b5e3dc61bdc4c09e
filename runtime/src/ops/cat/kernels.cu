// An operand `x [outer, LEN]` is the part of `y [outer, TOTAL]` from column START on.

#ifdef IS_cat
KERNEL cat(y_t* y, const x_t* x, unsigned count) {
    const unsigned i = thread_of_grid();
    if (i < count) put(y, i / LEN * TOTAL + START + i % LEN, get(x, i));
}
#endif

#ifdef IS_cat_grad
KERNEL cat_grad(d_x_t* d_x, const d_y_t* d_y, unsigned count) {
    const unsigned i = thread_of_grid();
    if (i < count) put(d_x, i, get(d_y, i / LEN * TOTAL + START + i % LEN));
}
#endif
