/* runtime/context.c: the context of the eager engine: its sink, its error, its outermost scope. */
#include "runtime/eager.h"

#include <stdlib.h>
#include <string.h>

static ir_val eager_emit(ir_sink *s, ir_op op, const ir_attrs *a, const ir_val *x, int n)
{
    tdm_tensor *t[IR_MAX_OPERANDS];

    if (n > IR_MAX_OPERANDS) {
        ir_fail(s->err, IR_EARG, "%s: %d operands", ir_ops[op].name, n);
        return 0;
    }
    for (int i = 0; i < n; i++) {
        t[i] = rt_tensor_of(x[i]);
    }
    return rt_val(rt_op((rt_context *)s, op, a, t, n));
}

static const ir_type *eager_type(ir_sink *s, ir_val v)
{
    (void)s;
    return v ? &rt_tensor_of(v)->a.type : NULL;
}

ir_status rt_context_init(rt_context *c, const rt_level *level, rt_pool *pool)
{
    memset(c, 0, sizeof *c);
    c->sink.emit = eager_emit;
    c->sink.type = eager_type;
    c->sink.err = &c->error;
    c->engine.level = level ? level : rt_level_best();
    c->engine.pool = pool;
    c->engine.err = &c->error;
    c->grad_mode = true;
    c->sequence = 1; /* AccumulateGrad nodes have 0 */
    c->caches = calloc(1, sizeof *c->caches);
    if (!c->caches) {
        return ir_fail(&c->error, IR_ENOMEM, "out of memory: no context");
    }
    c->caches->fail_in = -1;
    c->scope = &c->caches->root;
    return IR_OK;
}

void rt_context_destroy(rt_context *c)
{
    if (!c->caches) {
        return;
    }
    rt_checkpoint_close(c);
    c->caches->unopened = 0;
    while (c->scope->outer) {
        rt_scope_close(c);
    }
    rt_scope_drain(&c->caches->root);
    rt_scope_drain(&c->caches->held);
    rt_release(c->caches->placeholder);
    rt_context_trim(c);
    free(c->caches);
    c->caches = NULL;
    c->scope = NULL;
}
