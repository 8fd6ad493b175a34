// Accepts connections on loopback and serves each in a thread of its own, until it is stopped.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <thread>

#include "tests/lab/connection.hpp"

namespace whittle::testing {

class Server {
 public:
  // Listens at once, on any port when it is 0; nobody is served before `start`.
  explicit Server(int port) : listener_(port) {}
  ~Server() { stop(); }

  // `serve` is called from several threads; its connection is closed when it returns.
  void start(std::function<void(Connection&)> serve);
  // Interrupts everybody, and returns when no thread is left.
  void stop();
  int port() const { return listener_.port(); }
  // Returns early when the server stops.
  void wait(std::chrono::milliseconds time);

 private:
  struct Client {
    std::optional<Connection> connection;
    std::thread thread;
    bool is_done = false;
  };
  void accept_all();

  Listener listener_;
  std::function<void(Connection&)> serve_;
  std::mutex mutex_;
  std::condition_variable closing_;
  std::list<Client> clients_;
  bool is_closing_ = false;
  std::thread acceptor_;
};

}  // namespace whittle::testing
