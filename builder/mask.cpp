#include "builder/mask.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace whittle::builder {

namespace {

constexpr std::size_t kLeast = 4;
constexpr std::string_view kShown = "***";
constexpr std::array<std::string_view, 5> kSecretKeys = {"pass", "token", "auth", "secret", "key"};

void add(std::vector<std::string>& parts, std::string_view part) {
  if (part.size() >= kLeast && std::find(parts.begin(), parts.end(), part) == parts.end()) parts.emplace_back(part);
}

std::vector<std::string_view> words_of(std::string_view line) {
  constexpr std::string_view kBetween = " \t=\"'<>,;{}";
  std::vector<std::string_view> words;
  for (std::size_t at = line.find_first_not_of(kBetween); at != std::string_view::npos;) {
    const std::size_t end = std::min(line.find_first_of(kBetween, at), line.size());
    if (line.substr(at, end - at) != ":") words.push_back(line.substr(at, end - at));
    at = line.find_first_not_of(kBetween, end);
  }
  return words;
}

bool names_a_secret(std::string_view word) {
  const std::string small = lower(word);
  return std::any_of(kSecretKeys.begin(), kSecretKeys.end(),
                     [&](std::string_view key) { return small.find(key) != std::string::npos; });
}

// "user:password" of "https://user:password@host/".
void add_of_url(std::vector<std::string>& parts, std::string_view word) {
  const std::size_t scheme = word.find("://"), at = word.rfind('@');
  if (scheme == std::string_view::npos || at == std::string_view::npos || at < scheme + 3) return;
  const std::string_view user = word.substr(scheme + 3, at - scheme - 3);
  add(parts, user);
  if (const std::size_t colon = user.find(':'); colon != std::string_view::npos) add(parts, user.substr(colon + 1));
}

void add_of_line(std::vector<std::string>& parts, std::string_view line) {
  const std::vector<std::string_view> words = words_of(line);
  for (std::size_t i = 0; i < words.size(); ++i) {
    add_of_url(parts, words[i]);
    if (i > 0 && names_a_secret(words[i - 1])) add(parts, words[i]);
  }
}

}  // namespace

std::vector<std::string> parts_of_secret(std::string_view secret) {
  std::vector<std::string> parts;
  add(parts, trim(secret));
  for (const std::string& line : split_lines(secret)) {
    add(parts, trim(line));
    add_of_line(parts, line);
  }
  return parts;
}

Mask::Mask(std::vector<std::string> parts) : parts_(std::move(parts)) {
  std::sort(parts_.begin(), parts_.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
}

std::string Mask::take(bool is_end) {
  std::string out;
  std::size_t at = 0;
  while (at < held_.size()) {
    const std::string_view rest = std::string_view(held_).substr(at);
    const auto is_here = [&](const std::string& part) { return rest.starts_with(part); };
    const auto may_come = [&](const std::string& part) { return std::string_view(part).starts_with(rest); };
    const auto found = std::find_if(parts_.begin(), parts_.end(), is_here);
    if (!is_end && std::any_of(parts_.begin(), found, may_come)) break;
    out += found == parts_.end() ? rest.substr(0, 1) : kShown;
    at += found == parts_.end() ? 1 : found->size();
  }
  held_.erase(0, at);
  return out;
}

std::string Mask::shown(std::string_view text) {
  if (parts_.empty()) return std::string(text);
  held_ += text;
  return take(false);
}

std::string Mask::rest() {
  return take(true);
}

}  // namespace whittle::builder
