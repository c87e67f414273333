/* tests/frontend/test_sampling.c: multinomial: how often each place is drawn, and what is refused. */
#include <math.h>
#include <stdlib.h>

#include "tests/frontend/lib_frontend.h"

enum { ROWS = 20000, PLACES = 4 };
static const float weights[PLACES] = {1, 0, 3, 4};

/* ROWS rows of k draws */
static void draw(tdm_context *ctx, int64_t k, bool replacement, int64_t *out)
{
    tdm_tensor *w = tdm_from_data(ctx, TDM_F32, tdm_shape(1, PLACES), weights);
    tdm_tensor *y = tdm_multinomial(tdm_broadcast_to(w, tdm_shape(ROWS, PLACES)), k, replacement);

    assert_fine(ctx);
    assert_int_equal(tdm_read(y, out, (size_t)(ROWS * k) * sizeof *out), TDM_OK);
}

/* Of n draws, place i came `count` times: within 5 standard deviations of its share. */
static void likely(int i, int count, double n)
{
    double p = (double)weights[i] / 8, spread = sqrt(n * p * (1 - p));

    if (!(fabs(count - n * p) <= 5 * spread))
        fail_msg("place %d: %d of %.0f draws, expected %.0f, give or take %.0f", i, count, n, n * p, spread);
}

static void test_with_replacement(void **state)
{
    enum { K = 3 };
    tdm_context *ctx = open_context();
    int64_t *y = malloc(sizeof *y * ROWS * K);
    int count[PLACES] = {0};

    (void)state;
    assert_non_null(y);
    draw(ctx, K, true, y);
    for (int i = 0; i < ROWS * K; i++) {
        assert_in_range(y[i], 0, PLACES - 1);
        count[y[i]]++;
    }
    for (int i = 0; i < PLACES; i++)
        likely(i, count[i], ROWS * K);
    free(y);
    close_context(ctx);
}

/* The first draw is in proportion; the second to what is left; the place without weight comes last. */
static void test_without_replacement(void **state)
{
    tdm_context *ctx = open_context();
    int64_t *y = malloc(sizeof *y * ROWS * PLACES);
    int first[PLACES] = {0}, after_3[PLACES] = {0}, drawn_3 = 0;

    (void)state;
    assert_non_null(y);
    draw(ctx, PLACES, false, y);
    for (int r = 0; r < ROWS; r++) {
        const int64_t *row = y + r * PLACES;
        unsigned seen = 0;
        for (int i = 0; i < PLACES; i++)
            seen |= 1u << row[i];
        assert_int_equal(seen, 15);
        assert_int_equal(row[PLACES - 1], 1);
        first[row[0]]++;
        drawn_3 += row[0] == 3;
        after_3[row[1]] += row[0] == 3;
    }
    for (int i = 0; i < PLACES; i++)
        likely(i, first[i], ROWS);
    assert_true(fabs(after_3[2] - 0.75 * drawn_3) <= 5 * sqrt(drawn_3 * 0.75 * 0.25));
    free(y);
    close_context(ctx);
}

/* Any scale and dtype; another call draws other places; k may exceed n with replacement. */
static void test_draws(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *one = tdm_full(ctx, TDM_F16, tdm_shape(5), 1e-5), *y, *z;

    (void)state;
    y = tdm_multinomial(one, 40, true);
    z = tdm_multinomial(one, 40, true);
    assert_true(tdm_item(tdm_count_nonzero(tdm_sub(y, z), tdm_all_axes(), false)) > 0);
    assert_true(tdm_item(tdm_amax(y, tdm_all_axes(), false)) == 4);
    assert_true(tdm_item(tdm_multinomial(tdm_zeros(ctx, TDM_F64, tdm_shape(3)), 1, true)) == 2);
    assert_fine(ctx);
    tdm_multinomial(one, 6, false);
    assert_error(ctx, TDM_ESHAPE, "multinomial", "6 draws without", "f16[5]");
    tdm_multinomial(one, 0, true);
    assert_error(ctx, TDM_ESHAPE, "multinomial", "0 draws");
    tdm_multinomial(y, 1, true);
    assert_error(ctx, TDM_EDTYPE, "multinomial", "i64[40]");
    close_context(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_with_replacement),
        cmocka_unit_test(test_without_replacement),
        cmocka_unit_test(test_draws),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
