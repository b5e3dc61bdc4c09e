// The scale of losses whose gradients are f16. `state`: the scale, the steps since it changed, and
// whether the last gradients were not finite.

#define GROWTH_INTERVAL 2000.0f

#ifdef IS_seed
KERNEL seed(d_loss_t* d_loss, const float* state) {
    if (thread_of_grid() == 0) put(d_loss, 0, state[0]);
}
#endif

#ifdef IS_clear
KERNEL clear(float* state) {
    if (thread_of_grid() == 0) state[2] = 0.0f;
}
#endif

#ifdef IS_unscale
// Where SCALED, gradients of the scaled loss become those of the loss. All that sees one which is not
// finite writes the same.
KERNEL unscale(grads_t* grads, float* state, unsigned count) {
    const unsigned i = thread_of_grid();
    if (i >= count) return;
    const float g = get(grads, i);
    if (!(g - g == 0.0f)) state[2] = 1.0f;
    if (SCALED) put(grads, i, g / state[0]);
}
#endif

#ifdef IS_adjust
KERNEL adjust(float* state) {
    if (thread_of_grid() != 0) return;
    const float steps = state[2] != 0.0f ? 0.0f : state[1] + 1.0f;
    if (state[2] != 0.0f) state[0] *= 0.5f;
    if (steps == GROWTH_INTERVAL) state[0] *= 2.0f;
    state[1] = steps == GROWTH_INTERVAL ? 0.0f : steps;
}
#endif
