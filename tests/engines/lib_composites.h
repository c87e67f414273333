/* tests/engines/lib_composites.h: short words for cases of composites.
 *
 *   BUILD(gelu, y[0] = ir_c_gelu(s, x[0], c->p[0]))                  a builder over a sink
 *   CASE(gelu, true, false, .in = {T(17)}, .p = {1});                in a function that has the list `l`
 *
 * Float operands are given as f32; a case is added in f32 and f64. */
#ifndef TANDEM_TESTS_LIB_COMPOSITES_H
#define TANDEM_TESTS_LIB_COMPOSITES_H

#include "tests/engines/lib_cases.h"

#define BUILD(name, ...)                                                           \
    static void b_##name(ir_sink *s, const op_case *c, const ir_val *x, ir_val *y) \
    {                                                                              \
        (void)c;                                                                   \
        __VA_ARGS__;                                                               \
    }

#define T(...) {CASE_T(f32, __VA_ARGS__), 0, 0}
#define SCALAR {CASE_T(f32, 0), 0, 0}
#define INDEX(d, lo, hi, ...) {CASE_T(d, __VA_ARGS__), lo, hi}
#define STATE {CASE_T(u32, 4), 0, 0}
#define CASE(name, gradient, special, ...) \
    cases_add_composite(l, #name, b_##name, gradient, special, (op_case){__VA_ARGS__})

/* gradient: differentiable twice; special: infinities, NaN, .. in f32. */
void cases_add_composite(case_list *l, const char *name, case_build *build, bool gradient, bool special,
                         op_case c);

#endif
