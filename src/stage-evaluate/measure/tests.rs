//! Figures against values worked out by hand and by scikit-learn.

#[path = "../tests/support/scores.rs"]
mod scores;

use proptest::prelude::*;

use super::*;

fn probabilities() -> Vec<f32> {
    scores::SIXTEENTHS.iter().flatten().map(|sixteenths| f32::from(*sixteenths) / 16.0).collect()
}

#[test]
fn agrees_with_scikit_learn() {
    let measures = Measures::of(&probabilities(), &scores::TRUTH, 3).unwrap();
    let areas: Vec<f64> = measures.curves.iter().flatten().map(|curve| curve.area).collect();
    assert_eq!(areas, scores::AREAS);
    assert!((measures.mean_area().unwrap() - scores::MEAN_AREA).abs() < 1e-15);
    assert_eq!(measures.confusion, scores::CONFUSION);
    assert_eq!((measures.rows, measures.correct), (24, scores::CORRECT));
    assert!((measures.accuracy() - scores::CORRECT as f64 / 24.0).abs() < 1e-15);
    assert!((measures.loss - scores::LOSS).abs() < 1e-12, "{}", measures.loss);
    assert_eq!((measures.rows_of(0), measures.predicted_as(0)), (10, 11));
    // The corners of scikit-learn's `roc_curve` of the third class.
    let points = measures.curves[2].iter().flat_map(|curve| &curve.points);
    let points: Vec<(u64, u64)> = points.map(|point| (point.false_positives, point.true_positives)).collect();
    assert_eq!(points, [(0, 0), (2, 0), (2, 2), (3, 3), (3, 5), (5, 5), (8, 6), (18, 6)]);
}

/// A curve by hand: scores 0.9+ 0.8+ 0.8- 0.5- 0.3+ 0.1-.
#[test]
fn a_curve_takes_equal_scores_together() {
    let scored = [(0.3, true), (0.9, true), (0.8, false), (0.1, false), (0.8, true), (0.5, false)];
    let curve = Curve::of(scored.to_vec()).unwrap();
    // Pairs: 0.9 beats 3; 0.8 beats 2 and ties 1; 0.3 beats 1: 6.5 of 9.
    assert_eq!(curve.area, 6.5 / 9.0);
    let points: Vec<(u64, u64, Option<f32>)> =
        curve.points.iter().map(|point| (point.false_positives, point.true_positives, point.threshold)).collect();
    assert_eq!(
        points,
        [(0, 0, None), (0, 1, Some(0.9)), (1, 2, Some(0.8)), (2, 2, Some(0.5)), (2, 3, Some(0.3)), (3, 3, Some(0.1))]
    );
    assert_eq!(curve.thinned(3).iter().map(|point| point.true_positives).collect::<Vec<_>>(), [0, 2, 3]);
    assert_eq!(curve.thinned(6), curve.points);
}

#[test]
fn a_constant_score_is_a_coin() {
    let curve = Curve::of(vec![(0.5, true), (0.5, false), (0.5, false)]).unwrap();
    assert_eq!((curve.area, curve.points.len()), (0.5, 2));
    let perfect = Curve::of(vec![(0.9, true), (0.8, true), (0.2, false)]).unwrap();
    assert_eq!((perfect.area, perfect.points.len()), (1.0, 3), "points on the sides of the square go");
    let reversed = Curve::of(vec![(0.1, true), (0.8, false)]).unwrap();
    assert_eq!(reversed.area, 0.0);
}

#[test]
fn a_class_that_never_occurs_has_no_curve() {
    let measures = Measures::of(&[0.5, 0.3, 0.2, 0.1, 0.8, 0.1], &[0, 1], 3).unwrap();
    assert_eq!(measures.curves.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(measures.mean_area(), Some(1.0));
    let single = Measures::of(&[0.5, 0.5], &[1], 2).unwrap();
    assert_eq!((single.mean_area(), single.correct), (None, 0), "of equal probabilities the first counts");
}

#[test]
fn a_sure_mistake_costs_what_it_costs_in_keras() {
    let measures = Measures::of(&[1.0, 0.0, 1.0, 0.0], &[1, 0], 2).unwrap();
    let expected = (-(1e-7_f64).ln() - (1.0 - 1e-7_f64).ln()) / 2.0;
    assert!((measures.loss - expected).abs() < 1e-12);
    let unscaled = Measures::of(&[3.0, 1.0], &[0], 2).unwrap();
    assert!((unscaled.loss + 0.75_f64.ln()).abs() < 1e-15, "rows are divided by their sum");
}

#[test]
fn nonsense_is_refused() {
    let text = |probabilities: &[f32], truth: &[usize]| Measures::of(probabilities, truth, 2).unwrap_err().to_string();
    assert_eq!(text(&[0.5], &[0]), "there are 1 probabilities for 1 rows of 2 classes");
    assert_eq!(text(&[], &[]), "there are no rows");
    assert_eq!(text(&[0.5, 0.5], &[2]), "row 0 has class 2 of 2");
    for values in [[f32::NAN, 1.0], [-0.5, 1.5], [0.0, 0.0], [f32::INFINITY, 1.0]] {
        let wrong = Measures::of(&[&[0.5, 0.5], &values[..]].concat(), &[0, 0], 2).unwrap_err();
        assert!(matches!(wrong, MeasureError::NotProbabilities { row: 1, .. }), "{values:?}");
    }
}

proptest! {
    #[test]
    fn the_area_is_the_share_of_pairs_in_order(scored in prop::collection::vec((0u8..12, any::<bool>()), 2..60)) {
        let scored: Vec<(f32, bool)> = scored.into_iter().map(|(score, positive)| (f32::from(score) / 16.0, positive)).collect();
        let scores = |wanted: bool| scored.iter().filter(move |(_, positive)| *positive == wanted).map(|(score, _)| *score).collect::<Vec<_>>();
        let (high, low) = (scores(true), scores(false));
        let Some(curve) = Curve::of(scored.clone()) else {
            prop_assert!(high.is_empty() || low.is_empty());
            return Ok(());
        };
        let count = |a: f32, b: f32| if a > b { 1.0 } else if a == b { 0.5 } else { 0.0 };
        let pairs: f64 = high.iter().flat_map(|a| low.iter().map(move |b| count(*a, *b))).sum();
        prop_assert_eq!(curve.area, pairs / (high.len() * low.len()) as f64);
        // The trapezoids below its points have the same area, and the points never turn back.
        let under: f64 = curve.points.windows(2).map(|pair| {
            let ((x0, y0), (x1, y1)) = (curve.rates(&pair[0]), curve.rates(&pair[1]));
            (x1 - x0) * (y0 + y1) / 2.0
        }).sum();
        prop_assert!((under - curve.area).abs() < 1e-12);
        prop_assert!(curve.points.windows(2).all(|pair| pair[0].false_positives <= pair[1].false_positives
            && pair[0].true_positives <= pair[1].true_positives));
        prop_assert_eq!(curve.points.last().map(|point| curve.rates(point)), Some((1.0, 1.0)));
        let thin = curve.thinned(4);
        prop_assert!(thin.len() <= 4 && thin.first() == curve.points.first() && thin.last() == curve.points.last());
    }
}
