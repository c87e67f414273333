/* ir/chain.c: may a run of kernels go through its work slice by slice (ir_chain, ir/kernel.h)?
 *
 *   s = q k^T    [b, h, t, t]     all three split into b h slices, and slice u of each reads nothing of the
 *   p = softmax(s)                others but slice u: s and p need room for one slice instead of b h
 *   y = p v      [b, h, t, d]
 *
 * Everything follows from index maps (ir/map.h): where slice u of the iterations of a member reads elements
 * [u n, (u + 1) n) of a value of n elements a slice, whatever the ops are.  Products take their slices from
 * their batch dims and from the rows of their left operand; then all of the right one's matrix is read for
 * each.  What reads whole operands (INDEX kernels) or stores elsewhere than it iterates (pad, concat) is no
 * member. */
#include "map.h"

/* A space cut into slices: dims [0, dims) hold them, `rows` of the last of these to a slice. */
typedef struct cut {
    int64_t slices, rows;
    int dims;
} cut;

const ir_chain *ir_chain_of(const ir_graph *g, int kernel)
{
    for (int i = 0; i < g->kernels.chain_count; i++) {
        const ir_chain *c = &g->kernels.chains[i];
        if (kernel >= c->first && kernel < c->first + c->count)
            return c;
    }
    return NULL;
}

static bool cut_space(const ir_map *space, int64_t slices, cut *c)
{
    int64_t rest = slices;
    *c = (cut){.slices = slices, .rows = 1};
    while (rest > 1 && c->dims < space->rank) {
        int64_t e = space->extent[c->dims++];
        if (rest % e == 0) {
            rest /= e;
        } else if (e % rest == 0) {
            c->rows = e / rest;
            rest = 1;
        } else {
            return false;
        }
    }
    return rest == 1;
}

int ir_chain_dims(const ir_map *space, int64_t slices)
{
    cut c;
    return cut_space(space, slices, &c) ? c.dims : -1;
}

/* Batch dims, then the rows where they are one dim; those of a tree product may lie in lanes. */
static int product_dims(const ir_graph *g, const ir_node *dot)
{
    const ir_type *x = &g->nodes[dot->x[0]].type, *z = &g->nodes[dot->x[1]].type;
    int rows = ir_dot_is_tree(dot->attrs, x, z) ? 0 : x->rank - dot->attrs->n - dot->attrs->nk;
    return dot->attrs->n + (rows == 1);
}

/* The dims of the space that may hold slices, outermost first. */
static int outer_dims(const ir_graph *g, const ir_kernel *k, const ir_map *space, int inner, int run)
{
    const ir_node *root = &g->nodes[k->root];
    switch (k->kind) {
    case IR_K_LOOP: return root->op == IR_pad || root->op == IR_concat ? 0 : space->rank - 1;
    case IR_K_ROW: return run ? 0 : space->rank - inner; /* blocks of rows have no slices */
    case IR_K_OUTER: return space->rank - inner - run;
    case IR_K_CONTRACT: return product_dims(g, root);
    default: return 0;
    }
}

/* Do the iterations of slice u, at map m, stay within slice u of a value of so many elements? */
static bool stays(const cut *c, const ir_map *m, int64_t elements)
{
    int64_t slice = elements / c->slices, step = slice, low = m->base, high = low;
    if (elements % c->slices != 0)
        return false;
    for (int j = c->dims - 1; j >= 0; j--) {
        int64_t rows = j == c->dims - 1 ? c->rows : 1, e = m->extent[j] / rows;
        if (e > 1 && m->stride[j] * rows != step)
            return false;
        step *= e;
        *(m->stride[j] < 0 ? &low : &high) += (rows - 1) * m->stride[j];
    }
    for (int j = c->dims; j < m->rank; j++)
        *(m->stride[j] < 0 ? &low : &high) += (m->extent[j] - 1) * m->stride[j];
    return low >= 0 && high < slice;
}

/* ---- what a member reads ----------------------------------------------------------------------------- */

typedef struct reading {
    const ir_graph *g;
    const ir_chain *c;
    const ir_kernel *k;
    int kernel;
    cut cut;
    ir_ref fault;
} reading;

int ir_chain_stores(const ir_graph *g, const ir_chain *c, ir_ref r, int end)
{
    for (;; r = g->nodes[r].x[0]) {
        for (int i = c->first; i < end; i++)
            if (ir_refs_hold(g->kernels.items[i].outs, g->kernels.items[i].out_count, r))
                return i;
        if (!ir_shares_bytes(g->nodes[r].op))
            return -1;
    }
}

/* Does a slice of the product read no other slice of operand i?  Its outermost axes must be the dims that
 * hold the slices, in order. */
static bool operand_stays(const reading *s, int i)
{
    const ir_node *n = &s->g->nodes[s->k->root];
    const int8_t *batch = i ? n->attrs->dot.rhs_batch : n->attrs->dot.lhs_batch;
    const ir_type *t = &s->g->nodes[n->x[i]].type;
    ir_map m = ir_map_identity(t);
    for (int j = 0; j < s->cut.dims; j++)
        if (j < n->attrs->n ? batch[j] != j : i == 1 || ir_has_axis(n->attrs->dot.lhs_k, n->attrs->nk, j))
            return false;
    return stays(&s->cut, &m, ir_type_elements(t));
}

static void check_read(void *user, ir_ref r, const ir_map *m, bool loaded)
{
    reading *s = user;
    const ir_node *root = &s->g->nodes[s->k->root];
    ir_map whole = ir_map_identity(&s->g->nodes[r].type);
    bool fine = false;
    if (!loaded || s->fault != IR_NONE || ir_chain_stores(s->g, s->c, r, s->kernel) < 0)
        return;
    if (s->k->kind == IR_K_CONTRACT && ir_map_eq(m, &whole)) /* as an operand, perhaps as both */
        for (int i = 0; i < root->n; i++) {
            if (ir_dot_source(s->g, s->k, i) != r)
                continue;
            if (!operand_stays(s, i))
                s->fault = r;
            fine = true;
        }
    if (!fine && !stays(&s->cut, m, ir_type_elements(&s->g->nodes[r].type)))
        s->fault = r;
}

/* Every out is stored at the space or at its rows: so many elements a slice, in order. */
static bool stores_slices(const reading *s)
{
    for (int i = 0; i < s->k->out_count; i++)
        if (ir_type_elements(&s->g->nodes[s->k->outs[i]].type) % s->cut.slices != 0)
            return false;
    return true;
}

bool ir_chain_takes(const ir_graph *g, const ir_chain *c, int kernel, ir_ref *fault)
{
    reading s = {.g = g, .c = c, .k = &g->kernels.items[kernel], .kernel = kernel, .fault = IR_NONE};
    int inner, run;
    ir_map space = ir_kernel_space(g, s.k, &inner, &run);
    *fault = IR_NONE;
    if (space.rank < 0 || !cut_space(&space, c->slices, &s.cut) ||
        s.cut.dims > outer_dims(g, s.k, &space, inner, run) || !stores_slices(&s))
        return false;
    bool ok = ir_kernel_walk(g, s.k, check_read, &s);
    *fault = s.fault;
    return ok && s.fault == IR_NONE;
}
