/* tests/codegen/test_scalar.c: the contract of bits, row by row.
 *
 * For every pointwise row of ops.def, every dtype it accepts, every lane count and instruction set level: a
 * JIT loop over the row's LLVM value and the C value over the same inputs give the same bits (any NaN equals
 * any NaN).  Inputs: all pairs of special values, moderate values and random bit patterns.  So for converts,
 * clamp, iota and random_bits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <llvm-c/Analysis.h>
#include <llvm-c/Core.h>
#include <llvm-c/ExecutionEngine.h>
#include <llvm-c/Target.h>

#include "codegen/cg.h"
#include "runtime/scalar_c.h"

#define COUNT 4096
#define PASTE_(a, b) a##_##b
#define PASTE(a, b) PASTE_(a, b)

#define EACH "tests/codegen/scalar_rows_c.h"
#include "ir/each_dtype.def"
#undef EACH

/* ---- what C gives ------------------------------------------------------------------------------------- */

/* f16 and bf16: widened, the row of f32, rounded. */
#define HALF_ROW(h, ...)                                                                       \
    static bool c_##h(ir_op op, const void *const *x, void *y)                                 \
    {                                                                                          \
        static float wide[3][COUNT], result[COUNT];                                            \
        const void *w[3] = {op == IR_select ? x[0] : (const void *)wide[0], wide[1], wide[2]}; \
        bool truth = (ir_ops[op].facts & IR_BOOL_RESULT) != 0;                                 \
                                                                                               \
        for (int k = op == IR_select; k < 3; k++)                                              \
            for (int i = 0; i < COUNT; i++)                                                    \
                wide[k][i] = half_from_##h(((const uint16_t *)x[k])[i]);                       \
        if (!c_f32(op, w, truth ? y : (void *)result))                                         \
            return false;                                                                      \
        for (int i = 0; i < COUNT && !truth; i++)                                              \
            ((uint16_t *)y)[i] = half_to_##h(result[i]);                                       \
        return true;                                                                           \
    }
IR_HALVES(HALF_ROW)

static bool c_row(ir_op op, ir_dtype d, const void *const *x, void *y)
{
    switch (d) {
#define X(name, ...) \
    case IR_DT_##name: return c_##name(op, x, y);
        IR_DTYPES(X)
#undef X
    default: return false;
    }
}

/* clang-format off */
/* Converts of one source dtype: a switch over the result's. */
#define TO(a, A, b, B)                                            \
    case IR_DT_##b:                                               \
        for (int i = 0; i < COUNT; i++)                           \
            ((B *)y)[i] = s_convert_##a##_##b(((const A *)x)[i]); \
        break;
#define CONVERT_FROM(a, bytes, A, ...)                                                                 \
    static void c_from_##a(ir_dtype to, const void *x, void *y)                                        \
    {                                                                                                  \
        switch (to) {                                                                                  \
            TO(a, A, u8, uint8_t) TO(a, A, u16, uint16_t) TO(a, A, u32, uint32_t)                      \
            TO(a, A, u64, uint64_t) TO(a, A, i8, int8_t) TO(a, A, i16, int16_t)                        \
            TO(a, A, i32, int32_t) TO(a, A, i64, int64_t) TO(a, A, f16, uint16_t)                      \
            TO(a, A, bf16, uint16_t) TO(a, A, f32, float) TO(a, A, f64, double)                        \
        default: c_truth_##a(x, y);                                                                    \
        }                                                                                              \
    }
#define TRUTH(a, bytes, A, ...)                                                                        \
    static void c_truth_##a(const A *x, uint8_t *y)                                                    \
    {                                                                                                  \
        for (int i = 0; i < COUNT; i++)                                                                \
            y[i] = x[i] != 0;                                                                          \
    }
#define HALF_TRUTH(a, ...)                                                                             \
    static void c_truth_##a(const uint16_t *x, uint8_t *y)                                             \
    {                                                                                                  \
        for (int i = 0; i < COUNT; i++)                                                                \
            y[i] = half_from_##a(x[i]) != 0;                                                           \
    }
/* clang-format on */
#pragma push_macro("bool")
#undef bool
TRUTH(bool, 1, uint8_t, )
CONVERT_FROM(bool, 1, uint8_t, )
#pragma pop_macro("bool")
IR_INTEGERS(TRUTH)
IR_REALS(TRUTH)
IR_HALVES(HALF_TRUTH)
IR_INTEGERS(CONVERT_FROM)
IR_HALVES(CONVERT_FROM)
IR_REALS(CONVERT_FROM)

static void c_convert(ir_dtype from, ir_dtype to, const void *x, void *y)
{
    static void (*const convert[IR_DT_COUNT])(ir_dtype, const void *, void *) = {
#define X(name, ...) [IR_DT_##name] = c_from_##name,
        IR_DTYPES(X)
#undef X
    };

    if (from == to)
        memcpy(y, x, COUNT * ir_dtype_size(from));
    else
        convert[from](to, x, y);
}

/* ---- inputs ------------------------------------------------------------------------------------------- */

static double input_f64[3][COUNT];
static float input_f32[3][COUNT];
static int64_t input_i64[3][COUNT];
static uint32_t input_32[3][COUNT];
static uint8_t input_u8[3][COUNT], input_bool[3][COUNT];
static uint16_t input_16[3][COUNT], input_f16[3][COUNT], input_bf16[3][COUNT];

static uint64_t random_state = 7;

static uint64_t draw(void) /* splitmix64 */
{
    uint64_t z = (random_state += 0x9E3779B97F4A7C15u);

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static const double special[] = {0.0,
                                 -0.0,
                                 1.0,
                                 -1.0,
                                 INFINITY,
                                 -INFINITY,
                                 NAN,
                                 0x1p-149,
                                 -0x1p-149,
                                 0x1p-1074,
                                 0x1.fp-127,
                                 0x1p-126,
                                 0x1.fffffep127,
                                 -0x1.fffffep127,
                                 0x1.fffffffffffffp1023,
                                 0x1p-1022,
                                 0.5,
                                 1.5,
                                 2.5,
                                 -2.5,
                                 3.0,
                                 -3.0,
                                 0x1p31,
                                 -0x1p31,
                                 0x1p32,
                                 0x1p63,
                                 -0x1p63,
                                 255.5,
                                 256.0,
                                 88.8,
                                 -104.0,
                                 709.9};
static const int64_t special_int[] = {
    0,          1,         -1,        2,   7,   8,   9,   31,   32,        33,
    63,         64,        65,        127, 128, 255, 256, -128, INT32_MIN, INT32_MAX,
    UINT32_MAX, INT64_MIN, INT64_MAX, -2,  10,  -10, 3,   200,  0x1000001, 0x20000000000001,
    -7,         100};
enum { SPECIALS = sizeof special / sizeof special[0] };
_Static_assert(sizeof special_int / sizeof special_int[0] == SPECIALS, "one index serves both");

static double draw_double(int i)
{
    uint64_t b = draw();
    double v;

    memcpy(&v, &b, sizeof v);
    return i % 4 == 0 ? v
                      : ((double)(b >> 11) * 0x1p-53 - 0.4) * (i % 4 == 1   ? 9.0
                                                               : i % 4 == 2 ? 200.0
                                                                            : 2.0);
}

static float draw_float(int i)
{
    uint32_t b = (uint32_t)draw();
    float v;

    memcpy(&v, &b, sizeof v);
    return i % 4 == 0 ? v : (float)draw_double(i);
}

static int fill_inputs(void **state)
{
    (void)state;
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < COUNT; i++) {
            int s = (k == 0 ? i : i / SPECIALS) % SPECIALS;
            bool pairs = i < SPECIALS * SPECIALS;
            int64_t n = pairs ? special_int[s] : (int64_t)(draw() >> (draw() % 64));
            input_f64[k][i] = pairs ? special[s] : draw_double(i);
            input_f32[k][i] = pairs ? (float)special[s] : draw_float(i);
            input_i64[k][i] = n;
            input_32[k][i] = (uint32_t)n;
            input_16[k][i] = (uint16_t)n;
            input_u8[k][i] = (uint8_t)n;
            ir_element_set(IR_DT_f16, &input_f16[k][i], input_f64[k][i]);
            ir_element_set(IR_DT_bf16, &input_bf16[k][i], input_f64[k][i]);
            if (!pairs && i % 2) /* any bits */
                input_f16[k][i] = input_bf16[k][i] = (uint16_t)draw();
            input_bool[k][i] = draw() & 1;
        }
    return 0;
}

static const void *input(ir_dtype d, int k)
{
    switch (d) {
    case IR_DT_bool: return input_bool[k];
    case IR_DT_f16: return input_f16[k];
    case IR_DT_bf16: return input_bf16[k];
    case IR_DT_f32: return input_f32[k];
    case IR_DT_f64: return input_f64[k];
    default: break;
    }
    switch (ir_dtype_size(d)) {
    case 1: return input_u8[k];
    case 2: return input_16[k];
    case 4: return input_32[k];
    default: return input_i64[k];
    }
}

/* ---- the JIT loop ------------------------------------------------------------------------------------- */

typedef struct job {
    ir_op op;
    ir_attrs attrs;
    ir_dtype operand, result;
    int arity;
} job;

static ir_dtype operand_dtype(const job *j, int k)
{
    return j->op == IR_select && k == 0 ? IR_DT_bool : j->operand;
}

static LLVMValueRef element_pointer(cg *c, ir_dtype d, LLVMValueRef base, LLVMValueRef i)
{
    return LLVMBuildGEP2(c->b, cg_memory_type(c, d), base, &i, 1, "");
}

static LLVMValueRef load(cg *c, ir_dtype d, LLVMValueRef base, LLVMValueRef i)
{
    LLVMValueRef v =
        LLVMBuildLoad2(c->b, cg_vector_of(c, cg_memory_type(c, d)), element_pointer(c, d, base, i), "");

    LLVMSetAlignment(v, (unsigned)ir_dtype_size(d));
    if (ir_dtype_is_half(d))
        return cg_half_load(c, d, v);
    return d == IR_DT_bool ? LLVMBuildTrunc(c->b, v, cg_vector_of(c, cg_scalar_type(c, d)), "") : v;
}

static void store(cg *c, ir_dtype d, LLVMValueRef base, LLVMValueRef i, LLVMValueRef v)
{
    if (d == IR_DT_bool)
        v = LLVMBuildZExt(c->b, v, cg_vector_of(c, cg_memory_type(c, d)), "");
    if (ir_dtype_is_half(d))
        v = cg_half_store(c, d, v);
    LLVMSetAlignment(LLVMBuildStore(c->b, v, element_pointer(c, d, base, i)), (unsigned)ir_dtype_size(d));
}

/* Operand k at element i: a vector, or for random_bits the k-th word of the state, splatted. */
static LLVMValueRef operand(cg *c, const job *j, LLVMValueRef table, int k, LLVMValueRef i)
{
    LLVMTypeRef ptr = LLVMPointerTypeInContext(c->ctx, 0);
    LLVMValueRef slot = cg_i64(c, j->op == IR_random_bits ? 0 : k);
    LLVMValueRef base = LLVMBuildLoad2(c->b, ptr, LLVMBuildGEP2(c->b, ptr, table, &slot, 1, ""), "");

    if (j->op != IR_random_bits)
        return load(c, operand_dtype(j, k), base, i);
    LLVMTypeRef u32 = cg_scalar_type(c, IR_DT_u32);
    LLVMValueRef word = cg_i64(c, k);
    return cg_splat(c, LLVMBuildLoad2(c->b, u32, LLVMBuildGEP2(c->b, u32, base, &word, 1, ""), ""));
}

static void set_target(cg *c, const char *cpu)
{
    const char *names[] = {"target-cpu", "prefer-vector-width"}, *values[] = {cpu, "512"};

    for (int i = 0; i < 2; i++) {
        LLVMAttributeRef a = LLVMCreateStringAttribute(c->ctx, names[i], (unsigned)strlen(names[i]),
                                                       values[i], (unsigned)strlen(values[i]));
        LLVMAddAttributeAtIndex(c->fn, LLVMAttributeFunctionIndex, a);
    }
}

/* void NAME(const void *const *x, void *y): y[i] = value(x[0][i], ..) for i < COUNT. */
static void emit(cg *c, const job *j, const char *name, const char *cpu)
{
    LLVMTypeRef ptr = LLVMPointerTypeInContext(c->ctx, 0), i64 = LLVMInt64TypeInContext(c->ctx);
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(c->ctx), (LLVMTypeRef[]){ptr, ptr}, 2, 0);

    c->fn = LLVMAddFunction(c->module, name, type);
    set_target(c, cpu);
    LLVMBasicBlockRef entry = LLVMAppendBasicBlockInContext(c->ctx, c->fn, "");
    LLVMBasicBlockRef body = LLVMAppendBasicBlockInContext(c->ctx, c->fn, "body");
    LLVMBasicBlockRef done = LLVMAppendBasicBlockInContext(c->ctx, c->fn, "done");
    LLVMPositionBuilderAtEnd(c->b, entry);
    LLVMBuildBr(c->b, body);
    LLVMPositionBuilderAtEnd(c->b, body);
    LLVMValueRef i = LLVMBuildPhi(c->b, i64, "i"), x[4];
    for (int k = 0; k < j->arity; k++)
        x[k] = operand(c, j, LLVMGetParam(c->fn, 0), k, i);
    LLVMValueRef linear = LLVMBuildAdd(c->b, cg_splat(c, i), cg_lane_ids(c, i64), "");
    LLVMValueRef y = cg_value(c, j->op, &j->attrs, j->operand, j->result, x, j->arity, linear);
    assert_non_null(y);
    store(c, j->result, LLVMGetParam(c->fn, 1), i, y);
    LLVMValueRef next = LLVMBuildAdd(c->b, i, cg_i64(c, c->lanes), "");
    LLVMAddIncoming(i, (LLVMValueRef[]){cg_i64(c, 0), next}, (LLVMBasicBlockRef[]){entry, body}, 2);
    LLVMBuildCondBr(c->b, LLVMBuildICmp(c->b, LLVMIntULT, next, cg_i64(c, COUNT), ""), body, done);
    LLVMPositionBuilderAtEnd(c->b, done);
    LLVMBuildRetVoid(c->b);
}

/* ---- comparison --------------------------------------------------------------------------------------- */

static bool is_nan(ir_dtype d, const void *p)
{
    double v = ir_element_get(d, p);

    return v != v;
}

static uint64_t bits_at(ir_dtype d, const void *y, int i)
{
    uint64_t b = 0;

    memcpy(&b, (const char *)y + (size_t)i * ir_dtype_size(d), ir_dtype_size(d));
    return b;
}

static int compare(const job *j, const char *cpu, int lanes, const void *jit, const void *c)
{
    size_t size = ir_dtype_size(j->result);

    for (int i = 0; i < COUNT; i++) {
        const char *a = (const char *)jit + (size_t)i * size, *b = (const char *)c + (size_t)i * size;
        if (!memcmp(a, b, size) || (is_nan(j->result, a) && is_nan(j->result, b)))
            continue;
        print_error("%s %s -> %s, %s, %d lanes, element %d: jit %llx, C %llx; operands %llx %llx\n",
                    ir_ops[j->op].name, ir_dtype_name(j->operand), ir_dtype_name(j->result), cpu, lanes, i,
                    (unsigned long long)bits_at(j->result, jit, i),
                    (unsigned long long)bits_at(j->result, c, i),
                    (unsigned long long)bits_at(j->operand, input(j->operand, 0), i),
                    (unsigned long long)bits_at(j->operand, input(j->operand, 1), i));
        return 1;
    }
    return 0;
}

static const uint32_t philox_state[4] = {0x12345678u, 0x9abcdef0u, 0xfffffffeu, 5u};

/* Element i of a clamp: a clamp of f64 with the bounds rounded is exact in every dtype. */
static void c_clamp(const job *j, const void *x, void *y, int i)
{
    size_t at = (size_t)i * ir_dtype_size(j->operand);
    double bound[2];

    ir_element_set(j->operand, &bound[0], j->attrs.clamp.lo);
    ir_element_set(j->operand, &bound[1], j->attrs.clamp.hi);
    double lo = ir_element_get(j->operand, &bound[0]), hi = ir_element_get(j->operand, &bound[1]);
    ir_element_set(j->operand, (char *)y + at,
                   s_clamp_f64(ir_element_get(j->operand, (const char *)x + at), lo, hi));
}

static void expected(const job *j, const void *const *x, void *y)
{
    switch (j->op) {
    case IR_convert: c_convert(j->operand, j->result, x[0], y); break;
    case IR_clamp:
        for (int i = 0; i < COUNT; i++)
            c_clamp(j, x[0], y, i);
        break;
    case IR_iota: {
        int64_t ids[COUNT];
        for (int i = 0; i < COUNT; i++)
            ids[i] = i;
        c_convert(IR_DT_i64, j->result, ids, y);
        break;
    }
    case IR_random_bits:
        for (int i = 0; i < COUNT; i++)
            ((uint32_t *)y)[i] = s_philox(philox_state, j->attrs.random.offset, (uint64_t)i);
        break;
    default: assert_true(c_row(j->op, j->operand, x, y)); break;
    }
}

typedef void loop_fn(const void *const *x, void *y);

static int run(const job *j, const char *cpu, int lanes, loop_fn *f)
{
    static _Alignas(64) char jit[COUNT * 8], c[COUNT * 8];
    const void *x[3];

    for (int k = 0; k < 3; k++)
        x[k] = input(operand_dtype(j, k), k);
    expected(j, x, c);
    if (j->op == IR_random_bits)
        x[0] = philox_state;
    memset(jit, 0xAA, sizeof jit);
    f(x, jit);
    return compare(j, cpu, lanes, jit, c);
}

/* ---- jobs --------------------------------------------------------------------------------------------- */

static int add_job(job *jobs, int n, ir_op op, ir_dtype operand, ir_dtype result, int arity)
{
    memset(&jobs[n], 0, sizeof jobs[n]);
    jobs[n].op = op;
    jobs[n].operand = operand;
    jobs[n].result = result;
    jobs[n].arity = arity;
    return n + 1;
}

/* Every pointwise row and generator for operands (generators: results) of dtype d. */
static int list_jobs(ir_dtype d, job *jobs)
{
    int n = 0;

    for (int op = 0; op < IR_OP_COUNT; op++) {
        const ir_op_info *info = &ir_ops[op];
        if (!(info->dtypes & (1u << d)) || (info->cls != IR_POINTWISE && info->cls != IR_GENERATE))
            continue;
        if (op == IR_convert) {
            for (int to = 0; to < IR_DT_COUNT; to++)
                n = add_job(jobs, n, IR_convert, d, (ir_dtype)to, 1);
            continue;
        }
        n = add_job(jobs, n, (ir_op)op, d, info->facts & IR_BOOL_RESULT ? IR_DT_bool : d,
                    op == IR_random_bits ? 4 : info->arity);
        if (op == IR_clamp) {
            jobs[n - 1].attrs.clamp.lo = -0.1;
            jobs[n - 1].attrs.clamp.hi = 3.3;
        }
        if (op == IR_random_bits)
            jobs[n - 1].attrs.random.offset = 3;
    }
    return n;
}

static int check(ir_dtype d, const char *cpu, bool wide, int lanes)
{
    job jobs[64];
    char name[16], *message = NULL;
    ir_error err = {0};
    int n = list_jobs(d, jobs), bad = 0;
    LLVMContextRef ctx = LLVMContextCreate();
    LLVMModuleRef module = LLVMModuleCreateWithNameInContext("scalar", ctx);
    LLVMExecutionEngineRef engine;
    struct LLVMMCJITCompilerOptions options;
    cg c = {.ctx = ctx,
            .module = module,
            .b = LLVMCreateBuilderInContext(ctx),
            .lanes = lanes,
            .register_bytes = strcmp(cpu, "x86-64-v4") == 0 ? 64 : 16,
            .has_fma = wide,
            .has_gather = wide,
            .has_f16c = wide,
            .err = &err};

    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "f%d", i);
        emit(&c, &jobs[i], name, cpu);
    }
    if (LLVMVerifyModule(module, LLVMReturnStatusAction, &message))
        fail_msg("%s", message);
    LLVMDisposeMessage(message);
    LLVMInitializeMCJITCompilerOptions(&options, sizeof options);
    options.OptLevel = 1;
    if (LLVMCreateMCJITCompilerForModule(&engine, module, &options, sizeof options, &message))
        fail_msg("%s", message);
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "f%d", i);
        bad += run(&jobs[i], cpu, lanes, (loop_fn *)(uintptr_t)LLVMGetFunctionAddress(engine, name));
    }
    LLVMDisposeBuilder(c.b);
    LLVMDisposeExecutionEngine(engine);
    LLVMContextDispose(ctx);
    return bad;
}

static void check_level(const char *cpu, bool wide)
{
    static const int lanes[] = {1, 4, 8, 16};
    int bad = 0;

    for (int d = 0; d < IR_DT_COUNT; d++)
        for (int l = 0; l < 4; l++)
            bad += check((ir_dtype)d, cpu, wide, lanes[l]);
    assert_int_equal(bad, 0);
}

static void test_baseline(void **state)
{
    (void)state;
    check_level("x86-64", false);
}

static void test_avx2(void **state)
{
    (void)state;
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        skip();
    check_level("x86-64-v3", true);
}

static void test_avx512(void **state)
{
    (void)state;
    if (!__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq") ||
        !__builtin_cpu_supports("avx512bw"))
        skip();
    check_level("x86-64-v4", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_baseline),
        cmocka_unit_test(test_avx2),
        cmocka_unit_test(test_avx512),
    };

    LLVMInitializeNativeTarget();
    LLVMInitializeNativeAsmPrinter();
    LLVMLinkInMCJIT();
    return cmocka_run_group_tests(tests, fill_inputs, NULL);
}
