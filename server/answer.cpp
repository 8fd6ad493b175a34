#include "server/answer.hpp"

#include "server/http_date.hpp"

namespace whittle::server {

namespace {

// No text of a site has this in it by chance, and who puts it there spoils an answer to nobody but himself.
constexpr Text kBoundary = "whittle-part-8c1f3e5a97d04b26";

struct Status {
  int number;
  Text phrase;
};
constexpr Status kStatuses[] = {
    {200, "OK"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {416, "Range Not Satisfiable"},
    {431, "Request Header Fields Too Large"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

Text phrase_of(int status) {
  for (const Status& one : kStatuses) {
    if (one.number == status) return one.phrase;
  }
  return "Internal Server Error";
}

void begin(Answer& answer, int status, Text date) {
  answer.head.clear();
  answer.head.add("HTTP/1.1 ").add_number(status).add(' ').add(phrase_of(status)).add("\r\nDate: ").add(date);
}

void end(Answer& answer, const Request& request) {
  if (answer.closes) {
    answer.head.add("\r\nConnection: close");
  } else if (request.minor_version == 0) {
    answer.head.add("\r\nConnection: keep-alive");
  }
  answer.head.add("\r\n\r\n");
}

void add_length(Answer& answer, long long size) {
  answer.head.add("\r\nContent-Length: ").add_number(size);
}

// What a 304 repeats of the answer that it spares.
void add_validators(Answer& answer, const Resource& resource) {
  if (resource.tag.size() > 0) answer.head.add("\r\nETag: ").add(resource.tag.text());
  if (resource.modified >= 0) {
    long long modified = resource.modified;
    answer.head.add("\r\nLast-Modified: ").add(format_date(modified).text());
  }
  answer.head.add("\r\nCache-Control: ");
  answer.head.add(resource.never_changes ? Text("public, max-age=31536000, immutable") : Text("no-cache"));
  if (resource.has_encodings) answer.head.add("\r\nVary: Accept-Encoding");
}

void add_content(Answer& answer, const Resource& resource, Text type) {
  answer.head.add("\r\nContent-Type: ").add(type).add("\r\nX-Content-Type-Options: nosniff");
  if (resource.encoding != Encoding::identity) {
    answer.head.add("\r\nContent-Encoding: ").add(name_of(resource.encoding).name);
  }
}

template <size_t kRoom>
void add_content_range(Buffer<kRoom>& out, const Range& range, long long size) {
  out.add("\r\nContent-Range: bytes ").add_number(range.first).add('-').add_number(range.first + range.size - 1);
  out.add('/').add_number(size);
}

void answer_parts(const Resource& resource, const Ranges& ranges, Text date, Answer& answer) {
  begin(answer, 206, date);
  add_validators(answer, resource);
  answer.count = ranges.count;
  answer.is_multipart = ranges.count > 1;
  answer.type = resource.type;
  answer.file_size = resource.size;
  long long size = 0;
  for (int i = 0; i < ranges.count; ++i) {
    answer.parts[i] = ranges.list[i];
    size += ranges.list[i].size;
  }
  if (!answer.is_multipart) {
    add_content(answer, resource, resource.type.name);
    add_content_range(answer.head, ranges.list[0], resource.size);
    return add_length(answer, size);
  }
  for (int i = 0; i <= ranges.count; ++i) size += static_cast<long long>(part_text(answer, i).size());
  Buffer<96> type;
  add_content(answer, resource, type.add("multipart/byteranges; boundary=").add(kBoundary).text());
  add_length(answer, size);
}

void answer_whole(int status, const Resource& resource, Text date, Answer& answer) {
  begin(answer, status, date);
  if (status == 200) answer.head.add("\r\nAccept-Ranges: bytes");
  add_validators(answer, resource);
  add_content(answer, resource, resource.type.name);
  add_length(answer, resource.size);
  answer.parts[0] = {0, resource.size};
  answer.count = 1;
}

void answer_with(Resource& resource, const Request& request, Text date, Answer& answer) {
  Ranges ranges;
  if (request.method == Request::Method::get && request.range.data() != nullptr &&
      range_applies(request, resource.validators())) {
    ranges = parse_ranges(request.range, resource.size);
  }
  switch (ranges.answer) {
    case Ranges::Answer::whole:
      answer_whole(200, resource, date, answer);
      break;
    case Ranges::Answer::parts:
      answer_parts(resource, ranges, date, answer);
      break;
    case Ranges::Answer::unsatisfiable:
      begin(answer, 416, date);
      answer.head.add("\r\nContent-Range: bytes */").add_number(resource.size);
      add_length(answer, 0);
      return end(answer, request);
  }
  end(answer, request);
  answer.file = static_cast<Descriptor&&>(resource.file);
}

void answer_unchanged(int status, const Resource& resource, const Request& request, Text date, Answer& answer) {
  begin(answer, status, date);
  add_validators(answer, resource);
  if (status == 412) add_length(answer, 0);
  end(answer, request);
}

void answer_elsewhere(const Finding& finding, const Request& request, Text date, Answer& answer) {
  begin(answer, 301, date);
  answer.head.add("\r\nLocation: ").add(finding.location.text()).add("\r\nCache-Control: no-cache");
  add_length(answer, 0);
  end(answer, request);
}

}  // namespace

PartText part_text(const Answer& answer, int number) {
  PartText text;
  text.add("\r\n--").add(kBoundary);
  if (number == answer.count) {
    text.add("--\r\n");
    return text;
  }
  text.add("\r\nContent-Type: ").add(answer.type.name);
  add_content_range(text, answer.parts[number], answer.file_size);
  text.add("\r\n\r\n");
  return text;
}

void make_short_answer(int status, bool with_body, bool closes, Text date, Answer& answer) {
  answer.file.close();
  answer.count = 0;
  answer.is_multipart = false;
  answer.closes = closes;
  Buffer<64> body;
  body.add_number(status).add(' ').add(phrase_of(status)).add('\n');
  begin(answer, status, date);
  if (status == 405) answer.head.add("\r\nAllow: GET, HEAD");
  if (status == 503) answer.head.add("\r\nRetry-After: 1");
  answer.head.add("\r\nCache-Control: no-cache\r\nContent-Type: text/plain; charset=utf-8");
  add_length(answer, static_cast<long long>(body.size()));
  end(answer, Request());
  if (with_body) answer.head.add(body.text());
}

void make_answer(const Site& site, const Request& request, bool closes, Text date, Answer& answer) {
  const bool has_text = request.method != Request::Method::head;
  answer.closes = closes || !request.keeps_alive || request.has_body;
  if (request.method == Request::Method::other) return make_short_answer(405, true, answer.closes, date, answer);
  if (request.has_body) return make_short_answer(413, has_text, true, date, answer);
  Target target;
  Finding finding;
  int status = parse_target(request.target, target);
  if (status == 0) {
    site.find(target, request, finding);
    status = finding.status;
  }
  answer.file.close();
  answer.count = 0;
  answer.is_multipart = false;
  if (status == 301 && !finding.location.overflown()) return answer_elsewhere(finding, request, date, answer);
  if (status == 404 && finding.resource.file) {
    answer_whole(404, finding.resource, date, answer);
    end(answer, request);
    answer.file = static_cast<Descriptor&&>(finding.resource.file);
  } else if (status == 200) {
    const int condition = check_conditions(request, finding.resource.validators());
    if (condition != 0) return answer_unchanged(condition, finding.resource, request, date, answer);
    answer_with(finding.resource, request, date, answer);
  } else {
    make_short_answer(status == 301 ? 414 : status, has_text, answer.closes, date, answer);
  }
  if (!has_text) answer.file.close();
}

}  // namespace whittle::server
