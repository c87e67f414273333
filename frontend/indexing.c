/* frontend/indexing.c: the public indexed functions of tandem/structure.h: the door around the indexed ops
 * and ir/compose_index.c. */
#include "frontend/fe.h"
#include "ir/compose.h"
#include "ir/emit.h"

/* Opens the call and takes its operands (update may be NULL for none); false: it ends with fe_end(c, 0). */
static bool open_indexed(fe_call *c, const char *op, tdm_tensor *x, tdm_tensor *index, const char *index_name,
                         tdm_tensor *update, bool updates, tdm_loc at, ir_val v[3])
{
    if (!fe_begin(c, fe_context_of(x, index, update), op, at, true))
        return false;
    v[0] = fe_use(c, x, "x");
    v[1] = fe_use(c, index, index_name);
    v[2] = updates ? fe_use(c, update, "update") : 0;
    return v[0] && v[1] && (!updates || v[2]);
}

static bool scatter_op(fe_call *c, tdm_scatter_mode mode, ir_op *op)
{
    static const ir_op ops[] = {[TDM_SCATTER_ADD] = IR_scatter_add,
                                [TDM_SCATTER_SET] = IR_scatter_set,
                                [TDM_SCATTER_MUL] = IR_scatter_mul,
                                [TDM_SCATTER_MAX] = IR_scatter_max,
                                [TDM_SCATTER_MIN] = IR_scatter_min};

    if ((unsigned)mode >= sizeof ops / sizeof *ops) {
        fe_fail(c->ctx, c->at, IR_EARG, "%s: %d is not a mode", c->op, (int)mode);
        return false;
    }
    *op = ops[mode];
    return true;
}

tdm_tensor *tdm_masked_fill(tdm_tensor *x, tdm_tensor *mask, double value, tdm_loc at)
{
    fe_call c;
    ir_val v[3];
    bool ok = open_indexed(&c, "masked_fill", x, mask, "mask", NULL, false, at, v);
    return fe_end(&c, ok ? ir_c_masked_fill(c.s, v[0], v[1], value) : 0);
}

tdm_tensor *tdm_index_select(tdm_tensor *x, tdm_tensor *index, int axis, tdm_loc at)
{
    fe_call c;
    ir_val v[3];
    bool ok = open_indexed(&c, "index_select", x, index, "index", NULL, false, at, v);
    return fe_end(&c, ok ? ir_c_index_select(c.s, v[0], v[1], axis) : 0);
}

tdm_tensor *tdm_take_along_axis(tdm_tensor *x, tdm_tensor *index, int axis, tdm_loc at)
{
    fe_call c;
    ir_val v[3];
    bool ok = open_indexed(&c, "take_along_axis", x, index, "index", NULL, false, at, v);
    return fe_end(&c, ok ? ir_c_take_along_axis(c.s, v[0], v[1], axis) : 0);
}

tdm_tensor *tdm_gather_nd(tdm_tensor *x, tdm_tensor *index, int batch, tdm_loc at)
{
    fe_call c;
    ir_val v[3];
    bool ok = open_indexed(&c, "gather_nd", x, index, "index", NULL, false, at, v);
    return fe_end(&c, ok ? ir_c_gather_nd(c.s, v[0], v[1], batch) : 0);
}

tdm_tensor *tdm_scatter(tdm_tensor *x, tdm_tensor *index, tdm_tensor *update, tdm_scatter_mode mode,
                        tdm_loc at)
{
    fe_call c;
    ir_val v[3];
    ir_op op;
    bool ok =
        open_indexed(&c, "scatter", x, index, "index", update, true, at, v) && scatter_op(&c, mode, &op);
    return fe_end(&c, ok ? ir_emit(c.s, op, NULL, v, 3) : 0);
}

tdm_tensor *tdm_put_along_axis(tdm_tensor *x, tdm_tensor *index, tdm_tensor *update, int axis,
                               tdm_scatter_mode mode, tdm_loc at)
{
    fe_call c;
    ir_val v[3];
    ir_op op;
    bool ok = open_indexed(&c, "put_along_axis", x, index, "index", update, true, at, v) &&
              scatter_op(&c, mode, &op);
    return fe_end(&c, ok ? ir_c_put_along_axis(c.s, op, v[0], v[1], v[2], axis) : 0);
}

tdm_tensor *tdm_scatter_nd(tdm_tensor *x, tdm_tensor *index, tdm_tensor *update, int batch,
                           tdm_scatter_mode mode, tdm_loc at)
{
    fe_call c;
    ir_val v[3];
    ir_op op;
    bool ok =
        open_indexed(&c, "scatter_nd", x, index, "index", update, true, at, v) && scatter_op(&c, mode, &op);
    return fe_end(&c, ok ? ir_c_scatter_nd(c.s, op, v[0], v[1], v[2], batch) : 0);
}

tdm_tensor *tdm_dynamic_slice(tdm_tensor *x, tdm_tensor *start, tdm_dims sizes, tdm_loc at)
{
    fe_call c;
    ir_val v[3];
    bool ok =
        open_indexed(&c, "dynamic_slice", x, start, "start", NULL, false, at, v) && fe_valid_shape(&c, sizes);
    return fe_end(&c, ok ? ir_e_dynamic_slice(c.s, v[0], v[1], sizes.rank, sizes.dims) : 0);
}

tdm_tensor *tdm_dynamic_update(tdm_tensor *x, tdm_tensor *start, tdm_tensor *update, tdm_loc at)
{
    fe_call c;
    ir_val v[3];
    bool ok = open_indexed(&c, "dynamic_update", x, start, "start", update, true, at, v);
    return fe_end(&c, ok ? ir_e_dynamic_update(c.s, v[0], v[1], v[2]) : 0);
}
