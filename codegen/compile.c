/* codegen/compile.c: a planned graph -> objects.
 *
 *   emit (LLVM IR) -> codegen (objects in memory) -> an image, which the runtime links (runtime/code.c) */
#include "codegen/unit.h"

#include <stdlib.h>
#include <time.h>

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static ir_status give(const cg_unit *u, const cg_times *times, cg_take *take, void *user, ir_error *e)
{
    rt_image_kernel *kernels = calloc((size_t)u->job_count + 1, sizeof *kernels);
    rt_image m = {.kernels = kernels, .kernel_count = u->job_count, .object_count = u->module_count};

    _Static_assert((int)CG_MODULES == (int)RT_IMAGE_OBJECTS, "an object for every module");
    if (!kernels)
        return ir_fail(e, IR_ENOMEM, "out of memory");
    for (int i = 0; i < u->job_count; i++) {
        const cg_job *j = &u->jobs[i];
        kernels[i] = (rt_image_kernel){j->symbol, j->units, j->grain, j->flops, j->bytes, j->freed};
    }
    for (int i = 0; i < u->module_count; i++) {
        LLVMMemoryBufferRef object = u->modules[i].object;
        m.objects[i] = (rt_object){LLVMGetBufferStart(object), LLVMGetBufferSize(object)};
    }
    ir_status s = take(user, &m, times, e);
    free(kernels);
    return s;
}

static bool compile_unit(cg_unit *u, cg_times *times, ir_error *e)
{
    double t0 = now_ms();

    if (!cg_unit_emit(u, e))
        return false;
    double t1 = now_ms();
    times->emit_ms = t1 - t0;
    if (!cg_unit_codegen(u, LLVMObjectFile, e))
        return false;
    times->codegen_ms = now_ms() - t1;
    return true;
}

/* One module per thread; a program of few kernels is not worth a second one. */
static int module_count(const ir_graph *g, const cg_options *o)
{
    return o->threads < g->kernels.count ? o->threads : g->kernels.count;
}

ir_status cg_compile(const cg_host *host, const ir_graph *g, const cg_options *o, cg_take *take, void *user,
                     ir_error *e)
{
    ir_error local = {0};
    cg_times times = {0};
    cg_unit u;

    for (uint32_t r = 0; r < g->count; r++) {
        const ir_node *n = &g->nodes[r];
        if (!ir_type_is_static(&n->type))
            return ir_fail(e, IR_EUNSUPPORTED, "compiling needs a value for every symbolic dimension");
        if (n->n > 0 && ir_op_widens(n->op, (ir_dtype)g->nodes[n->x[0]].type.dtype))
            return ir_fail(e, IR_EUNSUPPORTED, "compiling needs pass widen: %s of %s", ir_ops[n->op].name,
                           ir_dtype_name((ir_dtype)g->nodes[n->x[0]].type.dtype));
    }
    if (cg_unit_open(&u, g, o, host, module_count(g, o), &local) && compile_unit(&u, &times, &local))
        give(&u, &times, take, user, &local);
    cg_unit_close(&u);
    return local.status == IR_OK ? IR_OK : ir_fail(e, local.status, "%s", local.text);
}
