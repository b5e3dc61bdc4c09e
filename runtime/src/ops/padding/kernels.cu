// Selection by the lengths of samples' sequences.

#ifdef IS_advance
// Samples whose sequences are longer than `t` take what is new, the others hold what they had.
KERNEL advance(y_t* y, const new__t* new_, const old_t* old, const unsigned* length, unsigned t,
            unsigned row, unsigned count) {
    const unsigned i = thread_of_grid();
    if (i >= count) return;
    put(y, i, t < length[i / row] ? get(new_, i) : old ? get(old, i) : 0.0f);
}
#endif

#ifdef IS_zero_padding
// Zeros behind the end of each sample.
KERNEL zero_padding(y_t* y, const x_t* x, const unsigned* length, unsigned steps, unsigned row, unsigned count) {
    const unsigned i = thread_of_grid();
    if (i >= count) return;
    put(y, i, i / row % steps < length[i / row / steps] ? get(x, i) : 0.0f);
}
#endif

#ifdef IS_replay
// What is now of samples that have a step `t`, else what `all` has of their first step, and of samples
// without any what it has of the first sample that has one.
KERNEL replay(y_t* y, const now_t* now, const all_t* all, const unsigned* length, unsigned t,
              unsigned place, unsigned row, unsigned batch, unsigned count) {
    const unsigned i = thread_of_grid();
    if (i >= count) return;
    unsigned source = i / row;
    if (t < length[source]) {
        put(y, i, get(now, i));
        return;
    }
    if (length[source] == 0) source = 0;
    while (source < batch && length[source] == 0) ++source;
    float value = 1.0f;
    if (source < batch) {
        const unsigned at = FORM == 0 ? place : FORM == 1 ? length[source] - 1 : place - length[source];
        value = get(all, ((size_t)at * batch + source) * row + i % row);
    }
    put(y, i, value);
}
#endif
