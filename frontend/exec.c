/* frontend/exec.c: one run's memory: bound inputs, output tensors, arena.  Running allocates nothing. */
#include <stdlib.h>
#include <string.h>

#include "frontend/fe.h"

static const tdm_loc nowhere = {NULL, 0};

static const ir_graph *graph_of(const tdm_exec *e)
{
    return e->program->p.graph;
}

static const char *input_name(const ir_graph *g, int i)
{
    return g->nodes[g->inputs[i]].attrs->leaf.name;
}

/* Binds variables that were captured and counts what the caller has to bind. */
static bool bind_known(tdm_exec *e)
{
    const ir_graph *g = graph_of(e);
    for (int i = 0; i < g->input_count; i++) {
        tdm_tensor *t = e->program->bound[i];
        if (t && !rt_pin(t))
            return false;
        if (t)
            rt_exec_input(e->x, i, t->a.data);
        if (i == e->program->rng_input)
            rt_exec_input(e->x, i, e->rng_state);
        e->ready[i] = t || i == e->program->rng_input;
        e->missing += !e->ready[i];
        for (int k = 0; k < g->assign_count; k++)
            if (t && g->assigns[k].variable == g->inputs[i])
                e->written[k] = t;
    }
    return true;
}

static bool make_outputs(tdm_exec *e)
{
    const ir_graph *g = graph_of(e);
    for (int i = 0; i < g->output_count; i++) {
        tdm_tensor *t = rt_tensor_new(&e->program->ctx->rt, &g->nodes[g->outputs[i].value].type);
        if (!t || !rt_pin(t))
            return false;
        e->outputs[i] = rt_hold(t);
        rt_exec_output(e->x, i, t->a.data);
    }
    return true;
}

tdm_exec *tdm_exec_new(tdm_program *p)
{
    if (!p || !tdm_ok(p->ctx))
        return NULL;
    const ir_graph *g = p->p.graph;
    size_t ni = (size_t)g->input_count + 1, no = (size_t)g->output_count + 1,
           na = (size_t)g->assign_count + 1;
    tdm_exec *e = calloc(1, sizeof *e);
    if (e) {
        e->program = p;
        p->users++;
        e->inputs = calloc(ni, sizeof *e->inputs);
        e->ready = calloc(ni, sizeof *e->ready);
        e->outputs = calloc(no, sizeof *e->outputs);
        e->written = calloc(na, sizeof *e->written);
        e->x = rt_exec_new(&p->p, p->ctx->pool, &p->ctx->rt.error);
    }
    if (!e || !e->inputs || !e->ready || !e->outputs || !e->written || !e->x || !make_outputs(e) ||
        !bind_known(e)) {
        fe_fail(p->ctx, nowhere, IR_ENOMEM, "exec_new: out of memory");
        tdm_exec_free(e);
        return NULL;
    }
    return e;
}

void tdm_exec_free(tdm_exec *e)
{
    if (!e)
        return;
    const ir_graph *g = graph_of(e);
    for (int i = 0; e->inputs && i < g->input_count; i++)
        rt_release(e->inputs[i]);
    for (int i = 0; e->outputs && i < g->output_count; i++)
        rt_release(e->outputs[i]);
    rt_exec_free(e->x);
    e->program->users--;
    free(e->inputs);
    free(e->ready);
    free(e->outputs);
    free(e->written);
    free(e);
}

/* The number of the input called `name`, or -1 and an error. */
static int find_input(tdm_exec *e, const char *op, const char *name, bool variable)
{
    const ir_graph *g = graph_of(e);
    for (int i = 0; name && i < g->input_count; i++)
        if (strcmp(input_name(g, i), name) == 0 && (g->nodes[g->inputs[i]].op == IR_variable) == variable)
            return i;
    fe_fail(e->program->ctx, nowhere, IR_EARG, "%s: graph '%s' has no %s '%s'", op, g->name,
            variable ? "variable" : "input", name ? name : "(NULL)");
    return -1;
}

static void mark_ready(tdm_exec *e, int i, const void *data, tdm_tensor *held)
{
    rt_exec_input(e->x, i, data);
    e->missing -= !e->ready[i];
    e->ready[i] = true;
    if (held)
        rt_retain(held);
    rt_release(e->inputs[i]);
    e->inputs[i] = held;
}

static tdm_status bind_tensor(tdm_exec *e, const char *op, const char *name, bool variable, tdm_tensor *t)
{
    char want[96], got[96];
    if (!e)
        return TDM_EARG;
    tdm_context *ctx = e->program->ctx;
    if (!tdm_ok(ctx))
        return tdm_error_code(ctx);
    int i = find_input(e, op, name, variable);
    if (i < 0)
        return tdm_error_code(ctx);
    if (tdm_is_error(t) || t->graph || !t->storage)
        return fe_fail(ctx, nowhere, IR_EARG, "%s: '%s' is given no tensor with values", op, name);
    const ir_graph *g = graph_of(e);
    const ir_type *type = &g->nodes[g->inputs[i]].type;
    if (!ir_type_eq(type, &t->a.type))
        return fe_fail(ctx, nowhere, type->dtype == t->a.type.dtype ? IR_ESHAPE : IR_EDTYPE,
                       "%s: '%s' is %s, but %s was given", op, name,
                       ir_type_text(type, NULL, want, sizeof want),
                       ir_type_text(&t->a.type, NULL, got, sizeof got));
    if (!rt_array_is_contiguous(&t->a)) {
        if (variable)
            return fe_fail(ctx, nowhere, IR_EARG, "%s: '%s' is given a view with gaps", op, name);
        t = rt_contiguous(t);
        if (!t)
            return tdm_error_code(ctx);
    }
    if (!rt_pin(t))
        return tdm_error_code(ctx);
    mark_ready(e, i, t->a.data, t);
    for (int k = 0; variable && k < g->assign_count; k++)
        if (g->assigns[k].variable == g->inputs[i])
            e->written[k] = t;
    return TDM_OK;
}

tdm_status tdm_exec_bind(tdm_exec *e, const char *input, tdm_tensor *t)
{
    return bind_tensor(e, "exec_bind", input, false, t);
}

tdm_status tdm_exec_bind_variable(tdm_exec *e, const char *name, tdm_tensor *t)
{
    return bind_tensor(e, "exec_bind_variable", name, true, t);
}

tdm_status tdm_exec_bind_data(tdm_exec *e, const char *input, const void *data, size_t bytes)
{
    if (!e)
        return TDM_EARG;
    tdm_context *ctx = e->program->ctx;
    if (!tdm_ok(ctx))
        return tdm_error_code(ctx);
    int i = find_input(e, "exec_bind_data", input, false);
    if (i < 0)
        return tdm_error_code(ctx);
    const ir_graph *g = graph_of(e);
    size_t want = ir_type_bytes(&g->nodes[g->inputs[i]].type);
    if (!data || bytes != want)
        return fe_fail(ctx, nowhere, IR_EARG, "exec_bind_data: '%s' needs %zu bytes, %zu were given", input,
                       want, data ? bytes : 0);
    mark_ready(e, i, data, NULL);
    return TDM_OK;
}

static tdm_status missing_input(tdm_exec *e)
{
    const ir_graph *g = graph_of(e);
    for (int i = 0; i < g->input_count; i++)
        if (!e->ready[i])
            return fe_fail(
                e->program->ctx, nowhere, IR_ESTATE, "exec_run: %s '%s' of graph '%s' is not bound",
                g->nodes[g->inputs[i]].op == IR_variable ? "variable" : "input", input_name(g, i), g->name);
    return TDM_OK;
}

static void take_random(tdm_exec *e)
{
    rt_context *rt = &e->program->ctx->rt;
    e->rng_state[0] = rt->rng_seed[0];
    e->rng_state[1] = rt->rng_seed[1];
    e->rng_state[2] = (uint32_t)rt->rng_counter;
    e->rng_state[3] = (uint32_t)(rt->rng_counter >> 32);
    rt->rng_counter += graph_of(e)->random_count;
}

/* Variables about to be written are claimed, so that two running executions can't write one. */
static tdm_status claim(tdm_exec *e)
{
    for (int i = 0; i < graph_of(e)->assign_count; i++)
        if (__atomic_exchange_n(&e->written[i]->storage->busy, 1u, __ATOMIC_ACQUIRE)) {
            while (i--)
                __atomic_store_n(&e->written[i]->storage->busy, 0u, __ATOMIC_RELEASE);
            return fe_fail(e->program->ctx, nowhere, IR_ESTATE,
                           "exec_run: a variable of graph '%s' is being written by another execution",
                           graph_of(e)->name);
        }
    return TDM_OK;
}

/* What a run has written counts as changed: a tape that saved it will say so. */
static void release_claims(tdm_exec *e)
{
    const ir_graph *g = graph_of(e);
    for (int i = 0; i < g->output_count; i++)
        e->outputs[i]->storage->version++;
    for (int i = 0; i < g->assign_count; i++) {
        e->written[i]->storage->version++;
        __atomic_store_n(&e->written[i]->storage->busy, 0u, __ATOMIC_RELEASE);
    }
}

/* Everything before the code runs; the common case is three compares. */
static tdm_status prepare(tdm_exec *e)
{
    tdm_context *ctx = e->program->ctx;
    if (ctx->rt.error.status != IR_OK)
        return tdm_error_code(ctx);
    if (e->missing)
        return missing_input(e);
    if (e->program->rng_input >= 0)
        take_random(e);
    return graph_of(e)->assign_count ? claim(e) : TDM_OK;
}

static tdm_status custom_failed(tdm_exec *e)
{
    tdm_loc at = {e->x->failed->loc.file, e->x->failed->loc.line};
    return fe_fail(e->program->ctx, at, e->x->error.status, "exec_run: %s", e->x->error.text);
}

tdm_status tdm_exec_run(tdm_exec *e)
{
    if (!e)
        return TDM_EARG;
    tdm_status s = prepare(e);
    if (s != TDM_OK)
        return s;
    bool done = rt_exec_run(e->x);
    release_claims(e);
    if (!done)
        return custom_failed(e);
    return e->program->ctx->options.check_races ? fe_races(e) : TDM_OK;
}

tdm_status tdm_exec_run_timed(tdm_exec *e, double *ns, void (*visit)(void *user, int kernel), void *user)
{
    if (!e)
        return TDM_EARG;
    tdm_status s = prepare(e);
    if (s != TDM_OK)
        return s;
    bool done = rt_exec_run_timed(e->x, ns, visit, user);
    release_claims(e);
    if (!done)
        return custom_failed(e);
    return e->program->ctx->options.check_races ? fe_races(e) : TDM_OK;
}

tdm_tensor *tdm_exec_output(tdm_exec *e, const char *name)
{
    if (!e)
        return NULL;
    const ir_graph *g = graph_of(e);
    for (int i = 0; name && i < g->output_count; i++)
        if (strcmp(g->outputs[i].name, name) == 0)
            return e->outputs[i];
    fe_fail(e->program->ctx, nowhere, IR_EARG, "exec_output: graph '%s' has no output '%s'", g->name,
            name ? name : "(NULL)");
    return e->program->ctx->error_tensor;
}

tdm_tensor *tdm_exec_value(tdm_exec *e, int node)
{
    if (!e || node < 0 || (uint32_t)node >= graph_of(e)->count)
        return NULL;
    ir_place p;
    if (!rt_place_of(graph_of(e), (ir_ref)node, &p))
        return NULL;
    return rt_tensor_from(&e->program->ctx->rt, &graph_of(e)->nodes[node].type, rt_exec_address(e->x, &p));
}
