# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures Sealdrive against other file systems: they take turns at each work, in several rounds.

What a work costs is the time until its program has ended; what is still to be written then is waited
for before the next one begins, and counts for nobody.
"""
import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import peers
import report
import works

QUICK = (peers.KERNEL, peers.NULL, peers.GOCRYPTFS, peers.SEALDRIVE)


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="smaller sets and fewer file systems: two minutes")
    parser.add_argument("--rounds", type=int, help="how often each work is done (3)")
    parser.add_argument("--set", type=int, metavar="MIB", help="size of the large file (512; quick: 128)")
    parser.add_argument("--files", type=int, help="files of the tree (8000; quick: 2000)")
    parser.add_argument("--peers", metavar="NAME,...", help="only these of: " + ", ".join(p.name for p in peers.ALL))
    parser.add_argument("--works", metavar="TEXT,...", help="report only works whose name has one of these")
    parser.add_argument("--gentle", action="store_true",
                        help="for a cold cache, drop only what is cached of the containers")
    parser.add_argument("--dir", default=os.environ.get("TMPDIR", "/var/tmp"), help="where the containers are made")
    parser.add_argument("--json", metavar="FILE", help="write all figures there")
    parser.add_argument("--svg", metavar="FILE", help="draw a chart there")
    parser.add_argument("--build", required=True, help=argparse.SUPPRESS)
    return parser.parse_args()


def sizes_of(args):
    mib = args.set or (128 if args.quick else 512)
    files = args.files or (2000 if args.quick else 8000)
    return works.Sizes(set_mib=mib, copy_mib=mib, files=files, names=files * 5 // 2,
                       singles=mib * 32 if mib < 128 else 4096 if args.quick else 16384)


def choose(args):
    """Who takes part, and who does not and why."""
    names = args.peers.split(",") if args.peers else QUICK if args.quick else [p.name for p in peers.ALL]
    unknown = set(names) - {p.name for p in peers.ALL}
    if unknown:
        sys.exit(f"bench: no such file system: {', '.join(unknown)}")
    chosen = [p for p in peers.ALL if p.name in names]
    missing = {p.name: p.missing() for p in chosen if p.missing()}
    return [p for p in chosen if p.name not in missing], missing


def measure(work, peer):
    """One turn: rate, CPU time of the daemon."""
    if not os.path.ismount(peer.dir):
        raise RuntimeError("it is not mounted any more")
    if work.cold:
        peer.forget()
    else:
        peer.settle()
    if work.warm:
        work.action(peer.dir)
    before = peer.cpu_seconds()
    amount, seconds = work.action(peer.dir)
    after = peer.cpu_seconds()
    scale = 1 << 20 if work.unit == "MiB/s" else 1
    return {"rate": amount / scale / seconds, "seconds": seconds,
            "cpu": after - before if before is not None and after is not None else None}


def turn(work, playing, broken, first):
    """All file systems do one work; who fails at it is not asked for it again."""
    out = {}
    for i in range(len(playing)):
        peer = playing[(first + i) % len(playing)]
        if (peer.name, work.name) in broken:
            continue
        try:
            out[peer.name] = measure(work, peer)
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            broken[peer.name, work.name] = str(error)
            print(f"bench: {peer.name} has failed: {work.name}: {error}", file=sys.stderr)
    return out


def play(args, scratch, playing, broken):
    todo = works.works(args.build, scratch, sizes_of(args))
    turns = {work.name: [] for work in todo}
    for round_number in range(-1 if args.warm_up else 0, args.rounds):
        for i, work in enumerate(todo):
            out = turn(work, playing, broken, i + max(round_number, 0))
            if round_number >= 0:
                turns[work.name].append(out)
            if sys.stderr.isatty():
                print(f"\rround {round_number + 1}/{args.rounds}: {work.name:40}", end="", file=sys.stderr)
    return todo, turns


def median(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def summary(todo, turns, names):
    return [{
        "work": work.name,
        "unit": work.unit,
        "targets": {"gocryptfs": work.gocryptfs_target, "kernel": work.kernel_target, "null": work.null_target},
        "rates": {name: median(t[name]["rate"] for t in turns[work.name] if name in t) for name in names},
        "daemon_cpu_seconds": {name: median(t[name]["cpu"] for t in turns[work.name] if name in t) for name in names},
        "all_rates": {name: [round(t[name]["rate"], 3) for t in turns[work.name] if name in t] for name in names},
    } for work in todo]


def warm_memory(mib):
    """Memory that nobody has used yet is slow to come by on virtual machines."""
    block = bytearray(mib << 20)
    for at in range(0, len(block), 4096):
        block[at] = 1


def start_all(chosen, scratch, args, missing):
    playing = []
    for kind in chosen:
        peer = kind(f"{scratch}/{kind.name}", sizes_of(args).set_mib * 5 + 1024, args.build, args.gentle)
        try:
            peer.start()
            playing.append(peer)
        except (RuntimeError, OSError) as error:
            missing[kind.name] = str(error)
            peer.stop()
    return playing


def finish(args, results, playing, missing):
    names = [peer.name for peer in playing]
    shown = [r for r in results if not args.works or any(w in r["work"] for w in args.works.split(","))]
    machine = f"Linux {platform.release()}, {os.cpu_count()} CPUs"
    load = os.getloadavg()
    print(report.table(shown, names))
    memory = {peer.name: peer.memory_mib() for peer in playing}
    print("most memory of the daemon:", ", ".join(f"{n} {m:.0f} MiB" for n, m in memory.items() if m))
    print(f"{machine}, load {load[0]:.1f} {load[1]:.1f} {load[2]:.1f}; medians of {args.rounds} rounds")
    for name, reason in missing.items():
        print(f"not measured: {name}: {reason}")
    if args.json:
        with open(args.json, "w") as f:
            json.dump({"machine": machine, "load": load, "rounds": args.rounds, "sizes": vars(sizes_of(args)),
                       "memory_mib": memory, "not_measured": missing, "results": results}, f, indent=1)
    if args.svg:
        with open(args.svg, "w") as f:
            f.write(report.chart(shown, f"More is better. {machine}, medians of {args.rounds} rounds"))


def main():
    args = arguments()
    args.warm_up = not args.quick and not args.rounds
    args.rounds = args.rounds or 3
    chosen, missing = choose(args)
    scratch = tempfile.mkdtemp(prefix="sealdrive-bench-", dir=args.dir)
    playing, broken, start = [], {}, time.monotonic()
    try:
        warm_memory(256 if args.quick else 1024)
        playing = start_all(chosen, scratch, args, missing)
        todo, turns = play(args, scratch, playing, broken)
        missing.update({f"{name}, {work}": reason for (name, work), reason in broken.items()})
        if sys.stderr.isatty():
            print(file=sys.stderr)
        finish(args, summary(todo, turns, [peer.name for peer in playing]), playing, missing)
        print(f"{time.monotonic() - start:.0f} s")
    finally:
        for peer in playing:
            peer.stop()
        shutil.rmtree(scratch)
    return 1 if any(name == peers.SEALDRIVE for name, _ in broken) else 0


if __name__ == "__main__":
    sys.exit(main())
