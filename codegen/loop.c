/* codegen/loop.c: LOOP kernels: pointwise work over one iteration space, views as index maps.
 *
 *   y[n, m] = relu(x[n, m] * w[m])  ->  units n: a run of m: vectors, several at a time; the tail under a
 * mask y[n, m] = relu(x[n, m])         ->  one run of n m; units are blocks of it one element ->  a few
 * scalar instructions
 *
 * A pad or concat root stores its operands' elements at their places in the result: one loop per operand.
 *
 * All loads of a vector come before its stores: outs may share memory with an operand at the same element. */
#include "codegen/reduce.h"

enum { MAX_UNROLL = CG_MAX_TOGETHER, BLOCK_VECTORS = 64 };
/* Of tiles: bytes of a row, rows; from how many bytes of rows that all rows read, half of the first cache. */
enum { TILE_BYTES = 1024, TILE_ROWS = 8, SHARED_BYTES = 16 * 1024 };

typedef struct loop_state {
    cg_kernel *k;
    ir_map store[1]; /* of every out */
    ir_ref value0;   /* what the first out stores: itself, or an operand of pad or concat */
    int64_t extent[IR_MAX_RANK];
    int64_t n; /* length of the run */
    int unroll, outer_dims;
    bool together;        /* the vectors of a step are computed in step */
    double ns;            /* of one element */
    LLVMValueRef *staged; /* [term]: the tile's part of what all rows read, or NULL; NULL: no tiles */
    int staged_count;     /* terms are added later */
    int streams;          /* values of which each row of a tile reads its own */
    LLVMValueRef column;  /* of the tile */
    int row_dim;
} loop_state;

static ir_map pad_map(const ir_node *n, const ir_map *space)
{
    int64_t s[IR_MAX_RANK];
    ir_map m = *space;

    ir_type_strides(&n->type, s);
    for (int j = 0; j < m.rank; j++) {
        m.stride[j] = m.extent[j] == 1 ? 0 : s[j] * (n->attrs->pad.interior[j] + 1);
        m.base += s[j] * n->attrs->pad.low[j];
    }
    return m;
}

/* The values of the vector at hand that lie in the tile's copy. */
static void read_staged(loop_state *s)
{
    cg_kernel *k = s->k;
    LLVMValueRef at = LLVMBuildSub(k->c->b, k->index[k->vector_dim], s->column, "");

    for (int t = 0; t < s->staged_count; t++)
        if (s->staged[t]) {
            ir_dtype d = (ir_dtype)k->g->nodes[k->terms[t].node].type.dtype;
            cg_seed_term(k, t, cg_load_at(k, s->staged[t], d, at, 1));
        }
}

/* Values and stores of `count` vectors that begin at `at`; the last one under the mask. */
static void emit_vectors(loop_state *s, LLVMValueRef at, int count, LLVMValueRef mask)
{
    cg_kernel *k = s->k;
    cg *c = k->c;
    const ir_kernel *e = k->k;

    cg_forget(k, k->vector_dim);
    k->home[k->vector_dim] = LLVMGetInsertBlock(c->b);
    for (int u = 0; u < count; u++) {
        k->bank_index[u] = cg_add(c, at, cg_i64(c, (int64_t)u * c->lanes));
        k->bank_mask[u] = u == count - 1 ? mask : NULL;
    }
    for (int u = 0; u < count && !mask; u++) {
        cg_enter_bank(k, u);
        cg_prefetch(k, s->staged ? s->row_dim : k->vector_dim, s->staged && s->streams > 1);
        if (s->staged)
            read_staged(s);
    }
    for (int o = 0; o < e->out_count && s->together; o++)
        cg_eval_together(k, cg_term_of(k, o ? e->outs[o] : s->value0, &k->space), count);
    for (int u = 0; u < count; u++) {
        cg_enter_bank(k, u);
        for (int o = 0; o < e->out_count; o++) /* all loads before the first store */
            cg_eval(k, o ? e->outs[o] : s->value0, &k->space);
        for (int o = 0; o < e->out_count; o++)
            cg_store(k, e->outs[o], &s->store[0], cg_eval(k, o ? e->outs[o] : s->value0, &k->space));
    }
    k->bank = 0;
    k->mask = NULL;
}

/* The one element of a space without dims. */
static void emit_scalar(loop_state *s)
{
    cg_kernel *k = s->k;
    const ir_kernel *e = k->k;

    for (int o = 0; o < e->out_count; o++)
        cg_eval(k, o ? e->outs[o] : s->value0, &k->space);
    for (int o = 0; o < e->out_count; o++)
        cg_store(k, e->outs[o], &s->store[0], cg_eval(k, o ? e->outs[o] : s->value0, &k->space));
}

/* A run of known bounds [0, n). */
static void emit_static_run(loop_state *s)
{
    cg *c = s->k->c;
    int64_t step = (int64_t)s->unroll * c->lanes, main = s->n / step * step;

    if (s->k->vector_dim < 0) {
        emit_scalar(s);
        return;
    }
    if (main > 2 * step) {
        cg_loop l = cg_loop_open(c, cg_i64(c, 0), cg_i64(c, main), step, "i");
        l.running_pointers = true; /* ew_relu16m would take 3 % longer */
        emit_vectors(s, l.index, s->unroll, NULL);
        cg_forget(s->k, s->k->vector_dim);
        cg_loop_close(c, &l);
    } else {
        main = 0;
    }
    for (; main < s->n; main += step) {
        int64_t left = (s->n - main + c->lanes - 1) / c->lanes, count = left < s->unroll ? left : s->unroll;
        int64_t last = main + (count - 1) * c->lanes;
        emit_vectors(s, cg_i64(c, main), (int)count, cg_const_mask(s->k, s->n - last));
    }
}

/* A run [from, to) with `from` a multiple of the step. */
static void emit_range(loop_state *s, LLVMValueRef from, LLVMValueRef to)
{
    cg *c = s->k->c;
    int64_t step = (int64_t)s->unroll * c->lanes;
    LLVMValueRef main = LLVMBuildAnd(c->b, to, cg_i64(c, ~(step - 1)), "");

    cg_loop l = cg_loop_open(c, from, main, step, "i");
    l.running_pointers = true;
    emit_vectors(s, l.index, s->unroll, NULL);
    cg_forget(s->k, s->k->vector_dim);
    cg_loop_close(c, &l);
    if (s->n % step == 0)
        return;
    cg_loop tail = cg_loop_open(c, main, to, c->lanes, "tail");
    emit_vectors(s, tail.index, 1, cg_tail_mask(s->k, tail.index, to));
    cg_forget(s->k, s->k->vector_dim);
    cg_loop_close(c, &tail);
}

static LLVMValueRef smaller(cg *c, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildSelect(c->b, LLVMBuildICmp(c->b, LLVMIntSLT, a, b, ""), a, b, "");
}

/* The whole space is one run: units are blocks of it. */
static void emit_flat(loop_state *s)
{
    cg_kernel *k = s->k;
    cg *c = k->c;
    int64_t block = (int64_t)BLOCK_VECTORS * c->lanes;

    for (int d = 0; d < k->vector_first; d++)
        k->index[d] = cg_i64(c, 0);
    if (s->n <= block) {
        k->units = 1;
        k->grain = 0;
        emit_static_run(s);
        return;
    }
    k->units = (s->n + block - 1) / block;
    k->grain = cg_grain(k->units, s->ns * (double)block);
    LLVMValueRef from = LLVMBuildMul(c->b, k->begin, cg_i64(c, block), "");
    LLVMValueRef to = LLVMBuildMul(c->b, k->end, cg_i64(c, block), "");
    emit_range(s, from, s->n % block ? smaller(c, to, cg_i64(c, s->n)) : to);
}

static bool has_blocks(const loop_state *s, int64_t rows)
{
    return rows < 16 && s->n >= 32768;
}

/* Few rows, long runs: a unit is one block of one row. */
static void emit_blocks(loop_state *s, int64_t rows)
{
    cg_kernel *k = s->k;
    cg *c = k->c;
    int64_t block = (int64_t)BLOCK_VECTORS * c->lanes, blocks = (s->n + block - 1) / block;

    k->units = rows * blocks;
    k->grain = cg_grain(k->units, s->ns * (double)block);
    cg_loop l = cg_loop_open(c, k->begin, k->end, 1, "unit");
    LLVMValueRef rest = LLVMBuildUDiv(c->b, l.index, cg_i64(c, blocks), "");
    LLVMValueRef at = LLVMBuildURem(c->b, l.index, cg_i64(c, blocks), "");
    for (int d = s->outer_dims - 1; d >= 0; d--) {
        k->index[d] = LLVMBuildURem(c->b, rest, cg_i64(c, s->extent[d]), "");
        rest = LLVMBuildUDiv(c->b, rest, cg_i64(c, s->extent[d]), "");
        k->home[d] = l.body;
        k->level[d] = 0;
    }
    LLVMValueRef from = LLVMBuildMul(c->b, at, cg_i64(c, block), "");
    emit_range(s, from, smaller(c, LLVMBuildAdd(c->b, from, cg_i64(c, block), ""), cg_i64(c, s->n)));
    cg_loop_close(c, &l);
}

static void emit_rows(loop_state *s, int64_t rows)
{
    cg_kernel *k = s->k;

    k->units = rows;
    k->grain = cg_grain(rows, s->ns * (double)(s->n + 4));
    cg_odometer o = cg_units_open(k, s->extent, s->outer_dims, k->begin, k->end);
    emit_static_run(s);
    cg_units_close(k, &o);
}

/* ---- tiles ----
 *
 *   y[n, m] = x[n, m] * w[m] + b[m]    w and b of 16 KiB each: the rows of x and y drive them out of the
 * first cache, and from the second they cost more than x does from memory
 *
 * A unit is 8 rows by 1 KiB.  Its part of w and b is copied to the stack, one behind the other, as where
 * they lie they may meet in few sets of the cache.  ew_relu16m: 8.2 -> 5.4 ms (Zen 4, busy).  Rows of several
 * values come into the second cache ahead of their use, as there is no room in the first: ew_relu16m_grad 7.3
 * -> 6.5, but ew_relu16m 3.9 / 4.2. */

/* Bytes that one row of term t's buffer takes, if all rows read the same; else 0. */
static int64_t shared_bytes(const loop_state *s, int t)
{
    const cg_kernel *k = s->k;
    const cg_term *e = &k->terms[t];

    if (e->kind != CG_T_LOAD || !cg_term_varies(k, t) || e->uses >> s->row_dim & 1 ||
        e->map.stride[k->vector_dim] != 1)
        return 0;
    return s->n * (int64_t)ir_dtype_size((ir_dtype)k->g->nodes[e->node].type.dtype);
}

static int64_t tile_columns(const loop_state *s)
{
    return TILE_BYTES / (int64_t)ir_dtype_size((ir_dtype)s->k->g->nodes[s->value0].type.dtype);
}

/* One dim of rows, a run of one dim that is whole tiles, and a lot that all rows read.  Not for the parts of
 * a concat: units_of counts their units by rows. */
static bool wants_tiles(loop_state *s, int64_t rows)
{
    const cg_kernel *k = s->k;
    int64_t columns = tile_columns(s), bytes = 0;

    s->row_dim = s->outer_dims - 1;
    if (k->g->nodes[k->k->root].op == IR_concat || k->slices > 1 || k->vector_first != k->vector_dim ||
        rows < 4 * TILE_ROWS || s->extent[s->row_dim] != rows || s->n % columns ||
        columns % (s->unroll * k->c->lanes))
        return false;
    for (int t = 0; t < k->term_count; t++)
        bytes += shared_bytes(s, t);
    return bytes > SHARED_BYTES;
}

/* Copies the tile's part of what all rows read. */
static void stage(loop_state *s)
{
    cg_kernel *k = s->k;
    cg *c = k->c;

    cg_loop l = cg_loop_open(c, cg_i64(c, 0), cg_i64(c, tile_columns(s)), c->lanes, "stage");
    cg_forget(k, k->vector_dim);
    k->bank = 0;
    k->index[k->vector_dim] = cg_add(c, s->column, l.index);
    k->home[k->vector_dim] = l.body;
    for (int t = 0; t < s->staged_count; t++)
        if (s->staged[t]) {
            ir_dtype d = (ir_dtype)k->g->nodes[k->terms[t].node].type.dtype;
            cg_store_at(k, s->staged[t], d, l.index, 1, cg_eval_term(k, t));
        }
    cg_forget(k, k->vector_dim);
    cg_loop_close(c, &l);
}

static void emit_tiles(loop_state *s, int64_t rows)
{
    cg_kernel *k = s->k;
    cg *c = k->c;
    int64_t columns = tile_columns(s), across = s->n / columns, down = (rows + TILE_ROWS - 1) / TILE_ROWS;
    LLVMValueRef staged[k->term_count + 1];

    s->staged_count = k->term_count;
    s->streams = 0;
    for (int t = 0; t < s->staged_count; t++) {
        ir_dtype d = (ir_dtype)k->g->nodes[k->terms[t].node].type.dtype;
        s->streams += k->terms[t].kind == CG_T_LOAD && cg_term_varies(k, t) && !shared_bytes(s, t);
        staged[t] = shared_bytes(s, t) ? cg_stack(k, d, columns) : NULL;
    }
    k->units = across * down;
    k->grain = cg_grain(k->units, s->ns * (double)(columns * TILE_ROWS));
    cg_loop unit = cg_loop_open(c, k->begin, k->end, 1, "unit");
    for (int d = 0; d < s->outer_dims; d++) {
        k->index[d] = cg_i64(c, 0);
        k->home[d] = unit.body;
    }
    LLVMValueRef from = LLVMBuildUDiv(c->b, unit.index, cg_i64(c, across), "");
    s->column =
        LLVMBuildMul(c->b, LLVMBuildURem(c->b, unit.index, cg_i64(c, across), ""), cg_i64(c, columns), "");
    from = LLVMBuildMul(c->b, from, cg_i64(c, TILE_ROWS), "");
    s->staged = staged;
    stage(s);
    cg_loop row =
        cg_loop_open(c, from, smaller(c, cg_add(c, from, cg_i64(c, TILE_ROWS)), cg_i64(c, rows)), 1, "row");
    cg_forget(k, s->row_dim);
    k->index[s->row_dim] = row.index;
    k->home[s->row_dim] = row.body;
    cg_loop l = cg_loop_open(c, s->column, cg_add(c, s->column, cg_i64(c, columns)),
                             (int64_t)s->unroll * c->lanes, "i");
    l.running_pointers = true;
    emit_vectors(s, l.index, s->unroll, NULL);
    cg_forget(k, k->vector_dim);
    cg_loop_close(c, &l);
    cg_forget(k, s->row_dim);
    cg_loop_close(c, &row);
    cg_loop_close(c, &unit);
    s->staged = NULL;
}

/* Zeroes the part of the result that belongs to the chunk's indices of dim 0, then writes the operand into
 * it. */
static void emit_pad(loop_state *s)
{
    cg_kernel *k = s->k;
    cg *c = k->c;
    const ir_node *n = &k->g->nodes[k->k->root];
    ir_dtype d = (ir_dtype)n->type.dtype;
    bool whole = n->type.rank < 2; /* dim 0 is the run */
    int64_t row = ir_type_elements(&n->type), inner = 1;
    LLVMValueRef base = cg_base(k, k->k->root), from = cg_i64(c, 0), to = cg_i64(c, row);

    k->units = whole ? 1 : k->space.extent[0];
    if (!whole) {
        row /= n->type.dims[0];
        int64_t step = row * (n->attrs->pad.interior[0] + 1), low = row * n->attrs->pad.low[0];
        LLVMValueRef a =
            LLVMBuildAdd(c->b, LLVMBuildMul(c->b, k->begin, cg_i64(c, step), ""), cg_i64(c, low), "");
        LLVMValueRef z =
            LLVMBuildAdd(c->b, LLVMBuildMul(c->b, k->end, cg_i64(c, step), ""), cg_i64(c, low), "");
        LLVMValueRef first = LLVMBuildICmp(c->b, LLVMIntEQ, k->begin, from, "");
        LLVMValueRef last = LLVMBuildICmp(c->b, LLVMIntEQ, k->end, cg_i64(c, k->units), "");
        from = LLVMBuildSelect(c->b, first, from, a, "");
        to = LLVMBuildSelect(c->b, last, to, z, "");
    }
    LLVMValueRef bytes =
        LLVMBuildMul(c->b, LLVMBuildSub(c->b, to, from, ""), cg_i64(c, (int64_t)ir_dtype_size(d)), "");
    LLVMBuildMemSet(c->b, cg_element(c, base, d, from), LLVMConstNull(LLVMInt8TypeInContext(c->ctx)), bytes,
                    (unsigned)ir_dtype_size(d));
    if (whole) {
        for (int j = 0; j < s->outer_dims; j++)
            k->index[j] = cg_i64(c, 0);
        emit_static_run(s);
        return;
    }
    for (int j = 1; j < s->outer_dims; j++)
        inner *= s->extent[j];
    k->grain = cg_grain(k->units, s->ns * (double)(inner * s->n + row));
    LLVMValueRef i = cg_i64(c, inner);
    cg_odometer o = cg_units_open(k, s->extent, s->outer_dims, LLVMBuildMul(c->b, k->begin, i, ""),
                                  LLVMBuildMul(c->b, k->end, i, ""));
    emit_static_run(s);
    cg_units_close(k, &o);
}

/* The run: the last group of merged dims; where that fills less than half a vector, more groups, read lane by
 * lane. */
static void choose_run(loop_state *s, bool pad)
{
    cg_kernel *k = s->k;
    int first_allowed = pad && k->space.rank > 1 ? 1 : k->slice_dims, d = k->space.rank - 1;

    cg_collapse(k, first_allowed, k->space.rank, s->extent);
    while (d > first_allowed && s->extent[d] <= 1)
        d--;
    k->vector_dim = d;
    s->n = d >= 0 ? s->extent[d] : 1;
    for (d--; d >= first_allowed && (s->extent[d] <= 1 || s->n * 2 <= k->c->lanes); d--)
        s->n *= s->extent[d];
    k->vector_first = d + 1;
    s->outer_dims = d + 1;
}

/* Small bodies: four vectors a step.  Bodies of many cheap operations outgrow the processor's window, so that
 * the chains of one vector no longer overlap with the next one's: two or four vectors in step (chain_10k: 25
 * -> 9 us). */
static void choose_unroll(loop_state *s)
{
    cg_kernel *k = s->k;
    double flops = cg_terms_flops(k);

    s->together = k->term_count > 40 && k->term_count <= 400 && flops < 4 * k->term_count;
    if (s->together)
        s->unroll = k->term_count <= 200 ? MAX_UNROLL : 2;
    else
        s->unroll = k->term_count > 40 || flops > 60 ? 1 : k->term_count > 16 || flops > 24 ? 2 : MAX_UNROLL;
    if (!s->together && cg_pair_registers(k, flops, s->n))
        s->unroll = 1;
    k->banks = s->unroll;
    for (int d = k->vector_first; k->vector_dim >= 0 && d <= k->vector_dim; d++)
        k->banked |= 1u << d;
    s->ns = (flops * 0.03 + 0.06 * k->k->out_count) * 16 / cg_register_lanes(k->c);
}

/* Terms of what the kernel's outs store, the run and the unrolling; the number of rows.  0: it has failed. */
static int64_t prepare(loop_state *s, bool pad)
{
    cg_kernel *k = s->k;
    int64_t rows = 1;

    for (int o = 0; o < k->k->out_count; o++) {
        cg_term_of(k, o ? k->k->outs[o] : s->value0, &k->space);
        cg_store_term(k, k->k->outs[o], &s->store[0]);
    }
    if (k->failed)
        return 0;
    for (int d = 0; d < k->space.rank; d++)
        s->extent[d] = k->space.extent[d];
    choose_run(s, pad);
    choose_unroll(s);
    for (int d = 0; d < s->outer_dims; d++)
        rows *= s->extent[d];
    if (s->n * rows == 1) { /* one element: no vectors, no loops */
        k->c->lanes = 1;
        k->vector_dim = -1;
    }
    return rows;
}

static void emit_prepared(loop_state *s, int64_t rows)
{
    if (s->k->vector_dim < 0)
        s->k->units = 1, emit_scalar(s);
    else if (rows == 1)
        emit_flat(s);
    else if (has_blocks(s, rows))
        emit_blocks(s, rows);
    else if (wants_tiles(s, rows))
        emit_tiles(s, rows);
    else
        emit_rows(s, rows);
}

/* ---- concat ---- */

/* A part of the result begins: nothing is known of the last one's space, terms and indices. */
static void begin_part(cg_kernel *k, const ir_map *space)
{
    cg_memo_free(k);
    cg_terms_free(k);
    k->space = *space;
    k->banked = 0;
    for (int d = 0; d < CG_DIMS; d++) {
        k->home[d] = NULL;
        k->level[d] = d;
    }
    for (int d = 0; d < IR_MAX_RANK; d++)
        k->index[d] = NULL;
}

static int64_t units_of(const loop_state *s, int64_t rows)
{
    int64_t block = (int64_t)BLOCK_VECTORS * s->k->c->lanes, blocks = (s->n + block - 1) / block;

    if (s->k->vector_dim < 0)
        return 1;
    return rows == 1 ? blocks : has_blocks(s, rows) ? rows * blocks : rows;
}

/* Unit v of all parts as a unit of the part that has [first, first + units). */
static LLVMValueRef unit_within(cg *c, LLVMValueRef v, int64_t first, int64_t units)
{
    LLVMTypeRef i64 = LLVMInt64TypeInContext(c->ctx);
    LLVMValueRef args[2] = {LLVMBuildSub(c->b, v, cg_i64(c, first), ""), cg_i64(c, 0)};

    args[0] = cg_intrinsic(c, "llvm.smax", &i64, 1, args, 2);
    args[1] = cg_i64(c, units);
    return cg_intrinsic(c, "llvm.smin", &i64, 1, args, 2);
}

/* Operand i's loop, whose units come behind the `first` ones of the operands before it.  Returns its units.
 */
static int64_t emit_part(loop_state *s, int64_t rows, int64_t first)
{
    cg_kernel *k = s->k;
    cg *c = k->c;
    int64_t units = units_of(s, rows);
    LLVMValueRef begin = k->begin, end = k->end;

    k->begin = unit_within(c, begin, first, units);
    k->end = unit_within(c, end, first, units);
    LLVMValueRef any = LLVMBuildICmp(c->b, LLVMIntSLT, k->begin, k->end, "");
    LLVMValueRef once = LLVMBuildZExt(c->b, any, LLVMInt64TypeInContext(c->ctx), "");
    cg_loop part = cg_loop_open(c, cg_i64(c, 0), once, 1, "part");
    emit_prepared(s, rows);
    cg_loop_close(c, &part);
    k->begin = begin;
    k->end = end;
    return units;
}

/* Units are those of all operands in turn, so threads share out the whole result. */
static void emit_concat(cg_kernel *k)
{
    const ir_node *root = &k->g->nodes[k->k->root];
    int axis = root->attrs->axes[0], lanes = k->c->lanes;
    int64_t strides[IR_MAX_RANK], base = 0, units = 0;
    double ns = 0;

    ir_type_strides(&root->type, strides);
    for (int i = 0; i < root->n && !k->failed; i++) {
        const ir_type *x = &k->g->nodes[root->x[i]].type;
        ir_map space = ir_map_identity(x);
        begin_part(k, &space);
        loop_state s = {.k = k, .store = {space}, .value0 = root->x[i]};
        for (int d = 0; d < space.rank; d++)
            s.store[0].stride[d] = space.extent[d] == 1 ? 0 : strides[d];
        s.store[0].base = base;
        base += x->dims[axis] * strides[axis];
        int64_t rows = prepare(&s, false);
        if (rows)
            units += emit_part(&s, rows, units);
        ns += s.ns * (double)ir_type_elements(x) + 4 * (double)rows;
        k->c->lanes = lanes;
    }
    k->units = units;
    k->grain = cg_grain(units, ns / (double)(units ? units : 1));
}

void cg_emit_loop(cg_kernel *k)
{
    const ir_node *root = &k->g->nodes[k->k->root];
    bool pad = root->op == IR_pad;
    loop_state s = {.k = k, .store = {k->space}, .value0 = k->k->outs[0]};

    if (root->op == IR_concat) {
        emit_concat(k);
        return;
    }
    if (pad) {
        s.store[0] = pad_map(root, &k->space);
        s.value0 = root->x[0];
    }
    int64_t rows = prepare(&s, pad);
    if (rows && pad)
        emit_pad(&s);
    else if (rows)
        emit_prepared(&s, rows);
}
