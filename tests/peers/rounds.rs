//! Rounds in which everyone has a turn, in an order of its own, and what they measure.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::statistics::Shuffle;

/// What a turn measures: names with their units, and numbers.
pub type Sample = Vec<(String, f64)>;

/// One that is compared.
pub struct Entrant<'a> {
    /// Its name in the table.
    pub name: &'static str,
    /// Lets it do its work once.
    pub turn: Box<dyn Fn() -> Result<Sample, String> + 'a>,
}

/// All that one of them measured, a sample for each round.
pub struct Series {
    /// Its name in the table.
    pub name: &'static str,
    /// In the order of the rounds, which is the same for all.
    pub samples: Vec<Sample>,
}

impl Series {
    /// The values of `quantity`, a round each; none where it is not told.
    pub fn values(&self, quantity: &str) -> Vec<f64> {
        let all = self.samples.iter().flatten();
        all.filter(|(name, _)| name == quantity)
            .map(|(_, value)| *value)
            .collect()
    }
}

/// Gives each of `entrants` a turn in each of `count` rounds.
pub fn run(entrants: Vec<Entrant<'_>>, count: usize) -> Vec<Series> {
    let entrants = warm_up(entrants);
    let mut all: Vec<Series> = entrants.iter().map(series).collect();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let mut shuffle = Shuffle::new(now.map_or(1, |now| now.subsec_nanos().into()));
    for _ in 0..count {
        match round(&entrants, &shuffle.order(entrants.len())) {
            Ok(samples) => samples.for_each(|(index, sample)| all[index].samples.push(sample)),
            Err(problem) => println!("a round is lost: {problem}"),
        }
    }
    all
}

/// Fills the page cache, and shows early who cannot do the work here.
fn warm_up(entrants: Vec<Entrant<'_>>) -> Vec<Entrant<'_>> {
    let works = |entrant: &Entrant<'_>| match (entrant.turn)() {
        Ok(_) => true,
        Err(problem) => {
            println!("{}: left out: {problem}", entrant.name);
            false
        }
    };
    entrants.into_iter().filter(works).collect()
}

fn series(entrant: &Entrant<'_>) -> Series {
    Series {
        name: entrant.name,
        samples: Vec::new(),
    }
}

/// A round counts only as a whole: what is compared saw the same machine.
fn round(
    entrants: &[Entrant<'_>],
    order: &[usize],
) -> Result<impl Iterator<Item = (usize, Sample)>, String> {
    let turn = |index: &usize| {
        let entrant = &entrants[*index];
        let sample = (entrant.turn)().map_err(|problem| format!("{}: {problem}", entrant.name))?;
        Ok((*index, sample))
    };
    let samples: Result<Vec<_>, String> = order.iter().map(turn).collect();
    Ok(samples?.into_iter())
}
