#include "registry/whereabouts.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::registry {

namespace {

constexpr std::size_t kMostLines = 20'000;
constexpr std::size_t kLongestPlace = 400;
constexpr std::uint64_t kLargestFile = 16 << 20;

// A repository, or a repository and a tag, of distribution-spec's alphabet.
bool is_place(std::string_view text) {
  return !text.empty() && text.size() <= kLongestPlace && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return c < 0x80 &&
           (std::isalnum(c) != 0 || std::string_view("._-/:").find(static_cast<char>(c)) != std::string_view::npos);
  });
}

bool is_repository(std::string_view place) {
  return place.find(':') == std::string_view::npos;
}

// Readable, and different for every host.
std::string file_name(std::string_view host) {
  std::string name = lower(host);
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '.' && c != '-') c = '_';
  }
  return cat(name.substr(0, 100), "-", digest_of(host).hex().substr(0, 8));
}

}  // namespace

Whereabouts::Whereabouts(const fs::path& folder, std::string_view host) {
  if (folder.empty()) return;
  file_ = folder / file_name(host);
  places_ = read().places;
}

Whereabouts::~Whereabouts() {
  if (file_.empty() || changes_.empty()) return;
  try {
    save();
  } catch (const Error&) {
    // The next run asks more, that is all.
  }
}

bool Whereabouts::has(const Digest& digest, const std::string& place) const {
  const std::lock_guard lock(mutex_);
  const auto found = places_.find(digest);
  return found != places_.end() && found->second.count(place) > 0;
}

std::optional<std::string> Whereabouts::elsewhere(const Digest& digest, const std::string& repository) const {
  const std::lock_guard lock(mutex_);
  const auto found = places_.find(digest);
  if (found == places_.end()) return std::nullopt;
  if (favourite_ != repository && found->second.count(favourite_) > 0) return favourite_;
  for (const std::string& place : found->second) {
    if (place != repository && is_repository(place)) return favourite_ = place;
  }
  return std::nullopt;
}

void Whereabouts::learn(const Digest& digest, const std::string& place) {
  const std::lock_guard lock(mutex_);
  if (!is_place(place) || !places_[digest].insert(place).second) return;
  changes_[{digest, place}] = true;
  learnt_.emplace_back(digest, place);
}

void Whereabouts::forget(const Digest& digest, const std::string& place) {
  const std::lock_guard lock(mutex_);
  const auto found = places_.find(digest);
  if (found == places_.end() || found->second.erase(place) == 0) return;
  changes_[{digest, place}] = false;
}

Whereabouts::Text Whereabouts::read() const {
  Text text;
  std::optional<std::string> content;
  try {
    content = read_file_if_exists(file_, kLargestFile);
  } catch (const Error&) {
    return text;
  }
  for (const std::string& line : split_lines(content.value_or(""))) {
    const std::size_t space = line.find(' ');
    const auto digest = Digest::parse(line.substr(0, space));
    if (!digest || space == std::string::npos || !is_place(line.substr(space + 1))) continue;
    std::string place = line.substr(space + 1);
    if (text.places[*digest].insert(place).second) text.lines.emplace_back(*digest, std::move(place));
  }
  return text;
}

void Whereabouts::save() const {
  make_folders(file_.parent_path());
  const FileLock lock(file_.parent_path() / ".lock", FileLock::Mode::exclusive);
  Text text = read();
  text.lines.remove_if([&](const Line& line) { return changes_.count(line) > 0; });
  for (const Line& line : learnt_) {
    if (changes_.at(line)) text.lines.push_back(line);
  }
  while (text.lines.size() > kMostLines) text.lines.pop_front();
  std::string out;
  for (const auto& [digest, place] : text.lines) out += cat(digest.str(), " ", place, "\n");
  write_file(file_, out);
}

}  // namespace whittle::registry
