#!/usr/bin/env python3
"""Runs the end-to-end tests of this folder, test classes in parallel.

One line a test as it ends; the full story of the failures and the slowest tests at the end. A skipped test counts as failed
unless --allow-skip is given: a test that needs a program and does not find it has not shown anything.
"""

import argparse
import concurrent.futures
import json
import multiprocessing
import os
import sys
import time
import traceback
import unittest
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER.parent), str(FOLDER)]


class Recorder(unittest.TestResult):
    """Collects {id, status, seconds, details} and says each result as soon as it is known."""

    def __init__(self):
        super().__init__()
        self.buffer = True  # what a passing test prints is nobody's business
        self.records = []
        self.started = time.monotonic()
        self.current = None

    def startTest(self, test):
        super().startTest(test)
        self.started = time.monotonic()
        self.current = {"id": test.id(), "status": "passed", "seconds": 0.0, "details": ""}

    def stopTest(self, test):
        super().stopTest(test)
        self.current["seconds"] = round(time.monotonic() - self.started, 2)
        self.say(self.current)
        self.current = None

    def say(self, record):
        self.records.append(record)
        word = {"passed": "ok  ", "failed": "FAIL", "skipped": "skip"}[record["status"]]
        line = f"{word} {record['seconds']:7.2f} s  {record['id']}"
        if record["status"] == "skipped":
            line += f"  ({record['details']})"
        os.write(sys.__stdout__.fileno(), (line + "\n").encode())  # one write, so that workers do not mix their lines

    def note(self, test, status, details):
        if self.current is None:  # setUpClass and tearDownClass are outside any test
            self.say({"id": test.id(), "status": status, "seconds": 0.0, "details": details})
            return
        self.current["details"] += details
        if self.current["status"] != "failed":
            self.current["status"] = status

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.note(test, "failed", self.failures[-1][1])

    def addError(self, test, error):
        super().addError(test, error)
        self.note(test, "failed", self.errors[-1][1])

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error:
            self.note(test, "failed", f"{subtest}\n{''.join(traceback.format_exception(*error))}")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.note(test, "skipped", reason)

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.note(test, "failed", "expected to fail, but passed\n")


def load(patterns):
    loader = unittest.TestLoader()
    if patterns:
        loader.testNamePatterns = [pattern if "*" in pattern else f"*{pattern}*" for pattern in patterns]
    return loader


def tests_of(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from tests_of(item)
        else:
            yield item


def discover(patterns):
    """The tests as {class: [test]}, classes in the order of their files."""
    groups = {}
    for test in tests_of(load(patterns).discover(str(FOLDER), pattern="test_*.py", top_level_dir=str(FOLDER))):
        groups.setdefault(f"{type(test).__module__}.{type(test).__qualname__}", []).append(test)
    return groups


def run_class(name, patterns):
    """In a worker: runs the tests of one class and returns their records."""
    recorder = Recorder()
    unittest.TestSuite(discover(patterns)[name]).run(recorder)
    return recorder.records


def summary_of(records, allow_skip):
    count = {status: sum(record["status"] == status for record in records) for status in ("passed", "failed", "skipped")}
    count["ok"] = bool(records) and count["failed"] == 0 and (allow_skip or count["skipped"] == 0)
    return count


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", "-j", type=int, default=2, metavar="N", help="test classes at a time (default 2)")
    parser.add_argument("-k", dest="patterns", action="append", metavar="PATTERN", help="only tests whose name contains or matches it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write a summary there")
    parser.add_argument("--allow-skip", action="store_true", help="a skipped test is not a failure")
    parser.add_argument("--list", action="store_true", help="print the names and run nothing")
    options = parser.parse_args()

    groups = discover(options.patterns)
    if options.list:
        for tests in groups.values():
            print(*(test.id() for test in tests), sep="\n")
        return 0

    started = time.monotonic()
    records = []
    # Fresh interpreters: a fork of a process with threads would carry their locks along.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(options.jobs, mp_context=context) as pool:
        futures = {pool.submit(run_class, name, options.patterns): name for name in groups}
        for future in concurrent.futures.as_completed(futures):
            try:
                records += future.result()
            except Exception:
                records.append({"id": futures[future], "status": "failed", "seconds": 0.0, "details": traceback.format_exc()})
                print(f"FAIL            {futures[future]}", flush=True)

    for record in records:
        if record["status"] == "failed":
            print(f"\n{'=' * 100}\nFAIL {record['id']}\n{'-' * 100}\n{record['details'].rstrip()}")
    slowest = sorted(records, key=lambda record: -record["seconds"])[:10]
    print("\nslowest:")
    for record in slowest:
        print(f"  {record['seconds']:7.2f} s  {record['id']}")
    summary = summary_of(records, options.allow_skip)
    print(f"\n{summary['passed']} passed, {summary['failed']} failed, {summary['skipped']} skipped", end="")
    print(f" in {time.monotonic() - started:.1f} s" if records else " (no test matches)")
    if options.json:
        tests = sorted(({key: record[key] for key in ("id", "status", "seconds")} for record in records), key=lambda test: test["id"])
        seconds = round(time.monotonic() - started, 1)
        options.json.write_text(json.dumps({**summary, "seconds": seconds, "tests": tests}, indent=1) + "\n")
    return 0 if summary["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
