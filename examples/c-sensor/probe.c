#include "probe.h"

enum { kRoom = 20000, kSwing = 3000, kPeriod = 60, kNoise = 200 };

void probe_open(struct probe* probe) {
  probe->noise = 1;
  probe->reads = 0;
}

// A slow triangle, as of heating that switches on and off, under a little noise.
int probe_read(struct probe* probe) {
  const int phase = (int)(probe->reads++ % kPeriod);
  const int distance = phase < kPeriod / 2 ? phase : kPeriod - phase;
  probe->noise = probe->noise * 1664525u + 1013904223u;  // Numerical Recipes, 2nd edition, 7.1
  return kRoom + distance * kSwing / (kPeriod / 2) + (int)(probe->noise >> 16) % kNoise;
}
