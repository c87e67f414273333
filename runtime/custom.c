/* runtime/custom.c: custom calls: the eager kernel, and the calls that a compiled program makes.
 *
 * Compiled code holds no address of a custom op: its entry calls the runtime with the number of the kernel,
 * and the execution knows which operands that is.  So compiled programs can be kept. */
#include <stddef.h>
#include <stdlib.h>

#include "runtime/compute.h"
#include "runtime/program.h"

ir_status rt_custom(const rt_engine *e, const ir_attrs *a, const rt_array *const *x, int n, const rt_array *y)
{
    rt_array rows[IR_MAX_OPERANDS];
    const ir_type *types[IR_MAX_OPERANDS];
    const void *data[IR_MAX_OPERANDS];
    ir_error dropped = {0};
    ir_status s = IR_OK;
    int ready = 0;

    for (; ready < n && (s = rt_contiguous_of(e, x[ready], &rows[ready])) == IR_OK; ready++) {
        types[ready] = &x[ready]->type;
        data[ready] = rows[ready].data;
    }
    if (ready == n) {
        s = a->custom.op->forward(a->custom.op, a, types, data, n, &y->type, y->data,
                                  e->err ? e->err : &dropped);
    }
    for (int i = 0; i < ready; i++) {
        rt_scratch_free(x[i], &rows[i]);
    }
    return s;
}

/* ---- of compiled programs ---------------------------------------------------------------------------- */

typedef struct rt_call {
    int64_t kernel;
    const ir_node *node;
    ir_place x[IR_MAX_OPERANDS], y;
} rt_call;

static const ir_node *called(const ir_graph *g, int kernel)
{
    const ir_node *n = &g->nodes[g->kernels.items[kernel].root];

    return g->kernels.items[kernel].kind == IR_K_INDEX && n->op == IR_custom ? n : NULL;
}

static bool open_call(const ir_graph *g, int kernel, rt_call *c)
{
    bool found = rt_place_of(g, g->kernels.items[kernel].root, &c->y);

    c->kernel = kernel;
    c->node = called(g, kernel);
    for (int i = 0; i < c->node->n; i++) {
        found &= rt_place_of(g, c->node->x[i], &c->x[i]);
    }
    return found;
}

bool rt_calls_open(rt_exec *x)
{
    const ir_graph *g = x->program->graph;
    int count = 0;

    for (int i = 0; i < g->kernels.count; i++) {
        count += called(g, i) != NULL;
    }
    if (!count) {
        return true;
    }
    x->calls = calloc((size_t)count, sizeof *x->calls);
    for (int i = 0; x->calls && i < g->kernels.count; i++) {
        if (called(g, i) && !open_call(g, i, &x->calls[x->call_count++])) {
            return false;
        }
    }
    return x->calls != NULL;
}

/* Call number `kernel`, or NULL: a loop, since there are few. */
static const rt_call *call_of(const rt_exec *x, int64_t kernel)
{
    for (int i = 0; i < x->call_count; i++) {
        if (x->calls[i].kernel == kernel) {
            return &x->calls[i];
        }
    }
    return NULL;
}

bool rt_is_call(const rt_exec *x, int64_t kernel)
{
    return call_of(x, kernel) != NULL;
}

bool rt_call_run(const rt_services *s, int64_t kernel)
{
    rt_exec *x = (rt_exec *)(void *)((char *)(uintptr_t)s - offsetof(rt_exec, services));
    const ir_graph *g = x->program->graph;
    const ir_type *types[IR_MAX_OPERANDS];
    const void *data[IR_MAX_OPERANDS];
    const rt_call *c = call_of(x, kernel);

    for (int i = 0; i < c->node->n; i++) {
        types[i] = &g->nodes[c->node->x[i]].type;
        data[i] = rt_exec_address(x, &c->x[i]);
    }
    const ir_custom *op = c->node->attrs->custom.op;
    ir_status status = op->forward(op, c->node->attrs, types, data, c->node->n, &c->node->type,
                                   rt_exec_address(x, &c->y), &x->error);
    if (status != IR_OK) {
        ir_fail(&x->error, status, "custom: %s failed", op->name);
        x->failed = c->node;
    }
    return status == IR_OK;
}
