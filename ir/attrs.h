/* ir/attrs.h: which attributes each op has, as data: copying, comparing, hashing, printing and parsing all
 * read it, so an op's attributes are described once (attrs.c).  Internal to ir/. */
#ifndef TANDEM_IR_ATTRS_H
#define TANDEM_IR_ATTRS_H

#include "ir.h"

/* How much of attrs.type counts.  In text it is never written: it is the node's result type. */
typedef enum { IR_AT_NONE, IR_AT_DTYPE, IR_AT_DIMS, IR_AT_FULL } ir_attr_type_use;

typedef enum {
    IR_AF_AXES, /* int8_t[count]                                */
    IR_AF_INTS, /* int64_t[count]                               */
    IR_AF_DIMS, /* int64_t[count], entries may be symbols       */
    IR_AF_F64,  /* double                                       */
    IR_AF_U64,  /* uint64_t                                     */
    IR_AF_F64S, /* double[count]                                */
    IR_AF_CALL, /* const ir_custom *, in text its name          */
    IR_AF_NAME, /* const char *                                 */
    IR_AF_DATA  /* data and bytes of a constant                 */
} ir_attr_kind;

typedef enum { IR_AC_ONE, IR_AC_N, IR_AC_NK } ir_attr_count; /* entries: one, attrs.n or attrs.nk */
/* when the text leaves it out */
typedef enum { IR_AD_REQUIRED, IR_AD_ZEROS, IR_AD_ONES, IR_AD_EMPTY } ir_attr_default;

typedef struct ir_attr_field {
    const char *key;
    ir_attr_kind kind;
    ir_attr_count count;
    ir_attr_default missing;
    uint16_t offset; /* in ir_attrs */
} ir_attr_field;

enum { IR_ATTR_FIELDS = 4 };
typedef struct ir_attr_form {
    ir_attr_type_use type;
    int count;
    ir_attr_field fields[IR_ATTR_FIELDS];
} ir_attr_form;

const ir_attr_form *ir_attr_form_of(ir_op op);

/* Entries of a field's list. */
int ir_attr_entries(const ir_attr_field *f, const ir_attrs *a);
/* Bytes of a field inside ir_attrs; of pointers, their own. */
size_t ir_attr_bytes(const ir_attr_field *f, const ir_attrs *a);

/* The members of *a that count for op, all other bytes zero; pointers are copied as they are. */
void ir_attrs_clean(ir_op op, const ir_attrs *a, const ir_type *result, ir_attrs *out);

#endif
