// From what a request asks for to the file that answers it.
#pragma once

#include "server/conditions.hpp"
#include "server/content_type.hpp"
#include "server/descriptor.hpp"
#include "server/digests.hpp"
#include "server/encodings.hpp"
#include "server/target.hpp"

namespace whittle::server {

struct Resource {
  Descriptor file;
  long long size = 0;
  long long modified = -1;  // seconds since 1970; -1: nothing that tells anybody anything
  Buffer<72> tag;           // with its quotes; empty when there is none
  ContentType type;
  Encoding encoding = Encoding::identity;
  bool has_encodings = false;  // another request could have got another form
  bool never_changes = false;

  Validators validators() const { return {.tag = tag.text(), .modified = modified}; }
};

struct Finding {
  int status = 404;  // 200, 301 with `location`, 404 with or without a page, 503
  Resource resource;
  Buffer<3 * kLongestPath + kLongestTarget + 8> location;
};

class Site {
 public:
  static void* operator new(size_t, void* room) { return room; }

  // False, with errno, when the folder cannot be opened.
  bool open(const char* folder);
  // Unknown pages are the root's business: what runs there looks at the address itself.
  void set_single_page() { is_single_page_ = true; }
  Digests& digests() { return digests_; }

  void find(const Target& target, const Request& request, Finding& finding) const;

 private:
  enum class Node { file, nothing, trouble };
  using Path = Buffer<kLongestPath + 16>;

  Node look(Path& path, Resource& resource) const;
  bool serve(Path& path, const Request& request, Finding& finding) const;
  void choose_encoding(Path& path, const Request& request, Resource& resource) const;
  void fail(const Target& target, const Request& request, Finding& finding) const;

  Descriptor root_;
  Digests digests_;
  bool is_single_page_ = false;
};

}  // namespace whittle::server
