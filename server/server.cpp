#include "server/server.hpp"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>

namespace whittle::server {

namespace {

constexpr unsigned kListenerTag = Server::kMostConnections, kSignalTag = kListenerTag + 1;
constexpr int kTick = 500;  // milliseconds between looks at the clients' deadlines

int listening_port(int socket) {
  sockaddr_storage address = {};
  socklen_t size = sizeof(address);
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return -1;
  const bool is_new = address.ss_family == AF_INET6;
  return ntohs(is_new ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                      : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

bool start_listening(int socket, const void* address, socklen_t size) {
  const int one = 1;
  setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  return bind(socket, static_cast<const sockaddr*>(address), size) == 0 && ::listen(socket, 512) == 0;
}

// Both families at once.
Descriptor listen_on_all(int port) {
  Descriptor socket(::socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return socket;
  const int zero = 0;
  setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
  sockaddr_in6 address = {};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(static_cast<uint16_t>(port));
  if (!start_listening(socket.get(), &address, sizeof(address))) socket.close();
  return socket;
}

Descriptor listen_on_old(int port) {
  Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return socket;
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  if (!start_listening(socket.get(), &address, sizeof(address))) socket.close();
  return socket;
}

}  // namespace

int Server::listen(int port) {
  listener_ = listen_on_all(port);
  const bool has_no_such_family = !listener_ && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL);
  if (has_no_such_family) listener_ = listen_on_old(port);
  return listener_ ? listening_port(listener_.get()) : -1;
}

bool Server::watch(int descriptor, unsigned tag, unsigned events) {
  epoll_event event = {};
  event.events = events;
  event.data.u32 = tag;
  return epoll_ctl(events_.get(), EPOLL_CTL_ADD, descriptor, &event) == 0;
}

void Server::look_at_clock() {
  timespec time = {};
  clock_gettime(CLOCK_MONOTONIC, &time);
  now_.milliseconds = time.tv_sec * 1000LL + time.tv_nsec / 1'000'000;
  clock_gettime(CLOCK_REALTIME, &time);
  if (time.tv_sec == date_second_) return;
  date_second_ = time.tv_sec;
  now_.date = format_date(date_second_);
}

void Server::pause_listening(bool pauses) {
  if (pauses == is_paused_ || !listener_) return;
  is_paused_ = pauses;
  epoll_event event = {};
  event.events = pauses ? 0U : unsigned{EPOLLIN};
  event.data.u32 = kListenerTag;
  epoll_ctl(events_.get(), EPOLL_CTL_MOD, listener_.get(), &event);
}

// Who has nothing to say makes room for who has.
bool Server::make_room() {
  int oldest = -1;
  for (int i = 0; i < kMostConnections; ++i) {
    if (connections_[i] == nullptr || !connections_[i]->is_idle()) continue;
    if (oldest < 0 || connections_[i]->idle_since() < connections_[oldest]->idle_since()) oldest = i;
  }
  if (oldest < 0) return false;
  end(static_cast<unsigned>(oldest));
  return true;
}

void Server::take_clients() {
  for (int taken = 0; taken < 64; ++taken) {
    if (free_count_ == 0 && !make_room()) return pause_listening(true);
    Descriptor socket(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket) {
      const bool is_exhausted = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
      if (is_exhausted) pause_listening(true);
      return;
    }
    const int one = 1;
    setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    const unsigned index = free_[--free_count_];
    const int number = socket.get();
    connections_[index] = new (room_ + index * sizeof(Connection)) Connection(static_cast<Descriptor&&>(socket), now_);
    interest_[index] = EPOLLIN;
    if (!watch(number, index, EPOLLIN)) {
      end(index);
    } else {
      step(index);  // the request has often come with the connection
    }
  }
}

void Server::end(unsigned index) {
  connections_[index]->~Connection();
  connections_[index] = nullptr;
  free_[free_count_++] = index;
  pause_listening(false);
}

void Server::settle(unsigned index, Connection::Wants wants) {
  if (wants == Connection::Wants::end) return end(index);
  const unsigned events = wants == Connection::Wants::output ? unsigned{EPOLLOUT} : unsigned{EPOLLIN};
  if (events == interest_[index]) return;
  interest_[index] = events;
  epoll_event event = {};
  event.events = events;
  event.data.u32 = index;
  if (epoll_ctl(events_.get(), EPOLL_CTL_MOD, connections_[index]->socket(), &event) != 0) end(index);
}

void Server::step(unsigned index) {
  if (connections_[index] == nullptr) return;
  settle(index, connections_[index]->advance(site_, now_, end_at_ >= 0));
}

void Server::end_the_late() {
  for (unsigned i = 0; i < kMostConnections; ++i) {
    if (connections_[i] == nullptr || connections_[i]->deadline() > now_.milliseconds) continue;
    settle(i, connections_[i]->time_out(now_));
  }
  pause_listening(false);
}

// Clients that are waiting to be taken are answered too: they came before the signal.
void Server::begin_ending() {
  if (end_at_ >= 0) return;
  take_clients();
  end_at_ = now_.milliseconds + kGrace;
  listener_.close();
  for (unsigned i = 0; i < kMostConnections; ++i) {
    if (connections_[i] != nullptr && connections_[i]->let_go(now_)) end(i);
  }
}

bool Server::run() {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  sigprocmask(SIG_BLOCK, &ends, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signals_ = Descriptor(signalfd(-1, &ends, SFD_NONBLOCK | SFD_CLOEXEC));
  events_ = Descriptor(epoll_create1(EPOLL_CLOEXEC));
  if (!signals_ || !events_) return false;
  if (!watch(listener_.get(), kListenerTag, EPOLLIN) || !watch(signals_.get(), kSignalTag, EPOLLIN)) return false;
  // The first is taken first, again and again, so that memory is touched only as far as it is needed.
  for (unsigned i = 0; i < kMostConnections; ++i) free_[i] = kMostConnections - 1 - i;
  free_count_ = kMostConnections;
  long long next_tick = 0;
  while (end_at_ < 0 || free_count_ < kMostConnections) {
    const bool is_quiet = free_count_ == kMostConnections && !is_paused_;
    epoll_event happened[64];
    const int count = epoll_wait(events_.get(), happened, 64, is_quiet ? -1 : (end_at_ >= 0 ? 50 : kTick));
    if (count < 0 && errno != EINTR) return false;
    look_at_clock();
    for (int i = 0; i < count; ++i) {
      const unsigned tag = happened[i].data.u32;
      if (tag == kListenerTag) take_clients();
      if (tag == kSignalTag) begin_ending();
      if (tag < kMostConnections) step(tag);
    }
    if (end_at_ >= 0 && now_.milliseconds >= end_at_) return true;
    if (now_.milliseconds < next_tick) continue;
    next_tick = now_.milliseconds + (end_at_ >= 0 ? 50 : kTick);
    end_the_late();
  }
  return true;
}

}  // namespace whittle::server
