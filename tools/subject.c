/* tools/subject.c: see subject.h. */
#include "tools/subject.h"

bool subject_open(subject *s, tdm_context *ctx, const char *name, bool eager, double *compile_s,
                  double *first_call_s)
{
    const bench_workload *w = bench_find(name);

    *s = (subject){0};
    if (w)
        s->job = bench_job_new(ctx, w, eager, compile_s, first_call_s);
    else
        s->model = model_job_new(ctx, name, eager, compile_s, first_call_s);
    return s->job || s->model;
}

void subject_call(subject *s)
{
    if (s->job)
        bench_job_call(s->job);
    else
        model_job_call(s->model);
}

int subject_outputs(subject *s, tdm_tensor **out, int room)
{
    return s->job ? bench_job_outputs(s->job, out, room) : model_job_outputs(s->model, out, room);
}

int subject_results(subject *s, tdm_tensor **out, int room)
{
    return s->job ? bench_job_outputs(s->job, out, room) : model_job_results(s->model, out, room);
}

const tdm_program *subject_program(const subject *s)
{
    return s->job ? bench_job_program(s->job) : s->model->program;
}

tdm_exec *subject_exec(const subject *s)
{
    return s->job ? bench_job_exec(s->job) : s->model->exec;
}

void subject_close(subject *s)
{
    bench_job_free(s->job);
    model_job_free(s->model);
    *s = (subject){0};
}
