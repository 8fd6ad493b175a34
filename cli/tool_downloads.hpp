// How the builder's tools come from package registries: through the user's mirrors, into whittle's cache.
#pragma once

#include "builder/fetched_tool.hpp"
#include "cli/session.hpp"

namespace whittle::cli {

class ToolDownloads : public builder::Downloader {
 public:
  explicit ToolDownloads(Session& session);  // borrowed
  fs::path fetch(const plan::Download& download) override;
  void release(const plan::Download& download) override;

 private:
  Session& session_;
  oci::BlobStore files_;
};

// The link in an index page (PEP 503) to the file of that name, as an absolute address; empty when there is none.
std::string link_in_index(std::string_view page, const std::string& page_url, std::string_view file_name);

}  // namespace whittle::cli
