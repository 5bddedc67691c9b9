//! Exponential, logistic function and hyperbolic tangent in single precision, without branches.
//!
//! They are written so that the compiler turns a loop over them into vector instructions on any machine, and so that
//! their results do not depend on the machine: only additions, multiplications and divisions, never fused.

/// e to the power of `x`, within 2 units in the last place for results that are normal numbers; below about e^-87 the
/// result is zero or near it, above e^88 it is large but finite. NaN stays NaN.
///
/// Argument reduction and polynomial are those of Cephes' `expf` (S. Moshier, Cephes Mathematical Library 2.2).
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Adding and subtracting 1.5 * 2^23 rounds to the nearest integer, and leaves that integer in the low bits.
    const ROUNDER: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.3, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUNDER;
    let whole = shifted - ROUNDER;
    let rest = x - whole * LN_2_HIGH - whole * LN_2_LOW;
    let mut polynomial = 1.987_569_1e-4;
    polynomial = polynomial * rest + 1.398_199_9e-3;
    polynomial = polynomial * rest + 8.333_452e-3;
    polynomial = polynomial * rest + 4.166_579_6e-2;
    polynomial = polynomial * rest + 1.666_666_5e-1;
    polynomial = polynomial * rest + 0.5;
    let fraction = polynomial * (rest * rest) + rest + 1.0;
    // The low bits of `shifted`, moved into the exponent field, scale by two to that power.
    let scale = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000));
    fraction * scale
}

/// 1 / (1 + e^-x).
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// Hyperbolic tangent, within a few units in the last place.
///
/// The split at 0.625 and the polynomial are those of Cephes' `tanhf`; both sides are computed and one is taken.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    let square = x * x;
    let mut polynomial = -5.704_988_7e-3;
    polynomial = polynomial * square + 2.063_908_8e-2;
    polynomial = polynomial * square - 5.373_971_6e-2;
    polynomial = polynomial * square + 1.333_144_2e-1;
    polynomial = polynomial * square - 3.333_328e-1;
    let near = polynomial * square * x + x;
    let magnitude = x.abs();
    let far = (1.0 - 2.0 / (exp(2.0 * magnitude) + 1.0)).copysign(x);
    if magnitude < 0.625 { near } else { far }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Arguments over the whole range, dense around zero.
    fn arguments() -> impl Iterator<Item = f32> {
        (-200_000..=200_000).map(|step| {
            let fraction = step as f32 / 200_000.0;
            100.0 * fraction * fraction.abs()
        })
    }

    #[test]
    fn exponential_is_exact_to_two_units() {
        for x in arguments().filter(|x| (-87.0..=88.0).contains(x)) {
            let exact = f64::from(x).exp();
            let error = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(error < 2.4e-7, "exp({x}) = {} is off by {error}", exp(x));
        }
        assert!(exp(f32::NEG_INFINITY) < 1.5e-38);
        assert!(exp(f32::INFINITY) > 1e38);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn sigmoid_and_tanh_are_exact_to_a_few_units() {
        for x in arguments() {
            let exact = 1.0 / (1.0 + (-f64::from(x)).exp());
            assert!((f64::from(sigmoid(x)) - exact).abs() < 2.0e-7, "sigmoid({x}) = {}", sigmoid(x));
            let exact = f64::from(x).tanh();
            let error = (f64::from(tanh(x)) - exact).abs();
            assert!(error <= 4e-7 * exact.abs(), "tanh({x}) = {} is off by {error}", tanh(x));
        }
        assert_eq!(tanh(0.0), 0.0);
        assert!(sigmoid(f32::NAN).is_nan() && tanh(f32::NAN).is_nan());
    }
}
