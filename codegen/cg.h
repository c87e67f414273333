/* codegen/cg.h: the state of one module being emitted, and the small builders that every emitter uses.
 *
 * Values in registers: numeric dtypes are vectors of `lanes` elements (plain scalars when lanes == 1); bool
 * is i1 (vector of i1) in registers and one byte, 0 or 1, in memory; f16 and bf16 are f32 in registers,
 * always a value of the dtype, and 16 bits in memory.  All dtypes of one kernel use the same number of lanes.
 */
#ifndef TANDEM_CG_H
#define TANDEM_CG_H

#include <llvm-c/Core.h>

#include "ir/freedom.h"
#include "ir/ir.h"
#include "ir/map.h"

/* Constants made at the end of one block, for the code from there on (cg_near_open). */
enum { CG_NEAR = 48 };
typedef struct cg_near {
    LLVMBasicBlockRef block;
    int count;
    LLVMValueRef constant[CG_NEAR], local[CG_NEAR];
} cg_near;

typedef struct cg {
    LLVMContextRef ctx;
    LLVMModuleRef module;
    LLVMBuilderRef b;
    LLVMValueRef fn;          /* function being emitted */
    int lanes;                /* of the values being emitted now: 1, 4, 8 or 16 */
    int register_bytes;       /* of a vector register: 16, 32 or 64 */
    bool has_fma;             /* target has FMA; else llvm.fma becomes a libm call, which is exact too */
    bool has_gather;          /* target has fast gathers: AVX2 and up */
    bool has_f16c;            /* target converts f16: else by integer steps */
    bool check_races;         /* accesses are told: cg_tell_wrote, cg_tell_read */
    unsigned freedoms, freed; /* IR_FREE bits: what may be used, what was */
    cg_near *near;            /* NULL: constants are LLVM's */
    ir_error *err;
} cg;

/* f32 lanes that one instruction computes: c->lanes, or half of them where values have two registers */
int cg_register_lanes(const cg *c);
LLVMTypeRef cg_scalar_type(cg *c, ir_dtype d); /* register type of one element: bool is i1, f16 is f32 */
LLVMTypeRef cg_memory_type(cg *c, ir_dtype d); /* bool is i8, f16 and bf16 are i16 */
/* vector of c->lanes, or elem itself for 1 lane */
LLVMTypeRef cg_vector_of(cg *c, LLVMTypeRef elem);
/* scalar -> vector of c->lanes (constants fold) */
LLVMValueRef cg_splat(cg *c, LLVMValueRef scalar);
LLVMValueRef cg_i64(cg *c, int64_t v);                      /* scalar i64 constant */
LLVMValueRef cg_add(cg *c, LLVMValueRef a, LLVMValueRef b); /* indices, whose sum fits; nothing for 0 */
/* splat constant rounded to the dtype (any dtype) */
LLVMValueRef cg_real(cg *c, ir_dtype d, double v);
/* From here on vectors of constants that cg_real and cg_near_constant give are made in the current block and
 * hidden from LLVM, which would else keep them in registers from the kernel's start on, through the loops
 * that want all registers for sums.  `near` lives until c->near is NULL again. */
void cg_near_open(cg *c, cg_near *near);
LLVMValueRef cg_near_constant(cg *c, LLVMValueRef v); /* v, or what stands for it */
/* n, so that LLVM cannot know it. */
LLVMValueRef cg_hide(cg *c, LLVMValueRef n);
LLVMValueRef cg_lane_ids(cg *c, LLVMTypeRef int_elem); /* <0, 1, 2, ..> */
/* Calls llvm.NAME overloaded on `types`. */
LLVMValueRef cg_intrinsic(cg *c, const char *name, LLVMTypeRef *types, int type_count, LLVMValueRef *args,
                          int arg_count);
/* Asks for the cache line of an address, which need not be one of the buffer's. */
void cg_prefetch_line(cg *c, LLVMValueRef pointer, bool write);
void cg_prefetch_second(cg *c, LLVMValueRef pointer); /* into the second cache */
LLVMValueRef cg_fma(cg *c, LLVMValueRef a, LLVMValueRef b, LLVMValueRef acc);

/* codegen/races.c: tells the runtime of an access, where races are checked.  `count` elements of `size` bytes
 * from `pointer` on; under a mask those of its first lanes that are set. */
void cg_tell_wrote(cg *c, LLVMValueRef pointer, size_t size, int count, LLVMValueRef mask);
void cg_tell_read(cg *c, LLVMValueRef pointer, size_t size, int count, LLVMValueRef mask);
/* One element at pointer + offsets[lane] for every lane, or for those of the mask. */
void cg_tell_lanes(cg *c, bool wrote, LLVMValueRef pointer, LLVMTypeRef element, size_t size,
                   LLVMValueRef offsets, LLVMValueRef mask);

/* codegen/half.c: f16 and bf16; scalars or vectors of any lanes. */
LLVMValueRef cg_half_load(cg *c, ir_dtype d, LLVMValueRef bits); /* i16 -> f32 */
LLVMValueRef cg_half_store(cg *c, ir_dtype d, LLVMValueRef v);   /* f32, a value of d -> i16 */
/* The lower or the upper halves of i32s -> f32. */
LLVMValueRef cg_half_of_pairs(cg *c, ir_dtype d, LLVMValueRef pairs, bool upper);
/* The element at `pointer` -> f32 in all c->lanes lanes. */
LLVMValueRef cg_half_load_spread(cg *c, ir_dtype d, LLVMValueRef pointer);
LLVMValueRef cg_half_round(cg *c, ir_dtype d, LLVMValueRef v); /* f32 -> f32, a value of d */
/* f64 -> f32 rounded to odd: cg_half_round then rounds once */
LLVMValueRef cg_half_odd(cg *c, LLVMValueRef v);
LLVMValueRef cg_half_sticky(cg *c, ir_dtype d, LLVMValueRef v); /* u64, i64: fits f64, rounds alike */

/* codegen/scalar.c: the VALUE column as LLVM.  x[] in register form, dtype of the first numeric operand;
 * `linear` is the element's linear index as i64 vector (generators only, else NULL).  Result in register
 * form. */
LLVMValueRef cg_value(cg *c, ir_op op, const ir_attrs *a, ir_dtype operand, ir_dtype result,
                      const LLVMValueRef *x, int n, LLVMValueRef linear);
/* The same bits as IR_exp's for less, where no lane of x is above 0 (ir/range.h). */
LLVMValueRef cg_exp_below(cg *c, ir_dtype d, LLVMValueRef x);

#endif
