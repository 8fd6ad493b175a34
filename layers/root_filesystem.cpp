#include "layers/root_filesystem.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "layers/root_builder.hpp"

namespace whittle::layers {

namespace {

Entry::Group group_of(plan::Artifact::Kind kind) {
  switch (kind) {
    case plan::Artifact::Kind::program:
      return Entry::Group::program;
    case plan::Artifact::Kind::runtime:
      return Entry::Group::runtime;
    case plan::Artifact::Kind::dependency:
      return Entry::Group::dependency;
    case plan::Artifact::Kind::asset:
      return Entry::Group::asset;
    case plan::Artifact::Kind::configuration:
      return Entry::Group::configuration;
  }
  return Entry::Group::program;
}

// What the umask and a build system's taste leave in a mode does not reach the image.
unsigned normalised_mode(unsigned mode) {
  return (mode & 0111U) != 0 ? 0755 : 0644;
}

void add_link(RootBuilder& root, const plan::Artifact& artifact) {
  root.add(artifact.installed, {.node = Link{artifact.link},
                                .mode = 0777,
                                .group = group_of(artifact.kind),
                                .origin = artifact.origin,
                                .reason = artifact.reason});
}

void add_artifact(RootBuilder& root, const plan::Artifact& artifact) {
  if (!artifact.link.empty()) return add_link(root, artifact);
  File file = file_on_disk(artifact.file);
  if (file.size != artifact.size) {
    Error error(Exit::transient, cat(backticked(artifact.file.native()), " changed after it was built"));
    throw error.detail(cat("it had ", artifact.size, " bytes and has ", file.size)).hint("run the same command again");
  }
  file.digest = artifact.digest;
  root.add(artifact.installed, {.node = std::move(file),
                                .mode = normalised_mode(artifact.mode),
                                .group = group_of(artifact.kind),
                                .origin = artifact.origin,
                                .reason = artifact.reason});
}

// A container starts in this folder; runtimes disagree on whether they create it.
void add_working_folder(RootBuilder& root, const plan::ImageSettings& image) {
  if (image.workdir.empty() || image.workdir == "/") return;
  root.add_if_absent(image.workdir, {.node = Folder{},
                                     .group = Entry::Group::configuration,
                                     .origin = "whittle, working folder",
                                     .reason = "the image's working folder"});
}

std::string lexically_resolved(const std::string& link, const std::string& target) {
  const fs::path path =
      target.starts_with('/') ? fs::path(target).relative_path() : fs::path(link).parent_path() / target;
  std::string resolved = path.lexically_normal().native();
  while (resolved.ends_with('/')) resolved.pop_back();
  return resolved;
}

void warn_of_dangling_links(const RootFilesystem& root, EventSink& events) {
  for (const auto& [path, entry] : root) {
    const auto* const link = std::get_if<Link>(&entry.node);
    if (link == nullptr) continue;
    const std::string target = lexically_resolved(path, link->target);
    if (target == "." || target.empty() || root.contains(target)) continue;
    events.warn(cat("the link ", backticked("/" + path), " points to ", backticked(link->target),
                    ", which is not in the image"));
  }
}

}  // namespace

RootFilesystem compose(const plan::BuildPlan& plan, std::span<const plan::Artifact> artifacts,
                       const plan::RuntimeNeeds& needs, const fs::path& source, const BaseFacts& facts,
                       EventSink& events) {
  RootBuilder builder;
  for (const plan::Artifact& artifact : artifacts) add_artifact(builder, artifact);
  add_mappings(builder, plan.image, source, events);
  add_base_facts(builder, plan.image, needs, facts);
  add_working_folder(builder, plan.image);
  RootFilesystem root = builder.take();
  warn_of_dangling_links(root, events);
  return root;
}

}  // namespace whittle::layers
