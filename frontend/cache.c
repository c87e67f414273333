/* frontend/cache.c: compiled programs kept on disk (runtime/store.h), so that LLVM isn't even loaded for what
 * was compiled before.
 *
 *   key     the optimised graph with its kernels and buffers; options that codegen reads; this CPU; what of
 *           Tandem and LLVM made the code
 *   folder  the option, else $TANDEM_CACHE, else $XDG_CACHE_HOME/tandem, else ~/.cache/tandem; "off": none
 *
 * Whatever goes wrong with a file, the program is compiled as if there were none; tdm_program_cache tells. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build_id.h"
#include "frontend/fe.h"
#include "runtime/level.h"

/* ---- the folder ---- */

static char *join(const char *a, const char *b)
{
    size_t room = strlen(a) + strlen(b) + 1;
    char *s = malloc(room);

    if (s)
        snprintf(s, room, "%s%s", a, b);
    return s;
}

/* NULL: none.  XDG's rule: a path that is not absolute does not count. */
static char *default_folder(void)
{
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

    if (xdg && xdg[0] == '/')
        return join(xdg, "/tandem");
    return home && home[0] == '/' ? join(home, "/.cache/tandem") : NULL;
}

void fe_cache_open(tdm_context *ctx)
{
    const char *named = ctx->options.cache ? ctx->options.cache : getenv("TANDEM_CACHE");

    ctx->options.cache = NULL; /* the caller's string; ctx->cache is ours */
    if (!ctx->options.cache_bytes)
        ctx->options.cache_bytes = RT_STORE_BYTES;
    if (named && *named)
        ctx->cache = strcmp(named, "off") == 0 ? NULL : strdup(named);
    else
        ctx->cache = default_folder();
}

/* ---- the key ---- */

void fe_cache_options(ir_digest *d, const cg_options *o)
{
    const char *isa = o->isa ? o->isa : "";

    ir_digest_int(d, o->lanes);
    ir_digest_int(d, o->threads);
    ir_digest_int(d, o->check_races);
    ir_digest_int(d, o->freedoms);
    ir_digest_add(d, isa, strlen(isa));
}

static rt_store_key key_of(const tdm_program *p, const cg_options *o)
{
    rt_store_key k = {0};

    ir_digest_graph(&k.program, p->p.graph);
    fe_cache_options(&k.program, o);
    if (!o->isa) /* else the code is for any CPU of that level */
        rt_cpu_digest(&k.cpu);
    ir_digest_add(&k.version, TANDEM_BUILD_ID, strlen(TANDEM_BUILD_ID));
    ir_digest_end(&k.program);
    ir_digest_end(&k.cpu);
    ir_digest_end(&k.version);
    return k;
}

/* ---- programs ---- */

__attribute__((format(printf, 2, 3))) static void say(tdm_program *p, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(p->cache, sizeof p->cache, fmt, ap);
    va_end(ap);
}

static bool load(tdm_program *p, const unsigned char *bytes, size_t size)
{
    ir_error e = {0};
    rt_image m;
    bool ok = rt_image_unpack(&m, bytes, size) && rt_image_load(&m, &p->p, false, &e) == IR_OK;

    free((void *)(uintptr_t)m.kernels);
    return ok;
}

bool fe_cache_load(tdm_program *p, const cg_options *o)
{
    unsigned char *bytes = NULL;
    size_t size = 0;

    if (!p->ctx->cache || o->debug_info) {
        say(p, "%s", o->debug_info ? "off (TANDEM_DEBUG)" : "off");
        return false;
    }
    p->key = key_of(p, o);
    rt_store_result r = rt_store_read(p->ctx->cache, &p->key, &bytes, &size);
    if (r == RT_STORE_HIT && !load(p, bytes, size))
        r = RT_STORE_CORRUPT;
    free(bytes);
    if (r == RT_STORE_HIT)
        say(p, "hit");
    else
        say(p, "miss (%s)", rt_store_reason(r));
    return r == RT_STORE_HIT;
}

void fe_cache_keep(tdm_program *p, const cg_options *o, const rt_image *m, const char *build)
{
    ir_error e = {0};
    size_t size, said = strlen(p->cache);

    if (!p->ctx->cache || o->debug_info)
        return;
    if (strcmp(build, TANDEM_BUILD_ID) != 0) {
        ir_fail(&e, IR_EUNSUPPORTED, "code generation is of another build");
    } else {
        unsigned char *bytes = rt_image_pack(m, &size);
        if (bytes)
            rt_store_write(p->ctx->cache, &p->key, bytes, size, p->ctx->options.cache_bytes, &e);
        free(bytes);
    }
    if (e.status != IR_OK)
        snprintf(p->cache + said, sizeof p->cache - said, ", not kept: %.300s", e.text);
}

/* ---- what users ask ---- */

const char *tdm_program_cache(const tdm_program *p)
{
    return p ? p->cache : "";
}

const char *tdm_cache_folder(const tdm_context *ctx)
{
    return ctx ? ctx->cache : NULL;
}

void tdm_cache_count(const tdm_context *ctx, int *programs, size_t *bytes)
{
    *programs = 0;
    *bytes = 0;
    if (ctx && ctx->cache)
        rt_store_count(ctx->cache, programs, bytes);
}

int tdm_cache_clear(tdm_context *ctx)
{
    return ctx && ctx->cache ? rt_store_clear(ctx->cache) : 0;
}
