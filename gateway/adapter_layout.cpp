// The plain OCI layout: the store itself, whose index.json is replaced once.
#include "base/text.hpp"
#include "gateway/adapter.hpp"
#include "oci/layout.hpp"

namespace whittle::gateway {

namespace {

class LayoutAdapter : public Adapter {
 public:
  LayoutAdapter(fs::path store, const Runtime& runtime) : store_(std::move(store)), events_(runtime.events) {}

  std::string description() const override { return cat("the OCI layout ", backticked(store_.native())); }
  bool uses_store() const override { return true; }
  std::vector<Need> needs(const Generation&, const Generation*) const override { return {}; }
  void import(const Generation&, const oci::BlobSource&) override {}

  void commit(const Generation* former, const Generation* next) override {
    name_in_store(store_, former, next, events_);
  }

  std::vector<Damage> check(const Generation& generation, bool is_current, bool) const override {
    std::vector<Damage> found;
    if (!is_current) return found;
    const oci::Layout layout(store_, oci::Layout::Open::existing, events_);
    for (const bundle::BundledImage& image : generation.images) {
      const auto entry = layout.find(image.reference);
      if (entry && entry->digest == image.target.digest) continue;
      found.push_back({cat("name ", image.reference),
                       entry ? cat("it means ", entry->digest.str()) : std::string("it is not in index.json")});
    }
    return found;
  }

  void retire(const std::vector<Generation>&, const std::vector<Generation>&) override {}
  void discard(const Generation&, const std::vector<Damage>&) override {}

 private:
  fs::path store_;
  EventSink& events_;
};

}  // namespace

std::unique_ptr<Adapter> make_layout_adapter(const StateFolder& state, const Runtime& runtime) {
  return std::make_unique<LayoutAdapter>(state.store(), runtime);
}

}  // namespace whittle::gateway
