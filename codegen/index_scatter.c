/* codegen/index_scatter.c: scatter_*: y = x, then y[clamp(index[i]), j] op= update[i, j], i ascending.
 *
 *   wide rows     units are tiles of columns: each copies its tile of x and adds its tile of every update row
 *   narrow rows   units are destinations: a chunk of them copies its rows of x, looks at every index, and
 *                 takes the updates that lead to its own rows
 *
 * Every tile and every chunk reads all indices, so there are as many as threads and no more; one thread takes
 * whole rows. */
#include "codegen/index.h"

enum { LEAST_TILE = 16 };

static void emit_tile(index_state *s, LLVMValueRef column, int64_t width)
{
    cg *c = s->k->c;
    ir_op op = ir_scatter_op(s->n->op);
    LLVMValueRef y = cg_element(c, cg_base(s->k, s->k->k->root), s->dtype, column),
                 x = cg_element(c, s->x, s->dtype, column),
                 update = cg_element(c, cg_index_operand(s, 2), s->dtype, column);

    /* In place x is y: nothing to copy. */
    LLVMValueRef same = LLVMBuildICmp(c->b, LLVMIntEQ, y, x, "");
    LLVMValueRef start = LLVMBuildSelect(c->b, same, cg_i64(c, s->rows), cg_i64(c, 0), "");
    cg_loop r = cg_loop_open(c, start, cg_i64(c, s->rows), 1, "row");
    LLVMValueRef at = cg_index_times(c, r.index, s->width);
    cg_index_run(s, cg_element(c, y, s->dtype, at), cg_element(c, x, s->dtype, at), width, IR_OP_COUNT);
    cg_loop_close(c, &r);
    cg_loop i = cg_loop_open(c, cg_i64(c, 0), cg_i64(c, s->count), 1, "i");
    LLVMValueRef to =
        cg_element(c, y, s->dtype, cg_index_times(c, cg_index_at(s, i.index, s->rows - 1), s->width));
    cg_index_run(s, to, cg_element(c, update, s->dtype, cg_index_times(c, i.index, s->width)), width, op);
    cg_loop_close(c, &i);
}

static void emit_columns(index_state *s, int64_t tile)
{
    cg_kernel *k = s->k;
    cg *c = k->c;

    k->units = s->width / tile;
    k->grain = cg_grain(k->units, (double)(s->rows + s->count) * (1.0 + 0.15 * (double)tile));
    cg_loop l = cg_loop_open(c, k->begin, k->end, 1, "tile");
    emit_tile(s, cg_index_times(c, l.index, tile), tile);
    cg_loop_close(c, &l);
}

static void emit_rows(index_state *s)
{
    cg_kernel *k = s->k;
    cg *c = k->c;
    double ns = (double)s->count * (2 + 0.15 * (double)s->width) + 0.1 * (double)(s->rows * s->width);
    LLVMValueRef y = cg_base(k, k->k->root), update = cg_index_operand(s, 2);

    k->units = s->rows;
    k->grain = ns < 8000 ? 0 : (s->rows + k->threads - 1) / k->threads;
    cg_index_keep(s, y, cg_index_times(c, k->begin, s->width), cg_index_times(c, k->end, s->width));
    cg_loop i = cg_loop_open(c, cg_i64(c, 0), cg_i64(c, s->count), 1, "i");
    LLVMValueRef to = cg_index_at(s, i.index, s->rows - 1);
    LLVMValueRef mine = LLVMBuildAnd(c->b, LLVMBuildICmp(c->b, LLVMIntSGE, to, k->begin, ""),
                                     LLVMBuildICmp(c->b, LLVMIntSLT, to, k->end, ""), "");
    cg_loop once = cg_loop_open(c, cg_i64(c, 0),
                                LLVMBuildZExt(c->b, mine, LLVMInt64TypeInContext(c->ctx), ""), 1, "mine");
    cg_index_run(s, cg_element(c, y, s->dtype, cg_index_times(c, to, s->width)),
                 cg_element(c, update, s->dtype, cg_index_times(c, i.index, s->width)), s->width,
                 ir_scatter_op(s->n->op));
    cg_loop_close(c, &once);
    cg_loop_close(c, &i);
}

void cg_emit_scatter(index_state *s)
{
    int64_t tile = s->width;

    while (tile % 2 == 0 && tile >= 2 * LEAST_TILE && s->width / tile < s->k->threads)
        tile /= 2;
    if (tile < s->width)
        emit_columns(s, tile);
    else
        emit_rows(s);
}
