//! The part of the way that runs on several threads: one input at a time, from
//! its bytes to protected rows.

use std::collections::HashMap;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};

use lastuse_model::fingerprint::FingerprintKey;
use lastuse_model::redact::Redactor;
use lastuse_model::time::format_time;
use lastuse_sources::{
    Catalog, Compression, Decoder, Detection, FileContext, Limits, RecordReader, Reject, Resume,
    Sample, Source, columns,
};

use crate::digests::{self, Digest};
use crate::discover::Input;
use crate::event::NO_NUMBER;
use crate::files::{Counts, FileState, Known, WINDOW, hash_text};
use crate::normalize::{NormalizeError, Normalizer};
use crate::place::{Place, find_place, may_be_the_same, open};
use crate::protect::{InputFacts, Protected, Protector};

/// How much of an input is looked at to tell what it is a log of.
const SAMPLE_BYTES: usize = 64 * 1024;
/// The largest file whose content is hashed: none that a provider delivers is larger.
const HASHED_BYTES_MAX: u64 = 64 << 20;
/// How much of a file is held to be hashed at once; of a longer one, piece by piece.
const HASHED_AT_ONCE: usize = 16 << 20;

/// The number of an input, and what it sends.
pub(crate) type Delivery = (usize, Receiver<Message>);

/// What one input sends to the thread that commits.
pub(crate) enum Message {
    /// The input is known, and so is where reading starts.
    Begin(Box<FileState>),
    /// Some of its records.
    Chunk(Box<Chunk>),
    /// There is nothing more to read, now.
    End(End),
    /// The input is a digest: it has no records, and says which logs there are.
    Digest(Box<(FileState, Digest)>),
    /// There was nothing to read.
    Nothing(Nothing),
}

/// Records of one input.
pub(crate) struct Chunk {
    pub rows: Protected,
    /// The record number of each extracted row.
    pub record_numbers: Vec<u64>,
    pub rejects: Vec<Reject>,
    /// How many records were read, rejects included.
    pub records: u64,
    pub resume: Resume,
    /// Keyed hash of the bytes before `resume`.
    pub tail_hash: Option<String>,
}

/// How reading an input ended.
#[derive(Default)]
pub(crate) struct End {
    pub complete: bool,
    /// The last record's end is not there yet.
    pub held_back: bool,
    /// Why reading stopped before the end.
    pub failed: Option<String>,
}

/// Why an input had nothing to read.
pub(crate) enum Nothing {
    /// It was read before and is the same: which file it is, unless it is a digest.
    AlreadyRead(Option<String>),
    /// It begins like an input that is being read in this pass.
    Later,
    /// No source knows it.
    Unrecognised {
        reason: String,
        /// There is nothing in it that could be known.
        is_empty: bool,
    },
    /// It cannot be read.
    Failed(String),
}

/// What all workers share.
pub(crate) struct Shared<'a> {
    pub catalog: &'a Catalog,
    pub source: Option<Arc<Source>>,
    pub scope: Option<String>,
    pub limits: Limits,
    pub key: Arc<FingerprintKey>,
    pub redactor: Arc<Redactor>,
    pub event_key: [u8; 16],
    pub cache_key: [u8; 16],
    pub known: RwLock<Known>,
    pub normalizers: Mutex<HashMap<String, Arc<Normalizer>>>,
    pub stop: &'a AtomicBool,
    pub bytes_read: AtomicU64,
}

/// The inputs of one pass, handed out in order.
pub(crate) struct Pass<'a> {
    pub shared: &'a Shared<'a>,
    pub inputs: &'a [Input],
    queue: Mutex<(usize, Sender<Delivery>)>,
    turn: Mutex<Turn>,
    turned: Condvar,
}

/// Inputs claim their heads in order, so that which of two equal files is read
/// does not depend on which thread was faster.
#[derive(Default)]
struct Turn {
    next: usize,
    heads: std::collections::HashSet<String>,
}

impl<'a> Pass<'a> {
    /// A pass over `inputs`; each input's messages come through a receiver of
    /// its own, and the receivers come in the order of the inputs.
    pub(crate) fn new(shared: &'a Shared<'a>, inputs: &'a [Input]) -> (Self, Receiver<Delivery>) {
        let (sender, receiver) = std::sync::mpsc::channel();
        let pass = Self {
            shared,
            inputs,
            queue: Mutex::new((0, sender)),
            turn: Mutex::new(Turn::default()),
            turned: Condvar::new(),
        };
        (pass, receiver)
    }

    /// Reads inputs until there are no more.
    pub(crate) fn work(&self) {
        let shared = self.shared;
        let mut protector = Protector::new(
            Arc::clone(&shared.key),
            Arc::clone(&shared.redactor),
            shared.event_key,
            shared.cache_key,
        );
        while let Some((index, sender)) = self.next() {
            let mut claimed = false;
            let input = &self.inputs[index];
            // A mistake of ours in one input must not lose the others, nor hide
            // that this one was not read.
            let read = AssertUnwindSafe(|| {
                read_input(self, index, input, &mut protector, &sender, &mut claimed)
            });
            let result = catch_unwind(read).unwrap_or_else(|_| {
                Err(Nothing::Failed("an internal error while reading it".to_owned()))
            });
            if !claimed {
                self.claim(index, None);
            }
            if let Err(stopped) = result {
                // A closed channel means that the committing thread gave up.
                let _ = sender.send(Message::Nothing(stopped));
            }
        }
    }

    fn next(&self) -> Option<(usize, SyncSender<Message>)> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let index = queue.0;
        if index >= self.inputs.len() || self.shared.stop.load(Ordering::Relaxed) {
            return None;
        }
        queue.0 += 1;
        let (sender, receiver) = sync_channel(2);
        queue.1.send((index, receiver)).ok()?;
        Some((index, sender))
    }

    /// Waits for this input's turn; false when an earlier input of this pass
    /// has the same head.
    fn claim(&self, index: usize, head: Option<&str>) -> bool {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut turn = self
            .turned
            .wait_while(turn, |it| it.next != index)
            .unwrap_or_else(PoisonError::into_inner);
        turn.next += 1;
        let first = head.is_none_or(|it| turn.heads.insert(it.to_owned()));
        drop(turn);
        self.turned.notify_all();
        first
    }
}

/// Reads one input. `Err` says why there was nothing to read.
fn read_input(
    pass: &Pass<'_>,
    index: usize,
    input: &Input,
    protector: &mut Protector,
    sender: &SyncSender<Message>,
    claimed: &mut bool,
) -> Result<(), Nothing> {
    let shared = pass.shared;
    if let Some(file_uid) = unchanged(shared, input) {
        return Err(Nothing::AlreadyRead(Some(file_uid)));
    }
    let mut decoder = open(shared, input)?;
    let (sample, whole) = decoder.head(SAMPLE_BYTES).map_err(|it| Nothing::Failed(chain(&it)))?;
    let sample = sample.to_vec();
    let head = sample[..sample.len().min(WINDOW)].to_vec();
    if takes_digests(shared) && digests::is_digest(&head) {
        return read_digest(pass, index, input, decoder, sender, claimed);
    }
    let head_hash = hash_text(&shared.key, &head);
    let (source, format) = detect(shared, input, &sample, whole)?;
    let mut place = find_place(shared, input, decoder, &head)?;
    *claimed = true;
    if !pass.claim(index, Some(&head_hash)) {
        return Err(Nothing::Later);
    }
    let normalizer = normalizer(shared, &source).map_err(|it| Nothing::Failed(chain(&it)))?;
    let resting = place.known.as_ref().is_some_and(|it| it.is_as_found(input));
    let content_sha256 = content_sha256(shared, input, &source, &mut place);
    let state = begin(shared, input, &source.name, place.known, &head, head_hash);
    let state = FileState { content_sha256, ..state };
    let facts = InputFacts {
        source: state.source.clone(),
        category: source.category.clone(),
        scope: state.scope.clone(),
        file_uid: state.file_uid.clone(),
    };
    let resume = state.resume;
    if sender.send(Message::Begin(Box::new(state))).is_err() {
        return Ok(());
    }
    let reader =
        Reading { shared, source, format, normalizer: &normalizer, facts: &facts, input, resting };
    let end = reader.run(place.decoder, resume, place.tail, sample, protector, sender);
    let _ = sender.send(Message::End(end));
    Ok(())
}

/// Which file an input is, if it is as it was when it was last read.
fn unchanged(shared: &Shared<'_>, input: &Input) -> Option<String> {
    let known = shared.known.read().unwrap_or_else(PoisonError::into_inner);
    let state = known.at_path(&input.path).filter(|it| it.complete && it.is_as_found(input));
    let state = state.filter(|it| may_be_the_same(shared, it));
    state.map(|it| it.file_uid.clone())
}

/// The messages of an error and its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(it) = cause {
        text.push_str(": ");
        text.push_str(&it.to_string());
        cause = it.source();
    }
    text
}

fn detect(
    shared: &Shared<'_>,
    input: &Input,
    sample: &[u8],
    whole: bool,
) -> Result<(Arc<Source>, usize), Nothing> {
    let name = input.path.to_string_lossy();
    let sample = Sample { bytes: sample, complete: whole, name: &name };
    let Detection { source, reason, .. } = match &shared.source {
        Some(source) => shared.catalog.detect_as(source, &sample),
        None => shared.catalog.detect(&sample),
    };
    let is_empty = sample.complete && sample.bytes.is_empty();
    source.ok_or(Nothing::Unrecognised { reason, is_empty })
}

fn begin(
    shared: &Shared<'_>,
    input: &Input,
    source: &str,
    known: Option<FileState>,
    head: &[u8],
    head_hash: String,
) -> FileState {
    let path = PathBuf::from(shared.redactor.redact(&input.path.to_string_lossy()).as_ref());
    match known {
        Some(known) => FileState {
            path,
            size_bytes: input.size_bytes,
            modified_time: input.modified_time,
            complete: false,
            ..known
        },
        None => {
            let known = shared.known.read().unwrap_or_else(PoisonError::into_inner);
            FileState {
                file_uid: known.new_uid(&head_hash),
                path,
                source: source.to_owned(),
                scope: shared.scope.clone().unwrap_or_default(),
                complete: false,
                size_bytes: input.size_bytes,
                modified_time: input.modified_time,
                head_bytes: head.len(),
                head_hash,
                tail_hash: None,
                resume: Resume::default(),
                counts: Counts::default(),
                event_times: (NO_NUMBER, NO_NUMBER),
                content_sha256: None,
            }
        }
    }
}

/// SHA-256 of all that a log holds, if a digest may list it; none if it cannot
/// be read to its end.
fn content_sha256(
    shared: &Shared<'_>,
    input: &Input,
    source: &Source,
    place: &mut Place,
) -> Option<String> {
    let is_document = match place.decoder.kind() {
        Compression::Plain => input.path.extension().is_some_and(|it| it == "json"),
        // No digest lists what others made of the log.
        Compression::Parquet => false,
        _ => true,
    };
    let is_stdin = input.path.as_os_str() == "-";
    if source.name != digests::SOURCE || !is_document || is_stdin {
        return None;
    }
    if place.known.is_none()
        && let Ok((content, true)) = place.decoder.head(HASHED_AT_ONCE)
    {
        return Some(digests::sha256_text(content));
    }
    if input.size_bytes > HASHED_BYTES_MAX {
        return None;
    }
    digests::sha256_of(open(shared, input).ok()?).ok()
}

/// Digests are CloudTrail's: they are left alone where another source is named.
fn takes_digests(shared: &Shared<'_>) -> bool {
    shared.source.as_ref().is_none_or(|it| it.name == digests::SOURCE)
}

/// Reads a digest. It is known by all that it holds, so that one that was
/// changed is another.
fn read_digest(
    pass: &Pass<'_>,
    index: usize,
    input: &Input,
    decoder: Decoder,
    sender: &SyncSender<Message>,
    claimed: &mut bool,
) -> Result<(), Nothing> {
    let shared = pass.shared;
    let mut content = Vec::new();
    let read = decoder.take(digests::BYTES_MAX + 1).read_to_end(&mut content);
    read.map_err(|it| Nothing::Failed(chain(&it)))?;
    if content.len() as u64 > digests::BYTES_MAX {
        return Err(Nothing::Failed("it is too long for a CloudTrail digest".to_owned()));
    }
    let hash = hash_text(&shared.key, &content);
    *claimed = true;
    if !pass.claim(index, Some(&hash)) {
        return Err(Nothing::Later);
    }
    if shared.known.read().unwrap_or_else(PoisonError::into_inner).has_content(&hash) {
        return Err(Nothing::AlreadyRead(None));
    }
    let digest =
        Digest::parse(&content, &shared.redactor).map_err(|it| Nothing::Failed(chain(&it)))?;
    let mut state = begin(shared, input, digests::SOURCE, None, &[], hash);
    state.complete = true;
    state.resume.offset = content.len() as u64;
    let _ = sender.send(Message::Digest(Box::new((state, digest))));
    Ok(())
}

/// The planned SQL of a source; planned when its first input turns up.
fn normalizer(shared: &Shared<'_>, source: &Source) -> Result<Arc<Normalizer>, NormalizeError> {
    let mut all = shared.normalizers.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = all.get(&source.name) {
        return Ok(Arc::clone(found));
    }
    let made = Arc::new(Normalizer::of(source)?);
    all.insert(source.name.clone(), Arc::clone(&made));
    Ok(made)
}

/// The reading of one input.
struct Reading<'a> {
    shared: &'a Shared<'a>,
    source: Arc<Source>,
    format: usize,
    normalizer: &'a Normalizer,
    facts: &'a InputFacts,
    input: &'a Input,
    /// It has not changed since it was last read.
    resting: bool,
}

impl Reading<'_> {
    fn run(
        &self,
        decoder: Decoder,
        resume: Resume,
        tail: Vec<u8>,
        head: Vec<u8>,
        protector: &mut Protector,
        sender: &SyncSender<Message>,
    ) -> End {
        let fail = |it: &dyn std::error::Error| End { failed: Some(chain(it)), ..End::default() };
        let context = FileContext {
            name: self.input.path.to_string_lossy().into_owned(),
            time_text: Some(format_time(self.input.modified_time)),
        };
        let growing = decoder.kind() == Compression::Plain && self.input.path.as_os_str() != "-";
        let fields = self.normalizer.fields();
        let limits = self.shared.limits.clone();
        let source = Arc::clone(&self.source);
        let mut reader = match RecordReader::new(
            decoder,
            source,
            self.format,
            fields,
            context,
            resume,
            limits,
            growing,
        ) {
            Ok(reader) => reader,
            Err(error) => return fail(&error),
        };
        reader.set_tail(tail);
        reader.set_head(&head);
        reader.set_resting(self.resting);
        let mut columns = columns(&self.source, fields);
        let mut offset = resume.offset;
        loop {
            if self.shared.stop.load(Ordering::Relaxed) {
                return End::default();
            }
            let info = match reader.read_chunk(&mut columns) {
                Ok(Some(info)) => info,
                Ok(None) => break,
                Err(error) => return fail(&error),
            };
            let rows = match protector.protect(self.normalizer, columns.finish(), self.facts) {
                Ok(rows) => rows,
                Err(error) => return fail(&error),
            };
            self.shared.bytes_read.fetch_add(info.resume.offset - offset, Ordering::Relaxed);
            offset = info.resume.offset;
            let chunk = Chunk {
                rows,
                record_numbers: info.record_numbers,
                rejects: info.rejects,
                records: info.records,
                resume: info.resume,
                tail_hash: reader.tail().map(|it| hash_text(&self.shared.key, &it)),
            };
            if sender.send(Message::Chunk(Box::new(chunk))).is_err() {
                return End::default();
            }
        }
        End {
            complete: !reader.is_complete_if_resting(),
            held_back: reader.held_back(),
            failed: None,
        }
    }
}
