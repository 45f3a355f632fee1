"""Locks itself in, then becomes another program. Run as a script, never imported.

    python -I -S launcher.py LIMITS PROGRAM [ARGUMENT ...]

LIMITS is JSON: {"memory_bytes", "cpu_s", "file_bytes", "open_files", "network"}. What is set here
holds for the program and all its children, and cannot be taken back by them:

- resource limits. RLIMIT_DATA counts what a Go program can write to; RLIMIT_AS would count what it
  only reserves, and no Go program starts under 512 MB of that.
- no network: a network namespace of its own without devices, where the kernel allows one, and a
  seccomp filter under which no socket can be made. One of the two must hold.
- no new privileges, and death when whoever started it dies.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import resource
import signal
import sys
from typing import Any

REFUSED = 97
"""Exit status when the sandbox cannot be built."""

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_SECCOMP_MODE_FILTER = 2
_CLONE_NEWIPC, _CLONE_NEWUSER, _CLONE_NEWNET = 0x08000000, 0x10000000, 0x40000000
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _ERRNO_EPERM, _KILL = 0x7FFF0000, 0x00050001, 0x80000000
_X32 = 0x40000000
"""Numbers from here on are a second set of names for the same calls on x86-64."""

# Calls that reach other machines or processes. Name: (x86-64, arm64).
_FORBIDDEN = {
    "socket": (41, 198),
    "connect": (42, 203),
    "sendto": (44, 206),
    "sendmsg": (46, 211),
    "bind": (49, 200),
    "kill": (62, 129),
    "ptrace": (101, 117),
    "mount": (165, 40),
    "keyctl": (250, 219),
    "unshare": (272, 97),
    "perf_event_open": (298, 241),
    "setns": (308, 268),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "pidfd_getfd": (438, 438),
}
_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_ushort),
        ("jt", ctypes.c_ubyte),
        ("jf", ctypes.c_ubyte),
        ("k", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.POINTER(_Instruction)))


def main(arguments: list[str]) -> int:
    """Lock in and become the program; returns only when there is no sandbox."""
    limits: dict[str, Any] = json.loads(arguments[0])
    _limit(limits)
    if not limits["network"]:
        if not sys.platform.startswith("linux"):
            return _refuse("processes can be kept off the network on Linux alone")
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        apart = libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC) == 0
        filtered = _filter(libc)
        if not (apart or filtered):
            return _refuse("the kernel allows neither a network namespace nor a seccomp filter")
    os.execve(arguments[1], arguments[1:], dict(os.environ))  # noqa: S606  no shell is wanted
    raise AssertionError("a process that became another program went on")


def _limit(limits: dict[str, Any]) -> None:
    for kind, value in (
        (resource.RLIMIT_DATA, limits["memory_bytes"]),
        (resource.RLIMIT_CPU, limits["cpu_s"]),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_NOFILE, limits["open_files"]),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (value, value))


def _filter(libc: Any) -> bool:
    """Forbid the calls; False where this machine's calls are unknown or the kernel refuses."""
    known = _ARCHITECTURES.get(platform.machine())
    if known is None or libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    architecture, column = known
    code = [
        (_LOAD, 0, 0, 4),  # the architecture
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),  # the number of the call
        (_AT_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, _ERRNO_EPERM),
    ]
    for numbers in _FORBIDDEN.values():
        code += [(_EQUAL, 0, 1, numbers[column]), (_RETURN, 0, 0, _ERRNO_EPERM)]
    code.append((_RETURN, 0, 0, _ALLOW))
    instructions = (_Instruction * len(code))(*(_Instruction(*line) for line in code))
    program = _Program(len(code), instructions)
    return bool(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) == 0)


def _refuse(reason: str) -> int:
    sys.stderr.write(reason)
    return REFUSED


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
