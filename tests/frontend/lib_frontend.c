/* tests/frontend/lib_frontend.c: see lib_frontend.h. */
#include "tests/frontend/lib_frontend.h"

#include <stdlib.h>
#include <string.h>

tdm_context *open_context(void)
{
    tdm_context *ctx = tdm_context_new(&(tdm_options){.threads = 1, .seed = 7});

    assert_non_null(ctx);
    assert_fine(ctx);
    return ctx;
}

void close_context(tdm_context *ctx)
{
    assert_fine(ctx);
    tdm_context_free(ctx);
}

void assert_error_at(tdm_context *ctx, tdm_status code, const char *const *words, const char *file, int line)
{
    if (tdm_error_code(ctx) != code) {
        print_error("code %d, expected %d: \"%s\"\n", (int)tdm_error_code(ctx), (int)code, tdm_error(ctx));
        _fail(file, line);
    }
    for (; *words; words++)
        if (!strstr(tdm_error(ctx), *words)) {
            print_error("\"%s\" does not say \"%s\"\n", tdm_error(ctx), *words);
            _fail(file, line);
        }
    if (strchr(tdm_error(ctx), '\n')) {
        print_error("more than one line: \"%s\"\n", tdm_error(ctx));
        _fail(file, line);
    }
    tdm_clear_error(ctx);
}

tdm_tensor *numbers(tdm_context *ctx, tdm_dims shape, uint32_t seed)
{
    int64_t n = 1;
    uint32_t s = seed * 2654435761u + 1;

    for (int i = 0; i < shape.rank; i++)
        n *= shape.dims[i];
    float *data = malloc((size_t)n * sizeof *data);
    assert_non_null(data);
    for (int64_t i = 0; i < n; i++) {
        s = s * 1664525u + 1013904223u;
        data[i] = (float)(s >> 8) * 0x1p-23f - 1;
    }
    tdm_tensor *t = tdm_from_data(ctx, TDM_F32, shape, data);
    free(data);
    return t;
}

void assert_same_at(const tdm_tensor *a, const tdm_tensor *b, const char *file, int line)
{
    tdm_dims da = tdm_dims_of(a), db = tdm_dims_of(b);
    size_t bytes = tdm_bytes(a);
    char *x = malloc(bytes + 1), *z = malloc(bytes + 1);

    if (bytes == 0 || tdm_bytes(b) != bytes || tdm_dtype_of(a) != tdm_dtype_of(b) || da.rank != db.rank ||
        memcmp(da.dims, db.dims, (size_t)da.rank * sizeof *da.dims) != 0) {
        print_error("other types, or none\n");
        _fail(file, line);
    }
    _assert_int_equal((uintmax_t)tdm_read(a, x, bytes), TDM_OK, file, line);
    _assert_int_equal((uintmax_t)tdm_read(b, z, bytes), TDM_OK, file, line);
    _assert_memory_equal(x, z, bytes, file, line);
    free(x);
    free(z);
}

built build_graph(tdm_context *ctx, tdm_graph *g)
{
    built b = {.g = g};

    assert_non_null(g);
    tdm_graph_close(ctx);
    assert_fine(ctx);
    b.p = tdm_compile(g, NULL);
    assert_fine(ctx);
    assert_non_null(b.p);
    b.e = tdm_exec_new(b.p);
    assert_fine(ctx);
    assert_non_null(b.e);
    return b;
}

void free_built(built *b)
{
    tdm_exec_free(b->e);
    tdm_program_free(b->p);
    tdm_graph_free(b->g);
    *b = (built){0};
}
