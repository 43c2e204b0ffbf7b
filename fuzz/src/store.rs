//! A store on disk, as a node has left it, and what somebody may then do to its file.
//!
//! Its tables are written down here once more, and not taken from cache-core, so that rows can be
//! put into them that it never would.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs, panic};

use bytes::Bytes;
use cache_core::disk::{Disk, Options};
use cache_core::testing::ManualClock;
use cache_core::{
    Cache, Entry, Key, Lifetime, MeshTime, OpenError, Path, PeerId, Purpose, Resource, SealError,
    Sealer, Target, Tombstone,
};
use cache_crypto::{Keyring, Secret};
use libfuzzer_sys::arbitrary::{self, Unstructured};
use redb::{Database, ReadableTable, TableDefinition, Value, WriteTransaction};
use serde::Serialize;
use tokio::runtime::{self, Runtime};

use crate::{Forger, SECRET};

/// What is done to a store before it is opened.
pub enum Blow {
    /// Bytes of the file are written over, from here on.
    Over(usize, Vec<u8>),
    /// The file is cut off here.
    CutOff(usize),
    /// These are added to the bytes of a row.
    Alter(Table, u8, Vec<u8>),
    /// What one row says stands in another, too.
    Copy(Table, u8, u8),
    /// A row is gone.
    Remove(Table, u8),
    /// A member gone bad has added these to the bytes of an entry or a tombstone, and sealed it.
    Forge(Table, u8, Vec<u8>),
}

/// A table of the store.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// Facts about the whole.
    Header,
    /// Where the body of each entry is.
    Entries,
    /// What is short of the bodies.
    Bodies,
    /// What is long of them.
    Chunks,
    /// Invalidations.
    Tombstones,
}

/// A place for stores, and one in good order, to be spoilt again and again.
pub struct Workshop {
    dir: PathBuf,
    genuine: Vec<u8>,
    runtime: Runtime,
    sealer: Arc<Repeatable>,
}

const HEADER: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("header");
const ENTRIES: TableDefinition<'_, &[u8; 48], (u64, u64, u64, u32)> =
    TableDefinition::new("entries");
const BODIES: TableDefinition<'_, (u64, u64), &[u8]> = TableDefinition::new("bodies");
const CHUNKS: TableDefinition<'_, (u64, u32), &[u8; 4080]> = TableDefinition::new("chunks");
const TOMBSTONES: TableDefinition<'_, &[u8; 48], &[u8]> = TableDefinition::new("tombstones");

/// The file, in the directory of the store.
const FILE: &str = "store.redb";

/// Where a [`ManualClock`] stands.
const NOW: MeshTime = MeshTime::from_millis(1_700_000_000_000);
const TTL: Duration = Duration::from_secs(3600);
const LIFETIME: Lifetime = Lifetime::fresh_for(TTL);

/// The lengths of the bodies: in a row, in chunks, and in both.
const LENGTHS: [usize; 8] = [0, 10, 300, 1700, 3000, 4096, 5000, 13_000];

/// The one of them that has two versions.
const CHANGED: usize = 3;

/// Lets redb panic, which cache-core catches. Any other panic is a finding, and so is one of redb's
/// that is not caught.
pub fn let_redb_panic() {
    let abort = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let in_redb = |at: &panic::Location<'_>| at.file().contains("/redb-");
        if !panic.location().is_some_and(in_redb) {
            abort(panic);
        }
    }));
}

impl Blow {
    /// The next one in the input.
    pub fn take(input: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        Ok(match input.int_in_range(0..=7)? {
            0..=2 => Self::Over(input.arbitrary::<u32>()? as usize, bytes(input)?),
            3 => Self::CutOff(input.arbitrary::<u32>()? as usize),
            4 => Self::Alter(Table::take(input)?, input.arbitrary()?, bytes(input)?),
            5 => Self::Copy(Table::take(input)?, input.arbitrary()?, input.arbitrary()?),
            6 => Self::Remove(Table::take(input)?, input.arbitrary()?),
            _ => {
                let table = *input.choose(&[Table::Entries, Table::Tombstones])?;
                Self::Forge(table, input.arbitrary()?, bytes(input)?)
            }
        })
    }

    fn is_to_rows(&self) -> bool {
        !matches!(self, Self::Over(..) | Self::CutOff(_))
    }

    /// The key that anything may be found under now.
    fn forges(&self) -> Option<usize> {
        match self {
            Self::Forge(Table::Entries, n, _) => Some(usize::from(*n) % LENGTHS.len()),
            _ => None,
        }
    }
}

impl Table {
    fn take(input: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        use Table::{Bodies, Chunks, Entries, Header, Tombstones};

        input
            .choose(&[Header, Entries, Bodies, Chunks, Tombstones])
            .copied()
    }
}

fn bytes(input: &mut Unstructured<'_>) -> arbitrary::Result<Vec<u8>> {
    let len = usize::from(input.arbitrary::<u8>()?);
    Ok(input.bytes(len.min(input.len()))?.to_vec())
}

impl Workshop {
    /// Makes the store in good order. It is the same in each run.
    pub fn new() -> Self {
        // To sync what is written to a disk would take most of the time.
        let in_memory = Some(PathBuf::from("/dev/shm")).filter(|dir| dir.is_dir());
        // Nothing is dropped when libFuzzer ends, so each run takes up what the last one left.
        let dir = in_memory
            .unwrap_or_else(env::temp_dir)
            .join("ghmesh-fuzz-store");
        let _ = fs::remove_file(dir.join(FILE));
        let runtime = runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let mut workshop = Self {
            dir,
            genuine: Vec::new(),
            runtime,
            sealer: Arc::new(Repeatable::new()),
        };
        workshop.runtime.block_on(workshop.fill());
        workshop.genuine = fs::read(workshop.file()).unwrap();
        workshop
    }

    /// Closing the cache writes down what waits, one after the other, and can be done again.
    async fn fill(&self) {
        let cache = self.open();
        for n in (0..LENGTHS.len()).chain([CHANGED]) {
            let version = u64::from(cache.get(&key(n)).await.is_some());
            let resource = Resource::new(key(n), Path::new(&format!("/place/{n}")));
            cache.put(resource, body(n, version), LIFETIME);
            cache.close().await;
        }
        cache.invalidate_path(Path::new("/elsewhere"));
        cache.close().await;
        cache.invalidate(Key::public(["elsewhere"]));
        cache.close().await;
    }

    /// Opens a store that these blows were dealt: what is found in it is right, and it goes on.
    pub fn survive(&self, blows: &[Blow]) {
        let mut file = self.genuine.clone();
        if blows.iter().any(Blow::is_to_rows) {
            fs::write(self.file(), &file).unwrap();
            self.spoil_rows(blows);
            file = fs::read(self.file()).unwrap();
        }
        for blow in blows {
            match blow {
                Blow::Over(at, bytes) => {
                    let bytes = bytes.iter().zip(file.iter_mut().skip(*at));
                    bytes.for_each(|(new, old)| *old = *new);
                }
                Blow::CutOff(len) => file.truncate(*len),
                _ => {}
            }
        }
        fs::write(self.file(), file).unwrap();

        let forged: Vec<usize> = blows.iter().filter_map(Blow::forges).collect();
        let newest = Bytes::from_static(b"the newest");
        self.runtime.block_on(async {
            let cache = self.open();
            assert_right(&cache, &forged, None).await;
            cache.put(key(0), newest.clone(), LIFETIME);
            cache.close().await;
            drop(cache);
            // What went into a damaged store is in it or is not; it is nothing else.
            let cache = self.open();
            assert_right(&cache, &forged, Some(&newest)).await;
            cache.close().await;
        });
    }

    fn open(&self) -> Cache {
        let sealer: Arc<Repeatable> = Arc::clone(&self.sealer);
        let options = Options::new(sealer).max_bytes(4 << 20);
        let disk = Disk::open(&self.dir, options).unwrap();
        let clock = ManualClock::default();
        Cache::builder().clock(clock).disk(disk).build()
    }

    fn file(&self) -> PathBuf {
        self.dir.join(FILE)
    }

    fn spoil_rows(&self, blows: &[Blow]) {
        let database = Database::open(self.file()).unwrap();
        let writing = database.begin_write().unwrap();
        for blow in blows {
            match blow {
                Blow::Over(..) | Blow::CutOff(_) => {}
                Blow::Forge(Table::Tombstones, n, bytes) => {
                    self.forge_tombstone(&writing, *n, bytes);
                }
                Blow::Forge(_, n, bytes) => self.forge_entry(&writing, *n, bytes),
                Blow::Alter(table, ..) | Blow::Copy(table, ..) | Blow::Remove(table, _) => {
                    match table {
                        Table::Header => spoil(&writing, HEADER, blow),
                        Table::Entries => spoil(&writing, ENTRIES, blow),
                        Table::Bodies => spoil(&writing, BODIES, blow),
                        Table::Chunks => spoil(&writing, CHUNKS, blow),
                        Table::Tombstones => spoil(&writing, TOMBSTONES, blow),
                    }
                }
            }
        }
        writing.commit().unwrap();
    }

    fn forge_entry(&self, writing: &WriteTransaction, n: u8, difference: &[u8]) {
        let key = key(usize::from(n) % LENGTHS.len());
        let genuine = Entry::new(
            NOW,
            PeerId::LOCAL,
            Path::new("/place"),
            "a forged body".into(),
            LIFETIME,
        );
        let sealed = self.seal(&key, 2, &genuine, difference);
        let (dies_at, id) = (
            NOW.as_millis() + TTL.as_millis() as u64,
            1000 + u64::from(n),
        );
        let place = (dies_at, id, NOW.as_millis(), sealed.len() as u32);
        let row = [&key_bytes(&key)[..], &sealed].concat();
        let mut entries = writing.open_table(ENTRIES).unwrap();
        entries.insert(&key_bytes(&key), place).unwrap();
        let mut bodies = writing.open_table(BODIES).unwrap();
        bodies.insert((dies_at, id), &row[..]).unwrap();
    }

    /// Filed where the genuine one would be; what it has become may belong elsewhere.
    fn forge_tombstone(&self, writing: &WriteTransaction, n: u8, difference: &[u8]) {
        let target = key(usize::from(n) % LENGTHS.len());
        let key = Key::public([
            b"cache-core store tombstone",
            &b"key"[..],
            target.family.as_bytes(),
            target.scope.as_bytes(),
        ]);
        let genuine = Tombstone {
            target: Target::Key(target),
            stamp: NOW,
            kept_for: TTL,
            origin: PeerId::LOCAL,
        };
        let sealed = self.seal(&key, 3, &genuine, difference);
        let dies_at = NOW.as_millis() + TTL.as_millis() as u64;
        let times = [NOW.as_millis().to_le_bytes(), dies_at.to_le_bytes()];
        let row = [times.as_flattened(), &sealed].concat();
        let mut tombstones = writing.open_table(TOMBSTONES).unwrap();
        tombstones.insert(&key_bytes(&key), &row[..]).unwrap();
    }

    fn seal(&self, key: &Key, kind: u8, fields: &impl Serialize, by: &[u8]) -> Vec<u8> {
        let genuine = postcard::to_extend(fields, vec![kind]).unwrap();
        self.sealer.forger.at_rest(key, 0, &altered(&genuine, by))
    }
}

impl Default for Workshop {
    fn default() -> Self {
        Self::new()
    }
}

/// Deals a blow to the rows of one table.
fn spoil<K, V>(writing: &WriteTransaction, table: TableDefinition<'_, K, V>, blow: &Blow)
where
    K: redb::Key + 'static,
    V: Value + 'static,
{
    let mut table = writing.open_table(table).unwrap();
    let rows: Vec<(Vec<u8>, Vec<u8>)> = table
        .iter()
        .unwrap()
        .map(|row| {
            let (key, value) = row.unwrap();
            let key = K::as_bytes(&key.value()).as_ref().to_vec();
            (key, V::as_bytes(&value.value()).as_ref().to_vec())
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    let row = |n: u8| &rows[usize::from(n) % rows.len()];
    let (key, value) = match blow {
        Blow::Alter(_, n, by) => (&row(*n).0, Some(altered(&row(*n).1, by))),
        Blow::Copy(_, from, to) => (&row(*to).0, Some(row(*from).1.clone())),
        Blow::Remove(_, n) => (&row(*n).0, None),
        _ => return,
    };
    let key = K::from_bytes(key);
    match value {
        Some(mut value) => {
            value.resize(V::fixed_width().unwrap_or(value.len()), 0);
            table.insert(key, V::from_bytes(&value)).unwrap();
        }
        None => {
            table.remove(key).unwrap();
        }
    }
}

async fn assert_right(cache: &Cache, forged: &[usize], newest: Option<&Bytes>) {
    for n in (0..LENGTHS.len()).filter(|n| !forged.contains(n)) {
        let Some(found) = cache.get(&key(n)).await else {
            continue;
        };
        let is_right = *found.value() == body(n, 0)
            || n == CHANGED && *found.value() == body(n, 1)
            || n == 0 && newest == Some(found.value());
        assert!(is_right, "a wrong body under key {n}: {:?}", found.value());
    }
}

fn key(n: usize) -> Key {
    Key::public([n.to_le_bytes()])
}

fn key_bytes(key: &Key) -> [u8; 48] {
    let bytes = [&key.family.as_bytes()[..], key.scope.as_bytes()].concat();
    bytes.try_into().unwrap()
}

/// Bytes without a pattern, the same in each run (xorshift).
fn body(n: usize, version: u64) -> Bytes {
    let mut state = 0x9e37_79b9_7f4a_7c15 + n as u64 + (version << 32);
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(LENGTHS[n]).collect()
}

/// `genuine` with `difference` added, byte by byte: zeros leave it as it is. What goes beyond it
/// makes it longer; a last byte of 255 cuts it off before that.
fn altered(genuine: &[u8], difference: &[u8]) -> Vec<u8> {
    let mut bytes = genuine.to_vec();
    let difference = match difference.split_last() {
        Some((255, shorter)) => {
            bytes.truncate(shorter.len());
            shorter
        }
        _ => difference,
    };
    bytes.resize(bytes.len().max(difference.len()), 0);
    for (byte, difference) in bytes.iter_mut().zip(difference) {
        *byte = byte.wrapping_add(*difference);
    }
    bytes
}

/// A keyring whose seals are the same in each run, so that the store is.
struct Repeatable {
    keyring: Keyring,
    forger: Forger,
}

impl Repeatable {
    fn new() -> Self {
        Self {
            keyring: Keyring::new(&Secret::parse(SECRET).unwrap()).unwrap(),
            forger: Forger::new(),
        }
    }
}

impl Sealer for Repeatable {
    fn seal(&self, purpose: Purpose<'_>, plaintext: &[u8]) -> Result<Bytes, SealError> {
        match purpose {
            Purpose::AtRest(key) => Ok(self.forger.at_rest(key, 0, plaintext).into()),
            purpose => self.keyring.seal(purpose, plaintext),
        }
    }

    fn open(&self, purpose: Purpose<'_>, sealed: Bytes) -> Result<Bytes, OpenError> {
        self.keyring.open(purpose, sealed)
    }
}
