/* Streams of f32: y = a x + y over 16,384 elements, n times. */
#include "kernel.h"

enum { COUNT = 1 << 14 };
static float x[COUNT], y[COUNT];

static OUT_OF_LINE void saxpy(float a) {
    for (int i = 0; i < COUNT; i++) y[i] += a * x[i];
}

EXPORT u32 run(u32 n) {
    for (int i = 0; i < COUNT; i++) {
        x[i] = (float)i * 0.001f;
        y[i] = (float)(COUNT - i) * 0.5f;
    }
    for (u32 turn = 0; turn < n; turn++) saxpy(turn & 1 ? -0.25f : 0.75f);
    double sum = 0;
    for (int i = 0; i < COUNT; i++) sum += (double)y[i];
    return fold(sum);
}
