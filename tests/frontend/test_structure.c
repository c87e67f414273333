/* tests/frontend/test_structure.c: the functions of tandem/structure.h: what they give, by numbers that
 * PyTorch and NumPy give too, in both engines, and what they refuse. */
#include <string.h>

#include "tests/frontend/lib_frontend.h"

enum { MOST = 40 };

/* t has this shape and these elements, whatever its dtype. */
static void expect(tdm_context *ctx, tdm_tensor *t, tdm_dims shape, const double *want, int line)
{
    float got[MOST];
    tdm_dims d = tdm_dims_of(t);

    if (tdm_is_error(t))
        fail_msg("line %d: %s", line, tdm_error(ctx));
    assert_int_equal(d.rank, shape.rank);
    for (int i = 0; i < d.rank; i++)
        assert_int_equal(d.dims[i], shape.dims[i]);
    t = tdm_convert(t, TDM_F32);
    assert_int_equal(tdm_read(t, got, tdm_bytes(t)), TDM_OK);
    for (int i = 0; i < tdm_elements(t); i++)
        if (got[i] != (float)want[i])
            fail_msg("line %d: element %d is %g, expected %g", line, i, (double)got[i], want[i]);
}

/* `call` on the eager engine and in a compiled graph; it may name ctx and tensors made eagerly. */
#define gives(call, shape, ...)                                               \
    do {                                                                      \
        const double want[] = {__VA_ARGS__};                                  \
        expect(ctx, call, shape, want, __LINE__);                             \
        tdm_graph *graph = tdm_graph_open(ctx, "given");                      \
        tdm_output(ctx, "y", call);                                           \
        built compiled = build_graph(ctx, graph);                             \
        assert_int_equal(tdm_exec_run(compiled.e), TDM_OK);                   \
        expect(ctx, tdm_exec_output(compiled.e, "y"), shape, want, __LINE__); \
        free_built(&compiled);                                                \
    } while (0)

/* 0, 1, 2, .. */
static tdm_tensor *counted(tdm_context *ctx, tdm_dims shape)
{
    int64_t n = 1;

    for (int i = 0; i < shape.rank; i++)
        n *= shape.dims[i];
    return tdm_variable(tdm_reshape(tdm_arange(ctx, TDM_F32, n), shape), NULL);
}

static tdm_tensor *indices(tdm_context *ctx, tdm_dims shape, const int64_t *data)
{
    return tdm_variable(tdm_from_data(ctx, TDM_I64, shape, data), NULL);
}

static void test_axes(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *x = counted(ctx, tdm_shape(2, 3)), *c = counted(ctx, tdm_shape(2, 1, 3));
    const int64_t low[] = {-1, 1}, high[] = {1, -1}, shifts[] = {1, -1};

    (void)state;
    gives(tdm_squeeze(c, 1), tdm_shape(2, 3), 0, 1, 2, 3, 4, 5);
    gives(tdm_unsqueeze(x, -1), tdm_shape(2, 3, 1), 0, 1, 2, 3, 4, 5);
    gives(tdm_flatten(x, 0, -1), tdm_shape(6), 0, 1, 2, 3, 4, 5);
    gives(tdm_movedim(c, 2, 0), tdm_shape(3, 2, 1), 0, 3, 1, 4, 2, 5);
    gives(tdm_swapaxes(x, 0, 1), tdm_shape(3, 2), 0, 3, 1, 4, 2, 5);
    gives(tdm_flip(x, tdm_axes(-1)), tdm_shape(2, 3), 2, 1, 0, 5, 4, 3);
    gives(tdm_flip(x, tdm_all_axes()), tdm_shape(2, 3), 5, 4, 3, 2, 1, 0);
    gives(tdm_roll(x, shifts, tdm_axes(0, 1)), tdm_shape(2, 3), 4, 5, 3, 1, 2, 0);
    gives(tdm_pad(x, low, high, NULL), tdm_shape(2, 3), 0, 3, 4, 0, 0, 0);
    gives(tdm_pad_value(x, low, high, NULL, 9), tdm_shape(2, 3), 9, 3, 4, 9, 9, 9);
    gives(tdm_tile(x, tdm_shape(2, 1, 2)), tdm_shape(2, 2, 6), 0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5, 0, 1, 2, 0,
          1, 2, 3, 4, 5, 3, 4, 5);
    gives(tdm_repeat_interleave(x, 2, 1), tdm_shape(2, 6), 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5);
    refused(ctx, TDM_ESHAPE, tdm_squeeze(x, 1), "squeeze", "axis 1", "f32[2,3]");
    refused(ctx, TDM_ESHAPE, tdm_unsqueeze(x, 4), "unsqueeze", "4", "f32[2,3]");
    refused(ctx, TDM_ESHAPE, tdm_movedim(x, 2, 0), "movedim", "axis 2", "f32[2,3]");
    refused(ctx, TDM_ESHAPE, tdm_flip(x, tdm_axes(0, -2)), "reverse", "twice", "f32[2,3]");
    refused(ctx, TDM_ESHAPE, tdm_pad(x, (const int64_t[]){-1, 0}, (const int64_t[]){-1, 0}, NULL), "pad",
            "axis 0", "f32[2,3]");
    refused(ctx, TDM_ESHAPE, tdm_pad(x, (const int64_t[]){INT64_MIN, 0}, (const int64_t[]){0, 0}, NULL),
            "pad", "axis 0", "f32[2,3]");
    refused(ctx, TDM_ESHAPE, tdm_tile(x, tdm_shape(0)), "tile", "0 repeats");
    refused(ctx, TDM_ESHAPE, tdm_tile(x, tdm_shape((int64_t)1 << 40)), "2^40 elements");
    refused(ctx, TDM_ESHAPE, tdm_repeat_interleave(x, (int64_t)1 << 40, 0), "2^40 elements");
    refused(ctx, TDM_EARG, tdm_roll(x, NULL, tdm_axes(0)), "roll", "shifts");
    close_context(ctx);
}

static void test_joins(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *x = counted(ctx, tdm_shape(2, 2)), *z = counted(ctx, tdm_shape(2, 1)), *parts[4];
    tdm_tensor *two[] = {x, z}, *same[] = {x, x}, *many[20];

    (void)state;
    gives(tdm_concat(two, 2, 1), tdm_shape(2, 3), 0, 1, 0, 2, 3, 1);
    gives(tdm_stack(same, 2, 0), tdm_shape(2, 2, 2), 0, 1, 2, 3, 0, 1, 2, 3);
    gives(tdm_stack(same, 2, -1), tdm_shape(2, 2, 2), 0, 0, 1, 1, 2, 2, 3, 3);
    for (int i = 0; i < 20; i++)
        many[i] = z;
    gives(tdm_concat(many, 20, -1), tdm_shape(2, 20), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
          0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1);
    tdm_tensor *line = counted(ctx, tdm_shape(7));
    assert_int_equal(tdm_split(line, 3, 0, parts, 4), 3);
    gives(parts[2], tdm_shape(1), 6);
    assert_int_equal(tdm_chunk(line, 4, -1, parts), 4);
    gives(parts[1], tdm_shape(2), 2, 3);
    assert_int_equal(tdm_split(line, 2, 0, parts, 3), 0);
    assert_error(ctx, TDM_EARG, "split: 4 parts, and room for 3");
    assert_int_equal(tdm_chunk(line, 0, 0, parts), 0);
    assert_error(ctx, TDM_ESHAPE, "chunk");
    refused(ctx, TDM_ESHAPE, tdm_concat(two, 2, 0), "concat", "f32[2,2]", "f32[2,1]");
    refused(ctx, TDM_ESHAPE, tdm_stack(two, 2, 0), "stack", "f32[2,2]", "f32[2,1]");
    close_context(ctx);
}

static void test_diagonals(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *x = counted(ctx, tdm_shape(2, 3)), *v = counted(ctx, tdm_shape(2));
    tdm_tensor *mask = tdm_variable(tdm_gt_scalar(x, 3), NULL);

    (void)state;
    gives(tdm_tril(x, 0), tdm_shape(2, 3), 0, 0, 0, 3, 4, 0);
    gives(tdm_triu(x, 1), tdm_shape(2, 3), 0, 1, 2, 0, 0, 5);
    gives(tdm_tril(x, INT64_MAX), tdm_shape(2, 3), 0, 1, 2, 3, 4, 5);
    gives(tdm_diagonal(x, 1, 0, 1), tdm_shape(2), 1, 5);
    gives(tdm_diagonal(x, -1, 0, 1), tdm_shape(1), 3);
    gives(tdm_diag(v, -1), tdm_shape(3, 3), 0, 0, 0, 0, 0, 0, 0, 1, 0);
    gives(tdm_diag(x, 2), tdm_shape(1), 2);
    gives(tdm_trace(x), tdm_shape_of((const int64_t[]){0}, 0), 4);
    gives(tdm_eye(ctx, TDM_I32, 2, 3, 1), tdm_shape(2, 3), 0, 1, 0, 0, 0, 1);
    gives(tdm_causal_mask(ctx, 2, 3), tdm_shape(2, 3), 1, 1, 0, 1, 1, 1);
    gives(tdm_linspace(ctx, TDM_F64, 1, 2, 5), tdm_shape(5), 1, 1.25, 1.5, 1.75, 2);
    gives(tdm_zeros_like(x), tdm_shape(2, 3), 0, 0, 0, 0, 0, 0);
    gives(tdm_masked_fill(x, mask, -1), tdm_shape(2, 3), 0, 1, 2, 3, -1, -1);
    refused(ctx, TDM_ESHAPE, tdm_diagonal(x, 3, 0, 1), "diagonal", "f32[2,3]");
    refused(ctx, TDM_ESHAPE, tdm_tril(v, 0), "tril", "f32[2]");
    refused(ctx, TDM_EDTYPE, tdm_linspace(ctx, TDM_I32, 0, 1, 3), "linspace", "i32");
    refused(ctx, TDM_ESHAPE, tdm_eye(ctx, TDM_F32, 0, 3, 0), "eye", "axis 0");
    close_context(ctx);
}

static void test_products(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *x = counted(ctx, tdm_shape(2, 3)), *v = counted(ctx, tdm_shape(3)),
               *sq = counted(ctx, tdm_shape(2, 2));
    tdm_tensor *xv[] = {x, v}, *xx[] = {x, x}, *b = counted(ctx, tdm_shape(1, 2, 3));

    (void)state;
    gives(tdm_outer(v, v), tdm_shape(3, 3), 0, 0, 0, 0, 1, 2, 0, 2, 4);
    gives(tdm_bmm(b, tdm_swapaxes(b, 1, 2)), tdm_shape(1, 2, 2), 5, 14, 14, 50);
    gives(tdm_einsum("ij,j->i", xv, 2), tdm_shape(2), 5, 14);
    gives(tdm_einsum("ij,kj", xx, 2), tdm_shape(2, 2), 5, 14, 14, 50);
    gives(tdm_einsum("ba", xx, 1), tdm_shape(3, 2), 0, 3, 1, 4, 2, 5);
    gives(tdm_einsum("ii", &sq, 1), tdm_shape_of((const int64_t[]){0}, 0), 3);
    gives(tdm_einsum("ii->i", &sq, 1), tdm_shape(2), 0, 3);
    gives(tdm_einsum("...j,j->...", xv, 2), tdm_shape(2), 5, 14);
    gives(tdm_einsum(" i j -> j ", xx, 1), tdm_shape(3), 3, 5, 7);
    refused(ctx, TDM_ESHAPE, tdm_einsum("ij,jk->ik", xx, 2), "einsum", "'j' is 3", "axis 0", "f32[2,3]");
    refused(ctx, TDM_ESHAPE, tdm_einsum("ijk->i", xx, 1), "einsum", "3 labels", "f32[2,3]");
    refused(ctx, TDM_EARG, tdm_einsum("ij->k", xx, 1), "einsum", "'k'");
    refused(ctx, TDM_EARG, tdm_einsum("ij->ii", xx, 1), "einsum", "'i'");
    refused(ctx, TDM_EARG, tdm_einsum("ij", xx, 2), "einsum", "fewer");
    refused(ctx, TDM_EARG, tdm_einsum("ij,jk", xx, 1), "einsum", "more");
    refused(ctx, TDM_EARG, tdm_einsum("i?", xx, 1), "einsum", "letters");
    refused(ctx, TDM_EARG, tdm_einsum("ij-j", xx, 1), "einsum", "->");
    refused(ctx, TDM_ESHAPE, tdm_bmm(x, x), "bmm", "f32[2,3]");
    refused(ctx, TDM_ESHAPE, tdm_outer(x, v), "outer", "f32[2,3]", "f32[3]");
    close_context(ctx);
}

static void test_indexing(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *x = counted(ctx, tdm_shape(2, 3)), *u = counted(ctx, tdm_shape(2, 2)),
               *v = counted(ctx, tdm_shape(2));
    tdm_tensor *i = indices(ctx, tdm_shape(2), (const int64_t[]){2, -7});
    tdm_tensor *pairs = indices(ctx, tdm_shape(2, 2), (const int64_t[]){1, 2, 0, 9});
    tdm_tensor *along = indices(ctx, tdm_shape(2, 2), (const int64_t[]){2, 0, 1, 1});

    (void)state;
    gives(tdm_index_select(x, i, 1), tdm_shape(2, 2), 2, 0, 5, 3);
    gives(tdm_take_along_axis(x, along, 1), tdm_shape(2, 2), 2, 0, 4, 4);
    gives(tdm_gather_nd(x, pairs, 0), tdm_shape(2), 5, 2);
    gives(tdm_gather_nd(x, tdm_unsqueeze(i, -1), 1), tdm_shape(2), 2, 3);
    gives(tdm_put_along_axis(x, along, u, 1, TDM_SCATTER_SET), tdm_shape(2, 3), 1, 1, 0, 3, 3, 5);
    gives(tdm_put_along_axis(x, along, u, 1, TDM_SCATTER_ADD), tdm_shape(2, 3), 1, 1, 2, 3, 9, 5);
    gives(tdm_put_along_axis(x, along, u, 1, TDM_SCATTER_MUL), tdm_shape(2, 3), 0, 1, 0, 3, 24, 5);
    gives(tdm_put_along_axis(x, along, u, 1, TDM_SCATTER_MAX), tdm_shape(2, 3), 1, 1, 2, 3, 4, 5);
    gives(tdm_put_along_axis(x, along, u, 1, TDM_SCATTER_MIN), tdm_shape(2, 3), 0, 1, 0, 3, 2, 5);
    gives(tdm_scatter(x, i, tdm_neg(x), TDM_SCATTER_SET), tdm_shape(2, 3), -3, -4, -5, 0, -1, -2);
    gives(tdm_scatter_nd(x, pairs, v, 0, TDM_SCATTER_SET), tdm_shape(2, 3), 0, 1, 1, 3, 4, 0);
    gives(tdm_dynamic_slice(x, i, tdm_shape(1, 2)), tdm_shape(1, 2), 3, 4);
    gives(tdm_dynamic_update(x, i, tdm_zeros_like(u)), tdm_shape(2, 3), 0, 0, 2, 0, 0, 5);
    refused(ctx, TDM_EDTYPE, tdm_index_select(x, x, 0), "index_select", "f32[2,3]");
    refused(ctx, TDM_ESHAPE, tdm_take_along_axis(x, i, 1), "take_along_axis", "f32[2,3]", "i64[2]");
    refused(ctx, TDM_ESHAPE, tdm_gather_nd(x, pairs, 1), "gather_nd", "f32[2,3]", "i64[2,2]");
    refused(ctx, TDM_ESHAPE, tdm_put_along_axis(x, along, x, 1, TDM_SCATTER_ADD), "put_along_axis",
            "i64[2,2]");
    refused(ctx, TDM_EARG, tdm_scatter(x, i, x, (tdm_scatter_mode)9), "scatter", "mode");
    refused(ctx, TDM_ESHAPE, tdm_dynamic_slice(x, i, tdm_shape(3, 1)), "dynamic_slice", "f32[3,1]",
            "f32[2,3]");
    refused(ctx, TDM_EARG, tdm_dynamic_update(x, i, NULL), "dynamic_update", "update");
    close_context(ctx);
}

static void test_grids(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *of[2] = {tdm_arange(ctx, TDM_F32, 2), tdm_arange(ctx, TDM_I64, 3)}, *grids[2];

    (void)state;
    assert_int_equal(tdm_meshgrid(of, 2, grids), 2);
    gives(grids[0], tdm_shape(2, 3), 0, 0, 0, 1, 1, 1);
    gives(grids[1], tdm_shape(2, 3), 0, 1, 2, 0, 1, 2);
    assert_int_equal(tdm_meshgrid(grids, 1, of), 0);
    assert_error(ctx, TDM_ESHAPE, "meshgrid", "f32[2,3]");
    assert_int_equal(tdm_meshgrid(grids, 1, NULL), 0);
    assert_error(ctx, TDM_EARG, "meshgrid", "'grids' is NULL");
    close_context(ctx);
}

/* Zeros among the factors and equal maxima: what docs/ops says. */
static void test_ties(void **state)
{
    tdm_context *ctx = open_context();
    const float factors[] = {2, 0, 3}, equal[] = {5, 5, 1};
    const int64_t zeros[] = {0, 0, 0};
    tdm_tensor *one = tdm_requires_grad(tdm_full(ctx, TDM_F32, tdm_shape(1), 5), true);
    tdm_tensor *i = tdm_from_data(ctx, TDM_I64, tdm_shape(3), zeros), *d[2];
    tdm_tensor *u = tdm_requires_grad(tdm_from_data(ctx, TDM_F32, tdm_shape(3), factors), true);
    tdm_tensor *e = tdm_requires_grad(tdm_from_data(ctx, TDM_F32, tdm_shape(3), equal), true);

    (void)state;
    tdm_tensor *y = tdm_scatter(one, i, u, TDM_SCATTER_MUL);
    tdm_gradients(&y, NULL, 1, ((tdm_tensor *const[]){one, u}), 2, d, 0);
    expect(ctx, d[0], tdm_shape(1), (const double[]){0}, __LINE__);
    expect(ctx, d[1], tdm_shape(3), (const double[]){0, 30, 0}, __LINE__);
    y = tdm_scatter(one, i, e, TDM_SCATTER_MAX);
    tdm_gradients(&y, NULL, 1, ((tdm_tensor *const[]){one, e}), 2, d, 0);
    expect(ctx, d[0], tdm_shape(1), (const double[]){(float)(1.0 / 3)}, __LINE__);
    expect(ctx, d[1], tdm_shape(3), (const double[]){(float)(1.0 / 3), (float)(1.0 / 3), 0}, __LINE__);
    y = tdm_scatter(one, i, u, TDM_SCATTER_SET);
    tdm_gradients(&y, NULL, 1, ((tdm_tensor *const[]){one, u}), 2, d, 0);
    expect(ctx, d[0], tdm_shape(1), (const double[]){0}, __LINE__);
    expect(ctx, d[1], tdm_shape(3), (const double[]){0, 0, 1}, __LINE__);
    close_context(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_axes),     cmocka_unit_test(test_joins),    cmocka_unit_test(test_diagonals),
        cmocka_unit_test(test_products), cmocka_unit_test(test_indexing), cmocka_unit_test(test_ties),
        cmocka_unit_test(test_grids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
