//! Scores with many ties, and what scikit-learn 1.9.1's `metrics` says of them (`roc_auc_score` of each class, `log_loss` of normalised rows,
//! `confusion_matrix`); the areas also follow from counting pairs in exact fractions.

/// 24 rows of 3 classes with many equal scores, in sixteenths: exact in f32.
pub const SIXTEENTHS: [[u8; 3]; 24] = [
    [6, 4, 6],
    [10, 4, 2],
    [12, 3, 1],
    [1, 6, 9],
    [1, 13, 2],
    [2, 11, 3],
    [3, 10, 3],
    [8, 2, 6],
    [1, 10, 5],
    [4, 4, 8],
    [11, 1, 4],
    [1, 2, 13],
    [5, 9, 2],
    [2, 13, 2],
    [5, 10, 1],
    [4, 10, 2],
    [11, 1, 4],
    [9, 4, 3],
    [6, 6, 5],
    [6, 9, 1],
    [13, 1, 2],
    [5, 4, 8],
    [9, 5, 2],
    [12, 1, 3],
];
/// The true class of each row.
pub const TRUTH: [usize; 24] = [0, 0, 0, 0, 1, 1, 2, 2, 2, 2, 0, 1, 1, 0, 1, 1, 0, 1, 2, 0, 0, 2, 0, 1];

/// Area under the ROC curve of each class.
pub const AREAS: [f64; 3] = [3.0 / 4.0, 83.0 / 128.0, 89.0 / 108.0];
/// Their mean.
pub const MEAN_AREA: f64 = 0.740_837_191_358_024_6;
/// Mean cross-entropy.
pub const LOSS: f64 = 0.999_544_552_317_640_2;
/// A list for each true class, in it a number for each predicted class.
pub const CONFUSION: [[u64; 3]; 3] = [[7, 2, 1], [2, 5, 1], [2, 2, 2]];
/// Rows whose most probable class is the true one.
pub const CORRECT: u64 = 14;
