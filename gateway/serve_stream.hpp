// Bytes to and from one client, with TLS or without. Nothing here waits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "gateway/serve.hpp"
#include "server/descriptor.hpp"

struct ssl_ctx_st;
struct ssl_st;

namespace whittle::gateway {

// Certificate and key, for all clients. TLS 1.2 and 1.3.
class TlsContext {
 public:
  // Throws Error(refused) when they cannot be read or do not fit each other.
  explicit TlsContext(const ServeTls& files);
  ssl_ctx_st* get() const { return context_.get(); }

 private:
  struct Free {
    void operator()(ssl_ctx_st* context) const;
  };
  std::unique_ptr<ssl_ctx_st, Free> context_;
};

class Stream {
 public:
  enum class State {
    done,           // `count` bytes went
    wants_input,    // nothing could be done before the client sends
    wants_output,   // …before it takes
    closed,         // by the client, or broken
    file_too_short  // than it was said to be
  };
  struct Result {
    State state;
    std::size_t count = 0;
  };

  // `tls` may be null, and must outlive this.
  Stream(server::Descriptor socket, const TlsContext* tls);

  int socket() const { return socket_.get(); }
  Result read(std::span<char> room);
  // `more_follows`: the system may wait for it to fill a packet.
  Result write(std::string_view text, bool more_follows);
  // From a file, at `offset`; `scratch` is used where the system cannot do it alone. After wants_output the same
  // is to be asked for again.
  Result write_file(int file, std::uint64_t offset, std::uint64_t size, std::span<char> scratch);
  // Nothing is written after this.
  void finish();

 private:
  struct Free {
    void operator()(ssl_st* session) const;
  };
  Result judge(int returned);

  server::Descriptor socket_;
  std::unique_ptr<ssl_st, Free> session_;
};

}  // namespace whittle::gateway
