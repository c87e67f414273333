/* tests/runtime/test_scalar.c: known values of the scalar programs, integer rules, converts and Philox, from
 * C.
 *
 * Accuracy over all inputs is measured by tests/ulp; that compiled code gives the same bits by tests/codegen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/scalar_c.h"

/* Same value bits; any NaN equals any NaN. */
static void same64(double a, double b)
{
    if (a != a && b != b)
        return;
    assert_int_equal(s_bits_f64(a), s_bits_f64(b));
}

static void same32(float a, float b)
{
    if (a != a && b != b)
        return;
    assert_int_equal(s_bits_f32(a), s_bits_f32(b));
}

#define BOTH(name, x, y)                                \
    do {                                                \
        same32(v_##name##_f32((float)(x)), (float)(y)); \
        same64(v_##name##_f64(x), y);                   \
    } while (0)

static void test_special_values(void **state)
{
    (void)state;
    BOTH(exp, 0.0, 1.0);
    BOTH(exp, INFINITY, (double)INFINITY);
    BOTH(exp, -INFINITY, 0.0);
    BOTH(exp, NAN, (double)NAN);
    BOTH(log, 1.0, 0.0);
    BOTH(log, 0.0, (double)-INFINITY);
    BOTH(log, -0.0, (double)-INFINITY);
    BOTH(log, -1.0, (double)NAN);
    BOTH(log, INFINITY, (double)INFINITY);
    BOTH(log1p, -0.0, -0.0);
    BOTH(log1p, -1.0, (double)-INFINITY);
    BOTH(log1p, -1.5, (double)NAN);
    BOTH(log1p, INFINITY, (double)INFINITY);
    BOTH(sin, -0.0, -0.0);
    BOTH(sin, INFINITY, (double)NAN);
    BOTH(cos, 0.0, 1.0);
    BOTH(cos, -INFINITY, (double)NAN);
    BOTH(tanh, -0.0, -0.0);
    BOTH(tanh, INFINITY, 1.0);
    BOTH(tanh, -100.0, -1.0);
    BOTH(tanh, NAN, (double)NAN);
    BOTH(erf, -0.0, -0.0);
    BOTH(erf, -INFINITY, -1.0);
    BOTH(erf, NAN, (double)NAN);
    BOTH(logistic, 0.0, 0.5);
    BOTH(logistic, -INFINITY, 0.0);
    BOTH(logistic, INFINITY, 1.0);
    BOTH(relu, -0.0, 0.0);
    BOTH(relu, NAN, (double)NAN);
    BOTH(relu, -INFINITY, 0.0);
    BOTH(sign, -0.0, -0.0);
    BOTH(sign, -7.0, -1.0);
    BOTH(sign, NAN, (double)NAN);
}

static void test_subnormals_and_huge_arguments(void **state)
{
    (void)state;
    same32(v_exp_f32(-103.5f), 0x1p-149f);
    same32(v_exp_f32(88.73f), INFINITY);
    same64(v_exp_f64(-745.0), 0x1p-1074);
    same32(v_tanh_f32(0x1p-149f), 0x1p-149f);
    same64(v_sin_f64(0x1p-1074), 0x1p-1074);
    same64(v_sin_f64(0x1p1023), 0x1.205248cbdb760p-1);
    same64(v_cos_f64(1e22), 0x1.0be2cef01c8f4p-1);
    same64(v_sin_f64(1e22), -0x1.b453ab76bf397p-1);
    same32(v_sin_f32(1e30f), -0x1.951360p-1f);
}

/* Zeros keep their sign, domains end in NaN, and the ends of the range are exact. */
static void test_special_values_of_inverses_and_powers(void **state)
{
    static const double inf = (double)INFINITY, nan = (double)NAN, pi = 0x1.921fb54442d18p+1;

    (void)state;
#define ODD(name)           \
    BOTH(name, -0.0, -0.0); \
    BOTH(name, 0.0, 0.0);   \
    BOTH(name, NAN, nan)
    ODD(expm1);
    ODD(tan);
    ODD(asin);
    ODD(atan);
    ODD(sinh);
    ODD(asinh);
    ODD(atanh);
#undef ODD
    BOTH(expm1, -INFINITY, -1.0);
    BOTH(expm1, INFINITY, inf);
    BOTH(exp2, 0.0, 1.0);
    BOTH(exp2, 10.0, 1024.0);
    BOTH(exp2, -126.0, 0x1p-126);
    BOTH(exp2, -INFINITY, 0.0);
    BOTH(exp2, NAN, nan);
    BOTH(log2, 1.0, 0.0);
    BOTH(log2, 0x1p-149, -149.0);
    BOTH(log2, 0x1p127, 127.0);
    BOTH(log2, 0.0, -inf);
    BOTH(log2, -1.0, nan);
    BOTH(log2, INFINITY, inf);
    BOTH(tan, INFINITY, nan);
    BOTH(asin, 1.0, pi / 2);
    BOTH(asin, -1.0, -pi / 2);
    BOTH(asin, 1.5, nan);
    BOTH(acos, 1.0, 0.0);
    BOTH(acos, 0.0, pi / 2);
    BOTH(acos, -1.0, pi);
    BOTH(acos, -1.5, nan);
    BOTH(atan, INFINITY, pi / 2);
    BOTH(atan, -INFINITY, -pi / 2);
    BOTH(sinh, -INFINITY, -inf);
    BOTH(cosh, 0.0, 1.0);
    BOTH(cosh, -INFINITY, inf);
    BOTH(asinh, -INFINITY, -inf);
    BOTH(acosh, 1.0, 0.0);
    BOTH(acosh, 0.5, nan);
    BOTH(acosh, INFINITY, inf);
    BOTH(atanh, 1.0, inf);
    BOTH(atanh, -1.0, -inf);
    BOTH(atanh, 1.5, nan);
    assert_true(v_sinh_f32(89.4f) < INFINITY && v_sinh_f32(89.5f) == INFINITY);
    same32(v_expm1_f32(88.72f), v_exp_f32(88.72f));
    same64(v_tan_f64(0x1p-1074), 0x1p-1074);
    same32(v_asinh_f32(0x1p-149f), 0x1p-149f);
}

static void test_atan2_in_all_quadrants(void **state)
{
    static const double inf = (double)INFINITY, nan = (double)NAN, pi = 0x1.921fb54442d18p+1;
    static const double row[][3] = {
        {0, 0, 0},
        {-0.0, 0, -0.0},
        {0, -0.0, 0x1.921fb54442d18p+1},
        {-0.0, -1, -pi},
        {0, 1, 0},
        {1, 0, pi / 2},
        {-1, -0.0, -pi / 2},
        {1, 1, pi / 4},
        {1, -1, 3 * (pi / 4)},
        {-1, -1, -3 * (pi / 4)},
        {inf, inf, pi / 4},
        {inf, -inf, 3 * (pi / 4)},
        {-inf, 1, -pi / 2},
        {1, inf, 0},
        {-1, inf, -0.0},
        {1, -inf, pi},
        {nan, 1, nan},
        {1, nan, nan},
        {inf, nan, nan},
        {0x1p-149, 0x1p-149, pi / 4},
    };

    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        same64(v_atan2_f64(row[i][0], row[i][1]), row[i][2]);
        float y = v_atan2_f32((float)row[i][0], (float)row[i][1]), expected = (float)row[i][2];
        assert_true(y != y ? expected != expected : fabsf(y - expected) <= 0x1p-23f * fabsf(expected));
        assert_true(y != y || !signbit(y) == !signbit(expected));
    }
    same64(v_atan2_f64(0x1p-1074, 0x1p-1073), v_atan_f64(0.5));
    same64(v_atan2_f64(0x1p1022, 0x1p1023), v_atan_f64(0.5));
}

/* Halves, and the magnitudes around which every float is an integer. */
static void test_rounding_is_exact(void **state)
{
    (void)state;
    for (int e = -3; e < 64; e++)
        for (int k = -9; k <= 9; k++) {
            double x = ldexp(1, e) + k * 0.5;
            for (int sign = 0; sign < 2; sign++, x = -x) {
                float f = (float)x;
                same32(v_floor_f32(f), floorf(f));
                same64(v_floor_f64(x), floor(x));
                same32(v_ceil_f32(f), ceilf(f));
                same64(v_ceil_f64(x), ceil(x));
                same32(v_round_f32(f), rintf(f));
                same64(v_round_f64(x), rint(x));
            }
        }
    BOTH(floor, -0.0, -0.0);
    BOTH(ceil, -0.3, -0.0);
    BOTH(round, -0.5, -0.0);
    BOTH(round, NAN, (double)NAN);
    BOTH(floor, -INFINITY, (double)-INFINITY);
    assert_true(v_is_nan_f32(NAN) && !v_is_nan_f64(1) && !v_is_finite_f64((double)INFINITY));
    assert_true(v_is_finite_f32(3e38f) && !v_is_finite_f32(NAN));
}

static void test_rem_is_fmod(void **state)
{
    static const double few[] = {0.0,
                                 -0.0,
                                 1,
                                 -3,
                                 0x1p-1074,
                                 0x1.8p-1060,
                                 0x1p-1022,
                                 0x1p1023,
                                 1e308,
                                 -7e-320,
                                 (double)INFINITY,
                                 (double)NAN,
                                 0.1,
                                 1e22,
                                 0x1p-149,
                                 3.4e38,
                                 0x1.fffffffffffffp1023};
    enum { N = sizeof few / sizeof few[0] };
    uint64_t roll = 1;

    (void)state;
    for (int i = 0; i < N * N; i++) {
        double x = few[i % N], z = few[i / N];
        same64(v_rem_f64(x, z), fmod(x, z));
        same32(v_rem_f32((float)x, (float)z), fmodf((float)x, (float)z));
    }
    for (int i = 0; i < 20000; i++) {
        double v[2];
        float w[2];
        for (int k = 0; k < 2; k++) {
            roll = roll * 6364136223846793005u + 1442695040888963407u;
            uint64_t bits = roll ^ roll >> 29;
            uint32_t low = (uint32_t)(bits >> 13);
            memcpy(&v[k], &bits, sizeof bits);
            memcpy(&w[k], &low, sizeof low);
        }
        same64(v_rem_f64(v[0], v[1]), fmod(v[0], v[1]));
        same32(v_rem_f32(w[0], w[1]), fmodf(w[0], w[1]));
    }
    assert_int_equal(v_rem_i32(-7, 3), -1);
    assert_int_equal(v_rem_i32(7, 0), 0);
    assert_int_equal(v_rem_i32(INT32_MIN, -1), 0);
    assert_int_equal(v_rem_u8(250, 7), 5);
    assert_int_equal(v_not_i32(5), -6);
    assert_int_equal(v_not_u8(5), 250);
}

static void test_pow(void **state)
{
    static const double inf = (double)INFINITY, nan = (double)NAN;
    static const double row[][3] = {
        {2, 10, 1024},    {2, -1074, 0x1p-1074}, {-2, 3, -8},
        {-2, 2, 4},       {-8, 1.0 / 3, nan},    {0, 0, 1},
        {nan, 0, 1},      {1, nan, 1},           {-1, inf, 1},
        {0.5, inf, 0},    {2, -inf, 0},          {0.5, -inf, inf},
        {-0.0, 3, -0.0},  {-0.0, -3, -inf},      {-0.0, 2.5, 0},
        {-0.0, -2, inf},  {-inf, 3, -inf},       {-inf, -3, -0.0},
        {-inf, 2.5, inf}, {inf, -1, 0},          {nan, 1, nan},
        {2, nan, nan},    {-1, 0x1p53, 1},       {-1, 0x1.fffffffffffffp52, -1},
        {10, 308, 1e308}, {1e300, 1e300, inf},   {-1e300, 1e300, inf},
    };

    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++)
        same64(v_pow_f64(row[i][0], row[i][1]), row[i][2]);
    same32(v_pow_f32(3.0f, 2.0f), 9.0f);
    same32(v_pow_f32(-2.0f, 0.5f), NAN);
    same32(v_pow_f32(2.0f, -149.0f), 0x1p-149f);
}

static void test_minimum_and_maximum(void **state)
{
    (void)state;
    same32(v_max_f32(-0.0f, 0.0f), 0.0f);
    same32(v_max_f32(0.0f, -0.0f), 0.0f);
    same32(v_min_f32(0.0f, -0.0f), -0.0f);
    same32(v_min_f32(-0.0f, 0.0f), -0.0f);
    same64(v_max_f64(1.0, NAN), NAN);
    same64(v_min_f64(NAN, 1.0), NAN);
    same64(v_max_f64(-1.0, (double)-INFINITY), -1.0);
    assert_int_equal(v_max_i64(INT64_MIN, -1), -1);
    assert_int_equal(v_max_u32(UINT32_MAX, 1), UINT32_MAX);
}

static void test_integers(void **state)
{
    (void)state;
    assert_int_equal(v_div_i32(7, 0), 0);
    assert_int_equal(v_div_i32(-7, 2), -3);
    assert_int_equal(v_div_i32(INT32_MIN, -1), INT32_MIN);
    assert_true(v_div_i64(INT64_MIN, -1) == INT64_MIN);
    assert_int_equal(v_div_u8(255, 0), 0);
    assert_int_equal(v_div_u32(UINT32_MAX, UINT32_MAX), 1);
    assert_int_equal(v_add_i32(INT32_MAX, 1), INT32_MIN);
    assert_int_equal(v_add_u8(255, 2), 1);
    assert_int_equal(v_abs_i32(INT32_MIN), INT32_MIN);
    assert_int_equal(v_abs_i32(-5), 5);
    assert_int_equal(v_sign_u32(9), 1);
    assert_int_equal(v_relu_i32(-9), 0);
    assert_int_equal(v_shl_u32(1, 31), 0x80000000u);
    assert_int_equal(v_shl_u32(1, 32), 0);
    assert_int_equal(v_shl_i32(1, -1), 0);
    assert_int_equal(v_shr_i32(-8, 1), -4);
    assert_int_equal(v_shr_i32(-8, 99), -1);
    assert_int_equal(v_shr_i32(-8, -1), -1);
    assert_int_equal(v_shr_u8(255, 8), 0);
    assert_int_equal(v_not_bool(1), 0);
    assert_int_equal(v_lt_bool(0, 1), 1);
    assert_int_equal(v_ne_f32(NAN, NAN), 1);
    assert_int_equal(v_select_i64(1, 3, 4), 3);
}

static void test_converts(void **state)
{
    (void)state;
    assert_int_equal(s_convert_f32_i32(NAN), 0);
    assert_int_equal(s_convert_f32_i32(INFINITY), INT32_MAX);
    assert_int_equal(s_convert_f32_i32(-1e20f), INT32_MIN);
    assert_int_equal(s_convert_f32_i32(-2.9f), -2);
    assert_int_equal(s_convert_f32_u8(255.9f), 255);
    assert_int_equal(s_convert_f32_u8(-0.9f), 0);
    assert_int_equal(s_convert_f64_u32(4294967295.5), UINT32_MAX);
    assert_true(s_convert_f64_i64(0x1p63) == INT64_MAX);
    assert_int_equal(s_convert_i64_u8(-1), 255);
    assert_int_equal(s_convert_f32_bool(NAN), 1);
    assert_int_equal(s_convert_f32_bool(-0.0f), 0);
    same32(s_convert_i64_f32(0x1000001), 0x1p24f);
    same32(s_convert_f64_f32(1e300), INFINITY);
    same32(s_convert_bool_f32(1), 1.0f);
    same32(s_clamp_f32(NAN, 0.0f, 1.0f), NAN);
    same32(s_clamp_f32(-0.0f, 0.0f, 1.0f), -0.0f);
    same32(s_clamp_f32(5.0f, 0.0f, 1.0f), 1.0f);
}

/* The known answers that Random123 publishes for philox4x32-10. */
static void test_philox(void **state)
{
    static const uint32_t zero[4] = {0}, ones[4] = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    static const uint32_t answer0[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    static const uint32_t answer1[4] = {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd};
    static const uint32_t pi_key[2] = {0xa4093822, 0x299f31d0};
    static const uint32_t answer2[4] = {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1};
    uint32_t ctr[4] = {0}, full[4] = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    uint32_t pi[4] = {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344};

    (void)state;
    s_philox_4x32_10(ctr, zero);
    assert_memory_equal(ctr, answer0, sizeof ctr);
    s_philox_4x32_10(full, ones);
    assert_memory_equal(full, answer1, sizeof full);
    s_philox_4x32_10(pi, pi_key);
    assert_memory_equal(pi, answer2, sizeof pi);
    assert_int_equal(s_philox(zero, 0, 0), answer0[0]);
    assert_int_equal(s_philox(ones, 0, UINT64_MAX), answer1[0]);
    assert_int_equal(s_philox((uint32_t[]){1, 2, UINT32_MAX, 0}, 1, 5),
                     s_philox((uint32_t[]){1, 2, 0, 1}, 0, 5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_special_values),
        cmocka_unit_test(test_subnormals_and_huge_arguments),
        cmocka_unit_test(test_special_values_of_inverses_and_powers),
        cmocka_unit_test(test_atan2_in_all_quadrants),
        cmocka_unit_test(test_rounding_is_exact),
        cmocka_unit_test(test_rem_is_fmod),
        cmocka_unit_test(test_pow),
        cmocka_unit_test(test_minimum_and_maximum),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_converts),
        cmocka_unit_test(test_philox),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
