#include "detectors/python_lock.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "base/error.hpp"
#include "base/text.hpp"
#include "detectors/places.hpp"
#include "detectors/python_marker.hpp"

namespace whittle::detectors {

namespace {

struct Alternative {
  std::string_view name, instead;
};

// Packages without wheels whose place another one can take.
constexpr std::array<Alternative, 4> kAlternatives = {
    {{"psycopg2", "psycopg2-binary"}, {"mysqlclient", "pymysql"}, {"uwsgi", "gunicorn"}, {"pycrypto", "pycryptodome"}}};

// The part of a wheel's name that says where it runs: `-PLATFORM.whl`.
bool is_wheel_for(std::string_view file, std::string_view platform) {
  if (!file.ends_with(".whl")) return false;
  const std::string_view tag = file.substr(file.rfind('-') + 1, file.size() - file.rfind('-') - 5);
  if (tag == "any") return true;
  if (tag.find("linux") == std::string_view::npos) return false;
  if (platform.ends_with("/amd64")) return tag.ends_with("x86_64");
  if (platform.ends_with("/arm64")) return tag.ends_with("aarch64");
  if (platform.find("/arm/v7") != std::string_view::npos) return tag.ends_with("armv7l");
  return tag.ends_with(platform.substr(platform.find('/') + 1));
}

class Selector {
 public:
  Selector(const PythonLock& lock, const std::string& platform) : lock_(lock), platform_(platform) {
    set_ranges();
    for (std::size_t i = 0; i < lock.packages.size(); ++i) by_name_[lock.packages[i].name].push_back(i);
    conditions_.assign(lock.packages.size(), PythonCondition(ranges_.starts.size(), false));
    for (const LockedPackage& package : lock.packages) own_.push_back(condition_of(package.marker, package.line));
  }

  LockedSelection run() {
    if (lock_.is_followed) {
      for (const LockedDependency& root : lock_.roots) visit(root, PythonCondition(ranges_.starts.size(), true), 0);
      follow();
    } else {
      conditions_ = own_;
    }
    LockedSelection selection;
    std::map<std::string, std::string> lines;
    for (std::size_t i = 0; i < lock_.packages.size(); ++i) {
      if (!never(conditions_[i])) add(lock_.packages[i], conditions_[i], selection, lines);
    }
    for (auto& [key, line] : lines) selection.requirements.push_back(std::move(line));
    return selection;
  }

 private:
  using Asked = std::pair<std::size_t, std::string>;  // a package with one of its extras; "" is the package alone

  void set_ranges() {
    std::set<PythonVersion> starts = {{3, 0, 0}};
    const auto add = [&](const std::string& marker, int line) { parsed(marker, line).add_starts(starts); };
    for (const LockedDependency& root : lock_.roots) add(root.marker, 0);
    for (const LockedPackage& package : lock_.packages) {
      add(package.marker, package.line);
      for (const LockedDependency& dependency : package.dependencies) add(dependency.marker, package.line);
    }
    ranges_.starts.assign(starts.begin(), starts.end());
  }

  PythonMarker parsed(const std::string& marker, int line) const {
    try {
      return PythonMarker::parse(marker);
    } catch (const Error& error) {
      throw failure(lock_.file, line, error.causes().back());
    }
  }

  PythonCondition condition_of(const std::string& marker, int line) const {
    return parsed(marker, line).holds(ranges_, platform_);
  }

  void visit(const LockedDependency& dependency, const PythonCondition& above, int line) {
    const PythonCondition when = both(above, condition_of(dependency.marker, line));
    if (never(when)) return;
    const auto found = by_name_.find(dependency.name);
    if (found == by_name_.end()) return;
    for (const std::size_t index : found->second) {
      if (!dependency.version.empty() && lock_.packages[index].version != dependency.version) continue;
      const PythonCondition here = both(when, own_[index]);
      note({index, ""}, here);
      for (const std::string& extra : dependency.extras) note({index, extra}, here);
    }
  }

  void note(const Asked& asked, const PythonCondition& when) {
    PythonCondition& known = asked_.emplace(asked, PythonCondition(ranges_.starts.size(), false)).first->second;
    if (!add_to(known, when)) return;
    add_to(conditions_[asked.first], when);
    open_.push_back(asked);
  }

  // Conditions only grow, so this ends, also for packages that need one another.
  void follow() {
    while (!open_.empty()) {
      const Asked asked = open_.back();
      open_.pop_back();
      const LockedPackage& package = lock_.packages[asked.first];
      const PythonCondition above = asked_.at(asked);
      for (const LockedDependency& dependency : package.dependencies) {
        if (dependency.for_extra == asked.second) visit(dependency, above, package.line);
      }
    }
  }

  Error without_wheel(const LockedPackage& package) const {
    std::string why = cat(backticked(package.name), " ", package.version, " is locked without a wheel for ", platform_,
                          ", and whittle runs no build of packages; lock a version that has one");
    for (const Alternative& alternative : kAlternatives) {
      if (alternative.name == package.name) why += cat(", or use ", backticked(alternative.instead));
    }
    return failure(lock_.file, package.line, std::move(why));
  }

  void add(const LockedPackage& package, const PythonCondition& when, LockedSelection& selection,
           std::map<std::string, std::string>& lines) const {
    if (!package.folder.empty()) {
      selection.folders.push_back(package.folder);
      return;
    }
    if (!package.foreign.empty()) {
      throw failure(lock_.file, package.line,
                    cat(backticked(package.name), " comes from ", printable(package.foreign),
                        ", and whittle takes wheels alone; publish it as a wheel, or put its source into the tree"));
    }
    std::set<std::string> digests;
    bool has_names = false;
    for (const LockedFile& file : package.files) {
      has_names = has_names || !file.name.empty();
      if (file.name.empty() || is_wheel_for(file.name, platform_)) digests.insert(file.digest);
    }
    if (has_names && digests.empty()) throw without_wheel(package);
    PythonRequirement requirement;
    requirement.name = package.name;
    requirement.url = package.url;
    if (package.url.empty() && !package.version.empty()) requirement.specifier = cat("==", package.version);
    requirement.marker = marker_text(when, ranges_);
    std::string line = text_of(requirement);
    for (const std::string& digest : digests) line += cat(" --hash=", digest);
    selection.names.insert(package.name);
    lines[cat(package.name, " ", package.version)] = std::move(line);
  }

  const PythonLock& lock_;
  const std::string& platform_;
  PythonRanges ranges_;
  std::map<std::string, std::vector<std::size_t>> by_name_;
  std::vector<PythonCondition> own_, conditions_;
  std::map<Asked, PythonCondition> asked_;
  std::vector<Asked> open_;
};

}  // namespace

LockedSelection select_locked(const PythonLock& lock, const std::string& platform) {
  return Selector(lock, platform).run();
}

}  // namespace whittle::detectors
