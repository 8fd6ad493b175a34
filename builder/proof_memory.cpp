#include "builder/proof_memory.hpp"

#include <sys/stat.h>

#include "base/text.hpp"

namespace whittle::builder {

namespace {

// The loader's own list of libraries: packages that come or go change it.
constexpr const char* kLoaderCache = "/etc/ld.so.cache";

// What an ELF file is proved by: itself, and what else it finds beside it.
Digest key_of(const plan::BuildPlan& plan, const std::vector<CachedFile>& files) {
  Json outputs = Json::array();
  for (const plan::Output& output : plan.outputs) {
    Json inside = Json::array();
    for (const CachedFile& file : files_below(files, output.built)) {
      if (!file.link.empty()) inside.push_back({printable(file.path), "link", printable(file.link)});
      if (file.content.is_elf) inside.push_back({printable(file.path), file.content.digest.str()});
    }
    outputs.push_back({static_cast<int>(output.kind), output.built, output.installed, std::move(inside)});
  }
  return digest_of(cat("whittle.proofs/1\n", canonical_json({{"platform", plan.platform}, {"outputs", outputs}})));
}

// Empty: it is not there.
Json signature_of(const fs::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return Json::array();
  const FileSignature found = FileSignature::of(status);
  return {found.device, found.inode, found.size, found.modified, found.changed};
}

}  // namespace

ProofMemory::ProofMemory(const plan::BuildPlan& plan, const std::vector<CachedFile>& files, const StepCache& cache)
    : is_used_(plan.link == "closure"), cache_(cache) {
  if (is_used_) key_ = key_of(plan, files);
}

std::optional<Proofs> ProofMemory::recall() const {
  if (!is_used_) return std::nullopt;
  const std::optional<CachedResult> kept = cache_.find(key_);
  if (!kept || kept->facts.at("loader") != signature_of(kLoaderCache)) return std::nullopt;
  Proofs proofs;
  proofs.warnings = kept->facts.at("warnings").get<std::vector<std::string>>();
  const auto needs = kept->facts.at("needs").get<std::vector<std::string>>();
  proofs.needs = {.certificates = needs.at(0), .time_zones = needs.at(1), .name_service = needs.at(2)};
  for (const Json& one : kept->facts.at("closure")) {
    const fs::path file = one.at("file").get<std::string>();
    if (one.at("signature") != signature_of(file)) return std::nullopt;
    const auto installed = one.at("installed").get<std::string>();
    proofs.closure[installed] = {.file = {file, installed, one.at("why").get<std::string>()},
                                 .is_of_runtime = one.at("runtime").get<bool>()};
  }
  return proofs;
}

void ProofMemory::remember(const Proofs& proofs) const {
  if (!is_used_) return;
  Json closure = Json::array();
  for (const auto& [installed, library] : proofs.closure) {
    closure.push_back({{"file", library.file.file.native()},
                       {"installed", installed},
                       {"why", library.file.why},
                       {"runtime", library.is_of_runtime},
                       {"signature", signature_of(library.file.file)}});
  }
  const plan::RuntimeNeeds& needs = proofs.needs;
  cache_.store(key_, {.files = {},
                      .facts = {{"loader", signature_of(kLoaderCache)},
                                {"warnings", proofs.warnings},
                                {"needs", {needs.certificates, needs.time_zones, needs.name_service}},
                                {"closure", closure}}});
}

}  // namespace whittle::builder
