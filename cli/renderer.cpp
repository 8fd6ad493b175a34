#include "cli/renderer.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <mutex>

#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/report.hpp"

namespace whittle::cli {

namespace {

using Clock = std::chrono::steady_clock;

template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <class... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;  // clang 14 wants it said

// What the terminal and the plain renderer have in common: one line a fact.
class LineRenderer : public Renderer {
 public:
  LineRenderer(const RendererOptions& options, std::ostream& out) : options_(options), out_(out) {}

  void emit(const Event& event) noexcept override {
    const std::lock_guard lock(mutex_);
    std::visit(Overloaded{[&](const StageStarted& stage) { start(stage); },
                          [&](const Progress& progress) { advance(progress); }, [&](const Note& note) { tell(note); },
                          [&](const StepOutput& output) {
                            if (options_.verbose) print(cat("  ", printable(output.line), "\n"));
                          }},
               event);
  }

  void fail(const Error& error) noexcept override {
    const std::lock_guard lock(mutex_);
    clear();
    out_ << render(error, options_.color) << std::flush;
  }

 protected:
  virtual void start(const StageStarted& stage) {
    if (!options_.quiet) print(cat(tint("\x1b[1m"), stage.stage, tint("\x1b[0m"), "  ", stage.about, "\n"));
  }
  virtual void advance(const Progress& progress) {
    const bool is_done = progress.total > 0 && progress.done >= progress.total;
    if (is_done && !options_.quiet) print(cat("  ", progress.item, "  ", human_size(progress.total), "\n"));
  }
  void tell(const Note& note) {
    if (note.level == Note::Level::warning) {
      print(cat(tint("\x1b[1;33m"), "warning:", tint("\x1b[0m"), " ", note.text, "\n"));
    } else if (!options_.quiet && (note.level == Note::Level::info || options_.verbose)) {
      print(cat("  ", note.text, "\n"));
    }
  }
  virtual void clear() {}
  void print(const std::string& line) {
    clear();
    out_ << line << std::flush;
  }
  std::string_view tint(std::string_view code) const { return options_.color ? code : std::string_view(); }

  RendererOptions options_;
  std::ostream& out_;
  std::mutex mutex_;
};

// Adds one live line below what was printed: the stage, or a bar for long work.
class TerminalRenderer : public LineRenderer {
 public:
  using LineRenderer::LineRenderer;

 private:
  void start(const StageStarted& stage) override {
    bars_.clear();
    LineRenderer::start(stage);
  }

  void advance(const Progress& progress) override {
    if (options_.quiet) return;
    if (progress.total > 0 && progress.done >= progress.total) {
      bars_.erase(progress.item);
      LineRenderer::advance(progress);
      return;
    }
    bars_[progress.item] = progress;
    const Clock::time_point now = Clock::now();
    if (now - drawn_ < std::chrono::milliseconds(50)) return;
    drawn_ = now;
    clear();
    out_ << line() << std::flush;
    has_line_ = true;
  }

  void clear() override {
    if (has_line_) out_ << "\r\x1b[K";
    has_line_ = false;
  }

  std::string line() const {
    constexpr std::uint64_t kCells = 20;
    std::uint64_t done = 0, total = 0;
    bool is_known = true;
    for (const auto& [item, bar] : bars_) {
      done += bar.done;
      total += bar.total;
      is_known = is_known && bar.total > 0;
    }
    std::string text = bars_.size() == 1 ? bars_.begin()->first : cat(bars_.size(), " items");
    if (is_known) {
      const std::uint64_t filled = std::min(kCells, done * kCells / std::max<std::uint64_t>(total, 1));
      text = cat("[", std::string(filled, '#'), std::string(kCells - filled, '.'), "] ", human_size(done), " of ",
                 human_size(total), "  ", text);
    } else {
      text = cat(human_size(done), "  ", text);
    }
    const auto width = static_cast<std::size_t>(std::max(20, options_.width - 1));
    return text.substr(0, width);
  }

  std::map<std::string, Progress> bars_;
  Clock::time_point drawn_;
  bool has_line_ = false;
};

class JsonRenderer : public Renderer {
 public:
  JsonRenderer(const RendererOptions& options, std::ostream& out) : options_(options), out_(out) {}

  void emit(const Event& event) noexcept override {
    std::visit(
        Overloaded{
            [&](const StageStarted& stage) {
              print({{"event", "stage"}, {"stage", stage.stage}, {"about", stage.about}}, false);
            },
            [&](const Progress& progress) {
              print(
                  {{"event", "progress"}, {"item", progress.item}, {"done", progress.done}, {"total", progress.total}},
                  false);
            },
            [&](const Note& note) {
              constexpr std::array<const char*, 3> kLevels = {"verbose", "info", "warning"};
              if (note.level == Note::Level::verbose && !options_.verbose) return;
              print({{"event", "note"}, {"level", kLevels[static_cast<std::size_t>(note.level)]}, {"text", note.text}},
                    note.level == Note::Level::warning);
            },
            [&](const StepOutput& output) {
              if (options_.verbose) print({{"event", "output"}, {"step", output.step}, {"line", output.line}}, false);
            }},
        event);
  }

  void fail(const Error& error) noexcept override {
    Json object = to_json(error);
    object["event"] = "error";
    print(object, true);
  }

 private:
  void print(const Json& object, bool even_when_quiet) {
    if (options_.quiet && !even_when_quiet) return;
    const std::lock_guard lock(mutex_);
    out_ << canonical_json(object) << '\n' << std::flush;
  }

  RendererOptions options_;
  std::ostream& out_;
  std::mutex mutex_;
};

}  // namespace

std::unique_ptr<Renderer> make_renderer(const RendererOptions& options, std::ostream& out) {
  switch (options.format) {
    case LogFormat::json:
      return std::make_unique<JsonRenderer>(options, out);
    case LogFormat::terminal:
      return std::make_unique<TerminalRenderer>(options, out);
    case LogFormat::plain:
      break;
  }
  return std::make_unique<LineRenderer>(options, out);
}

}  // namespace whittle::cli
