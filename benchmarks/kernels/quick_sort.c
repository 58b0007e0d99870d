/* Recursion over parts of an array: n numbers sorted by Hoare's method. */
#include "kernel.h"

enum { MOST = 1 << 20 };
static int numbers[MOST];

static void sort(int *low, int *high) {
    while (low < high) {
        int middle = low[(high - low) / 2], *i = low, *j = high;
        while (i <= j) {
            while (*i < middle) i++;
            while (*j > middle) j--;
            if (i > j) break;
            int other = *i;
            *i++ = *j;
            *j-- = other;
        }
        if (j - low < high - i) {
            sort(low, j);
            low = i;
        } else {
            sort(i, high);
            high = j;
        }
    }
}

EXPORT u32 run(u32 n) {
    if (n > MOST) n = MOST;
    u32 random = 7, sum = 0;
    for (u32 i = 0; i < n; i++) numbers[i] = (int)next_random(&random);
    if (n) sort(numbers, numbers + n - 1);
    for (u32 i = 0; i < n; i++) sum = sum * 31 + (u32)numbers[i];
    return sum;
}
