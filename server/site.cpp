#include "server/site.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "server/beneath.hpp"

namespace whittle::server {

namespace {

constexpr Text kCompressible[] = {"text/",     "application/", "image/svg", "image/x-icon",
                                  "image/bmp", "font/ttf",     "font/otf",  "model/"};
constexpr Encoding kSmallest[] = {Encoding::zstd, Encoding::brotli, Encoding::gzip};

// Of such a form that forms of fewer bytes are looked for beside it.
bool may_have_encodings(const ContentType& type) {
  for (const Text& begin : kCompressible) {
    if (type.name.starts_with(begin)) return true;
  }
  return false;
}

bool has_extension(Text path) {
  return file_name(path).has('.');
}

// A person who opens an address, rather than a page that loads its parts.
bool is_navigation(const Target& target, const Request& request) {
  if (request.fetch_mode == "navigate") return true;
  if (!request.fetch_mode.empty()) return false;
  for (Text rest = request.accept; !rest.empty();) {
    Text type = take_until(rest, ',');
    if (is_same_word(take_until(type, ';').trimmed(), "text/html")) return true;
  }
  return !has_extension(target.path.text());
}

// As it can stand in an address.
template <size_t kRoom>
void add_encoded(Buffer<kRoom>& out, Text path) {
  for (const char c : path) {
    const bool is_plain = is_digit(c) || is_letter(c) || Text("-._~/!$&'()*+,;=:@").has(c);
    if (is_plain) {
      out.add(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out.add('%').add("0123456789ABCDEF"[byte >> 4U]).add("0123456789ABCDEF"[byte & 15U]);
  }
}

// Always from one slash: two would begin another host's name.
void redirect(const Target& target, Text ending, Finding& finding) {
  finding.location.clear();
  finding.location.add('/');
  add_encoded(finding.location, target.path.text());
  finding.location.add(ending).add(target.query);
  finding.status = 301;
}

void set_tag(Resource& resource, const struct stat& status, Text digest) {
  resource.tag.clear();
  resource.modified = status.st_mtim.tv_sec > 0 ? status.st_mtim.tv_sec : -1;
  // Files of an image have no time. One that has is newer than the digests.
  if (resource.modified < 0 && !digest.empty()) {
    resource.tag.add('"').add(digest).add('"');
  } else if (resource.modified >= 0) {
    resource.tag.add('"').add_hex(static_cast<unsigned long long>(status.st_mtim.tv_sec)).add('.');
    resource.tag.add_hex(static_cast<unsigned long long>(status.st_mtim.tv_nsec)).add('-');
    resource.tag.add_hex(static_cast<unsigned long long>(status.st_size)).add('"');
  }
  if (resource.tag.overflown()) resource.tag.clear();
}

}  // namespace

bool Site::open(const char* folder) {
  root_ = Descriptor(::open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC));
  return static_cast<bool>(root_);
}

Site::Node Site::look(Path& path, Resource& resource) const {
  const char* const name = path.terminated();
  if (path.overflown()) return Node::nothing;
  resource.file = open_beneath(root_, path.size() == 0 ? "." : name);
  struct stat status;
  if (!resource.file) return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? Node::trouble : Node::nothing;
  if (fstat(resource.file.get(), &status) != 0) return Node::trouble;
  if (!S_ISREG(status.st_mode)) {
    resource.file.close();
    return Node::nothing;
  }
  resource.size = status.st_size;
  set_tag(resource, status, digests_.find(path.text()));
  return Node::file;
}

// The one wanted most; of equals the smallest.
void Site::choose_encoding(Path& path, const Request& request, Resource& resource) const {
  const EncodingWishes wishes = parse_accept_encoding(request.accept_encoding);
  const size_t plain_size = path.size();
  int quality = wishes[Encoding::identity];
  for (const Encoding encoding : kSmallest) {
    path.add(name_of(encoding).extension);
    Resource candidate;
    const bool is_there = look(path, candidate) == Node::file;
    path.truncate(plain_size);
    resource.has_encodings = resource.has_encodings || is_there;
    const int wish = wishes[encoding];
    if (!is_there || wish == 0 || wish < quality || (wish == quality && candidate.size >= resource.size)) continue;
    quality = wish;
    resource.file = static_cast<Descriptor&&>(candidate.file);
    resource.size = candidate.size;
    resource.tag = candidate.tag;
    resource.modified = candidate.modified;
    resource.encoding = encoding;
  }
}

bool Site::serve(Path& path, const Request& request, Finding& finding) const {
  const Node node = look(path, finding.resource);
  if (node == Node::trouble) finding.status = 503;
  if (node != Node::file) return node == Node::trouble;
  finding.resource.type = content_type_of(path.text());
  finding.resource.never_changes = is_named_by_content(path.text());
  if (may_have_encodings(finding.resource.type)) choose_encoding(path, request, finding.resource);
  finding.status = 200;
  return true;
}

void Site::fail(const Target& target, const Request& request, Finding& finding) const {
  Path path;
  if (is_navigation(target, request)) {
    // Who leaves a page of this name means it for every address.
    if (serve(path.add("200.html"), request, finding)) return;
    path.clear();
    if (is_single_page_ && serve(path.add("index.html"), request, finding)) return;
    path.clear();
  }
  if (serve(path.add("404.html"), request, finding) && finding.status == 200) finding.status = 404;
}

void Site::find(const Target& target, const Request& request, Finding& finding) const {
  finding.status = 404;
  Path path;
  path.add(target.path.text());
  const size_t size = path.size();
  if (!target.names_folder) {
    if (serve(path, request, finding)) return;
    path.truncate(size);
    if (serve(path.add(".html"), request, finding)) return;
    path.truncate(size);
    Resource index;
    if (look(path.add("/index.html"), index) == Node::file) return redirect(target, "/", finding);
    return fail(target, request, finding);
  }
  if (serve(path.add(size > 0 ? "/index.html" : "index.html"), request, finding)) return;
  path.truncate(size);
  Resource page;
  if (size > 0 && look(path.add(".html"), page) == Node::file) return redirect(target, "", finding);
  fail(target, request, finding);
}

}  // namespace whittle::server
