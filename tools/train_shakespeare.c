/* tools/train_shakespeare.c: the job shakespeare: a causal transformer over the characters of a text.
 *
 * The first 90 % of the text are trained on: a batch is BATCH windows of WINDOW characters at random places,
 * each character predicts the next.  After each epoch the loss over all of the last 10 % is taken, in windows
 * side by side.  At the end the model writes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "examples/lib_transformer.h"
#include "tools/textfile.h"
#include "tools/train.h"

enum {
    WINDOW = 64,
    BATCH = 32,
    LAYERS = 4,
    WIDTH = 128,
    HEADS = 4,
    STEPS = 250,   /* of an epoch */
    WINDOWS = 64,  /* evaluated at once */
    WARM_UP = 100, /* steps */
    WRITTEN = 500  /* characters of the sample */
};
#define RATE 2e-3
#define TEMPERATURE 0.8

/* The text as numbers of its symbols. */
typedef struct text_data {
    int count, train_count, symbols;
    char symbol[128]; /* in ASCII order */
    uint8_t *code;
} text_data;

/* Of one trainer. */
typedef struct own {
    twin write; /* one window -> logits of its characters */
    int64_t x[WINDOWS * WINDOW], y[BATCH * WINDOW];
    float *logits; /* of WINDOWS windows */
} own;

static bool encode(text_data *d, const textfile *f)
{
    int number[128] = {0};
    for (size_t i = 0; i < f->size; i++)
        number[(unsigned char)f->text[i]] = 1;
    for (int c = 0; c < 128; c++)
        if (number[c]) {
            number[c] = d->symbols;
            d->symbol[d->symbols++] = (char)c;
        }
    d->count = (int)f->size;
    d->train_count = d->count / 10 * 9;
    d->code = malloc(f->size);
    for (size_t i = 0; d->code && i < f->size; i++)
        d->code[i] = (uint8_t)number[(unsigned char)f->text[i]];
    return d->code || cli_bad("out of memory") == CLI_OK;
}

static text_data *read_text(const char *dir)
{
    enum { LEAST = 20 * WINDOW, MOST = 1 << 28 };
    textfile f;
    if (!textfile_open(&f, dir, "tinyshakespeare.txt",
                       "expected a text to learn (--data DIR; docs/training.md says where to get it)"))
        return NULL;
    text_data *d = calloc(1, sizeof *d);
    bool fits = f.size >= LEAST && f.size <= MOST, ok = d && fits && encode(d, &f);
    if (!fits)
        cli_bad("%s: expected %d to %d characters, found %zu", f.path, LEAST, MOST, f.size);
    else if (!d)
        cli_bad("out of memory");
    textfile_close(&f);
    if (ok)
        return d;
    free(d);
    return NULL;
}

static bool prepare(train_plan *p, const char *dir)
{
    if (!dir)
        return cli_bad("train shakespeare: expected --data DIR with tinyshakespeare.txt") == CLI_OK;
    text_data *d = p->data = read_text(dir);
    if (!d)
        return false;
    p->steps = STEPS;
    printf(
        "shakespeare: %d characters to train on, %d to validate, %d symbols; %d blocks of width %d with %d "
        "heads, windows of %d, batch %d, AdamW",
        d->train_count, d->count - d->train_count, d->symbols, LAYERS, WIDTH, HEADS, WINDOW, BATCH);
    return true;
}

static void free_data(void *data)
{
    free(((text_data *)data)->code);
    free(data);
}

/* Parameters: token and position embeddings, the blocks', layer_norm's, the head. */
enum { TOKENS, POSITIONS, BLOCKS, NORM = BLOCKS + LAYERS * TRANSFORMER_BLOCK_PARAMS, HEAD = NORM + 2 };

/* Normal with standard deviation `std`; 0: the value `fill` everywhere. */
static void parameter(trainer *t, const char *name, int layer, tdm_dims shape, double std, double fill)
{
    char full[32];
    tdm_tensor *v =
        std > 0 ? tdm_normal(t->ctx, TDM_F32, shape, 0, std) : tdm_full(t->ctx, TDM_F32, shape, fill);
    if (layer < 0)
        snprintf(full, sizeof full, "%s", name);
    else
        snprintf(full, sizeof full, "%s.%d", name, layer);
    t->params[t->n_params++] = tdm_parameter(v, full);
}

/* GPT-2's start (Radford et al. 2019): 0.02, and less for what is added to the stream of every layer. */
static void block_parameters(trainer *t, int layer)
{
    const double std = 0.02, added = 0.02 / sqrt(2.0 * LAYERS);
    parameter(t, "ln1.weight", layer, tdm_shape(WIDTH), 0, 1);
    parameter(t, "ln1.bias", layer, tdm_shape(WIDTH), 0, 0);
    parameter(t, "qkv.weight", layer, tdm_shape(3 * WIDTH, WIDTH), std, 0);
    parameter(t, "qkv.bias", layer, tdm_shape(3 * WIDTH), 0, 0);
    parameter(t, "proj.weight", layer, tdm_shape(WIDTH, WIDTH), added, 0);
    parameter(t, "proj.bias", layer, tdm_shape(WIDTH), 0, 0);
    parameter(t, "ln2.weight", layer, tdm_shape(WIDTH), 0, 1);
    parameter(t, "ln2.bias", layer, tdm_shape(WIDTH), 0, 0);
    parameter(t, "up.weight", layer, tdm_shape(4 * WIDTH, WIDTH), std, 0);
    parameter(t, "up.bias", layer, tdm_shape(4 * WIDTH), 0, 0);
    parameter(t, "down.weight", layer, tdm_shape(WIDTH, 4 * WIDTH), added, 0);
    parameter(t, "down.bias", layer, tdm_shape(WIDTH), 0, 0);
}

static void make_parameters(trainer *t)
{
    const text_data *d = t->plan->data;
    parameter(t, "tok.weight", -1, tdm_shape(d->symbols, WIDTH), 0.02, 0);
    parameter(t, "pos.weight", -1, tdm_shape(WINDOW, WIDTH), 0.02, 0);
    for (int i = 0; i < LAYERS; i++)
        block_parameters(t, i);
    parameter(t, "ln.weight", -1, tdm_shape(WIDTH), 0, 1);
    parameter(t, "ln.bias", -1, tdm_shape(WIDTH), 0, 0);
    parameter(t, "head.weight", -1, tdm_shape(d->symbols, WIDTH), 0.02, 0);
}

/* x [windows, WINDOW] -> [windows, WINDOW, symbols] */
static tdm_tensor *logits(const trainer *t, tdm_tensor *x)
{
    const transformer_style style = {.heads = HEADS, .pre_norm = true, .causal = true, .gelu_tanh = true};
    tdm_tensor *const *p = t->params;
    tdm_tensor *h = tdm_add(tdm_embedding(p[TOKENS], x), p[POSITIONS]);
    for (int i = 0; i < LAYERS; i++)
        h = transformer_block(&style, h, p + BLOCKS + i * TRANSFORMER_BLOCK_PARAMS);
    return tdm_linear(tdm_layer_norm(h, p[NORM], p[NORM + 1], 1e-5), p[HEAD], NULL);
}

static tdm_tensor *loss(trainer *t, tdm_tensor *const *x)
{
    return tdm_cross_entropy(logits(t, x[0]), x[1]);
}

/* Up in a line, then down half a cosine to a tenth. */
static tdm_tensor *rate(trainer *t)
{
    int64_t down = (int64_t)t->plan->epochs * STEPS - WARM_UP;
    tdm_tensor *step = tdm_steps(t->opt), *later = tdm_relu(tdm_sub_scalar(step, WARM_UP));
    tdm_tensor *up = tdm_lr_linear(tdm_add_scalar(step, 1), 0, 1, WARM_UP);
    return tdm_mul_scalar(tdm_mul(up, tdm_lr_cosine(later, down, 0.1)), RATE);
}

static tdm_tensor *evaluated(void *user, tdm_tensor *const *x)
{
    return logits(user, x[0]);
}

static tdm_tensor *windows(trainer *t, int n)
{
    return tdm_zeros(t->ctx, TDM_I64, tdm_shape(n, WINDOW));
}

static bool open_trainer(trainer *t)
{
    const text_data *d = t->plan->data;
    own *o = t->own = calloc(1, sizeof *o);
    if (!o)
        return false;
    o->logits = malloc((size_t)WINDOWS * WINDOW * (size_t)d->symbols * sizeof *o->logits);
    make_parameters(t);
    t->opt = tdm_adamw(t->params, t->n_params, RATE, 0.9, 0.99, 1e-8, 0.1);
    twin_input(&t->step, "x", windows(t, BATCH));
    twin_input(&t->step, "y", windows(t, BATCH));
    twin_input(&t->eval, "x", windows(t, WINDOWS));
    t->eval.function = evaluated;
    o->write = (twin){.ctx = t->ctx, .name = "write", .eager = t->eager, .function = evaluated, .user = t};
    twin_input(&o->write, "x", windows(t, 1));
    return o->logits && twin_ready(&o->write);
}

static void set_window(const text_data *d, int start, int64_t *x)
{
    for (int i = 0; i < WINDOW; i++)
        x[i] = d->code[start + i];
}

static void fill(trainer *t, int step)
{
    const text_data *d = t->plan->data;
    own *o = t->own;
    uint64_t state = train_random_start(t->seed, (uint64_t)step);
    for (int b = 0; b < BATCH; b++) {
        int start = (int)(train_random(&state) % (uint64_t)(d->train_count - WINDOW));
        set_window(d, start, o->x + (size_t)b * WINDOW);
        set_window(d, start + 1, o->y + (size_t)b * WINDOW);
    }
    tdm_write(t->step.x[0], o->x, tdm_bytes(t->step.x[0]));
    tdm_write(t->step.x[1], o->y, tdm_bytes(t->step.x[1]));
}

/* -log of the share that logits give to symbol y */
static double nats(const float *row, int symbols, int y)
{
    double most = (double)row[0], total = 0;
    for (int i = 1; i < symbols; i++)
        most = fmax(most, (double)row[i]);
    for (int i = 0; i < symbols; i++)
        total += exp((double)row[i] - most);
    return log(total) + most - (double)row[y];
}

/* Loss of the characters behind window `start` that are `from` or later. */
static double window_loss(const text_data *d, const float *row, int start, int from)
{
    double sum = 0;
    for (int i = 0; i < WINDOW; i++)
        if (start + i + 1 >= from)
            sum += nats(row + (size_t)i * (size_t)d->symbols, d->symbols, d->code[start + i + 1]);
    return sum;
}

/* Where window w of the last 10 % starts; the last one is laid back to end with the text. */
static int window_start(const text_data *d, int w)
{
    int start = d->train_count + w * WINDOW, last = d->count - 1 - WINDOW;
    return start < last ? start : last;
}

/* Summed loss of windows w .. w + n - 1. */
static double windows_loss(trainer *t, int w, int n)
{
    const text_data *d = t->plan->data;
    own *o = t->own;
    size_t size = (size_t)WINDOW * (size_t)d->symbols;
    double sum = 0;
    for (int i = 0; i < n; i++)
        set_window(d, window_start(d, w + i), o->x + (size_t)i * WINDOW);
    tdm_write(t->eval.x[0], o->x, tdm_bytes(t->eval.x[0]));
    if (!twin_run(&t->eval, o->logits, WINDOWS * size * sizeof *o->logits))
        return 0;
    for (int i = 0; i < n; i++)
        sum += window_loss(d, o->logits + (size_t)i * size, window_start(d, w + i),
                           d->train_count + (w + i) * WINDOW + 1);
    return sum;
}

/* Mean loss of all characters of the last 10 % but the first. */
static double validate(trainer *t)
{
    const text_data *d = t->plan->data;
    int predicted = d->count - 1 - d->train_count, n = (predicted + WINDOW - 1) / WINDOW;
    double sum = 0;
    for (int w = 0; w < n; w += WINDOWS)
        sum += windows_loss(t, w, n - w < WINDOWS ? n - w : WINDOWS);
    return sum / predicted;
}

/* A symbol drawn with chances exp(logit / TEMPERATURE). */
static int draw(const float *row, int symbols, uint64_t *state)
{
    double chance[128] = {0}, most = -INFINITY, total = 0;
    for (int i = 0; i < symbols; i++)
        most = fmax(most, (double)row[i]);
    for (int i = 0; i < symbols; i++)
        total += chance[i] = exp(((double)row[i] - most) / TEMPERATURE);
    double left = (double)(train_random(state) >> 11) * 0x1p-53 * total;
    for (int i = 0; i < symbols - 1; i++)
        if ((left -= chance[i]) < 0)
            return i;
    return symbols - 1;
}

/* The model writes WRITTEN characters after the text's first symbol (a line end). */
static void write_sample(trainer *t)
{
    const text_data *d = t->plan->data;
    own *o = t->own;
    size_t row_bytes = (size_t)d->symbols * sizeof(float);
    uint64_t state = train_random_start(t->seed, UINT64_MAX);
    int64_t x[WINDOW] = {0};
    t->text = malloc(WRITTEN + 1);
    for (int n = 0, have = 1; t->text && n < WRITTEN; n++) {
        tdm_write(o->write.x[0], x, sizeof x);
        if (!twin_run(&o->write, o->logits, WINDOW * row_bytes))
            return;
        int next = draw(o->logits + (size_t)(have - 1) * (size_t)d->symbols, d->symbols, &state);
        if (have == WINDOW)
            memmove(x, x + 1, (WINDOW - 1) * sizeof *x);
        else
            have++;
        x[have - 1] = next;
        t->text[n] = d->symbol[next];
        t->text[n + 1] = '\0';
    }
}

static void close_trainer(trainer *t)
{
    own *o = t->own;
    if (!o)
        return;
    twin_close(&o->write);
    free(o->logits);
    free(o);
}

const train_job train_shakespeare = {
    .name = "shakespeare",
    .about = "a transformer over the characters of tiny Shakespeare (--data), which writes at\n"
             "                     the end; an epoch is 250 steps, 6 epochs\n",
    .epochs = 6,
    .metric = "validation loss",
    .key = "validation_loss",
    .prepare = prepare,
    .free_data = free_data,
    .open = open_trainer,
    .loss = loss,
    .rate = rate,
    .fill = fill,
    .evaluate = validate,
    .finish = write_sample,
    .close = close_trainer};
