/* Comparisons and swaps at unforeseeable places: n numbers sorted by a heap. */
#include "kernel.h"

enum { MOST = 1 << 20 };
static int numbers[MOST];

static OUT_OF_LINE void sink(u32 at, u32 size) {
    int value = numbers[at];
    for (u32 child; (child = 2 * at + 1) < size; at = child) {
        if (child + 1 < size && numbers[child + 1] > numbers[child]) child++;
        if (numbers[child] <= value) break;
        numbers[at] = numbers[child];
    }
    numbers[at] = value;
}

EXPORT u32 run(u32 n) {
    if (n > MOST) n = MOST;
    u32 random = 7, sum = 0;
    for (u32 i = 0; i < n; i++) numbers[i] = (int)next_random(&random);
    for (u32 at = n / 2; at-- > 0;) sink(at, n);
    for (u32 size = n; size-- > 1;) {
        int most = numbers[0];
        numbers[0] = numbers[size];
        numbers[size] = most;
        sink(0, size);
    }
    for (u32 i = 0; i < n; i++) sum = sum * 31 + (u32)numbers[i];
    return sum;
}
