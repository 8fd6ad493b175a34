// What a failed step wanted that its sandbox does not give, told by what the step said.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "builder/view.hpp"

namespace whittle::builder {

struct Trespass {
  enum class Kind { network, write, read } kind;
  std::string line;  // of the output, that shows it
  std::string path;  // what could not be read or written; empty when it was not named
};

// `network` is whether the step has it.
std::optional<Trespass> trespass_in(std::string_view said, const View& view, bool network);

// "wanted the network, which it may not use"
std::string description_of(const Trespass& trespass);
// What would let the step have it.
std::string remedy_for(const Trespass& trespass, std::string_view step);

}  // namespace whittle::builder
