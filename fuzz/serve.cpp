// What a client of a gateway's registry sends: route, ranges, and the whole way to the answer's head.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/event.hpp"
#include "base/files.hpp"
#include "gateway/serve_answer.hpp"

using namespace whittle;
using namespace whittle::gateway;

namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

// One image with one layer, for all inputs.
class Store {
 public:
  Store() {
    const oci::Descriptor config = layout_.blobs().put("{}", oci::media_type::kConfig);
    const oci::Descriptor layer = layout_.blobs().put("a layer", oci::media_type::kLayerTar);
    oci::Manifest manifest;
    manifest.media_type = oci::media_type::kManifest;
    manifest.config = config;
    manifest.layers = {layer};
    layout_.tag("r.example.org/a:1", layout_.blobs().put(manifest.encode(), oci::media_type::kManifest));
    shelf_.emplace(layout_, nullptr, metrics_, events_);
    answers_.emplace(*shelf_, nullptr, metrics_);
  }
  Answers& answers() { return *answers_; }

 private:
  RecordingEvents events_;
  TemporaryFolder folder_{fs::temp_directory_path()};
  oci::Layout layout_{folder_.path() / "layout", oci::Layout::Open::create, events_};
  ServeMetrics metrics_;
  std::optional<Shelf> shelf_;
  std::optional<Answers> answers_;
};

// One head, whatever was asked for: nothing of the client's ends a line.
void check_head(const Answer& answer) {
  check(answer.text.starts_with("HTTP/1.1 "));
  const std::string_view head = std::string_view(answer.text).substr(0, answer.text.find("\r\n\r\n"));
  for (std::size_t at = head.find('\n'); at != std::string_view::npos; at = head.find('\n', at + 1)) {
    check(head[at - 1] == '\r');
    const char first = at + 1 < head.size() ? head[at + 1] : 'X';
    check((first >= 'A' && first <= 'Z'));
  }
  for (const server::Range& part : answer.parts) {
    check(part.first >= 0 && part.size >= 0);
    check(static_cast<std::uint64_t>(part.first + part.size) <= answer.size);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Store store;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto route = parse_route(text);
  if (const auto* good = std::get_if<Route>(&route); good != nullptr && good->kind != Route::Kind::other) {
    const std::string& path = good->repository.path;
    check(path.find("..") == std::string::npos && !path.starts_with('/') && path.find('\n') == std::string::npos);
  }
  const WantedParts wanted = wanted_parts(text, 1000);
  for (const server::Range& part : wanted.list) {
    check(part.first >= 0 && part.size > 0 && part.first + part.size <= 1000);
  }
  const std::size_t head = server::head_size({text.data(), text.size()});
  if (head > 0) check_head(store.answers().make(text.substr(0, head), false, nullptr));
  return 0;
}
