/* tools/cmd_train.c: `tandem train`: the built-in jobs on real data, in one engine or both side by side. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/train.h"

typedef struct train_args {
    tdm_options options;
    bool engine[2]; /* static, eager */
    int epochs, steps;
    const char *dir, *json, *save, *load;
} train_args;

/* What a whole job came to. */
typedef struct outcome {
    bool same;
    json_t *runs;
    double *results[2]; /* by engine, then run */
} outcome;

static const char options_help[] =
    "\n  --engine E         static (default), eager or both: both must agree to the last bit\n"
    "  --epochs N         default: as above\n"
    "  --steps N          at most N steps of a run\n"
    "  --data DIR         folder of the data files\n"
    "  --save FILE        parameters, optimiser and place in the run, after every epoch, at the\n"
    "                     end, and on SIGUSR1: a .safetensors or .npz file; a job of several\n"
    "                     runs writes FILE-MODEL-SEED\n"
    "  --load FILE        go on where the saved run stopped, in either engine, to the same bits;\n"
    "                     of a job of several runs, those without a file begin afresh\n"
    "  --json FILE        losses, metrics, step times and the hash of the parameters\n" CLI_RUN_HELP
    "\nBatches, initial weights and dropout follow from --seed (here default 1).\n";

static void print_help(void)
{
    char text[8192];
    size_t used = 0;
    for (int i = 0; train_jobs[i] && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "  %-18s %s", train_jobs[i]->name,
                                 train_jobs[i]->about);
    if (used < sizeof text)
        snprintf(text + used, sizeof text - used, "%s", options_help);
    cli_help("train", text);
}

/* All epochs; *same: every step's loss had the same bits in both engines. */
static bool run_epochs(trainer *const *run, int count, bool *same)
{
    const train_plan *p = run[0]->plan;
    bool ok = true;
    for (int e = run[0]->done / p->steps; e < p->epochs && ok && train_epoch_steps(p, e); e++) {
        char label[32];
        snprintf(label, sizeof label, "epoch %d", e + 1);
        for (int i = 0; i < count && ok; i++)
            ok = trainer_epoch(run[i], e, label);
        bool equal = ok && (count < 2 || memcmp(run[0]->step_loss, run[1]->step_loss,
                                                (size_t)train_epoch_steps(p, e) * sizeof(double)) == 0);
        *same = *same && equal;
        if (ok && train_runs(p) == 1)
            train_print_epoch(run, count, e, equal);
    }
    return ok;
}

static const char *text_of(const trainer *t)
{
    return t->text ? t->text : "";
}

/* Ends all trainers of a run, compares and prints them. */
static bool finish_run(trainer *const *run, int count, bool *same)
{
    bool ok = true;
    for (int i = 0; i < count && ok; i++)
        ok = trainer_finish(run[i]);
    if (!ok)
        return false;
    if (count == 2)
        *same = *same && strcmp(run[0]->sha256, run[1]->sha256) == 0 &&
                strcmp(text_of(run[0]), text_of(run[1])) == 0;
    for (int i = 0; i < (*same ? 1 : count); i++)
        if (run[i]->text)
            printf("\n%s\n", run[i]->text);
    if (train_runs(run[0]->plan) > 1) {
        train_print_run(run, count, *same);
        return true;
    }
    printf("\n");
    if (count == 2)
        printf("losses and parameters of %d steps: %s\n", run[0]->done,
               *same ? "the same bits in both engines" : "DIFFERENT");
    train_print_costs(run, count);
    for (int i = 0; i < count && count == 2 && ok; i++)
        ok = run[i]->eager || train_print_kernels(run[i]);
    return ok;
}

static void record(trainer *const *run, int count, int number, bool same, outcome *out)
{
    const train_plan *p = run[0]->plan;
    json_t *one =
        json_pack("{s:I,s:o}", "seed", (json_int_t)run[0]->seed, "engines", train_run_json(run, count));
    if (p->job->models)
        json_object_set_new(one, "model", json_string(p->job->models[run[0]->model]));
    if (count == 2)
        json_object_set_new(one, "bit_identical", json_boolean(same));
    json_array_append_new(out->runs, one);
    for (int i = 0; i < count; i++)
        out->results[run[i]->eager][number] = run[i]->result;
    out->same = out->same && same;
}

/* --load and --save: the first trainer writes for all. */
static bool begin_run(const train_args *a, trainer *const *run, int count, int number)
{
    char *from = a->load ? train_run_path(run[0], a->load) : NULL;
    bool ok = (!a->load || from) && (!a->save || (run[0]->save = train_run_path(run[0], a->save)));
    if (!ok)
        cli_bad("out of memory");
    bool fresh = !from || (number > 0 && access(from, F_OK) != 0);
    for (int i = 0; i < count && ok && !fresh; i++)
        ok = trainer_load(run[i], from);
    if (ok && !fresh && train_runs(run[0]->plan) == 1)
        printf("%s: going on after epoch %d, step %d\n", from, run[0]->done / run[0]->plan->steps,
               run[0]->done);
    free(from);
    return ok;
}

/* One model and seed, in the engines asked for. */
static bool train_run(const train_args *a, const train_plan *p, int number, outcome *out)
{
    trainer runs[2] = {0}, *const run[] = {&runs[0], &runs[1]};
    int count = 0;
    bool ok = true, same = true;

    for (int e = 0; e < 2; e++)
        if (a->engine[e]) {
            ok = ok && trainer_open(run[count], e == 1, &a->options, p, number);
            count++;
        }
    ok = ok && begin_run(a, run, count, number) && run_epochs(run, count, &same) &&
         finish_run(run, count, &same);
    if (ok)
        record(run, count, number, same, out);
    for (int i = 0; i < count; i++)
        if (runs[i].plan)
            trainer_close(&runs[i]);
    return ok;
}

/* Mean and spread of every model's result over the seeds. */
static json_t *summary(const train_plan *p, const double *results, const char *engine)
{
    json_t *means = json_object();
    for (int m = 0; m < p->models; m++) {
        double mean = 0, spread = 0;
        for (int s = 0; s < p->seeds; s++)
            mean += results[m * p->seeds + s] / p->seeds;
        for (int s = 0; s < p->seeds; s++)
            spread += pow(results[m * p->seeds + s] - mean, 2) / p->seeds;
        printf("%s: mean %s of %s over %d seeds %.2f %% (standard deviation %.2f)\n", engine, p->job->result,
               p->job->models[m], p->seeds, mean * 100, sqrt(spread) * 100);
        json_object_set_new(means, p->job->models[m], json_real(mean));
    }
    return means;
}

static int write_json(const train_args *a, const train_plan *p, const outcome *out, json_t *means)
{
    json_t *all = json_pack("{s:s,s:i}", "dataset", p->job->name, "epochs", p->epochs);
    if (train_runs(p) > 1) {
        json_object_set(all, "runs", out->runs);
        json_object_set(all, "mean", means);
    } else {
        json_object_set(all, "engines", json_object_get(json_array_get(out->runs, 0), "engines"));
    }
    if (a->engine[0] && a->engine[1])
        json_object_set_new(all, "bit_identical", json_boolean(out->same));
    int bad = json_dump_file(all, a->json, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    json_decref(all);
    return bad ? cli_bad("%s: can't be written", a->json) : CLI_OK;
}

/* All runs of the job. */
static int train(const train_args *a, const train_plan *p)
{
    outcome out = {.same = true, .runs = json_array()};
    json_t *means = json_object();
    bool ok = true;

    for (int e = 0; e < 2; e++) {
        out.results[e] = calloc((size_t)train_runs(p), sizeof(double));
        ok = ok && out.results[e];
    }
    if (!ok)
        cli_bad("out of memory");
    for (int r = 0; r < train_runs(p) && ok; r++)
        ok = train_run(a, p, r, &out);
    for (int e = 0; e < 2 && ok && train_runs(p) > 1; e++)
        if (a->engine[e])
            json_object_set_new(means, e ? "eager" : "static",
                                summary(p, out.results[e], e ? "eager" : "static"));
    if (ok && train_runs(p) > 1 && a->engine[0] && a->engine[1])
        printf("losses and parameters: %s\n", out.same ? "the same bits in both engines" : "DIFFERENT");
    int status = ok ? CLI_OK : CLI_BAD;
    if (ok && a->json)
        status = write_json(a, p, &out, means);
    if (status == CLI_OK && !out.same && a->options.numerics == TDM_STRICT)
        status = CLI_DIFFERENT;
    json_decref(out.runs);
    json_decref(means);
    free(out.results[0]);
    free(out.results[1]);
    return status;
}

static const train_job *find_job(const char *name)
{
    char known[256];
    size_t used = 0;
    for (int i = 0; train_jobs[i]; i++) {
        if (strcmp(train_jobs[i]->name, name) == 0)
            return train_jobs[i];
        const char *between = i == 0 ? "" : train_jobs[i + 1] ? ", " : " or ";
        if (used < sizeof known)
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", between, train_jobs[i]->name);
    }
    cli_bad("train: there is no job '%s': expected %s", name, known);
    return NULL;
}

/* Reads the data, trains, frees the data. */
static int run_job(const train_args *a, const char *name)
{
    const train_job *job = find_job(name);
    train_plan p = {.job = job, .models = 1, .seeds = 1, .most_steps = a->steps, .seed = a->options.seed};
    if (!job)
        return CLI_BAD;
    bool ready = job->prepare(&p, a->dir);
    p.epochs = a->epochs ? a->epochs : p.job->epochs;
    int status = CLI_BAD;
    if (ready) {
        printf(", seed %llu, %s\n", (unsigned long long)p.seed,
               a->engine[0] && a->engine[1] ? "both engines"
               : a->engine[0]               ? "static"
                                            : "eager");
        status = train(a, &p);
    }
    if (p.data)
        p.job->free_data(p.data);
    return status;
}

static bool parse_engine(train_args *a, const char *e)
{
    a->engine[0] = strcmp(e, "static") == 0 || strcmp(e, "both") == 0;
    a->engine[1] = strcmp(e, "eager") == 0 || strcmp(e, "both") == 0;
    if (!a->engine[0] && !a->engine[1])
        cli_bad("--engine %s: expected static, eager or both", e);
    return a->engine[0] || a->engine[1];
}

/* A count from 1 up; *bad after a message. */
static int parse_count(const char *option, const char *text, bool *bad)
{
    enum { MOST = 100000 };
    long long v = 0;
    if (!cli_long(text, 1, MOST, &v))
        *bad = cli_bad("%s %s: expected 1 to %d", option, text, MOST) != 0;
    return (int)v;
}

int cmd_train(int argc, char **argv)
{
    static const struct option options[] = {
        {"engine", required_argument, NULL, 1}, {"epochs", required_argument, NULL, 2},
        {"data", required_argument, NULL, 3},   {"json", required_argument, NULL, 4},
        {"steps", required_argument, NULL, 5},  {"save", required_argument, NULL, 6},
        {"load", required_argument, NULL, 7},   CLI_RUN_OPTIONS};
    train_args a = {.engine = {true, false}, .options.seed = 1};
    bool bad = false;

    for (int opt; (opt = cli_next(argc, argv, options)) != -1;) {
        switch (opt) {
        case 'h': print_help(); return CLI_OK;
        case '?': return CLI_BAD;
        case 1: bad |= !parse_engine(&a, optarg); break;
        case 2: a.epochs = parse_count("--epochs", optarg, &bad); break;
        case 3: a.dir = optarg; break;
        case 4: a.json = optarg; break;
        case 5: a.steps = parse_count("--steps", optarg, &bad); break;
        case 6: a.save = optarg; break;
        case 7: a.load = optarg; break;
        default: cli_run_option(opt, &a.options, &bad);
        }
    }
    if (bad)
        return CLI_BAD;
    if (argc - optind != 1)
        return cli_bad("train: expected one NAME, found %d (tandem train --help)", argc - optind);
    if (a.save)
        train_save_on_request();
    return run_job(&a, argv[optind]);
}
