"""What each peer does, one task per process: `engines.py TASK ENGINE JOB.json`.

Every process prints one line of JSON: the CPU and wall time that its imports
took, so that the parent counts only the work, and what the task found out.
Engines are imported inside the tasks, because that import is what is measured.
"""

import json
import resource
import sys
import time

THREADS = 2

# The eleven fields: column, and where it stands in a CloudTrail record.
FIELDS = {
    "event_time": "eventTime",
    "event_id": "eventID",
    "event_name": "eventName",
    "event_source": "eventSource",
    "error_code": "errorCode",
    "access_key_id": "userIdentity.accessKeyId",
    "principal_arn": "userIdentity.arn",
    "source_ip": "sourceIPAddress",
    "user_agent": "userAgent",
    "region": "awsRegion",
    "account": "recipientAccountId",
}
TOP = [path for path in FIELDS.values() if "." not in path]
IDENTITY = [path.split(".")[1] for path in FIELDS.values() if "." in path]

# The largest document a file may hold, for engines that want to know.
LARGEST_DOCUMENT = 256 * 1024 * 1024


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class Task:
    """Marks where the imports end and the work begins."""

    def __init__(self):
        self.begin = time.monotonic()

    def imported(self):
        self.import_wall_seconds = time.monotonic() - self.begin
        self.import_cpu_seconds = cpu_seconds()

    def report(self, **found):
        times = {"import_cpu_seconds": self.import_cpu_seconds, "import_wall_seconds": self.import_wall_seconds}
        print(json.dumps(times | found))


def quoted(path):
    return "'" + path.replace("'", "''") + "'"


# --- extraction: eleven fields of every record to one Parquet file with zstd ---


def duckdb_extract(way):
    """DuckDB, in one of the ways in which its SQL can say it.

    `typed` names the columns and their types, `guessed` leaves them to DuckDB, and
    `from_json` reads each document whole and converts its array: the odd one to
    write, and by far the fastest, for documents that hold an array of records.
    """

    def extract(job, task):
        import duckdb

        task.imported()
        source, prefix = duckdb_source(way, job["container"], job["files"])
        selected = ", ".join(f"{prefix}{path} AS {name}" for name, path in FIELDS.items())
        database = duckdb.connect()
        database.execute(f"SET threads = {THREADS}")
        database.execute("SET preserve_insertion_order = false")
        database.execute(f"COPY (SELECT {selected} FROM {source}) TO {quoted(job['out'])} (FORMAT parquet, COMPRESSION zstd)")
        task.report()

    return extract


def duckdb_source(way, container, files):
    """The records as a FROM clause, and the prefix of their fields."""
    files = "[" + ", ".join(map(quoted, files)) + "]"
    identity = "STRUCT(" + ", ".join(f'"{it}" VARCHAR' for it in IDENTITY) + ")"
    columns = {it: "VARCHAR" for it in TOP} | {"userIdentity": identity}
    if container == "ndjson":
        named = ", ".join(f"'{name}': '{kind}'" for name, kind in columns.items())
        return f"read_json({files}, format = 'newline_delimited', columns = {{{named}}})", ""
    options = f"maximum_object_size = {LARGEST_DOCUMENT}"
    if way == "from_json":
        shape = json.dumps([{it: "VARCHAR" for it in TOP} | {"userIdentity": {it: "VARCHAR" for it in IDENTITY}}])
        documents = f"read_json_objects({files}, format = 'unstructured', {options})"
        return f"(SELECT unnest(from_json(json -> 'Records', {quoted(shape)})) AS r FROM {documents})", "r."
    if way == "typed":
        record = "STRUCT(" + ", ".join(f'"{name}" {kind}' for name, kind in columns.items()) + ")"
        options += f", columns = {{'Records': '{record}[]'}}"
    return f"(SELECT unnest(Records) AS r FROM read_json({files}, {options}))", "r."


def chdb_extract(job, task):
    import chdb

    task.imported()
    identity = "Tuple(" + ", ".join(f"{it} Nullable(String)" for it in IDENTITY) + ")"
    columns = ", ".join(f"{it} Nullable(String)" for it in TOP) + f", userIdentity {identity}"
    files = job["glob"]
    if job["container"] == "records_gz":
        source = f"(SELECT arrayJoin(Records) AS r FROM file({quoted(files)}, JSONEachRow, 'Records Array(Tuple({columns}))', 'gzip'))"
    else:
        source = f"file({quoted(files)}, JSONEachRow, {quoted(columns)})"
    prefix = "r." if job["container"] == "records_gz" else ""
    selected = ", ".join(f"{prefix}{path} AS {name}" for name, path in FIELDS.items())
    settings = {
        "max_threads": THREADS,
        "input_format_skip_unknown_fields": 1,
        "input_format_json_ignore_unknown_keys_in_named_tuple": 1,
        "input_format_json_defaults_for_missing_elements_in_named_tuple": 1,
        "input_format_null_as_default": 1,
        "output_format_parquet_compression_method": "'zstd'",
        "engine_file_truncate_on_insert": 1,
    }
    settings = ", ".join(f"{name} = {value}" for name, value in settings.items())
    chdb.query(
        f"INSERT INTO FUNCTION file({quoted(job['out'])}, Parquet) SELECT {selected} FROM {source} SETTINGS {settings}"
    )
    task.report()


def polars_extract(job, task):
    """NDJSON only: Polars has no streaming reader for one document per file."""
    import os

    os.environ["POLARS_MAX_THREADS"] = str(THREADS)
    import polars

    task.imported()
    identity = polars.Struct({it: polars.String for it in IDENTITY})
    schema = {it: polars.String for it in TOP} | {"userIdentity": identity}

    def column(path):
        parent, _, member = path.rpartition(".")
        return polars.col(parent).struct.field(member) if parent else polars.col(path)

    rows = polars.scan_ndjson(job["files"], schema=schema)
    rows = rows.select(**{name: column(path) for name, path in FIELDS.items()})
    rows.sink_parquet(job["out"], compression="zstd")
    task.report()


# --- the inventory question, over the events that lastuse stored ---

GROUP_BY = """
SELECT
    credential_uid, principal, workload, environment,
    list(DISTINCT source_ip) AS source_ips,
    list(DISTINCT user_agent_product) AS user_agents,
    list(DISTINCT source) AS sources,
    epoch_us(min(event_time)) AS first_seen_time,
    epoch_us(max(event_time)) AS last_seen_time,
    epoch_us(max(event_time) FILTER (WHERE outcome IN ('success', 'denied'))) AS last_used_time,
    epoch_us(max(event_time) FILTER (WHERE outcome = 'rejected')) AS last_rejected_time,
    sum(event_count) AS attempt_count,
    sum(event_count) FILTER (WHERE outcome IN ('success', 'denied')) AS use_count,
    sum(event_count) FILTER (WHERE outcome = 'rejected') AS rejected_count
FROM read_parquet({files})
WHERE credential_uid IS NOT NULL AND via_service IS NULL
GROUP BY credential_uid, principal, workload, environment
ORDER BY ALL
"""


def duckdb_inventory(job, task):
    """The same question without the derived uses, which makes it the easier one."""
    import duckdb

    task.imported()
    begin = time.monotonic()
    database = duckdb.connect()
    database.execute(f"SET threads = {THREADS}")
    files = "[" + ", ".join(map(quoted, job["files"])) + "]"
    rows = database.execute(GROUP_BY.format(files=files)).fetchall()
    task.report(row_count=len(rows), work_wall_seconds=time.monotonic() - begin)


# --- looking at Parquet files, not measured ---


def pyarrow_check(job, task):
    """Rows and values per column, so that nobody is fast by leaving something out."""
    import pyarrow
    from pyarrow import parquet

    task.imported()
    table = parquet.read_table(job["out"])
    ids = table["event_id"]
    if isinstance(ids.type, pyarrow.BaseExtensionType):  # DuckDB guesses that ids are UUIDs
        ids = pyarrow.chunked_array([it.storage for it in ids.chunks])
    values = {name: table.num_rows - table[name].null_count for name in FIELDS}
    task.report(row_count=table.num_rows, distinct_events=len(ids.unique()), value_counts=values)


def pyarrow_sizes(job, task):
    """Bytes per column of the given files, footers apart."""
    from pyarrow import parquet

    task.imported()
    sizes, row_count, file_bytes = {}, 0, 0
    for path in job["files"]:
        metadata = parquet.read_metadata(path)
        row_count += metadata.num_rows
        with open(path, "rb") as file:
            file_bytes += file.seek(0, 2)
        for group in range(metadata.num_row_groups):
            for index in range(metadata.num_columns):
                chunk = metadata.row_group(group).column(index)
                name = chunk.path_in_schema
                sizes[name] = sizes.get(name, 0) + chunk.total_compressed_size
    task.report(row_count=row_count, column_bytes=sizes, file_bytes=file_bytes)


TASKS = {
    ("extract", "duckdb"): duckdb_extract("typed"),
    ("extract", "duckdb_guessed"): duckdb_extract("guessed"),
    ("extract", "duckdb_from_json"): duckdb_extract("from_json"),
    ("extract", "chdb"): chdb_extract,
    ("extract", "polars"): polars_extract,
    ("inventory", "duckdb"): duckdb_inventory,
    ("check", "pyarrow"): pyarrow_check,
    ("sizes", "pyarrow"): pyarrow_sizes,
}

if __name__ == "__main__":
    with open(sys.argv[3]) as file:
        TASKS[sys.argv[1], sys.argv[2]](json.load(file), Task())
