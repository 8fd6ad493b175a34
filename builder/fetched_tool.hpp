// Tools that the machine lacks: unpacked below whittle's cache, in a folder named after the digest of their archive.
#pragma once

#include <span>
#include <stop_token>
#include <string>

#include "base/event.hpp"
#include "builder/toolchain.hpp"

namespace whittle::builder {

// Brings a file into the builder's hands; the builder itself reaches no network. Verifies its digest, goes on where an
// earlier call broke off, and throws Error(input_unavailable) or Error(transient).
class Downloader {
 public:
  virtual ~Downloader() = default;
  // The file stays where it is until `release`.
  virtual fs::path fetch(const plan::Download& download) = 0;
  virtual void release(const plan::Download& download) = 0;
};

// The first that runs on this machine and has a version that satisfies both; null when there is none.
const plan::Download* fitting_download(std::span<const plan::Download> downloads, std::string_view constraint,
                                       std::string_view pin, const Host& host);

// The tool as it will be: nothing is fetched, and the same before and after.
ProbedTool fetched_tool(const std::string& name, const plan::Download& download, const Host& host);
// Likewise, fetched by `helper`, which may have to be fetched itself.
ProbedTool fetched_tool(const std::string& name, const plan::Download& download, const ProbedTool& helper,
                        const Host& host);

// What must be fetched before `tool` can be started, as lines for people: none when it is there.
std::vector<std::string> missing_parts(const ProbedTool& tool);

// Fetches them, each by one process at a time.
void bring(const ProbedTool& tool, const Host& host, Downloader& downloader, ProcessRunner& runner, EventSink& events,
           const std::stop_token& stop);

}  // namespace whittle::builder
