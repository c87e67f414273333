/* tests/passes/lib_eval.c: rt_compute as the evaluator of pass_context (lib_eval.h). */
#include "passes/lib_eval.h"
#include "runtime/array.h"

ir_status test_eval(void *user, ir_op op, const ir_attrs *a, const ir_type *const *xt, const void *const *x,
                    int n, const ir_type *yt, void *y)
{
    rt_engine engine = {.level = rt_level_best()};
    rt_array arrays[3], out = rt_array_of(yt, y);
    const rt_array *operands[3];

    (void)user;
    for (int i = 0; i < n; i++) {
        arrays[i] = rt_array_of(xt[i], (void *)(uintptr_t)x[i]);
        operands[i] = &arrays[i];
    }
    return rt_compute(&engine, op, a, operands, n, &out);
}
