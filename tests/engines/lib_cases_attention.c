/* tests/engines/lib_cases_attention.c: cases of attention and positions (ir/compose_attention.c,
 * ir/compose_position.c). */
#include "ir/compose.h"
#include "ir/emit.h"
#include "tests/engines/lib_composites.h"

/* p: causal, scale in hundredths, percent dropped; operands q k v, the mask, the random state. */
static ir_attention how(const op_case *c, const ir_val *mask, const ir_val *random)
{
    return (ir_attention){.causal = c->p[0],
                          .scale = (double)c->p[1] / 100,
                          .dropout = (double)c->p[2] / 100,
                          .mask = mask ? *mask : 0,
                          .random = random ? *random : 0,
                          .offset = 3};
}

BUILD(scaled_dot_product_attention, ir_attention h = how(c, c->n > 3 ? &x[3] : NULL, &x[4]);
      y[0] = ir_c_scaled_dot_product_attention(s, x[0], x[1], x[2], &h))
/* p[3]: which of key and value are the query's tensor (1: value is key's, 2: both are the query's); p[4]:
 * heads; p[5]: a mask comes first.  Operands: the mask, then different ones of query, key, value, then
 * in_weight, out_weight and their biases if there are more. */
BUILD(multi_head_attention, int at = c->p[5] ? 1 : 0; ir_attention h = how(c, at ? &x[0] : NULL, NULL);
      ir_val in[3]; in[0] = x[at++]; in[1] = c->p[3] == 2 ? in[0] : x[at++];
      in[2] = c->p[3] ? in[1] : x[at++]; ir_projections w = {.in_weight = x[at], .out_weight = x[at + 1]};
      if (c->n > at + 2) w.in_bias = x[at + 2], w.out_bias = x[at + 3];
      y[0] = ir_c_multi_head_attention(s, in, &w, c->p[4], &h))

/* The token is whole: bool is a macro. */
#define MASK(...) {case_type(IR_DT_bool, (const int64_t[]){__VA_ARGS__, 0}), 0, 2}

static void add_sdpa(case_list *l)
{
#define SDPA(gradient, special, ...) CASE(scaled_dot_product_attention, gradient, special, __VA_ARGS__)
    SDPA(true, false, .in = {T(5, 4), T(7, 4), T(7, 3)});
    SDPA(true, false, .in = {T(2, 3, 17, 8), T(2, 3, 17, 8), T(2, 3, 17, 8)}, .p = {1});
    SDPA(true, true, .in = {T(2, 9, 4), T(2, 9, 4), T(2, 9, 4)});
    SDPA(true, true, .in = {T(2, 9, 4), T(2, 9, 4), T(2, 9, 4)}, .p = {1, 30});
    SDPA(true, false, .in = {T(3, 1, 16), T(3, 33, 16), T(3, 33, 16)}, .p = {0, 50});
    /* keys shared by the batch */
    SDPA(true, false, .in = {T(2, 3, 5, 4), T(3, 7, 4), T(7, 6)}, .p = {1});
    /* blind queries */
    SDPA(true, false, .in = {T(2, 4, 4), T(2, 3, 4), T(2, 3, 4), MASK(4, 3)});
    SDPA(true, false, .in = {T(2, 3, 9, 4), T(2, 3, 9, 4), T(2, 3, 9, 4), MASK(2, 1, 1, 9)}, .p = {1});
    SDPA(true, true, .in = {T(3, 5, 4), T(3, 6, 4), T(3, 6, 4), T(5, 6)});
    SDPA(true, false, .in = {T(3, 17, 4), T(3, 17, 4), T(3, 17, 4), T(3, 1, 17)}, .p = {1});
    SDPA(true, false, .in = {T(2, 5, 4), T(2, 7, 4), T(2, 7, 4), MASK(1, 1), STATE}, .p = {0, 0, 25});
#undef SDPA
}

static void add_heads(case_list *l)
{
#define MHA(...) CASE(multi_head_attention, true, false, __VA_ARGS__)
    MHA(.in = {T(2, 5, 8), T(24, 8), T(8, 8), T(24), T(8)}, .p = {0, 0, 0, 2, 2});
    MHA(.in = {T(17, 12), T(36, 12), T(12, 12)}, .p = {1, 0, 0, 2, 3});
    MHA(.in = {T(2, 3, 8), T(2, 9, 8), T(24, 8), T(5, 8), T(24), T(5)}, .p = {0, 0, 0, 1, 4});
    MHA(.in = {T(2, 3, 8), T(2, 9, 8), T(2, 9, 8), T(24, 8), T(8, 8)}, .p = {0, 0, 0, 0, 1});
    MHA(.in = {MASK(2, 1, 1, 7), T(2, 7, 8), T(24, 8), T(8, 8), T(24), T(8)}, .p = {1, 0, 0, 2, 2, 1});
#undef MHA
}

/* p[0]: interleaved.  Tables show their dtype by an operand of their shape. */
BUILD(rotary, y[0] = ir_c_rotary(s, x[0], x[1], x[2], c->p[0]))
BUILD(rotary_table, int64_t n = c->in[0].type.dims[0]; int64_t width = 2 * c->in[0].type.dims[1];
      ir_dtype d = c->in[0].type.dtype;
      y[0] = ir_e_mul(s, x[0], ir_c_rotary_table(s, d, n, width, 10000, c->p[0])))
BUILD(sinusoidal_positions, const int64_t *dims = c->in[0].type.dims; ir_dtype d = c->in[0].type.dtype;
      y[0] = ir_e_mul(s, x[0], ir_c_sinusoidal_positions(s, d, dims[0], dims[1], 100)))

static void add_positions(case_list *l)
{
    for (int i = 0; i < 2; i++) {
        CASE(rotary, true, false, .in = {T(5, 6), T(5, 3), T(5, 3)}, .p = {i});
        CASE(rotary, true, i == 1, .in = {T(2, 3, 7, 16), T(7, 8), T(7, 8)}, .p = {i});
        CASE(rotary, true, false, .in = {T(2, 5, 4), T(2, 1, 2), T(2)}, .p = {i});
        CASE(rotary_table, false, false, .in = {T(17, 5)}, .p = {i});
    }
    CASE(sinusoidal_positions, false, false, .in = {T(9, 8)});
}

void cases_attention(case_list *l)
{
    add_positions(l);
    add_sdpa(l);
    add_heads(l);
}
