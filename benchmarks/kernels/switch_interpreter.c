/* A switch in a loop: a stack machine that runs a small program with a loop of n turns. */
#include "kernel.h"

enum { PUSH, LOAD, STORE, ADD, MULTIPLY, XOR, SHIFT, LESS, JUMP_IF, DECREMENT, SWAP, DUPLICATE, HALT };

static const u8 program[] = {
    PUSH, 1, STORE, 1, PUSH, 7, STORE, 2,            /* a = 1; b = 7 */
    LOAD, 1, LOAD, 2, MULTIPLY, LOAD, 0, ADD,        /* 8: a * b + counter */
    DUPLICATE, SHIFT, 5, XOR, STORE, 1,              /* a = that, mixed with itself */
    LOAD, 1, LOAD, 2, LESS, PUSH, 3, ADD, STORE, 2,  /* b = 3 + (a < b) */
    LOAD, 2, LOAD, 1, SWAP, ADD, STORE, 1,           /* a += b */
    DECREMENT, 0, LOAD, 0, JUMP_IF, 8, LOAD, 1, HALT /* while (--counter) */
};

static OUT_OF_LINE u32 interpret(const u8 *code, u32 counter) {
    u32 stack[16], variables[4] = {counter, 0, 0, 0}, *top = stack;
    for (const u8 *pc = code;;) {
        switch (*pc++) {
        case PUSH: *top++ = *pc++; break;
        case LOAD: *top++ = variables[*pc++]; break;
        case STORE: variables[*pc++] = *--top; break;
        case ADD: top--, top[-1] += *top; break;
        case MULTIPLY: top--, top[-1] *= *top; break;
        case XOR: top--, top[-1] ^= *top; break;
        case SHIFT: top[-1] >>= *pc++; break;
        case LESS: top--, top[-1] = top[-1] < *top; break;
        case JUMP_IF: pc = *--top ? code + *pc : pc + 1; break;
        case DECREMENT: variables[*pc++]--; break;
        case SWAP: {
            u32 other = top[-1];
            top[-1] = top[-2];
            top[-2] = other;
            break;
        }
        case DUPLICATE: *top = top[-1], top++; break;
        default: return *--top;
        }
    }
}

EXPORT u32 run(u32 n) { return interpret(program, n + 1); }
