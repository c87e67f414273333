/* codegen/contract_stream.c: few rows by a B whose columns are contiguous (x W^T for one x): B is read once,
 * so it is not packed.  Pieces of 16 bytes along k are loaded from every column and turned in registers:
 *
 *   columns  c0: k0 k1 k2 k3     k0: c0 c1 c2 c3 ..
 *            c1: k0 k1 k2 k3  ->  k1: c0 c1 c2 c3 ..     then one fma per row and k, in ascending k
 *            ..                  ..
 *
 * 16-bit elements are turned in pairs and widened afterwards: half as many loads and shuffles.
 *
 * Pieces of 16 bytes keep the shuffles within 128-bit lanes, where most processors do two a cycle.  linear_1
 * (1 x 768 by 3072 x 768, 9 MB from the third cache): 0.34 ms packed, 0.18 ms so. */
#include "codegen/contract.h"

enum { PIECE = 16, MOST_PIECES = 16, SHORT_COLUMN = 2 << 10, FROM_MEMORY = 1 << 20 };

/* What a piece is turned in: elements, or pairs of 16 bits. */
static int words(const cg_product *p)
{
    return PIECE / (int)ir_dtype_size(p->dtype);
}

static bool in_pairs(const cg_product *p)
{
    return p->b.dtype != p->dtype;
}

int cg_stream_square(const cg_product *p)
{
    return PIECE / (int)ir_dtype_size(p->b.dtype);
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
    int q = words(p), count = c->lanes / q;
    LLVMTypeRef i32 = LLVMInt32TypeInContext(c->ctx),
                type = LLVMVectorType(in_pairs(p) ? i32 : cg_scalar_type(c, p->dtype), (unsigned)q);
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
    return v[0];
}

/* Step s of a square that is turned. */
static LLVMValueRef step(const cg_tile *t, const LLVMValueRef *v, int s)
{
    return in_pairs(t->p) ? cg_half_of_pairs(t->p->k->c, t->b_dtype, v[s / 2], s % 2) : v[s];
}

/* Steps [k + u, k + u + the square's) of vector j. */
static void square(cg_tile *t, LLVMValueRef k, int j, int u)
{
    cg *c = t->p->k->c;
    int q = words(t->p);
    LLVMValueRef v[PIECE], rows = cg_tile_rows(t, k);

    for (int i = 0; i < q; i++)
        v[i] = pieces(t, k, j, i, u);
    cg_product_turn(c, v, q);
    for (int s = 0; s < cg_stream_square(t->p); s++) {
        LLVMValueRef column = step(t, v, s);
        for (int i = 0; i < t->rows; i++) {
            LLVMValueRef *sum = &t->sum[i * t->vectors + j];
            *sum = cg_fma(c, cg_tile_row(t, rows, i, u + s), column, *sum);
        }
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

/* Columns of a B from memory that end before the processor's readers ahead get going: those of the next panel
 * are asked for.  1 x 768 by [3072, 768] of bf16 takes 0.38 instead of 0.52 ms; columns of 2 KiB and more
 * lose by it. */
static bool columns_are_short(const cg_product *p)
{
    int64_t column = p->depth * (int64_t)ir_dtype_size(p->b.dtype);

    return column < SHORT_COLUMN && p->n * column >= FROM_MEMORY;
}

static void ask_for_next(const cg_tile *t, LLVMValueRef k, int count)
{
    const cg_product *p = t->p;
    cg *c = p->k->c;
    int per_line = CG_LINE / (int)ir_dtype_size(t->b_dtype);
    int64_t width = (int64_t)p->nv * c->lanes;
    LLVMValueRef at = b_at(t, t->b, k);

    for (int64_t i = width; i < 2 * width; i++)
        for (int u = 0; u < count; u += per_line)
            cg_prefetch_line(c, b_at(t, at, cg_i64(c, i * p->b.along + u)), false);
}

void cg_stream_steps(cg_tile *t, LLVMValueRef k, int count)
{
    int q = cg_stream_square(t->p), run = columns_collide(t->p) ? count : q;

    if (count > q && columns_are_short(t->p))
        ask_for_next(t, k, count);
    for (int j = 0; count == 1 && j < t->vectors; j++)
        single(t, k, j);
    for (int s = 0; count > 1 && s < count; s += run)
        for (int j = 0; j < t->vectors; j++)
            for (int u = s; u < s + run; u += q)
                square(t, k, j, u);
}
