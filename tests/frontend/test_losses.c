/* tests/frontend/test_losses.c: losses against plain C in double; values and gradients at extremes; what is
 * refused.  Both engines are held to each other in tests/engines. */
#include <math.h>
#include <string.h>

#include "tests/frontend/lib_frontend.h"

#define N 12
#define ROWS 4
#define CLASSES 3

/* ---- of elements ---- */

typedef struct pair {
    double x, t;
} pair;

static double plain(int kind, pair p)
{
    double d = p.x - p.t, y = p.x, t = p.t, pw = 1.5;

    switch (kind) {
    case 0: return d * d;
    case 1: return fabs(d);
    case 2: return fabs(d) <= 0.7 ? d * d / 2 : 0.7 * (fabs(d) - 0.35);
    case 3: return fabs(d) < 0.7 ? d * d / 1.4 : fabs(d) - 0.35;
    case 4: return -t * log(y) - (1 - t) * log(1 - y);
    case 5: return t * log1p(exp(-y)) + (1 - t) * log1p(exp(y));
    case 6: return pw * t * log1p(exp(-y)) + (1 - t) * log1p(exp(y));
    case 7: return t * (log(t) - y);
    case 8: return exp(t) * (t - y);
    default: return fmax(1 - t * y, 0);
    }
}

static tdm_tensor *ours(int kind, tdm_tensor *x, tdm_tensor *t, tdm_tensor *pw, tdm_reduction r)
{
    switch (kind) {
    case 0: return tdm_mse_loss(x, t, r);
    case 1: return tdm_l1_loss(x, t, r);
    case 2: return tdm_huber_loss(x, t, 0.7, r);
    case 3: return tdm_smooth_l1_loss(x, t, 0.7, r);
    case 4: return tdm_bce_loss(x, t, r);
    case 5: return tdm_bce_with_logits_loss(x, t, NULL, r);
    case 6: return tdm_bce_with_logits_loss(x, t, pw, r);
    case 7: return tdm_kl_div_loss(x, t, false, r);
    case 8: return tdm_kl_div_loss(x, t, true, r);
    default: return tdm_hinge_loss(x, t, r);
    }
}

static void near(double found, double wanted, const char *what, int kind)
{
    if (!(fabs(found - wanted) <= 1e-13 * (1 + fabs(wanted))))
        fail_msg("%s, loss %d: %.17g, expected %.17g", what, kind, found, wanted);
}

static void test_elements(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *pw = tdm_full(ctx, TDM_F64, tdm_shape(1), 1.5);

    (void)state;
    for (int kind = 0; kind < 10; kind++) {
        double x[N], t[N], y[N], sum = 0;
        for (int i = 0; i < N; i++) {
            x[i] = kind == 4 ? (i + 0.5) / N : i * 0.5 - 2.3;
            t[i] = kind >= 4 && kind < 8 ? (i * 5 % N + 0.5) / N : sin(i);
            sum += plain(kind, (pair){x[i], t[i]});
        }
        tdm_tensor *tx = tdm_from_data(ctx, TDM_F64, tdm_shape(3, 4), x),
                   *tt = tdm_from_data(ctx, TDM_F64, tdm_shape(3, 4), t);
        tdm_tensor *each = ours(kind, tx, tt, pw, TDM_REDUCE_NONE);
        assert_fine(ctx);
        assert_int_equal(tdm_read(each, y, sizeof y), TDM_OK);
        for (int i = 0; i < N; i++)
            near(y[i], plain(kind, (pair){x[i], t[i]}), "element", kind);
        near(tdm_item(ours(kind, tx, tt, pw, TDM_REDUCE_SUM)), sum, "sum", kind);
        near(tdm_item(ours(kind, tx, tt, pw, TDM_REDUCE_MEAN)), sum / N, "mean", kind);
    }
    close_context(ctx);
}

/* The loss of single numbers, its derivative by x, and the second one. */
static void at(int kind, float x, float t, float out[3])
{
    tdm_context *ctx = open_context();
    tdm_tensor *tx = tdm_requires_grad(tdm_full(ctx, TDM_F32, tdm_shape(1), (double)x), true), *d, *dd;
    tdm_tensor *y = ours(kind, tx, tdm_full(ctx, TDM_F32, tdm_shape(1), (double)t), NULL, TDM_REDUCE_SUM);

    tdm_gradients(&y, NULL, 1, &tx, 1, &d, TDM_CREATE_GRAPH);
    out[0] = (float)tdm_item(y);
    out[1] = (float)tdm_item(d);
    tdm_tensor *sum = tdm_sum(d, tdm_all_axes(), false);
    out[2] = 0;
    if (tdm_needs_grad(d)) {
        tdm_gradients(&sum, NULL, 1, &tx, 1, &dd, TDM_ALLOW_UNUSED);
        out[2] = dd ? (float)tdm_item(dd) : 0;
    }
    close_context(ctx);
}

static void expect(int kind, float x, float t, float y, float d, float dd)
{
    float found[3];

    at(kind, x, t, found);
    if (!(fabsf(found[0] - y) <= 1e-6f * (1e-12f + fabsf(y)) && fabsf(found[1] - d) <= 1e-6f * fabsf(d) &&
          fabsf(found[2] - dd) <= 1e-5f * fabsf(dd)))
        fail_msg("loss %d of %g and %g: %g, %g, %g, expected %g, %g, %g", kind, (double)x, (double)t,
                 (double)found[0], (double)found[1], (double)found[2], (double)y, (double)d, (double)dd);
}

/* Saturated, at kinks and at 0: numbers, and the right ones. */
static void test_extremes(void **state)
{
    (void)state;
    /* logits: nothing cancels, and the origin has no kink */
    expect(5, 0, 1, 0.69314718f, -0.5f, 0.25f);
    expect(5, 0, 0, 0.69314718f, 0.5f, 0.25f);
    expect(5, 30, 1, 9.3576230e-14f, -9.3576230e-14f, 9.3576230e-14f);
    expect(5, -30, 0, 9.3576230e-14f, 9.3576230e-14f, 9.3576230e-14f);
    expect(5, 1e30f, 0, 1e30f, 1, 0);
    expect(5, -1e30f, 1, 1e30f, -1, 0);
    expect(5, 1e30f, 1, 0, 0, 0);
    /* probabilities of 0 and 1: -100 as logarithm, no slope */
    expect(4, 0, 0, 0, 1, 1);
    expect(4, 1, 1, 0, -1, 1);
    expect(4, 0, 1, 100, 0, 0);
    expect(4, 1, 0, 100, 0, 0);
    /* kinks and large differences */
    expect(1, 2, 2, 0, 0, 0);
    expect(2, 2, 2, 0, 0, 1);
    expect(2, 1e30f, -1e30f, 1.4e30f, 0.7f, 0);
    expect(3, -1e30f, 1e30f, 2e30f, -1, 0);
    expect(9, 0.5f, 1, 0.5f, -1, 0);
    expect(9, 1, 1, 0, 0, 0);
    expect(9, -1, -1, 0, 0, 0);
    /* what never happens */
    expect(7, -INFINITY, 0, 0, 0, 0);
    expect(7, -3, 0, 0, 0, 0);
    expect(8, -3, -INFINITY, 0, 0, 0);
}

/* Angles of 0, 60, 90 and 180 degrees, alike and apart. */
static void test_cosine_embedding(void **state)
{
    tdm_context *ctx = open_context();
    const double turned[] = {2, 0, 1, 1.7320508075688772, 0, 3, -1, 0}, fixed[] = {1, 0, 1, 0, 1, 0, 5, 0};
    const double apart[] = {0.75, 0.25, 0, 0}, alike[] = {0, 0.5, 1, 2};
    tdm_tensor *x = tdm_from_data(ctx, TDM_F64, tdm_shape(4, 2), turned), *y;
    tdm_tensor *z = tdm_from_data(ctx, TDM_F64, tdm_shape(4, 2), fixed);
    double found[4];

    (void)state;
    for (int k = 0; k < 2; k++) {
        y = tdm_full(ctx, TDM_F64, tdm_shape(4), k ? 1 : -1);
        y = tdm_cosine_embedding_loss(x, z, y, 0.25, TDM_REDUCE_NONE);
        assert_int_equal(tdm_read(y, found, sizeof found), TDM_OK);
        for (int i = 0; i < 4; i++)
            near(found[i], k ? alike[i] : apart[i], "cosine embedding", i);
    }
    refused(ctx, TDM_EARG, tdm_cosine_embedding_loss(x, z, x, 2, TDM_REDUCE_SUM), "cosine_embedding",
            "margin 2");
    refused(ctx, TDM_ESHAPE, tdm_cosine_embedding_loss(x, z, x, 0, TDM_REDUCE_SUM), "cosine_embedding",
            "f64[4,2]");
    close_context(ctx);
}

/* f16 has no 2^-126: the logarithm of a probability of 0 is -100 there too. */
static void test_half_probabilities(void **state)
{
    (void)state;
    for (tdm_dtype d = TDM_F16; d <= TDM_BF16; d++)
        for (int i = 0; i < 4; i++) {
            tdm_context *ctx = open_context();
            tdm_tensor *x = tdm_requires_grad(tdm_full(ctx, d, tdm_shape(1), i / 2), true);
            tdm_tensor *y = tdm_bce_loss(x, tdm_full(ctx, d, tdm_shape(1), i % 2), TDM_REDUCE_SUM);
            tdm_backward(y);
            assert_fine(ctx);
            assert_true(tdm_item(y) == (i / 2 == i % 2 ? 0 : 100));
            assert_true(isfinite(tdm_item(tdm_grad(x))));
            close_context(ctx);
        }
}

static void test_not_a_number(void **state)
{
    (void)state;
    for (int kind = 0; kind < 9; kind++)
        if (kind != 6) {
            float y[3];
            at(kind, NAN, 0.5f, y);
            assert_true(isnan(y[0]));
            at(kind, 0.5f, NAN, y);
            assert_true(isnan(y[0]));
        }
}

/* ---- of classes ---- */

static const double logits[ROWS * CLASSES] = {0.5, -1, 2, 3, 0, -2, 1, 1, 1, -4, 2.5, 0};
static const double weights[CLASSES] = {0.5, 2, 1};

static double log_p(int row, int k)
{
    double sum = 0;

    for (int j = 0; j < CLASSES; j++)
        sum += exp(logits[row * CLASSES + j]);
    return logits[row * CLASSES + k] - log(sum);
}

/* -sum w p log p of one row, with p spread by the share e */
static double row_loss(int row, const double *p, bool by_weight, double e)
{
    double y = 0;

    for (int k = 0; k < CLASSES; k++)
        y -= (by_weight ? weights[k] : 1) * (p[k] * (1 - e) + e / CLASSES) * log_p(row, k);
    return y;
}

static void test_classes(void **state)
{
    tdm_context *ctx = open_context();
    const int64_t targets[ROWS] = {2, 0, 1, 2};
    const double soft[ROWS * CLASSES] = {0.2, 0.3, 0.5, 1, 0, 0, 0.25, 0.5, 0.25, 0, 0.9, 0.1};
    tdm_tensor *x = tdm_from_data(ctx, TDM_F64, tdm_shape(2, 2, CLASSES), logits),
               *k = tdm_from_data(ctx, TDM_I64, tdm_shape(2, 2), targets),
               *w = tdm_from_data(ctx, TDM_F64, tdm_shape(CLASSES), weights),
               *p = tdm_from_data(ctx, TDM_F64, tdm_shape(2, 2, CLASSES), soft);

    (void)state;
    for (int mode = 0; mode < 16; mode++) {
        bool by_weight = mode & 1, ignore = mode & 2;
        double e = mode & 4 ? 0.3 : 0, sum = 0, counted = 0, soft_sum = 0, y[ROWS];
        tdm_class_loss how = {.weight = by_weight ? w : NULL,
                              .label_smoothing = e,
                              .ignore = ignore,
                              .ignore_index = 2,
                              .reduction = TDM_REDUCE_NONE};
        tdm_tensor *each = tdm_cross_entropy_with(x, k, &how);
        assert_int_equal(tdm_read(each, y, sizeof y), TDM_OK);
        for (int i = 0; i < ROWS; i++) {
            double one[CLASSES] = {0}, wanted;
            one[targets[i]] = 1;
            wanted = ignore && targets[i] == 2 ? 0 : row_loss(i, one, by_weight, e);
            near(y[i], wanted, "row", mode);
            sum += wanted;
            counted += ignore && targets[i] == 2 ? 0 : by_weight ? weights[targets[i]] : 1;
            soft_sum += row_loss(i, soft + (ptrdiff_t)i * CLASSES, by_weight, e);
        }
        how.reduction = TDM_REDUCE_SUM;
        near(tdm_item(tdm_cross_entropy_with(x, k, &how)), sum, "sum", mode);
        how.reduction = TDM_REDUCE_MEAN;
        near(tdm_item(tdm_cross_entropy_with(x, k, &how)), sum / counted, "mean", mode);
        if (e == 0)
            near(tdm_item(tdm_nll_loss(tdm_log_softmax(x, -1), k, &how)), sum / counted, "nll", mode);
        how.ignore = false;
        near(tdm_item(tdm_cross_entropy_with(x, p, &how)), soft_sum / ROWS, "probabilities", mode);
    }
    close_context(ctx);
}

/* Nothing counts: 0, with gradients of 0.  Targets that have no negative numbers do not ignore class 0. */
static void test_all_ignored(void **state)
{
    tdm_context *ctx = open_context();
    const uint8_t zeros[ROWS] = {0};
    tdm_tensor *x = tdm_requires_grad(numbers(ctx, tdm_shape(ROWS, CLASSES), 1), true), *d;
    tdm_tensor *k = tdm_from_data(ctx, TDM_U8, tdm_shape(ROWS), zeros);
    tdm_class_loss how = {.ignore = true, .ignore_index = 0};
    float data[ROWS * CLASSES];

    (void)state;
    tdm_tensor *y = tdm_cross_entropy_with(x, k, &how);
    tdm_gradients(&y, NULL, 1, &x, 1, &d, 0);
    assert_true(tdm_item(y) == 0);
    tdm_read(d, data, sizeof data);
    for (int i = 0; i < ROWS * CLASSES; i++)
        assert_true(data[i] == 0);
    how.ignore_index = -100;
    assert_same(tdm_cross_entropy_with(x, k, &how), tdm_cross_entropy(x, k));
    close_context(ctx);
}

/* Logits that are sure, right or wrong, and one that is -inf. */
static void test_sure_logits(void **state)
{
    tdm_context *ctx = open_context();
    const float data[3 * 2] = {1e4f, -1e4f, 1e4f, -1e4f, 0, -INFINITY};
    const int32_t targets[3] = {0, 1, 0};
    const double wanted[6] = {0, 0, 1, -1, 0, 0};
    tdm_tensor *x = tdm_requires_grad(tdm_from_data(ctx, TDM_F32, tdm_shape(3, 2), data), true), *d;
    tdm_tensor *k = tdm_from_data(ctx, TDM_I32, tdm_shape(3), targets);
    float y[6];

    (void)state;
    tdm_tensor *loss = tdm_cross_entropy_with(x, k, &(tdm_class_loss){.reduction = TDM_REDUCE_SUM});
    tdm_gradients(&loss, NULL, 1, &x, 1, &d, 0);
    assert_true(tdm_item(loss) == 2e4);
    tdm_read(d, y, sizeof y);
    for (int i = 0; i < 6; i++)
        if (!((double)y[i] == wanted[i]))
            fail_msg("gradient %d is %g", i, (double)y[i]);
    close_context(ctx);
}

static void test_refusals(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *x = numbers(ctx, tdm_shape(2, 3), 1), *z = numbers(ctx, tdm_shape(4), 2);
    tdm_tensor *k = tdm_zeros(ctx, TDM_I64, tdm_shape(2)), *d = tdm_zeros(ctx, TDM_F64, tdm_shape(2, 3));

    (void)state;
#define REFUSED(code, call, ...)                                 \
    do {                                                         \
        assert_true(tdm_is_error(call));                         \
        assert_error(ctx, code, __VA_ARGS__, "(test_losses.c:"); \
    } while (0)
    REFUSED(TDM_ESHAPE, tdm_l1_loss(x, z, TDM_REDUCE_MEAN), "l1", "f32[2,3]", "f32[4]");
    REFUSED(TDM_EDTYPE, tdm_huber_loss(x, d, 1, TDM_REDUCE_MEAN), "huber", "f32[2,3]", "f64[2,3]");
    REFUSED(TDM_EARG, tdm_huber_loss(x, x, 0, TDM_REDUCE_MEAN), "huber", "width 0", "> 0");
    REFUSED(TDM_EARG, tdm_smooth_l1_loss(x, x, -1, TDM_REDUCE_MEAN), "smooth_l1", "width -1", ">= 0");
    REFUSED(TDM_EARG, tdm_bce_loss(x, NULL, TDM_REDUCE_MEAN), "bce", "'target' is NULL");
    REFUSED(TDM_EARG, tdm_mse_loss(x, x, (tdm_reduction)7), "mse", "7 is not a reduction");
    REFUSED(TDM_ESHAPE, tdm_bce_with_logits_loss(x, x, z, TDM_REDUCE_SUM), "pos_weight", "f32[2,3]",
            "f32[4]");
    REFUSED(TDM_EDTYPE, tdm_kl_div_loss(k, k, true, TDM_REDUCE_SUM), "kl_div", "i64[2]");
    REFUSED(TDM_ESHAPE, tdm_nll_loss(x, tdm_zeros(ctx, TDM_I64, tdm_shape(3)), NULL), "nll", "i64[3]");
    REFUSED(TDM_EARG, tdm_nll_loss(x, k, &(tdm_class_loss){.label_smoothing = 0.1}), "label smoothing 0.1");
    REFUSED(TDM_EARG, tdm_cross_entropy_with(x, k, &(tdm_class_loss){.label_smoothing = 2}), "smoothing 2");
    REFUSED(TDM_ESHAPE, tdm_cross_entropy_with(x, k, &(tdm_class_loss){.weight = z}), "weight", "f32[4]");
    REFUSED(TDM_EARG, tdm_cross_entropy_with(x, x, &(tdm_class_loss){.ignore = true}), "ignore", "indices");
    REFUSED(TDM_ESHAPE, tdm_cross_entropy_with(x, z, NULL), "probabilities", "f32[4]");
    REFUSED(TDM_EDTYPE, tdm_cross_entropy_with(x, d, NULL), "f64[2,3]");
    REFUSED(TDM_EARG, tdm_cross_entropy_with(x, k, &(tdm_class_loss){.reduction = (tdm_reduction)-1}), "-1");
#undef REFUSED
    close_context(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elements),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_half_probabilities),
        cmocka_unit_test(test_cosine_embedding),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_all_ignored),
        cmocka_unit_test(test_sure_logits),
        cmocka_unit_test(test_not_a_number),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
