# SPDX-License-Identifier: BSD-2-Clause
"""Programs that report again and again, such as `crossvm top --json`."""

import json
import threading

PATIENCE = 600  # seconds; only bounds a hang


class Lines:
    """The newest of what a program prints: JSON, a value a line."""

    def __init__(self, program):
        self.program = program
        self.newest = None
        self.has_ended = False
        self.news = threading.Condition()
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        for line in self.program.stdout:
            with self.news:
                self.newest = json.loads(line)
                self.news.notify()
        with self.news:
            self.has_ended = True
            self.news.notify()

    def await_one(self, condition):
        """Waits until that holds of the newest line."""
        with self.news:
            while self.newest is None or not condition(self.newest):
                if self.has_ended or not self.news.wait(PATIENCE):
                    raise AssertionError(f"{self.program.args} said last: {self.newest}")
