/* tandem/custom.h: custom calls: ops that a program brings along as C functions; a part of tandem.h, which
 * includes it.
 *
 * An op is registered with a context under a name, and then called on eager tensors, in open graphs and in
 * graph texts alike.  Both engines call the same function, so their bits are equal.  docs/custom-calls.md has
 * an example from the shape rule to the second derivative. */
#ifndef TANDEM_CUSTOM_H
#define TANDEM_CUSTOM_H

/* An operand: its elements lie row-major and without gaps.  data is NULL while the result's type is asked
 * for. */
typedef struct tdm_custom_array {
    tdm_dtype dtype;
    tdm_dims shape;
    const void *data;
} tdm_custom_array;

typedef struct tdm_custom_call {
    const tdm_custom_array *x;
    int n;
    const double *params; /* what the call was given */
    int param_count;
    void *user;            /* of the op */
    tdm_custom_array type; /* forward: the result's dtype and shape */
    char *why;             /* what to say when returning false: at most why_size bytes, '\0' included */
    size_t why_size;
} tdm_custom_call;

typedef struct tdm_custom_op {
    const char *name; /* a letter, then letters, digits and _; at most 60 */
    /* Type of the result, or false and `why`: the error names the op and shows the operands' types by itself.
     * NULL: the type of operand 0. */
    bool (*infer)(const tdm_custom_call *call, tdm_dtype *dtype, tdm_dims *shape);
    /* Fills y, row-major.  False and `why`: the call fails; so does the run of a compiled program, whose
     * outputs and assigned variables then may hold anything.  Must be a function of operands and parameters,
     * unless has_effects says otherwise: equal calls may become one, be left out where nothing reads the
     * result, be computed at compile time or again.  Must not call Tandem.  Several threads may call it at
     * once when programs run at once. */
    bool (*forward)(const tdm_custom_call *call, void *y);
    /* dx[i] = the gradient of operand i, made with Tandem's functions from operands x, result y and upstream
     * gradient dy; NULL (as it comes) for none.  Built of ops, it has gradients itself.  In an eager backward
     * it computes, in a graph it appends.  NULL: backward through the op is an error. */
    void (*gradient)(const tdm_custom_call *call, tdm_tensor *const *x, tdm_tensor *y, tdm_tensor *dy,
                     tdm_tensor **dx);
    void *user; /* handed to all three */
    /* forward does more than give its result (it prints, counts, reads a device): in a run every call is
     * made, once, and calls of such ops are made in the order in which the graph was defined. */
    bool has_effects;
} tdm_custom_op;

/* Copies *op.  EARG: no name, a name that is taken or not a name, or no forward. */
TDM_API tdm_status tdm_custom_register(tdm_context *ctx, const tdm_custom_op *op);
/* The op on x[0..n), 1 to 8 operands, with up to 8 numbers of its own.  EARG where no op has the name. */
TDM_API tdm_tensor *tdm_custom(const char *name, tdm_tensor *const *x, int n, const double *params,
                               int param_count, tdm_loc at);

#ifndef TDM_PLAIN_FUNCTIONS
#define tdm_custom(...) tdm_custom(__VA_ARGS__, TDM_HERE)
#endif

#endif
