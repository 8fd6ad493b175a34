// What the steps of a Node build run beside package managers and the user's own scripts. Every build has Node, so that
// these are scripts too, and part of the plan that anybody can read.
#pragma once

namespace whittle::detectors::node_scripts {

// FROM TO: the interpreter without its symbols.
const char* take_node();
// JOB: installs, and takes out what production loads. Members of the job: `root`, `install`, `installed`, `folders`,
// `apps`, `to`, `keeps`, `cpu`.
const char* install_packages();
// JOB: the application's own files. Members: `root`, `work`, `parts`, `ignore`, `compiled`.
const char* lay_out();
// In the image, before the application: how the first process of a container ends.
const char* signals();

}  // namespace whittle::detectors::node_scripts
