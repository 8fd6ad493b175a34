#include "registry/link.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::registry {

namespace {

bool is_next(std::string_view parameters) {
  for (const std::string& parameter : split(parameters, ';')) {
    const std::string text = lower(trim(parameter));
    if (text == "rel=next" || text == "rel=\"next\"") return true;
  }
  return false;
}

}  // namespace

std::string next_link(const std::vector<std::string>& headers) {
  for (const std::string& header : headers) {
    std::string_view rest = header;
    for (;;) {
      const std::size_t start = rest.find('<');
      const std::size_t end = rest.find('>', start);
      if (start == std::string_view::npos || end == std::string_view::npos) break;
      const std::string target(rest.substr(start + 1, end - start - 1));
      rest.remove_prefix(end + 1);
      const std::size_t stop = std::min(rest.find('<'), rest.size());
      if (is_next(rest.substr(0, rest.substr(0, stop).find_last_of(',')))) return target;
    }
  }
  return {};
}

std::string next_page(const Reply& reply, const Session& session, const Request& request) {
  const std::string target = next_link(reply.response.all("link"));
  if (target.empty()) return {};
  const Url url = session.resolve(reply.url, target, request);
  if (url.origin() == session.origin().origin()) return url.str();
  Error error(Exit::registry_content,
              cat(backticked(session.host()), " sends us elsewhere for the rest of the ", request.doing));
  throw error.at(cat(request.method, " ", redacted(reply.url.str())))
      .cause(cat("the next page is at ", backticked(redacted(url.str()))));
}

}  // namespace whittle::registry
