// The loop: takes clients, lets each go on when it can, ends the slow ones, and ends itself when it is told to.
#pragma once

#include "server/connection.hpp"

namespace whittle::server {

class Server {
 public:
  static constexpr int kMostConnections = 256;
  // After the signal, running answers have this long, in milliseconds.
  static constexpr long long kGrace = 1'700;

  explicit Server(const Site& site) : site_(site) {}
  static void* operator new(size_t, void* room) { return room; }

  // Port 0: any. The port that was taken, or -1 with errno.
  int listen(int port);
  // Until SIGTERM or SIGINT. False, with errno, when it cannot begin.
  bool run();

 private:
  bool watch(int descriptor, unsigned tag, unsigned events);
  void take_clients();
  bool make_room();
  void step(unsigned index);
  void settle(unsigned index, Connection::Wants wants);
  void end(unsigned index);
  void end_the_late();
  void begin_ending();
  void look_at_clock();
  void pause_listening(bool pauses);

  const Site& site_;
  Descriptor listener_, events_, signals_;
  // Memory that no client has needed yet is never touched.
  alignas(Connection) unsigned char room_[kMostConnections * sizeof(Connection)];
  Connection* connections_[kMostConnections] = {};
  unsigned interest_[kMostConnections] = {};
  unsigned free_[kMostConnections] = {};
  unsigned free_count_ = 0;
  Now now_;
  long long date_second_ = -1;
  long long end_at_ = -1;  // milliseconds; -1: not ending
  bool is_paused_ = false;
};

}  // namespace whittle::server
