/* Rotations and additions: SHA-256 (FIPS 180-4) of n blocks of 64 bytes. */
#include "kernel.h"

static u32 constants[64], state[8], schedule[64];

static inline u32 rotated(u32 x, int by) { return x >> by | x << (32 - by); }

/* The first 32 bits of a positive number's fractional part. */
static u32 fraction(double x) { return (u32)((x - (u32)x) * 4294967296.0); }

/* The standard's constants: fractional parts of the square and cube roots of the first primes. */
static void prepare(void) {
    u32 found = 0;
    for (u32 p = 2; found < 64; p++) {
        int prime = 1;
        for (u32 d = 2; d * d <= p; d++)
            if (p % d == 0) prime = 0;
        if (!prime) continue;
        double cube_root = p;
        for (int turn = 0; turn < 20; turn++) cube_root -= (cube_root - p / (cube_root * cube_root)) / 3; /* Newton */
        if (found < 8) state[found] = fraction(__builtin_sqrt(p));
        constants[found++] = fraction(cube_root);
    }
}

static OUT_OF_LINE void block(void) {
    for (int i = 16; i < 64; i++) {
        u32 early = schedule[i - 15], late = schedule[i - 2];
        schedule[i] = schedule[i - 16] + (rotated(early, 7) ^ rotated(early, 18) ^ early >> 3) + schedule[i - 7] +
                      (rotated(late, 17) ^ rotated(late, 19) ^ late >> 10);
    }
    u32 a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < 64; i++) {
        u32 first = h + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) + ((e & f) ^ (~e & g)) + constants[i] +
                    schedule[i];
        u32 second = (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + first, d = c, c = b, b = a, a = first + second;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

/* The digest's first word. run(1) hashes the block that is the padded message "abc": ba7816bf. */
EXPORT u32 run(u32 n) {
    prepare();
    for (u32 number = n; number-- > 0;) {
        for (int i = 0; i < 16; i++) schedule[i] = number * 16 + (u32)i;
        if (!number) {
            for (int i = 0; i < 16; i++) schedule[i] = 0;
            schedule[0] = 0x61626380;
            schedule[15] = 24;
        }
        block();
    }
    return state[0];
}
