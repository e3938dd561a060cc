//! A Parquet file being written, row group by row group.
//!
//! Text that comes as Arrow dictionaries is written by [`super::coded`]; every other
//! column, and text of too many distinct values, by the library's own writers.

use std::io::{self, Write};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int32Type, Schema, SchemaRef};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves,
};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::{WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::SerializedFileWriter;
use zstd::bulk::Compressor;

use super::coded::{self, Codes};

/// Writes batches of one schema, which has no nested columns.
pub(super) struct ParquetFile<W: Write + Send> {
    file: SerializedFileWriter<W>,
    schema: SchemaRef,
    /// Which columns come as codes.
    is_coded: Vec<bool>,
    /// For the columns that do not.
    library: ArrowRowGroupWriterFactory,
    compressor: Compressor<'static>,
    group: Option<Group>,
}

/// A row group whose rows are not yet all there.
struct Group {
    row_count: usize,
    columns: Vec<Column>,
}

enum Column {
    Coded(Vec<Codes>),
    Other(Box<ArrowColumnWriter>),
}

impl<W: Write + Send> ParquetFile<W> {
    /// Starts a file of row groups that have as many rows as `properties` allow.
    ///
    /// Text that comes as codes is compressed by zstd at `level`, which must be what
    /// `properties` say of it; text that they compress otherwise is left to the library.
    pub(super) fn new(
        to: W,
        schema: SchemaRef,
        properties: WriterProperties,
        level: i32,
    ) -> Result<ParquetFile<W>, ParquetError> {
        let properties = Arc::new(properties);
        let parquet = ArrowSchemaConverter::new().convert(&schema)?;
        let file = SerializedFileWriter::new(to, parquet.root_schema_ptr(), properties.clone())?;
        let is_coded: Vec<bool> = (parquet.columns().iter().zip(schema.fields()))
            .map(|(column, field)| {
                let is_plain = column.max_def_level() == 1 && column.max_rep_level() == 0;
                let compression = properties.compression(column.path());
                is_plain
                    && is_codes(field.data_type())
                    && properties.dictionary_enabled(column.path())
                    && matches!(compression, Compression::ZSTD(it) if it.compression_level() == level)
            })
            .collect();
        let others = (0..is_coded.len()).filter(|it| !is_coded[*it]).collect();
        let library = library(&schema, others, &properties)?;
        let compressor = Compressor::new(level)?;
        Ok(ParquetFile { file, schema, is_coded, library, compressor, group: None })
    }

    /// Adds rows.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        if batch.num_columns() != self.is_coded.len() {
            return Err(ParquetError::General("a batch has other columns than its file".into()));
        }
        let most = self.file.properties().max_row_group_row_count().unwrap_or(usize::MAX);
        let mut done = 0;
        while done < batch.num_rows() {
            let mut group = match self.group.take() {
                Some(group) => group,
                None => self.start_group()?,
            };
            let count = (batch.num_rows() - done).min(most - group.row_count);
            group.add(&self.schema, &batch.slice(done, count))?;
            done += count;
            let is_full = group.row_count == most;
            self.group = Some(group);
            if is_full {
                self.end_group()?;
            }
        }
        Ok(())
    }

    /// Ends the file. Nothing may be written after that.
    pub(super) fn finish(&mut self) -> Result<(), ParquetError> {
        self.end_group()?;
        self.file.finish()?;
        Ok(())
    }

    /// What the file is written to.
    pub(super) fn inner(&self) -> &W {
        self.file.inner()
    }

    fn start_group(&self) -> Result<Group, ParquetError> {
        let mut others = self.library.create_column_writers(0)?.into_iter();
        let columns = self.is_coded.iter().map(|is_coded| match is_coded {
            true => Ok(Column::Coded(Vec::new())),
            false => others.next().map(|it| Column::Other(Box::new(it))).ok_or_else(no_writer),
        });
        Ok(Group { row_count: 0, columns: columns.collect::<Result<_, _>>()? })
    }

    fn end_group(&mut self) -> Result<(), ParquetError> {
        let Some(group) = self.group.take() else {
            return Ok(());
        };
        let properties = self.file.properties().clone();
        let descriptors = self.file.schema_descr().columns().to_vec();
        let mut out = self.file.next_row_group()?;
        for (at, column) in group.columns.into_iter().enumerate() {
            let pieces = match column {
                Column::Coded(pieces) => pieces,
                Column::Other(writer) => {
                    writer.close()?.append_to_row_group(&mut out)?;
                    continue;
                }
            };
            let chunk = coded::chunk(&descriptors[at], &properties, &mut self.compressor, &pieces)?;
            match chunk {
                Some((bytes, close)) => out.append_column(&bytes, close)?,
                None => by_library(&self.schema, at, &properties, pieces)?
                    .append_to_row_group(&mut out)?,
            }
        }
        out.close()?;
        Ok(())
    }
}

impl Group {
    fn add(&mut self, schema: &Schema, rows: &RecordBatch) -> Result<(), ParquetError> {
        self.row_count += rows.num_rows();
        for (at, (column, values)) in self.columns.iter_mut().zip(rows.columns()).enumerate() {
            match column {
                Column::Coded(pieces) => {
                    let codes = values.as_dictionary_opt::<Int32Type>();
                    pieces.push(codes.cloned().ok_or_else(|| not_coded(schema, at))?);
                }
                Column::Other(writer) => add_to(writer, schema, at, values)?,
            }
        }
        Ok(())
    }
}

fn is_codes(of: &DataType) -> bool {
    matches!(of, DataType::Dictionary(codes, values)
        if **codes == DataType::Int32 && **values == DataType::Utf8)
}

/// What makes the library's writers for some `columns` of a file.
fn library(
    schema: &Schema,
    columns: Vec<usize>,
    properties: &WriterPropertiesPtr,
) -> Result<ArrowRowGroupWriterFactory, ParquetError> {
    let schema = Arc::new(schema.project(&columns)?);
    let parquet = ArrowSchemaConverter::new().convert(&schema)?;
    // Only a file can be asked for one, so there is a file that goes nowhere.
    let nowhere =
        SerializedFileWriter::new(io::sink(), parquet.root_schema_ptr(), properties.clone())?;
    Ok(ArrowRowGroupWriterFactory::new(&nowhere, schema))
}

/// Lets the library write all rows that a row group has of column `at`.
fn by_library(
    schema: &Schema,
    at: usize,
    properties: &WriterPropertiesPtr,
    pieces: Vec<Codes>,
) -> Result<ArrowColumnChunk, ParquetError> {
    let writers = library(schema, vec![at], properties)?.create_column_writers(0)?;
    let mut writer = writers.into_iter().next().ok_or_else(no_writer)?;
    for piece in pieces {
        let values: ArrayRef = Arc::new(piece);
        add_to(&mut writer, schema, at, &values)?;
    }
    writer.close()
}

fn add_to(
    writer: &mut ArrowColumnWriter,
    schema: &Schema,
    at: usize,
    values: &ArrayRef,
) -> Result<(), ParquetError> {
    for leaf in compute_leaves(schema.field(at), values)? {
        writer.write(&leaf)?;
    }
    Ok(())
}

fn no_writer() -> ParquetError {
    ParquetError::General("a column has no writer".into())
}

fn not_coded(schema: &Schema, at: usize) -> ParquetError {
    ParquetError::General(format!("column `{}` changed its form", schema.field(at).name()))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int32Array, Int64Array, StringArray};
    use arrow::compute::{cast, concat_batches};
    use arrow::datatypes::Field;
    use bytes::Bytes;
    use parquet::arrow::ArrowWriter;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use parquet::basic::{Encoding, ZstdLevel};
    use parquet::bloom_filter::Sbbf;
    use parquet::file::metadata::ParquetMetaData;
    use parquet::file::properties::EnabledStatistics;
    use proptest::prelude::*;

    use super::*;

    const GROUP_ROWS: usize = 50;

    fn properties() -> WriterProperties {
        WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).unwrap()))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_statistics_enabled(EnabledStatistics::None)
            .set_column_statistics_enabled("key".into(), EnabledStatistics::Chunk)
            .set_column_bloom_filter_enabled("key".into(), true)
            .set_column_bloom_filter_fpp("key".into(), 0.01)
            .set_column_dictionary_page_size_limit("small".into(), 20)
            .build()
    }

    /// The same codes in columns that are written in different ways, beside others.
    fn batch(codes: &ArrayRef) -> RecordBatch {
        let text = cast(codes, &DataType::Utf8).unwrap();
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..codes.len() as i64));
        let columns = [
            ("text", codes.clone()),
            ("number", numbers),
            ("key", codes.clone()),
            ("small", codes.clone()),
            ("plain", text),
        ];
        let field = |(name, of): &(&str, ArrayRef)| Field::new(*name, of.data_type().clone(), true);
        let schema = Schema::new(columns.iter().map(field).collect::<Vec<_>>());
        RecordBatch::try_new(Arc::new(schema), columns.into_iter().map(|it| it.1).collect())
            .unwrap()
    }

    fn coded(codes: &[Option<i32>], values: &ArrayRef) -> ArrayRef {
        let keys = Int32Array::from(codes.to_vec());
        Arc::new(Codes::try_new(keys, values.clone()).unwrap())
    }

    fn texts(values: &[Option<&str>]) -> ArrayRef {
        Arc::new(StringArray::from(values.to_vec()))
    }

    fn write(batches: &[RecordBatch]) -> Bytes {
        let mut file = ParquetFile::new(Vec::new(), batches[0].schema(), properties(), 3).unwrap();
        for batch in batches {
            file.write(batch).unwrap();
        }
        file.finish().unwrap();
        Bytes::from(file.inner().clone())
    }

    fn write_by_library(batches: &[RecordBatch]) -> Bytes {
        let mut out = Vec::new();
        let mut file =
            ArrowWriter::try_new(&mut out, batches[0].schema(), Some(properties())).unwrap();
        for batch in batches {
            file.write(batch).unwrap();
        }
        file.close().unwrap();
        out.into()
    }

    /// Every column in one piece, and what the footer says.
    fn read(bytes: &Bytes) -> (Vec<ArrayRef>, Arc<ParquetMetaData>) {
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes.clone()).unwrap();
        let (metadata, schema) = (reader.metadata().clone(), reader.schema().clone());
        let batches: Vec<RecordBatch> = reader.build().unwrap().map(|it| it.unwrap()).collect();
        let whole = concat_batches(&schema, &batches).unwrap();
        let texts = whole.columns().iter().map(|it| cast(it, &DataType::Utf8).unwrap());
        (texts.collect(), metadata)
    }

    #[track_caller]
    fn assert_as_by_library(batches: &[RecordBatch]) {
        let (ours, theirs) = (write(batches), write_by_library(batches));
        let (columns, footer) = read(&ours);
        let (expected_columns, expected) = read(&theirs);
        assert_eq!(columns, expected_columns);
        assert_eq!(footer.num_row_groups(), expected.num_row_groups());
        for (group, expected) in footer.row_groups().iter().zip(expected.row_groups()) {
            assert_eq!(group.num_rows(), expected.num_rows());
            for (column, expected) in group.columns().iter().zip(expected.columns()) {
                assert_eq!(column.statistics(), expected.statistics());
                assert_eq!(column.encodings_mask(), expected.encodings_mask());
                assert_eq!(column.page_encoding_stats_mask(), expected.page_encoding_stats_mask());
                assert_eq!(column.num_values(), expected.num_values());
                assert_eq!(column.compression(), expected.compression());
            }
        }
        assert_filters_hold(&ours, &footer, &columns[2]);
    }

    #[track_caller]
    fn assert_filters_hold(bytes: &Bytes, footer: &ParquetMetaData, keys: &ArrayRef) {
        let keys = keys.as_string::<i32>().iter().collect::<Vec<_>>();
        for (group, keys) in footer.row_groups().iter().zip(keys.chunks(GROUP_ROWS)) {
            let filter = Sbbf::read_from_column_chunk(group.column(2), bytes).unwrap().unwrap();
            assert!(keys.iter().flatten().all(|it| filter.check(*it)));
            assert_eq!(group.column(0).bloom_filter_offset(), None);
        }
    }

    /// Values that codes stand for; equal ones and missing ones among them.
    fn values() -> impl Strategy<Value = Vec<Option<String>>> {
        let value = prop_oneof![
            20 => "[a-d]{0,2}".prop_map(Some),
            4 => "[a-zé]{1,9}".prop_map(Some),
            1 => Just(Some("long ".repeat(20))),
        ];
        let whole = prop::collection::vec(value, 1..30);
        (whole, 0..20).prop_map(|(mut values, hole)| {
            if hole == 0 {
                values.push(None);
            }
            values
        })
    }

    /// Codes in runs, as shares of how many there are.
    fn codes() -> impl Strategy<Value = Vec<Option<u32>>> {
        let run = (prop::option::weighted(0.8, any::<u32>()), prop_oneof![1..4usize, 1..90usize]);
        prop::collection::vec(run, 0..12).prop_map(|runs| {
            runs.into_iter().flat_map(|(code, count)| std::iter::repeat_n(code, count)).collect()
        })
    }

    proptest! {
        #[test]
        fn codes_become_the_file_that_the_library_would_write(
            first in values(),
            batches in prop::collection::vec((codes(), prop::option::of(values())), 1..6),
        ) {
            let array = |it: Vec<Option<String>>| -> ArrayRef { Arc::new(StringArray::from(it)) };
            let mut values = array(first);
            let mut written = Vec::new();
            for (codes, others) in batches {
                values = others.map_or(values, array);
                let count = values.len() as u32;
                let codes: Vec<_> =
                    codes.iter().map(|it| it.map(|it| (it % count) as i32)).collect();
                written.push(batch(&coded(&codes, &values)));
            }
            assert_as_by_library(&written);
        }
    }

    #[test]
    fn rows_without_any_value_need_no_values() {
        assert_as_by_library(&[batch(&coded(&[None; 70], &texts(&[])))]);
    }

    #[test]
    fn a_column_of_one_value_takes_hardly_more_bytes_for_more_rows() {
        let one = texts(&[Some("one")]);
        let size = |count: usize| {
            let rows = batch(&coded(&vec![Some(0); count], &one)).project(&[0]).unwrap();
            let properties = WriterProperties::builder()
                .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).unwrap()))
                .set_statistics_enabled(EnabledStatistics::None)
                .build();
            let mut file = ParquetFile::new(Vec::new(), rows.schema(), properties, 3).unwrap();
            file.write(&rows).unwrap();
            file.finish().unwrap();
            read(&file.inner().clone().into()).1.row_group(0).column(0).compressed_size()
        };
        // One byte more wherever the count of rows stands.
        assert_eq!(size(200_000) - size(1_000), 3);
    }

    #[test]
    fn too_large_a_dictionary_is_given_up_by_the_library() {
        let values: Vec<String> = (0..GROUP_ROWS).map(|it| format!("value {it}")).collect();
        let values: ArrayRef = Arc::new(StringArray::from(values));
        let codes: Vec<_> = (0..GROUP_ROWS as i32).map(Some).collect();
        // The library looks at the size of its dictionary after each of them.
        let batches: Vec<_> = codes.chunks(10).map(|it| batch(&coded(it, &values))).collect();
        let (columns, footer) = read(&write(&batches));
        assert_eq!(columns[3].as_ref(), values.as_ref());
        let encodings =
            |at: usize| *footer.row_group(0).column(at).page_encoding_stats_mask().unwrap();
        assert!(encodings(0).is_only(Encoding::RLE_DICTIONARY));
        assert!(encodings(3).is_set(Encoding::PLAIN));
        assert_as_by_library(&batches);
    }

    #[test]
    fn a_batch_of_other_columns_is_refused() {
        let codes = coded(&[Some(0)], &texts(&[Some("a")]));
        let whole = batch(&codes);
        let mut file = ParquetFile::new(Vec::new(), whole.schema(), properties(), 3).unwrap();
        let error = file.write(&whole.project(&[0, 1]).unwrap()).unwrap_err();
        assert!(error.to_string().contains("other columns"), "{error}");
        let mut columns = whole.columns().to_vec();
        columns[2] = columns[4].clone();
        let error = file
            .write(
                &RecordBatch::try_from_iter(
                    whole.schema().fields().iter().map(|it| it.name().clone()).zip(columns),
                )
                .unwrap(),
            )
            .unwrap_err();
        assert!(error.to_string().contains("`key` changed its form"), "{error}");
    }
}
