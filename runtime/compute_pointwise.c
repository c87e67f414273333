/* runtime/compute_pointwise.c: pointwise ops on operands of any strides, iota and random bits.
 *
 *   all operands row-major      the kernel runs over chunks of the whole array: the fast path of small
 * tensors long rows                   the kernel runs over each row; an operand that is not contiguous there
 * (a broadcast scalar, a transposed matrix) is first gathered, BUFFER elements at a time short rows every
 * operand that is not row-major is gathered across rows, BUFFER elements at a time
 *
 * So one contiguous loop per op and dtype serves every layout, and transcendentals are vectorised in all of
 * them. */
#include "runtime/compute.h"

#define BUFFER 1024
#define LONG_ROW 128

typedef struct pointwise_work {
    const rt_level *level;
    rt_row_fn *fn;
    const ir_attrs *a;
    int n;
    rt_loop loop;
    const void *x[3];
    int64_t size[3], y_size;
    bool contiguous[3];
    void *y;
    double ns; /* of one element, roughly */
} pointwise_work;

static rt_row_fn *row_of(const rt_level *v, ir_op op, ir_dtype from, ir_dtype to)
{
    rt_row_fn *fn = v->pointwise[from][op];

    if (op == IR_convert)
        fn = (*v->convert)[from][to];
    if (op == IR_clamp)
        fn = v->clamp[from];
    return fn;
}

static void contiguous_chunk(void *const *args, int64_t begin, int64_t end)
{
    const pointwise_work *w = args[0];
    const void *x[3] = {0};

    for (int i = 0; i < w->n; i++)
        x[i] = rt_at(w->x[i], begin * w->size[i]);
    w->fn(rt_at(w->y, begin * w->y_size), x, end - begin, w->a);
}

/* [begin, end) in blocks of at most BUFFER elements. */
static void strided_chunk(void *const *args, int64_t begin, int64_t end)
{
    const pointwise_work *w = args[0];
    _Alignas(64) char buffer[3][BUFFER * 8];

    for (int64_t at = begin; at < end; at += BUFFER) {
        int64_t count = end - at < BUFFER ? end - at : BUFFER;
        const void *x[3] = {0};

        for (int i = 0; i < w->n; i++) {
            x[i] = rt_at(w->x[i], at * w->size[i]);
            if (w->contiguous[i])
                continue;
            rt_gather_range(w->level, &w->loop, i, (size_t)w->size[i], w->x[i], at, count, buffer[i]);
            x[i] = buffer[i];
        }
        w->fn(rt_at(w->y, at * w->y_size), x, count, w->a);
    }
}

/* Rows [begin, end): the last dim is long and every operand is contiguous or repeated along it. */
static void row_chunk(void *const *args, int64_t begin, int64_t end)
{
    const pointwise_work *w = args[0];
    const rt_loop *l = &w->loop;
    int last = l->rank - 1;
    int64_t inner = l->extent[last];
    _Alignas(64) char buffer[3][BUFFER * 8];

    for (int64_t row = begin; row < end; row++) {
        const void *x[3] = {0};
        int64_t block = inner;

        for (int i = 0; i < w->n; i++) {
            int64_t rest = row, offset = 0;

            for (int j = last - 1; j >= 0; j--) {
                offset += rest % l->extent[j] * l->step[i][j];
                rest /= l->extent[j];
            }
            x[i] = rt_at(w->x[i], offset * w->size[i]);
            if (l->step[i][last] == 1)
                continue;
            block = inner < BUFFER ? inner : BUFFER;
            w->level->copy[w->size[i]](buffer[i], 1, x[i], 0, block);
            x[i] = buffer[i];
        }
        for (int64_t at = 0; at < inner; at += block) {
            w->fn(rt_at(w->y, (row * inner + at) * w->y_size), x, inner - at < block ? inner - at : block,
                  w->a);
            for (int i = 0; i < w->n; i++)
                if (l->step[i][last] == 1)
                    x[i] = rt_at(x[i], block * w->size[i]);
        }
    }
}

static bool is_long_row(const pointwise_work *w)
{
    int last = w->loop.rank - 1;

    if (w->loop.extent[last] < LONG_ROW)
        return false;
    for (int i = 0; i < w->n; i++)
        if (w->loop.step[i][last] > 1)
            return false;
    return true;
}

static void run_loop(const rt_engine *e, pointwise_work *w, const rt_array *const *x, const rt_array *y)
{
    rt_loop *l = &w->loop;
    int64_t total = ir_type_elements(&y->type);

    l->rank = y->type.rank;
    for (int j = 0; j < l->rank; j++) {
        l->extent[j] = y->type.dims[j];
        for (int i = 0; i < w->n; i++)
            l->step[i][j] = x[i]->strides[j];
    }
    rt_loop_collapse(l, w->n);
    if (is_long_row(w)) {
        int64_t inner = l->extent[l->rank - 1];

        rt_split(e, row_chunk, w, total / inner, w->ns * (double)inner);
    } else {
        rt_split(e, strided_chunk, w, total, w->ns + 0.3);
    }
}

/* Large transposed operands are copied, then the rest is rows. */
static ir_status run_strided(const rt_engine *e, pointwise_work *w, const rt_array *const *x,
                             const rt_array *y)
{
    rt_array copy[3];
    const rt_array *in[3];
    ir_status s = IR_OK;

    for (int i = 0; i < w->n; i++) {
        copy[i] = *x[i];
        if (s == IR_OK && ir_type_elements(&y->type) >= 4 * BUFFER && rt_is_transposed(x[i]))
            s = rt_contiguous_of(e, x[i], &copy[i]);
        in[i] = &copy[i];
        w->x[i] = copy[i].data;
        w->contiguous[i] = rt_array_is_contiguous(&copy[i]);
    }
    if (s == IR_OK)
        run_loop(e, w, in, y);
    for (int i = 0; i < w->n; i++)
        rt_scratch_free(x[i], &copy[i]);
    return s;
}

static ir_status run_work(const rt_engine *e, pointwise_work w, bool contiguous, const rt_array *const *x,
                          const rt_array *y)
{
    for (int i = 0; i < w.n; i++) {
        w.x[i] = x[i]->data;
        w.size[i] = (int64_t)ir_dtype_size((ir_dtype)x[i]->type.dtype);
    }
    if (!contiguous)
        return run_strided(e, &w, x, y);
    rt_split(e, contiguous_chunk, &w, ir_type_elements(&y->type), w.ns);
    return IR_OK;
}

ir_status rt_pointwise(const rt_engine *e, ir_op op, const ir_attrs *a, const rt_array *const *x, int n,
                       const rt_array *y)
{
    rt_row_fn *fn = row_of(e->level, op, (ir_dtype)x[n - 1]->type.dtype, (ir_dtype)y->type.dtype);
    double ns = 0.06 + 0.02 * ir_ops[op].flops;
    const void *data[3] = {0};
    bool contiguous = true;

    if (!fn)
        return IR_EDTYPE;
    for (int i = 0; i < n; i++) {
        contiguous = contiguous && rt_array_is_contiguous(x[i]);
        data[i] = x[i]->data;
    }
    if (contiguous) {
        int64_t total = ir_type_elements(&y->type);

        if (!e->pool || (double)total * ns < 4000) {
            fn(y->data, data, total, a);
            return IR_OK;
        }
    }
    return run_work(e,
                    (pointwise_work){.level = e->level,
                                     .fn = fn,
                                     .a = a,
                                     .n = n,
                                     .y = y->data,
                                     .y_size = (int64_t)ir_dtype_size((ir_dtype)y->type.dtype),
                                     .ns = ns},
                    contiguous, x, y);
}

/* ---- iota and random bits: an element is a function of its linear index ------------------------------ */

typedef struct generate_work {
    rt_generate_fn *fn;
    const void *state;
    void *y;
    int64_t size;
    const ir_attrs *a;
} generate_work;

static void generate_chunk(void *const *args, int64_t begin, int64_t end)
{
    const generate_work *w = args[0];

    w->fn(rt_at(w->y, begin * w->size), w->state, begin, end - begin, w->a);
}

ir_status rt_generate(const rt_engine *e, ir_op op, const ir_attrs *a, const rt_array *const *x,
                      const rt_array *y)
{
    ir_dtype d = (ir_dtype)y->type.dtype;
    generate_work w = {.y = y->data, .size = (int64_t)ir_dtype_size(d), .a = a};
    uint32_t state[4];

    w.fn = op == IR_iota ? e->level->iota[d] : e->level->random_bits;
    if (op == IR_random_bits) {
        e->level->copy[4](state, 1, x[0]->data, x[0]->strides[0], 4);
        w.state = state;
    }
    if (!w.fn)
        return IR_EDTYPE;
    rt_split(e, generate_chunk, &w, ir_type_elements(&y->type), op == IR_iota ? 0.1 : 1.5);
    return IR_OK;
}
