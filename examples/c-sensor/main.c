// sensor [SAMPLES [MILLISECONDS]]: one JSON line a reading. Without SAMPLES, or with 0, until SIGTERM or SIGINT.
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "probe.h"
#include "ring.h"

static bool parse_number(const char* text, long* number) {
  char* end;
  errno = 0;
  *number = strtol(text, &end, 10);
  return errno == 0 && end != text && *end == '\0' && *number >= 0;
}

// Waits until the interval is over; false when a signal asked for the end. The signals stay blocked
// and are fetched here, so that none can slip in between a check and the wait, also for process 1.
static bool wait_interval(const sigset_t* signals, long milliseconds) {
  const struct timespec interval = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000};
  return sigtimedwait(signals, NULL, &interval) < 0;
}

static void print_reading(long sample, int reading, const struct summary* recent) {
  printf("{\"sample\":%ld,\"millidegrees\":%d,\"minimum\":%d,\"average\":%d,\"maximum\":%d}\n", sample, reading,
         recent->minimum, recent->average, recent->maximum);
  fflush(stdout);
}

int main(int count, char** words) {
  long samples = 0;
  long milliseconds = 1000;
  if (count > 3 || (count > 1 && !parse_number(words[1], &samples)) ||
      (count > 2 && !parse_number(words[2], &milliseconds))) {
    fprintf(stderr, "usage: sensor [SAMPLES [MILLISECONDS]]\n");
    return 2;
  }

  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, NULL);

  struct probe probe;
  struct ring ring = {.count = 0};
  probe_open(&probe);
  for (long sample = 1;; ++sample) {
    const int reading = probe_read(&probe);
    ring_add(&ring, reading);
    const struct summary recent = ring_summary(&ring);
    print_reading(sample, reading, &recent);
    if (sample == samples || !wait_interval(&signals, milliseconds)) {
      fprintf(stderr, "sensor: stopped after %ld samples\n", sample);
      return 0;
    }
  }
}
