/* passes/fold.c: constants computed now, by the eager kernel (so there is no second arithmetic).
 *
 *   %1 = constant 2 : f32[]   %2 = sqrt %1   %3 = broadcast %2 : f32[4,4]      ->      %3 = constant
 * splat 1.41421354 : f32[4,4]
 *
 * in:  any verified graph; pc->eval, without which nodes are copied as they are.
 * out: an op whose operands are all constants is a constant, if the result is small (64 Ki elements), no
 * larger than what it is made from, or a transposed or converted copy of up to 64 MiB (a weight prepared
 * once).  One repeated element (a splat) stays one: pointwise ops and views of splats are splats of any size.
 * Generators (iota, random_bits) and broadcasts of real data stay: in a kernel they cost less than a load.
 * 16-bit weights that products convert to f32 stay too: kernels widen them as they read them, half the bytes.
 * Cost: the folded ops once, at most 64 Mi multiply-adds each. */
#include "ir/map.h"
#include "ir/plant.h"
#include "passes/all.h"
#include "passes/rebuild.h"

#include <stdlib.h>
#include <string.h>

enum { SMALL_ELEMENTS = 1 << 16, MAX_OPERANDS = 3 };
#define LARGE_BYTES ((size_t)64 << 20)
#define MAX_WORK ((double)(64 << 20))

typedef struct folding {
    pass_context *pc;
    ir_graph *out;
    bool *kept; /* nodes of the graph being folded that stay as they are */
} folding;

/* An operand as the evaluator wants it: row-major data, perhaps expanded for the purpose. */
typedef struct operand {
    const ir_type *type;
    const void *data;
    void *owned; /* to be freed */
} operand;

static ir_ref constant(folding *f, const ir_type *t, const void *data, bool splat)
{
    ir_attrs a = {.type = *t, .splat = splat};

    a.constant.data = data;
    a.constant.bytes = splat ? ir_dtype_size(t->dtype) : ir_type_bytes(t);
    return ir_graph_append(f->out, IR_constant, &a, NULL, 0);
}

static bool evaluate(folding *f, ir_op op, const ir_attrs *a, const operand *x, int n, const ir_type *yt,
                     void *y)
{
    const ir_type *types[MAX_OPERANDS];
    const void *data[MAX_OPERANDS];

    for (int i = 0; i < n; i++) {
        types[i] = x[i].type;
        data[i] = x[i].data;
    }
    ir_status status = f->pc->eval(f->pc->eval_user, op, a, types, data, n, yt, y);
    *(uint8_t *)y ^= IR_PLANTED("fold"); /* the lowest bit of the first element */
    if (status == IR_ENOMEM) {
        ir_fail(&f->out->error, status, "out of memory folding %s", ir_ops[op].name);
    }
    return status == IR_OK;
}

/* ---- splats -------------------------------------------------------------------------------------------- */

/* Ops whose result repeats one element if the operands do. */
static bool keeps_splats(const ir_node *n, const void *data)
{
    static const char zeros[8];

    switch (ir_ops[n->op].cls) {
    case IR_POINTWISE:
    case IR_VIEW: return true;
    case IR_PAD: return memcmp(data, zeros, ir_dtype_size(n->type.dtype)) == 0;
    default: return false;
    }
}

/* Node n of splat operands: one element is computed.  IR_NONE: not such a node. */
static ir_ref fold_splat(folding *f, const ir_node *n, const ir_ref *x)
{
    operand v[MAX_OPERANDS];
    ir_type scalars[MAX_OPERANDS], scalar = ir_type_make(n->type.dtype, 0, NULL);
    _Alignas(8) char y[8];

    for (int i = 0; i < n->n; i++) {
        scalars[i] = ir_type_make(f->out->nodes[x[i]].type.dtype, 0, NULL);
        v[i] = (operand){.type = &scalars[i], .data = pass_splat_data(f->out, x[i])};
        if (!v[i].data) {
            return IR_NONE;
        }
    }
    if (!keeps_splats(n, v[0].data)) {
        return IR_NONE;
    }
    if (ir_ops[n->op].cls == IR_VIEW || ir_ops[n->op].cls == IR_PAD) {
        return constant(f, &n->type, v[0].data, true);
    }
    if (!evaluate(f, n->op, n->attrs, v, n->n, &scalar, y)) {
        return IR_NONE;
    }
    return constant(f, &n->type, y, true);
}

/* ---- data ---------------------------------------------------------------------------------------------- */

/* The constant that r is, or is a broadcast of; NULL else. */
static const ir_node *constant_under(const ir_graph *g, ir_ref r)
{
    const ir_node *n = &g->nodes[r];

    n = n->op == IR_broadcast ? &g->nodes[n->x[0]] : n;
    return n->op == IR_constant && ir_type_is_static(&n->type) ? n : NULL;
}

/* Repeats the bytes of one element. */
static void fill(void *y, size_t bytes, const void *element, size_t size)
{
    for (size_t at = 0; at < bytes; at += size) {
        memcpy((char *)y + at, element, size);
    }
}

/* Row-major data of an operand that constant_under knows. */
static bool open_operand(folding *f, ir_ref r, operand *v)
{
    const ir_node *n = &f->out->nodes[r], *c = constant_under(f->out, r);
    const ir_attrs *a = c->attrs;

    *v = (operand){.type = &n->type, .data = a->constant.data};
    if (n == c && !a->splat) {
        return true;
    }
    size_t bytes = ir_type_bytes(&n->type);
    v->owned = bytes <= LARGE_BYTES ? malloc(bytes) : NULL;
    v->data = v->owned;
    if (!v->owned) {
        return false; /* not folded: no error */
    }
    if (a->splat) {
        fill(v->owned, bytes, a->constant.data, ir_dtype_size(n->type.dtype));
        return true;
    }
    operand source = {.type = &c->type, .data = a->constant.data};
    return evaluate(f, IR_broadcast, n->attrs, &source, 1, &n->type, v->owned);
}

/* Multiply-adds or elements touched. */
static double work(const ir_graph *g, const ir_node *n, const ir_ref *x)
{
    double elements = (double)ir_type_elements(&n->type), most = elements;

    for (int i = 0; i < n->n; i++) {
        double e = (double)ir_type_elements(&g->nodes[x[i]].type);
        most = e > most ? e : most;
    }
    for (int i = 0; n->op == IR_dot_general && i < n->attrs->nk; i++) {
        elements *= (double)g->nodes[x[0]].type.dims[n->attrs->dot.lhs_k[i]];
    }
    return elements > most ? elements : most;
}

static bool worth_folding(const ir_graph *g, const ir_node *n, const ir_ref *x)
{
    size_t bytes = ir_type_bytes(&n->type), made_from = 0;

    if (n->op == IR_broadcast || ir_ops[n->op].cls == IR_GENERATE || work(g, n, x) > MAX_WORK) {
        return false;
    }
    for (int i = 0; i < n->n; i++) {
        made_from += constant_under(g, x[i])->attrs->constant.bytes;
    }
    bool prepares = n->op == IR_transpose || n->op == IR_convert;

    return bytes <= made_from || ir_type_elements(&n->type) <= SMALL_ELEMENTS ||
           (prepares && bytes <= LARGE_BYTES);
}

static ir_ref fold_data(folding *f, const ir_node *n, const ir_ref *x)
{
    operand v[MAX_OPERANDS] = {{0}};
    ir_ref r = IR_NONE;
    bool ok = true;

    for (int i = 0; i < n->n; i++) {
        if (!constant_under(f->out, x[i]) || !ir_type_is_static(&f->out->nodes[x[i]].type)) {
            return IR_NONE;
        }
    }
    if (!ir_type_is_static(&n->type) || !worth_folding(f->out, n, x)) {
        return IR_NONE;
    }
    for (int i = 0; i < n->n && ok; i++) {
        ok = open_operand(f, x[i], &v[i]);
    }
    void *y = ok ? malloc(ir_type_bytes(&n->type)) : NULL;
    if (y && evaluate(f, n->op, n->attrs, v, n->n, &n->type, y)) {
        r = constant(f, &n->type, y, false);
    }
    free(y);
    for (int i = 0; i < n->n; i++) {
        free(v[i].owned);
    }
    return r;
}

/* ---- weights ------------------------------------------------------------------------------------------- */

/* Marks converts of 16-bit values that nothing but products with something unknown as their left side read.
 */
static void find_weights(const ir_graph *g, bool *kept, bool *known)
{
    for (ir_ref r = 0; r < g->count; r++) {
        const ir_node *n = &g->nodes[r];

        known[r] = n->n > 0 ? !ir_has_effects(n) : n->op == IR_constant;
        for (int i = 0; i < n->n; i++) {
            known[r] &= known[n->x[i]];
            kept[n->x[i]] &= i == 1 && ir_dot_widens(g, n) && !known[n->x[0]];
        }
        kept[r] = n->op == IR_convert;
    }
    for (int i = 0; i < g->output_count; i++) {
        kept[g->outputs[i].value] = false;
    }
    for (int i = 0; i < g->assign_count; i++) {
        kept[g->assigns[i].value] = false;
    }
}

/* ---- the pass ------------------------------------------------------------------------------------------ */

static ir_ref fold_node(folding *f, const ir_graph *in, ir_ref r, const ir_ref *map)
{
    const ir_node *n = &in->nodes[r];
    ir_ref x[IR_MAX_RANK], folded = IR_NONE;

    bool may = f->pc->eval && n->n > 0 && n->n <= MAX_OPERANDS && !ir_has_effects(n);

    if (may && pass_map_operands(in, r, map, x)) {
        pass_copy_origin(n, f->out);
        folded = fold_splat(f, n, x);
        if (folded == IR_NONE && !f->kept[r]) {
            folded = fold_data(f, n, x);
        }
    }
    return folded != IR_NONE ? folded : pass_copy_node(in, r, f->out, map);
}

ir_status pass_fold(pass_context *pc, const ir_graph *in, ir_graph *out, ir_ref *map)
{
    bool *known = calloc((size_t)in->count + 1, sizeof *known);
    folding f = {.pc = pc, .out = out, .kept = calloc((size_t)in->count + 1, sizeof *f.kept)};
    bool ready = known && f.kept;

    pass_copy_header(in, out);
    if (ready) {
        find_weights(in, f.kept, known);
    } else {
        ir_fail(&out->error, IR_ENOMEM, "out of memory");
    }
    for (ir_ref r = 0; ready && r < in->count; r++) {
        map[r] = fold_node(&f, in, r, map);
    }
    free(known);
    free(f.kept);
    return pass_copy_results(in, out, map);
}
