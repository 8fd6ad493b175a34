// Reading JSON that a stranger wrote: whatever is wrong with it is a refusal, and nothing was changed.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/digest.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "bundle/root.hpp"

namespace whittle::bundle {

// The same error with another exit code.
Error with_exit(Exit exit, const Error& error);

// Runs `body`; an Error that leaves it has the exit code `exit`.
template <class Function>
decltype(auto) failing_as(Exit exit, Function&& body) {
  try {
    return std::forward<Function>(body)();
  } catch (const Error& error) {
    throw with_exit(exit, error);
  }
}

// Throws Error(refused).
[[noreturn]] void refuse(std::string_view what, std::string_view why);

// The document as an object of the format that this program knows: {"format":1,…}.
Json document_of(std::string_view json, std::uint64_t limit, std::string_view what);

// Members, of which each is refused when it has another type or is longer than any that is honest.
std::string text_in(const Json& object, const char* key, std::string_view what);
std::uint64_t number_in(const Json& object, const char* key, std::string_view what);
bool flag_in(const Json& object, const char* key, std::string_view what);
Digest digest_in(const Json& object, const char* key, std::string_view what);
// Empty when it is not there.
const Json& list_in(const Json& object, const char* key, std::size_t most, std::string_view what);
Digest digest_from(const Json& text, std::string_view what);
std::vector<std::string> texts_in(const Json& object, const char* key, std::size_t most, std::string_view what);

}  // namespace whittle::bundle
