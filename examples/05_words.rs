//! The fifth lesson: English spelling to sounds, by an LSTM that reads words in both directions and
//! says, for each letter, the phoneme that stands in its place.
//!
//! `cargo run --release --example 05_words`; the number of epochs may be given: `-- 1`.

use std::time::Instant;

use gradiron::prelude::*;
use gradiron::rng::Rng;

/// Words of the CMU Pronouncing Dictionary that have as many phonemes as letters.
const WORDS: &str = include_str!("data/cmudict/words.txt");

const LETTERS: usize = 27; // `a` to `z`, and nothing
const STEPS: usize = 12; // the letters of the longest word
const SOUNDS: usize = 39; // the phonemes of these words, and nothing
const BATCH: usize = 64;

model! {
    pub struct Speller {
        letter: Embedding(LETTERS -> 32),
        lstm: LSTM(32 -> 128, bidirectional = true),
        fc: Linear(256 -> SOUNDS),
    }

    fn forward(&self, word: Classes[batch, STEPS], len: Classes[batch]) -> [batch, STEPS, SOUNDS] {
        let (y, _h, _c) = self.lstm(self.letter(word), lengths = len);
        self.fc(y)
    }

    fn loss(
        &self,
        word: Classes[batch, STEPS],
        len: Classes[batch],
        sound: Classes[batch, STEPS],
    ) -> [] {
        let logits = self.forward(word, len).reshape([batch * STEPS, SOUNDS]);
        cross_entropy(logits, sound.reshape([batch * STEPS]))
    }
}

/// A word and its phonemes, numbers from 1 on, zeros behind its length.
#[derive(Clone, Copy)]
struct Word {
    letters: [u8; STEPS],
    length: u8,
    sounds: [u8; STEPS],
}

/// The words, and the names of the phonemes.
fn read(text: &'static str) -> (Vec<Word>, Vec<&'static str>) {
    let mut names = vec!["-"];
    let mut words = Vec::new();
    for line in text.lines() {
        let mut parts = line.split(' ');
        let letters = parts.next().unwrap_or_default().bytes();
        let mut word = Word { letters: [0; STEPS], length: 0, sounds: [0; STEPS] };
        for ((letter, sound), i) in letters.zip(parts).zip(0..STEPS) {
            let known = names.iter().position(|name| *name == sound);
            let number = known.unwrap_or_else(|| {
                names.push(sound);
                names.len() - 1
            });
            word.letters[i] = letter - b'a' + 1;
            word.sounds[i] = number as u8;
            word.length = i as u8 + 1;
        }
        words.push(word);
    }
    (words, names)
}

/// The letters and lengths of a batch.
fn inputs(words: &[Word]) -> (Vec<[u8; STEPS]>, Vec<u8>) {
    words.iter().map(|word| (word.letters, word.length)).unzip()
}

/// How many phonemes and how many whole words are right where `guess` says which are.
fn accuracy(words: &[Word], guesses: &[[u8; STEPS]]) -> (f32, f32) {
    let (mut right, mut sounds, mut whole) = (0, 0, 0);
    for (word, guess) in words.iter().zip(guesses) {
        let length = usize::from(word.length);
        let pairs = word.sounds.iter().zip(guess).take(length);
        let same = pairs.filter(|(sound, guess)| sound == guess).count();
        (right, sounds, whole) =
            (right + same, sounds + length, whole + usize::from(same == length));
    }
    (100.0 * right as f32 / sounds as f32, 100.0 * whole as f32 / words.len() as f32)
}

/// The phoneme that each letter has most often.
fn most_frequent(words: &[Word]) -> [u8; LETTERS] {
    let mut counts = [[0; SOUNDS]; LETTERS];
    for (letter, sound) in words.iter().flat_map(|word| word.letters.iter().zip(word.sounds)) {
        counts[usize::from(*letter)][usize::from(sound)] += 1;
    }
    counts.map(|row| (0..SOUNDS).max_by_key(|sound| row[*sound]).unwrap_or(0) as u8)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let epochs = match std::env::args().nth(1) {
        Some(text) => {
            text.parse().map_err(|_| format!("expected a number of epochs, found `{text}`"))?
        }
        None => 10,
    };
    let (mut train, names) = read(WORDS);
    assert_eq!(names.len(), SOUNDS);
    let test = train.split_off(train.len() * 9 / 10);
    println!("{} words to learn, {} to test", train.len(), test.len());
    let usual = most_frequent(&train);
    let guesses: Vec<_> =
        test.iter().map(|word| word.letters.map(|letter| usual[usize::from(letter)])).collect();
    let (sounds, words) = accuracy(&test, &guesses);
    println!("each letter's usual phoneme: {sounds:.1} % of phonemes, {words:.1} % of words");

    let mut net = Speller::init(Seed(0));
    let mut ws = Speller::workspace(BATCH)?;
    let mut adam = Adam::new(&net, 2e-3)?.clip_norm(1.0)?;
    let (mut rng, start) = (Rng::new(Seed(1), 0), Instant::now());
    let mut guesses = Vec::new();
    for epoch in 1..=epochs {
        (1..train.len()).rev().for_each(|i| train.swap(i, rng.below(i + 1)));
        let mut sum = 0.0;
        for words in train.chunks(BATCH) {
            let sounds: Vec<_> = words.iter().map(|word| word.sounds).collect();
            let (letters, lengths) = inputs(words);
            sum += net.loss_grad(&mut ws, &letters, &lengths, &sounds)? * words.len() as f32;
            adam.step(&mut net, ws.grads());
        }
        guesses.clear();
        for words in test.chunks(BATCH) {
            let (letters, lengths) = inputs(words);
            let logits = net.forward(&mut ws, &letters, &lengths)?;
            let best = |row: &[f32; SOUNDS]| {
                (1..SOUNDS).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap_or(0) as u8
            };
            guesses.extend(logits.iter().map(|rows| rows.each_ref().map(best)));
        }
        let (sounds, words) = accuracy(&test, &guesses);
        let (loss, seconds) = (sum / train.len() as f32, start.elapsed().as_secs_f32());
        println!(
            "epoch {epoch:2}: loss {loss:.3}, test {sounds:.1} % of phonemes, \
             {words:.1} % of words, {seconds:.1} s"
        );
    }
    for (word, guess) in test.iter().zip(&guesses).take(8) {
        let length = usize::from(word.length);
        let letters: String =
            word.letters[..length].iter().map(|x| (b'a' - 1 + x) as char).collect();
        let say = |sounds: &[u8]| {
            sounds.iter().map(|s| names[usize::from(*s)]).collect::<Vec<_>>().join(" ")
        };
        println!("{letters:12} {:28} is {}", say(&guess[..length]), say(&word.sounds[..length]));
    }
    Ok(())
}
