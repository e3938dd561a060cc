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
    Other(ArrowColumnWriter),
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
            false => others.next().map(Column::Other).ok_or_else(no_writer),
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
