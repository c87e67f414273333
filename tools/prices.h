/* tools/prices.h: the price list of numerics `fast`: what each freedom buys on one workload or model, and
 * what it costs in the last places of the results. */
#ifndef TANDEM_PRICES_H
#define TANDEM_PRICES_H

#include <jansson.h>

#include "tools/subject.h"

typedef struct price {
    const char *name;  /* "strict", a freedom, "all" */
    unsigned freedoms; /* 0: strict */
    double ms;         /* a call: median of the rounds */
    /* strict's time divided by this one's, round by round: median and quartiles */
    double gain, low, high;
    /* results against strict's: units in the last place, absolute, relative to the largest value of the
     * result
     */
    double max_ulp, max_abs, max_rel;
} price;

enum { PRICES = 8 };

typedef struct price_list {
    int count, rounds;
    long calls; /* per round */
    price prices[PRICES];
    subject subjects[PRICES]; /* compiled with the freedoms; open until prices_close */
} price_list;

/* Makes the subject anew, compiled, in a context whose freedoms are set.  False after a message or a sticky
 * error. */
typedef bool price_open(void *user, subject *s);

/* Measures for about `seconds`, at least nine rounds.  False after a message or a sticky error.  The context
 * is left with its own numerics. */
bool prices_measure(tdm_context *ctx, const tdm_options *own, price_open *open, void *user, double seconds,
                    price_list *l);
void prices_print(const price_list *l, const char *name, int threads);
json_t *prices_json(const price_list *l);
void prices_close(price_list *l);

#endif
