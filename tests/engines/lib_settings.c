/* tests/engines/lib_settings.c: see lib_settings.h. */
#include "tests/engines/lib_settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "frontend/fe.h"

static const tdm_options settings[SETTINGS] = {
    {.width = 16, .threads = 1},
    {.width = 8, .threads = 2},
    {.width = 4, .threads = 1},
    {.width = 1, .threads = 2},
    {.isa = "x86-64-v3", .threads = 1},
    {.width = 16, .threads = 2},
    {.isa = "x86-64-v3", .width = 16, .threads = 2},
    {.isa = "x86-64-v4", .width = 4, .threads = 2},
    {.isa = "x86-64", .threads = 1},
};
static tdm_context *contexts[SETTINGS];

tdm_context *settings_context(int i)
{
    if (settings[i].isa && !rt_level_named(settings[i].isa))
        i = 0;
    if (!contexts[i]) {
        contexts[i] = tdm_context_new(&settings[i]);
        assert_non_null(contexts[i]);
        assert_string_equal(tdm_error(contexts[i]), "");
    }
    return contexts[i];
}

const char *settings_text(int i)
{
    static char text[64];
    const tdm_options *o = &settings[i];

    snprintf(text, sizeof text, "%s, %d lanes, %d threads", o->isa ? o->isa : "this CPU", o->width,
             o->threads);
    return text;
}

void settings_free(void)
{
    for (int i = 0; i < SETTINGS; i++) {
        tdm_context_free(contexts[i]);
        contexts[i] = NULL;
    }
}

tdm_graph *settings_graph(tdm_context *ctx, ir_graph *g)
{
    tdm_graph *w = fe_graph_wrap(ctx, g);

    assert_non_null(w);
    w->borrowed = true;
    return w;
}
