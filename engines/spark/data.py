"""Prepared rows to a cached Spark DataFrame, to this process, or to every Python worker."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engines.errors import EngineFailedError, headline
from engines.prepared import SPLIT_CODES, read_columns, read_rows
from engines.reading import read_here, unseen
from engines.spark import storage
from engines.types import Data

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.types import StructType

    from engines.prepared import Prepared, Rows
    from engines.spark.session import Session
    from engines.types import Source, Split

ROW_ID = "row_id"
LABEL = "label"
FEATURES = "features"


@dataclass(frozen=True)
class Frame:
    """Rows in Spark's memory.

    Parameters
    ----------
    rows : pyspark.sql.DataFrame
        Cached, with columns f0, f1, ... (features, float or double), ``label`` (int or double;
        absent where there is none), ``row_id`` (bigint) and ``fold`` (tinyint). One column a
        feature is what XGBoost reads fastest, and a third of the cache that arrays would take.
    features : tuple of str
        Names of the feature columns, in the order of the matrix.
    partitions : int
        Of about equal size, none empty, contiguous in `row_id` and sorted by it.
    """

    rows: DataFrame
    features: tuple[str, ...]
    partitions: int

    def with_array(self) -> DataFrame:
        """Return the rows with all features in one array column, as Spark's k-means reads them."""
        from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention

        # k-means takes arrays whose type rules nulls out, and columns of Parquet never do; there
        # are none in a prepared dataset
        never_null = [
            F.coalesce(feature, F.lit(0).cast(self.rows.schema[feature].dataType))
            for feature in self.features
        ]
        return self.rows.select(ROW_ID, F.array(*never_null).alias(FEATURES))

    def release(self) -> None:
        """Drop the cached rows."""
        self.rows.unpersist(blocking=True)


@dataclass(frozen=True)
class Everywhere:
    """Rows that every Python worker holds whole.

    Parameters
    ----------
    rows : pyspark.Broadcast
        Of `engines.prepared.Rows`, which this process does not keep.
    held : list of pyspark.Broadcast
        All that the workers of the session hold, these rows among them.
    """

    rows: Any
    held: list[Any]

    def release(self) -> None:
        """Drop the rows, and the file that workers read them from."""
        self.held.remove(self.rows)
        self.rows.destroy(blocking=True)


def load(session: Session, source: Source) -> Data[Any]:
    """Read one split and hold it where it is to be placed.

    Returns
    -------
    Data
        Of `Frame` if spread: one partition a worker, fewer only where there are fewer rows. Of
        `Rows` if on the host, and of `Everywhere` if everywhere.

    Raises
    ------
    EngineFailedError
        If another number of rows was cached than the dataset says it has.
    """

    def read() -> Rows:
        return read_here("spark", source)

    native: Frame | Rows | Everywhere
    match source.placement:
        case "spread":
            native = _spread(session, source)
        case "host":
            native = read()
        case "everywhere":
            native = _everywhere(session, read)
    return Data(native, source.n_rows, source.prepared.n_features, source)


def cached(rows: DataFrame, features: tuple[str, ...], firsts: Sequence[int]) -> Frame:
    """Divide rows into partitions and compute them.

    Parameters
    ----------
    rows : pyspark.sql.DataFrame
        Not yet computed.
    features : tuple of str
        Names of the feature columns.
    firsts : sequence of int
        `row_id` of the first row of each partition, increasing.
    """
    partitions = max(1, len(firsts))
    held = rows.repartitionById(partitions, _partition(firsts)).sortWithinPartitions(ROW_ID).cache()
    try:
        held.write.format("noop").mode("overwrite").save()  # computes every column
    except BaseException:
        held.unpersist()
        raise
    return Frame(held, features, partitions)


def _everywhere(session: Session, read: Callable[[], Rows]) -> Everywhere:
    """Have every Python worker hold all rows.

    Spark sends a broadcast when a task first asks for it, which the first search would pay for. A
    barrier job runs in all slots at once, and so in every worker.
    """
    context = session.spark.sparkContext
    native = Everywhere(context.broadcast(read()), session.held)
    session.held.append(native.rows)
    try:
        slots = context.parallelize(range(session.workers), session.workers).barrier()
        slots.mapPartitions(functools.partial(_hold, tuple(session.held))).collect()
    except BaseException:
        with contextlib.suppress(Exception):  # a JVM that died is told of by what it died in
            native.release()
        raise
    return native


def _hold(held: tuple[Any, ...], slot: Iterator[int]) -> Iterator[int]:
    """Read all that is to be held, in a Python worker."""
    for _ in slot:
        yield sum(len(shared.value.row_id) for shared in held)


def _spread(session: Session, source: Source) -> Frame:
    prepared, split = source.prepared, source.split
    partitions = max(1, min(session.workers, source.n_rows))
    features = tuple(f"f{number}" for number in range(prepared.n_features))
    try:
        if prepared.blocks is not None:
            rows = _drawn(session, source, features)
        else:
            rows = _read(session, source, features)
        frame = cached(rows, features, _first_row_ids(prepared, split, partitions))
    except OSError as exc:
        raise unseen("spark: load: the driver", prepared.location, headline(exc)) from exc
    except Exception as exc:
        if (why := storage.unread(exc)) is not None:
            raise storage.unseen_by(why, prepared.location) from exc
        raise
    try:
        _check_count(frame.rows, source)
    except BaseException:
        frame.release()
        raise
    return frame


def _read(session: Session, source: Source, features: tuple[str, ...]) -> DataFrame:
    """Read files with Spark's own reader."""
    from pyspark.sql import functions as F  # noqa: N812

    prepared = source.prepared
    # names of features may hold dots and quotes, which mean something to Spark: they are replaced
    columns = [
        F.col(_quoted(name)).alias(feature)
        for name, feature in zip(prepared.features, features, strict=True)
    ]
    labels = [F.col(LABEL)] if prepared.label_kind != "none" else []
    location = prepared.location
    storage.require_reader(session.spark, location)
    files = dict.fromkeys(storage.spark_path(location, group.file) for group in prepared.row_groups)
    return (
        session.spark.read.schema(_schema(prepared))
        .options(**storage.options(location))
        .parquet(*files)
        .where(F.col("split") == SPLIT_CODES[source.split])
        .select(*columns, *labels, ROW_ID, "fold")
    )


def _drawn(session: Session, source: Source, features: tuple[str, ...]) -> DataFrame:
    """Have the Python workers make rows that are in no files, a share each."""
    prepared = source.prepared
    groups = prepared.row_groups
    shares = max(1, min(session.workers, len(groups)))
    parts = [
        prepared.part(groups[len(groups) * share // shares : len(groups) * (share + 1) // shares])
        for share in range(shares)
    ]
    return session.spark.range(0, shares, 1, shares).mapInArrow(
        _draw(parts, source.split, features), _schema(prepared, features)
    )


def _draw(
    parts: Sequence[Prepared], split: Split, features: tuple[str, ...]
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Return what makes the rows of a share in a Python worker, one row group at a time."""

    def draw(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for share in batch["id"].to_pylist():
                yield from map(_as_batch, parts_of(share))

    def parts_of(share: int) -> Iterator[Rows]:
        part = parts[share]
        for group in part.row_groups:
            yield read_rows(part, [group], split)

    def _as_batch(rows: Rows) -> pa.RecordBatch:
        import pyarrow as pa

        columns = {name: pa.array(rows.X[:, at]) for at, name in enumerate(features)}
        if len(rows.y):
            columns[LABEL] = pa.array(rows.y)
        columns[ROW_ID] = pa.array(rows.row_id)
        columns["fold"] = pa.array(rows.fold)
        return pa.RecordBatch.from_pydict(columns)

    return draw


def _check_count(rows: DataFrame, source: Source) -> None:
    found = rows.count()
    if found != source.n_rows:
        raise EngineFailedError(
            f"spark: load: {found} rows were cached of the {source.n_rows} that the dataset "
            f"folder {source.prepared.location} says it has for {source.split}; delete the folder "
            f"and run again."
        )


def collect(rows: DataFrame) -> pa.Table:
    """Bring rows to the host, sorted by `row_id`; the sort finds them nearly in order."""
    return rows.toArrow().combine_chunks().sort_by(ROW_ID)


def _partition(firsts: Sequence[int]) -> Column:
    """Return the number of the partition that a row belongs to."""
    from pyspark.sql import functions as F  # noqa: N812

    number = F.lit(0)
    for first in firsts[1:]:
        number = number + (F.col(ROW_ID) >= first).cast("int")
    return number


def _first_row_ids(prepared: Prepared, split: Split, partitions: int) -> list[int]:
    """Return the first row of each partition, so that they are exactly balanced.

    It is known from the counts of the row groups and one look into the group that holds it, so
    neither sampling nor a count over the rows is needed.
    """
    n_rows = prepared.counts[split]
    wanted = [n_rows * partition // partitions for partition in range(partitions)]
    firsts: list[int] = []
    start = 0
    for group in prepared.row_groups:
        stop = start + (group.train if split == "train" else group.test)
        here = [position - start for position in wanted if start <= position < stop]
        if here:
            (columns,) = read_columns(prepared, [group], (ROW_ID, "split"))
            row_id = columns[ROW_ID][columns["split"] == SPLIT_CODES[split]]
            firsts.extend(int(row_id[position]) for position in here)
        start = stop
    return firsts


def _schema(prepared: Prepared, features: tuple[str, ...] | None = None) -> StructType:
    """Return the types of the files' columns, or of rows of one split under other names."""
    from pyspark.sql import types as T  # noqa: N812 - PySpark's own convention

    feature = T.FloatType() if prepared.dtype == "float32" else T.DoubleType()
    schema = T.StructType()
    for name in prepared.features if features is None else features:
        schema = schema.add(name, feature)
    if prepared.label_kind != "none":
        label = T.IntegerType() if prepared.label_kind == "classes" else T.DoubleType()
        schema = schema.add(LABEL, label)
    schema = schema.add(ROW_ID, T.LongType())
    if features is None:
        schema = schema.add("split", T.ByteType())
    return schema.add("fold", T.ByteType())


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
