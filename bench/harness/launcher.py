"""Starts the commands that arrive on standard input, one JSON object a line, and answers with what wait4 says of each.

A process of its own, as small as an interpreter gets: the kernel counts the memory of whoever forks in the peak of what is
started, so a large parent would hide a small program.
"""

import json
import os
import sys
import time


def run(argv, folder, environment, log):
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    started = time.perf_counter()
    child = os.fork()
    if child == 0:
        try:
            os.dup2(nothing, 0)
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.chdir(folder)
            os.execvpe(argv[0], argv, environment)
        except OSError as error:
            os.write(2, f"{argv[0]} cannot be started: {error.strerror}\n".encode())
        finally:
            os._exit(127)
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - started
    os.close(output)
    os.close(nothing)
    return {
        "exit": os.waitstatus_to_exitcode(status),
        "seconds": seconds,
        "processor_seconds": usage.ru_utime + usage.ru_stime,
        "peak_bytes": usage.ru_maxrss * 1024,
    }


for line in sys.stdin:
    print(json.dumps(run(**json.loads(line))), flush=True)
