/* Calls with three arguments, deep and nested: Takeuchi's function, n times. */
#include "kernel.h"

static OUT_OF_LINE int tak(int x, int y, int z) {
    if (y >= x) return z;
    return tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y));
}

EXPORT u32 run(u32 n) {
    u32 sum = 0;
    for (u32 turn = 0; turn < n; turn++) sum = sum * 31 + (u32)tak(14 + (int)(turn & 1), 8, 4);
    return sum;
}
