/* tools/cmd_train.c: `tandem train`: the built-in jobs on real data, in one engine or both side by side. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/side_by_side.h"
#include "tools/train.h"

#define FASHION_DIR "/usr/share/datasets/fashion-mnist"

typedef struct train_args {
    tdm_options options;
    bool engine[2]; /* static, eager */
    int epochs;
    const char *dir, *json;
} train_args;

static const char help[] =
    "  NAME               fashion (784-256-128-10 on the 60,000 + 10,000 images of Fashion-MNIST,\n"
    "                     batch 128) or digits (64-128-64-10 on the UCI digits built into the\n"
    "                     command, batch 32)\n"
    "  --engine E         static (default), eager or both: both must agree to the last bit\n"
    "  --epochs N         default 5 (fashion), 30 (digits)\n"
    "  --data DIR         folder of the four Fashion-MNIST files (default: the Debian package's);\n"
    "                     without them fashion falls back to digits, saying so\n"
    "  --json FILE        losses, accuracies, step times and the hash of the parameters\n" CLI_RUN_HELP
    "\nAdam 1e-3, He-uniform weights, zero biases, shuffled by --seed (default 1).\n";

/* Row numbers of one epoch, shuffled by (seed, epoch): Fisher and Yates over splitmix64. */
static void shuffle(int *order, int n, uint64_t seed, int epoch)
{
    uint64_t state = seed * 0x9E3779B97F4A7C15u + (uint64_t)epoch * 0xD1B54A32D192ED03u;
    for (int i = 0; i < n; i++)
        order[i] = i;
    for (int i = n - 1; i > 0; i--) {
        uint64_t z = state += 0x9E3779B97F4A7C15u;
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
        z = (z ^ z >> 27) * 0x94D049BB133111EBu;
        z ^= z >> 31;
        int k = (int)(z % (uint64_t)(i + 1)), t = order[i];
        order[i] = order[k];
        order[k] = t;
    }
}

static void print_epoch(trainer *const *run, int count, int epoch, bool same)
{
    printf("epoch %-3d", epoch + 1);
    for (int i = 0; i < count; i++)
        printf("  %s: loss %.9f  test accuracy %5.2f %%", run[i]->engine, run[i]->loss[epoch],
               run[i]->accuracy[epoch] * 100);
    if (count == 2)
        printf("  losses %s", same ? "equal to the last bit" : "DIFFER");
    printf("\n");
    fflush(stdout);
}

/* All epochs; *same: every step's loss had the same bits in both engines. */
static bool run_epochs(trainer *const *run, int count, const train_config *c, const dataset *d, bool *same)
{
    int steps = train_steps(c, d);
    int *order = malloc((size_t)d->train_count * sizeof *order);
    bool ok = order != NULL;

    for (int e = 0; e < c->epochs && ok; e++) {
        char label[32];
        snprintf(label, sizeof label, "epoch %d", e + 1);
        shuffle(order, d->train_count, c->seed, e);
        for (int i = 0; i < count && ok; i++)
            ok = trainer_epoch(run[i], e, order, label);
        bool equal = ok && (count < 2 || memcmp(run[0]->step_loss, run[1]->step_loss,
                                                (size_t)steps * sizeof(double)) == 0);
        *same = *same && equal;
        if (ok)
            print_epoch(run, count, e, equal);
    }
    free(order);
    return ok;
}

static void print_compile(const trainer *t, double eager_us)
{
    double ms;
    const char *name;
    printf("\nbuild %.2f ms", t->define_s * 1e3);
    for (int i = 0; (name = tdm_program_stage(t->program, i, &ms)); i++)
        printf(", %s %.2f", name, ms);
    printf(" (compile %.1f ms in all); first run %.3f ms, steady %.3f ms\n", t->compile_s * 1e3,
           t->first_s * 1e3, t->step_us * 1e-3);
    double calls = side_break_even(t->define_s + t->compile_s, eager_us, t->step_us);
    if (eager_us > 0 && calls >= 0)
        printf("compiling has paid after %.0f steps\n", calls);
    else if (eager_us > 0)
        printf("compiling does not pay here: a static step is not faster\n");
}

/* The values of the program's inputs and variables, in its order. */
static tdm_tensor *value_of(const trainer *t, const char *name)
{
    if (strcmp(name, "x") == 0)
        return t->x;
    if (strcmp(name, "labels") == 0)
        return t->labels;
    for (int i = 0; i < 2 * t->model.layers; i++)
        if (strcmp(tdm_name(t->model.p[i]), name) == 0)
            return t->model.p[i];
    return NULL;
}

/* Kernel by kernel beside the eager ops; runs more steps, so it comes last. */
static bool print_side_by_side(trainer *t)
{
    const tdm_graph *g = tdm_program_graph(t->program);
    int n = tdm_graph_inputs(g);
    tdm_tensor **values = calloc((size_t)n + 1, sizeof *values);
    side_table table = {0};
    bool ok = values != NULL;

    tdm_scope_open(t->ctx);
    for (int i = 0; i < n && ok; i++) {
        tdm_node_info node;
        tdm_graph_node(g, tdm_graph_input(g, i, NULL), &node);
        tdm_dims shape = {.rank = node.rank};
        memcpy(shape.dims, node.dims, sizeof shape.dims);
        values[i] = value_of(t, node.name);
        /* optimiser state: any values cost the same */
        if (!values[i])
            values[i] = tdm_zeros(t->ctx, node.dtype, shape);
    }
    ok = ok && side_measure(t->ctx, t->program, t->exec, values, 15, &table);
    if (ok) {
        printf("\n");
        side_print(&table, t->program);
    }
    side_free(&table);
    free(values);
    tdm_scope_close(t->ctx);
    if (!ok && !tdm_ok(t->ctx))
        cli_failed(t->ctx);
    return ok;
}

static json_t *reals(const double *v, int n)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(list, json_real(v[i]));
    return list;
}

static int write_json(const train_args *a, const train_config *c, const dataset *d, trainer *const *run,
                      int count, bool same)
{
    json_t *each = json_object();
    for (int i = 0; i < count; i++)
        json_object_set_new(each, run[i]->engine,
                            json_pack("{s:o,s:o,s:f,s:s}", "loss", reals(run[i]->loss, c->epochs), "accuracy",
                                      reals(run[i]->accuracy, c->epochs), "step_us", run[i]->step_us,
                                      "params_sha256", run[i]->sha256));
    json_t *all = json_pack("{s:s,s:i,s:o}", "dataset", d->name, "epochs", c->epochs, "engines", each);
    if (count == 2)
        json_object_set_new(all, "bit_identical", json_boolean(same));
    int bad = json_dump_file(all, a->json, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    json_decref(all);
    return bad ? cli_bad("%s: can't be written", a->json) : CLI_OK;
}

static void print_summary(trainer *const *run, int count, bool same)
{
    const trainer *fixed = NULL, *eager = NULL;
    for (int i = 0; i < count; i++)
        *(run[i]->eager ? &eager : &fixed) = run[i];
    printf("\n");
    for (int i = 0; i < count; i++)
        printf("%-7s step %8.1f us   parameters sha256 %s\n", run[i]->engine, run[i]->step_us,
               run[i]->sha256);
    if (count == 2)
        printf("losses and parameters: %s\n", same ? "the same bits in both engines" : "DIFFERENT");
    if (fixed)
        printf("memory: static arena, outputs and constants %.2f MB",
               (double)tdm_program_memory_bytes(fixed->program) * 1e-6);
    if (eager)
        printf("%seager peak %.2f MB of tensors",
               fixed ? "; " : "memory: ", (double)eager->peak_bytes * 1e-6);
    printf("\n");
    if (fixed)
        print_compile(fixed, eager ? eager->step_us : 0);
}

static int train(const train_args *a, const train_config *c, const dataset *d)
{
    trainer runs[2] = {0}, *run[2];
    int count = 0;
    bool ok = true, same = true;

    for (int e = 0; e < 2; e++)
        if (a->engine[e]) {
            run[count] = &runs[count];
            ok = ok && trainer_open(run[count], e == 1, &a->options, c, d);
            count++;
        }
    ok = ok && run_epochs(run, count, c, d, &same);
    for (int i = 0; i < count && ok; i++)
        trainer_finish(run[i]);
    int status = ok ? CLI_OK : CLI_BAD;
    if (ok) {
        same = same && (count < 2 || strcmp(run[0]->sha256, run[1]->sha256) == 0);
        print_summary(run, count, same);
        if (a->json)
            status = write_json(a, c, d, run, count, same);
        for (int i = 0; i < count && count == 2; i++)
            if (!run[i]->eager && !print_side_by_side(run[i]))
                status = CLI_BAD;
        if (!same && status == CLI_OK)
            status = CLI_DIFFERENT;
    }
    for (int i = 0; i < count; i++)
        trainer_close(run[i]);
    return status;
}

/* Data and configuration of a job by name; false after a message. */
static bool prepare(const train_args *a, const char *name, train_config *c, dataset *d)
{
    char why[512];
    bool fashion = strcmp(name, "fashion") == 0;

    if (!fashion && strcmp(name, "digits") != 0) {
        cli_bad("train: there is no job '%s': expected fashion or digits", name);
        return false;
    }
    if (fashion && !dataset_fashion(d, a->dir ? a->dir : FASHION_DIR, why, sizeof why)) {
        if (a->dir) {
            cli_bad("%s", why);
            return false;
        }
        printf("Fashion-MNIST is not here (%s): training on the built-in digits instead.\n", why);
        fashion = false;
    }
    if (!fashion && !dataset_digits(d, why, sizeof why)) {
        cli_bad("%s", why);
        return false;
    }
    *c =
        fashion
            ? (train_config){.epochs = 5, .batch = 128, .layers = 3, .sizes = {784, 256, 128, 10}, .lr = 1e-3}
            : (train_config){.epochs = 30, .batch = 32, .layers = 3, .sizes = {64, 128, 64, 10}, .lr = 1e-3};
    if (a->epochs)
        c->epochs = a->epochs;
    c->seed = a->options.seed;
    printf("%s: %d training and %d test images, %lld-%lld-%lld-%lld, batch %d, Adam %g, seed %llu, %s\n",
           d->name, d->train_count, d->test_count, (long long)c->sizes[0], (long long)c->sizes[1],
           (long long)c->sizes[2], (long long)c->sizes[3], c->batch, c->lr, (unsigned long long)c->seed,
           a->engine[0] && a->engine[1] ? "both engines"
           : a->engine[0]               ? "static"
                                        : "eager");
    return true;
}

static bool parse_engine(train_args *a, const char *e)
{
    a->engine[0] = strcmp(e, "static") == 0 || strcmp(e, "both") == 0;
    a->engine[1] = strcmp(e, "eager") == 0 || strcmp(e, "both") == 0;
    if (!a->engine[0] && !a->engine[1])
        cli_bad("--engine %s: expected static, eager or both", e);
    return a->engine[0] || a->engine[1];
}

int cmd_train(int argc, char **argv)
{
    static const struct option options[] = {{"engine", required_argument, NULL, 1},
                                            {"epochs", required_argument, NULL, 2},
                                            {"data", required_argument, NULL, 3},
                                            {"json", required_argument, NULL, 4},
                                            CLI_RUN_OPTIONS};
    train_args a = {.engine = {true, false}, .options.seed = 1};
    train_config c;
    dataset d = {0};
    bool bad = false;

    for (int opt; (opt = cli_next(argc, argv, options)) != -1;) {
        long long v = 0;
        if (opt == 'h') {
            cli_help("train", help);
            return CLI_OK;
        }
        if (opt == '?')
            return CLI_BAD;
        if (opt == 1)
            bad |= !parse_engine(&a, optarg);
        else if (opt == 2) {
            if (!cli_long(optarg, 1, 100000, &v))
                bad = cli_bad("--epochs %s: expected 1 to 100000", optarg) != 0;
            a.epochs = (int)v;
        } else if (opt == 3)
            a.dir = optarg;
        else if (opt == 4)
            a.json = optarg;
        else
            cli_run_option(opt, &a.options, &bad);
    }
    if (bad)
        return CLI_BAD;
    if (argc - optind != 1)
        return cli_bad("train: expected one NAME (fashion or digits), found %d", argc - optind);
    if (!prepare(&a, argv[optind], &c, &d))
        return CLI_BAD;
    int status = train(&a, &c, &d);
    dataset_free(&d);
    return status;
}
