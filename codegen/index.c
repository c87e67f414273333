/* codegen/index.c: INDEX kernels: gather here, scatters and boxes in index_*.c, what walks along axes in
 * scan.c; each alone.
 *
 *   gather       y[i, j] = x[clamp(index[i]), j]; units are i */
#include "codegen/index.h"

LLVMValueRef cg_index_operand(index_state *s, int i)
{
    return cg_base(s->k, s->n->x[i]);
}

LLVMValueRef cg_index_at(index_state *s, LLVMValueRef i, int64_t last)
{
    cg *c = s->k->c;
    LLVMTypeRef i64 = LLVMInt64TypeInContext(c->ctx);
    LLVMValueRef v = cg_load_scalar(c, cg_element(c, s->index, s->index_dtype, i), s->index_dtype), args[2];

    if (s->index_dtype != IR_DT_i64)
        v = LLVMBuildSExt(c->b, v, i64, "");
    args[0] = v;
    args[1] = cg_i64(c, 0);
    args[0] = cg_intrinsic(c, "llvm.smax", &i64, 1, args, 2);
    args[1] = cg_i64(c, last);
    return cg_intrinsic(c, "llvm.smin", &i64, 1, args, 2);
}

void cg_index_run(index_state *s, LLVMValueRef y, LLVMValueRef x, int64_t n, ir_op op)
{
    cg_kernel *k = s->k;
    cg *c = k->c;
    int lanes = c->lanes;

    while (c->lanes > 1 && c->lanes > n)
        c->lanes /= 2;
    int64_t step = c->lanes, main = n / step * step;
    for (int part = 0; part < 2; part++) {
        LLVMValueRef from = cg_i64(c, part ? main : 0), to = cg_i64(c, part ? n : main);
        if ((part ? main : 0) == (part ? n : main))
            continue;
        if (part)
            c->lanes = 1;
        cg_loop l = cg_loop_open(c, from, to, c->lanes, "j");
        LLVMValueRef v = cg_load_at(k, x, s->dtype, l.index, 1);
        if (op != IR_OP_COUNT) {
            LLVMValueRef both[2] = {cg_load_at(k, y, s->dtype, l.index, 1), v};
            v = cg_value(c, op, s->n->attrs, s->dtype, s->dtype, both, 2, NULL);
        }
        cg_store_at(k, y, s->dtype, l.index, 1, v);
        cg_loop_close(c, &l);
    }
    c->lanes = lanes;
}

LLVMValueRef cg_index_times(cg *c, LLVMValueRef v, int64_t by)
{
    return by == 1 ? v : LLVMBuildMul(c->b, v, cg_i64(c, by), "");
}

void cg_index_keep(index_state *s, LLVMValueRef y, LLVMValueRef from, LLVMValueRef to)
{
    cg *c = s->k->c;
    unsigned size = (unsigned)ir_dtype_size(s->dtype);
    LLVMValueRef same = LLVMBuildICmp(c->b, LLVMIntEQ, y, s->x, "");
    LLVMValueRef bytes = LLVMBuildMul(c->b, LLVMBuildSub(c->b, to, from, ""), cg_i64(c, size), "");

    LLVMBuildMemCpy(c->b, cg_element(c, y, s->dtype, from), size, cg_element(c, s->x, s->dtype, from), size,
                    LLVMBuildSelect(c->b, same, cg_i64(c, 0), bytes, ""));
}

static void emit_gather(index_state *s)
{
    cg_kernel *k = s->k;
    cg *c = k->c;
    LLVMValueRef y = cg_base(k, k->k->root);

    k->units = s->count;
    k->grain = cg_grain(k->units, 1.0 + 0.1 * (double)s->width);
    cg_loop l = cg_loop_open(c, k->begin, k->end, 1, "i");
    LLVMValueRef from =
        cg_element(c, s->x, s->dtype, cg_index_times(c, cg_index_at(s, l.index, s->rows - 1), s->width));
    cg_index_run(s, cg_element(c, y, s->dtype, cg_index_times(c, l.index, s->width)), from, s->width,
                 IR_OP_COUNT);
    cg_loop_close(c, &l);
}

LLVMValueRef cg_index_flat(cg *c, const ir_map *m, LLVMValueRef i)
{
    LLVMValueRef sum = cg_i64(c, 0);
    int first = 0;

    while (first < m->rank && m->extent[first] == 1)
        first++;
    for (int d = m->rank - 1; d >= first; d--) {
        LLVMValueRef e = cg_i64(c, m->extent[d]), digit = d > first ? LLVMBuildURem(c->b, i, e, "") : i;
        if (d > first)
            i = LLVMBuildUDiv(c->b, i, e, "");
        sum = LLVMBuildAdd(c->b, sum, cg_index_times(c, digit, m->stride[d]), "");
    }
    return sum;
}

void cg_emit_index(cg_kernel *k)
{
    const ir_node *n = &k->g->nodes[k->k->root];
    index_state s = {.k = k, .n = n, .dtype = (ir_dtype)k->g->nodes[n->x[0]].type.dtype};
    const ir_type *x = &k->g->nodes[n->x[0]].type;

    if (k->k->out_count != 1) {
        cg_fail(k, IR_EUNSUPPORTED, "an index kernel stores its root alone");
        return;
    }
    if (n->op == IR_custom) { /* the entry calls the runtime instead: emit.c */
        k->units = 1;
        k->grain = 0;
        return;
    }
    if (ir_op_walks_axes(n->op)) {
        cg_emit_scan(k);
        return;
    }
    s.x = cg_base(k, n->x[0]);
    s.index_dtype = (ir_dtype)k->g->nodes[n->x[1]].type.dtype;
    s.rows = x->dims[0];
    s.width = ir_type_elements(x) / s.rows;
    s.count = ir_type_elements(&k->g->nodes[n->x[1]].type);
    s.index = cg_base(k, n->x[1]);
    if (n->op == IR_gather)
        emit_gather(&s);
    else if (n->op == IR_dynamic_slice || n->op == IR_dynamic_update)
        cg_emit_dynamic(&s);
    else
        cg_emit_scatter(&s);
}
