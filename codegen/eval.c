/* codegen/eval.c: values of terms: computed on demand, placed as far out as their dims allow, remembered.
 *
 *   for i: for j in lanes: y[i, j] = x[i, j] * exp(s[i])     exp(s[i]) is a scalar in the body of i, spread
 * once
 *
 * A term that does not vary along the vector run is computed on scalars; its spread form is kept beside it.
 * Values are dropped by cg_forget when the index they depend on moves.  Cost: one pass over the terms per
 * asked root. */
#include "codegen/eval.h"
#include "codegen/debug.h"
#include "codegen/memo.h"
#include "ir/range.h"

#include <stdlib.h>
#include <string.h>

/* ---- memory of values ---- */

bool cg_memo_reserve(cg_kernel *k)
{
    cg_memo *m = k->memo;

    if (!m && !(m = k->memo = calloc(1, sizeof *m)))
        return cg_fail(k, IR_ENOMEM, "out of memory") == IR_OK;
    if (k->banks < 1)
        k->banks = 1;
    if (m->terms >= k->term_count)
        return true;
    int terms = k->term_capacity;
    cg_slot *slots = realloc(m->slots, (size_t)terms * k->banks * sizeof *slots);
    if (slots)
        m->slots = slots;
    uint8_t *need = realloc(m->need, (size_t)terms);
    if (need)
        m->need = need;
    if (!slots || !need)
        return cg_fail(k, IR_ENOMEM, "out of memory") == IR_OK;
    memset(slots + (size_t)m->terms * k->banks, 0, (size_t)(terms - m->terms) * k->banks * sizeof *slots);
    m->terms = terms;
    return true;
}

cg_slot *cg_slot_of(cg_kernel *k, int term, unsigned uses)
{
    if (!cg_memo_reserve(k))
        return NULL;
    return &k->memo->slots[(size_t)term * k->banks + (uses & k->banked ? k->bank : 0)];
}

void cg_memo_free(cg_kernel *k)
{
    if (k->memo) {
        free(k->memo->slots);
        free(k->memo->need);
        free(k->memo->bases);
        free(k->memo);
    }
    k->memo = NULL;
}

static unsigned run_mask(const cg_kernel *k)
{
    unsigned mask = 0;

    for (int d = k->vector_first; k->vector_dim >= 0 && d <= k->vector_dim; d++)
        mask |= 1u << d;
    return mask;
}

int cg_deepest(const cg_kernel *k, unsigned uses)
{
    int deepest = -1;

    if (uses & run_mask(k))
        uses |= 1u << k->vector_dim; /* the run is one loop, whatever dims it holds */
    for (int d = 0; d < CG_DIMS; d++)
        if (uses >> d & 1 && (deepest < 0 || k->level[d] >= k->level[deepest]))
            deepest = d;
    return deepest;
}

void cg_forget(cg_kernel *k, int dim)
{
    cg_forget_level(k, k->level[dim]);
}

void cg_forget_level(cg_kernel *k, int level)
{
    if (!k->memo)
        return;
    for (int t = 0; t < k->term_count && t < k->memo->terms; t++) {
        int deep = cg_deepest(k, k->terms[t].uses);
        if (deep < 0 || k->level[deep] < level)
            continue;
        for (int b = 0; b < k->banks; b++) {
            cg_slot *s = &k->memo->slots[(size_t)t * k->banks + b];
            s->scalar = s->vector = NULL;
            for (int d = 0; d < IR_MAX_RANK; d++)
                if (k->level[d] >= level)
                    s->pointer[d] = NULL;
        }
    }
}

/* ---- placing code ---- */

/* At the end of a block: before its branch if it has one already. */
static void stand_in(cg_kernel *k, LLVMBasicBlockRef block)
{
    LLVMValueRef end = LLVMGetBasicBlockTerminator(block);

    if (end)
        LLVMPositionBuilderBefore(k->c->b, end);
    else
        LLVMPositionBuilderAtEnd(k->c->b, block);
}

LLVMBasicBlockRef cg_go_home(cg_kernel *k, unsigned uses)
{
    LLVMBasicBlockRef here = LLVMGetInsertBlock(k->c->b);
    int deep = cg_deepest(k, uses);
    LLVMBasicBlockRef home = deep < 0 ? k->entry : k->home[deep];

    if (home && home != here)
        stand_in(k, home);
    return here;
}

void cg_come_back(cg_kernel *k, LLVMBasicBlockRef here)
{
    if (LLVMGetInsertBlock(k->c->b) != here)
        stand_in(k, here);
}

/* ---- values ---- */

bool cg_term_varies(const cg_kernel *k, int term)
{
    return term >= 0 && (k->terms[term].uses & run_mask(k)) != 0;
}

static LLVMValueRef immediate(cg *c, const ir_node *n)
{
    LLVMTypeRef t = cg_scalar_type(c, (ir_dtype)n->type.dtype);
    ir_dtype d = (ir_dtype)n->type.dtype;
    uint64_t bits = 0;

    memcpy(&bits, n->attrs->constant.data, ir_dtype_size(d));
    if (ir_dtype_is_float(d))
        return LLVMConstReal(t, ir_element_get(d, &bits));
    return LLVMConstInt(t, d == IR_DT_bool ? bits != 0 : bits, 0);
}

/* The dtype that names an op's arithmetic: the first operand that is not a condition. */
static ir_dtype operand_dtype(const ir_graph *g, const ir_node *n)
{
    for (int i = 0; i < n->n; i++)
        if (g->nodes[n->x[i]].type.dtype != IR_DT_bool)
            return (ir_dtype)g->nodes[n->x[i]].type.dtype;
    return n->n ? IR_DT_bool : (ir_dtype)n->type.dtype;
}

static LLVMValueRef as_vector(cg_kernel *k, int t)
{
    cg_slot *s = cg_slot_of(k, t, k->terms[t].uses);

    if (!s)
        return NULL;
    if (!s->vector && s->scalar) {
        LLVMBasicBlockRef here = cg_go_home(k, k->terms[t].uses);
        s->vector = cg_splat(k->c, s->scalar);
        cg_come_back(k, here);
    }
    return s->vector;
}

/* What the term's op makes of its operands x. */
static LLVMValueRef plain_value(cg_kernel *k, const cg_term *e, const LLVMValueRef *x, LLVMValueRef linear)
{
    const ir_node *n = &k->g->nodes[e->node];
    ir_dtype from = operand_dtype(k->g, n), to = (ir_dtype)n->type.dtype;

    if (e->kind == CG_T_RECIPROCAL)
        return LLVMBuildFDiv(k->c->b, cg_real(k->c, to, 1), x[0], "");
    if (n->op == IR_exp && ir_never_positive(k->g, n->x[0]))
        return cg_exp_below(k->c, to, x[0]);
    return cg_value(k->c, n->op, n->attrs, from, to, x, e->n, linear);
}

/* Computes one term whose operands are there; the builder stands where the value belongs. */
static LLVMValueRef compute(cg_kernel *k, int t, bool varies)
{
    const cg_term *e = &k->terms[t];
    const ir_node *n = &k->g->nodes[e->node];
    LLVMValueRef x[4] = {0}, linear = NULL;

    if (e->kind == CG_T_IMMEDIATE)
        return immediate(k->c, n);
    if (e->kind == CG_T_LOAD)
        return cg_load_term(k, t);
    if (e->kind != CG_T_OP && e->kind != CG_T_GENERATE && e->kind != CG_T_RECIPROCAL) {
        cg_fail(k, IR_EUNSUPPORTED, "a value is read before it is computed");
        return NULL;
    }
    for (int i = 0; i < e->n; i++) {
        cg_slot *s = cg_slot_of(k, e->x[i], k->terms[e->x[i]].uses);
        x[i] = varies ? as_vector(k, e->x[i]) : s->scalar;
        if (!x[i])
            return NULL;
        x[i] = cg_near_constant(k->c, x[i]);
    }
    if (e->way == CG_QUOTIENT)
        return cg_quotient(k, x);
    if (e->way != CG_AS_WRITTEN)
        return cg_other_way(k->c, e->way, x);
    int lanes = k->c->lanes;
    if (!varies)
        k->c->lanes = 1;
    if (e->kind == CG_T_GENERATE)
        linear = cg_linear(k, &e->map);
    LLVMValueRef v = plain_value(k, e, x, linear);
    k->c->lanes = lanes;
    return v;
}

static bool known(cg_kernel *k, int t)
{
    cg_slot *s = cg_slot_of(k, t, k->terms[t].uses);

    return s && (s->scalar || s->vector);
}

void cg_enter_bank(cg_kernel *k, int b)
{
    k->bank = b;
    k->index[k->vector_dim] = k->bank_index[b];
    k->mask = k->bank_mask[b];
}

/* Marks in memo->need what root is computed from and has no value yet in the current bank. */
static void mark_needed(cg_kernel *k, int root)
{
    uint8_t *need = k->memo->need;

    memset(need, 0, (size_t)root + 1);
    need[root] = 1;
    for (int t = root; t >= 0; t--)
        if (need[t] && !known(k, t))
            for (int i = 0; i < k->terms[t].n; i++)
                need[k->terms[t].x[i]] = 1;
}

/* Gives term t, whose operands have values, its value in the current bank. */
static bool settle(cg_kernel *k, int t)
{
    bool varies = cg_term_varies(k, t);
    LLVMBasicBlockRef here = cg_go_home(k, k->terms[t].uses);

    cg_near *near = k->c->near;
    if (LLVMGetInsertBlock(k->c->b) != here) /* perhaps before they are made */
        k->c->near = NULL;
    cg_debug_at(k->c, k->debug_scope, k->terms[t].node);
    LLVMValueRef v = compute(k, t, varies);
    k->c->near = near;
    cg_come_back(k, here);
    if (!v)
        return false;
    cg_slot *s = cg_slot_of(k, t, k->terms[t].uses);
    if (varies)
        s->vector = v;
    else
        s->scalar = v;
    return true;
}

/* Makes sure that term `root` has a value for the current indices and bank. */
static bool ensure(cg_kernel *k, int root)
{
    if (root < 0 || k->failed || !cg_memo_reserve(k))
        return false;
    if (known(k, root))
        return true;
    mark_needed(k, root);
    for (int t = 0; t <= root; t++)
        if (k->memo->need[t] && !known(k, t) && !settle(k, t))
            return false;
    return true;
}

void cg_eval_together(cg_kernel *k, int term, int banks)
{
    if (term < 0 || k->failed || !cg_memo_reserve(k))
        return;
    cg_enter_bank(k, 0);
    mark_needed(k, term); /* the banks know the same terms */
    for (int t = 0; t <= term; t++)
        for (int b = 0; b < banks && k->memo->need[t]; b++) {
            cg_enter_bank(k, b);
            if (!known(k, t) && !settle(k, t))
                return;
        }
}

static LLVMValueRef poison(cg_kernel *k, int term, bool scalar)
{
    ir_dtype d = term < 0 ? IR_DT_f32 : (ir_dtype)k->g->nodes[k->terms[term].node].type.dtype;
    LLVMTypeRef t = cg_scalar_type(k->c, d);

    if (!k->failed)
        cg_fail(k, IR_EUNSUPPORTED, "a value can't be computed here");
    return LLVMGetPoison(scalar ? t : cg_vector_of(k->c, t));
}

LLVMValueRef cg_eval_term(cg_kernel *k, int term)
{
    LLVMValueRef v = ensure(k, term) ? as_vector(k, term) : NULL;

    return v ? v : poison(k, term, false);
}

LLVMValueRef cg_eval_scalar(cg_kernel *k, int term)
{
    LLVMValueRef v = ensure(k, term) ? cg_slot_of(k, term, k->terms[term].uses)->scalar : NULL;

    return v ? v : poison(k, term, true);
}

LLVMValueRef cg_eval(cg_kernel *k, ir_ref node, const ir_map *m)
{
    return cg_eval_term(k, cg_term_of(k, node, m));
}

void cg_seed_term(cg_kernel *k, int term, LLVMValueRef v)
{
    cg_slot *s = term < 0 ? NULL : cg_slot_of(k, term, k->terms[term].uses);

    if (!s)
        return;
    bool vector = LLVMGetTypeKind(LLVMTypeOf(v)) == LLVMVectorTypeKind;
    s->scalar = vector ? NULL : v;
    s->vector = vector ? v : NULL;
    if (!vector && k->c->lanes == 1)
        s->vector = v;
}

void cg_seed(cg_kernel *k, ir_ref node, const ir_map *m, LLVMValueRef v)
{
    cg_seed_term(k, cg_term_of(k, node, m), v);
}
