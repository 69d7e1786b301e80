//! What the people of a big database say: the same in every run, with words as common and as rare as those of a language.

/// The words that everybody uses, most common first. Three of them begin with `wo`.
const COMMON: [&str; 24] = [
    "the", "to", "and", "we", "you", "of", "is", "it", "in", "that", "for", "work", "on", "have", "with", "this",
    "not", "would", "be", "are", "can", "tea", "green", "world",
];
/// What all other words are made of.
const SYLLABLES: [&str; 40] = [
    "ba", "be", "bo", "da", "de", "do", "fa", "fe", "fo", "ga", "ge", "go", "ka", "ke", "ko", "la", "le", "lo", "ma",
    "me", "mo", "na", "ne", "no", "pa", "pe", "po", "ra", "re", "ro", "sa", "se", "so", "ta", "te", "to", "va", "ve",
    "wo", "za",
];
/// How many words there are.
const WORDS: u64 = 30_000;
/// The letters of those who write without spaces, most common first, from here on.
const FIRST_HAN: u32 = '\u{4e00}' as u32;
/// How many of them are used.
const HAN: u64 = 2000;

/// A word that stands in ten messages, wherever one is looked for.
pub(crate) const RARE: &str = "quokka";
/// A name in Han that stands in one of 2500 messages.
pub(crate) const STATION: &str = "東京駅";

/// Numbers that look like random ones, always the same.
pub(crate) struct Dice(u64);

impl Dice {
    /// What begins with another seed goes on in another way.
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    // SplitMix64, https://prng.di.unimi.it/splitmix64.c.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `0..below`.
    pub(crate) fn below(&mut self, below: u64) -> u64 {
        self.next() % below.max(1)
    }

    /// True once in so many times.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// A number in `0..below`: 0 most often, and each the more rarely the higher it is, as words and speakers are.
    pub(crate) fn rank(&mut self, below: u64) -> u64 {
        let part = self.next() as f64 / u64::MAX as f64;
        (((below as f64 + 1.0).powf(part) - 1.0) as u64).min(below.saturating_sub(1))
    }
}

/// Something that somebody could say.
pub(crate) fn text(dice: &mut Dice) -> String {
    let mut text = String::with_capacity(120);
    if dice.once_in(40) {
        for _ in 0..8 + dice.below(24) {
            text.extend(char::from_u32(FIRST_HAN + dice.rank(HAN) as u32));
        }
        if dice.once_in(60) {
            text.push_str(STATION);
        }
        return text;
    }
    for number in 0..4 + dice.below(16) {
        if number > 0 {
            text.push(' ');
        }
        word(dice.rank(WORDS), &mut text);
    }
    if dice.once_in(50) {
        text.push_str(" https://example.org/");
        word(dice.rank(WORDS), &mut text);
    }
    text
}

fn word(rank: u64, text: &mut String) {
    match usize::try_from(rank).ok().and_then(|rank| COMMON.get(rank)) {
        Some(word) => text.push_str(word),
        None => {
            // Each number has a word of its own.
            let mut left = rank;
            while left > 0 {
                text.push_str(SYLLABLES[left as usize % SYLLABLES.len()]);
                left /= SYLLABLES.len() as u64;
            }
            text.push('n');
        }
    }
}
