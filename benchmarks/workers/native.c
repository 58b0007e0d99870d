/* Runs a kernel as native code: for each size read, answers `CPU-seconds checksum`. Linked with one kernel. */
#include <stdio.h>
#include <time.h>

unsigned run(unsigned size);

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int main(void) {
    unsigned size;
    while (scanf("%u", &size) == 1) {
        double begun = seconds();
        unsigned sum = run(size);
        printf("%.9f %u\n", seconds() - begun, sum);
        fflush(stdout);
    }
    return 0;
}
