#include "gateway/state_file.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::gateway {

namespace {

constexpr int kFormat = 1;
constexpr std::uint64_t kMaximum = 64 << 20;

Error damaged(const fs::path& file, const Error& why) {
  Error error(Exit::export_failed, cat("the state file ", backticked(file.native()), " is damaged"));
  error.cause(why.message());
  for (const std::string& cause : why.causes()) error.cause(cause);
  return error.note("the images are as they were: the file only says what they are");
}

}  // namespace

void reading_state(const fs::path& file, const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    throw damaged(file, error);
  }
}

std::optional<Json> read_state(const fs::path& file) {
  const std::optional<std::string> text = read_file_if_exists(file, kMaximum);
  if (!text) return std::nullopt;
  Json value;
  reading_state(file, [&] {
    value = parse_json(*text, file.filename().native());
    const int format = json_member<int>(value, "format", file.filename().native());
    if (format != kFormat) {
      throw Error(Exit::usage, cat("its format is ", format, ", and this program knows ", kFormat))
          .hint("use the newer program that wrote it");
    }
  });
  return value;
}

void write_state(const fs::path& file, Json value) {
  value["format"] = kFormat;
  write_file(file, pretty_json(value), 0600);
}

}  // namespace whittle::gateway
