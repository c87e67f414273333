/* tools/train_images.c: the jobs fashion and digits: a multilayer perceptron on small images. */
#include <stdlib.h>
#include <string.h>

#include "examples/lib_mlp.h"
#include "tools/dataset.h"
#include "tools/train.h"

#define FASHION_DIR "/usr/share/datasets/fashion-mnist"

enum { LAYERS = 3 };

typedef struct images {
    dataset d;
    int batch;
    int64_t sizes[LAYERS + 1];
} images;

/* Of one trainer. */
typedef struct own {
    mlp model;
    int order_epoch, *order; /* row numbers of that epoch */
    float *x;                /* a batch being filled */
    int64_t *labels, *class;
} own;

/* Keeps `how`, whose data were read, as the plan's. */
static bool plan_images(train_plan *p, const images *how)
{
    images *m = malloc(sizeof *m);
    p->data = m;
    if (!m)
        return cli_bad("out of memory") == CLI_OK;
    *m = *how;
    p->steps = m->d.train_count / m->batch;
    printf("%s: %d training and %d test images, %lld-%lld-%lld-%lld, batch %d, Adam 0.001", m->d.name,
           m->d.train_count, m->d.test_count, (long long)m->sizes[0], (long long)m->sizes[1],
           (long long)m->sizes[2], (long long)m->sizes[3], m->batch);
    return true;
}

static bool prepare_digits(train_plan *p, const char *dir)
{
    char why[512];
    images m = {.batch = 32, .sizes = {64, 128, 64, 10}};
    (void)dir;
    p->job = &train_digits;
    if (!dataset_digits(&m.d, why, sizeof why))
        return cli_bad("%s", why) == CLI_OK;
    return plan_images(p, &m);
}

static bool prepare_fashion(train_plan *p, const char *dir)
{
    char why[512];
    images m = {.batch = 128, .sizes = {784, 256, 128, 10}};
    if (dataset_fashion(&m.d, dir ? dir : FASHION_DIR, why, sizeof why))
        return plan_images(p, &m);
    if (dir)
        return cli_bad("%s", why) == CLI_OK;
    printf("Fashion-MNIST is not here (%s): training on the built-in digits instead.\n", why);
    return prepare_digits(p, dir);
}

static void free_data(void *data)
{
    images *m = data;
    dataset_free(&m->d);
    free(m);
}

/* The classes of all test images, from eval's input. */
static tdm_tensor *predicted(void *user, tdm_tensor *const *x)
{
    const own *o = ((trainer *)user)->own;
    return tdm_argmax(mlp_logits(&o->model, x[0]), tdm_axes(-1), false);
}

static bool open_trainer(trainer *t)
{
    const images *m = t->plan->data;
    const dataset *d = &m->d;
    size_t batch = (size_t)m->batch;
    own *o = t->own = calloc(1, sizeof *o);
    if (!o)
        return false;
    o->order_epoch = -1;
    o->order = malloc((size_t)d->train_count * sizeof *o->order);
    o->x = malloc(batch * (size_t)d->features * sizeof *o->x);
    o->labels = malloc(batch * sizeof *o->labels);
    o->class = malloc((size_t)d->test_count * sizeof *o->class);
    o->model = mlp_new(t->ctx, m->sizes, LAYERS);
    t->n_params = 2 * LAYERS;
    memcpy(t->params, o->model.p, 2 * LAYERS * sizeof *t->params);
    t->opt = tdm_adam(t->params, t->n_params, 1e-3, 0.9, 0.999, 1e-8, 0);
    twin_input(&t->step, "x", tdm_zeros(t->ctx, TDM_F32, tdm_shape(m->batch, d->features)));
    twin_input(&t->step, "labels", tdm_zeros(t->ctx, TDM_I64, tdm_shape(m->batch)));
    twin_input(&t->eval, "x", tdm_from_data(t->ctx, TDM_F32, tdm_shape(d->test_count, d->features), d->test));
    t->eval.function = predicted;
    return o->order && o->x && o->labels && o->class;
}

static tdm_tensor *loss(trainer *t, tdm_tensor *const *x)
{
    const own *o = t->own;
    return tdm_cross_entropy(mlp_logits(&o->model, x[0]), x[1]);
}

/* The step's rows of its epoch's order. */
static void fill(trainer *t, int step)
{
    const images *m = t->plan->data;
    const dataset *d = &m->d;
    own *o = t->own;
    size_t features = (size_t)d->features;
    int epoch = step / t->plan->steps;
    const int *rows = o->order + step % t->plan->steps * m->batch;

    if (epoch != o->order_epoch)
        train_shuffle(o->order, d->train_count, t->seed, o->order_epoch = epoch);
    for (int i = 0; i < m->batch; i++) {
        memcpy(o->x + (size_t)i * features, d->train + (size_t)rows[i] * features, features * sizeof *o->x);
        o->labels[i] = d->train_labels[rows[i]];
    }
    tdm_write(t->step.x[0], o->x, tdm_bytes(t->step.x[0]));
    tdm_write(t->step.x[1], o->labels, tdm_bytes(t->step.x[1]));
}

static double test_accuracy(trainer *t)
{
    const dataset *d = &((const images *)t->plan->data)->d;
    own *o = t->own;
    int right = 0;
    bool ok = twin_run(&t->eval, o->class, (size_t)d->test_count * sizeof *o->class);
    for (int i = 0; ok && i < d->test_count; i++)
        right += o->class[i] == d->test_labels[i];
    return (double)right / d->test_count;
}

static void close_trainer(trainer *t)
{
    own *o = t->own;
    if (!o)
        return;
    free(o->order);
    free(o->x);
    free(o->labels);
    free(o->class);
    free(o);
}

#define IMAGES                                                                           \
    .metric = "test accuracy", .key = "accuracy", .share = true, .free_data = free_data, \
    .open = open_trainer, .loss = loss, .fill = fill, .evaluate = test_accuracy, .close = close_trainer

const train_job train_fashion = {
    .name = "fashion",
    .about = "784-256-128-10 on the 60,000 + 10,000 images of Fashion-MNIST (--data: default\n"
             "                     the Debian package's folder; without them the digits, saying so),\n"
             "                     batch 128, Adam 1e-3, 5 epochs\n",
    .epochs = 5,
    .prepare = prepare_fashion,
    IMAGES};
const train_job train_digits = {
    .name = "digits",
    .about = "64-128-64-10 on the UCI digits built into the command, batch 32, Adam 1e-3, 30 epochs\n",
    .epochs = 30,
    .prepare = prepare_digits,
    IMAGES};
