// Values in bf16, two of them in the place of a float.

#ifdef IS_narrow
KERNEL narrow(bf16* y, const x_t* x, unsigned count) {
    const unsigned i = thread_of_grid();
    if (i < count) put(y, i, get(x, i));
    // A value that is alone in its place.
    if (i == count && count % 2) y[i] = bf16{0};
}
#endif

#ifdef IS_widen
KERNEL widen(y_t* y, const bf16* x, unsigned count) {
    const unsigned i = thread_of_grid();
    if (i < count) put(y, i, get(x, i));
}
#endif
