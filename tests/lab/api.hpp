// The distribution specification, strictly, and the ways in which a personality differs from it.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "tests/lab/message.hpp"
#include "tests/lab/personality.hpp"

namespace whittle::testing {

struct StoredManifest {
  std::string media_type, json;
};

struct Repository {
  std::map<std::string, std::string> blobs;
  std::map<std::string, StoredManifest> manifests;  // by digest
  std::map<std::string, std::string> tags;
};

struct Upload {
  std::string repository, content;
  int number = 0, version = 0;  // the version changes with each chunk, and the Location with it
  std::uint64_t first_chunk = 0;
  std::string id() const;
  std::string state() const;
};

class Api {
 public:
  struct Options {
    Personality personality = {};
    bool mounts = true;
    int mount_refusal = 0;
    bool relative_locations = false;
    std::string url = {};
    // May the request read this other repository? For mounts.
    std::function<bool(const std::string& repository)> may_read = {};
    // Where a blob is to be fetched, or an upload sent, when that is not here.
    std::function<std::string(const std::string& digest, const std::string& content)> storage = {};
    std::function<std::string(const std::string& id, const std::string& state)> uploads = {};
  };
  explicit Api(Options options) : options_(std::move(options)) {}

  Answer answer(const Question& question);
  // The upload `id` gets what a request to another address brought.
  Answer finish_upload(const Question& question, const std::string& id);
  // A body of this upload ended early, after `received` bytes.
  void break_off(const Question& question);
  // The repository that a request is about; empty for others.
  static std::string repository_of(const Question& question);
  std::size_t open_uploads() const { return open_.size(); }
  // Everything below every tag is there and hashes to its name; otherwise the first thing that is not.
  std::string problem() const;
  void set_may_read(std::function<bool(const std::string&)> may_read) { options_.may_read = std::move(may_read); }

  std::map<std::string, Repository> repositories;
  std::set<std::string> corrupted;  // digests that are served with a flipped byte

 private:
  struct Route {
    enum class Kind { none, root, tags, manifest, blob, referrers, uploads, upload } kind = Kind::none;
    std::string repository, name;
  };
  static Route route_of(const std::string& path);

  Answer manifest(const Question& question, const Route& route);
  Answer serve_manifest(const Question& question, const Route& route);
  Answer store_manifest(const Question& question, const Route& route);
  Answer delete_manifest(const Route& route);
  Answer list_tags(const Question& question, const Route& route);
  Answer list_referrers(const Question& question, const Route& route);
  std::string missing_below(const Repository& repository, const Json& manifest) const;
  std::string resolve(const Repository& repository, const std::string& name) const;

  Answer blob(const Question& question, const Route& route);
  Answer serve_blob(const Question& question, const std::string& digest, const std::string& content);
  Answer open_upload(const Question& question, const Route& route);
  std::optional<Answer> mount(const Question& question, const Route& route);
  Answer upload(const Question& question, const Route& route);
  Answer append(const Question& question, Upload& upload);
  Answer status_of(const Upload& upload, int status) const;
  Answer finish(const Question& question, Upload& upload);
  std::optional<Answer> refuse_chunk(const Question& question, const Upload& upload) const;
  std::string location_of(const Upload& upload) const;

  Options options_;
  std::map<std::string, Upload> open_;
  int upload_number_ = 0;
  bool was_busy_ = false;
};

bool is_digest(const std::string& text);
// With one bit changed in the middle.
std::string flipped(std::string content);

}  // namespace whittle::testing
