"""Tandem through `tandem bench NAME --serve` ($TANDEM names the command).

It prints `ready {json}` after set-up, compiling and the first call; then for every line N on its input it
makes N calls and prints `N TOTAL_NS`, by its own clock around the loop.
"""
import json
import os
import subprocess


def load(_variant):
    pass


class Job:
    def __init__(self, name, variant, threads):
        self.command = [os.environ["TANDEM"], "bench", name, "--serve", "--threads", str(threads),
                        "--engine", "eager" if variant == "tandem_eager" else "static"]

    def compile(self):
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(self.command, stdin=pipe, stdout=pipe, text=True, bufsize=1)
        line = self.process.stdout.readline()
        if not line.startswith("ready "):
            raise RuntimeError(f"{' '.join(self.command)}: exit status {self.process.wait()}")
        self.ready = json.loads(line[6:])

    def call(self):
        self.batch(1)

    def batch(self, n):
        """Seconds that n calls took."""
        self.process.stdin.write(f"{n}\n")
        self.process.stdin.flush()
        made, ns = self.process.stdout.readline().split()
        if int(made) != n:
            raise RuntimeError(f"asked for {n} calls, got {made}")
        return int(ns) * 1e-9

    def prints(self):
        return self.ready["fingerprint"]

    def pid(self):
        return self.process.pid
