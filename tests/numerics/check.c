/* tests/numerics/check.c: operands in every layout, all engines of this CPU, and the comparison with the
 * reference. */
#include "numerics/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "numerics/reference.h"
#include "runtime/pool.h"

/* ---- data --------------------------------------------------------------------------------------------- */

static uint64_t seed = 0x9E3779B97F4A7C15u;

static uint64_t random64(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

int64_t num_pick(int64_t n)
{
    return (int64_t)(random64() % (uint64_t)n);
}

double num_uniform(double lo, double hi)
{
    return lo + (hi - lo) * (double)(random64() >> 11) * 0x1p-53;
}

static void fill_floats(const rt_array *x, int64_t count, double lo, double hi, bool special)
{
    static const double specials[] = {0.0,     -0.0, NAN,  INFINITY, -INFINITY, 1e-40,
                                      -1e-310, 3e38, -0.5, 1,        300,       -2147483648.0};

    for (int64_t i = 0; i < count; i++) {
        double v = special && num_pick(4) == 0 ? specials[num_pick(12)] : num_uniform(lo, hi);

        ir_element_set((ir_dtype)x->type.dtype,
                       (char *)x->data + i * (int64_t)ir_dtype_size((ir_dtype)x->type.dtype), v);
    }
}

static void fill_integers(const rt_array *x, int64_t count, double lo, double hi, bool special)
{
    static const int64_t specials[] = {0,         1,  -1, INT32_MIN, INT32_MAX, INT64_MIN,
                                       INT64_MAX, 31, 32, 64,        255,       -300};
    int64_t size = (int64_t)ir_dtype_size((ir_dtype)x->type.dtype);

    for (int64_t i = 0; i < count; i++) {
        int64_t v = special && num_pick(4) == 0 ? specials[num_pick(12)] : (int64_t)num_uniform(lo, hi);

        if (x->type.dtype == IR_DT_bool)
            v &= 1;
        memcpy((char *)x->data + i * size, &v, (size_t)size);
    }
}

/* Memory for an array of type t in the given layout, filled. */
rt_array num_operand(const ir_type *t, num_layout how, double lo, double hi, bool special)
{
    rt_array x = {.type = *t};
    int order[IR_MAX_RANK];
    int64_t next = 1;

    for (int i = 0; i < t->rank; i++)
        order[i] = t->rank - 1 - i; /* innermost first */
    for (int i = t->rank - 1; i > 0 && how == PERMUTED; i--) {
        int j = (int)num_pick(i + 1), k = order[i];

        order[i] = order[j];
        order[j] = k;
    }
    for (int i = 0; i < t->rank; i++) {
        bool repeat = how == REPEATED && num_pick(2);

        x.strides[order[i]] = repeat ? 0 : next * (how == GAPS ? 1 + num_pick(3) : 1);
        if (!repeat)
            next = x.strides[order[i]] * t->dims[order[i]];
    }
    x.data = malloc((size_t)next * 8);
    assert_non_null(x.data);
    if (ir_dtype_is_float((ir_dtype)t->dtype))
        fill_floats(&x, next, lo, hi, special);
    else
        fill_integers(&x, next, lo, hi, special);
    return x;
}

/* ---- engines and comparison --------------------------------------------------------------------------- */

#if defined(__SANITIZE_THREAD__)
#define RACES_ONLY 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RACES_ONLY 1
#endif
#endif
#ifndef RACES_ONLY
#define RACES_ONLY 0
#endif

static rt_engine engines[6];
static int engine_count;
static rt_pool *pool;

int num_setup(void **state)
{
    static const char *const names[] = {"x86-64", "x86-64-v3", "x86-64-v4"};

    (void)state;
    pool = rt_pool_new(2);
    if (!pool)
        return -1;
    for (int i = 0; i < 3; i++)
        for (int threads = 1; threads <= 2 && rt_level_named(names[i]); threads++)
            engines[engine_count++] =
                (rt_engine){.level = rt_level_named(names[i]), .pool = threads == 1 ? NULL : pool};
    if (RACES_ONLY) { /* TSan looks at two threads; builds without it compare the bits at every level */
        engines[0] = engines[engine_count - 1];
        engine_count = 1;
    }
    return 0;
}

int num_teardown(void **state)
{
    (void)state;
    rt_pool_free(pool);
    return 0;
}

static bool same_bits(const rt_array *a, const rt_array *b, int64_t i)
{
    size_t size = ir_dtype_size((ir_dtype)a->type.dtype);
    const char *p = (const char *)a->data + (size_t)i * size, *q = (const char *)b->data + (size_t)i * size;

    if (memcmp(p, q, size) == 0)
        return true;
    return isnan(ir_element_get((ir_dtype)a->type.dtype, p)) &&
           isnan(ir_element_get((ir_dtype)a->type.dtype, q));
}

static void report(ir_op op, const rt_engine *e, const rt_array *const *x, int n, const rt_array *want,
                   const rt_array *got, int64_t at)
{
    char text[128];

    print_error("%s at %s, %d thread(s): element %lld of %s differs\n", ir_ops[op].name,
                rt_level_name(e->level), e->pool ? 2 : 1, (long long)at,
                ir_type_text(&want->type, NULL, text, sizeof text));
    ir_dtype d = (ir_dtype)want->type.dtype;
    int64_t offset = at * (int64_t)ir_dtype_size(d);
    print_error("  want %a, got %a\n", ir_element_get(d, (char *)want->data + offset),
                ir_element_get(d, (char *)got->data + offset));
    for (int i = 0; i < n; i++) {
        print_error("  operand %d: %s strides", i, ir_type_text(&x[i]->type, NULL, text, sizeof text));
        for (int j = 0; j < x[i]->type.rank; j++)
            print_error(" %lld", (long long)x[i]->strides[j]);
        print_error("\n");
    }
    fail();
}

/* Computes with every engine; frees the operands. */
void num_check(ir_op op, const ir_attrs *a, rt_array *x, int n)
{
    const rt_array *in[3] = {&x[0], &x[1], &x[2]};
    const ir_type *types[3] = {&x[0].type, &x[1].type, &x[2].type};
    ir_error err = {0};
    ir_type t;

    if (ir_infer(op, a, types, n, &t, &err) != IR_OK)
        fail_msg("%s: %s", ir_ops[op].name, err.text);
    rt_array want = rt_array_of(&t, malloc(ir_type_bytes(&t))),
             got = rt_array_of(&t, malloc(ir_type_bytes(&t)));
    assert_non_null(want.data);
    assert_non_null(got.data);
    memset(want.data, 0x5A, ir_type_bytes(&t));
    assert_true(RACES_ONLY || ref_compute(op, a, in, n, &want));
    for (int i = 0; i < engine_count; i++) {
        memset(got.data, 0xA5, ir_type_bytes(&t));
        assert_int_equal(rt_compute(&engines[i], op, a, in, n, &got), IR_OK);
        for (int64_t j = 0; !RACES_ONLY && j < ir_type_elements(&t); j++)
            if (!same_bits(&want, &got, j))
                report(op, &engines[i], in, n, &want, &got, j);
    }
    free(want.data);
    free(got.data);
    for (int i = 0; i < n; i++)
        free(x[i].data);
}

ir_type num_type(ir_dtype d, int rank, ...)
{
    int64_t dims[IR_MAX_RANK];
    va_list list;

    va_start(list, rank);
    for (int i = 0; i < rank; i++)
        dims[i] = va_arg(list, int);
    va_end(list);
    return ir_type_make(d, rank, dims);
}
