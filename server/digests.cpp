#include "server/digests.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "server/descriptor.hpp"

namespace whittle::server {

namespace {

int compare(Text a, Text b) {
  const size_t common = a.size() < b.size() ? a.size() : b.size();
  const int order = common == 0 ? 0 : memcmp(a.data(), b.data(), common);
  if (order != 0) return order;
  return a.size() < b.size() ? -1 : (a.size() > b.size() ? 1 : 0);
}

}  // namespace

bool Digests::open(const char* path) {
  const Descriptor file(::open(path, O_RDONLY | O_CLOEXEC));
  struct stat status;
  if (!file || fstat(file.get(), &status) != 0) return false;
  if (status.st_size == 0) return true;
  const auto size = static_cast<size_t>(status.st_size);
  void* const mapped = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (mapped == MAP_FAILED) return false;
  lines_ = Text(static_cast<const char*>(mapped), size);
  return true;
}

Text Digests::find(Text path) const {
  size_t low = 0, high = lines_.size();
  while (low < high) {
    // The line that the middle lies in.
    size_t begin = low + (high - low) / 2;
    while (begin > low && lines_[begin - 1] != '\n') --begin;
    Text line = lines_.from(begin);
    line = take_until(line, '\n');
    const size_t next = begin + line.size() + 1;
    const Text digest = take_until(line, ' ');
    const int order = compare(path, line);
    if (order == 0) return digest;
    if (order < 0) high = begin;
    if (order > 0) low = next;
  }
  return Text();
}

}  // namespace whittle::server
