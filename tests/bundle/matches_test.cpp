#include "bundle/matches.hpp"

#include "bundle/file_pairs.hpp"
#include "tests/bundle/delta_support.hpp"

using namespace whittle;
using namespace whittle::bundle;

namespace {

// Bytes of `fresh` that matches say are equal, having seen that the matches are well formed.
std::size_t explained(std::string_view old, std::string_view fresh) {
  std::uint64_t at = 0;
  std::size_t equal = 0;
  for (const Match& match : find_matches(bytes_of(old), bytes_of(fresh))) {
    CHECK(match.size > 0);
    CHECK(match.fresh >= at);
    REQUIRE(match.fresh + match.size <= fresh.size());
    REQUIRE(match.old + match.size <= old.size());
    for (std::size_t i = 0; i < match.size; ++i) equal += old[match.old + i] == fresh[match.fresh + i] ? 1 : 0;
    at = match.fresh + match.size;
  }
  return equal;
}

}  // namespace

TEST_CASE("what was moved, repeated and changed here and there is found again") {
  const std::string one = noise(50'000, 1), two = noise(70'000, 2), three = program(5000, 3);
  const std::string old = one + two + three;
  CHECK(explained(old, old) == old.size());
  CHECK(explained(old, three + one + two) > old.size() - 100);
  CHECK(explained(old, one + noise(3000, 4) + two + two) > old.size() + two.size() - three.size() - 100);
  std::string changed = old;
  for (std::size_t i = 0; i < changed.size(); i += 50) changed[i] ^= 1;
  CHECK(explained(old, changed) > old.size() * 97 / 100);
}

TEST_CASE("files without anything in common, empty ones and runs of zeros are no trouble") {
  CHECK(find_matches({}, bytes_of("abc")).empty());
  CHECK(find_matches(bytes_of("abc"), {}).empty());
  CHECK(explained(noise(20'000, 1), noise(20'000, 2)) < 1000);
  const std::string zeros(3'000'000, '\0');
  CHECK(explained(zeros, zeros) == zeros.size());
  CHECK(explained(zeros.substr(0, 1000), zeros) > 0);
  CHECK(explained(zeros + noise(1000, 3) + zeros, zeros + noise(1000, 3)) == zeros.size() + 1000);
}

TEST_CASE("random edits are found, and equal input gives equal matches") {
  std::mt19937 random(7);
  for (int round = 0; round < 40; ++round) {
    const std::string old = noise(1 + random() % 20'000, random());
    std::string fresh = old;
    for (unsigned edit = random() % 6; edit > 0; --edit) {
      const std::size_t at = random() % (fresh.size() + 1), size = random() % 500;
      if (random() % 2 == 0)
        fresh.insert(at, noise(size, random()));
      else
        fresh.erase(at, size);
    }
    CHECK(explained(old, fresh) + 6 * 600 >= std::min(old.size(), fresh.size()));
    CHECK(find_matches(bytes_of(old), bytes_of(fresh)) == find_matches(bytes_of(old), bytes_of(fresh)));
  }
}

TEST_CASE("names that differ in numbers are one kind of name") {
  CHECK(name_stem("usr/lib/libc-2.36.so") == "libc-#.so");
  CHECK(name_stem("usr/lib/libc-2.40.1.so") == "libc-#.so");
  CHECK(name_stem("site/main.3f2a91bc.js") == name_stem("other/main.00ff1234.js"));
  CHECK(name_stem("bin/decade") == "decade");
  CHECK(name_stem("bin/app") != name_stem("bin/tool"));
}
