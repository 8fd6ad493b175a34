// Who gets the images: a plain OCI layout, containerd, Podman's and CRI-O's storage, the folder of K3s. Every function
// may be called again after it was interrupted at any point. Before `commit` no name that the device uses means
// anything new. Errors: transient for what a second try may mend, refused for what it cannot.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gateway/device.hpp"
#include "gateway/generations.hpp"
#include "gateway/program.hpp"
#include "oci/blob_store.hpp"

namespace whittle::gateway {

// What an import puts on a file system besides the blobs of the store.
struct Need {
  fs::path folder;                      // on it; need not exist yet
  std::string what;                     // "images of containerd"
  std::uint64_t bytes = 0, inodes = 0;  // that stay
  std::uint64_t passing_bytes = 0;      // on top, while it works
};

struct Damage {
  std::string object;               // "blob sha256:…", "name registry.example.org/a:1"
  std::string text;                 // what is wrong with it
  std::optional<Digest> blob = {};  // that is to be brought again
};

class Adapter {
 public:
  virtual ~Adapter() = default;

  virtual std::string description() const = 0;
  // Throws Error(transient) when the other side does not answer. Nothing is changed.
  virtual void require() const {}
  // The store must hold every blob before `import` (else import takes them from wherever they are), and keeps them.
  virtual bool uses_store() const = 0;
  // What the other side has and gives back; null: nothing.
  virtual const oci::BlobSource* content() const { return nullptr; }
  // Folders whose file systems are synced before the commit.
  virtual std::vector<fs::path> places() const { return {}; }

  // For what `next` has and `former`, which may be null, has not.
  virtual std::vector<Need> needs(const Generation& next, const Generation* former) const = 0;
  virtual void import(const Generation& next, const oci::BlobSource& blobs) = 0;
  virtual void pin(const Generation&) {}
  // Names mean `next` from now on; names that only `former` has go. Either may be null, not both.
  virtual void commit(const Generation* former, const Generation* next) = 0;
  // `is_current`: its names must mean it. `deep`: every byte is read; scratch space for an image may be taken.
  virtual std::vector<Damage> check(const Generation& generation, bool is_current, bool deep) const = 0;
  // Forgets what `gone` has and none of `kept`.
  virtual void retire(const std::vector<Generation>& kept, const std::vector<Generation>& gone) = 0;
  // Makes room for damaged blobs, so that `import` brings them again.
  virtual void discard(const Generation& generation, const std::vector<Damage>& damage) = 0;
};

// Of the device's kind. `others` are kinds that live elsewhere. Throws Error(usage) for an unknown kind or option.
using AdapterFactory = std::function<std::unique_ptr<Adapter>(const StateFolder&, const Runtime&)>;
using AdapterFactories = std::map<std::string, AdapterFactory>;
std::unique_ptr<Adapter> make_adapter(const StateFolder& state, const Runtime& runtime,
                                      const AdapterFactories& others = {});

std::unique_ptr<Adapter> make_layout_adapter(const StateFolder& state, const Runtime& runtime);
std::unique_ptr<Adapter> make_containerd_adapter(const StateFolder& state, const Runtime& runtime);
std::unique_ptr<Adapter> make_podman_adapter(const StateFolder& state, const Runtime& runtime);
std::unique_ptr<Adapter> make_k3s_adapter(const StateFolder& state, const Runtime& runtime);

// In one replacement of its index the store's names mean `next`; what only `former` has goes. Either may be null.
void name_in_store(const fs::path& store, const Generation* former, const Generation* next, EventSink& events);
// Names that `former` has and `next` has not.
std::vector<std::string> names_gone(const Generation* former, const Generation* next);
// The value of an adapter's option.
std::string option_or(const Device& device, const std::string& name, std::string fallback);
// "registry.example.org/edge/sensor@sha256:…": a name that only this image has.
std::string pinned_name(const bundle::BundledImage& image);
// Blobs of `next` that `former` has not, smallest digest first.
std::vector<bundle::BlobSize> new_blobs(const Generation& next, const Generation* former);
// How much of an image's unpacked files are new: by the share of its packed layers that is. Bytes and inodes.
std::pair<std::uint64_t, std::uint64_t> new_files(const Generation& next, const Generation* former);

}  // namespace whittle::gateway
