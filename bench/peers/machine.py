"""The machine: what it is, what it can do at most, and how much of it others use."""
import contextlib
import json
import os
import platform
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TICK = os.sysconf("SC_CLK_TCK")


def describe():
    m = {"cpu": platform.machine(), "cpus": os.cpu_count()}
    with contextlib.suppress(OSError, StopIteration), open("/proc/cpuinfo") as f:
        m["cpu"] = next(x.split(":")[1].strip() for x in f if x.startswith("model name"))
    return m


def bind(threads):
    """Binds this process to as many CPUs, the last ones."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])


def ceilings(threads, tries=3):
    """{"fma_gflops", "copy_nt_64M", "read_64M"}, the best of some tries, or {"fail": why}."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            exe = os.path.join(folder, "ceiling")
            subprocess.run([os.environ.get("CC", "cc"), "-O3", "-march=native", "-funroll-loops", "-pthread",
                            os.path.join(HERE, "ceiling.c"), "-o", exe], check=True)
            runs = [json.loads(subprocess.check_output([exe, str(threads)], preexec_fn=lambda: bind(threads)))
                    for _ in range(tries)]
        return {k: max(r[k] for r in runs) for k in runs[0]}
    except (OSError, subprocess.CalledProcessError, ValueError) as e:
        return {"fail": str(e)}


def used():
    """CPU seconds that all processes have used."""
    with open("/proc/stat") as f:
        user, nice, system, _idle, _wait, irq, softirq, steal = (int(x) for x in f.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICK


def used_by(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def peak_rss_mb(pid="self"):
    with open(f"/proc/{pid}/status") as f:
        return next(int(x.split()[1]) for x in f if x.startswith("VmHWM")) / 1024
