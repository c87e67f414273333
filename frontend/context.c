/* frontend/context.c: the context: options, errors, names, scopes. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/fe.h"

const char *tdm_version(void)
{
    return TANDEM_VERSION;
}

tdm_status fe_status(ir_status s)
{
    _Static_assert((int)TDM_EUNSUPPORTED == (int)IR_EUNSUPPORTED && (int)TDM_ESTATE == (int)IR_ESTATE,
                   "public and internal codes are the same numbers");
    return (tdm_status)s;
}

/* " (model.c:14)" at the end of the message, cut short if need be. */
void fe_locate(tdm_context *ctx, tdm_loc at)
{
    ir_error *e = &ctx->rt.error;
    char place[160];

    if (!at.file || ctx->located)
        return;
    ctx->located = true;
    const char *base = strrchr(at.file, '/');
    int n = snprintf(place, sizeof place, " (%.120s:%u)", base ? base + 1 : at.file, at.line);
    size_t len = strlen(e->text), room = sizeof e->text - 1;
    size_t start = len + (size_t)n > room ? room - (size_t)n : len;
    memcpy(e->text + start, place, (size_t)n + 1);
}

tdm_status fe_fail(tdm_context *ctx, tdm_loc at, ir_status s, const char *fmt, ...)
{
    char text[400];
    va_list ap;

    if (ctx->rt.error.status != IR_OK)
        return fe_status(ctx->rt.error.status);
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    ir_fail(&ctx->rt.error, s, "%s", text);
    fe_locate(ctx, at);
    return fe_status(s);
}

bool fe_valid_dtype(tdm_dtype d)
{
    return (int)d >= 0 && (int)d < IR_DT_COUNT;
}

ir_type fe_type(tdm_dtype d, tdm_dims shape)
{
#define SAME(upper, lower) \
    _Static_assert((int)TDM_##upper == (int)IR_DT_##lower, #lower ": one number in public and inside");
    SAME(U8, u8)
    SAME(U16, u16)
    SAME(U32, u32)
    SAME(U64, u64)
    SAME(I8, i8)
    SAME(I16, i16)
    SAME(I32, i32)
    SAME(I64, i64)
    SAME(F16, f16)
    SAME(BF16, bf16)
    SAME(F32, f32)
    SAME(F64, f64)
#undef SAME
    return ir_type_make((ir_dtype)d, shape.rank, shape.dims);
}

const char *fe_keep_name(tdm_context *ctx, const char *name)
{
    size_t n = strlen(name) + 1;
    fe_name *kept = malloc(sizeof *kept + n);

    if (!kept)
        return NULL;
    memcpy(kept->text, name, n);
    kept->next = ctx->names;
    ctx->names = kept;
    return kept->text;
}

static int available_cpus(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

/* "contract, reassociate" */
static void list_freedoms(char *text, size_t size)
{
    size_t used = 0;

    for (int i = 0; i < IR_FREEDOM_COUNT && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "", ir_freedoms[i].name);
}

static void check_numerics(tdm_context *ctx, const char *where, tdm_numerics mode, unsigned freedoms)
{
    const tdm_loc nowhere = {NULL, 0};
    char known[120];
    _Static_assert(TDM_CONTRACT == IR_FREE(contract) && TDM_REASSOCIATE == IR_FREE(reassociate),
                   "one bit in public and inside");

    list_freedoms(known, sizeof known);
    if (mode != TDM_STRICT && mode != TDM_FAST)
        fe_fail(ctx, nowhere, IR_EARG, "%s: numerics is %d, expected TDM_STRICT or TDM_FAST", where,
                (int)mode);
    else if (freedoms & ~IR_FREE_ALL)
        fe_fail(ctx, nowhere, IR_EARG, "%s: freedoms is 0x%x, expected a set of %s (0x%x)", where, freedoms,
                known, IR_FREE_ALL);
    else if (mode == TDM_STRICT && freedoms)
        fe_fail(ctx, nowhere, IR_EARG, "%s: freedoms is 0x%x, but numerics is TDM_STRICT, which has none",
                where, freedoms);
}

tdm_status tdm_set_numerics(tdm_context *ctx, tdm_numerics mode, unsigned freedoms)
{
    if (!ctx)
        return TDM_EARG;
    check_numerics(ctx, "set_numerics", mode, freedoms);
    if (tdm_ok(ctx)) {
        ctx->options.numerics = mode;
        ctx->options.freedoms = freedoms;
    }
    return tdm_error_code(ctx);
}

unsigned fe_freedoms(const tdm_context *ctx)
{
    const tdm_options *o = &ctx->options;

    return o->numerics == TDM_STRICT ? 0 : o->freedoms ? o->freedoms : IR_FREE_ALL;
}

/* Checks options and sets ctx->options, the kernels and the pool; errors are sticky. */
static const rt_level *apply_options(tdm_context *ctx, const tdm_options *o)
{
    const tdm_loc nowhere = {NULL, 0};
    const rt_level *level = rt_level_best();

    if (o)
        ctx->options = *o;
    if (ctx->options.threads < 0 || ctx->options.threads > 1024)
        fe_fail(ctx, nowhere, IR_EARG, "options: threads is %d, expected 0 to 1024", ctx->options.threads);
    if (ctx->options.threads <= 0)
        ctx->options.threads = available_cpus();
    int w = ctx->options.width;
    if (w != 0 && w != 1 && w != 4 && w != 8 && w != 16)
        fe_fail(ctx, nowhere, IR_EARG, "options: width is %d, expected 16, 8, 4 or 1", w);
    check_numerics(ctx, "options", ctx->options.numerics, ctx->options.freedoms);
    if (ctx->options.isa) {
        const rt_level *named = rt_level_named(ctx->options.isa);
        if (!named)
            fe_fail(ctx, nowhere, IR_EARG,
                    "options: isa '%.40s' is not one of x86-64, x86-64-v3, x86-64-v4, or this CPU lacks it",
                    ctx->options.isa);
        snprintf(ctx->isa, sizeof ctx->isa, "%s", ctx->options.isa);
        ctx->options.isa = named ? ctx->isa : NULL;
        if (named)
            level = named;
    }
    return level;
}

void tdm_memory_budget(tdm_context *ctx, size_t bytes)
{
    if (ctx)
        ctx->options.memory_budget = bytes;
}

tdm_context *tdm_context_new(const tdm_options *options)
{
    tdm_context *ctx = calloc(1, sizeof *ctx);
    if (!ctx)
        return NULL;

    const rt_level *level = apply_options(ctx, options);
    fe_cache_open(ctx);
    ir_error early = ctx->rt.error;
    if ((ctx->options.threads > 1 || ctx->options.check_races) && early.status == IR_OK) {
        ctx->pool = rt_pool_new(ctx->options.threads);
        if (!ctx->pool || (ctx->options.check_races && !rt_pool_check_races(ctx->pool)))
            ir_fail(&early, IR_ENOMEM, "context: %d threads can't be started", ctx->options.threads);
    }
    if (rt_context_init(&ctx->rt, level, ctx->pool) != IR_OK) {
        rt_pool_free(ctx->pool);
        free(ctx->cache);
        free(ctx);
        return NULL;
    }
    ctx->rt.error = early;
    tdm_seed(ctx, ctx->options.seed);
    ir_type none = ir_type_make(IR_DT_f32, 0, NULL);
    ctx->error_tensor = rt_placeholder(&ctx->rt, &none);
    if (!ctx->error_tensor) {
        tdm_context_free(ctx);
        return NULL;
    }
    rt_hold(ctx->error_tensor);
    return ctx;
}

void tdm_context_free(tdm_context *ctx)
{
    if (!ctx)
        return;
    if (ctx->open)
        tdm_graph_free(ctx->open);
    rt_release(ctx->error_tensor);
    rt_context_destroy(&ctx->rt);
    rt_pool_free(ctx->pool);
    fe_customs_free(ctx);
    free(ctx->cache);
    while (ctx->names) {
        fe_name *next = ctx->names->next;
        free(ctx->names);
        ctx->names = next;
    }
    free(ctx); /* the LLVM half stays loaded: unloading it is not safe, and loading it again is free */
}

bool tdm_ok(const tdm_context *ctx)
{
    return ctx->rt.error.status == IR_OK;
}

const char *tdm_error(const tdm_context *ctx)
{
    return ctx->rt.error.status == IR_OK ? "" : ctx->rt.error.text;
}

tdm_status tdm_error_code(const tdm_context *ctx)
{
    return fe_status(ctx->rt.error.status);
}

void tdm_clear_error(tdm_context *ctx)
{
    memset(&ctx->rt.error, 0, sizeof ctx->rt.error);
    if (ctx->open) /* a call that fails appends nothing that the graph returns: it goes on too */
        memset(&ctx->open->g->error, 0, sizeof ctx->open->g->error);
    ctx->located = false;
}

int tdm_threads(const tdm_context *ctx)
{
    return ctx->options.threads;
}

void tdm_seed(tdm_context *ctx, uint64_t seed)
{
    ctx->rt.rng_seed[0] = (uint32_t)seed;
    ctx->rt.rng_seed[1] = (uint32_t)(seed >> 32);
    ctx->rt.rng_counter = 0;
}

uint64_t tdm_random_position(const tdm_context *ctx)
{
    return ctx->rt.rng_counter;
}

void tdm_set_random_position(tdm_context *ctx, uint64_t position)
{
    ctx->rt.rng_counter = position;
}

void tdm_scope_open(tdm_context *ctx)
{
    rt_scope_open(&ctx->rt);
}

void tdm_scope_close(tdm_context *ctx)
{
    rt_scope_close(&ctx->rt);
}

tdm_tensor *tdm_keep(tdm_tensor *t)
{
    return tdm_is_error(t) ? t : rt_keep(t);
}

tdm_tensor *tdm_hold(tdm_tensor *t)
{
    return tdm_is_error(t) ? t : rt_hold(t);
}

void tdm_release(tdm_tensor *t)
{
    if (!tdm_is_error(t))
        rt_release(t);
}

size_t tdm_live_bytes(const tdm_context *ctx)
{
    return ctx->rt.live_bytes;
}

size_t tdm_peak_bytes(const tdm_context *ctx)
{
    return ctx->rt.peak_bytes;
}

void tdm_reset_peak_bytes(tdm_context *ctx)
{
    ctx->rt.peak_bytes = ctx->rt.live_bytes;
}

bool tdm_grad_mode(tdm_context *ctx, bool on)
{
    bool former = ctx->rt.grad_mode;
    ctx->rt.grad_mode = on;
    return former;
}

void tdm_profile(tdm_context *ctx, bool on)
{
    memset(ctx->op_ns, 0, sizeof ctx->op_ns);
    ctx->rt.op_ns = on ? ctx->op_ns : NULL;
}

const char *tdm_profile_op(const tdm_context *ctx, int i, double *ns)
{
    if (i < 0 || i >= IR_OP_COUNT)
        return NULL;
    *ns = ctx->op_ns[i];
    return ir_ops[i].name;
}
