/* Minima along the rows of a table: the edit distance of two texts of n letters. */
#include "kernel.h"

enum { MOST = 4096 };
static u8 one[MOST], other[MOST];
static u32 row[MOST + 1];

static inline u32 lesser(u32 a, u32 b) { return a < b ? a : b; }

EXPORT u32 run(u32 n) {
    if (n > MOST) n = MOST;
    u32 random = 3;
    for (u32 i = 0; i < n; i++) {
        one[i] = (u8)('a' + next_random(&random) % 8);
        other[i] = (u8)('a' + next_random(&random) % 8);
    }
    for (u32 j = 0; j <= n; j++) row[j] = j;
    for (u32 i = 1; i <= n; i++) {
        u32 diagonal = row[0];
        row[0] = i;
        for (u32 j = 1; j <= n; j++) {
            u32 above = row[j];
            u32 best = lesser(lesser(above, row[j - 1]) + 1, diagonal + (one[i - 1] != other[j - 1]));
            diagonal = above;
            row[j] = best;
        }
    }
    return row[n];
}
