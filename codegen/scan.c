/* codegen/scan.c: INDEX kernels of what walks along axes: argmax and argmin, scans, argsort.
 *
 *   argmax       the first NaN, else the first maximum, of each row; units are rows
 *   cumsum ..    lanes are columns, or where the axis is the last one, rows; units are vectors of them
 *   argsort      units are rows; each is one call of the runtime's sort, the eager engine's own */
#include "codegen/codegen.h"
#include "codegen/index.h"
#include "codegen/reduce.h"
#include "runtime/sort.h"

/* ---- argmax, argmin ---- */

typedef struct search {
    ir_map outer, inner; /* strides in x: of the kept axes, of the reduced axes */
    int64_t rows, n;
} search;

static search describe_search(const ir_type *t, const ir_attrs *attrs)
{
    int64_t strides[IR_MAX_RANK];
    search a = {.rows = 1, .n = 1};

    ir_type_strides(t, strides);
    for (int i = 0, r = 0; i < t->rank; i++) {
        bool reduced = r < attrs->n && attrs->axes[r] == i;
        ir_map *m = reduced ? &a.inner : &a.outer;
        r += reduced;
        m->extent[m->rank] = t->dims[i];
        m->stride[m->rank++] = strides[i];
        *(reduced ? &a.n : &a.rows) *= t->dims[i];
    }
    return a;
}

static LLVMValueRef row_value(cg *c, ir_op op, ir_dtype d, LLVMValueRef a, LLVMValueRef b)
{
    return cg_value(c, op, NULL, d, IR_DT_bool, (LLVMValueRef[]){a, b}, 2, NULL);
}

/* v beats best: greater (argmin: less), or the first NaN. */
static LLVMValueRef beats(cg *c, ir_op op, ir_dtype d, LLVMValueRef v, LLVMValueRef best)
{
    LLVMValueRef wins = row_value(c, op == IR_argmax ? IR_gt : IR_lt, d, v, best);

    if (!ir_dtype_is_float(d))
        return wins;
    LLVMValueRef nan =
        LLVMBuildAnd(c->b, row_value(c, IR_ne, d, v, v), row_value(c, IR_eq, d, best, best), "");
    return LLVMBuildOr(c->b, wins, nan, "");
}

/* The best of elements [from, to) of a row, beginning with `best` at place *at. */
static LLVMValueRef search_on(cg_kernel *k, const ir_node *n, const search *a, LLVMValueRef row, int64_t from,
                              LLVMValueRef best, LLVMValueRef *at)
{
    cg *c = k->c;
    ir_dtype d = (ir_dtype)k->g->nodes[n->x[0]].type.dtype;

    if (from >= a->n)
        return best;
    cg_loop i = cg_loop_open(c, cg_i64(c, from), cg_i64(c, a->n), 1, "i");
    LLVMValueRef so_far = cg_carry(c, &i, best), where = cg_carry(c, &i, *at);
    LLVMValueRef v = cg_load_scalar(c, cg_element(c, row, d, cg_index_flat(c, &a->inner, i.index)), d);
    LLVMValueRef take = beats(c, n->op, d, v, so_far);
    LLVMValueRef next = LLVMBuildSelect(c->b, take, v, so_far, "");
    LLVMValueRef next_at = LLVMBuildSelect(c->b, take, i.index, where, "");
    cg_loop_close(c, &i);
    *at = cg_carried(c, &i, where, *at, next_at);
    return cg_carried(c, &i, so_far, best, next);
}

/* The best of the lanes: of equals, or of several NaN, the one at the first place. */
static LLVMValueRef best_lane(cg *c, ir_op op, ir_dtype d, LLVMValueRef lanes, LLVMValueRef bases, int count,
                              LLVMValueRef *at)
{
    LLVMTypeRef i32 = LLVMInt32TypeInContext(c->ctx), i64 = LLVMInt64TypeInContext(c->ctx);
    LLVMValueRef best = NULL;

    for (int l = 0; l < count; l++) {
        LLVMValueRef id = LLVMConstInt(i32, (unsigned)l, 0), v = LLVMBuildExtractElement(c->b, lanes, id, "");
        LLVMValueRef place = LLVMBuildZExt(c->b, LLVMBuildExtractElement(c->b, bases, id, ""), i64, "");
        place = LLVMBuildAdd(c->b, place, cg_i64(c, l), "");
        if (l == 0) {
            best = v;
            *at = place;
            continue;
        }
        LLVMValueRef less = beats(c, op, d, best, v), more = beats(c, op, d, v, best);
        LLVMValueRef tie = LLVMBuildNot(c->b, LLVMBuildOr(c->b, less, more, ""), "");
        LLVMValueRef before = LLVMBuildICmp(c->b, LLVMIntULT, place, *at, "");
        LLVMValueRef take = LLVMBuildOr(c->b, more, LLVMBuildAnd(c->b, tie, before, ""), "");
        best = LLVMBuildSelect(c->b, take, v, best, "");
        *at = LLVMBuildSelect(c->b, take, place, *at, "");
    }
    return best;
}

/* Elements [0, main) of a contiguous row: each lane has its own best, and the place of its vector. */
static LLVMValueRef search_lanes(cg_kernel *k, const ir_node *n, LLVMValueRef row, int64_t main, int lanes,
                                 LLVMValueRef *at)
{
    cg *c = k->c;
    ir_dtype d = (ir_dtype)k->g->nodes[n->x[0]].type.dtype;
    LLVMTypeRef i32 = LLVMInt32TypeInContext(c->ctx);

    c->lanes = lanes;
    LLVMValueRef first = cg_load_at(k, row, d, cg_i64(c, 0), 1), none = LLVMConstNull(cg_vector_of(c, i32));
    LLVMValueRef best = first, bases = none;
    if (main > lanes) {
        cg_loop i = cg_loop_open(c, cg_i64(c, lanes), cg_i64(c, main), lanes, "i");
        LLVMValueRef so_far = cg_carry(c, &i, first), where = cg_carry(c, &i, none);
        LLVMValueRef v = cg_load_at(k, row, d, i.index, 1), take = beats(c, n->op, d, v, so_far);
        LLVMValueRef base = cg_splat(c, LLVMBuildTrunc(c->b, i.index, i32, ""));
        LLVMValueRef next = LLVMBuildSelect(c->b, take, v, so_far, "");
        LLVMValueRef next_base = LLVMBuildSelect(c->b, take, base, where, "");
        cg_loop_close(c, &i);
        best = cg_carried(c, &i, so_far, first, next);
        bases = cg_carried(c, &i, where, none, next_base);
    }
    c->lanes = 1;
    return best_lane(c, n->op, d, best, bases, lanes, at);
}

static void emit_search(cg_kernel *k, const ir_node *n)
{
    cg *c = k->c;
    const ir_type *t = &k->g->nodes[n->x[0]].type;
    ir_dtype d = (ir_dtype)t->dtype;
    search a = describe_search(t, n->attrs);
    bool contiguous = n->attrs->axes[0] == t->rank - n->attrs->n && a.n <= INT32_MAX;
    int lanes = contiguous && a.n >= 2 * c->lanes ? c->lanes : 1;
    LLVMValueRef x = cg_base(k, n->x[0]), y = cg_base(k, k->k->root), at = cg_i64(c, 0);

    c->lanes = 1;
    k->units = a.rows;
    k->grain = cg_grain(k->units, 20 + 2.0 * (double)a.n / lanes);
    cg_loop l = cg_loop_open(c, k->begin, k->end, 1, "row");
    LLVMValueRef row = cg_element(c, x, d, cg_index_flat(c, &a.outer, l.index));
    if (lanes > 1) {
        LLVMValueRef best = search_lanes(k, n, row, a.n / lanes * lanes, lanes, &at);
        search_on(k, n, &a, row, a.n / lanes * lanes, best, &at);
    } else {
        search_on(k, n, &a, row, 1, cg_load_scalar(c, row, d), &at);
    }
    cg_store_at(k, y, IR_DT_i64, l.index, 1, at);
    cg_loop_close(c, &l);
}

/* ---- scans ---- */

enum { MOST_VECTORS = 8, MOST_ROWS = 4 };

typedef struct scan {
    cg_kernel *k;
    const ir_node *n;
    cg_reduce step; /* the reduce whose running value this is */
    ir_dtype dtype;
    int64_t rows, inner;         /* extent of the axis; elements between its neighbours */
    int64_t across, within;      /* elements between lanes; lanes that follow one another so */
    int vectors;                 /* side by side in a unit */
    LLVMValueRef x[2], y, first; /* first: element 0 of lane 0, in the scan's order */
    LLVMValueRef mask[MOST_VECTORS];
} scan;

static ir_op reduce_of(ir_op scan_op)
{
    switch (scan_op) {
    case IR_cumprod: return IR_reduce_prod;
    case IR_cummax: return IR_reduce_max;
    case IR_cummin: return IR_reduce_min;
    default: return IR_reduce_sum;
    }
}

static scan describe_scan(cg_kernel *k, const ir_node *n)
{
    const ir_type *t = &n->type;
    scan s = {.k = k, .n = n, .dtype = (ir_dtype)t->dtype, .inner = 1};

    s.step = (cg_reduce){.op = reduce_of(n->op), .dtype = s.dtype};
    s.rows = t->dims[n->attrs->scan.axis];
    for (int i = (int)n->attrs->scan.axis + 1; i < t->rank; i++)
        s.inner *= t->dims[i];
    s.across = s.inner == 1 ? s.rows : 1;
    s.within = s.inner == 1 ? ir_type_elements(t) / s.rows : s.inner;
    for (int i = 0; i < n->n; i++)
        s.x[i] = cg_base(k, n->x[i]);
    s.y = cg_base(k, k->k->root);
    return s;
}

/* Linear index of element i of lane 0 of a vector. */
static LLVMValueRef place(const scan *s, LLVMValueRef i, int vector)
{
    cg *c = s->k->c;
    int64_t step = s->n->attrs->scan.reverse ? -s->inner : s->inner;
    LLVMValueRef at = LLVMBuildAdd(c->b, s->first, LLVMBuildMul(c->b, i, cg_i64(c, step), ""), "");

    return vector ? LLVMBuildAdd(c->b, at, cg_i64(c, (int64_t)vector * c->lanes * s->across), "") : at;
}

static LLVMValueRef load(const scan *s, int operand, LLVMValueRef i, int vector)
{
    s->k->mask = s->mask[vector];
    return cg_load_at(s->k, s->x[operand], s->dtype, place(s, i, vector), s->across);
}

static void store(const scan *s, LLVMValueRef i, int vector, LLVMValueRef v)
{
    s->k->mask = s->mask[vector];
    cg_store_at(s->k, s->y, s->dtype, place(s, i, vector), s->across, v);
}

/* Elements [from, to): chains from the neutral value, joined to `before`, which becomes the last joined
 * values. */
static void emit_block(const scan *s, LLVMValueRef from, LLVMValueRef to, LLVMValueRef *before)
{
    cg *c = s->k->c;
    LLVMValueRef neutral = cg_neutral(c, &s->step), acc[MOST_VECTORS], last[MOST_VECTORS];
    LLVMValueRef next[MOST_VECTORS], joined[MOST_VECTORS];
    cg_loop l = cg_loop_open(c, from, to, 1, "i");

    for (int v = 0; v < s->vectors; v++) {
        acc[v] = cg_carry(c, &l, neutral);
        last[v] = cg_carry(c, &l, before[v]);
    }
    for (int v = 0; v < s->vectors; v++) {
        next[v] = cg_combine(c, &s->step, acc[v], load(s, 0, l.index, v));
        joined[v] = cg_combine(c, &s->step, before[v], next[v]);
        store(s, l.index, v, joined[v]);
    }
    cg_loop_close(c, &l);
    for (int v = 0; v < s->vectors; v++) {
        cg_carried(c, &l, acc[v], neutral, next[v]);
        before[v] = cg_carried(c, &l, last[v], before[v], joined[v]);
    }
}

static void emit_blocks(const scan *s)
{
    cg *c = s->k->c;
    LLVMValueRef rows = cg_i64(c, s->rows), neutral = cg_neutral(c, &s->step);
    LLVMValueRef before[MOST_VECTORS], next[MOST_VECTORS];

    for (int v = 0; v < s->vectors; v++)
        before[v] = neutral;
    if (s->rows <= IR_ROW_BLOCK) {
        emit_block(s, cg_i64(c, 0), rows, before);
        return;
    }
    cg_loop l = cg_loop_open(c, cg_i64(c, 0), rows, IR_ROW_BLOCK, "block");
    for (int v = 0; v < s->vectors; v++)
        next[v] = before[v] = cg_carry(c, &l, neutral);
    LLVMValueRef end = LLVMBuildAdd(c->b, l.index, cg_i64(c, IR_ROW_BLOCK), "");
    LLVMValueRef less = LLVMBuildICmp(c->b, LLVMIntSLT, end, rows, "");
    emit_block(s, l.index, LLVMBuildSelect(c->b, less, end, rows, ""), next);
    cg_loop_close(c, &l);
    for (int v = 0; v < s->vectors; v++)
        cg_carried(c, &l, before[v], neutral, next[v]);
}

/* y[0] = z[0]; y[i] = fma(x[i], y[i - 1], z[i]) */
static void emit_linear(const scan *s)
{
    cg *c = s->k->c;
    LLVMValueRef zero = cg_i64(c, 0), start[MOST_VECTORS], acc[MOST_VECTORS], next[MOST_VECTORS];

    for (int v = 0; v < s->vectors; v++) {
        start[v] = load(s, 1, zero, v);
        store(s, zero, v, start[v]);
    }
    if (s->rows == 1)
        return;
    cg_loop l = cg_loop_open(c, cg_i64(c, 1), cg_i64(c, s->rows), 1, "i");
    for (int v = 0; v < s->vectors; v++)
        acc[v] = cg_carry(c, &l, start[v]);
    for (int v = 0; v < s->vectors; v++) {
        next[v] = cg_fma(c, load(s, 0, l.index, v), acc[v], load(s, 1, l.index, v));
        store(s, l.index, v, next[v]);
    }
    cg_loop_close(c, &l);
    for (int v = 0; v < s->vectors; v++)
        cg_carried(c, &l, acc[v], start[v], next[v]);
}

/* The lanes of each vector that are left of `left` lanes. */
static void set_masks(scan *s, LLVMValueRef left)
{
    cg *c = s->k->c;
    LLVMTypeRef i64 = LLVMInt64TypeInContext(c->ctx);

    for (int v = 0; v < s->vectors; v++) {
        LLVMValueRef mine[2] = {LLVMBuildSub(c->b, left, cg_i64(c, (int64_t)v * c->lanes), ""),
                                cg_i64(c, c->lanes)};
        LLVMValueRef some[2] = {cg_intrinsic(c, "llvm.smin", &i64, 1, mine, 2), cg_i64(c, 0)};
        s->mask[v] = cg_tail_mask(s->k, cg_i64(c, 0), cg_intrinsic(c, "llvm.smax", &i64, 1, some, 2));
    }
}

/* Few lanes where each is a row of its own: they are read one by one. */
static void choose_lanes(scan *s)
{
    cg *c = s->k->c;

    while (c->lanes > 1 && (c->lanes >= 2 * s->within || (s->across != 1 && c->lanes > MOST_ROWS)))
        c->lanes /= 2;
    s->vectors = s->across == 1 ? MOST_VECTORS : 1;
    while (s->vectors > 1 && ((int64_t)s->vectors * c->lanes >= 2 * s->within ||
                              (c->lanes == 1 && s->within % s->vectors))) /* a scalar has no mask */
        s->vectors /= 2;
}

static void emit_lanes(cg_kernel *k, const ir_node *n)
{
    cg *c = k->c;
    scan s = describe_scan(k, n);

    choose_lanes(&s);
    int64_t width = (int64_t)s.vectors * c->lanes, tiles = (s.within + width - 1) / width;
    k->units = ir_type_elements(&n->type) / s.rows / s.within * tiles;
    k->grain = cg_grain(k->units, 20 + 0.5 * (double)s.rows * (double)(s.across == 1 ? s.vectors : c->lanes));
    cg_loop l = cg_loop_open(c, k->begin, k->end, 1, "unit");
    LLVMValueRef t = cg_i64(c, tiles), line = LLVMBuildUDiv(c->b, l.index, t, "");
    LLVMValueRef lane = LLVMBuildMul(c->b, LLVMBuildURem(c->b, l.index, t, ""), cg_i64(c, width), "");
    LLVMValueRef at = LLVMBuildMul(c->b, line, cg_i64(c, s.rows * s.inner), "");
    s.first = LLVMBuildAdd(c->b, at, LLVMBuildMul(c->b, lane, cg_i64(c, s.across), ""), "");
    if (n->attrs->scan.reverse)
        s.first = LLVMBuildAdd(c->b, s.first, cg_i64(c, (s.rows - 1) * s.inner), "");
    if (s.within % width)
        set_masks(&s, LLVMBuildSub(c->b, cg_i64(c, s.within), lane, ""));
    if (n->op == IR_linear_scan)
        emit_linear(&s);
    else
        emit_blocks(&s);
    k->mask = NULL;
    cg_loop_close(c, &l);
}

/* ---- argsort ---- */

static void emit_argsort(cg_kernel *k, const ir_node *n)
{
    cg *c = k->c;
    const ir_type *t = &k->g->nodes[n->x[0]].type;
    int64_t length = t->dims[t->rank - 1];
    LLVMTypeRef p = LLVMPointerTypeInContext(c->ctx, 0), i64 = LLVMInt64TypeInContext(c->ctx);
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(c->ctx), (LLVMTypeRef[]){p, p, i64, i64}, 4, 0);
    LLVMValueRef sort = LLVMGetNamedFunction(c->module, RT_ARGSORT_SYMBOL);
    LLVMValueRef x = cg_base(k, n->x[0]), y = cg_base(k, k->k->root);

    if (!sort)
        sort = LLVMAddFunction(c->module, RT_ARGSORT_SYMBOL, type);
    k->units = ir_type_elements(t) / length;
    k->grain = cg_grain(k->units, 20 + 40 * (double)length);
    cg_loop l = cg_loop_open(c, k->begin, k->end, 1, "row");
    LLVMValueRef at = LLVMBuildMul(c->b, l.index, cg_i64(c, length), "");
    LLVMValueRef how = cg_i64(c, rt_sort_how((ir_dtype)t->dtype, n->attrs->scan.reverse != 0));
    LLVMValueRef args[4] = {cg_element(c, y, IR_DT_i64, at), cg_element(c, x, (ir_dtype)t->dtype, at),
                            cg_i64(c, length), how};
    LLVMBuildCall2(c->b, type, sort, args, 4, "");
    cg_loop_close(c, &l);
}

void cg_emit_scan(cg_kernel *k)
{
    const ir_node *n = &k->g->nodes[k->k->root];

    switch (n->op) {
    case IR_argmax:
    case IR_argmin: emit_search(k, n); break;
    case IR_argsort: emit_argsort(k, n); break;
    default: emit_lanes(k, n); break;
    }
}
