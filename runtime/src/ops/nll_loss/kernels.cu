// Negative log likelihood of rows of `CLASSES` log-probabilities, `INNER` apart.

#ifdef IS_nll_loss
KERNEL nll_loss(float* losses, const log_probs_t* log_probs, const unsigned* label, unsigned rows) {
    const unsigned row = thread_of_grid();
    if (row >= rows) return;
    const unsigned start = row / INNER * (CLASSES * INNER) + row % INNER;
    losses[row] = -get(log_probs, start + label[row] * INNER);
}
#endif

#ifdef IS_nll_loss_grad
KERNEL nll_loss_grad(d_log_probs_t* d_log_probs, const float* d_loss, const unsigned* label,
                     unsigned rows) {
    const unsigned i = thread_of_grid();
    if (i >= rows * CLASSES) return;
    const unsigned c = i / INNER % CLASSES, row = i / (CLASSES * INNER) * INNER + i % INNER;
    put(d_log_probs, i, label[row] == c ? -d_loss[0] / rows : 0.0f);
}
#endif
