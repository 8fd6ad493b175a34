// What happens, as data. Events are the only output below `cli/`: no stream, no logger, no global.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace whittle {

// A stage of the pipeline begins ("detect", "build", …); the previous one is over.
struct StageStarted {
  std::string stage;
  std::string about;  // what it works on, for a person
};
// Work that takes long enough for a bar. `total` 0: not known. The same `item` is reported again
// with a higher `done` until done == total.
struct Progress {
  std::string item;
  std::uint64_t done = 0, total = 0;
};
// A fact for the user.
struct Note {
  enum class Level { verbose, info, warning } level = Level::info;
  std::string text;
};
// One line that a build step printed, shown under --verbose.
struct StepOutput {
  std::string step;
  std::string line;
};
using Event = std::variant<StageStarted, Progress, Note, StepOutput>;

class EventSink {
 public:
  virtual ~EventSink() = default;
  // May be called from any thread; never throws.
  virtual void emit(const Event& event) noexcept = 0;

  void info(std::string text) noexcept { emit(Note{Note::Level::info, std::move(text)}); }
  void verbose(std::string text) noexcept { emit(Note{Note::Level::verbose, std::move(text)}); }
  void warn(std::string text) noexcept { emit(Note{Note::Level::warning, std::move(text)}); }
};

// Keeps what it is told, for tests and for callers that want silence.
class RecordingEvents : public EventSink {
 public:
  void emit(const Event& event) noexcept override {
    const std::lock_guard lock(mutex_);
    events_.push_back(event);
  }
  std::vector<Event> events() const {
    const std::lock_guard lock(mutex_);
    return events_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Event> events_;
};

}  // namespace whittle
