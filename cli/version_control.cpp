#include "cli/version_control.hpp"

#include <git2.h>

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "base/text.hpp"

namespace whittle::cli {

namespace {

template <class Object, void (*Free)(Object*)>
struct Freed {
  void operator()(Object* object) const { Free(object); }
};
using Repository = std::unique_ptr<git_repository, Freed<git_repository, git_repository_free>>;
using Head = std::unique_ptr<git_commit, Freed<git_commit, git_commit_free>>;
using Remote = std::unique_ptr<git_remote, Freed<git_remote, git_remote_free>>;

// libgit2 keeps global state; it lives as long as the process needs it.
class Library {
 public:
  Library() {
    git_libgit2_init();
    // A tree that belongs to somebody else (a CI checkout) is fine: nothing in it is executed here.
    git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
  }
  ~Library() { git_libgit2_shutdown(); }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
};

std::string hex(const git_oid& id) {
  std::array<char, GIT_OID_HEXSZ + 1> text{};
  git_oid_tostr(text.data(), text.size(), &id);
  return text.data();
}

// "https://user:token@host/x.git" must not become a label.
std::string without_user_information(std::string url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string::npos) return url;
  const std::size_t start = scheme + 3, slash = std::min(url.find('/', start), url.size());
  const std::size_t at = url.rfind('@', slash);
  if (at != std::string::npos && at >= start) url.erase(start, at + 1 - start);
  return url;
}

std::string origin_of(git_repository* repository) {
  git_remote* found = nullptr;
  if (git_remote_lookup(&found, repository, "origin") != 0) return "";
  const Remote remote(found);
  const char* url = git_remote_url(remote.get());
  // A path of this machine says nothing to others and would make two machines' images differ.
  if (url == nullptr || std::string_view(url).find(':') == std::string_view::npos) return "";
  if (std::string_view(url).starts_with("file:")) return "";
  return without_user_information(url);
}

struct TagSearch {
  git_repository* repository;
  git_oid head;
  std::vector<std::string> names;
};

int visit_tag(const char* name, git_oid* id, void* payload) noexcept {
  auto& search = *static_cast<TagSearch*>(payload);
  git_object* target = nullptr;
  if (git_object_lookup(&target, search.repository, id, GIT_OBJECT_ANY) != 0) return 0;
  git_object* commit = nullptr;
  if (git_object_peel(&commit, target, GIT_OBJECT_COMMIT) == 0) {
    if (git_oid_equal(git_object_id(commit), &search.head) != 0) {
      search.names.emplace_back(std::string_view(name).substr(std::string_view("refs/tags/").size()));
    }
    git_object_free(commit);
  }
  git_object_free(target);
  return 0;
}

}  // namespace

std::optional<Commit> read_commit(const fs::path& folder) {
  const Library library;
  git_repository* opened = nullptr;
  if (git_repository_open_ext(&opened, folder.c_str(), 0, nullptr) != 0) return std::nullopt;
  const Repository repository(opened);
  git_oid id;
  git_commit* found = nullptr;
  if (git_reference_name_to_id(&id, repository.get(), "HEAD") != 0) return std::nullopt;
  if (git_commit_lookup(&found, repository.get(), &id) != 0) return std::nullopt;
  const Head head(found);

  Commit commit{.revision = hex(id),
                .committed = git_commit_time(head.get()),
                .source = origin_of(repository.get()),
                .version = {}};
  TagSearch search{repository.get(), id, {}};
  git_tag_foreach(repository.get(), visit_tag, &search);
  if (!search.names.empty()) commit.version = *std::min_element(search.names.begin(), search.names.end());
  return commit;
}

std::map<std::string, std::string> labels_of(const Commit& commit) {
  std::map<std::string, std::string> labels = {{"org.opencontainers.image.revision", commit.revision}};
  if (!commit.source.empty()) labels.emplace("org.opencontainers.image.source", commit.source);
  if (!commit.version.empty()) labels.emplace("org.opencontainers.image.version", commit.version);
  return labels;
}

}  // namespace whittle::cli
