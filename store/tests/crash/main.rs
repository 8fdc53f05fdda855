//! Crashes: at every call that changes the disk, with what was not synced dropped, kept, reordered and
//! torn, the store opens and has everything that was acknowledged, once.
//!
//! ```text
//!   a life of some sixty steps ─► at every crash point some images ─► opened, looked at, and now and then
//!                                                       lived on in ─► an image of that ─► opened, looked at
//! ```
//!
//! A crash point counted is an image opened. A failure says its seed; the same seed does the same again:
//!
//! ```sh
//! STORE_CRASH_SEED=7 cargo test -p store --test crash           # begin with this seed
//! STORE_CRASH_POINTS=5000000 cargo test -p store --test crash   # more than the 100,000 of every run
//! ```

#[path = "../support/disk.rs"]
mod disk;
mod history;
mod life;
#[path = "../support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use store::Store;

use disk::{Dice, put_down};
use history::History;
use life::{Crash, Life, Taken};
use support::lines::Lines;

const STEPS: usize = 60;
/// Of the life after a crash, at most.
const AGAIN: usize = 10;
const IMAGES: usize = 3;

fn number(name: &str, default: u64) -> u64 {
    let Ok(text) = std::env::var(name) else {
        return default;
    };
    text.parse()
        .unwrap_or_else(|_| panic!("{name}={text} is no number"))
}

/// A folder in memory if there is one: what these tests do to a disk wears it out.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    made.expect("folder")
}

#[test]
fn what_was_acknowledged_outlives_a_crash_at_any_point() {
    let (first_seed, wanted) = (
        number("STORE_CRASH_SEED", 1),
        number("STORE_CRASH_POINTS", 100_000),
    );
    let (points, next_seed) = (AtomicU64::new(0), AtomicU64::new(first_seed));
    let began = Instant::now();
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let dir = folder();
                while points.load(Ordering::Relaxed) < wanted {
                    let seed = next_seed.fetch_add(1, Ordering::Relaxed);
                    let done = live(seed, dir.path());
                    points.fetch_add(done, Ordering::Relaxed);
                }
            });
        }
    });
    println!(
        "{} crash points, seeds {first_seed} to {}, {:.1} s",
        points.into_inner(),
        next_seed.into_inner() - 1,
        began.elapsed().as_secs_f64()
    );
}

/// Where the images of a seed are opened.
struct Places {
    first: PathBuf,
    second: PathBuf,
}

/// One life from one seed; returns how many crashes of it were tried.
fn live(seed: u64, dir: &Path) -> u64 {
    let mut dice = Dice::new(seed);
    let root = dir.join("live");
    put_down(&disk::Image::new(), &root).expect("made");
    let config = life::config(&root, &mut dice);
    let places = Places {
        first: dir.join("crashed"),
        second: dir.join("again"),
    };
    let mut life = Life::new(
        config,
        History::default(),
        0,
        Taken::Each(IMAGES),
        Dice::new(dice.roll()),
    );
    let mut points = 0;
    for _ in 0..STEPS {
        let stepped = life.step();
        let mut tried = |crashes: Vec<Crash>, life: &Life| {
            for crash in crashes {
                points += 1;
                let before = dice.clone();
                if try_crash(&crash, life, &places, &mut dice).is_err() {
                    fail(seed, &crash, life, &places, before);
                }
            }
        };
        tried(life.crashes(), &life);
        life.keep();
        tried(life.crashes_now(), &life);
        if let Err(problem) = stepped {
            panic!(
                "STORE_CRASH_SEED={seed}: {problem}\nsteps: {:#?}",
                life.steps
            );
        }
    }
    points
}

/// Says what is known of a crash that something is wrong after. `dice` as they were before it.
fn fail(seed: u64, crash: &Crash, life: &Life, places: &Places, mut dice: Dice) -> ! {
    let lines = Lines::default();
    let tried = || try_crash(crash, life, places, &mut dice);
    let again = tracing::subscriber::with_default(lines.clone(), tried);
    let problem = again
        .err()
        .unwrap_or_else(|| "only the first time".to_owned());
    let said = lines.get();
    panic!(
        "STORE_CRASH_SEED={seed}: {problem}\nthe start said {said:#?}\na crash in front of {} that {:?} survives, {:?}\nsteps: {:#?}",
        crash.call, crash.survives, life.config, life.steps
    );
}

/// Opens what a crash left. One in four times the store lives on there, crashes again, while it recovers
/// or later, and is opened once more.
fn try_crash(crash: &Crash, life: &Life, places: &Places, dice: &mut Dice) -> Result<(), String> {
    put_down(&crash.image, &places.first).expect("put down");
    let mut config = life.config.clone();
    config.root_dir.clone_from(&places.first);
    config.commit_log_dir = places.first.join("commitlog");
    if !dice.one_in(4) {
        let store = Store::open_still(config).map_err(|error| format!("does not open: {error}"))?;
        return life.history.check(&store, life.kept, dice.one_in(4));
    }
    let again = Taken::Once(dice.below(60));
    let mut second = Life::new(
        config,
        life.history.clone(),
        life.kept,
        again,
        Dice::new(dice.roll()),
    );
    let lived = live_on(&mut second);
    let told = |problem| format!("{problem}, after a crash and then {:#?}", second.steps);
    let Some(crash) = lived.map_err(told)? else {
        return Ok(());
    };
    put_down(&crash.image, &places.second).expect("put down");
    let mut config = second.config.clone();
    config.root_dir.clone_from(&places.second);
    config.commit_log_dir = places.second.join("commitlog");
    let opened = Store::open_still(config).map_err(|error| format!("does not open: {error}"));
    let checked =
        opened.and_then(|store| second.history.check(&store, second.kept, dice.one_in(4)));
    checked.map_err(|problem| {
        format!(
            "{problem}, after a crash, {:#?} and another crash in front of {} that {:?} survives",
            second.steps, crash.call, crash.survives
        )
    })
}

/// Opens the store and goes on until the crash comes.
fn live_on(life: &mut Life) -> Result<Option<Crash>, String> {
    for _ in 0..AGAIN {
        life.step()?;
        if let Some(crash) = life.crashes().pop() {
            return Ok(Some(crash));
        }
        life.keep();
        if let Some(crash) = life.crashes_now().pop() {
            return Ok(Some(crash));
        }
    }
    Ok(None)
}
