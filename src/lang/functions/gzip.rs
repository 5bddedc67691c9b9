//! `base64gzip`: the compression that Terraform's users have digests of in their states, so its bytes must be Terraform's.
//!
//! Format: RFC 1952 around RFC 1951. The search for repetitions is zlib's lazy one over chains of hashes of four bytes, with the limits
//! that Go's default level has; blocks are stored, or coded with fixed or own Huffman codes, whichever is shortest; a synchronization
//! marker and an empty last block come at the end. Decompression is not needed.

use std::collections::HashMap;

const MIN_MATCH: usize = 4;
const MAX_MATCH: usize = 258;
const WINDOW: usize = 1 << 15;
/// A match of this length is taken without looking for a longer one at the next byte.
const LAZY: usize = 16;
/// A match of this length ends the search.
const NICE: usize = 128;
/// How many earlier places are looked at.
const CHAIN: usize = 128;
/// Matches of the least length are not worth it from farther away.
const NEAR: usize = 4096;
const TOKENS_PER_BLOCK: usize = 1 << 14;
const MAX_STORED: usize = 65_535;

const END_OF_BLOCK: usize = 256;
const LENGTH_BASES: [usize; 29] =
    [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
const LENGTH_BITS: [u32; 29] = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCE_BASES: [usize; 30] = [
    1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
    8193, 12289, 16385, 24577,
];
const DISTANCE_BITS: [u32; 30] =
    [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13];
/// The order in which lengths of the codes of code lengths are written.
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// The bytes in gzip's format.
pub(super) fn compress(input: &[u8]) -> Vec<u8> {
    let mut writer = BitWriter { bytes: vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff], bits: 0, count: 0 };
    let mut block_start = 0;
    for block in blocks(input) {
        block.write(&input[block_start..block.end], &mut writer);
        block_start = block.end;
    }
    writer.stored(&[], false);
    writer.stored(&[], true);
    writer.bytes.extend(crc32fast::hash(input).to_le_bytes());
    writer.bytes.extend((input.len() as u32).to_le_bytes());
    writer.bytes
}

#[derive(Clone, Copy)]
enum Token {
    Literal(u8),
    Match { length: usize, distance: usize },
}

/// Tokens, and where in the input they end.
struct Block {
    tokens: Vec<Token>,
    end: usize,
}

/// Where the same four bytes stood before.
struct Chains {
    heads: HashMap<u32, usize>,
    previous: Vec<Option<usize>>,
}

impl Chains {
    /// Remembers a place; returns the one before.
    fn insert(&mut self, input: &[u8], at: usize) -> Option<usize> {
        let four = input.get(at..at + MIN_MATCH)?;
        let mut key = [0; 4];
        key.copy_from_slice(four);
        let before = self.heads.insert(hash(u32::from_be_bytes(key)), at);
        self.previous[at] = before;
        before
    }

    /// Length and distance of the longest earlier repetition of what stands at a place.
    fn longest(&self, input: &[u8], at: usize, first: usize) -> Option<(usize, usize)> {
        let most = MAX_MATCH.min(input.len() - at);
        let nice = NICE.min(most);
        let mut best = None;
        let mut length = MIN_MATCH - 1;
        let mut candidate = first;
        for _ in 0..CHAIN {
            if input[candidate + length] == input[at + length] {
                let same = (0..most).take_while(|offset| input[candidate + offset] == input[at + offset]).count();
                if same > length && (same > MIN_MATCH || at - candidate <= NEAR) {
                    length = same;
                    best = Some((same, at - candidate));
                    if same >= nice {
                        break;
                    }
                }
            }
            match self.previous[candidate] {
                Some(before) if candidate + WINDOW != at && before + WINDOW >= at => candidate = before,
                _ => break,
            }
        }
        best
    }
}

/// Only places with the same hash are looked at, so that which hash it is decides what the limit on their number cuts off.
fn hash(four_bytes: u32) -> u32 {
    four_bytes.wrapping_mul(0x1e35_a7bd) >> (32 - 17)
}

/// The input as blocks of tokens.
fn blocks(input: &[u8]) -> Vec<Block> {
    let mut found = Vec::new();
    let mut tokens = Vec::new();
    let mut chains = Chains { heads: HashMap::new(), previous: vec![None; input.len()] };
    let mut at = 0;
    // The match at the byte before, which is taken unless this byte has a longer one.
    let mut pending = (MIN_MATCH - 1, 0);
    let mut literal_pending = false;
    while at < input.len() {
        let before = chains.insert(input, at);
        let (length, distance) = pending;
        pending = (MIN_MATCH - 1, 0);
        if let Some(before) = before.filter(|before| before + WINDOW >= at)
            && input.len() - at > length
            && length < LAZY
            && let Some(longest) = chains.longest(input, at, before)
        {
            pending = longest;
        }
        if length >= MIN_MATCH && pending.0 <= length {
            tokens.push(Token::Match { length, distance });
            let end = at + length - 1;
            for inside in at + 1..end {
                chains.insert(input, inside);
            }
            at = end;
            pending = (MIN_MATCH - 1, 0);
            literal_pending = false;
            if tokens.len() == TOKENS_PER_BLOCK {
                found.push(Block { tokens: std::mem::take(&mut tokens), end: at });
            }
        } else {
            if literal_pending {
                tokens.push(Token::Literal(input[at - 1]));
                if tokens.len() == TOKENS_PER_BLOCK {
                    found.push(Block { tokens: std::mem::take(&mut tokens), end: at });
                }
            }
            at += 1;
            literal_pending = true;
        }
    }
    if literal_pending {
        tokens.push(Token::Literal(input[at - 1]));
    }
    if !tokens.is_empty() {
        found.push(Block { tokens, end: at });
    }
    found
}

/// The number of the range that a value lies in.
fn range_of(bases: &[usize], value: usize) -> usize {
    bases.partition_point(|base| *base <= value) - 1
}

impl Block {
    fn write(&self, input: &[u8], writer: &mut BitWriter) {
        let mut literals = vec![0_u32; 286];
        let mut distances = vec![0_u32; 30];
        let mut extra_bits = 0;
        for token in &self.tokens {
            match token {
                Token::Literal(byte) => literals[usize::from(*byte)] += 1,
                Token::Match { length, distance } => {
                    let (length, distance) = (range_of(&LENGTH_BASES, *length), range_of(&DISTANCE_BASES, *distance));
                    literals[END_OF_BLOCK + 1 + length] += 1;
                    distances[distance] += 1;
                    extra_bits += LENGTH_BITS[length] + DISTANCE_BITS[distance];
                }
            }
        }
        literals[END_OF_BLOCK] = 1;
        if distances.iter().all(|count| *count == 0) {
            // A code for distances must have at least one symbol; it counts for the fixed one, too.
            distances[0] = 1;
        }
        let fixed = (Codes::fixed_literals(), Codes::fixed_distances());
        let fixed_size = 3 + fixed.0.size(&literals) + fixed.1.size(&distances) + extra_bits;
        let own = (Codes::of(&literals, 15), Codes::of(&distances, 15));
        let header = Header::of(&own.0.lengths, &own.1.lengths);
        let own_size = header.size() + own.0.size(&literals) + own.1.size(&distances) + extra_bits;
        let size = own_size.min(fixed_size);
        if input.len() <= MAX_STORED && (input.len() as u32 + 5) * 8 < size {
            writer.stored(input, false);
        } else if own_size < fixed_size {
            header.write(writer);
            self.write_tokens(&own, writer);
        } else {
            writer.put(2, 3);
            self.write_tokens(&fixed, writer);
        }
    }

    fn write_tokens(&self, (literals, distances): &(Codes, Codes), writer: &mut BitWriter) {
        for token in &self.tokens {
            match token {
                Token::Literal(byte) => literals.write(usize::from(*byte), writer),
                Token::Match { length, distance } => {
                    let range = range_of(&LENGTH_BASES, *length);
                    literals.write(END_OF_BLOCK + 1 + range, writer);
                    writer.put((length - LENGTH_BASES[range]) as u32, LENGTH_BITS[range]);
                    let range = range_of(&DISTANCE_BASES, *distance);
                    distances.write(range, writer);
                    writer.put((distance - DISTANCE_BASES[range]) as u32, DISTANCE_BITS[range]);
                }
            }
        }
        literals.write(END_OF_BLOCK, writer);
    }
}

/// A prefix code: bits and their number by symbol.
struct Codes {
    bits: Vec<u32>,
    lengths: Vec<u32>,
}

impl Codes {
    fn fixed_literals() -> Self {
        let length = |symbol| match symbol {
            0..144 => 8,
            144..256 => 9,
            256..280 => 7,
            _ => 8,
        };
        Self::canonical((0..288).map(length).collect())
    }

    fn fixed_distances() -> Self {
        Self::canonical(vec![5; 30])
    }

    /// The best code with no more than `most` bits for symbols that occur so often.
    fn of(counts: &[u32], most: usize) -> Self {
        let mut used: Vec<(u32, usize)> = counts
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
            .map(|(symbol, count)| (*count, symbol))
            .collect();
        let mut lengths = vec![0; counts.len()];
        if used.len() <= 2 {
            used.iter().for_each(|(_, symbol)| lengths[*symbol] = 1);
            return Self::canonical(lengths);
        }
        used.sort_unstable();
        // Package-merge (Larmore and Hirschberg, 1990): in each round the symbols are merged with pairs of the round before, pairs first
        // where they weigh the same; every occurrence of a symbol in the cheapest 2n - 2 items of the last round is a bit.
        let mut items: Vec<(u32, Vec<usize>)> = Vec::new();
        for _ in 0..most.min(used.len() - 1) {
            let mut pairs = items.chunks_exact(2).map(|pair| {
                let mut symbols = pair[0].1.clone();
                symbols.extend(&pair[1].1);
                (pair[0].0 + pair[1].0, symbols)
            });
            let mut next_pair = pairs.next();
            let mut merged = Vec::with_capacity(2 * used.len());
            for (count, symbol) in &used {
                while let Some(pair) = next_pair.take_if(|pair| pair.0 <= *count) {
                    merged.push(pair);
                    next_pair = pairs.next();
                }
                merged.push((*count, vec![*symbol]));
            }
            merged.extend(next_pair.into_iter().chain(pairs));
            items = merged;
        }
        for (_, symbols) in items.iter().take(2 * used.len() - 2) {
            symbols.iter().for_each(|symbol| lengths[*symbol] += 1);
        }
        Self::canonical(lengths)
    }

    /// RFC 1951, section 3.2.2: codes of the same length in the order of their symbols.
    fn canonical(lengths: Vec<u32>) -> Self {
        let mut bits = vec![0; lengths.len()];
        let mut code: u32 = 0;
        for length in 1..=15 {
            code <<= 1;
            for (symbol, _) in lengths.iter().enumerate().filter(|(_, own)| **own == length) {
                bits[symbol] = code.reverse_bits() >> (32 - length);
                code += 1;
            }
        }
        Self { bits, lengths }
    }

    fn size(&self, counts: &[u32]) -> u32 {
        counts.iter().zip(&self.lengths).map(|(count, length)| count * length).sum()
    }

    fn write(&self, symbol: usize, writer: &mut BitWriter) {
        writer.put(self.bits[symbol], self.lengths[symbol]);
    }
}

/// The head of a block with its own codes: their lengths, with runs of the same length shortened.
struct Header {
    literals: usize,
    distances: usize,
    /// Symbol, extra value, and its bits.
    runs: Vec<(usize, u32, u32)>,
    codes: Codes,
    counts: Vec<u32>,
    lengths_written: usize,
}

impl Header {
    fn of(literals: &[u32], distances: &[u32]) -> Self {
        let used = |lengths: &[u32]| lengths.iter().rposition(|length| *length > 0).map_or(0, |last| last + 1);
        let (literal_count, distance_count) = (used(literals), used(distances));
        let all = [&literals[..literal_count], &distances[..distance_count]].concat();
        let mut runs = Vec::new();
        for run in all.chunk_by(|a, b| a == b) {
            let length = run[0] as usize;
            let mut left = run.len();
            if length > 0 {
                runs.push((length, 0, 0));
                left -= 1;
                while left >= 3 {
                    let count = left.min(6);
                    runs.push((16, count as u32 - 3, 2));
                    left -= count;
                }
            } else {
                while left >= 11 {
                    let count = left.min(138);
                    runs.push((18, count as u32 - 11, 7));
                    left -= count;
                }
                if left >= 3 {
                    runs.push((17, left as u32 - 3, 3));
                    left = 0;
                }
            }
            runs.extend(std::iter::repeat_n((length, 0, 0), left));
        }
        let mut counts = vec![0; ORDER.len()];
        runs.iter().for_each(|(symbol, _, _)| counts[*symbol] += 1);
        let codes = Codes::of(&counts, 7);
        let last = ORDER.iter().rposition(|symbol| counts[*symbol] > 0).unwrap_or(0);
        Self {
            literals: literal_count,
            distances: distance_count,
            runs,
            codes,
            counts,
            lengths_written: (last + 1).max(4),
        }
    }

    fn size(&self) -> u32 {
        let extra: u32 = self.runs.iter().map(|(_, _, bits)| bits).sum();
        3 + 5 + 5 + 4 + 3 * self.lengths_written as u32 + self.codes.size(&self.counts) + extra
    }

    fn write(&self, writer: &mut BitWriter) {
        writer.put(4, 3);
        writer.put(self.literals as u32 - 257, 5);
        writer.put(self.distances as u32 - 1, 5);
        writer.put(self.lengths_written as u32 - 4, 4);
        for symbol in &ORDER[..self.lengths_written] {
            writer.put(self.codes.lengths[*symbol], 3);
        }
        for (symbol, extra, bits) in &self.runs {
            self.codes.write(*symbol, writer);
            writer.put(*extra, *bits);
        }
    }
}

/// Bits, the lowest of each byte first.
struct BitWriter {
    bytes: Vec<u8>,
    bits: u64,
    count: u32,
}

impl BitWriter {
    fn put(&mut self, value: u32, count: u32) {
        self.bits |= u64::from(value) << self.count;
        self.count += count;
        while self.count >= 8 {
            self.bytes.push(self.bits as u8);
            self.bits >>= 8;
            self.count -= 8;
        }
    }

    /// A block of bytes as they are; it begins at a whole byte.
    fn stored(&mut self, bytes: &[u8], is_last: bool) {
        self.put(u32::from(is_last), 3);
        if self.count > 0 {
            self.put(0, 8 - self.count);
        }
        let length = bytes.len() as u16;
        self.bytes.extend(length.to_le_bytes());
        self.bytes.extend((!length).to_le_bytes());
        self.bytes.extend(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an independent reader makes of it.
    fn decompressed(bytes: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(bytes), &mut text).expect("valid gzip");
        text
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, cases: 64, ..Default::default() })]

        #[test]
        fn an_independent_reader_gets_the_input_back(parts in proptest::collection::vec((0..6_usize, 0..400_usize), 0..60)) {
            let words: [&[u8]; 6] = [b"a", b"terraform ", b"\x00\xff", b"xyzzy-", b"0123456789", b"\n  "];
            let input: Vec<u8> = parts
                .iter()
                .flat_map(|(word, times)| words[*word].repeat(times % 50).into_iter().chain([*times as u8]))
                .collect();
            proptest::prop_assert_eq!(decompressed(&compress(&input)), input);
        }
    }

    #[test]
    fn long_input_takes_several_blocks() {
        let mut state = 1_u32;
        let input: Vec<u8> = (0..200_000)
            .map(|index| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if index % 7 < 3 { b'a' } else { (state >> 24) as u8 }
            })
            .collect();
        assert_eq!(decompressed(&compress(&input)), input);
    }
}
