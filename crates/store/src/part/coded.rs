//! Text that comes as codes becomes a column chunk without being looked at row by row.
//!
//! The Parquet library takes Arrow dictionaries, but hashes the text of every row to make
//! a dictionary of its own. Here each code gets its place in the file's dictionary when it
//! is first met, and rows are handled as runs of one code: what repeats through a whole
//! row group costs next to nothing.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, StringArray};
use arrow::datatypes::Int32Type;
use bytes::Bytes;
use parquet::basic::{Encoding, PageType};
use parquet::bloom_filter::Sbbf;
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, OffsetIndexBuilder, PageEncodingStats};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::{ColumnDescPtr, ColumnPath};
use zstd::bulk::Compressor;

use super::hybrid::{Hybrid, width_of};

/// Rows of a text column.
pub(super) type Codes = DictionaryArray<Int32Type>;

/// A column chunk: its pages, and what the file's footer says of them.
pub(super) type Chunk = (Bytes, ColumnCloseResult);

/// Writes `pieces`, all rows that a row group has of `column`, as a dictionary page and one
/// data page, both compressed by `compressor`.
///
/// `None` if the library has to write them, since the properties limit what may be written:
/// the size of a dictionary, or the length of a statistic.
pub(super) fn chunk(
    column: &ColumnDescPtr,
    properties: &WriterProperties,
    compressor: &mut Compressor<'static>,
    pieces: &[Codes],
) -> Result<Option<Chunk>, ParquetError> {
    let path = column.path();
    let mut rows = Rows::new(pieces, properties.column_dictionary_page_size_limit(path));
    for piece in pieces {
        if rows.add(piece).is_none() {
            return Ok(None);
        }
    }
    let statistics = match properties.statistics_enabled(path) {
        EnabledStatistics::None => None,
        _ => match rows.statistics(properties.statistics_truncate_length()) {
            None => return Ok(None),
            statistics => statistics,
        },
    };
    let bloom_filter = rows.bloom_filter(properties, path)?;
    let row_count = rows.count;
    let pages = Pages {
        value_count: rows.values.len() as u32,
        dictionary: rows.dictionary(),
        row_count: row_count as u32,
        data: rows.data(),
    };
    let (bytes, sizes) = pages.write(compressor)?;
    let mut metadata = ColumnChunkMetaData::builder(column.clone())
        .set_compression(properties.compression(path))
        .set_encodings(vec![Encoding::PLAIN, Encoding::RLE, Encoding::RLE_DICTIONARY])
        .set_page_encoding_stats(vec![
            page_count(PageType::DICTIONARY_PAGE, Encoding::PLAIN),
            page_count(PageType::DATA_PAGE, Encoding::RLE_DICTIONARY),
        ])
        .set_total_compressed_size(bytes.len() as i64)
        .set_total_uncompressed_size(sizes.uncompressed)
        .set_num_values(row_count as i64)
        .set_dictionary_page_offset(Some(0))
        .set_data_page_offset(sizes.dictionary);
    if let Some(statistics) = statistics {
        metadata = metadata.set_statistics(statistics);
    }
    let mut places = OffsetIndexBuilder::new();
    places.append_row_count(row_count as i64);
    places.append_offset_and_size(sizes.dictionary, bytes.len() as i32 - sizes.dictionary as i32);
    let close = ColumnCloseResult {
        bytes_written: bytes.len() as u64,
        rows_written: row_count as u64,
        metadata: metadata.build()?,
        bloom_filter,
        column_index: None,
        offset_index: Some(places.build()),
    };
    Ok(Some((bytes, close)))
}

fn page_count(page_type: PageType, encoding: Encoding) -> PageEncodingStats {
    PageEncodingStats { page_type, encoding, count: 1 }
}

/// The rows of a column chunk, without their text.
struct Rows<'a> {
    /// The distinct values, in the order in which they come up.
    values: Vec<&'a str>,
    /// Bytes of the dictionary page, and where they become too many.
    size: usize,
    limit: usize,
    /// Rows that have a value, as places in `values`, each with how often it repeats.
    runs: Vec<(u32, u32)>,
    /// 1 for a row with a value, 0 for one without.
    levels: Hybrid,
    count: usize,
    null_count: usize,
    /// The values that codes stand for.
    texts: Option<&'a ArrayRef>,
    /// For each of them its place, or `UNSEEN`.
    places: Vec<u32>,
    /// Places by value, if not all pieces share their values.
    known: Option<HashMap<&'a str, u32>>,
}

const UNSEEN: u32 = u32::MAX;

impl<'a> Rows<'a> {
    fn new(pieces: &[Codes], limit: usize) -> Rows<'a> {
        let is_shared = pieces.windows(2).all(|it| Arc::ptr_eq(it[0].values(), it[1].values()));
        Rows {
            values: Vec::new(),
            size: 0,
            limit,
            runs: Vec::new(),
            // Before levels stands their size, which `data` fills in.
            levels: Hybrid::new(1, vec![0; 4]),
            count: 0,
            null_count: 0,
            texts: None,
            places: Vec::new(),
            known: (!is_shared).then(HashMap::new),
        }
    }

    /// Adds rows; `None` if this cannot be done within the limit.
    fn add(&mut self, piece: &'a Codes) -> Option<()> {
        let texts: &StringArray = piece.values().as_string_opt()?;
        if texts.null_count() > 0 {
            return None;
        }
        if !self.texts.is_some_and(|it| Arc::ptr_eq(it, piece.values())) {
            self.texts = Some(piece.values());
            self.places.clear();
            self.places.resize(texts.len(), UNSEEN);
        }
        let codes: &[i32] = piece.keys().values();
        self.count += codes.len();
        self.null_count += piece.null_count();
        match piece.nulls().filter(|_| piece.null_count() > 0) {
            _ if piece.null_count() == codes.len() => self.levels.put(0, codes.len()),
            // Only one code is possible, so there is nothing to look at.
            None if texts.len() == 1 => {
                self.levels.put(1, codes.len());
                self.repeat(texts, 0, codes.len())?;
            }
            None => {
                self.levels.put(1, codes.len());
                self.add_codes(texts, codes)?;
            }
            Some(nulls) => {
                let mut done = 0;
                for (start, end) in nulls.valid_slices() {
                    self.levels.put(0, start - done);
                    self.levels.put(1, end - start);
                    self.add_codes(texts, &codes[start..end])?;
                    done = end;
                }
                self.levels.put(0, codes.len() - done);
            }
        }
        Some(())
    }

    fn add_codes(&mut self, texts: &'a StringArray, mut codes: &[i32]) -> Option<()> {
        while let Some(code) = codes.first() {
            let count = repeats(codes, *code);
            self.repeat(texts, *code as usize, count)?;
            codes = &codes[count..];
        }
        Some(())
    }

    fn repeat(&mut self, texts: &'a StringArray, code: usize, count: usize) -> Option<()> {
        let place = match self.places[code] {
            UNSEEN => self.new_place(texts.value(code))?,
            place => place,
        };
        self.places[code] = place;
        match self.runs.last_mut() {
            Some(last) if last.0 == place => last.1 += count as u32,
            _ => self.runs.push((place, count as u32)),
        }
        Some(())
    }

    fn new_place(&mut self, value: &'a str) -> Option<u32> {
        let place = self.values.len() as u32;
        if let Some(known) = &mut self.known {
            let known = *known.entry(value).or_insert(place);
            if known != place {
                return Some(known);
            }
        }
        self.size += 4 + value.len();
        self.values.push(value);
        (self.size < self.limit).then_some(place)
    }

    /// The smallest and the largest value; `None` if one is longer than `longest` bytes.
    fn statistics(&self, longest: Option<usize>) -> Option<Statistics> {
        let fits = |it: &&str| longest.is_none_or(|longest| it.len() <= longest);
        let [min, max] = [self.values.iter().min(), self.values.iter().max()];
        if !min.is_none_or(fits) || !max.is_none_or(fits) {
            return None;
        }
        let [min, max] = [min, max].map(|it| it.map(|it| ByteArray::from(*it)));
        Some(Statistics::byte_array(min, max, None, Some(self.null_count as u64), false))
    }

    fn bloom_filter(
        &self,
        properties: &WriterProperties,
        path: &ColumnPath,
    ) -> Result<Option<Sbbf>, ParquetError> {
        let Some(wanted) = properties.bloom_filter_properties(path) else {
            return Ok(None);
        };
        let mut filter = Sbbf::new_with_ndv_fpp(self.values.len().max(1) as u64, wanted.fpp())?;
        for value in &self.values {
            filter.insert(*value);
        }
        filter.fold_to_target_fpp(wanted.fpp());
        Ok(Some(filter))
    }

    fn dictionary(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.size);
        for value in &self.values {
            out.extend_from_slice(&(value.len() as u32).to_le_bytes());
            out.extend_from_slice(value.as_bytes());
        }
        out
    }

    /// The content of the data page: levels, and places in the dictionary.
    fn data(self) -> Vec<u8> {
        let mut out = self.levels.finish();
        let size = out.len() as u32 - 4;
        out[..4].copy_from_slice(&size.to_le_bytes());
        let width = width_of((self.values.len() as u32).saturating_sub(1));
        out.push(width as u8);
        let mut places = Hybrid::new(width, out);
        for (place, count) in self.runs {
            places.put(place, count as usize);
        }
        places.finish()
    }
}

/// How often `code` stands at the head of `codes`.
fn repeats(codes: &[i32], code: i32) -> usize {
    const SHORT: usize = 16;
    const BLOCK: usize = 64;
    let same = |it: &&i32| **it == code;
    let short = codes.iter().take(SHORT).take_while(same).count();
    if short < SHORT {
        return short;
    }
    // Blocks are compared without a branch within them, many codes at once.
    let all_same = |it: &&[i32]| it.iter().fold(true, |all, it| all & (*it == code));
    let blocks = codes.chunks_exact(BLOCK).take_while(all_same).count() * BLOCK;
    blocks + codes[blocks..].iter().take_while(same).count()
}

/// The pages of a column chunk before compression.
struct Pages {
    dictionary: Vec<u8>,
    value_count: u32,
    data: Vec<u8>,
    row_count: u32,
}

/// Bytes of a column chunk, the heads of its pages included.
struct Sizes {
    /// Of the dictionary page, compressed.
    dictionary: i64,
    /// Of both pages before compression.
    uncompressed: i64,
}

impl Pages {
    fn write(self, compressor: &mut Compressor<'static>) -> Result<(Bytes, Sizes), ParquetError> {
        let dictionary = Page::DictionaryPage {
            buf: compressor.compress(&self.dictionary)?.into(),
            num_values: self.value_count,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        let data = Page::DataPage {
            buf: compressor.compress(&self.data)?.into(),
            num_values: self.row_count,
            encoding: Encoding::RLE_DICTIONARY,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let mut out = TrackedWrite::new(Vec::new());
        let mut writer = SerializedPageWriter::new(&mut out);
        let dictionary =
            writer.write_page(CompressedPage::new(dictionary, self.dictionary.len()))?;
        let data = writer.write_page(CompressedPage::new(data, self.data.len()))?;
        out.flush()?;
        let sizes = Sizes {
            dictionary: dictionary.compressed_size as i64,
            uncompressed: (dictionary.uncompressed_size + data.uncompressed_size) as i64,
        };
        Ok((out.into_inner()?.into(), sizes))
    }
}
