/*
 * Python that answers, about a namespace's folder in sys.argv[1], in one JSON: a digest of every value of each table, and
 * the messages by day, lane and status. A value is written as `lineOf` of the test writes it.
 */

const SHARED = `
import sys, json, hashlib, datetime
folder = sys.argv[1]
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
def text(value):
    if isinstance(value, (list, tuple)): return "|".join(value)
    if value is None or value != value: return ""
    if isinstance(value, (bytes, bytearray)): return "0x" + value.hex()
    if isinstance(value, datetime.datetime): return str((value - EPOCH) // datetime.timedelta(microseconds=1))
    return str(value)
def digest(rows):
    lines = sorted(",".join(name + "=" + text(row[name]) for name in sorted(row)) for row in rows)
    return [len(lines), hashlib.sha256("\\n".join(lines).encode()).hexdigest()]
def counts(rows): return sorted(",".join(map(str, row)) for row in rows)
KEYS = ["day", "lane", "status"]
TABLES = ["messages", "verifier_results", "executions"]
answers = {}
`;

/** delta-rs with pyarrow, polars, and pandas. */
export const PYTHON_ANSWERS = `${SHARED}
from deltalake import DeltaTable
import polars, pandas, pyarrow
tables = {name: DeltaTable(folder + "/" + name) for name in TABLES}
arrow = {name: pyarrow.table(table.to_pyarrow_table()) for name, table in tables.items()}
answers["delta-rs"] = dict(
    digests=[digest(arrow[name].to_pylist()) for name in TABLES],
    counts=counts([row[key] for key in KEYS] + [row["status_count"]]
        for row in arrow["messages"].group_by(KEYS).aggregate([("status", "count")]).to_pylist()))
frames = {name: polars.scan_delta(folder + "/" + name) for name in TABLES}
answers["polars"] = dict(
    digests=[digest(frames[name].collect().iter_rows(named=True)) for name in TABLES],
    counts=counts(frames["messages"].group_by(KEYS).len().collect().rows()))
exact = {name: table.to_pandas(types_mapper=pandas.ArrowDtype) for name, table in tables.items()}
def plain(value): return None if value is pandas.NA or value is pandas.NaT else list(value) if hasattr(value, "tolist") and not isinstance(value, (str, bytes)) else value
answers["pandas"] = dict(
    digests=[digest({name: plain(value) for name, value in row.items()} for row in exact[table].to_dict("records")) for table in TABLES],
    counts=counts([*key, size] for key, size in exact["messages"].groupby(KEYS).size().items()))
print(json.dumps(answers))
`;

/** Spark, and which of its own changes it refuses; sys.argv[2]: jars, joined by commas. */
export const SPARK_ANSWERS = `${SHARED}
from pyspark.sql import SparkSession
spark = (SparkSession.builder.master("local[1]").config("spark.jars", sys.argv[2])
    .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
    .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
    .config("spark.databricks.delta.retentionDurationCheck.enabled", "false")
    .config("spark.ui.enabled", "false").config("spark.sql.session.timeZone", "UTC").getOrCreate())
spark.sparkContext.setLogLevel("OFF")
frames = {name: spark.read.format("delta").load(folder + "/" + name) for name in TABLES}
def exact(frame):
    micros = {field.name for field in frame.schema.fields if field.dataType.typeName() == "timestamp"}
    return frame.selectExpr(*[f"unix_micros({name}) AS {name}" if name in micros else name for name in frame.columns])
answers["Spark"] = dict(
    digests=[digest(row.asDict() for row in exact(frames[name]).toLocalIterator()) for name in TABLES],
    counts=counts(tuple(row) for row in frames["messages"].groupBy(KEYS).count().collect()))
table = f"delta.\`{folder}/messages\`"
refused = []
for change in ["DELETE FROM {} WHERE status = 'processing'", "OPTIMIZE {}", "VACUUM {} RETAIN 0 HOURS", "RESTORE TABLE {} TO VERSION AS OF 1"]:
    try: spark.sql(change.format(table)).collect()
    except Exception as failure:
        if "ccvIndexer" in str(failure): refused.append(change.split()[0])
print(json.dumps(dict(answers=answers, refused=refused)))
`;
