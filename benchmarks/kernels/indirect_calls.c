/* Calls through a table: n functions chosen by data, of one type. */
#include "kernel.h"

typedef u32 (*operation)(u32, u32);

static u32 add(u32 a, u32 b) { return a + b; }
static u32 subtract(u32 a, u32 b) { return a - b; }
static u32 multiply(u32 a, u32 b) { return a * (b | 1); }
static u32 exclusive(u32 a, u32 b) { return a ^ b; }
static u32 turn_left(u32 a, u32 b) { return a << (b & 31) | a >> (-b & 31); }
static u32 larger(u32 a, u32 b) { return a > b ? a : b + 1; }
static u32 mix(u32 a, u32 b) { return (a ^ a >> 15) * 0x85ebca6bu + b; }
static u32 average(u32 a, u32 b) { return (a & b) + ((a ^ b) >> 1); }

static operation operations[] = {add, subtract, multiply, exclusive, turn_left, larger, mix, average};

EXPORT u32 run(u32 n) {
    u32 random = 5, value = 1;
    for (u32 i = 0; i < n; i++) {
        u32 drawn = next_random(&random);
        value = operations[drawn % 8](value, drawn);
    }
    return value;
}
