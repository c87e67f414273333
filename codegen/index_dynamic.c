/* codegen/index_dynamic.c: boxes at places known only at run time.
 *
 *   dynamic_slice    y[i..] = x[start + i..]; units are runs of y
 *   dynamic_update   y = x, then y[start + i..] = update[i..]; units are rows of y (indices of axis 0): a
 * chunk copies its rows of x and what of the update falls on them.  In place nothing is copied
 *
 * A run is as many of the last axes as lie side by side in both arrays. */
#include "codegen/index.h"

typedef struct box {
    ir_map outer;     /* the part's axes [first, ..) before the run, with the whole's strides */
    int64_t run;      /* elements of a run */
    int64_t count;    /* runs */
    LLVMValueRef row; /* clamped start of axis 0 */
    LLVMValueRef at;  /* linear start of the axes [first, rank) in the whole */
} box;

/* Axes from `first` on of a part of an array. */
static box describe(index_state *s, const ir_type *whole, const ir_type *part, int first)
{
    cg *c = s->k->c;
    box b = {.run = 1, .count = 1, .at = cg_i64(c, 0)};
    int64_t strides[IR_MAX_RANK];
    int d = part->rank - 1;

    ir_type_strides(whole, strides);
    for (bool full = true; d >= first && full; d--) {
        b.run *= part->dims[d];
        full = part->dims[d] == whole->dims[d];
    }
    for (int i = first; i <= d; i++) {
        b.outer.extent[b.outer.rank] = part->dims[i];
        b.outer.stride[b.outer.rank++] = strides[i];
        b.count *= part->dims[i];
    }
    for (int i = 0; i < part->rank; i++) {
        LLVMValueRef v = cg_index_at(s, cg_i64(c, i), whole->dims[i] - part->dims[i]);
        if (i == 0)
            b.row = v;
        if (i >= first)
            b.at = LLVMBuildAdd(c->b, b.at, cg_index_times(c, v, strides[i]), "");
    }
    return b;
}

static void emit_slice(index_state *s)
{
    cg_kernel *k = s->k;
    cg *c = k->c;
    box b = describe(s, &k->g->nodes[s->n->x[0]].type, &s->n->type, 0);
    LLVMValueRef y = cg_base(k, k->k->root), from = cg_element(c, s->x, s->dtype, b.at);

    k->units = b.count;
    k->grain = cg_grain(k->units, 1.0 + 0.1 * (double)b.run);
    cg_loop l = cg_loop_open(c, k->begin, k->end, 1, "run");
    cg_index_run(s, cg_element(c, y, s->dtype, cg_index_times(c, l.index, b.run)),
                 cg_element(c, from, s->dtype, cg_index_flat(c, &b.outer, l.index)), b.run, IR_OP_COUNT);
    cg_loop_close(c, &l);
}

static LLVMValueRef limited(cg *c, const char *which, LLVMValueRef a, LLVMValueRef b)
{
    LLVMTypeRef i64 = LLVMInt64TypeInContext(c->ctx);

    return cg_intrinsic(c, which, &i64, 1, (LLVMValueRef[]){a, b}, 2);
}

static void emit_update(index_state *s)
{
    cg_kernel *k = s->k;
    cg *c = k->c;
    const ir_type *whole = &s->n->type, *part = &k->g->nodes[s->n->x[2]].type;
    int64_t row = ir_type_elements(whole) / whole->dims[0];
    box b = describe(s, whole, part, 1);
    LLVMValueRef y = cg_base(k, k->k->root), update = cg_index_operand(s, 2);

    k->units = whole->dims[0];
    k->grain = cg_grain(k->units, 1.0 + 0.1 * (double)row);
    cg_index_keep(s, y, cg_index_times(c, k->begin, row), cg_index_times(c, k->end, row));
    LLVMValueRef end = LLVMBuildAdd(c->b, b.row, cg_i64(c, part->dims[0]), "");
    cg_loop l = cg_loop_open(c, limited(c, "llvm.smax", k->begin, b.row),
                             limited(c, "llvm.smin", k->end, end), 1, "row");
    LLVMValueRef i = LLVMBuildSub(c->b, l.index, b.row, "");
    LLVMValueRef to = LLVMBuildAdd(c->b, cg_index_times(c, l.index, row), b.at, "");
    cg_loop r = cg_loop_open(c, cg_i64(c, 0), cg_i64(c, b.count), 1, "run");
    LLVMValueRef from = LLVMBuildAdd(c->b, cg_index_times(c, i, b.count), r.index, "");
    LLVMValueRef at = LLVMBuildAdd(c->b, to, cg_index_flat(c, &b.outer, r.index), "");
    cg_index_run(s, cg_element(c, y, s->dtype, at),
                 cg_element(c, update, s->dtype, cg_index_times(c, from, b.run)), b.run, IR_OP_COUNT);
    cg_loop_close(c, &r);
    cg_loop_close(c, &l);
}

void cg_emit_dynamic(index_state *s)
{
    if (s->n->op == IR_dynamic_slice)
        emit_slice(s);
    else
        emit_update(s);
}
