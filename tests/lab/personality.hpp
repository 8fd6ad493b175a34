// What registries do differently, as switches on a strict core. Each personality is a registry of the field
// in the ways in which it has surprised a client; the sources are in tests/lab/README.md.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace whittle::testing {

struct Personality {
  std::string_view name = "strict";
  std::string_view what = "the distribution specification to the letter";

  // Uploads
  std::uint64_t longest_patch = UINT64_MAX;   // larger ones: 416
  std::uint64_t longest_upload = UINT64_MAX;  // larger bodies: 413, as a proxy says
  int patch_status = 202;
  bool takes_one_patch = false;
  bool ignores_content_range = false;   // whatever a chunk says, it is appended
  bool forgets_broken_uploads = false;  // a body that broke off ends the session: 404
  bool has_stale_range = false;         // Range stays at the first chunk
  bool understates_range = false;       // Range is one byte short
  bool uploads_by_post = true;          // POST with a digest is a whole upload; otherwise it opens one

  // Mounts
  bool mount_needs_from = false;  // 400 without
  int foreign_mount_refusal = 0;  // of a repository that the token does not cover: this status instead of 202
  int missing_blob_status = 404;  // of a manifest that names blobs that are not there

  // Manifests, tags and referrers
  bool has_referrers = true;
  bool refuses_subjects = false;      // 405
  bool resolves_digest_tags = false;  // the tag sha256-<hex> is the manifest of that digest
  bool is_busy_at_manifests = false;  // the first PUT of a manifest: 429
  bool lists_null_tags = false;
  bool lists_digest_tags = false;
  std::uint64_t most_tags = UINT64_MAX;  // a larger n is an error

  // Tokens and limits
  int token_lifetime = 300;
  bool drops_second_scope = false;
  bool denies_first_token = false;               // 403 DENIED, once
  int limited_request = 0;                       // this request to the API: 403 and a text about a rate limit
  std::size_t longest_authorization = SIZE_MAX;  // 400
};

std::span<const Personality> personalities();
// Throws when there is none of this name.
const Personality& personality(std::string_view name);

}  // namespace whittle::testing
