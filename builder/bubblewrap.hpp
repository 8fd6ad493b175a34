// A command line of bubblewrap: what a program sees of the file system, which namespaces are its own, who it is.
// Whoever is started by it has process ids, IPC, host name and session of its own, and ends with its parent.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"

namespace whittle::builder {

class Bubblewrap {
 public:
  explicit Bubblewrap(const fs::path& program);

  // Acts in the order of the calls: what is shown later covers what was shown earlier.
  void show(const fs::path& from, const fs::path& at);   // read-only, with all that is mounted below
  void lend(const fs::path& from, const fs::path& at);   // writable
  void show_if_there(const fs::path& path);              // read-only, at the same place
  void empty(const fs::path& at);                        // a folder of its own, in memory
  void furnish();                                        // /dev and /proc of its own
  void seal(const fs::path& at);                         // from here on read-only
  void take_network();                                   // all but loopback
  void become(std::uint64_t user, std::uint64_t group);  // in a user namespace
  void map_user();                                       // a user namespace, the same user in it
  // What a root that no namespace confines may still do.
  void keep_only_capabilities(std::span<const std::string_view> names);
  void name_host(std::string_view name);
  void enter(const fs::path& folder);
  // "NAME=value"; in place of the caller's.
  void set_environment(std::span<const std::string> variables);

  std::vector<std::string> running(std::span<const std::string> argv) const;

 private:
  std::vector<std::string> words_;
};

// Whether what was said on standard error is bubblewrap's own complaint: then nothing was started.
bool is_complaint_of_bubblewrap(std::string_view error);

}  // namespace whittle::builder
