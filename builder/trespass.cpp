#include "builder/trespass.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace whittle::builder {

namespace {

// In lower case: resolvers and sockets as the C library, Go, Rust, Java, Node and Python speak of them.
constexpr std::array<std::string_view, 16> kNetwork = {"could not resolve host",
                                                       "couldn't resolve host",
                                                       "temporary failure in name resolution",
                                                       "name or service not known",
                                                       "network is unreachable",
                                                       "no address associated with hostname",
                                                       "failed to lookup address",
                                                       "unable to resolve host address",
                                                       "dial tcp",
                                                       "eai_again",
                                                       "enotfound",
                                                       "enetunreach",
                                                       "unknownhostexception",
                                                       "failed to establish a new connection",
                                                       "cannot assign requested address",
                                                       "dns error"};
constexpr std::array<std::string_view, 2> kWrite = {"read-only file system", "erofs"};
constexpr std::array<std::string_view, 5> kAbsent = {"no such file", "not found", "does not exist", "cannot open",
                                                     "cannot find"};

template <std::size_t Count>
bool has_any(std::string_view line, const std::array<std::string_view, Count>& signs) {
  return std::any_of(signs.begin(), signs.end(),
                     [&](std::string_view sign) { return line.find(sign) != std::string_view::npos; });
}

std::vector<std::string> paths_in(std::string_view line) {
  std::vector<std::string> paths;
  for (std::size_t at = line.find('/'); at != std::string_view::npos; at = line.find('/', at)) {
    const bool begins = at == 0 || std::string_view(" \t:'\"`(<[=").find(line[at - 1]) != std::string_view::npos;
    const std::size_t end = std::min(line.find_first_of(" \t:;,'\"`()<>[]", at), line.size());
    if (begins && end - at > 1) paths.emplace_back(line.substr(at, end - at));
    at = end;
  }
  return paths;
}

// There, and not seen.
std::string hidden_path_in(std::string_view line, const View& view) {
  for (std::string& path : paths_in(line)) {
    std::error_code problem;
    const fs::path real = fs::canonical(path, problem);
    if (!problem && view.access(real) == Access::hidden) return std::move(path);
  }
  return {};
}

std::string unwritable_path_in(std::string_view line, const View& view) {
  for (std::string& path : paths_in(line)) {
    if (view.access(fs::path(path).lexically_normal()) == Access::readable) return std::move(path);
  }
  return {};
}

}  // namespace

std::optional<Trespass> trespass_in(std::string_view said, const View& view, bool network) {
  std::optional<Trespass> write, read;
  for (const std::string& line : split_lines(said)) {
    const std::string small = lower(line);
    const std::string shown(trim(printable(line.substr(0, 500))));
    if (!network && has_any(small, kNetwork)) return Trespass{Trespass::Kind::network, shown, {}};
    if (!write && has_any(small, kWrite)) {
      write = Trespass{Trespass::Kind::write, shown, unwritable_path_in(line, view)};
    }
    if (read || !has_any(small, kAbsent)) continue;
    const std::string path = hidden_path_in(line, view);
    if (!path.empty()) read = Trespass{Trespass::Kind::read, shown, path};
  }
  return write ? write : read;
}

std::string description_of(const Trespass& trespass) {
  switch (trespass.kind) {
    case Trespass::Kind::network:
      return "wanted the network, which it may not use";
    case Trespass::Kind::write:
      return cat("wanted to write ", trespass.path.empty() ? "outside of its folders" : backticked(trespass.path),
                 ", which it may not");
    case Trespass::Kind::read:
      break;
  }
  return cat("wanted to read ", backticked(trespass.path), ", which is neither in the source tree nor of a tool");
}

std::string remedy_for(const Trespass& trespass, std::string_view step) {
  switch (trespass.kind) {
    case Trespass::Kind::network:
      return cat("`network = [\"", printable(step), "\"]` under `[build]` in whittle.toml lets it");
    case Trespass::Kind::write:
      return "have it write below its own working folder; `--sandbox=off` lets it write anywhere";
    case Trespass::Kind::read:
      break;
  }
  return "build a folder that holds both, or name the path in `args` or `env` under `[build]`; `--sandbox=off` hides "
         "nothing";
}

}  // namespace whittle::builder
