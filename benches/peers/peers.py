"""Runs lastuse and its peers over the same files and prints what each one cost.

Every measured task is a process of its own on the same two CPUs. Its CPU seconds
(user and system) and its peak memory are what the kernel says when it ends. For
the peers, what importing the Python module took is subtracted; for lastuse the
whole process counts. Rounds are interleaved, so that a slow minute of the machine
hits everyone, and medians are reported.
"""

import argparse
import glob
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
ENGINES = os.path.join(HERE, "engines.py")
CPUS = sorted(os.sched_getaffinity(0))[:2]

# Who takes part in the extraction, per container.
PEERS = {
    "records_gz": ["duckdb", "duckdb_guessed", "duckdb_from_json", "chdb"],
    "ndjson": ["duckdb", "chdb", "polars"],
}
ENDINGS = {"records_gz": (".json.gz",), "ndjson": (".ndjson", ".jsonl", ".json")}

# What the project promises: name, how to find the figure, the bound, "min" or "max".
GOALS = [
    ("Records gz: events per CPU-second over DuckDB's read_json", "extraction.records_gz.duckdb", 15, "min"),
    ("NDJSON: events per CPU-second over DuckDB's read_json", "extraction.ndjson.duckdb", 1.2, "min"),
    ("inventory: times faster than DuckDB's group-by (20 million events)", "inventory.times_faster", 20, "min"),
    ("bytes per event at rest beyond the native id", "at_rest.bytes_per_event", 15, "max"),
    ("peak MiB of ingest at 10 million events", "scale.peak_mib_at_10_million", 1024, "max"),
    ("time per event, largest over smallest size", "scale.time_per_event_spread", 1.15, "max"),
]


class Failed(Exception):
    """A measured process ended with an error."""


# --- processes ---


def measured(command):
    """Runs a process to its end; returns what it printed and what it cost."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        begin = time.monotonic()
        process = subprocess.Popen(
            command, stdout=out, stderr=errors, preexec_fn=lambda: os.sched_setaffinity(0, CPUS)
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        errors.seek(0)
        if process.returncode != 0:
            tail = errors.read().decode(errors="replace").strip()[-500:]
            raise Failed(f"{' '.join(command[:4])} ended with {process.returncode}: {tail}")
        cost = {
            "cpu_seconds": used.ru_utime + used.ru_stime,
            "wall_seconds": wall,
            "peak_bytes": used.ru_maxrss * 1024,
        }
        return out.read().decode(), cost


def engine(task, name, work, **job):
    """Runs one task of engines.py; its imports are taken off its cost."""
    path = os.path.join(work, "job.json")
    with open(path, "w") as file:
        json.dump(job, file)
    printed, cost = measured([sys.executable, ENGINES, task, name, path])
    found = json.loads(printed.strip().splitlines()[-1])
    cost["cpu_seconds"] -= found.pop("import_cpu_seconds")
    cost["wall_seconds"] -= found.pop("import_wall_seconds")
    return found, cost


def lastuse(options, data, *arguments):
    return measured([options.binary, "--data", data, *arguments])


# --- the input and the store ---


def make_logs(options, events, container, work):
    """Lets the product write CloudTrail logs, once; returns the folder that holds them."""
    folder = os.path.join(work, f"{container}-{events}")
    if not os.path.isdir(folder):
        partial = fresh(work, "partial-input")
        command = [options.binary, "demo", "--out", partial, "--events", str(events), "--only", "aws_cloudtrail"]
        note(f"writing {events:,} events as {container}")
        measured(command + (["--plain"] if container == "ndjson" else []))
        os.rename(partial, folder)
    logs = os.path.join(folder, "logs")
    return logs if os.path.isdir(logs) else folder


def log_files(folder, container):
    """The files of one container below a folder, and the glob that finds them."""
    for ending in ENDINGS[container]:
        pattern = os.path.join(folder, "**", "*" + ending)
        files = sorted(glob.glob(pattern, recursive=True))
        if files:
            return files, pattern
    raise SystemExit(f"peers: no {container} files below {folder}")


def json_bytes(files):
    """Bytes of JSON in the files; gzip keeps the length of a member at its end."""
    total = 0
    for path in files:
        with open(path, "rb") as file:
            if path.endswith(".gz"):
                file.seek(-4, 2)
                total += int.from_bytes(file.read(4), "little")
            else:
                total += file.seek(0, 2)
    return total


def active_files(data, table):
    """The Parquet files of a table's latest version, from its Delta log."""
    folder = os.path.join(data, "tables", table)
    active = {}
    for commit in sorted(glob.glob(os.path.join(folder, "_delta_log", "*.json"))):
        with open(commit) as file:
            for line in file:
                action = json.loads(line)
                if "add" in action:
                    active[action["add"]["path"]] = True
                elif "remove" in action:
                    active.pop(action["remove"]["path"], None)
    return [os.path.join(folder, urllib.parse.unquote(it)) for it in active]


def fresh(work, name):
    folder = os.path.join(work, name)
    shutil.rmtree(folder, ignore_errors=True)
    return folder


# --- the comparisons ---


def compare_extraction(options, container, events, work):
    """Eleven fields to Parquet by each peer; the whole ingest by lastuse."""
    folder = options.records if container == "records_gz" else options.ndjson
    folder = folder or make_logs(options, events, container, work)
    files, pattern = log_files(folder, container)
    costs, checks, failures = {}, {}, {}
    for number in range(options.rounds):
        names = [*PEERS[container], "lastuse"]
        names = names[number % len(names) :] + names[: number % len(names)]
        for name in names:
            note(f"{container} round {number + 1} of {options.rounds}: {name}")
            try:
                if name == "lastuse":
                    if options.without_lastuse:
                        continue
                    _, cost = lastuse(options, fresh(work, "data-" + container), "ingest", folder)
                else:
                    job = {"files": files, "glob": pattern, "container": container, "out": os.path.join(work, "out.parquet")}
                    _, cost = engine("extract", name, work, **job)
                    checks[name], _ = engine("check", "pyarrow", work, **job)
                costs.setdefault(name, []).append(cost)
            except Failed as error:
                failures[name] = str(error)
    if "lastuse" in costs:
        checks["lastuse"], _ = engine("sizes", "pyarrow", work, files=active_files(os.path.join(work, "data-" + container), "events"))
    return summarized(container, files, costs, checks, failures)


def summarized(container, files, costs, checks, failures):
    """Medians per tool, and how many times more events lastuse does per CPU-second."""
    stored = checks.pop("lastuse", None)
    if not checks:
        raise SystemExit(f"peers: no peer could read the files: {failures}")
    reference = next(iter(checks.values()))
    if stored and stored["row_count"] != reference["distinct_events"]:
        failures["lastuse"] = f"stored {stored['row_count']:,} of {reference['distinct_events']:,} distinct events"
    for name, check in checks.items():
        if check != reference:
            failures[name] = "other rows or values than " + next(iter(checks))
    size, records = json_bytes(files), reference["row_count"]
    tools = {}
    for name, rounds in costs.items():
        cost = medians(rounds)
        tools[name] = cost | {
            "events_per_cpu_second": records / cost["cpu_seconds"],
            "mb_per_cpu_second": size / 1e6 / cost["cpu_seconds"],
        }
    ours = tools.get("lastuse")
    for tool in tools.values():
        tool["lastuse_ratio"] = ours and ours["events_per_cpu_second"] / tool["events_per_cpu_second"]
    return {
        "container": container,
        "files": len(files),
        "records": records,
        "json_bytes": size,
        "tools": tools,
        "failures": failures,
    }


def medians(rounds):
    return {name: statistics.median(it[name] for it in rounds) for name in rounds[0]}


def compare_inventory(options, data, work):
    """The product's answer against a group-by over the events it comes from."""
    files = active_files(data, "events")
    ours, theirs, rows = [], [], {}
    for number in range(options.rounds):
        note(f"inventory round {number + 1} of {options.rounds}")
        printed, cost = lastuse(options, data, "inventory", "--format", "json")
        rows["lastuse"] = len(json.loads(printed))
        ours.append(cost)
        found, cost = engine("inventory", "duckdb", work, files=files)
        rows["duckdb"] = found["row_count"]
        theirs.append(cost | {"wall_seconds": found["work_wall_seconds"]})
    ours, theirs = medians(ours), medians(theirs)
    return {
        "lastuse": ours,
        "duckdb": theirs,
        "rows": rows,
        "times_faster": theirs["wall_seconds"] / ours["wall_seconds"],
        "times_less_cpu": theirs["cpu_seconds"] / ours["cpu_seconds"],
    }


def repeat_run(options, folder, data, first):
    """The same ingest again, over files that did not change."""
    costs = []
    for _ in range(options.rounds):
        _, cost = lastuse(options, data, "ingest", folder)
        costs.append(cost)
    again = medians(costs)
    return again | {"share_of_first_run": again["cpu_seconds"] / first["cpu_seconds"]}


def at_rest(data, work):
    """Bytes per event of all tables, less the native ids of events wherever they stand."""
    tables = {}
    for log in glob.glob(os.path.join(data, "tables", "*", "_delta_log")):
        table = os.path.basename(os.path.dirname(log))
        files = active_files(data, table)
        if files:
            tables[table], _ = engine("sizes", "pyarrow", work, files=files)
    events = tables["events"]["row_count"]
    native = sum(it["column_bytes"].get("native_uid", 0) for it in tables.values())
    files = sum(it["file_bytes"] for it in tables.values())
    sizes = {
        f"{table}.{name}": size / events
        for table, it in tables.items()
        for name, size in it["column_bytes"].items()
        if name != "native_uid"
    }
    return {
        "events": events,
        "bytes_per_event": (files - native) / events,
        "native_uid": native / events,
        "columns": dict(sorted(sizes.items(), key=lambda it: -it[1])),
    }


def scaled(options, work):
    """Ingest and inventory at growing sizes: memory and time per event stay flat."""
    sizes = []
    for millions in options.scale:
        events = int(millions * 1_000_000)
        folder = make_logs(options, events, "records_gz", work)
        data = fresh(work, "data-scale")
        note(f"scale: ingesting {events:,} events")
        _, cost = lastuse(options, data, "ingest", folder)
        sizes.append(
            {
                "events": events,
                "ingest": cost,
                "wall_microseconds_per_event": cost["wall_seconds"] / events * 1e6,
                "cpu_microseconds_per_event": cost["cpu_seconds"] / events * 1e6,
                "at_rest": at_rest(data, work),
                "inventory": compare_inventory(options, data, work),
            }
        )
        if not options.work:
            shutil.rmtree(os.path.join(work, f"records_gz-{events}"), ignore_errors=True)
            shutil.rmtree(data, ignore_errors=True)
    per_event = [it["cpu_microseconds_per_event"] for it in sizes]
    return {"sizes": sizes, "time_per_event_spread": max(per_event) / min(per_event)}


# --- what people read ---


def note(text):
    """Progress, to people only."""
    if sys.stderr.isatty():
        print(f"peers: {text}", file=sys.stderr)


def table(header, rows):
    cells = [header, *rows]
    widths = [max(len(row[index]) for row in cells) for index in range(len(header))]
    for row in cells:
        padded = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        print("  " + "  ".join(padded).rstrip())


def print_extraction(result):
    print(
        f"\n{result['container']}: {result['records']:,} records in {result['files']:,} files, "
        f"{result['json_bytes'] / 1e6:,.0f} MB of JSON"
    )
    rows = []
    for name, tool in sorted(result["tools"].items(), key=lambda it: -it[1]["events_per_cpu_second"]):
        ratio = tool["lastuse_ratio"]
        rows.append(
            [
                name,
                f"{tool['cpu_seconds']:.2f}",
                f"{tool['wall_seconds']:.2f}",
                f"{tool['events_per_cpu_second']:,.0f}",
                f"{tool['mb_per_cpu_second']:,.0f}",
                f"{tool['peak_bytes'] / 2**20:,.0f}",
                f"{ratio:.2f}" if ratio else "-",
            ]
        )
    table(["tool", "CPU s", "wall s", "events/CPU s", "MB/CPU s", "peak MiB", "lastuse/tool"], rows)
    for name, failure in result["failures"].items():
        print(f"  {name} does not count: {failure}")


def print_inventory(title, result):
    print(f"\n{title}: inventory against DuckDB's group-by over the same events")
    rows = []
    for name in ("lastuse", "duckdb"):
        cost = result[name]
        rows.append(
            [
                name,
                f"{result['rows'][name]:,}",
                f"{cost['wall_seconds']:.3f}",
                f"{cost['cpu_seconds']:.3f}",
                f"{cost['peak_bytes'] / 2**20:,.0f}",
            ]
        )
    table(["tool", "rows", "wall s", "CPU s", "peak MiB"], rows)
    print(f"  {result['times_faster']:.1f} times faster, {result['times_less_cpu']:.1f} times less CPU")


def print_sizes(result):
    print(f"\nat rest: {result['bytes_per_event']:.2f} bytes per event beyond the native id")
    rows = [[name, f"{size:.2f}"] for name, size in list(result["columns"].items())[:12]]
    table(["column", "bytes per event"], rows)


def print_scale(result):
    print("\nscale: ingest of Records gz")
    rows = []
    for size in result["sizes"]:
        rows.append(
            [
                f"{size['events']:,}",
                f"{size['wall_microseconds_per_event']:.2f}",
                f"{size['cpu_microseconds_per_event']:.2f}",
                f"{size['ingest']['peak_bytes'] / 2**20:,.0f}",
                f"{size['at_rest']['bytes_per_event']:.2f}",
                f"{size['inventory']['times_faster']:.1f}",
            ]
        )
    table(["events", "wall us/event", "CPU us/event", "peak MiB", "bytes/event", "inventory x"], rows)


def judged(figures):
    """Each goal with its figure; goals that this run did not measure are left out."""
    found = {}
    for result in figures.get("extraction", []):
        for name, tool in result["tools"].items():
            if not {name, "lastuse"} & result["failures"].keys():
                found[f"extraction.{result['container']}.{name}"] = tool["lastuse_ratio"]
    if "at_rest" in figures:
        found["at_rest.bytes_per_event"] = figures["at_rest"]["bytes_per_event"]
    for size in figures.get("scale", {}).get("sizes", []):
        if size["events"] == 20_000_000:
            found["inventory.times_faster"] = size["inventory"]["times_faster"]
        if size["events"] == 10_000_000:
            found["scale.peak_mib_at_10_million"] = size["ingest"]["peak_bytes"] / 2**20
    if len(figures.get("scale", {}).get("sizes", [])) > 1:
        found["scale.time_per_event_spread"] = figures["scale"]["time_per_event_spread"]
    goals = []
    for name, key, bound, kind in GOALS:
        value = found.get(key)
        if value is not None:
            met = value >= bound if kind == "min" else value <= bound
            goals.append({"goal": name, "value": value, "bound": bound, "kind": kind, "met": met})
    return goals


def print_goals(goals):
    if goals:
        print("\ngoals")
        sign = {"min": "at least", "max": "at most"}
        rows = [
            [it["goal"], f"{it['value']:.2f}", f"{sign[it['kind']]} {it['bound']}", "met" if it["met"] else "MISSED"]
            for it in goals
        ]
        table(["goal", "figure", "bound", ""], rows)


# --- the command line ---


def parsed_options():
    parser = argparse.ArgumentParser(prog="run.sh", description="Compare lastuse with its peers on the same files.")
    repository = os.path.dirname(os.path.dirname(HERE))
    parser.add_argument("--binary", default=os.path.join(repository, "target/release/lastuse"), help="the lastuse to measure")
    parser.add_argument("--events", type=int, default=1_000_000, help="events of the extraction (default 1,000,000)")
    parser.add_argument("--rounds", type=int, default=3, help="runs per tool, medians are reported (default 3)")
    parser.add_argument(
        "--scale", type=float, nargs="*", metavar="MILLIONS", help="also ingest this many million events (default 1 10 20)"
    )
    parser.add_argument("--only", choices=["extraction", "scale"], help="one part only")
    parser.add_argument("--records", metavar="DIR", help="use these .json.gz files instead of generated ones")
    parser.add_argument("--ndjson", metavar="DIR", help="use these NDJSON files instead of generated ones")
    parser.add_argument("--without-lastuse", action="store_true", help="measure the peers only; needs --records and --ndjson")
    parser.add_argument("--work", metavar="DIR", help="keep the input and the stores here")
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a goal is missed")
    options = parser.parse_args()
    if options.scale == []:
        options.scale = [1, 10, 20]
    if options.only == "scale" and not options.scale:
        options.scale = [1, 10, 20]
    if options.without_lastuse:
        if not (options.records and options.ndjson) or options.scale:
            parser.error("--without-lastuse needs --records and --ndjson, and no --scale")
    elif not os.access(options.binary, os.X_OK):
        parser.error(f"there is no {options.binary}: run `cargo build --release` first, or name one with --binary")
    options.rounds = max(1, options.rounds)
    return options


def machine():
    model = platform.machine()
    try:
        with open("/proc/cpuinfo") as file:
            model = next(it.split(":", 1)[1].strip() for it in file if it.startswith("model name"))
    except (OSError, StopIteration):
        pass
    with open(os.path.join(HERE, "requirements.txt")) as file:
        versions = dict(line.strip().split("==") for line in file if "==" in line)
    load = os.getloadavg()[0]
    return {"cpu": model, "cpus_used": len(CPUS), "load_before": load, "peers": versions}


def run(options, work):
    figures = {"machine": machine()}
    print(f"{figures['machine']['cpu']}, {len(CPUS)} CPUs, load {figures['machine']['load_before']:.1f} before the run")
    if options.only != "scale":
        results = [compare_extraction(options, it, options.events, work) for it in PEERS]
        figures["extraction"] = results
        for result in results:
            print_extraction(result)
        if "lastuse" in results[0]["tools"]:
            after_extraction(options, results[0], figures, work)
    if options.scale and options.only != "extraction":
        figures["scale"] = scaled(options, work)
        print_scale(figures["scale"])
    figures["goals"] = judged(figures)
    print_goals(figures["goals"])
    return figures


def after_extraction(options, result, figures, work):
    """What the store of the last extraction round has to say."""
    data = os.path.join(work, "data-records_gz")
    folder = options.records or make_logs(options, options.events, "records_gz", work)
    figures["repeat"] = repeat_run(options, folder, data, result["tools"]["lastuse"])
    again = figures["repeat"]
    print(
        f"\nrun again over {result['files']:,} unchanged files: {again['cpu_seconds']:.3f} CPU s, "
        f"{again['wall_seconds']:.3f} s, {again['share_of_first_run']:.2%} of the first run"
    )
    figures["at_rest"] = at_rest(data, work)
    print_sizes(figures["at_rest"])
    figures["inventory"] = compare_inventory(options, data, work)
    print_inventory(f"{figures['at_rest']['events']:,} events", figures["inventory"])


def main():
    options = parsed_options()
    with tempfile.TemporaryDirectory(prefix="lastuse-peers-") as temporary:
        work = options.work or temporary
        os.makedirs(work, exist_ok=True)
        try:
            figures = run(options, work)
        except Failed as error:
            raise SystemExit(f"peers: {error}") from None
    if options.json:
        with open(options.json, "w") as file:
            json.dump(figures, file, indent=1)
            file.write("\n")
    if options.check and not all(it["met"] for it in figures["goals"]):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
