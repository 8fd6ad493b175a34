// What goes wrong, and when: rules that are told by method, path and occurrence.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/lab/message.hpp"

namespace whittle::testing {

struct Fault {
  enum class Kind {
    status,        // answered with `status`, and nothing is done
    hang_up,       // RST when the request's head is there, and nothing is done
    lose_answer,   // everything is done, and then RST instead of the answer
    reset,         // RST after `at` bytes of the answer's body
    truncate,      // FIN after `at` bytes of it
    stall,         // silence after `at` bytes of it
    corrupt,       // its byte `at` is flipped
    shorten,       // a Content-Length that is one byte too small, and the connection ends
    lengthen,      // one that is a byte too large
    drip,          // its first kilobyte byte by byte
    duplicate,     // every header twice, the second time with another value where that has a meaning
    leave,         // the answer is whole, and then the connection ends unannounced
    reset_upload,  // RST after `at` bytes of the request's body
    stall_upload,  // `at` bytes of the request's body are read, and then silence
    abort_tls,     // RST in the middle of the handshake, or of the first line where there is none
  };

  std::string method;  // "GET", or several: "PUT|PATCH"; empty: any
  std::string part;    // of the path; `*` in it stands for anything
  int status = 500;
  std::multimap<std::string, std::string> headers = {};
  std::string body = {};
  int times = 1;
  Kind kind = Kind::status;
  std::uint64_t at = 0;
  int skip = 0;  // this many that match are spared first

  // `KIND[@BYTE][+SECONDS] METHOD PART [TIMES [SKIP]]`, as in `reset@1000 GET /blobs/ 5` and
  // `429+2 PUT|PATCH /uploads/`: KIND is a status, whose SECONDS are its Retry-After, or a kind's name.
  static std::optional<Fault> parse(std::string_view text);
  bool matches(const Question& question) const;
  // Whether an answer with so large a body can suffer it.
  bool applies_to(std::size_t answer_size) const;
};

std::string_view name_of(Fault::Kind kind);

class FaultEngine {
 public:
  void add(Fault fault) { faults_.push_back(std::move(fault)); }
  void clear() { faults_.clear(); }
  // The fault that this request is to suffer; it is used up by one.
  std::optional<Fault> take(const Question& question);
  // It could not strike: the answer has no such byte.
  void give_back(Fault fault);
  // Likewise for a connection that has just come.
  bool take_abort();
  // How many have struck.
  std::size_t struck() const { return struck_; }

 private:
  std::vector<Fault> faults_;
  std::size_t struck_ = 0;
};

}  // namespace whittle::testing
