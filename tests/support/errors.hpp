// The error that a call must end with, so that a test can look at all of its parts.
#pragma once

#include <doctest/doctest.h>

#include <utility>

#include "base/error.hpp"

namespace whittle::test {

template <class Call>
Error error_of(Call&& call) {
  try {
    std::forward<Call>(call)();
  } catch (const Error& error) {
    return error;
  }
  FAIL("no error was thrown");
  return Error(Exit::bug, "no error was thrown");
}

}  // namespace whittle::test
