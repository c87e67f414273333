/* tests/ir/cases.h: nodes as text: for every op some that the shape rules accept, and some they refuse with
 * the message they must give.  Shared by the tests of shape rules and of the text form; both check that no op
 * is left out. */
#ifndef TANDEM_TESTS_IR_CASES_H
#define TANDEM_TESTS_IR_CASES_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/ir.h"

typedef struct node_case {
    const char *leaves; /* "%a: f32[3], %b: f32[3]" */
    const char *node;   /* behind "%N = " */
    const char *message;
} node_case;

/* A custom op of the cases: matrices change their axes. */
static inline ir_status turned_infer(const ir_custom *c, const ir_attrs *a, const ir_type *const *x, int n,
                                     ir_type *out, ir_error *e)
{
    (void)a;
    if (n != 1 || x[0]->rank != 2)
        return ir_fail(e, IR_ESHAPE, "custom: %s: a matrix is needed", c->name);
    *out = *x[0];
    out->dims[0] = x[0]->dims[1];
    out->dims[1] = x[0]->dims[0];
    return IR_OK;
}
static const ir_custom turned = {.name = "turned", .infer = turned_infer};
static const ir_custom *const case_custom_list[] = {&turned};
static const ir_customs case_customs = {case_custom_list, 1};

static const node_case good_nodes[] = {
    {"", "constant {data=[0x1p+0,-0x1.8p+1,inf,nan]} : f32[4]", NULL},
    {"", "constant {splat=true} : bool[2,3]", NULL},
    {"%a: f32[n]", "constant {splat=-0x0p+0} : f64[n,4]", NULL},
    {"", "constant {data=[-9223372036854775808,9223372036854775807]} : i64[2]", NULL},
    {"", "constant {data=[0,4294967295]} : u32[2]", NULL},
    {"", "constant {data=[-2147483648,7]} : i32[2]", NULL},
    {"", "constant {data=[0,255]} : u8[1,2]", NULL},
    {"", "constant {splat=0x0.0000000000001p-1022} : f64[]", NULL},
    {"", "constant {splat=nan(0xff800001)} : f32[]", NULL},
    {"", "iota : i64[7]", NULL},
    {"%a: f32[n]", "iota : f32[n]", NULL},
    {"%a: u32[4]", "random_bits %a {offset=18446744073709551615} : u32[2,3]", NULL},
    {"%a: f32[2,n]", "neg %a : f32[2,n]", NULL},
    {"%a: i32[2]", "abs %a : i32[2]", NULL},
    {"%a: f64[]", "sign %a : f64[]", NULL},
    {"%a: f32[2]", "sqrt %a : f32[2]", NULL},
    {"%a: f32[2]", "rsqrt %a : f32[2]", NULL},
    {"%a: f32[2]", "exp %a : f32[2]", NULL},
    {"%a: f32[2]", "log %a : f32[2]", NULL},
    {"%a: f32[2]", "log1p %a : f32[2]", NULL},
    {"%a: f32[2]", "sin %a : f32[2]", NULL},
    {"%a: f32[2]", "cos %a : f32[2]", NULL},
    {"%a: f32[2]", "tanh %a : f32[2]", NULL},
    {"%a: f32[2]", "erf %a : f32[2]", NULL},
    {"%a: f32[2]", "logistic %a : f32[2]", NULL},
    {"%a: u8[2]", "relu %a : u8[2]", NULL},
    {"%a: bool[2]", "not %a : bool[2]", NULL},
    {"%a: f32[2]", "floor %a : f32[2]", NULL},
    {"%a: f32[2]", "ceil %a : f32[2]", NULL},
    {"%a: f32[2]", "round %a : f32[2]", NULL},
    {"%a: f32[2]", "expm1 %a : f32[2]", NULL},
    {"%a: f32[2]", "exp2 %a : f32[2]", NULL},
    {"%a: f32[2]", "log2 %a : f32[2]", NULL},
    {"%a: f32[2]", "tan %a : f32[2]", NULL},
    {"%a: f32[2]", "asin %a : f32[2]", NULL},
    {"%a: f32[2]", "acos %a : f32[2]", NULL},
    {"%a: f32[2]", "atan %a : f32[2]", NULL},
    {"%a: f32[2]", "sinh %a : f32[2]", NULL},
    {"%a: f32[2]", "cosh %a : f32[2]", NULL},
    {"%a: f32[2]", "asinh %a : f32[2]", NULL},
    {"%a: f32[2]", "acosh %a : f32[2]", NULL},
    {"%a: f32[2]", "atanh %a : f32[2]", NULL},
    {"%a: f64[n,2]", "is_nan %a : bool[n,2]", NULL},
    {"%a: f32[2]", "is_finite %a : bool[2]", NULL},
    {"%a: i64[2]", "not %a : i64[2]", NULL},
    {"%a: bool[2]", "stop_gradient %a : bool[2]", NULL},
    {"%a: f32[n,3], %b: f32[n,3]", "add %a, %b : f32[n,3]", NULL},
    {"%a: f32[3]", "sub %a, %a : f32[3]", NULL},
    {"%a: i64[3]", "mul %a, %a : i64[3]", NULL},
    {"%a: u8[3]", "div %a, %a : u8[3]", NULL},
    {"%a: f64[3]", "pow %a, %a : f64[3]", NULL},
    {"%a: u8[3]", "rem %a, %a : u8[3]", NULL},
    {"%a: f64[3]", "atan2 %a, %a : f64[3]", NULL},
    {"%a: f32[3]", "max %a, %a : f32[3]", NULL},
    {"%a: f32[3]", "min %a, %a : f32[3]", NULL},
    {"%a: bool[3]", "eq %a, %a : bool[3]", NULL},
    {"%a: f32[3]", "ne %a, %a : bool[3]", NULL},
    {"%a: f32[3]", "lt %a, %a : bool[3]", NULL},
    {"%a: f32[3]", "le %a, %a : bool[3]", NULL},
    {"%a: i32[3]", "gt %a, %a : bool[3]", NULL},
    {"%a: f32[3]", "ge %a, %a : bool[3]", NULL},
    {"%a: bool[3]", "and %a, %a : bool[3]", NULL},
    {"%a: u32[3]", "or %a, %a : u32[3]", NULL},
    {"%a: i32[3]", "xor %a, %a : i32[3]", NULL},
    {"%a: i64[3]", "shl %a, %a : i64[3]", NULL},
    {"%a: u8[3]", "shr %a, %a : u8[3]", NULL},
    {"%p: bool[n], %a: u8[n]", "select %p, %a, %a : u8[n]", NULL},
    {"%a: f32[n]", "convert %a : bool[n]", NULL},
    {"%a: f32[3]", "clamp %a {lo=-inf, hi=0x1.8p+2} : f32[3]", NULL},
    {"%a: f32[n,4,3,m]", "reshape %a : f32[12,m,n]", NULL},
    {"%a: f32[1,1]", "reshape %a : f32[]", NULL},
    {"%a: f32[2,n,4]", "transpose %a {perm=[2,0,1]} : f32[4,2,n]", NULL},
    {"%a: f32[]", "transpose %a {perm=[]} : f32[]", NULL},
    {"%a: f32[4,1], %b: f32[n]", "broadcast %a : f32[2,4,n]", NULL},
    {"%a: f32[n], %b: bool[2]", "checkpoint %a, %b : f32[n]", NULL},
    {"%a: f32[9,n]", "slice %a {start=[1,0], limit=[8,n], step=[3,1]} : f32[3,n]", NULL},
    {"%a: f32[9,n]", "reverse %a {axes=[0,1]} : f32[9,n]", NULL},
    {"%a: f32[n,3], %b: f32[n,4]", "concat %a, %b, %a {axes=[1]} : f32[n,10]", NULL},
    {"%a: bool[3]", "concat %a {axes=[0]} : bool[3]", NULL},
    {"%a: f32[n,4], %i: i64[m], %u: f32[m,4]", "scatter_set %a, %i, %u : f32[n,4]", NULL},
    {"%a: i32[5], %i: i32[2,2], %u: i32[2,2]", "scatter_mul %a, %i, %u : i32[5]", NULL},
    {"%a: f64[5,2], %i: i64[3], %u: f64[3,2]", "scatter_max %a, %i, %u : f64[5,2]", NULL},
    {"%a: u8[5], %i: i64[3], %u: u8[3]", "scatter_min %a, %i, %u : u8[5]", NULL},
    {"%a: bool[n,4], %i: i64[2]", "dynamic_slice %a, %i : bool[n,3]", NULL},
    {"%a: f32[n,4], %i: i32[2], %u: f32[n,4]", "dynamic_update %a, %i, %u : f32[n,4]", NULL},
    {"%a: f32[3,n]", "pad %a {low=[1,0], high=[2,0], interior=[1,0]} : f32[8,n]", NULL},
    {"%a: f32[n,4], %i: i64[2,3]", "gather %a, %i : f32[2,3,4]", NULL},
    {"%a: u8[5], %i: i32[]", "gather %a, %i : u8[]", NULL},
    {"%a: f32[n,4], %i: i32[m], %u: f32[m,4]", "scatter_add %a, %i, %u : f32[n,4]", NULL},
    {"%a: f32[2,n,4]", "reduce_sum %a {axes=[0,2]} : f32[n]", NULL},
    {"%a: i32[2,3]", "reduce_max %a {axes=[0,1]} : i32[]", NULL},
    {"%a: f32[2,n]", "reduce_min %a {axes=[1]} : f32[2]", NULL},
    {"%a: f32[2,3]", "reduce_prod %a {axes=[0]} : f32[3]", NULL},
    {"%a: bool[2,n]", "reduce_all %a {axes=[1]} : bool[2]", NULL},
    {"%a: bool[2,n]", "reduce_any %a {axes=[0,1]} : bool[]", NULL},
    {"%a: f32[2,3]", "argmax %a {axes=[0]} : i64[3]", NULL},
    {"%a: u8[2,3]", "argmin %a {axes=[0,1]} : i64[]", NULL},
    {"%a: f32[2,n]", "cumsum %a {axis=1, reverse=0} : f32[2,n]", NULL},
    {"%a: i32[2,n]", "cumprod %a {axis=0, reverse=1} : i32[2,n]", NULL},
    {"%a: f64[3]", "cummax %a {axis=0, reverse=0} : f64[3]", NULL},
    {"%a: u8[3]", "cummin %a {axis=0, reverse=1} : u8[3]", NULL},
    {"%a: f32[n,3], %b: f32[n,3]", "linear_scan %a, %b {axis=0, reverse=1} : f32[n,3]", NULL},
    {"%a: f32[n,3]", "argsort %a {descending=1} : i64[n,3]", NULL},
    {"%a: f32[n,3]", "custom %a {call=turned} : f32[3,n]", NULL},
    {"%a: bool[2,3]", "custom %a {call=turned, params=[0x1p+0,nan]} : bool[3,2]", NULL},
    {"%a: f32[4,n], %b: f32[n,6]", "dot_general %a, %b {lhs_k=[1], rhs_k=[0]} : f32[4,6]", NULL},
    {"%a: f64[b,3,5], %b: f64[5,7,b]",
     "dot_general %a, %b {lhs_batch=[0], rhs_batch=[2], lhs_k=[2], rhs_k=[0]} : f64[b,3,7]", NULL},
    {"%a: f32[4], %b: f32[6]", "dot_general %a, %b : f32[4,6]", NULL},
};

static const node_case bad_nodes[] = {
    {"%a: f32[n]", "constant {data=[1]} : f32[n]", "constant: a type with symbols needs splat=, not data="},
    {"", "constant {data=[1]} : f32[2]", "expected ',', found ']'"},
    {"", "constant {data=[1,2,3]} : f32[2]", "expected ']' after the last element of the type, found ','"},
    {"", "constant {data=[0,1]} : f32[1099511627776]", "constant: expected 1099511627776 elements in data"},
    {"", "constant : f32[2]", "constant: expected the attribute data"},
    {"", "constant {splat=256} : u8[]", "expected an element of u8 (an integer in 0..255), found '256'"},
    {"", "constant {splat=-1} : u32[]",
     "expected an element of u32 (an integer in 0..4294967295), found '-1'"},
    {"", "constant {splat=1} : bool[]", "expected true or false, found '1'"},
    {"", "constant {splat=1e39} : f32[]", "expected a number of f32, found '1e39'"},
    {"", "constant {splat=nan(0x7f800000)} : f32[]", "expected a number of f32"},
    {"", "iota : f32[2,3]", "iota: the type must have rank 1, not f32[2,3]"},
    {"", "iota : bool[2]", "iota: there is no iota of dtype bool"},
    {"", "iota : i32[0]", "the extent of axis 0 is 0; extents are at least 1"},
    {"%a: u32[3]", "random_bits %a {offset=0} : u32[2]", "random_bits: the state must be u32[4], not u32[3]"},
    {"%a: i32[4]", "random_bits %a : u32[2]",
     "random_bits: operand 0 is i32[4]; its dtype must be one of: u32"},
    {"%a: u32[4]", "random_bits %a : i32[2]", "random_bits: the result's dtype must be u32, not i32"},
    {"%a: bool[2]", "neg %a : bool[2]",
     "neg: operand 0 is bool[2]; its dtype must be one of: u8 u16 u32 u64 i8 i16 i32 i64 f16 bf16 f32 f64"},
    {"%a: f32[2]", "neg %a : f32[3]", "neg: expected the type f32[2], found f32[3]"},
    {"%a: f32[2]", "neg %a, %a : f32[2]", "neg: it takes 1 operand, not 2"},
    {"%a: bool[2]", "abs %a : bool[2]", "abs: operand 0 is bool[2]; its dtype"},
    {"%a: bool[2]", "sign %a : bool[2]", "sign: operand 0 is bool[2]; its dtype"},
    {"%a: i32[2]", "sqrt %a : i32[2]",
     "sqrt: operand 0 is i32[2]; its dtype must be one of: f16 bf16 f32 f64"},
    {"%a: i32[2]", "rsqrt %a : i32[2]", "rsqrt: operand 0 is i32[2]; its dtype"},
    {"%a: i32[2]", "exp %a : i32[2]", "exp: operand 0 is i32[2]; its dtype"},
    {"%a: i32[2]", "log %a : i32[2]", "log: operand 0 is i32[2]; its dtype"},
    {"%a: i32[2]", "log1p %a : i32[2]", "log1p: operand 0 is i32[2]; its dtype"},
    {"%a: i32[2]", "sin %a : i32[2]", "sin: operand 0 is i32[2]; its dtype"},
    {"%a: i32[2]", "cos %a : i32[2]", "cos: operand 0 is i32[2]; its dtype"},
    {"%a: i32[2]", "tanh %a : i32[2]", "tanh: operand 0 is i32[2]; its dtype"},
    {"%a: i32[2]", "erf %a : i32[2]", "erf: operand 0 is i32[2]; its dtype"},
    {"%a: i32[2]", "logistic %a : i32[2]", "logistic: operand 0 is i32[2]; its dtype"},
    {"%a: bool[2]", "relu %a : bool[2]", "relu: operand 0 is bool[2]; its dtype"},
    {"%a: f32[2]", "not %a : f32[2]", "not: operand 0 is f32[2]; its dtype must be one of: bool"},
    {"%a: i32[2]", "floor %a : i32[2]", "floor: operand 0 is i32[2]; its dtype"},
    {"%a: i32[2]", "ceil %a : i32[2]", "ceil: operand 0 is i32[2]; its dtype"},
    {"%a: i32[2]", "round %a : i32[2]", "round: operand 0 is i32[2]; its dtype"},
    {"%a: i32[2]", "expm1 %a : i32[2]", "expm1: operand 0 is i32[2]; its dtype"},
    {"%a: i32[2]", "exp2 %a : i32[2]", "exp2: operand 0 is i32[2]; its dtype"},
    {"%a: i32[2]", "log2 %a : i32[2]", "log2: operand 0 is i32[2]; its dtype"},
    {"%a: i32[2]", "tan %a : i32[2]", "tan: operand 0 is i32[2]; its dtype"},
    {"%a: i32[2]", "asin %a : i32[2]", "asin: operand 0 is i32[2]; its dtype"},
    {"%a: i32[2]", "acos %a : i32[2]", "acos: operand 0 is i32[2]; its dtype"},
    {"%a: i32[2]", "atan %a : i32[2]", "atan: operand 0 is i32[2]; its dtype"},
    {"%a: i32[2]", "sinh %a : i32[2]", "sinh: operand 0 is i32[2]; its dtype"},
    {"%a: i32[2]", "cosh %a : i32[2]", "cosh: operand 0 is i32[2]; its dtype"},
    {"%a: i32[2]", "asinh %a : i32[2]", "asinh: operand 0 is i32[2]; its dtype"},
    {"%a: i32[2]", "acosh %a : i32[2]", "acosh: operand 0 is i32[2]; its dtype"},
    {"%a: i32[2]", "atanh %a : i32[2]", "atanh: operand 0 is i32[2]; its dtype"},
    {"%a: bool[2]", "is_nan %a : bool[2]", "is_nan: operand 0 is bool[2]; its dtype"},
    {"%a: bool[2]", "is_finite %a : bool[2]", "is_finite: operand 0 is bool[2]; its dtype"},
    {"", "stop_gradient : f32[]", "stop_gradient: it takes 1 operand, not 0"},
    {"%a: f32[n], %b: f32[m]", "add %a, %b : f32[n]",
     "add: the shapes of operands 0 and 1 differ: f32[n] and f32[m]"},
    {"%a: f32[3], %b: f64[3]", "sub %a, %b : f32[3]",
     "sub: the dtypes of operands 0 and 1 differ: f32[3] and f64[3]"},
    {"%a: f32[3], %b: f32[1,3]", "mul %a, %b : f32[3]",
     "mul: the shapes of operands 0 and 1 differ: f32[3] and f32[1,3]"},
    {"%a: bool[3]", "div %a, %a : bool[3]", "div: operand 0 is bool[3]; its dtype"},
    {"%a: i32[3]", "pow %a, %a : i32[3]", "pow: operand 0 is i32[3]; its dtype"},
    {"%a: f32[3], %b: f32[4]", "rem %a, %b : f32[3]", "rem: "},
    {"%a: i32[3]", "atan2 %a, %a : i32[3]", "atan2: operand 0 is i32[3]; its dtype"},
    {"%a: bool[3]", "max %a, %a : bool[3]", "max: operand 0 is bool[3]; its dtype"},
    {"%a: bool[3]", "min %a, %a : bool[3]", "min: operand 0 is bool[3]; its dtype"},
    {"%a: f32[3], %b: f32[4]", "eq %a, %b : bool[3]", "eq: the shapes of operands 0 and 1 differ"},
    {"%a: f32[3]", "ne %a, %a : f32[3]", "ne: expected the type bool[3], found f32[3]"},
    {"%a: f32[3], %b: f32[]", "lt %a, %b : bool[3]", "lt: the shapes of operands 0 and 1 differ"},
    {"%a: f32[3], %b: i32[3]", "le %a, %b : bool[3]", "le: the dtypes of operands 0 and 1 differ"},
    {"%a: f32[3]", "gt %a : bool[3]", "gt: it takes 2 operands, not 1"},
    {"%a: f32[3], %b: f32[2]", "ge %a, %b : bool[3]", "ge: the shapes of operands 0 and 1 differ"},
    {"%a: f32[3]", "and %a, %a : f32[3]",
     "and: operand 0 is f32[3]; its dtype must be one of: bool u8 u16 u32 u64 i8 i16 i32 i64"},
    {"%a: f32[3]", "or %a, %a : f32[3]", "or: operand 0 is f32[3]; its dtype"},
    {"%a: f32[3]", "xor %a, %a : f32[3]", "xor: operand 0 is f32[3]; its dtype"},
    {"%a: bool[3]", "shl %a, %a : bool[3]", "shl: operand 0 is bool[3]; its dtype"},
    {"%a: f32[3]", "shr %a, %a : f32[3]", "shr: operand 0 is f32[3]; its dtype"},
    {"%p: u8[3], %a: f32[3]", "select %p, %a, %a : f32[3]",
     "select: operand 0 is u8[3]; its dtype must be one of: bool"},
    {"%p: bool[2], %a: f32[3]", "select %p, %a, %a : f32[3]",
     "select: the shapes of operands 0 and 1 differ: bool[2] and f32[3]"},
    {"%p: bool[3], %a: f32[3], %b: f64[3]", "select %p, %a, %b : f32[3]",
     "select: the dtypes of operands 1 and 2 differ"},
    {"%a: f32[3]", "convert %a : f64[4]", "convert: expected the type f64[3], found f64[4]"},
    {"%a: f32[3]", "checkpoint %a : f32[3]", "checkpoint: it takes 2 operands, not 1"},
    {"%a: f32[3], %b: i64[]", "checkpoint %a, %b : f32[4]",
     "checkpoint: expected the type f32[3], found f32[4]"},
    {"%a: f32[3]", "clamp %a {lo=2, hi=1} : f32[3]", "clamp: lo = 2 is not at most hi = 1"},
    {"%a: f32[3]", "clamp %a {lo=nan, hi=1} : f32[3]", "clamp: lo = nan is not at most hi = 1"},
    {"%a: f32[3]", "clamp %a {lo=0} : f32[3]", "clamp: expected the attribute hi"},
    {"%a: f32[4,5]", "reshape %a : f32[3,7]", "reshape: f32[4,5] has 20 elements, f32[3,7] has 21"},
    {"%a: f32[n,4]", "reshape %a : f32[m,4]",
     "reshape: f32[n,4] and f32[m,4] differ in their symbols or in the product of their constants"},
    {"%a: f32[n,4]", "reshape %a : f32[n,5]", "differ in their symbols or in the product of their constants"},
    {"%a: f32[n,4]", "reshape %a : f32[n,n,4]", "differ in their symbols"},
    {"%a: f32[n,4]", "reshape %a : f32[4]", "differ in their symbols"},
    {"%a: f32[2,3]", "transpose %a {perm=[1,1]} : f32[3,3]", "transpose: perm holds axis 1 twice"},
    {"%a: f32[2,3]", "transpose %a {perm=[0,2]} : f32[2,3]",
     "transpose: perm holds axis 2, which f32[2,3] does not have"},
    {"%a: f32[2,3]", "transpose %a {perm=[0]} : f32[2]",
     "transpose: perm has 1 entries, but the rank of f32[2,3] is 2"},
    {"%a: f32[2,3]", "broadcast %a : f32[4,3]",
     "broadcast: f32[2,3] does not broadcast to f32[4,3]: axis 0 is neither 1 nor that of the result"},
    {"%a: f32[n]", "broadcast %a : f32[4]", "broadcast: f32[n] does not broadcast to f32[4]"},
    {"%a: f32[1,3]", "broadcast %a : f32[3]", "broadcast: f32[1,3] has a higher rank than f32[3]"},
    {"%a: f32[]", "broadcast %a : f32[1048576,1048577]", "has more than 2^40 elements"},
    {"%a: f32[9]", "slice %a {start=[2], limit=[2]} : f32[1]",
     "slice: axis 0 of f32[9]: start 2 and limit 2 are not 0 <= start < limit <= 9"},
    {"%a: f32[9]", "slice %a {start=[-1], limit=[2]} : f32[3]",
     "slice: axis 0 of f32[9]: start -1 and limit 2"},
    {"%a: f32[9]", "slice %a {start=[0], limit=[10]} : f32[10]",
     "slice: axis 0 of f32[9]: start 0 and limit 10"},
    {"%a: f32[9]", "slice %a {start=[0], limit=[9], step=[0]} : f32[9]",
     "slice: step 0 of axis 0 is not at least 1"},
    {"%a: f32[n]", "slice %a {start=[0], limit=[2]} : f32[2]",
     "slice: axis 0 of f32[n] is symbolic and can only be taken whole: start 0, limit n, step 1"},
    {"%a: f32[2,3]", "slice %a {start=[0], limit=[2]} : f32[2,3]",
     "slice: the attributes have 1 entries, but the rank of f32[2,3] is 2"},
    {"%a: f32[9]", "slice %a {start=[0,0], limit=[9]} : f32[9]",
     "slice: expected 2 entries in limit, found 1"},
    {"%a: f32[2,3]", "reverse %a {axes=[1,0]} : f32[2,3]", "reverse: axes must ascend: 1 comes before 0"},
    {"%a: f32[2,3]", "reverse %a {axes=[2]} : f32[2,3]",
     "reverse: axes holds axis 2, which f32[2,3] does not have"},
    {"%a: f32[2,3]", "concat {axes=[0]} : f32[2,3]", "concat: it takes 1 to 8 operands, not 0"},
    {"%a: f32[2,3]", "concat %a, %a {axes=[0,1]} : f32[4,6]", "concat: it joins along one axis, not 2"},
    {"%a: f32[2,3], %b: f32[3,2]", "concat %a, %b {axes=[0]} : f32[5,3]",
     "concat: operands 0 and 1 may differ in axis 0 alone: f32[2,3] and f32[3,2]"},
    {"%a: f32[2,3], %b: f64[2,3]", "concat %a, %b {axes=[0]} : f32[4,3]",
     "concat: the dtypes of operands 0 and 1 differ: f32[2,3] and f64[2,3]"},
    {"%a: f32[2], %b: f32[n]", "concat %a, %b {axes=[0]} : f32[n]",
     "concat: axis 0 of operand 1, f32[n], is symbolic and can't be joined"},
    {"%a: f32[5,2], %i: i64[3], %u: f32[2,2]", "scatter_set %a, %i, %u : f32[5,2]",
     "scatter_set: the update must be f32[3,2] (index shape, then the rows of operand 0), not f32[2,2]"},
    {"%a: f32[5], %i: f32[3], %u: f32[3]", "scatter_mul %a, %i, %u : f32[5]",
     "scatter_mul: the index must be i32 or i64, not f32[3]"},
    {"%a: bool[5], %i: i64[3], %u: bool[3]", "scatter_max %a, %i, %u : bool[5]",
     "scatter_max: operand 0 is bool[5]"},
    {"%a: f32[5], %i: i64[3], %u: f64[3]", "scatter_min %a, %i, %u : f32[5]",
     "scatter_min: the update's dtype must be that of operand 0: f64[3] and f32[5]"},
    {"%a: f32[5], %i: i64[2]", "dynamic_slice %a, %i : f32[3]",
     "dynamic_slice: start must be one number for each axis of f32[5], not i64[2]"},
    {"%a: f32[5], %i: i64[1]", "dynamic_slice %a, %i : f32[6]",
     "dynamic_slice: a box f32[6] does not fit into f32[5]"},
    {"%a: f32[5], %i: u8[1], %u: f32[2]", "dynamic_update %a, %i, %u : f32[5]",
     "dynamic_update: start must be i32 or i64, not u8[1]"},
    {"%a: f32[5], %i: i64[1], %u: f32[2,1]", "dynamic_update %a, %i, %u : f32[5]",
     "dynamic_update: the update f32[2,1] does not fit into f32[5]"},
    {"%a: f32[3]", "pad %a {low=[-1], high=[0]} : f32[2]",
     "pad: axis 0: low -1, high 0 and interior 0 must not be negative"},
    {"%a: f32[n]", "pad %a {low=[1], high=[0]} : f32[n]",
     "pad: axis 0 of f32[n] is symbolic and can't be padded"},
    {"%a: f32[3]", "pad %a {low=[0], high=[0], interior=[9223372036854775807]} : f32[3]",
     "pad: axis 0 of f32[3]: padding by 0, 0 and 9223372036854775807 overflows 2^40 elements"},
    {"%a: f32[3]", "pad %a {low=[1099511627776], high=[0]} : f32[3]", "has more than 2^40 elements"},
    {"%a: f32[3,2], %i: f32[2]", "gather %a, %i : f32[2,2]",
     "gather: the index must be i32 or i64, not f32[2]"},
    {"%a: f32[], %i: i32[2]", "gather %a, %i : f32[2]",
     "gather: operand 0 must have an axis to index, not f32[]"},
    {"%a: f32[1,1,1,1,1], %i: i32[1,1,1,1,1]", "gather %a, %i : f32[1]",
     "would have rank 9; a rank is at most 8"},
    {"%a: f32[5,4], %i: i32[2], %u: f32[2,3]", "scatter_add %a, %i, %u : f32[5,4]",
     "scatter_add: the update must be f32[2,4] (index shape, then the rows of operand 0), not f32[2,3]"},
    {"%a: f32[5,4], %i: i32[2], %u: f64[2,4]", "scatter_add %a, %i, %u : f32[5,4]",
     "scatter_add: the update's dtype must be that of operand 0: f64[2,4] and f32[5,4]"},
    {"%a: f32[2,3]", "reduce_sum %a {axes=[1,0]} : f32[]", "reduce_sum: axes must ascend: 1 comes before 0"},
    {"%a: f32[2,3]", "reduce_max %a {axes=[2]} : f32[2]",
     "reduce_max: axes holds axis 2, which f32[2,3] does not have"},
    {"%a: f32[2,3]", "reduce_min %a {axes=[]} : f32[2,3]", "reduce_min: it needs at least one axis"},
    {"%a: f32[2,3]", "reduce_sum %a {axes=[-1]} : f32[2]", "reduce_sum: axes holds axis -1"},
    {"%a: bool[2]", "reduce_prod %a {axes=[0]} : bool[]", "reduce_prod: operand 0 is bool[2]; its dtype"},
    {"%a: f32[2]", "reduce_all %a {axes=[0]} : bool[]", "reduce_all: operand 0 is f32[2]; its dtype"},
    {"%a: f32[2]", "reduce_any %a {axes=[0]} : bool[]", "reduce_any: operand 0 is f32[2]; its dtype"},
    {"%a: f32[2,3]", "argmin %a {axes=[]} : i64[2,3]", "argmin: it needs at least one axis"},
    {"%a: f32[2,3]", "cumsum %a {axis=2} : f32[2,3]", "cumsum: axis 2 is not an axis of f32[2,3]"},
    {"%a: f32[]", "cumprod %a {axis=0} : f32[]", "cumprod: axis 0 is not an axis of f32[]"},
    {"%a: f32[2]", "cummax %a {axis=0, reverse=2} : f32[2]", "cummax: reverse must be 0 or 1, not 2"},
    {"%a: bool[2]", "cummin %a {axis=0} : bool[2]", "cummin: operand 0 is bool[2]; its dtype"},
    {"%a: f32[2], %b: f32[3]", "linear_scan %a, %b {axis=0} : f32[2]",
     "linear_scan: the types of the operands differ: f32[2] and f32[3]"},
    {"%a: f32[2], %b: f64[2]", "linear_scan %a, %b {axis=0} : f32[2]",
     "linear_scan: the types of the operands differ: f32[2] and f64[2]"},
    {"%a: i32[2]", "linear_scan %a, %a {axis=0} : i32[2]", "linear_scan: operand 0 is i32[2]; its dtype"},
    {"%a: f32[]", "argsort %a : i64[]", "argsort: it needs an axis to sort, not f32[]"},
    {"%a: f32[2]", "argsort %a {descending=7} : i64[2]", "argsort: descending must be 0 or 1, not 7"},
    {"%a: f32[2]", "custom %a {call=turned} : f32[2]", "custom: turned: a matrix is needed"},
    {"", "custom {call=turned} : f32[2]", "custom: turned: it takes 1 to 8 operands, not 0"},
    {"%a: f32[2]", "custom %a {call=round} : f32[2]", "custom: there is no custom op 'round' (turned)"},
    {"%a: bool[2,3]", "argmax %a {axes=[1]} : i64[2]", "argmax: operand 0 is bool[2,3]; its dtype"},
    {"%a: f32[2,3]", "argmax %a {axes=[0,0]} : i64[3]", "argmax: axes holds axis 0 twice"},
    {"%a: f32[4,5], %b: f32[6,7]", "dot_general %a, %b {lhs_k=[1], rhs_k=[0]} : f32[4,7]",
     "dot_general: contracted extents differ: f32[4,5] axis 1 is 5, f32[6,7] axis 0 is 6"},
    {"%a: f32[n,5], %b: f32[5,m]",
     "dot_general %a, %b {lhs_batch=[0], rhs_batch=[1], lhs_k=[1], rhs_k=[0]} : f32[n]",
     "dot_general: batch extents differ: f32[n,5] axis 0 is n, f32[5,m] axis 1 is m"},
    {"%a: f32[4,4], %b: f32[4,4]",
     "dot_general %a, %b {lhs_batch=[0], rhs_batch=[0], lhs_k=[0], rhs_k=[1]} : f32[4,4]",
     "dot_general: axis 0 of the lhs is both batch and contracted"},
    {"%a: f32[4], %b: f64[4]", "dot_general %a, %b {lhs_k=[0], rhs_k=[0]} : f32[]",
     "dot_general: the dtypes of the operands differ: f32[4] and f64[4]"},
    {"%a: i32[4]", "dot_general %a, %a {lhs_k=[0], rhs_k=[0]} : i32[]",
     "dot_general: operand 0 is i32[4]; its dtype"},
    {"%a: f32[4]", "dot_general %a, %a {lhs_k=[0]} : f32[]",
     "dot_general: expected 1 entries in rhs_k, found none"},
    {"%a: f32[4]", "dot_general %a, %a {lhs_k=[1], rhs_k=[0]} : f32[]",
     "dot_general: lhs_k holds axis 1, which f32[4] does not have"},
    {"%a: f32[1,1,1,1,1]", "dot_general %a, %a : f32[1]", "would have rank 10; a rank is at most 8"},
};

enum {
    GOOD_NODES = sizeof good_nodes / sizeof *good_nodes,
    BAD_NODES = sizeof bad_nodes / sizeof *bad_nodes
};

/* The graph of one case as text. */
static inline char *case_text(const node_case *c)
{
    int leaves = 0;
    char *text = malloc(1024);
    assert_non_null(text);
    for (const char *s = c->leaves; *s; s++)
        leaves += *s == '%';
    snprintf(text, 1024, "graph @case(%s) -> () {\n  %%%d = %s\n  return\n}\n", c->leaves, leaves, c->node);
    return text;
}

static inline ir_graph *parse(const char *text, ir_error *e)
{
    memset(e, 0, sizeof *e);
    return ir_parse(text, strlen(text), "t.tdm", &case_customs, e);
}

/* Marks the op that a case is about. */
static inline void mark_op(const node_case *c, bool *seen)
{
    ir_op op;
    assert_true(ir_op_parse(c->node, strcspn(c->node, " "), &op));
    seen[op] = true;
}

static inline void assert_all_ops(const bool *seen)
{
    for (int op = 0; op < IR_OP_COUNT; op++)
        if (!seen[op] && op != IR_input && op != IR_variable)
            fail_msg("no case for op %s", ir_ops[op].name);
}

static inline void assert_message(const ir_error *e, const char *part)
{
    if (e->status == IR_OK || !strstr(e->text, part))
        fail_msg("expected \"%s\", got status %d: \"%s\"", part, (int)e->status, e->text);
}

#endif
