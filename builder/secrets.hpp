// Secrets that the caller gives, and how a step gets those that the plan names for it: in files in memory that only
// that step sees, for as long as it runs. Plans, keys, records and logs know their names alone.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>

#include "base/files.hpp"
#include "base/process.hpp"
#include "builder/placeholders.hpp"

namespace whittle::builder {

class Secrets {
 public:
  void add(std::string id, std::string content) { contents_[std::move(id)] = std::move(content); }
  bool has(const std::string& id) const { return contents_.contains(id); }
  const std::string& content(const std::string& id) const { return contents_.at(id); }
  const std::map<std::string, std::string>& all() const { return contents_; }

  // What must not be seen of any of them.
  std::vector<std::string> parts() const;
  // The secret that lies in a file, or in one below a folder.
  std::optional<std::string> found_in(const fs::path& path) const;

 private:
  std::map<std::string, std::string> contents_;
};

// Throws Error(usage) with the remedy when a step of one of `plans` needs a secret that is not among `given`.
void refuse_missing_secrets(std::span<const plan::BuildPlan> plans, const Secrets& given);
// The secrets that no step asks for.
std::vector<std::string> unused_secrets(std::span<const plan::BuildPlan> plans, const Secrets& given);

// Throws Error(budget_exceeded), as for any policy, when something at `path`, which `step` has made, holds a secret.
void refuse_secret_in(const fs::path& path, std::string_view shown, std::string_view step, const Secrets& secrets);

// The secrets of one step, there until this goes.
class HandedSecrets {
 public:
  // Adds the variables to the command. `name` is unique among builds that run.
  HandedSecrets(const plan::Step& step, const Secrets& given, const Host& host, const std::string& name,
                Command& command);
  ~HandedSecrets();
  HandedSecrets(const HandedSecrets&) = delete;
  HandedSecrets& operator=(const HandedSecrets&) = delete;

  // Empty when the step has none.
  const fs::path& folder() const { return folder_; }

 private:
  void put_in_home(const fs::path& home, const std::string& place, const fs::path& file);

  fs::path folder_;
  std::vector<fs::path> links_;
};

}  // namespace whittle::builder
