#include "gateway/serve_stream.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::gateway {

namespace {

std::string library_reason() {
  const unsigned long code = ::ERR_get_error();
  ::ERR_clear_error();
  std::array<char, 256> text{};
  ::ERR_error_string_n(code, text.data(), text.size());
  return code == 0 ? "no reason was given" : text.data();
}

Error unusable(const std::string& what, const fs::path& file) {
  Error error(Exit::refused, cat("the ", what, " in ", backticked(file.native()), " cannot be used"));
  error.cause(library_reason());
  error.hint("PEM files are expected: the certificate with its chain, and its key without a password");
  return error;
}

bool would_block() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

Stream::Result of_system(ssize_t count, Stream::State when_blocked) {
  if (count >= 0) return {Stream::State::done, static_cast<std::size_t>(count)};
  return {would_block() ? when_blocked : Stream::State::closed};
}

// HTTP/1.1 is all that is spoken.
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                    unsigned int offered_size, void*) {
  static constexpr unsigned char kOurs[] = "\x08http/1.1";
  unsigned char* found = nullptr;
  const int outcome = ::SSL_select_next_proto(&found, size, kOurs, sizeof(kOurs) - 1, offered, offered_size);
  *chosen = found;
  return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

// A key with a password would ask for it at a terminal, and a gateway has none.
int no_password(char*, int, int, void*) {
  return -1;
}

}  // namespace

void TlsContext::Free::operator()(ssl_ctx_st* context) const {
  ::SSL_CTX_free(context);
}

TlsContext::TlsContext(const ServeTls& files) : context_(::SSL_CTX_new(::TLS_server_method())) {
  if (!context_) throw Error(Exit::bug, "TLS cannot be started").cause(library_reason());
  SSL_CTX* const context = context_.get();
  ::SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  ::SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // Buffers are held while they are in use only; an idle client costs a few kilobytes.
  ::SSL_CTX_set_mode(context,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  ::SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  ::SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
  ::SSL_CTX_set_default_passwd_cb(context, no_password);
  ::ERR_clear_error();
  if (::SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str()) != 1) {
    throw unusable("certificate", files.certificate);
  }
  if (::SSL_CTX_use_PrivateKey_file(context, files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    throw unusable("key", files.key);
  }
  if (::SSL_CTX_check_private_key(context) != 1) throw unusable("key", files.key);
}

void Stream::Free::operator()(ssl_st* session) const {
  ::SSL_free(session);
}

Stream::Stream(server::Descriptor socket, const TlsContext* tls) : socket_(std::move(socket)) {
  if (tls == nullptr) return;
  session_.reset(::SSL_new(tls->get()));
  if (!session_ || ::SSL_set_fd(session_.get(), socket_.get()) != 1) {
    throw Error(Exit::bug, "TLS cannot be started").cause(library_reason());
  }
  ::SSL_set_accept_state(session_.get());
}

Stream::Result Stream::judge(int returned) {
  if (returned > 0) return {State::done, static_cast<std::size_t>(returned)};
  const int reason = ::SSL_get_error(session_.get(), returned);
  ::ERR_clear_error();
  if (reason == SSL_ERROR_WANT_READ) return {State::wants_input};
  if (reason == SSL_ERROR_WANT_WRITE) return {State::wants_output};
  return {State::closed};
}

Stream::Result Stream::read(std::span<char> room) {
  if (session_) return judge(::SSL_read(session_.get(), room.data(), static_cast<int>(room.size())));
  const ssize_t count = ::recv(socket_.get(), room.data(), room.size(), 0);
  return count == 0 ? Result{State::closed} : of_system(count, State::wants_input);
}

Stream::Result Stream::write(std::string_view text, bool more_follows) {
  if (session_) return judge(::SSL_write(session_.get(), text.data(), static_cast<int>(text.size())));
  const int flags = MSG_NOSIGNAL | (more_follows ? MSG_MORE : 0);
  return of_system(::send(socket_.get(), text.data(), text.size(), flags), State::wants_output);
}

Stream::Result Stream::write_file(int file, std::uint64_t offset, std::uint64_t size, std::span<char> scratch) {
  if (!session_) {
    off_t at = static_cast<off_t>(offset);
    const ssize_t count = ::sendfile(socket_.get(), file, &at, size);
    return count == 0 ? Result{State::file_too_short} : of_system(count, State::wants_output);
  }
  const std::size_t wanted = std::min<std::uint64_t>(size, scratch.size());
  const ssize_t count = ::pread(file, scratch.data(), wanted, static_cast<off_t>(offset));
  if (count <= 0 || static_cast<std::size_t>(count) != wanted) return {State::file_too_short};
  return judge(::SSL_write(session_.get(), scratch.data(), static_cast<int>(count)));
}

void Stream::finish() {
  if (session_) {
    ::SSL_shutdown(session_.get());
    ::ERR_clear_error();
  }
  ::shutdown(socket_.get(), SHUT_WR);
}

}  // namespace whittle::gateway
