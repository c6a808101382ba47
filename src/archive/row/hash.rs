//! The hash of a text, as the server computes it.

/// `hashtextextended(text, seed)` as PostgreSQL computes it (`hash_bytes_extended`, by Bob Jenkins) on a
/// machine whose numbers begin with their lowest byte.
pub fn hash_extended(bytes: &[u8], seed: u64) -> i64 {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let start = 0x9e37_79b9_u32.wrapping_add(length).wrapping_add(3_923_095);
    let mut state = State(start, start, start);
    if seed != 0 {
        let [low, high] = halves(seed);
        state.0 = state.0.wrapping_add(high);
        state.1 = state.1.wrapping_add(low);
        state.mix();
    }
    let (chunks, rest) = bytes.as_chunks::<12>();
    for chunk in chunks {
        state.add(chunk);
        state.mix();
    }
    let mut last = [0; 12];
    // The lowest byte of the last number was meant for the length, and stays nothing.
    let places = last.iter_mut().enumerate().filter(|(at, _)| *at != 8);
    for ((_, place), byte) in places.zip(rest) {
        *place = *byte;
    }
    state.add(&last);
    state.end();
    (i64::from(state.1) << 32) | i64::from(state.2)
}

/// Returns the lower and the upper half.
fn halves(seed: u64) -> [u32; 2] {
    [seed & 0xffff_ffff, seed >> 32].map(|half| u32::try_from(half).unwrap_or_default())
}

struct State(u32, u32, u32);

impl State {
    #[inline]
    fn add(&mut self, chunk: &[u8; 12]) {
        let (words, _) = chunk.as_chunks::<4>();
        let numbers = [&mut self.0, &mut self.1, &mut self.2];
        for (number, word) in numbers.into_iter().zip(words) {
            *number = number.wrapping_add(u32::from_le_bytes(*word));
        }
    }

    #[inline]
    fn mix(&mut self) {
        let Self(mut a, mut b, mut c) = *self;
        (a, c) = step(a, b, c, 4);
        (b, a) = step(b, c, a, 6);
        (c, b) = step(c, a, b, 8);
        (a, c) = step(a, b, c, 16);
        (b, a) = step(b, c, a, 19);
        (c, b) = step(c, a, b, 4);
        *self = Self(a, b, c);
    }

    fn end(&mut self) {
        let Self(mut a, mut b, mut c) = *self;
        c = last(c, b, 14);
        a = last(a, c, 11);
        b = last(b, a, 25);
        c = last(c, b, 16);
        a = last(a, c, 4);
        b = last(b, a, 14);
        c = last(c, b, 24);
        *self = Self(a, b, c);
    }
}

/// Takes `c` from `a`, and adds `b` to `c`: returns both.
#[inline]
fn step(a: u32, b: u32, c: u32, by: u32) -> (u32, u32) {
    (a.wrapping_sub(c) ^ c.rotate_left(by), c.wrapping_add(b))
}

#[inline]
fn last(a: u32, b: u32, by: u32) -> u32 {
    (a ^ b).wrapping_sub(b.rotate_left(by))
}

#[cfg(test)]
mod tests {
    use super::*;

    // What PostgreSQL says: SELECT hashtextextended('', 0). More of them are compared in tests/pg/pg_rows.rs.
    #[test]
    fn the_empty_text_has_the_hash_of_the_server() {
        assert_eq!(hash_extended(b"", 0), -6_939_563_903_564_495_251);
    }
}
