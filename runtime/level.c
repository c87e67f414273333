/* runtime/level.c: which eager kernels this CPU can run, found at run time. */
#include "runtime/level.h"

#if defined __x86_64__
#include <cpuid.h>
#endif
#include <string.h>

/* __builtin_cpu_supports asks CPUID and, for AVX and AVX-512, whether the system saves the registers
 * (XGETBV). */
static bool has_v3(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
           __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
}

static bool has_v4(void)
{
    return has_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}

const rt_level *rt_level_best(void)
{
    __builtin_cpu_init();
    return has_v4() ? &rt_level_v4 : has_v3() ? &rt_level_v3 : &rt_level_v1;
}

const rt_level *rt_level_named(const char *isa)
{
    const rt_level *best = rt_level_best();

    if (!isa)
        return NULL;
    if (strcmp(isa, rt_level_v1.name) == 0)
        return &rt_level_v1;
    if (strcmp(isa, rt_level_v3.name) == 0 && best != &rt_level_v1)
        return &rt_level_v3;
    if (strcmp(isa, rt_level_v4.name) == 0 && best == &rt_level_v4)
        return &rt_level_v4;
    return NULL;
}

const char *rt_level_name(const rt_level *l)
{
    return l->name;
}

/* What CPUID says about model and instructions.  Words that also tell cores or machines of one kind apart are
 * left out. */
void rt_cpu_digest(ir_digest *d)
{
#if defined __x86_64__
    enum { A = 1, B = 2, C = 4, D = 8 };
    static const unsigned leaves[][3] = {{0, 0, B | C | D}, {1, 0, A | C | D}, {7, 0, B | C | D},
                                         {7, 1, A | D},     {0xd, 1, A},       {0x80000001, 0, C | D}};
    for (size_t i = 0; i < sizeof leaves / sizeof *leaves; i++) {
        unsigned r[4] = {0};
        __get_cpuid_count(leaves[i][0], leaves[i][1], &r[0], &r[1], &r[2], &r[3]);
        for (int w = 0; w < 4; w++)
            ir_digest_int(d, leaves[i][2] >> w & 1 ? r[w] : 0);
    }
#endif
    ir_digest_add(d, rt_level_best()->name, strlen(rt_level_best()->name)); /* what the system lets us use */
}
