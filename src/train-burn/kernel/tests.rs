//! Kernels against the `f64` reference: outputs, and gradients by finite differences, on every level of this machine.
use super::reference::Reference;
use super::*;

/// A layer, its parameters, a block of rows and the derivative of a loss by its output.
struct Case {
    shape: RecurrentShape,
    kept: Vec<Kept>,
    /// Input of all rows, kernel, recurrent kernel, bias.
    values: [Vec<f32>; 4],
    upstream: Vec<f32>,
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1 << 24) as f32 - 0.5
    }

    fn values(&mut self, count: usize, scale: f32) -> Vec<f32> {
        (0..count).map(|_| self.next() * scale).collect()
    }
}

impl Case {
    fn new(kind: Kind, input: usize, units: usize, steps: usize, return_sequences: bool, kept: Vec<Kept>) -> Case {
        let shape = RecurrentShape { kind, steps, input, units, return_sequences };
        let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ (units as u64) << 20 ^ kept.len() as u64);
        let columns = match kind {
            Kind::Gru => 3 * units,
            Kind::Lstm => 4 * units,
        };
        let bias = match kind {
            Kind::Gru => 2 * columns,
            Kind::Lstm => columns,
        };
        let values = [
            random.values(kept.len() * steps * input, 2.0),
            random.values(input * columns, 1.0),
            random.values(units * columns, 1.0),
            random.values(bias, 0.5),
        ];
        let upstream = random.values(kept.len() * shape.output_size(), 1.0);
        Case { shape, kept, values, upstream }
    }

    fn reference(&self, values: &[Vec<f64>; 4]) -> Vec<f64> {
        let RecurrentShape { kind, steps, input, units, return_sequences } = self.shape;
        let layer = Reference { kind, units, kernel: &values[1], recurrent: &values[2], bias: &values[3] };
        let mut output = Vec::new();
        for (kept, row) in self.kept.iter().zip(values[0].chunks_exact(steps * input)) {
            let states = layer.states((0..kept.len()).map(|i| &row[kept.step(i) * input..][..input]));
            let zero = vec![0.0; units];
            if return_sequences {
                for step in 0..steps {
                    let done = (0..kept.len()).filter(|&i| kept.step(i) <= step).count();
                    output.extend(if done == 0 { &zero } else { &states[done - 1] });
                }
            } else {
                output.extend(states.last().unwrap_or(&zero));
            }
        }
        output
    }

    fn loss(&self, values: &[Vec<f64>; 4]) -> f64 {
        self.reference(values).iter().zip(&self.upstream).map(|(a, b)| a * f64::from(*b)).sum()
    }

    fn check(&self, level: Level) {
        let RecurrentShape { steps, input, units, .. } = self.shape;
        let what = format!("{:?} {level:?} {} rows", self.shape, self.kept.len());
        let weights = RecurrentWeights {
            input,
            units,
            kernel: &self.values[1],
            recurrent: &self.values[2],
            bias: &self.values[3],
        };
        let rows: Vec<&[f32]> = self.values[0].chunks_exact(steps * input).collect();
        let pool = Arc::default();
        let (output, tape) = forward(self.shape, level, &weights, &rows, self.kept.clone(), &pool, true);
        let mut wide = self.values.clone().map(|values| values.into_iter().map(f64::from).collect::<Vec<_>>());
        for (index, (found, exact)) in output.iter().zip(self.reference(&wide)).enumerate() {
            assert!((f64::from(*found) - exact).abs() < 2e-6, "{what}: output {index} is {found}, exactly {exact}");
        }
        let (light, _) = forward(self.shape, level, &weights, &rows, self.kept.clone(), &pool, false);
        assert_eq!(light, output, "{what}: without keeping");

        let gradients = backward(&tape, &self.upstream, true);
        let found = [gradients.input.unwrap(), gradients.kernel, gradients.recurrent, gradients.bias];
        for (part, found) in found.iter().enumerate() {
            assert_eq!(found.len(), self.values[part].len(), "{what}: part {part}");
            let stride = (found.len() / 40).max(1);
            for at in (part % stride..found.len()).step_by(stride) {
                let exact = {
                    let difference = 1e-5;
                    let value = wide[part][at];
                    wide[part][at] = value + difference;
                    let above = self.loss(&wide);
                    wide[part][at] = value - difference;
                    let below = self.loss(&wide);
                    wide[part][at] = value;
                    (above - below) / (2.0 * difference)
                };
                let error = (f64::from(found[at]) - exact).abs();
                let bound = 3e-5 * (1.0 + exact.abs());
                assert!(error < bound, "{what}: gradient {part}[{at}] is {}, exactly {exact}", found[at]);
            }
        }
        drop(tape);
        let again = {
            let (_, tape) = forward(self.shape, level, &weights, &rows, self.kept.clone(), &pool, true);
            backward(&tape, &self.upstream, false)
        };
        assert_eq!(again.recurrent, found[2], "{what}: the same again from used buffers");
        assert!(again.input.is_none());
    }
}

fn cases(kind: Kind) -> Vec<Case> {
    let ragged = |rows: usize, steps: usize| (0..rows).map(|row| Kept::First(row * 7 % (steps + 1))).collect();
    let holes = |rows: u32, steps: u32| {
        (0..rows).map(|row| Kept::These((0..steps).filter(|step| (step * 5 + row) % 3 != 0).collect())).collect()
    };
    vec![
        Case::new(kind, 1, 1, 1, false, vec![Kept::First(1)]),
        Case::new(kind, 2, 3, 4, true, vec![Kept::First(4); 2]),
        Case::new(kind, 19, 50, 11, false, vec![Kept::First(11); 32]),
        Case::new(kind, 5, 8, 20, false, ragged(33, 20)),
        Case::new(kind, 7, 13, 9, true, ragged(19, 9)),
        Case::new(kind, 3, 6, 17, false, holes(21, 17)),
        Case::new(kind, 4, 7, 10, true, holes(18, 10)),
        Case::new(kind, 4, 7, 10, true, vec![Kept::These(vec![]), Kept::First(0)]),
    ]
}

#[test]
fn gru_agrees_with_the_reference() {
    for case in cases(Kind::Gru) {
        Level::available().iter().for_each(|level| case.check(*level));
    }
}

#[test]
fn lstm_agrees_with_the_reference() {
    for case in cases(Kind::Lstm) {
        Level::available().iter().for_each(|level| case.check(*level));
    }
}

/// A row's state does not depend on which rows are computed beside it: bits, not digits.
#[test]
fn a_row_is_the_same_in_any_block() {
    let case = Case::new(Kind::Gru, 5, 8, 20, false, (0..32).map(|row| Kept::First(row * 7 % 21)).collect());
    let weights = RecurrentWeights {
        input: 5,
        units: 8,
        kernel: &case.values[1],
        recurrent: &case.values[2],
        bias: &case.values[3],
    };
    let rows: Vec<&[f32]> = case.values[0].chunks_exact(100).collect();
    let pool = Arc::default();
    let level = Level::detect();
    let (whole, _) = forward(case.shape, level, &weights, &rows, case.kept.clone(), &pool, false);
    for row in 0..32 {
        let (alone, _) =
            forward(case.shape, level, &weights, &rows[row..=row], vec![case.kept[row].clone()], &pool, false);
        assert_eq!(alone, whole[row * 8..][..8], "row {row}");
    }
}

/// A row with NaN poisons its own state only.
#[test]
fn nan_stays_in_its_row() {
    let case = Case::new(Kind::Lstm, 5, 8, 20, false, (0..16).map(|row| Kept::First(20 - row)).collect());
    let weights = RecurrentWeights {
        input: 5,
        units: 8,
        kernel: &case.values[1],
        recurrent: &case.values[2],
        bias: &case.values[3],
    };
    let mut values = case.values[0].clone();
    values[3 * 100 + 7] = f32::NAN;
    let rows: Vec<&[f32]> = values.chunks_exact(100).collect();
    let pool = Arc::default();
    for _ in 0..2 {
        let (output, _) = forward(case.shape, Level::detect(), &weights, &rows, case.kept.clone(), &pool, true);
        for (row, state) in output.chunks_exact(8).enumerate() {
            assert_eq!(state.iter().any(|value| value.is_nan()), row == 3, "row {row}");
        }
    }
}
