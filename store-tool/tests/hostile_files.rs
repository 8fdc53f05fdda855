//! The corpus of the fuzz targets, and what a simple mutator makes of it: nothing panics, nothing takes much memory.
//!
//! The mutations are the same in every run; `MUTATIONS` and `HOSTILE_SEED` make more and others. The input at hand is kept in
//! `target/tmp/hostile-<target>`, for the case that the process ends with it.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Instant;

use peak_alloc::PeakAlloc;

#[path = "../../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "a crate of its own in fuzz/")]
mod targets;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What any of them may take beside a few times its input: windows, buffers, tables of a small store.
const MOST_BYTES: usize = 24 << 20;
const MOST_TIMES_INPUT: usize = 64;

/// Mutations of all inputs of a target together.
const MUTATIONS: u64 = 300;

fn number(variable: &str, default: u64) -> u64 {
    let set = std::env::var(variable).ok();
    set.map_or(default, |text| text.parse().expect("a number"))
}

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let entries = fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("listed").path()).collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| (path.clone(), fs::read(path).expect("read")))
        .collect()
}

/// Pseudo-random numbers: the same for the same seed. Marsaglia's xorshift64*.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % (bound.max(1) as u64)) as usize
    }
}

/// Numbers that lengths and offsets are wrong with.
const NASTY: [u64; 12] = [
    0,
    1,
    7,
    8,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x7FFF_FFFF,
    0x8000_0000,
    u32::MAX as u64,
    u64::MAX,
];

fn mutate(bytes: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len());
        let rest = bytes.len() - at;
        match dice.below(8) {
            0 => bytes.truncate(at),
            1 => bytes.extend_from_slice(other.get(dice.below(other.len())..).unwrap_or_default()),
            2 => {
                let count = dice.below(rest.min(64)) + 1;
                bytes
                    .iter_mut()
                    .skip(at)
                    .take(count)
                    .for_each(|byte| *byte = 0);
            }
            3 => {
                let (from, count) = (dice.below(other.len()), dice.below(64) + 1);
                let some = other.iter().skip(from).take(count);
                bytes
                    .iter_mut()
                    .skip(at)
                    .zip(some)
                    .for_each(|(byte, other)| *byte = *other);
            }
            4 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << dice.below(8);
                }
            }
            width => {
                let nasty = NASTY.get(dice.below(NASTY.len())).copied().unwrap_or(0);
                let number = nasty
                    .wrapping_add(dice.next() % 3)
                    .wrapping_sub(1)
                    .to_be_bytes();
                let some = number.iter().skip(if width == 5 { 0 } else { 4 });
                bytes
                    .iter_mut()
                    .skip(at)
                    .zip(some)
                    .for_each(|(byte, number)| *byte = *number);
            }
        }
    }
    bytes.truncate(1 << 16);
}

/// Does it to one input, and says which it was if that goes wrong.
fn run(name: &str, target: targets::Target, bytes: &[u8], what: &str) {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("hostile-{name}"));
    fs::write(&kept, bytes).expect("kept");
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let done = catch_unwind(AssertUnwindSafe(|| target(bytes)));
    assert!(
        done.is_ok(),
        "{name}: panic with {what}, kept in {}",
        kept.display()
    );
    let took = MEMORY.peak_usage().saturating_sub(before);
    let most = MOST_BYTES + MOST_TIMES_INPUT * bytes.len();
    assert!(
        took <= most,
        "{name}: {took} bytes of memory for {what} of {} bytes, kept in {}",
        bytes.len(),
        kept.display()
    );
}

#[test]
fn no_bytes_of_a_disk_or_a_peer_panic_or_take_much_memory() {
    let (seed, mutations) = (
        number("HOSTILE_SEED", 20_200_101),
        number("MUTATIONS", MUTATIONS),
    );
    for (name, target) in targets::TARGETS {
        let began = Instant::now();
        let inputs = corpus(name);
        assert!(!inputs.is_empty(), "{name} has no corpus");
        run(name, target, b"", "nothing");
        for (path, bytes) in &inputs {
            run(name, target, bytes, &path.display().to_string());
        }
        for n in 0..mutations {
            let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (n + 1));
            let pick = |dice: &mut Dice| {
                inputs
                    .get(dice.below(inputs.len()))
                    .map(|(_, bytes)| bytes.clone())
            };
            let (mut bytes, other) = (
                pick(&mut dice).unwrap_or_default(),
                pick(&mut dice).unwrap_or_default(),
            );
            mutate(&mut bytes, &other, &mut dice);
            run(
                name,
                target,
                &bytes,
                &format!("mutation {n} of seed {seed}"),
            );
        }
        println!(
            "{name}: {} inputs, {mutations} mutations of seed {seed} in {:?}",
            inputs.len(),
            began.elapsed()
        );
    }
}
