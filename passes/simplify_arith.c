/* passes/simplify_arith.c: bit-safe rules of pointwise ops (contract: simplify.h; list with proofs:
 * docs/simplify-rules.md).
 *
 *   mul(x, 1) -> x      add(x, neg(z)) -> sub(x, z)      div(x, 8) -> mul(x, 0.125)      select(true, x, z)
 * -> x exp(broadcast(x)) -> broadcast(exp(x))      convert(convert(x: f32 -> f64) -> f32) -> x
 *
 * Constants are seen through views (pass_splat), so mul(x, broadcast(1)) matches. */
#include "ir/plant.h"
#include "passes/rebuild.h"
#include "passes/simplify.h"

#include <math.h>

static bool is_float(const ir_graph *g, ir_ref r)
{
    return ir_dtype_is_float(g->nodes[r].type.dtype);
}

static bool is_constant(const ir_graph *g, ir_ref r, double v)
{
    double found;

    return pass_splat(g, r, &found) && found == v;
}

/* A zero that leaves x + 0 as x: any integer zero, the float of this sign. */
static bool is_zero(const ir_graph *g, ir_ref r, bool negative)
{
    double v;

    return pass_splat(g, r, &v) && v == 0 && (!is_float(g, r) || (signbit(v) != 0) == negative);
}

/* The operand of c's operand i if that is made by op, else IR_NONE. */
static ir_ref under(const ir_graph *g, const candidate *c, int i, ir_op op)
{
    const ir_node *n = simplify_operand(g, c, i, op);

    return n ? n->x[0] : IR_NONE;
}

/* ---- one operand --------------------------------------------------------------------------------------- */

/* neg(neg(x)), not(not(x)) -> x */
static ir_ref undo_twice(ir_graph *g, const candidate *c)
{
    return under(g, c, 0, c->op);
}

/* relu(relu(x)), abs(abs(x)) -> the inner one; clamp too if the bounds are equal */
static ir_ref once_is_enough(ir_graph *g, const candidate *c)
{
    const ir_node *n = simplify_operand(g, c, 0, c->op);
    bool same = n && (!c->a || ir_attrs_eq(c->op, n->attrs, c->a));

    return same ? c->x[0] : IR_NONE;
}

/* abs(neg(x)) -> abs(x) */
static ir_ref abs_of_neg(ir_graph *g, const candidate *c)
{
    ir_ref x = under(g, c, 0, IR_neg);

    return x == IR_NONE ? x : simplify_emit1(g, IR_abs, NULL, x);
}

/* not(x == z) -> x != z and back: NaN makes == false and != true */
static ir_ref not_of_equal(ir_graph *g, const candidate *c)
{
    const ir_node *n = &g->nodes[c->x[0]];

    if (n->op != IR_eq && n->op != IR_ne) {
        return IR_NONE;
    }
    return simplify_emit2(g, n->op == IR_eq ? IR_ne : IR_eq, n->x[0], n->x[1]);
}

static ir_ref identity(ir_graph *g, const candidate *c)
{
    (void)g;
    return c->x[0];
}

/* ---- two operands -------------------------------------------------------------------------------------- */

/* x op constant -> x, the constant on either side if the op commutes */
static ir_ref drop_neutral(ir_graph *g, const candidate *c, bool (*neutral)(const ir_graph *, ir_ref))
{
    if (neutral(g, c->x[1])) {
        return c->x[0];
    }
    return ir_ops[c->op].facts & IR_COMMUTES && neutral(g, c->x[0]) ? c->x[1] : IR_NONE;
}

static bool zero_of_add(const ir_graph *g, ir_ref r)
{
    return is_zero(g, r, true);
}

static bool zero_of_sub(const ir_graph *g, ir_ref r)
{
    return is_zero(g, r, false);
}

static bool one(const ir_graph *g, ir_ref r)
{
    return is_constant(g, r, 1);
}

static bool any_zero(const ir_graph *g, ir_ref r)
{
    return is_constant(g, r, 0);
}

static ir_ref add_zero(ir_graph *g, const candidate *c)
{
    return drop_neutral(g, c, zero_of_add);
}

static ir_ref sub_zero(ir_graph *g, const candidate *c)
{
    return drop_neutral(g, c, zero_of_sub);
}

static ir_ref times_one(ir_graph *g, const candidate *c)
{
    return drop_neutral(g, c, one);
}

/* bits or 0, bits xor 0, shifts by 0 */
static ir_ref bits_zero(ir_graph *g, const candidate *c)
{
    return drop_neutral(g, c, any_zero);
}

/* x * -1, x / -1 -> neg(x) */
static ir_ref times_minus_one(ir_graph *g, const candidate *c)
{
    for (int i = 0; i < 2; i++) {
        bool may = i == 1 || c->op == IR_mul;
        if (may && is_constant(g, c->x[i], -1)) {
            return simplify_emit1(g, IR_neg, NULL, c->x[1 - i]);
        }
    }
    return IR_NONE;
}

/* neg(x) * neg(z) -> x * z; the same for div of floats (an integer quotient of the least value wraps) */
static ir_ref two_negs(ir_graph *g, const candidate *c)
{
    ir_ref x = under(g, c, 0, IR_neg), z = under(g, c, 1, IR_neg);
    bool exact = c->op == IR_mul || is_float(g, c->x[0]);

    return exact && x != IR_NONE && z != IR_NONE ? simplify_emit2(g, c->op, x, z) : IR_NONE;
}

/* x + neg(z) -> x - z      neg(x) + z -> z - x */
static ir_ref add_neg(ir_graph *g, const candidate *c)
{
    for (int i = 1; i >= 0; i--) {
        ir_ref z = under(g, c, i, IR_neg);
        if (z != IR_NONE) {
            return simplify_emit2(g, IR_sub, IR_PLANTED("simplify-neg") ? z : c->x[1 - i], z);
        }
    }
    return IR_NONE;
}

/* x - neg(z) -> x + z */
static ir_ref sub_neg(ir_graph *g, const candidate *c)
{
    ir_ref z = under(g, c, 1, IR_neg);

    return z == IR_NONE ? z : simplify_emit2(g, IR_add, c->x[0], z);
}

/* x / 2^k -> x * 2^-k: both round the same real number, and 2^-k is a normal number of the dtype. */
static ir_ref div_power_of_two(ir_graph *g, const candidate *c)
{
    double v;
    int exponent;
    ir_type t = g->nodes[c->x[1]].type;
    int limit = t.dtype == IR_DT_f16 ? 13 : t.dtype == IR_DT_f64 ? 1021 : 125;

    if (!ir_dtype_is_float(t.dtype) || !pass_splat(g, c->x[1], &v) ||
        (fabs(frexp(v, &exponent)) != 0.5 && !IR_PLANTED("simplify-div")) || exponent > limit ||
        exponent < -limit) {
        return IR_NONE;
    }
    double data; /* room and alignment for any element */
    ir_type scalar = ir_type_make(t.dtype, 0, NULL);
    ir_attrs a = {.type = scalar, .splat = true}, wide = {.type = t};

    ir_element_set((ir_dtype)t.dtype, &data, 1 / v);
    a.constant.data = &data;
    a.constant.bytes = ir_dtype_size(t.dtype);
    ir_ref inverse = ir_graph_append(g, IR_constant, &a, NULL, 0);
    if (inverse != IR_NONE && t.rank > 0) {
        inverse = ir_graph_append(g, IR_broadcast, &wide, &inverse, 1);
    }
    return inverse == IR_NONE ? inverse : simplify_emit2(g, IR_mul, c->x[0], inverse);
}

/* max(x, x), min, and, or -> x */
static ir_ref same_operands(ir_graph *g, const candidate *c)
{
    (void)g;
    return c->x[0] == c->x[1] ? c->x[0] : IR_NONE;
}

/* ---- select and convert -------------------------------------------------------------------------------- */

static ir_ref select_known(ir_graph *g, const candidate *c)
{
    double p;

    if (c->x[1] == c->x[2]) {
        return c->x[1];
    }
    return pass_splat(g, c->x[0], &p) ? c->x[p != 0 ? 1 : 2] : IR_NONE;
}

/* select(not(p), x, z) -> select(p, z, x) */
static ir_ref select_not(ir_graph *g, const candidate *c)
{
    ir_ref p = under(g, c, 0, IR_not);

    return p == IR_NONE ? p : simplify_emit(g, IR_select, NULL, (const ir_ref[]){p, c->x[2], c->x[1]}, 3);
}

static ir_ref convert_same(ir_graph *g, const candidate *c)
{
    return g->nodes[c->x[0]].type.dtype == c->a->type.dtype ? c->x[0] : IR_NONE;
}

/* Every value of `from` is a value of `to`. */
static bool lossless(ir_dtype from, ir_dtype to)
{
    static const unsigned wider[IR_DT_COUNT] = {
        [IR_DT_bool] = D_ANY,
        [IR_DT_u8] = (D_INT & ~D_(i8)) | D_FLOAT,
        [IR_DT_u16] = D_(u16) | D_(u32) | D_(u64) | D_(i32) | D_(i64) | D_(f32) | D_(f64),
        [IR_DT_u32] = D_(u32) | D_(u64) | D_(i64) | D_(f64),
        [IR_DT_u64] = D_(u64),
        [IR_DT_i8] = D_(i8) | D_(i16) | D_(i32) | D_(i64) | D_FLOAT,
        [IR_DT_i16] = D_(i16) | D_(i32) | D_(i64) | D_(f32) | D_(f64),
        [IR_DT_i32] = D_(i32) | D_(i64) | D_(f64),
        [IR_DT_i64] = D_(i64),
        [IR_DT_f16] = D_(f16) | D_(f32) | D_(f64),
        [IR_DT_bf16] = D_(bf16) | D_(f32) | D_(f64),
        [IR_DT_f32] = D_(f32) | D_(f64),
        [IR_DT_f64] = D_(f64),
    };

    return wider[from] >> to & 1;
}

/* convert(convert(x: a -> b) -> c) -> convert(x: a -> c) if a -> b loses nothing and b -> c means the same as
 * a -> c: integer to integer wraps but float to integer saturates, so an integer that visits a float may not
 * skip it unless c holds it too. */
static ir_ref convert_through(ir_graph *g, const candidate *c)
{
    const ir_node *n = simplify_operand(g, c, 0, IR_convert);

    if (!n) {
        return IR_NONE;
    }
    ir_dtype from = g->nodes[n->x[0]].type.dtype, via = n->type.dtype, to = c->a->type.dtype;
    bool float_detour = D_INT >> from & 1 && ir_dtype_is_float(via) && D_INT >> to & 1;

    if (!lossless(from, via) || (float_detour && !lossless(from, to))) {
        return IR_NONE;
    }
    return simplify_emit1(g, IR_convert, c->a, n->x[0]);
}

/* ---- pointwise of broadcasts --------------------------------------------------------------------------- */

/* The value whose shape all operands are broadcast from, scalars aside; IR_NONE if there is no such. */
static ir_ref common_source(const ir_graph *g, const candidate *c)
{
    ir_ref source = IR_NONE;

    for (int i = 0; i < c->n; i++) {
        const ir_node *n = simplify_operand(g, c, i, IR_broadcast);
        if (!n) {
            return IR_NONE;
        }
        const ir_type *t = &g->nodes[n->x[0]].type;
        if (source == IR_NONE || g->nodes[source].type.rank == 0) {
            source = n->x[0];
        } else if (t->rank > 0 && !ir_shape_eq(t, &g->nodes[source].type)) {
            return IR_NONE;
        }
    }
    return source;
}

/* op(broadcast(x), broadcast(z)) -> broadcast(op(x, z)): computed once per element of the source.  Scalars
 * are broadcast to the source's shape, one node for one. */
static ir_ref before_broadcast(ir_graph *g, const candidate *c)
{
    ir_ref source = c->n <= 3 ? common_source(g, c) : IR_NONE, x[3];

    if (source == IR_NONE) {
        return IR_NONE;
    }
    ir_type inner = g->nodes[source].type, outer = g->nodes[c->x[c->n - 1]].type;
    ir_attrs narrow = {.type = inner}, wide = {.type = outer};
    for (int i = 0; i < c->n; i++) {
        ir_ref v = g->nodes[c->x[i]].x[0];
        x[i] = ir_shape_eq(&g->nodes[v].type, &inner) ? v : simplify_emit1(g, IR_broadcast, &narrow, v);
    }
    return simplify_emit1(g, IR_broadcast, &wide, simplify_emit(g, c->op, c->a, x, c->n));
}

/* ---- the table ----------------------------------------------------------------------------------------- */

static simplify_rule *const table[IR_OP_COUNT][SIMPLIFY_RULES] = {
    [IR_neg] = {undo_twice},
    [IR_abs] = {once_is_enough, abs_of_neg},
    [IR_relu] = {once_is_enough},
    [IR_clamp] = {once_is_enough},
    [IR_not] = {undo_twice, not_of_equal},
    [IR_stop_gradient] = {identity},
    [IR_add] = {add_zero, add_neg},
    [IR_sub] = {sub_zero, sub_neg},
    [IR_mul] = {times_one, times_minus_one, two_negs},
    [IR_div] = {times_one, times_minus_one, two_negs, div_power_of_two},
    [IR_max] = {same_operands},
    [IR_min] = {same_operands},
    [IR_and] = {same_operands},
    [IR_or] = {same_operands, bits_zero},
    [IR_xor] = {bits_zero},
    [IR_shl] = {bits_zero},
    [IR_shr] = {bits_zero},
    [IR_select] = {select_known, select_not},
    [IR_convert] = {convert_same, convert_through},
};

/* Any pointwise op, after the rules of its row. */
static simplify_rule *const general[SIMPLIFY_RULES] = {before_broadcast};

simplify_rule *const *simplify_arith_rules(ir_op op)
{
    return table[op];
}

simplify_rule *const *simplify_pointwise_rules(ir_op op)
{
    return ir_ops[op].cls == IR_POINTWISE ? general : NULL;
}
