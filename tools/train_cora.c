/* tools/train_cora.c: the job cora: classes of papers from few labels, by a graph convolution network and,
 * beside it, by the same network without the graph.
 *
 * Kipf and Welling 2017 (arXiv 1609.02907): two layers, 16 hidden units, dropout 0.5 before each, Glorot
 * weights, Adam 0.01, L2 5e-4 on the first layer's weights, full batch, 200 epochs, Planetoid's split.  The
 * epoch is chosen by the validation split alone: the least loss there; the test split is only reported. */
#include <math.h>
#include <stdlib.h>

#include "examples/lib_gcn.h"
#include "tools/cora.h"
#include "tools/train.h"

enum { GCN, MLP, HIDDEN = 16, SEEDS = 5 };

/* The step's inputs; eval has the first four. */
enum { X, SRC, DST, WEIGHT, ROWS, LABELS };

/* Of one trainer. */
typedef struct own {
    float logits[CORA_NODES][CORA_CLASSES];
} own;

static bool prepare(train_plan *p, const char *dir)
{
    if (!dir)
        return cli_bad("train cora: expected --data DIR with cora.nodes.txt and cora.edges.txt") == CLI_OK;
    p->data = cora_read(dir);
    if (!p->data)
        return false;
    p->models = 2, p->seeds = SEEDS, p->steps = 1;
    printf("cora: %d nodes, %d citations, %d words, %d training nodes; %d-%d-%d with the graph (gcn) and "
           "without (mlp), Adam 0.01, %d seeds",
           CORA_NODES, CORA_CITATIONS, CORA_WORDS, CORA_TRAIN, CORA_WORDS, HIDDEN, CORA_CLASSES, SEEDS);
    return true;
}

/* Uniform with bound sqrt(6 / (in + out)): Glorot and Bengio 2010. */
static tdm_tensor *glorot(trainer *t, int64_t out, int64_t in, const char *name)
{
    double bound = sqrt(6.0 / (double)(in + out));
    return tdm_parameter(tdm_uniform(t->ctx, TDM_F32, tdm_shape(out, in), -bound, bound), name);
}

static tdm_tensor *zeros(trainer *t, int64_t n, const char *name)
{
    return tdm_parameter(tdm_zeros(t->ctx, TDM_F32, tdm_shape(n)), name);
}

static tdm_tensor *layer(const trainer *t, tdm_tensor *const *x, tdm_tensor *h, int k)
{
    tdm_tensor *w = t->params[2 * k], *b = t->params[2 * k + 1];
    if (t->model == MLP)
        return tdm_linear(h, w, b);
    return gcn_layer(&(gcn_edges){x[SRC], x[DST], x[WEIGHT]}, h, w, b);
}

/* [nodes, classes] */
static tdm_tensor *logits(const trainer *t, tdm_tensor *const *x, double dropout)
{
    tdm_tensor *h = dropout > 0 ? tdm_dropout(x[X], dropout) : x[X];
    h = tdm_relu(layer(t, x, h, 0));
    return layer(t, x, dropout > 0 ? tdm_dropout(h, dropout) : h, 1);
}

static tdm_tensor *evaluated(void *user, tdm_tensor *const *x)
{
    return logits(user, x, 0);
}

static void inputs(trainer *t, const cora *c)
{
    tdm_context *ctx = t->ctx;
    tdm_tensor *x[] = {
        [X] = tdm_from_data(ctx, TDM_F32, tdm_shape(CORA_NODES, CORA_WORDS), c->x),
        [SRC] = tdm_from_data(ctx, TDM_I64, tdm_shape(CORA_EDGES), c->src),
        [DST] = tdm_from_data(ctx, TDM_I64, tdm_shape(CORA_EDGES), c->dst),
        [WEIGHT] = tdm_from_data(ctx, TDM_F32, tdm_shape(CORA_EDGES), c->weight),
        [ROWS] = tdm_from_data(ctx, TDM_I64, tdm_shape(CORA_TRAIN), c->train),
        [LABELS] = tdm_from_data(ctx, TDM_I64, tdm_shape(CORA_TRAIN), c->train_label),
    };
    static const char *const names[] = {"x", "src", "dst", "weight", "rows", "labels"};
    for (int i = 0; i <= LABELS; i++)
        twin_input(&t->step, names[i], x[i]);
    for (int i = 0; i <= WEIGHT; i++)
        twin_input(&t->eval, names[i], x[i]);
}

static bool open_trainer(trainer *t)
{
    own *o = t->own = calloc(1, sizeof *o);
    if (!o)
        return false;
    t->best = INFINITY; /* loss on the validation split */
    t->params[0] = glorot(t, HIDDEN, CORA_WORDS, "w1");
    t->params[1] = zeros(t, HIDDEN, "b1");
    t->params[2] = glorot(t, CORA_CLASSES, HIDDEN, "w2");
    t->params[3] = zeros(t, CORA_CLASSES, "b2");
    t->n_params = 4;
    t->opt = tdm_adam(t->params, t->n_params, 0.01, 0.9, 0.999, 1e-8, 0);
    inputs(t, t->plan->data);
    t->eval.function = evaluated;
    return true;
}

static tdm_tensor *loss(trainer *t, tdm_tensor *const *x)
{
    tdm_tensor *labelled = tdm_gather(logits(t, x, 0.5), x[ROWS]);
    tdm_tensor *l2 = tdm_sum(tdm_square(t->params[0]), tdm_all_axes(), false);
    return tdm_add(tdm_cross_entropy(labelled, x[LABELS]), tdm_mul_scalar(l2, 5e-4 / 2));
}

/* Share of a split's nodes whose class is right, and their mean loss in nats. */
static double accuracy(const cora *c, const own *o, cora_split split, double *loss_out)
{
    int count = 0, right = 0;
    double nats = 0;
    for (int i = 0; i < CORA_NODES; i++) {
        double total = 0;
        int best = 0;
        if (c->split[i] != split)
            continue;
        for (int k = 0; k < CORA_CLASSES; k++) {
            best = o->logits[i][k] > o->logits[i][best] ? k : best;
            total += exp((double)o->logits[i][k] - (double)o->logits[i][c->label[i]]);
        }
        count++;
        right += best == c->label[i];
        nats += log(total);
    }
    *loss_out = count ? nats / count : 0;
    return count ? (double)right / count : 0;
}

/* Accuracy on the validation split; the test split's goes with the least validation loss. */
static double validate(trainer *t)
{
    own *o = t->own;
    double nats, unused;
    if (!twin_run(&t->eval, o->logits, sizeof o->logits))
        return 0;
    double share = accuracy(t->plan->data, o, CORA_VALIDATION, &nats);
    if (nats < t->best) {
        t->best = nats;
        t->result = accuracy(t->plan->data, o, CORA_TEST, &unused);
    }
    return share;
}

static void close_trainer(trainer *t)
{
    free(t->own);
}

static const char *const models[] = {[GCN] = "gcn", [MLP] = "mlp"};

const train_job train_cora = {
    .name = "cora",
    .about = "two-layer graph convolution network (Kipf and Welling 2017), and the same without\n"
             "                     the graph, on the Cora citations (--data), 5 seeds, 200 epochs\n",
    .epochs = 200,
    .metric = "validation accuracy",
    .key = "accuracy",
    .result = "test accuracy",
    .share = true,
    .models = models,
    .prepare = prepare,
    .free_data = free,
    .open = open_trainer,
    .loss = loss,
    .evaluate = validate,
    .close = close_trainer};
