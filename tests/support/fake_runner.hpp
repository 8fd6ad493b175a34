// A ProcessRunner that starts nothing: each command is answered by a function, and remembered.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/process.hpp"

namespace whittle {

class FakeRunner : public ProcessRunner {
 public:
  struct Answer {
    int status = 0;
    std::string out = {}, error = {};
  };
  explicit FakeRunner(std::function<Answer(const Command&)> answer) : answer_(std::move(answer)) {}

  ProcessResult run(const Command& command, const OutputFunction& output, std::stop_token stop) override {
    commands.push_back(command);
    if (stop.stop_requested()) return {.status = 143, .cancelled = true};
    const Answer answer = answer_(command);
    if (!answer.out.empty()) output(OutputStream::out, answer.out);
    if (!answer.error.empty()) output(OutputStream::error, answer.error);
    return {.status = answer.status, .cancelled = stop.stop_requested()};
  }

  std::vector<Command> commands;

 private:
  std::function<Answer(const Command&)> answer_;
};

}  // namespace whittle
