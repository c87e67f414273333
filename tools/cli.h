/* tools/cli.h: what the verbs share: options common to all, errors, progress, time. */
#ifndef TANDEM_CLI_H
#define TANDEM_CLI_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <tandem/inspect.h>
#include <tandem/tandem.h>

/* Exit statuses of the contract. */
enum { CLI_OK = 0, CLI_DIFFERENT = 1, CLI_BAD = 2 };

typedef struct cli_verb {
    const char *name, *usage, *what;
    int (*run)(int argc, char **argv);
} cli_verb;
extern const cli_verb cli_verbs[]; /* main.c; ends with a NULL name */

int cmd_run(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_opt(int argc, char **argv);
int cmd_dump(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_train(int argc, char **argv);
int cmd_convert(int argc, char **argv);
int cmd_version(int argc, char **argv);
int cmd_doctor(int argc, char **argv);

/* --threads --isa --width --numerics --seed --memory-budget --check-races --cache: taken by every verb that
 * runs code. */
#define CLI_RUN_OPTIONS                                                                            \
    {"threads", required_argument, NULL, 1000}, {"isa", required_argument, NULL, 1001},            \
        {"width", required_argument, NULL, 1002}, {"numerics", required_argument, NULL, 1003},     \
        {"seed", required_argument, NULL, 1004}, {"memory-budget", required_argument, NULL, 1005}, \
        {"check-races", no_argument, NULL, 1006}, {"cache", required_argument, NULL, 1007},        \
        {"help", no_argument, NULL, 'h'}, {0}
#define CLI_RUN_HELP                                                                                         \
    "  --threads N        threads (default: one for each CPU)\n"                                             \
    "  --isa LEVEL        x86-64, x86-64-v3 or x86-64-v4, for eager kernels and compiled code\n"             \
    "                     (default: this CPU)\n"                                                             \
    "  --width N          f32 lanes of compiled code: 16, 8, 4 or 1 (default: widest)\n"                     \
    "  --numerics MODE    strict (default: the same bits in both engines); fast: compiled code may differ\n" \
    "                     in the last ones; fast:NAME,..: only so (compare --prices lists the names)\n"      \
    "  --seed N           of the random ops (default 0)\n"                                                   \
    "  --memory-budget N  bytes, or with K, M, G: the most that a program's arena may take; values are\n"    \
    "                     computed again until it fits\n"                                                    \
    "  --check-races      run compiled kernels chunk by chunk; fail if two chunks touch one byte (slow)\n"   \
    "  --cache DIR|off    where compiled programs are kept (default: $TANDEM_CACHE, else\n"                  \
    "                     ~/.cache/tandem)\n"
/* Takes one option of CLI_RUN_OPTIONS; false when `opt` is none of them.  A bad value ends in *bad. */
bool cli_run_option(int opt, tdm_options *o, bool *bad);

/* getopt_long with our own one-line message: returns -1 at the end, '?' after a message was printed. */
int cli_next(int argc, char **argv, const struct option *options);
/* usage from the table, then details, on standard output */
void cli_help(const char *verb, const char *details);
/* "tandem: ..." on standard error; CLI_BAD */
__attribute__((format(printf, 1, 2))) int cli_bad(const char *fmt, ...);
/* The context's error as cli_bad; said once, so it is cleared. */
int cli_failed(tdm_context *ctx);
bool cli_seconds(const char *text, double *out); /* of --min-time; false after a message */
/* "strict", "fast", "fast:contract,.." */
enum { CLI_NUMERICS_TEXT = 120 };
void cli_numerics_text(const tdm_options *o, char text[CLI_NUMERICS_TEXT]);
bool cli_long(const char *text, long long lo, long long hi, long long *out);
/* A context for the options; NULL after a message. */
tdm_context *cli_context(const tdm_options *o);

double cli_now(void);       /* seconds, monotonic */
bool cli_on_terminal(void); /* progress and colour are for terminals */
void cli_progress(const char *what, double share, const char *note); /* redraws one line on standard error */
void cli_progress_end(void);
/* A whole file, '\0' appended; NULL after a message.  "-" is standard input. */
char *cli_read_file(const char *path, size_t *size);
/* MODEL: a .tdm file; .onnx is refused by name.  NULL after a message. */
tdm_graph *cli_load_model(tdm_context *ctx, const char *path);

/* Inputs of a model from --input and --dim. */
typedef struct cli_inputs {
    const char *set[64]; /* NAME=F.npy | NAME=random[:SEED] | NAME=zeros */
    int count;
    const char *dims[32]; /* SYM=N, ends with NULL */
    int dim_count;
} cli_inputs;
#define CLI_INPUT_OPTIONS {"input", required_argument, NULL, 1010}, {"dim", required_argument, NULL, 1011}
#define CLI_INPUT_HELP                                                                             \
    "  --input NAME=V     V is a .npy file, random[:SEED] or zeros; sets variables too (default\n" \
    "                     random:i, i the position from 1; integers 0)\n"                          \
    "  --dim SYM=N        value of a symbolic dim\n"
bool cli_input_option(int opt, cli_inputs *in, bool *bad);
/* The graph with its dims set; NULL after a message. */
tdm_graph *cli_specialize(tdm_graph *g, const cli_inputs *in);
/* One tensor for every input and variable, held: values[tdm_graph_inputs].  False after a message. */
bool cli_make_inputs(tdm_context *ctx, const tdm_graph *g, const cli_inputs *in, tdm_tensor **values);
const char *cli_node_name(const tdm_graph *g, int node); /* name of an input or variable */
/* "compile fuse 0.1, .., link 0.1 ms (12.3 in all)\ncache   miss (no entry)\n" on standard output */
void cli_print_compile(const tdm_program *p, double seconds);
void cli_shape_text(const tdm_graph *g, const tdm_node_info *n, char *text, size_t size); /* f32[4,n] */

#endif
