#include "gateway/journal.hpp"

#include <array>

#include "base/error.hpp"
#include "base/text.hpp"
#include "gateway/state_file.hpp"

namespace whittle::gateway {

namespace {

constexpr std::array<std::string_view, 9> kSteps = {"stage",  "import", "pin",    "sync",    "deep-verify",
                                                    "commit", "health", "revert", "complete"};
constexpr std::array<std::string_view, 2> kActions = {"apply", "rollback"};
constexpr std::array<std::string_view, 3> kEndings = {"under way", "complete", "rolled back"};

template <class Value, std::size_t size>
Value value_of(const std::array<std::string_view, size>& names, const std::string& name) {
  for (std::size_t i = 0; i < size; ++i) {
    if (names[i] == name) return static_cast<Value>(i);
  }
  throw Error(Exit::usage, cat("it says ", backticked(name)));
}

}  // namespace

std::string_view name_of(Step step) {
  return kSteps[static_cast<std::size_t>(step)];
}

std::string_view name_of(Action action) {
  return kActions[static_cast<std::size_t>(action)];
}

std::optional<Journal> read_journal(const fs::path& file) {
  const std::optional<Json> json = read_state(file);
  if (!json) return std::nullopt;
  Journal journal;
  reading_state(file, [&] {
    const std::string what = "journal.json";
    journal.action = value_of<Action>(kActions, json_member<std::string>(*json, "action", what));
    const auto root = Digest::parse(json_member<std::string>(*json, "root", what));
    if (!root) throw Error(Exit::usage, "it names no root document");
    journal.root = *root;
    journal.set = json_member<std::string>(*json, "set", what);
    journal.epoch = json_member<std::uint64_t>(*json, "epoch", what);
    journal.from = json_member<std::uint64_t>(*json, "from", what);
    journal.to = json_member<std::uint64_t>(*json, "to", what);
    journal.step = value_of<Step>(kSteps, json_member<std::string>(*json, "step", what));
    journal.ending = value_of<Ending>(kEndings, json_member<std::string>(*json, "state", what));
    journal.reason = json_member_or<std::string>(*json, "reason", {}, what);
  });
  return journal;
}

void write_journal(const fs::path& file, const Journal& journal) {
  Json json = {{"action", name_of(journal.action)},
               {"root", journal.root.str()},
               {"set", journal.set},
               {"epoch", journal.epoch},
               {"from", journal.from},
               {"to", journal.to},
               {"step", name_of(journal.step)},
               {"state", kEndings[static_cast<std::size_t>(journal.ending)]}};
  if (!journal.reason.empty()) json["reason"] = journal.reason;
  write_state(file, json);
}

}  // namespace whittle::gateway
