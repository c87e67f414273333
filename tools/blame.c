/* tools/blame.c: which pass first changes a value.
 *
 * 1. Gradients of the graph that differ from the tape's: gradient.
 * 2. Every prefix of the pipeline is replayed on the eager engine: the first in which a value differs names
 *    its last pass, and the first node that differs, in the source's order, is the node to look at.
 * 3. All prefixes agree, so the error shows in compiled code alone.  The program is compiled once more with
 *    memory of its own for every value: if that one is wrong, so is code generation; else once more without
 *    chains, to tell plan from chain.  (That fuse's kernels are legal is the verifier's: it has run after
 *    every pass.) */
#include <stdlib.h>
#include <string.h>

#include "tools/comparison.h"

static void found(comparison *c, const char *pass, int node, difference d)
{
    int image = tdm_program_map(c->program, node);
    c->pass = pass;
    c->bad_node = node;
    c->bad_final = false;
    c->bad_kernel = image < 0 ? -1 : comparison_kernel(c->program, image);
    c->bad = d;
}

/* ---- gradients ----------------------------------------------------------------------------------------- */

bool blame_gradient(comparison *c)
{
    int inputs = tdm_graph_inputs(c->forward), first = tdm_graph_outputs(c->forward);
    tdm_tensor **grads = calloc((size_t)inputs + 1, sizeof *grads);
    bool ok = grads && tdm_interpret_gradients(c->forward, c->values, c->values + inputs, grads) == TDM_OK;

    for (int i = first; ok && i < tdm_graph_outputs(c->source); i++) {
        const char *name;
        int r = tdm_graph_output(c->source, i, &name);
        tdm_tensor *tape = grads[i - first];
        difference d = tape ? difference_of(tape, c->node[r], 0, 0) : (difference){.equal = true};
        if (d.equal)
            continue;
        if (!c->pass)
            found(c, "gradient", r, d);
        tdm_release(c->node[r]); /* the tape's is what the compiled result is held to */
        c->node[r] = tdm_hold(tape);
    }
    comparison_drop(grads, inputs);
    free(grads);
    return ok;
}

/* ---- prefixes ------------------------------------------------------------------------------------------ */

typedef struct prefix {
    comparison *c;
    const char *pass;
    tdm_graph *g;
    int *map;
    tdm_tensor **node; /* its values */
} prefix;

/* True if it differs. */
static bool check(prefix *p, int source, const tdm_tensor *value)
{
    difference d = difference_of(p->c->node[source], value, 0, 0);
    if (!d.equal)
        found(p->c, p->pass, source, d);
    return !d.equal;
}

/* What variable number `variable` of the source holds after the prefix: assigned, or as it was. */
static const tdm_tensor *variable_after(const prefix *p, int variable)
{
    const char *name = cli_node_name(p->c->source, variable);
    for (int i = 0; i < tdm_graph_assigns(p->g); i++) {
        int to, value = tdm_graph_assign(p->g, i, &to);
        if (strcmp(cli_node_name(p->g, to), name) == 0)
            return p->node[value];
    }
    return p->c->node[variable];
}

static bool check_prefix(prefix *p)
{
    const tdm_graph *source = p->c->source;
    for (int r = 0; r < tdm_graph_nodes(source); r++)
        if (p->map[r] >= 0 && check(p, r, p->node[p->map[r]]))
            return true;
    for (int i = 0; i < tdm_graph_outputs(source); i++) {
        const char *name;
        if (check(p, tdm_graph_output(source, i, &name), p->node[tdm_graph_output(p->g, i, &name)]))
            return true;
    }
    for (int i = 0; i < tdm_graph_assigns(source); i++) {
        int variable, value = tdm_graph_assign(source, i, &variable);
        if (check(p, value, variable_after(p, variable)))
            return true;
    }
    return false;
}

/* The pipeline's first n passes; *end: there are fewer.  False + sticky error. */
static bool try_prefix(comparison *c, int n, bool *end)
{
    prefix p = {.c = c, .pass = tdm_pass_name(n - 1, NULL)};
    p.map = calloc((size_t)tdm_graph_nodes(c->source) + 1, sizeof *p.map);
    p.g = p.map ? tdm_graph_prefix(c->source, n, p.map) : NULL;
    *end = !p.g;
    bool ok = p.map && tdm_ok(c->ctx);
    int nodes = tdm_graph_nodes(p.g);
    if (p.g) {
        p.node = calloc((size_t)nodes + 1, sizeof *p.node);
        ok = p.node && comparison_replay(c, p.g, p.node);
        if (ok)
            check_prefix(&p);
    }
    comparison_drop(p.node, nodes);
    tdm_graph_free(p.g);
    free(p.node);
    free(p.map);
    return ok;
}

/* ---- compiled ------------------------------------------------------------------------------------------ */

/* The user's data of visit: the program without what a pass does, and what it came to. */
typedef struct without {
    comparison *c;
    tdm_program *program;
    tdm_exec *exec;
    tdm_tensor **variables;
    bool differs;
} without;

static void check_kernel(void *user, int kernel)
{
    without *p = user;
    tdm_kernel_info info;
    tdm_program_kernel(p->program, kernel, &info);
    for (int i = 0; i < info.n_outs && !p->differs; i++) {
        int r = (int)info.outs[i];
        tdm_scope_open(p->c->ctx);
        tdm_tensor *t = tdm_exec_value(p->exec, r);
        p->differs = t && !difference_of(p->c->final_node[r], t, 0, 0).equal;
        tdm_scope_close(p->c->ctx);
    }
}

/* Is a program wrong that is compiled without the pass?  False + sticky error. */
static bool differs_without(comparison *c, const char *pass, bool *differs)
{
    without p = {.c = c, .program = tdm_compile_without(c->source, pass)};
    int inputs = tdm_graph_inputs(c->source);
    difference *results = calloc((size_t)c->n_results + 1, sizeof *results);
    p.variables = calloc((size_t)inputs + 1, sizeof *p.variables);
    p.exec = tdm_exec_new(p.program);
    bool ok = p.exec && p.variables && results;

    if (ok) {
        comparison_bind(c, p.exec, p.variables);
        ok = tdm_exec_run_timed(p.exec, NULL, check_kernel, &p) == TDM_OK;
    }
    if (ok) {
        comparison_results(c, p.exec, p.variables, 0, 0, results);
        for (int i = 0; i < c->n_results; i++)
            p.differs |= !results[i].equal;
    }
    *differs = p.differs;
    tdm_exec_free(p.exec);
    tdm_program_free(p.program);
    comparison_drop(p.variables, inputs);
    free(p.variables);
    free(results);
    return ok;
}

/* "chain", "plan" or "codegen" in c->pass.  False + sticky error. */
static bool last_passes(comparison *c)
{
    bool differs;

    if (!differs_without(c, "plan", &differs))
        return false;
    if (differs) {
        c->pass = "codegen";
        return true;
    }
    if (!differs_without(c, "chain", &differs))
        return false;
    c->pass = differs ? "plan" : "chain";
    return true;
}

/* A result that differs although no stored value did: the node behind it. */
static void name_result(comparison *c)
{
    for (int i = 0; i < c->n_results && c->bad_node < 0; i++) {
        int outputs = tdm_graph_outputs(c->source), variable;
        const char *name;
        if (c->results[i].equal)
            continue;
        c->bad_node = i < outputs ? tdm_graph_output(c->source, i, &name)
                                  : tdm_graph_assign(c->source, i - outputs, &variable);
        int image = tdm_program_map(c->program, c->bad_node);
        c->bad_kernel = image < 0 ? -1 : comparison_kernel(c->program, image);
        c->bad = c->results[i];
    }
}

static bool anything_differs(const comparison *c)
{
    bool differs = c->bad_node >= 0;
    for (int i = 0; i < c->n_results; i++)
        differs |= !c->results[i].equal;
    for (int r = 0; r < tdm_graph_nodes(c->source) && !differs; r++) {
        int image = tdm_program_map(c->program, r);
        differs = image >= 0 && !difference_of(c->node[r], c->final_node[image], 0, 0).equal;
    }
    return differs;
}

bool blame(comparison *c)
{
    if (c->pass || !anything_differs(c))
        return true;
    bool end = false;
    for (int n = 1; !end && !c->pass; n++)
        if (!try_prefix(c, n, &end))
            return false;
    if (c->pass)
        return true;
    name_result(c);
    return last_passes(c);
}
