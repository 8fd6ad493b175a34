// From a request's head to what is sent back: a head, and a text or the parts of a file.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/serve_fetches.hpp"
#include "gateway/serve_route.hpp"
#include "gateway/serve_shelf.hpp"
#include "server/request.hpp"

namespace whittle::gateway {

struct Answer {
  int status = 200;
  Route::Kind kind = Route::Kind::other;
  // The head, and the body when it is no file's.
  std::string text;
  server::Descriptor file;
  std::vector<server::Range> parts;
  bool is_multipart = false;
  std::string type;
  std::uint64_t size = 0;  // of the file
  // Set while upstream is asked: the question is to be put again when it is over, or, with `grows`, the blob of that
  // digest is sent as it comes.
  std::shared_ptr<const Fetch> fetch;
  bool grows = false;
  Digest digest;
  bool closes = false;  // the connection, after this

  bool has_file() const { return file || grows; }
};

// What introduces the part of that number, and, for the number of parts, what ends them.
std::string part_text(const Answer& answer, std::size_t number);

class Answers {
 public:
  // All are borrowed; without `fetches` there is no upstream.
  Answers(Shelf& shelf, Fetches* fetches, ServeMetrics& metrics)
      : shelf_(shelf), fetches_(fetches), metrics_(metrics) {}

  // `head` ends with its empty line. `waited_for`: what the same question has led to before.
  Answer make(std::string_view head, bool closes, const Fetch* waited_for);
  // To what was no request.
  static Answer refusal(int status);

  Shelf& shelf() { return shelf_; }
  ServeMetrics& metrics() { return metrics_; }

 private:
  struct Question;
  Answer route(const Question& question);
  Answer answer_base(const Question& question) const;
  Answer answer_catalog(const Question& question);
  Answer answer_tags(const Question& question);
  Answer answer_manifest(const Question& question);
  Answer answer_blob(const Question& question);
  Answer answer_referrers(const Question& question);
  Answer answer_metrics(const Question& question) const;
  Answer answer_file(const Question& question, const oci::Descriptor& what, Shelf::OpenBlob&& blob) const;
  Answer answer_absent(const Question& question, const char* code, const std::string& message) const;
  Answer answer_after(const Question& question, std::shared_ptr<const Fetch> fetch) const;

  Shelf& shelf_;
  Fetches* fetches_;
  ServeMetrics& metrics_;
};

}  // namespace whittle::gateway
