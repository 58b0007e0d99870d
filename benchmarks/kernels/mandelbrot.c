/* A short float loop with a data-dependent end: the Mandelbrot set on n by n points. */
#include "kernel.h"

enum { MOST = 60 };

EXPORT u32 run(u32 n) {
    u32 sum = 0;
    for (u32 py = 0; py < n; py++)
        for (u32 px = 0; px < n; px++) {
            double cr = 2.0 * px / n - 1.5, ci = 2.0 * py / n - 1.0, zr = 0, zi = 0;
            u32 turn = 0;
            while (turn < MOST && zr * zr + zi * zi < 4) {
                double next = zr * zr - zi * zi + cr;
                zi = 2 * zr * zi + ci;
                zr = next;
                turn++;
            }
            sum = sum * 31 + turn;
        }
    return sum;
}
