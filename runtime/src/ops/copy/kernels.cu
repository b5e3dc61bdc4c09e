// Copies, sums and constants.

#ifdef IS_copy
KERNEL copy(y_t* y, const x_t* x, unsigned count) {
    const unsigned i = thread_of_grid();
    if (i < count) put(y, i, get(x, i));
}
#endif

#ifdef IS_accumulate
KERNEL accumulate(y_t* y, const x_t* x, unsigned count) {
    const unsigned i = thread_of_grid();
    if (i < count) put(y, i, get(y, i) + get(x, i));
}
#endif

#ifdef IS_fill
KERNEL fill(y_t* y, float value, unsigned count) {
    const unsigned i = thread_of_grid();
    if (i < count) put(y, i, value);
}
#endif
