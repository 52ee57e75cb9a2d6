/*
 * zipf.c - numbers as popular as words.
 *
 * Rejection-inversion (Hoermann and Derflinger, "Rejection-inversion to generate
 * variates from monotone discrete distributions", 1996): x^-s is integrated instead of
 * summed, a point under it is drawn, and its rank is taken if the point lies in the part
 * that belongs to that rank.  No table, whatever the number of ranks, and exact.
 *
 * Tried: a table of the sums with a binary search (20 cache misses a draw at a million
 * ranks) and the approximation of YCSB (wrong by some per cent at the first ranks).
 */
#include "tests/load/zipf.h"

#include <math.h>

static double
density(const struct zipf *z, double x)
{
    return exp(-z->s * log(x));
}

/* The integral of the density from 1 to 'x', also right where s is near 1. */
static double
integral(const struct zipf *z, double x)
{
    double l = log(x), e = (1 - z->s) * l;

    return fabs(e) > 1e-8 ? l * (expm1(e) / e) : l * (1 + e / 2);
}

/* The x whose integral is 'a'. */
static double
inverse(const struct zipf *z, double a)
{
    double e = a * (1 - z->s);

    if (e < -1)
        e = -1;
    return exp(fabs(e) > 1e-8 ? a * (log1p(e) / e) : a * (1 - e / 2));
}

void
zipf_init(struct zipf *z, uint32_t n, double s)
{
    z->n = n;
    z->s = s;
    z->top = integral(z, 1.5) - 1;
    z->bottom = integral(z, z->n + 0.5);
    z->sure = 2 - inverse(z, integral(z, 2.5) - density(z, 2));
}

bool
zipf_try(const struct zipf *z, double u, uint32_t *rank)
{
    double point = z->bottom + u * (z->top - z->bottom);
    double x = inverse(z, point), k = floor(x + 0.5);

    if (k < 1)
        k = 1;
    else if (k > z->n)
        k = z->n;
    *rank = (uint32_t)k;
    return k - x <= z->sure || point >= integral(z, k + 0.5) - density(z, k);
}
