#include "gateway/serve_connection.hpp"

#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <utility>

namespace whittle::gateway {

namespace {

// In one go, so that one client with a fast line does not keep the others waiting.
constexpr std::size_t kMostAtOnce = 1 << 20;
// What must have been taken for a client to be given more time: a byte now and then is not progress.
constexpr std::size_t kProgressSize = 4 << 10;
constexpr std::size_t kInputStep = 4 << 10;
constexpr std::size_t kMostDrained = 256 << 10;
constexpr std::chrono::milliseconds kDrain{1'000};
constexpr std::chrono::milliseconds kMoment{2'000};  // from connecting to asking

}  // namespace

Connection::Connection(Stream stream, const Room& room)
    : stream_(std::move(stream)), idle_since_(room.now), deadline_(room.now + room.limits.idle) {}

Connection::Wants Connection::wants(Progress progress) {
  switch (progress) {
    case Progress::wants_input:
      return Wants::input;
    case Progress::wants_output:
      return Wants::output;
    case Progress::starves:
      return Wants::nothing;
    case Progress::done:
      return Wants::input;
    case Progress::broken:
      break;
  }
  return Wants::end;
}

void Connection::give(Answer answer, const Room& room) {
  answer_ = std::move(answer);
  if (answer_.fetch && !answer_.grows) {
    state_ = State::waiting;
    return;
  }
  room.answers.metrics().count_answer(answer_.kind, answer_.status);
  state_ = State::sending;
  unsent_ = std::move(answer_.text);
  sent_ = 0;
  piece_ = 0;
  left_ = 0;
  since_progress_ = 0;
  deadline_ = room.now + room.limits.progress;
}

void Connection::ask(const Fetch* waited_for, const Room& room) {
  give(room.answers.make(question_, room.is_ending, waited_for), room);
}

void Connection::take_head(std::size_t size, const Room& room) {
  question_ = input_.substr(0, size);
  input_.erase(0, size);
  if (input_.empty()) input_.shrink_to_fit();
  searched_ = 0;
  ask(nullptr, room);
}

Connection::Progress Connection::read_request(const Room& room) {
  for (;;) {
    // An empty line before a request is what some clients send after a body. RFC 9112, 2.2.
    while (input_.starts_with("\r\n")) input_.erase(0, 2);
    // TLS, or something else that is not HTTP, would never come to an end.
    if (!input_.empty() && !std::isalpha(static_cast<unsigned char>(input_.front()))) {
      give(Answers::refusal(400), room);
      return Progress::done;
    }
    searched_ = std::min(searched_, input_.size());
    const std::size_t from = searched_ < 3 ? 0 : searched_ - 3;
    const server::Text unsearched(input_.data() + from, input_.size() - from);
    if (const std::size_t size = server::head_size(unsearched); size > 0) {
      take_head(from + size, room);
      return Progress::done;
    }
    searched_ = input_.size();
    if (input_.size() >= kLongestHead) {
      // What Podman takes for too many ranges is a 400, and then it asks for fewer.
      give(Answers::refusal(400), room);
      return Progress::done;
    }
    std::array<char, kInputStep> taken{};
    const Stream::Result result =
        stream_.read(std::span(taken).first(std::min(taken.size(), kLongestHead - input_.size())));
    if (result.state == Stream::State::wants_input) return Progress::wants_input;
    if (result.state == Stream::State::wants_output) return Progress::wants_output;
    if (result.state != Stream::State::done) return Progress::broken;
    if (input_.empty()) deadline_ = room.now + room.limits.head;
    input_.append(taken.data(), result.count);
  }
}

// For what upstream sends. A client that waits for it is not slow.
Connection::Progress Connection::wait(const Room& room) {
  if (!answer_.fetch->is_over()) {
    deadline_ = room.now + room.limits.progress;
    return Progress::starves;
  }
  const std::shared_ptr<const Fetch> fetch = std::exchange(answer_.fetch, nullptr);
  ask(fetch.get(), room);
  return Progress::done;
}

void Connection::note_progress(std::size_t sent, const Room& room) {
  since_progress_ += sent;
  if (since_progress_ < kProgressSize) return;
  since_progress_ = 0;
  deadline_ = room.now + room.limits.progress;
}

// False when the answer is complete.
bool Connection::next_piece() {
  if (!answer_.has_file()) return false;
  const std::size_t pieces = answer_.parts.size() + (answer_.is_multipart ? 1 : 0);
  if (piece_ == pieces) return false;
  if (answer_.is_multipart) {
    unsent_ = part_text(answer_, piece_);
    sent_ = 0;
  }
  if (piece_ < answer_.parts.size()) {
    at_ = static_cast<std::uint64_t>(answer_.parts[piece_].first);
    left_ = static_cast<std::uint64_t>(answer_.parts[piece_].size);
  }
  ++piece_;
  return true;
}

Connection::Progress Connection::send_text(const Room& room) {
  const bool more_follows = answer_.has_file() && !answer_.grows && (left_ > 0 || piece_ < answer_.parts.size());
  while (sent_ < unsent_.size()) {
    const Stream::Result result = stream_.write(std::string_view(unsent_).substr(sent_), more_follows);
    if (result.state == Stream::State::wants_input) return Progress::wants_input;
    if (result.state == Stream::State::wants_output) return Progress::wants_output;
    if (result.state != Stream::State::done) return Progress::broken;
    sent_ += result.count;
    note_progress(result.count, room);
  }
  return Progress::done;
}

// Up to which byte the file can be sent. The last one of a blob that is still coming is held back until the whole has
// proved to be what was asked for, so that a client never takes a wrong one for complete. Nothing: it will never come.
std::optional<std::uint64_t> Connection::readable(const Room& room) {
  if (!answer_.grows) return answer_.size;
  Shelf& shelf = room.answers.shelf();
  if (answer_.fetch->is_over()) {
    auto whole = answer_.fetch->state() == Fetch::State::done ? shelf.open(answer_.digest) : std::nullopt;
    if (!whole || whole->size != answer_.size) return std::nullopt;
    answer_.file = std::move(whole->file);
    answer_.grows = false;
    answer_.fetch = nullptr;
    return answer_.size;
  }
  struct stat status {};
  if (answer_.file && (::fstat(answer_.file.get(), &status) != 0 || status.st_nlink == 0)) answer_.file.close();
  if (!answer_.file) answer_.file = shelf.open_partial(answer_.digest);
  if (!answer_.file || ::fstat(answer_.file.get(), &status) != 0) return 0;
  return std::min(static_cast<std::uint64_t>(status.st_size), answer_.size - 1);
}

Connection::Progress Connection::send_file(const Room& room) {
  for (std::size_t sent = 0; left_ > 0;) {
    if (sent >= kMostAtOnce) return Progress::wants_output;
    const std::optional<std::uint64_t> end = readable(room);
    if (!end) return Progress::broken;
    if (*end <= at_) {
      deadline_ = room.now + room.limits.progress;
      return Progress::starves;
    }
    const std::uint64_t wanted = std::min<std::uint64_t>({left_, *end - at_, kMostAtOnce});
    const Stream::Result result = stream_.write_file(answer_.file.get(), at_, wanted, room.scratch);
    if (result.state == Stream::State::wants_input) return Progress::wants_input;
    if (result.state == Stream::State::wants_output) return Progress::wants_output;
    if (result.state != Stream::State::done) return Progress::broken;
    at_ += result.count;
    left_ -= result.count;
    sent += result.count;
    room.answers.metrics().sent += result.count;
    note_progress(result.count, room);
  }
  return Progress::done;
}

Connection::Progress Connection::send_answer(const Room& room) {
  do {
    if (const Progress progress = send_text(room); progress != Progress::done) return progress;
    if (const Progress progress = send_file(room); progress != Progress::done) return progress;
  } while (next_piece());
  return Progress::done;
}

// What a client still sends must be read before the socket is closed: else the system tells it that the connection
// broke, and it throws the answer away.
Connection::Wants Connection::drain(const Room& room) {
  std::array<char, kInputStep> waste{};
  for (;;) {
    const ssize_t count = ::recv(stream_.socket(), waste.data(), waste.size(), 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return Wants::input;
    if (count <= 0) return Wants::end;
    drained_ += static_cast<std::size_t>(count);
    if (drained_ > kMostDrained || room.now >= deadline_) return Wants::end;
  }
}

Connection::Wants Connection::finish(const Room& room) {
  const bool closes = answer_.closes || room.is_ending;
  answer_ = {};
  unsent_ = {};
  was_answered_ = true;
  if (closes) {
    state_ = State::draining;
    deadline_ = room.now + kDrain;
    stream_.finish();
    return drain(room);
  }
  state_ = State::reading;
  idle_since_ = room.now;
  deadline_ = room.now + (input_.empty() ? room.limits.idle : room.limits.head);
  return Wants::input;
}

Connection::Wants Connection::advance(const Room& room) {
  for (int requests = 0; requests < 16; ++requests) {
    if (state_ == State::draining) return drain(room);
    if (state_ == State::reading) {
      if (const Progress progress = read_request(room); progress != Progress::done) return wants(progress);
    }
    if (state_ == State::waiting) {
      if (const Progress progress = wait(room); progress != Progress::done) return wants(progress);
    }
    if (state_ == State::waiting) continue;
    if (const Progress progress = send_answer(room); progress != Progress::done) return wants(progress);
    const Wants after = finish(room);
    if (state_ == State::draining) return after;
  }
  // More requests have been sent ahead than are answered at a time; the socket can be written to, so this goes on.
  return Wants::output;
}

Connection::Wants Connection::time_out(const Room& room) {
  if (state_ != State::reading || input_.empty()) return Wants::end;
  input_.clear();
  give(Answers::refusal(408), room);
  return send_answer(room) == Progress::done ? finish(room) : Wants::end;
}

bool Connection::can_be_let_go(Clock::time_point now) const {
  return is_idle() && (was_answered_ || now - idle_since_ > kMoment);
}

bool Connection::let_go() {
  answer_.closes = true;
  char byte = 0;
  return is_idle() && ::recv(stream_.socket(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

}  // namespace whittle::gateway
