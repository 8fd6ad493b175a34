// Steps run under bubblewrap where it works: no network unless the step says so, nothing writable but the step's own
// folders, no view of people's homes, process ids of their own, so that nothing is left running.
// Why, and what it costs: docs/design/building.md "Sandbox".
#pragma once

#include <future>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>

#include "base/event.hpp"
#include "base/process.hpp"
#include "builder/toolchain.hpp"
#include "builder/view.hpp"

namespace whittle::builder {

class Sandbox {
 public:
  // What records say of the steps of a build.
  static constexpr const char* kBubblewrap = "bubblewrap";
  static constexpr const char* kNone = "none";

  // `mode` is the plan's: "auto", "required" or "off". Borrows runner and events.
  Sandbox(std::string mode, Host host, ProcessRunner& runner, EventSink& events)
      : mode_(std::move(mode)), host_(std::move(host)), runner_(runner), events_(events) {}

  const std::string& mode() const { return mode_; }

  // Whether steps run in one. The first call looks whether bubblewrap works here, which is remembered in the cache.
  // Where it does not, "auto" warns once, and "required" is an Error(input_unavailable) with the reason.
  bool is_in_force(const std::stop_token& stop);
  // Begins to look on a thread of its own, where that is not remembered, so that the first call need not wait.
  void look_ahead(const std::stop_token& stop);

  // `command` in the sandbox; only when it is in force. Throws Error(input_unavailable) when its program is not there.
  Command around(Command command, const View& view, bool network) const;

 private:
  struct Bars {
    fs::path program;
    bool maps_user = false;  // whether it needs a user namespace
  };
  std::optional<Bars> find(const std::stop_token& stop, std::string& reason);
  bool works(const Bars& bars, const std::stop_token& stop, std::string& reason);
  void refuse(const std::string& reason);

  std::string mode_;
  Host host_;
  ProcessRunner& runner_;
  EventSink& events_;
  bool has_looked_ = false;
  std::optional<Bars> bars_;
  std::future<std::pair<std::optional<Bars>, std::string>> ahead_;  // with the reason for none
};

}  // namespace whittle::builder
