//! Reads the file of a table's rows.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use age::stream::StreamReader;

use super::WINDOW;
use crate::archive::damaged;
use crate::archive::files::{self, Sum, failed};
use crate::archive::manifest::FileFact;
use crate::archive::seal::FileKey;
use crate::base::words;
use crate::engine::failure::Failure;

/// How many bytes of lines are returned at once, where no line is longer.
const CHUNK: usize = 1 << 20;
/// How many bytes are read from the file at once.
const PIECE: usize = 1 << 17;
/// How long a row may be: what PostgreSQL can send.
const LONGEST: usize = (1 << 30) + CHUNK;

/// Reads the rows of a table, and finds whatever differs from what was written.
pub struct TableReader {
    folder: PathBuf,
    path: PathBuf,
    fact: FileFact,
    /// What was read of the file so far.
    sum: Arc<Mutex<Sum>>,
    /// None when all of it was read.
    decoder: Option<zstd::Decoder<'static, Source>>,
    text: Vec<u8>,
    /// How much of the text was returned.
    given: usize,
}

impl TableReader {
    /// Opens the file of a table in a backup's folder.
    ///
    /// # Errors
    /// It is not there, or has another size than the manifest says.
    pub fn open(folder: &Path, fact: &FileFact, key: Option<&FileKey>) -> Result<Self, Failure> {
        let path = files::has_size(folder, fact)?;
        let file = File::open(&path).map_err(failed("read", &path))?;
        let sum = Arc::default();
        let read = Summed {
            file,
            sum: Arc::clone(&sum),
        };
        let decoder = Source::new(read, key).and_then(|source| {
            let mut decoder = zstd::Decoder::with_buffer(source)?.single_frame();
            decoder.window_log_max(WINDOW)?;
            Ok(decoder)
        });
        Ok(Self {
            decoder: Some(decoder.map_err(|error| unreadable(folder, &path, fact, error))?),
            folder: folder.to_owned(),
            path,
            fact: fact.clone(),
            sum,
            text: Vec::new(),
            given: 0,
        })
    }

    /// Returns the next lines, whole ones with their newlines; none at the end. At the end all of the file
    /// was read, and its SHA-256 compared: what was returned before may only be kept then.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn lines(&mut self) -> Result<Option<&[u8]>, Failure> {
        self.text.drain(..self.given);
        self.given = 0;
        let mut looked = 0;
        while let Some(decoder) = &mut self.decoder {
            if self.text.len() >= CHUNK {
                let new = self.text.get(looked..).unwrap_or_default();
                if let Some(end) = new.iter().rposition(|byte| *byte == b'\n') {
                    self.given = looked + end + 1;
                    return Ok(self.text.get(..self.given));
                }
                // What has no end of a line in it needs no second look.
                looked = self.text.len();
            }
            if self.text.len() > LONGEST {
                return Err(self.damaged("has a row that is longer than any can be"));
            }
            let more = CHUNK.saturating_sub(self.text.len()).max(PIECE);
            let read = decoder
                .by_ref()
                .take(words::long(more))
                .read_to_end(&mut self.text);
            let read =
                read.map_err(|error| unreadable(&self.folder, &self.path, &self.fact, error))?;
            if read == 0 {
                self.end()?;
            }
        }
        self.given = self.text.len();
        Ok((self.given > 0).then_some(self.text.as_slice()))
    }

    /// Returns how many bytes of the file were read so far.
    pub fn consumed(&self) -> u64 {
        let sum = self.sum.lock().unwrap_or_else(PoisonError::into_inner);
        sum.bytes()
    }

    /// Compares what was read with the manifest, when no more comes.
    fn end(&mut self) -> Result<(), Failure> {
        if let Some(mut decoder) = self.decoder.take() {
            let rest = decoder
                .finish_frame()
                .and_then(|()| decoder.get_mut().fill_buf());
            let follows = rest.map(|rest| !rest.is_empty());
            if follows.map_err(|error| unreadable(&self.folder, &self.path, &self.fact, error))? {
                return Err(self.damaged("has more in it than its rows"));
            }
        }
        let sum = self
            .sum
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if sum.fact(&self.fact.path) != self.fact {
            return Err(self.damaged("has another content than was written: its SHA-256 differs"));
        }
        if self.text.last().is_some_and(|byte| *byte != b'\n') {
            return Err(self.damaged("ends within a row"));
        }
        Ok(())
    }

    fn damaged(&self, why: &str) -> Failure {
        damaged(&self.folder, format!("{} {why}", self.fact.path))
    }
}

/// Returns the failure of a file that does not decompress or decrypt; of one that cannot be read, why.
fn unreadable(folder: &Path, path: &Path, fact: &FileFact, error: io::Error) -> Failure {
    match error.raw_os_error() {
        Some(_) => failed("read", path)(error),
        None => damaged(
            folder,
            format!("{} does not read: {}", fact.path, words::io(&error)),
        ),
    }
}

/// The file, which all that is read passes by here.
struct Summed {
    file: File,
    sum: Arc<Mutex<Sum>>,
}

impl Read for Summed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(into)?;
        let mut sum = self.sum.lock().unwrap_or_else(PoisonError::into_inner);
        sum.add(into.get(..length).unwrap_or_default());
        Ok(length)
    }
}

/// Where the compressed rows come from.
enum Source {
    Plain(BufReader<Summed>),
    Sealed(Box<BufReader<StreamReader<BufReader<Summed>>>>),
}

impl Source {
    fn new(file: Summed, key: Option<&FileKey>) -> io::Result<Self> {
        let file = BufReader::with_capacity(PIECE, file);
        match key {
            Some(key) => {
                let opened = BufReader::with_capacity(PIECE, key.decrypt(file)?);
                Ok(Self::Sealed(Box::new(opened)))
            }
            None => Ok(Self::Plain(file)),
        }
    }
}

impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(into),
            Self::Sealed(opened) => opened.read(into),
        }
    }
}

impl BufRead for Source {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self {
            Self::Plain(file) => file.fill_buf(),
            Self::Sealed(opened) => opened.fill_buf(),
        }
    }

    fn consume(&mut self, length: usize) {
        match self {
            Self::Plain(file) => file.consume(length),
            Self::Sealed(opened) => opened.consume(length),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use tempfile::TempDir;

    use super::*;
    use crate::archive::table_file::TableWriter;
    use crate::engine::backup::Seal;

    const NAME: &str = "tables/0001.copy.zst";

    struct Written {
        folder: TempDir,
        fact: FileFact,
        key: Option<FileKey>,
    }

    fn write(text: &[u8], sealed: bool) -> Written {
        let folder = tempfile::tempdir().unwrap();
        let seal = Seal::Recipients(vec![
            age::x25519::Identity::generate().to_public().to_string(),
        ]);
        let key = sealed.then(|| FileKey::new(&seal).unwrap().0);
        let mut writer = TableWriter::create(folder.path(), NAME, key.as_ref()).unwrap();
        for piece in text.chunks(100_003) {
            writer.write(piece).unwrap();
        }
        assert_eq!(writer.written(), words::long(text.len()));
        let fact = writer.finish().unwrap();
        Written { folder, fact, key }
    }

    impl Written {
        fn path(&self) -> PathBuf {
            self.folder.path().join(NAME)
        }

        fn read(&self) -> Result<Vec<Vec<u8>>, Failure> {
            let mut reader = TableReader::open(self.folder.path(), &self.fact, self.key.as_ref())?;
            let mut chunks = Vec::new();
            while let Some(lines) = reader.lines()? {
                chunks.push(lines.to_vec());
            }
            assert_eq!(reader.lines().unwrap(), None);
            assert_eq!(reader.consumed(), self.fact.bytes);
            Ok(chunks)
        }

        /// Reads it as if the manifest said what is on disk: what is left is what the format itself finds.
        fn read_trusting(&mut self) -> Result<Vec<Vec<u8>>, Failure> {
            self.fact = files::fact(self.folder.path(), NAME, &|_| Ok(())).unwrap();
            self.read()
        }
    }

    fn rows(count: usize) -> Vec<u8> {
        let mut text = Vec::new();
        for n in 0..count {
            writeln!(
                text,
                "{n}\t{:x}\trow number {n}",
                n.wrapping_mul(0x9e37_79b9_7f4a_7c15)
            )
            .unwrap();
        }
        text
    }

    #[test]
    fn rows_come_back_in_whole_lines() {
        for sealed in [false, true] {
            for count in [0, 1, 1000, 100_000] {
                let text = rows(count);
                let chunks = write(&text, sealed).read().unwrap();
                assert!(chunks.iter().all(|lines| lines.ends_with(b"\n")));
                assert!(chunks.iter().all(|lines| lines.len() <= 2 * CHUNK));
                assert!(chunks.concat() == text, "{count} rows");
            }
        }
    }

    #[test]
    fn a_row_may_be_longer_than_a_chunk() {
        let mut text = rows(10);
        text.extend(std::iter::repeat_n(b'x', 5 * CHUNK + 17));
        text.push(b'\n');
        text.extend(rows(10));
        let chunks = write(&text, false).read().unwrap();
        assert!(chunks.concat() == text);
    }

    #[test]
    fn what_does_not_end_with_a_row_is_damaged() {
        let failure = write(b"1\tada\n2\tlo", false).read().unwrap_err();
        assert!(
            failure.message.ends_with("ends within a row"),
            "{}",
            failure.message
        );
    }

    #[test]
    fn case_43_a_file_that_was_cut_never_reads_to_its_end() {
        for sealed in [false, true] {
            let mut written = write(&rows(20_000), sealed);
            let whole = std::fs::read(written.path()).unwrap();
            for percent in 0..100 {
                let cut = &whole[..whole.len() * percent / 100];
                std::fs::write(written.path(), cut).unwrap();
                let known = written.fact.clone();
                assert!(written.read().is_err(), "{percent} %");
                assert!(
                    written.read_trusting().is_err(),
                    "{percent} % without SHA-256"
                );
                written.fact = known;
            }
        }
    }

    #[test]
    fn case_44_a_flipped_bit_is_found() {
        for sealed in [false, true] {
            let written = write(&rows(2000), sealed);
            let whole = std::fs::read(written.path()).unwrap();
            for at in (0..whole.len()).step_by(whole.len() / 300) {
                let mut flipped = whole.clone();
                flipped[at] ^= 1 << (at % 8);
                std::fs::write(written.path(), flipped).unwrap();
                assert!(written.read().is_err(), "byte {at}");
            }
        }
    }

    #[test]
    fn nothing_may_follow_the_rows() {
        for sealed in [false, true] {
            let mut written = write(&rows(100), sealed);
            let whole = std::fs::read(written.path()).unwrap();
            for more in [
                whole.as_slice(),
                b"\0",
                &[0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0],
            ] {
                std::fs::write(written.path(), [&whole, more].concat()).unwrap();
                assert!(written.read_trusting().is_err());
            }
        }
    }

    #[test]
    fn another_key_opens_nothing() {
        let mut written = write(&rows(10), true);
        let other = write(&rows(10), true);
        written.key = other.key;
        let failure = written.read().unwrap_err();
        assert!(
            failure
                .message
                .ends_with("does not read: is for another key"),
            "{}",
            failure.message
        );
        written.key = None;
        assert!(written.read().is_err());
    }

    #[test]
    fn a_window_that_needs_much_memory_is_refused() {
        let mut written = write(b"", false);
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(27).unwrap();
        encoder.include_contentsize(false).unwrap();
        encoder.write_all(&rows(100_000)).unwrap();
        std::fs::write(written.path(), encoder.finish().unwrap()).unwrap();
        assert!(written.read_trusting().is_err());
    }

    #[test]
    fn a_file_that_is_not_there_or_leads_elsewhere_is_damaged() {
        let mut written = write(b"", false);
        std::fs::remove_file(written.path()).unwrap();
        assert!(
            written
                .read()
                .unwrap_err()
                .message
                .ends_with("tables/0001.copy.zst is missing")
        );
        written.fact.path = "../../etc/passwd".to_owned();
        assert!(
            written
                .read()
                .unwrap_err()
                .message
                .contains("not in its folder")
        );
        std::os::unix::fs::symlink("/etc/passwd", written.path()).unwrap();
        written.fact.path = NAME.to_owned();
        assert!(written.read().unwrap_err().message.ends_with("is no file"));
    }

    #[test]
    fn nothing_is_written_over() {
        let written = write(b"1\n", false);
        assert!(TableWriter::create(written.folder.path(), NAME, None).is_err());
        assert_eq!(written.read().unwrap().concat(), b"1\n");
        assert!(TableWriter::create(written.folder.path(), "../x", None).is_err());
    }
}
