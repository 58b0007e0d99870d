/* Small arrays turned over and over: the most pancake flips among all orders of n, and a checksum. */
#include "kernel.h"

enum { MOST = 12 };

EXPORT u32 run(u32 n) {
    int order[MOST], work[MOST], count[MOST];
    int size = n > MOST ? MOST : (int)n, most = 0, checksum = 0, left = size;
    for (int i = 0; i < size; i++) order[i] = i;
    for (u32 number = 0;; number++) {
        for (; left > 1; left--) count[left - 1] = left;
        if (order[0]) {
            int flips = 0;
            for (int i = 0; i < size; i++) work[i] = order[i];
            for (int first = work[0]; first; first = work[0]) {
                for (int low = 0, high = first; low < high; low++, high--) {
                    int other = work[low];
                    work[low] = work[high];
                    work[high] = other;
                }
                flips++;
            }
            if (flips > most) most = flips;
            checksum += number & 1 ? -flips : flips;
        }
        for (;; left++) {
            if (left == size) return (u32)(checksum * 100 + most);
            int front = order[0];
            for (int i = 0; i < left; i++) order[i] = order[i + 1];
            order[left] = front;
            if (--count[left] > 0) break;
        }
    }
}
