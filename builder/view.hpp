// What a step sees of this machine's file system when it runs in a sandbox: everything read-only, its own folders
// writable, people's folders and what other programs share hidden. All of it under the same paths as outside, since
// tools write paths into what they make.
#pragma once

#include <map>
#include <span>

#include "base/process.hpp"
#include "builder/placeholders.hpp"
#include "builder/toolchain.hpp"

namespace whittle::builder {

enum class Access { hidden, readable, writable };

class View {
 public:
  // Homes, temporary folders and sockets of this machine are hidden.
  explicit View(const Host& host);

  // `path` as it really is; nothing that is not there, and nothing that is seen as well without it.
  void read(const fs::path& path);
  void write(const fs::path& path);
  // A program with what is installed beside it, the places that lead to it, and the interpreter of a script.
  void read_program(const fs::path& program);

  Access access(const fs::path& path) const;
  // In an order in which each covers those before it.
  const std::map<fs::path, Access>& places() const { return places_; }

 private:
  bool is_too_much(const fs::path& folder) const;
  void read_installation(const fs::path& program);

  std::map<fs::path, Access> places_;
};

// What a step is made of, for `view_of`.
struct Surroundings {
  const Host& host;
  const Places& places;
  std::span<const ProbedTool> tools;
  const FoundToolchain* toolchain;  // may be null
};

// `command` is the step's, with everything filled in.
View view_of(const plan::Step& step, const Command& command, const Surroundings& around);

// The folders that `${cache:NAME}` stands for in the step and its toolchain.
std::set<fs::path> all_cache_folders(const plan::Step& step, const Surroundings& around);

}  // namespace whittle::builder
