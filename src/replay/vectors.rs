//! The vectors of an input, kept beside it, so that the second replay need not embed again.
//!
//! A file holds one record for each distinct text: a hash of the text, its length in tokens, and
//! the vector in little-endian floats; after a head that names the embedder, before a checksum of
//! everything. An edited or longer input finds its old texts again and embeds the rest. A file that
//! is torn, or of another embedder or format, is as good as none: it is made anew. What is embedded,
//! and when, is `embed`'s business.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use crate::config::paths::create_private_dir;
use crate::embed::{DIMENSIONS, Embedding};

/// Hash of a text.
pub type TextKey = [u8; 32];

/// Vectors by the hash of their text.
pub type Known = HashMap<TextKey, Embedding>;

const MAGIC: [u8; 8] = *b"sgvector";
const VERSION: u32 = 1;
/// An identity longer than this is not one of ours.
const MAX_IDENTITY: usize = 256;
/// Marks, in a record's token count, a text that is longer than the window.
const TRUNCATED: u32 = 1 << 31;
const CHECKSUM: usize = 32;
const RECORD: usize = size_of::<TextKey>() + 4 + DIMENSIONS * 4;

/// The hash by which a text's vector is found again.
pub fn key(text: &str) -> TextKey {
    *blake3::hash(text.as_bytes()).as_bytes()
}

/// Where the vectors of `input` may be, best first: beside it, else in the cache folder under a
/// name made from its path. Nowhere for what is no regular file, such as standard input, whose
/// next content is another one.
pub fn places(input: &Path, identity: &str, cache: &Path) -> Vec<PathBuf> {
    let Ok(path) = fs::canonicalize(input) else { return Vec::new() };
    if input.as_os_str() == "-" || !path.is_file() {
        return Vec::new();
    }
    let mut beside = input.as_os_str().to_owned();
    beside.push(format!(".{}.vectors", file_name(identity)));
    let mut name = blake3::Hasher::new();
    name.update(path.as_os_str().as_encoded_bytes()).update(&[0]).update(identity.as_bytes());
    let name = format!("{}.vectors", &name.finalize().to_hex()[..32]);
    vec![beside.into(), cache.join("vectors").join(name)]
}

/// An identity with nothing in it that a file's name cannot have.
fn file_name(identity: &str) -> String {
    identity.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

/// The vectors of the first of `places` that holds any of this embedder, and which place that is.
pub fn load(places: &[PathBuf], identity: &str) -> (Known, Option<PathBuf>) {
    let found = places.iter().find_map(|place| Some((read(place, identity).ok()?, place.clone())));
    found.map_or_else(|| (Known::new(), None), |(known, place)| (known, Some(place)))
}

/// Keeps the vectors at the first of `places` that can be written.
///
/// # Errors
/// Why the last of them could not.
pub fn store<'a>(
    places: &[PathBuf],
    identity: &str,
    vectors: impl ExactSizeIterator<Item = (&'a TextKey, &'a Embedding)> + Clone,
) -> io::Result<()> {
    let mut refused = None;
    for (place, path) in places.iter().enumerate() {
        // Only the folder beside the input is somebody else's.
        let made = match path.parent() {
            Some(folder) if place > 0 => create_private_dir(folder),
            _ => Ok(()),
        };
        match made.and_then(|()| write(path, identity, vectors.clone())) {
            Ok(()) => return Ok(()),
            Err(error) => refused = Some(error),
        }
    }
    refused.map_or(Ok(()), Err)
}

/// Writes a file for this user only, which takes its name when it is whole.
fn write<'a>(
    path: &Path,
    identity: &str,
    vectors: impl ExactSizeIterator<Item = (&'a TextKey, &'a Embedding)>,
) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    // The superuser could write here, and is not meant to.
    if fs::metadata(folder)?.permissions().readonly() {
        return Err(io::ErrorKind::ReadOnlyFilesystem.into());
    }
    // `NamedTempFile` is made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    let mut hash = blake3::Hasher::new();
    {
        let mut out = BufWriter::new(&mut file);
        let mut put = |bytes: &[u8]| {
            hash.update(bytes);
            out.write_all(bytes)
        };
        put(&head(identity, vectors.len()))?;
        let mut record = Vec::with_capacity(RECORD);
        for (key, embedding) in vectors {
            record.clear();
            record.extend_from_slice(key);
            let tokens = u32::try_from(embedding.tokens).unwrap_or(u32::MAX) & !TRUNCATED;
            let mark = if embedding.truncated { TRUNCATED } else { 0 };
            record.extend_from_slice(&(tokens | mark).to_le_bytes());
            for component in &*embedding.vector {
                record.extend_from_slice(&component.to_le_bytes());
            }
            put(&record)?;
        }
        out.write_all(hash.finalize().as_bytes())?;
        out.flush()?;
    }
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

fn head(identity: &str, count: usize) -> Vec<u8> {
    let mut head = MAGIC.to_vec();
    head.extend_from_slice(&VERSION.to_le_bytes());
    head.extend_from_slice(&(DIMENSIONS as u32).to_le_bytes());
    head.extend_from_slice(&(count as u64).to_le_bytes());
    head.extend_from_slice(&(identity.len() as u32).to_le_bytes());
    head.extend_from_slice(identity.as_bytes());
    head
}

/// All vectors of a file. Nothing of it is given away before its checksum was found right.
fn read(path: &Path, identity: &str) -> io::Result<Known> {
    let unusable = || io::Error::from(io::ErrorKind::InvalidData);
    let length = usize::try_from(fs::metadata(path)?.len()).map_err(|_| unusable())?;
    let head_length = head(identity, 0).len();
    if identity.len() > MAX_IDENTITY || length < head_length + CHECKSUM || !path.is_file() {
        return Err(unusable());
    }
    let count = (length - head_length - CHECKSUM) / RECORD;
    if head_length + count * RECORD + CHECKSUM != length {
        return Err(unusable());
    }
    let mut file = BufReader::with_capacity(1 << 16, File::open(path)?);
    let mut hash = blake3::Hasher::new();
    let mut found = vec![0; head_length];
    file.read_exact(&mut found)?;
    if found != head(identity, count) {
        return Err(unusable());
    }
    hash.update(&found);
    let mut known = Known::with_capacity(count);
    let mut record = [0; RECORD];
    for _ in 0..count {
        file.read_exact(&mut record)?;
        hash.update(&record);
        let (key, embedding) = parse(&record).ok_or_else(unusable)?;
        known.insert(key, embedding);
    }
    let mut checksum = [0; CHECKSUM];
    file.read_exact(&mut checksum)?;
    if hash.finalize() == checksum { Ok(known) } else { Err(unusable()) }
}

fn parse(record: &[u8; RECORD]) -> Option<(TextKey, Embedding)> {
    let (key, rest) = record.split_first_chunk::<32>()?;
    let (tokens, rest) = rest.split_first_chunk::<4>()?;
    let tokens = u32::from_le_bytes(*tokens);
    let (components, _) = rest.as_chunks::<4>();
    let vector: Vec<f32> = components.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    crate::index::check(&vector).ok()?;
    let truncated = tokens & TRUNCATED != 0;
    let tokens = (tokens & !TRUNCATED) as usize;
    Some((*key, Embedding { vector: vector.into(), tokens, truncated }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embedding(axis: usize, truncated: bool) -> Embedding {
        let mut vector = vec![0.0; DIMENSIONS];
        vector[axis] = 1.0;
        Embedding { vector: vector.into(), tokens: 5 + axis, truncated }
    }

    fn some() -> Known {
        let texts = ["one", "two", "three"].iter().enumerate();
        texts.map(|(place, text)| (key(text), embedding(place, place == 1))).collect()
    }

    #[test]
    fn what_is_stored_is_found_again_by_its_own_embedder_only() {
        let folder = tempfile::tempdir().unwrap();
        let places = [folder.path().join("in.vectors")];
        store(&places, "model@1/256", some().iter()).unwrap();
        let (found, place) = load(&places, "model@1/256");
        assert_eq!((found, place.as_deref()), (some(), Some(&*places[0])));
        for other in ["model@2/256", "model@1/512", "model@1/2567"] {
            assert_eq!(load(&places, other), (Known::new(), None), "{other}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_for_this_user_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("in.vectors");
        store(std::slice::from_ref(&place), "m", some().iter()).unwrap();
        assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn no_byte_can_be_changed_cut_off_or_added() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("in.vectors");
        write(&place, "m", some().iter()).unwrap();
        let whole = fs::read(&place).unwrap();
        let is_refused = |bytes: &[u8]| {
            fs::write(&place, bytes).unwrap();
            read(&place, "m").is_err()
        };
        assert!(!is_refused(&whole));
        for at in (0..whole.len()).step_by(7) {
            let mut torn = whole.clone();
            torn[at] ^= 1;
            assert!(is_refused(&torn), "byte {at}");
            assert!(is_refused(&whole[..at]), "cut at {at}");
        }
        assert!(is_refused(&[&whole[..], b"x"].concat()));
        assert!(is_refused(b""));
        fs::remove_file(&place).unwrap();
        fs::create_dir(&place).unwrap();
        assert!(read(&place, "m").is_err(), "a folder");
    }

    #[cfg(unix)]
    #[test]
    fn the_cache_folder_serves_where_the_inputs_folder_is_read_only() {
        use std::os::unix::fs::PermissionsExt;
        let (traffic, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let input = traffic.path().join("in.jsonl");
        fs::write(&input, "{}").unwrap();
        let places = places(&input, "m@1/256", cache.path());
        assert_eq!(places[0], traffic.path().join("in.jsonl.m-1-256.vectors"));
        let mode = |mode| fs::set_permissions(traffic.path(), fs::Permissions::from_mode(mode));
        mode(0o500).unwrap();
        let stored = store(&places, "m@1/256", some().iter());
        mode(0o700).unwrap();
        stored.unwrap();
        assert!(!places[0].exists());
        assert_eq!(load(&places, "m@1/256").1.as_deref(), Some(&*places[1]));
        let folder = fs::metadata(cache.path().join("vectors")).unwrap();
        assert_eq!(folder.permissions().mode() & 0o777, 0o700);
        store(&places, "m@1/256", some().iter()).unwrap();
        assert_eq!(load(&places, "m@1/256").1.as_deref(), Some(&*places[0]));
    }

    #[test]
    fn standard_input_has_no_place() {
        for input in ["-", "/dev/null", "/nowhere/in.jsonl"] {
            assert_eq!(places(Path::new(input), "m", Path::new("/c")), Vec::<PathBuf>::new());
        }
    }
}
