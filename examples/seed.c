/* examples/seed.c: y = (x + w) * (w + 1) at x = 2, w = 1: one function, both engines, and a look at the tape
 * and the graph. */
#include <stdio.h>
#include <time.h>

#include <tandem/inspect.h>
#include <tandem/tandem.h>

/* The model, written once.  a and b are handed out so that their gradients can be looked at. */
static tdm_tensor *model(tdm_tensor *x, tdm_tensor *w, tdm_tensor **a, tdm_tensor **b)
{
    *a = tdm_add(x, w);
    *b = tdm_add_scalar(w, 1);
    return tdm_mul(*a, *b);
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void print_tape(const tdm_grad_fn *f, int depth)
{
    if (!f)
        return;
    printf("    %*s%s\n", 2 * depth, "", tdm_grad_fn_name(f));
    for (int i = 0; i < tdm_grad_fn_count(f); i++)
        print_tape(tdm_grad_fn_next(f, i), depth + 1);
}

static const char *yes(bool b)
{
    return b ? "true" : "false";
}

/* Forward and gradient on the eager engine; returns nanoseconds per call of `calls`. */
static double eager_call_ns(tdm_context *ctx, tdm_tensor *x, tdm_tensor *w, int calls)
{
    double start = now_ns();
    for (int i = 0; i < calls; i++) {
        tdm_tensor *a, *b, *dw[2];
        tdm_scope_open(ctx);
        tdm_tensor *y = model(x, w, &a, &b);
        tdm_gradients(&y, NULL, 1, (tdm_tensor *[]){x, w}, 2, dw, 0);
        tdm_scope_close(ctx);
    }
    return (now_ns() - start) / calls;
}

static tdm_graph *define(tdm_context *ctx)
{
    tdm_tensor *a, *b, *grads[2];
    tdm_graph *g = tdm_graph_open(ctx, "seed");
    tdm_tensor *x = tdm_input(ctx, "x", TDM_F32, tdm_shape(1)),
               *w = tdm_input(ctx, "w", TDM_F32, tdm_shape(1));
    tdm_tensor *y = model(x, w, &a, &b);
    tdm_gradients(&y, NULL, 1, (tdm_tensor *[]){x, w}, 2, grads, 0);
    tdm_output(ctx, "y", y);
    tdm_output(ctx, "dx", grads[0]);
    tdm_output(ctx, "dw", grads[1]);
    tdm_graph_close(ctx);
    return g;
}

static void print_graph(const char *title, const tdm_graph *g)
{
    char *text = tdm_graph_text(g);
    printf("\n%s\n%s", title, text ? text : "");
    tdm_text_free(text);
}

int main(void)
{
    enum { CALLS = 100000 };
    tdm_context *ctx = tdm_context_new(NULL);
    tdm_tensor *x = tdm_parameter(tdm_full(ctx, TDM_F32, tdm_shape(1), 2), "x");
    tdm_tensor *w = tdm_parameter(tdm_full(ctx, TDM_F32, tdm_shape(1), 1), "w");
    tdm_tensor *a, *b;

    tdm_tensor *y = model(x, w, &a, &b);
    tdm_retain_grad(a);
    tdm_retain_grad(b);
    tdm_backward_with(y, NULL, TDM_RETAIN_GRAPH);
    printf("eager   y = %g  dy/dw = %g  dy/dx = %g\n", tdm_item(y), tdm_item(tdm_grad(w)),
           tdm_item(tdm_grad(x)));

    tdm_graph *g = define(ctx);
    tdm_program *p = tdm_compile(g, NULL);
    tdm_exec *e = tdm_exec_new(p);
    tdm_exec_bind(e, "x", x);
    tdm_exec_bind(e, "w", w);
    tdm_exec_run(e);
    printf("static  y = %g  dy/dw = %g  dy/dx = %g\n", tdm_item(tdm_exec_output(e, "y")),
           tdm_item(tdm_exec_output(e, "dw")), tdm_item(tdm_exec_output(e, "dx")));

    printf("\nthe tape of y\n");
    print_tape(tdm_grad_fn_of(y), 0);
    printf("\nis_leaf  x %s  w %s  a %s  b %s  y %s\n", yes(tdm_is_leaf(x)), yes(tdm_is_leaf(w)),
           yes(tdm_is_leaf(a)), yes(tdm_is_leaf(b)), yes(tdm_is_leaf(y)));
    if (tdm_grad(a) && tdm_grad(b))
        printf("retain_grad  a.grad = %g  b.grad = %g\n", tdm_item(tdm_grad(a)), tdm_item(tdm_grad(b)));
    print_graph("the graph as defined, with its gradient", g);
    if (p)
        print_graph("the graph after the passes", tdm_program_graph(p));

    double start = now_ns();
    for (int i = 0; e && i < CALLS; i++)
        tdm_exec_run(e);
    double compiled = (now_ns() - start) / CALLS;
    printf("\nforward and gradient: eager %.0f ns a call, static %.1f ns a call\n",
           eager_call_ns(ctx, x, w, CALLS), compiled);

    int status = tdm_ok(ctx) ? 0 : 1;
    if (status)
        fprintf(stderr, "seed: %s\n", tdm_error(ctx));
    tdm_exec_free(e);
    tdm_program_free(p);
    tdm_graph_free(g);
    tdm_release(x);
    tdm_release(w);
    tdm_context_free(ctx);
    return status;
}
