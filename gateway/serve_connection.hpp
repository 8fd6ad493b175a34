// One client: reads requests, sends answers, one after another. Nothing here waits, but for the disk.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>

#include "gateway/serve_answer.hpp"
#include "gateway/serve_stream.hpp"

namespace whittle::gateway {

class Connection {
 public:
  using Clock = std::chrono::steady_clock;
  // Of a request's head: Podman asks for a thousand ranges in one.
  static constexpr std::size_t kLongestHead = 32 << 10;

  // What a thread lends to each of its clients in turn.
  struct Room {
    Answers& answers;
    const ServeLimits& limits;
    std::span<char> scratch;
    Clock::time_point now;
    bool is_ending = false;
  };
  // `nothing`: what it waits for comes from upstream; only whether the client is still there matters.
  enum class Wants { input, output, nothing, end };

  Connection(Stream stream, const Room& room);

  int socket() const { return stream_.socket(); }
  // Between two requests, or before the first.
  bool is_idle() const { return state_ == State::reading && input_.empty(); }
  // Idle, and not just come: it was answered, or had a moment to ask.
  bool can_be_let_go(Clock::time_point now) const;
  Clock::time_point idle_since() const { return idle_since_; }
  Clock::time_point deadline() const { return deadline_; }

  // Does what can be done now, and says what the socket is to be watched for.
  Wants advance(const Room& room);
  // The deadline has passed.
  Wants time_out(const Room& room);
  // Nothing new is to be answered: true when it can be closed at once.
  bool let_go();

 private:
  enum class State { reading, waiting, sending, draining };
  enum class Progress { done, wants_input, wants_output, starves, broken };

  static Wants wants(Progress progress);
  Progress read_request(const Room& room);
  void take_head(std::size_t size, const Room& room);
  void ask(const Fetch* waited_for, const Room& room);
  void give(Answer answer, const Room& room);
  Progress wait(const Room& room);
  Progress send_answer(const Room& room);
  Progress send_text(const Room& room);
  Progress send_file(const Room& room);
  std::optional<std::uint64_t> readable(const Room& room);
  bool next_piece();
  void note_progress(std::size_t sent, const Room& room);
  Wants finish(const Room& room);
  Wants drain(const Room& room);

  Stream stream_;
  State state_ = State::reading;
  std::string input_;
  std::size_t searched_ = 0;  // of it, for the end of a head
  std::string question_;      // the head that is being answered
  Answer answer_;
  std::string unsent_;  // of the head, or of a part's introduction
  std::size_t sent_ = 0;
  std::size_t piece_ = 0;            // the part that comes next
  std::uint64_t at_ = 0, left_ = 0;  // in the file
  std::size_t since_progress_ = 0;
  std::size_t drained_ = 0;
  bool was_answered_ = false;
  Clock::time_point idle_since_, deadline_;
};

}  // namespace whittle::gateway
