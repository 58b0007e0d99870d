/* Nested loops over doubles: the product of two 120 by 120 matrices, n times. */
#include "kernel.h"

enum { SIDE = 120 };
static double left[SIDE][SIDE], right[SIDE][SIDE], product[SIDE][SIDE];

static OUT_OF_LINE void multiply(void) {
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            double sum = 0;
            for (int k = 0; k < SIDE; k++) sum += left[i][k] * right[k][j];
            product[i][j] = sum;
        }
}

EXPORT u32 run(u32 n) {
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            left[i][j] = i * 0.5 + j;
            right[i][j] = i - j * 0.25;
        }
    double trace = 0;
    for (u32 turn = 0; turn < n; turn++) {
        multiply();
        for (int i = 0; i < SIDE; i++) trace += product[i][i];
        left[turn % SIDE][0] += 1;
    }
    return fold(trace);
}
