#include "ring.h"

void ring_add(struct ring* ring, int reading) {
  ring->readings[ring->next] = reading;
  ring->next = (ring->next + 1) % kRingCapacity;
  if (ring->count < kRingCapacity) ++ring->count;
}

struct summary ring_summary(const struct ring* ring) {
  struct summary summary = {.minimum = ring->readings[0], .maximum = ring->readings[0]};
  long sum = 0;
  for (size_t i = 0; i < ring->count; ++i) {
    const int reading = ring->readings[i];
    if (reading < summary.minimum) summary.minimum = reading;
    if (reading > summary.maximum) summary.maximum = reading;
    sum += reading;
  }
  summary.average = (int)(sum / (long)ring->count);
  return summary;
}
