#include "tests/lab/connection.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <stdexcept>

#include "base/text.hpp"

namespace whittle::testing {

namespace {

void require(bool is_good, const char* what) {
  if (!is_good) throw std::runtime_error(cat("the laboratory cannot ", what));
}

struct FreeCertificate {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

void add_extension(X509* certificate, int kind, const char* value) {
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value);
  require(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1, "describe a certificate");
  X509_EXTENSION_free(extension);
}

std::unique_ptr<X509, FreeCertificate> self_signed(EVP_PKEY* key) {
  std::unique_ptr<X509, FreeCertificate> certificate(X509_new());
  constexpr long kDay = 86'400;
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -kDay);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), kDay);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME* name = X509_get_subject_name(certificate.get());
  const std::string common = "laboratory";
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(common.data()), -1, -1,
                             0);
  X509_set_issuer_name(certificate.get(), name);
  add_extension(certificate.get(), NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1");
  add_extension(certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
  require(X509_sign(certificate.get(), key, EVP_sha256()) > 0, "sign a certificate");
  return certificate;
}

}  // namespace

Identity::Identity() : context_(SSL_CTX_new(TLS_server_method())) {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to sockets without MSG_NOSIGNAL
  const std::unique_ptr<EVP_PKEY, FreeKey> key(EVP_EC_gen("P-256"));
  require(context_ != nullptr && key != nullptr, "make a key");
  const auto certificate = self_signed(key.get());
  require(SSL_CTX_use_certificate(context_, certificate.get()) == 1, "use a certificate");
  require(SSL_CTX_use_PrivateKey(context_, key.get()) == 1, "use a key");
}

Identity::~Identity() {
  SSL_CTX_free(context_);
}

std::string Identity::certificate_pem() const {
  BIO* memory = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(memory, SSL_CTX_get0_certificate(context_));
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory, &text);
  std::string pem(text, static_cast<std::size_t>(size));
  BIO_free(memory);
  return pem;
}

Connection::Connection(FileDescriptor socket) : socket_(std::move(socket)) {
  const int on = 1;
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Connection::~Connection() {
  if (tls_ != nullptr) SSL_free(tls_);
}

bool Connection::is_greeted_by_tls() const {
  char first = 0;
  return ::recv(socket_.get(), &first, 1, MSG_PEEK) == 1 && first == 0x16;
}

bool Connection::start_tls(const Identity& identity) {
  tls_ = SSL_new(identity.context());
  return tls_ != nullptr && SSL_set_fd(tls_, socket_.get()) == 1 && SSL_accept(tls_) == 1;
}

std::size_t Connection::receive(char* room, std::size_t size) {
  if (tls_ != nullptr) {
    const int got = SSL_read(tls_, room, static_cast<int>(size));
    return got > 0 ? static_cast<std::size_t>(got) : 0;
  }
  const ssize_t got = ::recv(socket_.get(), room, size, 0);
  return got > 0 ? static_cast<std::size_t>(got) : 0;
}

bool Connection::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = tls_ != nullptr ? SSL_write(tls_, bytes.data(), static_cast<int>(bytes.size()))
                                         : ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void Connection::end() {
  ::shutdown(socket_.get(), SHUT_WR);
}

void Connection::reset() {
  // Closing with a linger time of zero is how a program asks its kernel for an RST (socket(7)).
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void Connection::wait_for_hangup() {
  std::array<char, 4096> room{};
  while (::recv(socket_.get(), room.data(), room.size(), 0) > 0) {
  }
}

void Connection::interrupt() {
  ::shutdown(socket_.get(), SHUT_RDWR);
}

Listener::Listener(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  const int on = 1;
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  require(::bind(socket_.get(), any, size) == 0 && ::listen(socket_.get(), 1024) == 0, "listen on loopback");
  require(::getsockname(socket_.get(), any, &size) == 0, "learn its port");
  port_ = ntohs(address.sin_port);
}

FileDescriptor Listener::accept() {
  return FileDescriptor(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
}

void Listener::close() {
  ::shutdown(socket_.get(), SHUT_RDWR);
}

}  // namespace whittle::testing
