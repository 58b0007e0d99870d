/* Strided byte stores: primes up to half a million by Eratosthenes, n times. */
#include "kernel.h"

enum { LIMIT = 500000 };
static u8 composite[LIMIT + 1];

EXPORT u32 run(u32 n) {
    u32 found = 0;
    for (u32 turn = 0; turn < n; turn++) {
        for (u32 i = 2; i <= LIMIT; i++) composite[i] = 0;
        for (u32 i = 2; i * i <= LIMIT; i++)
            if (!composite[i])
                for (u32 j = i * i; j <= LIMIT; j += i) composite[j] = 1;
        for (u32 i = 2; i <= LIMIT; i++) found += !composite[i];
    }
    return found;
}
