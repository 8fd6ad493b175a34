// Loopback sockets for a server that misbehaves on purpose: a connection can be ended in every way in which
// a network ends one.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/files.hpp"

struct ssl_st;
struct ssl_ctx_st;

namespace whittle::testing {

// A key and a certificate for 127.0.0.1, ::1 and localhost, made anew, valid for a day.
class Identity {
 public:
  Identity();
  ~Identity();
  Identity(const Identity&) = delete;
  Identity& operator=(const Identity&) = delete;
  std::string certificate_pem() const;
  ssl_ctx_st* context() const { return context_; }

 private:
  ssl_ctx_st* context_;
};

class Connection {
 public:
  explicit Connection(FileDescriptor socket);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Whether the first byte that came is that of a TLS greeting.
  bool is_greeted_by_tls() const;
  // False: the handshake failed.
  bool start_tls(const Identity& identity);
  // At most `room` bytes; 0 when the other side is gone.
  std::size_t receive(char* room, std::size_t size);
  bool send(std::string_view bytes);
  // Says no more, and does not read on: FIN, without TLS's farewell.
  void end();
  // RST at its destruction: what the other side has not read yet is lost to it.
  void reset();
  // Reads and forgets until the other side is gone.
  void wait_for_hangup();
  // From another thread: every call returns soon.
  void interrupt();

 private:
  FileDescriptor socket_;
  ssl_st* tls_ = nullptr;
};

class Listener {
 public:
  // 0: any free port of 127.0.0.1.
  explicit Listener(int port = 0);
  int port() const { return port_; }
  // None when the listener was closed.
  FileDescriptor accept();
  void close();

 private:
  FileDescriptor socket_;
  int port_ = 0;
};

}  // namespace whittle::testing
