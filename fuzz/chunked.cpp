// Tables and footers of a chunked layer, replaced by any bytes around frames that are sound: the check reports what is
// wrong and neither crashes nor reads elsewhere. The first byte says what the others are: `t` a table of contents, `s`
// a tar-split, `f` footers, anything else all that follows the frames.
#include <cstdint>
#include <cstdlib>

#include "base/text.hpp"
#include "layers/chunked_check.hpp"
#include "layers/layer_index.hpp"
#include "layers/layer_writer.hpp"

using namespace whittle;
using namespace whittle::layers;

namespace {

std::string skippable(std::string_view content) {
  std::string bytes = "\x50\x2A\x4D\x18";
  for (std::size_t i = 0; i < 4; ++i) bytes += static_cast<char>(content.size() >> 8 * i & 0xFF);
  return bytes.append(content);
}

std::string packed(std::string_view text) {
  PackedText frame(1);
  frame.append(text);
  return frame.finish();
}

// A small layer as it is written, taken apart.
struct Sound {
  TemporaryFolder around{fs::exists("/dev/shm") ? fs::path("/dev/shm") : fs::temp_directory_path()};
  oci::BlobStore store{around.path()};
  std::string frames, toc, tar_split, footers;

  Sound() {
    make_folders(around.path());
    RootFilesystem files;
    for (const char* const name : {"a", "b", "empty"}) {
      const std::string text = *name == 'e' ? "" : cat(name, std::string(3000, '\0'), "the content of ", name);
      files[name] = {.node = File{.text = text, .size = text.size()}, .mode = 0644, .origin = "x", .reason = {}};
    }
    files["link"] = {.node = Link{"a"}, .mode = 0777, .origin = "x", .reason = {}};
    ThreadPool pool(1);
    RecordingEvents events;
    const oci::Layer layer =
        write_layer({.name = "all", .entries = files}, {.form = LayerForm::chunked}, 0, store, pool, events, {});
    const std::string blob = read_file(store.path(layer.blob.digest));
    footers = blob.substr(blob.size() - kPodmanFooter - kStargzFooter);
    const std::optional<IndexPosition> position = IndexPosition::from_footers(footers, blob.size());
    if (!position || !check_chunked(store, layer.blob).empty()) std::abort();
    frames = blob.substr(0, position->toc_offset - 8);
    const auto part = [&](std::uint64_t offset, std::uint64_t size) {
      return std::string_view(blob).substr(offset, size);
    };
    toc = unpack_frame(part(position->toc_offset, position->toc_packed), position->toc_size, "toc");
    tar_split =
        unpack_frame(part(position->tar_split_offset, position->tar_split_packed), position->tar_split_size, "split");
  }

  std::string with(std::string_view new_toc, std::string_view new_tar_split, std::string_view new_footers) const {
    const std::string one = packed(new_toc), two = packed(new_tar_split);
    IndexPosition position{.toc_offset = frames.size() + 8, .toc_packed = one.size(), .toc_size = new_toc.size()};
    position.tar_split_offset = position.toc_offset + one.size() + 8;
    position.tar_split_packed = two.size();
    position.tar_split_size = new_tar_split.size();
    return cat(frames, skippable(one), skippable(two), new_footers.empty() ? position.footers() : new_footers);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Sound sound;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::string blob;
  switch (*data) {
    case 't':
      blob = sound.with(bytes, sound.tar_split, "");
      break;
    case 's':
      blob = sound.with(sound.toc, bytes, "");
      break;
    case 'f':
      blob = sound.with(sound.toc, sound.tar_split, bytes);
      break;
    default:
      blob = sound.frames + std::string(bytes);
  }
  // Written without the store's care for durability; its digest is what the check begins with.
  const oci::Descriptor layer{
      .media_type = std::string(oci::media_type::kLayerZstd), .digest = digest_of(blob), .size = blob.size()};
  const fs::path path = sound.store.path(layer.digest);
  write_file(path, blob);
  check_chunked(sound.store, layer);
  fs::remove(path);
  return 0;
}
