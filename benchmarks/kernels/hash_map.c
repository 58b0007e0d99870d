/* Hashing and probing: n counts kept in an open hash table of 64-bit keys, then looked up again. */
#include "kernel.h"

enum { SLOTS = 1 << 16 };
static struct {
    u64 key;
    u32 count;
} map[SLOTS];

static inline u32 hash(u64 key) {
    key ^= key >> 31;
    key *= 0x9e3779b97f4a7c15ull;
    return (u32)(key >> 40);
}

static OUT_OF_LINE u32 *find(u64 key) {
    u32 at = hash(key) % SLOTS;
    while (map[at].key && map[at].key != key) at = (at + 1) % SLOTS;
    map[at].key = key;
    return &map[at].count;
}

EXPORT u32 run(u32 n) {
    for (u32 i = 0; i < SLOTS; i++) map[i].key = 0, map[i].count = 0;
    u32 random = 99, sum = 0;
    for (u32 i = 0; i < n; i++) ++*find((next_random(&random) % (SLOTS / 2) + 1) * 0x100000001ull);
    for (u64 key = 1; key <= SLOTS / 2; key++) sum = sum * 31 + *find(key * 0x100000001ull);
    return sum;
}
