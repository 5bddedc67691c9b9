//! Picks, when the program runs, the compilation of the kernels for this machine's vector instructions.
//!
//! The only unsafe code of this crate: calling a function that was compiled for instructions which only some machines
//! have. Each call stands behind the check that this machine has them. The functions themselves are safe Rust, the same
//! source for every machine.

#![allow(unsafe_code)]

use super::cell::Cell;
use super::lanes::{Fused, LANES, Row, Separate};
use super::packed::{Packed, RecurrentWeights};
use super::recurrence::{self, Panel, Scratch, Upstream};
use super::tile::Outer;

/// Outputs of a tile where there are sixteen 256-bit registers, or thirty-two 128-bit ones.
const TILE: usize = 6;
/// Outputs of a tile where there are thirty-two 512-bit registers.
const WIDE_TILE: usize = 12;
/// Partial sums of a weight's gradient where registers have at most 256 bits.
const SUMS: usize = 8;
/// The same where registers have 512 bits.
const WIDE_SUMS: usize = LANES;

/// The vector instructions that the kernels were compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// What every machine of the architecture has.
    Portable,
    /// x86-64 with AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// x86-64 with AVX-512.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

#[cfg(any(target_arch = "aarch64", target_feature = "fma"))]
type Baseline = Fused;
#[cfg(not(any(target_arch = "aarch64", target_feature = "fma")))]
type Baseline = Separate;

impl Level {
    /// The best that this machine has.
    pub(crate) fn detect() -> Level {
        Level::available().last().copied().unwrap_or(Level::Portable)
    }

    /// All that this machine has, the best last.
    pub(crate) fn available() -> &'static [Level] {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if avx2 && is_x86_feature_detected!("avx512f") {
                return &[Level::Portable, Level::Avx2, Level::Avx512];
            }
            if avx2 {
                return &[Level::Portable, Level::Avx2];
            }
        }
        &[Level::Portable]
    }

    /// Packs weights for [`Level::forward`] and [`Level::backward`] of the same level.
    pub(super) fn pack<C: Cell>(self, weights: &RecurrentWeights<'_>) -> Packed {
        match self {
            Level::Portable => Packed::new::<C>(weights, TILE),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => Packed::new::<C>(weights, TILE),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => Packed::new::<C>(weights, WIDE_TILE),
        }
    }

    /// See [`recurrence::forward`].
    pub(super) fn forward<C: Cell>(self, packed: &Packed, panel: &mut Panel, keep: bool) {
        match self {
            Level::Portable => recurrence::forward::<C, Baseline, TILE>(packed, panel, keep),
            // SAFETY: a level other than `Portable` comes from `available`, which found its instructions on this machine.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { forward_avx2::<C>(packed, panel, keep) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { forward_avx512::<C>(packed, panel, keep) },
        }
    }

    /// See [`recurrence::clear`].
    pub(super) fn clear<C: Cell>(self, packed: &Packed, scratch: &mut Scratch) {
        match self {
            Level::Portable => recurrence::clear::<C, SUMS>(packed, scratch),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => recurrence::clear::<C, SUMS>(packed, scratch),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => recurrence::clear::<C, WIDE_SUMS>(packed, scratch),
        }
    }

    /// See [`recurrence::backward`].
    pub(super) fn backward<C: Cell>(
        self,
        packed: &Packed,
        panel: &Panel,
        upstream: &Upstream<'_>,
        scratch: &mut Scratch,
        input_gradient: Option<&mut [Row]>,
    ) {
        match self {
            Level::Portable => {
                recurrence::backward::<C, Baseline, TILE, SUMS>(packed, panel, upstream, scratch, input_gradient)
            }
            // SAFETY: a level other than `Portable` comes from `available`, which found its instructions on this machine.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { backward_avx2::<C>(packed, panel, upstream, scratch, input_gradient) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { backward_avx512::<C>(packed, panel, upstream, scratch, input_gradient) },
        }
    }

    /// Calls `entry` for the entries of a gradient. See [`Outer::for_each`].
    pub(super) fn entries(self, sums: &Outer, entry: impl FnMut(usize, usize, f32)) {
        match self {
            Level::Portable => sums.for_each::<SUMS>(entry),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => sums.for_each::<SUMS>(entry),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => sums.for_each::<WIDE_SUMS>(entry),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn forward_avx2<C: Cell>(packed: &Packed, panel: &mut Panel, keep: bool) {
    recurrence::forward::<C, Fused, TILE>(packed, panel, keep);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
fn forward_avx512<C: Cell>(packed: &Packed, panel: &mut Panel, keep: bool) {
    recurrence::forward::<C, Fused, WIDE_TILE>(packed, panel, keep);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn backward_avx2<C: Cell>(
    packed: &Packed,
    panel: &Panel,
    upstream: &Upstream<'_>,
    scratch: &mut Scratch,
    input_gradient: Option<&mut [Row]>,
) {
    recurrence::backward::<C, Fused, TILE, SUMS>(packed, panel, upstream, scratch, input_gradient);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
fn backward_avx512<C: Cell>(
    packed: &Packed,
    panel: &Panel,
    upstream: &Upstream<'_>,
    scratch: &mut Scratch,
    input_gradient: Option<&mut [Row]>,
) {
    recurrence::backward::<C, Fused, WIDE_TILE, WIDE_SUMS>(packed, panel, upstream, scratch, input_gradient);
}
