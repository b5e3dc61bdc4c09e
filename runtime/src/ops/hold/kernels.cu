// Samples whose sequences are longer than `t` take what is new, the others hold what they had.

KERNEL hold(y_t* y, const new__t* new_, const old_t* old, const unsigned* length, unsigned t,
            unsigned row, unsigned count) {
    const unsigned i = thread_of_grid();
    if (i >= count) return;
    put(y, i, t < length[i / row] ? get(new_, i) : old ? get(old, i) : 0.0f);
}
