/* tests/frontend/lib_frontend.h: short words for tests of the public functions. */
#ifndef TANDEM_TESTS_LIB_FRONTEND_H
#define TANDEM_TESTS_LIB_FRONTEND_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <tandem/inspect.h>
#include <tandem/tandem.h>

/* One thread, f32 lanes of this CPU, seed 7. */
tdm_context *open_context(void);
/* Fails with the context's error, if there is one, and frees the context. */
void close_context(tdm_context *ctx);

/* The error that was just made has this code and its text holds all of the words; then it is cleared. */
#define assert_error(ctx, code, ...) \
    assert_error_at(ctx, code, (const char *const[]){__VA_ARGS__, NULL}, __FILE__, __LINE__)
void assert_error_at(tdm_context *ctx, tdm_status code, const char *const *words, const char *file, int line);
#define assert_fine(ctx) assert_string_equal(tdm_error(ctx), "")

/* Numbers of f32 in -1..1, the same for the same seed. */
tdm_tensor *numbers(tdm_context *ctx, tdm_dims shape, uint32_t seed);

/* Both tensors have one type and the same bits. */
#define assert_same(a, b) assert_same_at(a, b, __FILE__, __LINE__)
void assert_same_at(const tdm_tensor *a, const tdm_tensor *b, const char *file, int line);

/* A closed graph, compiled, with an execution: freed together. */
typedef struct built {
    tdm_graph *g;
    tdm_program *p;
    tdm_exec *e;
} built;
built build_graph(tdm_context *ctx, tdm_graph *g); /* closes g */
void free_built(built *b);

/* Runs `call`, a tensor expression, eagerly and in an open graph: both refuse it with these words. */
#define refused(ctx, code, call, ...)                       \
    do {                                                    \
        assert_true(tdm_is_error(call));                    \
        assert_error(ctx, code, __VA_ARGS__);               \
        tdm_graph *refused_in = tdm_graph_open(ctx, "bad"); \
        assert_true(tdm_is_error(call));                    \
        assert_error(ctx, code, __VA_ARGS__);               \
        tdm_graph_close(ctx);                               \
        tdm_graph_free(refused_in);                         \
        assert_fine(ctx);                                   \
    } while (0)

#endif
