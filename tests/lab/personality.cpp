#include "tests/lab/personality.hpp"

#include <array>
#include <stdexcept>

#include "base/text.hpp"

namespace whittle::testing {

namespace {

constexpr std::uint64_t kMebibyte = 1 << 20;

// Chunks of 4 MiB at most, no referrers, a token server that denies for a moment and a limit that says 403.
constexpr Personality kGhcr{.name = "ghcr",
                            .what = "416 above 4 MiB a chunk, no referrers, a passing DENIED, a limit that says 403",
                            .longest_patch = 4 * kMebibyte,
                            .has_referrers = false,
                            .denies_first_token = true,
                            .limited_request = 3};
constexpr Personality kEcr{.name = "ecr",
                           .what = "201 to a chunk, a Range that stays behind, 405 to subjects, n of 1000 at most",
                           .patch_status = 201,
                           .has_stale_range = true,
                           .refuses_subjects = true,
                           .most_tags = 1000,
                           .token_lifetime = 12 * 3600};
constexpr Personality kHub{
    .name = "hub", .what = "a mount needs a token for both repositories, no referrers", .has_referrers = false};
constexpr Personality kAcr{.name = "acr",
                           .what = "429 to the first manifest, long tokens refused, tokens for 75 minutes",
                           .is_busy_at_manifests = true,
                           .token_lifetime = 75 * 60,
                           .longest_authorization = 8 * 1024};
constexpr Personality kHarbor{
    .name = "harbor", .what = "401 to a mount from a project that is not ours", .foreign_mount_refusal = 401};
constexpr Personality kQuay{.name = "quay", .what = "a mount without a source is an error", .mount_needs_from = true};
constexpr Personality kGitlab{.name = "gitlab",
                              .what = "a dash tag is the digest, the second scope is dropped, no referrers",
                              .has_referrers = false,
                              .resolves_digest_tags = true,
                              .drops_second_scope = true};
constexpr Personality kArtifactory{
    .name = "artifactory", .what = "tag lists with digests in them", .lists_digest_tags = true};
constexpr Personality kNexus{.name = "nexus", .what = "tag lists that are null", .lists_null_tags = true};
constexpr Personality kDistribution2{.name = "distribution2",
                                     .what = "chunks are appended whatever they say, broken uploads are gone",
                                     .ignores_content_range = true,
                                     .forgets_broken_uploads = true,
                                     .uploads_by_post = false,
                                     .missing_blob_status = 400,
                                     .has_referrers = false};
constexpr Personality kZot{.name = "zot", .what = "a Range that is one byte short", .understates_range = true};
constexpr Personality kGitea{.name = "gitea", .what = "one chunk an upload", .takes_one_patch = true};
constexpr Personality kProxy{
    .name = "proxy", .what = "413 to bodies above 1 MiB, from a proxy before it", .longest_upload = kMebibyte};
constexpr Personality kForbidding{
    .name = "forbidding", .what = "403 to a mount from elsewhere", .foreign_mount_refusal = 403};

constexpr std::array<Personality, 15> kAll{Personality{}, kHub,           kGhcr, kEcr,    kAcr,
                                           kHarbor,       kForbidding,    kQuay, kGitlab, kArtifactory,
                                           kNexus,        kDistribution2, kZot,  kGitea,  kProxy};

}  // namespace

std::span<const Personality> personalities() {
  return kAll;
}

const Personality& personality(std::string_view name) {
  for (const Personality& one : kAll) {
    if (one.name == name) return one;
  }
  throw std::invalid_argument(cat("there is no personality ", backticked(name)));
}

}  // namespace whittle::testing
