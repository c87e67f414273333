/* runtime/kernels/transpose.h: an L x L transpose in registers, L lanes of T_ELEM (a 4 or 8 byte type).
 *
 *   log2 L rounds of  new[2i], new[2i + 1] = zip(v[i], v[i + L/2])
 *
 * (a perfect shuffle of rows each round).  Defines t_vec, t_memory, T_LANES and transpose_square(v). */
#define T_LANES ((int)(RT_VECTOR_BYTES / sizeof(T_ELEM)))
#define T_UNROLL _Pragma("GCC unroll 16")

typedef T_ELEM t_vec __attribute__((vector_size(RT_VECTOR_BYTES)));
typedef T_ELEM t_memory __attribute__((vector_size(RT_VECTOR_BYTES), aligned(sizeof(T_ELEM)), may_alias));

#if RT_VECTOR_BYTES == 8 * T_BYTES
#define ZIP_LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define ZIP_HIGH(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#elif RT_VECTOR_BYTES == 16 * T_BYTES
#define ZIP_LOW(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define ZIP_HIGH(a, b) \
    __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#elif RT_VECTOR_BYTES == 4 * T_BYTES
#define ZIP_LOW(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define ZIP_HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#else
#define ZIP_LOW(a, b) __builtin_shufflevector(a, b, 0, 2)
#define ZIP_HIGH(a, b) __builtin_shufflevector(a, b, 1, 3)
#endif

__attribute__((always_inline)) static inline void transpose_square(t_vec v[T_LANES])
{
    T_UNROLL for (int round = 1; round < T_LANES; round *= 2)
    {
        t_vec w[T_LANES];

        T_UNROLL for (int i = 0; i < T_LANES / 2; i++)
        {
            w[2 * i] = ZIP_LOW(v[i], v[i + T_LANES / 2]);
            w[2 * i + 1] = ZIP_HIGH(v[i], v[i + T_LANES / 2]);
        }
        T_UNROLL for (int i = 0; i < T_LANES; i++) v[i] = w[i];
    }
}
