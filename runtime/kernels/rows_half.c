/* runtime/kernels/rows_half.c: f16 and bf16: widened to f32, BLOCK elements at a time, computed by the rows
 * of f32 and rounded back (numerics, Half precision). */
#include "runtime/kernels/kernel.h"
#include "runtime/scalar_c.h"

#define BLOCK 512

#define LOOPS(h)                                                                \
    static void widen_##h(float *y, const uint16_t *x, int64_t n)               \
    {                                                                           \
        RT_NO_ALIAS for (int64_t i = 0; i < n; i++) y[i] = half_from_##h(x[i]); \
    }                                                                           \
    static void narrow_##h(uint16_t *y, const float *x, int64_t n)              \
    {                                                                           \
        RT_NO_ALIAS for (int64_t i = 0; i < n; i++) y[i] = half_to_##h(x[i]);   \
    }
LOOPS(f16)
LOOPS(bf16)

/* The row of f32 for op; operands before `first` are conditions, the results of compares are not rounded. */
#define RUN(h)                                                                                       \
    static void run_##h(ir_op op, int first, int operands, void *y, const void *const *x, int64_t n, \
                        const ir_attrs *a)                                                           \
    {                                                                                                \
        _Alignas(64) float wide[3][BLOCK], result[BLOCK];                                            \
        bool truth = (ir_ops[op].facts & IR_BOOL_RESULT) != 0;                                       \
                                                                                                     \
        for (int64_t at = 0; at < n; at += BLOCK) {                                                  \
            int64_t count = n - at < BLOCK ? n - at : BLOCK;                                         \
            const void *w[3] = {(const uint8_t *)x[0] + at, wide[1], wide[2]};                       \
                                                                                                     \
            for (int i = first; i < operands; i++) {                                                 \
                widen_##h(wide[i], (const uint16_t *)x[i] + at, count);                              \
                w[i] = wide[i];                                                                      \
            }                                                                                        \
            RT_V(rt_rows_f32)[op](truth ? (uint8_t *)y + at : (void *)result, w, count, a);          \
            if (!truth)                                                                              \
                narrow_##h((uint16_t *)y + at, result, count);                                       \
        }                                                                                            \
    }
RUN(f16)
RUN(bf16)

#define ROW_(h, name, first, operands)                                                        \
    static void row_##name##_##h(void *y, const void *const *x, int64_t n, const ir_attrs *a) \
    {                                                                                         \
        run_##h(IR_##name, first, operands, y, x, n, a);                                      \
    }
#define ROWS_(name, first, operands) ROW_(f16, name, first, operands) ROW_(bf16, name, first, operands)

#define ON_D_ANY(...) __VA_ARGS__
#define ON_D_NUM(...) __VA_ARGS__
#define ON_D_FLOAT(...) __VA_ARGS__
#define ON_D_INT(...)
#define ON_D_BITS(...)
#define ON_D_BOOL(...)

#define OP_UNARY(name, facts, dtypes, ...) ON_##dtypes(ROWS_(name, 0, 1))
#define OP_BINARY(name, facts, dtypes, ...) ON_##dtypes(ROWS_(name, 0, 2))
#define OP_SELECT(name, facts, dtypes, ...) ON_##dtypes(ROWS_(name, 1, 3))
#include "ir/ops.def"

#define OP_UNARY(name, facts, dtypes, ...) ON_##dtypes([IR_##name] = row_##name##_f16, )
#define OP_BINARY OP_UNARY
#define OP_SELECT OP_UNARY
rt_row_fn *const RT_V(rt_rows_f16)[IR_OP_COUNT] = {
#include "ir/ops.def"
};

#define OP_UNARY(name, facts, dtypes, ...) ON_##dtypes([IR_##name] = row_##name##_bf16, )
#define OP_BINARY OP_UNARY
#define OP_SELECT OP_UNARY
rt_row_fn *const RT_V(rt_rows_bf16)[IR_OP_COUNT] = {
#include "ir/ops.def"
};

#define OTHERS(h)                                                                                   \
    void RT_V(rt_clamp_##h)(void *y, const void *const *x, int64_t n, const ir_attrs *a)            \
    {                                                                                               \
        const uint16_t *x0 = x[0];                                                                  \
        uint16_t *r = y;                                                                            \
        float lo = half_from_##h(s_convert_f64_##h(a->clamp.lo));                                   \
        float hi = half_from_##h(s_convert_f64_##h(a->clamp.hi));                                   \
                                                                                                    \
        RT_NO_ALIAS for (int64_t i = 0; i < n; i++) r[i] =                                          \
            half_to_##h(s_clamp_f32(half_from_##h(x0[i]), lo, hi));                                 \
    }                                                                                               \
    void RT_V(rt_iota_##h)(void *y, const void *state, int64_t begin, int64_t n, const ir_attrs *a) \
    {                                                                                               \
        uint16_t *r = y;                                                                            \
                                                                                                    \
        (void)state;                                                                                \
        (void)a;                                                                                    \
        RT_NO_ALIAS for (int64_t i = 0; i < n; i++) r[i] = s_convert_i64_##h(begin + i);            \
    }
OTHERS(f16)
OTHERS(bf16)
