/* codegen/loads.c: from index maps to addresses, loads and stores.
 *
 *   base + outer indices * strides    pointer arithmetic in the block of each dim, kept, so that the
 *        + lane 0 * stride            innermost address is one add; stride 1: one vector; else gather
 *
 * Every access states the element's alignment.  Masked-off lanes touch no memory and load 0. */
#include "codegen/eval.h"
#include "codegen/memo.h"
#include "codegen/share.h"

#include <stdlib.h>

/* Smaller buffers are in a cache already; bytes ahead along the run; the most of one stream that is asked for
 * ahead, half of the first cache. */
enum { LINE = 64, PREFETCH_FROM = 1 << 20, PREFETCH_NEAR = 1024, PREFETCH_MOST = 16384 };

static LLVMTypeRef i64_type(cg *c)
{
    return LLVMInt64TypeInContext(c->ctx);
}

static LLVMTypeRef pointer_type(cg *c)
{
    return LLVMPointerTypeInContext(c->ctx, 0);
}

LLVMValueRef cg_element(cg *c, LLVMValueRef base, ir_dtype d, LLVMValueRef linear)
{
    if (LLVMIsConstant(linear) && LLVMIsNull(linear))
        return base;
    return LLVMBuildInBoundsGEP2(c->b, cg_memory_type(c, d), base, &linear, 1, "");
}

/* ---- bases ---- */

static LLVMValueRef table_entry(cg_kernel *k, int i)
{
    LLVMValueRef at = cg_element(k->c, k->table, IR_DT_i64, cg_i64(k->c, i));
    LLVMValueRef v = LLVMBuildLoad2(k->c->b, i64_type(k->c), at, "");

    LLVMSetAlignment(v, 8);
    return v;
}

static LLVMValueRef make_base(cg_kernel *k, int i)
{
    cg *c = k->c;
    const cg_place *p = &k->binding->places[i];
    LLVMTypeRef ptr = pointer_type(c), i8 = LLVMInt8TypeInContext(c->ctx);
    LLVMValueRef arg = k->binding->shared ? table_entry(k, 2 * i) : cg_i64(c, p->arg);
    LLVMValueRef at = LLVMBuildInBoundsGEP2(c->b, ptr, k->args, &arg, 1, "");
    LLVMValueRef base = LLVMBuildLoad2(c->b, ptr, at, "");
    LLVMValueRef offset = k->binding->shared ? table_entry(k, 2 * i + 1) : cg_i64(c, (int64_t)p->offset);

    LLVMSetAlignment(base, 8);
    if (LLVMIsConstant(offset) && LLVMIsNull(offset))
        return base;
    return LLVMBuildInBoundsGEP2(c->b, i8, base, &offset, 1, "");
}

LLVMValueRef cg_base(cg_kernel *k, ir_ref node)
{
    int i = cg_binding_find(k->binding, node);

    while (i < 0 && ir_shares_bytes(k->g->nodes[node].op)) /* a listed reshape of a value in memory */
        i = cg_binding_find(k->binding, node = k->g->nodes[node].x[0]);
    if (i < 0 || !cg_memo_reserve(k)) {
        cg_fail(k, IR_EUNSUPPORTED, "a value without a buffer is read or stored");
        return LLVMGetPoison(pointer_type(k->c));
    }
    /* One array for the places; two places of one buffer give two equal pointers, which costs nothing. */
    if (!k->memo->bases && !(k->memo->bases = calloc((size_t)k->binding->count, sizeof(LLVMValueRef)))) {
        cg_fail(k, IR_ENOMEM, "out of memory");
        return LLVMGetPoison(pointer_type(k->c));
    }
    if (!k->memo->bases[i]) {
        LLVMBasicBlockRef here = cg_go_home(k, 0);
        k->memo->bases[i] = make_base(k, i);
        cg_come_back(k, here);
    }
    return k->memo->bases[i];
}

/* ---- lanes ---- */

static LLVMValueRef all_lanes(cg *c)
{
    return LLVMConstAllOnes(cg_vector_of(c, LLVMInt1TypeInContext(c->ctx)));
}

static LLVMValueRef alignment(cg *c, ir_dtype d)
{
    return LLVMConstInt(LLVMInt32TypeInContext(c->ctx), ir_dtype_size(d), 0);
}

/* <0, s, 2 s, ..> as i64 */
static LLVMValueRef lane_offsets(cg *c, int64_t stride)
{
    LLVMValueRef v[64];

    for (int l = 0; l < c->lanes; l++)
        v[l] = cg_i64(c, l * stride);
    return LLVMConstVector(v, (unsigned)c->lanes);
}

static LLVMValueRef from_memory(cg *c, ir_dtype d, LLVMValueRef v)
{
    if (ir_dtype_is_half(d))
        return cg_half_load(c, d, v);
    if (d != IR_DT_bool)
        return v;
    return LLVMBuildICmp(c->b, LLVMIntNE, v, LLVMConstNull(LLVMTypeOf(v)), "");
}

LLVMValueRef cg_to_memory(cg *c, ir_dtype d, LLVMValueRef v)
{
    if (ir_dtype_is_half(d))
        return cg_half_store(c, d, v);
    if (d != IR_DT_bool)
        return v;
    LLVMTypeRef i8 = LLVMInt8TypeInContext(c->ctx);
    bool vector = LLVMGetTypeKind(LLVMTypeOf(v)) == LLVMVectorTypeKind;
    return LLVMBuildZExt(c->b, v, vector ? LLVMVectorType(i8, LLVMGetVectorSize(LLVMTypeOf(v))) : i8, "");
}

LLVMValueRef cg_load_scalar(cg *c, LLVMValueRef pointer, ir_dtype d)
{
    LLVMValueRef v = LLVMBuildLoad2(c->b, cg_memory_type(c, d), pointer, "");

    LLVMSetAlignment(v, (unsigned)ir_dtype_size(d));
    cg_tell_read(c, pointer, ir_dtype_size(d), 1, NULL);
    return from_memory(c, d, v);
}

static LLVMValueRef gather(cg_kernel *k, LLVMValueRef pointer, ir_dtype d, LLVMValueRef offsets)
{
    cg *c = k->c;
    LLVMTypeRef mem = cg_memory_type(c, d),
                types[2] = {cg_vector_of(c, mem), cg_vector_of(c, pointer_type(c))};

    cg_tell_lanes(c, false, pointer, mem, ir_dtype_size(d), offsets, k->mask);
    if (k->mask || c->has_gather) {
        LLVMValueRef at = LLVMBuildInBoundsGEP2(c->b, mem, pointer, &offsets, 1, "");
        LLVMValueRef args[4] = {at, alignment(c, d), k->mask ? k->mask : all_lanes(c),
                                LLVMConstNull(types[0])};
        return from_memory(c, d, cg_intrinsic(c, "llvm.masked.gather", types, 2, args, 4));
    }
    LLVMValueRef v = LLVMGetPoison(types[0]);
    for (int l = 0; l < c->lanes; l++) {
        LLVMValueRef lane = LLVMConstInt(LLVMInt32TypeInContext(c->ctx), (unsigned)l, 0);
        LLVMValueRef offset = LLVMBuildExtractElement(c->b, offsets, lane, "");
        LLVMValueRef e =
            LLVMBuildLoad2(c->b, mem, LLVMBuildInBoundsGEP2(c->b, mem, pointer, &offset, 1, ""), "");
        LLVMSetAlignment(e, (unsigned)ir_dtype_size(d));
        v = LLVMBuildInsertElement(c->b, v, e, lane, "");
    }
    return from_memory(c, d, v);
}

static void scatter(cg_kernel *k, LLVMValueRef pointer, ir_dtype d, LLVMValueRef offsets, LLVMValueRef v)
{
    cg *c = k->c;
    LLVMTypeRef mem = cg_memory_type(c, d),
                types[2] = {cg_vector_of(c, mem), cg_vector_of(c, pointer_type(c))};

    cg_tell_lanes(c, true, pointer, mem, ir_dtype_size(d), offsets, k->mask);
    if (k->mask) {
        LLVMValueRef at = LLVMBuildInBoundsGEP2(c->b, mem, pointer, &offsets, 1, "");
        cg_intrinsic(c, "llvm.masked.scatter", types, 2, (LLVMValueRef[]){v, at, alignment(c, d), k->mask},
                     4);
        return;
    }
    for (int l = 0; l < c->lanes; l++) {
        LLVMValueRef lane = LLVMConstInt(LLVMInt32TypeInContext(c->ctx), (unsigned)l, 0);
        LLVMValueRef offset = LLVMBuildExtractElement(c->b, offsets, lane, "");
        LLVMValueRef at = LLVMBuildInBoundsGEP2(c->b, mem, pointer, &offset, 1, "");
        LLVMValueRef s = LLVMBuildStore(c->b, LLVMBuildExtractElement(c->b, v, lane, ""), at);
        LLVMSetAlignment(s, (unsigned)ir_dtype_size(d));
    }
}

/* Lanes at pointer, pointer - 1, ..: one vector, turned around. */
static LLVMValueRef load_backwards(cg *c, LLVMValueRef pointer, ir_dtype d)
{
    LLVMTypeRef type = cg_vector_of(c, cg_memory_type(c, d));
    LLVMValueRef order[64], from = cg_element(c, pointer, d, cg_i64(c, 1 - c->lanes));
    LLVMValueRef v = LLVMBuildLoad2(c->b, type, from, "");

    LLVMSetAlignment(v, (unsigned)ir_dtype_size(d));
    cg_tell_read(c, from, ir_dtype_size(d), c->lanes, NULL);
    for (int l = 0; l < c->lanes; l++)
        order[l] = LLVMConstInt(LLVMInt32TypeInContext(c->ctx), (unsigned)(c->lanes - 1 - l), 0);
    v = LLVMBuildShuffleVector(c->b, v, LLVMGetPoison(type), LLVMConstVector(order, (unsigned)c->lanes), "");
    return from_memory(c, d, v);
}

/* Lanes at pointer, pointer + stride, .. */
static LLVMValueRef load_lanes(cg_kernel *k, LLVMValueRef pointer, ir_dtype d, int64_t stride)
{
    cg *c = k->c;

    if (c->lanes == 1 || stride == 0) {
        LLVMValueRef v = cg_load_scalar(c, pointer, d);
        return c->lanes == 1 ? v : cg_splat(c, v);
    }
    if (stride == -1 && !k->mask)
        return load_backwards(c, pointer, d);
    if (stride != 1)
        return gather(k, pointer, d, lane_offsets(c, stride));
    LLVMTypeRef type = cg_vector_of(c, cg_memory_type(c, d)), types[2] = {type, pointer_type(c)};
    cg_tell_read(c, pointer, ir_dtype_size(d), c->lanes, k->mask);
    if (k->mask) {
        LLVMValueRef args[4] = {pointer, alignment(c, d), k->mask, LLVMConstNull(type)};
        return from_memory(c, d, cg_intrinsic(c, "llvm.masked.load", types, 2, args, 4));
    }
    LLVMValueRef v = LLVMBuildLoad2(c->b, type, pointer, "");
    LLVMSetAlignment(v, (unsigned)ir_dtype_size(d));
    return from_memory(c, d, v);
}

static bool in_run(const cg_kernel *k, int d)
{
    return k->vector_dim >= 0 && d >= k->vector_first && d <= k->vector_dim;
}

static bool is_zero(LLVMValueRef v)
{
    return !v || (LLVMIsConstant(v) && LLVMIsNull(v));
}

/* A store of whole registers that leaves them out of the caches; neighbours fill up a cache line. */
static void store_past(cg *c, LLVMValueRef pointer, LLVMValueRef v)
{
    LLVMMetadataRef one = LLVMValueAsMetadata(LLVMConstInt(LLVMInt32TypeInContext(c->ctx), 1, 0));
    LLVMValueRef s = LLVMBuildStore(c->b, v, pointer);

    LLVMSetAlignment(s, (unsigned)c->register_bytes);
    LLVMSetMetadata(s, LLVMGetMDKindIDInContext(c->ctx, "nontemporal", 11),
                    LLVMMetadataAsValue(c->ctx, LLVMMDNodeInContext2(c->ctx, &one, 1)));
}

/* Whether the vector at the current indices fills aligned registers, given that the buffer begins at a cache
 * line. */
static bool fills_registers(const cg_kernel *k, const ir_map *m, ir_dtype d)
{
    int64_t size = (int64_t)ir_dtype_size(d), unit = k->c->register_bytes;

    if (k->mask || d == IR_DT_bool || k->c->lanes * size % unit || m->base * size % unit)
        return false;
    for (int j = 0; j < m->rank; j++)
        if (!in_run(k, j) && !is_zero(k->index[j]) && m->stride[j] * size % unit)
            return false;
    return true;
}

static void store_lanes(cg_kernel *k, LLVMValueRef pointer, ir_dtype d, int64_t stride, LLVMValueRef v)
{
    cg *c = k->c;

    v = cg_to_memory(c, d, v);
    if (c->lanes == 1 || (stride == 1 && !k->mask)) {
        LLVMSetAlignment(LLVMBuildStore(c->b, v, pointer), (unsigned)ir_dtype_size(d));
        cg_tell_wrote(c, pointer, ir_dtype_size(d), c->lanes, NULL);
    } else if (stride == 1) {
        cg_tell_wrote(c, pointer, ir_dtype_size(d), c->lanes, k->mask);
        LLVMTypeRef types[2] = {LLVMTypeOf(v), pointer_type(c)};
        cg_intrinsic(c, "llvm.masked.store", types, 2, (LLVMValueRef[]){v, pointer, alignment(c, d), k->mask},
                     4);
    } else {
        scatter(k, pointer, d, lane_offsets(c, stride), v);
    }
}

LLVMValueRef cg_load_at(cg_kernel *k, LLVMValueRef base, ir_dtype d, LLVMValueRef linear, int64_t lane_stride)
{
    return load_lanes(k, cg_element(k->c, base, d, linear), d, lane_stride);
}

void cg_store_at(cg_kernel *k, LLVMValueRef base, ir_dtype d, LLVMValueRef linear, int64_t lane_stride,
                 LLVMValueRef v)
{
    store_lanes(k, cg_element(k->c, base, d, linear), d, lane_stride, v);
}

/* ---- terms ---- */

/* Whether the run is one even step for this map, and the step. */
static bool run_stride(const cg_kernel *k, const ir_map *m, int64_t *stride)
{
    int64_t expect = 0;
    bool first = true;

    *stride = 0;
    for (int d = k->vector_dim; k->vector_dim >= 0 && d >= k->vector_first; d--) {
        if (k->space.extent[d] <= 1)
            continue;
        if (first)
            *stride = m->stride[d];
        else if (m->stride[d] != expect)
            return false;
        expect = m->stride[d] * k->space.extent[d];
        first = false;
    }
    return true;
}

/* index of a dim times a stride */
static LLVMValueRef scaled(cg *c, LLVMValueRef index, int64_t stride)
{
    return stride == 1 ? index : LLVMBuildMul(c->b, index, cg_i64(c, stride), "");
}

/* Address of the term's element for the current indices of all dims outside the run. */
static LLVMValueRef outer_pointer(cg_kernel *k, int t)
{
    const ir_map m = k->terms[t].map;
    ir_dtype d = (ir_dtype)k->g->nodes[k->terms[t].node].type.dtype;
    LLVMValueRef p = cg_base(k, k->terms[t].node);
    unsigned seen = 0, left = k->terms[t].uses & ((1u << IR_MAX_RANK) - 1);

    for (int j = 0; j < IR_MAX_RANK; j++)
        if (in_run(k, j) || !(left >> j & 1) || is_zero(k->index[j]))
            left &= ~(1u << j);
    if (m.base) {
        LLVMBasicBlockRef here = cg_go_home(k, 0);
        p = cg_element(k->c, p, d, cg_i64(k->c, m.base));
        cg_come_back(k, here);
    }
    while (left) { /* from the outermost dim inwards */
        int j = -1;
        for (int i = 0; i < IR_MAX_RANK; i++)
            if (left >> i & 1 && (j < 0 || k->level[i] < k->level[j]))
                j = i;
        left &= ~(1u << j);
        seen |= 1u << j;
        cg_slot *s = cg_slot_of(k, t, seen);
        if (!s)
            return p;
        if (!s->pointer[j]) {
            LLVMBasicBlockRef here = cg_go_home(k, seen);
            s->pointer[j] = cg_element(k->c, p, d, scaled(k->c, k->index[j], m.stride[j]));
            cg_come_back(k, here);
        }
        p = s->pointer[j];
    }
    return p;
}

/* Offsets of the lanes within a run that the map does not step through evenly: the flat index taken apart. */
static LLVMValueRef run_offsets(cg_kernel *k, const ir_map *m)
{
    cg *c = k->c;
    int64_t reach = 0, extent = 1;

    for (int d = k->vector_first; d <= k->vector_dim; d++) {
        reach += (m->stride[d] < 0 ? -m->stride[d] : m->stride[d]) * (k->space.extent[d] - 1);
        extent *= k->space.extent[d];
    }
    bool narrow = reach < INT32_MAX && extent < INT32_MAX - 64; /* 32-bit lanes divide fast */
    LLVMTypeRef elem = narrow ? LLVMInt32TypeInContext(c->ctx) : i64_type(c), type = cg_vector_of(c, elem);
    LLVMValueRef flat = k->index[k->vector_dim];
    if (narrow)
        flat = LLVMBuildTrunc(c->b, flat, elem, "");
    flat = LLVMBuildAdd(c->b, cg_splat(c, flat), cg_lane_ids(c, elem), "");
    LLVMValueRef sum = LLVMConstNull(type);
    for (int d = k->vector_dim; d >= k->vector_first; d--) {
        int64_t e = k->space.extent[d];
        if (e <= 1)
            continue;
        LLVMValueRef by = cg_splat(c, LLVMConstInt(elem, (unsigned long long)e, 0)), i = flat;
        if (d > k->vector_first) {
            i = LLVMBuildURem(c->b, flat, by, "");
            flat = LLVMBuildUDiv(c->b, flat, by, "");
        }
        if (m->stride[d]) {
            LLVMValueRef s = cg_splat(c, LLVMConstInt(elem, (unsigned long long)m->stride[d], 0));
            sum = LLVMBuildAdd(c->b, sum, LLVMBuildMul(c->b, i, s, ""), "");
        }
    }
    return sum;
}

LLVMValueRef cg_load_term(cg_kernel *k, int t)
{
    const ir_map m = k->terms[t].map;
    ir_dtype d = (ir_dtype)k->g->nodes[k->terms[t].node].type.dtype;
    LLVMValueRef p = outer_pointer(k, t);
    int64_t stride;

    if (!cg_term_varies(k, t))
        return cg_load_scalar(k->c, p, d);
    if (!run_stride(k, &m, &stride)) {
        LLVMValueRef offsets = run_offsets(k, &m);
        if (k->c->lanes == 1)
            return cg_load_scalar(
                k->c, LLVMBuildInBoundsGEP2(k->c->b, cg_memory_type(k->c, d), p, &offsets, 1, ""), d);
        return gather(k, p, d, offsets);
    }
    return load_lanes(k, cg_element(k->c, p, d, scaled(k->c, k->index[k->vector_dim], stride)), d, stride);
}

/* Whether the term is one of memory, one element after another along the run, of a buffer worth asking for.
 */
static bool is_stream(const cg_kernel *k, int t, cg_term_kind kind)
{
    const cg_term *e = &k->terms[t];
    int64_t stride;

    return e->kind == kind && cg_term_varies(k, t) && run_stride(k, &e->map, &stride) && stride == 1 &&
           ir_type_bytes(&k->g->nodes[e->node].type) >= PREFETCH_FROM;
}

/* The lines of `bytes` bytes from `ahead` bytes behind the term's current place on. */
static void prefetch_lines(cg_kernel *k, int t, int64_t ahead, int64_t bytes, bool second)
{
    cg *c = k->c;
    ir_dtype d = (ir_dtype)k->g->nodes[k->terms[t].node].type.dtype;
    LLVMTypeRef i8 = LLVMInt8TypeInContext(c->ctx);
    LLVMValueRef at = cg_element(c, outer_pointer(k, t), d, k->index[k->vector_dim]);

    for (int64_t i = 0; i < bytes; i += LINE) {
        LLVMValueRef offset = cg_i64(c, ahead + i), line = LLVMBuildGEP2(c->b, i8, at, &offset, 1, "");
        if (second)
            cg_prefetch_second(c, line);
        else
            cg_prefetch_line(c, line, k->terms[t].kind == CG_T_STORE);
    }
}

static int64_t term_size(const cg_kernel *k, int t)
{
    return (int64_t)ir_dtype_size((ir_dtype)k->g->nodes[k->terms[t].node].type.dtype);
}

void cg_prefetch(cg_kernel *k, int dim, bool second)
{
    int streams = 0;

    if (k->vector_dim < 0)
        return;
    for (int t = 0; t < k->term_count; t++)
        streams += is_stream(k, t, CG_T_LOAD) && k->terms[t].uses >> dim & 1;
    if (!streams)
        return;
    for (int t = 0; t < k->term_count; t++) {
        int64_t step = k->terms[t].map.stride[dim] * term_size(k, t);
        if (!is_stream(k, t, CG_T_LOAD) || step <= 0 || step > PREFETCH_MOST)
            continue;
        int64_t ahead = in_run(k, dim) ? PREFETCH_NEAR : PREFETCH_MOST / 2 / streams;
        prefetch_lines(k, t, ahead < step ? step : ahead / step * step, k->c->lanes * term_size(k, t),
                       second);
    }
}

void cg_prefetch_here(cg_kernel *k, int64_t n)
{
    for (int t = 0; t < k->term_count && k->vector_dim >= 0; t++)
        if (is_stream(k, t, CG_T_LOAD) ||
            (is_stream(k, t, CG_T_STORE) && !(k->streaming && cg_streams(k->g, k->k, k->terms[t].node))))
            prefetch_lines(k, t, 0, n * term_size(k, t), false);
}

LLVMValueRef cg_linear(cg_kernel *k, const ir_map *m)
{
    cg *c = k->c;
    LLVMValueRef sum = cg_i64(c, m->base);
    int64_t stride = 0;
    bool varies = false;

    for (int d = 0; d < m->rank; d++) {
        if (in_run(k, d))
            varies |= m->stride[d] != 0;
        else if (m->stride[d] && !is_zero(k->index[d]))
            sum = LLVMBuildAdd(c->b, sum, scaled(c, k->index[d], m->stride[d]), "");
    }
    if (!varies)
        return cg_splat(c, sum);
    if (!run_stride(k, m, &stride)) {
        LLVMValueRef offsets = run_offsets(k, m);
        LLVMTypeRef wide = cg_vector_of(c, i64_type(c));
        if (LLVMTypeOf(offsets) != wide)
            offsets = LLVMBuildSExt(c->b, offsets, wide, "");
        return LLVMBuildAdd(c->b, cg_splat(c, sum), offsets, "");
    }
    sum = LLVMBuildAdd(c->b, sum, scaled(c, k->index[k->vector_dim], stride), "");
    return c->lanes == 1 ? sum : LLVMBuildAdd(c->b, cg_splat(c, sum), lane_offsets(c, stride), "");
}

static LLVMValueRef first_lane(cg *c, LLVMValueRef v)
{
    if (LLVMGetTypeKind(LLVMTypeOf(v)) != LLVMVectorTypeKind)
        return v;
    return LLVMBuildExtractElement(c->b, v, LLVMConstNull(LLVMInt32TypeInContext(c->ctx)), "");
}

void cg_store_scalar(cg_kernel *k, ir_ref out, const ir_map *m, LLVMValueRef v)
{
    ir_dtype d = (ir_dtype)k->g->nodes[out].type.dtype;
    int t = cg_store_term(k, out, m);

    if (t < 0)
        return;
    LLVMValueRef at = outer_pointer(k, t);
    LLVMValueRef s = LLVMBuildStore(k->c->b, cg_to_memory(k->c, d, first_lane(k->c, v)), at);
    LLVMSetAlignment(s, (unsigned)ir_dtype_size(d));
    cg_tell_wrote(k->c, at, ir_dtype_size(d), 1, NULL);
}

void cg_store(cg_kernel *k, ir_ref out, const ir_map *m, LLVMValueRef v)
{
    ir_dtype d = (ir_dtype)k->g->nodes[out].type.dtype;
    int t = cg_store_term(k, out, m);
    int64_t stride;

    if (t < 0)
        return;
    if (!cg_term_varies(k, t)) {
        cg_store_scalar(k, out, m, v);
    } else if (!run_stride(k, &k->terms[t].map, &stride)) {
        LLVMValueRef p = outer_pointer(k, t), offsets = run_offsets(k, &k->terms[t].map);
        if (k->c->lanes == 1)
            store_lanes(k, LLVMBuildInBoundsGEP2(k->c->b, cg_memory_type(k->c, d), p, &offsets, 1, ""), d, 1,
                        v);
        else
            scatter(k, p, d, offsets, cg_to_memory(k->c, d, v));
    } else {
        const ir_map at = k->terms[t].map;
        LLVMValueRef p = outer_pointer(k, t);
        p = cg_element(k->c, p, d, scaled(k->c, k->index[k->vector_dim], stride));
        if (k->streaming && stride == 1 && fills_registers(k, &at, d) && cg_streams(k->g, k->k, out)) {
            store_past(k->c, p, cg_to_memory(k->c, d, v));
            cg_tell_wrote(k->c, p, ir_dtype_size(d), k->c->lanes, NULL);
        } else {
            store_lanes(k, p, d, stride, v);
        }
    }
}
