// Bytes on their way, as events.
#pragma once

#include <memory>
#include <string>

#include "base/event.hpp"
#include "base/stream.hpp"
#include "oci/image.hpp"

namespace whittle::registry {

// "layer sha256:9f86d081…", "config sha256:…": short enough for a line.
std::string short_name(const oci::Descriptor& descriptor);

// How far one blob has come. Shared by the tries of its transfer: the figure never goes back.
class Meter {
 public:
  Meter(std::string item, std::uint64_t total, EventSink& events)
      : item_(std::move(item)), total_(total), events_(events) {}
  void reached(std::uint64_t done);
  void complete() { reached(total_); }

 private:
  std::string item_;
  std::uint64_t total_, told_ = 0;
  EventSink& events_;
};

class MeteredSource : public Source {
 public:
  MeteredSource(std::unique_ptr<Source> inner, Meter& meter) : inner_(std::move(inner)), meter_(meter) {}
  std::size_t read(std::span<std::byte> room) override {
    const std::size_t size = inner_->read(room);
    meter_.reached(done_ += size);
    return size;
  }

 private:
  std::unique_ptr<Source> inner_;
  Meter& meter_;
  std::uint64_t done_ = 0;
};

}  // namespace whittle::registry
