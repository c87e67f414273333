/* codegen/races.c: calls that tell the runtime what compiled code reads and writes (cg_options.check_races).
 */
#include "codegen/cg.h"
#include "codegen/codegen.h"

/* Calls tandem_wrote or tandem_read (pointer, i64 bytes). */
static void tell(cg *c, bool wrote, LLVMValueRef pointer, LLVMValueRef bytes)
{
    const char *symbol = wrote ? RT_WROTE_SYMBOL : RT_READ_SYMBOL;
    LLVMTypeRef types[2] = {LLVMPointerTypeInContext(c->ctx, 0), LLVMInt64TypeInContext(c->ctx)};
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(c->ctx), types, 2, 0);
    LLVMValueRef f = LLVMGetNamedFunction(c->module, symbol);

    if (!f)
        f = LLVMAddFunction(c->module, symbol, type);
    LLVMBuildCall2(c->b, type, f, (LLVMValueRef[]){pointer, bytes}, 2, "");
}

/* Masks of plain loads and stores are those of a tail: its lanes that are set come first. */
static void tell_run(cg *c, bool wrote, LLVMValueRef pointer, size_t size, int count, LLVMValueRef mask)
{
    LLVMValueRef n = cg_i64(c, count);

    if (!c->check_races)
        return;
    if (mask && LLVMGetTypeKind(LLVMTypeOf(mask)) == LLVMVectorTypeKind) {
        LLVMTypeRef bits = LLVMIntTypeInContext(c->ctx, LLVMGetVectorSize(LLVMTypeOf(mask)));
        LLVMValueRef set = LLVMBuildBitCast(c->b, mask, bits, "");
        set = cg_intrinsic(c, "llvm.ctpop", &bits, 1, &set, 1);
        n = LLVMBuildZExt(c->b, set, LLVMInt64TypeInContext(c->ctx), "");
    }
    tell(c, wrote, pointer, LLVMBuildMul(c->b, n, cg_i64(c, (int64_t)size), ""));
}

void cg_tell_wrote(cg *c, LLVMValueRef pointer, size_t size, int count, LLVMValueRef mask)
{
    tell_run(c, true, pointer, size, count, mask);
}

void cg_tell_read(cg *c, LLVMValueRef pointer, size_t size, int count, LLVMValueRef mask)
{
    tell_run(c, false, pointer, size, count, mask);
}

void cg_tell_lanes(cg *c, bool wrote, LLVMValueRef pointer, LLVMTypeRef element, size_t size,
                   LLVMValueRef offsets, LLVMValueRef mask)
{
    LLVMTypeRef i64 = LLVMInt64TypeInContext(c->ctx);

    for (int l = 0; c->check_races && l < c->lanes; l++) {
        LLVMValueRef lane = LLVMConstInt(LLVMInt32TypeInContext(c->ctx), (unsigned)l, 0);
        LLVMValueRef offset = LLVMBuildExtractElement(c->b, offsets, lane, "");
        LLVMValueRef at = LLVMBuildInBoundsGEP2(c->b, element, pointer, &offset, 1, ""),
                     bytes = cg_i64(c, (int64_t)size);
        if (mask)
            bytes = LLVMBuildSelect(c->b, LLVMBuildExtractElement(c->b, mask, lane, ""), bytes,
                                    LLVMConstNull(i64), "");
        tell(c, wrote, at, bytes);
    }
}
