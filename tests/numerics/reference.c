/* tests/numerics/reference.c: see reference.h.  Sections follow the rules of docs/numerics.md. */
#include "numerics/reference.h"
#include "numerics/reference_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/scalar_c.h"

/* ---- elements ------------------------------------------------------------------------------------------ */

typedef ref_value value;

static value load(const rt_array *x, int64_t offset)
{
    ir_dtype d = (ir_dtype)x->type.dtype;
    int size = (int)ir_dtype_size(d), unused = 64 - 8 * size;
    uint64_t bits = 0;
    float f;
    value v = {0, 0};

    memcpy(&bits, (const char *)x->data + offset * size, (size_t)size);
    memcpy(&f, &bits, sizeof f);
    if (ir_dtype_is_half(d))
        v.f = ref_half_value(d, (uint16_t)bits);
    else if (d == IR_DT_f32)
        v.f = (double)f;
    else if (d == IR_DT_f64)
        memcpy(&v.f, &bits, sizeof v.f);
    else
        v.i = ir_dtype_is_signed(d) ? (int64_t)(bits << unused) >> unused : (int64_t)bits;
    return v;
}

/* Integers wrap here, f32 values of f16 and bf16 ops are rounded. */
static void store(const rt_array *y, int64_t at, value v)
{
    ir_dtype d = (ir_dtype)y->type.dtype;
    size_t size = ir_dtype_size(d);
    float f = (float)v.f;
    uint64_t bits = (uint64_t)v.i;

    if (ir_dtype_is_half(d))
        bits = ref_half_bits(d, ref_half_rounded(d, (long double)v.f));
    else if (d == IR_DT_f32)
        memcpy(&bits, &f, sizeof f);
    else if (d == IR_DT_f64)
        memcpy(&bits, &v.f, sizeof v.f);
    memcpy((char *)y->data + at * (int64_t)size, &bits, size);
}

int64_t ref_offset(const rt_array *x, int64_t linear)
{
    int64_t offset = 0;

    for (int i = x->type.rank - 1; i >= 0; i--) {
        offset += linear % x->type.dims[i] * x->strides[i];
        linear /= x->type.dims[i];
    }
    return offset;
}

/* ---- rules 1 and 2: floats ----------------------------------------------------------------------------- */

/* Ops whose value is a scalar program by definition. */
/* clang-format off */
#define PROGRAMS(X) \
    X(exp, x) X(log, x) X(log1p, x) X(sin, x) X(cos, x) X(tanh, x) X(erf, x) X(logistic, x) X(pow, x, z) \
    X(expm1, x) X(exp2, x) X(log2, x) X(tan, x) X(asin, x) X(acos, x) X(atan, x) X(atan2, x, z) X(sinh, x) \
    X(cosh, x) X(asinh, x) X(acosh, x) X(atanh, x)
/* clang-format on */
#define PROGRAM_f32(name, ...) \
    case IR_##name: return v_##name##_f32(__VA_ARGS__);
#define PROGRAM_f64(name, ...) \
    case IR_##name: return v_##name##_f64(__VA_ARGS__);

#define FLOAT_OPS(dt, T, suffix)                                       \
    static T extremum_##dt(T x, T z, bool most)                        \
    {                                                                  \
        if (x != x || z != z)                                          \
            return x + z;                                              \
        if (x == z)                                                    \
            return (signbit(x) != 0) == most ? z : x;                  \
        return (x > z) == most ? x : z;                                \
    }                                                                  \
    static T float_op_##dt(ir_op op, T x, T z)                         \
    {                                                                  \
        switch (op) {                                                  \
        case IR_neg: return -x;                                        \
        case IR_abs: return fabs##suffix(x);                           \
        case IR_sign: return x > 0 ? 1 : x < 0 ? -1 : x;               \
        case IR_sqrt: return sqrt##suffix(x);                          \
        case IR_rsqrt: return 1 / sqrt##suffix(x);                     \
        case IR_relu: return extremum_##dt(x, 0, true);                \
        case IR_stop_gradient: return x;                               \
        case IR_add: return x + z;                                     \
        case IR_sub: return x - z;                                     \
        case IR_mul: return x * z;                                     \
        case IR_div: return x / z;                                     \
        case IR_max: return extremum_##dt(x, z, true);                 \
        case IR_min: return extremum_##dt(x, z, false);                \
        case IR_floor: return floor##suffix(x);                        \
        case IR_ceil: return ceil##suffix(x);                          \
        case IR_round: return rint##suffix(x);                         \
        case IR_rem: return fmod##suffix(x, z); PROGRAMS(PROGRAM_##dt) \
        default: return 0;                                             \
        }                                                              \
    }
FLOAT_OPS(f32, float, f)
FLOAT_OPS(f64, double, )

static value float_value(ir_op op, ir_dtype d, value x, value z)
{
    value y = {0, 0};

    switch (op) {
    case IR_eq: y.i = x.f == z.f; break;
    case IR_ne: y.i = x.f != z.f; break;
    case IR_lt: y.i = x.f < z.f; break;
    case IR_le: y.i = x.f <= z.f; break;
    case IR_gt: y.i = x.f > z.f; break;
    case IR_ge: y.i = x.f >= z.f; break;
    case IR_is_nan: y.i = isnan(x.f) != 0; break;
    case IR_is_finite: y.i = isfinite(x.f) != 0; break;
    default:
        if (d == IR_DT_f64)
            y.f = float_op_f64(op, x.f, z.f);
        else
            y.f = (double)float_op_f32(op, (float)x.f, (float)z.f);
        if (ir_dtype_is_half(d)) /* the f32 value, rounded once */
            y.f = ref_half_rounded(d, (long double)y.f);
    }
    return y;
}

/* ---- rule 3: integers and converts -------------------------------------------------------------------- */

static value converted(value x, ir_dtype from, ir_dtype to)
{
    value y = x;
    long double wide = from == IR_DT_u64 ? (long double)(uint64_t)x.i : (long double)x.i;

    if (ir_dtype_is_half(to))
        y.f = ref_half_rounded(to, ir_dtype_is_float(from) ? (long double)x.f : wide);
    else if (to == IR_DT_bool)
        y.i = ir_dtype_is_float(from) ? x.f != 0 : x.i != 0;
    else if (ir_dtype_is_float(from) && !ir_dtype_is_float(to))
        y.i = ref_saturated(x.f, to);
    else if (ir_dtype_is_float(to) && !ir_dtype_is_float(from))
        y.f = to == IR_DT_f32 ? (double)(float)wide : (double)wide;
    else if (to == IR_DT_f32)
        y.f = (double)(float)x.f;
    return y;
}

static value clamped(value x, const ir_attrs *a, ir_dtype d)
{
    double lo = converted((value){a->clamp.lo, 0}, IR_DT_f64, d).f;
    double hi = converted((value){a->clamp.hi, 0}, IR_DT_f64, d).f;

    if (x.f < lo)
        x.f = lo;
    else if (x.f > hi)
        x.f = hi;
    return x;
}

static void pointwise(ir_op op, const ir_attrs *a, const rt_array *const *x, int n, const rt_array *y)
{
    ir_dtype d = (ir_dtype)x[n - 1]->type.dtype;

    for (int64_t i = 0; i < ir_type_elements(&y->type); i++) {
        value v[3] = {{0, 0}, {0, 0}, {0, 0}};

        for (int j = 0; j < n; j++)
            v[j] = load(x[j], ref_offset(x[j], i));
        if (op == IR_select)
            v[0] = v[0].i ? v[1] : v[2];
        else if (op == IR_convert)
            v[0] = converted(v[0], d, (ir_dtype)y->type.dtype);
        else if (op == IR_clamp)
            v[0] = clamped(v[0], a, d);
        else if (ir_dtype_is_float(d))
            v[0] = float_value(op, d, v[0], v[1]);
        else
            v[0] = (value){0, ref_integer(op, d, v[0].i, v[1].i)};
        store(y, i, v[0]);
    }
}

/* ---- rule 5: products on contiguous elements (sums: reference_runs.c) ---------------------------------- */

#define PRODUCTS(dt, T, suffix)                             \
    static T halves_##dt(T p[64])                           \
    {                                                       \
        for (int h = 32; h >= 1; h /= 2)                    \
            for (int j = 0; j < h; j++)                     \
                p[j] = p[j] + p[j + h];                     \
        return p[0];                                        \
    }                                                       \
    T ref_chain_##dt(const T *a, const T *b, int64_t k)     \
    {                                                       \
        T y = 0;                                            \
                                                            \
        for (int64_t q = 0; q < k; q += 512) {              \
            T acc = 0;                                      \
                                                            \
            for (int64_t p = q; p < q + 512 && p < k; p++)  \
                acc = fma##suffix(a[p], b[p], acc);         \
            y = q == 0 ? acc : y + acc;                     \
        }                                                   \
        return y;                                           \
    }                                                       \
    T ref_tree_##dt(const T *a, const T *b, int64_t k)      \
    {                                                       \
        T s[64] = {0};                                      \
                                                            \
        for (int64_t p = 0; p < k; p++)                     \
            s[p % 64] = fma##suffix(a[p], b[p], s[p % 64]); \
        return halves_##dt(s);                              \
    }
PRODUCTS(f32, float, f)
PRODUCTS(f64, double, )

static ir_op step_of(ir_op op)
{
    switch (op) {
    case IR_reduce_sum: return IR_add;
    case IR_reduce_prod: return IR_mul;
    case IR_reduce_max: return IR_max;
    case IR_reduce_all: return IR_and;
    case IR_reduce_any: return IR_or;
    default: return IR_min;
    }
}

/* Reduces one run whose elements were gathered, row-major, into `run`. */
static value reduce_run(ir_op op, const rt_array *run, int64_t n, bool inner)
{
    ir_dtype d = (ir_dtype)run->type.dtype;
    value y = load(run, 0);

    if (op == IR_reduce_sum && d == IR_DT_f32)
        return (value){(double)(inner ? ref_sum_inner_f32 : ref_sum_outer_f32)(run->data, n), 0};
    if (op == IR_reduce_sum && d == IR_DT_f64)
        return (value){(inner ? ref_sum_inner_f64 : ref_sum_outer_f64)(run->data, n), 0};
    if (op == IR_reduce_prod && d == IR_DT_f32)
        return (value){(double)(inner ? ref_prod_inner_f32 : ref_prod_outer_f32)(run->data, n), 0};
    if (op == IR_reduce_prod && d == IR_DT_f64)
        return (value){(inner ? ref_prod_inner_f64 : ref_prod_outer_f64)(run->data, n), 0};
    for (int64_t i = 1; i < n; i++) {
        value x = load(run, i);
        ir_op step = step_of(op);

        y = ir_dtype_is_float(d) ? float_value(step, d, y, x) : (value){0, ref_integer(step, d, y.i, x.i)};
    }
    return y;
}

/* The first NaN, else the first greatest (least). */
static value arg_run(ir_op op, const rt_array *run, int64_t n)
{
    bool is_float = ir_dtype_is_float((ir_dtype)run->type.dtype);
    int64_t at = 0;

    for (int64_t i = 1; i < n; i++) {
        value best = load(run, at), x = load(run, i);

        if (best.f != best.f)
            break;
        bool is_u64 = run->type.dtype == IR_DT_u64;
        bool above = is_u64 ? (uint64_t)x.i > (uint64_t)best.i : x.i > best.i;
        bool greater = is_float ? x.f > best.f : above;
        bool less = is_float ? x.f < best.f : !above && x.i != best.i;
        if (x.f != x.f || (op == IR_argmax ? greater : less))
            at = i;
    }
    return (value){0, at};
}

/* x reduced over the axes of `set` as one list; the result's dims are the other axes. */
static bool reduce_set(ir_op op, const rt_array *x, unsigned set, bool inner, const rt_array *y)
{
    ir_dtype d = (ir_dtype)x->type.dtype;
    rt_array kept = {.type = {.rank = 0}, .data = x->data}, run = kept,
             gathered = {.type = {.dtype = (uint8_t)(ir_dtype_is_half(d) ? IR_DT_f32 : d)}};
    int64_t n;

    for (int i = 0; i < x->type.rank; i++) {
        rt_array *to = set >> i & 1 ? &run : &kept;

        to->strides[to->type.rank] = x->strides[i];
        to->type.dims[to->type.rank++] = x->type.dims[i];
    }
    n = ir_type_elements(&run.type);
    gathered.data = malloc((size_t)n * 8);
    if (!gathered.data)
        return false;
    for (int64_t i = 0; i < ir_type_elements(&kept.type); i++) {
        for (int64_t j = 0; j < n; j++)
            store(&gathered, j, load(x, ref_offset(&kept, i) + ref_offset(&run, j)));
        store(y, i,
              ir_ops[op].cls == IR_INDEX ? arg_run(op, &gathered, n) : reduce_run(op, &gathered, n, inner));
    }
    free(gathered.data);
    return true;
}

/* Runs of adjacent axes, innermost first, each result rounded to the dtype. */
static bool reduce(ir_op op, const ir_attrs *a, const rt_array *x, const rt_array *y)
{
    unsigned left = 0;
    rt_array from = *x;
    bool ok = true;

    for (int i = 0; i < a->n; i++)
        left |= 1u << a->axes[i];
    if (ir_ops[op].cls == IR_INDEX)
        return reduce_set(op, x, left, false, y);
    while (left && ok) {
        int last = 31 - __builtin_clz(left), first = last;
        ir_type t = {.dtype = x->type.dtype};
        unsigned run;
        rt_array to;

        while (first > 0 && left >> (first - 1) & 1)
            first--;
        run = (2u << last) - (1u << first);
        left &= ~run;
        for (int i = 0; i < from.type.rank; i++)
            if (!(run >> i & 1))
                t.dims[t.rank++] = from.type.dims[i];
        to = rt_array_of(&t, left ? malloc(ir_type_bytes(&t)) : y->data);
        ok = to.data && reduce_set(op, &from, run, last == x->type.rank - 1, &to);
        if (from.data != x->data)
            free(from.data);
        from = to;
    }
    return ok;
}

/* Axes of one operand that are neither batch nor contracted. */
static int free_axes(const int8_t *batch, int n, const int8_t *k, int nk, int rank, int *out)
{
    int count = 0;

    for (int i = 0; i < rank; i++) {
        bool used = false;

        for (int j = 0; j < n; j++)
            used |= batch[j] == i;
        for (int j = 0; j < nk; j++)
            used |= k[j] == i;
        if (!used)
            out[count++] = i;
    }
    return count;
}

/* The given axes of x as an array of their own. */
static rt_array axes_of(const rt_array *x, const int *axes, int n)
{
    rt_array y = {.type = {.dtype = x->type.dtype, .rank = (uint8_t)n}, .data = x->data};

    for (int i = 0; i < n; i++) {
        y.type.dims[i] = x->type.dims[axes[i]];
        y.strides[i] = x->strides[axes[i]];
    }
    return y;
}

static rt_array axes_of8(const rt_array *x, const int8_t *axes, int n)
{
    int wide[IR_MAX_RANK] = {0};

    for (int i = 0; i < n; i++)
        wide[i] = axes[i];
    return axes_of(x, wide, n);
}

static value product(const rt_array *a, const rt_array *b, int64_t k, bool tree)
{
    if (a->type.dtype == IR_DT_f32)
        return (value){(double)(tree ? ref_tree_f32 : ref_chain_f32)(a->data, b->data, k), 0};
    return (value){(tree ? ref_tree_f64 : ref_chain_f64)(a->data, b->data, k), 0};
}

static bool dot(const ir_attrs *t, const rt_array *x, const rt_array *z, const rt_array *y)
{
    int lf[IR_MAX_RANK], rf[IR_MAX_RANK];
    int nl = free_axes(t->dot.lhs_batch, t->n, t->dot.lhs_k, t->nk, x->type.rank, lf);
    int nr = free_axes(t->dot.rhs_batch, t->n, t->dot.rhs_k, t->nk, z->type.rank, rf);
    rt_array xb = axes_of8(x, t->dot.lhs_batch, t->n), zb = axes_of8(z, t->dot.rhs_batch, t->n);
    rt_array xm = axes_of(x, lf, nl), zn = axes_of(z, rf, nr);
    rt_array xk = axes_of8(x, t->dot.lhs_k, t->nk), zk = axes_of8(z, t->dot.rhs_k, t->nk);
    int64_t m = ir_type_elements(&xm.type), n = ir_type_elements(&zn.type), k = ir_type_elements(&xk.type),
            at = 0;
    ir_dtype d = (ir_dtype)x->type.dtype;
    rt_array a = {.type = {.dtype = (uint8_t)(ir_dtype_is_half(d) ? IR_DT_f32 : d)},
                  .data = malloc((size_t)k * 8)},
             b = a;

    b.data = malloc((size_t)k * 8);
    for (int64_t s = 0; a.data && b.data && s < ir_type_elements(&xb.type); s++)
        for (int64_t i = 0; i < m; i++) {
            for (int64_t p = 0; p < k; p++)
                store(&a, p, load(x, ref_offset(&xb, s) + ref_offset(&xm, i) + ref_offset(&xk, p)));
            for (int64_t j = 0; j < n; j++) {
                for (int64_t p = 0; p < k; p++)
                    store(&b, p, load(z, ref_offset(&zb, s) + ref_offset(&zn, j) + ref_offset(&zk, p)));
                store(y, at++, product(&a, &b, k, m * n < 64));
            }
        }
    free(a.data);
    free(b.data);
    return at > 0;
}

/* ---- views and pad ---------------------------------------------------------------------------- */

static void view(ir_op op, const ir_attrs *a, const rt_array *x, const rt_array *y)
{
    for (int64_t i = 0; i < ir_type_elements(&y->type); i++) {
        int64_t rest = i, offset = 0;

        for (int j = y->type.rank - 1; j >= 0 && !ir_shares_bytes(op); j--) {
            int64_t at = rest % y->type.dims[j];
            int axis = op == IR_transpose   ? a->axes[j]
                       : op == IR_broadcast ? j - y->type.rank + x->type.rank
                                            : j;

            rest /= y->type.dims[j];
            if (op == IR_slice)
                at = a->slice.start[j] + at * a->slice.step[j];
            if (op == IR_reverse && memchr(a->axes, j, a->n))
                at = x->type.dims[j] - 1 - at;
            if (axis >= 0 && x->type.dims[axis] > 1)
                offset += at * x->strides[axis];
        }
        store(y, i, load(x, ir_shares_bytes(op) ? ref_offset(x, i) : offset));
    }
}

static void pad(const ir_attrs *a, const rt_array *x, const rt_array *y)
{
    memset(y->data, 0, ir_type_bytes(&y->type));
    for (int64_t i = 0; i < ir_type_elements(&x->type); i++) {
        int64_t rest = i, to = 0;

        for (int j = x->type.rank - 1; j >= 0; j--) {
            to += (a->pad.low[j] + rest % x->type.dims[j] * (a->pad.interior[j] + 1)) * y->strides[j];
            rest /= x->type.dims[j];
        }
        store(y, to, load(x, ref_offset(x, i)));
    }
}

/* ---- for the other files ------------------------------------------------------------------------------- */

ref_value ref_at(const rt_array *x, int64_t linear)
{
    return load(x, ref_offset(x, linear));
}

void ref_put(const rt_array *y, int64_t at, ref_value v)
{
    store(y, at, v);
}

ref_value ref_binary(ir_op op, ir_dtype d, ref_value x, ref_value z)
{
    return ir_dtype_is_float(d) ? float_value(op, d, x, z) : (value){0, ref_integer(op, d, x.i, z.i)};
}

/* ---- rule 10 ------------------------------------------------------------------------------------------ */

void ref_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t k0 = key[0], k1 = key[1];

    memcpy(out, counter, 4 * sizeof *out);
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        uint64_t p = (uint64_t)out[0] * 0xD2511F53u, q = (uint64_t)out[2] * 0xCD9E8D57u;
        uint32_t next[4] = {(uint32_t)(q >> 32) ^ out[1] ^ k0, (uint32_t)q, (uint32_t)(p >> 32) ^ out[3] ^ k1,
                            (uint32_t)p};

        memcpy(out, next, sizeof next);
    }
}

static void generate(ir_op op, const ir_attrs *a, const rt_array *const *x, const rt_array *y)
{
    uint32_t s[4] = {0, 0, 0, 0};
    uint64_t call;

    for (int i = 0; i < 4 && op == IR_random_bits; i++)
        s[i] = (uint32_t)load(x[0], ref_offset(x[0], i)).i;
    call = s[2] + ((uint64_t)s[3] << 32) + a->random.offset;
    for (int64_t i = 0; i < ir_type_elements(&y->type); i++) {
        uint32_t counter[4] = {(uint32_t)i, (uint32_t)(i >> 32), (uint32_t)call, (uint32_t)(call >> 32)},
                 out[4];

        ref_philox(counter, s, out);
        store(y, i,
              op == IR_iota ? converted((value){0, i}, IR_DT_i64, (ir_dtype)y->type.dtype)
                            : (value){0, out[0]});
    }
}

bool ref_compute(ir_op op, const ir_attrs *a, const rt_array *const *x, int n, const rt_array *y)
{
    switch (ir_ops[op].cls) {
    case IR_POINTWISE: pointwise(op, a, x, n, y); return true;
    case IR_VIEW: view(op, a, x[0], y); return true;
    case IR_PAD: pad(a, x[0], y); return true;
    case IR_CONCAT: ref_concat(a, x, n, y); return true;
    case IR_REDUCE: return reduce(op, a, x[0], y);
    case IR_CONTRACT: return dot(a, x[0], x[1], y);
    case IR_INDEX:
        if (!ir_op_walks_axes(op))
            return ref_index(op, x, y);
        if (op == IR_argmax || op == IR_argmin)
            return reduce(op, a, x[0], y);
        return ir_dtype_is_half((ir_dtype)x[0]->type.dtype) ? ref_scan_half(op, a, x, n, y)
                                                            : ref_scan(op, a, x, n, y);
    case IR_GENERATE: generate(op, a, x, y); return true;
    case IR_LEAF: break;
    }
    return false;
}
