#include "tests/lab/server.hpp"

namespace whittle::testing {

void Server::start(std::function<void(Connection&)> serve) {
  serve_ = std::move(serve);
  acceptor_ = std::thread([this] { accept_all(); });
}

void Server::stop() {
  if (!acceptor_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    is_closing_ = true;
    for (Client& client : clients_) {
      if (client.connection) client.connection->interrupt();
    }
  }
  closing_.notify_all();
  listener_.close();
  acceptor_.join();
  for (Client& client : clients_) client.thread.join();
}

void Server::wait(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  closing_.wait_for(lock, time, [&] { return is_closing_; });
}

void Server::accept_all() {
  while (FileDescriptor socket = listener_.accept()) {
    const std::lock_guard lock(mutex_);
    if (is_closing_) return;
    clients_.remove_if([](Client& client) {
      if (client.is_done) client.thread.join();
      return client.is_done;
    });
    Client& client = clients_.emplace_back();
    client.connection.emplace(std::move(socket));
    client.thread = std::thread([this, &client] {
      serve_(*client.connection);
      const std::lock_guard done(mutex_);
      client.connection.reset();
      client.is_done = true;
    });
  }
}

}  // namespace whittle::testing
