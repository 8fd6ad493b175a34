#include "server/connection.hpp"

#include <errno.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

namespace whittle::server {

namespace {

bool would_block() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

// In one go, so that one client with a fast line does not keep the others waiting.
constexpr long long kMostAtOnce = 1 << 20;
// What must have been taken for a client to be given more time: a byte now and then is not progress.
constexpr long long kProgressSize = 4 << 10;
constexpr long long kMostDrained = 256 << 10;

}  // namespace

void Connection::begin_sending(const Now& now) {
  state_ = State::sending;
  unsent_ = answer_.head.text();
  piece_ = 0;
  left_ = 0;
  since_progress_ = 0;
  deadline_ = now.milliseconds + kProgress;
}

void Connection::refuse(int status, const Now& now) {
  make_short_answer(status, true, true, now.date.text(), answer_);
  begin_sending(now);
}

void Connection::answer_head(size_t size, const Site& site, const Now& now, bool is_ending) {
  Request request;
  const int status = parse_request(Text(input_, size), request);
  if (status != 0) {
    refuse(status, now);
  } else {
    make_answer(site, request, is_ending, now.date.text(), answer_);
    begin_sending(now);
  }
  received_ -= size;
  memmove(input_, input_ + size, received_);
}

Connection::Progress Connection::read_request(const Site& site, const Now& now, bool is_ending) {
  for (;;) {
    // An empty line before a request is what some clients send after a body. RFC 9112, 2.2.
    while (received_ >= 2 && input_[0] == '\r' && input_[1] == '\n') {
      received_ -= 2;
      memmove(input_, input_ + 2, received_);
    }
    if (const size_t size = head_size(Text(input_, received_)); size > 0) {
      answer_head(size, site, now, is_ending);
      return Progress::done;
    }
    if (received_ == sizeof(input_)) {
      refuse(Text(input_, received_).has('\n') ? 431 : 414, now);
      return Progress::done;
    }
    const bool was_idle = received_ == 0;
    const ssize_t count = recv(socket_.get(), input_ + received_, sizeof(input_) - received_, 0);
    if (count < 0) return would_block() ? Progress::waits : Progress::broken;
    if (count == 0) return Progress::broken;
    received_ += static_cast<size_t>(count);
    if (was_idle) deadline_ = now.milliseconds + kHead;
  }
}

void Connection::note_progress(long long sent, const Now& now) {
  since_progress_ += sent;
  if (since_progress_ < kProgressSize) return;
  since_progress_ = 0;
  deadline_ = now.milliseconds + kProgress;
}

// False when the answer is complete.
bool Connection::next_piece() {
  if (!answer_.file) return false;
  const int pieces = answer_.count + (answer_.is_multipart ? 1 : 0);
  if (piece_ == pieces) return false;
  if (answer_.is_multipart) {
    part_ = part_text(answer_, piece_);
    unsent_ = part_.text();
  }
  if (piece_ < answer_.count) {
    at_ = answer_.parts[piece_].first;
    left_ = answer_.parts[piece_].size;
  }
  ++piece_;
  return true;
}

Connection::Progress Connection::send_text(const Now& now) {
  const bool more_follows = answer_.file && (left_ > 0 || piece_ < answer_.count);
  while (!unsent_.empty()) {
    const ssize_t count =
        send(socket_.get(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL | (more_follows ? MSG_MORE : 0));
    if (count < 0) return would_block() ? Progress::waits : Progress::broken;
    unsent_ = unsent_.from(static_cast<size_t>(count));
    note_progress(count, now);
  }
  return Progress::done;
}

Connection::Progress Connection::send_file(const Now& now) {
  for (long long sent = 0; left_ > 0;) {
    if (sent >= kMostAtOnce) return Progress::waits;
    const long long wanted = left_ < kMostAtOnce ? left_ : kMostAtOnce;
    off_t offset = at_;
    const ssize_t count = sendfile(socket_.get(), answer_.file.get(), &offset, static_cast<size_t>(wanted));
    if (count < 0) return would_block() ? Progress::waits : Progress::broken;
    if (count == 0) return Progress::broken;  // the file is shorter than its head has promised
    at_ += count;
    left_ -= count;
    sent += count;
    note_progress(count, now);
  }
  return Progress::done;
}

Connection::Progress Connection::send_answer(const Now& now) {
  do {
    if (const Progress progress = send_text(now); progress != Progress::done) return progress;
    if (const Progress progress = send_file(now); progress != Progress::done) return progress;
  } while (next_piece());
  return Progress::done;
}

// What a client still sends must be read before the socket is closed: else the system tells it that the connection
// broke, and it throws the answer away.
Connection::Wants Connection::drain(const Now& now) {
  char waste[4 << 10];
  for (;;) {
    const ssize_t count = recv(socket_.get(), waste, sizeof(waste), 0);
    if (count < 0 && would_block()) return Wants::input;
    if (count <= 0) return Wants::end;
    drained_ += count;
    if (drained_ > kMostDrained || now.milliseconds >= deadline_) return Wants::end;
  }
}

Connection::Wants Connection::finish(const Now& now) {
  answer_.file.close();
  if (answer_.closes) {
    state_ = State::draining;
    deadline_ = now.milliseconds + kDrain;
    shutdown(socket_.get(), SHUT_WR);
    return drain(now);
  }
  state_ = State::reading;
  idle_since_ = now.milliseconds;
  deadline_ = now.milliseconds + (received_ > 0 ? kHead : kIdle);
  return Wants::input;
}

Connection::Wants Connection::advance(const Site& site, const Now& now, bool is_ending) {
  for (int requests = 0; requests < 16; ++requests) {
    if (state_ == State::draining) return drain(now);
    if (state_ == State::reading) {
      const Progress progress = read_request(site, now, is_ending);
      if (progress == Progress::broken) return Wants::end;
      if (progress == Progress::waits) return Wants::input;
    }
    const Progress progress = send_answer(now);
    if (progress == Progress::broken) return Wants::end;
    if (progress == Progress::waits) return Wants::output;
    const Wants wants = finish(now);
    if (state_ == State::draining) return wants;
  }
  // More requests have been sent ahead than are answered at a time; the socket can be written to, so this goes on.
  return Wants::output;
}

Connection::Wants Connection::time_out(const Now& now) {
  if (state_ != State::reading || received_ == 0) return Wants::end;
  refuse(408, now);
  return send_answer(now) == Progress::done ? finish(now) : Wants::end;
}

bool Connection::let_go(const Now& now) {
  answer_.closes = true;
  if (state_ == State::draining && deadline_ > now.milliseconds + kDrain / 5) deadline_ = now.milliseconds + kDrain / 5;
  char byte = 0;
  return is_idle() && recv(socket_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

}  // namespace whittle::server
