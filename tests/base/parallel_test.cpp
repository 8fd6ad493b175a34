#include "base/parallel.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <numeric>
#include <stdexcept>
#include <string>

using namespace whittle;

TEST_CASE("results come in input order, for any number of threads") {
  std::vector<int> numbers(1000);
  std::iota(numbers.begin(), numbers.end(), 0);
  for (const std::size_t threads : {1, 2, 8}) {
    ThreadPool pool(threads);
    const std::vector<int> squares = parallel_map(pool, numbers, [](int n) { return n * n; });
    for (std::size_t i = 0; i < numbers.size(); ++i) REQUIRE(squares[i] == numbers[i] * numbers[i]);
  }
}

TEST_CASE("no items, no work") {
  ThreadPool pool(2);
  CHECK(parallel_map(pool, std::vector<int>{}, [](int n) { return n; }).empty());
}

TEST_CASE("a pool of zero threads has one for each processor") {
  CHECK(ThreadPool(0).size() >= 1);
}

TEST_CASE("the failure of the lowest index comes out, and what has not started is skipped") {
  ThreadPool pool(1);
  std::vector<int> numbers(100);
  std::iota(numbers.begin(), numbers.end(), 0);
  std::atomic<int> calls = 0;
  const auto fail_from_ten = [&](int n) {
    ++calls;
    if (n >= 10) throw std::runtime_error(std::to_string(n));
    return n;
  };
  CHECK_THROWS_WITH_AS(parallel_map(pool, numbers, fail_from_ten), "10", std::runtime_error);
  CHECK(calls == 11);
}

TEST_CASE("everything submitted is done before the pool is gone") {
  std::atomic<int> done = 0;
  {
    ThreadPool pool(3);
    for (int i = 0; i < 500; ++i) pool.submit([&] { ++done; });
  }
  CHECK(done == 500);
}

TEST_CASE("results need be neither copied nor default-constructed") {
  struct Only {
    explicit Only(int number) : value(number) {}
    Only(Only&&) = default;
    int value;
  };
  ThreadPool pool(2);
  const auto results = parallel_map(pool, std::vector<int>{1, 2}, [](int n) { return Only(n); });
  CHECK(results[1].value == 2);
}
