// The last readings, and what they say together. Never allocates.
#pragma once

#include <stddef.h>

enum { kRingCapacity = 32 };

struct ring {
  int readings[kRingCapacity];
  size_t next;
  size_t count;
};

struct summary {
  int minimum, average, maximum;
};

void ring_add(struct ring* ring, int reading);
struct summary ring_summary(const struct ring* ring);  // of at least one reading
