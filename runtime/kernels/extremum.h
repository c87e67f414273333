/* runtime/kernels/extremum.h: maximum and minimum of one row of floats (argmax and argmin share them). */
#ifndef TANDEM_RT_EXTREMUM_H
#define TANDEM_RT_EXTREMUM_H

#include "runtime/kernels/kernel.h"

float RT_V(rt_max_run_f32)(const float *x, int64_t n);
float RT_V(rt_min_run_f32)(const float *x, int64_t n);
double RT_V(rt_max_run_f64)(const double *x, int64_t n);
double RT_V(rt_min_run_f64)(const double *x, int64_t n);

#endif
