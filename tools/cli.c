/* tools/cli.c: options, errors, progress and files for the verbs. */
#include "tools/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int cli_bad(const char *fmt, ...)
{
    va_list ap;
    cli_progress_end();
    fputs("tandem: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return CLI_BAD;
}

int cli_failed(tdm_context *ctx)
{
    cli_bad("%s", tdm_error(ctx));
    tdm_clear_error(ctx);
    return CLI_BAD;
}

bool cli_long(const char *text, long long lo, long long hi, long long *out)
{
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (errno || end == text || *end || v < lo || v > hi)
        return false;
    *out = v;
    return true;
}

/* "4096", "64M", "1.5G": at least one byte. */
static bool cli_bytes(const char *text, size_t *out)
{
    static const char units[] = "KMG";
    char *end;
    double v = strtod(text, &end);
    const char *unit = *end ? strchr(units, *end) : NULL;

    for (int i = 0; unit && i <= (int)(unit - units); i++)
        v *= 1024;
    if (end == text || (*end && (!unit || end[1])) || !(v >= 1 && v <= 0x1p62))
        return false;
    *out = (size_t)v;
    return true;
}

bool cli_seconds(const char *text, double *out)
{
    char *end;
    *out = strtod(text, &end);
    if (end != text && *end == '\0' && *out > 0 && *out < 1e6)
        return true;
    return !cli_bad("--min-time %s: expected seconds", text);
}

/* "contract, reassociate" */
static void list_freedoms(char *text, size_t size)
{
    size_t used = 0;
    const char *name;
    text[0] = '\0';
    for (int i = 0; (name = tdm_freedom_name(i, NULL, NULL)) && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "", name);
}

/* The bit of the freedom named by the first n characters, 0: there is none. */
static unsigned freedom_bit(const char *text, size_t n)
{
    unsigned bit;
    const char *name;
    for (int i = 0; (name = tdm_freedom_name(i, &bit, NULL)); i++)
        if (strlen(name) == n && strncmp(name, text, n) == 0)
            return bit;
    return 0;
}

/* "strict", "fast" or "fast:contract,.." */
static bool parse_numerics(const char *text, tdm_options *o)
{
    char known[CLI_NUMERICS_TEXT];
    o->numerics = strncmp(text, "fast", 4) == 0 ? TDM_FAST : TDM_STRICT;
    o->freedoms = 0;
    if (strcmp(text, "strict") == 0 || strcmp(text, "fast") == 0)
        return true;
    list_freedoms(known, sizeof known);
    if (strncmp(text, "fast:", 5) != 0)
        return !cli_bad("--numerics %s: expected strict, fast, or fast: with some of %s", text, known);
    for (const char *at = text + 5; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        unsigned bit = freedom_bit(at, strcspn(at, ","));
        if (!bit)
            return !cli_bad("--numerics %s: there is no freedom '%.*s': expected some of %s", text,
                            (int)strcspn(at, ","), at, known);
        o->freedoms |= bit;
    }
    return true;
}

void cli_numerics_text(const tdm_options *o, char text[CLI_NUMERICS_TEXT])
{
    unsigned bit;
    const char *name, *before = ":";
    size_t used = (size_t)snprintf(text, CLI_NUMERICS_TEXT, o->numerics == TDM_FAST ? "fast" : "strict");
    for (int i = 0; o->freedoms && (name = tdm_freedom_name(i, &bit, NULL)); i++)
        if (o->freedoms & bit && used < CLI_NUMERICS_TEXT) {
            used += (size_t)snprintf(text + used, CLI_NUMERICS_TEXT - used, "%s%s", before, name);
            before = ",";
        }
}

bool cli_run_option(int opt, tdm_options *o, bool *bad)
{
    long long v = 0;
    switch (opt) {
    case 1000:
        if (!cli_long(optarg, 1, 1024, &v))
            *bad = cli_bad("--threads %s: expected 1 to 1024", optarg) != 0;
        o->threads = (int)v;
        return true;
    case 1001: o->isa = optarg; return true;
    case 1002:
        if (!cli_long(optarg, 1, 16, &v) || (v != 1 && v != 4 && v != 8 && v != 16))
            *bad = cli_bad("--width %s: expected 16, 8, 4 or 1", optarg) != 0;
        o->width = (int)v;
        return true;
    case 1003: *bad |= !parse_numerics(optarg, o); return true;
    case 1004:
        if (!cli_long(optarg, 0, INT64_MAX, &v))
            *bad = cli_bad("--seed %s: expected a number from 0 up", optarg) != 0;
        o->seed = (uint64_t)v;
        return true;
    case 1005:
        if (!cli_bytes(optarg, &o->memory_budget))
            *bad =
                cli_bad("--memory-budget %s: expected a number of bytes, or one with K, M or G", optarg) != 0;
        return true;
    case 1006: o->check_races = true; return true;
    case 1007: o->cache = optarg; return true;
    default: return false;
    }
}

int cli_next(int argc, char **argv, const struct option *options)
{
    opterr = 0;
    int opt = getopt_long(argc, argv, ":h", options, NULL);
    if (opt == ':') {
        cli_bad("%s: option '%s' needs a value", argv[0], argv[optind - 1]);
        return '?';
    }
    if (opt == '?')
        cli_bad("%s: there is no option '%s' (tandem %s --help)", argv[0], argv[optind - 1], argv[0]);
    return opt;
}

void cli_help(const char *verb, const char *details)
{
    for (const cli_verb *v = cli_verbs; v->name; v++)
        if (strcmp(v->name, verb) == 0)
            printf("usage: tandem %s %s\n\n%c%s.\n\n%s", verb, v->usage, v->what[0] - 'a' + 'A', v->what + 1,
                   details);
}

tdm_context *cli_context(const tdm_options *o)
{
    tdm_context *ctx = tdm_context_new(o);
    if (!ctx) {
        cli_bad("out of memory");
        return NULL;
    }
    if (tdm_ok(ctx))
        return ctx;
    cli_failed(ctx);
    tdm_context_free(ctx);
    return NULL;
}

void cli_print_compile(const tdm_program *p, double seconds)
{
    const char *name;
    double ms;

    printf("compile");
    for (int i = 0; (name = tdm_program_stage(p, i, &ms)); i++)
        printf("%s %s %.2f", i ? "," : "", name, ms);
    printf(" ms (%.1f in all)\ncache   %s\n", seconds * 1e3, tdm_program_cache(p));
}

double cli_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

bool cli_on_terminal(void)
{
    return isatty(STDERR_FILENO) != 0;
}

static bool progress_shown;

void cli_progress(const char *what, double share, const char *note)
{
    static double last;
    enum { CELLS = 30 };
    char bar[CELLS + 1];

    if (!cli_on_terminal())
        return;
    if (progress_shown && share < 1 && cli_now() - last < 0.05)
        return;
    last = cli_now();
    int full = (int)(share * CELLS);
    for (int i = 0; i < CELLS; i++)
        bar[i] = i < full ? '#' : '.';
    bar[CELLS] = '\0';
    fprintf(stderr, "\r%s [%s] %3.0f %%  %s\033[K", what, bar, share * 100, note);
    progress_shown = true;
}

void cli_progress_end(void)
{
    if (progress_shown)
        fputs("\r\033[K", stderr);
    progress_shown = false;
}

char *cli_read_file(const char *path, size_t *size)
{
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    char *text = NULL;
    size_t n = 0, room = 0;

    if (!f) {
        cli_bad("%s: %s", path, strerror(errno));
        return NULL;
    }
    for (;;) {
        if (n + 65536 + 1 > room) {
            room = 2 * room + 65536 + 1;
            char *more = realloc(text, room);
            if (!more)
                break;
            text = more;
        }
        size_t got = fread(text + n, 1, room - n - 1, f);
        n += got;
        if (got == 0)
            break;
    }
    bool ok = text && !ferror(f) && feof(f);
    if (!ok)
        cli_bad("%s: can't be read: %s", path, errno ? strerror(errno) : "out of memory");
    if (f != stdin)
        fclose(f);
    if (!ok) {
        free(text);
        return NULL;
    }
    text[n] = '\0';
    *size = n;
    return text;
}
