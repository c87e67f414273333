/* ir/vjp.c: reverse-mode rules: from the gradient of a result to the gradients of its operands.
 *
 *   y = mul(x, z), dy   ->   dx = mul(dy, z)   dz = mul(dy, x)
 *
 * Pointwise rules are the GRAD columns of ops.def, expanded here once with the words they are written in
 * (neg, mul, select, k(like, value), ..) as local macros over the sink `s`.  Other ops name a function in
 * vjp_*.c.  The set of primitives is closed under these rules, so gradients have gradients.  Which operands
 * get one is the caller's `need`: a rule emits nothing for the others. */
#include "ir/vjp.h"
#include "ir/emit.h"

/* ---- the words of the GRAD columns ----------------------------------------------------------------------
 */

#define neg(v) ir_e_neg(s, v)
#define sign(v) ir_e_sign(s, v)
#define exp(v) ir_e_exp(s, v)
#define log(v) ir_e_log(s, v)
#define sqrt(v) ir_e_sqrt(s, v)
#define round(v) ir_e_round(s, v)
#define sin(v) ir_e_sin(s, v)
#define cos(v) ir_e_cos(s, v)
#define sinh(v) ir_e_sinh(s, v)
#define cosh(v) ir_e_cosh(s, v)
#define add(v, w) ir_e_add(s, v, w)
#define sub(v, w) ir_e_sub(s, v, w)
#define mul(v, w) ir_e_mul(s, v, w)
#define div(v, w) ir_e_div(s, v, w)
#define pow(v, w) ir_e_pow(s, v, w)
#define eq(v, w) ir_e_eq(s, v, w)
#define lt(v, w) ir_e_lt(s, v, w)
#define gt(v, w) ir_e_gt(s, v, w)
#define ge(v, w) ir_e_ge(s, v, w)
#define and(v, w) ir_e_and(s, v, w)
#define select(p, v, w) ir_e_select(s, p, v, w)
#define k(like, value) ir_e_like(s, like, value)
#define by_square(v, x, z) over_square(s, v, x, z)
#define NONE 0

/* v / (x^2 + z^2) where v is x or z: all three are divided by the larger of |x| and |z| first, so that no
 * square overflows or vanishes.  That scale is a constant to derivatives.  0 where x = z = 0. */
static ir_val over_square(ir_sink *s, ir_val v, ir_val x, ir_val z)
{
    ir_val most = ir_e_stop_gradient(s, ir_e_max(s, ir_e_abs(s, x), ir_e_abs(s, z)));
    ir_val origin = eq(most, k(most, 0)), scale = select(origin, k(most, 1), most);
    ir_val a = div(x, scale), b = div(z, scale);
    ir_val sum = add(add(mul(a, a), mul(b, b)), select(origin, k(most, 1), k(most, 0)));

    return div(div(div(v, scale), sum), scale);
}

/* ---- one function per pointwise row -----------------------------------------------------------------------
 */

#define OP_UNARY(name, facts, dtypes, lo, hi, flops, saves, formula, VALUE, GRAD, kink) \
    static void vjp_##name(ir_sink *s, const ir_vjp_call *c)                            \
    {                                                                                   \
        ir_val x = c->x[0], y = c->y, dy = c->dy;                                       \
        (void)s, (void)x, (void)y, (void)dy;                                            \
        if (c->need & 1) {                                                              \
            c->dx[0] = GRAD;                                                            \
        }                                                                               \
    }
#define OP_BINARY(name, facts, dtypes, lo, hi, flops, saves, formula, VALUE, GRADX, GRADZ, kink) \
    static void vjp_##name(ir_sink *s, const ir_vjp_call *c)                                     \
    {                                                                                            \
        ir_val x = c->x[0], z = c->x[1], y = c->y, dy = c->dy;                                   \
        (void)s, (void)x, (void)z, (void)y, (void)dy;                                            \
        if (c->need & 1) {                                                                       \
            c->dx[0] = GRADX;                                                                    \
        }                                                                                        \
        if (c->need & 2) {                                                                       \
            c->dx[1] = GRADZ;                                                                    \
        }                                                                                        \
    }
#define OP_SELECT(name, facts, dtypes, lo, hi, flops, saves, formula, VALUE, GRADX, GRADZ, kink) \
    static void vjp_##name(ir_sink *s, const ir_vjp_call *c)                                     \
    {                                                                                            \
        ir_val p = c->x[0], dy = c->dy;                                                          \
        if (c->need & 2) {                                                                       \
            c->dx[1] = GRADX;                                                                    \
        }                                                                                        \
        if (c->need & 4) {                                                                       \
            c->dx[2] = GRADZ;                                                                    \
        }                                                                                        \
    }
#include "ir/ops.def"

static void ir_vjp_none(ir_sink *s, const ir_vjp_call *c)
{
    (void)s, (void)c;
}

/* ---- dispatch ------------------------------------------------------------------------------------------ */

static ir_vjp_rule *const rules[IR_OP_COUNT] = {
#define OP_UNARY(name, ...) [IR_##name] = vjp_##name,
#define OP_BINARY(name, ...) [IR_##name] = vjp_##name,
#define OP_SELECT(name, ...) [IR_##name] = vjp_##name,
#define OP_OTHER(name, cls, arity, facts, dtypes, lo, hi, flops, saves, formula, shapes, vjp, grad, kink) \
    [IR_##name] = ir_vjp_##vjp,
#include "ir/ops.def"
};

void ir_vjp(ir_sink *s, ir_op op, const ir_attrs *a, const ir_val *x, int n, ir_val y, ir_val dy,
            unsigned need, ir_val *dx)
{
    ir_vjp_call c = {.op = op, .a = a, .x = x, .n = n, .y = y, .dy = dy, .dx = dx};

    for (int i = 0; i < n; i++) {
        dx[i] = 0;
        if (need >> i & 1 && x[i] && ir_dtype_is_float(s->type(s, x[i])->dtype)) {
            c.need |= 1u << i;
        }
    }
    if (dy && c.need && !(ir_ops[op].facts & IR_NO_GRAD)) {
        rules[op](s, &c);
    }
}
