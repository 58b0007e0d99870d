/* What all kernels share. Each is one file that exports `run(n)`: it does work in proportion to n (or as its comment
   says) and returns a checksum, so that nothing can be optimised away and all engines can be compared. Kernels import
   nothing and need no C library; their memory is static. */

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#ifdef __wasm__
#define EXPORT __attribute__((export_name("run")))
#else
#define EXPORT
#endif
#define OUT_OF_LINE __attribute__((noinline))

/* Pseudo-random numbers: a linear congruential generator, the upper bits of which are good enough here. */
static inline u32 next_random(u32 *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* The bits of a double, folded. */
static inline u32 fold(double value) {
    u64 bits;
    __builtin_memcpy(&bits, &value, sizeof bits);
    return (u32)(bits >> 32) ^ (u32)bits;
}
