/* passes/fuse.c: cut the graph into kernels (ir/kernel.h).
 *
 *   %3 = dot_general %x, %w   %5 = add %3, %4   %6 = relu %5     ->   k0_dot+add+relu, stores %6
 *   max, sub, exp, sum, div of a softmax                         ->   k1_softmax, one ROW kernel
 *
 * 1. Every node that computes something is a group of its own, a legal kernel (fuse_group.c); views and
 * immediates belong to every kernel that reads them.
 * 2. Groups merge, greediest first, by the memory traffic it saves (fuse_merge.c).  A merge must give one
 * kernel that ir_kernel_walk accepts, that does not compute values over and over, and that closes no cycle.
 * 3. Cheap values that would be stored only to be read again elsewhere are computed there instead
 * (fuse_recompute.c).
 * 4. Kernels are ordered for a low peak of live bytes (fuse_order.c) and named (fuse_name.c).
 *
 * in:  a verified graph with static shapes whose reductions are single runs (after simplify).
 * out: the same nodes, and the kernel list: every output and assigned value that is no leaf is stored by
 * exactly one kernel, in an order in which what is loaded was stored before.  Leaves that are outputs are
 * left to plan. */
#include "ir/plant.h"
#include "passes/fuse.h"
#include "passes/all.h"
#include "passes/rebuild.h"

#include <string.h>

static const ir_ref *keep_refs(ir_graph *out, const ir_ref *refs, int count)
{
    ir_ref *p = ir_graph_alloc(out, (size_t)count * sizeof *p);

    if (p) {
        memcpy(p, refs, (size_t)count * sizeof *p);
    }
    return p;
}

static void sort_outs(ir_kernel *k, ir_ref *outs)
{
    int n = 0;

    for (int i = 0; i < k->node_count; i++) { /* the nodes ascend */
        for (int j = 0; j < k->out_count; j++) {
            if (k->outs[j] == k->nodes[i]) {
                outs[n++] = k->nodes[i];
                break;
            }
        }
    }
}

/* Appends a kernel with its lists copied into out. */
static bool add_kernel(ir_graph *out, const ir_kernel *k)
{
    ir_kernel *to = &out->kernels.items[out->kernels.count];
    char name[80];
    ir_ref *outs = ir_graph_alloc(out, (size_t)k->out_count * sizeof *outs);

    *to = *k;
    fuse_name(out, k, out->kernels.count, name, sizeof name);
    to->name = ir_graph_intern(out, name);
    to->nodes = keep_refs(out, k->nodes, k->node_count);
    to->outs = outs;
    if (!to->name || !to->nodes || !outs) {
        return false;
    }
    sort_outs(
        &(ir_kernel){
            .nodes = to->nodes, .node_count = k->node_count, .outs = k->outs, .out_count = k->out_count},
        outs);
    out->kernels.count++;
    return true;
}

/* An immediate that is a result: a LOOP that fills its buffer. */
static bool add_fill(ir_graph *out, ir_ref r)
{
    return add_kernel(out, &(ir_kernel){IR_K_LOOP, NULL, &r, 1, &r, 1, r});
}

/* Is r read as a whole by some kernel?  Then its fill must run before. */
static bool is_memory_read(const fuse *f, ir_ref r)
{
    const ir_graph *g = f->g;

    for (ir_ref u = r + 1; u < g->count; u++) {
        for (int i = 0; i < g->nodes[u].n; i++) {
            if (g->nodes[u].x[i] == r && fuse_is_memory_operand(f, &g->nodes[u], i)) {
                return true;
            }
        }
    }
    return false;
}

static bool add_fills(fuse *f, ir_graph *out, bool early)
{
    for (int i = 0; i < f->fill_count; i++) {
        if (is_memory_read(f, f->fills[i]) == early && !add_fill(out, f->fills[i])) {
            return false;
        }
    }
    return true;
}

static bool write_kernels(fuse *f, ir_graph *out)
{
    out->kernels.items =
        ir_graph_alloc(out, (size_t)(f->order_count + f->fill_count + 1) * sizeof(ir_kernel));
    if (!out->kernels.items || !add_fills(f, out, true)) {
        return false;
    }
    for (int i = 0; i < f->order_count; i++) {
        ir_kernel k;

        fuse_kernel(f, &f->groups[f->order[i]], &k);
        if (k.out_count == 0) {
            continue; /* all of it is computed where it is read */
        }
        if (!fuse_check(f, &k, false, NULL)) {
            ir_fail(f->err, IR_ESTATE, "fuse: kernel %d is not legal", i);
            return false;
        }
        if (!add_kernel(out, &k)) {
            return false;
        }
    }
    return add_fills(f, out, false);
}

ir_status pass_fuse(pass_context *pc, const ir_graph *in, ir_graph *out, ir_ref *map)
{
    ir_error e = {0};
    fuse f;
    bool ok;

    if (pass_copy_graph(in, out, map) != IR_OK) {
        return out->error.status;
    }
    if (IR_PLANTED("fuse") && out->output_count > 1) {
        out->outputs[0].value = out->outputs[1].value;
    }
    ok = fuse_open(&f, in, pc, &e) && fuse_merge_all(&f) && fuse_recompute(&f) && fuse_order(&f) &&
         write_kernels(&f, out);
    ir_arena_free(f.mem);
    return ok ? IR_OK : ir_fail(&out->error, e.status ? e.status : IR_ENOMEM, "%s", e.text);
}
