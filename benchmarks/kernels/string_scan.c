/* Byte after byte with a branch on each: words, lines, digits and matches of a pattern in 64 KiB of text, n times. */
#include "kernel.h"

enum { BYTES = 1 << 16 };
static u8 text[BYTES + 1];
static const u8 pattern[] = "aba";

static OUT_OF_LINE u32 length(const u8 *s) {
    const u8 *end = s;
    while (*end) end++;
    return (u32)(end - s);
}

static OUT_OF_LINE u32 matches(const u8 *s) {
    u32 found = 0;
    for (; *s; s++) {
        u32 i = 0;
        while (pattern[i] && s[i] == pattern[i]) i++;
        found += !pattern[i];
    }
    return found;
}

static OUT_OF_LINE u32 count(const u8 *s) {
    u32 words = 0, lines = 0, sum = 0, inside = 0, number = 0;
    for (; *s; s++) {
        if (*s >= '0' && *s <= '9') {
            number = number * 10 + *s - '0';
        } else {
            sum += number;
            number = 0;
        }
        if (*s == '\n') lines++;
        if (*s == ' ' || *s == '\n') {
            inside = 0;
        } else if (!inside) {
            inside = 1;
            words++;
        }
    }
    return words * 65537 + lines * 257 + sum;
}

EXPORT u32 run(u32 n) {
    static const u8 letters[] = "abababcd0123 \n";
    u32 random = 11, sum = 0;
    for (u32 i = 0; i < BYTES; i++) text[i] = letters[next_random(&random) % (sizeof letters - 1)];
    for (u32 turn = 0; turn < n; turn++) {
        text[turn % BYTES] = 'a';
        sum = sum * 31 + length(text) + matches(text) + count(text);
    }
    return sum;
}
