/* Float arithmetic on structures: five bodies under gravity, n steps. */
#include "kernel.h"

enum { BODIES = 5 };
struct body {
    double x, y, z, vx, vy, vz, mass;
};
static struct body bodies[BODIES];

static OUT_OF_LINE void advance(double dt) {
    for (int i = 0; i < BODIES; i++) {
        struct body *a = &bodies[i];
        for (int j = i + 1; j < BODIES; j++) {
            struct body *b = &bodies[j];
            double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
            double square = dx * dx + dy * dy + dz * dz;
            double force = dt / (square * __builtin_sqrt(square));
            a->vx -= dx * b->mass * force;
            a->vy -= dy * b->mass * force;
            a->vz -= dz * b->mass * force;
            b->vx += dx * a->mass * force;
            b->vy += dy * a->mass * force;
            b->vz += dz * a->mass * force;
        }
    }
    for (int i = 0; i < BODIES; i++) {
        bodies[i].x += dt * bodies[i].vx;
        bodies[i].y += dt * bodies[i].vy;
        bodies[i].z += dt * bodies[i].vz;
    }
}

EXPORT u32 run(u32 n) {
    for (int i = 0; i < BODIES; i++) {
        bodies[i] = (struct body){1.7 * i + 0.1, 0.9 * i * i - 1, 0.3 * i, 0.01 * i, 0.3 - 0.1 * i, 0.02 * i, 0.001 * i};
        if (!i) bodies[i].mass = 39.47;
    }
    for (u32 step = 0; step < n; step++) advance(0.001);
    return fold(bodies[0].x + bodies[1].y + bodies[4].z);
}
