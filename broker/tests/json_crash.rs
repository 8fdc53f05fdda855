//! Crashes while a table is saved: at every call the old or the new version can be loaded afterwards, never
//! garbage and never nothing (R2).

#[path = "../../store/tests/support/disk.rs"]
mod disk;

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use broker::json_file::JsonFile;
use disk::{Dice, Disk, Image, Survives, put_down};
use store::calls::{Call, Watch, watch};

const SAVES: u32 = 6;
const IMAGES: usize = 20;

/// Takes images at every call.
struct Recorder(Mutex<(Disk, Dice, Vec<Image>)>);

impl Recorder {
    fn crash_point(&self) {
        let (disk, dice, images) = &mut *self.0.lock().expect("lock");
        for survives in [Survives::Nothing, Survives::Everything] {
            images.push(disk.crash(survives, dice));
        }
        for _ in 0..IMAGES {
            images.push(disk.crash(Survives::SomeSectors, dice));
        }
    }

    fn images(&self) -> Vec<Image> {
        std::mem::take(&mut self.0.lock().expect("lock").2)
    }
}

impl Watch for Recorder {
    fn before(&self, _: &Call) -> io::Result<()> {
        self.crash_point();
        Ok(())
    }

    fn after(&self, call: &Call) {
        let made = self.0.lock().expect("lock").0.made(call);
        made.expect("the disk can be looked at");
    }
}

/// A folder in memory if there is one.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    made.expect("folder")
}

/// A table whose versions differ in length, over several sectors.
fn table(version: u32) -> Vec<u32> {
    vec![version; 1000 / version as usize]
}

fn loaded(root: &Path) -> Option<Vec<u32>> {
    let file = JsonFile::new(root.join("config/t.json"));
    file.load().expect("loads")
}

#[test]
fn a_crash_at_any_call_of_a_save_leaves_the_old_or_the_new_table() {
    let (live, crashed) = (folder(), folder());
    let root = live.path().join("store");
    std::fs::create_dir(&root).expect("made");
    let disk = Disk::new(&root).expect("looked at");
    let recorder = Arc::new(Recorder(Mutex::new((disk, Dice::new(1), Vec::new()))));
    let _watching = watch(&root, recorder.clone());
    let file = JsonFile::new(root.join("config/t.json"));
    let (mut tried, image_root) = (0, crashed.path().join("store"));
    for version in 1..=SAVES {
        assert!(file.save(&table(version)).expect("saved"));
        let mut check = |images: Vec<Image>, allowed: &[Option<u32>]| {
            for image in images {
                put_down(&image, &image_root).expect("put down");
                let (found, allowed) = (loaded(&image_root), allowed.iter());
                let mut versions = allowed.map(|version| version.map(table));
                assert!(
                    versions.any(|version| version == found),
                    "{version}: {found:?}"
                );
                tried += 1;
            }
        };
        let before = Some(version - 1).filter(|before| *before > 0);
        check(recorder.images(), &[before, Some(version)]);
        recorder.crash_point();
        check(recorder.images(), &[Some(version)]);
    }
    assert!(tried > 500, "{tried}");
}
