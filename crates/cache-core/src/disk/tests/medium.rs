//! A disk in memory that fails when it is told to, and forgets what was not synced.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use rand::RngExt;
use redb::StorageBackend;

use super::super::files::Files;
use super::{options, rng};
use crate::disk::{Disk, Options};

/// A disk with one file. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Medium(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What survives a loss of power.
    synced: Vec<u8>,
    /// What reads see.
    seen: Vec<u8>,
    unsynced: Vec<Unsynced>,
    plan: Option<Plan>,
    /// Counts losses of power: a file that was open before one is no use after it.
    life: u64,
    set_aside: u32,
    reads: u64,
}

#[derive(Debug)]
enum Unsynced {
    Write(usize, Vec<u8>),
    Len(usize),
}

/// After so many operations that change something, all of them fail in this way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) after: u32,
    pub(super) kind: ErrorKind,
    /// Reads fail, too.
    pub(super) reads: bool,
}

/// The file, as somebody has opened it.
#[derive(Debug)]
struct Open {
    medium: Medium,
    life: u64,
}

impl Medium {
    pub(super) fn open(&self) -> Disk {
        self.open_with(options())
    }

    pub(super) fn open_with(&self, options: Options) -> Disk {
        Disk::open_files(Box::new(self.clone()), options, Path::new("medium")).unwrap()
    }

    pub(super) fn fail(&self, plan: Plan) {
        self.lock().plan = Some(plan);
    }

    pub(super) fn heal(&self) {
        self.lock().plan = None;
    }

    /// How often anything was read.
    pub(super) fn reads(&self) -> u64 {
        self.lock().reads
    }

    /// How often a file was set aside.
    pub(super) fn set_aside(&self) -> u32 {
        self.lock().set_aside
    }

    /// Loses power: of what was not synced any part may have got to the disk, in any order, and of
    /// each write any of its sectors.
    pub(super) fn lose_power(&self, seed: u64) {
        let mut rng = rng(seed);
        let mut state = self.lock();
        let State {
            synced, unsynced, ..
        } = &mut *state;
        for change in unsynced.drain(..) {
            match change {
                // File systems keep the order of changes in length, and write after them.
                Unsynced::Len(len) => synced.resize(len, 0),
                Unsynced::Write(at, data) => {
                    if rng.random_bool(0.3) {
                        continue;
                    }
                    let torn = rng.random_bool(0.3);
                    for (n, sector) in data.chunks(512).enumerate() {
                        let at = at + n * 512;
                        if at + sector.len() <= synced.len() && !(torn && rng.random_bool(0.5)) {
                            synced[at..at + sector.len()].copy_from_slice(sector);
                        }
                    }
                }
            }
        }
        state.seen = state.synced.clone();
        state.plan = None;
        state.life += 1;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl Files for Medium {
    fn open(&self) -> io::Result<Box<dyn StorageBackend>> {
        Ok(Box::new(Open {
            medium: self.clone(),
            life: self.lock().life,
        }))
    }

    fn set_aside(&self) -> io::Result<String> {
        self.lock().set_aside += 1;
        self.remove()?;
        Ok("nothing".to_owned())
    }

    fn remove(&self) -> io::Result<()> {
        let mut state = self.lock();
        (state.synced, state.seen) = (Vec::new(), Vec::new());
        state.unsynced.clear();
        Ok(())
    }
}

impl Open {
    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.medium.lock();
        if state.life != self.life {
            return Err(io::Error::other("the power has gone"));
        }
        Ok(state)
    }

    /// The state for a change, unless it is time for it to fail.
    fn state_for_change(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state()?;
        match &mut state.plan {
            Some(Plan { after: 0, kind, .. }) => return Err((*kind).into()),
            Some(plan) => plan.after -= 1,
            None => {}
        }
        Ok(state)
    }
}

impl StorageBackend for Open {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state()?.seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut state = self.state()?;
        state.reads += 1;
        if let Some(Plan {
            after: 0,
            kind,
            reads: true,
        }) = state.plan
        {
            return Err(kind.into());
        }
        let at = offset as usize;
        let read = state.seen.get(at..at + out.len());
        out.copy_from_slice(read.ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state_for_change()?;
        state.seen.resize(len as usize, 0);
        state.unsynced.push(Unsynced::Len(len as usize));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state_for_change()?;
        state.synced = state.seen.clone();
        state.unsynced.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let written = self.state_for_change();
        // The write that fails gets half of the way.
        let (mut state, data, result) = match written {
            Ok(state) => (state, data, Ok(())),
            Err(error) => (self.state()?, &data[..data.len() / 2], Err(error)),
        };
        let at = offset as usize;
        let end = at + data.len();
        if state.seen.len() < end {
            state.seen.resize(end, 0);
        }
        state.seen[at..end].copy_from_slice(data);
        state.unsynced.push(Unsynced::Write(at, data.to_vec()));
        result
    }
}
