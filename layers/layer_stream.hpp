// The entries of a slice, in order, to whoever writes them: equal files become one, and a file that changes while it is
// read is an error.
#pragma once

#include <stop_token>

#include "base/event.hpp"
#include "layers/entry_writer.hpp"
#include "layers/root_filesystem.hpp"

namespace whittle::layers {

// `modified`: the time of every entry, in seconds. Reads every file once, those that may have an equal and are larger
// than 1 MiB twice. Throws Error(transient) naming a file that is not what it was when the slice was made.
void write_entries(const Slice& slice, std::int64_t modified, EntryWriter& out, EventSink& events,
                   std::stop_token stop);

}  // namespace whittle::layers
