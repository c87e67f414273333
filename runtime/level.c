/* runtime/level.c: which eager kernels this CPU can run, found at run time. */
#include "runtime/level.h"

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
