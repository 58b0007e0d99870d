/* Functions over memory, for tests of what a C compiler makes: no libc, no WASI. */

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

static u8 data[1 << 16];

__attribute__((export_name("fill"))) void fill(u32 seed, u32 size) {
    for (u32 at = 0; at < size; at++) {
        seed = seed * 1664525u + 1013904223u;
        data[at & 0xffff] = seed >> 24;
    }
}

__attribute__((export_name("crc"))) u32 crc(u32 size) {
    u32 value = 0xffffffff;
    for (u32 at = 0; at < size; at++) {
        value ^= data[at & 0xffff];
        for (int bit = 0; bit < 8; bit++)
            value = value >> 1 ^ (value & 1 ? 0xedb88320u : 0);
    }
    return ~value;
}

__attribute__((export_name("sort"))) void sort(int low, int high) {
    if (low >= high)
        return;
    u8 pivot = data[(low + high) / 2 & 0xffff];
    int left = low, right = high;
    while (left <= right) {
        while (data[left & 0xffff] < pivot) left++;
        while (data[right & 0xffff] > pivot) right--;
        if (left <= right) {
            u8 kept = data[left & 0xffff];
            data[left++ & 0xffff] = data[right & 0xffff];
            data[right-- & 0xffff] = kept;
        }
    }
    sort(low, right);
    sort(left, high);
}

__attribute__((export_name("mean"))) double mean(u32 size) {
    double sum = 0;
    for (u32 at = 0; at < size; at++)
        sum += data[at & 0xffff] / 3.0f;
    return sum / size;
}

__attribute__((export_name("mix"))) u64 mix(u64 a, u64 b) {
    a ^= b << 13 | b >> 51;
    return a * 0x9e3779b97f4a7c15ull + __builtin_popcountll(b) - __builtin_clzll(a | 1) + (u64)(double)(b >> 3);
}

static int half(int value) { return value / 2; }
static int triple(int value) { return value * 3 + 1; }
static int trap(int value) { __builtin_trap(); } /* line:trap */
static int (*const steps[])(int) = {half, triple, trap};

__attribute__((export_name("walk"))) int walk(int value, int count) {
    while (count-- > 0)
        value = steps[value == 1 ? 2 : value & 1](value);
    return value;
}

__attribute__((export_name("divide"))) int divide(int a, int b) { return a / b; } /* line:divide */
