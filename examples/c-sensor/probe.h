// A simulated thermometer: the same temperatures in the same order on every start.
#pragma once

#include <stdint.h>

struct probe {
  uint32_t noise;  // state of the generator
  uint32_t reads;
};

void probe_open(struct probe* probe);
int probe_read(struct probe* probe);  // thousandths of a degree Celsius
