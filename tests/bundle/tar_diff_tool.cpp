// tar_diff make NEW OUT OLD… writes the tar-diff that makes the tar NEW of what the tars OLD, the lowest first, unpack
// to; tar_diff apply DIFF OUT OLD… applies one. For tests against other programs.
#include <deque>
#include <iostream>

#include "base/error.hpp"
#include "base/files.hpp"
#include "bundle/tar_diff_maker.hpp"

using namespace whittle;

namespace {

class FileSink : public Sink {
 public:
  explicit FileSink(const fs::path& path) : file_(path.parent_path()), path_(path) {}
  void write(Bytes bytes) override { file_.write(bytes); }
  void finish() override {}
  void commit() { file_.commit(path_); }

 private:
  AtomicFile file_;
  fs::path path_;
};

void run(std::span<const std::string> words) {
  constexpr std::uint64_t kLimit = 1ULL << 32;
  std::deque<std::string> texts;
  std::vector<Bytes> tars;
  for (const std::string& word : words.subspan(3))
    tars.push_back(bytes_of(texts.emplace_back(read_file(word, kLimit))));
  const bundle::UnpackedTars old(tars);
  FileSink out(fs::absolute(words[2]));
  if (words[0] == "make") {
    const std::string fresh = read_file(words[1], kLimit);
    bundle::write_tar_diff(bytes_of(fresh), old, out, {});
  } else {
    FileSource payload(words[1]);
    bundle::apply_tar_diff(payload, old, out, kLimit);
  }
  out.commit();
}

}  // namespace

int main(int count, char** words) {
  const std::vector<std::string> arguments(words + 1, words + count);
  if (arguments.size() < 3 || (arguments[0] != "make" && arguments[0] != "apply")) {
    std::cerr << "usage: tar_diff make NEW OUT OLD… | tar_diff apply DIFF OUT OLD…\n";
    return 2;
  }
  try {
    run(arguments);
    return 0;
  } catch (const Error& error) {
    std::cerr << "error: " << error.message() << '\n';
    for (const std::string& cause : error.causes()) std::cerr << "  caused by: " << cause << '\n';
    return static_cast<int>(error.exit());
  }
}
