/* codegen/contract_stream.c: few rows by a B whose columns are contiguous (x W^T for one x): B is read once,
 * so it is not packed.  Pieces of 16 bytes along k are loaded from every column and turned in registers:
 *
 *   columns  c0: k0 k1 k2 k3     k0: c0 c1 c2 c3 ..
 *            c1: k0 k1 k2 k3  ->  k1: c0 c1 c2 c3 ..     then one fma per row and k, in ascending k
 *            ..                  ..
 *
 * Pieces of 16 bytes keep the shuffles within 128-bit lanes, where most processors do two a cycle.  linear_1
 * (1 x 768 by 3072 x 768, 9 MB from the third cache): 0.34 ms packed, 0.18 ms so. */
#include "codegen/contract.h"

enum { PIECE = 16, MOST_PIECES = 16 };

int cg_stream_square(const cg_product *p)
{
    return PIECE / (int)ir_dtype_size(p->dtype);
}

/* Columns a multiple of 1 KiB apart meet in few sets of the first cache: lines are used up at once there. */
static bool columns_collide(const cg_product *p)
{
    return p->b.along * (int64_t)ir_dtype_size(p->b.dtype) % 1024 == 0;
}

static LLVMValueRef b_at(const cg_tile *t, LLVMValueRef base, LLVMValueRef elements)
{
    return cg_element(t->p->k->c, base, t->b_dtype, elements);
}

/* Address of B at column `lane` of vector j, k + u; past the matrix its last column again. */
static LLVMValueRef address(const cg_tile *t, LLVMValueRef k, int j, int lane, int u)
{
    const cg_product *p = t->p;
    int last = j == t->vectors - 1 ? t->panel->active - 1 : p->k->c->lanes - 1;
    int64_t column = (int64_t)j * p->k->c->lanes + (lane < last ? lane : last);

    return b_at(t, b_at(t, t->b, k), cg_i64(p->k->c, column * p->b.along + u));
}

/* A piece of each of the columns first, first + q, ..: one after the other in a vector. */
static LLVMValueRef pieces(const cg_tile *t, LLVMValueRef k, int j, int first, int u)
{
    const cg_product *p = t->p;
    cg *c = p->k->c;
    int q = cg_stream_square(p), count = c->lanes / q;
    LLVMTypeRef i32 = LLVMInt32TypeInContext(c->ctx),
                type = LLVMVectorType(cg_memory_type(c, t->b_dtype), (unsigned)q);
    LLVMValueRef v[MOST_PIECES] = {0}, order[2 * MOST_PIECES];

    for (int i = 0; i < count; i++) {
        v[i] = LLVMBuildLoad2(c->b, type, address(t, k, j, first + i * q, u), "");
        LLVMSetAlignment(v[i], (unsigned)ir_dtype_size(t->b_dtype));
    }
    for (int size = q; size < c->lanes; size *= 2) {
        for (int i = 0; i < 2 * size; i++)
            order[i] = LLVMConstInt(i32, (unsigned long long)i, 0);
        LLVMValueRef both = LLVMConstVector(order, (unsigned)(2 * size));
        for (int i = 0; i < count / 2; i++)
            v[i] = LLVMBuildShuffleVector(c->b, v[2 * i], v[2 * i + 1], both, "");
        count /= 2;
    }
    return ir_dtype_is_half(t->b_dtype) ? cg_half_load(c, t->b_dtype, v[0]) : v[0];
}

/* Steps [k + u, k + u + q) of vector j. */
static void square(cg_tile *t, LLVMValueRef k, int j, int u)
{
    cg *c = t->p->k->c;
    int q = cg_stream_square(t->p);
    LLVMValueRef v[PIECE], rows = cg_tile_rows(t, k);

    for (int i = 0; i < q; i++)
        v[i] = pieces(t, k, j, i, u);
    cg_product_turn(c, v, q);
    for (int s = 0; s < q; s++)
        for (int i = 0; i < t->rows; i++) {
            LLVMValueRef *sum = &t->sum[i * t->vectors + j];
            *sum = cg_fma(c, cg_tile_row(t, rows, i, u + s), v[s], *sum);
        }
}

/* One step: the columns' elements one by one. */
static void single(cg_tile *t, LLVMValueRef k, int j)
{
    cg_product *p = t->p;
    cg *c = p->k->c;
    LLVMValueRef v = LLVMGetPoison(cg_product_vector(p)), rows = cg_tile_rows(t, k);

    for (int i = 0; i < c->lanes; i++) {
        LLVMValueRef e = cg_load_scalar(c, address(t, k, j, i, 0), t->b_dtype);
        v = LLVMBuildInsertElement(c->b, v, e, LLVMConstInt(LLVMInt32TypeInContext(c->ctx), (unsigned)i, 0),
                                   "");
    }
    for (int i = 0; i < t->rows; i++) {
        LLVMValueRef *sum = &t->sum[i * t->vectors + j];
        *sum = cg_fma(c, cg_tile_row(t, rows, i, 0), v, *sum);
    }
}

void cg_stream_steps(cg_tile *t, LLVMValueRef k, int count)
{
    int q = cg_stream_square(t->p), run = columns_collide(t->p) ? count : q;

    for (int j = 0; count == 1 && j < t->vectors; j++)
        single(t, k, j);
    for (int s = 0; count > 1 && s < count; s += run)
        for (int j = 0; j < t->vectors; j++)
            for (int u = s; u < s + run; u += q)
                square(t, k, j, u);
}
