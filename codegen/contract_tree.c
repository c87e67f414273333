/* codegen/contract_tree.c: the tile of a product of fewer than 64 elements, by numerics rule 5's tree, with
 * the elements of a row in lanes.
 *
 *   s[p % 64] = fma(a[i][p], b[p][0 .. lanes), s[p % 64])             for all p of k, ascending
 *   then s[0 .. h) += s[h .. 2 h) for h = 32, 16, .. 1:   T(j, h) = T(j, 2 h) + T(j + h, 2 h), T(j, 64) =
 * s[j]
 *
 * T(0, 1) is taken depth first, so that a partial sum is made where it is added: one vector a level is alive.
 * A long k is a loop over T(g, GROUPS), whose partial sums stay in registers while k runs, 64 apart; what
 * they give waits in memory for the last levels.  A very long k runs in windows of rounds that the first
 * cache holds, the partial sums in memory between them.  Partial sums that no step reaches are +0 and change
 * nothing but the sign of a zero (an fma that underflows leaves -0), once for all. */
#include "codegen/contract.h"
#include "codegen/reduce.h"

enum { PARTIALS = 64, GROUPS = 16, LEAVES = PARTIALS / GROUPS, STRAIGHT = 32, WINDOW = 8 };

typedef struct sums {
    LLVMValueRef v[CG_TREE_SUMS]; /* of the tile: rows x vectors */
} sums;

/* One subtree: leaf i is the partial sum that takes the steps from + i * apart, 64 further on, .. */
typedef struct subtree {
    cg_tile *t;
    LLVMValueRef from;
    int apart, leaves; /* leaves: a power of two */
    int steps;         /* leaves [0, steps) take one more step */
    const sums *chain; /* their sums so far, or NULL: +0 */
} subtree;

static int count_of(const cg_tile *t)
{
    return t->rows * t->vectors;
}

static sums none(const cg_tile *t)
{
    sums s = {0};

    for (int i = 0; i < count_of(t); i++)
        s.v[i] = cg_real(t->p->k->c, t->p->dtype, 0);
    return s;
}

static sums add(const cg_tile *t, const sums *x, const sums *z)
{
    sums s = {0};

    for (int i = 0; i < count_of(t); i++)
        s.v[i] = LLVMBuildFAdd(t->p->k->c->b, x->v[i], z->v[i], "");
    return s;
}

/* Step k + u of the partial sum s. */
static sums step(cg_tile *t, LLVMValueRef k, int u, sums s)
{
    LLVMValueRef column[CG_TREE_SUMS] = {0}, rows = cg_tile_rows(t, k);

    for (int j = 0; j < t->vectors; j++)
        column[j] = cg_tile_column(t, k, j, u);
    for (int i = 0; i < t->rows; i++) {
        LLVMValueRef x = cg_tile_row(t, rows, i, u);
        for (int j = 0; j < t->vectors; j++) {
            LLVMValueRef *v = &s.v[i * t->vectors + j];
            *v = cg_fma(t->p->k->c, x, column[j], *v);
        }
    }
    return s;
}

static sums leaf(const subtree *s, int i)
{
    sums so_far = s->chain ? s->chain[i] : none(s->t);

    return i < s->steps ? step(s->t, s->from, i * s->apart, so_far) : so_far;
}

/* T(first, apart); both below s->leaves, and `first` has had a step. */
static sums branch(const subtree *s, int first, int apart)
{
    int other = first + apart;

    if (apart == s->leaves)
        return leaf(s, first);
    sums x = branch(s, first, 2 * apart);
    if (!s->chain && other >= s->steps)
        return x;
    sums z = branch(s, other, 2 * apart);
    return add(s->t, &x, &z);
}

/* ---- a long k ---- */

static LLVMValueRef place(const cg_tile *t, LLVMValueRef memory, LLVMValueRef number, int i)
{
    const cg_product *p = t->p;
    int64_t lanes = p->k->c->lanes;
    LLVMValueRef at = cg_product_scale(p, number, CG_TREE_SUMS * lanes);

    return cg_product_at(p, memory, cg_product_add(p, at, cg_i64(p->k->c, i * lanes)));
}

static sums read(const cg_tile *t, LLVMValueRef memory, LLVMValueRef number)
{
    sums s = {0};

    for (int i = 0; i < count_of(t); i++) {
        s.v[i] = LLVMBuildLoad2(t->p->k->c->b, cg_product_vector(t->p), place(t, memory, number, i), "");
        LLVMSetAlignment(s.v[i], (unsigned)ir_dtype_size(t->p->dtype));
    }
    return s;
}

static void write(const cg_tile *t, LLVMValueRef memory, LLVMValueRef number, const sums *s)
{
    for (int i = 0; i < count_of(t); i++)
        LLVMSetAlignment(LLVMBuildStore(t->p->k->c->b, s->v[i], place(t, memory, number, i)),
                         (unsigned)ir_dtype_size(t->p->dtype));
}

/* Partial sums group, group + GROUPS, .. so far: in memory, or +0. */
static void start(const cg_tile *t, LLVMValueRef memory, LLVMValueRef group, sums chain[LEAVES])
{
    for (int i = 0; i < LEAVES; i++)
        chain[i] =
            memory ? read(t, memory, cg_product_add(t->p, group, cg_i64(t->p->k->c, i * GROUPS))) : none(t);
}

/* Their steps in `rounds` rounds of 64, the first at `from`. */
static void chains(cg_tile *t, LLVMValueRef from, int64_t rounds, sums chain[LEAVES])
{
    cg *c = t->p->k->c;
    sums init[LEAVES], phi[LEAVES];
    cg_loop l =
        cg_loop_open(c, from, cg_product_add(t->p, from, cg_i64(c, rounds * PARTIALS)), PARTIALS, "round");

    for (int i = 0; i < LEAVES; i++) {
        init[i] = chain[i];
        for (int v = 0; v < count_of(t); v++)
            phi[i].v[v] = cg_carry(c, &l, init[i].v[v]);
    }
    for (int i = 0; i < LEAVES; i++)
        chain[i] = step(t, l.index, i * GROUPS, phi[i]);
    cg_loop_close(c, &l);
    for (int i = 0; i < LEAVES; i++)
        for (int v = 0; v < count_of(t); v++)
            chain[i].v[v] = cg_carried(c, &l, phi[i].v[v], init[i].v[v], chain[i].v[v]);
}

/* All partial sums after so many windows, in memory. */
static LLVMValueRef sum_windows(cg_tile *t, int64_t windows)
{
    cg *c = t->p->k->c;
    LLVMValueRef memory = cg_stack(t->p->k, t->p->dtype, (int64_t)PARTIALS * CG_TREE_SUMS * c->lanes);
    sums zero = none(t), chain[LEAVES];

    cg_loop fill = cg_loop_open(c, cg_i64(c, 0), cg_i64(c, PARTIALS), 1, "zero");
    write(t, memory, fill.index, &zero);
    cg_loop_close(c, &fill);
    cg_loop w =
        cg_loop_open(c, cg_i64(c, 0), cg_i64(c, windows * WINDOW * PARTIALS), WINDOW * PARTIALS, "window");
    cg_loop g = cg_loop_open(c, cg_i64(c, 0), cg_i64(c, GROUPS), 1, "group");
    start(t, memory, g.index, chain);
    chains(t, cg_product_add(t->p, w.index, g.index), WINDOW, chain);
    for (int i = 0; i < LEAVES; i++)
        write(t, memory, cg_product_add(t->p, g.index, cg_i64(c, i * GROUPS)), &chain[i]);
    cg_loop_close(c, &g);
    cg_loop_close(c, &w);
    return memory;
}

/* The rounds after the windows, and T(g, GROUPS) to joints[g], for g in [from, to); the first `steps` leaves
 * have a step in the last round. */
static void finish_groups(cg_tile *t, LLVMValueRef memory, int64_t windows, int from, int to, int steps,
                          LLVMValueRef joints)
{
    cg *c = t->p->k->c;
    int64_t before = windows * WINDOW, rounds = (t->p->depth - 1) / PARTIALS;
    sums chain[LEAVES];

    if (from == to)
        return;
    cg_loop l = cg_loop_open(c, cg_i64(c, from), cg_i64(c, to), 1, "group");
    start(t, memory, l.index, chain);
    if (rounds > before)
        chains(t, cg_product_add(t->p, l.index, cg_i64(c, before * PARTIALS)), rounds - before, chain);
    subtree s = {.t = t, .apart = GROUPS, .leaves = LEAVES, .steps = steps};
    s.chain = rounds ? chain : NULL;
    s.from = cg_product_add(t->p, l.index, cg_i64(c, rounds * PARTIALS));
    sums y = branch(&s, 0, 1);
    write(t, joints, l.index, &y);
    cg_loop_close(c, &l);
}

/* T(first, apart) from the joints. */
static sums join(const cg_tile *t, LLVMValueRef joints, int first, int apart)
{
    if (apart == GROUPS)
        return read(t, joints, cg_i64(t->p->k->c, first));
    sums x = join(t, joints, first, 2 * apart), z = join(t, joints, first + apart, 2 * apart);
    return add(t, &x, &z);
}

static sums long_tree(cg_tile *t)
{
    int64_t rounds = (t->p->depth - 1) / PARTIALS, windows = rounds > WINDOW ? rounds / WINDOW : 0;
    int last = (int)(t->p->depth - rounds * PARTIALS); /* steps of the last round */
    LLVMValueRef memory = windows ? sum_windows(t, windows) : NULL;
    LLVMValueRef joints = cg_stack(t->p->k, t->p->dtype, (int64_t)GROUPS * CG_TREE_SUMS * t->p->k->c->lanes);

    finish_groups(t, memory, windows, 0, last % GROUPS, last / GROUPS + 1, joints);
    finish_groups(t, memory, windows, last % GROUPS, GROUPS, last / GROUPS, joints);
    return join(t, joints, 0, 1);
}

void cg_tile_tree(cg_tile *t)
{
    subtree all = {
        .t = t, .from = cg_i64(t->p->k->c, 0), .apart = 1, .leaves = PARTIALS, .steps = (int)t->p->depth};
    sums zero = none(t), y = t->p->depth <= STRAIGHT ? branch(&all, 0, 1) : long_tree(t);

    if (t->p->depth < PARTIALS)
        y = add(t, &y, &zero);
    for (int i = 0; i < count_of(t); i++)
        t->sum[i] = y.v[i];
}
