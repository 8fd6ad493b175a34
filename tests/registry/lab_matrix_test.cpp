// Personality × operation × fault × position: every transient fault is outlived, five in a row too, at the cost of
// one chunk each; every corruption is noticed, fetched once more, and then refused.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <set>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "registry/client.hpp"
#include "tests/lab/registry.hpp"
#include "tests/registry/test_images.hpp"
#include "tests/support/scripted_transport.hpp"

using namespace whittle;
using namespace whittle::registry;
using whittle::testing::FakeClock;
using whittle::testing::FakeRegistry;
using whittle::testing::Fault;
using whittle::testing::make_image;
using whittle::testing::noise;
using whittle::testing::Personality;
using whittle::testing::TestImage;
using Kind = Fault::Kind;

namespace {

const oci::Platform kAmd64{.os = "linux", .architecture = "amd64", .variant = ""};
constexpr std::uint64_t kChunk = 4 << 20;

enum class Operation { push, again, new_tag, other_repository, pull };
constexpr Operation kOperations[] = {Operation::push, Operation::again, Operation::new_tag, Operation::other_repository,
                                     Operation::pull};

const char* name_of(Operation operation) {
  switch (operation) {
    case Operation::push:
      return "push";
    case Operation::again:
      return "push again";
    case Operation::new_tag:
      return "new tag";
    case Operation::other_repository:
      return "other repository";
    case Operation::pull:
      return "pull";
  }
  return "";
}

// One image for all cases; nothing is written to its store after it was made.
struct Subject {
  explicit Subject(const std::vector<std::string>& files) : image(make_image(store, files)) {}

  testing::Scratch scratch;
  oci::BlobStore store{scratch / "store"};
  TestImage image;
  std::string json = store.read(image.manifest, 1 << 20);

  std::uint64_t largest() const {
    std::uint64_t size = 0;
    for (const oci::Descriptor& layer : image.layers) size = std::max(size, layer.size);
    return size;
  }
};

FakeRegistry::Options options_of(const Personality& personality) {
  return {.auth = FakeRegistry::Auth::token, .personality = personality};
}

// One registry, one client that has never seen it, one operation.
class Experiment {
 public:
  Experiment(const Subject& subject, const Personality& personality, Operation operation,
             std::chrono::seconds stall = std::chrono::seconds(30))
      : subject_(subject),
        operation_(operation),
        scratch_(fs::exists("/dev/shm") ? "/dev/shm" : fs::temp_directory_path(), "whittle-lab-"),
        registry(options_of(personality)),
        transport_(curl_transport({}, {.stall = stall})) {
    const Json entry{{"username", FakeRegistry::kUser}, {"password", FakeRegistry::kPassword}};
    options_ = {.environment = {{"DOCKER_AUTH_CONFIG", canonical_json(Json{{"auths", {{registry.host(), entry}}}})}},
                .clock = &clock_,
                .memory = scratch_.path() / "memory"};
    prepare();
    registry.forget_requests();
  }

  // Empty when it is as it should be; otherwise what is not.
  std::string run() {
    try {
      operation_ == Operation::pull ? pull() : push(repository(), tag());
    } catch (const Error& error) {
      exit = error.exit();
      return cat("exit ", static_cast<int>(exit), ": ", error.message(), " ", error.where(), " ",
                 join(error.causes(), "; "));
    }
    return operation_ == Operation::pull ? pulled() : pushed();
  }

  std::uint64_t bytes() const {
    return operation_ == Operation::pull ? registry.sent_bytes() : registry.received_bytes();
  }
  std::size_t kept() const {
    std::size_t files = 0;
    const fs::path blobs = scratch_.path() / "into" / "sha256";
    if (!fs::exists(blobs)) return 0;
    for (const auto& entry : fs::directory_iterator(blobs)) files += entry.is_regular_file() ? 1 : 0;
    return files;
  }

 private:
  std::string repository() const { return operation_ == Operation::other_repository ? "team/other" : "team/app"; }
  std::string tag() const { return operation_ == Operation::new_tag ? "2" : "1"; }

  void prepare() {
    if (operation_ == Operation::push) return;
    if (operation_ != Operation::pull) return push("team/app", "1");
    for (const oci::Descriptor& layer : subject_.image.layers) put(layer);
    put(subject_.image.config);
    registry.put_manifest("team/app", "1", subject_.image.manifest.digest.str(), subject_.image.manifest.media_type,
                          subject_.json);
  }

  void put(const oci::Descriptor& blob) {
    registry.put_blob("team/app", blob.digest.str(), subject_.store.read(blob, 1 << 30));
  }

  void push(const std::string& repository, const std::string& tag) {
    const auto to = oci::Reference::parse(cat(registry.host(), "/", repository, ":", tag));
    const auto sink = registry_sink(to, *transport_, options_, events_, {});
    deliver(subject_.image.manifest, subject_.store, *sink, pool_, events_, {});
  }

  void pull() {
    const auto from = oci::Reference::parse(cat(registry.host(), "/team/app:1"));
    root_ = registry::pull(from, {kAmd64}, into(), *transport_, options_, pool_, events_, {});
  }

  oci::BlobStore& into() {
    if (!into_) into_.emplace(scratch_.path() / "into");
    return *into_;
  }

  std::string pushed() const {
    if (registry.manifest(repository(), tag()) != subject_.json) return "the tag is not there";
    return registry.problem();
  }

  std::string pulled() {
    if (root_.digest != subject_.image.manifest.digest) return "another image was pulled";
    for (const oci::Descriptor& layer : subject_.image.layers) {
      if (digest_of(into().read(layer, 1 << 30)) != layer.digest) return "a layer is damaged";
    }
    return into().has(subject_.image.config.digest) ? "" : "the config is missing";
  }

  const Subject& subject_;
  Operation operation_;
  TemporaryFolder scratch_;

 public:
  FakeRegistry registry;
  Exit exit = Exit::ok;

 private:
  std::unique_ptr<HttpTransport> transport_;
  FakeClock clock_;
  ThreadPool pool_{1};  // so that faults in a row strike one request
  RecordingEvents events_;
  ClientOptions options_;
  std::optional<oci::BlobStore> into_;
  oci::Descriptor root_;
};

struct Case {
  const Personality* personality;
  Operation operation;
  Fault fault;

  std::string str() const {
    return cat(personality->name, ", ", name_of(operation), ", ", testing::name_of(fault.kind), " ",
               fault.kind == Kind::status ? fault.status : 0, " @", fault.at, " ", fault.method, " ", fault.part, " ×",
               fault.times);
  }
};

bool has_position(Kind kind) {
  return kind == Kind::reset || kind == Kind::truncate || kind == Kind::corrupt || kind == Kind::reset_upload;
}

std::vector<Fault> faults_at(const std::string& part, std::initializer_list<std::uint64_t> positions) {
  std::vector<Fault> faults;
  for (const Kind kind : {Kind::hang_up, Kind::lose_answer, Kind::shorten, Kind::lengthen, Kind::drip, Kind::duplicate,
                          Kind::leave, Kind::reset, Kind::truncate, Kind::corrupt, Kind::reset_upload}) {
    for (const std::uint64_t at : positions) {
      faults.push_back({.method = "", .part = part, .kind = kind, .at = at});
      if (!has_position(kind)) break;
    }
  }
  for (const int status : {408, 500, 502, 503, 504}) faults.push_back({.method = "", .part = part, .status = status});
  faults.push_back({.method = "", .part = part, .status = 429, .headers = {{"Retry-After", "1"}}});
  return faults;
}

// The core suffers everything, five times too; the other personalities once, in the middle. WHITTLE_LAB=full: all
// suffer everything.
std::vector<Case> cases(const Subject& subject) {
  const bool is_full = std::getenv("WHITTLE_LAB") != nullptr;
  const std::uint64_t last = subject.largest() - 1;
  std::vector<Case> all;
  for (const Personality& personality : testing::personalities()) {
    const bool is_core = personality.name == "strict" || is_full;
    for (const Operation operation : kOperations) {
      for (const std::string part : {"/manifests/", "/blobs/", "/token"}) {
        const std::uint64_t middle = part == "/blobs/" ? last / 2 : 10;
        const auto faults =
            is_core ? faults_at(part, {0, middle, part == "/blobs/" ? last : 15}) : faults_at(part, {middle});
        for (Fault fault : faults) {
          for (const int times : {1, 5}) {
            fault.times = times;
            if (is_core || times == 1) all.push_back({&personality, operation, fault});
          }
        }
      }
    }
  }
  return all;
}

// A token has no digest to be held against: with a wrong bit in it, it is refused as any wrong token.
bool is_beside_the_point(const Case& one) {
  return one.fault.part == "/token" && one.fault.kind == Kind::corrupt;
}

// What arrives whole and wrong. Once it is outlived; what is always wrong is refused.
bool is_damage(Kind kind) {
  return kind == Kind::corrupt || kind == Kind::shorten;
}

struct Cost {
  std::uint64_t bytes;
  std::size_t requests;
};

class Costs {
 public:
  explicit Costs(const Subject& subject) : subject_(subject) {}
  // Of the operation when nothing goes wrong.
  Cost of(const Personality& personality, Operation operation) {
    const std::lock_guard lock(mutex_);
    const auto key = std::pair(std::string(personality.name), operation);
    const auto found = costs_.find(key);
    if (found != costs_.end()) return found->second;
    Experiment experiment(subject_, personality, operation);
    const std::string problem = experiment.run();
    if (!problem.empty()) throw std::runtime_error(cat(personality.name, ", ", name_of(operation), ": ", problem));
    return costs_[key] = {experiment.bytes(), experiment.registry.requests().size()};
  }

 private:
  const Subject& subject_;
  std::mutex mutex_;
  std::map<std::pair<std::string, Operation>, Cost> costs_;
};

std::string judge(const Subject& subject, const Case& one, Costs& costs) {
  const Cost cost = costs.of(*one.personality, one.operation);
  Experiment experiment(subject, *one.personality, one.operation);
  experiment.registry.inject(one.fault);
  const std::string problem = experiment.run();
  const std::size_t struck = experiment.registry.faults_struck();
  const bool is_refusable = is_damage(one.fault.kind) && struck > 1;
  if (!problem.empty() && !(is_refusable && experiment.exit == Exit::registry_content)) return problem;
  if (is_refusable && experiment.kept() > subject.image.layers.size() + 2) return "what was refused was kept";
  const std::uint64_t chunk = std::min(kChunk, subject.largest());
  if (experiment.bytes() > cost.bytes + struck * (chunk + 2'000)) {
    return cat(experiment.bytes(), " bytes instead of ", cost.bytes, ", for ", struck, " faults");
  }
  const std::size_t requests = experiment.registry.requests().size();
  if (requests > cost.requests + 5 * struck) {
    return cat(requests, " requests instead of ", cost.requests, ", for ", struck, " faults");
  }
  return {};
}

// Everything that went wrong, a line each.
template <class Function>
std::string collected(const std::vector<Case>& list, const Function& function) {
  ThreadPool pool(4);
  const auto problems = parallel_map(pool, list, [&](const Case& one) -> std::string {
    try {
      const std::string problem = function(one);
      return problem.empty() ? "" : cat(one.str(), ": ", problem, "\n");
    } catch (const std::exception& error) {
      return cat(one.str(), ": ", error.what(), "\n");
    }
  });
  return join(problems, "");
}

struct Row {
  std::string what, operation;
  Fault fault;
};

// tests/lab/faults.txt
std::vector<Row> twenty() {
  std::vector<Row> rows;
  for (const std::string& line : split_lines(read_file(fs::path(WHITTLE_SOURCE_DIR) / "tests/lab/faults.txt"))) {
    if (line.starts_with('#')) continue;
    const std::vector<std::string> cells = split(line, '|');
    REQUIRE(cells.size() >= 3);
    const std::vector<std::string> rule(cells.begin() + 2, cells.end());
    const auto fault = Fault::parse(trim(join(rule, "|")));
    REQUIRE(fault);
    rows.push_back({std::string(trim(cells[0])), std::string(trim(cells[1])), *fault});
  }
  return rows;
}

}  // namespace

TEST_CASE("twenty faults of twenty are outlived on their own, and five in a row") {
  const Subject subject({noise(60'000, 1), noise(30'000, 2)});
  const auto rows = twenty();
  CHECK(rows.size() == 20);
  std::vector<Case> list;
  for (const Row& row : rows) {
    for (const int times : {1, 5}) {
      Case one{&testing::personality("strict"), row.operation == "pull" ? Operation::pull : Operation::push, row.fault};
      one.fault.times = times;
      list.push_back(one);
    }
  }
  const std::string problems = collected(list, [&](const Case& one) -> std::string {
    Experiment experiment(subject, *one.personality, one.operation, std::chrono::seconds(1));
    experiment.registry.inject(one.fault);
    const std::string problem = experiment.run();
    if (experiment.registry.faults_struck() == 0) return "the fault has not struck";
    const bool is_noticed = one.fault.kind == Kind::corrupt && one.fault.times > 1;
    if (is_noticed) return experiment.exit == Exit::registry_content ? "" : "damage was not noticed";
    return problem;
  });
  CHECK(problems == "");
}

TEST_CASE("every personality's every operation outlives every fault at the cost of a chunk") {
  const Subject subject({noise(20'000, 1)});
  Costs costs(subject);
  std::vector<Case> list = cases(subject);
  std::erase_if(list, is_beside_the_point);
  CHECK(list.size() > 1'000);
  CHECK(collected(list, [&](const Case& one) { return judge(subject, one, costs); }) == "");
}

TEST_CASE("a stall is noticed wherever it begins") {
  const Subject subject({noise(20'000, 1)});
  std::vector<Case> list;
  for (const char* part : {"/manifests/", "/blobs/", "/token"}) {
    for (const Operation operation : {Operation::push, Operation::pull}) {
      for (const Kind kind : {Kind::stall, Kind::stall_upload}) {
        list.push_back({&testing::personality("strict"), operation, {.method = "", .part = part, .kind = kind}});
      }
    }
  }
  CHECK(collected(list, [&](const Case& one) {
          Experiment experiment(subject, *one.personality, one.operation, std::chrono::seconds(1));
          experiment.registry.inject(one.fault);
          return experiment.run();
        }) == "");
}

TEST_CASE("a large image passes every personality, and a break late in it costs a chunk") {
  const Subject subject({noise(9 << 20, 1)});
  std::vector<Case> list;
  for (const Personality& personality : testing::personalities()) {
    list.push_back({&personality, Operation::push, {.method = "NONE", .part = ""}});
    list.push_back(
        {&personality, Operation::pull, {.method = "GET", .part = "/blobs/", .kind = Kind::reset, .at = 8 << 20}});
  }
  CHECK(collected(list, [&](const Case& one) -> std::string {
          Experiment experiment(subject, *one.personality, one.operation);
          experiment.registry.inject(one.fault);
          const std::string problem = experiment.run();
          if (!problem.empty()) return problem;
          const bool is_cheap = experiment.bytes() <= subject.largest() + 2 * kChunk;
          return is_cheap ? "" : cat(experiment.bytes(), " bytes for ", subject.largest());
        }) == "");
}

TEST_CASE("damage is fetched once more and then refused, and nothing of it is kept") {
  const Subject subject({noise(20'000, 1)});
  for (const char* part : {"/blobs/", "/manifests/"}) {
    CAPTURE(part);
    Experiment experiment(subject, testing::personality("strict"), Operation::pull);
    experiment.registry.inject({.method = "GET", .part = part, .times = 1'000, .kind = Kind::corrupt, .at = 100});
    CHECK(experiment.run() != "");
    CHECK(experiment.exit == Exit::registry_content);
    CHECK(experiment.kept() == 0);
    const std::size_t most = std::string(part) == "/blobs/" ? 2 : 3;
    CHECK(experiment.registry.faults_struck() <= most);
  }
}

TEST_CASE("an upload that is put off is sent to the same place later, and anew when that is gone") {
  const Subject subject({noise(20'000, 1)});
  Experiment later(subject, testing::personality("strict"), Operation::push);
  later.registry.inject({.method = "PUT", .part = "/uploads/", .status = 429, .times = 5});
  CHECK(later.run() == "");
  CHECK(later.registry.count("POST", "/uploads/") <= 3);  // two blobs, and perhaps one without a token
  CHECK(later.registry.count("DELETE", "/uploads/") == 0);
  Experiment gone(subject, testing::personality("strict"), Operation::push);
  gone.registry.inject({.method = "PUT", .part = "/uploads/", .status = 429});
  gone.registry.inject({.method = "PUT", .part = "/uploads/", .status = 404});
  CHECK(gone.run() == "");
}

TEST_CASE("after a refusal that is final nothing more is asked, but uploads are cancelled") {
  const Subject subject({noise(20'000, 1)});
  struct Final {
    Operation operation;
    const char *method, *part;
    int status;
  };
  for (const auto& [operation, method, part, status] :
       {Final{Operation::push, "HEAD", "/manifests/", 403}, Final{Operation::push, "PUT", "/uploads/", 400},
        Final{Operation::push, "PUT", "/manifests/", 400}, Final{Operation::push, "PUT", "/manifests/", 403},
        Final{Operation::pull, "GET", "/manifests/", 403}, Final{Operation::pull, "GET", "/manifests/", 404},
        Final{Operation::pull, "GET", "/blobs/", 403}, Final{Operation::pull, "GET", "/blobs/", 404}}) {
    CAPTURE(method);
    CAPTURE(part);
    CAPTURE(status);
    Experiment experiment(subject, testing::personality("strict"), operation);
    experiment.registry.inject({.method = method, .part = part, .status = status, .times = 1'000});
    CHECK(experiment.run() != "");
    const auto seen = experiment.registry.requests();
    const auto refusal = std::find_if(seen.begin(), seen.end(),
                                      [status = status](const auto& request) { return request.status == status; });
    REQUIRE(refusal != seen.end());
    CHECK(std::all_of(std::next(refusal), seen.end(), [](const auto& request) { return request.method == "DELETE"; }));
    CHECK(experiment.registry.open_uploads() == 0);
  }
}
