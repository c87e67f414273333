/* tests/frontend/test_chain.c: attention large enough for chains (passes/chain.c): the eager engine's bits
 * forward and backward, no race between strands, and an arena in which no whole matrix of scores has room.
 *
 * ctest-labels: threads */
#include <stdlib.h>

#include "tests/frontend/lib_frontend.h"

enum { BATCH = 2, HEADS = 6, LENGTH = 97, WIDTH = 16, OPERANDS = 3 };

typedef struct run {
    tdm_context *ctx;
    tdm_tensor *x[OPERANDS], *seen; /* query, key, value; the mask */
} run;

static run open_run(int threads, bool check_races)
{
    run r = {.ctx =
                 tdm_context_new(&(tdm_options){.threads = threads, .seed = 7, .check_races = check_races})};
    uint8_t seen[BATCH * LENGTH];

    assert_non_null(r.ctx);
    for (int i = 0; i < OPERANDS; i++) {
        r.x[i] = tdm_variable(numbers(r.ctx, tdm_shape(BATCH, HEADS, LENGTH, WIDTH), (uint32_t)i), "qkv");
        tdm_requires_grad(r.x[i], true);
    }
    for (int i = 0; i < BATCH * LENGTH; i++)
        seen[i] = i % 5 != 0;
    r.seen = tdm_from_data(r.ctx, TDM_BOOL, tdm_shape(BATCH, 1, 1, LENGTH), seen);
    return r;
}

/* y, and the gradients of its sum: grads may be NULL. */
static tdm_tensor *attend(const run *r, bool masked, tdm_tensor **grads)
{
    const tdm_attention how = {.causal = !masked, .mask = masked ? r->seen : NULL};
    tdm_tensor *y = tdm_scaled_dot_product_attention(r->x[0], r->x[1], r->x[2], &how);

    if (grads) {
        tdm_tensor *sum = tdm_sum(tdm_square(y), tdm_all_axes(), false);
        tdm_gradients(&sum, NULL, 1, r->x, OPERANDS, grads, 0);
    }
    return y;
}

static void both_engines(const run *r, bool masked, bool gradients)
{
    static const char *const names[OPERANDS] = {"dq", "dk", "dv"};
    const size_t scores = sizeof(float) * BATCH * HEADS * LENGTH * LENGTH;
    tdm_tensor *eager[OPERANDS], *traced[OPERANDS];
    tdm_graph *g = tdm_graph_open(r->ctx, "attention");

    tdm_output(r->ctx, "y", attend(r, masked, gradients ? traced : NULL));
    for (int i = 0; i < OPERANDS && gradients; i++)
        tdm_output(r->ctx, names[i], traced[i]);
    built b = build_graph(r->ctx, g);
    tdm_exec_run(b.e);
    assert_fine(r->ctx);
    assert_same(tdm_exec_output(b.e, "y"), attend(r, masked, gradients ? eager : NULL));
    for (int i = 0; i < OPERANDS && gradients; i++)
        assert_same(tdm_exec_output(b.e, names[i]), eager[i]);
    assert_true(tdm_program_arena_bytes(b.p) < (gradients ? 2 * scores : scores));
    free_built(&b);
}

static void attention(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 2; threads++)
        for (int races = 0; races < 2; races++) {
            run r = open_run(threads, races);
            for (int i = 0; i < 4; i++)
                both_engines(&r, i % 2, i / 2);
            close_context(r.ctx);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(attention)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
