/* tests/ir/seeds.h: whole graphs as text, in the printer's own layout, for round trips, the mutation fuzzer
 * and the allocation test. */
#ifndef TANDEM_TESTS_IR_SEEDS_H
#define TANDEM_TESTS_IR_SEEDS_H

static const char *const seeds[] = {
    "graph @empty() -> () {\n"
    "  return\n"
    "}\n",

    "graph @mlp(\n"
    "    %x: f32[n,784],                                     ; model.c:10\n"
    "    %w: f32[784,10] variable                            ; model.c:11 in init\n"
    ") -> (f32[n,10]) {\n"
    "  %2 = dot_general %x, %w {lhs_k=[1], rhs_k=[0]} : f32[n,10] ; model.c:14 in linear\n"
    "  %3 = relu %2 : f32[n,10]                              ; model.c:15\n"
    "  return y: %3\n"
    "}\n",

    /* a leaf in the middle, assigns, names that need quotes, a list of symbols */
    "graph @\"a step\" [m, n](%x: f32[n], %w: f32[] variable, %\"7\": f32[m] variable) -> (f32[], f32[n]) {\n"
    "  %1 = reduce_sum %x {axes=[0]} : f32[]\n"
    "  %3 = mul %1, %w : f32[]                               ; \"a b.c\":3 in \"x y\"\n"
    "  return assign: %3, x: %x, assign %w = %3, assign %\"7\" = %\"7\"\n"
    "  random 18446744073709551615\n"
    "}\n",

    "graph @values() -> (f32[5], u32[3], bool[2]) {\n"
    "  %0 = constant {data=[0x1p+0,-0x1.99999ap-4,-inf,nan,nan(0xffc12345)]} : f32[5]\n"
    "  %1 = constant {splat=nan(0x7ff8000000000001)} : f64[2,2]\n"
    "  %2 = constant {data=[true,false]} : bool[2]\n"
    "  %3 = constant {data=[1,2,3,4]} : u32[4]\n"
    "  %4 = random_bits %3 {offset=2} : u32[3]\n"
    "  %5 = iota : i64[3]\n"
    "  %6 = convert %5 : u8[3]\n"
    "  return a: %0, b: %4, c: %2\n"
    "}\n",

    /* kernels and a plan: a row kernel, a loop with a view, a product */
    "graph @plan(%x: f32[4,8], %w: f32[8,16], %v: f32[4] variable) -> (f32[4,16], f32[1,4]) {\n"
    "  %3 = mul %x, %x : f32[4,8]\n"
    "  %4 = reduce_sum %3 {axes=[1]} : f32[4]\n"
    "  %5 = exp %4 : f32[4]\n"
    "  %6 = dot_general %x, %w {lhs_k=[1], rhs_k=[0]} : f32[4,16]\n"
    "  %7 = relu %6 : f32[4,16]\n"
    "  %8 = broadcast %5 : f32[16,4]\n"
    "  %9 = transpose %8 {perm=[1,0]} : f32[4,16]\n"
    "  %10 = add %7, %9 : f32[4,16]\n"
    "  %11 = reshape %5 : f32[1,4]\n"
    "  %12 = neg %5 : f32[4]\n"
    "  return y: %10, s: %11, assign %v = %12\n"
    "  kernel row \"k0_mul+sum+exp\" root %4 { %3 %4 %5 -> %5 }\n"
    "  kernel contract \"k1_dot+relu\" root %6 { %6 %7 -> %7 }\n"
    "  kernel loop \"k2_add\" root %10 { %8 %9 %10 -> %10 }\n"
    "  kernel loop \"k3_neg\" root %12 { %12 -> %12 }\n"
    "  arena 512\n"
    "  buffer %x argument 0 +128 life -1..4\n"
    "  buffer %w argument 1 +512 life -1..4\n"
    "  buffer %v argument 2 +16 life -1..4\n"
    "  buffer %5 output 1 +16 life 0..4\n"
    "  buffer %7 arena @0 +256 life 1..2\n"
    "  buffer %10 output 0 +256 life 2..4 alias %7\n"
    "  buffer %11 output 1 +16 life 0..4 alias %5\n"
    "  buffer %12 variable 0 +16 life 3..4\n"
    "}\n",

    /* one value with two destinations: written once, then copied; the old value of a variable is staged */
    "graph @copies(%x: f32[4] variable) -> (f32[4], f32[4]) {\n"
    "  %1 = neg %x : f32[4]\n"
    "  return y: %1, old: %x, assign %x = %1\n"
    "  kernel loop \"k0_neg\" root %1 { %1 -> %1 }\n"
    "  arena 64\n"
    "  buffer %x argument 0 +16 life -1..1\n"
    "  buffer %1 output 0 +16 life 0..1\n"
    "  copy output 1 from argument 0 +16\n"
    "  copy arena @0 from output 0 +16\n"
    "  copy variable 0 from arena @0 +16\n"
    "}\n",
};
enum { SEEDS = sizeof seeds / sizeof *seeds };

#endif
