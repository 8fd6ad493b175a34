// A bundle's images become the device's: steps that can each be done twice, written down before they begin, so that the
// same command goes on after a power cut at any point. Names mean the old images until `commit`, and the new ones from
// there on; a failed health command makes them mean the old ones again.
#pragma once

#include <functional>
#include <optional>

#include "bundle/delta.hpp"
#include "bundle/root.hpp"
#include "bundle/trust.hpp"
#include "gateway/adapter.hpp"
#include "gateway/forecast.hpp"
#include "gateway/journal.hpp"

namespace whittle::gateway {

// A bundle, or what a test says is one. Borrowed.
struct Offer {
  const bundle::Root& root;
  Digest digest;  // of the root document
  const oci::BlobSource& carried;
  std::function<void()> verify;             // reads every carried byte; throws Error(refused)
  std::optional<bundle::Trust> trust = {};  // that follows from the device's, if it is newer
};

// bundle::rebuild, or what a test says instead of it.
using RebuildFunction = std::function<void(const bundle::RebuildTask&, Sink&, std::stop_token)>;

struct Workshop {
  const StateFolder& state;
  Adapter& adapter;
  const Runtime& runtime;
  RebuildFunction rebuild = [](const bundle::RebuildTask& task, Sink& out, std::stop_token stop) {
    bundle::rebuild(task, out, std::move(stop));
  };
  FileSystemFunction file_system = file_system_of;
};

// What a bundle would change.
struct Plan {
  std::optional<Generation> former;
  Generation next;
  std::vector<bundle::BlobSize> to_stage;  // carried, not here
  std::vector<bundle::Rebuilt> to_rebuild;
  std::uint64_t staged_already = 0;  // bytes of the above that an interrupted apply left
  Forecast forecast;
  bool is_unchanged = false;  // the device has exactly this, and takes nothing
};

// Refuses (Error(refused), nothing was changed): other hardware or platform, a smaller epoch, bases that are missing.
// Not the space: see Forecast::require.
Plan plan_of(const Workshop& workshop, const Offer& offer);

struct Outcome {
  Generation generation;
  bool is_unchanged = false;
  bool resumed = false;
  std::uint64_t staged = 0;  // bytes written into the store
};

// Throws Error: refused (nothing changed), transient (run it again), rolled_back (the former generation is in use).
Outcome apply(const Workshop& workshop, const Offer& offer);
// Ends what is under way and needs no bundle any more. Nothing when nothing is; Error(transient) when it needs the
// bundle.
std::optional<Outcome> resume(const Workshop& workshop);
// Back to generation `number`, or the newest before the present one.
Outcome roll_back(const Workshop& workshop, std::optional<std::uint64_t> number);

}  // namespace whittle::gateway
