#include "gateway/upkeep.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <set>

#include "base/text.hpp"
#include "gateway/audit.hpp"
#include "gateway/blob_sources.hpp"
#include "gateway/staging.hpp"
#include "oci/layout.hpp"

namespace whittle::gateway {

namespace {

// What the disk says, not what memory remembers.
void forget_pages(const fs::path& file) {
  const FileDescriptor opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (opened) ::posix_fadvise(opened.get(), 0, 0, POSIX_FADV_DONTNEED);
}

std::string problem_of(const oci::BlobStore& store, const bundle::BlobSize& blob, bool deep, const Runtime& runtime) {
  std::error_code ignored;
  const fs::path file = store.path(blob.digest);
  if (!fs::exists(file, ignored)) return "it is missing";
  if (!deep) return store.has(blob.digest, blob.size) ? std::string() : std::string("it is damaged");
  forget_pages(file);
  try {
    const std::unique_ptr<Source> source = store.open({.media_type = {}, .digest = blob.digest, .size = blob.size});
    std::array<std::byte, 128 * 1024> room{};
    while (source->read(room) > 0) runtime.check_stop();
  } catch (const Error& error) {
    if (error.exit() == Exit::transient) throw;
    return error.causes().empty() ? error.message() : error.causes().front();
  }
  return {};
}

}  // namespace

std::vector<Damage> check_store(const Workshop& workshop, const Generation& generation, bool deep) {
  const oci::BlobStore store(workshop.state.store());
  std::vector<Damage> found;
  for (const auto& [digest, size] : generation.blobs) {
    const std::string why = problem_of(store, {digest, size}, deep, workshop.runtime);
    if (!why.empty()) found.push_back({cat("blob ", digest.str()), why, digest});
  }
  return found;
}

Findings verify(const Workshop& workshop, bool deep) {
  const Generations generations(workshop.state.generations());
  const std::uint64_t current = generations.current().value_or(0);
  const std::optional<Journal> journal = read_journal(workshop.state.journal());
  Findings findings;
  findings.audit = Audit(workshop.state.audit()).verify().problem;
  std::set<std::string> told;
  std::set<Digest> counted;
  for (const std::uint64_t number : generations.numbers()) {
    // One that is on its way in is not here yet.
    if (journal && journal->is_open() && !journal->is_visible() && journal->to == number) continue;
    const Generation generation = generations.read(number);
    for (const auto& [digest, size] : generation.blobs) {
      if (!counted.insert(digest).second) continue;
      ++findings.blobs;
      findings.bytes += size;
    }
    std::vector<Damage> damage;
    if (workshop.adapter.uses_store()) damage = check_store(workshop, generation, deep);
    const std::vector<Damage> more = workshop.adapter.check(generation, number == current, deep);
    damage.insert(damage.end(), more.begin(), more.end());
    for (Damage& one : damage) {
      if (told.insert(one.object).second) findings.damage.push_back({number, std::move(one)});
    }
  }
  return findings;
}

std::vector<Damage> heal(const Workshop& workshop, const Offer& offer, const Findings& findings) {
  const FileLock lock = workshop.state.lock();
  const Generations generations(workshop.state.generations());
  const std::uint64_t current = generations.current().value_or(0);
  offer.verify();
  RecordingEvents quiet;
  oci::Layout layout(workshop.state.store(), oci::Layout::Open::create, quiet);
  oci::BlobStore& store = layout.blobs();
  const Stager stager(workshop, offer, store);
  Json healed = Json::array();
  std::map<std::uint64_t, std::vector<Damage>> by_generation;
  std::uint64_t written = 0;
  for (const Findings::One& one : findings.damage) {
    by_generation[one.generation].push_back(one.damage);
    const bool is_stored = workshop.adapter.uses_store() && one.damage.blob;
    if (is_stored && !store.has(*one.damage.blob)) stager.bring(*one.damage.blob, written);
    healed.push_back(one.damage.object);
  }
  std::vector<const oci::BlobSource*> sources = {&store, &offer.carried};
  if (workshop.adapter.content() != nullptr) sources.push_back(workshop.adapter.content());
  for (const auto& [number, damage] : by_generation) {
    const Generation generation = generations.read(number);
    make_folders(workshop.state.scratch());
    workshop.adapter.discard(generation, damage);
    workshop.adapter.import(generation, BlobSources(sources));
    workshop.adapter.pin(generation);
    if (number == current) workshop.adapter.commit(nullptr, &generation);
  }
  remove_tree(workshop.state.scratch());
  std::vector<Damage> left;
  for (Findings::One& one : verify(workshop, true).damage) left.push_back(std::move(one.damage));
  Audit(workshop.state.audit())
      .append({{"event", "mended"}, {"root", offer.digest.str()}, {"objects", healed}, {"left", left.size()}});
  return left;
}

}  // namespace whittle::gateway
