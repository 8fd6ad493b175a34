// static-server [--single-page] [--digests FILE] FOLDER
//
// Serves a folder over HTTP on $PORT, else 8080, until SIGTERM. docs/design/static-sites.md
#include <errno.h>
#include <stdlib.h>

#include "server/server.hpp"

namespace {

using whittle::server::Buffer;
using whittle::server::Server;
using whittle::server::Site;
using whittle::server::Text;

constexpr int kUsage = 2;
constexpr int kDefaultPort = 8080;

void say(Text first, Text second = "", Text third = "") {
  Buffer<1024> line;
  line.add("static-server: ").add(first).add(second).add(third).add('\n');
  if (write(STDERR_FILENO, line.data(), line.size()) < 0) return;  // there is nobody to be told
}

int fail(Text what, Text object) {
  const int reason = errno;
  say(what, object, ": ");
  say(strerror(reason));
  return 1;
}

struct Arguments {
  const char* folder = nullptr;
  const char* digests = nullptr;
  bool is_single_page = false;
};

bool read_arguments(int count, char** words, Arguments& arguments) {
  for (int i = 1; i < count; ++i) {
    const Text word = words[i];
    if (word == "--single-page") {
      arguments.is_single_page = true;
    } else if (word == "--digests" && i + 1 < count) {
      arguments.digests = words[++i];
    } else if (word.starts_with("-") || arguments.folder != nullptr) {
      return false;
    } else {
      arguments.folder = words[i];
    }
  }
  return arguments.folder != nullptr;
}

// -1 when what the environment says is no port.
int port_of(const char* variable) {
  if (variable == nullptr || *variable == '\0') return kDefaultPort;
  long long port = 0;
  return whittle::server::read_number(variable, port) && port <= 65535 ? static_cast<int>(port) : -1;
}

}  // namespace

int main(int count, char** words) {
  // Too large for a stack, and never destroyed: the program ends with them.
  alignas(Site) static unsigned char site_room[sizeof(Site)];
  alignas(Server) static unsigned char server_room[sizeof(Server)];
  Site& site = *new (site_room) Site;
  Server& server = *new (server_room) Server(site);
  Arguments arguments;
  if (!read_arguments(count, words, arguments)) {
    say("usage: static-server [--single-page] [--digests FILE] FOLDER");
    return kUsage;
  }
  const int wanted = port_of(getenv("PORT"));
  if (wanted < 0) {
    say("PORT must be a number up to 65535, not `", getenv("PORT"), "`");
    return kUsage;
  }
  if (!site.open(arguments.folder)) return fail("cannot open ", arguments.folder);
  if (arguments.digests != nullptr && !site.digests().open(arguments.digests)) {
    return fail("cannot read ", arguments.digests);
  }
  if (arguments.is_single_page) site.set_single_page();
  const int port = server.listen(wanted);
  if (port < 0) return fail("cannot listen", "");
  Buffer<16> number;
  say("serving ", arguments.folder, number.add(" on port ").add_number(port).text());
  return server.run() ? 0 : fail("cannot go on", "");
}
