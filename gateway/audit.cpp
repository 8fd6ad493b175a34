#include "gateway/audit.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <ctime>

#include "base/error.hpp"
#include "base/text.hpp"
#include "oci/image.hpp"

namespace whittle::gateway {

namespace {

constexpr std::uint64_t kMaximum = 256 << 20;

// Everything up to the last line end.
std::string_view whole_lines(std::string_view text) {
  const std::size_t end = text.rfind('\n');
  return end == std::string_view::npos ? std::string_view() : text.substr(0, end + 1);
}

std::string_view last_line(std::string_view lines) {
  if (lines.empty()) return {};
  lines.remove_suffix(1);
  const std::size_t before = lines.rfind('\n');
  return before == std::string_view::npos ? lines : lines.substr(before + 1);
}

Json without_chain(Json line) {
  line.erase("at");
  line.erase("previous");
  return line;
}

bool is_same(std::string_view line, const Json& facts) {
  try {
    return !line.empty() && without_chain(parse_json(line, "the last line")) == facts;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

void Audit::append(Json facts) {
  const std::string text = read_file_if_exists(file_, kMaximum).value_or("");
  const std::string_view lines = whole_lines(text);
  const std::string_view last = last_line(lines);
  if (is_same(last, facts)) return;
  facts["at"] = oci::rfc3339(std::time(nullptr));
  if (!last.empty()) facts["previous"] = digest_of(last).str();
  const std::string line = cat(canonical_json(facts), "\n");

  const FileDescriptor file(::open(file_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!file) throw system_error(Exit::export_failed, cat("cannot open ", backticked(file_.native())));
  if (lines.size() != text.size() && ::ftruncate(file.get(), static_cast<off_t>(lines.size())) != 0) {
    throw system_error(Exit::export_failed, cat("cannot write ", backticked(file_.native())));
  }
  if (::lseek(file.get(), static_cast<off_t>(lines.size()), SEEK_SET) < 0) {
    throw system_error(Exit::export_failed, cat("cannot write ", backticked(file_.native())));
  }
  write_all(file, bytes_of(line), file_);
  if (::fsync(file.get()) != 0) {
    throw system_error(Exit::export_failed, cat("cannot write ", backticked(file_.native())));
  }
  if (text.empty()) sync_folder(file_.parent_path());
}

Audit::State Audit::verify() const {
  State state;
  const std::string text = read_file_if_exists(file_, kMaximum).value_or("");
  for (const std::string& line : split_lines(whole_lines(text))) {
    ++state.lines;
    std::string previous;
    try {
      previous = json_text(parse_json(line, "a line"), "previous");
    } catch (const Error& error) {
      state.problem = cat("line ", state.lines, " of `audit.jsonl` is no JSON: ", error.message());
      return state;
    }
    const std::string wanted = state.lines == 1 ? "" : state.head.str();
    if (previous != wanted) {
      state.problem = cat("line ", state.lines, " of `audit.jsonl` does not follow from the line before it");
      return state;
    }
    state.head = digest_of(line);
  }
  return state;
}

}  // namespace whittle::gateway
