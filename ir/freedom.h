/* ir/freedom.h: what numerics `fast` may do that `strict` (docs/numerics.md) may not: one row for each
 * freedom.
 *
 * A set of freedoms is a word of bits; strict is the empty set.  Whoever uses a freedom asks for its bit, and
 * for what it costs: a freedom is used only where it is not slower (docs/numerics.md, Fast). */
#ifndef TANDEM_IR_FREEDOM_H
#define TANDEM_IR_FREEDOM_H

/* X(name, what it may change) */
#define IR_FREEDOMS(X)                                                                     \
    X(contract, "a product that is added to or subtracted from becomes one fma with that") \
    X(reassociate, "small products step by step along k; x / z as x (1 / z) where 1 / z is made once")

enum {
#define X(name, what) IR_FREEDOM_##name,
    IR_FREEDOMS(X)
#undef X
        IR_FREEDOM_COUNT
};

#define IR_FREE(name) (1u << IR_FREEDOM_##name)
#define IR_FREE_ALL ((1u << IR_FREEDOM_COUNT) - 1)

typedef struct ir_freedom {
    const char *name, *what;
} ir_freedom;

extern const ir_freedom ir_freedoms[IR_FREEDOM_COUNT];

#endif
