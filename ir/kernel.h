/* ir/kernel.h: what fuse and plan write down beside a graph, and codegen reads.  No node is rewritten.
 *
 * A kernel computes a set of nodes and stores some of them.  Everything is expressed over one *iteration
 * space*. A node of the kernel is evaluated at an index map (ir/map.h): pointwise nodes evaluate their
 * operands at the same map, view nodes (reshape transpose broadcast slice) evaluate their operand at the
 * composed map, and a node that is not in the kernel is loaded from its buffer at the map.  So views cost
 * nothing and a value may be computed at several maps.
 *
 * LOOP: over the dims of the root; pointwise and view nodes.  All outs have the root's order of elements.  A
 * root of op `pad` is stored: zero fill, then its operand's space is written with strides (the iteration
 * space is the operand's); of op `concat`: every operand's space in turn is written to its place.
 *
 * ROW: over outer dims x one inner run; reduces over the inner run (rule 4: 64 partials), products by the
 * tree (m*n < 64) along k, nodes of the full shape and of the row shape.  Reduces over rows may go along:
 * over whole blocks of up to IR_ROW_BLOCK rows each, of values of the full shape; they are stored, A x inner
 * run, and not read by the kernel, which takes its rows block by block then.
 *
 * OUTER: over A x R x C, reduced over R; sums (rule 4: blocks of IR_ROW_BLOCK rows), max, min over an outer
 * run; producers on A x R x C, consumers on A x C.
 *
 * CONTRACT: over batch x m x n (k inside); one dot_general (m*n >= 64, or in lanes: ir_dot_lanes) and
 * pointwise consumers of its result.
 *
 * INDEX: over the dims of the root; one op of class INDEX, alone.
 *
 * Reduces of one kernel along the same run share the same operand shape and axes.  Reduces with several runs
 * are split into one-run reduces before fuse (passes/simplify: exact by rule 4).  A CONTRACT may list the
 * convert that makes its right side of 16-bit values, which it then reads (ir_dot_source). */
#ifndef TANDEM_IR_KERNEL_H
#define TANDEM_IR_KERNEL_H

enum { IR_ROW_BLOCK = 512 }; /* rows of a block of a sum over rows, steps of one of a scan (rules 4 and 13) */

typedef enum { IR_K_LOOP, IR_K_ROW, IR_K_OUTER, IR_K_CONTRACT, IR_K_INDEX, IR_K_COUNT } ir_kernel_kind;

typedef struct ir_kernel {
    ir_kernel_kind kind;
    const char *name; /* stable, says what it holds: "k3_dot+bias+gelu" */
    /* what it computes, ascending; nodes may be listed in several kernels (rematerialised) */
    const ir_ref *nodes;
    int node_count;
    const ir_ref *outs; /* what it stores, ascending; a subset of nodes */
    int out_count;
    ir_ref root; /* the node that defines the iteration space: LOOP the (first) out; ROW, OUTER a reduce
                    (or tree product); CONTRACT the dot_general; INDEX the node */
} ir_kernel;

/* A run of kernels that go through their work slice by slice (ir/chain.c).  The iterations of each split
 * evenly into `slices`, outermost dims first; slice u of all members, in order, runs before slice u + 1.  A
 * member reads what an earlier one stores at its own slice alone, so a value that nobody else reads needs
 * room for one slice: scratch that stays in the caches.  Slices are shared out as strands of consecutive
 * ones, which may run at once. */
typedef struct ir_chain {
    int first, count; /* kernels */
    int64_t slices;
    int strands;
    size_t offset, bytes; /* by plan: strand s has its scratch at byte offset + s * bytes of the arena */
} ir_chain;

typedef struct ir_kernel_list {
    ir_kernel *items; /* in order of execution */
    int count;
    ir_chain *chains; /* ascending, apart */
    int chain_count;
} ir_kernel_list;

/* Where a value lives when a program runs.
 *
 * In place: a kernel's out may share its bytes with a value that the kernel reads, only where every such read
 * is at the element being written.  This asks of codegen: within one step (a vector of elements, a tile, a
 * row) all loads come before the first store, and a ROW kernel with a single full-shape out stores it in its
 * last pass, reading the operand for it in that pass at the latest; one in which neither a reduce nor a
 * full-shape out waits for a reduce makes a single pass. */
typedef enum {
    IR_B_NONE,     /* only inside kernels                                             */
    IR_B_ARGUMENT, /* an input or variable: argument number `index` (g->inputs order) */
    IR_B_OUTPUT,   /* output number `index`: memory that the caller gives             */
    IR_B_CONSTANT, /* a constant node, kept in the program: constant number `index`   */
    IR_B_ARENA,    /* at byte `offset` of the arena                                   */
    IR_B_VARIABLE, /* the value of assign number `index`, written straight into the variable's own storage:
                      plan proves that every other read of the variable happens before or at the same index */
    IR_B_SCRATCH   /* one slice of it, at byte `offset` of the scratch of its chain; `index`: number among its
                      chain's */
} ir_buffer_kind;

typedef struct ir_buffer {
    ir_ref node;
    ir_buffer_kind kind;
    int index;
    size_t offset, bytes; /* offset: multiples of 64; bytes in scratch: of a slice */
    /* life: numbers of the first and last kernel that touch it; -1, kernel count for the outside */
    int first, last;
    ir_ref alias; /* IR_NONE, or the node whose buffer it takes over in place or as a reshape */
} ir_buffer;

/* A byte copy after the last kernel: where an output or variable could not be written straight (an input that
 * is an output, one value with two destinations, a variable whose old value is still read).  The entry
 * function does memcpy(to, from, bytes) in list order.  Places are those of ir_buffer: `index` of the
 * argument, output or constant (IR_B_VARIABLE: of the assign; its storage is the argument of that variable),
 * `offset` in the arena. */
typedef struct ir_place {
    ir_buffer_kind kind;
    int index;
    size_t offset;
} ir_place;

typedef struct ir_copy {
    ir_place to, from;
    size_t bytes;
} ir_copy;

typedef struct ir_buffer_table {
    ir_buffer *items; /* ascending by node: exactly the nodes that live in memory */
    int count;
    size_t arena_bytes;
    ir_copy *copies; /* in order */
    int copy_count;
} ir_buffer_table;

const char *ir_kernel_kind_name(ir_kernel_kind k);
const char *ir_buffer_kind_name(ir_buffer_kind k);

#endif
