/* tools/model.c: models from files and values for their inputs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "tools/cli.h"

tdm_graph *cli_load_model(tdm_context *ctx, const char *path)
{
    size_t size = 0, n = strlen(path);
    if (n > 5 && strcmp(path + n - 5, ".onnx") == 0) {
        cli_bad("%s: .onnx models are not built in yet: expected a .tdm file (text IR)", path);
        return NULL;
    }
    char *text = cli_read_file(path, &size);
    if (!text)
        return NULL;
    tdm_graph *g = tdm_graph_parse(ctx, text, size, path);
    free(text);
    if (!g)
        cli_failed(ctx);
    return g;
}

bool cli_input_option(int opt, cli_inputs *in, bool *bad)
{
    if (opt == 1010) {
        if (in->count == 64 || !strchr(optarg, '='))
            *bad =
                cli_bad("--input %s: expected NAME=FILE.npy, NAME=random[:SEED] or NAME=zeros", optarg) != 0;
        else
            in->set[in->count++] = optarg;
        return true;
    }
    if (opt == 1011) {
        if (in->dim_count == 31 || !strchr(optarg, '='))
            *bad = cli_bad("--dim %s: expected SYM=N", optarg) != 0;
        else
            in->dims[in->dim_count++] = optarg;
        return true;
    }
    return false;
}

const char *cli_node_name(const tdm_graph *g, int node)
{
    tdm_node_info n;
    return tdm_graph_node(g, node, &n) ? n.name : "";
}

void cli_shape_text(const tdm_graph *g, const tdm_node_info *n, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "%s[", tdm_dtype_name(n->dtype));
    for (int i = 0; i < n->rank && used < size; i++) {
        if (n->dims[i] < 0)
            used += (size_t)snprintf(text + used, size - used, "%s%s", i ? "," : "",
                                     tdm_graph_dim_name(g, n->dims[i]));
        else
            used += (size_t)snprintf(text + used, size - used, "%s%lld", i ? "," : "", (long long)n->dims[i]);
    }
    if (used < size)
        snprintf(text + used, size - used, "]");
}

tdm_graph *cli_specialize(tdm_graph *g, const cli_inputs *in)
{
    tdm_graph *s = tdm_graph_specialize(g, in->dims);
    return s;
}

static bool is_float(tdm_dtype d)
{
    return d == TDM_F16 || d == TDM_BF16 || d == TDM_F32 || d == TDM_F64;
}

/* U(seed): the benchmark generator's uniform values in [-1, 1). */
static tdm_tensor *random_tensor(tdm_context *ctx, const tdm_node_info *n, unsigned seed)
{
    tdm_dims shape = {.rank = n->rank};
    int64_t count = 1;
    for (int i = 0; i < n->rank; i++)
        count *= shape.dims[i] = n->dims[i];
    float *u = malloc((size_t)count * sizeof *u);
    if (!u)
        return NULL;
    bench_uniform(u, count, seed, 1, 0);
    tdm_tensor *t = tdm_from_data(ctx, TDM_F32, shape, u);
    free(u);
    return n->dtype == TDM_F32 ? t : tdm_convert(t, n->dtype);
}

static tdm_tensor *zeros(tdm_context *ctx, const tdm_node_info *n)
{
    tdm_dims shape = {.rank = n->rank};
    memcpy(shape.dims, n->dims, sizeof shape.dims);
    return tdm_full(ctx, n->dtype, shape, 0);
}

/* What --input says about `name`; NULL if nothing. */
static const char *setting(const cli_inputs *in, const char *name)
{
    size_t len = strlen(name);
    for (int i = 0; i < in->count; i++)
        if (strncmp(in->set[i], name, len) == 0 && in->set[i][len] == '=')
            return in->set[i] + len + 1;
    return NULL;
}

static tdm_tensor *from_file(tdm_context *ctx, const tdm_graph *g, const tdm_node_info *n, const char *path)
{
    char want[128], got[128];
    tdm_tensor *t = tdm_load_npy(ctx, path);
    if (!tdm_ok(ctx)) {
        cli_failed(ctx);
        return NULL;
    }
    tdm_dims d = tdm_dims_of(t);
    bool fits = tdm_dtype_of(t) == n->dtype && d.rank == n->rank;
    for (int i = 0; fits && i < d.rank; i++)
        fits = d.dims[i] == n->dims[i];
    if (fits)
        return t;
    tdm_node_info have = *n;
    have.dtype = tdm_dtype_of(t);
    have.rank = d.rank;
    memcpy(have.dims, d.dims, sizeof have.dims);
    cli_shape_text(g, n, want, sizeof want);
    cli_shape_text(g, &have, got, sizeof got);
    cli_bad("%s: input '%s' expects %s, found %s", path, n->name, want, got);
    return NULL;
}

static tdm_tensor *make_input(tdm_context *ctx, const tdm_graph *g, const tdm_node_info *n, const char *how,
                              unsigned position)
{
    long long seed = position;
    if (!how)
        return is_float(n->dtype) ? random_tensor(ctx, n, position) : zeros(ctx, n);
    if (strcmp(how, "zeros") == 0)
        return zeros(ctx, n);
    if (strncmp(how, "random", 6) == 0 && (how[6] == '\0' || how[6] == ':')) {
        if (how[6] == ':' && !cli_long(how + 7, 0, UINT32_MAX, &seed)) {
            cli_bad("--input %s=%s: expected random:SEED with a number", n->name, how);
            return NULL;
        }
        return random_tensor(ctx, n, (unsigned)seed);
    }
    return from_file(ctx, g, n, how);
}

/* A name given with --input that the graph does not have. */
static bool all_known(const tdm_graph *g, const cli_inputs *in)
{
    for (int i = 0; i < in->count; i++) {
        size_t len = (size_t)(strchr(in->set[i], '=') - in->set[i]);
        bool known = false;
        for (int k = 0; k < tdm_graph_inputs(g); k++) {
            const char *name = cli_node_name(g, tdm_graph_input(g, k, NULL));
            known |= strlen(name) == len && strncmp(name, in->set[i], len) == 0;
        }
        if (!known) {
            cli_bad("--input %s: graph '%s' has no input or variable of that name", in->set[i],
                    tdm_graph_name(g));
            return false;
        }
    }
    return true;
}

bool cli_make_inputs(tdm_context *ctx, const tdm_graph *g, const cli_inputs *in, tdm_tensor **values)
{
    int count = tdm_graph_inputs(g);
    for (int i = 0; i < count; i++)
        values[i] = NULL;
    if (!all_known(g, in))
        return false;
    tdm_scope_open(ctx);
    bool ok = true;
    for (int i = 0; i < count && ok; i++) {
        tdm_node_info n;
        tdm_graph_node(g, tdm_graph_input(g, i, NULL), &n);
        tdm_tensor *t = make_input(ctx, g, &n, setting(in, n.name), (unsigned)i + 1);
        ok = t && tdm_ok(ctx);
        if (ok)
            values[i] = tdm_variable(t, n.name);
        else if (!tdm_ok(ctx))
            cli_failed(ctx);
    }
    tdm_scope_close(ctx);
    return ok;
}
