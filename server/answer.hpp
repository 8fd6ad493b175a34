// What is sent back: a head, and which bytes of which file follow it.
#pragma once

#include "server/ranges.hpp"
#include "server/site.hpp"

namespace whittle::server {

struct Answer {
  Buffer<4 << 10> head;
  Descriptor file;  // none: the head is all
  Range parts[Ranges::kMost];
  int count = 0;
  // Several parts: each is introduced by a text, and another ends them.
  bool is_multipart = false;
  ContentType type;
  long long file_size = 0;
  bool closes = false;  // the connection, after this
};

// One that says no more than its status, and why.
void make_short_answer(int status, bool with_body, bool closes, Text date, Answer& answer);

// For a head that was read well.
void make_answer(const Site& site, const Request& request, bool closes, Text date, Answer& answer);

using PartText = Buffer<256>;
// What stands before the part of that number, and, for `answer.count`, after the last.
PartText part_text(const Answer& answer, int number);

}  // namespace whittle::server
