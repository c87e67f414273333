/* ir/scalar.h: the language that values are written in.  Read this before ir/scalar_*.def.
 *
 * A scalar program is written once over the abstract arithmetic below and compiled twice per dtype: as C
 * (runtime/scalar_c.h, V = float, double, int32_t, ..) and as LLVM vectors of any lane count
 * (codegen/scalar.c).  Every operation is exact or correctly rounded (or integer), so both give the same
 * bits.
 *
 *   types        V value of the dtype      I signed integer as wide as V      M truth value
 *   programs     FN1(name, x) { .. RETURN(v); }    FN2(name, x, z) { .. }     call by CALL1(name, v),
 * CALL2(name, v, w) locals       LET(name, value)   LETI(name, integer)   LETM(name, truth) constants
 * K(double) rounded to the dtype   KI(integer) arithmetic   ADD SUB MUL DIV NEG ABS  (floats: IEEE; integers:
 * wrap, DIV guarded)   FMA(a, b, c) = a*b + c, one rounding   SCALBN(v, n, w) = v 2^n for an
 * integral V n, one rounding: by an instruction where there is one, else w, which must be that   SQRT  MIN
 * MAX (IEEE 754-2019)  ROUND (to integral, half to even; |x| < 2^22 in f32, 2^51 in f64; 0 is +0) FLOOR TRUNC
 * compares     EQ NE LT LE GT GE (ordered; NE unordered) -> M      MAND MOR MNOT      SEL(m, a, b)  SELI(m,
 * i, j) As a row's VALUE a compare is stored as bool, 1 or 0 integers     IADD ISUB IMUL IAND IOR IXOR (I, I)
 * ISHL ISHR ISAR (I, constant count)   IEQ ILT -> M bits         BITS(v) -> I    FROMBITS(i) -> V    TOI(v)
 * -> I (truncates; |v| must be in range)    TOF(i) -> V tables       TABLE(name, count) = { .. };  AT(name,
 * i) -> V: static V constants (f64 only), 0 <= i < count wider        WIDE1(name, x), WIDE2(name, x, z): f32
 * programs only: converts to f64, runs the f64 program, rounds once bitwise      AND OR XOR NOT SHL SHR on
 * integer V (shift counts >= width or < 0: 0 or the sign)
 *
 * The name c is taken (the codegen context).  Programs live in scalar_f32.def, scalar_f64.def
 * (transcendentals) and scalar_num.def (sign, relu: any number). */
