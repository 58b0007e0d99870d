/* Float division in a loop nest: the largest singular value of an infinite matrix, cut to n by n. */
#include "kernel.h"

enum { MOST = 2048 };
static double u[MOST], v[MOST], w[MOST];

static inline double entry(u32 i, u32 j) { return 1.0 / ((i + j) * (i + j + 1) / 2 + i + 1); }

static OUT_OF_LINE void times(u32 n, const double *in, double *out) {
    for (u32 i = 0; i < n; i++) {
        double sum = 0;
        for (u32 j = 0; j < n; j++) sum += entry(i, j) * in[j];
        out[i] = sum;
    }
}

static OUT_OF_LINE void times_transposed(u32 n, const double *in, double *out) {
    for (u32 i = 0; i < n; i++) {
        double sum = 0;
        for (u32 j = 0; j < n; j++) sum += entry(j, i) * in[j];
        out[i] = sum;
    }
}

EXPORT u32 run(u32 n) {
    if (n > MOST) n = MOST;
    for (u32 i = 0; i < n; i++) u[i] = 1;
    for (int turn = 0; turn < 5; turn++) {
        times(n, u, w);
        times_transposed(n, w, v);
        times(n, v, w);
        times_transposed(n, w, u);
    }
    double uv = 0, vv = 0;
    for (u32 i = 0; i < n; i++) {
        uv += u[i] * v[i];
        vv += v[i] * v[i];
    }
    return fold(__builtin_sqrt(uv / vv));
}
