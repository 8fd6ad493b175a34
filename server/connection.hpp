// One client: reads requests, sends answers, one after another. Nothing here waits.
#pragma once

#include "server/answer.hpp"
#include "server/http_date.hpp"

namespace whittle::server {

// Milliseconds of a clock that only goes forward, and the date as text.
struct Now {
  long long milliseconds = 0;
  DateText date;
};

class Connection {
 public:
  // How long a client may take, in milliseconds.
  static constexpr long long kIdle = 20'000, kHead = 10'000, kProgress = 30'000, kDrain = 1'000;

  enum class Wants { input, output, end };

  Connection(Descriptor socket, const Now& now)
      : socket_(static_cast<Descriptor&&>(socket)),
        idle_since_(now.milliseconds),
        deadline_(now.milliseconds + kIdle) {}
  static void* operator new(size_t, void* room) { return room; }

  int socket() const { return socket_.get(); }
  // Between two requests, or before the first.
  bool is_idle() const { return state_ == State::reading && received_ == 0; }
  long long idle_since() const { return idle_since_; }
  long long deadline() const { return deadline_; }

  // Does what can be done now, and says what the socket is to be watched for.
  Wants advance(const Site& site, const Now& now, bool is_ending);
  // The deadline has passed.
  Wants time_out(const Now& now);
  // Nothing new is to be answered: true when it can be closed at once.
  bool let_go(const Now& now);

 private:
  enum class State { reading, sending, draining };
  enum class Progress { done, waits, broken };

  Progress read_request(const Site& site, const Now& now, bool is_ending);
  void answer_head(size_t size, const Site& site, const Now& now, bool is_ending);
  void refuse(int status, const Now& now);
  Progress send_answer(const Now& now);
  Progress send_text(const Now& now);
  Progress send_file(const Now& now);
  bool next_piece();
  void begin_sending(const Now& now);
  void note_progress(long long sent, const Now& now);
  Wants finish(const Now& now);
  Wants drain(const Now& now);

  Descriptor socket_;
  State state_ = State::reading;
  char input_[kLongestHead];
  size_t received_ = 0;
  Answer answer_;
  PartText part_;
  Text unsent_;                  // of the head, or of a part's introduction
  int piece_ = 0;                // the part that comes next
  long long at_ = 0, left_ = 0;  // in the file
  long long since_progress_ = 0;
  long long drained_ = 0;
  long long idle_since_ = 0;
  long long deadline_ = 0;
};

}  // namespace whittle::server
