// What went wrong between whittle and a registry, as errors: one place for their text and exit codes.
#pragma once

#include <string>

#include "base/error.hpp"
#include "registry/http.hpp"
#include "registry/retry.hpp"

namespace whittle::registry {

// What was being done, for messages.
struct Doing {
  std::string what;             // "upload of layer sha256:9f86d081…"
  std::string method, url;      // as sent
  std::string host;             // the registry
  std::uint64_t body_size = 0;  // of the request
  std::string credentials;      // what to do about them; see Authenticator::advice
};

// The registry answered, and it was not what was hoped for: exit 65, 66 or, for what trying again did not
// cure, 75.
Error refusal(const Doing& doing, const HttpResponse& response, const Trial& trial);
// There was no answer: exit 75, 2 for certificates, 66 for what whittle itself would not accept.
Error breakdown(const Doing& doing, const TransportFailure& failure, const Trial& trial);
Error failure(const Doing& doing, const Trial& trial);

// "403 DENIED: permission_denied: write_package": the status and what the body says (distribution-spec,
// "Error Codes"), printable and short.
std::string words_of(const HttpResponse& response);
// Does its body name this error code, "MANIFEST_BLOB_UNKNOWN"?
bool has_error_code(const HttpResponse& response, std::string_view code);

}  // namespace whittle::registry
