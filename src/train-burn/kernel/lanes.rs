//! Sixteen rows of a batch side by side: the number that every kernel computes with, and its functions.
//!
//! A [`Row`] holds one quantity (a feature, a unit of the state, a gate) of sixteen sequences at one step. All functions
//! here are plain loops over its lanes, inlined into a caller compiled for the machine's vector instructions (`dispatch`),
//! where the compiler turns each into a few instructions.

/// Sequences that are computed side by side: one 64-byte cache line of `f32`.
pub(crate) const LANES: usize = 16;

/// One quantity of [`LANES`] sequences.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub(crate) struct Row(pub(crate) [f32; LANES]);

/// All bits set in the lanes whose sequence has begun, none in the others.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Mask(pub(crate) [u32; LANES]);

/// How a product is added: in one rounding where the machine has an instruction for it, else in two.
///
/// `f32::mul_add` without that instruction is a call into the C library, hundreds of times slower.
pub(crate) trait Arithmetic: Copy {
    /// `a * b + c`.
    fn mul_add(a: f32, b: f32, c: f32) -> f32;
}

/// One rounding: for machines with a fused multiply-add instruction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fused;

/// Two roundings: for every machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Separate;

impl Arithmetic for Fused {
    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }
}

impl Arithmetic for Separate {
    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a * b + c
    }
}

impl Row {
    /// Zero in every lane.
    pub(crate) const ZERO: Row = Row([0.0; LANES]);

    /// The same number in every lane.
    #[inline(always)]
    pub(crate) fn splat(value: f32) -> Row {
        Row([value; LANES])
    }

    /// `self + row * factor`.
    #[inline(always)]
    pub(crate) fn add_product<A: Arithmetic>(self, row: Row, factor: f32) -> Row {
        let mut sum = self.0;
        for (sum, value) in sum.iter_mut().zip(row.0) {
            *sum = A::mul_add(value, factor, *sum);
        }
        Row(sum)
    }

    /// `self + other`.
    #[inline(always)]
    pub(crate) fn add(self, other: Row) -> Row {
        let mut sum = self.0;
        for (sum, value) in sum.iter_mut().zip(other.0) {
            *sum += value;
        }
        Row(sum)
    }

    /// The logistic function of every lane.
    #[inline(always)]
    pub(crate) fn sigmoid<A: Arithmetic>(self) -> Row {
        let mut out = self.0;
        for value in &mut out {
            *value = sigmoid::<A>(*value);
        }
        Row(out)
    }

    /// The hyperbolic tangent of every lane.
    #[inline(always)]
    pub(crate) fn tanh<A: Arithmetic>(self) -> Row {
        let mut out = self.0;
        for value in &mut out {
            *value = tanh::<A>(*value);
        }
        Row(out)
    }

    /// Sum of the lanes.
    pub(crate) fn sum(self) -> f64 {
        self.0.iter().map(|value| f64::from(*value)).sum()
    }
}

/// `value` where `mask` is all ones, zero (whatever `value` is, NaN included) where it is zero.
#[inline(always)]
pub(crate) fn masked(value: f32, mask: u32) -> f32 {
    f32::from_bits(value.to_bits() & mask)
}

/// `e^x`, within 2 units in the last place between -87 and 87 and clamped outside; NaN stays NaN.
///
/// Reduction to `|r| <= ln 2 / 2` with a two-part ln 2, then the degree-5 polynomial of Cephes' `expf` (S. Moshier).
#[inline(always)]
pub(crate) fn exp<A: Arithmetic>(x: f32) -> f32 {
    const LIMIT: f32 = 87.0;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    // Adding 1.5 * 2^23 rounds to an integer, which then stands in the low bits of the sum.
    const ROUND: f32 = 12_582_912.0;

    let x = if x < -LIMIT { -LIMIT } else { x };
    let x = if x > LIMIT { LIMIT } else { x };
    let shifted = A::mul_add(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = A::mul_add(n, -LN_2_HIGH, x);
    let r = A::mul_add(n, -LN_2_LOW, r);
    let mut p = 1.987_569_1e-4;
    p = A::mul_add(p, r, 1.398_199_9e-3);
    p = A::mul_add(p, r, 8.333_452e-3);
    p = A::mul_add(p, r, 4.166_579_6e-2);
    p = A::mul_add(p, r, 1.666_666_5e-1);
    p = A::mul_add(p, r, 0.5);
    let y = A::mul_add(p, r * r, r) + 1.0;
    let power_of_two = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000));
    y * power_of_two
}

/// `1 / (1 + e^-x)`, within 3 units in the last place.
#[inline(always)]
pub(crate) fn sigmoid<A: Arithmetic>(x: f32) -> f32 {
    1.0 / (1.0 + exp::<A>(-x))
}

/// `tanh x`, within 6 units in the last place.
///
/// The rational approximation (odd degree 13 over even degree 6) that Eigen and XLA use; it reaches 1 at the clamp.
#[inline(always)]
pub(crate) fn tanh<A: Arithmetic>(x: f32) -> f32 {
    const LIMIT: f32 = 7.905_311;
    let x = if x < -LIMIT { -LIMIT } else { x };
    let x = if x > LIMIT { LIMIT } else { x };
    let square = x * x;
    let mut numerator = -2.760_768_5e-16;
    numerator = A::mul_add(numerator, square, 2.000_188e-13);
    numerator = A::mul_add(numerator, square, -8.604_672e-11);
    numerator = A::mul_add(numerator, square, 5.122_297e-8);
    numerator = A::mul_add(numerator, square, 1.485_722_4e-5);
    numerator = A::mul_add(numerator, square, 6.372_619e-4);
    numerator = A::mul_add(numerator, square, 4.893_524_6e-3);
    let mut denominator = 1.198_258_4e-6;
    denominator = A::mul_add(denominator, square, 1.185_347_1e-4);
    denominator = A::mul_add(denominator, square, 2.268_434_6e-3);
    denominator = A::mul_add(denominator, square, 4.893_525e-3);
    x * numerator / denominator
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Distance in units in the last place of `exact`.
    fn units_in_last_place(found: f32, exact: f64) -> f64 {
        let nearest = exact as f32;
        let next = f32::from_bits(nearest.abs().to_bits() + 1);
        (f64::from(found) - exact).abs() / f64::from(next - nearest.abs())
    }

    /// The worst distance over about a million numbers between the limits, most of them small.
    fn worst(limit: f32, found: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64) -> f64 {
        let mut worst = 0.0_f64;
        for bits in (0x3000_0000..limit.to_bits()).step_by(601) {
            for x in [f32::from_bits(bits), -f32::from_bits(bits)] {
                worst = worst.max(units_in_last_place(found(x), exact(f64::from(x))));
            }
        }
        worst
    }

    fn check<A: Arithmetic>() {
        assert!(worst(87.0, exp::<A>, f64::exp) < 2.0);
        assert!(worst(80.0, sigmoid::<A>, |x| 1.0 / (1.0 + (-x).exp())) < 3.0);
        assert!(worst(20.0, tanh::<A>, f64::tanh) < 6.0);
    }

    #[test]
    fn functions_are_within_their_bounds() {
        check::<Fused>();
        check::<Separate>();
    }

    #[test]
    fn ends_of_the_range() {
        assert_eq!(sigmoid::<Fused>(f32::INFINITY), 1.0);
        assert!(sigmoid::<Fused>(f32::NEG_INFINITY) < 1e-37);
        assert!((tanh::<Fused>(f32::INFINITY) - 1.0).abs() < 1e-6);
        assert_eq!(tanh::<Fused>(-0.0).to_bits(), (-0.0_f32).to_bits());
        assert!(exp::<Fused>(f32::NAN).is_nan() && tanh::<Fused>(f32::NAN).is_nan());
        assert_eq!(masked(f32::NAN, 0).to_bits(), 0);
        assert_eq!(masked(-1.5, u32::MAX), -1.5);
    }
}
