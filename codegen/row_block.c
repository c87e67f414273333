/* codegen/row_block.c: reduces over rows, taken along by a kernel that goes through the rows anyway.
 *
 *   for each block of rows
 *       sums of the block's columns, +0     in the first-level cache
 *       for each row    passes over the row; the last one adds its elements to the sums
 *       sums stored
 *
 * A chain over the rows of a block, from +0 (numerics rule 4), in order.  Units are blocks. */
#include "codegen/row.h"

#include <stdio.h>

enum { MAX_SUMS = 512 * 1024 }; /* bytes on the stack */

bool cg_row_make_sums(cg_row *s)
{
    cg_kernel *k = s->p.k;
    int64_t padded = (s->p.n + 63) / 64 * 64, bytes = 0;

    for (int i = 0; i < s->p.sum_count; i++) {
        ir_dtype d = s->p.sums[i].dtype;
        bytes += padded * (int64_t)ir_dtype_size(d);
        if (bytes > MAX_SUMS)
            return cg_fail(k, IR_EUNSUPPORTED, "too much to reduce over rows at once") == IR_OK;
        s->sums[i] = cg_stack(k, d, padded);
    }
    return true;
}

/* Sums are whole vectors, whatever the mask. */
static LLVMValueRef load_sum(cg_row *s, int i, LLVMValueRef at)
{
    cg_kernel *k = s->p.k;
    LLVMValueRef mask = k->mask;

    k->mask = NULL;
    LLVMValueRef v = cg_load_at(k, s->sums[i], s->p.sums[i].dtype, at, 1);
    k->mask = mask;
    return v;
}

static void store_sum(cg_row *s, int i, LLVMValueRef at, LLVMValueRef v)
{
    cg_kernel *k = s->p.k;
    LLVMValueRef mask = k->mask;

    k->mask = NULL;
    cg_store_at(k, s->sums[i], s->p.sums[i].dtype, at, 1, v);
    k->mask = mask;
}

void cg_row_take_up(cg_row *s, LLVMValueRef at)
{
    for (int i = 0; i < s->p.sum_count; i++)
        store_sum(s, i, at, cg_accumulate(s->p.k, &s->p.sums[i], load_sum(s, i, at)));
}

typedef void each_vector(cg_row *s, LLVMValueRef at);

static void clear_sums(cg_row *s, LLVMValueRef at)
{
    for (int i = 0; i < s->p.sum_count; i++)
        store_sum(s, i, at, cg_neutral(s->p.k->c, &s->p.sums[i]));
}

static void put_sums(cg_row *s, LLVMValueRef at)
{
    cg_kernel *k = s->p.k;

    if (k->vector_dim >= 0) {
        cg_forget(k, k->vector_dim);
        k->index[k->vector_dim] = at;
        k->home[k->vector_dim] = LLVMGetInsertBlock(k->c->b);
    }
    for (int i = 0; i < s->p.sum_count; i++)
        cg_store(k, s->p.sums[i].node, &s->p.block, load_sum(s, i, at));
}

static void over_columns(cg_row *s, each_vector *each)
{
    cg_kernel *k = s->p.k;
    cg *c = k->c;
    int64_t main = s->p.n / c->lanes * c->lanes;

    if (main) {
        cg_loop l = cg_loop_open(c, cg_i64(c, 0), cg_i64(c, main), c->lanes, "i");
        each(s, l.index);
        cg_forget_level(k, 0);
        cg_loop_close(c, &l);
    }
    if (main < s->p.n) {
        k->mask = cg_const_mask(k, s->p.n - main);
        each(s, cg_i64(c, main));
        k->mask = NULL;
    }
}

/* What depends on the block is asked for again at `here`. */
static void stand_at(cg_row *s, LLVMBasicBlockRef here)
{
    cg_kernel *k = s->p.k;

    cg_forget_level(k, 0);
    for (int d = 0; d < s->p.outer; d++)
        k->home[d] = here;
}

void cg_row_emit_block(cg_row *s)
{
    cg_kernel *k = s->p.k;
    cg *c = k->c;
    int row = s->p.outer - 1;

    snprintf(k->variant, sizeof k->variant, "unit: %lld rows, over which %d value%s reduced%s",
             (long long)s->p.extent[row], s->p.sum_count, s->p.sum_count > 1 ? "s are" : " is",
             s->crowded ? "; next rows into the second cache" : "");
    over_columns(s, clear_sums);
    cg_loop l = cg_loop_open(c, cg_i64(c, 0), cg_i64(c, s->p.extent[row]), 1, "row");
    k->index[row] = l.index;
    stand_at(s, l.body);
    cg_row_emit(s);
    cg_forget_level(k, 0);
    cg_loop_close(c, &l);
    k->index[row] = cg_i64(c, 0);
    stand_at(s, l.done);
    over_columns(s, put_sums);
}
