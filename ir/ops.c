/* ir/ops.c: the op table as data, expanded from ops.def.
 *
 *   OP_UNARY(tanh, IR_EXPENSIVE, D_FLOAT, -5, 5, 20, IR_SAVES_Y, ..)  ->  ir_ops[IR_tanh] = {"tanh",
 * "TanhBackward0", ..}
 *
 * The tape shows names as PyTorch writes them.  C can't turn reduce_sum into ReduceSum while compiling, so
 * each name is spelled once below; a missing one does not compile and a test compares all of them with the
 * row's name. */
#include <string.h>

#include "ir.h"

#define CAMEL_input "Input"
#define CAMEL_variable "Variable"
#define CAMEL_constant "Constant"
#define CAMEL_iota "Iota"
#define CAMEL_random_bits "RandomBits"
#define CAMEL_neg "Neg"
#define CAMEL_abs "Abs"
#define CAMEL_sign "Sign"
#define CAMEL_sqrt "Sqrt"
#define CAMEL_rsqrt "Rsqrt"
#define CAMEL_exp "Exp"
#define CAMEL_log "Log"
#define CAMEL_log1p "Log1p"
#define CAMEL_sin "Sin"
#define CAMEL_cos "Cos"
#define CAMEL_tanh "Tanh"
#define CAMEL_erf "Erf"
#define CAMEL_logistic "Logistic"
#define CAMEL_relu "Relu"
#define CAMEL_not "Not"
#define CAMEL_floor "Floor"
#define CAMEL_ceil "Ceil"
#define CAMEL_round "Round"
#define CAMEL_is_nan "IsNan"
#define CAMEL_is_finite "IsFinite"
#define CAMEL_expm1 "Expm1"
#define CAMEL_exp2 "Exp2"
#define CAMEL_log2 "Log2"
#define CAMEL_tan "Tan"
#define CAMEL_asin "Asin"
#define CAMEL_acos "Acos"
#define CAMEL_atan "Atan"
#define CAMEL_sinh "Sinh"
#define CAMEL_cosh "Cosh"
#define CAMEL_asinh "Asinh"
#define CAMEL_acosh "Acosh"
#define CAMEL_atanh "Atanh"
#define CAMEL_stop_gradient "StopGradient"
#define CAMEL_add "Add"
#define CAMEL_sub "Sub"
#define CAMEL_mul "Mul"
#define CAMEL_div "Div"
#define CAMEL_pow "Pow"
#define CAMEL_rem "Rem"
#define CAMEL_atan2 "Atan2"
#define CAMEL_max "Max"
#define CAMEL_min "Min"
#define CAMEL_eq "Eq"
#define CAMEL_ne "Ne"
#define CAMEL_lt "Lt"
#define CAMEL_le "Le"
#define CAMEL_gt "Gt"
#define CAMEL_ge "Ge"
#define CAMEL_and "And"
#define CAMEL_or "Or"
#define CAMEL_xor "Xor"
#define CAMEL_shl "Shl"
#define CAMEL_shr "Shr"
#define CAMEL_select "Select"
#define CAMEL_convert "Convert"
#define CAMEL_clamp "Clamp"
#define CAMEL_reshape "Reshape"
#define CAMEL_transpose "Transpose"
#define CAMEL_broadcast "Broadcast"
#define CAMEL_slice "Slice"
#define CAMEL_checkpoint "Checkpoint"
#define CAMEL_reverse "Reverse"
#define CAMEL_pad "Pad"
#define CAMEL_concat "Concat"
#define CAMEL_gather "Gather"
#define CAMEL_scatter_add "ScatterAdd"
#define CAMEL_scatter_set "ScatterSet"
#define CAMEL_scatter_mul "ScatterMul"
#define CAMEL_scatter_max "ScatterMax"
#define CAMEL_scatter_min "ScatterMin"
#define CAMEL_dynamic_slice "DynamicSlice"
#define CAMEL_dynamic_update "DynamicUpdate"
#define CAMEL_reduce_sum "ReduceSum"
#define CAMEL_reduce_max "ReduceMax"
#define CAMEL_reduce_min "ReduceMin"
#define CAMEL_reduce_prod "ReduceProd"
#define CAMEL_reduce_all "ReduceAll"
#define CAMEL_reduce_any "ReduceAny"
#define CAMEL_argmax "Argmax"
#define CAMEL_argmin "Argmin"
#define CAMEL_cumsum "Cumsum"
#define CAMEL_cumprod "Cumprod"
#define CAMEL_cummax "Cummax"
#define CAMEL_cummin "Cummin"
#define CAMEL_linear_scan "LinearScan"
#define CAMEL_argsort "Argsort"
#define CAMEL_custom "Custom"
#define CAMEL_dot_general "DotGeneral"

#define ROW(name, cls, arity, facts, dtypes, lo, hi, flops, saves, formula, kink)                           \
    [IR_##name] = {#name,  CAMEL_##name "Backward0", cls, arity, facts, dtypes, saves, lo, hi, flops, kink, \
                   formula},
#define OP_UNARY(name, facts, dtypes, lo, hi, flops, saves, formula, VALUE, GRAD, kink) \
    ROW(name, IR_POINTWISE, 1, facts, dtypes, lo, hi, flops, saves, formula, kink)
#define OP_BINARY(name, facts, dtypes, lo, hi, flops, saves, formula, VALUE, GRADX, GRADZ, kink) \
    ROW(name, IR_POINTWISE, 2, facts, dtypes, lo, hi, flops, saves, formula, kink)
#define OP_SELECT(name, facts, dtypes, lo, hi, flops, saves, formula, VALUE, GRADX, GRADZ, kink) \
    ROW(name, IR_POINTWISE, 3, facts, dtypes, lo, hi, flops, saves, formula, kink)
#define OP_OTHER(name, cls, arity, facts, dtypes, lo, hi, flops, saves, formula, shapes, vjp, grad, kink) \
    ROW(name, IR_##cls, arity, facts, dtypes, lo, hi, flops, saves, formula, kink)

const ir_op_info ir_ops[IR_OP_COUNT] = {
#include "ops.def"
};

/* What the rest of ir/ takes for granted of every row. */
#define CHECK(name, arity, dtypes)                                            \
    _Static_assert((arity) >= -1 && (arity) <= IR_MAX_RANK, #name ": arity"); \
    _Static_assert((dtypes) != 0 && ((dtypes) & ~D_ANY) == 0, #name ": dtypes");
#define OP_UNARY(name, facts, dtypes, lo, hi, ...) CHECK(name, 1, dtypes)
#define OP_BINARY(name, facts, dtypes, lo, hi, ...) CHECK(name, 2, dtypes)
#define OP_SELECT(name, facts, dtypes, lo, hi, ...) CHECK(name, 3, dtypes)
#define OP_OTHER(name, cls, arity, facts, dtypes, lo, hi, ...) CHECK(name, arity, dtypes)
#include "ops.def"

bool ir_shares_bytes(ir_op op)
{
    return op == IR_reshape || op == IR_checkpoint;
}

int ir_operands_read(const ir_node *n)
{
    return n->op == IR_checkpoint ? 1 : n->n;
}

bool ir_op_saves(ir_op op, int i)
{
    static const unsigned bit[] = {IR_SAVES_X, IR_SAVES_Z, IR_SAVES_W};
    unsigned saves = ir_ops[op].saves;

    /* of what has more operands: all or none */
    return i < 0 ? saves & IR_SAVES_Y : i < 3 ? saves & bit[i] : saves != 0;
}

ir_op ir_scatter_op(ir_op op)
{
    switch (op) {
    case IR_scatter_add: return IR_add;
    case IR_scatter_mul: return IR_mul;
    case IR_scatter_max: return IR_max;
    case IR_scatter_min: return IR_min;
    default: return IR_OP_COUNT;
    }
}

bool ir_op_parse(const char *s, size_t n, ir_op *out)
{
    for (int op = 0; op < IR_OP_COUNT; op++)
        if (strlen(ir_ops[op].name) == n && memcmp(ir_ops[op].name, s, n) == 0) {
            *out = (ir_op)op;
            return true;
        }
    return false;
}

bool ir_op_walks_axes(ir_op op)
{
    switch (op) {
    case IR_argmax:
    case IR_argmin:
    case IR_cumsum:
    case IR_cumprod:
    case IR_cummax:
    case IR_cummin:
    case IR_linear_scan:
    case IR_argsort: return true;
    default: return false;
    }
}

bool ir_op_widens(ir_op op, ir_dtype d)
{
    return ir_dtype_is_half(d) &&
           (ir_ops[op].cls == IR_REDUCE || ir_ops[op].cls == IR_CONTRACT || ir_op_walks_axes(op));
}

int ir_last_run(const ir_attrs *a)
{
    int i = a->n - 1;

    while (i > 0 && a->axes[i - 1] == a->axes[i] - 1)
        i--;
    return i;
}
