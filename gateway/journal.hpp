// The change that is under way, or how the last one ended: written before each step, so that whoever comes after a
// power cut knows where to go on. Every step may be done twice.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "base/files.hpp"

namespace whittle::gateway {

enum class Step { stage, import, pin, sync, deep_verify, commit, health, revert, complete };
enum class Action { apply, rollback };
enum class Ending { none, complete, rolled_back };  // none: it is under way

struct Journal {
  Action action = Action::apply;
  Digest root;
  std::string set;
  std::uint64_t epoch = 0;
  std::uint64_t from = 0, to = 0;  // generations; 0: none
  Step step = Step::stage;         // begun
  Ending ending = Ending::none;
  std::string reason;  // why it went back

  bool is_open() const { return ending == Ending::none; }
  // From here on names may mean the new images: it is finished, not given up.
  bool is_visible() const { return step >= Step::commit; }
};

std::optional<Journal> read_journal(const fs::path& file);
void write_journal(const fs::path& file, const Journal& journal);
std::string_view name_of(Step step);
std::string_view name_of(Action action);

}  // namespace whittle::gateway
